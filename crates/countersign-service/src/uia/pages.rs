//! Stages that are completed on a page of this server, for clients that don't know them.

use countersign_core::{
    ClientNetwork, ClientSecret, Stage, StageRefusal, UiaMismatch, UiaOperation, UiaSession,
};

use super::{Kept, StageAttempt, StageFailure, Uia, UiaError, UiaRun};

/// A stage of a stored session, as a page sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageView {
    /// What the session authenticates.
    pub operation: UiaOperation,
    /// Whether the stage is done already.
    pub state: StageState,
}

/// Whether a stage can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageState {
    /// It can.
    Open,
    /// It is done.
    Completed,
    /// It can't.
    Refused(StageFailure),
}

/// What came of a stage that was tried on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageOutcome {
    /// It is done.
    Completed,
    /// It does not count.
    Failed(StageFailure),
}

impl Uia {
    /// Looks at a stage of a stored session, and changes nothing. The page that shows it shows the policies, too.
    ///
    /// # Errors
    /// When there is no such session, or the database fails.
    pub async fn view_stage(&self, session: &str, stage: Stage) -> Result<StageView, UiaError> {
        let run = self.run_of(session).await?;
        let state = if run.session.has_completed(stage) {
            StageState::Completed
        } else {
            match run.session.may_try(stage, &run.flows) {
                Ok(()) => StageState::Open,
                Err(StageRefusal::NotOffered) => StageState::Refused(StageFailure::NotOffered),
                Err(StageRefusal::OutOfOrder) => StageState::Refused(StageFailure::OutOfOrder),
            }
        };
        Ok(StageView { operation: run.session.operation, state })
    }

    /// Tries a stage of a stored session on behalf of whoever has its id. Again is a success again.
    ///
    /// # Errors
    /// When there is no such session, when too many passwords were wrong, when the database fails.
    pub async fn attempt_on_page(
        &self,
        session: &str,
        attempt: StageAttempt,
        network: ClientNetwork,
    ) -> Result<PageOutcome, UiaError> {
        let mut run = self.run_of(session).await?;
        let failure = self.try_stage(&mut run, attempt, network).await?;
        Ok(failure.map_or(PageOutcome::Completed, PageOutcome::Failed))
    }

    /// A client secret for a page that asks for a validation token itself.
    pub fn new_client_secret(&self) -> ClientSecret {
        ClientSecret::parse(&self.random_id()).expect("base64url fits the grammar")
    }

    async fn run_of(&self, id: &str) -> Result<UiaRun, UiaError> {
        let found = self.storage.find_uia_session(self.keyring.uia_session_hash(id)).await?;
        let live = found.filter(|session| self.clock.now() <= session.expires_at);
        let session: UiaSession = live.ok_or(UiaError::Session(UiaMismatch::Unknown))?;
        let flows = self.flows(session.operation, session.localpart.as_ref()).await?;
        Ok(UiaRun {
            id: id.to_owned(),
            session,
            kept: Kept::Before,
            flows,
            attempt: None,
            new_params: Default::default(),
            first_params: None,
            compared: None,
        })
    }
}
