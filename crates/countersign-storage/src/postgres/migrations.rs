//! Brings the tables of a database up to date.

use super::{
    connection::{Connection, Transaction},
    failure::{Failure, Outcome},
    parameter::Query,
    rows::{Columns, list},
};
use crate::{
    StorageError,
    migrations::{self, MIGRATIONS, Migration},
};

/// Whoever migrates holds this lock until the end of the transaction, so that two nodes don't do it at once. The number
/// means nothing.
pub(super) const LOCK: i64 = 0x636f_756e_7465_7273;

/// Applies what is missing, all in one transaction. Several nodes may do so at once. Tables that are up to date are not
/// touched, so that a role which may not change them does no worse than another.
pub(super) async fn migrate(connection: Connection) -> Outcome<()> {
    apply(connection, MIGRATIONS).await
}

/// Refuses tables that are older or newer than this version's, or that miss a step.
pub(super) async fn check(connection: &mut Connection) -> Outcome<()> {
    migrations::check(MIGRATIONS, &list_applied(connection).await?).map_err(Failure::Storage)
}

/// Refuses a database that `countersign migrate-storage` began to fill and did not finish.
pub(super) async fn check_filled(connection: &mut Connection) -> Outcome<()> {
    if !has_table(connection, "storage_transfer").await? {
        return Ok(());
    }
    let unfinished = Query::new("select 1 from storage_transfer where finished_at is null limit 1");
    let [unfinished] = connection.run([unfinished]).await?;
    if unfinished.rows.is_empty() { Ok(()) } else { Err(Failure::Storage(StorageError::Unfilled)) }
}

async fn apply(mut connection: Connection, known: &[Migration]) -> Outcome<()> {
    let applied = list_applied(&mut connection).await?;
    if migrations::missing(known, &applied).map_err(Failure::Storage)?.is_empty() {
        return Ok(());
    }
    let mut tx = Transaction::on(connection);
    tx.run([
        Query::new("set local statement_timeout = 0"),
        Query::new("select pg_advisory_xact_lock($1)").with(LOCK),
        // Whoever wants the table comes after us in the queue for its lock: better give up, and try again.
        Query::new("set local lock_timeout = '10s'"),
        Query::new(
            "create table if not exists schema_migrations (
                number bigint not null primary key, name text not null, applied_at bigint not null
             )",
        ),
    ])
    .await?;
    // Others may have been here while we waited for the lock.
    let [applied] = tx.run([select_applied()]).await?;
    for migration in migrations::missing(known, &read_numbers(&applied.rows)?).map_err(Failure::Storage)? {
        let (number, name) = (migration.number(), migration.name());
        tx.run_script(migration.postgres).await?;
        let insert = Query::new(
            "insert into schema_migrations (number, name, applied_at)
             values ($1, $2, (extract(epoch from clock_timestamp()) * 1000)::bigint)",
        );
        tx.run([insert.with(number).with(name)]).await?;
        tracing::info!(migration.number = number, migration.name = name, "applied migration {number} {name}");
    }
    tx.commit().await
}

async fn list_applied(connection: &mut Connection) -> Outcome<Vec<i64>> {
    if !has_table(connection, "schema_migrations").await? {
        return Ok(Vec::new());
    }
    let [applied] = connection.run([select_applied()]).await?;
    read_numbers(&applied.rows)
}

async fn has_table(connection: &mut Connection, name: &str) -> Outcome<bool> {
    let [found] =
        connection.run([Query::new("select 1 where to_regclass($1) is not null").with(name)]).await?;
    Ok(!found.rows.is_empty())
}

fn select_applied() -> Query<'static> {
    Query::new("select number from schema_migrations order by number")
}

fn read_numbers(rows: &[tokio_postgres::Row]) -> Outcome<Vec<i64>> {
    list(rows, |row| Columns::of("schema_migrations", row).integer("number"))
}

#[cfg(test)]
mod tests {
    use countersign_core::SessionPurpose;
    use tokio::task::JoinSet;

    use super::*;
    use crate::{
        AccountStore as _, ThreepidStore as _,
        contract::data::*,
        postgres::{PostgresSettings, PostgresStorage, connect_directly},
        test_database::TestDatabase,
    };

    async fn apply_to(database: &TestDatabase, known: &[Migration]) -> Result<(), StorageError> {
        let settings = PostgresSettings::new(database.url());
        let connection = connect_directly(&settings).await?;
        Ok(apply(connection, known).await?)
    }

    async fn applied(database: &TestDatabase) -> Vec<String> {
        database.run("select number || ' ' || name from schema_migrations order by number").await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nodes_that_start_at_once_on_an_empty_database_all_serve() {
        let database = TestDatabase::create().await;
        let settings = PostgresSettings::new(database.url());
        let mut nodes = JoinSet::new();
        for _ in 0..16 {
            let settings = settings.clone();
            nodes.spawn(async move { PostgresStorage::open(settings).await.unwrap() });
        }
        for node in nodes.join_all().await {
            assert_eq!(waiting(&node).await, 0);
            node.close().await;
        }
        let known = MIGRATIONS.iter().map(|migration| format!("{} {}", migration.number(), migration.name()));
        assert_eq!(applied(&database).await, known.collect::<Vec<_>>(), "each was applied once");
    }

    #[tokio::test]
    async fn migration_that_fails_leaves_the_database_as_it_was() {
        let database = TestDatabase::create().await;
        let known = [
            Migration::of_test("0001_one", "", "create table one (id bigint)"),
            Migration::of_test("0002_two", "", "create table two (id bigint); drop table nowhere"),
        ];
        apply_to(&database, &known).await.unwrap_err();
        let tables = "select table_name from information_schema.tables where table_schema = 'public'";
        assert!(database.run(tables).await.is_empty());

        apply_to(&database, &known[..1]).await.unwrap();
        apply_to(&database, &known).await.unwrap_err();
        assert_eq!(applied(&database).await, ["1 one"]);
    }

    #[tokio::test]
    async fn tables_that_miss_a_step_are_not_mended_out_of_order() {
        let database = TestDatabase::create().await;
        let known = ["0001_one", "0002_two"].map(|file| Migration::of_test(file, "", ""));
        apply_to(&database, &known).await.unwrap();
        database.run("delete from schema_migrations where number = 1").await;
        let refused = apply_to(&database, &known).await.unwrap_err();
        assert!(matches!(refused, StorageError::Schema { found: 0, known: 2 }), "{refused:?}");
    }

    #[tokio::test]
    async fn role_that_may_not_change_tables_opens_those_that_are_up_to_date() {
        let database = TestDatabase::create().await;
        let settings = PostgresSettings::new(database.url());
        PostgresStorage::open(settings.clone()).await.unwrap().close().await;
        let role = format!("reader_{}", std::process::id());
        database
            .run(&format!(
                "create role {role} login; revoke all on schema public from public;
                 grant usage on schema public to {role}; grant all on all tables in schema public to {role}"
            ))
            .await;
        let url = database.url().replace("user=postgres", &format!("user={role}"));
        let opened = PostgresStorage::open(PostgresSettings { url, ..settings }).await;
        database.run(&format!("drop owned by {role}; drop role {role}")).await;
        opened.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn node_goes_on_while_its_tables_are_expanded() {
        let database = TestDatabase::create().await;
        let node = PostgresStorage::open(PostgresSettings::new(database.url())).await.unwrap();
        let work = async |name: &str| {
            let request = request(SessionPurpose::AddThreepid, &email(&format!("{name}@example.org")));
            let session = validated(&node, &request, NOW).await;
            node.register(registration(name, Some(login(name, "PHONE", name))), NOW).await.unwrap();
            node.add_threepid(add_threepid(&session, name), NOW).await.unwrap().unwrap();
            assert_eq!(node.list_devices(&localpart(name)).await.unwrap().len(), 1);
        };
        // So that statements are prepared and their plans kept.
        work("before").await;
        let tables = "select table_name from information_schema.tables where table_schema = 'public'";
        for table in database.run(tables).await {
            database
                .run(&format!(
                    "alter table {table} add column expanded text; create index on {table} (expanded)"
                ))
                .await;
        }
        database
            .run("create table later (id bigint); insert into schema_migrations values (99, 'later', 0)")
            .await;
        work("after").await;
        node.close().await;
    }
}
