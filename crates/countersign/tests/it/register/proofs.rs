//! Registrations that prove addresses: what comes to the account, and what does not.

use countersign::config::{Config, Countries, Stage};
use countersign_api::client::{account::WHOAMI, register::REGISTER, threepid::THREEPIDS};
use serde_json::{Value, json};

use crate::{
    steps::{creds_auth, password_auth},
    support::{PASSWORD, START, TestNode, TestUser},
    wire::Answer,
};

const EMAIL: &str = "m.login.email.identity";
const MSISDN: &str = "m.login.msisdn";

fn flows(config: &mut Config, flows: &[&[Stage]]) {
    config.registration.flows = flows.iter().map(|flow| flow.to_vec()).collect();
}

async fn node_with(stages: &[&[Stage]]) -> TestNode {
    TestNode::start_with(|config| flows(config, stages)).await
}

fn user(registered: &Answer) -> (String, String) {
    (registered.ok_string("user_id"), registered.ok_string("access_token"))
}

async fn listed(node: &TestNode, access_token: &str) -> Vec<Value> {
    let listed = node.get(THREEPIDS).token(access_token).send().await.ok();
    listed["threepids"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn an_account_begins_with_its_proven_address() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let session = node.begin_registration(body.clone()).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    node.let_pass(std::time::Duration::from_secs(60)).await;
    let registered = node.register_round(body, creds_auth(&session, EMAIL, &sid)).send().await;
    let (user_id, token) = user(&registered);
    assert_eq!(user_id, "@alice:localhost");
    let at = START.as_millis();
    let expected = json!({
        "medium": "email",
        "address": "alice@example.org",
        "validated_at": at,
        "added_at": at + 60_000,
    });
    assert_eq!(listed(&node, &token).await, [expected]);
}

#[tokio::test]
async fn a_flow_may_ask_for_both_media() {
    let node = node_with(&[&[Stage::EmailIdentity, Stage::Msisdn]]).await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let session = node.begin_registration(body.clone()).await;
    let email = node.prove_email_to_register("alice@example.org").await;
    let msisdn = node.prove_msisdn_to_register("GB", "07700 900123").await;
    let early = node.register_round(body.clone(), creds_auth(&session, MSISDN, &msisdn)).send().await;
    assert_eq!(early.stage_errcode().as_deref(), Some("M_FORBIDDEN"));
    assert!(early.completed().is_empty());
    let first = node.register_round(body.clone(), creds_auth(&session, EMAIL, &email)).send().await;
    assert_eq!((first.stage_errcode(), first.completed()), (None, vec![EMAIL.to_owned()]));
    let done = node.register_round(body, creds_auth(&session, MSISDN, &msisdn)).send().await;
    let (_, token) = user(&done);
    let mut media: Vec<_> = listed(&node, &token)
        .await
        .iter()
        .map(|entry| entry["medium"].as_str().unwrap().to_owned())
        .collect();
    // They came at once.
    media.sort();
    assert_eq!(media, ["email", "msisdn"]);
}

#[tokio::test]
async fn an_address_that_was_taken_meanwhile_makes_no_account() {
    let node = node_with(&[&[Stage::EmailIdentity], &[Stage::Dummy]]).await;
    let bob = node.register("bob").await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let session = node.begin_registration(body.clone()).await;
    let sid = node.prove_email_to_register("both@example.org").await;
    node.give_email(&bob, "both@example.org").await;
    let refused = node.register_round(body.clone(), creds_auth(&session, EMAIL, &sid)).send().await;
    refused.expect_error(400, "M_THREEPID_IN_USE");
    assert_eq!((node.count("accounts"), node.count("account_threepids")), (1, 1));
    // The name stays free.
    let free = node.register_round(body, json!({"type": "m.login.dummy"})).send().await;
    assert_eq!(free.ok_string("user_id"), "@alice:localhost");
}

#[tokio::test]
async fn a_country_that_was_closed_meanwhile_is_denied() {
    let node = node_with(&[&[Stage::Msisdn]]).await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let session = node.begin_registration(body.clone()).await;
    let sid = node.prove_msisdn_to_register("GB", "07700 900123").await;
    let node = node
        .restart(|config| {
            flows(config, &[&[Stage::Msisdn]]);
            config.sms.as_mut().expect("there").countries = Countries::Only(vec!["DE".to_owned()]);
        })
        .await;
    let refused = node.register_round(body, creds_auth(&session, MSISDN, &sid)).send().await;
    refused.expect_error(403, "M_THREEPID_DENIED");
    assert_eq!(node.count("accounts"), 0);
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_with_the_same_account() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    for username in [json!("alice"), json!(null)] {
        let address = format!("{}@example.org", username.as_str().unwrap_or("nameless"));
        let body = json!({"username": username, "password": PASSWORD});
        let session = node.begin_registration(body.clone()).await;
        let sid = node.prove_email_to_register(&address).await;
        let auth = creds_auth(&session, EMAIL, &sid);
        let first = node.register_round(body.clone(), auth.clone()).send().await;
        let (user_id, _) = user(&first);
        // With everything, with the session alone, and without a session.
        let alone = json!({"session": session});
        let unnamed = json!({"type": EMAIL, "threepid_creds": auth["threepid_creds"]});
        for (body, auth) in [(body.clone(), auth), (json!({}), alone)] {
            let again = node.register_round(body, auth).send().await;
            let (same, token) = user(&again);
            assert_eq!(same, user_id);
            assert_eq!(node.get(WHOAMI).token(&token).send().await.ok_string("user_id"), user_id);
            assert_eq!(listed(&node, &token).await.len(), 1);
        }
        // Who names no session begins another one, in which the used proof is none.
        let other = node.register_round(body, unnamed).send().await;
        assert!([400, 401].contains(&other.status), "{other:?}");
    }
    assert_eq!((node.count("accounts"), node.count("account_threepids")), (2, 2));
}

#[tokio::test]
async fn a_repeat_with_another_password_is_another_request() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let session = node.begin_registration(body.clone()).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    let auth = creds_auth(&session, EMAIL, &sid);
    node.register_round(body, auth.clone()).send().await.ok();
    let other = json!({"username": "alice", "password": "another password"});
    node.register_round(other, auth).send().await.expect_error(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn later_rounds_may_send_auth_alone() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    let first = json!({
        "username": "alice",
        "password": PASSWORD,
        "device_id": "PHONE",
        "initial_device_display_name": "Alice's phone",
    });
    let session = node.begin_registration(first).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    let registered = node.register_round(json!({}), creds_auth(&session, EMAIL, &sid)).send().await;
    let (user_id, token) = user(&registered);
    assert_eq!((user_id.as_str(), registered.ok_string("device_id").as_str()), ("@alice:localhost", "PHONE"));
    assert_eq!(node.look_up("select display_name from devices"), ["Alice's phone"]);
    // The password of the first round is the account's.
    let alice = TestUser { user_id, client: node.client.with_access_token(&token), access_token: token };
    let add = json!({"sid": "x", "client_secret": "x", "auth": password_auth(&alice, PASSWORD)});
    let asked = node.post("/account/3pid/add", &add).token(&alice.access_token).send().await;
    asked.expect_error(400, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn later_rounds_override_what_the_first_one_said() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    let session = node.begin_registration(json!({"username": "alice", "password": PASSWORD})).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    let body = json!({"username": "alicia", "inhibit_login": true});
    let registered = node.register_round(body, creds_auth(&session, EMAIL, &sid)).send().await;
    assert_eq!(registered.ok(), json!({"user_id": "@alicia:localhost"}));
}

#[tokio::test]
async fn a_name_that_comes_after_its_password_is_compared_with_it_too() {
    let node = node_with(&[&[Stage::Dummy]]).await;
    let finish = async |username: &str| {
        let session = node.begin_registration(json!({"password": "Alice.In.Wonderland"})).await;
        let auth = json!({"type": "m.login.dummy", "session": session});
        node.register_round(json!({ "username": username }), auth).send().await
    };
    finish("alice.in.wonderland").await.expect_error(400, "M_WEAK_PASSWORD");
    finish("bob.in.wonderland").await.ok();
}

#[tokio::test]
async fn a_remembered_password_is_a_hash_and_nothing_else_readable_is_kept() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    let words = ["a password to remember", "rememberedname", "remembered-device", "remembered display name"];
    let body = json!({
        "username": words[1],
        "password": words[0],
        "device_id": words[2],
        "initial_device_display_name": words[3],
    });
    node.begin_registration(body).await;
    let remembered = "select count(*) from uia_sessions
         where password_hash like '$argon2id$%' and sealed_params is not null";
    assert_eq!(node.look_up_count(remembered), 1);
    let bytes = node.database_bytes();
    for word in words {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} is readable");
    }
}

#[tokio::test]
async fn a_first_round_without_a_password_learns_the_flows_and_the_last_one_needs_it() {
    let node = node_with(&[&[Stage::Dummy]]).await;
    let session = node.begin_registration(json!({"username": "alice"})).await;
    let auth = json!({"type": "m.login.dummy", "session": session});
    node.register_round(json!({}), auth.clone()).send().await.expect_error(400, "M_MISSING_PARAM");
    let done = node.register_round(json!({"password": PASSWORD}), auth).send().await;
    assert_eq!(done.ok_string("user_id"), "@alice:localhost");
}

#[tokio::test]
async fn an_operator_may_do_without_passwords() {
    let node = TestNode::start_with(|config| {
        flows(config, &[&[Stage::EmailIdentity]]);
        config.registration.password_required = false;
    })
    .await;
    let session = node.begin_registration(json!({"username": "alice"})).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    let auth = creds_auth(&session, EMAIL, &sid);
    let registered = node.register_round(json!({}), auth.clone()).send().await;
    let (user_id, token) = user(&registered);
    // Again, after a lost answer.
    assert_eq!(node.register_round(json!({}), auth).send().await.ok_string("user_id"), user_id);
    assert_eq!(node.look_up_count("select count(*) from accounts where password_hash is null"), 1);
    drop(token);
}

#[tokio::test]
async fn a_flow_that_another_one_begins_with_ends_with_a_dummy() {
    let node = node_with(&[&[Stage::EmailIdentity], &[Stage::EmailIdentity, Stage::Msisdn]]).await;
    let asked = node.post(REGISTER, &json!({})).send().await.json();
    assert_eq!(asked["flows"], json!([{"stages": [EMAIL, "m.login.dummy"]}, {"stages": [EMAIL, MSISDN]}]));
    let body = json!({"username": "alice", "password": PASSWORD});
    let sid = node.prove_email_to_register("alice@example.org").await;
    let first = node.register_round(body.clone(), creds_auth(&asked["session"], EMAIL, &sid)).send().await;
    assert_eq!(first.completed(), [EMAIL]);
    let dummy = json!({"type": "m.login.dummy", "session": asked["session"]});
    node.register_round(body, dummy).send().await.ok();
}

#[tokio::test]
async fn what_was_used_once_makes_no_second_account() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    let body = |name: &str| json!({"username": name, "password": PASSWORD});
    let (first, second) =
        (node.begin_registration(body("alice")).await, node.begin_registration(body("bob")).await);
    let sid = node.prove_email_to_register("alice@example.org").await;
    node.register_round(body("alice"), creds_auth(&first, EMAIL, &sid)).send().await.ok();
    let refused = node.register_round(body("bob"), creds_auth(&second, EMAIL, &sid)).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    assert_eq!(node.count("accounts"), 1);
}

#[tokio::test]
async fn a_proof_that_two_registrations_hold_makes_one_account() {
    let node = node_with(&[&[Stage::EmailIdentity, Stage::Dummy]]).await;
    let body = |name: &str| json!({"username": name, "password": PASSWORD});
    let mut sessions = Vec::new();
    let sid = node.prove_email_to_register("alice@example.org").await;
    for name in ["alice", "bob"] {
        let session = node.begin_registration(body(name)).await;
        let proven = node.register_round(body(name), creds_auth(&session, EMAIL, &sid)).send().await;
        assert_eq!(proven.completed(), [EMAIL]);
        sessions.push(session);
    }
    let dummy = |session: &Value| json!({"type": "m.login.dummy", "session": session});
    node.register_round(body("alice"), dummy(&sessions[0])).send().await.ok();
    let refused = node.register_round(body("bob"), dummy(&sessions[1])).send().await;
    assert!(matches!(refused.error(), (400, code) if code.starts_with("M_THREEPID_")), "{refused:?}");
    assert_eq!((node.count("accounts"), node.count("account_threepids")), (1, 1));
}
