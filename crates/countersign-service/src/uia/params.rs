//! What a session remembers of its first request.

use countersign_core::{SealedColumn, Stage, UiaSession};
use zeroize::Zeroizing;

use super::{Kept, Uia, UiaError, UiaRun, UiaWish};

impl Uia {
    /// Stores the session, if it isn't yet, with what the request said. Whoever has no access token may begin only so
    /// many.
    pub(super) async fn keep(&self, run: &mut UiaRun, wish: &UiaWish) -> Result<(), UiaError> {
        if run.kept != Kept::NotYet {
            return Ok(());
        }
        let mut charges = match &run.session.localpart {
            Some(_) => Vec::new(),
            None => self.accounts.limits().uia_session(&self.keyring, wish.network),
        };
        if let Some(password) = &wish.new_password {
            // Hashing is dear: it is paid for first.
            let charged = self.storage.charge(std::mem::take(&mut charges), self.clock.now()).await?;
            charged.map_err(|limited| UiaError::Limited(limited.retry_after))?;
            run.session.password_hash = Some(self.accounts.hash_password(password.clone()).await);
        }
        if run.flows.iter().any(|flow| flow.contains(&Stage::Terms)) {
            run.session.shown_terms.clone_from(&self.settings.terms);
        }
        run.session.sealed_params = Some(self.keyring.sealer().seal(
            SealedColumn::UiaParams,
            run.session.id_hash.as_bytes(),
            run.new_params.as_bytes(),
            &*self.random,
        ));
        let opened = self.storage.open_uia_session(run.session.clone(), charges, self.clock.now()).await?;
        opened.map_err(|limited| UiaError::Limited(limited.retry_after))?;
        run.kept = Kept::JustNow;
        Ok(())
    }

    /// What the first request said.
    pub(super) fn open_params(&self, session: &UiaSession) -> Result<Option<Zeroizing<String>>, UiaError> {
        let Some(sealed) = &session.sealed_params else { return Ok(None) };
        let row = session.id_hash.as_bytes();
        let opened = self.keyring.sealer().open(SealedColumn::UiaParams, row, sealed);
        let bytes = opened.map_err(UiaError::Sealed)?;
        Ok(Some(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())))
    }
}
