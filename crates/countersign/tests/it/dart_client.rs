//! The traps of the Dart client: it counts nothing but 200 as a success, casts every field, and indexes lists unchecked.
//!
//! What it reads is read here in the same way: a field of another type, or a missing one that it casts, is a crash.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::{
    support::{PASSWORD, TestNode},
    wire::{Answer, Call},
};

/// A success as the client reads it: `if (response.statusCode != 200) unexpectedResponse(response, responseBody)`.
#[track_caller]
fn success(answer: &Answer) -> Map<String, Value> {
    assert_eq!(answer.status, 200, "the client throws: {answer:?}");
    object(&answer.json())
}

/// `json as Map<String, Object?>`
#[track_caller]
fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("the cast to a map fails: {value}")).clone()
}

/// `json['key'] as String`
#[track_caller]
fn string(json: &Map<String, Value>, key: &str) -> String {
    json[key].as_str().unwrap_or_else(|| panic!("the cast of {key} to a string fails: {json:?}")).to_owned()
}

/// `json['key'] as int`
#[track_caller]
fn integer(json: &Map<String, Value>, key: &str) -> i64 {
    json[key].as_i64().unwrap_or_else(|| panic!("the cast of {key} to an integer fails: {json:?}"))
}

/// `((v) => v != null ? Uri.parse(v) : null)(json['submit_url'])`
#[track_caller]
fn submit_url(json: &Map<String, Value>) -> Option<url::Url> {
    let url = json.get("submit_url").filter(|url| !url.is_null())?;
    Some(url::Url::parse(url.as_str().expect("a string")).expect("the parser throws"))
}

/// `(json['key'] as List).map((v) => v as String).toList()`
#[track_caller]
fn strings(value: &Value) -> Vec<String> {
    let list = value.as_array().unwrap_or_else(|| panic!("the cast to a list fails: {value}"));
    list.iter().map(|item| item.as_str().expect("the cast to a string fails").to_owned()).collect()
}

/// What the helper for authentication reads of a 401: the session and the stage that comes next.
#[track_caller]
fn next_stage(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 401, "{answer:?}");
    let json = object(&answer.json());
    let session = string(&json, "session");
    let completed = json.get("completed").map(strings).unwrap_or_default();
    let _ = json.get("params").map(object);
    for flow in json["flows"].as_array().expect("a list") {
        let stages = strings(&flow["stages"]);
        let fits = completed.iter().zip(&stages).all(|(done, stage)| done == stage);
        if fits {
            return (session, stages.get(completed.len()).expect("the index is out of range").clone());
        }
    }
    panic!("no flow fits what is completed: {answer:?}");
}

/// What the client makes of an error: `MatrixException` reads these of any status from 400 to 499.
#[track_caller]
fn exception(answer: &Answer) -> (String, String, Option<i64>) {
    assert!((400..500).contains(&answer.status), "{answer:?}");
    let json = object(&answer.json());
    let retry_after = json.get("retry_after_ms").map(|_| integer(&json, "retry_after_ms"));
    (string(&json, "errcode"), string(&json, "error"), retry_after)
}

/// The client's requests: JSON with its content type, the token only where it sends one.
fn post(node: &TestNode, path: &str, body: &Value) -> Call {
    node.call(Method::POST, &format!("/_api/client/v3{path}")).json(body)
}

#[tokio::test]
async fn the_client_accepts_this_node() {
    let node = TestNode::start().await;
    let versions = success(&node.call(Method::GET, "/_api/client/versions").send().await);
    let names = strings(&versions["versions"]);
    assert!(names.iter().any(|name| ["v1.1", "v1.2"].contains(&name.as_str())), "checkNode refuses it");
    for (name, on) in object(&versions["unstable_features"]) {
        assert!(on.is_boolean(), "the cast of {name} to a bool fails");
    }
    let flows = success(&node.call(Method::GET, "/_api/client/v3/login").send().await);
    let types: Vec<_> =
        flows["flows"].as_array().unwrap().iter().map(|flow| string(&object(flow), "type")).collect();
    assert!(types.contains(&"m.login.password".to_owned()), "checkNode refuses it");
}

#[tokio::test]
async fn the_client_walks_from_registration_to_logout() {
    let node = TestNode::start().await;
    let mut body = json!({"username": "alice", "password": PASSWORD, "initial_device_display_name": "Dart"});
    let (session, stage) = next_stage(&post(&node, "/register?kind=user", &body).send().await);
    body["auth"] = json!({"type": stage, "session": session});
    let registered = success(&post(&node, "/register?kind=user", &body).send().await);
    let (user_id, token) = (string(&registered, "user_id"), string(&registered, "access_token"));
    string(&registered, "device_id");
    assert!(!registered.contains_key("well_known"));

    let capabilities =
        success(&node.call(Method::GET, "/_api/client/v3/capabilities").token(&token).send().await);
    for (_, capability) in object(&capabilities["capabilities"]) {
        object(&capability);
    }

    let body = json!({"client_secret": "dart_secret", "email": "Alice@example.org", "send_attempt": 1});
    let requested = success(&post(&node, "/account/3pid/email/requestToken", &body).send().await);
    let sid = string(&requested, "sid");
    let url = submit_url(&requested).expect("the mail has a code");
    let code = node.mailer.wait_for(1).await.swap_remove(0).code.unwrap();
    let body = json!({"sid": sid, "client_secret": "dart_secret", "token": code});
    let submitted = node.call(Method::POST, url.path()).json(&body).send().await;
    assert_eq!(success(&submitted)["success"], json!(true));

    let mut body = json!({"sid": sid, "client_secret": "dart_secret"});
    let add = |body: &Value| post(&node, "/account/3pid/add", body).token(&token);
    let (session, stage) = next_stage(&add(&body).send().await);
    body["auth"] = json!({
        "type": stage,
        "session": session,
        "identifier": {"type": "m.id.user", "user": user_id},
        "password": PASSWORD,
    });
    success(&add(&body).send().await);

    let listed = success(&node.call(Method::GET, "/_api/client/v3/account/3pid").token(&token).send().await);
    for threepid in listed["threepids"].as_array().expect("a list") {
        let threepid = object(threepid);
        assert!(["email", "msisdn"].contains(&string(&threepid, "medium").as_str()));
        string(&threepid, "address");
        integer(&threepid, "added_at");
        integer(&threepid, "validated_at");
    }
    let body = json!({"address": "alice@example.org", "medium": "email"});
    let deleted = success(&post(&node, "/account/3pid/delete", &body).token(&token).send().await);
    let result = string(&deleted, "id_server_unbind_result");
    assert!(["success", "no-support"].contains(&result.as_str()), "the client throws at {result}");

    let who = success(&node.call(Method::GET, "/_api/client/v3/account/whoami").token(&token).send().await);
    assert_eq!(string(&who, "user_id"), user_id);
    assert!(who["is_guest"].is_boolean());
    success(&node.call(Method::POST, "/_api/client/r0/logout").token(&token).send().await);
}

#[tokio::test]
async fn the_client_understands_what_went_wrong() {
    let node = TestNode::start_with(|config| {
        config.limits.requests_per_network_burst = std::num::NonZeroU32::MIN;
    })
    .await;
    let ask = |email: &str| {
        let body = json!({"client_secret": "dart_secret", "email": email, "send_attempt": 1});
        post(&node, "/account/3pid/email/requestToken", &body)
    };
    let (errcode, _, retry_after) = exception(&ask("nonsense").send().await);
    assert_eq!((errcode.as_str(), retry_after), ("M_INVALID_PARAM", None));
    success(&ask("alice@example.org").send().await);
    let (errcode, _, retry_after) = exception(&ask("bob@example.org").send().await);
    assert_eq!((errcode.as_str(), retry_after), ("M_LIMIT_EXCEEDED", Some(120_000)));
    let who = node.call(Method::GET, "/_api/client/v3/account/whoami").token("wrong").send().await;
    assert_eq!(exception(&who).0, "M_UNKNOWN_TOKEN");
    let nowhere =
        node.call(Method::POST, "/_api/client/unstable/did/pre_login1").json(&json!({})).send().await;
    assert_eq!(exception(&nowhere).0, "M_UNRECOGNIZED");
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn the_client_can_try_a_password_again() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let add = |body: &Value| post(&node, "/account/3pid/add", body).token(&alice.access_token);
    let mut body = json!({"sid": "unknown", "client_secret": "dart_secret"});
    let (session, stage) = next_stage(&add(&body).send().await);
    body["auth"] = json!({
        "type": stage,
        "session": session,
        "identifier": {"type": "m.id.user", "user": alice.user_id},
        "password": "wrong",
    });
    let refused = add(&body).send().await;
    // It keeps the first session and sees from `errcode` that the stage failed.
    assert_eq!(next_stage(&refused), (session, stage));
    assert_eq!(exception(&refused).0, "M_FORBIDDEN");
    body["auth"]["password"] = json!(PASSWORD);
    // A proof that fails is an error of the request; a 401 would make it ask for the password for ever.
    let failed = add(&body).send().await;
    assert_eq!((failed.status, exception(&failed).0.as_str()), (400, "M_THREEPID_AUTH_FAILED"));
}

#[tokio::test]
async fn the_client_reads_every_answer_to_a_request_for_a_token() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.validate_msisdn("given", "GB", "07700900001").await;
    node.add(&alice, &sid, "given").send().await.ok();
    // It sends no access token with any of the six.
    for (path, email, number) in [
        ("/register", "free@example.org", "07700900002"),
        ("/account/3pid", "free@example.org", "07700900002"),
        ("/account/password", "alice@example.org", "07700900001"),
    ] {
        let body = json!({"client_secret": "dart_secret", "email": email, "send_attempt": 1});
        let requested = success(&post(&node, &format!("{path}/email/requestToken"), &body).send().await);
        string(&requested, "sid");
        submit_url(&requested);
        let body = json!({
            "client_secret": "dart_secret", "country": "GB", "phone_number": number, "send_attempt": 1,
        });
        let requested = success(&post(&node, &format!("{path}/msisdn/requestToken"), &body).send().await);
        string(&requested, "sid");
        assert!(submit_url(&requested).is_some(), "an SMS has a code");
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn the_client_registers_with_an_address_stage_by_stage() {
    let node = TestNode::start_with(|config| {
        use countersign::config::Stage::{Dummy, EmailIdentity};
        // One flow begins with the other: unless that ends by a stage of its own, the client runs past its end.
        config.registration.flows = vec![vec![EmailIdentity, Dummy], vec![EmailIdentity]];
    })
    .await;
    let mut body = json!({"username": "alice", "password": PASSWORD});
    let (session, stage) = next_stage(&post(&node, "/register?kind=user", &body).send().await);
    assert_eq!(stage, "m.login.email.identity");
    let ask = json!({"client_secret": "dart_secret", "email": "alice@example.org", "send_attempt": 1});
    let requested = success(&post(&node, "/register/email/requestToken", &ask).send().await);
    let sid = string(&requested, "sid");
    let creds = json!({"sid": sid, "client_secret": "dart_secret"});
    body["auth"] = json!({"type": stage, "session": session, "threepid_creds": creds});
    // Not clicked yet: the same stage again, in the same session.
    let waiting = post(&node, "/register?kind=user", &body).send().await;
    assert_eq!(next_stage(&waiting), (session.clone(), stage));
    assert_eq!(exception(&waiting).0, "M_UNAUTHORIZED");
    node.press_newest_link().await;
    let (same, stage) = next_stage(&post(&node, "/register?kind=user", &body).send().await);
    assert_eq!((same, stage.as_str()), (session.clone(), "m.login.dummy"));
    body["auth"] = json!({"type": stage, "session": session});
    let registered = success(&post(&node, "/register?kind=user", &body).send().await);
    assert_eq!(string(&registered, "user_id"), "@alice:localhost");
}

#[tokio::test]
async fn the_client_changes_its_password_and_ends_its_account() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let authed = |path: &str, body: &Value| post(&node, path, body).token(&alice.access_token);
    let password_stage = |stage: &str, session: &str, password: &str| {
        json!({
            "type": stage,
            "session": session,
            "identifier": {"type": "m.id.user", "user": alice.user_id},
            "password": password,
        })
    };
    let mut body = json!({"new_password": "another good password", "logout_devices": true});
    let (session, stage) = next_stage(&authed("/account/password", &body).send().await);
    body["auth"] = password_stage(&stage, &session, PASSWORD);
    success(&authed("/account/password", &body).send().await);

    let mut body = json!({});
    let (session, stage) = next_stage(&authed("/account/deactivate", &body).send().await);
    body["auth"] = password_stage(&stage, &session, "another good password");
    let ended = success(&authed("/account/deactivate", &body).send().await);
    let result = string(&ended, "id_server_unbind_result");
    assert!(["success", "no-support"].contains(&result.as_str()), "the client throws at {result}");
}

#[tokio::test]
async fn the_client_refreshes_and_proves_itself() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let body = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": PASSWORD,
        "refresh_token": true,
    });
    let logged_in = success(&post(&node, "/login", &body).send().await);
    // With `m.homeserver` alone in it, the client throws.
    assert!(!logged_in.contains_key("well_known"));
    integer(&logged_in, "expires_in_ms");
    let body = json!({"refresh_token": string(&logged_in, "refresh_token")});
    let refreshed = success(&post(&node, "/refresh", &body).send().await);
    string(&refreshed, "access_token");
    string(&refreshed, "refresh_token");
    integer(&refreshed, "expires_in_ms");

    let path = format!("/user/{}/openid/request_token", alice.user_id.replace(':', "%3A"));
    let token = success(&post(&node, &path, &json!({})).token(&alice.access_token).send().await);
    for key in ["access_token", "token_type", "matrix_server_name"] {
        string(&token, key);
    }
    integer(&token, "expires_in");
    let path = "/_api/client/v1/register/m.login.registration_token/validity?token=x";
    assert!(success(&node.call(Method::GET, path).send().await)["valid"].is_boolean());
}

#[tokio::test]
async fn the_client_finds_the_node_by_its_name() {
    let node = TestNode::start_with(|config| {
        let url = countersign::config::PublicUrl::parse("https://identity.example.org").unwrap();
        config.well_known.identity_server_url = Some(url);
    })
    .await;
    let document = success(&node.call(Method::GET, "/.well-known/sdn/client").send().await);
    // `DiscoveryInformation.fromJson` casts every value to a map, and needs the node.
    for value in document.values() {
        object(value);
    }
    let url = string(&object(&document["m.node"]), "base_url");
    assert_eq!(url::Url::parse(&url).expect("the parser throws").as_str().trim_end_matches('/'), node.url);
}
