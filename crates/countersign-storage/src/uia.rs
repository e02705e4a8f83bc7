//! Sessions of user-interactive authentication.

use async_trait::async_trait;
use countersign_core::{Charge, Limited, Stage, Timestamp, UiaSession, UiaSessionHash};

use crate::StorageError;

/// Sessions of user-interactive authentication.
#[async_trait]
pub trait UiaStore: Send + Sync {
    /// Keeps a new session, and takes one unit from each budget; neither if one is spent.
    async fn open_uia_session(
        &self,
        session: UiaSession,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StorageError>;

    /// The session with that id.
    async fn find_uia_session(&self, id: UiaSessionHash) -> Result<Option<UiaSession>, StorageError>;

    /// Adds a stage to a session (`UiaSession::complete`). Concurrent stages all count. Answers the session as it is then;
    /// `None` if it is gone.
    async fn complete_uia_stage(
        &self,
        id: UiaSessionHash,
        stage: Stage,
    ) -> Result<Option<UiaSession>, StorageError>;
}

/// The names of stages, as a column holds them.
pub(crate) fn stage_names(stages: &[Stage]) -> String {
    stages.iter().map(|stage| stage.as_str()).collect::<Vec<_>>().join(" ")
}

/// The stages of those names, if there are such.
pub(crate) fn parse_stages(names: &str) -> Option<Vec<Stage>> {
    names.split_whitespace().map(Stage::parse).collect()
}
