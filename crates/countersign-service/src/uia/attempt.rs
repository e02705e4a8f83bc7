//! What a client tries, and why it does not count.

use countersign_core::{ClientSecret, SessionId, Stage};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::AccountIdentifier;

/// A stage that a client tries to complete.
pub enum StageAttempt {
    /// `m.login.dummy`
    Dummy,
    /// `m.login.terms`
    Terms,
    /// `m.login.password`
    Password {
        /// The account.
        identifier: AccountIdentifier,
        /// Its password.
        password: Zeroizing<String>,
    },
    /// `m.login.email.identity` or `m.login.msisdn`
    Threepid {
        /// Which of the two.
        stage: Stage,
        /// The validation session; `None` if what the client sent names none.
        sid: Option<SessionId>,
        /// Its client secret.
        client_secret: ClientSecret,
    },
    /// `m.login.registration_token`
    RegistrationToken(Zeroizing<String>),
    /// A stage without what it needs.
    Incomplete(Stage),
    /// A type that this server does not know.
    Unknown,
}

/// Why a tried stage does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StageFailure {
    /// No flow has it, or it is unknown.
    #[error("This authentication stage is not offered here")]
    NotOffered,
    /// Another stage comes first.
    #[error("Another authentication stage comes first")]
    OutOfOrder,
    /// It lacks something.
    #[error("This authentication stage lacks a field that it needs")]
    Incomplete,
    /// Wrong account or password.
    #[error("Wrong username or password")]
    Forbidden,
    /// The validation session does not prove the address, or not yet.
    #[error("The address was not validated yet, or this session does not prove it")]
    Unproven,
    /// There is no such registration token, or its uses or its time are over.
    #[error("This registration token is not valid")]
    TokenInvalid,
    /// The client has not been told yet which policies it accepts.
    #[error("The policies to accept stand in params")]
    TermsNotShown,
}

impl StageAttempt {
    /// The stage that it tries; `None`: one that this server does not know.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Dummy => Some(Stage::Dummy),
            Self::Terms => Some(Stage::Terms),
            Self::Password { .. } => Some(Stage::Password),
            Self::Threepid { stage, .. } | Self::Incomplete(stage) => Some(*stage),
            Self::RegistrationToken(_) => Some(Stage::RegistrationToken),
            Self::Unknown => None,
        }
    }

    /// Whether what it proves is remembered in a session, which must be stored first.
    pub(super) fn needs_a_stored_session(&self) -> bool {
        match self {
            Self::Terms | Self::Threepid { .. } | Self::RegistrationToken(_) => true,
            Self::Dummy | Self::Password { .. } | Self::Incomplete(_) | Self::Unknown => false,
        }
    }

    /// The validation session and its client secret.
    pub(super) fn creds(&self) -> Option<(String, &str)> {
        match self {
            Self::Threepid { sid: Some(sid), client_secret, .. } => {
                Some((sid.to_string(), client_secret.expose()))
            }
            Self::Threepid { sid: None, .. }
            | Self::Dummy
            | Self::Terms
            | Self::Password { .. }
            | Self::RegistrationToken(_)
            | Self::Incomplete(_)
            | Self::Unknown => None,
        }
    }
}
