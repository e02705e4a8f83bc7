//! One proof of ownership: its state, and what may happen to it (docs/decisions/0003).
//!
//! Each decision is a pure function from loaded state to what must be saved; it has a file of its own below.

mod bind;
mod consume;
mod end;
mod notice;
#[cfg(test)]
mod properties;
mod prove;
mod request;
mod send;
mod submit;
#[cfg(test)]
pub(crate) mod test_data;

use std::time::Duration;

use zeroize::Zeroizing;

pub use self::{
    bind::{Bind, NotValidated},
    consume::{AddDecision, AddRefusal, AddState, AddThreepid},
    end::{NotMe, NotMeDecision},
    notice::NoticeDraft,
    prove::{RegisterRefusal, Unproven},
    request::{InUsePolicy, RequestDecision, RequestState, Requested, SessionChange, ValidationRequest},
    send::BeginSend,
    submit::{
        ConfirmDecision, Confirmation, Confirmed, SubmissionScope, SubmitDecision, Submitted, TokenSubmission,
    },
};
use crate::{
    AddressHash, ClientSecretHash, CodeGeneration, Keyring, LinkToken, Localpart, MasterKeyId, Medium,
    NotMeToken, Sealed, SendAttempt, SessionId, SessionKey, SessionPurpose, Timestamp, TokenNonce, TypedCode,
    UserId,
};

/// The state of one validation, as its row holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationSession {
    /// Its id.
    pub sid: SessionId,
    /// Names purpose, address and client secret.
    pub key: SessionKey,
    /// What it may prove.
    pub purpose: SessionPurpose,
    /// The kind of address.
    pub medium: Medium,
    /// The address, to look up.
    pub address_hash: AddressHash,
    /// The address, to read.
    pub sealed_address: Sealed,
    /// The client secret, to compare.
    pub client_secret_hash: ClientSecretHash,
    /// The key that its tokens derive from.
    pub token_key_id: MasterKeyId,
    /// What its tokens derive from.
    pub nonce: TokenNonce,
    /// The highest attempt among its messages that were not given up.
    pub send_attempt: Option<SendAttempt>,
    /// Where the latest message leads on to.
    pub sealed_next_link: Option<Sealed>,
    /// The generation of the latest code.
    pub code_generation: CodeGeneration,
    /// When that generation began; `None` until a message went out.
    pub code_began_at: Option<Timestamp>,
    /// Wrong tokens handed in.
    pub misses: u32,
    /// Whose valid access token the latest request carried.
    pub requested_by: Option<UserId>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When the address was proven.
    pub validated_at: Option<Timestamp>,
    /// The last moment at which it is good for anything.
    pub expires_at: Timestamp,
    /// When it was ended before its time, and why.
    pub ended: Option<Ended>,
    /// What it was used for.
    pub consumed: Option<Consumed>,
    /// Whether it never validates, since it only hides that the address is (or isn't) on an account.
    pub decoy: bool,
    /// Whether its key names this session, rather than one that was opened later.
    pub latest: bool,
}

/// That a session was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

/// Why a session was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Too many wrong tokens.
    Guessed,
    /// The owner of the address said that it wasn't them.
    NotMe,
}

impl EndReason {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guessed => "guessed",
            Self::NotMe => "not_me",
        }
    }

    /// The reason of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Guessed, Self::NotMe].into_iter().find(|reason| reason.as_str() == name)
    }
}

/// That a session had its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// When.
    pub at: Timestamp,
    /// For which account.
    pub by: Localpart,
}

/// Which messages carry a typed code, and how long a code lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePolicy {
    /// The purposes for which a mail has a code beside its link.
    pub email_purposes: Vec<SessionPurpose>,
    /// The life of a code sent by mail.
    pub email_lifetime: Duration,
    /// The life of a code sent by SMS.
    pub msisdn_lifetime: Duration,
}

impl CodePolicy {
    /// Whether a message of this medium and purpose carries a code. An SMS always does.
    pub fn sends_code(&self, medium: Medium, purpose: SessionPurpose) -> bool {
        match medium {
            Medium::Email => self.email_purposes.contains(&purpose),
            Medium::Msisdn => true,
        }
    }

    /// How long a code of this medium lives.
    pub fn lifetime(&self, medium: Medium) -> Duration {
        match medium {
            Medium::Email => self.email_lifetime,
            Medium::Msisdn => self.msisdn_lifetime,
        }
    }
}

impl ValidationSession {
    /// Whether a request may go on with it: the latest of its key, unexpired, not consumed, not ended.
    fn is_open(&self, now: Timestamp) -> bool {
        self.latest && !self.is_expired(now) && self.consumed.is_none() && self.ended.is_none()
    }

    /// Whether its time is over. Its last moment still counts.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at < now
    }

    /// The session with its address proven just now, and its time started anew. Not for one that was validated before.
    fn validated(&self, lifetime: Duration, now: Timestamp) -> Self {
        Self { validated_at: Some(now), expires_at: now.after(lifetime), ..self.clone() }
    }

    /// The token in the links of its mails. `None` once its key was taken out of the key file.
    pub fn link_token(&self, keyring: &Keyring) -> Option<LinkToken> {
        keyring.find_token_key(&self.token_key_id).map(|key| key.link_token(&self.sid, &self.nonce))
    }

    /// The token in the "this wasn't me" links of its mails. `None` once its key was taken out of the key file.
    pub fn not_me_token(&self, keyring: &Keyring) -> Option<NotMeToken> {
        keyring.find_token_key(&self.token_key_id).map(|key| key.not_me_token(&self.sid, &self.nonce))
    }

    /// The client secret of the session that another service has for it. `None` once its key was taken out of the key
    /// file.
    pub fn delegate_secret(&self, keyring: &Keyring) -> Option<Zeroizing<String>> {
        keyring.find_token_key(&self.token_key_id).map(|key| key.delegate_secret(&self.sid, &self.nonce))
    }

    /// Its latest code, whether or not that still lives. `None` once its key was taken out of the key file.
    pub fn typed_code(&self, keyring: &Keyring) -> Option<TypedCode> {
        let key = keyring.find_token_key(&self.token_key_id)?;
        Some(key.typed_code(&self.sid, &self.nonce, self.code_generation))
    }

    /// Whether this is the link token of a session that has sent mail. A decoy has none.
    pub fn has_link_token(&self, token: &str, keyring: &Keyring) -> bool {
        self.medium == Medium::Email
            && self.code_began_at.is_some()
            && !self.decoy
            && self.link_token(keyring).is_some_and(|link_token| link_token.matches(token))
    }

    /// Whether this is the "this wasn't me" token of a session that has sent mail.
    pub fn has_not_me_token(&self, token: &str, keyring: &Keyring) -> bool {
        self.medium == Medium::Email
            && self.code_began_at.is_some()
            && self.not_me_token(keyring).is_some_and(|not_me_token| not_me_token.matches(token))
    }
}

#[cfg(test)]
mod tests {
    use super::{test_data::*, *};

    #[test]
    fn end_reasons_read_back() {
        for reason in [EndReason::Guessed, EndReason::NotMe] {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(EndReason::parse(""), None);
    }

    #[test]
    fn an_sms_always_has_a_code_and_a_mail_by_its_purpose() {
        for purpose in SessionPurpose::ALL {
            assert!(codes().sends_code(Medium::Msisdn, purpose));
            let by_link_only = purpose == SessionPurpose::ResetPassword;
            assert_eq!(codes().sends_code(Medium::Email, purpose), !by_link_only, "{purpose:?}");
        }
        assert_eq!(codes().lifetime(Medium::Email), EMAIL_CODE_LIFE);
        assert_eq!(codes().lifetime(Medium::Msisdn), SMS_CODE_LIFE);
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let shown = format!("{:?}", sent(&request()));
        for secret in ["[10, 10", "[11, 11", "[12]", "[13, 13", "[14]", "[15, 15"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
