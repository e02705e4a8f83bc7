//! What a request brings along beside its body.

use countersign_core::{ClientNetwork, Language, UserId};

/// What a request brings along beside its body.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Where it comes from.
    pub network: ClientNetwork,
    /// The language that its sender reads.
    pub language: Language,
    /// Whom its access token stands for, if it carries one that works: of the identity API, a user of any server.
    pub caller: Option<UserId>,
}
