//! Third party identifiers: a medium and a canonical address.

use std::fmt;

use crate::{EmailAddress, Msisdn};

/// The kind of a third party identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    /// An e-mail address.
    Email,
    /// A phone number.
    Msisdn,
}

impl Medium {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Msisdn => "msisdn",
        }
    }

    /// The medium of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Email, Self::Msisdn].into_iter().find(|medium| medium.as_str() == name)
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A 3PID: an address in canonical form, with its medium.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ThirdPartyIdentifier {
    /// An e-mail address.
    Email(EmailAddress),
    /// A phone number.
    Msisdn(Msisdn),
}

impl ThirdPartyIdentifier {
    /// Reads back an address that was stored in canonical form. `None` if it is no such address.
    pub fn from_canonical(medium: Medium, address: &str) -> Option<Self> {
        match medium {
            Medium::Email => EmailAddress::parse(address).ok().map(Self::Email),
            Medium::Msisdn => Msisdn::from_canonical(address).ok().map(Self::Msisdn),
        }
    }

    /// Its medium.
    pub const fn medium(&self) -> Medium {
        match self {
            Self::Email(_) => Medium::Email,
            Self::Msisdn(_) => Medium::Msisdn,
        }
    }

    /// The canonical address: folded e-mail address, or E.164 digits without `+`.
    pub fn address(&self) -> &str {
        match self {
            Self::Email(email) => email.as_str(),
            Self::Msisdn(msisdn) => msisdn.as_str(),
        }
    }

    /// The address with most of it hidden, for pages.
    pub fn masked(&self) -> String {
        match self {
            Self::Email(email) => email.masked(),
            Self::Msisdn(msisdn) => msisdn.masked(),
        }
    }
}

impl From<EmailAddress> for ThirdPartyIdentifier {
    fn from(email: EmailAddress) -> Self {
        Self::Email(email)
    }
}

impl From<Msisdn> for ThirdPartyIdentifier {
    fn from(msisdn: Msisdn) -> Self {
        Self::Msisdn(msisdn)
    }
}
