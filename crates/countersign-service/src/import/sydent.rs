//! What a Sydent kept.

mod invitations;

use std::collections::BTreeMap;

use countersign_core::{
    Association, HeldPepper, Imported, LookupPepper, PepperedKey, SealedColumn, SigningKey, TermsVersion,
    ThirdPartyIdentifier, Timestamp, UserId, lookup_digest,
};
use countersign_storage::{
    IdentityToken, ImportedAssociation, PepperImported, StorageError,
    foreign::{
        ForeignError,
        sydent::{Numbered, SydentAcceptedTerms, SydentAssociation, SydentDatabase, SydentToken},
    },
};

use super::{
    BATCH, Candidate, Effect, ImportError, ImportEvent, ImportKind, ImportReport, Importer, Left,
    PepperOutcome, SigningKeyOutcome, Tally, user_id,
};
use crate::signing::stored;

/// What to take over from a Sydent.
pub struct SydentImport<'a> {
    /// Its database.
    pub database: &'a SydentDatabase,
    /// The key that it signs with.
    pub signing_key: Option<&'a SigningKey>,
    /// The URLs at which policies stand here, and which version of which each is.
    pub policies: &'a [(String, TermsVersion)],
}

impl Importer {
    /// Takes over what a Sydent kept: its pepper and its signing key first, for what comes later goes by them.
    ///
    /// # Errors
    /// When either database fails.
    pub async fn import_sydent(
        &self,
        import: SydentImport<'_>,
        watch: &mut dyn FnMut(ImportEvent),
    ) -> Result<ImportReport, ImportError> {
        let SydentImport { database, signing_key, policies } = import;
        let counts = database.counts()?;
        let signing_key = self.take_signing_key(signing_key).await?;
        let pepper = self.take_pepper(database.lookup_pepper()?.as_deref()).await?;
        let mut tallies = BTreeMap::new();
        let mut associations = self.take_associations(database, counts.associations, watch).await?;
        associations.leave_all(Left::OtherIdentityServer, counts.foreign_associations);
        tallies.insert(ImportKind::Associations, associations);
        let invitations = self.take_invitations(database, counts.invitations, watch).await?;
        tallies.insert(ImportKind::Invitations, invitations);
        let keys = self.take(
            (ImportKind::EphemeralKeys, counts.ephemeral_keys),
            by_id(|after| database.ephemeral_keys(after, BATCH)),
            |key| Ok(Candidate { row: key.ok_or(Left::Malformed)?, address: None }),
            async |keys| self.storage.import_ephemeral_keys(keys).await,
            watch,
        );
        tallies.insert(ImportKind::EphemeralKeys, keys.await?);
        let tokens = self.take(
            (ImportKind::AccessTokens, counts.tokens),
            by_id(|after| database.tokens(after, BATCH)),
            |token| self.read_token(&token),
            async |tokens| self.storage.import_identity_tokens(tokens, self.clock.now()).await,
            watch,
        );
        tallies.insert(ImportKind::AccessTokens, tokens.await?);
        let accepted = self.take(
            (ImportKind::AcceptedTerms, counts.accepted_terms),
            by_id(|after| database.accepted_terms(after, BATCH)),
            |accepted| read_accepted(&accepted, policies),
            async |accepted| self.storage.import_identity_terms(accepted, self.clock.now()).await,
            watch,
        );
        tallies.insert(ImportKind::AcceptedTerms, accepted.await?);
        let mut sessions = Tally::default();
        sessions.leave_all(Left::ShortLived, counts.sessions);
        tallies.insert(ImportKind::Sessions, sessions);
        Ok(ImportReport { tallies, pepper: Some(pepper), signing_key: Some(signing_key) })
    }

    async fn take_signing_key(&self, key: Option<&SigningKey>) -> Result<SigningKeyOutcome, StorageError> {
        let Some(key) = key else { return Ok(SigningKeyOutcome::NotGiven) };
        let now = self.clock.now();
        let key_id = key.id().as_str().to_owned();
        let stored = stored(key, &self.keyring, &*self.random, now);
        let is_current = match self.effect {
            Effect::Real => self.storage.replace_signing_key(stored, now).await?,
            Effect::Rehearsed => true,
        };
        Ok(if is_current { SigningKeyOutcome::Current(key_id) } else { SigningKeyOutcome::Refused(key_id) })
    }

    /// With the pepper, the hashes that clients have cached go on finding people.
    async fn take_pepper(&self, pepper: Option<&str>) -> Result<PepperOutcome, StorageError> {
        let Some(pepper) = pepper else { return Ok(PepperOutcome::None) };
        let Ok(pepper) = LookupPepper::parse(pepper) else { return Ok(PepperOutcome::Unusable) };
        if self.effect == Effect::Rehearsed {
            return Ok(PepperOutcome::Taken);
        }
        Ok(match self.storage.import_pepper(pepper, self.clock.now()).await? {
            PepperImported::Taken => PepperOutcome::Taken,
            PepperImported::AlreadyCurrent => PepperOutcome::AlreadyCurrent,
            PepperImported::InUse => PepperOutcome::InUse,
        })
    }

    async fn take_associations(
        &self,
        database: &SydentDatabase,
        count: u64,
        watch: &mut dyn FnMut(ImportEvent),
    ) -> Result<Tally, ImportError> {
        let now = self.clock.now();
        self.take(
            (ImportKind::Associations, count),
            by_id(|after| database.associations(after, BATCH)),
            |row| self.read_association(&row, now),
            async |rows| self.save_associations(rows).await,
            watch,
        )
        .await
    }

    fn read_association(
        &self,
        row: &SydentAssociation,
        now: Timestamp,
    ) -> Result<Candidate<(ThirdPartyIdentifier, Association)>, Left> {
        let mxid = row.mxid.as_deref().ok_or(Left::Unbound)?;
        let user_id = user_id(Some(mxid))?;
        let (Some(bound_at), Some(not_after)) = (row.ts, row.not_after) else { return Err(Left::Malformed) };
        if not_after < now.as_millis() {
            return Err(Left::Expired);
        }
        let address = self.address(row.medium.as_deref(), row.address.as_deref())?;
        let plain = address.threepid.address().as_bytes();
        let association = Association {
            medium: address.threepid.medium(),
            address_hash: address.hash,
            sealed_address: self.seal(SealedColumn::AssociationAddress, address.hash.as_bytes(), plain),
            user_id,
            bound_at: Timestamp::from_millis(bound_at.min(now.as_millis())),
        };
        let for_merges = address.for_merges();
        Ok(Candidate { row: (address.threepid, association), address: for_merges })
    }

    /// Makes keys under the peppers that there are, anew if another comes meanwhile.
    async fn save_associations(
        &self,
        rows: Vec<(ThirdPartyIdentifier, Association)>,
    ) -> Result<Vec<Imported>, StorageError> {
        loop {
            self.peppers.current().await?;
            let peppers = self.storage.list_peppers().await?;
            let wanted: Vec<_> = peppers.iter().filter(|pepper| pepper.state.wants_keys()).collect();
            let with_keys = rows.iter().map(|(threepid, association)| ImportedAssociation {
                association: association.clone(),
                keys: wanted.iter().map(|pepper| self.lookup_key(threepid, pepper)).collect(),
            });
            if let Some(outcomes) = self.storage.import_associations(with_keys.collect()).await? {
                return Ok(outcomes);
            }
        }
    }

    fn lookup_key(&self, threepid: &ThirdPartyIdentifier, pepper: &HeldPepper) -> PepperedKey {
        let key = self.keyring.lookup_key(&lookup_digest(threepid, &pepper.pepper));
        PepperedKey { pepper: pepper.number, key }
    }

    fn read_token(&self, row: &SydentToken) -> Result<Candidate<IdentityToken>, Left> {
        let token = row.token.as_deref().filter(|token| !token.is_empty()).ok_or(Left::Malformed)?;
        let token = IdentityToken {
            token: self.keyring.identity_token_hash(token),
            user_id: user_id(row.user_id.as_deref())?,
            created_at: row.created_ts.map_or_else(|| self.clock.now(), Timestamp::from_millis),
        };
        Ok(Candidate { row: token, address: None })
    }
}

/// Whoever accepted a document in one language accepted it in all.
fn read_accepted(
    row: &SydentAcceptedTerms,
    policies: &[(String, TermsVersion)],
) -> Result<Candidate<(UserId, TermsVersion)>, Left> {
    let user_id = user_id(row.user_id.as_deref())?;
    let url = row.url.as_deref().ok_or(Left::Malformed)?;
    let (_, version) = policies.iter().find(|(policy_url, _)| policy_url == url).ok_or(Left::NoPolicy)?;
    Ok(Candidate { row: (user_id, version.clone()), address: None })
}

/// Goes through rows in the order of their ids.
fn by_id<R>(
    list: impl Fn(i64) -> Result<Vec<Numbered<R>>, ForeignError>,
) -> impl AsyncFnMut() -> Result<Vec<R>, ForeignError> {
    let mut after = i64::MIN;
    async move || {
        let batch = list(after)?;
        after = batch.last().map_or(after, |last| last.id);
        Ok(batch.into_iter().map(|numbered| numbered.row).collect())
    }
}
