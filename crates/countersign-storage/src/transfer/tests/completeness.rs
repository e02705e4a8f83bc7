//! Nothing is forgotten: the list of tables against those that the migrations make, on both sides.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{settings, sqlite};
use crate::{
    postgres::{PostgresStorage, transfer::Target},
    test_database::TestDatabase,
    transfer::{
        row::Kind,
        tables::{TABLES, Table},
    },
};

/// What is not moved: each database keeps its own.
const NOT_MOVED: [&str; 1] = ["schema_migrations"];
/// What a transfer makes for itself.
const MADE: [&str; 1] = ["storage_transfer"];

/// The table that fills another, without its condition.
fn source_of(table: &Table) -> &'static str {
    table.from.split(' ').next().unwrap()
}

fn kind(sql_type: &str) -> Kind {
    match sql_type {
        "INTEGER" | "bigint" => Kind::Integer,
        "boolean" => Kind::Flag,
        "TEXT" | "text" => Kind::Text,
        "BLOB" | "bytea" => Kind::Blob,
        other => panic!("say in transfer/row.rs how a column of type {other} is moved"),
    }
}

#[test]
fn every_table_and_column_of_sqlite_is_moved_or_left_out_by_name() {
    let (_folder, path) = sqlite();
    let connection = Connection::open(path).unwrap();
    let mut statement = connection
        .prepare("select t.name, c.name, c.type from pragma_table_list t, pragma_table_info(t.name) c where t.type = 'table' and t.name not like 'sqlite\\_%' escape '\\'")
        .unwrap();
    let text = |row: &rusqlite::Row<'_>, index| row.get::<_, String>(index).unwrap();
    let mut there: BTreeMap<String, BTreeMap<String, Kind>> = BTreeMap::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        there.entry(text(row, 0)).or_default().insert(text(row, 1), kind(&text(row, 2)));
    }
    for name in NOT_MOVED {
        assert!(there.remove(name).is_some());
    }
    assert!(10 < there.len(), "{there:?}");
    for (name, columns) in &there {
        let tables: Vec<_> = TABLES.iter().filter(|table| source_of(table) == name).collect();
        let moved: BTreeSet<&str> =
            tables.iter().flat_map(|table| table.columns).map(|column| column.name).collect();
        let left_out: BTreeSet<&str> = tables.iter().flat_map(|table| table.left_out).copied().collect();
        for (column, kind) in columns {
            let is_known = moved.contains(column.as_str()) || left_out.contains(column.as_str());
            assert!(is_known, "{name}.{column} must be moved, or left out by name: transfer/tables.rs");
            for column in tables.iter().flat_map(|table| table.columns).filter(|moved| moved.name == column) {
                let fits = column.kind == *kind || (column.kind, *kind) == (Kind::Flag, Kind::Integer);
                assert!(fits, "{name}.{}: {:?} is not {kind:?}", column.name, column.kind);
                assert!([column.name, "null"].contains(&column.from), "{name}.{}", column.name);
            }
        }
        for left_out in left_out {
            assert!(columns.contains_key(left_out), "{name}.{left_out} is no column");
        }
    }
    for table in TABLES {
        assert!(there.contains_key(source_of(table)), "{} is filled from no table", table.name);
    }
}

#[tokio::test]
async fn every_table_and_column_of_postgresql_is_filled_unless_it_fills_itself() {
    let database = TestDatabase::create().await;
    let target = Target::open(&settings(&database)).await.unwrap();
    target.begin(&[]).await.unwrap();
    let columns =
        "select table_name || ' ' || column_name || ' ' || data_type from information_schema.columns
        where table_schema = 'public' and is_identity = 'NO'";
    let mut there: BTreeMap<String, BTreeMap<String, Kind>> = BTreeMap::new();
    for column in database.run(columns).await {
        let [table, column, sql_type] = column.split(' ').collect::<Vec<_>>().try_into().unwrap();
        there.entry(table.to_owned()).or_default().insert(column.to_owned(), kind(sql_type));
    }
    for name in NOT_MOVED.into_iter().chain(MADE) {
        assert!(there.remove(name).is_some(), "{name}");
    }
    for table in TABLES {
        let filled = table.columns.iter().map(|column| (column.name.to_owned(), column.kind)).collect();
        assert_eq!(there.remove(table.name), Some(filled), "{}: transfer/tables.rs differs", table.name);
    }
    assert!(there.is_empty(), "transfer/tables.rs must say what fills these: {there:?}");
}

#[tokio::test]
async fn every_column_counts_in_the_sum() {
    let (_folder, path) = sqlite();
    super::random_rows(&path, 3, 16);
    let database = TestDatabase::create().await;
    super::moved(&path, &database).await.unwrap();
    let target = Target::open(&settings(&database)).await.unwrap();
    for table in TABLES {
        for column in table.columns {
            let before = target.tally(table, |_| {}).await.unwrap();
            let name = column.name;
            let other = match column.kind {
                Kind::Integer => format!("coalesce({name}, 0) # 1"),
                Kind::Flag => format!("not {name}"),
                Kind::Text => format!("coalesce({name}, '') || 'x'"),
                Kind::Blob => format!("coalesce({name}, '') || '\\x00'::bytea"),
            };
            let table_name = table.name;
            database.run("alter table index_keys drop constraint if exists index_keys_id_check").await;
            database
                .run(&format!(
                    "update {table_name} set {name} = {other} where ctid = (select min(ctid) from {table_name})"
                ))
                .await;
            let after = target.tally(table, |_| {}).await.unwrap();
            assert_eq!(after.rows(), before.rows());
            assert_ne!(after, before, "{table_name}.{name}");
        }
    }
    // It is still the same database.
    PostgresStorage::open(settings(&database)).await.unwrap().close().await;
}
