//! Addresses to look up, and those that were found.

use std::str::FromStr;

use anyhow::{Context as _, Result};
use countersign_client::{
    Error, IdentityClient,
    identity::{EmailAddress, Msisdn, ThirdPartyIdentifier},
};

use crate::cli::client::answer::Found;

/// An e-mail address if it has an `@`, or else a phone number with its country code.
#[derive(Clone)]
pub(in crate::cli::client) struct Address(ThirdPartyIdentifier);

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let threepid = match text.contains('@') {
            true => EmailAddress::parse(text)?.into(),
            false => {
                Msisdn::from_canonical(text).context("a number has its country code: +447700900123")?.into()
            }
        };
        Ok(Self(threepid))
    }
}

/// Looks the addresses up.
pub(super) async fn find(client: &IdentityClient, addresses: Vec<Address>) -> Result<Found, Error> {
    let addresses: Vec<ThirdPartyIdentifier> =
        addresses.into_iter().map(|Address(threepid)| threepid).collect();
    let found = client.lookup_addresses(&addresses).await?.into_iter();
    Ok(Found { mappings: found.map(|(threepid, user)| (threepid.address().to_owned(), user)).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_by_its_at_sign() {
        for (text, medium, address) in [
            ("Alice@Example.org", "email", "alice@example.org"),
            ("+447700900123", "msisdn", "447700900123"),
            ("447700900123", "msisdn", "447700900123"),
        ] {
            let Address(threepid) = text.parse().unwrap();
            assert_eq!((threepid.medium().as_str(), threepid.address()), (medium, address));
        }
        for text in ["", "alice", "@", "07700900123", "a@b@c.de"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
