//! The identity service API, endpoint by endpoint.

use std::{borrow::Cow, time::Duration};

use countersign_api::{
    ErrorBody, ErrorCode,
    client::{Empty, openid::OpenIdTokenResponse},
    identity::{
        RequestValidationResponse,
        account::{self, AccountResponse, RegisterRequest, RegisterResponse},
        lookup::{self, HashDetailsResponse, LookupRequest, LookupResponse},
        pubkey::{self, IsValidQuery, IsValidResponse, PubkeyResponse},
        sign_ed25519::{self, SignRequest, SignResponse},
        store_invite::{self, InvitePublicKey, StoreInviteRequest, StoreInviteResponse},
        terms::{self, AcceptTermsRequest, TermsResponse},
        threepid::{self, BindRequest, BindResponse, UnbindRequest},
        validate_email::{self, RequestEmailValidation},
        validate_msisdn::{self, RequestMsisdnValidation},
        validated_threepid::{self, ValidatedThreepidQuery, ValidatedThreepidResponse},
        versions::{self, VersionsResponse},
    },
    signatures::Signatures,
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
    uia::{Policy, PolicyLink},
};
use ruma_common::{
    ClientSecret, OwnedClientSecret, OwnedUserId,
    api::{
        MatrixVersion, OutgoingRequest, OutgoingRequestExt, SupportedVersions,
        auth_scheme::{AuthScheme, SendAccessToken},
        path_builder::PathBuilder,
    },
    authentication::TokenType,
    serde::Base64,
    third_party_invite::IdentityServerBase64PublicKey,
    thirdparty::Medium,
};
use ruma_identity_service_api::{
    association::{
        bind_3pid, check_3pid_validity,
        email::{
            create_email_validation_session, validate_email as submit_email, validate_email_by_end_user,
        },
        msisdn::{
            create_msisdn_validation_session, validate_msisdn as submit_msisdn,
            validate_msisdn_by_phone_number,
        },
        unbind_3pid,
    },
    authentication::{get_account_information, logout, register},
    discovery::{get_server_status, get_supported_versions},
    invitation::{sign_invitation_ed25519, store_invitation},
    keys::{check_public_key_validity, get_public_key, validate_ephemeral_key},
    lookup::{IdentifierHashingAlgorithm, get_hash_parameters, lookup_3pid},
    tos::{accept_terms_of_service, get_terms_of_service},
};
use serde_json::{Value, json};

use crate::{accepted, accounts::query, answered, assert_written_alike, parsed, sid};

const ALICE: &str = "@alice:example.com";
const EMAIL: &str = "alice@example.com";

/// Lets ruma write a request that carries an access token, and checks its method and path.
fn sent<R>(request: R, method: &str, path: &str) -> http::Request<Vec<u8>>
where
    R: OutgoingRequest,
    for<'a> R::Authentication: AuthScheme<Input<'a> = &'a str>,
    for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
{
    let request = request.try_into_http_request("https://x", "token", supported()).unwrap();
    assert_eq!(request.headers()["authorization"], "Bearer token");
    at(request, method, path)
}

/// The same for a request that carries none.
fn sent_openly<R>(request: R, method: &str, path: &str) -> http::Request<Vec<u8>>
where
    R: OutgoingRequest,
    for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
    for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
{
    let token = SendAccessToken::IfRequired("token");
    let request = request.try_into_http_request("https://x", token, supported()).unwrap();
    assert!(!request.headers().contains_key("authorization"));
    at(request, method, path)
}

fn supported() -> Cow<'static, SupportedVersions> {
    Cow::Owned(SupportedVersions { versions: [MatrixVersion::V1_3].into(), features: Default::default() })
}

fn at(request: http::Request<Vec<u8>>, method: &str, path: &str) -> http::Request<Vec<u8>> {
    let expected = format!("/_matrix{path}");
    assert_eq!((request.method().as_str(), request.uri().path()), (method, expected.as_str()));
    request
}

/// A secret that needs no escapes in a query.
fn secret() -> OwnedClientSecret {
    ClientSecret::parse("mon.secret_1-").unwrap()
}

fn alice() -> OwnedUserId {
    ALICE.try_into().unwrap()
}

fn signatures() -> Signatures {
    [("is.example.com".to_owned(), [("ed25519:0".to_owned(), "c2ln".to_owned())].into())].into()
}

#[test]
fn whether_there_is_a_service_and_what_it_speaks() {
    sent_openly(get_server_status::v2::Request::new(), "GET", versions::STATUS);
    let _: get_server_status::v2::Response = accepted(&Empty {});
    let request = get_supported_versions::Request::new();
    let request = request.try_into_http_request::<Vec<u8>>("https://x", SendAccessToken::None, ()).unwrap();
    at(request, "GET", versions::VERSIONS);
    let ours = VersionsResponse { versions: vec!["r0.3.0".to_owned(), "v1.19".to_owned()] };
    let ruma: get_supported_versions::Response = accepted(&ours);
    assert_eq!(ruma.versions, ["r0.3.0", "v1.19"]);
}

#[test]
fn an_access_token_for_an_openid_token() {
    let lifetime = Duration::from_secs(3600);
    let server = "example.com".try_into().unwrap();
    let request = register::v2::Request::new("openid".to_owned(), TokenType::Bearer, server, lifetime);
    let request = sent_openly(request, "POST", account::REGISTER);
    let ours: RegisterRequest = parsed(&request);
    assert_eq!((ours.access_token.as_str(), ours.matrix_server_name.as_str()), ("openid", "example.com"));
    assert_written_alike(&ours, &request);
    let token = OpenIdTokenResponse {
        access_token: "openid".to_owned(),
        token_type: "Bearer".to_owned(),
        matrix_server_name: "example.com".to_owned(),
        expires_in: 3600,
    };
    assert_written_alike(&RegisterRequest::from(token), &request);
    let ruma: register::v2::Response = accepted(&RegisterResponse { token: "secret".to_owned() });
    assert_eq!(ruma.token, "secret");
    // Sydent says it twice.
    let ours: RegisterResponse =
        serde_json::from_value(json!({"token": "secret", "access_token": "secret"})).unwrap();
    assert_eq!(ours.token, "secret");
}

#[test]
fn whose_an_access_token_is_and_its_end() {
    sent(get_account_information::v2::Request::new(), "GET", account::ACCOUNT);
    let ruma: get_account_information::v2::Response =
        accepted(&AccountResponse { user_id: ALICE.to_owned() });
    assert_eq!(ruma.user_id, ALICE);
    sent(logout::v2::Request::new(), "POST", account::LOGOUT);
    let _: logout::v2::Response = accepted(&Empty {});
}

#[test]
fn the_policies_and_their_acceptance() {
    sent_openly(get_terms_of_service::v2::Request::new(), "GET", terms::TERMS);
    let link = PolicyLink { name: "Terms".to_owned(), url: "https://x/terms-1-en".to_owned() };
    let policy = Policy { version: "1".to_owned(), links: [("en".to_owned(), link)].into() };
    let ours = TermsResponse { policies: [("terms".to_owned(), policy)].into() };
    let ruma: get_terms_of_service::v2::Response = accepted(&ours);
    assert_eq!(ruma.policies["terms"].version, "1");
    assert_eq!(ruma.policies["terms"].localized["en"].url, "https://x/terms-1-en");
    assert_eq!(serde_json::to_value(TermsResponse::default()).unwrap(), json!({"policies": {}}));

    let accepts = vec!["https://x/terms-1-en".to_owned()];
    let request = accept_terms_of_service::v2::Request::new(accepts.clone());
    let request = sent(request, "POST", terms::TERMS);
    assert_eq!(parsed::<AcceptTermsRequest>(&request), AcceptTermsRequest { user_accepts: accepts });
    assert_written_alike(&parsed::<AcceptTermsRequest>(&request), &request);
    let _: accept_terms_of_service::v2::Response = accepted(&Empty {});
}

#[test]
fn keys() {
    let request = get_public_key::v2::Request::new("ed25519:0".try_into().unwrap());
    let request = sent_openly(request, "GET", &pubkey::PUBKEY.replace("{key_id}", "ed25519:0"));
    assert!(request.body().is_empty());
    let ruma: get_public_key::v2::Response = accepted(&PubkeyResponse { public_key: "a2V5".to_owned() });
    assert_eq!(ruma.public_key, "a2V5");

    let key = IdentityServerBase64PublicKey("a2V5".to_owned());
    let request = check_public_key_validity::v2::Request::new(key.clone());
    let request = sent_openly(request, "GET", pubkey::IS_VALID);
    assert_eq!(query::<IsValidQuery>(&request).public_key, "a2V5");
    let request = validate_ephemeral_key::v2::Request::new(key);
    let request = sent_openly(request, "GET", pubkey::EPHEMERAL_IS_VALID);
    assert_eq!(query::<IsValidQuery>(&request).public_key, "a2V5");
    for valid in [true, false] {
        let ruma: check_public_key_validity::v2::Response = accepted(&IsValidResponse { valid });
        assert_eq!(ruma.valid, valid);
        let ruma: validate_ephemeral_key::v2::Response = accepted(&IsValidResponse { valid });
        assert_eq!(ruma.valid, valid);
    }
}

#[test]
fn a_lookup() {
    sent(get_hash_parameters::v2::Request::new(), "GET", lookup::HASH_DETAILS);
    let algorithms = vec![lookup::SHA256.to_owned(), lookup::NONE.to_owned()];
    let ours = HashDetailsResponse { lookup_pepper: "matrixrocks".to_owned(), algorithms };
    let ruma: get_hash_parameters::v2::Response = accepted(&ours);
    assert_eq!(ruma.lookup_pepper, "matrixrocks");
    assert_eq!(ruma.algorithms, [IdentifierHashingAlgorithm::Sha256, IdentifierHashingAlgorithm::None]);

    let digest = "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc".to_owned();
    let pepper = "matrixrocks".to_owned();
    let request =
        lookup_3pid::v2::Request::new(IdentifierHashingAlgorithm::Sha256, pepper, vec![digest.clone()]);
    let request = sent(request, "POST", lookup::LOOKUP);
    let ours: LookupRequest<'_> = parsed(&request);
    assert_eq!((&*ours.algorithm, &*ours.pepper), (lookup::SHA256, "matrixrocks"));
    assert_eq!(ours.addresses, std::slice::from_ref(&digest));
    assert_written_alike(&ours, &request);
    let ours = LookupResponse { mappings: [(digest.clone(), ALICE.to_owned())].into() };
    let ruma: lookup_3pid::v2::Response = accepted(&ours);
    assert_eq!(ruma.mappings[&digest], ALICE);
    let ruma: lookup_3pid::v2::Response = accepted(&LookupResponse::default());
    assert!(ruma.mappings.is_empty());
}

#[test]
fn proving_an_email_address() {
    let next_link = Some("https://app.example.com/".to_owned());
    let request =
        create_email_validation_session::v2::Request::new(secret(), EMAIL.to_owned(), 2_u8.into(), next_link);
    let full = sent(request, "POST", validate_email::REQUEST_TOKEN);
    let ours: RequestEmailValidation = parsed(&full);
    assert_eq!((ours.client_secret.as_str(), ours.email.as_str()), ("mon.secret_1-", EMAIL));
    assert_eq!((ours.send_attempt, ours.next_link.as_deref()), (2, Some("https://app.example.com/")));
    assert_written_alike(&ours, &full);
    let plain =
        create_email_validation_session::v2::Request::new(secret(), EMAIL.to_owned(), 1_u8.into(), None);
    let plain = sent(plain, "POST", validate_email::REQUEST_TOKEN);
    assert_written_alike(&RequestEmailValidation::new("mon.secret_1-", EMAIL, 1), &plain);
    let ours = RequestValidationResponse { sid: "abc123".to_owned() };
    let ruma: create_email_validation_session::v2::Response = accepted(&ours);
    assert_eq!(ruma.sid, "abc123");

    let request = submit_email::v2::Request::new(sid(), secret(), "token".to_owned());
    let request = sent(request, "POST", validate_email::SUBMIT_TOKEN);
    assert_written_alike(&SubmitTokenRequest::new("abc123", "mon.secret_1-", "token"), &request);
    assert_eq!(parsed::<SubmitTokenRequest>(&request).token, "token");
    let ruma: submit_email::v2::Response = accepted(&SubmitTokenResponse { success: true });
    assert!(ruma.success);
    // ruma sends an access token with the GET, too, which no browser does.
    let request = validate_email_by_end_user::v2::Request::new(sid(), secret(), "token".to_owned());
    let request = sent(request, "GET", validate_email::SUBMIT_TOKEN);
    assert_is_submission(&query(&request));
}

fn assert_is_submission(submission: &SubmitTokenRequest) {
    assert_eq!(submission.sid, "abc123");
    assert_eq!(submission.client_secret, "mon.secret_1-");
    assert_eq!(submission.token, "token");
}

#[test]
fn proving_a_phone_number() {
    let request = |next_link: Option<String>| {
        let (country, number) = ("GB".to_owned(), "07700900001".to_owned());
        create_msisdn_validation_session::v2::Request::new(secret(), country, number, 1_u8.into(), next_link)
    };
    let plain = sent(request(None), "POST", validate_msisdn::REQUEST_TOKEN);
    assert_written_alike(&RequestMsisdnValidation::new("mon.secret_1-", "GB", "07700900001", 1), &plain);
    let full = sent(request(Some("https://app".to_owned())), "POST", validate_msisdn::REQUEST_TOKEN);
    let ours: RequestMsisdnValidation = parsed(&full);
    assert_eq!((ours.country.as_str(), ours.phone_number.as_str()), ("GB", "07700900001"));
    assert_eq!(ours.next_link.as_deref(), Some("https://app"));
    assert_written_alike(&ours, &full);
    let ours = RequestValidationResponse { sid: "abc123".to_owned() };
    let ruma: create_msisdn_validation_session::v2::Response = accepted(&ours);
    assert_eq!(ruma.sid, "abc123");

    let request = submit_msisdn::v2::Request::new(sid(), secret(), "token".to_owned());
    assert_is_submission(&parsed(&sent(request, "POST", validate_msisdn::SUBMIT_TOKEN)));
    let ruma: submit_msisdn::v2::Response = accepted(&SubmitTokenResponse { success: true });
    assert!(ruma.success);
    let request = validate_msisdn_by_phone_number::v2::Request::new(sid(), secret(), "token".to_owned());
    assert_is_submission(&query(&sent(request, "GET", validate_msisdn::SUBMIT_TOKEN)));
}

#[test]
fn what_a_session_has_proven() {
    let request = check_3pid_validity::v2::Request::new(sid(), secret());
    let request = sent(request, "GET", validated_threepid::GET_VALIDATED_3PID);
    let expected =
        ValidatedThreepidQuery { sid: "abc123".to_owned(), client_secret: "mon.secret_1-".to_owned() };
    assert_eq!(query::<ValidatedThreepidQuery>(&request), expected);
    let ours = ValidatedThreepidResponse {
        medium: "email".to_owned(),
        address: EMAIL.to_owned(),
        validated_at: 1_700_000_000_000,
    };
    let ruma: check_3pid_validity::v2::Response = accepted(&ours);
    assert_eq!((ruma.medium, ruma.address.as_str()), (Medium::Email, EMAIL));
    assert_eq!(u64::from(ruma.validated_at), 1_700_000_000_000);
}

#[test]
fn binding() {
    let request = bind_3pid::v2::Request::new(sid(), secret(), alice());
    let request = sent(request, "POST", threepid::BIND);
    let ours: BindRequest = parsed(&request);
    assert_eq!((ours.sid.as_str(), ours.mxid.as_str()), ("abc123", ALICE));
    assert_written_alike(&ours, &request);
    assert_written_alike(&BindRequest::new("abc123", "mon.secret_1-", ALICE), &request);
    let ours = BindResponse {
        address: EMAIL.to_owned(),
        medium: "email".to_owned(),
        mxid: ALICE.to_owned(),
        not_before: 1,
        not_after: 4_000_000_000_000,
        ts: 2,
        signatures: signatures(),
    };
    let ruma: bind_3pid::v2::Response = accepted(&ours);
    assert_eq!((ruma.address.as_str(), ruma.medium, ruma.mxid.as_str()), (EMAIL, Medium::Email, ALICE));
    let times = [ruma.not_before, ruma.not_after, ruma.ts].map(|time| u64::from(time.get()));
    assert_eq!(times, [1, 4_000_000_000_000, 2]);
    assert_signed(&ruma.signatures);
    let text = serde_json::to_string(&ours).unwrap();
    assert_eq!(serde_json::from_str::<BindResponse>(&text).unwrap(), ours);
}

/// What ruma has read of `signatures` is what we wrote.
fn assert_signed(ruma: &ruma_common::ServerSignatures) {
    let expected = json!({"is.example.com": {"ed25519:0": "c2ln"}});
    assert_eq!(serde_json::to_value(ruma).unwrap(), expected);
}

#[test]
fn unbinding_with_and_without_a_session() {
    let threepid = || unbind_3pid::v2::ThirdPartyId::new(Medium::Email, EMAIL.to_owned());
    let plain = sent(unbind_3pid::v2::Request::new(None, alice(), threepid()), "POST", threepid::UNBIND);
    assert_written_alike(&UnbindRequest::new(ALICE, "email", EMAIL), &plain);
    let proof = unbind_3pid::v2::ThreePidOwnershipProof::new(sid(), secret());
    let full =
        sent(unbind_3pid::v2::Request::new(Some(proof), alice(), threepid()), "POST", threepid::UNBIND);
    let ours: UnbindRequest = parsed(&full);
    assert_eq!((ours.threepid.medium.as_str(), ours.threepid.address.as_str()), ("email", EMAIL));
    assert_eq!((ours.sid.as_deref(), ours.client_secret.as_deref()), (Some("abc123"), Some("mon.secret_1-")));
    assert_written_alike(&ours, &full);
    let written = UnbindRequest::new(ALICE, "email", EMAIL).with_session("abc123", "mon.secret_1-");
    assert_written_alike(&written, &full);
    let _: unbind_3pid::v2::Response = accepted(&Empty {});
}

#[test]
fn storing_an_invitation() {
    let request = || {
        let room = "!room:example.com".try_into().unwrap();
        store_invitation::v2::Request::email(EMAIL.to_owned(), room, alice())
    };
    let plain = sent(request(), "POST", store_invite::STORE_INVITE);
    assert_written_alike(&StoreInviteRequest::email(EMAIL, "!room:example.com", ALICE), &plain);
    let mut full = request();
    full.room_alias = Some("#room:example.com".try_into().unwrap());
    full.room_avatar_url = Some("mxc://example.com/a".into());
    full.room_join_rules = Some("invite".to_owned());
    full.room_name = Some("Room".to_owned());
    full.room_type = Some("m.space".into());
    full.sender_display_name = Some("Alice".to_owned());
    full.sender_avatar_url = Some("mxc://example.com/b".into());
    let full = sent(full, "POST", store_invite::STORE_INVITE);
    let ours: StoreInviteRequest = parsed(&full);
    assert_eq!(ours.room_name.as_deref(), Some("Room"));
    assert_written_alike(&ours, &full);

    let key = |public_key: &str, path: &str| InvitePublicKey {
        public_key: public_key.to_owned(),
        key_validity_url: format!("https://is/_matrix{path}"),
    };
    let ours = StoreInviteResponse {
        token: "invite".to_owned(),
        public_keys: vec![key("bG9uZw", pubkey::IS_VALID), key("bmV3", pubkey::EPHEMERAL_IS_VALID)],
        display_name: "a...@e...".to_owned(),
        public_key: Some("bG9uZw".to_owned()),
    };
    let ruma: store_invitation::v2::Response = accepted(&ours);
    assert_eq!((ruma.token.as_str(), ruma.display_name.as_str()), ("invite", "a...@e..."));
    assert_eq!(ruma.public_keys.server_key.public_key, "bG9uZw");
    let url = ruma.public_keys.ephemeral_key.key_validity_url;
    assert_eq!(url, "https://is/_matrix/identity/v2/pubkey/ephemeral/isvalid");
}

#[test]
fn signing_an_invitation() {
    let key = Base64::parse("cHJpdmF0ZQ").unwrap();
    let request = sign_invitation_ed25519::v2::Request::new(alice(), "invite".to_owned(), key);
    let request = sent(request, "POST", sign_ed25519::SIGN_ED25519);
    let ours: SignRequest = parsed(&request);
    assert_eq!((ours.mxid.as_str(), ours.token.as_str()), (ALICE, "invite"));
    assert_eq!(ours.private_key, "cHJpdmF0ZQ");
    assert_written_alike(&ours, &request);
    let ours = SignResponse {
        mxid: ALICE.to_owned(),
        sender: "@bob:example.com".to_owned(),
        token: "invite".to_owned(),
        signatures: signatures(),
    };
    let ruma: sign_invitation_ed25519::v2::Response = accepted(&ours);
    assert_eq!((ruma.mxid.as_str(), ruma.sender.as_str()), (ALICE, "@bob:example.com"));
    assert_eq!(ruma.token, "invite");
    assert_signed(&ruma.signatures);
}

#[test]
fn a_refused_pepper_brings_the_present_one() {
    let mut ours = ErrorBody::new(ErrorCode::InvalidPepper, "The pepper has changed");
    ours.extra.insert("lookup_pepper".to_owned(), Value::from("new"));
    let error = answered::<lookup_3pid::v2::Response>(400, &ours).unwrap_err();
    let shown = format!("{error:?}");
    assert!(shown.contains("M_INVALID_PEPPER") && shown.contains("new"), "{shown}");
}
