//! Every way in which a request body can be malformed, and the error that it has.

mod identity;

use countersign_api::{
    BodyError, FromObject, Object,
    client::{
        deactivate::DeactivateRequest,
        login::LoginRequest,
        password::ChangePasswordRequest,
        refresh::RefreshRequest,
        register::{AvailabilityQuery, RegisterQuery, RegisterRequest},
        registration_token::ValidityQuery,
        request_token::{RequestEmailToken, RequestMsisdnToken},
        threepid::{
            AddThreepidDirectlyRequest, AddThreepidRequest, BindThreepidRequest, DeleteThreepidRequest,
        },
    },
    submit_token::SubmitTokenRequest,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn error_of<T: FromObject>(body: &Value) -> Option<BodyError> {
    Object::read::<T>(body.to_string().as_bytes()).err()
}

const fn missing(key: &'static str) -> Option<BodyError> {
    Some(BodyError::Missing { key })
}

const fn invalid(key: &'static str, expected: &'static str) -> Option<BodyError> {
    Some(BodyError::Invalid { key, expected })
}

const fn no_object(key: &'static str) -> Option<BodyError> {
    Some(BodyError::NotAnObject { key: Some(key) })
}

#[test]
fn an_email_token_needs_secret_address_and_attempt() {
    let secret_and_email = json!({"client_secret": "s", "email": "a@b.c"});
    let with = |key: &str, value: Value| {
        let mut body = json!({"client_secret": "s", "email": "a@b.c", "send_attempt": 1});
        body[key] = value;
        body
    };
    let cases = [
        (json!({"email": "a@b.c", "send_attempt": 1}), missing("client_secret")),
        (json!({"client_secret": "s", "send_attempt": 1}), missing("email")),
        (secret_and_email, missing("send_attempt")),
        (with("client_secret", json!(1)), invalid("client_secret", "a string")),
        (with("client_secret", json!(null)), invalid("client_secret", "a string")),
        (with("email", json!(["a@b.c"])), invalid("email", "a string")),
        (with("email", json!("a\0@b.c")), invalid("email", "a string without U+0000")),
        (with("send_attempt", json!("1")), invalid("send_attempt", "an integer")),
        (with("send_attempt", json!(1.0)), invalid("send_attempt", "an integer")),
        (with("send_attempt", json!(true)), invalid("send_attempt", "an integer")),
        (with("send_attempt", json!(1_i64 << 53)), invalid("send_attempt", "an integer")),
        (with("next_link", json!(7)), invalid("next_link", "a string")),
        (with("next_link", json!(null)), None),
        (with("send_attempt", json!(-5)), None),
        (with("id_server", json!({"odd": true})), None),
        (with("id_access_token", json!(7)), None),
        (with("unknown", json!({"odd": true})), None),
    ];
    for (body, expected) in cases {
        assert_eq!(error_of::<RequestEmailToken>(&body), expected, "{body}");
    }
}

#[test]
fn an_msisdn_token_needs_country_and_number() {
    let cases = [
        (json!({"client_secret": "s", "phone_number": "1", "send_attempt": 1}), missing("country")),
        (json!({"client_secret": "s", "country": "GB", "send_attempt": 1}), missing("phone_number")),
        (
            json!({"client_secret": "s", "country": 44, "phone_number": "1", "send_attempt": 1}),
            invalid("country", "a string"),
        ),
        (
            json!({"client_secret": "s", "country": "GB", "phone_number": 1, "send_attempt": 1}),
            invalid("phone_number", "a string"),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(error_of::<RequestMsisdnToken>(&body), expected, "{body}");
    }
}

#[test]
fn a_code_is_a_string() {
    let cases = [
        (json!({"client_secret": "s", "token": "123456"}), missing("sid")),
        (json!({"sid": "1", "token": "123456"}), missing("client_secret")),
        (json!({"sid": "1", "client_secret": "s"}), missing("token")),
        (json!({"sid": "1", "client_secret": "s", "token": 123456}), invalid("token", "a string")),
        (json!({"sid": 1, "client_secret": "s", "token": "123456"}), invalid("sid", "a string")),
    ];
    for (body, expected) in cases {
        assert_eq!(error_of::<SubmitTokenRequest>(&body), expected, "{body}");
    }
}

#[test]
fn a_login_is_judged_by_its_type_first() {
    let with_identifier = |identifier: Value| json!({"type": "m.login.password", "identifier": identifier});
    let cases = [
        (json!({}), missing("type")),
        (json!({"type": "m.login.password"}), None),
        (json!({"type": "org.example.unknown", "password": "p"}), None),
        (json!({"type": 1}), invalid("type", "a string")),
        (json!({"type": "m.login.password", "password": 1}), invalid("password", "a string")),
        (json!({"type": "m.login.password", "refresh_token": "yes"}), invalid("refresh_token", "a boolean")),
        (with_identifier(json!("alice")), no_object("identifier")),
        (with_identifier(json!({})), missing("type")),
        (with_identifier(json!({"type": "m.id.user"})), missing("user")),
        (with_identifier(json!({"type": "m.id.thirdparty", "medium": "email"})), missing("address")),
        (with_identifier(json!({"type": "m.id.thirdparty", "address": "a@b.c"})), missing("medium")),
        (with_identifier(json!({"type": "m.id.phone", "phone": "1"})), missing("country")),
        (with_identifier(json!({"type": "m.id.phone", "country": "GB"})), missing("phone")),
        (with_identifier(json!({"type": "m.id.unknown"})), None),
        (json!({"type": "m.login.password", "medium": "email"}), missing("address")),
        (json!({"type": "m.login.password", "address": "a@b.c"}), missing("medium")),
    ];
    for (body, expected) in cases {
        assert_eq!(error_of::<LoginRequest>(&body), expected, "{body}");
    }
}

#[test]
fn authentication_is_an_object_whose_stage_decides_what_is_read() {
    let cases = [
        (json!({"auth": "m.login.dummy"}), no_object("auth")),
        (json!({"auth": null}), None),
        (json!({"auth": {}}), None),
        (json!({"auth": {"type": 1}}), invalid("type", "a string")),
        (json!({"auth": {"session": 1}}), invalid("session", "a string")),
        (json!({"auth": {"session": "x"}}), None),
        (json!({"auth": {"type": "m.login.dummy", "password": 1}}), None),
        (json!({"auth": {"type": "org.example", "identifier": 1}}), None),
        (json!({"auth": {"type": "m.login.password", "password": 1}}), invalid("password", "a string")),
        (json!({"auth": {"type": "m.login.password", "identifier": 1}}), no_object("identifier")),
        (json!({"auth": {"type": "m.login.email.identity"}}), None),
        (
            json!({"auth": {"type": "m.login.email.identity", "threepid_creds": []}}),
            no_object("threepid_creds"),
        ),
        (
            json!({"auth": {"type": "m.login.msisdn", "threepid_creds": {"sid": "1"}}}),
            missing("client_secret"),
        ),
        (json!({"username": 1}), invalid("username", "a string")),
        (json!({"inhibit_login": 1}), invalid("inhibit_login", "a boolean")),
        (json!({"username": null, "password": null}), None),
    ];
    for (body, expected) in cases {
        assert_eq!(error_of::<RegisterRequest>(&body), expected, "{body}");
    }
}

#[test]
fn adding_needs_a_session_but_not_in_later_rounds() {
    let later: AddThreepidRequest = Object::read(br#"{"auth":{"session":"x"}}"#).unwrap();
    assert_eq!(later.session(), Err(BodyError::Missing { key: "client_secret" }));
    let first: AddThreepidRequest = Object::read(br#"{"client_secret":"s"}"#).unwrap();
    assert_eq!(first.session(), Err(BodyError::Missing { key: "sid" }));
    let whole: AddThreepidRequest = Object::read(br#"{"client_secret":"s","sid":"1"}"#).unwrap();
    assert_eq!(whole.session(), Ok(("1", "s")));
    assert_eq!(error_of::<AddThreepidRequest>(&json!({"sid": 1})), invalid("sid", "a string"));
}

#[test]
fn deleting_needs_medium_and_address() {
    assert_eq!(error_of::<DeleteThreepidRequest>(&json!({"address": "a@b.c"})), missing("medium"));
    assert_eq!(error_of::<DeleteThreepidRequest>(&json!({"medium": "email"})), missing("address"));
    let odd_server = json!({"medium": "email", "address": "a@b.c", "id_server": 1});
    assert_eq!(error_of::<DeleteThreepidRequest>(&odd_server), invalid("id_server", "a string"));
}

#[test]
fn binding_needs_a_session_and_where_it_is() {
    let whole =
        json!({"client_secret": "s", "sid": "1", "id_server": "is.example.com", "id_access_token": "t"});
    assert_eq!(error_of::<BindThreepidRequest>(&whole), None);
    for key in ["client_secret", "sid", "id_server", "id_access_token"] {
        let mut body = whole.clone();
        body[key] = json!(1);
        assert_eq!(error_of::<BindThreepidRequest>(&body), invalid(key, "a string"));
        body.as_object_mut().unwrap().remove(key);
        assert_eq!(error_of::<BindThreepidRequest>(&body), missing(key));
    }
}

#[test]
fn adding_directly_needs_a_whole_session() {
    let cases = [
        (json!({}), missing("three_pid_creds")),
        (json!({"three_pid_creds": "x"}), no_object("three_pid_creds")),
        (json!({"threePidCreds": []}), no_object("threePidCreds")),
        (json!({"three_pid_creds": {"client_secret": "s"}}), missing("sid")),
        (json!({"threePidCreds": {"sid": "1"}}), missing("client_secret")),
        (json!({"three_pid_creds": null, "threePidCreds": {"sid": "1", "client_secret": "s"}}), None),
        (json!({"three_pid_creds": {"sid": "1", "client_secret": "s", "id_server": 7}}), None),
    ];
    for (body, expected) in cases {
        assert_eq!(error_of::<AddThreepidDirectlyRequest>(&body), expected, "{body}");
    }
}

#[test]
fn a_new_password_may_come_in_any_round() {
    let cases = [
        (json!({"auth": {"session": "x"}}), None),
        (json!({"new_password": null, "logout_devices": null}), None),
        (json!({"new_password": 1}), invalid("new_password", "a string")),
        (json!({"new_password": "p", "logout_devices": "yes"}), invalid("logout_devices", "a boolean")),
    ];
    for (body, expected) in cases {
        assert_eq!(error_of::<ChangePasswordRequest>(&body), expected, "{body}");
    }
}

#[test]
fn a_deactivation_and_a_refresh_name_their_keys() {
    assert_eq!(error_of::<DeactivateRequest>(&json!({"auth": 1})), no_object("auth"));
    assert_eq!(error_of::<DeactivateRequest>(&json!({"id_server": 1})), invalid("id_server", "a string"));
    assert_eq!(error_of::<DeactivateRequest>(&json!({"erase": 1})), invalid("erase", "a boolean"));
    assert_eq!(error_of::<RefreshRequest>(&json!({})), missing("refresh_token"));
    assert_eq!(
        error_of::<RefreshRequest>(&json!({"refresh_token": 1})),
        invalid("refresh_token", "a string")
    );
}

#[test]
fn queries_are_read_like_bodies() {
    let pairs = |name: &str, value: &str| Object::from_pairs([(name.to_owned(), value.to_owned())]);
    assert_eq!(AvailabilityQuery::from_object(Object::default()).err(), missing("username"));
    assert_eq!(AvailabilityQuery::from_object(pairs("username", "al")).unwrap().username, "al");
    assert_eq!(ValidityQuery::from_object(Object::default()).err(), missing("token"));
    assert_eq!(ValidityQuery::from_object(pairs("token", "t")).unwrap().token, "t");
    assert_eq!(RegisterQuery::from_object(Object::default()).unwrap().kind, None);
    assert_eq!(RegisterQuery::from_object(pairs("kind", "guest")).unwrap().kind.as_deref(), Some("guest"));
}

#[test]
fn a_body_that_is_no_object_is_told_from_one_that_is_no_json() {
    for body in ["", "{", "{}{}", "\u{feff}{}"] {
        let error = Object::read::<RequestEmailToken>(body.as_bytes()).err();
        assert_eq!(error, Some(BodyError::NotJson), "{body}");
    }
    for body in ["[]", "null", "1", "\"{}\""] {
        let error = Object::read::<RequestEmailToken>(body.as_bytes()).err();
        assert_eq!(error, Some(BodyError::NotAnObject { key: None }), "{body}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let secret = "hunter2";
    let body = json!({
        "type": "m.login.password", "user": secret, "password": secret, "client_secret": secret, "sid": "1",
        "token": secret, "email": secret, "country": secret, "phone_number": secret, "send_attempt": 1,
        "medium": "email", "address": secret, "username": secret, "next_link": secret,
        "auth": {"type": "m.login.password", "session": "x", "user": secret, "password": secret},
        "new_password": secret,
        "three_pid_creds": {"sid": secret, "client_secret": secret},
        "id_server": "is", "id_access_token": secret,
    })
    .to_string();
    fn shown<T: FromObject + std::fmt::Debug>(body: &str) -> String {
        format!("{:?}", Object::read::<T>(body.as_bytes()).unwrap())
    }
    let all = [
        shown::<AddThreepidDirectlyRequest>(&body),
        shown::<ChangePasswordRequest>(&body),
        shown::<DeactivateRequest>(&body),
        shown::<RefreshRequest>(&json!({"refresh_token": secret}).to_string()),
        shown::<ValidityQuery>(&body),
        shown::<RegisterRequest>(&body),
        shown::<RequestEmailToken>(&body),
        shown::<RequestMsisdnToken>(&body),
        shown::<AddThreepidRequest>(&body),
        shown::<BindThreepidRequest>(&body),
        shown::<DeleteThreepidRequest>(&body),
        shown::<SubmitTokenRequest>(&body),
    ];
    for shown in all {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Any JSON, with keys that the parsers look for.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "m.login.password",
            "m.login.msisdn",
            "m.id.phone",
            "m.id.user",
            "x",
            "1",
            "-0",
            "\0"
        ])
        .prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_key(), inner), 0..8)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let keys = [
        "auth",
        "type",
        "session",
        "identifier",
        "password",
        "threepid_creds",
        "token",
        "sid",
        "client_secret",
        "email",
        "country",
        "phone_number",
        "send_attempt",
        "next_link",
        "medium",
        "address",
        "user",
        "phone",
        "number",
        "new_password",
        "logout_devices",
        "refresh_token",
        "three_pid_creds",
        "erase",
        "id_server",
        "id_access_token",
        "access_token",
        "matrix_server_name",
        "expires_in",
        "user_accepts",
        "public_key",
        "algorithm",
        "pepper",
        "addresses",
        "mxid",
        "threepid",
        "room_id",
        "sender",
        "room_name",
        "private_key",
    ];
    prop::sample::select(keys.to_vec()).prop_map(str::to_owned)
}

fn read_everything(bytes: &[u8]) {
    let _ = Object::read::<RequestEmailToken>(bytes);
    let _ = Object::read::<RequestMsisdnToken>(bytes);
    let _ = Object::read::<AddThreepidRequest>(bytes);
    let _ = Object::read::<DeleteThreepidRequest>(bytes);
    let _ = Object::read::<LoginRequest>(bytes);
    let _ = Object::read::<RegisterRequest>(bytes);
    let _ = Object::read::<SubmitTokenRequest>(bytes);
    let _ = Object::read::<AddThreepidDirectlyRequest>(bytes);
    let _ = Object::read::<ChangePasswordRequest>(bytes);
    let _ = Object::read::<DeactivateRequest>(bytes);
    let _ = Object::read::<RefreshRequest>(bytes);
    let _ = Object::read::<BindThreepidRequest>(bytes);
    identity::read_everything(bytes);
}

proptest! {
    #[test]
    fn no_json_makes_a_parser_panic(body in any_json()) {
        read_everything(body.to_string().as_bytes());
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_everything(&bytes);
    }
}
