//! Brings the tables of a database up to date.

use rusqlite::{Connection, TransactionBehavior, params};

use super::failure::{Failure, Outcome};
use crate::migrations::{self, MIGRATIONS, Migration};

/// Applies what is missing, each migration in a transaction of its own. Two processes may do so at once.
pub(super) fn migrate(connection: &mut Connection) -> Outcome<()> {
    apply(connection, MIGRATIONS)
}

/// Refuses tables that are older or newer than this version's, or that miss a step.
pub(super) fn check(connection: &Connection) -> Outcome<()> {
    let applied = if has_any(connection)? { list_applied(connection)? } else { Vec::new() };
    migrations::check(MIGRATIONS, &applied).map_err(Failure::Storage)
}

fn apply(connection: &mut Connection, known: &[Migration]) -> Outcome<()> {
    if !has_any(connection)? {
        connection.execute_batch(
            "create table if not exists schema_migrations (
                number integer not null primary key, name text not null, applied_at integer not null
             ) strict",
        )?;
    }
    while apply_next(connection, known)? {}
    Ok(())
}

/// Applies the first one that is missing; answers whether there was one. Which one that is, is read under the lock.
fn apply_next(connection: &mut Connection, known: &[Migration]) -> Outcome<bool> {
    if missing(connection, known)?.is_empty() {
        return Ok(false);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let [migration, ..] = missing(&transaction, known)? else { return Ok(false) };
    transaction.execute_batch(migration.sqlite)?;
    let (number, name) = (migration.number(), migration.name());
    transaction.execute(
        "insert into schema_migrations (number, name, applied_at) values (?1, ?2, cast(unixepoch('subsec') * 1000 as integer))",
        params![number, name],
    )?;
    transaction.commit()?;
    tracing::info!(migration.number = number, migration.name = name, "applied migration {number} {name}");
    Ok(true)
}

fn missing<'known>(connection: &Connection, known: &'known [Migration]) -> Outcome<&'known [Migration]> {
    migrations::missing(known, &list_applied(connection)?).map_err(Failure::Storage)
}

fn has_any(connection: &Connection) -> Outcome<bool> {
    let select =
        "select exists (select 1 from sqlite_master where type = 'table' and name = 'schema_migrations')";
    Ok(connection.query_row(select, [], |row| row.get(0))?)
}

fn list_applied(connection: &Connection) -> Outcome<Vec<i64>> {
    let mut statement = connection.prepare("select number from schema_migrations order by number")?;
    let applied = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StorageError;

    #[test]
    fn migration_that_fails_leaves_nothing_of_itself_and_those_before_it() {
        let known = [
            Migration::of_test("0001_one", "create table one (id integer) strict", ""),
            Migration::of_test("0002_two", "create table two (id integer) strict; drop table nowhere", ""),
        ];
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &known).unwrap_err();
        let tables =
            "select group_concat(name) from sqlite_master where type = 'table' and name in ('one', 'two')";
        let tables: String = connection.query_row(tables, [], |row| row.get(0)).unwrap();
        assert_eq!(tables, "one");
        assert_eq!(list_applied(&connection).unwrap(), [1]);

        let mended = [
            Migration::of_test("0001_one", "drop table nowhere", ""),
            Migration::of_test("0002_two", "create table two (id integer) strict", ""),
        ];
        apply(&mut connection, &mended).unwrap();
        assert_eq!(list_applied(&connection).unwrap(), [1, 2]);
    }

    #[test]
    fn tables_that_miss_a_step_are_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &[]).unwrap();
        connection.execute_batch("insert into schema_migrations values (2, 'two', 0)").unwrap();
        let known = ["0001_one", "0002_two"].map(|file| Migration::of_test(file, "drop table nowhere", ""));
        let refused = apply(&mut connection, &known).unwrap_err();
        assert!(
            matches!(refused, Failure::Storage(StorageError::Schema { found: 0, known: 2 })),
            "{refused:?}"
        );
    }

    #[test]
    fn processes_at_once_apply_each_migration_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.db");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut connection = Connection::open(&path).unwrap();
                    connection.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
                    migrate(&mut connection).unwrap();
                });
            }
        });
    }
}
