//! Malformed input of every kind: its exact error, nothing sent, and never a 5xx.

mod arbitrary;
mod identity;
mod too_large;

use axum::http::Method;
use countersign_api::{
    client::{
        login::LOGIN,
        logout::{LOGOUT, LOGOUT_ALL},
        register::{AVAILABLE, REGISTER},
        request_token::{THREEPID_EMAIL, THREEPID_MSISDN},
        threepid::{ADD, DELETE},
    },
    submit_token::SUBMIT_TOKEN,
};
use serde_json::{Value, json};

use crate::{
    steps::password_auth,
    support::{PASSWORD, TestNode},
    wire::{Call, api},
};

const NOT_JSON: &str = "M_NOT_JSON";
const BAD_JSON: &str = "M_BAD_JSON";
const MISSING: &str = "M_MISSING_PARAM";
const INVALID: &str = "M_INVALID_PARAM";

/// The routes that need a JSON object, as full paths.
fn paths_with_a_body() -> Vec<String> {
    let routes = [THREEPID_EMAIL, THREEPID_MSISDN, LOGIN, REGISTER, ADD, DELETE];
    routes.map(api).into_iter().chain([SUBMIT_TOKEN.to_owned()]).collect()
}

fn email_body() -> Value {
    json!({"client_secret": "monkeys_are_GREAT", "email": "alice@example.org", "send_attempt": 1})
}

fn msisdn_body() -> Value {
    json!({
        "client_secret": "monkeys_are_GREAT",
        "country": "GB",
        "phone_number": "07700900001",
        "send_attempt": 1,
    })
}

fn submit_body() -> Value {
    json!({"client_secret": "monkeys_are_GREAT", "sid": "AAAAAAAAAAAAAAAAAAAAAA", "token": "123456"})
}

fn login_body() -> Value {
    json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": "wrong",
    })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

fn without(mut body: Value, key: &str) -> Value {
    body.as_object_mut().expect("an object").remove(key);
    body
}

/// Fails unless a later request's messages are the first ones.
async fn assert_nothing_was_sent(node: &TestNode) {
    assert_eq!(node.messages_queued(), 0, "bad input sent something");
    assert_eq!(node.count("validation_sessions"), 0, "bad input opened a session");
    node.ask_email("last", "last@example.org", 1).send().await.ok();
    assert_eq!(node.mailer.wait_for(1).await[0].to, "last@example.org");
}

/// Sends bodies to one route and compares each error.
async fn assert_errors(call: impl Fn() -> Call, cases: Vec<(Value, &str)>) {
    for (body, errcode) in cases {
        let answer = call().json(&body).send().await;
        assert_eq!(answer.error(), (400, errcode.to_owned()), "{body}");
    }
}

/// The body without each of these keys, and with each of these keys holding something else than a string.
fn not_strings(body: &Value, keys: &[&str]) -> Vec<(Value, &'static str)> {
    let mut cases = Vec::new();
    for key in keys {
        cases.push((without(body.clone(), key), MISSING));
        for value in [json!(null), json!(1), json!(true), json!([]), json!({}), json!(["x"]), json!("a\0b")] {
            cases.push((with(body.clone(), key, value), INVALID));
        }
    }
    cases
}

/// The body with integers that are none.
fn not_integers(body: &Value) -> Vec<(Value, &'static str)> {
    let values = [
        json!(null),
        json!("1"),
        json!(1.0),
        json!(1.5),
        json!(true),
        json!([1]),
        json!({}),
        json!(9_007_199_254_740_992_i64),
        json!(-9_007_199_254_740_992_i64),
        json!(u64::MAX),
        json!(1e30),
    ];
    let missing = (without(body.clone(), "send_attempt"), MISSING);
    let wrong = values.map(|value| (with(body.clone(), "send_attempt", value), INVALID));
    wrong.into_iter().chain([missing]).collect()
}

/// The body with client secrets that break the grammar.
fn bad_secrets(body: &Value) -> Vec<(Value, &'static str)> {
    let too_long = "a".repeat(256);
    let secrets =
        ["", " ", "a b", "a\n", "\na", "ä", "a/b", "a+b", "a~b", "a:b", "a,b", "٣", too_long.as_str()];
    secrets.map(|secret| (with(body.clone(), "client_secret", json!(secret)), INVALID)).into()
}

/// The body with links that no client may ask for.
fn bad_next_links(body: &Value) -> Vec<(Value, &'static str)> {
    let links = [
        json!(""),
        json!("/relative"),
        json!("//example.org"),
        json!("example.org"),
        json!("javascript:alert(1)"),
        json!("data:text/html,x"),
        json!("file:///etc/passwd"),
        json!("http://example.org/"),
        json!("https://user@example.org/"),
        json!("https://user:password@example.org/"),
        json!("https://example.org/\r\nSet-Cookie: a=b"),
        json!("myapp://validated"),
        json!(format!("https://example.org/{}", "a".repeat(3000))),
        json!(1),
        json!(["https://example.org/"]),
    ];
    links.map(|link| (with(body.clone(), "next_link", link), INVALID)).into()
}

#[tokio::test]
async fn a_body_that_is_no_object_has_its_own_error_on_every_route() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let deep_object = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
    let cases: [(&[u8], &str); 21] = [
        (b"", NOT_JSON),
        (b" ", NOT_JSON),
        (b"{", NOT_JSON),
        (b"{}x", NOT_JSON),
        (b"{}{}", NOT_JSON),
        (b"{'a': 1}", NOT_JSON),
        (b"{\"a\": 1,}", NOT_JSON),
        (b"{\"a\": 01}", NOT_JSON),
        (b"{\"a\": NaN}", NOT_JSON),
        (b"{\"a\": \"\xff\"}", NOT_JSON),
        (b"{\"a\": \"\\ud800\"}", NOT_JSON),
        (b"\xef\xbb\xbf{}", NOT_JSON),
        (b"\xff\xfe{\0}\0", NOT_JSON),
        (b"email=alice%40example.org&send_attempt=1", NOT_JSON),
        (deep.as_bytes(), NOT_JSON),
        (deep_object.as_bytes(), NOT_JSON),
        (b"[]", BAD_JSON),
        (b"null", BAD_JSON),
        (b"\"{}\"", BAD_JSON),
        (b"1", BAD_JSON),
        (b"true", BAD_JSON),
    ];
    for path in paths_with_a_body() {
        for (body, errcode) in cases {
            let call = node.call(Method::POST, &path).token(&alice.access_token).body(body);
            let answer = call.send().await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]);
            assert_eq!(answer.error(), (400, errcode.to_owned()), "{path} with {shown}");
        }
    }
    assert_nothing_was_sent(&node).await;
}

#[tokio::test]
async fn the_content_type_does_not_matter() {
    let node = TestNode::start_without_limits().await;
    let calls = || node.call(Method::POST, &api(THREEPID_EMAIL)).body(email_body().to_string());
    let sid = calls().send().await.ok_string("sid");
    for content_type in [
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
        "application/json; charset=utf-16",
    ] {
        let answer = calls().header("content-type", content_type).send().await;
        assert_eq!(answer.ok_string("sid"), sid, "{content_type}");
    }
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn null_is_absent_where_a_field_is_optional() {
    let node = TestNode::start_without_limits().await;
    for (path, body) in [(THREEPID_EMAIL, email_body()), (THREEPID_MSISDN, msisdn_body())] {
        let nulls = ["next_link", "id_server", "id_access_token"];
        let body = nulls.into_iter().fold(body, |body, key| with(body, key, json!(null)));
        node.post(path, &body).send().await.ok();
    }
    node.mailer.wait_for(1).await;
    node.sms.wait_for(1).await;
    let nulls = json!({
        "username": null, "password": null, "device_id": null, "auth": null,
        "initial_device_display_name": null, "inhibit_login": null, "refresh_token": null,
    });
    let asked = node.post(REGISTER, &nulls).send().await;
    assert_eq!((asked.status, &asked.json()["flows"][0]["stages"][0]), (401, &json!("m.login.dummy")));
    let body = ["device_id", "initial_device_display_name", "refresh_token", "user", "medium", "address"]
        .into_iter()
        .fold(login_body(), |body, key| with(body, key, json!(null)));
    node.post(LOGIN, &body).send().await.expect_error(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn unknown_fields_are_ignored_whatever_they_hold() {
    let node = TestNode::start_without_limits().await;
    let nested = (0..100).fold(json!(1), |inner, _| json!([inner]));
    for (path, body) in [(THREEPID_EMAIL, email_body()), (THREEPID_MSISDN, msisdn_body())] {
        let body = with(body, "org.example.extra", nested.clone());
        let body = with(body, "Email", json!(1));
        node.post(path, &body).send().await.ok();
    }
    node.mailer.wait_for(1).await;
    node.sms.wait_for(1).await;
}

#[tokio::test]
async fn asking_for_a_mail_with_bad_parameters() {
    let node = TestNode::start_without_limits().await;
    let mut cases = not_strings(&email_body(), &["client_secret", "email"]);
    cases.extend(not_integers(&email_body()));
    cases.extend(bad_secrets(&email_body()));
    cases.extend(bad_next_links(&email_body()));
    let long_local_part = format!("{}@example.org", "a".repeat(65));
    let long = format!("a@{}.org", ["a"; 130].join("."));
    for email in [
        "",
        " ",
        "alice",
        "@",
        "@example.org",
        "alice@",
        "a@b@example.org",
        "alice@example.org@evil.example",
        "alice@example",
        "alice @example.org",
        " alice@example.org",
        "alice@example.org ",
        "alice@example.org\n",
        "alice@example.org\r\nBcc: bob@example.org",
        "alice@exa mple.org",
        "Alice <alice@example.org>",
        "<alice@example.org>",
        "mailto:alice@example.org",
        "\"alice\"@example.org",
        "alice@[127.0.0.1]",
        "alice@127.0.0.1",
        "alice@-example.org",
        "alice@example..org",
        ".alice@example.org",
        "alice@bücher.example",
        "alice@example.org,bob@example.org",
        "al\u{200b}ice@example.org",
        "al\u{202e}ice@example.org",
        long_local_part.as_str(),
        long.as_str(),
    ] {
        cases.push((with(email_body(), "email", json!(email)), INVALID));
    }
    assert_errors(|| node.call(Method::POST, &api(THREEPID_EMAIL)), cases).await;
    assert_nothing_was_sent(&node).await;
}

#[tokio::test]
async fn asking_for_an_sms_with_bad_parameters() {
    let node = TestNode::start_without_limits().await;
    let mut cases = not_strings(&msisdn_body(), &["client_secret", "country", "phone_number"]);
    cases.extend(not_integers(&msisdn_body()));
    cases.extend(bad_secrets(&msisdn_body()));
    cases.extend(bad_next_links(&msisdn_body()));
    for country in ["", "gb", "Gb", "GBR", "G", "ZZ", "XX", "44", "001", "ＧＢ", "GB "] {
        cases.push((with(msisdn_body(), "country", json!(country)), INVALID));
    }
    let long = "7".repeat(1000);
    for number in [
        "",
        " ",
        "abc",
        "12",
        "+",
        "+44",
        "0",
        "07700900001 ext. 5",
        "07700900001x5",
        long.as_str(),
        "+999123456789",
    ] {
        cases.push((with(msisdn_body(), "phone_number", json!(number)), INVALID));
    }
    assert_errors(|| node.call(Method::POST, &api(THREEPID_MSISDN)), cases).await;
    assert_nothing_was_sent(&node).await;
}

#[tokio::test]
async fn grammars_are_checked_before_the_address() {
    let node = TestNode::start_without_limits().await;
    let body = with(with(email_body(), "email", json!("nonsense")), "client_secret", json!("a b"));
    let answer = node.post(THREEPID_EMAIL, &body).send().await;
    answer.expect_error(400, INVALID);
    assert!(answer.json()["error"].as_str().unwrap().contains("client_secret"), "{answer:?}");
    assert_nothing_was_sent(&node).await;
}

#[tokio::test]
async fn submitting_with_bad_parameters() {
    let node = TestNode::start_without_limits().await;
    let mut cases = not_strings(&submit_body(), &["sid", "client_secret", "token"]);
    cases.extend(bad_secrets(&submit_body()));
    for sid in ["", "x", "a b", "AAAAAAAAAAAAAAAAAAAAAA==", "../../etc/passwd", "ä"] {
        cases.push((with(submit_body(), "sid", json!(sid)), INVALID));
    }
    cases.push((with(submit_body(), "token", json!("a".repeat(256))), INVALID));
    assert_errors(|| node.call(Method::POST, SUBMIT_TOKEN), cases).await;
    assert_nothing_was_sent(&node).await;
}

#[tokio::test]
async fn logging_in_with_bad_parameters() {
    let node = TestNode::start_without_limits().await;
    let identifier = |value| with(login_body(), "identifier", value);
    let cases = vec![
        (json!({}), MISSING),
        (with(login_body(), "type", json!(1)), INVALID),
        (with(login_body(), "type", json!("m.login.nonsense")), "M_UNKNOWN"),
        (json!({"type": "m.login.token", "token": "x"}), "M_UNKNOWN"),
        (without(login_body(), "identifier"), MISSING),
        (without(login_body(), "password"), MISSING),
        (with(login_body(), "password", json!(1)), INVALID),
        (with(login_body(), "password", json!(null)), MISSING),
        (with(login_body(), "device_id", json!(1)), INVALID),
        (with(login_body(), "device_id", json!("")), INVALID),
        (with(login_body(), "device_id", json!("a\u{7}")), INVALID),
        (with(login_body(), "device_id", json!("a".repeat(513))), INVALID),
        (with(login_body(), "refresh_token", json!("yes")), INVALID),
        (with(login_body(), "initial_device_display_name", json!([])), INVALID),
        (identifier(json!("alice")), BAD_JSON),
        (identifier(json!([])), BAD_JSON),
        (identifier(json!({})), MISSING),
        (identifier(json!({"type": "m.id.user"})), MISSING),
        (identifier(json!({"type": "m.id.user", "user": 1})), INVALID),
        (identifier(json!({"type": "m.id.nonsense"})), INVALID),
        (identifier(json!({"type": 1})), INVALID),
        (identifier(json!({"type": "m.id.thirdparty", "medium": "email"})), MISSING),
        (identifier(json!({"type": "m.id.thirdparty", "medium": "pigeon", "address": "x"})), INVALID),
        (identifier(json!({"type": "m.id.phone", "country": "GB"})), MISSING),
        (identifier(json!({"type": "m.id.phone", "phone": "07700900001"})), MISSING),
        (json!({"type": "m.login.password", "medium": "email", "password": "x"}), MISSING),
        (json!({"type": "m.login.password", "user": 1, "password": "x"}), INVALID),
    ];
    assert_errors(|| node.call(Method::POST, &api(LOGIN)), cases).await;
}

#[tokio::test]
async fn registering_with_bad_parameters() {
    let node = TestNode::start_without_limits().await;
    let cases = vec![
        (json!({"auth": "m.login.dummy"}), BAD_JSON),
        (json!({"auth": []}), BAD_JSON),
        (json!({"auth": {"type": 1}}), INVALID),
        (json!({"auth": {"type": "m.login.dummy", "session": 1}}), INVALID),
        (json!({"auth": {"type": "m.login.dummy", "session": "unknown"}, "password": "x"}), INVALID),
        (json!({"auth": {"type": "m.login.dummy"}}), MISSING),
        (json!({"auth": {"type": "m.login.dummy"}, "password": null}), MISSING),
        (json!({"username": 1}), INVALID),
        (json!({"password": 1}), INVALID),
        (json!({"inhibit_login": "true"}), INVALID),
        (json!({"refresh_token": 1}), INVALID),
        (json!({"device_id": ""}), INVALID),
        (json!({"device_id": {}}), INVALID),
        (json!({"initial_device_display_name": 1}), INVALID),
        (json!({"username": ""}), "M_INVALID_USERNAME"),
        (json!({"username": "a b"}), "M_INVALID_USERNAME"),
        (json!({"username": "@alice:localhost"}), "M_INVALID_USERNAME"),
        (json!({"username": "älice"}), "M_INVALID_USERNAME"),
        (json!({"username": "a".repeat(250)}), "M_INVALID_USERNAME"),
    ];
    assert_errors(|| node.call(Method::POST, &api(REGISTER)), cases).await;
    assert_eq!(node.count("accounts"), 0);
    for (query, status, errcode) in
        [("?kind=guest", 403, "M_FORBIDDEN"), ("?kind=", 400, INVALID), ("?kind=nonsense", 400, INVALID)]
    {
        let answer = node.post(&format!("{REGISTER}{query}"), &json!({})).send().await;
        assert_eq!(answer.error(), (status, errcode.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn asking_for_a_name_with_bad_parameters() {
    let node = TestNode::start_without_limits().await;
    for (query, errcode) in [
        ("", MISSING),
        ("?user=alice", MISSING),
        ("?username=", "M_INVALID_USERNAME"),
        ("?username=a%20b", "M_INVALID_USERNAME"),
        ("?username=%ff", "M_INVALID_USERNAME"),
        ("?username=a%00b", INVALID),
    ] {
        let answer = node.get(&format!("{AVAILABLE}{query}")).send().await;
        assert_eq!(answer.error(), (400, errcode.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn adding_with_bad_parameters() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let auth = password_auth(&alice, PASSWORD);
    let body = || json!({"sid": "x", "client_secret": "x", "auth": auth});
    let mut cases = bad_secrets(&body());
    // Before authentication too, so that a client learns of it before its user types a password.
    cases.extend(bad_secrets(&without(body(), "auth")));
    cases.extend([
        (with(body(), "auth", json!("m.login.password")), BAD_JSON),
        (with(body(), "auth", json!([])), BAD_JSON),
        (with(body(), "auth", json!({"type": []})), INVALID),
        (with(body(), "auth", json!({"session": "unknown"})), INVALID),
        (with(body(), "sid", json!(1)), INVALID),
        (with(body(), "client_secret", json!(1)), INVALID),
        (without(body(), "sid"), MISSING),
        (without(body(), "client_secret"), MISSING),
        (body(), "M_THREEPID_AUTH_FAILED"),
    ]);
    assert_errors(|| node.call(Method::POST, &api(ADD)).token(&alice.access_token), cases).await;
}

#[tokio::test]
async fn deleting_with_bad_parameters() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let body = || json!({"medium": "email", "address": "alice@example.org"});
    let mut cases = not_strings(&body(), &["medium", "address"]);
    cases.extend([
        (with(body(), "medium", json!("phone")), INVALID),
        (with(body(), "medium", json!("Email")), INVALID),
        (with(body(), "medium", json!("")), INVALID),
        (with(body(), "address", json!("nonsense")), INVALID),
        (json!({"medium": "msisdn", "address": "alice@example.org"}), INVALID),
        (json!({"medium": "msisdn", "address": "07700 900001"}), INVALID),
    ]);
    assert_errors(|| node.call(Method::POST, &api(DELETE)).token(&alice.access_token), cases).await;
}

#[tokio::test]
async fn logging_out_needs_no_body_and_ignores_any_object() {
    let node = TestNode::start_without_limits().await;
    let mut count = 0;
    for path in [LOGOUT, LOGOUT_ALL] {
        for body in ["", "{}", r#"{"x": [1]}"#] {
            count += 1;
            let user = node.register(&format!("user{count}")).await;
            let answer =
                node.call(Method::POST, &api(path)).token(&user.access_token).body(body).send().await;
            assert_eq!(answer.ok(), json!({}), "{path} with {body:?}");
        }
        let alice = node.register(&format!("alice{count}")).await;
        for (body, errcode) in [("{", NOT_JSON), ("[]", BAD_JSON)] {
            let call = node.call(Method::POST, &api(path)).token(&alice.access_token).body(body);
            assert_eq!(call.send().await.error(), (400, errcode.to_owned()), "{path} with {body:?}");
        }
    }
}
