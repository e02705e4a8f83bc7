//! `requestToken`: which session, and is a message owed?

use std::time::Duration;

use super::ValidationSession;
use crate::{
    AddressHash, BudgetUpdate, Charge, ClientSecretHash, CodeGeneration, Language, Limited, Localpart,
    MasterKeyId, Medium, MessageId, MessageKind, OutboxMessage, RequiredOwner, Sealed, SendAttempt,
    SessionId, SessionKey, SessionPurpose, Timestamp, TokenNonce, UserId, budget,
};

/// A request for a token, with everything made that a new session and its message need: sealing, hashing and
/// randomness happen before a request waits for the database.
#[derive(Clone, Debug)]
pub struct ValidationRequest {
    /// Names purpose, address and client secret.
    pub key: SessionKey,
    /// What the session may prove.
    pub purpose: SessionPurpose,
    /// The kind of address.
    pub medium: Medium,
    /// The address, to look up.
    pub address_hash: AddressHash,
    /// The address, sealed for the new session.
    pub sealed_address: Sealed,
    /// The client secret, to compare later.
    pub client_secret_hash: ClientSecretHash,
    /// The client's counter.
    pub send_attempt: SendAttempt,
    /// Where to go on to, sealed for the session key.
    pub sealed_next_link: Option<Sealed>,
    /// The id of the session, if a new one is opened.
    pub new_sid: SessionId,
    /// The key that a new session's tokens derive from.
    pub token_key_id: MasterKeyId,
    /// What a new session's tokens derive from.
    pub nonce: TokenNonce,
    /// The id of the message, if one is owed.
    pub message_id: MessageId,
    /// The language to write it in.
    pub language: Language,
    /// Whose valid access token the request carries.
    pub requested_by: Option<UserId>,
    /// What to answer if the address isn't whose it must be.
    pub in_use: InUsePolicy,
    /// What a message, or the refusal of one, costs.
    pub charges: Vec<Charge>,
    /// How long a session lives.
    pub session_lifetime: Duration,
}

/// What to answer if the address isn't whose it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InUsePolicy {
    /// An error that says so.
    Tell,
    /// The same as always; the address's owner gets a notice (`privacy.hide_accounts`).
    Hide,
}

/// What the database knows when a request arrives.
#[derive(Clone, Debug, Default)]
pub struct RequestState {
    /// The latest session of the request's key, in whatever state.
    pub existing: Option<ValidationSession>,
    /// The account that has the address.
    pub owner: Option<Localpart>,
    /// Whether the owner of the address wants no messages.
    pub suppressed: bool,
    /// For each of the request's charges, when that budget is full again, if it has a row.
    pub full_at: Vec<Option<Timestamp>>,
}

/// The answer to a request, and what must be saved before it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDecision {
    /// What the client hears.
    pub answer: Requested,
    /// What becomes of the session rows.
    pub session: SessionChange,
    /// The message that is owed. It supersedes those of its session that wait and are not leased.
    pub message: Option<OutboxMessage>,
    /// Budgets to save.
    pub budgets: Vec<BudgetUpdate>,
}

/// What a request for a token leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// A message was queued, or looks as if.
    Sending(SessionId),
    /// Nothing to do: this attempt was seen before.
    Repeated(SessionId),
    /// The address is on an account.
    InUse,
    /// The address is on no account.
    NotFound,
    /// Too much in too short a time.
    Limited(Limited),
}

/// What becomes of the session rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// Nothing.
    Keep,
    /// This row takes the place of the one with its `sid`. Mind that it may have become a decoy, or one no more.
    Update(ValidationSession),
    /// This row is new. The `former` latest session of its key, if any, is the latest no more.
    Insert {
        /// The new row.
        session: ValidationSession,
        /// The row that loses the key.
        former: Option<SessionId>,
    },
}

impl ValidationSession {
    /// Applies a request to the session that its key names, or opens one. A message is owed exactly when the attempt is
    /// higher than any before it, or the session is new ([spec]).
    ///
    /// [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken
    pub fn request(state: &RequestState, request: &ValidationRequest, now: Timestamp) -> RequestDecision {
        let refusal = refusal(request.purpose.required_owner(), state.owner.is_some());
        let open = state.existing.as_ref().filter(|session| session.is_open(now));
        let tells = refusal.filter(|_| request.in_use == InUsePolicy::Tell);
        if tells.is_none()
            && let Some(session) = open
            && session.send_attempt.is_some_and(|seen| request.send_attempt <= seen)
        {
            return RequestDecision::unchanged(Requested::Repeated(session.sid));
        }
        let budgets = match budget::charge(&request.charges, &state.full_at, now) {
            Ok(budgets) => budgets,
            Err(limited) => return RequestDecision::unchanged(Requested::Limited(limited)),
        };
        if let Some((answer, _)) = tells {
            return RequestDecision { budgets, ..RequestDecision::unchanged(answer) };
        }
        let decoy = refusal.is_some();
        let (sid, session) = match open.filter(|session| session.validated_at.is_none()) {
            Some(session) => (session.sid, SessionChange::Update(session.asked_again(state, request, decoy))),
            None => {
                let former =
                    state.existing.as_ref().filter(|session| session.latest).map(|session| session.sid);
                let session = Self::open(request, decoy, now);
                (session.sid, SessionChange::Insert { session, former })
            }
        };
        let kind = refusal.map_or(MessageKind::Validation, |(_, notice)| notice);
        let message = (!state.suppressed).then(|| request.message(sid, kind, now));
        RequestDecision { answer: Requested::Sending(sid), session, message, budgets }
    }

    fn open(request: &ValidationRequest, decoy: bool, now: Timestamp) -> Self {
        Self {
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
            code_generation: CodeGeneration(0),
            code_began_at: None,
            misses: 0,
            requested_by: request.requested_by.clone(),
            created_at: now,
            validated_at: None,
            expires_at: now.after(request.session_lifetime),
            ended: None,
            consumed: None,
            decoy,
            latest: true,
        }
    }

    /// Becomes a decoy, or one no more, under the same `sid`: a new one would tell that an account came or went. What
    /// a mail's page shows changes with the mail only.
    fn asked_again(&self, state: &RequestState, request: &ValidationRequest, decoy: bool) -> Self {
        let asked = Self { send_attempt: Some(request.send_attempt), decoy, ..self.clone() };
        if state.suppressed {
            return asked;
        }
        let sealed_next_link = request.sealed_next_link.clone();
        Self { sealed_next_link, requested_by: request.requested_by.clone(), ..asked }
    }
}

/// The answer if the address isn't whose it must be, and the notice that takes its place where accounts are hidden.
fn refusal(required: RequiredOwner, owned: bool) -> Option<(Requested, MessageKind)> {
    match (required, owned) {
        (RequiredOwner::Nobody, true) => Some((Requested::InUse, MessageKind::AddressInUse)),
        (RequiredOwner::Somebody, false) => Some((Requested::NotFound, MessageKind::NoAccount)),
        (RequiredOwner::Nobody, false) | (RequiredOwner::Somebody, true) | (RequiredOwner::Anyone, _) => None,
    }
}

impl RequestDecision {
    fn unchanged(answer: Requested) -> Self {
        Self { answer, session: SessionChange::Keep, message: None, budgets: Vec::new() }
    }
}

impl ValidationRequest {
    fn message(&self, sid: SessionId, kind: MessageKind, now: Timestamp) -> OutboxMessage {
        OutboxMessage {
            id: self.message_id,
            kind,
            carrier: self.medium.into(),
            sid,
            send_attempt: self.send_attempt,
            language: self.language.clone(),
            created_at: now,
            not_before: now,
            tries: 0,
        }
    }
}

#[cfg(test)]
mod tests;
