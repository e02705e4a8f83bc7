//! What identity services are asked, and what their answers mean.

use countersign_core::{PublicKeys, RequestToSign, SigningKey, SigningKeyId, VerifyRequestError, XMatrix};
use countersign_delivery::{
    Federation, PeerError, Secret,
    federation::{IdServerAnswer, MatrixError, RequestSigner},
};
use serde_json::{Value, json};

use super::world::{Reply, TestServer, UNREACHABLE, World, header, http, id_server, name};

const LOOPBACK: &str = "127.0.0.0/8";
const UNBIND: &str = "/_matrix/identity/v2/3pid/unbind";

async fn id_server_with(world: &World, reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> TestServer {
    let server = world.server_with("id.example.org", reply).await;
    world.dns.host("id.example.org", 443, &[&[server.address]]);
    server
}

async fn bind(federation: &Federation) -> Result<IdServerAnswer, PeerError> {
    let (token, secret) = (Secret::new("token"), Secret::new("secret"));
    federation.bind(&id_server("id.example.org"), &token, "1", &secret, "@alice:example.org").await
}

fn key() -> SigningKey {
    SigningKey::from_seed(SigningKeyId::parse("ed25519:a").unwrap(), &[7; 32])
}

async fn unbind(federation: &Federation) -> Result<IdServerAnswer, PeerError> {
    let (origin, key) = (name("example.org"), key());
    let signer = RequestSigner { origin: &origin, key: &key };
    let id_server = id_server("id.example.org");
    federation.unbind(&id_server, "email", "alice@example.com", "@alice:example.org", signer).await
}

fn refused(status: u16, body: &Value) -> Result<IdServerAnswer, PeerError> {
    Ok(IdServerAnswer::Refused(MatrixError {
        status,
        errcode: body["errcode"].as_str().unwrap().to_owned(),
        error: body["error"].as_str().unwrap_or_default().to_owned(),
        body: body.as_object().unwrap().clone(),
    }))
}

#[tokio::test]
async fn an_answer_is_done_refused_not_supported_or_none() {
    let world = World::new();
    let federation = world.federation(&[LOOPBACK]);
    let terms = json!({ "errcode": "M_TERMS_NOT_SIGNED", "error": "Sign", "more": [1] });
    let bare = json!({ "errcode": "M_UNRECOGNIZED" });
    let done = json!({ "address": "alice@example.com", "signatures": {} });
    let unexpected = |status| Err(PeerError::Answer { status });
    let cases = [
        (200, done.to_string(), Ok(IdServerAnswer::Done(done.as_object().unwrap().clone()))),
        (200, "[]".to_owned(), unexpected(200)),
        (200, "<html>".to_owned(), unexpected(200)),
        (403, terms.to_string(), refused(403, &terms)),
        (404, bare.to_string(), refused(404, &bare)),
        (400, bare.to_string(), refused(400, &bare)),
        (501, bare.to_string(), refused(501, &bare)),
        (500, bare.to_string(), refused(500, &bare)),
        (400, "<html>".to_owned(), Ok(IdServerAnswer::NotSupported)),
        (404, String::new(), Ok(IdServerAnswer::NotSupported)),
        (404, r#"{"error":"M_NOT_FOUND"}"#.to_owned(), Ok(IdServerAnswer::NotSupported)),
        (404, r#"{"errcode":404}"#.to_owned(), Ok(IdServerAnswer::NotSupported)),
        (501, "{}".to_owned(), Ok(IdServerAnswer::NotSupported)),
        (403, "<html>".to_owned(), unexpected(403)),
        (405, "{}".to_owned(), unexpected(405)),
        (500, "{}".to_owned(), unexpected(500)),
        (204, String::new(), unexpected(204)),
        (302, bare.to_string(), unexpected(302)),
    ];
    for (status, body, outcome) in cases {
        let answer = http(status, &body);
        id_server_with(&world, move |_| Reply::Say(answer.clone())).await;
        assert_eq!(bind(&federation).await, outcome, "{status} {body}");
        assert_eq!(unbind(&federation).await, outcome, "{status} {body}");
    }
    world.dns.host("id.example.org", 443, &[&[]]);
    assert_eq!((bind(&federation).await, unbind(&federation).await), (Err(UNREACHABLE), Err(UNREACHABLE)));
}

/// The `destination` of the header, and which dialect it verifies in: tried by a verifier that knows one only.
fn dialect(request: &str) -> &'static str {
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let header = XMatrix::parse(header(request, "authorization").unwrap()).unwrap();
    let keys = PublicKeys::from([(key().id().clone(), key().public_key())]);
    let own = [name("id.example.org")];
    let signed = RequestToSign { method: "POST", uri: UNBIND, content: Some(&body) };
    assert_eq!(header.verify(&signed, &own, &keys), Ok(()));
    let other = RequestToSign { uri: "/", ..signed };
    assert_eq!(header.verify(&other, &own, &keys), Err(VerifyRequestError::Wrong));
    let as_specified = json!({
        "method": "POST", "uri": UNBIND, "origin": "example.org", "destination": "id.example.org", "content": body,
    });
    let text = countersign_core::canonical_json(&as_specified).unwrap();
    if key().public_key().verifies(text.as_bytes(), &header.signature) {
        "destination"
    } else {
        "destination_is"
    }
}

#[tokio::test]
async fn unbind_is_signed_as_sydent_takes_it_and_then_as_specified() {
    let world = World::new();
    let federation = world.federation(&[LOOPBACK]);
    let forbidden = json!({ "errcode": "M_FORBIDDEN", "error": "Invalid homeserver signature" });
    for (accepted, refusal, tried) in [
        ("destination_is", 401, &["destination_is"][..]),
        ("destination", 401, &["destination_is", "destination"]),
        ("destination", 403, &["destination_is", "destination"]),
        ("neither", 403, &["destination_is", "destination"]),
        ("neither", 400, &["destination_is"]),
    ] {
        let said = forbidden.to_string();
        let server = id_server_with(&world, move |request| {
            let is_accepted = dialect(request) == accepted;
            Reply::Say(if is_accepted { http(200, "{}") } else { http(refusal, &said) })
        })
        .await;
        let outcome = unbind(&federation).await;
        match accepted {
            "neither" => assert_eq!(outcome, refused(refusal, &forbidden)),
            _ => assert_eq!(outcome, Ok(IdServerAnswer::Done(serde_json::Map::new()))),
        }
        let requests = server.requests();
        assert_eq!(requests.iter().map(|request| dialect(request)).collect::<Vec<_>>(), tried);
        for request in &requests {
            assert!(
                request.starts_with(&format!("POST {UNBIND} HTTP/1.1\r\nhost: id.example.org\r\n")),
                "{request}"
            );
            let (_, body) = request.split_once("\r\n\r\n").unwrap();
            let threepid = json!({ "address": "alice@example.com", "medium": "email" });
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(body, json!({ "mxid": "@alice:example.org", "threepid": threepid }));
        }
    }
}
