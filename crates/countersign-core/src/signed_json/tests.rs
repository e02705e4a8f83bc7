//! The examples of the specification, and ruma as a second opinion.

use proptest::prelude::*;
use ruma_common::CanonicalJsonValue;
use serde_json::json;

use super::*;
use crate::canonical_json::tests::{any_json, any_object_of};

const SEED: &str = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";

fn key() -> SigningKey {
    SigningKey::parse_line(&format!("ed25519 1 {SEED}")).unwrap()
}

fn domain() -> ServerName {
    ServerName::parse("domain").unwrap()
}

fn keys() -> PublicKeys {
    PublicKeys::from([(key().id().clone(), key().public_key())])
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn signed(value: Value) -> Map<String, Value> {
    let mut object = object(value);
    sign_json(&mut object, &domain(), &key()).unwrap();
    object
}

#[test]
fn examples_of_the_specification_are_signed_as_there() {
    for (value, signature) in [
        (json!({}), "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
        (
            json!({ "one": 1, "two": "Two" }),
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
        ),
    ] {
        let signed = signed(value);
        assert_eq!(signed["signatures"], json!({ "domain": { "ed25519:1": signature } }));
        assert_eq!(verify_json(&signed, &domain(), &keys()), Ok(()));
    }
}

#[test]
fn signatures_of_others_and_unsigned_stay() {
    let others = json!({ "other": { "ed25519:9": "x" }, "domain": { "ed25519:0": "y" } });
    let signed = signed(json!({ "a": 1, "unsigned": { "age": 1.5 }, "signatures": others }));
    assert_eq!(signed["unsigned"], json!({ "age": 1.5 }));
    assert_eq!(signed["signatures"]["other"], others["other"]);
    assert_eq!(signed["signatures"]["domain"]["ed25519:0"], "y");
    assert_eq!(verify_json(&signed, &domain(), &keys()), Ok(()));
}

#[test]
fn what_can_not_be_signed_stays_as_it_was() {
    for (value, error) in [
        (json!({ "a": 1.5 }), SignJsonError::NotCanonical(NotCanonical)),
        (json!({ "signatures": [] }), SignJsonError::Signatures),
        (json!({ "signatures": { "domain": "x" } }), SignJsonError::Signatures),
    ] {
        let mut unsigned = object(value);
        let before = unsigned.clone();
        assert_eq!(sign_json(&mut unsigned, &domain(), &key()), Err(error));
        assert_eq!(unsigned, before);
    }
}

#[test]
fn only_a_right_signature_by_a_known_key_passes() {
    let good = signed(json!({ "a": 1 }));
    let signature = good["signatures"]["domain"]["ed25519:1"].clone();
    for (signatures, outcome) in [
        (json!({ "domain": { "ed25519:1": signature } }), Ok(())),
        (json!({ "domain": { "ed25519:1": signature, "ed25519:2": "?", "rsa:1": "?", "odd": 1 } }), Ok(())),
        (json!({ "domain": { "ed25519:2": signature } }), Err(VerifyJsonError::NotSigned)),
        (json!({ "other": { "ed25519:1": signature } }), Err(VerifyJsonError::NotSigned)),
        (json!({ "domain": {} }), Err(VerifyJsonError::NotSigned)),
        (json!({ "domain": [signature] }), Err(VerifyJsonError::NotSigned)),
        (json!([]), Err(VerifyJsonError::NotSigned)),
        (json!({ "domain": { "ed25519:1": "AAAA" } }), Err(VerifyJsonError::Wrong)),
        (json!({ "domain": { "ed25519:1": 1 } }), Err(VerifyJsonError::Wrong)),
    ] {
        let object = object(json!({ "a": 1, "signatures": signatures }));
        assert_eq!(verify_json(&object, &domain(), &keys()), outcome, "{object:?}");
    }
    assert_eq!(verify_json(&object(json!({ "a": 1 })), &domain(), &keys()), Err(VerifyJsonError::NotSigned));
    for changed in [json!({ "a": 2 }), json!({}), json!({ "a": 1, "b": null }), json!({ "a": 1.5 })] {
        let mut changed = object(changed);
        changed.insert("signatures".to_owned(), good["signatures"].clone());
        assert_eq!(verify_json(&changed, &domain(), &keys()), Err(VerifyJsonError::Wrong), "{changed:?}");
    }
    let mut later = good;
    later.insert("unsigned".to_owned(), json!({ "age_ts": 1 }));
    assert_eq!(verify_json(&later, &domain(), &keys()), Ok(()));
}

/// The key in the form that ruma reads.
fn ruma_key() -> ruma_signatures::Ed25519KeyPair {
    const PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let der = [PKCS8.as_slice(), &*key().expose_seed()].concat();
    ruma_signatures::Ed25519KeyPair::from_der(&der, "1".to_owned()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ruma_signs_the_same(unsigned in any_object_of(any_json())) {
        let mut ours = unsigned.clone();
        let theirs = CanonicalJsonValue::try_from(Value::Object(unsigned));
        match theirs {
            Ok(CanonicalJsonValue::Object(mut theirs)) => {
                sign_json(&mut ours, &domain(), &key()).unwrap();
                ruma_signatures::sign_json("domain", &ruma_key(), &mut theirs).unwrap();
                let ours_signatures = CanonicalJsonValue::try_from(ours["signatures"].clone()).unwrap();
                prop_assert_eq!(&theirs["signatures"], &ours_signatures);
                prop_assert_eq!(verify_json(&ours, &domain(), &keys()), Ok(()));
            }
            // A number that can't be signed may stand in `unsigned`, which ruma does not look away from.
            _ => {
                ours.remove("unsigned");
                let error = sign_json(&mut ours, &domain(), &key());
                prop_assert!(matches!(error, Ok(()) | Err(SignJsonError::NotCanonical(_))));
            }
        }
    }
}
