//! Every statement in the source, as PostgreSQL reads it.

use std::{fs, path::Path};

use crate::test_database::TestDatabase;

#[tokio::test]
async fn every_statement_prepares() {
    let database = TestDatabase::create().await;
    let storage = database.open().await;
    let connection = storage.connect().await.unwrap();
    let client = connection.client().unwrap();
    // A table of another program.
    client.batch_execute(include_str!("../../../tests/fixtures/synapse.sql")).await.unwrap();
    let sources = sources();
    // Tables that are there only at times.
    for (_, source) in &sources {
        for table in literals(source, &["create table if not exists "]) {
            client.batch_execute(table).await.unwrap();
        }
    }
    let mut prepared = 0;
    for (file, source) in &sources {
        for sql in literals(source, &["select ", "insert ", "update ", "delete ", "with "]) {
            let outcome = client.prepare(sql).await;
            assert!(outcome.is_ok(), "{file}: {sql}: {:?}", outcome.err());
            prepared += 1;
        }
    }
    assert!(prepared > 60, "only {prepared} statements were found");
    storage.close().await;
}

/// The backend's files with what they say, but for tests and for what is asked of other programs' databases.
fn sources() -> Vec<(String, String)> {
    let (mut sources, mut folders) =
        (Vec::new(), vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.is_file() && name != "tests.rs" && name != "foreign.rs" {
                let source = fs::read_to_string(&path).unwrap();
                let source = source.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                sources.push((path.display().to_string(), source));
            }
        }
    }
    sources
}

/// String literals that begin so, but for those with gaps that the program fills.
fn literals<'a>(source: &'a str, beginnings: &[&str]) -> impl Iterator<Item = &'a str> {
    let literals = source.split('"').skip(1).step_by(2);
    literals.filter(|literal| {
        !literal.contains('{') && beginnings.iter().any(|beginning| literal.starts_with(beginning))
    })
}
