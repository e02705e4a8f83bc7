//! What the addresses of an account hear of changes to it (docs/decisions/0012).

use std::{sync::Arc, time::Duration};

use countersign_core::{
    AccountThreepid, Clock, Keyring, Language, Localpart, Medium, NoticeDraft, Random, ServerName, UserId,
};
use countersign_storage::Storage;

use crate::{OutboxWakeup, ThreepidsError, account_threepids::open_address, drafts::UnaskedMessage};

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
        let user_id = UserId::new(localpart, &self.settings.server_name);
        let draft = |row: AccountThreepid| {
            let threepid = open_address(&self.keyring, &row)?;
            let message = UnaskedMessage {
                threepid: &threepid,
                language,
                user_id: &user_id,
                lifetime: self.settings.lifetime,
            };
            Ok(message.draft(&self.keyring, &*self.random, self.clock.now()))
        };
        told.map(draft).collect()
    }

    /// Lets the workers see that notices were queued.
    pub(crate) fn ring(&self, notified: &[Medium]) {
        for medium in notified {
            self.wakeup.ring((*medium).into());
        }
    }
}
