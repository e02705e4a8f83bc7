//! More want a connection than the database has.

use std::time::Duration;

use super::{
    assert_quiet,
    cluster::{Hog, Server},
    load::{Answer, ask, assert_all_delivered, until_accepted, until_not_ready, until_ready, until_refused},
    quick_folder,
};
use crate::process::{SmtpServer, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_outlive_a_storm_of_connections() {
    // Whoever is killed gives its connection back soon.
    let settings = ["max_connections=20", "client_connection_check_interval=100ms"];
    let (server, mail) = tokio::join!(Server::start(&settings), SmtpServer::start_busy(Duration::ZERO));
    // Not a superuser, for whom some connections are kept.
    server.sql("create role countersign login");
    server.sql("alter database countersign owner to countersign; grant all on schema public to countersign");
    let url = server.url().replace("user=postgres", "user=countersign");
    let folder = quick_folder(&url, "", &mail);
    let (first, second) = tokio::join!(folder.serve(), folder.serve());
    let sid = until_accepted(&first, "before@example.com").await;

    let mut hogs = Vec::new();
    until("others have all connections", async || {
        hogs.extend((0..20).map(|_| server.hog("countersign")));
        server.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'countersign'");
        hogs.retain_mut(Hog::is_held);
        let free = "select 17 - count(*) from pg_stat_activity where application_name = 'hog'";
        server.sql(free) == "0"
    })
    .await;
    for node in [&first, &second] {
        until_refused(node, "meanwhile@example.com").await;
        until_not_ready(node, "the database takes no more connections").await;
    }
    hogs.clear();
    for node in [&first, &second] {
        until_ready(node).await;
    }
    let meanwhile = until_accepted(&second, "meanwhile@example.com").await;
    assert!(matches!(ask(&first, "before@example.com").await, Answer::Accepted(known) if known == sid));
    first.drained().await;
    let accepted = [("before@example.com".to_owned(), sid), ("meanwhile@example.com".to_owned(), meanwhile)];
    assert_all_delivered(&accepted.into(), &mail);
    assert_quiet(&first);
}
