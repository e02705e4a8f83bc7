//! Which crate may depend on which: the drawing in ARCHITECTURE.md. Change drawing and table together.

use std::fs;

use toml::{Table, Value};

use super::{assert_none, crates, files_below, root};

/// A crate, the rooms it may use, and the libraries that would give it a duty of another room.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
    must_not_use: &'static [&'static str],
}

const ROOMS: [Room; 7] = [
    Room {
        name: "countersign",
        may_use: &[
            "countersign-api",
            "countersign-client",
            "countersign-core",
            "countersign-delivery",
            "countersign-service",
            "countersign-storage",
        ],
        must_not_use: &["lettre", "mail-builder", "rusqlite", "tokio-postgres"],
    },
    Room {
        name: "countersign-api",
        may_use: &["countersign-core"],
        must_not_use: &["axum", "http", "reqwest", "rusqlite", "tokio", "tokio-postgres"],
    },
    Room {
        name: "countersign-client",
        may_use: &["countersign-api", "countersign-core"],
        must_not_use: &["axum", "lettre", "rusqlite", "tokio-postgres"],
    },
    Room {
        name: "countersign-core",
        may_use: &[],
        must_not_use: &[
            "async-trait",
            "axum",
            "getrandom",
            "lettre",
            "reqwest",
            "rusqlite",
            "tokio",
            "tokio-postgres",
            "tracing",
        ],
    },
    Room {
        name: "countersign-delivery",
        may_use: &["countersign-core"],
        must_not_use: &["axum", "rusqlite", "tokio-postgres"],
    },
    Room {
        name: "countersign-service",
        may_use: &["countersign-core", "countersign-delivery", "countersign-storage"],
        must_not_use: &["axum", "http", "lettre", "reqwest", "rusqlite", "tokio-postgres"],
    },
    Room {
        name: "countersign-storage",
        may_use: &["countersign-core"],
        must_not_use: &["axum", "lettre", "reqwest"],
    },
];

/// Rooms that the crate `countersign` may name only where it puts the node together.
const NAMED_ONLY_IN: [(&str, &str); 3] = [
    ("countersign_storage", "crates/countersign/src/wiring"),
    ("countersign_delivery", "crates/countersign/src/wiring"),
    ("countersign_client", "crates/countersign/src/cli/client"),
];

/// The dependencies of a crate that reach its users, per target too; those of its tests are free.
fn dependencies(name: &str) -> Vec<String> {
    let path = root().join("crates").join(name).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let manifest: Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = targets.filter_map(Value::as_table).chain([&manifest]);
    tables
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .flatten()
        .filter_map(Value::as_table)
        .flat_map(Table::iter)
        .map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned())
        .collect()
}

#[test]
fn every_crate_is_a_room_of_the_drawing() {
    let mut rooms = ROOMS.map(|room| room.name);
    rooms.sort_unstable();
    assert_eq!(crates(), rooms, "crates/ and the rooms in tests/it/tidy/arrows.rs differ");
}

#[test]
fn dependencies_follow_the_arrows() {
    let mut wrong = Vec::new();
    for room in ROOMS {
        for dependency in dependencies(room.name) {
            let is_ours = ROOMS.iter().any(|other| other.name == dependency);
            if is_ours && !room.may_use.contains(&dependency.as_str()) {
                wrong.push(format!("{} -> {dependency}", room.name));
            }
        }
    }
    assert_none("These arrows are not in the drawing in ARCHITECTURE.md:", &wrong);
}

#[test]
fn no_room_takes_the_tools_of_another() {
    let mut wrong = Vec::new();
    for room in ROOMS {
        for dependency in dependencies(room.name) {
            if room.must_not_use.contains(&dependency.as_str()) {
                wrong.push(format!("{} uses {dependency}", room.name));
            }
        }
    }
    assert_none("These libraries belong into another crate:", &wrong);
}

#[test]
fn only_the_wiring_names_the_lower_rooms() {
    let mut wrong = Vec::new();
    for file in files_below("crates/countersign/src", &[".rs"]) {
        for (name, place) in NAMED_ONLY_IN {
            let is_place = file.path == format!("{place}.rs") || file.path.starts_with(&format!("{place}/"));
            if !is_place && file.text.contains(name) {
                wrong.push(format!("{} names {name}: only {place}.rs and what is below may", file.path));
            }
        }
    }
    assert_none("Handlers and pages see use cases only:", &wrong);
}
