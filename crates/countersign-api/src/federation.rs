//! Wire types of the federation API that other services need. Paths follow `/_matrix` or `/_api` itself.

pub mod keys;
pub mod onbind;
pub mod openid;
