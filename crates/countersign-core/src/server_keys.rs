//! The keys that a server publishes ([spec](https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server)).

use serde_json::{Map, Value};
use thiserror::Error;

use crate::{PublicKey, PublicKeys, ServerName, SigningKeyId, Timestamp, VerifyJsonError, verify_json};

/// The keys that a server signs with now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKeys {
    /// The keys. Never none.
    pub keys: PublicKeys,
    /// Until when they are good.
    pub valid_until: Timestamp,
}

/// Why a document is not the keys of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidServerKeys {
    /// It is not of the form that the specification has.
    #[error("the document is not one of server keys")]
    Form,
    /// It is another server's.
    #[error("the keys are another server's")]
    ServerName,
    /// The server did not sign it with a key that is in it.
    #[error("the document is not signed by a key that is in it")]
    Signature(#[source] VerifyJsonError),
}

impl ServerKeys {
    /// Reads the document that a server publishes about itself. Keys of other algorithms, and keys that it doesn't use any
    /// more, are left out.
    ///
    /// # Errors
    /// When the form is wrong, or the server didn't sign it.
    pub fn parse(document: &Map<String, Value>, server_name: &ServerName) -> Result<Self, InvalidServerKeys> {
        use InvalidServerKeys as E;
        if document.get("server_name").and_then(Value::as_str).ok_or(E::Form)? != server_name.as_str() {
            return Err(E::ServerName);
        }
        let valid_until = document.get("valid_until_ts").and_then(Value::as_i64).ok_or(E::Form)?;
        let listed = document.get("verify_keys").and_then(Value::as_object).ok_or(E::Form)?;
        let mut keys = PublicKeys::new();
        for (id, entry) in listed {
            let Ok(id) = SigningKeyId::parse(id) else { continue };
            let key = entry.get("key").and_then(Value::as_str).ok_or(E::Form)?;
            keys.insert(id, PublicKey::parse(key).map_err(|_| E::Form)?);
        }
        verify_json(document, server_name, &keys).map_err(E::Signature)?;
        Ok(Self { keys, valid_until: Timestamp::from_millis(valid_until) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{SigningKey, sign_json};

    fn name() -> ServerName {
        ServerName::parse("example.org:8448").unwrap()
    }

    fn key(version: &str) -> SigningKey {
        SigningKey::from_seed(SigningKeyId::from_version(version).unwrap(), &[7; 32])
    }

    fn document(changes: &[(&str, Value)]) -> Map<String, Value> {
        let document = json!({
            "server_name": "example.org:8448",
            "valid_until_ts": 1_700_000_000_000_i64,
            "verify_keys": {
                "ed25519:a": { "key": key("a").public_key().to_base64() },
                "other:1": { "key": "?" },
            },
            "old_verify_keys": { "ed25519:old": { "expired_ts": 1, "key": key("old").public_key().to_base64() } },
        });
        let mut document = document.as_object().unwrap().clone();
        for (member, value) in changes {
            document.insert((*member).to_owned(), value.clone());
        }
        sign_json(&mut document, &name(), &key("a")).unwrap();
        document
    }

    #[test]
    fn current_keys_are_read() {
        let keys = ServerKeys::parse(&document(&[]), &name()).unwrap();
        assert_eq!(keys.keys, PublicKeys::from([(key("a").id().clone(), key("a").public_key())]));
        assert_eq!(keys.valid_until, Timestamp::from_millis(1_700_000_000_000));
    }

    #[test]
    fn what_a_server_did_not_say_of_itself_is_refused() {
        let other = ServerName::parse("example.org").unwrap();
        assert_eq!(ServerKeys::parse(&document(&[]), &other), Err(InvalidServerKeys::ServerName));

        let mut changed = document(&[]);
        changed.insert("valid_until_ts".to_owned(), json!(1_800_000_000_000_i64));
        let wrong = InvalidServerKeys::Signature(VerifyJsonError::Wrong);
        assert_eq!(ServerKeys::parse(&changed, &name()), Err(wrong));

        let not_signed = InvalidServerKeys::Signature(VerifyJsonError::NotSigned);
        for verify_keys in [
            json!({}),
            json!({ "ed25519:b": { "key": key("b").public_key().to_base64() } }),
            json!({ "x:1": 1 }),
        ] {
            let document = document(&[("verify_keys", verify_keys)]);
            assert_eq!(ServerKeys::parse(&document, &name()), Err(not_signed));
        }
    }

    #[test]
    fn another_form_is_refused() {
        for (member, value) in [
            ("server_name", json!(1)),
            ("valid_until_ts", json!("soon")),
            ("valid_until_ts", json!(null)),
            ("verify_keys", json!([])),
            ("verify_keys", json!({ "ed25519:a": "key" })),
            ("verify_keys", json!({ "ed25519:a": { "key": "short" } })),
        ] {
            let document = document(&[(member, value)]);
            assert_eq!(ServerKeys::parse(&document, &name()), Err(InvalidServerKeys::Form), "{member}");
        }
        assert_eq!(ServerKeys::parse(&Map::new(), &name()), Err(InvalidServerKeys::Form));
    }
}
