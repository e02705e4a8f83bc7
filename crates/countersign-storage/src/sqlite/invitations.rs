//! Invitations that wait until an address is bound.

use async_trait::async_trait;
use countersign_core::{
    AddressHash, Charge, Invitation, InvitationFate, InvitationState, InvitationTokenHash, MessageKind,
    NoticeDraft, Sealed, SessionId, Timestamp, ValidationSession,
};
use rusqlite::{Connection, Row, params};

use super::{
    SqliteStorage, associations, budgets,
    failure::Outcome,
    outbox,
    rows::{Columns, change, change_one, find, list},
    sessions, suppressions,
};
use crate::{InvitationStore, InvitationStored, StorageError, sessions::parse_user_id};

#[async_trait]
impl InvitationStore for SqliteStorage {
    async fn store_invitation(
        &self,
        invitation: Invitation,
        ephemeral_key: String,
        mail: NoticeDraft,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<InvitationStored, StorageError> {
        self.write(move |tx| store(tx, &invitation, &ephemeral_key, &mail, &charges, now)).await
    }

    async fn find_invitation(&self, token: InvitationTokenHash) -> Result<Option<Invitation>, StorageError> {
        self.read(move |tx| {
            let statement = tx.prepare_cached(
                "select token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at
                 from invitations where token_hash = ?1",
            )?;
            find(statement, [token.as_bytes()], read)
        })
        .await
    }

    async fn find_invitation_of_session(&self, sid: SessionId) -> Result<Option<Invitation>, StorageError> {
        self.read(move |tx| {
            let statement = tx.prepare_cached(
                "select token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at
                 from invitations where sid = ?1",
            )?;
            find(statement, [sid.as_bytes()], read)
        })
        .await
    }

    async fn list_waiting_invitations(&self, address: AddressHash) -> Result<Vec<Invitation>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at
                 from invitations where address_hash = ?1 and handed_over_at is null order by created_at, rowid",
            )?;
            list(statement, [address.as_bytes()], read)
        })
        .await
    }

    async fn mark_handed_over(
        &self,
        tokens: Vec<InvitationTokenHash>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        self.write(move |tx| {
            for token in &tokens {
                change(
                    tx,
                    "update invitations set handed_over_at = ?2 where token_hash = ?1 and handed_over_at is null",
                    params![token.as_bytes(), now.as_millis()],
                )?;
            }
            Ok(())
        })
        .await
    }

    async fn has_ephemeral_key(&self, public_key: &str) -> Result<bool, StorageError> {
        let public_key = public_key.to_owned();
        self.read(move |tx| {
            let mut statement = tx.prepare_cached("select 1 from ephemeral_keys where public_key = ?1")?;
            Ok(statement.exists([&public_key])?)
        })
        .await
    }
}

/// Whether an invitation for the address was not handed over yet.
pub(super) fn are_waiting(tx: &Connection, address: AddressHash) -> Outcome<bool> {
    let mut statement =
        tx.prepare_cached("select 1 from invitations where address_hash = ?1 and handed_over_at is null")?;
    Ok(statement.exists([address.as_bytes()])?)
}

fn store(
    tx: &Connection,
    invitation: &Invitation,
    ephemeral_key: &str,
    mail: &NoticeDraft,
    charges: &[Charge],
    now: Timestamp,
) -> Outcome<InvitationStored> {
    let state = InvitationState {
        bound_to: associations::find_user(tx, invitation.address_hash)?,
        suppressed: suppressions::is_suppressed(tx, invitation.address_hash)?,
        full_at: budgets::load(tx, charges)?,
    };
    let (fate, left) = match Invitation::store(&state, charges, now) {
        Ok(decided) => decided,
        Err(limited) => return Ok(InvitationStored::Limited(limited)),
    };
    budgets::save(tx, &left)?;
    let queued = match fate {
        InvitationFate::InUse(user_id) => return Ok(InvitationStored::InUse(user_id)),
        InvitationFate::Unmailed => false,
        InvitationFate::Mailed => {
            let (session, message) = ValidationSession::notice(mail, MessageKind::Invitation, now);
            sessions::insert(tx, &session)?;
            outbox::enqueue(tx, &message)?;
            true
        }
    };
    insert(tx, invitation, ephemeral_key)?;
    Ok(InvitationStored::Waiting { queued })
}

fn insert(tx: &Connection, invitation: &Invitation, ephemeral_key: &str) -> Outcome<()> {
    change_one(
        tx,
        "invitations",
        "insert into invitations
            (token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            invitation.token_hash.as_bytes(),
            invitation.address_hash.as_bytes(),
            invitation.sender.as_str(),
            invitation.sealed_details.as_bytes(),
            invitation.sid.as_bytes(),
            invitation.created_at.as_millis(),
            invitation.handed_over_at.map(Timestamp::as_millis),
        ],
    )?;
    change_one(
        tx,
        "ephemeral_keys",
        "insert into ephemeral_keys (public_key, token_hash) values (?1, ?2)",
        params![ephemeral_key, invitation.token_hash.as_bytes()],
    )
}

/// An invitation, from all columns.
pub(super) fn read(row: &Row<'_>) -> Outcome<Invitation> {
    let mut columns = Columns::of("invitations", row);
    Ok(Invitation {
        token_hash: InvitationTokenHash::from_bytes(columns.bytes("token_hash")?),
        address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
        sender: columns.parse("sender", parse_user_id)?,
        sealed_details: Sealed::from_bytes(columns.blob("sealed_details")?),
        sid: SessionId::from_bytes(columns.bytes("sid")?),
        created_at: columns.timestamp("created_at")?,
        handed_over_at: columns.optional_timestamp("handed_over_at")?,
    })
}
