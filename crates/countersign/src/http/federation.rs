//! Handlers of the few routes of the federation API that other services ask.

pub(super) mod openid;
