//! Wire types of countersign: paths, bodies and error codes, and no decisions.
//!
//! Requests are read with [`FromObject`] from an [`Object`], so that every malformed body has its exact
//! [`BodyError`]; they are written with serde. Answers are read and written with serde.

pub mod client;
pub mod error;
pub mod federation;
pub mod identity;
pub mod object;
pub mod signatures;
pub mod submit_token;
pub mod uia;
pub mod well_known;

pub use error::{ErrorBody, ErrorCode};
pub use object::{BodyError, FromObject, Object};
