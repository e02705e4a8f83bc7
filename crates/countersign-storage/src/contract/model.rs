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
}

/// At any time: a key names at most one session; a session has at most one message that waits without a lease; its
/// attempt is the highest among those that wait or were delivered; a message is never leased twice at once. A request
/// sends exactly when its attempt grows or nothing open has seen it.
pub(crate) async fn invariants_hold_after_any_history(storage: Arc<dyn Storage>) {
    let client = |number| {
        let client = request(SessionPurpose::Identity, &email(&format!("user{number}@example.org")));
        ValidationRequest { session_lifetime: HOUR, ..client }
    };
    let clients = (0..CLIENTS).map(client).collect();
    let mut world =
        World { storage, now: NOW, clients, sessions: Default::default(), messages: BTreeMap::new() };
    for _ in 0..STEPS {
        world.now = world.now.after(Duration::from_secs(up_to(40)));
        match up_to(10) {
            0..4 => world.ask().await,
            4..7 => world.lease().await,
            7..9 => world.finish().await,
            _ => world.answer().await,
        }
        world.check().await;
    }
    assert!(world.messages.len() > STEPS / 10, "the history is worth its name");
}

fn up_to(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    RANDOM.fill(&mut bytes);
    u64::from_be_bytes(bytes) % bound
}

impl World {
    async fn ask(&mut self) {
        let client = usize::try_from(up_to(CLIENTS as u64)).unwrap();
        let latest = self.latest(client).await.filter(|latest| is_open(latest, self.now));
        let seen = latest.as_ref().and_then(|latest| latest.send_attempt);
        let around = seen.map_or(0, |seen| seen.0) + i64::try_from(up_to(5)).unwrap() - 2;
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
            let message = Message { sid, send_attempt: request.send_attempt, lease: None };
            self.messages.insert(request.message_id, message);
        }
    }

    async fn lease(&mut self) {
        let request = lease_request(Medium::Email, 1 + usize::try_from(up_to(3)).unwrap(), self.now);
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
        let Some(pick) = up_to(1 << 32).checked_rem(leased.len() as u64) else { return };
        let (id, (lease_id, _)) = leased[usize::try_from(pick).unwrap()];
        let storage = &self.storage;
        let done = match up_to(3) {
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
        let client = usize::try_from(up_to(CLIENTS as u64)).unwrap();
        let Some(latest) = self.latest(client).await else { return };
        if up_to(2) == 0 {
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

    async fn check(&self) {
        let mut finished = BTreeMap::new();
        for id in self.messages.keys() {
            finished.insert(*id, self.storage.find_finished_message(*id).await.unwrap());
        }
        for sids in &self.sessions {
            let mut latest = 0;
            for sid in sids {
                let session = session(&*self.storage, *sid).await;
                latest += usize::from(session.latest);
                let of_session = || self.messages.iter().filter(|(_, message)| message.sid == *sid);
                let owed = of_session().filter(|(id, _)| finished[id].is_none());
                let waiting = owed.filter(|(_, message)| message.lease.is_none()).count();
                assert!(waiting <= 1 || session.send_attempt.is_none(), "{waiting} messages wait");
                if is_open(&session, self.now) && session.validated_at.is_none() {
                    let counts = of_session().filter(|(id, _)| match &finished[id] {
                        None => true,
                        Some(finished) => finished.outcome == MessageOutcome::Delivered,
                    });
                    assert_eq!(session.send_attempt, counts.map(|(_, message)| message.send_attempt).max());
                }
            }
            assert!(latest <= 1, "{latest} sessions have one key");
        }
    }
}

fn is_open(session: &ValidationSession, now: Timestamp) -> bool {
    session.latest && !session.is_expired(now) && session.ended.is_none() && session.consumed.is_none()
}
