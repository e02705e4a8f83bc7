//! Readers of other programs' databases, on fixtures.

use std::path::Path;

use rusqlite::Connection;

use super::{
    ForeignError,
    sydent::{SydentCounts, SydentDatabase},
    synapse::{SynapseSource, SynapseThreepids},
};
use crate::{postgres::PostgresSettings, test_database::TestDatabase};

const SYDENT: &str = include_str!("../../tests/fixtures/sydent.sql");
const SYDENT_0: &str = include_str!("../../tests/fixtures/sydent_0.sql");
const SYNAPSE: &str = include_str!("../../tests/fixtures/synapse.sql");

/// A file with what these scripts make.
fn file(scripts: &[&str]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let connection = Connection::open(file.path()).unwrap();
    for script in scripts {
        connection.execute_batch(script).unwrap();
    }
    file
}

#[test]
fn rows_of_sydent_come_in_batches_in_order() {
    let file = file(&[
        SYDENT,
        "insert into local_threepid_associations (id, medium, address, mxid, ts, notAfter) values
            (7, 'email', 'C@example.org', '@c:x', 3, 9), (2, 'email', 'a@example.org', '@a:x', 1, 9),
            (5, 'msisdn', x'00', null, 'soon', null)",
    ]);
    let database = SydentDatabase::open(file.path()).unwrap();
    let first = database.associations(0, 2).unwrap();
    assert_eq!(first.iter().map(|row| row.id).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(first[0].row.address.as_deref(), Some("a@example.org"));
    let odd = &first[1].row;
    assert_eq!((&odd.address, &odd.mxid, odd.ts, odd.not_after), (&None, &None, None, None));
    let second = database.associations(5, 2).unwrap();
    assert_eq!((second.len(), second[0].row.mxid.as_deref()), (1, Some("@c:x")));
    assert!(database.associations(7, 2).unwrap().is_empty());
}

#[test]
fn copies_of_local_associations_are_told_from_those_of_others() {
    let file = file(&[
        SYDENT,
        "insert into local_threepid_associations (medium, address, mxid) values
            ('email', 'a@example.org', '@a:x'), ('email', 'b@example.org', null);
         insert into global_threepid_associations
            (medium, address, mxid, ts, notBefore, notAfter, originServer, originId, sgAssoc) values
            ('email', 'a@example.org', '@a:x', 1, 1, 9, 'here', 1, '{}'),
            ('email', 'b@example.org', '@b:x', 1, 1, 9, 'there', 1, '{}'),
            ('email', 'c@example.org', '@c:x', 1, 1, 9, 'there', 2, '{}');
         insert into hashing_metadata values (1, 'pepper');
         insert into accounts values ('@a:x', 1234, null);
         insert into tokens values ('t', '@a:x'), ('u', '@b:x')",
    ]);
    let database = SydentDatabase::open(file.path()).unwrap();
    let expected =
        SydentCounts { associations: 2, foreign_associations: 2, tokens: 2, ..SydentCounts::default() };
    assert_eq!(database.counts().unwrap(), expected);
    assert_eq!(database.lookup_pepper().unwrap().as_deref(), Some("pepper"));
    let tokens = database.tokens(0, 10).unwrap();
    assert_eq!(tokens.iter().map(|token| token.row.created_ts).collect::<Vec<_>>(), [Some(1234), None]);
}

#[test]
fn early_version_of_sydent_reads_as_empty_where_it_has_nothing() {
    let row = "insert into local_threepid_associations values (1, 'email', 'a@example.org', '@a:x', 1, 1, 9)";
    let file = file(&[SYDENT_0, row]);
    let database = SydentDatabase::open(file.path()).unwrap();
    let expected = SydentCounts { associations: 1, ..SydentCounts::default() };
    assert_eq!(database.counts().unwrap(), expected);
    assert_eq!(database.associations(0, 10).unwrap().len(), 1);
    assert_eq!(database.lookup_pepper().unwrap(), None);
    assert!(database.tokens(0, 10).unwrap().is_empty() && database.invitations(0, 10).unwrap().is_empty());
}

#[test]
fn nothing_is_written_and_strangers_are_refused() {
    let missing = SydentDatabase::open(Path::new("/nowhere/sydent.db")).unwrap_err();
    assert!(matches!(missing, ForeignError::NoDatabase(_)));
    let strange = file(&[SYNAPSE]);
    let strange = SydentDatabase::open(strange.path()).unwrap_err();
    assert_eq!(
        strange.to_string(),
        "the database has no table local_threepid_associations: it is not one of Sydent"
    );
    let text = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(text.path(), [7; 4096]).unwrap();
    assert!(matches!(SydentDatabase::open(text.path()), Err(ForeignError::Unreadable(_))));
}

async fn assert_order(source: SynapseSource<'_>) {
    let mut threepids = SynapseThreepids::open(source).await.unwrap();
    assert_eq!(threepids.count(), 3);
    let mut addresses = Vec::new();
    loop {
        let batch = threepids.next_batch(2).await.unwrap();
        if batch.is_empty() {
            break;
        }
        addresses.extend(batch.into_iter().map(|row| row.address.unwrap()));
    }
    assert_eq!(addresses, ["z@example.org", "447700900123", "a@example.org"]);
}

const ROWS: &str = "insert into user_threepids values
    ('@a:x', 'email', 'a@example.org', 3, 30), ('@b:x', 'email', 'z@example.org', 1, 10),
    ('@b:x', 'msisdn', '447700900123', 2, 20)";

#[tokio::test]
async fn addresses_of_synapse_come_first_added_first() {
    let file = file(&[SYNAPSE, ROWS]);
    assert_order(SynapseSource::Sqlite(file.path())).await;
    let database = TestDatabase::create().await;
    database.run(SYNAPSE).await;
    database.run(ROWS).await;
    assert_order(SynapseSource::Postgres(&PostgresSettings::new(database.url()))).await;
}

#[tokio::test]
async fn another_programs_database_is_no_synapse() {
    let other = file(&[SYDENT]);
    let database = TestDatabase::create().await;
    let settings = PostgresSettings::new(database.url());
    for source in [SynapseSource::Sqlite(other.path()), SynapseSource::Postgres(&settings)] {
        let refused = SynapseThreepids::open(source).await.err().unwrap();
        assert_eq!(refused.to_string(), "the database has no table user_threepids: it is not one of Synapse");
    }
}
