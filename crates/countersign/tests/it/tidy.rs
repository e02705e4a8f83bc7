//! The house rules that no lint knows. Each test names what breaks a rule and says what to do instead.

mod arrows;
mod dependencies;
mod documents;
mod files;

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the crate stands in the repository")
}

/// The folders of the crates, by name.
fn crates() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("crates"))
        .expect("the repository has crates")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.join("Cargo.toml").is_file())
        .map(|path| name_of(&path).to_owned())
        .collect();
    names.sort();
    names
}

/// A file of the repository: its path from the root, with `/`, and its text.
struct SourceFile {
    path: String,
    text: String,
}

/// All files below a folder whose names end so, but for what is built or hidden.
fn files_below(folder: &str, endings: &[&str]) -> Vec<SourceFile> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            let name = name_of(&path);
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "countersign-dev"].contains(&name) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text =
                    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let path = path.strip_prefix(&root).expect("found below the root").display().to_string();
                found.push(SourceFile { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("names in the repository are UTF-8")
}

/// Fails with the rule and everything that breaks it.
fn assert_none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}\n  {}", offenders.join("\n  "));
}
