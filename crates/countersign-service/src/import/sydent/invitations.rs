//! Invitations that a Sydent kept.

use std::time::Duration;

use countersign_core::{Invitation, Medium, SealedColumn, SessionId, Timestamp};
use countersign_storage::foreign::sydent::{SydentDatabase, SydentInvitation};

use super::by_id;
use crate::import::{BATCH, Candidate, ImportError, ImportEvent, ImportKind, Importer, Left, Tally, user_id};
use crate::{InvitedRoom, invitations::Details};

impl Importer {
    pub(super) async fn take_invitations(
        &self,
        database: &SydentDatabase,
        count: u64,
        watch: &mut dyn FnMut(ImportEvent),
    ) -> Result<Tally, ImportError> {
        let now = self.clock.now();
        self.take(
            (ImportKind::Invitations, count),
            by_id(|after| database.invitations(after, BATCH)),
            |row| self.read_invitation(&row, now),
            async |rows| self.storage.import_invitations(rows).await,
            watch,
        )
        .await
    }

    /// Its mail went out long ago: the session that it names is none.
    fn read_invitation(&self, row: &SydentInvitation, now: Timestamp) -> Result<Candidate<Invitation>, Left> {
        let token = row.token.as_deref().filter(|token| !token.is_empty()).ok_or(Left::Malformed)?;
        let room_id = row.room_id.as_deref().ok_or(Left::Malformed)?;
        let address = self.address(row.medium.as_deref(), row.address.as_deref())?;
        if address.threepid.medium() != Medium::Email {
            return Err(Left::Medium);
        }
        let token_hash = self.keyring.invitation_token_hash(token);
        let details = Details {
            token: token.to_owned(),
            address: address.threepid.address().to_owned(),
            room: InvitedRoom { id: room_id.to_owned(), ..InvitedRoom::default() },
            sender_display_name: None,
            sender_avatar_url: None,
            // Sydent sends it away and keeps nothing.
            private_key: String::new(),
        };
        let invitation = Invitation {
            token_hash,
            address_hash: address.hash,
            sender: user_id(row.sender.as_deref())?,
            sealed_details: self.seal(SealedColumn::Invitation, token_hash.as_bytes(), &details.to_json()),
            sid: SessionId::generate(now, &*self.random),
            created_at: row.received_ts.and_then(from_seconds).unwrap_or(now),
            handed_over_at: row.sent_ts.and_then(from_seconds),
        };
        Ok(Candidate { row: invitation, address: None })
    }
}

/// A point in time in seconds. `None` for one before there were computers, which stands for none.
fn from_seconds(seconds: i64) -> Option<Timestamp> {
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds != 0)?;
    Some(Timestamp::from_millis(0).after(Duration::from_secs(seconds)))
}
