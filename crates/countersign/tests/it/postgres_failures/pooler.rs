//! PgBouncer between the nodes and the database, with a connection for each transaction.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use countersign_storage::test_database::TestDatabase;
use tempfile::TempDir;

use super::{
    cluster::{as_owner, folder, give_to_owner},
    load::until_accepted,
};
use crate::process::{ServeFolder, SmtpServer, smtp_config, until};

/// A pooler in front of the server that has a database. Dropping it ends it.
struct Pooler {
    folder: TempDir,
    process: Child,
}

impl Pooler {
    async fn start(database_url: &str) -> Self {
        let (_, place) = database_url.split_once("?").expect("a URL with a socket's folder");
        let place = place.replace('&', " ");
        let folder = folder();
        let config = folder.path().join("pgbouncer.ini");
        let socket = folder.path().display();
        let text = format!(
            "[databases]\n* = {place}\n[pgbouncer]\nlisten_addr =\nlisten_port = 5432\nunix_socket_dir = {socket}\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 5\nmax_client_conn = 100\n\
             ignore_startup_parameters = extra_float_digits\n"
        );
        fs::write(&config, text).expect("writable");
        give_to_owner(&config);
        let mut command = as_owner(Path::new("/usr/sbin/pgbouncer"));
        command.arg(&config).current_dir(folder.path());
        let log = fs::File::create(folder.path().join("log")).expect("writable");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().expect("PgBouncer starts; scripts/test installs it");
        let pooler = Self { folder, process };
        until("PgBouncer listens", async || pooler.folder.path().join(".s.PGSQL.5432").exists()).await;
        pooler
    }

    /// The same database, by way of the pooler.
    fn url(&self, database_url: &str) -> String {
        let (before, _) = database_url.split_once("?").expect("a URL with a socket's folder");
        format!("{before}?host={}&user=postgres", self.folder.path().display())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder for nodes whose statements are not kept, and whose one worker takes these times.
fn folder_on(url: &str, storage: &str, smtp_port: u16, poll_interval: &str) -> ServeFolder {
    let outbox = format!("[outbox]\nemail_workers = 1\npoll_interval = \"{poll_interval}\"\n");
    let folder =
        ServeFolder::on(url, &format!("{}\n[limits]\nenabled = false\n{outbox}", smtp_config(smtp_port)));
    let storage = format!("[storage]\nprepared_statements = false\n{storage}\n");
    folder.write_config(&folder.config().replace("[storage]\n", &storage));
    folder
}

#[tokio::test]
async fn nodes_work_behind_a_pooler_and_hear_of_each_other_beside_it() {
    let (database, mail) = (TestDatabase::create().await, SmtpServer::start_busy(Duration::ZERO).await);
    let pooler = Pooler::start(&database.url()).await;
    let url = pooler.url(&database.url());
    // It takes connections, and never says a word: whoever sends there has no free worker any more.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute_port = mute.local_addr().unwrap().port();
    let direct = format!("direct_url = \"{}\"", database.url());

    let busy_folder = folder_on(&url, &direct, mute_port, "1h");
    let busy = busy_folder.serve().await;
    until_accepted(&busy, "stuck@example.com").await;
    until("its only worker holds a message", async || {
        database.run("select count(*) from outbox where lease_id is not null").await == ["1"]
    })
    .await;

    // Called, beside the pooler.
    let called_folder = folder_on(&url, &direct, mail.port, "1h");
    called_folder.take_master_key_of(&busy_folder);
    let called = called_folder.serve().await;
    for count in 1..=3 {
        until_accepted(&busy, &format!("called{count}@example.com")).await;
        until("the other node is called", async || mail.noted().len() == count).await;
    }
    drop(called);

    // By looking alone.
    let looking_folder = folder_on(&url, "", mail.port, "100ms");
    looking_folder.take_master_key_of(&busy_folder);
    let _looking = looking_folder.serve().await;
    until_accepted(&busy, "found@example.com").await;
    until("the other node looks", async || mail.noted().len() == 4).await;
    assert_eq!(mail.noted()[3].to, "found@example.com");
}
