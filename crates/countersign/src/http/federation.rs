//! Handlers of the few routes of the federation API that other services ask.

pub(super) mod keys;
pub(super) mod onbind;
pub(super) mod openid;
