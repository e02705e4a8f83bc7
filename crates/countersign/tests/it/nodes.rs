//! Three nodes, each a process of its own, on one PostgreSQL: whoever asks one of them asks all.

mod kills;

use std::{collections::BTreeSet, net::TcpListener, time::Duration};

use countersign_api::submit_token::SUBMIT_TOKEN;
use countersign_client::{
    AddThreepidRequest, Client, Error, RegisterRequest, RequestEmailToken, SubmitTokenRequest, UserIdentifier,
};
use countersign_storage::test_database::TestDatabase;
use tokio::task::JoinSet;

use crate::{
    process::{ServeFolder, ServedNode, SmtpServer, smtp_config, until},
    support::PASSWORD,
};

/// As many limits as there are, but none that a test meets by accident.
const NO_LIMITS: &str = "[limits]\nenabled = false\n";

/// Nodes that nobody wakes look after a time that no test waits for.
const NO_POLLING: &str = "[outbox]\nemail_workers = 1\npoll_interval = \"1h\"\n";

/// Three nodes with the same configuration, at once, so that they race to make the tables.
async fn serve_three(folder: &ServeFolder) -> [ServedNode; 3] {
    let (first, second, third) = tokio::join!(folder.serve(), folder.serve(), folder.serve());
    [first, second, third]
}

/// Sends all requests at once, spread over the nodes; answers the sids and the refusals.
async fn ask_all(
    nodes: &[ServedNode],
    requests: impl IntoIterator<Item = RequestEmailToken>,
) -> (Vec<String>, Vec<Error>) {
    let mut asking = JoinSet::new();
    for (number, request) in requests.into_iter().enumerate() {
        let client = nodes[number % nodes.len()].client.clone();
        asking.spawn(async move { client.request_token_to_3pid_email(&request).await });
    }
    let (mut sids, mut refusals) = (Vec::new(), Vec::new());
    for answer in asking.join_all().await {
        match answer {
            Ok(answer) => sids.push(answer.sid),
            Err(error) => refusals.push(error),
        }
    }
    (sids, refusals)
}

async fn ask(client: &Client, client_secret: &str, address: &str) -> String {
    let request = RequestEmailToken::new(client_secret, address, 1);
    client.request_token_to_3pid_email(&request).await.expect("accepted").sid
}

#[tokio::test]
async fn each_step_may_go_to_another_node() {
    let (database, mail) = (TestDatabase::create().await, SmtpServer::start().await);
    let folder = ServeFolder::on(&database.url(), &mail.config());
    let [first, second, third] = serve_three(&folder).await;
    let registered = first.client.register_with_dummy(&RegisterRequest::new("alice", PASSWORD)).await;
    let access_token = registered.unwrap().access_token.unwrap();
    let sid = ask(&second.client, "monkeys", "alice@example.com").await;
    let code = mail.wait_for_events(1).await[0].code().unwrap();
    let submission = SubmitTokenRequest::new(&sid, "monkeys", &code);
    let submitted =
        third.client.submit_token(&format!("{}{SUBMIT_TOKEN}", third.url), &submission).await.unwrap();
    assert!(submitted.success);
    let user = UserIdentifier::user("alice");
    let add = AddThreepidRequest::new(&sid, "monkeys");
    first.client.with_access_token(&access_token).add_3pid_with_password(&add, user, PASSWORD).await.unwrap();
    let listed = second.client.with_access_token(&access_token).get_account_3pids().await.unwrap();
    assert_eq!(listed.threepids.len(), 1);
    assert_eq!(listed.threepids[0].address, "alice@example.com");
}

#[tokio::test]
async fn identical_requests_at_once_give_one_sid_and_one_message() {
    let (database, mail) = (TestDatabase::create().await, SmtpServer::start().await);
    // With limits: a repeat costs nothing of them, whichever node it comes to.
    let folder = ServeFolder::on(&database.url(), &mail.config());
    let nodes = serve_three(&folder).await;
    for round in 1..=8 {
        let address = format!("user{round}@example.com");
        let request = || RequestEmailToken::new("monkeys", &address, 1);
        let (sids, refusals) = ask_all(&nodes, std::iter::repeat_with(request).take(64)).await;
        assert!(refusals.is_empty(), "{refusals:?}");
        assert_eq!(sids.len(), 64);
        assert_eq!(sids.iter().collect::<BTreeSet<_>>().len(), 1, "{sids:?}");
        nodes[round % 3].drained().await;
        let received = mail.received();
        assert_eq!(received.len(), round);
        assert_eq!(received[round - 1].to(), address);
    }
}

#[tokio::test]
async fn an_address_gets_five_messages_an_hour_of_all_nodes_together() {
    let (database, mail) = (TestDatabase::create().await, SmtpServer::start().await);
    let limits = "[limits]\nrequests_per_network_per_hour = 1000\nrequests_per_network_burst = 1000\n";
    let folder = ServeFolder::on(&database.url(), &format!("{}\n{limits}", mail.config()));
    let nodes = serve_three(&folder).await;
    let requests =
        (0..60).map(|number| RequestEmailToken::new(format!("secret{number}"), "alice@example.com", 1));
    assert_limited_to(5, ask_all(&nodes, requests).await);
    nodes[0].drained().await;
    assert_eq!(mail.received().len(), 5);
}

#[tokio::test]
async fn a_network_gets_ten_requests_at_once_of_all_nodes_together() {
    let (database, mail) = (TestDatabase::create().await, SmtpServer::start().await);
    let folder = ServeFolder::on(&database.url(), &mail.config());
    let nodes = serve_three(&folder).await;
    let requests =
        (0..60).map(|number| RequestEmailToken::new("monkeys", format!("user{number}@example.com"), 1));
    assert_limited_to(10, ask_all(&nodes, requests).await);
    nodes[0].drained().await;
    assert_eq!(mail.received().len(), 10);
}

#[track_caller]
fn assert_limited_to(count: usize, (sids, refusals): (Vec<String>, Vec<Error>)) {
    assert!(refusals.iter().all(Error::is_rate_limited), "{refusals:?}");
    assert_eq!(sids.len(), count);
}

#[tokio::test]
async fn a_node_whose_workers_are_busy_calls_another() {
    let (database, mail) = (TestDatabase::create().await, SmtpServer::start().await);
    // It takes connections, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let sections = |port| format!("{}\n{NO_LIMITS}\n{NO_POLLING}", smtp_config(port));
    let busy_folder = ServeFolder::on(&database.url(), &sections(mute.local_addr().unwrap().port()));
    let busy = busy_folder.serve().await;
    ask(&busy.client, "monkeys", "stuck@example.com").await;
    until("its only worker holds a message", async || {
        database.run("select count(*) from outbox where lease_id is not null").await == ["1"]
    })
    .await;

    let other_folder = ServeFolder::on(&database.url(), &sections(mail.port));
    other_folder.take_master_key_of(&busy_folder);
    let other = other_folder.serve().await;
    // The first may be found as the node begins to listen; each later one comes because the node was called.
    for count in 1..=5 {
        let address = format!("user{count}@example.com");
        ask(&busy.client, "monkeys", &address).await;
        assert_eq!(mail.wait_for_events(count).await[count - 1].to(), address);
    }
    until("the other node recorded them", async || {
        database.run("select count(*) from message_history").await == ["5"]
    })
    .await;
    assert_eq!((busy.delivered_count(), other.delivered_count()), (0, 5));
}

#[tokio::test]
async fn each_node_sends_a_share_of_what_one_accepted() {
    let database = TestDatabase::create().await;
    let mail = SmtpServer::start_busy(Duration::from_millis(50)).await;
    let folder = ServeFolder::on(&database.url(), &format!("{}\n{NO_LIMITS}\n{NO_POLLING}", mail.config()));
    let nodes = serve_three(&folder).await;
    let requests =
        (0..120).map(|number| RequestEmailToken::new("monkeys", format!("user{number}@example.com"), 1));
    let (sids, _) = ask_all(&nodes[..1], requests).await;
    assert_eq!(sids.len(), 120);
    nodes[0].drained().await;
    let shares = nodes.each_ref().map(ServedNode::delivered_count);
    println!("of 120 messages that the first node accepted, the three delivered {shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), 120);
    assert!(!shares.contains(&0), "{shares:?}");
    assert_eq!(mail.noted().len(), 120);
}
