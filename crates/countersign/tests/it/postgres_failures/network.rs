//! The way between one node and the database is cut.

use std::time::Duration;

use countersign_storage::test_database::TestDatabase;

use super::{
    assert_quiet,
    load::{Load, assert_all_delivered, until_accepted, until_not_ready, until_ready, until_refused},
    proxy::Proxy,
    quick_folder,
};
use crate::process::SmtpServer;

/// The database and the folder with the socket in `postgres:///NAME?host=FOLDER&user=…`.
fn name_and_folder(url: &str) -> (&str, &str) {
    let parts = url.strip_prefix("postgres:///").and_then(|rest| rest.split_once("?host="));
    let (name, rest) = parts.unwrap_or_else(|| panic!("{url} names no socket"));
    (name, rest.split('&').next().expect("a split has a first part"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_says_so_while_the_other_goes_on() {
    let (database, mail) = tokio::join!(TestDatabase::create(), SmtpServer::start_busy(Duration::ZERO));
    let direct_url = database.url();
    let (name, socket_folder) = name_and_folder(&direct_url);
    let proxy = Proxy::start(socket_folder).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/{name}", proxy.port);
    let cut_folder = quick_folder(&url, "statement_timeout = \"500ms\"", &mail);
    let whole_folder = quick_folder(&direct_url, "", &mail);
    whole_folder.take_master_key_of(&cut_folder);
    let cut = cut_folder.serve().await;
    let whole = whole_folder.serve().await;
    let load = Load::start(&[&cut, &whole], 3);
    load.accepts(50).await;

    proxy.cut();
    until_refused(&cut, "first@example.com").await;
    until_not_ready(&cut, "the database can't be reached").await;
    until_accepted(&whole, "second@example.com").await;
    assert!(whole.ready().await.is_some());
    load.accepts(50).await;
    proxy.mend();
    until_ready(&cut).await;
    until_accepted(&cut, "first@example.com").await;

    let accepted = load.stop().await;
    whole.drained().await;
    assert_all_delivered(&accepted, &mail);
    assert_quiet(&cut);
    assert_quiet(&whole);
}
