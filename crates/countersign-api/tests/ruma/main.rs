//! A second opinion on every wire type: ruma writes what we read, and reads what we write.

#![expect(clippy::unwrap_used, reason = "outside of test functions too, a test fails by panicking")]

mod accounts;
mod identity;
mod request_token;

use std::{borrow::Cow, fmt::Debug};

use countersign_api::{
    ErrorBody, ErrorCode, FromObject, Object,
    client::{
        Empty,
        account::{self, WhoamiResponse},
        capabilities::{self, CapabilitiesResponse, Capability},
        login::{self, LoginFlow, LoginFlowsResponse, LoginRequest, LoginResponse},
        logout,
        register::{self, AvailabilityResponse, RegisterRequest, RegisterResponse},
        threepid::{
            self, AddThreepidRequest, BindThreepidRequest, DeleteThreepidRequest, DeleteThreepidResponse,
            Threepid, ThreepidsResponse, UnbindResult, UnbindThreepidRequest,
        },
        versions::{self, VersionsResponse},
    },
    uia::{self, UiaFlow, UiaInfo, UserIdentifier},
};
use ruma_client_api::{
    account::{
        IdentityServerInfo, ThirdPartyIdRemovalStatus, add_3pid, bind_3pid, delete_3pid, get_3pids,
        get_username_availability, register as ruma_register, unbind_3pid, whoami,
    },
    discovery::{get_capabilities, get_supported_versions},
    session::{get_login_types, login as ruma_login, logout as ruma_logout, logout_all},
    uiaa::{
        AuthData, Dummy, Password, PhoneNumberUserIdentifier, RegistrationToken, ThirdpartyIdCredentials,
        UiaaResponse, UserIdentifier as RumaIdentifier,
    },
};
use ruma_common::{
    ClientSecret, OwnedClientSecret, OwnedSessionId, SessionId,
    api::{
        IncomingResponse, IncomingResponseExt, MatrixVersion, OutgoingRequest, OutgoingRequestExt,
        SupportedVersions,
        auth_scheme::{AuthScheme, SendAccessToken},
        error::{ErrorKind, FromHttpResponseError},
        path_builder::PathBuilder,
    },
    thirdparty::Medium,
};
use serde::Serialize;
use serde_json::{Value, json};

/// Lets ruma write a request, and checks its method and path.
fn sent<R>(request: R, method: &str, path: &str) -> http::Request<Vec<u8>>
where
    R: OutgoingRequest,
    for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
    for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
{
    let versions = SupportedVersions { versions: [MatrixVersion::V1_3].into(), features: Default::default() };
    let token = SendAccessToken::IfRequired("token");
    let request = request.try_into_http_request("https://x", token, Cow::Owned(versions)).unwrap();
    let expected = format!("/_matrix/client/v3{path}");
    assert_eq!((request.method().as_str(), request.uri().path()), (method, expected.as_str()));
    request
}

/// Reads a request that ruma wrote.
fn parsed<T: FromObject>(request: &http::Request<Vec<u8>>) -> T {
    Object::read(request.body()).unwrap()
}

/// Lets ruma read an answer of ours.
fn answered<R>(status: u16, body: &impl Serialize) -> Result<R, R::EndpointError>
where
    R: IncomingResponse,
{
    let body = serde_json::to_vec(body).unwrap();
    let answer = http::Response::builder().status(status).body(body.as_slice()).unwrap();
    R::try_from_http_response(answer).map_err(|error| match error {
        FromHttpResponseError::Server(error) => error,
        other => panic!("{:?}", other.map(|_| ())),
    })
}

fn accepted<R>(body: &impl Serialize) -> R
where
    R: IncomingResponse,
    R::EndpointError: Debug,
{
    answered(200, body).unwrap()
}

fn secret() -> OwnedClientSecret {
    ClientSecret::parse("mon.sec=ret_1-").unwrap()
}

fn sid() -> OwnedSessionId {
    SessionId::parse("abc123").unwrap()
}

/// What our type writes for the client is what ruma writes, absent fields aside.
fn assert_written_alike(ours: &impl Serialize, ruma: &http::Request<Vec<u8>>) {
    let ruma: Value = serde_json::from_slice(ruma.body()).unwrap();
    assert_eq!(serde_json::to_value(ours).unwrap(), without_nulls(ruma));
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        other => other,
    }
}

#[test]
fn the_list_of_threepids() {
    let request = sent(get_3pids::v3::Request::new(), "GET", threepid::THREEPIDS);
    assert!(request.body().is_empty());
    let ours = ThreepidsResponse {
        threepids: vec![Threepid {
            medium: "msisdn".to_owned(),
            address: "447700900001".to_owned(),
            validated_at: 1_700_000_000_000,
            added_at: 1_700_000_000_001,
        }],
    };
    let ruma: get_3pids::v3::Response = accepted(&ours);
    assert_eq!(ruma.threepids.len(), 1);
    assert_eq!(ruma.threepids[0].medium, Medium::Msisdn);
    assert_eq!(ruma.threepids[0].address, "447700900001");
    assert_eq!(u64::from(ruma.threepids[0].validated_at.get()), 1_700_000_000_000);
    assert_eq!(u64::from(ruma.threepids[0].added_at.get()), 1_700_000_000_001);
    assert_eq!(serde_json::to_value(ThreepidsResponse::default()).unwrap(), json!({"threepids": []}));
}

#[test]
fn adding_a_threepid() {
    let mut request = add_3pid::v3::Request::new(secret(), sid());
    let first = sent(request.clone(), "POST", threepid::ADD);
    assert_written_alike(&AddThreepidRequest::new("abc123", "mon.sec=ret_1-"), &first);
    let identifier = RumaIdentifier::Matrix(matrix("alice".to_owned()));
    let mut password = Password::new(identifier, "hunter2".to_owned());
    password.session = Some("uia".to_owned());
    request.auth = Some(AuthData::Password(password));
    let second = sent(request, "POST", threepid::ADD);
    let ours: AddThreepidRequest = parsed(&second);
    assert_eq!(ours.session(), Ok(("abc123", "mon.sec=ret_1-")));
    let auth = ours.auth.as_ref().unwrap();
    assert_eq!(auth.stage.as_deref(), Some(uia::PASSWORD));
    assert_eq!(auth.session.as_deref(), Some("uia"));
    assert_eq!(auth.identifier, Some(UserIdentifier::user("alice")));
    assert_eq!(auth.password.as_deref(), Some("hunter2"));
    assert_written_alike(&ours, &second);
    let _: add_3pid::v3::Response = accepted(&Empty {});
}

fn matrix(user: String) -> ruma_client_api::uiaa::MatrixUserIdentifier {
    ruma_client_api::uiaa::MatrixUserIdentifier::new(user)
}

#[test]
fn deleting_a_threepid() {
    let mut request = delete_3pid::v3::Request::new(Medium::Email, "alice@example.com".to_owned());
    request.id_server = Some("is.example.com".to_owned());
    let full = sent(request, "POST", threepid::DELETE);
    let ours: DeleteThreepidRequest = parsed(&full);
    assert_eq!((ours.medium.as_str(), ours.address.as_str()), ("email", "alice@example.com"));
    assert_eq!(ours.id_server.as_deref(), Some("is.example.com"));
    assert_written_alike(&ours, &full);
    let results = [
        (UnbindResult::Success, ThirdPartyIdRemovalStatus::Success),
        (UnbindResult::NoSupport, ThirdPartyIdRemovalStatus::NoSupport),
    ];
    for (ours, expected) in results {
        let ruma: delete_3pid::v3::Response =
            accepted(&DeleteThreepidResponse { id_server_unbind_result: ours });
        assert_eq!(ruma.id_server_unbind_result, expected);
    }
}

#[test]
fn binding_a_threepid() {
    let server = IdentityServerInfo::new("is.example.com:8090".to_owned(), "is-token".to_owned());
    let request = sent(bind_3pid::v3::Request::new(secret(), server, sid()), "POST", threepid::BIND);
    let ours: BindThreepidRequest = parsed(&request);
    assert_eq!((ours.sid.as_str(), ours.client_secret.as_str()), ("abc123", "mon.sec=ret_1-"));
    assert_eq!((ours.id_server.as_str(), ours.id_access_token.as_str()), ("is.example.com:8090", "is-token"));
    assert_written_alike(&ours, &request);
    let _: bind_3pid::v3::Response = accepted(&Empty {});
}

#[test]
fn unbinding_a_threepid() {
    let mut request = unbind_3pid::v3::Request::new(Medium::Msisdn, "447700900001".to_owned());
    let plain = sent(request.clone(), "POST", threepid::UNBIND);
    assert_written_alike(&UnbindThreepidRequest::new("msisdn", "447700900001"), &plain);
    request.id_server = Some("is.example.com".to_owned());
    let full = sent(request, "POST", threepid::UNBIND);
    let ours: UnbindThreepidRequest = parsed(&full);
    assert_eq!(ours.id_server.as_deref(), Some("is.example.com"));
    assert_written_alike(&ours, &full);
    let ruma: unbind_3pid::v3::Response =
        accepted(&DeleteThreepidResponse { id_server_unbind_result: UnbindResult::NoSupport });
    assert_eq!(ruma.id_server_unbind_result, ThirdPartyIdRemovalStatus::NoSupport);
}

#[test]
fn the_ways_to_log_in() {
    sent(get_login_types::v3::Request::new(), "GET", login::LOGIN);
    let ours = LoginFlowsResponse { flows: vec![LoginFlow { login_type: uia::PASSWORD.to_owned() }] };
    let ruma: get_login_types::v3::Response = accepted(&ours);
    assert_eq!(ruma.flows.len(), 1);
    assert_eq!(ruma.flows[0].login_type(), "m.login.password");
}

#[test]
fn a_login_with_each_identifier() {
    let phone = PhoneNumberUserIdentifier::new("GB".to_owned(), "07700900001".to_owned());
    let identifiers = [
        (RumaIdentifier::Matrix(matrix("@alice:example.com".to_owned())), user("@alice:example.com")),
        (third_party(Medium::Email, "a@b.c"), our_third_party("email", "a@b.c")),
        (third_party(Medium::Msisdn, "447700900001"), our_third_party("msisdn", "447700900001")),
        (
            RumaIdentifier::PhoneNumber(phone),
            UserIdentifier::Phone { country: "GB".to_owned(), phone: "07700900001".to_owned() },
        ),
    ];
    for (ruma, ours) in identifiers {
        let info = ruma_login::v3::Password::new(ruma, "hunter2".to_owned());
        let mut request = ruma_login::v3::Request::new(ruma_login::v3::LoginInfo::Password(info));
        request.device_id = Some("DEV".into());
        request.initial_device_display_name = Some("Phone".to_owned());
        request.refresh_token = true;
        let full = sent(request, "POST", login::LOGIN);
        let parsed: LoginRequest = parsed(&full);
        assert_eq!(parsed.login_type, uia::PASSWORD);
        assert_eq!(parsed.identifier, Some(ours));
        assert_eq!(parsed.password.as_deref(), Some("hunter2"));
        assert_eq!(parsed.device_id.as_deref(), Some("DEV"));
        assert_eq!(parsed.initial_device_display_name.as_deref(), Some("Phone"));
        assert_eq!(parsed.refresh_token, Some(true));
        assert_written_alike(&parsed, &full);
    }
}

fn user(user: &str) -> UserIdentifier {
    UserIdentifier::user(user)
}

fn third_party(medium: Medium, address: &str) -> RumaIdentifier {
    RumaIdentifier::third_party_id(medium, address.to_owned())
}

fn our_third_party(medium: &str, address: &str) -> UserIdentifier {
    UserIdentifier::ThirdParty { medium: medium.to_owned(), address: address.to_owned() }
}

#[test]
fn a_login_with_legacy_fields_and_variants() {
    let cases = [
        (json!({"type": "t", "user": "alice"}), user("alice")),
        (json!({"type": "t", "medium": "email", "address": "a@b.c"}), our_third_party("email", "a@b.c")),
        (
            json!({"type": "t", "identifier": {"medium": "email", "address": "a@b.c"}}),
            our_third_party("email", "a@b.c"),
        ),
        (
            json!({"type": "t", "identifier": {"type": "m.id.phone", "country": "GB", "number": "07"}}),
            UserIdentifier::Phone { country: "GB".to_owned(), phone: "07".to_owned() },
        ),
        (json!({"type": "t", "user": "bob", "identifier": {"type": "m.id.user", "user": "al"}}), user("al")),
    ];
    for (body, expected) in cases {
        let parsed: LoginRequest = Object::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(parsed.identifier, Some(expected), "{body}");
    }
}

#[test]
fn a_login_answer() {
    let ours = LoginResponse {
        user_id: "@alice:example.com".to_owned(),
        access_token: "secret".to_owned(),
        device_id: "DEV".to_owned(),
        refresh_token: Some("refresh".to_owned()),
        expires_in_ms: Some(60_000),
    };
    let ruma: ruma_login::v3::Response = accepted(&ours);
    assert_eq!(ruma.user_id.as_str(), "@alice:example.com");
    assert_eq!(ruma.access_token, "secret");
    assert_eq!(ruma.device_id.as_str(), "DEV");
    assert_eq!(ruma.refresh_token.as_deref(), Some("refresh"));
    assert_eq!(ruma.expires_in.map(|duration| duration.as_secs()), Some(60));
    assert!(ruma.well_known.is_none());
}

#[test]
fn logging_out() {
    sent(ruma_logout::v3::Request::new(), "POST", logout::LOGOUT);
    sent(logout_all::v3::Request::new(), "POST", logout::LOGOUT_ALL);
    let _: ruma_logout::v3::Response = accepted(&Empty {});
    let _: logout_all::v3::Response = accepted(&Empty {});
}

#[test]
fn who_owns_a_token() {
    sent(whoami::v3::Request::new(), "GET", account::WHOAMI);
    let ours = WhoamiResponse {
        user_id: "@alice:example.com".to_owned(),
        device_id: Some("DEV".to_owned()),
        is_guest: None,
    };
    let ruma: whoami::v3::Response = accepted(&ours);
    assert_eq!(ruma.user_id.as_str(), "@alice:example.com");
    assert_eq!(ruma.device_id.unwrap().as_str(), "DEV");
    assert!(!ruma.is_guest);
}

#[test]
fn a_registration_with_each_stage() {
    let stages = [
        (AuthData::Dummy(Dummy::new()), uia::DUMMY),
        (by_threepid(uia::EMAIL_IDENTITY), uia::EMAIL_IDENTITY),
        (by_threepid(uia::MSISDN), uia::MSISDN),
        (AuthData::RegistrationToken(RegistrationToken::new("token".to_owned())), uia::REGISTRATION_TOKEN),
    ];
    for (auth, stage) in stages {
        let mut request = ruma_register::v3::Request::new();
        request.username = Some("alice".to_owned());
        request.password = Some("hunter2".to_owned());
        request.device_id = Some("DEV".into());
        request.initial_device_display_name = Some("Phone".to_owned());
        request.inhibit_login = true;
        request.refresh_token = true;
        request.auth = Some(auth);
        let full = sent(request, "POST", register::REGISTER);
        let ours: RegisterRequest = parsed(&full);
        assert_eq!(ours.username.as_deref(), Some("alice"));
        assert_eq!(ours.inhibit_login, Some(true));
        let auth = ours.auth.as_ref().unwrap();
        assert_eq!(auth.stage.as_deref(), Some(stage));
        let proven = auth.threepid_creds.as_ref().map(|creds| creds.sid.as_str());
        let is_threepid = stage == uia::EMAIL_IDENTITY || stage == uia::MSISDN;
        assert_eq!(proven, is_threepid.then_some("abc123"));
        assert_written_alike(&ours, &full);
    }
}

fn by_threepid(stage: &str) -> AuthData {
    let creds = ThirdpartyIdCredentials::new(sid(), secret());
    let data = [("threepid_creds".to_owned(), serde_json::to_value(creds).unwrap())];
    AuthData::new(stage, Some("uia".to_owned()), data.into_iter().collect()).unwrap()
}

#[test]
fn a_look_at_an_authentication_session() {
    let mut request = ruma_register::v3::Request::new();
    request.auth = Some(AuthData::fallback_acknowledgement("uia".to_owned()));
    let full = sent(request, "POST", register::REGISTER);
    let ours: RegisterRequest = parsed(&full);
    let auth = ours.auth.as_ref().unwrap();
    assert_eq!((auth.stage.as_deref(), auth.session.as_deref()), (None, Some("uia")));
    assert_written_alike(&ours, &full);
}

#[test]
fn a_registration_answer() {
    let ours = RegisterResponse {
        user_id: "@alice:example.com".to_owned(),
        access_token: Some("secret".to_owned()),
        device_id: Some("DEV".to_owned()),
        refresh_token: None,
        expires_in_ms: None,
    };
    let ruma: ruma_register::v3::Response = accepted(&ours);
    assert_eq!(ruma.user_id.as_str(), "@alice:example.com");
    assert_eq!(ruma.access_token.as_deref(), Some("secret"));
    let inhibited = json!({"user_id": "@alice:example.com"});
    let ours: RegisterResponse = serde_json::from_value(inhibited.clone()).unwrap();
    assert_eq!(serde_json::to_value(ours).unwrap(), inhibited);
}

#[test]
fn asking_for_authentication() {
    let ours = UiaInfo {
        flows: vec![UiaFlow { stages: vec![uia::EMAIL_IDENTITY.to_owned(), uia::DUMMY.to_owned()] }],
        session: Some("uia".to_owned()),
        completed: vec![uia::EMAIL_IDENTITY.to_owned()],
        errcode: Some(ErrorCode::Forbidden),
        error: Some("Wrong password".to_owned()),
        ..UiaInfo::default()
    };
    let answer = answered::<ruma_register::v3::Response>(401, &ours).unwrap_err();
    let UiaaResponse::AuthResponse(ruma) = answer else { panic!("{answer:?}") };
    assert_eq!(ruma.flows[0].stages.len(), 2);
    assert_eq!(ruma.completed[0].as_str(), uia::EMAIL_IDENTITY);
    assert_eq!(ruma.session.as_deref(), Some("uia"));
    assert_eq!(ruma.params.unwrap().get(), "{}");
    let error = ruma.auth_error.unwrap();
    assert!(matches!(error.kind, ErrorKind::Forbidden));
    assert_eq!(error.message, "Wrong password");

    let first = UiaInfo {
        flows: vec![UiaFlow { stages: vec![uia::DUMMY.to_owned()] }],
        session: Some("uia".to_owned()),
        ..UiaInfo::default()
    };
    let expected = json!({"flows": [{"stages": ["m.login.dummy"]}], "params": {}, "session": "uia"});
    assert_eq!(serde_json::to_value(&first).unwrap(), expected);
    assert_eq!(serde_json::from_value::<UiaInfo>(expected).unwrap(), first);
}

#[test]
fn a_free_name() {
    let request = get_username_availability::v3::Request::new("alice".to_owned());
    let request = sent(request, "GET", register::AVAILABLE);
    assert_eq!(request.uri().query(), Some("username=alice"));
    let ruma: get_username_availability::v3::Response = accepted(&AvailabilityResponse { available: true });
    assert!(ruma.available);
}

#[test]
fn the_versions() {
    let request = get_supported_versions::Request::new();
    let request = request.try_into_http_request::<Vec<u8>>("https://x", SendAccessToken::None, ()).unwrap();
    assert_eq!(request.uri().path(), format!("/_matrix{}", versions::VERSIONS));
    let ours = VersionsResponse {
        versions: vec!["r0.6.1".to_owned(), "v1.19".to_owned()],
        unstable_features: [("m.id_access_token".to_owned(), true)].into(),
    };
    let ruma: get_supported_versions::Response = accepted(&ours);
    assert_eq!(ruma.versions, ["r0.6.1", "v1.19"]);
    assert_eq!(ruma.unstable_features.get("m.id_access_token"), Some(&true));
    let bare: VersionsResponse = serde_json::from_value(json!({"versions": []})).unwrap();
    assert_eq!(bare, VersionsResponse::default());
}

#[test]
fn the_capabilities() {
    sent(get_capabilities::v3::Request::new(), "GET", capabilities::CAPABILITIES);
    let off = Some(Capability { enabled: false });
    let mut ours = CapabilitiesResponse::default();
    ours.capabilities.change_password = off;
    ours.capabilities.threepid_changes = off;
    ours.capabilities.set_displayname = off;
    ours.capabilities.set_avatar_url = off;
    ours.capabilities.profile_fields = off;
    ours.capabilities.extra.insert("org.example.x".to_owned(), json!({"enabled": true}));
    let ruma: get_capabilities::v3::Response = accepted(&ours);
    assert!(!ruma.capabilities.change_password.enabled);
    assert!(!ruma.capabilities.thirdparty_id_changes.enabled);
    assert!(!ruma.capabilities.profile_fields.as_ref().unwrap().enabled);
    assert!(ruma.capabilities.get("org.example.x").is_some());
    let text = serde_json::to_string(&ours).unwrap();
    assert_eq!(serde_json::from_str::<CapabilitiesResponse>(&text).unwrap(), ours);
}

#[test]
fn every_error_code() {
    for code in ErrorCode::ALL {
        let ours = ErrorBody::new(code.clone(), "A sentence");
        let error = answered::<get_3pids::v3::Response>(400, &ours).unwrap_err();
        assert_eq!(error.error_kind().unwrap().errcode().as_str(), code.as_str());
    }
}

#[test]
fn the_limit_error_says_how_long_to_wait() {
    let mut ours = ErrorBody::new(ErrorCode::LimitExceeded, "Too many requests");
    ours.retry_after_ms = Some(1500);
    let error = answered::<get_3pids::v3::Response>(429, &ours).unwrap_err();
    assert!(format!("{:?}", error.error_kind()).contains("1.5s"), "{error:?}");
}
