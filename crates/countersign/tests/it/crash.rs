//! `kill -9` in mid-load: what was answered with 200 is delivered, whatever happens to the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use countersign_client::{Client, RequestEmailToken};
use countersign_core::Random;
use countersign_service::SystemRandom;
use tokio::{sync::watch, task::JoinSet};

use crate::process::{ServeFolder, ServedNode, SmtpServer, until};

const CLIENTS: u64 = 24;
const KILLS: usize = 3;

/// What many clients ask of whichever node runs.
struct Load {
    node: watch::Sender<Client>,
    /// The addresses whose request was answered with 200, each with the sid.
    accepted: Mutex<BTreeMap<String, String>>,
    next: AtomicU64,
}

impl Load {
    fn accepted_count(&self) -> usize {
        self.accepted.lock().expect("not poisoned").len()
    }

    /// Asks for a token for one fresh address after the other, until it is aborted.
    async fn ask_on(self: Arc<Self>) {
        let mut node = self.node.subscribe();
        loop {
            let client = node.borrow_and_update().clone();
            let address = format!("user{}@example.com", self.next.fetch_add(1, Ordering::Relaxed));
            match client.request_token_to_3pid_email(&RequestEmailToken::new("secret", &address, 1)).await {
                Ok(answer) => {
                    self.accepted.lock().expect("not poisoned").insert(address, answer.sid);
                }
                // The node answers, and refuses: nothing here is a reason to.
                Err(error) if error.status().is_some() => panic!("{error}"),
                // The node died, and another one comes.
                Err(_) => node.changed().await.expect("the load lives"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_loses_no_message_that_it_accepted() {
    let mail = SmtpServer::start().await;
    // A dead node's leases run out soon, and nothing waits for long.
    let settings = r#"
        [limits]
        enabled = false
        [outbox]
        send_timeout = "2s"
        lease = "3s"
        retry_delay_min = "100ms"
        poll_interval = "100ms"
    "#;
    let folder = ServeFolder::new(&format!("{}\n{settings}", mail.config()));
    let mut node = folder.serve().await;
    let load = Arc::new(Load {
        node: watch::Sender::new(node.client.clone()),
        accepted: Mutex::default(),
        next: AtomicU64::new(0),
    });
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(load.clone().ask_on());
    }
    for kill in 1..=KILLS {
        kill_in_mid_load(&mut node, &load, &mail).await;
        node = folder.serve().await;
        assert_ne!(node.ready().await.unwrap()["outbox"]["waiting"], 0, "kill {kill} hit an idle node");
        load.node.send_replace(node.client.clone());
    }
    let more = load.accepted_count() + 50;
    until("the last node takes requests", async || more < load.accepted_count()).await;
    stop(&mut clients).await;
    node.drained().await;

    let accepted = load.accepted.lock().unwrap().clone();
    assert_all_delivered(&accepted, &mail);
    let integrity = folder.database().query_row("pragma integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(integrity.unwrap(), "ok");
}

/// Kills the node after some more requests, while messages are owed.
async fn kill_in_mid_load(node: &mut ServedNode, load: &Load, mail: &SmtpServer) {
    let random: &dyn Random = &SystemRandom;
    let more = load.accepted_count() + 50 + usize::from(u8::from_be_bytes(random.bytes()));
    until("requests are accepted faster than delivered", async || {
        let accepted = load.accepted_count();
        more < accepted && mail.event_count() < accepted
    })
    .await;
    node.process.kill();
}

/// Stops the clients, and fails if one of them did.
async fn stop(clients: &mut JoinSet<()>) {
    clients.abort_all();
    while let Some(joined) = clients.join_next().await {
        let error = joined.expect_err("clients never end");
        assert!(error.is_cancelled(), "{error}");
    }
}

fn assert_all_delivered(accepted: &BTreeMap<String, String>, mail: &SmtpServer) {
    let mut delivered: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in mail.received() {
        delivered.entry(mail.to().to_owned()).or_default().push(mail.header("message-id").to_owned());
    }
    let lost: Vec<_> = accepted.keys().filter(|address| !delivered.contains_key(*address)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), accepted.len());
    let sids: BTreeSet<_> = accepted.values().collect();
    assert_eq!(sids.len(), accepted.len(), "two addresses share a sid");

    for (address, ids) in &delivered {
        assert!(ids.iter().all(|id| id == &ids[0]), "repeats to {address} differ: {ids:?}");
        assert!(ids.len() <= 1 + KILLS, "{address} got {} copies", ids.len());
    }
    let messages: BTreeSet<_> = delivered.values().map(|ids| &ids[0]).collect();
    assert_eq!(messages.len(), delivered.len(), "two messages share a Message-ID");
}
