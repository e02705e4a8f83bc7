//! Whatever anybody sends, each route answers JSON that says what is wrong, and never a 5xx.

use axum::http::Method;
use countersign::http::{Version, routes};
use countersign_api::{
    client::logout::{LOGOUT, LOGOUT_ALL},
    submit_token::SUBMIT_TOKEN,
};
use proptest::{
    prelude::*,
    test_runner::{TestCaseError, TestRunner},
};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use crate::{
    support::{TestNode, TestUser},
    wire::Answer,
};

/// Every key that a body may have, and some that none has.
const KEYS: [&str; 22] = [
    "client_secret",
    "email",
    "send_attempt",
    "next_link",
    "id_server",
    "country",
    "phone_number",
    "sid",
    "token",
    "auth",
    "type",
    "session",
    "identifier",
    "user",
    "medium",
    "address",
    "username",
    "password",
    "device_id",
    "inhibit_login",
    "phone",
    "nonsense",
];

/// Values that get past some of the checks.
const WORDS: [&str; 20] = [
    "monkeys",
    "alice@example.org",
    "AAAAAAAAAAAAAAAAAAAAAA",
    "123456",
    "GB",
    "07700900001",
    "email",
    "msisdn",
    "m.login.password",
    "m.login.dummy",
    "m.id.user",
    "m.id.thirdparty",
    "m.id.phone",
    "alice",
    "@alice:localhost",
    "https://example.org/",
    "447700900001",
    "\0",
    "\u{10ffff}",
    "",
];

/// Headers that the server reads, and some that it does not.
const HEADERS: [&str; 7] =
    ["authorization", "accept-language", "x-forwarded-for", "content-type", "host", "origin", "cookie"];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        proptest::sample::select(&WORDS[..]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            any_object(inner).prop_map(Value::from),
        ]
    })
}

fn any_object(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = proptest::sample::select(&KEYS[..]).prop_map(str::to_owned);
    proptest::collection::vec((key, values), 0..12).prop_map(|fields| fields.into_iter().collect())
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any_object(any_json()).prop_map(|object| Value::from(object).to_string().into_bytes()),
        1 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

fn any_query() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[?](username|kind)=[a-zA-Z0-9%@.+&=]{0,30}", "[?][ -\"$-~]{0,40}"]
}

/// What is wrong with an answer, if anything.
fn fault(answer: &Answer) -> Option<&'static str> {
    let Ok(Value::Object(body)) = serde_json::from_str(&answer.text) else { return Some("no JSON object") };
    let is_text =
        |key: &str| body.get(key).is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()));
    match answer.status {
        200 => None,
        401 if body.contains_key("flows") => None,
        400..=499 if is_text("errcode") && is_text("error") => None,
        400..=499 => Some("an error without errcode or error"),
        _ => Some("neither success nor the client's fault"),
    }
}

async fn try_routes(
    node: &TestNode,
    alice: &TestUser,
    body: &[u8],
    query: &str,
) -> Result<(), TestCaseError> {
    for route in routes() {
        let base = match route.version {
            Version::V3 => "/_matrix/client/r0",
            Version::V1 => "/_matrix/client/v1",
            Version::None => "/_api",
        };
        let path = route.path.replace("{user_id}", &alice.user_id);
        let call = node.call(route.method.clone(), &format!("{base}{path}{query}")).body(body);
        // Alice stays.
        let is_logout = [LOGOUT, LOGOUT_ALL].contains(&route.path);
        let call = if is_logout { call } else { call.token(&alice.access_token) };
        let answer = call.send().await;
        let fault = fault(&answer);
        prop_assert!(fault.is_none(), "{} {}: {fault:?}: {answer:?}", route.method, route.path);
    }
    let answer = node.call(Method::POST, SUBMIT_TOKEN).body(body).send().await;
    prop_assert!(fault(&answer).is_none(), "{SUBMIT_TOKEN}: {answer:?}");
    Ok(())
}

#[test]
fn no_body_makes_the_server_fail() {
    let runtime = Runtime::new().unwrap();
    let mut node = runtime.block_on(TestNode::start_without_limits());
    node.allow_undelivered();
    let alice = runtime.block_on(node.register("alice"));
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) });
    let ran = runner.run(&(any_body(), any_query()), |(body, query)| {
        runtime.block_on(try_routes(&node, &alice, &body, &query))
    });
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
}

#[test]
fn no_header_makes_the_server_fail() {
    let runtime = Runtime::new().unwrap();
    let mut node = runtime.block_on(TestNode::start());
    node.allow_undelivered();
    let headers = (proptest::sample::select(&HEADERS[..]), proptest::collection::vec(0x20u8..=0xff, 0..60));
    let mut runner =
        TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) });
    let ran = runner.run(&headers, |(name, value)| {
        let value: Vec<u8> = value.into_iter().filter(|byte| *byte != 0x7f).collect();
        let call = node.ask_email("monkeys", "alice@example.org", 1).header_bytes(name, &value);
        let answer = runtime.block_on(call.send());
        prop_assert!(fault(&answer).is_none(), "{name}: {answer:?}");
        Ok(())
    });
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
}
