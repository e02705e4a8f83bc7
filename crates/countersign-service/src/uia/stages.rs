//! The flows of each operation, and what each stage takes.

use countersign_core::{
    ClientNetwork, ClientSecret, Flow, Localpart, Medium, SecondFactor, SessionId, Stage, StageProof,
    StageRefusal, UiaMismatch, UiaOperation, ValidationSession,
};
use countersign_storage::{StageCompleted, TokenReserved};
use zeroize::Zeroizing;

use super::{Kept, StageAttempt, StageFailure, Uia, UiaError, UiaRun};
use crate::{AccountIdentifier, CheckPasswordError};

impl Uia {
    /// The ways to do something. An account without a password proves one of its addresses in its place. One that has
    /// neither has nothing but its access token, which is enough then: or nobody could ever end that account, or give it a
    /// password or an address.
    pub(super) async fn flows(
        &self,
        operation: UiaOperation,
        caller: Option<&Localpart>,
    ) -> Result<Vec<Flow>, UiaError> {
        let password = || vec![vec![Stage::Password]];
        let Some(caller) = caller else {
            return Ok(match operation {
                UiaOperation::Register => self.settings.register.clone(),
                UiaOperation::Deactivate => password(),
                UiaOperation::ChangePassword | UiaOperation::AddThreepid => self.threepid_flows(),
            });
        };
        Ok(match (operation, self.callers.second_factor(caller).await?) {
            (UiaOperation::Register, _) => self.settings.register.clone(),
            (UiaOperation::ChangePassword, SecondFactor::Password) => {
                [password(), self.threepid_flows()].concat()
            }
            (UiaOperation::AddThreepid | UiaOperation::Deactivate, SecondFactor::Password) => password(),
            (_, SecondFactor::Threepid) => self.threepid_flows(),
            (_, SecondFactor::None) => vec![vec![Stage::Dummy]],
        })
    }

    fn threepid_flows(&self) -> Vec<Flow> {
        let stages = [(Medium::Email, Stage::EmailIdentity), (Medium::Msisdn, Stage::Msisdn)];
        let supported = |(medium, _): &(Medium, Stage)| self.settings.media.contains(medium);
        stages.into_iter().filter(supported).map(|(_, stage)| vec![stage]).collect()
    }

    /// Tries a stage and counts it. Answers why it does not count.
    pub(super) async fn try_stage(
        &self,
        run: &mut UiaRun,
        attempt: StageAttempt,
        network: ClientNetwork,
    ) -> Result<Option<StageFailure>, UiaError> {
        let Some(stage) = attempt.stage() else { return Ok(Some(StageFailure::NotOffered)) };
        if run.session.has_completed(stage) {
            self.check_same_token(run, &attempt)?;
            return Ok(None);
        }
        match run.session.may_try(stage, &run.flows) {
            Ok(()) => {}
            Err(StageRefusal::NotOffered) => return Ok(Some(StageFailure::NotOffered)),
            Err(StageRefusal::OutOfOrder) => return Ok(Some(StageFailure::OutOfOrder)),
        }
        let checked = match attempt {
            StageAttempt::Dummy => Ok(StageProof::Nothing),
            StageAttempt::Terms if run.kept == Kept::Before => Ok(StageProof::Nothing),
            StageAttempt::Terms => Err(StageFailure::TermsNotShown),
            StageAttempt::Password { identifier, password } => {
                self.check_password(run.session.localpart.as_ref(), identifier, password, network).await?
            }
            StageAttempt::Threepid { sid, client_secret, .. } => {
                self.check_threepid(run, stage, sid, &client_secret).await?
            }
            StageAttempt::RegistrationToken(token) => return self.reserve_token(run, &token, network).await,
            StageAttempt::Incomplete(_) => Err(StageFailure::Incomplete),
            StageAttempt::Unknown => Err(StageFailure::NotOffered),
        };
        match checked {
            Ok(proof) => self.count(run, stage, proof).await,
            Err(failure) => Ok(Some(failure)),
        }
    }

    async fn count(
        &self,
        run: &mut UiaRun,
        stage: Stage,
        proof: StageProof,
    ) -> Result<Option<StageFailure>, UiaError> {
        if let StageProof::Password { compared, .. } = &proof {
            run.compared = Some(compared.clone());
        }
        run.session = match run.kept {
            Kept::NotYet => run.session.complete(stage, &proof),
            Kept::Before | Kept::JustNow => {
                match self.storage.complete_uia_stage(run.session.id_hash, stage, proof).await? {
                    StageCompleted::Completed(session) => session,
                    StageCompleted::PasswordChanged => return Ok(Some(StageFailure::Forbidden)),
                    StageCompleted::SessionGone => return Err(UiaError::Session(UiaMismatch::Unknown)),
                }
            }
        };
        Ok(None)
    }

    /// A password proves the account whose token asks, and no other; without a token, the account that it names.
    async fn check_password(
        &self,
        caller: Option<&Localpart>,
        identifier: AccountIdentifier,
        password: Zeroizing<String>,
        network: ClientNetwork,
    ) -> Result<Result<StageProof, StageFailure>, UiaError> {
        let checked = match caller {
            Some(caller) => self.callers.check_password(caller, &identifier, password, network).await,
            None => {
                let checked = self.accounts.check_password_of(&identifier, password, network).await;
                let proof = |(localpart, compared)| StageProof::Password { localpart, compared };
                checked.map(proof).map_err(CheckPasswordError::from)
            }
        };
        match checked {
            Ok(proof) => Ok(Ok(proof)),
            Err(CheckPasswordError::Forbidden) => Ok(Err(StageFailure::Forbidden)),
            Err(
                error @ (CheckPasswordError::Limited(_)
                | CheckPasswordError::Unreachable(_)
                | CheckPasswordError::Storage(_)),
            ) => Err(UiaError::Password(error)),
        }
    }

    /// A validation session proves an address for its own purpose, and only the address that the account whose token asks
    /// has had since then.
    async fn check_threepid(
        &self,
        run: &UiaRun,
        stage: Stage,
        sid: Option<SessionId>,
        client_secret: &ClientSecret,
    ) -> Result<Result<StageProof, StageFailure>, UiaError> {
        let (Some(medium), Some(sid)) = (stage.medium(), sid) else { return Ok(Err(StageFailure::Unproven)) };
        let secret = self.keyring.client_secret_hash(client_secret);
        let session = self.delegate.find_session(sid, &secret).await?;
        let purpose = run.session.operation.threepid_purpose();
        let now = self.clock.now();
        let Ok(session) = ValidationSession::proves(session.as_ref(), &secret, purpose, medium, now) else {
            return Ok(Err(StageFailure::Unproven));
        };
        if let Some(caller) = &run.session.localpart {
            let owner = self.storage.find_threepid_owner(session.address_hash).await?;
            if !session.is_of(owner.as_ref(), caller) {
                return Ok(Err(StageFailure::Unproven));
            }
        }
        Ok(Ok(StageProof::Threepid(sid)))
    }

    /// Takes a use of a token, which is a guess like any other.
    async fn reserve_token(
        &self,
        run: &mut UiaRun,
        token: &str,
        network: ClientNetwork,
    ) -> Result<Option<StageFailure>, UiaError> {
        let charges = self.accounts.limits().token_check(&self.keyring, network);
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| UiaError::Limited(limited.retry_after))?;
        let hash = self.keyring.registration_token_hash(token);
        let reserved =
            self.storage.reserve_registration_token(run.session.id_hash, hash, self.clock.now()).await?;
        match reserved {
            TokenReserved::Reserved(session) => {
                run.session = session;
                Ok(None)
            }
            TokenReserved::Invalid => Ok(Some(StageFailure::TokenInvalid)),
            TokenReserved::Changed => Err(UiaError::TokenChanged),
            TokenReserved::SessionGone => Err(UiaError::Session(UiaMismatch::Unknown)),
        }
    }

    /// A completed stage is not checked again, but a session has one token.
    fn check_same_token(&self, run: &UiaRun, attempt: &StageAttempt) -> Result<(), UiaError> {
        let StageAttempt::RegistrationToken(token) = attempt else { return Ok(()) };
        let hash = self.keyring.registration_token_hash(token);
        if run.session.registration_token == Some(hash) { Ok(()) } else { Err(UiaError::TokenChanged) }
    }
}
