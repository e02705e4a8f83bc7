//! What homeservers are asked, and what their answers mean.

use std::time::Duration;

use countersign_core::{Clock, PublicKeys, ServerName, SigningKey, SigningKeyId, UserId, sign_json};
use countersign_delivery::{Federation, PeerError, federation::Userinfo};
use serde_json::{Value, json};

use super::world::{Reply, TestServer, UNREACHABLE, World, http, name};

const LOOPBACK: &str = "127.0.0.0/8";

/// A homeserver at an address of its own, by which it is named.
async fn homeserver(
    world: &World,
    reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> (TestServer, ServerName) {
    let server = world.server_with("127.0.0.1", reply).await;
    let name = name(&server.address.to_string());
    (server, name)
}

fn unexpected<T>(status: u16) -> Result<T, PeerError> {
    Err(PeerError::Answer { status })
}

#[tokio::test]
async fn userinfo_says_whose_the_token_is() {
    let world = World::new();
    let federation = world.federation(&[LOOPBACK]);
    let bob = Ok(Userinfo::User(UserId::parse("@Bob:elsewhere.example").unwrap()));
    for (status, body, outcome) in [
        (200, r#"{"sub":"@Bob:elsewhere.example"}"#, bob),
        (401, r#"{"errcode":"M_UNKNOWN_TOKEN","error":"?"}"#, Ok(Userinfo::Nobody)),
        (401, "<html>", unexpected(401)),
        (403, r#"{"errcode":"M_FORBIDDEN"}"#, unexpected(403)),
        (200, r#"{"sub":"bob"}"#, unexpected(200)),
        (200, "{}", unexpected(200)),
        (500, "", unexpected(500)),
    ] {
        let (_server, name) = homeserver(&world, move |_| Reply::Say(http(status, body))).await;
        assert_eq!(federation.openid_userinfo(&name, "token").await, outcome, "{status} {body}");
    }
}

#[tokio::test]
async fn a_token_can_not_change_the_request() {
    let world = World::new();
    let (server, name) = homeserver(&world, |_| Reply::Say(http(500, ""))).await;
    let token = "a b&c=d#e\r\nHost: f/../g?%41ü";
    let _ = world.federation(&[LOOPBACK]).openid_userinfo(&name, token).await;
    assert_eq!(
        server.request_lines(),
        [
            "GET /_matrix/federation/v1/openid/userinfo?access_token=a+b%26c%3Dd%23e%0D%0AHost%3A+f%2F..%2Fg%3F%2541%C3%BC"
        ]
    );
}

#[tokio::test]
async fn onbind_is_put_or_else_posted() {
    let world = World::new();
    let federation = world.federation(&[LOOPBACK]);
    let body = json!({ "medium": "email", "signatures": {} });
    const PUT: &str = "PUT /_matrix/federation/v1/3pid/onbind";
    const POST: &str = "POST /_matrix/federation/v1/3pid/onbind";
    for (put, post, outcome, methods) in [
        (200, 200, Ok(()), &[PUT][..]),
        (404, 200, Ok(()), &[PUT, POST]),
        (405, 200, Ok(()), &[PUT, POST]),
        (404, 404, unexpected(404), &[PUT, POST]),
        (403, 200, unexpected(403), &[PUT]),
        (500, 200, unexpected(500), &[PUT]),
    ] {
        let (server, name) = homeserver(&world, move |request| {
            Reply::Say(http(if request.starts_with("PUT") { put } else { post }, "{}"))
        })
        .await;
        assert_eq!(federation.onbind(&name, &body).await, outcome, "{put} {post}");
        assert_eq!(server.request_lines(), methods);
        assert!(
            server
                .requests()
                .iter()
                .all(|request| request.ends_with(r#"{"medium":"email","signatures":{}}"#))
        );
    }
}

fn key(version: &str) -> SigningKey {
    let seed = [u8::try_from(version.len()).unwrap(); 32];
    SigningKey::from_seed(SigningKeyId::from_version(version).unwrap(), &seed)
}

/// A document of keys, by the first of them.
fn document(name: &ServerName, keys: &[SigningKey], valid_until: i64) -> Value {
    let entries: serde_json::Map<_, _> = keys
        .iter()
        .map(|key| (key.id().to_string(), json!({ "key": key.public_key().to_base64() })))
        .collect();
    let document =
        json!({ "server_name": name.as_str(), "valid_until_ts": valid_until, "verify_keys": entries });
    let mut document = document.as_object().unwrap().clone();
    sign_json(&mut document, name, &keys[0]).unwrap();
    document.into()
}

type MakeDocument = dyn Fn(&ServerName) -> Value + Send + Sync;

/// A homeserver whose keys are what `documents` makes, given its name and how often it was asked before.
async fn key_server(
    world: &World,
    documents: impl Fn(&ServerName, usize) -> Value + Send + Sync + 'static,
) -> (TestServer, ServerName) {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    homeserver(world, move |request| {
        let host = super::world::header(request, "host").unwrap();
        let count = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Reply::Say(http(200, &documents(&name(host), count).to_string()))
    })
    .await
}

async fn ids(federation: &Federation, server: &ServerName, wanted: &str) -> Result<Vec<String>, PeerError> {
    let wanted = SigningKeyId::from_version(wanted).unwrap();
    let keys: PublicKeys = federation.server_keys(server, &wanted).await?;
    Ok(keys.keys().map(ToString::to_string).collect())
}

#[tokio::test]
async fn keys_are_remembered_for_an_hour_or_as_long_as_they_are_good() {
    let hour = Duration::from_hours(1);
    for (valid, remembered) in [(hour * 24, hour), (hour / 4, hour / 4)] {
        let world = World::new();
        let federation = world.federation(&[LOOPBACK]);
        let clock = world.clock.clone();
        let (server, name) = key_server(&world, move |name, _| {
            document(name, &[key("a")], clock.now().after(valid).as_millis())
        })
        .await;
        for (wait, asked) in
            [(Duration::ZERO, 1), (remembered - Duration::from_millis(1), 1), (Duration::from_millis(1), 2)]
        {
            world.clock.advance(wait);
            assert_eq!(ids(&federation, &name, "a").await.unwrap(), ["ed25519:a"]);
            assert_eq!(server.connections(), asked);
        }
        assert!(server.request_lines().iter().all(|line| line == "GET /_matrix/key/v2/server"));
    }
}

#[tokio::test]
async fn a_key_that_is_not_remembered_is_asked_for_but_not_again_and_again() {
    let world = World::new();
    let federation = world.federation(&[LOOPBACK]);
    let (server, name) = key_server(&world, |name, asked| {
        let keys = [key("a"), key("bb")];
        document(name, if asked == 0 { &keys[..1] } else { &keys }, i64::MAX >> 11)
    })
    .await;
    assert_eq!(ids(&federation, &name, "a").await.unwrap(), ["ed25519:a"]);
    assert_eq!(ids(&federation, &name, "bb").await.unwrap(), ["ed25519:a"]);
    assert_eq!(server.connections(), 1);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(ids(&federation, &name, "a").await.unwrap(), ["ed25519:a"]);
    assert_eq!(server.connections(), 1);
    assert_eq!(ids(&federation, &name, "bb").await.unwrap(), ["ed25519:a", "ed25519:bb"]);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn keys_that_a_server_does_not_vouch_for_now_are_none() {
    let world = World::new();
    let federation = world.federation(&[LOOPBACK]);
    let now = world.clock.now().as_millis();
    let changed = |member: &'static str, value: Value| {
        move |name: &ServerName| {
            let mut document = document(name, &[key("a")], now + 1000);
            document[member] = value.clone();
            document
        }
    };
    let documents: [Box<MakeDocument>; 5] = [
        Box::new(move |name| document(name, &[key("a")], now)),
        Box::new(move |_| document(&name("elsewhere.example"), &[key("a")], now + 1000)),
        Box::new(changed("valid_until_ts", json!(now + 2000))),
        Box::new(changed("signatures", json!({}))),
        Box::new(|_| json!([])),
    ];
    for make in documents {
        let (_server, name) = key_server(&world, move |name, _| make(name)).await;
        assert_eq!(ids(&federation, &name, "a").await, unexpected(200));
    }
    let (_server, name) = homeserver(&world, |_| Reply::Stall("")).await;
    let hasty = world.patient_federation(&[LOOPBACK], Duration::from_millis(300));
    assert_eq!(ids(&hasty, &name, "a").await, Err(UNREACHABLE));
}
