//! What documents and comments promise: one version of the specification, the right list of crates.

use std::collections::BTreeSet;
use std::fs;

use super::{assert_none, crates, files_below, root};

/// The one version of the specification that we implement and link.
const SPEC: &str = "v1.19/";

#[test]
fn all_links_name_one_version_of_the_specification() {
    let site = ["spec.matrix", ".org/"].concat();
    let mut wrong = Vec::new();
    for file in files_below("", &[".rs", ".md", ".toml", ".html", ".txt"]) {
        for (number, line) in file.text.lines().enumerate() {
            if line.split(&site).skip(1).any(|rest| !rest.starts_with(SPEC)) {
                wrong.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    assert_none(&format!("Links to the specification name {SPEC}, these don't:"), &wrong);
}

#[test]
fn the_architecture_lists_the_crates_that_there_are() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let in_name = |c: char| c.is_ascii_lowercase() || c == '-';
    let listed: BTreeSet<String> = text
        .split("crates/")
        .skip(1)
        .map(|rest| rest.split(|c| !in_name(c)).next().unwrap_or_default().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    let there: BTreeSet<String> = crates().into_iter().collect();
    assert_eq!(listed, there, "ARCHITECTURE.md must name each folder as `crates/NAME`, and no other");
}
