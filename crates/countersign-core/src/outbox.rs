//! Messages that are owed, and what becomes of them (docs/decisions/0002).

use std::time::Duration;

use uuid::Uuid;

use crate::{Carrier, Language, Medium, Random, SendAttempt, SessionId, Timestamp, ValidationSession};

/// The id of an outbox row: a UUID of version 7. Repeats of a message carry the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// A new one.
    pub fn generate(now: Timestamp, random: &dyn Random) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random.bytes()).into_uuid())
    }

    /// The id with these bytes, as read back from the database.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The bytes to store or look up.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Link or code that proves the address.
    Validation,
    /// To the owner of an address: someone else tried to use it.
    AddressInUse,
    /// To an address without an account: someone tried to reset its password.
    NoAccount,
    /// To the addresses of an account: its password is another one now.
    PasswordChanged,
    /// To the other addresses of an account: an e-mail address came to it.
    EmailAdded,
    /// To the other addresses of an account: a phone number came to it.
    MsisdnAdded,
    /// To the addresses of an account: an e-mail address was taken from it.
    EmailRemoved,
    /// To the addresses of an account: a phone number was taken from it.
    MsisdnRemoved,
    /// To the addresses that an account had: it was deactivated.
    Deactivated,
    /// To an address: someone invites its owner into a room.
    Invitation,
    /// To the homeserver of a user who bound an address: the invitations that waited for it.
    OnBind,
}

impl MessageKind {
    const ALL: [Self; 11] = [
        Self::Validation,
        Self::AddressInUse,
        Self::NoAccount,
        Self::PasswordChanged,
        Self::EmailAdded,
        Self::MsisdnAdded,
        Self::EmailRemoved,
        Self::MsisdnRemoved,
        Self::Deactivated,
        Self::Invitation,
        Self::OnBind,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::AddressInUse => "address_in_use",
            Self::NoAccount => "no_account",
            Self::PasswordChanged => "password_changed",
            Self::EmailAdded => "email_added",
            Self::MsisdnAdded => "msisdn_added",
            Self::EmailRemoved => "email_removed",
            Self::MsisdnRemoved => "msisdn_removed",
            Self::Deactivated => "deactivated",
            Self::Invitation => "invitation",
            Self::OnBind => "on_bind",
        }
    }

    /// What the other addresses of an account are told when one of this medium comes to it.
    pub const fn added(medium: Medium) -> Self {
        match medium {
            Medium::Email => Self::EmailAdded,
            Medium::Msisdn => Self::MsisdnAdded,
        }
    }

    /// What the addresses of an account are told when one of this medium is taken from it.
    pub const fn removed(medium: Medium) -> Self {
        match medium {
            Medium::Email => Self::EmailRemoved,
            Medium::Msisdn => Self::MsisdnRemoved,
        }
    }

    /// How a message of this kind to an address of that medium leaves: what is for a homeserver, by a call of that.
    pub fn carrier(self, medium: Medium) -> Carrier {
        match self {
            Self::OnBind => Carrier::Federation,
            Self::Validation
            | Self::AddressInUse
            | Self::NoAccount
            | Self::PasswordChanged
            | Self::EmailAdded
            | Self::MsisdnAdded
            | Self::EmailRemoved
            | Self::MsisdnRemoved
            | Self::Deactivated
            | Self::Invitation => medium.into(),
        }
    }

    /// Whether it tells the owner of an account what became of it, and asks for nothing (docs/decisions/0012).
    pub const fn is_notice(self) -> bool {
        match self {
            Self::Validation | Self::AddressInUse | Self::NoAccount | Self::Invitation | Self::OnBind => {
                false
            }
            Self::PasswordChanged
            | Self::EmailAdded
            | Self::MsisdnAdded
            | Self::EmailRemoved
            | Self::MsisdnRemoved
            | Self::Deactivated => true,
        }
    }

    /// The kind of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A message that is owed to the address of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxMessage {
    /// Its row.
    pub id: MessageId,
    /// What it says.
    pub kind: MessageKind,
    /// How it leaves.
    pub carrier: Carrier,
    /// The session that owes it.
    pub sid: SessionId,
    /// The attempt that asked for it.
    pub send_attempt: SendAttempt,
    /// The language to write it in.
    pub language: Language,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Not to be sent earlier.
    pub not_before: Timestamp,
    /// How often sending was begun.
    pub tries: u32,
}

/// Names one worker's hold on the messages that it took. A stale one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseId([u8; 16]);

impl LeaseId {
    /// A new random one.
    pub fn generate(random: &dyn Random) -> Self {
        Self(random.bytes())
    }

    /// The id with these bytes, as read back from the database.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store or compare.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A message that a worker holds and must send now, with its session as it was saved when the lease was given.
#[derive(Clone, Debug)]
pub struct LeasedMessage {
    /// The message.
    pub message: OutboxMessage,
    /// Its session, in which the code's generation has begun.
    pub session: ValidationSession,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageOutcome {
    /// Handed over to the relay or gateway.
    Delivered,
    /// Not sent, for it was not needed any more.
    Dropped(DropReason),
    /// Not sent, and never will be.
    GivenUp(GiveUpReason),
}

/// Why a message was not needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The address is validated already.
    Validated,
    /// The session was ended.
    Ended,
    /// A later attempt took its place.
    Superseded,
}

/// Why a message will never be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GiveUpReason {
    /// The relay or gateway refused it for good.
    Refused,
    /// Its session expired first.
    Expired,
    /// It could not be written: a template or a sealed value is broken, or its key is gone.
    Unreadable,
}

impl MessageOutcome {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Dropped(DropReason::Validated) => "dropped_validated",
            Self::Dropped(DropReason::Ended) => "dropped_ended",
            Self::Dropped(DropReason::Superseded) => "dropped_superseded",
            Self::GivenUp(GiveUpReason::Refused) => "given_up_refused",
            Self::GivenUp(GiveUpReason::Expired) => "given_up_expired",
            Self::GivenUp(GiveUpReason::Unreadable) => "given_up_unreadable",
        }
    }
}

/// How long to wait between tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// After the first try.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
}

impl RetryPolicy {
    /// The wait after a failed try: doubled each time up to the longest, then shortened by up to a quarter at random so
    /// that messages that failed together don't come back together; never shorter than what the other side asked for.
    pub fn delay(&self, tries: u32, asked_for: Option<Duration>, jitter: u16) -> Duration {
        let doubled =
            self.first.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
        let full = doubled.min(self.longest);
        let shortened = full - full / 4 / u32::from(u16::MAX) * u32::from(jitter);
        shortened.max(asked_for.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { first: Duration::from_secs(5), longest: Duration::from_secs(600) };

    #[test]
    fn delays_grow_to_the_longest() {
        let delays: Vec<u64> = (1..=9).map(|tries| POLICY.delay(tries, None, 0).as_secs()).collect();
        assert_eq!(delays, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
    }

    #[test]
    fn the_other_side_can_ask_for_more_but_not_for_less() {
        assert_eq!(POLICY.delay(1, Some(Duration::from_secs(90)), 0).as_secs(), 90);
        assert_eq!(POLICY.delay(3, Some(Duration::from_secs(1)), 0).as_secs(), 20);
    }

    #[test]
    fn delays_stand_any_setting() {
        let endless = RetryPolicy { first: Duration::MAX, longest: Duration::MAX };
        assert_eq!(endless.delay(u32::MAX, None, 0), Duration::MAX);
        assert!(Duration::MAX / 2 < endless.delay(u32::MAX, None, u16::MAX));
        assert_eq!(POLICY.delay(0, None, 0), POLICY.first);
        assert_eq!(POLICY.delay(u32::MAX, None, 0), POLICY.longest);
    }

    #[test]
    fn names_in_the_database_are_all_different() {
        for kind in MessageKind::ALL {
            assert_eq!(MessageKind::parse(kind.as_str()), Some(kind));
        }
        let dropped =
            [DropReason::Validated, DropReason::Ended, DropReason::Superseded].map(MessageOutcome::Dropped);
        let given_up = [GiveUpReason::Refused, GiveUpReason::Expired, GiveUpReason::Unreadable];
        let outcomes = dropped.into_iter().chain(given_up.map(MessageOutcome::GivenUp));
        let mut names: Vec<_> =
            outcomes.chain([MessageOutcome::Delivered]).map(MessageOutcome::as_str).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 7);
    }

    #[test]
    fn message_ids_sort_by_time() {
        let random = crate::validation_session::test_data::ConstantRandom(9);
        let ids: Vec<_> = [0, 1, 1_800_000_000_000, 1_800_000_000_001]
            .map(|millis| MessageId::generate(Timestamp::from_millis(millis), &random))
            .into();
        assert!(
            ids.is_sorted() && ids.iter().all(|id| Uuid::from_bytes(*id.as_bytes()).get_version_num() == 7)
        );
        assert_eq!(ids[3].to_string().len(), 32);
    }

    proptest! {
        #[test]
        fn jitter_takes_at_most_a_quarter(tries: u32, jitter: u16) {
            let full = POLICY.delay(tries, None, 0);
            let jittered = POLICY.delay(tries, None, jitter);
            prop_assert!(jittered <= full && full * 3 / 4 <= jittered);
        }
    }
}
