//! Refresh, registration tokens, terms, password, deactivation, OpenID tokens and discovery.

use std::{borrow::Cow, collections::BTreeMap};

use countersign_api::{
    FromObject, Object,
    client::{
        Empty,
        deactivate::{self, DeactivateRequest, DeactivateResponse},
        openid::{self, OpenIdTokenResponse},
        password::{self, ChangePasswordRequest},
        refresh::{self, RefreshRequest, RefreshResponse},
        registration_token::{self, ValidityQuery, ValidityResponse},
        threepid::{AddThreepidDirectlyRequest, UnbindResult},
    },
    federation::openid::{UserinfoQuery, UserinfoResponse},
    uia::{self, FallbackQuery, Policy, PolicyLink, TermsParams, ThreepidCreds, UiaFlow, UiaInfo},
    well_known::{self, BaseUrl, MatrixClient, SdnClient},
};
use ruma_client_api::{
    account::{
        ThirdPartyIdRemovalStatus, change_password, check_registration_token_validity,
        deactivate as ruma_deactivate, register as ruma_register, request_openid_token,
    },
    discovery::discover_homeserver,
    session::refresh_token,
    uiaa::{
        AuthData, AuthType, LoginTermsParams, RegistrationToken, Terms, UiaaResponse, get_uiaa_fallback_page,
    },
};
use ruma_common::{
    OwnedUserId,
    api::{MatrixVersion, OutgoingRequestExt, SupportedVersions, auth_scheme::SendAccessToken},
    authentication::TokenType,
};
use serde_json::json;

use crate::{accepted, answered, assert_written_alike, by_threepid, parsed, sent};

/// Lets ruma write the request again, for a look at its query.
pub(crate) fn query<T: FromObject>(request: &http::Request<Vec<u8>>) -> T {
    let query = request.uri().query().unwrap();
    let pairs = query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    T::from_object(Object::from_pairs(pairs)).unwrap()
}

#[test]
fn a_refresh() {
    let request = sent(refresh_token::v3::Request::new("old".to_owned()), "POST", refresh::REFRESH);
    assert_eq!(parsed::<RefreshRequest>(&request).refresh_token, "old");
    assert_written_alike(&RefreshRequest::new("old"), &request);
    let ours = RefreshResponse {
        access_token: "secret".to_owned(),
        refresh_token: Some("new".to_owned()),
        expires_in_ms: Some(60_000),
    };
    let ruma: refresh_token::v3::Response = accepted(&ours);
    assert_eq!((ruma.access_token.as_str(), ruma.refresh_token.as_deref()), ("secret", Some("new")));
    assert_eq!(ruma.expires_in_ms.map(|duration| duration.as_secs()), Some(60));
    let bare = json!({"access_token": "secret"});
    let ours: RefreshResponse = serde_json::from_value(bare.clone()).unwrap();
    assert_eq!(serde_json::to_value(ours).unwrap(), bare);
}

#[test]
fn the_validity_of_a_registration_token() {
    let versions = SupportedVersions { versions: [MatrixVersion::V1_2].into(), features: Default::default() };
    let request = check_registration_token_validity::v1::Request::new("tok-en".to_owned())
        .try_into_http_request::<Vec<u8>>("https://x", SendAccessToken::None, Cow::Owned(versions))
        .unwrap();
    assert_eq!(request.uri().path(), format!("/_matrix/client/v1{}", registration_token::VALIDITY));
    assert_eq!(query::<ValidityQuery>(&request).token, "tok-en");
    for valid in [true, false] {
        let ruma: check_registration_token_validity::v1::Response = accepted(&ValidityResponse { valid });
        assert_eq!(ruma.valid, valid);
    }
}

#[test]
fn a_new_password_with_each_stage() {
    let first = sent(change_password::v3::Request::new("new".to_owned()), "POST", password::PASSWORD);
    assert_written_alike(&ChangePasswordRequest::new("new"), &first);
    let creds = ThreepidCreds::new("abc123", "mon.sec=ret_1-");
    let session = Some("uia".to_owned());
    let stages = [
        (uia::EMAIL_IDENTITY, uia::AuthData::email_identity(session.clone(), creds.clone())),
        (uia::MSISDN, uia::AuthData::msisdn(session, creds)),
    ];
    for (stage, ours) in stages {
        let mut request = change_password::v3::Request::new("new".to_owned());
        request.logout_devices = false;
        request.auth = Some(by_threepid(stage));
        let full = sent(request, "POST", password::PASSWORD);
        let parsed: ChangePasswordRequest = parsed(&full);
        assert_eq!(parsed.new_password.as_deref(), Some("new"));
        assert_eq!(parsed.logout_devices, Some(false));
        assert_written_alike(&parsed, &full);
        let written = ChangePasswordRequest {
            auth: Some(ours),
            logout_devices: Some(false),
            ..ChangePasswordRequest::new("new")
        };
        assert_written_alike(&written, &full);
    }
    let _: change_password::v3::Response = accepted(&Empty {});
}

#[test]
fn a_registration_token_and_the_terms() {
    let session = Some("uia".to_owned());
    let mut token = RegistrationToken::new("tok-en".to_owned());
    token.session.clone_from(&session);
    let mut terms = Terms::new();
    terms.session.clone_from(&session);
    let stages = [
        (AuthData::RegistrationToken(token), uia::AuthData::registration_token(session.clone(), "tok-en")),
        (AuthData::Terms(terms), uia::AuthData::terms(session)),
    ];
    for (ruma, ours) in stages {
        let mut request = ruma_register::v3::Request::new();
        request.auth = Some(ruma);
        let full = sent(request, "POST", "/register");
        assert_written_alike(&json!({"auth": ours}), &full);
    }
}

#[test]
fn the_policies_to_accept() {
    let link = |name: &str, url: &str| PolicyLink { name: name.to_owned(), url: url.to_owned() };
    let policy = Policy {
        version: "1.0".to_owned(),
        links: BTreeMap::from([
            ("en".to_owned(), link("Privacy policy", "https://example.org/privacy")),
            ("fr".to_owned(), link("Vie privée", "https://example.org/vie-privee")),
        ]),
    };
    let ours = TermsParams { policies: BTreeMap::from([("privacy_policy".to_owned(), policy)]) };
    let mut info = UiaInfo {
        flows: vec![UiaFlow { stages: vec![uia::TERMS.to_owned()] }],
        session: Some("uia".to_owned()),
        ..UiaInfo::default()
    };
    info.params.insert(uia::TERMS.to_owned(), serde_json::to_value(&ours).unwrap());
    let answer = answered::<ruma_register::v3::Response>(401, &info).unwrap_err();
    let UiaaResponse::AuthResponse(ruma) = answer else { panic!("{answer:?}") };
    let ruma: LoginTermsParams = ruma.params(&AuthType::Terms).unwrap().unwrap();
    assert_eq!(ruma.policies["privacy_policy"].version, "1.0");
    let english = &ruma.policies["privacy_policy"].translations["en"];
    assert_eq!(
        (english.name.as_str(), english.url.as_str()),
        ("Privacy policy", "https://example.org/privacy")
    );
    let again: TermsParams = serde_json::from_value(serde_json::to_value(&ours).unwrap()).unwrap();
    assert_eq!(again, ours);
    let odd = json!({"policies": {"p": {"version": "1", "en": {"name": "n", "url": "u"}, "odd": 7}}});
    let read: TermsParams = serde_json::from_value(odd).unwrap();
    assert_eq!(read.policies["p"].links, BTreeMap::from([("en".to_owned(), link("n", "u"))]));
    assert!(serde_json::from_value::<TermsParams>(json!({"policies": {"p": {}}})).is_err());
}

#[test]
fn a_deactivation() {
    let plain = sent(ruma_deactivate::v3::Request::new(), "POST", deactivate::DEACTIVATE);
    assert_written_alike(&DeactivateRequest::default(), &plain);
    let mut request = ruma_deactivate::v3::Request::new();
    request.id_server = Some("is.example.com".to_owned());
    request.erase = true;
    let full = sent(request, "POST", deactivate::DEACTIVATE);
    let ours: DeactivateRequest = parsed(&full);
    assert_eq!((ours.id_server.as_deref(), ours.erase), (Some("is.example.com"), Some(true)));
    assert_written_alike(&ours, &full);
    let results = [
        (UnbindResult::Success, ThirdPartyIdRemovalStatus::Success),
        (UnbindResult::NoSupport, ThirdPartyIdRemovalStatus::NoSupport),
    ];
    for (ours, expected) in results {
        let ours = DeactivateResponse { id_server_unbind_result: ours };
        let ruma: ruma_deactivate::v3::Response = accepted(&ours);
        assert_eq!(ruma.id_server_unbind_result, expected);
    }
}

#[test]
fn an_openid_token() {
    let user = OwnedUserId::try_from("@alice:example.com").unwrap();
    let path = openid::REQUEST_TOKEN.replace("{user_id}", "@alice:example.com");
    sent(request_openid_token::v3::Request::new(user), "POST", &path);
    let ours = OpenIdTokenResponse {
        access_token: "secret".to_owned(),
        token_type: openid::BEARER.to_owned(),
        matrix_server_name: "example.com".to_owned(),
        expires_in: 3600,
    };
    let ruma: request_openid_token::v3::Response = accepted(&ours);
    assert_eq!((ruma.access_token.as_str(), ruma.token_type), ("secret", TokenType::Bearer));
    assert_eq!((ruma.matrix_server_name.as_str(), ruma.expires_in.as_secs()), ("example.com", 3600));
}

#[test]
fn the_fallback_page() {
    let stage = AuthType::from(uia::TERMS);
    let request = get_uiaa_fallback_page::v3::Request::new(stage, "uia".to_owned());
    let request = sent(request, "GET", &uia::FALLBACK.replace("{stage}", uia::TERMS));
    assert_eq!(query::<FallbackQuery>(&request).session.as_deref(), Some("uia"));
}

#[test]
fn where_the_servers_of_a_domain_are() {
    let request = discover_homeserver::Request::new();
    let request = request.try_into_http_request::<Vec<u8>>("https://x", SendAccessToken::None, ()).unwrap();
    assert_eq!(request.uri().path(), well_known::MATRIX_CLIENT);
    let ours = MatrixClient {
        homeserver: BaseUrl::new("https://node.example.com"),
        identity_server: Some(BaseUrl::new("https://id.example.com")),
    };
    let ruma: discover_homeserver::Response = accepted(&ours);
    assert_eq!(ruma.homeserver.base_url, "https://node.example.com");
    assert_eq!(ruma.identity_server.unwrap().base_url, "https://id.example.com");
    let sdn = SdnClient { node: BaseUrl::new("https://node.example.com"), identity_server: None };
    let expected = json!({"m.node": {"base_url": "https://node.example.com"}});
    assert_eq!(serde_json::to_value(&sdn).unwrap(), expected);
    assert_eq!(serde_json::from_value::<SdnClient>(expected).unwrap(), sdn);
}

// ruma-client-api has neither the deprecated way to add a 3PID nor the federation's userinfo.

#[test]
fn adding_a_threepid_directly_by_both_spellings() {
    let creds = json!({"sid": "1", "client_secret": "s", "id_server": "is", "id_access_token": 7});
    for key in ["three_pid_creds", "threePidCreds"] {
        let body = json!({key: creds, "bind": true});
        let ours: AddThreepidDirectlyRequest = Object::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            (ours.three_pid_creds.sid.as_str(), ours.three_pid_creds.client_secret.as_str()),
            ("1", "s")
        );
    }
    let written = serde_json::to_value(AddThreepidDirectlyRequest::new("1", "s")).unwrap();
    assert_eq!(written, json!({"three_pid_creds": {"sid": "1", "client_secret": "s"}}));
}

#[test]
fn whom_an_openid_token_stands_for() {
    let pairs = [("access_token".to_owned(), "secret".to_owned())];
    let asked = UserinfoQuery::from_object(Object::from_pairs(pairs)).unwrap();
    assert_eq!(asked.access_token.as_deref(), Some("secret"));
    let ours = UserinfoResponse { sub: "@alice:example.com".to_owned() };
    assert_eq!(serde_json::to_value(ours).unwrap(), json!({"sub": "@alice:example.com"}));
}
