//! What a person and a machine read.

use countersign_client::{Capabilities, Capability, LoginFlow};
use serde_json::json;

use super::*;

fn lines(answer: &impl Answer) -> String {
    Format::Lines.show(answer).unwrap()
}

fn json(answer: &impl Answer) -> String {
    Format::Json.show(answer).unwrap()
}

fn threepid(medium: &str, address: &str) -> Threepid {
    Threepid { medium: medium.to_owned(), address: address.to_owned(), validated_at: 0, added_at: 1_500 }
}

#[test]
fn a_login_prints_what_the_next_commands_need() {
    let answer = LoginResponse {
        user_id: "@alice:localhost".to_owned(),
        access_token: "secret".to_owned(),
        device_id: "ABC".to_owned(),
        refresh_token: None,
        expires_in_ms: None,
    };
    assert_eq!(lines(&answer), "user_id: @alice:localhost\ndevice_id: ABC\naccess_token: secret");
    assert_eq!(json(&answer), r#"{"user_id":"@alice:localhost","access_token":"secret","device_id":"ABC"}"#);
}

#[test]
fn a_made_up_client_secret_is_printed_with_the_session() {
    let submit_url = Some("http://127.0.0.1:8008/submit".to_owned());
    let answer = RequestTokenResponse { sid: "s".to_owned(), submit_url };
    let mut requested = TokenRequested { answer, client_secret: Some("c".to_owned()) };
    assert_eq!(lines(&requested), "sid: s\nclient_secret: c\nsubmit_url: http://127.0.0.1:8008/submit");
    assert_eq!(
        json(&requested),
        r#"{"sid":"s","submit_url":"http://127.0.0.1:8008/submit","client_secret":"c"}"#
    );
    requested.client_secret = None;
    requested.answer.submit_url = None;
    assert_eq!(lines(&requested), "sid: s");
    assert_eq!(json(&requested), r#"{"sid":"s"}"#);
}

#[test]
fn threepids_are_blocks_with_readable_times() {
    let none = ThreepidsResponse { threepids: Vec::new() };
    assert_eq!(lines(&none), "threepids: none");
    assert_eq!(json(&none), r#"{"threepids":[]}"#);
    let two = ThreepidsResponse {
        threepids: vec![threepid("email", "alice@example.org"), threepid("msisdn", "447700900001")],
    };
    assert_eq!(
        lines(&two),
        "medium: email\naddress: alice@example.org\nvalidated_at: 1970-01-01T00:00:00Z\n\
         added_at: 1970-01-01T00:00:01.5Z\n\
         \n\
         medium: msisdn\naddress: 447700900001\nvalidated_at: 1970-01-01T00:00:00Z\n\
         added_at: 1970-01-01T00:00:01.5Z"
    );
    assert_eq!(time(i64::MAX), i64::MAX.to_string());
}

#[test]
fn versions_and_flows_are_lists() {
    let versions = ["r0.6.1", "v1.19"].map(str::to_owned).to_vec();
    let mut answer = VersionsResponse { versions, ..VersionsResponse::default() };
    assert_eq!(lines(&answer), "versions: r0.6.1, v1.19");
    answer.unstable_features = [("a".to_owned(), true), ("b".to_owned(), false)].into();
    assert_eq!(lines(&answer), "versions: r0.6.1, v1.19\nunstable_features: a");
    let flows = LoginFlowsResponse { flows: vec![LoginFlow { login_type: "m.login.password".to_owned() }] };
    assert_eq!(lines(&flows), "flows: m.login.password");
}

#[test]
fn tokens_are_printed_under_the_keys_of_the_wire() {
    let refreshed = RefreshResponse {
        access_token: "a".to_owned(),
        refresh_token: Some("r".to_owned()),
        expires_in_ms: Some(1),
    };
    assert_eq!(lines(&refreshed), "access_token: a\nrefresh_token: r\nexpires_in_ms: 1");
    let openid = OpenIdTokenResponse {
        access_token: "o".to_owned(),
        token_type: "Bearer".to_owned(),
        matrix_server_name: "localhost".to_owned(),
        expires_in: 3600,
    };
    let expected = "access_token: o\ntoken_type: Bearer\nmatrix_server_name: localhost\nexpires_in: 3600";
    assert_eq!(lines(&openid), expected);
    assert_eq!(lines(&ValidityResponse { valid: false }), "valid: false");
    let ended = DeactivateResponse { id_server_unbind_result: UnbindResult::Success };
    assert_eq!(lines(&ended), "id_server_unbind_result: success");
}

#[test]
fn capabilities_are_on_off_or_as_they_came() {
    assert_eq!(lines(&CapabilitiesResponse::default()), "capabilities: none");
    let extra = json!({"org.example": {"level": 3}});
    let capabilities = Capabilities {
        threepid_changes: Some(Capability { enabled: true }),
        change_password: Some(Capability { enabled: false }),
        extra: extra.as_object().unwrap().clone(),
        ..Capabilities::default()
    };
    let shown = lines(&CapabilitiesResponse { capabilities });
    for line in ["m.3pid_changes: enabled", "m.change_password: disabled", r#"org.example: {"level":3}"#] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in {shown}");
    }
}

#[test]
fn an_empty_answer_still_says_something() {
    assert_eq!(lines(&Done {}), "done");
    assert_eq!(json(&Done {}), "{}");
}

#[test]
fn a_node_cannot_write_to_the_terminal_what_it_wants() {
    let answer = ThreepidsResponse { threepids: vec![threepid("email", "a\u{1b}[2J\nb@example.org\u{9b}")] };
    assert!(lines(&answer).contains("address: a[2Jb@example.org\n"));
}
