//! Signatures on a JSON object.

use std::collections::BTreeMap;

/// The value of `signatures`: by the signing server's name, then by the key's id, a signature in unpadded base64.
///
/// [Spec](https://spec.matrix.org/v1.19/appendices/#signing-json)
pub type Signatures = BTreeMap<String, BTreeMap<String, String>>;
