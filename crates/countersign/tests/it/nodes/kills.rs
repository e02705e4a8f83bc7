//! A minute in which one of three nodes dies every second: what was answered with 200 is delivered, and what is delivered
//! twice was on its way when its node died.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_client::{Client, RequestEmailToken};
use countersign_storage::test_database::TestDatabase;
use tokio::{sync::watch, task::JoinSet, time::interval};

use super::serve_three;
use crate::process::{NotedMail, ServeFolder, ServedNode, SmtpServer, until};

const CLIENTS: usize = 24;
const KILLS: usize = 60;
const KILL_EVERY: Duration = Duration::from_secs(1);

/// How many messages a node sends at once, so how many it can leave half sent when it dies.
const WORKERS: usize = 4;

/// How far delivery may fall behind before the clients pause. There is always something to send.
const BACKLOG: usize = 200;

/// A message is on its way most of the time.
const MAIL_PAUSE: Duration = Duration::from_millis(100);

/// What many clients ask of whichever node answers.
struct Load {
    nodes: [watch::Sender<Client>; 3],
    mail: SmtpServer,
    /// The addresses whose request was answered with 200, each with the sid.
    accepted: Mutex<BTreeMap<String, String>>,
    next: AtomicU64,
    unanswered: AtomicU64,
}

impl Load {
    fn accepted_count(&self) -> usize {
        self.accepted.lock().expect("not poisoned").len()
    }

    /// Asks for a token for one fresh address after the other, until it is aborted.
    async fn ask_on(self: Arc<Self>, client: usize) {
        for turn in client.. {
            while self.mail.event_count() + BACKLOG < self.accepted_count() {
                tokio::time::sleep(MAIL_PAUSE).await;
            }
            let address = format!("user{}@example.com", self.next.fetch_add(1, Ordering::Relaxed));
            let sid = self.ask(turn, &address).await;
            self.accepted.lock().expect("not poisoned").insert(address, sid);
        }
    }

    /// Asks one node, and if it dies before it answers, the next: that is the same request.
    async fn ask(&self, turn: usize, address: &str) -> String {
        let request = RequestEmailToken::new("monkeys", address, 1);
        for turn in turn.. {
            let client = self.nodes[turn % 3].borrow().clone();
            match client.request_token_to_3pid_email(&request).await {
                Ok(answer) => return answer.sid,
                // A node answers, and refuses: nothing here is a reason to.
                Err(error) if error.status().is_some() => panic!("{error}"),
                Err(_) => self.unanswered.fetch_add(1, Ordering::Relaxed),
            };
        }
        unreachable!("there is always another turn")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_nodes_lose_nothing_and_repeat_only_what_was_on_its_way() {
    let database = TestDatabase::create().await;
    let mail = SmtpServer::start_busy(MAIL_PAUSE).await;
    // A dead node's leases run out soon, but none while its node lives.
    let settings = format!(
        r#"
        [limits]
        enabled = false
        [outbox]
        email_workers = {WORKERS}
        send_timeout = "5s"
        lease = "12s"
        retry_delay_min = "100ms"
    "#
    );
    let folder = ServeFolder::on(&database.url(), &format!("{}\n{settings}", mail.config()));
    let mut nodes = serve_three(&folder).await;
    let load = Arc::new(Load {
        nodes: nodes.each_ref().map(|node| watch::Sender::new(node.client.clone())),
        mail,
        accepted: Mutex::default(),
        next: AtomicU64::new(0),
        unanswered: AtomicU64::new(0),
    });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(load.clone().ask_on(client));
    }
    until("the load runs", async || BACKLOG < load.accepted_count()).await;
    let mut on_its_way = Vec::new();
    let mut seconds = interval(KILL_EVERY);
    for kill in 0..KILLS {
        seconds.tick().await;
        on_its_way.push(kill_one(&folder, &mut nodes, kill % 3, &load, &database).await);
    }
    let more = load.accepted_count() + BACKLOG;
    until("the last nodes take requests", async || more < load.accepted_count()).await;
    stop(&mut clients).await;
    nodes[0].drained().await;

    let accepted = load.accepted.lock().unwrap().clone();
    let delivered = Delivered::by(&load.mail);
    println!(
        "{KILLS} kills of three nodes: {} requests answered with 200, {} broke off and were asked again; \
         {} messages delivered, {} copies too many (at most {} allowed)",
        accepted.len(),
        load.unanswered.load(Ordering::Relaxed),
        delivered.0.len(),
        delivered.repeats().values().sum::<usize>(),
        KILLS * WORKERS,
    );
    delivered.assert_holds_all(&accepted);
    delivered.assert_repeats_were_on_their_way(&on_its_way);
}

/// Kills a node and starts it again. Answers which messages were on their way, from this node or another.
async fn kill_one(
    folder: &ServeFolder,
    nodes: &mut [ServedNode; 3],
    number: usize,
    load: &Load,
    database: &TestDatabase,
) -> BTreeSet<String> {
    nodes[number].process.kill();
    let leased = database.run("select encode(id, 'hex') from outbox where lease_id is not null").await;
    nodes[number] = folder.serve().await;
    load.nodes[number].send_replace(nodes[number].client.clone());
    leased.into_iter().collect()
}

/// Stops the clients, and fails if one of them did.
async fn stop(clients: &mut JoinSet<()>) {
    clients.abort_all();
    while let Some(joined) = clients.join_next().await {
        let error = joined.expect_err("clients never end");
        assert!(error.is_cancelled(), "{error}");
    }
}

/// How many copies came of each message, by address and `Message-ID`.
struct Delivered(BTreeMap<String, BTreeMap<String, usize>>);

impl Delivered {
    fn by(mail: &SmtpServer) -> Self {
        let mut delivered: BTreeMap<_, BTreeMap<_, usize>> = BTreeMap::new();
        for NotedMail { to, message_id } in mail.noted() {
            *delivered.entry(to).or_default().entry(message_id).or_default() += 1;
        }
        Self(delivered)
    }

    /// How many copies came too many, by `Message-ID`.
    fn repeats(&self) -> BTreeMap<&str, usize> {
        let messages = self.0.values().flatten();
        messages.filter(|(_, copies)| 1 < **copies).map(|(id, copies)| (id.as_str(), copies - 1)).collect()
    }

    fn assert_holds_all(&self, accepted: &BTreeMap<String, String>) {
        let lost: Vec<_> = accepted.keys().filter(|address| !self.0.contains_key(*address)).collect();
        assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), accepted.len());
        let sids: BTreeSet<_> = accepted.values().collect();
        assert_eq!(sids.len(), accepted.len(), "two addresses share a sid");
        for (address, messages) in &self.0 {
            assert_eq!(messages.len(), 1, "{address} got several messages: {messages:?}");
        }
    }

    fn assert_repeats_were_on_their_way(&self, on_its_way: &[BTreeSet<String>]) {
        let repeats = self.repeats();
        let count: usize = repeats.values().sum();
        assert!(count <= on_its_way.len() * WORKERS, "{count} copies too many");
        assert_ne!(count, 0, "no kill hit a message on its way");
        for (message_id, more) in repeats {
            let id = message_id.trim_start_matches('<').split('@').next().expect("a split has a first part");
            let kills = on_its_way.iter().filter(|ids| ids.contains(id)).count();
            assert!(more <= kills, "{more} copies too many of {id}, on its way at {kills} kills");
        }
    }
}
