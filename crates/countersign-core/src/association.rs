//! Associations: what the identity service publishes, a 3PID and the user whose it is
//! ([spec](https://spec.matrix.org/v1.19/identity-service-api/#establishing-associations)).

use crate::{AddressHash, LookupKey, LookupPepper, Medium, Sealed, Timestamp, UserId};

/// An address and the user whose it is. An address has one at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// The kind of address.
    pub medium: Medium,
    /// The address, to look up.
    pub address_hash: AddressHash,
    /// The address, to read.
    pub sealed_address: Sealed,
    /// Whose it is: a user of any server.
    pub user_id: UserId,
    /// When it was bound.
    pub bound_at: Timestamp,
}

/// A pepper that lookups are hashed with. It gets a number when it comes, so that keys under it can be told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPepper {
    /// Grows from one pepper to the next.
    pub number: i64,
    /// The pepper.
    pub pepper: LookupPepper,
    /// Which part it plays.
    pub state: PepperState,
}

/// Which part a pepper plays. One is current; beside it another may be filling, which takes its place once each association
/// has a key under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PepperState {
    /// Associations get keys under it, and nobody looks up with it yet.
    Filling,
    /// Clients look up with it.
    Current,
    /// Nobody looks up with it any more, and its keys are being deleted.
    Retired,
}

impl PepperState {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Current => "current",
            Self::Retired => "retired",
        }
    }

    /// The state of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Filling, Self::Current, Self::Retired].into_iter().find(|state| state.as_str() == name)
    }

    /// Whether a new association needs a key under a pepper in this state.
    pub const fn wants_keys(self) -> bool {
        match self {
            Self::Filling | Self::Current => true,
            Self::Retired => false,
        }
    }
}

/// A key under the pepper of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PepperedKey {
    /// The pepper's number.
    pub pepper: i64,
    /// The key.
    pub key: LookupKey,
}

/// Of `keys` those that an association needs so that lookups find it: one under each pepper that wants keys. `None` if one is
/// missing, or if there is no current pepper, since a pepper that comes as the first is not filled.
pub fn wanted_keys(keys: &[PepperedKey], peppers: &[HeldPepper]) -> Option<Vec<PepperedKey>> {
    if !peppers.iter().any(|pepper| pepper.state == PepperState::Current) {
        return None;
    }
    let wanted = peppers.iter().filter(|pepper| pepper.state.wants_keys());
    wanted.map(|pepper| keys.iter().find(|key| key.pepper == pepper.number).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_back() {
        for state in [PepperState::Filling, PepperState::Current, PepperState::Retired] {
            assert_eq!(PepperState::parse(state.as_str()), Some(state));
        }
        assert_eq!(PepperState::parse(""), None);
    }

    #[test]
    fn keys_are_wanted_under_each_pepper_but_retired_ones() {
        let pepper = |number, state| HeldPepper { number, pepper: LookupPepper::parse("p").unwrap(), state };
        let key = |pepper| PepperedKey { pepper, key: LookupKey::from_bytes([1; 32]) };
        let peppers = [
            pepper(1, PepperState::Retired),
            pepper(2, PepperState::Current),
            pepper(3, PepperState::Filling),
        ];
        for keys in [vec![key(3), key(2)], vec![key(1), key(2), key(3), key(3), key(4)]] {
            assert_eq!(wanted_keys(&keys, &peppers), Some(vec![key(2), key(3)]));
        }
        for keys in [vec![key(2)], vec![key(3), key(1)], vec![]] {
            assert_eq!(wanted_keys(&keys, &peppers), None);
        }
        for peppers in [&[][..], &peppers[2..]] {
            assert_eq!(wanted_keys(&[key(3)], peppers), None, "nobody would find it");
        }
    }
}
