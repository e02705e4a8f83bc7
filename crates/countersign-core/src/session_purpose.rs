//! What a validation session may prove.

/// What a validation session may prove. A session of one purpose is unknown to every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionPurpose {
    /// The address of an account that is being made.
    Register,
    /// An address to be added to an existing account.
    AddThreepid,
    /// The right to set a new password.
    ResetPassword,
    /// A validation by the identity service, for its own callers.
    Identity,
    /// A validation for any program, by the neutral API.
    Verify,
}

impl SessionPurpose {
    /// Every purpose.
    pub const ALL: [Self; 5] =
        [Self::Register, Self::AddThreepid, Self::ResetPassword, Self::Identity, Self::Verify];

    /// The name in the configuration and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::AddThreepid => "add_threepid",
            Self::ResetPassword => "reset_password",
            Self::Identity => "identity",
            Self::Verify => "verify",
        }
    }

    /// The purpose of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// What the address must be before a message is sent ([spec]).
    ///
    /// [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken
    pub const fn required_owner(self) -> RequiredOwner {
        match self {
            Self::Register | Self::AddThreepid => RequiredOwner::Nobody,
            Self::ResetPassword => RequiredOwner::Somebody,
            Self::Identity | Self::Verify => RequiredOwner::Anyone,
        }
    }
}

/// Whose an address must be when a token for it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredOwner {
    /// On no account, also not on the caller's own.
    Nobody,
    /// On an account.
    Somebody,
    /// It does not matter.
    Anyone,
}
