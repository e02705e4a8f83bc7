//! The bodies, forms and queries of the identity service API.

use std::borrow::Cow;

use countersign_api::{
    BodyError, FromObject, Object,
    identity::{
        account::RegisterRequest,
        lookup::LookupRequest,
        pubkey::IsValidQuery,
        sign_ed25519::SignRequest,
        store_invite::StoreInviteRequest,
        terms::AcceptTermsRequest,
        threepid::{BindRequest, UnbindRequest},
        validate_email::RequestEmailValidation,
        validate_msisdn::RequestMsisdnValidation,
        validated_threepid::ValidatedThreepidQuery,
    },
    submit_token::SubmitTokenRequest,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{error_of, invalid, missing, no_object};

pub(crate) fn read_everything(bytes: &[u8]) {
    let _ = Object::read::<RegisterRequest>(bytes);
    assert_eq!(LookupRequest::read(bytes), Object::read(bytes));
    let _ = Object::read::<IsValidQuery>(bytes);
    let _ = Object::read::<SignRequest>(bytes);
    let _ = Object::read::<StoreInviteRequest>(bytes);
    let _ = Object::read::<AcceptTermsRequest>(bytes);
    let _ = Object::read::<BindRequest>(bytes);
    let _ = Object::read::<UnbindRequest>(bytes);
    let _ = Object::read::<RequestEmailValidation>(bytes);
    let _ = Object::read::<RequestMsisdnValidation>(bytes);
    let _ = Object::read::<ValidatedThreepidQuery>(bytes);
}

/// Each of `keys` must be there and be a string.
fn assert_needs_strings<T: FromObject>(whole: &Value, keys: &[&'static str]) {
    assert_eq!(error_of::<T>(whole), None, "{whole}");
    for &key in keys {
        let mut body = whole.clone();
        for (value, expected) in [
            (json!(1), "a string"),
            (json!(null), "a string"),
            (json!(["a"]), "a string"),
            (json!("a\0"), "a string without U+0000"),
        ] {
            body[key] = value;
            assert_eq!(error_of::<T>(&body), invalid(key, expected), "{body}");
        }
        body.as_object_mut().expect("an object").remove(key);
        assert_eq!(error_of::<T>(&body), missing(key), "{body}");
    }
}

/// Each of `keys` may be absent or null, and is a string otherwise.
fn assert_takes_strings<T: FromObject>(whole: &Value, keys: &[&'static str]) {
    for &key in keys {
        let mut body = whole.clone();
        body[key] = json!(null);
        assert_eq!(error_of::<T>(&body), None, "{body}");
        body[key] = json!({});
        assert_eq!(error_of::<T>(&body), invalid(key, "a string"), "{body}");
    }
}

#[test]
fn a_registration_needs_a_token_and_its_server() {
    let whole = json!({
        "access_token": "t", "matrix_server_name": "x", "token_type": "Bearer", "expires_in": 3600,
    });
    assert_needs_strings::<RegisterRequest>(&whole, &["access_token", "matrix_server_name"]);
    let odd = json!({"access_token": "t", "matrix_server_name": "x", "token_type": 7, "expires_in": "soon"});
    let ours: RegisterRequest = Object::read(odd.to_string().as_bytes()).unwrap();
    assert_eq!((ours.token_type, ours.expires_in), (None, None));
}

#[test]
fn tokens_need_secret_address_and_attempt() {
    let whole = json!({"client_secret": "s", "email": "a@b.c", "send_attempt": 1});
    assert_needs_strings::<RequestEmailValidation>(&whole, &["client_secret", "email"]);
    assert_takes_strings::<RequestEmailValidation>(&whole, &["next_link"]);
    assert_counts::<RequestEmailValidation>(whole);

    let whole = json!({"client_secret": "s", "country": "GB", "phone_number": "1", "send_attempt": 1});
    let keys = ["client_secret", "country", "phone_number"];
    assert_needs_strings::<RequestMsisdnValidation>(&whole, &keys);
    assert_takes_strings::<RequestMsisdnValidation>(&whole, &["next_link"]);
    assert_counts::<RequestMsisdnValidation>(whole);
}

/// `send_attempt` is an integer, or the text of one.
fn assert_counts<T: FromObject>(mut body: Value) {
    for good in [json!(-5), json!("1"), json!("-5"), json!("9007199254740991")] {
        body["send_attempt"] = good;
        assert_eq!(error_of::<T>(&body), None, "{body}");
    }
    for bad in [json!("one"), json!(""), json!("1.0"), json!("9007199254740992"), json!(1.0), json!(null)] {
        body["send_attempt"] = bad;
        assert_eq!(error_of::<T>(&body), invalid("send_attempt", "an integer"), "{body}");
    }
    body.as_object_mut().expect("an object").remove("send_attempt");
    assert_eq!(error_of::<T>(&body), missing("send_attempt"));
}

#[test]
fn forms_are_read_like_bodies() {
    let pairs = |pairs: &[(&str, &str)]| {
        Object::from_pairs(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())))
    };
    let form = pairs(&[("client_secret", "s"), ("email", "a@b.c"), ("send_attempt", "2"), ("x", "y")]);
    let ours = RequestEmailValidation::from_object(form).unwrap();
    assert_eq!((ours.email.as_str(), ours.send_attempt, ours.next_link), ("a@b.c", 2, None));
    let form =
        pairs(&[("client_secret", "s"), ("country", "GB"), ("phone_number", "07"), ("send_attempt", "2")]);
    let ours = RequestMsisdnValidation::from_object(form).unwrap();
    assert_eq!((ours.country.as_str(), ours.phone_number.as_str(), ours.send_attempt), ("GB", "07", 2));
    let form = pairs(&[("client_secret", "s"), ("email", "a@b.c"), ("send_attempt", "two")]);
    let error = RequestEmailValidation::from_object(form).err();
    assert_eq!(error, invalid("send_attempt", "an integer"));
    let submission = pairs(&[("sid", "1"), ("client_secret", "s"), ("token", "012345")]);
    assert_eq!(SubmitTokenRequest::from_object(submission).unwrap().token, "012345");

    let query = pairs(&[("sid", "1"), ("client_secret", "s")]);
    assert_eq!(ValidatedThreepidQuery::from_object(query).unwrap().sid, "1");
    let query = pairs(&[("client_secret", "s")]);
    assert_eq!(ValidatedThreepidQuery::from_object(query).err(), missing("sid"));
    let query = pairs(&[("sid", "1")]);
    assert_eq!(ValidatedThreepidQuery::from_object(query).err(), missing("client_secret"));
    assert_eq!(IsValidQuery::from_object(Object::default()).err(), missing("public_key"));
}

#[test]
fn lists_hold_strings_alone() {
    let lookup = |addresses: Value| json!({"algorithm": "sha256", "pepper": "p", "addresses": addresses});
    assert_needs_strings::<LookupRequest>(&lookup(json!([])), &["algorithm", "pepper"]);
    let cases = [
        (json!([]), None),
        (json!(["a", "a", ""]), None),
        (json!("a"), invalid("addresses", "a list of strings")),
        (json!({"0": "a"}), invalid("addresses", "a list of strings")),
        (json!(null), invalid("addresses", "a list of strings")),
        (json!(["a", 1]), invalid("addresses", "a string")),
        (json!([null]), invalid("addresses", "a string")),
        (json!([["a"]]), invalid("addresses", "a string")),
    ];
    for (addresses, expected) in cases {
        assert_eq!(error_of::<LookupRequest>(&lookup(addresses.clone())), expected, "{addresses}");
    }
    let nothing = json!({"algorithm": "sha256", "pepper": "p"});
    assert_eq!(error_of::<LookupRequest>(&nothing), missing("addresses"));

    assert_eq!(error_of::<AcceptTermsRequest>(&json!({})), missing("user_accepts"));
    let one = json!({"user_accepts": "https://x"});
    assert_eq!(error_of::<AcceptTermsRequest>(&one), invalid("user_accepts", "a list of strings"));
    assert_eq!(error_of::<AcceptTermsRequest>(&json!({"user_accepts": []})), None);
}

#[test]
fn binding_and_unbinding_name_the_user() {
    let whole = json!({"sid": "1", "client_secret": "s", "mxid": "@a:x"});
    assert_needs_strings::<BindRequest>(&whole, &["sid", "client_secret", "mxid"]);
    let whole = json!({"mxid": "@a:x", "threepid": {"medium": "email", "address": "a@b.c"}});
    assert_needs_strings::<UnbindRequest>(&whole, &["mxid"]);
    assert_takes_strings::<UnbindRequest>(&whole, &["sid", "client_secret"]);
    let with = |threepid: Value| json!({"mxid": "@a:x", "threepid": threepid});
    let cases = [
        (json!("a@b.c"), no_object("threepid")),
        (json!(null), no_object("threepid")),
        (json!([]), no_object("threepid")),
        (json!({"medium": "email"}), missing("address")),
        (json!({"address": "a@b.c"}), missing("medium")),
        (json!({"medium": 1, "address": "a@b.c"}), invalid("medium", "a string")),
    ];
    for (threepid, expected) in cases {
        assert_eq!(error_of::<UnbindRequest>(&with(threepid.clone())), expected, "{threepid}");
    }
    assert_eq!(error_of::<UnbindRequest>(&json!({"mxid": "@a:x"})), missing("threepid"));
}

#[test]
fn invitations_may_say_more_than_is_read() {
    let whole = json!({
        "medium": "email", "address": "a@b.c", "room_id": "!r:x", "sender": "@a:x",
        "org.example.odd": {"any": ["thing"]}, "room_encryption": 7,
    });
    assert_needs_strings::<StoreInviteRequest>(&whole, &["medium", "address", "room_id", "sender"]);
    let optional = [
        "room_alias",
        "room_avatar_url",
        "room_join_rules",
        "room_name",
        "room_type",
        "sender_display_name",
        "sender_avatar_url",
    ];
    assert_takes_strings::<StoreInviteRequest>(&whole, &optional);
    let whole = json!({"mxid": "@a:x", "token": "t", "private_key": "k"});
    assert_needs_strings::<SignRequest>(&whole, &["mxid", "token", "private_key"]);
}

#[test]
fn debug_shows_no_secret() {
    let secret = "hunter2";
    let body = json!({
        "access_token": secret, "matrix_server_name": "x", "client_secret": secret, "email": secret,
        "country": secret, "phone_number": secret, "send_attempt": "1", "sid": secret, "mxid": "@a:x",
        "threepid": {"medium": "email", "address": secret}, "medium": "email", "address": secret,
        "room_id": "!r:x", "sender": "@a:x", "room_name": secret, "token": secret, "private_key": secret,
        "algorithm": "none", "pepper": "p", "addresses": [secret],
    })
    .to_string();
    fn shown<T: FromObject + std::fmt::Debug>(body: &str) -> String {
        format!("{:?}", Object::read::<T>(body.as_bytes()).unwrap())
    }
    let threepid = Object::read::<UnbindRequest>(body.as_bytes()).unwrap().threepid;
    let all = [
        shown::<RegisterRequest>(&body),
        shown::<RequestEmailValidation>(&body),
        shown::<RequestMsisdnValidation>(&body),
        shown::<ValidatedThreepidQuery>(&body),
        shown::<BindRequest>(&body),
        shown::<UnbindRequest>(&body),
        format!("{threepid:?}"),
        shown::<StoreInviteRequest>(&body),
        shown::<SignRequest>(&body),
        shown::<LookupRequest>(&body),
    ];
    for shown in all {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// The quick way to read a lookup must not differ from the thorough one.
#[test]
fn a_lookup_is_read_alike_in_both_ways() {
    let bodies = [
        r#"{"algorithm":"sha256","pepper":"p","addresses":["a","b"]}"#,
        r#" { "addresses" : [ ] , "other" : {"a":[1e9,null]} , "pepper" : "" , "algorithm" : "" } "#,
        r#"{"algorithm":"\u0073ha256","pepper":"\ud83d\ude00","addresses":["\"","\\\/"]}"#,
        r#"{"algorithm":"a","algorithm":"b","pepper":"p","addresses":["a"],"addresses":["b"]}"#,
        r#"{"algorithm":"a","algorithm":1,"pepper":"p","addresses":["a"]}"#,
        r#"{"algorithm":"a","pepper":"p","addresses":["a\u0000"]}"#,
        r#"{"algorithm":"a\u0000","pepper":"p","addresses":[]}"#,
        r#"{"algorithm":"a","pepper":"\u0000","addresses":[]}"#,
        r#"{"algorithm":"a","pepper":"p","addresses":["\ud83d"]}"#,
        r#"{"algorithm":"a","pepper":null,"addresses":["a"]}"#,
        r#"{"algorithm":"a","pepper":"p","addresses":["a",null]}"#,
        r#"{"algorithm":"a","pepper":"p","addresses":["a"],"other":1e999}"#,
        r#"["sha256","p",["a"]]"#,
        r#"{"algorithm":"a","pepper":"p","addresses":["a"]}x"#,
        r#"{"algorithm":"a","pepper":"p","addresses":["a"]"#,
        "null",
        "",
    ];
    for body in bodies {
        assert_eq!(LookupRequest::read(body.as_bytes()), Object::read(body.as_bytes()), "{body}");
    }
    let bytes = b"{\"algorithm\":\"\xff\",\"pepper\":\"p\",\"addresses\":[]}";
    assert_eq!(LookupRequest::read(bytes), Err(BodyError::NotJson));
    let LookupRequest { algorithm, pepper, addresses } = LookupRequest::read(bodies[0].as_bytes()).unwrap();
    let mut texts = addresses.into_iter().chain([algorithm, pepper]);
    assert!(texts.all(|text| matches!(text, Cow::Borrowed(_))), "text is copied");
    let read = LookupRequest::read(bodies[2].as_bytes()).unwrap();
    assert_eq!((&*read.algorithm, &*read.pepper), ("sha256", "😀"));
    assert_eq!(read.addresses, ["\"", "\\/"]);
}

#[test]
fn a_damaged_lookup_is_read_alike_in_both_ways() {
    let whole = br#"{"algorithm":"sha256","pepper":"p","addresses":["a\u0041","b"]}"#;
    for index in 0..whole.len() {
        for byte in br#""\{}[],:0un "# {
            let mut body = whole.to_vec();
            body[index] = *byte;
            assert_eq!(LookupRequest::read(&body), Object::read(&body), "{}", body.escape_ascii());
        }
    }
}

proptest! {
    #[test]
    fn integer_text_means_what_the_integer_does(integer: i64) {
        let read = |value: Value| {
            let body = json!({"n": value}).to_string();
            Object::parse(body.as_bytes()).unwrap().required_integer_or_text("n")
        };
        prop_assert_eq!(read(integer.to_string().into()), read(integer.into()));
    }

    #[test]
    fn only_canonical_integer_text_is_an_integer(text in "[-+ 0-9.e]{0,20}") {
        let pairs = [("n".to_owned(), text.clone())];
        match Object::from_pairs(pairs).required_integer_or_text("n") {
            Ok(integer) => prop_assert_eq!(integer.to_string(), text),
            Err(error) => prop_assert_eq!(error, BodyError::Invalid { key: "n", expected: "an integer" }),
        }
    }
}
