//! Invitations: a user invites the owner of an address that is bound to nobody yet
//! ([spec](https://spec.matrix.org/v1.19/identity-service-api/#invitation-storage)).

use crate::{
    AddressHash, BudgetUpdate, Charge, InvitationTokenHash, Limited, Sealed, SessionId, Timestamp, UserId,
    charge,
};

/// An invitation to the owner of an e-mail address. It waits until that is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The token that names it, to look up.
    pub token_hash: InvitationTokenHash,
    /// The address, to look up.
    pub address_hash: AddressHash,
    /// Who invites.
    pub sender: UserId,
    /// Everything else, as JSON: token, address, keys, and what the sender said of the room.
    pub sealed_details: Sealed,
    /// The session whose message is its mail.
    pub sid: SessionId,
    /// When it came.
    pub created_at: Timestamp,
    /// When it was handed over to the homeserver of the user who bound the address.
    pub handed_over_at: Option<Timestamp>,
}

/// What the database says about the address of an invitation.
#[derive(Clone, Debug)]
pub struct InvitationState {
    /// The user to whom the address is bound.
    pub bound_to: Option<UserId>,
    /// Whether the owner of the address wants no messages.
    pub suppressed: bool,
    /// For each charge, when its budget is full again, if it has a row.
    pub full_at: Vec<Option<Timestamp>>,
}

/// What becomes of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvitationFate {
    /// It waits, and its mail goes out.
    Mailed,
    /// It waits without a mail.
    Unmailed,
    /// It is not kept: the address is bound to this user.
    InUse(UserId),
}

impl Invitation {
    /// Decides what becomes of an invitation, and what budgets are left with. One to an address that is bound, or whose owner
    /// wants no messages, is charged like any other: else it would be a free way to ask.
    ///
    /// # Errors
    /// When a budget is spent. Nothing is charged then.
    pub fn store(
        state: &InvitationState,
        charges: &[Charge],
        now: Timestamp,
    ) -> Result<(InvitationFate, Vec<BudgetUpdate>), Limited> {
        let budgets = charge(charges, &state.full_at, now)?;
        let fate = match (&state.bound_to, state.suppressed) {
            (Some(user_id), _) => InvitationFate::InUse(user_id.clone()),
            (None, true) => InvitationFate::Unmailed,
            (None, false) => InvitationFate::Mailed,
        };
        Ok((fate, budgets))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        BudgetKey, BudgetKind, Localpart, Rate, ServerName, SubjectHash, validation_session::test_data::NOW,
    };

    #[test]
    fn each_invitation_is_charged_whatever_becomes_of_it() {
        let key = BudgetKey { kind: BudgetKind::MessagesHourly, subject: SubjectHash::from_bytes([1; 32]) };
        let charges = [Charge { key, rate: Rate::per(1, Duration::from_secs(60)) }];
        let server_name = ServerName::parse("example.org").unwrap();
        let user = UserId::new(&Localpart::from_stored("alice".to_owned()), &server_name);
        for (bound_to, suppressed, expected) in [
            (None, false, InvitationFate::Mailed),
            (None, true, InvitationFate::Unmailed),
            (Some(user.clone()), false, InvitationFate::InUse(user.clone())),
            (Some(user.clone()), true, InvitationFate::InUse(user)),
        ] {
            let state = InvitationState { bound_to, suppressed, full_at: vec![None] };
            let (fate, budgets) = Invitation::store(&state, &charges, NOW).unwrap();
            assert_eq!((fate, budgets.len()), (expected, 1));
            let spent = InvitationState { full_at: vec![Some(budgets[0].full_at)], ..state };
            assert!(Invitation::store(&spent, &charges, NOW).is_err());
        }
    }
}
