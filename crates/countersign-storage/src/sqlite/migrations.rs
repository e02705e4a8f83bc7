//! Brings the tables of a database up to date.

use rusqlite::{Connection, TransactionBehavior, params};

use super::failure::{Failure, Outcome};
use crate::StorageError;

/// A step from one version of the tables to the next. Never edited after release.
struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first_light",
        sql: include_str!("../../migrations/sqlite/0001_first_light.sql"),
    },
    Migration {
        number: 2,
        name: "client_api",
        sql: include_str!("../../migrations/sqlite/0002_client_api.sql"),
    },
];

/// Applies what is missing, each migration in a transaction of its own. Two processes may do so at once.
pub(super) fn migrate(connection: &mut Connection) -> Outcome<()> {
    connection.execute_batch(
        "create table if not exists schema_migrations (
            number integer not null primary key, name text not null, applied_at integer not null
         ) strict",
    )?;
    for migration in MIGRATIONS {
        apply(connection, migration)?;
    }
    let known = MIGRATIONS.last().map_or(0, |migration| migration.number);
    let found = latest(connection)?;
    if known < found { Err(Failure::Storage(StorageError::Schema { found, known })) } else { Ok(()) }
}

fn apply(connection: &mut Connection, migration: &Migration) -> Outcome<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if migration.number <= latest(&transaction)? {
        return Ok(());
    }
    transaction.execute_batch(migration.sql)?;
    transaction.execute(
        "insert into schema_migrations (number, name, applied_at) values (?1, ?2, cast(unixepoch('subsec') * 1000 as integer))",
        params![migration.number, migration.name],
    )?;
    transaction.commit()?;
    tracing::info!(
        migration.number,
        migration.name,
        "applied migration {} {}",
        migration.number,
        migration.name
    );
    Ok(())
}

fn latest(connection: &Connection) -> Outcome<i64> {
    Ok(connection
        .query_row("select coalesce(max(number), 0) from schema_migrations", [], |row| row.get(0))?)
}
