//! A node beside a homeserver that has the accounts: a real one, and one that answers as it is told.

mod homeserver;

use std::time::Duration;

use axum::http::Method;
use countersign::{
    config::{Config, DeprecatedAdd, PeerUrl, SidecarConfig},
    http::{Modes, Version, routes},
    wiring::{Node, Outside},
};
use countersign_api::{
    client::{
        logout::LOGOUT_ALL,
        threepid::{ADD, BIND, DELETE, THREEPIDS, UNBIND},
        versions::VERSIONS,
    },
    identity::account::REGISTER,
    well_known::{MATRIX_CLIENT, SDN_CLIENT},
};
use countersign_core::MasterKeys;
use countersign_service::SystemRandom;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::homeserver::{FLOWS, Homeserver, LOGIN, LOGOUT, Reply, SHORT, WHOAMI};
use crate::{
    steps::password_auth,
    support::{OtherHomeserver, PASSWORD, TestNode},
    wire::{Answer, api},
};

const EMAIL: &str = "alice@example.org";

fn beside(url: &str, config: &mut Config) {
    config.registration.enabled = false;
    config.sidecar = Some(SidecarConfig {
        homeserver_url: PeerUrl::parse(url).expect("a URL"),
        whoami_cache: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
        device_id: "COUNTERSIGN".to_owned(),
        ca_file: None,
    });
}

async fn start_beside(url: &str) -> TestNode {
    TestNode::start_with(|config| beside(url, config)).await
}

/// A delete of an address that isn't there: it changes nothing, but asks who calls.
fn nothing_to_delete() -> Value {
    json!({"medium": "email", "address": "nobody@example.org"})
}

/// An attempt to add an address with a password.
fn add_body(sid: &str, identifier: &Value) -> Value {
    let auth = json!({"type": "m.login.password", "identifier": identifier, "password": "secret"});
    json!({"sid": sid, "client_secret": "secret", "auth": auth})
}

/// The body of a 401 that asks for authentication.
#[track_caller]
fn challenge(answer: &Answer) -> Value {
    assert_eq!(answer.status, 401, "{answer:?}");
    let body = answer.json();
    assert!(body["flows"].is_array() && body["session"].is_string(), "{answer:?}");
    body
}

fn alice() -> Value {
    json!({"type": "m.id.user", "user": "alice"})
}

#[tokio::test]
async fn a_user_of_a_real_homeserver_adds_lists_and_deletes_addresses() {
    let homeserver = TestNode::start().await;
    let node = start_beside(&homeserver.url).await;
    let alice = homeserver.register("alice").await;
    let email = node.validate_email("by-mail", EMAIL).await;
    let phone = node.validate_msisdn("by-sms", "GB", "07700900123").await;

    let first = node.post(ADD, &json!({"sid": email, "client_secret": "by-mail"})).token(&alice.access_token);
    let asked = challenge(&first.send().await);
    assert_eq!(asked["flows"], json!([{"stages": ["m.login.password"]}]));
    let wrong = json!({"sid": email, "client_secret": "by-mail", "auth": password_auth(&alice, "wrong")});
    let refused = challenge(&node.post(ADD, &wrong).token(&alice.access_token).send().await);
    assert_eq!(refused["errcode"], "M_FORBIDDEN");

    node.add(&alice, &email, "by-mail").send().await.ok();
    node.add(&alice, &phone, "by-sms").send().await.ok();
    assert_eq!(node.addresses_of(&alice).await, [format!("email {EMAIL}"), "msisdn 447700900123".to_owned()]);
    assert_eq!(homeserver.count("devices"), 1, "the device of the password checks is gone");
    assert_eq!(homeserver.count("account_threepids"), 0);

    let delete = json!({"medium": "email", "address": EMAIL});
    let deleted = node.post(DELETE, &delete).token(&alice.access_token).send().await.ok();
    assert_eq!(deleted["id_server_unbind_result"], "no-support");
    assert_eq!(node.addresses_of(&alice).await, ["msisdn 447700900123"]);

    // An address of the account, which the node alone knows, names it too.
    let again = node.validate_email("again", EMAIL).await;
    let identifier = json!({"type": "m.id.thirdparty", "medium": "msisdn", "address": "447700900123"});
    let auth = json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD});
    let body = json!({"sid": again, "client_secret": "again", "auth": auth});
    node.post(ADD, &body).token(&alice.access_token).send().await.ok();

    let bob = homeserver.register("bob").await;
    let stolen = node.validate_email("stolen", "bob@example.org").await;
    let auth = password_auth(&alice, PASSWORD);
    let body = json!({"sid": stolen, "client_secret": "stolen", "auth": auth});
    let refused = challenge(&node.post(ADD, &body).token(&bob.access_token).send().await);
    assert_eq!(refused["errcode"], "M_FORBIDDEN", "another user's password proves nothing");
    node.add(&bob, &stolen, "stolen").send().await.ok();
    assert_eq!(node.addresses_of(&bob).await, ["email bob@example.org"]);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_user_publishes_an_address_here_and_takes_it_back() {
    let homeserver = TestNode::start().await;
    let node = start_beside(&homeserver.url).await;
    let alice = homeserver.register("alice").await;
    let openid = homeserver.openid_token(&alice).await;
    let token = node.identity_post(REGISTER, &openid).send().await.ok_string("token");
    let sid = node.identity_email(&token, "monkeys", EMAIL).await;
    let bind = json!({
        "client_secret": "monkeys", "sid": sid, "id_server": "localhost", "id_access_token": token,
    });
    node.post(BIND, &bind).token(&alice.access_token).send().await.ok();
    assert_eq!(node.look_up_email(&token, EMAIL).await.as_ref(), Some(&alice.user_id));
    // Without the homeserver's key, no other identity service would believe this node.
    let elsewhere = json!({"medium": "email", "address": EMAIL, "id_server": "id.example.org"});
    let unsigned = node.post(UNBIND, &elsewhere).token(&alice.access_token).send().await;
    assert_eq!(unsigned.ok(), json!({"id_server_unbind_result": "no-support"}));
    let here = json!({"medium": "email", "address": EMAIL});
    let taken_back = node.post(UNBIND, &here).token(&alice.access_token).send().await;
    assert_eq!(taken_back.ok(), json!({"id_server_unbind_result": "success"}));
    assert_eq!(node.look_up_email(&token, EMAIL).await, None);
    node.post(UNBIND, &here).token("unknown").send().await.expect_error(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn with_the_homeservers_key_an_address_is_taken_back_anywhere() {
    let homeserver = TestNode::start().await;
    let alice = homeserver.register("alice").await;
    let service = OtherHomeserver::start(200, &json!({})).await;
    let file = homeserver.folder().join("signing.key");
    std::fs::write(&file, "ed25519 auto YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0\n").expect("writable");
    let node = TestNode::start_with(|config| {
        beside(&homeserver.url, config);
        service.be_trusted_by(config);
        config.keys.signing_key_file = Some(file);
    })
    .await;
    let elsewhere = json!({"medium": "email", "address": EMAIL, "id_server": service.name});
    let taken_back = node.post(UNBIND, &elsewhere).token(&alice.access_token).send().await;
    assert_eq!(taken_back.ok(), json!({"id_server_unbind_result": "success"}));
    assert_eq!(service.requests(), ["POST /_matrix/identity/v2/3pid/unbind HTTP/1.1"]);
}

#[tokio::test]
async fn a_token_that_is_logged_out_changes_nothing_and_reads_for_30_seconds() {
    let homeserver = TestNode::start().await;
    let node = start_beside(&homeserver.url).await;
    let (alice, bob) = (homeserver.register("alice").await, homeserver.register("bob").await);
    for user in [&alice, &bob] {
        node.get(THREEPIDS).token(&user.access_token).send().await.ok();
        homeserver.post(LOGOUT_ALL, &json!({})).token(&user.access_token).send().await.ok();
    }
    node.get(THREEPIDS).token(&alice.access_token).send().await.ok();
    let delete = node.post(DELETE, &nothing_to_delete()).token(&alice.access_token);
    delete.send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    // Now it is known.
    node.get(THREEPIDS).token(&alice.access_token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");

    node.let_pass(Duration::from_millis(29_999)).await;
    node.get(THREEPIDS).token(&bob.access_token).send().await.ok();
    node.let_pass(Duration::from_millis(1)).await;
    node.get(THREEPIDS).token(&bob.access_token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn what_the_homeserver_has_is_not_there() {
    let homeserver = Homeserver::start().await;
    let node = TestNode::start_with(|config| {
        beside(&homeserver.url, config);
        config.threepids.deprecated_add = DeprecatedAdd::Add;
    })
    .await;
    for route in routes() {
        let version = match route.version {
            Version::V1 => "/client/v1",
            Version::V3 => "/client/v3",
            Version::None => "",
        };
        for prefix in ["/_api", "/_matrix"] {
            let path = format!("{prefix}{version}{}", route.path);
            let answer = node.call(route.method.clone(), &path).token("good").body("{}").send().await;
            match route.modes {
                Modes::NodeOnly => answer.expect_error(404, "M_UNRECOGNIZED"),
                Modes::All => assert_ne!(answer.status, 404, "{path}"),
            }
        }
    }
    node.call(Method::GET, &format!("/_matrix{VERSIONS}")).send().await.expect_error(404, "M_UNRECOGNIZED");
    for path in [MATRIX_CLIENT, SDN_CLIENT] {
        node.call(Method::GET, path).send().await.expect_error(404, "M_UNRECOGNIZED");
    }
    let fallback = node.call(Method::GET, &api("/auth/m.login.dummy/fallback/web?session=x")).send().await;
    assert_eq!(fallback.status, 404, "{fallback:?}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_a_502_and_stops_no_request_for_a_token() {
    let homeserver = Homeserver::start().await;
    let node = TestNode::start_with(|config| {
        beside(&homeserver.url, config);
        config.sidecar.as_mut().expect("a sidecar").timeout = SHORT;
    })
    .await;
    let own_error = json!({"errcode": "M_UNKNOWN", "error": "secret"});
    let replies = [
        Reply::json(500, &own_error),
        Reply::json(403, &own_error),
        Reply::json(200, &json!({"device_id": "PHONE"})),
        Reply::json(200, &json!({"user_id": 7})),
        Reply::Now(200, "<html>".to_owned()),
        Reply::Now(401, "<html>".to_owned()),
        Reply::Now(200, format!(r#"{{"user_id": "{}"}}"#, "x".repeat(70_000))),
        Reply::Redirect(format!("{}/_matrix/client/v3/login", homeserver.url)),
        Reply::Never,
    ];
    for (number, reply) in replies.into_iter().enumerate() {
        let what = format!("{reply:?}");
        homeserver.script(WHOAMI, [reply]);
        for call in [node.get(THREEPIDS), node.post(DELETE, &nothing_to_delete())] {
            let answer = call.token("good").send().await;
            assert_eq!(answer.status, 502, "{what}: {answer:?}");
            let body = answer.json();
            assert_eq!(body["errcode"], "M_UNKNOWN", "{what}");
            assert!(!answer.text.contains("secret"), "{answer:?}");
        }
        let asked = node.ask_email("secret", &format!("{number}@example.org"), 1).token("good").send().await;
        asked.ok();
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_homeserver_that_is_gone_is_a_502() {
    let homeserver = Homeserver::start().await;
    let url = homeserver.url.clone();
    drop(homeserver);
    // It starts all the same: the homeserver may come.
    let node = start_beside(&url).await;
    node.get(THREEPIDS).token("good").send().await.expect_error(502, "M_UNKNOWN");
    let sid = node.validate_email("secret", EMAIL).await;
    node.post(ADD, &add_body(&sid, &alice())).token("good").send().await.expect_error(502, "M_UNKNOWN");
}

#[tokio::test]
async fn only_users_of_the_homeservers_own_name_have_addresses() {
    let homeserver = Homeserver::start().await;
    let node = start_beside(&homeserver.url).await;
    let user = |user_id: &str, is_guest: bool| {
        [Reply::json(200, &json!({"user_id": user_id, "is_guest": is_guest}))]
    };
    for user_id in
        ["@alice:localhost.example.org", "@alice:other", "alice", "@:localhost", "@a\u{7}b:localhost"]
    {
        homeserver.script(WHOAMI, user(user_id, false));
        node.get(THREEPIDS).token("good").send().await.expect_error(403, "M_FORBIDDEN");
    }
    homeserver.script(WHOAMI, user("@123:localhost", true));
    node.get(THREEPIDS).token("good").send().await.expect_error(403, "M_FORBIDDEN");
    // Old accounts may have names that new ones may not, and they are no others' names.
    homeserver.script(WHOAMI, user("@Alice:localhost", false));
    let sid = node.validate_email("secret", EMAIL).await;
    let login = json!({"user_id": "@Alice:localhost", "access_token": "tried"});
    homeserver.script(LOGIN, [Reply::json(200, &login)]);
    node.post(ADD, &add_body(&sid, &alice())).token("good").send().await.ok();
    assert_eq!(homeserver.requests(LOGIN)[0].body["identifier"]["user"], "@Alice:localhost");
    homeserver.script(WHOAMI, user("@alice:localhost", false));
    let other = node.get(THREEPIDS).token("other").send().await.ok();
    assert_eq!(other["threepids"], json!([]));
}

#[tokio::test]
async fn a_soft_logout_is_passed_on() {
    let homeserver = Homeserver::start().await;
    let node = start_beside(&homeserver.url).await;
    let soft = json!({"errcode": "M_UNKNOWN_TOKEN", "error": "expired", "soft_logout": true});
    homeserver.script(WHOAMI, [Reply::json(401, &soft)]);
    let answer = node.get(THREEPIDS).token("old").send().await;
    answer.expect_error(401, "M_UNKNOWN_TOKEN");
    assert_eq!(answer.json()["soft_logout"], true);
}

#[tokio::test]
async fn a_password_is_tried_as_the_caller_on_one_device_that_is_logged_out_at_once() {
    let homeserver = Homeserver::start().await;
    let node = start_beside(&homeserver.url).await;
    let sid = node.validate_email("secret", EMAIL).await;
    let identifiers = [
        json!({"type": "m.id.user", "user": "bob"}),
        json!({"type": "m.id.user", "user": "@alice:other"}),
        json!({"type": "m.id.thirdparty", "medium": "email", "address": EMAIL}),
    ];
    for identifier in identifiers {
        let refused = challenge(&node.post(ADD, &add_body(&sid, &identifier)).token("good").send().await);
        assert_eq!(refused["errcode"], "M_FORBIDDEN", "{identifier}");
    }
    assert!(homeserver.requests(LOGIN).is_empty(), "nobody else's password is tried");

    node.post(ADD, &add_body(&sid, &alice())).token("good").send().await.ok();
    let logins = homeserver.requests(LOGIN);
    assert_eq!(logins.len(), 1);
    assert_eq!(logins[0].body["type"], "m.login.password");
    assert_eq!(logins[0].body["identifier"], json!({"type": "m.id.user", "user": "@alice:localhost"}));
    assert_eq!(logins[0].body["password"], "secret");
    assert_eq!(logins[0].body["device_id"], "COUNTERSIGN");
    assert_eq!(logins[0].token, None);
    let logouts = homeserver.requests(LOGOUT);
    assert_eq!(logouts.iter().map(|request| request.token.as_deref()).collect::<Vec<_>>(), [Some("tried")]);
}

#[tokio::test]
async fn a_login_that_turns_out_to_be_someone_elses_proves_nothing() {
    let homeserver = Homeserver::start().await;
    let node = start_beside(&homeserver.url).await;
    let sid = node.validate_email("secret", EMAIL).await;
    let login = json!({"user_id": "@mallory:localhost", "access_token": "tried"});
    homeserver.script(LOGIN, [Reply::json(200, &login)]);
    let refused = challenge(&node.post(ADD, &add_body(&sid, &alice())).token("good").send().await);
    assert_eq!(refused["errcode"], "M_FORBIDDEN");
    assert_eq!(homeserver.requests(LOGOUT).len(), 1);
}

#[tokio::test]
async fn the_homeservers_limit_is_passed_on() {
    let homeserver = Homeserver::start().await;
    let node = start_beside(&homeserver.url).await;
    let sid = node.validate_email("secret", EMAIL).await;
    let limited = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "slow", "retry_after_ms": 7_000});
    homeserver.script(LOGIN, [Reply::json(429, &limited)]);
    let answer = node.post(ADD, &add_body(&sid, &alice())).token("good").send().await;
    assert_eq!(answer.header("retry-after"), Some("7"));
    answer.expect_error(429, "M_LIMIT_EXCEEDED");
    let odd = [Reply::json(500, &limited), Reply::json(200, &json!({"user_id": "@alice:localhost"}))];
    for reply in odd {
        homeserver.script(LOGIN, [reply]);
        node.post(ADD, &add_body(&sid, &alice())).token("good").send().await.expect_error(502, "M_UNKNOWN");
    }
}

#[tokio::test]
async fn guesses_are_limited_here_before_the_homeserver_is_asked() {
    let homeserver = Homeserver::start().await;
    let node = start_beside(&homeserver.url).await;
    let sid = node.validate_email("secret", EMAIL).await;
    homeserver.script(LOGIN, [Reply::json(403, &json!({"errcode": "M_FORBIDDEN", "error": "wrong"}))]);
    let body = add_body(&sid, &alice());
    for _ in 0..20 {
        let answer = node.post(ADD, &body).token("good").send().await;
        assert_eq!(challenge(&answer)["errcode"], "M_FORBIDDEN");
    }
    node.post(ADD, &body).token("good").send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(homeserver.requests(LOGIN).len(), 20);
}

#[tokio::test]
async fn a_logout_that_fails_is_tried_again() {
    let homeserver = Homeserver::start().await;
    let node = start_beside(&homeserver.url).await;
    let sid = node.validate_email("secret", EMAIL).await;
    let error = Reply::json(500, &json!({"errcode": "M_UNKNOWN", "error": "?"}));
    homeserver.script(LOGOUT, [error, Reply::json(200, &json!({}))]);
    node.post(ADD, &add_body(&sid, &alice())).token("good").send().await.ok();
    homeserver.wait_for(LOGOUT, 2).await;
    for request in homeserver.requests(LOGOUT) {
        assert_eq!(request.token.as_deref(), Some("tried"));
    }
}

#[tokio::test]
async fn an_add_asks_once_and_a_list_not_again() {
    let homeserver = Homeserver::start().await;
    let node = start_beside(&homeserver.url).await;
    let sid = node.validate_email("secret", EMAIL).await;
    node.post(ADD, &add_body(&sid, &alice())).token("good").send().await.ok();
    assert_eq!(homeserver.requests(WHOAMI).len(), 1);
    node.get(THREEPIDS).token("good").send().await.ok();
    assert_eq!(homeserver.requests(WHOAMI).len(), 1);
    node.post(DELETE, &nothing_to_delete()).token("good").send().await.ok();
    assert_eq!(homeserver.requests(WHOAMI).len(), 2);
}

#[tokio::test]
async fn a_homeserver_without_passwords_is_refused_at_the_start() {
    let homeserver = Homeserver::start().await;
    let unrecognized = json!({"errcode": "M_UNRECOGNIZED", "error": "?"});
    let replies = [
        Reply::json(200, &json!({"flows": [{"type": "m.login.sso"}, {"type": "m.login.token"}]})),
        Reply::json(404, &unrecognized),
    ];
    for reply in replies {
        homeserver.script(FLOWS, [reply]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("master.key"), MasterKeys::generate(&SystemRandom).as_bytes())
            .expect("writable");
        let mut config = Config::dev(folder.path(), 0);
        beside(&homeserver.url, &mut config);
        let opened = Node::open(&config, Outside::default(), CancellationToken::new()).await;
        let Err(error) = opened else { panic!("the node opened") };
        let words = error.to_string();
        assert!(words.contains("sidecar.homeserver_url") && words.contains("not supported"), "{words}");
    }
}
