//! The grammar by tables, both dialects, and whatever text may come.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const SIGNATURE: &str =
    "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ";

fn name(text: &str) -> ServerName {
    ServerName::parse(text).unwrap()
}

fn key() -> SigningKey {
    SigningKey::parse_line("ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").unwrap()
}

fn keys() -> PublicKeys {
    PublicKeys::from([(key().id().clone(), key().public_key())])
}

fn example() -> XMatrix {
    XMatrix {
        origin: name("origin.hs.example.com"),
        destination: Some(name("destination.hs.example.com:8448")),
        key: SigningKeyId::parse("ed25519:key1").unwrap(),
        signature: Signature::parse(SIGNATURE).unwrap(),
    }
}

#[test]
fn every_way_to_write_the_header_is_read() {
    let quoted = "origin=\"origin.hs.example.com\",destination=\"destination.hs.example.com:8448\",key=\"ed25519:key1\"";
    let headers = [
        format!("X-Matrix {quoted},sig=\"{SIGNATURE}\""),
        format!("x-mATRIX {quoted},signature=\"{SIGNATURE}\""),
        format!("  X-Matrix \t {quoted} \t,  sig = \"{SIGNATURE}\"  "),
        format!("X-Matrix ,, {quoted},,sig=\"{SIGNATURE}\" , "),
        format!("X-Matrix unknown=1,other=\"\\\"a,b\\\\\",{quoted},sig=\"{SIGNATURE}==\""),
        format!(
            "X-Matrix {},SIG=\"{SIGNATURE}\"",
            quoted.replace('"', "").replace("origin", "Origin").replacen("Origin.", "origin.", 1)
        ),
        format!("X-Matrix {},sig=\"{}\"", quoted.replace("key1", "k\\ey\\1"), SIGNATURE.replace('8', "\\8")),
        format!("X-Matrix sig=\"{SIGNATURE}\",{quoted}"),
    ];
    for header in headers {
        assert_eq!(XMatrix::parse(&header), Ok(example()), "{header}");
    }
}

#[test]
fn a_destination_may_be_missing() {
    let header = format!("X-Matrix origin=a,key=ed25519:1,sig=\"{SIGNATURE}\"");
    assert_eq!(XMatrix::parse(&header).unwrap().destination, None);
}

#[test]
fn what_is_no_header_is_refused() {
    let good = format!("origin=a,destination=b,key=ed25519:1,sig=\"{SIGNATURE}\"");
    assert!(XMatrix::parse(&format!("X-Matrix {good}")).is_ok());
    for bad in [
        String::new(),
        "X-Matrix".to_owned(),
        "X-Matrix ".to_owned(),
        good.clone(),
        format!("Bearer {good}"),
        format!("X-Matrix{good}"),
        format!("X-Matrix {good},origin=a"),
        format!("X-Matrix {good},signature=\"{SIGNATURE}\""),
        format!("X-Matrix {good} x=1"),
        format!("X-Matrix {good},x"),
        format!("X-Matrix {good},=1"),
        format!("X-Matrix {good},x="),
        format!("X-Matrix {good},x=\"1"),
        format!("X-Matrix {good},x=\"1\\"),
        format!("X-Matrix {good},x=\"\u{7}\""),
        format!("X-Matrix {good},ä=1"),
        good.replace("origin=a", "X-Matrix origin=\"a b\""),
        good.replace("origin=a,", "X-Matrix "),
        good.replace("origin=a,destination=b", "X-Matrix origin=a,destination=\"\""),
        good.replace("origin=a,destination=b,key=ed25519:1", "X-Matrix origin=a,key=rsa:1"),
        "X-Matrix origin=a,destination=b,key=ed25519:1,sig=AAAA".to_owned(),
    ] {
        assert_eq!(XMatrix::parse(&bad), Err(InvalidXMatrix), "{bad}");
    }
}

#[test]
fn both_dialects_verify_for_the_server_they_name() {
    let content =
        json!({ "mxid": "@alice:origin", "threepid": { "medium": "email", "address": "a@b.example" } });
    let request =
        RequestToSign { method: "POST", uri: "/_matrix/identity/v2/3pid/unbind", content: Some(&content) };
    let (origin, destination) = (name("origin"), name("id.example.org"));
    let own = [name("example.org"), destination.clone()];
    for field in DestinationField::BOTH {
        let header = XMatrix::sign(&request, &origin, &destination, field, &key()).unwrap();
        assert_eq!(XMatrix::parse(&header.to_header()), Ok(header.clone()));
        assert_eq!(header.verify(&request, &own, &keys()), Ok(()));
        let bare = XMatrix { destination: None, ..header.clone() };
        assert_eq!(bare.verify(&request, &own, &keys()), Ok(()));

        assert_eq!(header.verify(&request, &own[..1], &keys()), Err(VerifyRequestError::Destination));
        let forwarded = XMatrix { destination: Some(own[0].clone()), ..header.clone() };
        assert_eq!(forwarded.verify(&request, &own, &keys()), Err(VerifyRequestError::Wrong));
        let other_origin = XMatrix { origin: name("other"), ..header.clone() };
        assert_eq!(other_origin.verify(&request, &own, &keys()), Err(VerifyRequestError::Wrong));
        assert_eq!(header.verify(&request, &own, &PublicKeys::new()), Err(VerifyRequestError::Key));
        let other_content = json!({ "mxid": "@bob:origin" });
        for other in [
            RequestToSign { method: "GET", ..request },
            RequestToSign { uri: "/_matrix/identity/v2/3pid/unbind?", ..request },
            RequestToSign { content: Some(&other_content), ..request },
            RequestToSign { content: None, ..request },
        ] {
            assert_eq!(header.verify(&other, &own, &keys()), Err(VerifyRequestError::Wrong), "{other:?}");
        }
    }
}

#[test]
fn the_signed_object_is_the_one_that_others_sign() {
    let content = json!({ "b": 1, "a": "é" });
    let request = RequestToSign { method: "PUT", uri: "/x?y=%20", content: Some(&content) };
    let signed = |field| request.signed(&name("o"), &name("d:1"), field).unwrap();
    assert_eq!(
        signed(DestinationField::Destination),
        r#"{"content":{"a":"é","b":1},"destination":"d:1","method":"PUT","origin":"o","uri":"/x?y=%20"}"#
    );
    assert_eq!(
        signed(DestinationField::DestinationIs),
        r#"{"content":{"a":"é","b":1},"destination_is":"d:1","method":"PUT","origin":"o","uri":"/x?y=%20"}"#
    );
    let without_content = RequestToSign { content: None, ..request };
    assert!(
        !without_content
            .signed(&name("o"), &name("d"), DestinationField::Destination)
            .unwrap()
            .contains("content")
    );
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_is_written_back(text in "(?i:x-matrix) (([a-z]{1,4}|origin|key|sig|destination)[ \t]*=[ \t]*([a-z:]{0,3}|\"(\\\\.|[^\"\\\\]){0,4}\")[ ,]{0,2}){0,6}\\PC{0,9}") {
        if let Ok(header) = XMatrix::parse(&text) {
            prop_assert_eq!(XMatrix::parse(&header.to_header()), Ok(header));
        }
    }

    #[test]
    fn no_other_text_panics_either(text in any::<String>()) {
        prop_assert_eq!(XMatrix::parse(&text), Err(InvalidXMatrix));
    }

    #[test]
    fn escapes_do_not_change_a_value(escaped in prop::collection::vec(any::<bool>(), SIGNATURE.len())) {
        let escape = |(c, escaped)| if escaped { format!("\\{c}") } else { String::from(c) };
        let signature: String = SIGNATURE.chars().zip(escaped).map(escape).collect();
        let header = format!("X-Matrix origin=a,key=ed25519:1,sig=\"{signature}\"");
        prop_assert_eq!(XMatrix::parse(&header).unwrap().signature.to_base64(), SIGNATURE);
    }
}
