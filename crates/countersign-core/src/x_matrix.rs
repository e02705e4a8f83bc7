//! Requests that a server signs ([spec](https://spec.matrix.org/v1.19/server-server-api/#request-authentication)).

mod header;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::{
    NotCanonical, PublicKeys, ServerName, Signature, SigningKey, SigningKeyId,
    canonical_json::canonical_json_object,
};

/// A request as its sender signs it.
#[derive(Clone, Copy, Debug)]
pub struct RequestToSign<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Path and query exactly as they are sent, from the first slash on.
    pub uri: &'a str,
    /// The body, if there is one.
    pub content: Option<&'a Value>,
}

/// How the signed object calls the server that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationField {
    /// `destination`, as the specification has it.
    Destination,
    /// `destination_is`, which Synapse signs for identity services, and the only one that Sydent takes.
    DestinationIs,
}

impl DestinationField {
    const BOTH: [Self; 2] = [Self::Destination, Self::DestinationIs];

    fn as_str(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::DestinationIs => "destination_is",
        }
    }
}

/// The `Authorization` header of a signed request: `X-Matrix origin="…",destination="…",key="…",sig="…"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XMatrix {
    /// Who sent the request, by its own word.
    pub origin: ServerName,
    /// Whom it is for. Old servers leave it out.
    pub destination: Option<ServerName>,
    /// Which of the sender's keys signed it.
    pub key: SigningKeyId,
    /// The signature.
    pub signature: Signature,
}

/// Text that is no header of a signed request. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the Authorization header is not of the form X-Matrix origin=…,destination=…,key=…,sig=…")]
pub struct InvalidXMatrix;

/// Why a signed request does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VerifyRequestError {
    /// It is for another server.
    #[error("the request is for another server")]
    Destination,
    /// Its key is none of the sender's.
    #[error("the key is unknown")]
    Key,
    /// The signature is not of this request.
    #[error("the signature is wrong")]
    Wrong,
}

impl XMatrix {
    /// Signs a request.
    ///
    /// # Errors
    /// When the body holds a number that can't be signed.
    pub fn sign(
        request: &RequestToSign<'_>,
        origin: &ServerName,
        destination: &ServerName,
        field: DestinationField,
        key: &SigningKey,
    ) -> Result<Self, NotCanonical> {
        let signed = request.signed(origin, destination, field)?;
        Ok(Self {
            origin: origin.clone(),
            destination: Some(destination.clone()),
            key: key.id().clone(),
            signature: key.sign(signed.as_bytes()),
        })
    }

    /// Parses a header. Names are read without regard to case, values as tokens or quoted, unknown parameters are skipped;
    /// `signature`, as one place of the specification has it, stands for `sig`.
    ///
    /// # Errors
    /// When it is of another scheme, a parameter is missing, comes twice, or has a value that can't be.
    pub fn parse(header: &str) -> Result<Self, InvalidXMatrix> {
        header::parse(header)
    }

    /// Writes the header, with all values quoted.
    pub fn to_header(&self) -> String {
        header::write(self)
    }

    /// Checks that the sender signed this request, with one of `keys`, for a server of one of `own_names`, whichever way
    /// the signed object calls it. A header without destination passes for each of the names.
    ///
    /// # Errors
    /// Says why it does not pass.
    pub fn verify(
        &self,
        request: &RequestToSign<'_>,
        own_names: &[ServerName],
        keys: &PublicKeys,
    ) -> Result<(), VerifyRequestError> {
        let is_meant =
            |name: &&ServerName| self.destination.as_ref().is_none_or(|destination| destination == *name);
        let mut names = own_names.iter().filter(is_meant).peekable();
        if names.peek().is_none() {
            return Err(VerifyRequestError::Destination);
        }
        let key = keys.get(&self.key).ok_or(VerifyRequestError::Key)?;
        for name in names {
            for field in DestinationField::BOTH {
                let signed = request.signed(&self.origin, name, field);
                let signed = signed.map_err(|NotCanonical| VerifyRequestError::Wrong)?;
                if key.verifies(signed.as_bytes(), &self.signature) {
                    return Ok(());
                }
            }
        }
        Err(VerifyRequestError::Wrong)
    }
}

impl RequestToSign<'_> {
    /// The text under the signature.
    fn signed(
        &self,
        origin: &ServerName,
        destination: &ServerName,
        field: DestinationField,
    ) -> Result<String, NotCanonical> {
        let mut object = Map::new();
        object.insert("method".to_owned(), self.method.into());
        object.insert("uri".to_owned(), self.uri.into());
        object.insert("origin".to_owned(), origin.as_str().into());
        object.insert(field.as_str().to_owned(), destination.as_str().into());
        if let Some(content) = self.content {
            object.insert("content".to_owned(), content.clone());
        }
        canonical_json_object(&object)
    }
}

#[cfg(test)]
mod tests;
