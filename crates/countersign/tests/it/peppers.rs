//! Another pepper for lookups, while people look up and bind: nobody is missed, not even where the replacement broke off.

use std::{cell::Cell, collections::BTreeMap, path::Path, sync::Arc};

use countersign::wiring::{self, Desk, Outside};
use countersign_core::Medium;
use countersign_service::{Effect, RotatePepperError, SystemRandom};
use rusqlite::Connection;
use serde_json::Value;

use crate::{
    import_sydent::TABLES,
    process::{self, Process, ServeFolder, countersign, until},
    steps::hashed,
    support::TestNode,
};

const EMAIL: &str = "alice@example.org";

/// More than one operation fills with keys.
const MANY: usize = 1_200;

/// What a Sydent holds of so many people: `user7@example.org` is `@user7:a.example`.
fn people(folder: &Path, count: usize) {
    let sydent = Connection::open(folder.join("sydent.db")).expect("opens");
    sydent.execute_batch(TABLES).expect("a schema");
    let rows = format!(
        "insert into local_threepid_associations (medium, address, mxid, ts, notBefore, notAfter)
         with recursive n (n) as (select 0 union all select n + 1 from n where n + 1 < {count})
         select 'email', 'user' || n || '@example.org', '@user' || n || ':a.example', n, 0, 9999999999999 from n"
    );
    sydent.execute_batch(&rows).expect("rows");
}

/// Who is found by which address, if all is well.
fn expected(count: usize) -> BTreeMap<String, String> {
    let entry = |n| (format!("user{n}@example.org"), format!("@user{n}:a.example"));
    (0..count).map(entry).collect()
}

/// A node at which many people are found, and an access token for it.
async fn start_with_people(count: usize) -> (TestNode, String) {
    let node = TestNode::start_without_limits().await;
    people(&node.folder(), count);
    let from = node.folder().join("sydent.db");
    let (config, mut watch) = (node.config(), |_| {});
    let import = wiring::import_sydent(&config, &from, None, Effect::Real, &mut watch);
    import.await.expect("they move in");
    let token = node.identity_user("alice").await;
    (node, token)
}

/// Replaces the pepper beside a running node, as the command does; answers the new one.
async fn rotate_pepper(node: &TestNode) -> Result<String, RotatePepperError> {
    let outside = Outside { clock: node.clock.clone(), random: Arc::new(SystemRandom), ..Outside::default() };
    let desk = Desk::open(&node.config(), outside).await.expect("it opens");
    let made = desk.peppers.rotate().await;
    desk.close().await.expect("it closes");
    made.map(|pepper| pepper.as_str().to_owned())
}

/// The users behind these addresses, by one lookup. Asked under a pepper that was replaced meanwhile, it asks again.
async fn look_up(node: &TestNode, token: &str, addresses: Vec<String>) -> BTreeMap<String, String> {
    loop {
        let pepper = node.pepper(token).await;
        let hash = |address: String| (hashed(Medium::Email, &address, &pepper), address);
        let asked: BTreeMap<String, String> = addresses.iter().cloned().map(hash).collect();
        let hashes: Vec<_> = asked.keys().cloned().collect();
        let answer = node.look_up_hashes(token, &pepper, &hashes).send().await;
        if answer.status == 400 {
            answer.expect_error(400, "M_INVALID_PEPPER");
            continue;
        }
        let text = |value: &Value| value.as_str().expect("a user id").to_owned();
        let answer = answer.ok();
        let mappings = answer["mappings"].as_object().expect("an object");
        return mappings.iter().map(|(hash, user)| (asked[hash].clone(), text(user))).collect();
    }
}

/// Fails unless these are found, each by a hash of its address, and nobody else.
async fn assert_found(node: &TestNode, token: &str, expected: &BTreeMap<String, String>) {
    let mut asked: Vec<_> = expected.keys().cloned().collect();
    asked.push("nobody@example.org".to_owned());
    let found = look_up(node, token, asked).await;
    let missed: Vec<_> = expected.keys().filter(|address| !found.contains_key(*address)).collect();
    assert!(missed.is_empty(), "{missed:?} are not found");
    assert!(found == *expected, "someone else is found");
}

#[tokio::test]
async fn another_pepper_finds_the_same_users_while_the_node_runs() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    node.bind_email(&token, EMAIL, "@alice:localhost").await;
    let old = node.pepper(&token).await;
    let made = rotate_pepper(&node).await.expect("it is replaced");
    assert_eq!(node.pepper(&token).await, made);
    assert_ne!(made, old);
    assert_eq!(node.look_up_email(&token, EMAIL).await.as_deref(), Some("@alice:localhost"));
    let hash = hashed(Medium::Email, EMAIL, &old);
    node.look_up_hashes(&token, &old, &[hash]).send().await.expect_error(400, "M_INVALID_PEPPER");
    assert_eq!((node.count("associations"), node.count("peppers")), (1, 1));
    node.bind_email(&token, "second@example.org", "@alice:localhost").await;
    assert!(node.look_up_email(&token, "second@example.org").await.is_some());
}

#[tokio::test]
async fn a_replacement_that_broke_off_goes_on_and_lookups_are_right_all_the_while() {
    let (node, token) = start_with_people(MANY).await;
    let mut expected = expected(MANY);
    assert_found(&node, &token, &expected).await;
    let old = node.pepper(&token).await;
    // The last address to be reached does not open.
    let last = node.look_up("select user_id from associations order by address_hash desc limit 1").remove(0);
    let replace = |from: &str| {
        let update = format!("update associations set sealed_address = ({from}) where user_id = '{last}'");
        node.look_up(&update);
    };
    node.look_up(&format!(
        "create table kept as select sealed_address from associations where user_id = '{last}'"
    ));
    replace("select sealed_address from associations order by address_hash limit 1");
    let broken_off = rotate_pepper(&node).await.expect_err("an address does not open");
    assert!(matches!(broken_off, RotatePepperError::Sealed(_)), "{broken_off}");
    assert_eq!(node.look_up("select state from peppers order by number"), ["current", "filling"]);
    let filled = "select count(*) from lookup_keys where pepper = (select max(number) from peppers)";
    assert_eq!(node.look_up_count(filled), 1_000, "two operations came to their end");

    assert_eq!(node.pepper(&token).await, old);
    assert_found(&node, &token, &expected).await;
    // What people do in between counts before and after.
    node.bind_email(&token, "new@example.org", "@alice:localhost").await;
    node.bind_email(&token, "user7@example.org", "@alice:localhost").await;
    expected.insert("new@example.org".to_owned(), "@alice:localhost".to_owned());
    expected.insert("user7@example.org".to_owned(), "@alice:localhost".to_owned());
    assert_found(&node, &token, &expected).await;

    replace("select sealed_address from kept");
    let node = node.restart(|config| config.limits.enabled = false).await;
    let made = rotate_pepper(&node).await.expect("it goes on");
    assert_ne!(made, old);
    assert_eq!(node.pepper(&token).await, made);
    assert_found(&node, &token, &expected).await;
    assert_eq!(node.look_up("select state from peppers"), ["current"]);
    assert_eq!(node.look_up_count("select count(*) from lookup_keys"), i64::try_from(MANY + 1).expect("few"));
}

#[tokio::test]
async fn who_binds_and_looks_up_while_peppers_are_replaced_is_served_right() {
    const ROUNDS: usize = 6;
    let count = 3 * MANY;
    let (node, token) = start_with_people(count).await;
    let mut expected = expected(count);
    let mut sessions = Vec::new();
    for number in 0..4 * ROUNDS {
        let (secret, address) = (format!("secret{number}"), format!("new{number}@example.org"));
        sessions.push((node.identity_email(&token, &secret, &address).await, secret, address));
    }
    for _ in 0..ROUNDS {
        let done = Cell::new(false);
        let replace = async {
            rotate_pepper(&node).await.expect("it is replaced");
            done.set(true);
        };
        let bind = async {
            let filling = "select count(*) from peppers where state = 'filling'";
            while node.look_up_count(filling) == 0 && !done.get() {
                tokio::task::yield_now().await;
            }
            for (sid, secret, address) in sessions.drain(..4) {
                node.identity_bind(&token, &sid, &secret, "@alice:localhost").send().await.ok();
                assert_eq!(look_up(&node, &token, vec![address.clone()]).await.len(), 1, "at once");
                expected.insert(address, "@alice:localhost".to_owned());
            }
        };
        tokio::join!(replace, bind);
        assert_found(&node, &token, &expected).await;
    }
    let associations = i64::try_from(expected.len()).expect("few");
    assert_eq!((node.count("associations"), node.count("peppers")), (associations, 1));
    assert_eq!(node.count("lookup_keys"), associations);
}

#[tokio::test]
async fn a_command_that_was_killed_goes_on_when_it_is_called_again() {
    let folder = ServeFolder::new("[identity]\nenabled = true\n");
    people(folder.path(), 10_000);
    let command = ["identity", "--config", "config.toml", "rotate-pepper"];
    let import = ["import", "sydent", "sydent.db", "--config", "config.toml"];
    assert!(process::run(folder.path(), &import).await.status.success());
    let database = folder.database();
    let texts = |query: &str| -> Vec<String> {
        let mut statement = database.prepare(query).expect("tables");
        statement.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("text")).collect()
    };
    let filled =
        "select cast(count(*) as text) from lookup_keys join peppers on lookup_keys.pepper = peppers.number
        where state = 'filling'";
    let old = texts("select pepper from peppers");
    // So that it takes seconds, and is met on its way.
    let slow = "create trigger slow before insert on lookup_keys begin
        select (with recursive numbers (number) as
            (select 1 union all select number + 1 from numbers where number < 10000) select count(*) from numbers);
        end";
    database.execute_batch(slow).expect("a trigger");
    let mut process = Process::start(countersign(folder.path(), &command));
    until("keys come", async || texts(filled) != ["0"]).await;
    process.kill();
    database.execute_batch("drop trigger slow").expect("no trigger");
    assert_eq!(texts("select state from peppers order by number"), ["current", "filling"]);
    let [came] = texts(filled).try_into().expect("one number");
    assert_ne!(came, "10000", "it was not killed on its way");
    let begun = texts("select pepper from peppers where state = 'filling'");

    let ended = process::run(folder.path(), &command).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.stdout.trim_end(), begun[0], "the one that was begun");
    assert_ne!(begun, old);
    assert_eq!(texts("select pepper || state from peppers"), [format!("{}current", begun[0])]);
    assert_eq!(texts("select cast(count(*) as text) from lookup_keys"), ["10000"]);
}
