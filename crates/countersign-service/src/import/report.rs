//! What an import says when it is done.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use countersign_core::Imported;

/// What is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImportKind {
    /// Associations of an identity server.
    Associations,
    /// Its invitations.
    Invitations,
    /// The public keys of its invitations.
    EphemeralKeys,
    /// Its access tokens.
    AccessTokens,
    /// The policies that its users accepted.
    AcceptedTerms,
    /// Its validation sessions.
    Sessions,
    /// Addresses of accounts.
    Threepids,
}

impl Display for ImportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Associations => "associations",
            Self::Invitations => "invitations",
            Self::EphemeralKeys => "ephemeral keys",
            Self::AccessTokens => "access tokens",
            Self::AcceptedTerms => "accepted terms",
            Self::Sessions => "sessions",
            Self::Threepids => "addresses",
        })
    }
}

/// Why a row is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// It is neither of an e-mail address nor of a phone number, where it may be of a phone number.
    Medium,
    /// Its address has no canonical form.
    Address,
    /// Nobody has the address any more.
    Unbound,
    /// It has ceased to be valid.
    Expired,
    /// Its user id is none.
    User,
    /// Something else in it is missing or makes no sense.
    Malformed,
    /// Its address is another user's here.
    OtherUser,
    /// Its account is not here, or was given up.
    NoAccount,
    /// It came from another identity server.
    OtherIdentityServer,
    /// Its user is of another homeserver.
    OtherHomeserver,
    /// No configured policy stands at its URL.
    NoPolicy,
    /// It would be over in a day at the latest: its owner begins anew.
    ShortLived,
}

impl Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Medium => "are of a medium that is not taken",
            Self::Address => "have an address that is none, or not in a form that is taken",
            Self::Unbound => "were unbound",
            Self::Expired => "have expired",
            Self::User => "have no good user id",
            Self::Malformed => "have something missing",
            Self::OtherUser => "have an address that is another user's here",
            Self::NoAccount => "are of an account that is not here",
            Self::OtherIdentityServer => "came from other identity servers, and can be taken back only there",
            Self::OtherHomeserver => "are of users of other homeservers",
            Self::NoPolicy => "are of documents that identity.terms does not name",
            Self::ShortLived => "would be over in a day: whoever is at it begins anew",
        })
    }
}

/// What became of rows of one kind. Each row is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many came.
    pub taken: u64,
    /// How many were here already.
    pub already_there: u64,
    /// How many had the address of an earlier row, written otherwise. Of their users the one that was bound last has it.
    pub merged: u64,
    /// How many were left, and why.
    pub left: BTreeMap<Left, u64>,
}

impl Tally {
    pub(super) fn count(&mut self, outcome: Imported) {
        match outcome {
            Imported::Taken => self.taken += 1,
            Imported::AlreadyThere => self.already_there += 1,
            Imported::OtherUser => self.leave(Left::OtherUser),
            Imported::NoAccount => self.leave(Left::NoAccount),
        }
    }

    pub(super) fn leave(&mut self, left: Left) {
        self.leave_all(left, 1);
    }

    pub(super) fn leave_all(&mut self, left: Left, count: u64) {
        if count != 0 {
            *self.left.entry(left).or_default() += count;
        }
    }

    /// How many were left.
    pub fn left_count(&self) -> u64 {
        self.left.values().sum()
    }
}

/// What became of the pepper of an identity server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PepperOutcome {
    /// Clients look up with it here, too.
    Taken,
    /// They did already.
    AlreadyCurrent,
    /// There was none.
    None,
    /// It is none that can be used.
    Unusable,
    /// Another one is in use here.
    InUse,
}

/// What became of the signing key of an identity server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningKeyOutcome {
    /// This server signs with it. Its id.
    Current(String),
    /// Another key of that id is here, or this one was retired. The id.
    Refused(String),
    /// None was given.
    NotGiven,
}

/// What an import came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// What became of the rows.
    pub tallies: BTreeMap<ImportKind, Tally>,
    /// What became of the pepper, if it was about an identity server.
    pub pepper: Option<PepperOutcome>,
    /// What became of the signing key, if it was about an identity server.
    pub signing_key: Option<SigningKeyOutcome>,
}
