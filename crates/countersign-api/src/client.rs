//! Wire types of the client API, one file for each path group.
//!
//! Paths are written without prefix: all but [`versions::VERSIONS`] follow `/_matrix/client/v3` or its
//! equals (`/_api` for `/_matrix`, `r0` for `v3`).

pub mod account;
pub mod capabilities;
pub mod login;
pub mod logout;
pub mod register;
pub mod threepid;
pub mod versions;

use serde::{Deserialize, Serialize};

/// The answer of an endpoint that has nothing to say: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}
