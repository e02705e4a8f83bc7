//! How a message leaves: each has workers of its own, so that a slow one holds up no other.

use crate::Medium;

/// How a message leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// A mail server.
    Email,
    /// An SMS gateway.
    Msisdn,
    /// A call of the homeserver that the message is for.
    Federation,
}

impl Carrier {
    /// Every carrier.
    pub const ALL: [Self; 3] = [Self::Email, Self::Msisdn, Self::Federation];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Msisdn => "msisdn",
            Self::Federation => "federation",
        }
    }

    /// The carrier of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|carrier| carrier.as_str() == name)
    }
}

impl From<Medium> for Carrier {
    /// What carries a message to an address of that medium.
    fn from(medium: Medium) -> Self {
        match medium {
            Medium::Email => Self::Email,
            Medium::Msisdn => Self::Msisdn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_media_keep_theirs() {
        for carrier in Carrier::ALL {
            assert_eq!(Carrier::parse(carrier.as_str()), Some(carrier));
        }
        for medium in [Medium::Email, Medium::Msisdn] {
            assert_eq!(Carrier::from(medium).as_str(), medium.as_str());
        }
        assert_eq!(Carrier::parse(""), None);
    }
}
