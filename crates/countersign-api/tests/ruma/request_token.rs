//! The six requestToken: one body for each medium, one answer for all.

use countersign_api::client::request_token::{
    PASSWORD_EMAIL, PASSWORD_MSISDN, REGISTER_EMAIL, REGISTER_MSISDN, RequestEmailToken, RequestMsisdnToken,
    RequestTokenResponse, THREEPID_EMAIL, THREEPID_MSISDN,
};
use ruma_client_api::account::{
    IdentityServerInfo, request_3pid_management_token_via_email as add_email,
    request_3pid_management_token_via_msisdn as add_msisdn,
    request_password_change_token_via_email as password_email,
    request_password_change_token_via_msisdn as password_msisdn,
    request_registration_token_via_email as register_email,
    request_registration_token_via_msisdn as register_msisdn,
};

use crate::{accepted, assert_written_alike, parsed, secret, sent};

const EMAIL: &str = "alice@example.com";

#[test]
#[expect(deprecated, reason = "clients still send the identity server's fields")]
fn an_email_token_request() {
    let mut request = add_email::v3::Request::new(secret(), EMAIL.to_owned(), 2_u8.into());
    let plain = sent(request.clone(), "POST", THREEPID_EMAIL);
    assert_written_alike(&RequestEmailToken::new("mon.sec=ret_1-", EMAIL, 2), &plain);

    request.next_link = Some("https://app.example.com/".to_owned());
    request.identity_server_info = Some(IdentityServerInfo::new("is.example.com".into(), "token".into()));
    let full = sent(request, "POST", THREEPID_EMAIL);
    let ours: RequestEmailToken = parsed(&full);
    assert_eq!(ours.client_secret, "mon.sec=ret_1-");
    assert_eq!(ours.email, EMAIL);
    assert_eq!(ours.send_attempt, 2);
    assert_eq!(ours.next_link.as_deref(), Some("https://app.example.com/"));
    assert_eq!(ours.id_server.as_deref(), Some("is.example.com"));
    assert_eq!(ours.id_access_token.as_deref(), Some("token"));
    assert_written_alike(&ours, &full);
}

#[test]
fn an_msisdn_token_request() {
    let (country, number) = ("GB".to_owned(), "07700900001".to_owned());
    let request = add_msisdn::v3::Request::new(secret(), country, number, 1_u8.into());
    let plain = sent(request, "POST", THREEPID_MSISDN);
    let ours: RequestMsisdnToken = parsed(&plain);
    assert_eq!((ours.country.as_str(), ours.phone_number.as_str()), ("GB", "07700900001"));
    assert_eq!((ours.client_secret.as_str(), ours.send_attempt), ("mon.sec=ret_1-", 1));
    assert_written_alike(&RequestMsisdnToken::new("mon.sec=ret_1-", "GB", "07700900001", 1), &plain);
}

#[test]
fn the_same_bodies_register_and_reset() {
    let email = RequestEmailToken::new("mon.sec=ret_1-", EMAIL, 1);
    let register = register_email::v3::Request::new(secret(), EMAIL.to_owned(), 1_u8.into());
    assert_written_alike(&email, &sent(register, "POST", REGISTER_EMAIL));
    let reset = password_email::v3::Request::new(secret(), EMAIL.to_owned(), 1_u8.into());
    assert_written_alike(&email, &sent(reset, "POST", PASSWORD_EMAIL));

    let msisdn = RequestMsisdnToken::new("mon.sec=ret_1-", "GB", "07700900001", 1);
    let number = || ("GB".to_owned(), "07700900001".to_owned());
    let register = register_msisdn::v3::Request::new(secret(), number().0, number().1, 1_u8.into());
    assert_written_alike(&msisdn, &sent(register, "POST", REGISTER_MSISDN));
    let reset = password_msisdn::v3::Request::new(secret(), number().0, number().1, 1_u8.into());
    assert_written_alike(&msisdn, &sent(reset, "POST", PASSWORD_MSISDN));
}

#[test]
fn a_token_answer() {
    let url = Some("https://n/s".to_owned());
    let with_url = RequestTokenResponse { sid: "abc123".to_owned(), submit_url: url.clone() };
    let without_url = RequestTokenResponse { sid: "abc123".to_owned(), submit_url: None };
    let email: add_email::v3::Response = accepted(&with_url);
    assert_eq!((email.sid.as_str(), email.submit_url), ("abc123", url.clone()));
    let msisdn: add_msisdn::v3::Response = accepted(&without_url);
    assert_eq!((msisdn.sid.as_str(), msisdn.submit_url), ("abc123", None));
    let register: register_email::v3::Response = accepted(&with_url);
    assert_eq!((register.sid.as_str(), register.submit_url), ("abc123", url.clone()));
    let register: register_msisdn::v3::Response = accepted(&with_url);
    assert_eq!((register.sid.as_str(), register.submit_url), ("abc123", url.clone()));
    let reset: password_email::v3::Response = accepted(&with_url);
    assert_eq!((reset.sid.as_str(), reset.submit_url), ("abc123", url.clone()));
    let reset: password_msisdn::v3::Response = accepted(&with_url);
    assert_eq!((reset.sid.as_str(), reset.submit_url), ("abc123", url));
}
