//! The database's disk is full, or slow.

use std::time::Duration;

use super::{
    add_environment, assert_quiet,
    cluster::{Server, folder},
    disk::Disk,
    load::{Load, assert_all_delivered, until_not_ready, until_ready},
    quick_folder,
};
use crate::process::{SmtpServer, until};

const CLIENTS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresqls_disk_may_be_full_or_slow() {
    let folder = folder();
    // No room for tables. With none for its log PostgreSQL goes down, as when it is stopped.
    let disk = Disk::build(folder.path(), "/data/base/", "/data/pg_wal/");
    let (server, mail) = tokio::join!(
        Server::start_in(folder, &["fsync=on"], disk.environment()),
        SmtpServer::start_busy(Duration::ZERO)
    );
    let folder = quick_folder(&server.url(), "statement_timeout = \"500ms\"", &mail);
    let node = folder.serve().await;
    let load = Load::start(&[&node], CLIENTS);
    load.accepts(50).await;

    disk.fill();
    load.refuses(20).await;
    until_not_ready(&node, "the database's disk is full").await;
    disk.make_room();
    until_ready(&node).await;
    load.accepts(50).await;

    disk.slow_down();
    load.refuses(CLIENTS).await;
    until_not_ready(&node, "the database did not answer in time").await;
    disk.speed_up();
    until_ready(&node).await;
    load.accepts(50).await;

    let accepted = load.stop().await;
    node.drained().await;
    assert_all_delivered(&accepted, &mail);
    assert_quiet(&node);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlites_disk_may_be_full_or_slow() {
    let mail = SmtpServer::start_busy(Duration::ZERO).await;
    let folder = quick_folder("sqlite:countersign.db", "queue_capacity = 4", &mail);
    let disk = Disk::build(folder.path(), "countersign.db", "countersign.db");
    let node = folder.serve_with(|command| add_environment(command, disk.environment())).await;
    let load = Load::start(&[&node], 3 * CLIENTS);
    load.accepts(50).await;

    disk.fill();
    load.refuses(20).await;
    until_not_ready(&node, "the database's disk is full").await;
    disk.make_room();
    until_ready(&node).await;
    load.accepts(50).await;

    disk.slow_down();
    load.refuses(20).await;
    // The queue is full, or the check waits in it: either is the truth.
    until("it is not ready", async || node.ready().await.is_none()).await;
    disk.speed_up();
    until_ready(&node).await;
    load.accepts(50).await;

    let accepted = load.stop().await;
    node.drained().await;
    assert_all_delivered(&accepted, &mail);
    assert_quiet(&node);
}
