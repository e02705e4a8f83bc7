//! `countersign migrate-storage`: an installation moves from SQLite into PostgreSQL and goes on there.

use countersign_client::{
    AddThreepidRequest, Client, LoginRequest, RegisterRequest, RequestEmailToken, SubmitTokenRequest,
    UserIdentifier,
};
use countersign_storage::test_database::TestDatabase;

use crate::{
    process::{self, Ended, Process, ReceivedMail, ServeFolder, ServedNode, SmtpServer, countersign, until},
    support::PASSWORD,
};

const SECRET: &str = "monkeys_are_GREAT";

/// Failed messages are tried again soon, and no notices come between the mails that were asked for.
const SETTINGS: &str =
    "[outbox]\nretry_delay_min = \"100ms\"\npoll_interval = \"100ms\"\n[notices]\nenabled = false\n";

const MIGRATE: [&str; 5] = ["migrate-storage", "--config", "config.toml", "--from", "sqlite:countersign.db"];

/// Lets the configuration name the database to move to.
fn choose(folder: &ServeFolder, database: &TestDatabase) {
    let (sqlite, postgres) = ("sqlite:countersign.db", database.url());
    folder.write_config(&folder.config().replacen(sqlite, &postgres, 1));
}

async fn migrate(folder: &ServeFolder) -> Ended {
    process::run(folder.path(), &MIGRATE).await
}

async fn stop(node: ServedNode) {
    node.process.signal("TERM");
    assert!(node.process.ended().await.status.success());
}

async fn ask(client: &Client, address: &str, send_attempt: i64) -> String {
    let request = RequestEmailToken::new(SECRET, address, send_attempt);
    client.request_token_to_3pid_email(&request).await.expect("accepted").sid
}

async fn prove(node: &ServedNode, sid: &str, mail: &ReceivedMail) {
    let submit_url = format!("{}/_countersign/v1/submit_token", node.url);
    let submission = SubmitTokenRequest::new(sid, SECRET, mail.code().expect("a mail to add carries a code"));
    assert!(node.client.submit_token(&submit_url, &submission).await.expect("answered").success);
}

async fn add(client: &Client, sid: &str) {
    let request = AddThreepidRequest::new(sid, SECRET);
    let alice = UserIdentifier::user("alice");
    client.add_3pid_with_password(&request, alice, PASSWORD).await.expect("added");
}

async fn addresses(client: &Client) -> Vec<String> {
    let listed = client.get_account_3pids().await.expect("listed").threepids;
    listed.into_iter().map(|threepid| threepid.address).collect()
}

#[tokio::test]
async fn installation_goes_on_where_it_stopped() {
    let mail = SmtpServer::start().await;
    let folder = ServeFolder::new(&format!("{}\n{SETTINGS}", mail.config()));
    let node = folder.serve().await;
    for name in ["alice", "bob"] {
        node.client.register_with_dummy(&RegisterRequest::new(name, PASSWORD)).await.unwrap();
    }
    let login = LoginRequest::password(UserIdentifier::user("alice"), PASSWORD);
    let access_token = node.client.login(&login).await.unwrap().access_token;
    let alice = node.client.with_access_token(&access_token);
    for (index, address) in ["zebra@example.com", "apple@example.com"].into_iter().enumerate() {
        let sid = ask(&node.client, address, 1).await;
        prove(&node, &sid, &mail.wait_for_events(index + 1).await[index]).await;
        add(&alice, &sid).await;
    }
    let proven = ask(&node.client, "proven@example.com", 1).await;
    prove(&node, &proven, &mail.wait_for_events(3).await[2]).await;
    mail.refuse("451 4.3.0 Later");
    let queued = ask(&node.client, "queued@example.com", 1).await;
    mail.wait_for_events(4).await;

    let database = TestDatabase::create().await;
    choose(&folder, &database);
    let ended = migrate(&folder).await;
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("is in use: stop the node"), "{}", ended.stderr);
    stop(node).await;
    let ended = migrate(&folder).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stdout.contains("the counts and sums of both databases agree"), "{}", ended.stdout);
    assert!(ended.stderr.contains("copying accounts: 2 of 2 rows, 100 %"), "{}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}'), "a line that changes is for terminals");

    let node = folder.serve().await;
    let alice = node.client.with_access_token(&access_token);
    assert_eq!(addresses(&alice).await, ["zebra@example.com", "apple@example.com"]);
    add(&alice, &proven).await;
    assert_eq!(addresses(&alice).await.last().unwrap(), "proven@example.com");
    node.client.login(&LoginRequest::password(UserIdentifier::user("bob"), PASSWORD)).await.unwrap();
    assert_eq!(ask(&node.client, "queued@example.com", 1).await, queued);
    mail.accept();
    node.drained().await;
    let came = mail.received();
    let came = came.iter().filter(|mail| mail.to() == "queued@example.com").collect::<Vec<_>>();
    assert_eq!(came.len(), 1, "what was owed is delivered, once");
    prove(&node, &queued, came[0]).await;
    add(&alice, &queued).await;

    let again = migrate(&folder).await;
    assert!(again.stdout.contains("Everything was moved before"), "{} {}", again.stdout, again.stderr);
    assert_eq!(addresses(&alice).await.len(), 4);
}

#[tokio::test]
async fn killed_in_the_middle_it_goes_on_and_no_node_starts_before() {
    let folder = ServeFolder::new("");
    stop(folder.serve().await).await;
    let history = "insert into message_history
        with recursive n (n) as (select 1 union all select n + 1 from n where n < 6000)
        select cast(printf('%016d', n) as blob), 'token', 'email', n, randomblob(16), 1, 'delivered', null, 1, n, n from n";
    folder.database().execute_batch(history).unwrap();
    let database = TestDatabase::create().await;
    choose(&folder, &database);
    let migrated = process::run(folder.path(), &["migrate", "--config", "config.toml"]).await;
    assert!(migrated.status.success(), "{}", migrated.stderr);
    // It comes to the middle, and no further.
    let halt = "create function halt() returns trigger language plpgsql as
            $$ begin perform pg_sleep(3600); return new; end $$;
        create trigger halt before insert on message_history for each row when (new.created_at = 5500)
            execute function halt()";
    database.run(halt).await;
    let mut process = Process::start(countersign(folder.path(), &MIGRATE));
    process.said("copying into an empty database").await;
    let asleep =
        "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    until("rows are copied", async || !database.run(asleep).await.is_empty()).await;
    process.kill();
    let go_on = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and wait_event = 'PgSleep';
        drop function halt cascade";
    database.run(go_on).await;
    let copied = "select copied_rows from storage_transfer where table_name = 'message_history'";
    assert_eq!(database.run(copied).await, ["5000"], "one batch came, the second did not");
    let refused = process::run(folder.path(), &["serve", "--config", "config.toml"]).await;
    assert!(refused.stderr.contains("run `countersign migrate-storage` again"), "{}", refused.stderr);

    let ended = migrate(&folder).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stderr.contains("going on where the last run stopped"), "{}", ended.stderr);
    assert!(ended.stdout.contains("message_history             6000"), "{}", ended.stdout);
    stop(folder.serve().await).await;
}

#[tokio::test]
async fn what_is_wrong_comes_with_what_to_do() {
    let folder = ServeFolder::new("");
    let assert_refused = |ended: Ended, words: &[&str]| {
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?} is not in\n{}", ended.stderr);
        }
    };
    assert_refused(migrate(&folder).await, &["storage.url must name the PostgreSQL database to fill"]);
    let database = TestDatabase::create().await;
    choose(&folder, &database);
    assert_refused(
        migrate(&folder).await,
        &["can't move sqlite://countersign.db to postgres://", "there is no database at countersign.db"],
    );

    let sqlite = ServeFolder::new("");
    std::fs::copy(sqlite.master_key(), folder.master_key()).unwrap();
    stop(sqlite.serve().await).await;
    std::fs::copy(sqlite.path().join("countersign.db"), folder.path().join("countersign.db")).unwrap();
    folder.database().execute_batch("delete from schema_migrations").unwrap();
    assert_refused(
        migrate(&folder).await,
        &["first run COUNTERSIGN_STORAGE__URL=sqlite://countersign.db countersign migrate:", "has schema 0"],
    );
    folder.database().execute_batch("insert into schema_migrations values (999, 'later', 0)").unwrap();
    assert_refused(migrate(&folder).await, &["use the version of countersign that the database is of"]);

    std::fs::copy(sqlite.path().join("countersign.db"), folder.path().join("countersign.db")).unwrap();
    folder.write_config(&folder.config().replacen("[keys]", "migrate = \"manual\"\n[keys]", 1));
    assert_refused(
        migrate(&folder).await,
        &["first run countersign migrate:", "the PostgreSQL database is not up to date"],
    );
    let migrated = process::run(folder.path(), &["migrate", "--config", "config.toml"]).await;
    assert!(migrated.status.success(), "{}", migrated.stderr);
    stop(folder.serve().await).await;
    assert_refused(migrate(&folder).await, &["holds data already, in index_keys: move into an empty one"]);
}

#[tokio::test]
async fn tables_of_sqlite_are_brought_up_to_date_by_command_too() {
    let folder = ServeFolder::new("");
    let migrated = process::run(folder.path(), &["migrate", "--config", "config.toml"]).await;
    assert_eq!(migrated.stdout.trim(), "The tables are up to date.", "{}", migrated.stderr);
    folder.serve().await;
}

#[tokio::test]
async fn a_url_that_is_refused_is_not_repeated() {
    let folder = ServeFolder::new("");
    for url in ["mysql://root:hunter2@localhost/db", "postgres://root:hunter2@localhost/db"] {
        let ended =
            process::run(folder.path(), &["migrate-storage", "--config", "config.toml", "--from", url]).await;
        assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}
