//! The server itself goes away: for a restart, for good, or to come back as a replica.

use std::time::Duration;

use super::{
    assert_quiet,
    cluster::{Server, Stop},
    count_trouble,
    load::{Answer, Load, ask, assert_all_delivered, until_not_ready, until_ready},
    quick_folder,
};
use crate::process::{SmtpServer, until};

const CLIENTS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_outlives_restarts_and_a_demotion() {
    let (mut server, mail) = tokio::join!(Server::start(&[]), SmtpServer::start_busy(Duration::ZERO));
    let folder = quick_folder(&server.url(), "", &mail);
    let node = folder.serve().await;
    node.process.said("Commits wait for no standby (synchronous_standby_names is empty)").await;
    let load = Load::start(&[&node], CLIENTS);
    for stop in [Stop::Fast, Stop::Immediate] {
        load.accepts(50).await;
        server.stop(stop).await;
        until_not_ready(&node, "the database can't be reached").await;
        load.refuses(20).await;
        server.resume().await;
        until_ready(&node).await;
    }
    load.accepts(50).await;

    server.stop(Stop::Fast).await;
    server.demote();
    server.resume().await;
    until_not_ready(&node, "the database can only be read").await;
    load.refuses(20).await;
    server.promote();
    until_ready(&node).await;
    load.accepts(50).await;

    let accepted = load.stop().await;
    node.drained().await;
    assert_all_delivered(&accepted, &mail);
    // Nobody asks any more but for the node's health.
    until("the log tells the end", async || {
        node.ready().await.is_some()
            && node.process.stderr.text().contains("The database works again, after ")
    })
    .await;
    assert!((1..=6).contains(&count_trouble(&node)), "{}", node.process.stderr.text());
    assert_quiet(&node);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_a_synchronous_replica_loses_nothing() {
    let (mut primary, mail) = tokio::join!(Server::start(&[]), SmtpServer::start_busy(Duration::ZERO));
    let mut replica = Server::start_synchronous_replica(&primary).await;
    let url = format!(
        "postgres:///countersign?host={},{}&user=postgres",
        primary.path().display(),
        replica.path().display()
    );
    let folder = quick_folder(&url, "statement_timeout = \"1s\"", &mail);
    let (first, second) = tokio::join!(folder.serve(), folder.serve());
    assert!(!first.process.stderr.text().contains("Commits wait for no standby"));
    let load = Load::start(&[&first, &second], CLIENTS / 2);
    load.accepts(50).await;

    // Without its replica the primary keeps each commit waiting, and is told from one that works.
    replica.stop(Stop::Fast).await;
    load.refuses(CLIENTS).await;
    until_not_ready(&first, "the database did not answer in time").await;
    replica.resume().await;
    until_ready(&first).await;
    load.accepts(50).await;

    primary.stop(Stop::Immediate).await;
    until_not_ready(&first, "the database can't be reached").await;
    load.refuses(20).await;
    replica.promote();
    until_ready(&first).await;
    until_ready(&second).await;
    load.accepts(50).await;

    let accepted = load.stop().await;
    first.drained().await;
    assert_all_delivered(&accepted, &mail);
    for (address, sid) in &accepted {
        let Answer::Accepted(known) = ask(&second, address).await else { panic!("refused: {address}") };
        assert_eq!(&known, sid, "the session of {address} was lost");
    }
    assert_quiet(&first);
    assert_quiet(&second);
}
