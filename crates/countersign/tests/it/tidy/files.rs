//! What files are called, how they begin, how long they are, and that none is alone which should have a twin.

use std::collections::BTreeSet;

use super::{SourceFile, assert_none, files_below, root};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 10] = [
    "common.rs",
    "helper.rs",
    "helpers.rs",
    "manager.rs",
    "managers.rs",
    "misc.rs",
    "mod.rs",
    "shared.rs",
    "util.rs",
    "utils.rs",
];

/// A file longer than the first deserves a thought, one longer than the second is cut. Tests don't count.
const AIM: usize = 300;
const MOST: usize = 500;

fn rust() -> Vec<SourceFile> {
    files_below("", &[".rs"])
}

#[test]
fn every_file_says_what_it_is_for() {
    let is_silent = |file: &SourceFile| !file.text.trim_start().starts_with("//! ");
    let wrong: Vec<String> = rust().into_iter().filter(is_silent).map(|file| file.path).collect();
    assert_none("A file begins with `//!` and what it is for; these don't:", &wrong);
}

#[test]
fn file_names_say_something() {
    let is_empty = |file: &SourceFile| {
        let parts: Vec<&str> = file.path.split('/').collect();
        parts
            .iter()
            .any(|part| EMPTY_NAMES.contains(&format!("{}.rs", part.trim_end_matches(".rs")).as_str()))
    };
    let wrong: Vec<String> = rust().into_iter().filter(is_empty).map(|file| file.path).collect();
    assert_none("Name the file after what it holds; these names fit anything:", &wrong);
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for file in rust() {
        let is_test = file.path.ends_with("/tests.rs") || file.path.split('/').any(|part| part == "tests");
        let own = file.text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count();
        if !is_test && MOST < own {
            wrong.push(format!("{}: {own} lines", file.path));
        } else if !is_test && AIM < own {
            println!("{}: {own} lines, aim under {AIM}", file.path);
        }
    }
    assert_none(&format!("Cut these along their subjects, none may pass {MOST} lines:"), &wrong);
}

#[test]
fn no_test_is_ignored() {
    let mark = ["#[ign", "ore"].concat();
    let wrong: Vec<String> =
        rust().into_iter().filter(|file| file.text.contains(&mark)).map(|file| file.path).collect();
    assert_none("A test runs or goes:", &wrong);
}

#[test]
fn migrations_are_paired() {
    let migrations = "crates/countersign-storage/migrations";
    if !root().join(migrations).join("postgres").exists() {
        return; // One backend so far.
    }
    let names = |backend: &str| -> BTreeSet<String> {
        let folder = format!("{migrations}/{backend}/");
        files_below(&folder, &[".sql"])
            .iter()
            .map(|file| file.path.rsplit('/').next().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(
        names("sqlite"),
        names("postgres"),
        "every migration has the same number and name in both folders"
    );
}
