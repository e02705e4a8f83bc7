//! Brings the tables of a database up to date.

use super::{
    connection::{Connection, Transaction},
    failure::{Failure, Outcome},
    parameter::Query,
    rows::{Columns, list},
};
use crate::StorageError;

/// A step from one version of the tables to the next. Never edited after release. Nodes of the version before go on
/// working while it is applied and after it: what they still need is taken away by a later one.
struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first_light",
        sql: include_str!("../../migrations/postgres/0001_first_light.sql"),
    },
    Migration {
        number: 2,
        name: "client_api",
        sql: include_str!("../../migrations/postgres/0002_client_api.sql"),
    },
];

/// Whoever migrates holds this lock until the end of the transaction, so that two nodes don't do it at once. The number
/// means nothing.
const LOCK: i64 = 0x636f_756e_7465_7273;

/// Applies what is missing, all in one transaction. Several nodes may do so at once.
pub(super) async fn migrate(connection: Connection) -> Outcome<()> {
    let mut tx = Transaction::on(connection);
    tx.run([
        Query::new("select pg_advisory_xact_lock($1)").with(LOCK),
        Query::new(
            "create table if not exists schema_migrations (
                number bigint not null primary key, name text not null, applied_at bigint not null
             )",
        ),
    ])
    .await?;
    let [applied] = tx.run([list_applied()]).await?;
    let applied = read_numbers(&applied.rows)?;
    for migration in MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.number)) {
        tx.run_script(migration.sql).await?;
        tx.run([Query::new(
            "insert into schema_migrations (number, name, applied_at)
             values ($1, $2, (extract(epoch from clock_timestamp()) * 1000)::bigint)",
        )
        .with(migration.number)
        .with(migration.name)])
            .await?;
        tracing::info!(
            migration.number,
            migration.name,
            "applied migration {} {}",
            migration.number,
            migration.name
        );
    }
    let [applied] = tx.run([list_applied()]).await?;
    check_numbers(&read_numbers(&applied.rows)?)?;
    tx.commit().await
}

/// Refuses tables that are older or newer than this version's, or that miss a step.
pub(super) async fn check(connection: &mut Connection) -> Outcome<()> {
    let [there] =
        connection.run([Query::new("select 1 where to_regclass('schema_migrations') is not null")]).await?;
    if there.rows.is_empty() {
        return check_numbers(&[]);
    }
    let [applied] = connection.run([list_applied()]).await?;
    check_numbers(&read_numbers(&applied.rows)?)
}

fn list_applied() -> Query<'static> {
    Query::new("select number from schema_migrations order by number")
}

fn read_numbers(rows: &[tokio_postgres::Row]) -> Outcome<Vec<i64>> {
    list(rows, |row| Columns::of("schema_migrations", row).integer("number"))
}

fn check_numbers(applied: &[i64]) -> Outcome<()> {
    if applied.iter().eq(MIGRATIONS.iter().map(|migration| &migration.number)) {
        return Ok(());
    }
    let found = applied.last().copied().unwrap_or(0);
    let known = MIGRATIONS.last().map_or(0, |migration| migration.number);
    Err(Failure::Storage(StorageError::Schema { found, known }))
}
