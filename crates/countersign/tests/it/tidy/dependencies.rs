//! What we ship from others: where it comes from, under which licence, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use serde_json::Value;

use super::{assert_none, root};

/// Licences that both of ours allow us to build on.
const LICENCES: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Those that may be in tests as well.
const TEST_LICENCES: [&str; 1] = ["MPL-2.0"];

/// Crates of which we ship several incompatible versions, and who wants the older. An entry is a cost: it needs a
/// reason, and goes when the reason does.
const DUPLICATES: [(&str, &str); 13] = [
    ("base64", "postgres-protocol"),
    ("dashmap", "rlibphonenumber"),
    ("fallible-iterator", "tokio-postgres"),
    ("foldhash", "by hashbrown"),
    ("getrandom", "ring"),
    ("hashbrown", "dashmap, governor and hashlink are at different releases"),
    ("logos", "the build of rlibphonenumber's metadata"),
    ("logos-codegen", "by logos"),
    ("logos-derive", "by logos"),
    ("syn", "derive macros that are not yet at 3"),
    ("thiserror", "the build of rlibphonenumber's metadata"),
    ("thiserror-impl", "by thiserror"),
    ("tower-http", "reqwest"),
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What cargo knows of the packages that this machine's build takes.
struct Packages {
    packages: Vec<Value>,
    /// Ids of what reaches our users, build scripts and macros included.
    shipped: BTreeSet<String>,
}

impl Packages {
    fn read() -> Self {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let output = Command::new(cargo)
            .args([
                "metadata",
                "--format-version",
                "1",
                "--locked",
                "--offline",
                "--filter-platform",
                &host(),
            ])
            .current_dir(root())
            .output()
            .expect("cargo runs, since it runs this test");
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
        let packages = list(&metadata["packages"]).to_vec();
        let nodes: BTreeMap<&str, &Value> =
            list(&metadata["resolve"]["nodes"]).iter().map(|node| (text(&node["id"]), node)).collect();

        let mut shipped = BTreeSet::new();
        let mut open: Vec<&str> = list(&metadata["workspace_members"]).iter().map(text).collect();
        while let Some(id) = open.pop() {
            if shipped.insert(id.to_owned()) {
                let is_shipped = |dependency: &&Value| {
                    list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev")
                };
                open.extend(
                    list(&nodes[id]["deps"])
                        .iter()
                        .filter(is_shipped)
                        .map(|dependency| text(&dependency["pkg"])),
                );
            }
        }
        Self { packages, shipped }
    }

    fn is_shipped(&self, package: &Value) -> bool {
        self.shipped.contains(text(&package["id"]))
    }
}

fn host() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-vV").output().expect("rustc runs, since it built this test");
    let output = String::from_utf8(output.stdout).expect("rustc writes text");
    output.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc -vV names its host").to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn label(package: &Value) -> String {
    format!("{} {}", text(&package["name"]), text(&package["version"]))
}

/// The part of a version within which releases are compatible: `1`, `0.4`, `0.0.3`.
fn compatible(version: &str) -> String {
    let significant = version.split('.').take_while(|part| *part == "0").count() + 1;
    version.split('.').take(significant).collect::<Vec<_>>().join(".")
}

/// Whether an SPDX expression can be met with licences that pass.
fn is_met(expression: &str, passes: &dyn Fn(&str) -> bool) -> bool {
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = expression.split_whitespace().peekable();
    let met = any_of(&mut words, passes);
    met && words.peek().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, passes: &dyn Fn(&str) -> bool) -> bool {
    let mut met = all_of(words, passes);
    while words.next_if_eq(&"OR").is_some() {
        met |= all_of(words, passes);
    }
    met
}

fn all_of(words: &mut Words<'_>, passes: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one_of(words, passes);
    while words.next_if_eq(&"AND").is_some() {
        met &= one_of(words, passes);
    }
    met
}

fn one_of(words: &mut Words<'_>, passes: &dyn Fn(&str) -> bool) -> bool {
    let Some(word) = words.next() else {
        return false;
    };
    if word == "(" {
        let met = any_of(words, passes);
        return words.next() == Some(")") && met;
    }
    if words.next_if_eq(&"WITH").is_none() {
        return passes(word);
    }
    words.next().is_some_and(|exception| passes(&format!("{word} WITH {exception}")))
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let passes = |licence: &str| ["MIT", "ISC", "A WITH x"].contains(&licence);
    for met in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "(MIT OR GPL-3.0) AND ISC",
        "A WITH x",
        "GPL-3.0 AND B OR MIT",
    ] {
        assert!(is_met(met, &passes), "{met}");
    }
    for unmet in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT AND", "(MIT", "MIT ISC", "A", "(MIT OR ISC) AND GPL-3.0"]
    {
        assert!(!is_met(unmet, &passes), "{unmet}");
    }
}

#[test]
fn licences_are_ones_we_may_build_on() {
    let packages = Packages::read();
    let mut wrong = Vec::new();
    for package in &packages.packages {
        let is_shipped = packages.is_shipped(package);
        let passes =
            |licence: &str| LICENCES.contains(&licence) || (!is_shipped && TEST_LICENCES.contains(&licence));
        if !is_met(text(&package["license"]), &passes) {
            wrong.push(format!("{}: {}", label(package), package["license"]));
        }
    }
    assert_none("These licences are not in the list of tests/it/tidy/dependencies.rs:", &wrong);
}

#[test]
fn packages_come_from_crates_io_or_from_here() {
    let packages = Packages::read();
    let is_foreign = |package: &&Value| !package["source"].is_null() && package["source"] != REGISTRY;
    let wrong: Vec<String> = packages.packages.iter().filter(is_foreign).map(label).collect();
    assert_none("Only crates.io is a source of dependencies; these come from elsewhere:", &wrong);
}

#[test]
fn no_crate_is_shipped_in_two_versions_without_a_reason() {
    let packages = Packages::read();
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in packages.packages.iter().filter(|package| packages.is_shipped(package)) {
        versions.entry(text(&package["name"])).or_default().insert(compatible(text(&package["version"])));
    }
    let is_known = |name: &str| DUPLICATES.iter().any(|(known, _)| *known == name);
    let wrong: Vec<String> = versions
        .iter()
        .filter(|(name, versions)| 1 < versions.len() && !is_known(name))
        .map(|(name, versions)| format!("{name}: {versions:?} (cargo tree --invert {name}@VERSION)"))
        .collect();
    assert_none(
        "Align these, or add them with the reason to DUPLICATES in tests/it/tidy/dependencies.rs:",
        &wrong,
    );
}
