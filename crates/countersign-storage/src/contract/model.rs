//! Long random histories of a few clients and workers, after each step of which certain things must hold.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_core::{
    GiveUpReason, LeaseId, Medium, MessageId, MessageOutcome, Random, Requested, SendAttempt, SessionId,
    SessionPurpose, Submitted, Timestamp, ValidationRequest, ValidationSession,
};

use super::data::*;
use crate::Storage;

const STEPS: usize = 1500;
const CLIENTS: usize = 3;

/// What the workers and clients remember.
struct World {
    storage: Arc<dyn Storage>,
    choices: CountingRandom,
    now: Timestamp,
    clients: Vec<ValidationRequest>,
    /// By client, oldest first.
    sessions: [Vec<SessionId>; CLIENTS],
    messages: BTreeMap<MessageId, Message>,
}

struct Message {
    sid: SessionId,
    send_attempt: SendAttempt,
    lease: Option<(LeaseId, Timestamp)>,
    outcome: Option<MessageOutcome>,
}

/// At any time: a key names at most one session; of a session's messages that wait without a lease, at most one is to be
/// sent; its attempt is the highest among those that wait or were delivered; a message is never leased twice at once. A request
/// sends exactly when its attempt grows or nothing open has seen it.
pub(crate) async fn invariants_hold_after_any_history(storage: Arc<dyn Storage>) {
    let client = |number| {
        let client = request(SessionPurpose::Identity, &email(&format!("user{number}@example.org")));
        ValidationRequest { session_lifetime: HOUR, ..client }
    };
    let clients = (0..CLIENTS).map(client).collect();
    let (sessions, messages) = (Default::default(), BTreeMap::new());
    let choices = CountingRandom::new();
    let mut world = World { storage, choices, now: NOW, clients, sessions, messages };
    for _ in 0..STEPS {
        world.now = world.now.after(Duration::from_secs(world.choose(40)));
        match world.choose(10) {
            0..4 => world.ask().await,
            4..7 => world.lease().await,
            7..9 => world.finish().await,
            _ => world.answer().await,
        }
        world.check().await;
    }
    assert!(world.messages.len() > STEPS / 10, "the history is worth its name");
}

impl World {
    /// A number below `bound`. The choices are the same in each run, whatever other cases run beside.
    fn choose(&self, bound: u64) -> u64 {
        u64::from_be_bytes((&self.choices as &dyn Random).bytes()) % bound
    }

    async fn ask(&mut self) {
        let client = usize::try_from(self.choose(CLIENTS as u64)).unwrap();
        let latest = self.latest(client).await.filter(|latest| is_open(latest, self.now));
        let seen = latest.as_ref().and_then(|latest| latest.send_attempt);
        let around = seen.map_or(0, |seen| seen.0) + i64::try_from(self.choose(5)).unwrap() - 2;
        let request = again(&self.clients[client], around);
        let grows = seen.is_none_or(|seen| seen < request.send_attempt);
        let reused = latest.filter(|latest| latest.validated_at.is_none() || !grows).map(|latest| latest.sid);
        let sid = reused.unwrap_or(request.new_sid);
        let expected = if grows { Requested::Sending(sid) } else { Requested::Repeated(sid) };
        let answer = self.storage.request_validation(request.clone(), self.now).await.unwrap();
        assert_eq!(answer, expected);
        if !self.sessions[client].contains(&sid) {
            self.sessions[client].push(sid);
        }
        if grows {
            let message = Message { sid, send_attempt: request.send_attempt, lease: None, outcome: None };
            self.messages.insert(request.message_id, message);
        }
    }

    async fn lease(&mut self) {
        let request = lease_request(Medium::Email, 1 + usize::try_from(self.choose(3)).unwrap(), self.now);
        for leased in self.storage.lease(request.clone(), self.now).await.unwrap() {
            let message = self.messages.get_mut(&leased.message.id).unwrap();
            assert!(message.lease.is_none_or(|(_, until)| until < self.now), "it was leased twice at once");
            message.lease = Some((request.lease_id, request.leased_until));
            assert_eq!(leased.session, session(&*self.storage, message.sid).await);
        }
    }

    async fn finish(&mut self) {
        let leased = self.messages.iter().filter_map(|(id, message)| Some((*id, message.lease?)));
        let leased: Vec<_> = leased.collect();
        let Some(pick) = self.choose(1 << 32).checked_rem(leased.len() as u64) else { return };
        let (id, (lease_id, _)) = leased[usize::try_from(pick).unwrap()];
        let storage = &self.storage;
        let done = match self.choose(3) {
            0 => storage.mark_delivered(id, lease_id, self.now).await.unwrap(),
            1 => storage.retry_at(id, lease_id, self.now.after(MINUTE)).await.unwrap(),
            _ => storage.give_up(id, lease_id, GiveUpReason::Refused, None, self.now).await.unwrap(),
        };
        if done {
            self.messages.get_mut(&id).unwrap().lease = None;
        }
    }

    /// A client hands in its token, or the owner says that it wasn't them.
    async fn answer(&mut self) {
        let client = usize::try_from(self.choose(CLIENTS as u64)).unwrap();
        let Some(latest) = self.latest(client).await else { return };
        if self.choose(2) == 0 {
            self.storage.not_me(not_me(&latest), self.now).await.unwrap();
            return;
        }
        let answer =
            self.storage.submit_token(submission(&latest, &link_token(&latest)), self.now).await.unwrap();
        let works = latest.ended.is_none() && !latest.is_expired(self.now);
        assert_eq!(answer, if works { Submitted::Validated } else { Submitted::Expired });
    }

    async fn latest(&self, client: usize) -> Option<ValidationSession> {
        let sid = self.sessions[client].last()?;
        Some(session(&*self.storage, *sid).await)
    }

    async fn check(&mut self) {
        for (id, message) in self.messages.iter_mut().filter(|(_, message)| message.outcome.is_none()) {
            let finished = self.storage.find_finished_message(*id).await.unwrap();
            message.outcome = finished.map(|finished| finished.outcome);
        }
        for sids in &self.sessions {
            let mut latest = 0;
            for sid in sids {
                let session = session(&*self.storage, *sid).await;
                latest += usize::from(session.latest);
                let of_session = || self.messages.values().filter(|message| message.sid == *sid);
                let to_send = |message: &&Message| {
                    message.outcome.is_none()
                        && message.lease.is_none()
                        && session.send_attempt <= Some(message.send_attempt)
                };
                let to_send = of_session().filter(to_send).count();
                assert!(to_send <= 1, "{to_send} messages wait and will be sent");
                if is_open(&session, self.now) && session.validated_at.is_none() {
                    let counts = |message: &&Message| {
                        message.outcome.is_none_or(|outcome| outcome == MessageOutcome::Delivered)
                    };
                    let highest = of_session().filter(counts).map(|message| message.send_attempt).max();
                    assert_eq!(session.send_attempt, highest);
                }
            }
            assert!(latest <= 1, "{latest} sessions have one key");
        }
    }
}

fn is_open(session: &ValidationSession, now: Timestamp) -> bool {
    session.latest && !session.is_expired(now) && session.ended.is_none() && session.consumed.is_none()
}
