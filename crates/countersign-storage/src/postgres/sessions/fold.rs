//! What a round of requests knows and changes: each request sees what those before it in the round have decided.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::{
    AddressHash, Localpart, OutboxMessage, RequestDecision, RequestState, Requested, SessionChange,
    SessionId, SessionKey, Timestamp, ValidationRequest, ValidationSession,
};

use crate::postgres::{budgets::Budgets, failure::Outcome, lane::decide};

/// What the database knows about the addresses of a round.
#[derive(Default)]
pub(super) struct Addresses {
    pub(super) owners: BTreeMap<AddressHash, Localpart>,
    pub(super) suppressed: BTreeSet<AddressHash>,
}

/// A round of requests, as it goes on.
pub(super) struct Fold {
    addresses: Addresses,
    pub(super) budgets: Budgets,
    /// The latest session of each key that has one.
    latest: BTreeMap<SessionKey, SessionId>,
    sessions: BTreeMap<SessionId, Entry>,
    /// Messages to insert.
    pub(super) messages: Vec<OutboxMessage>,
    /// Messages of this round whose place was taken in this round, and when.
    pub(super) superseded: Vec<(OutboxMessage, Timestamp)>,
    /// Sessions whose waiting messages lost their place to one of this round, and when.
    pub(super) supersede: BTreeMap<SessionId, Timestamp>,
}

struct Entry {
    session: ValidationSession,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Loaded,
    Changed,
    New,
}

impl Fold {
    /// Begins with what was loaded: for each key at most its latest session.
    pub(super) fn new(loaded: Vec<ValidationSession>, addresses: Addresses, budgets: Budgets) -> Self {
        let latest = loaded.iter().map(|session| (session.key, session.sid)).collect();
        let entry = |session: ValidationSession| (session.sid, Entry { session, origin: Origin::Loaded });
        Self {
            addresses,
            budgets,
            latest,
            sessions: loaded.into_iter().map(entry).collect(),
            messages: Vec::new(),
            superseded: Vec::new(),
            supersede: BTreeMap::new(),
        }
    }

    /// Lets core decide about the next request.
    pub(super) fn request(&mut self, request: &ValidationRequest, now: Timestamp) -> Outcome<Requested> {
        let latest = self.latest.get(&request.key).and_then(|sid| self.sessions.get(sid));
        let state = RequestState {
            existing: latest.map(|entry| entry.session.clone()),
            owner: self.addresses.owners.get(&request.address_hash).cloned(),
            suppressed: self.addresses.suppressed.contains(&request.address_hash),
            full_at: self.budgets.full_at(&request.charges),
        };
        let decision = decide(|| ValidationSession::request(&state, request, now))?;
        let answer = decision.answer;
        self.apply(decision, now);
        Ok(answer)
    }

    fn apply(&mut self, decision: RequestDecision, now: Timestamp) {
        match decision.session {
            SessionChange::Keep => {}
            SessionChange::Update(session) => {
                if decision.message.is_some() {
                    self.supersede(session.sid, now);
                }
                self.change(session);
            }
            SessionChange::Insert { session, former } => {
                if let Some(former) = former.and_then(|former| self.sessions.get(&former)) {
                    self.change(ValidationSession { latest: false, ..former.session.clone() });
                }
                self.latest.insert(session.key, session.sid);
                self.sessions.insert(session.sid, Entry { session, origin: Origin::New });
            }
        }
        self.messages.extend(decision.message);
        self.budgets.apply(&decision.budgets);
    }

    fn change(&mut self, session: ValidationSession) {
        let origin = match self.sessions.get(&session.sid).map(|entry| entry.origin) {
            Some(Origin::New) => Origin::New,
            Some(Origin::Loaded | Origin::Changed) | None => Origin::Changed,
        };
        self.sessions.insert(session.sid, Entry { session, origin });
    }

    fn supersede(&mut self, sid: SessionId, now: Timestamp) {
        let here = self.messages.extract_if(.., |message| message.sid == sid).map(|message| (message, now));
        self.superseded.extend(here);
        self.supersede.insert(sid, now);
    }

    /// Sessions to insert.
    pub(super) fn new_sessions(&self) -> Vec<&ValidationSession> {
        self.of_origin(Origin::New)
    }

    /// Sessions to update.
    pub(super) fn changed_sessions(&self) -> Vec<&ValidationSession> {
        self.of_origin(Origin::Changed)
    }

    /// The latest session of a key, after the round.
    pub(super) fn latest(&self, key: SessionKey) -> Option<SessionId> {
        self.latest.get(&key).copied()
    }

    fn of_origin(&self, origin: Origin) -> Vec<&ValidationSession> {
        self.sessions.values().filter(|entry| entry.origin == origin).map(|entry| &entry.session).collect()
    }
}
