//! Sessions, requests and keys for tests: the same in each run.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    AddThreepid, BeginSend, CodePolicy, Confirmation, InUsePolicy, NotMe, NoticeDraft, RequestState,
    SessionChange, SubmissionScope, TokenSubmission, ValidationRequest, ValidationSession,
};
use crate::{
    AccountHome, AddState, AddressHash, Authorization, BudgetKey, BudgetKind, Charge, ClientSecretHash,
    CodeGeneration, IndexKey, Keyring, Language, Localpart, MasterKeyId, MasterKeys, Medium, MessageId,
    MessageKind, OutboxMessage, Random, Rate, RequiredOwner, Sealed, Sealer, SendAttempt, ServerName,
    SessionId, SessionKey, SessionPurpose, SubjectHash, SubmittedToken, Timestamp, TokenNonce, UserId,
};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const TICK: Duration = Duration::from_millis(1);
pub(crate) const EMAIL_CODE_LIFE: Duration = Duration::from_secs(30 * 60);
pub(crate) const SMS_CODE_LIFE: Duration = Duration::from_secs(10 * 60);

/// Gives the bytes of a counter: unlike ones each time.
#[derive(Default)]
pub(crate) struct CountingRandom(AtomicU64);

impl Random for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, counted) in bytes.iter_mut().zip(count.iter().cycle()) {
            *byte = *counted;
        }
    }
}

/// Gives one byte only.
pub(crate) struct ConstantRandom(pub(crate) u8);

impl Random for ConstantRandom {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// The text of a key file: the key `id`, all of one byte.
pub(crate) fn key_line(id: &str, byte: u8) -> String {
    MasterKeys::generate(&ConstantRandom(byte)).replacen("k1", id, 1)
}

/// The keyring of this key file. The index key is all of byte 2.
pub(crate) fn keyring_of(key_file: &str) -> Arc<Keyring> {
    let sealer = Sealer::new(&MasterKeys::parse(key_file).unwrap());
    Arc::new(Keyring::new(sealer, &IndexKey::generate(&ConstantRandom(2))))
}

/// The master key `k1` is all of byte 1.
pub(crate) fn keyring() -> Arc<Keyring> {
    static KEYRING: LazyLock<Arc<Keyring>> = LazyLock::new(|| keyring_of(&key_line("k1", 1)));
    KEYRING.clone()
}

pub(crate) fn sid(byte: u8) -> SessionId {
    SessionId::from_bytes([byte; 22])
}

pub(crate) fn localpart(name: &str) -> Localpart {
    Localpart::from_stored(name.to_owned())
}

pub(crate) fn attempt(number: i64) -> Option<SendAttempt> {
    Some(SendAttempt(number))
}

/// Mails carry codes but for password resets.
pub(crate) fn codes() -> CodePolicy {
    let email_purposes =
        SessionPurpose::ALL.into_iter().filter(|purpose| *purpose != SessionPurpose::ResetPassword);
    CodePolicy {
        email_purposes: email_purposes.collect(),
        email_lifetime: EMAIL_CODE_LIFE,
        msisdn_lifetime: SMS_CODE_LIFE,
    }
}

/// The first request of a client that adds an e-mail address. It would open session 1.
pub(crate) fn request() -> ValidationRequest {
    ValidationRequest {
        key: SessionKey::from_bytes([10; 32]),
        purpose: SessionPurpose::AddThreepid,
        medium: Medium::Email,
        address_hash: AddressHash::from_bytes([11; 32]),
        sealed_address: Sealed::from_bytes(vec![12]),
        client_secret_hash: ClientSecretHash::from_bytes([13; 32]),
        send_attempt: SendAttempt(1),
        sealed_next_link: Some(Sealed::from_bytes(vec![14])),
        new_sid: sid(1),
        token_key_id: MasterKeyId::parse("k1").unwrap(),
        nonce: TokenNonce::from_bytes([15; 16]),
        message_id: MessageId::from_bytes([16; 16]),
        language: Language::default(),
        requested_by: None,
        in_use: InUsePolicy::Tell,
        charges: Vec::new(),
        session_lifetime: DAY,
    }
}

/// A later request of that client with another attempt. If it opens a session, then session 2.
pub(crate) fn request_again(send_attempt: i64) -> ValidationRequest {
    ValidationRequest {
        send_attempt: SendAttempt(send_attempt),
        sealed_next_link: Some(Sealed::from_bytes(vec![24])),
        new_sid: sid(2),
        nonce: TokenNonce::from_bytes([25; 16]),
        message_id: MessageId::from_bytes([26; 16]),
        ..request()
    }
}

/// The session that a first request opens, for an address that is whose it must be.
pub(crate) fn opened(request: &ValidationRequest) -> ValidationSession {
    let owner = (request.purpose.required_owner() == RequiredOwner::Somebody).then(|| localpart("alice"));
    let state = RequestState { owner, ..RequestState::default() };
    match ValidationSession::request(&state, request, NOW).session {
        SessionChange::Insert { session, .. } => session,
        change => panic!("a first request opens a session, not {change:?}"),
    }
}

/// The session of `request` after its message went out.
pub(crate) fn sent(request: &ValidationRequest) -> ValidationSession {
    send(&opened(request), request.send_attempt, NOW)
}

/// The session after a message for this attempt went out.
pub(crate) fn send(
    session: &ValidationSession,
    send_attempt: SendAttempt,
    now: Timestamp,
) -> ValidationSession {
    match session.begin_send(&message(session, send_attempt), &codes(), now) {
        BeginSend::Send(session) => session,
        other => panic!("the message goes out, not {other:?}"),
    }
}

pub(crate) fn message(session: &ValidationSession, send_attempt: SendAttempt) -> OutboxMessage {
    OutboxMessage {
        id: MessageId::from_bytes([16; 16]),
        kind: MessageKind::Validation,
        carrier: session.medium.into(),
        sid: session.sid,
        send_attempt,
        language: Language::default(),
        created_at: NOW,
        not_before: NOW,
        tries: 0,
    }
}

/// The session of `request`, sent and validated at once.
pub(crate) fn validated(request: &ValidationRequest) -> ValidationSession {
    sent(request).validated(DAY, NOW)
}

pub(crate) fn submission(token: &str) -> TokenSubmission {
    TokenSubmission {
        scope: SubmissionScope::Node,
        sid: sid(1),
        client_secret_hash: request().client_secret_hash,
        token: SubmittedToken::parse(token).unwrap(),
        keyring: keyring(),
        codes: codes(),
        session_lifetime: DAY,
        misses_per_session: 5,
        misses_per_address: None,
        misses_per_network: None,
    }
}

pub(crate) fn confirmation(token: &str) -> Confirmation {
    Confirmation { sid: sid(1), token: token.to_owned(), keyring: keyring(), session_lifetime: DAY }
}

pub(crate) fn not_me(token: &str) -> NotMe {
    NotMe { sid: sid(1), token: token.to_owned(), keyring: keyring() }
}

pub(crate) fn add(who: &str) -> AddThreepid {
    AddThreepid {
        sid: sid(1),
        client_secret_hash: request().client_secret_hash,
        localpart: localpart(who),
        sealed_address: Sealed::from_bytes(vec![17]),
        account: AccountHome::Elsewhere,
        authorization: Authorization::default(),
        notices: Vec::new(),
    }
}

/// That a session's address, which is nobody's, is to go to an account.
pub(crate) fn adding(session: &ValidationSession) -> AddState {
    AddState { session: Some(session.clone()), ..AddState::default() }
}

pub(crate) fn notice_draft() -> NoticeDraft {
    NoticeDraft {
        sid: sid(1),
        message_id: MessageId::from_bytes([16; 16]),
        medium: Medium::Email,
        address_hash: AddressHash::from_bytes([11; 32]),
        sealed_address: Sealed::from_bytes(vec![12]),
        key: SessionKey::from_bytes([20; 32]),
        client_secret_hash: request().client_secret_hash,
        token_key_id: MasterKeyId::parse("k1").unwrap(),
        nonce: TokenNonce::from_bytes([15; 16]),
        language: Language::default(),
        user_id: UserId::new(&localpart("alice"), &ServerName::parse("example.org").unwrap()),
        lifetime: DAY,
    }
}

pub(crate) fn link_token(session: &ValidationSession) -> String {
    session.link_token(&keyring()).unwrap().expose().to_owned()
}

pub(crate) fn not_me_token(session: &ValidationSession) -> String {
    session.not_me_token(&keyring()).unwrap().expose().to_owned()
}

pub(crate) fn typed_code(session: &ValidationSession) -> String {
    session.typed_code(&keyring()).unwrap().expose().to_owned()
}

/// Six digits that are the code of none of the session's first generations.
pub(crate) fn wrong_code(session: &ValidationSession) -> String {
    let of =
        |generation| ValidationSession { code_generation: CodeGeneration(generation), ..session.clone() };
    let right: Vec<String> = (0..16).map(|generation| typed_code(&of(generation))).collect();
    let mut codes = (0..).map(|number| format!("{number:06}"));
    codes.find(|code| !right.contains(code)).unwrap()
}

/// One an hour.
pub(crate) fn charge(kind: BudgetKind) -> Charge {
    let subject = SubjectHash::from_bytes([18; 32]);
    Charge { key: BudgetKey { kind, subject }, rate: Rate::per(1, Duration::from_secs(3600)) }
}
