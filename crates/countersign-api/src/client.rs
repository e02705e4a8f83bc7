//! Wire types of the client API, one file for each path group.
//!
//! Paths are written without prefix: all but [`versions::VERSIONS`] and [`registration_token::VALIDITY`] follow
//! `/_matrix/client/v3` or its equals (`/_api` for `/_matrix`, `r0` for `v3`).

pub mod account;
pub mod capabilities;
pub mod deactivate;
pub mod login;
pub mod logout;
pub mod openid;
pub mod password;
pub mod refresh;
pub mod register;
pub mod registration_token;
pub mod request_token;
pub mod threepid;
pub mod versions;

use serde::{Deserialize, Serialize};

/// The answer of an endpoint that has nothing to say: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}
