//! Handlers of the client API, one file for each path group.

pub(super) mod account;
pub(super) mod capabilities;
pub(super) mod deactivate;
mod error;
mod extract;
pub(super) mod login;
pub(super) mod logout;
pub(super) mod openid;
pub(super) mod password;
pub(super) mod refresh;
pub(super) mod register;
pub(super) mod registration_token;
pub(super) mod request_token;
pub(super) mod threepid;
mod uia;
pub(super) mod versions;

pub(super) use self::{
    error::ClientError,
    extract::{Authenticated, MatrixJson, MatrixObject, MatrixQuery, MaybeAuthenticated},
};
