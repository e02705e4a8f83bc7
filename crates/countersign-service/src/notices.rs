//! What the addresses of an account hear of changes to it (docs/decisions/0012).

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    AccountThreepid, ClientSecret, Clock, DrawnRandom, Keyring, Language, Localpart, Medium, MessageId,
    NoticeDraft, Random, SealedColumn, ServerName, SessionId, SessionPurpose, ThirdPartyIdentifier,
    TokenNonce, UserId,
};
use countersign_storage::Storage;

use crate::{OutboxWakeup, ThreepidsError, account_threepids::open_address};

/// Writes to the addresses of accounts. Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    wakeup: OutboxWakeup,
    settings: Arc<NoticeSettings>,
}

/// What an operator decides about notices.
#[derive(Clone, Debug)]
pub struct NoticeSettings {
    /// The part after the colon in user ids.
    pub server_name: ServerName,
    /// The media that notices go by; none: nobody is told.
    pub media: Vec<Medium>,
    /// How long a notice may wait to be sent.
    pub lifetime: Duration,
}

impl Notices {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        wakeup: OutboxWakeup,
        settings: NoticeSettings,
    ) -> Self {
        Self { storage, keyring, clock, random, wakeup, settings: settings.into() }
    }

    /// A notice for each address that an account has now. The operation that they are given to decides which are sent.
    ///
    /// # Errors
    /// When an address can't be read, or the database fails.
    pub(crate) async fn drafts(
        &self,
        localpart: &Localpart,
        language: &Language,
    ) -> Result<Vec<NoticeDraft>, ThreepidsError> {
        if self.settings.media.is_empty() {
            return Ok(Vec::new());
        }
        let threepids = self.storage.list_threepids(localpart).await?;
        let told = threepids.into_iter().filter(|threepid| self.settings.media.contains(&threepid.medium));
        told.map(|threepid| self.draft(localpart, language, &threepid)).collect()
    }

    /// Lets the workers see that notices were queued.
    pub(crate) fn ring(&self, notified: &[Medium]) {
        for medium in notified {
            self.wakeup.ring(*medium);
        }
    }

    fn draft(
        &self,
        localpart: &Localpart,
        language: &Language,
        threepid: &AccountThreepid,
    ) -> Result<NoticeDraft, ThreepidsError> {
        let address: ThirdPartyIdentifier = open_address(&self.keyring, threepid)?;
        let now = self.clock.now();
        let random: &dyn Random = &DrawnRandom::new(&*self.random);
        let sealer = self.keyring.sealer();
        let sid = SessionId::generate(now, random);
        let client_secret = ClientSecret::parse(&URL_SAFE_NO_PAD.encode(random.bytes::<32>()))
            .expect("base64url has only characters that a client secret may have");
        let address_hash = threepid.address_hash;
        let text = address.address().as_bytes();
        Ok(NoticeDraft {
            sid,
            message_id: MessageId::generate(now, random),
            medium: threepid.medium,
            address_hash,
            sealed_address: sealer.seal(SealedColumn::SessionAddress, sid.as_bytes(), text, random),
            key: self.keyring.session_key(SessionPurpose::Verify, &address_hash, &client_secret),
            client_secret_hash: self.keyring.client_secret_hash(&client_secret),
            token_key_id: sealer.current_key_id().clone(),
            nonce: TokenNonce::from_bytes(random.bytes()),
            language: language.clone(),
            user_id: UserId::new(localpart, &self.settings.server_name),
            lifetime: self.settings.lifetime,
        })
    }
}
