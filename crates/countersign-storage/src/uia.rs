//! Sessions of user-interactive authentication.

use async_trait::async_trait;
use countersign_core::{
    Charge, Limited, RegistrationTokenHash, Stage, StageProof, TermsVersion, Timestamp, UiaSession,
    UiaSessionHash,
};

use crate::StorageError;

/// What taking a use of a registration token led to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "short-lived, and the large variant is the usual one")]
pub enum TokenReserved {
    /// The session holds a use, and has completed the stage.
    Reserved(UiaSession),
    /// There is no such token, or no use is left of it.
    Invalid,
    /// The session holds a use of another token.
    Changed,
    /// The session is gone.
    SessionGone,
}

/// What completing a stage led to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "short-lived, and the large variant is the usual one")]
pub enum StageCompleted {
    /// The session as it is then.
    Completed(UiaSession),
    /// The password that the stage rests on is another one by now. Nothing changed.
    PasswordChanged,
    /// The session is gone.
    SessionGone,
}

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

    /// Adds a stage to a session, with what it proved (`UiaSession::complete`). Concurrent stages all count. A password
    /// counts only while it is the account's: one that is set later ends the session.
    async fn complete_uia_stage(
        &self,
        id: UiaSessionHash,
        stage: Stage,
        proof: StageProof,
    ) -> Result<StageCompleted, StorageError>;

    /// Completes `m.login.registration_token` if the token has a use left (`RegistrationToken::has_use_left`): its pending
    /// uses are the sessions that hold it and are neither finished nor expired. Of two that want the last use, one gets
    /// it. Again with the same token changes nothing and succeeds.
    async fn reserve_registration_token(
        &self,
        id: UiaSessionHash,
        token: RegistrationTokenHash,
        now: Timestamp,
    ) -> Result<TokenReserved, StorageError>;
}

/// The names of stages, as a column holds them.
pub(crate) fn stage_names(stages: &[Stage]) -> String {
    stages.iter().map(|stage| stage.as_str()).collect::<Vec<_>>().join(" ")
}

/// The stages of those names, if there are such.
pub(crate) fn parse_stages(names: &str) -> Option<Vec<Stage>> {
    names.split_whitespace().map(Stage::parse).collect()
}

/// Versions of policies, as a column holds them: one a line, policy and version separated by a blank. `None` for none.
pub(crate) fn terms_lines(terms: &[TermsVersion]) -> Option<String> {
    let lines = terms.iter().map(|terms| format!("{} {}", terms.policy(), terms.version()));
    (!terms.is_empty()).then(|| lines.collect::<Vec<_>>().join("\n"))
}

/// The versions of policies on those lines, if there are such.
pub(crate) fn parse_terms(lines: &str) -> Option<Vec<TermsVersion>> {
    let parse = |line: &str| {
        let (policy, version) = line.split_once(' ')?;
        TermsVersion::parse(policy, version).ok()
    };
    lines.lines().map(parse).collect()
}
