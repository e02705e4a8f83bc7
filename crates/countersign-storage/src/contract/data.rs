//! What cases are made of: requests, tokens, and the first steps that many have in common.

mod changes;

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_core::{
    AccessTokenHash, Account, AccountHome, AddThreepid, Authorization, BudgetKey, BudgetKind, Carrier,
    Charge, ClientSecret, CodePolicy, Confirmation, Device, DeviceId, EmailAddress, InUsePolicy, IndexKey,
    Keyring, Language, LeaseId, LeasedMessage, Localpart, MasterKeys, MessageId, Msisdn, NewLogin, NotMe,
    NoticeDraft, Random, Rate, RegistrationToken, Requested, Sealed, SealedColumn, Sealer, SendAttempt,
    ServerName, SessionId, SessionKey, SessionPurpose, SubmissionScope, Submitted, SubmittedToken,
    ThirdPartyIdentifier, Timestamp, TokenNonce, TokenSubmission, UiaOperation, UiaSession, UiaSessionHash,
    UserId, ValidationRequest, ValidationSession,
};

pub(crate) use self::changes::*;
use crate::{LeaseRequest, Refresh, RegisteredThreepid, Registration, Storage};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) static RANDOM: CountingRandom = CountingRandom::new();

static KEYRING: LazyLock<Arc<Keyring>> = LazyLock::new(|| {
    let text = "k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let sealer = Sealer::new(&MasterKeys::parse(text).unwrap());
    Arc::new(Keyring::new(sealer, &IndexKey::generate(&RANDOM)))
});

/// Randomness that never repeats and is the same in each run.
pub(crate) struct CountingRandom(AtomicU64);

impl CountingRandom {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Random for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z =
                self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}

fn random() -> &'static dyn Random {
    &RANDOM
}

pub(crate) fn keyring() -> Arc<Keyring> {
    Arc::clone(&KEYRING)
}

pub(crate) fn email(address: &str) -> ThirdPartyIdentifier {
    EmailAddress::parse(address).unwrap().into()
}

pub(crate) fn msisdn(address: &str) -> ThirdPartyIdentifier {
    Msisdn::from_canonical(address).unwrap().into()
}

pub(crate) fn localpart(name: &str) -> Localpart {
    Localpart::parse(name, &server_name()).unwrap()
}

pub(crate) fn device_id(id: &str) -> DeviceId {
    DeviceId::parse(id).unwrap()
}

pub(crate) fn server_name() -> ServerName {
    ServerName::parse("example.org:8448").unwrap()
}

pub(crate) fn secret(text: &str) -> ClientSecret {
    ClientSecret::parse(text).unwrap()
}

pub(crate) fn codes() -> CodePolicy {
    CodePolicy {
        email_purposes: vec![SessionPurpose::AddThreepid, SessionPurpose::Identity],
        email_lifetime: 30 * MINUTE,
        msisdn_lifetime: 10 * MINUTE,
    }
}

/// A request of the secret `secret` for its first message.
pub(crate) fn request(purpose: SessionPurpose, threepid: &ThirdPartyIdentifier) -> ValidationRequest {
    request_with(purpose, threepid, "secret")
}

pub(crate) fn request_with(
    purpose: SessionPurpose,
    threepid: &ThirdPartyIdentifier,
    client_secret: &str,
) -> ValidationRequest {
    let keyring = keyring();
    let address_hash = keyring.address_hash(threepid);
    let new_sid = SessionId::generate(NOW, random());
    let key = keyring.session_key(purpose, &address_hash, &secret(client_secret));
    let seal =
        |column, row: &[u8], plain: &str| keyring.sealer().seal(column, row, plain.as_bytes(), random());
    ValidationRequest {
        key,
        purpose,
        medium: threepid.medium(),
        address_hash,
        sealed_address: seal(SealedColumn::SessionAddress, new_sid.as_bytes(), threepid.address()),
        client_secret_hash: keyring.client_secret_hash(&secret(client_secret)),
        send_attempt: SendAttempt(1),
        sealed_next_link: Some(seal(SealedColumn::SessionNextLink, key.as_bytes(), "https://example.org/")),
        new_sid,
        token_key_id: keyring.current_token_key().0.clone(),
        nonce: TokenNonce::from_bytes(random().bytes()),
        message_id: MessageId::generate(NOW, random()),
        language: Language::parse("pt-BR").unwrap(),
        requested_by: Some(UserId::new(&localpart("alice"), &server_name())),
        in_use: InUsePolicy::Tell,
        charges: Vec::new(),
        session_lifetime: DAY,
    }
}

/// A request for `alice@example.org`, to be added.
pub(crate) fn alice() -> ValidationRequest {
    request(SessionPurpose::AddThreepid, &email("alice@example.org"))
}

/// The same client's next request: same key, everything that is made for a request made anew.
pub(crate) fn again(request: &ValidationRequest, send_attempt: i64) -> ValidationRequest {
    ValidationRequest {
        send_attempt: SendAttempt(send_attempt),
        new_sid: SessionId::generate(NOW, random()),
        nonce: TokenNonce::from_bytes(random().bytes()),
        message_id: MessageId::generate(NOW, random()),
        sealed_next_link: Some(Sealed::from_bytes(random().bytes::<40>().to_vec())),
        ..request.clone()
    }
}

/// The session that a request opens.
pub(crate) fn opened_by(request: &ValidationRequest, now: Timestamp) -> ValidationSession {
    ValidationSession {
        sid: request.new_sid,
        key: request.key,
        purpose: request.purpose,
        medium: request.medium,
        address_hash: request.address_hash,
        sealed_address: request.sealed_address.clone(),
        client_secret_hash: request.client_secret_hash,
        token_key_id: request.token_key_id.clone(),
        nonce: request.nonce.clone(),
        send_attempt: Some(request.send_attempt),
        sealed_next_link: request.sealed_next_link.clone(),
        code_generation: countersign_core::CodeGeneration(0),
        code_began_at: None,
        misses: 0,
        requested_by: request.requested_by.clone(),
        created_at: now,
        validated_at: None,
        expires_at: now.after(request.session_lifetime),
        ended: None,
        consumed: None,
        decoy: false,
        latest: true,
    }
}

pub(crate) fn submission(session: &ValidationSession, token: &str) -> TokenSubmission {
    let scope = match session.purpose {
        SessionPurpose::Identity => SubmissionScope::Identity(session.medium),
        SessionPurpose::Register
        | SessionPurpose::AddThreepid
        | SessionPurpose::ResetPassword
        | SessionPurpose::Verify => SubmissionScope::Node,
    };
    TokenSubmission {
        scope,
        sid: session.sid,
        client_secret_hash: session.client_secret_hash,
        token: SubmittedToken::parse(token).unwrap(),
        keyring: keyring(),
        codes: codes(),
        session_lifetime: DAY,
        misses_per_session: 5,
        misses_per_address: None,
        misses_per_network: None,
    }
}

pub(crate) fn link_token(session: &ValidationSession) -> String {
    session.link_token(&keyring()).unwrap().expose().to_owned()
}

pub(crate) fn typed_code(session: &ValidationSession) -> String {
    session.typed_code(&keyring()).unwrap().expose().to_owned()
}

/// Six digits that are not the session's code.
pub(crate) fn wrong_code(session: &ValidationSession) -> &'static str {
    if typed_code(session) == "000000" { "000001" } else { "000000" }
}

pub(crate) fn confirmation(session: &ValidationSession, token: String) -> Confirmation {
    Confirmation { sid: session.sid, token, keyring: keyring(), session_lifetime: DAY }
}

pub(crate) fn not_me(session: &ValidationSession) -> NotMe {
    let token = session.not_me_token(&keyring()).unwrap().expose().to_owned();
    NotMe { sid: session.sid, token, keyring: keyring() }
}

pub(crate) fn charge(kind: BudgetKind, subject: &str, count: u32) -> Charge {
    let subject = keyring().subject_hash("case", subject.as_bytes());
    Charge { key: BudgetKey { kind, subject }, rate: Rate::per(count, HOUR) }
}

pub(crate) fn lease_request(carrier: impl Into<Carrier>, limit: usize, now: Timestamp) -> LeaseRequest {
    let lease_id = LeaseId::generate(random());
    LeaseRequest { lease_id, carrier: carrier.into(), limit, leased_until: now.after(MINUTE), codes: codes() }
}

pub(crate) fn uia_session_hash(id: &str) -> UiaSessionHash {
    keyring().uia_session_hash(id)
}

pub(crate) fn access_token_hash(token: &str) -> AccessTokenHash {
    keyring().access_token_hash(token)
}

pub(crate) fn login(name: &str, device: &str, token: &str) -> NewLogin {
    let device = Device {
        localpart: localpart(name),
        device_id: device_id(device),
        display_name: Some(format!("{name}'s {device}")),
        created_at: NOW,
    };
    NewLogin {
        device,
        access_token_hash: access_token_hash(token),
        access_expires_at: None,
        refresh_token: None,
    }
}

/// The password of every account.
pub(crate) const PASSWORD_HASH: &str = "$argon2id$x";

/// When everything that the cases make is over.
pub(crate) const LONG_AFTER: Timestamp = Timestamp::from_millis(NOW.as_millis() + 30 * 24 * 60 * 60 * 1000);

pub(crate) fn registration(name: &str, login: Option<NewLogin>) -> Registration {
    let account = Account {
        localpart: localpart(name),
        password_hash: Some(PASSWORD_HASH.to_owned()),
        created_at: NOW,
        deactivated_at: None,
    };
    Registration { account, login, uia_session: None, threepids: Vec::new() }
}

/// A registration in the authentication session of that id.
pub(crate) fn registration_in(id: &str, name: &str, login: Option<NewLogin>) -> Registration {
    Registration { uia_session: Some(uia_session_hash(id)), ..registration(name, login) }
}

/// The address of a session, as a new account begins with it.
pub(crate) fn registered_threepid(session: &ValidationSession) -> RegisteredThreepid {
    let sealed_address = Sealed::from_bytes(format!("sealed {}", session.medium.as_str()).into_bytes());
    RegisteredThreepid { sid: session.sid, sealed_address }
}

/// A login whose access token is good for an hour, and whose refresh token of the same name for a day.
pub(crate) fn refreshable_login(name: &str, device: &str, token: &str) -> NewLogin {
    NewLogin {
        access_expires_at: Some(NOW.after(HOUR)),
        refresh_token: Some((keyring().refresh_token_hash(token), Some(NOW.after(DAY)))),
        ..login(name, device, token)
    }
}

/// Hands in the refresh token of that name for a pair whose tokens are called `new`.
pub(crate) fn refresh(token: &str, new: &str) -> Refresh {
    Refresh {
        refresh_token: keyring().refresh_token_hash(token),
        access_token: access_token_hash(new),
        access_expires_at: Some(NOW.after(2 * HOUR)),
        new_refresh_token: keyring().refresh_token_hash(new),
        refresh_expires_at: Some(NOW.after(2 * DAY)),
    }
}

pub(crate) fn registration_token(text: &str, uses_allowed: Option<u32>) -> RegistrationToken {
    RegistrationToken {
        token_hash: keyring().registration_token_hash(text),
        sealed_token: Sealed::from_bytes(format!("sealed {text}").into_bytes()),
        uses_allowed,
        completed: 0,
        expires_at: None,
        created_at: NOW,
    }
}

/// A notice about `alice` to that address.
pub(crate) fn notice_draft(threepid: &ThirdPartyIdentifier) -> NoticeDraft {
    let asked = request_with(SessionPurpose::Verify, threepid, "nobodys");
    NoticeDraft {
        sid: asked.new_sid,
        message_id: asked.message_id,
        medium: asked.medium,
        address_hash: asked.address_hash,
        sealed_address: asked.sealed_address,
        key: SessionKey::from_bytes(random().bytes()),
        client_secret_hash: asked.client_secret_hash,
        token_key_id: asked.token_key_id,
        nonce: asked.nonce,
        language: asked.language,
        user_id: UserId::new(&localpart("alice"), &server_name()),
        lifetime: DAY,
    }
}

/// The address of a session, read.
pub(crate) fn address_of(session: &ValidationSession) -> String {
    let sealer = keyring();
    let column = SealedColumn::SessionAddress;
    let address = sealer.sealer().open(column, session.sid.as_bytes(), &session.sealed_address).unwrap();
    String::from_utf8(address.to_vec()).unwrap()
}

pub(crate) fn sid_of_nothing() -> SessionId {
    SessionId::from_bytes([7; 22])
}

/// A request for that address, to be added.
pub(crate) fn request_of(address: &str) -> ValidationRequest {
    request(SessionPurpose::AddThreepid, &email(address))
}

pub(crate) fn uia_register(id: UiaSessionHash) -> UiaSession {
    UiaSession::begin(id, UiaOperation::Register, None, NOW)
}

/// Begins to register in the authentication session of that id.
pub(crate) async fn open_registration(storage: &dyn Storage, id: &str) {
    storage.open_uia_session(uia_register(uia_session_hash(id)), Vec::new(), NOW).await.unwrap().unwrap();
}

/// The authentication session of that id, which must be there.
pub(crate) async fn uia_session(storage: &dyn Storage, id: &str) -> UiaSession {
    storage.find_uia_session(uia_session_hash(id)).await.unwrap().expect("there is a session")
}

pub(crate) fn add_threepid(session: &ValidationSession, name: &str) -> AddThreepid {
    AddThreepid {
        sid: session.sid,
        client_secret_hash: session.client_secret_hash,
        localpart: localpart(name),
        sealed_address: Sealed::from_bytes(b"sealed for the account".to_vec()),
        account: AccountHome::Elsewhere,
        authorization: Authorization::default(),
        notices: Vec::new(),
    }
}

/// Asks for a token, which must send.
pub(crate) async fn sending(storage: &dyn Storage, request: &ValidationRequest, now: Timestamp) -> SessionId {
    match storage.request_validation(request.clone(), now).await.unwrap() {
        Requested::Sending(sid) => sid,
        answer => panic!("not sending: {answer:?}"),
    }
}

/// The session with that id, which must be there.
pub(crate) async fn session(storage: &dyn Storage, sid: SessionId) -> ValidationSession {
    storage.find_session(sid).await.unwrap().expect("there is a session")
}

/// Leases the only message that is to be sent.
pub(crate) async fn lease_one(
    storage: &dyn Storage,
    carrier: impl Into<Carrier>,
    now: Timestamp,
) -> (LeasedMessage, LeaseId) {
    let request = lease_request(carrier, 10, now);
    let lease_id = request.lease_id;
    let mut leased = storage.lease(request, now).await.unwrap();
    assert_eq!(leased.len(), 1, "one message is to be sent");
    (leased.remove(0), lease_id)
}

/// Asks for a token and delivers it. Answers the session as it is then.
pub(crate) async fn delivered(
    storage: &dyn Storage,
    request: &ValidationRequest,
    now: Timestamp,
) -> ValidationSession {
    let sid = sending(storage, request, now).await;
    let (leased, lease_id) = lease_one(storage, request.medium, now).await;
    assert_eq!(leased.session.sid, sid);
    assert!(storage.mark_delivered(leased.message.id, lease_id, now).await.unwrap());
    session(storage, sid).await
}

/// Asks for a token, delivers it, and hands it in.
pub(crate) async fn validated(
    storage: &dyn Storage,
    request: &ValidationRequest,
    now: Timestamp,
) -> ValidationSession {
    let sent = delivered(storage, request, now).await;
    let submission = submission(&sent, &link_token(&sent));
    assert_eq!(storage.submit_token(submission, now).await.unwrap(), Submitted::Validated);
    session(storage, sent.sid).await
}

/// Puts an address on an account.
pub(crate) async fn owned(storage: &dyn Storage, threepid: &ThirdPartyIdentifier, name: &str) {
    owned_since(storage, threepid, name, NOW).await;
}

/// Puts an address on an account at that time.
pub(crate) async fn owned_since(
    storage: &dyn Storage,
    threepid: &ThirdPartyIdentifier,
    name: &str,
    now: Timestamp,
) {
    let request = request_with(SessionPurpose::AddThreepid, threepid, "owner");
    let session = validated(storage, &request, now).await;
    let added = storage.add_threepid(add_threepid(&session, name), now).await.unwrap();
    assert!(added.is_ok());
}

pub(crate) async fn waiting(storage: &dyn Storage) -> u64 {
    storage.count_outbox().await.unwrap().waiting
}
