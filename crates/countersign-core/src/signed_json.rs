//! JSON objects that carry signatures of servers ([spec](https://spec.matrix.org/v1.19/appendices/#signing-json)).

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::{
    NotCanonical, PublicKey, ServerName, Signature, SigningKey, SigningKeyId, canonical_json::signed_part,
};

/// Public keys of one server, by name.
pub type PublicKeys = BTreeMap<SigningKeyId, PublicKey>;

/// Why an object can't be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignJsonError {
    /// It holds a number that can't be signed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// `signatures` is there, and not an object of objects.
    #[error("`signatures` is not an object of objects")]
    Signatures,
}

/// Signs an object in a server's name: adds to `signatures`, and leaves those of others and `unsigned` as they are.
///
/// # Errors
/// When the object can't be signed; it is unchanged then.
pub fn sign_json(
    object: &mut Map<String, Value>,
    signer: &ServerName,
    key: &SigningKey,
) -> Result<(), SignJsonError> {
    let signature = key.sign(signed_part(object)?.as_bytes());
    let mut signatures = match object.get("signatures") {
        None => Map::new(),
        Some(Value::Object(signatures)) => signatures.clone(),
        Some(_) => return Err(SignJsonError::Signatures),
    };
    let of_signer = signatures.entry(signer.as_str()).or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(of_signer) = of_signer else {
        return Err(SignJsonError::Signatures);
    };
    of_signer.insert(key.id().as_str().to_owned(), signature.to_base64().into());
    object.insert("signatures".to_owned(), signatures.into());
    Ok(())
}

/// Why an object does not pass as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VerifyJsonError {
    /// No signature of this server by one of these keys.
    #[error("there is no signature by a known key")]
    NotSigned,
    /// A signature by one of these keys is not of this object.
    #[error("the signature is wrong")]
    Wrong,
}

/// Checks that a server signed an object with at least one of `keys`, and that no signature by one of them is wrong.
/// Signatures by other keys and of other algorithms say nothing.
///
/// # Errors
/// Says why it does not pass.
pub fn verify_json(
    object: &Map<String, Value>,
    signer: &ServerName,
    keys: &PublicKeys,
) -> Result<(), VerifyJsonError> {
    let of_signer = object
        .get("signatures")
        .and_then(|signatures| signatures.get(signer.as_str()))
        .and_then(Value::as_object)
        .ok_or(VerifyJsonError::NotSigned)?;
    let signed = signed_part(object).map_err(|NotCanonical| VerifyJsonError::Wrong)?;
    let mut outcome = Err(VerifyJsonError::NotSigned);
    for (id, signature) in of_signer {
        let known = SigningKeyId::parse(id).ok().and_then(|id| keys.get(&id));
        let Some(key) = known else { continue };
        let signature = signature.as_str().and_then(|text| Signature::parse(text).ok());
        let signature = signature.ok_or(VerifyJsonError::Wrong)?;
        if !key.verifies(signed.as_bytes(), &signature) {
            return Err(VerifyJsonError::Wrong);
        }
        outcome = Ok(());
    }
    outcome
}

#[cfg(test)]
mod tests;
