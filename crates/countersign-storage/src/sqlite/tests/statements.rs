//! The statements: that all of them are valid, and how they are kept.

use std::{fs, path::Path};

use rusqlite::{Connection, StatementStatus};

use super::{open, settings};
use crate::sqlite::connection;

#[test]
fn every_statement_prepares() {
    let (storage, folder) = open();
    drop(storage);
    let connection = Connection::open(settings(folder.path()).path).unwrap();
    let mut prepared = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sqlite")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.is_file() && name != "tests.rs" {
                for sql in statements(&fs::read_to_string(&path).unwrap()) {
                    let outcome = connection.prepare(sql);
                    assert!(outcome.is_ok(), "{}: {sql}: {:?}", path.display(), outcome.err());
                    prepared += 1;
                }
            }
        }
    }
    assert!(prepared > 80, "only {prepared} statements were found");
}

/// String literals that begin like a statement, and are whole.
fn statements(source: &str) -> impl Iterator<Item = &str> {
    let literals = source.split('"').skip(1).step_by(2).filter(|literal| !literal.contains('{'));
    literals.filter(|literal| {
        ["select ", "insert ", "update ", "delete ", "with "].iter().any(|verb| literal.starts_with(verb))
    })
}

#[test]
fn statement_is_prepared_once_for_all_values() {
    let (storage, folder) = open();
    drop(storage);
    let connection = connection::open_reading(&settings(folder.path()).path).unwrap();
    for after in 0..10 {
        let sql = "select number from lookup_keys where ?1 < number limit ?2";
        let mut statement = connection.prepare_cached(sql).unwrap();
        assert!(statement.query([after, 100 + after]).unwrap().next().unwrap().is_none());
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
