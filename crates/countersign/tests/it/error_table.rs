//! The table of errors: each way to fail that a client can bring about, with its status, code and sentence.

mod identity;

use std::{fmt::Write as _, num::NonZeroU32};

use axum::http::Method;
use countersign::config::{Countries, DeprecatedAdd, PolicyConfig, PolicyLinkConfig};
use countersign_api::{
    client::{
        account::WHOAMI,
        deactivate::DEACTIVATE,
        login::LOGIN,
        password::PASSWORD as CHANGE_PASSWORD,
        refresh::REFRESH,
        register::{AVAILABLE, REGISTER},
        request_token::{PASSWORD_EMAIL, THREEPID_EMAIL},
        threepid::{ADD, DELETE, THREEPIDS},
    },
    federation::openid::USERINFO,
};
use serde_json::json;

use crate::{
    steps::{other_code, password_auth},
    support::{PASSWORD, TestNode},
    wire::{Answer, Call, api},
};

/// One line for each error.
#[derive(Default)]
struct Table(String);

impl Table {
    fn add(&mut self, what: &str, answer: &Answer) {
        let (status, errcode) = answer.error();
        let body = answer.json();
        let sentence = body["error"].as_str().expect("a sentence");
        let mut extra: Vec<_> = body
            .as_object()
            .expect("an object")
            .keys()
            .filter(|key| *key != "errcode" && *key != "error")
            .collect();
        extra.sort();
        let extra = if extra.is_empty() { String::new() } else { format!(" + {extra:?}") };
        writeln!(self.0, "{what}\n    {status} {errcode}: {sentence}{extra}").expect("a string takes all");
    }

    async fn send(&mut self, what: &str, call: Call) {
        let answer = call.send().await;
        self.add(what, &answer);
    }
}

async fn add_errors_of_every_route(node: &TestNode, table: &mut Table) {
    let email = |body: &str| node.call(Method::POST, &api(THREEPID_EMAIL)).body(body);
    table.send("a path that is none", node.get("/nowhere")).await;
    table.send("a method that is none", node.call(Method::PUT, &api(LOGIN))).await;
    table.send("no access token", node.get(WHOAMI)).await;
    table.send("an unknown access token", node.get(WHOAMI).token("wrong")).await;
    table.send("a body that is no JSON", email("{")).await;
    table.send("a body that is no object", email("[]")).await;
    table.send("a value that should be an object", node.post(REGISTER, &json!({"auth": 1}))).await;
    table.send("a missing key", email("{}")).await;
    table.send("a value of the wrong type", email(r#"{"client_secret": 1}"#)).await;
    let no_integer = r#"{"client_secret": "x", "email": "x", "send_attempt": "1"}"#;
    table.send("a number as text", email(no_integer)).await;
    table.send("a body that is too large", email(&" ".repeat(70_000))).await;
    table.send("a missing query parameter", node.get(AVAILABLE)).await;
}

async fn add_errors_of_asking(node: &TestNode, table: &mut Table) {
    for (what, secret, email) in [
        ("a bad client secret", "a b", "alice@example.org"),
        ("an address without @", "x", "alice"),
        ("an address with a bad local part", "x", "a..b@example.org"),
        ("an address with a bad domain", "x", "alice@example"),
        ("an address with a domain in Unicode", "x", "alice@bücher.example"),
        ("an address that is too long", "x", &format!("a@{}.org", ["abcdefghi"; 26].join("."))),
        ("a local part that is too long", "x", &format!("{}@example.org", "a".repeat(65))),
    ] {
        table.send(what, node.ask_email(secret, email, 1)).await;
    }
    for (what, country, number) in [
        ("a bad country", "gb", "07700900001"),
        ("a country without phones", "ZZ", "07700900001"),
        ("no phone number", "GB", "abc"),
        ("a phone number that is impossible", "GB", "12"),
        ("a phone number with an extension", "GB", "07700900001 ext. 5"),
        ("a phone number that is too long", "GB", &"7".repeat(1000)),
        ("a phone number of a country that is not listed", "DE", "0151 23456789"),
    ] {
        table.send(what, node.ask_msisdn("x", country, number, 1)).await;
    }
    for (what, link) in [
        ("a next_link of a bad scheme", "javascript:alert(1)"),
        ("a next_link that is relative", "/x"),
        ("a next_link with a user", "https://a@example.org/"),
        ("a next_link with a line break", "https://example.org/\n"),
        ("a next_link to a host that is not listed", "https://example.com/"),
        ("a next_link that is too long", &format!("https://example.org/{}", "a".repeat(3000))),
    ] {
        let body =
            json!({"client_secret": "x", "email": "a@example.org", "send_attempt": 1, "next_link": link});
        table.send(what, node.post(THREEPID_EMAIL, &body)).await;
    }
}

async fn add_errors_of_submitting(node: &TestNode, table: &mut Table) {
    let sid = node.ask_email("monkeys", "bob@example.org", 1).send().await.ok_string("sid");
    let code = node.mailer.wait_for(1).await.swap_remove(0).code.expect("a code");
    table.send("an unknown session", node.submit("unknown", "monkeys", &code)).await;
    table.send("a wrong client secret", node.submit(&sid, "other", &code)).await;
    table.send("a token that is too long", node.submit(&sid, "monkeys", &"x".repeat(256))).await;
    table.send("a wrong token", node.submit(&sid, "monkeys", &other_code(&code))).await;
    node.let_pass(std::time::Duration::from_secs(3600)).await;
    table.send("a code that is too old", node.submit(&sid, "monkeys", &code)).await;
    for _ in 0..4 {
        node.submit(&sid, "monkeys", "wrong").send().await;
    }
    table.send("a session that is over", node.submit(&sid, "monkeys", &code)).await;
}

async fn add_errors_of_accounts(node: &TestNode, table: &mut Table) {
    let alice = node.register("alice").await;
    let log_in = |body| node.post(LOGIN, &body);
    table.send("an unknown login type", log_in(json!({"type": "m.login.token"}))).await;
    table.send("a login without identifier", log_in(json!({"type": "m.login.password"}))).await;
    let body = json!({"type": "m.login.password", "user": "alice", "password": "wrong"});
    table.send("a wrong password", log_in(body)).await;
    let body = json!({"type": "m.login.password", "identifier": {"type": "x"}, "password": "x"});
    table.send("an unknown type of identifier", log_in(body)).await;
    let body = json!({"type": "m.login.password", "user": "alice", "password": "x", "device_id": ""});
    table.send("a bad device id", log_in(body)).await;
    table.send("a taken name", node.post(REGISTER, &json!({"username": "alice"}))).await;
    table.send("a bad name", node.post(REGISTER, &json!({"username": "a b"}))).await;
    table.send("a name that is too long", node.post(REGISTER, &json!({"username": "a".repeat(300)}))).await;
    table.send("a guest", node.post(&format!("{REGISTER}?kind=guest"), &json!({}))).await;
    table.send("an unknown kind", node.post(&format!("{REGISTER}?kind=x"), &json!({}))).await;
    let add = |body| node.post(ADD, &body).token(&alice.access_token);
    let auth = |password| password_auth(&alice, password);
    let body = |auth| json!({"sid": "unknown", "client_secret": "x", "auth": auth});
    table.send("adding with a wrong password", add(body(auth("wrong")))).await;
    table.send("adding with half a password stage", add(body(json!({"type": "m.login.password"})))).await;
    table.send("adding with a stage that is not offered", add(body(json!({"type": "m.login.dummy"})))).await;
    table.send("adding in an unknown authentication", add(body(json!({"session": "unknown"})))).await;
    let session = node.post(REGISTER, &json!({})).send().await.json()["session"].clone();
    table.send("adding in another request's authentication", add(body(json!({ "session": session })))).await;
    table.send("adding a session that proves nothing", add(body(auth(PASSWORD)))).await;
    let delete = |body| node.post(DELETE, &body).token(&alice.access_token);
    table.send("deleting of an unknown medium", delete(json!({"medium": "x", "address": "x"}))).await;
    table.send("deleting what is no address", delete(json!({"medium": "email", "address": "x"}))).await;
}

async fn add_errors_of_passwords(node: &TestNode, table: &mut Table) {
    let erin = node.register("erin").await;
    let call = |path: &str, body| node.post(path, &body).token(&erin.access_token);
    let change = |body| call(CHANGE_PASSWORD, body);
    table.send("a password that is too short", change(json!({"new_password": "short"}))).await;
    table.send("a password that is too long", change(json!({"new_password": "a".repeat(513)}))).await;
    let no_password = json!({"auth": password_auth(&erin, PASSWORD)});
    table.send("a change of password without a password", change(no_password)).await;
    let creds = json!({"sid": "unknown", "client_secret": "x"});
    let auth = |creds| json!({"type": "m.login.email.identity", "threepid_creds": creds});
    let body = |creds| json!({"new_password": PASSWORD, "auth": auth(creds)});
    table.send("a stage whose address is not proven", change(body(creds))).await;
    table.send("a stage without its session", change(body(json!(null)))).await;
    table
        .send("a bad access token where none is needed", node.post(CHANGE_PASSWORD, &json!({})).token("x"))
        .await;
    let ask = |email| {
        let body = json!({"client_secret": "x", "email": email, "send_attempt": 1});
        node.post(PASSWORD_EMAIL, &body)
    };
    table.send("a reset for an address on no account", ask("nobody@example.org")).await;
    table.send("an unknown refresh token", node.post(REFRESH, &json!({"refresh_token": "x"}))).await;
    table
        .send(
            "an OpenID token for another user",
            call("/user/@bob:localhost/openid/request_token", json!({})),
        )
        .await;
    let userinfo = |query: &str| node.call(Method::GET, &format!("/_matrix{USERINFO}{query}"));
    table.send("no OpenID token", userinfo("")).await;
    table.send("an unknown OpenID token", userinfo("?access_token=x")).await;
    let direct = json!({"three_pid_creds": {"sid": "unknown", "client_secret": "x"}});
    table.send("adding directly a session that proves nothing", call(THREEPIDS, direct)).await;
}

async fn add_errors_of_old_tokens(node: &TestNode, table: &mut Table) {
    let body =
        json!({"type": "m.login.password", "user": "erin", "password": PASSWORD, "refresh_token": true});
    let tokens = node.post(LOGIN, &body).send().await.ok();
    node.let_pass(std::time::Duration::from_secs(91 * 24 * 60 * 60)).await;
    let text = |key: &str| tokens[key].as_str().expect("a token").to_owned();
    table.send("an expired access token", node.get(WHOAMI).token(&text("access_token"))).await;
    let refresh = json!({"refresh_token": text("refresh_token")});
    table.send("an expired refresh token", node.post(REFRESH, &refresh)).await;
}

async fn add_errors_of_switches(table: &mut Table) {
    let node = TestNode::start_with(|config| {
        config.sms = None;
        config.registration.enabled = false;
        config.passwords.change = false;
        config.passwords.deactivate = false;
        config.threepids.changes = false;
        config.login.refresh_tokens = false;
    })
    .await;
    table.send("closed registration", node.post(REGISTER, &json!({}))).await;
    table.send("changes of passwords switched off", node.post(CHANGE_PASSWORD, &json!({}))).await;
    table.send("deactivation switched off", node.post(DEACTIVATE, &json!({}))).await;
    table.send("changes of addresses switched off", node.ask_email("x", "alice@example.org", 1)).await;
    table.send("refresh tokens switched off", node.post(REFRESH, &json!({"refresh_token": "x"}))).await;
}

async fn add_errors_of_use(node: &TestNode, table: &mut Table) {
    let (carol, dave) = (node.register("carol").await, node.register("dave").await);
    let of_carol = node.validate_email("carols", "carol@example.org").await;
    let of_dave = node.validate_email("daves", "carol@example.org").await;
    node.add(&carol, &of_carol, "carols").send().await.ok();
    table.send("adding an address of another account", node.add(&dave, &of_dave, "daves")).await;
    table.send("asking for an address in use", node.ask_email("x", "carol@example.org", 1)).await;
    table.send("asking too often", node.ask_email("x", "carol@example.org", 1)).await;
}

#[tokio::test]
async fn the_error_table_is_this() {
    let node = TestNode::start_with(|config| {
        config.sms.as_mut().unwrap().countries = Countries::Only(vec!["GB".to_owned()]);
        config.threepids.deprecated_add = DeprecatedAdd::Add;
        config.validation.next_link_hosts = vec!["example.org".to_owned()];
        config.limits.messages_per_address_per_hour = NonZeroU32::new(3).unwrap();
        config.identity.homeservers = vec!["localhost".to_owned(), "127.0.0.1:1".to_owned()];
    })
    .await;
    let mut table = Table::default();
    add_errors_of_every_route(&node, &mut table).await;
    add_errors_of_asking(&node, &mut table).await;
    add_errors_of_submitting(&node, &mut table).await;
    add_errors_of_accounts(&node, &mut table).await;
    add_errors_of_passwords(&node, &mut table).await;
    add_errors_of_use(&node, &mut table).await;
    add_errors_of_old_tokens(&node, &mut table).await;
    let without_sms = TestNode::start_with(|config| config.sms = None).await;
    table.send("a medium that is not supported", without_sms.ask_msisdn("x", "GB", "07700900001", 1)).await;
    identity::add_errors_of_media(&without_sms, &mut table).await;
    add_errors_of_switches(&mut table).await;
    identity::add_errors_of_the_identity_api(&node, &mut table).await;
    let with_terms = TestNode::start_with(|config| {
        let link =
            PolicyLinkConfig { name: "Terms".to_owned(), url: "https://example.org/terms-1-en".to_owned() };
        let policy = PolicyConfig { version: "1".to_owned(), links: [("en".to_owned(), link)].into() };
        config.identity.terms.0.insert("terms".to_owned(), policy);
    })
    .await;
    identity::add_errors_of_terms(&with_terms, &mut table).await;
    insta::assert_snapshot!(table.0);
}
