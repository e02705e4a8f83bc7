//! The addresses of an account: add by a proof, list, delete.

mod switches;

use std::time::Duration;

use countersign_api::client::threepid::{ADD, DELETE, THREEPIDS};
use serde_json::{Value, json};

use crate::{
    steps::{password_auth, send_all},
    support::{PASSWORD, START, TestNode, TestUser},
    wire::Call,
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TICK: Duration = Duration::from_millis(1);

fn add_body(node: &TestNode, user: &TestUser, body: &Value) -> Call {
    node.post(ADD, body).token(&user.access_token)
}

fn delete(node: &TestNode, user: &TestUser, medium: &str, address: &str) -> Call {
    node.post(DELETE, &json!({"medium": medium, "address": address})).token(&user.access_token)
}

fn no_support() -> Value {
    json!({"id_server_unbind_result": "no-support"})
}

#[tokio::test]
async fn an_account_begins_without_addresses() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let listed = node.get(THREEPIDS).token(&alice.access_token).send().await;
    assert_eq!(listed.ok(), json!({"threepids": []}));
}

#[tokio::test]
async fn what_was_added_is_listed_in_its_canonical_form_with_its_times() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "Strauß@Example.org").await;
    let phone = node.validate_msisdn("monkeys", "GB", "07700 900001").await;
    node.let_pass(HOUR).await;
    node.add(&alice, &sid, "monkeys").send().await.ok();
    node.add(&alice, &phone, "monkeys").send().await.ok();
    let listed = node.get(THREEPIDS).token(&alice.access_token).send().await.ok();
    let (validated, added) = (START.as_millis(), START.as_millis() + 3_600_000);
    let expected = [("email", "strauss@example.org"), ("msisdn", "447700900001")].map(|(medium, address)| {
        json!({"medium": medium, "address": address, "validated_at": validated, "added_at": added})
    });
    assert_eq!(listed, json!({ "threepids": expected }));
}

#[tokio::test]
async fn the_first_request_to_add_is_answered_with_the_flows() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    for auth in [json!(null), json!({})] {
        let body = json!({"sid": sid, "client_secret": "monkeys", "auth": auth});
        let asked = add_body(&node, &alice, &body).send().await;
        assert_eq!(asked.status, 401);
        let asked = asked.json();
        assert_eq!(asked["flows"], json!([{"stages": ["m.login.password"]}]));
        assert_eq!(asked["params"], json!({}));
        assert!(asked["session"].as_str().is_some_and(|session| 16 <= session.len()), "{asked}");
        assert_eq!(asked.get("errcode"), None);
    }
    assert!(node.addresses_of(&alice).await.is_empty());
}

#[tokio::test]
async fn a_session_of_the_first_round_carries_the_second() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    let mut body = json!({"sid": sid, "client_secret": "monkeys"});
    let session = add_body(&node, &alice, &body).send().await.json()["session"].clone();
    body["auth"] = password_auth(&alice, PASSWORD);
    body["auth"]["session"] = session;
    assert_eq!(add_body(&node, &alice, &body).send().await.ok(), json!({}));
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
}

#[tokio::test]
async fn a_wrong_password_is_forbidden_with_the_flows_and_may_be_corrected() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    let mut body = json!({"sid": sid, "client_secret": "monkeys", "auth": password_auth(&alice, "wrong")});
    let refused = add_body(&node, &alice, &body).send().await;
    refused.expect_error(401, "M_FORBIDDEN");
    let refused = refused.json();
    assert_eq!(refused["flows"], json!([{"stages": ["m.login.password"]}]));
    body["auth"]["session"] = refused["session"].clone();
    let again = add_body(&node, &alice, &body).send().await;
    again.expect_error(401, "M_FORBIDDEN");
    assert_eq!(again.json()["session"], refused["session"]);
    body["auth"]["password"] = json!(PASSWORD);
    add_body(&node, &alice, &body).send().await.ok();
}

#[tokio::test]
async fn an_address_on_no_account_is_answered_like_a_wrong_password() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.validate_email("monkeys", "second@example.org").await;
    let email = |address: &str| json!({"type": "m.id.thirdparty", "medium": "email", "address": address});
    let phone = json!({"type": "m.id.phone", "country": "GB", "phone": "07700900009"});
    let refusal = async |identifier: Value, password: &str| {
        let auth = json!({"type": "m.login.password", "identifier": identifier, "password": password});
        let body = json!({"sid": sid, "client_secret": "monkeys", "auth": auth});
        let refused = add_body(&node, &alice, &body).send().await;
        refused.expect_error(401, "M_FORBIDDEN");
        let mut refused = refused.json();
        assert!(refused["session"].take().is_string());
        refused
    };
    let wrong_password = refusal(email("alice@example.org"), "wrong").await;
    assert_eq!(wrong_password["flows"], json!([{"stages": ["m.login.password"]}]));
    for unknown in [email("nobody@example.org"), email("no address"), phone] {
        assert_eq!(refusal(unknown, PASSWORD).await, wrong_password);
    }
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
}

#[tokio::test]
async fn a_password_stage_that_lacks_something_may_be_completed() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    let whole = password_auth(&alice, PASSWORD);
    for missing in ["identifier", "password"] {
        let mut body = json!({"sid": sid, "client_secret": "monkeys", "auth": whole});
        body["auth"][missing] = json!(null);
        let refused = add_body(&node, &alice, &body).send().await;
        assert_eq!(refused.error(), (401, "M_MISSING_PARAM".to_owned()), "{missing}");
        body["auth"] = whole.clone();
        body["auth"]["session"] = refused.json()["session"].clone();
        add_body(&node, &alice, &body).send().await.ok();
    }
}

#[tokio::test]
async fn another_users_password_proves_nothing() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    let body = json!({"sid": sid, "client_secret": "monkeys", "auth": password_auth(&bob, PASSWORD)});
    add_body(&node, &alice, &body).send().await.expect_error(401, "M_FORBIDDEN");
    assert!(node.addresses_of(&alice).await.is_empty());
    assert!(node.addresses_of(&bob).await.is_empty());
}

#[tokio::test]
async fn a_stage_that_is_not_offered_is_unrecognized() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    for stage in ["m.login.dummy", "m.login.recaptcha", "m.login.email.identity", "nonsense"] {
        let body = json!({"sid": sid, "client_secret": "monkeys", "auth": {"type": stage}});
        let refused = add_body(&node, &alice, &body).send().await;
        assert_eq!(refused.error(), (401, "M_UNRECOGNIZED".to_owned()), "{stage}");
        assert_eq!(refused.json()["flows"], json!([{"stages": ["m.login.password"]}]));
    }
    assert!(node.addresses_of(&alice).await.is_empty());
}

#[tokio::test]
async fn a_session_of_authentication_is_bound_to_its_request_and_user() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    let body = |user: &TestUser, session: &Value| {
        let mut auth = password_auth(user, PASSWORD);
        auth["session"] = session.clone();
        json!({"sid": sid, "client_secret": "monkeys", "auth": auth})
    };
    let of_alice = add_body(&node, &alice, &json!({"sid": sid, "client_secret": "monkeys"})).send().await;
    let of_alice = of_alice.json()["session"].clone();
    let of_register = node.post("/register", &json!({})).send().await.json()["session"].clone();
    add_body(&node, &bob, &body(&bob, &of_alice)).send().await.expect_error(403, "M_FORBIDDEN");
    add_body(&node, &alice, &body(&alice, &of_register)).send().await.expect_error(403, "M_FORBIDDEN");
    let dummy = json!({"password": "x", "auth": {"type": "m.login.dummy", "session": of_alice}});
    node.post("/register", &dummy).send().await.expect_error(403, "M_FORBIDDEN");
    let unknown = add_body(&node, &alice, &body(&alice, &json!("unknown"))).send().await;
    unknown.expect_error(400, "M_INVALID_PARAM");
    node.let_pass(DAY + TICK).await;
    let expired = add_body(&node, &alice, &body(&alice, &of_alice)).send().await;
    expired.expect_error(400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn a_session_that_proves_nothing_is_refused_with_400_after_the_password() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let unvalidated = node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid");
    node.mailer.wait_for(1).await;
    let validated = node.validate_email("monkeys", "other@example.org").await;
    for (sid, secret) in [
        (unvalidated.as_str(), "monkeys"),
        (validated.as_str(), "other"),
        ("AAAAAAAAAAAAAAAAAAAAAA", "monkeys"),
        ("no/sid", "monkeys"),
        ("", "monkeys"),
    ] {
        let answer = node.add(&alice, sid, secret).send().await;
        assert_eq!(answer.error(), (400, "M_THREEPID_AUTH_FAILED".to_owned()), "{sid} {secret}");
        assert_eq!(answer.json().get("flows"), None);
        // Without a password it is not looked at: the answer is the flows.
        let body = json!({"sid": sid, "client_secret": secret});
        assert_eq!(add_body(&node, &alice, &body).send().await.status, 401);
    }
    node.let_pass(DAY + TICK).await;
    let answer = node.add(&alice, &validated, "monkeys").send().await;
    answer.expect_error(400, "M_THREEPID_AUTH_FAILED");
    assert!(node.addresses_of(&alice).await.is_empty());
}

#[tokio::test]
async fn a_refused_session_can_be_validated_and_added_in_the_same_authentication() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid");
    let code = node.mailer.wait_for(1).await.swap_remove(0).code.unwrap();
    let mut body = json!({"sid": sid, "client_secret": "monkeys"});
    let session = add_body(&node, &alice, &body).send().await.json()["session"].clone();
    body["auth"] = password_auth(&alice, PASSWORD);
    body["auth"]["session"] = session.clone();
    add_body(&node, &alice, &body).send().await.expect_error(400, "M_THREEPID_AUTH_FAILED");
    node.submit(&sid, "monkeys", &code).send().await.ok();
    // The stage is done and is not checked again.
    body["auth"] = json!({"session": session});
    add_body(&node, &alice, &body).send().await.ok();
}

#[tokio::test]
async fn the_same_callers_retry_succeeds() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    for _ in 0..3 {
        assert_eq!(node.add(&alice, &sid, "monkeys").send().await.ok(), json!({}));
    }
    node.add(&bob, &sid, "monkeys").send().await.expect_error(400, "M_THREEPID_AUTH_FAILED");
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
    assert!(node.addresses_of(&bob).await.is_empty());
}

#[tokio::test]
async fn a_used_session_does_not_bring_back_what_was_deleted() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    node.add(&alice, &sid, "monkeys").send().await.ok();
    delete(&node, &alice, "email", "alice@example.org").send().await.ok();
    node.add(&alice, &sid, "monkeys").send().await.expect_error(400, "M_THREEPID_AUTH_FAILED");
    assert!(node.addresses_of(&alice).await.is_empty());
}

#[tokio::test]
async fn an_address_of_another_account_is_in_use_and_is_not_moved() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    let of_alice = node.validate_email("alices", "shared@example.org").await;
    let of_bob = node.validate_email("bobs", "Shared@example.org").await;
    node.add(&alice, &of_alice, "alices").send().await.ok();
    let refused = node.add(&bob, &of_bob, "bobs").send().await;
    refused.expect_error(400, "M_THREEPID_IN_USE");
    assert_eq!(refused.json().get("flows"), None);
    assert_eq!(node.addresses_of(&alice).await, ["email shared@example.org"]);
    assert!(node.addresses_of(&bob).await.is_empty());
    // Once it is free, the proof that was not used still counts.
    delete(&node, &alice, "email", "shared@example.org").send().await.ok();
    node.add(&bob, &of_bob, "bobs").send().await.ok();
}

#[tokio::test]
async fn of_two_accounts_that_add_one_address_at_once_one_wins() {
    let node = TestNode::start_without_limits().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    for round in 0..8 {
        let email = format!("shared{round}@example.org");
        let of_alice = node.validate_email("alices", &email).await;
        let of_bob = node.validate_email("bobs", &email).await;
        let calls = vec![node.add(&alice, &of_alice, "alices"), node.add(&bob, &of_bob, "bobs")];
        let mut statuses: Vec<_> = send_all(calls)
            .await
            .iter()
            .map(|answer| answer.json()["errcode"].as_str().unwrap_or("added").to_owned())
            .collect();
        statuses.sort();
        assert_eq!(statuses, ["M_THREEPID_IN_USE", "added"]);
    }
    let count = node.addresses_of(&alice).await.len() + node.addresses_of(&bob).await.len();
    assert_eq!(count, 8);
}

#[tokio::test]
async fn what_was_deleted_is_listed_no_more_and_free_again() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    node.give_email(&alice, "second@example.org").await;
    assert_eq!(delete(&node, &alice, "email", "ALICE@Example.org").send().await.ok(), no_support());
    assert_eq!(node.addresses_of(&alice).await, ["email second@example.org"]);
    node.ask_email("again", "alice@example.org", 1).send().await.ok();
    node.mailer.wait_for(3).await;
}

#[tokio::test]
async fn a_phone_number_is_deleted_with_or_without_its_plus() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    for address in ["447700900001", "+447700900001"] {
        let sid = node.validate_msisdn(&format!("secret{}", address.len()), "GB", "07700900001").await;
        node.add(&alice, &sid, &format!("secret{}", address.len())).send().await.ok();
        assert_eq!(node.addresses_of(&alice).await, ["msisdn 447700900001"]);
        assert_eq!(delete(&node, &alice, "msisdn", address).send().await.ok(), no_support());
        assert!(node.addresses_of(&alice).await.is_empty());
    }
}

#[tokio::test]
async fn deleting_what_is_not_there_succeeds_and_touches_nobody_elses() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    node.give_email(&bob, "bob@example.org").await;
    for address in ["bob@example.org", "nobody@example.org"] {
        for _ in 0..2 {
            assert_eq!(delete(&node, &alice, "email", address).send().await.ok(), no_support());
        }
    }
    assert_eq!(node.addresses_of(&bob).await, ["email bob@example.org"]);
}
