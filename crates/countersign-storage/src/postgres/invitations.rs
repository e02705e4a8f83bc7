//! Invitations that wait until an address is bound.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{
    AddressHash, Charge, Invitation, InvitationFate, InvitationState, InvitationTokenHash, MessageKind,
    NoticeDraft, Sealed, SessionId, Timestamp, ValidationSession,
};
use tokio_postgres::Row;

use super::{
    PostgresStorage, associations,
    budgets::Wanted,
    connection::Transaction,
    failure::Outcome,
    locks::lock_address,
    outbox,
    parameter::Query,
    rows::{Columns, first, list},
    sessions,
    suppressions::list_suppressed,
};
use crate::{InvitationStore, InvitationStored, StorageError, sessions::parse_user_id};

/// What an invitation is stored with.
struct Storing {
    invitation: Invitation,
    ephemeral_key: String,
    mail: NoticeDraft,
    charges: Vec<Charge>,
}

#[async_trait]
impl InvitationStore for PostgresStorage {
    async fn store_invitation(
        &self,
        invitation: Invitation,
        ephemeral_key: String,
        mail: NoticeDraft,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<InvitationStored, StorageError> {
        let storing = Arc::new(Storing { invitation, ephemeral_key, mail, charges });
        self.write(move |tx| store(tx, Arc::clone(&storing), now)).await
    }

    async fn find_invitation(&self, token: InvitationTokenHash) -> Result<Option<Invitation>, StorageError> {
        let select = Query::new(
            "select token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at
             from invitations where token_hash = $1",
        )
        .with(token.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        Ok(first(&found.rows, read)?)
    }

    async fn find_invitation_of_session(&self, sid: SessionId) -> Result<Option<Invitation>, StorageError> {
        let select = Query::new(
            "select token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at
             from invitations where sid = $1",
        )
        .with(sid.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        Ok(first(&found.rows, read)?)
    }

    async fn list_waiting_invitations(&self, address: AddressHash) -> Result<Vec<Invitation>, StorageError> {
        let select = Query::new(
            "select token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at
             from invitations where address_hash = $1 and handed_over_at is null
             order by created_at, came_at, token_hash",
        )
        .with(address.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        Ok(list(&found.rows, read)?)
    }

    async fn mark_handed_over(
        &self,
        mut tokens: Vec<InvitationTokenHash>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        tokens.sort_unstable();
        let update = Query::new(
            "update invitations i set handed_over_at = $2
             from unnest($1::bytea[]) as n (token_hash)
             where i.token_hash = n.token_hash and i.handed_over_at is null",
        )
        .with(tokens.iter().map(|token| token.as_bytes().as_slice()).collect::<Vec<_>>())
        .with(now.as_millis());
        self.connect().await?.run([update]).await?;
        Ok(())
    }

    async fn has_ephemeral_key(&self, public_key: &str) -> Result<bool, StorageError> {
        let select = Query::new("select 1 from ephemeral_keys where public_key = $1").with(public_key);
        let [found] = self.connect().await?.run([select]).await?;
        Ok(!found.rows.is_empty())
    }
}

/// An invitation for the address that was not handed over yet.
pub(super) fn find_waiting(address: &AddressHash) -> Query<'_> {
    Query::new("select 1 from invitations where address_hash = $1 and handed_over_at is null limit 1")
        .with(address.as_bytes().as_slice())
}

/// Holds off a bind of the address: it must either be seen here or see what is stored here.
async fn store(mut tx: Transaction, storing: Arc<Storing>, now: Timestamp) -> Outcome<InvitationStored> {
    let Storing { invitation, ephemeral_key, mail, charges } = &*storing;
    let address = &invitation.address_hash;
    let wanted = Wanted::of(charges, now);
    let [_, user, suppressed, fresh, found] = tx
        .run([
            lock_address(address),
            associations::find_user(address),
            list_suppressed(vec![address.as_bytes()]),
            wanted.lock(),
            wanted.load(),
        ])
        .await?;
    let mut budgets = wanted.read(&found.rows, &fresh.rows)?;
    let state = InvitationState {
        bound_to: associations::read_user(&user)?,
        suppressed: !suppressed.rows.is_empty(),
        full_at: budgets.full_at(charges),
    };
    let (fate, left) = match Invitation::store(&state, charges, now) {
        Ok(decided) => decided,
        Err(limited) => {
            tx.roll_back().await?;
            return Ok(InvitationStored::Limited(limited));
        }
    };
    budgets.apply(&left);
    let notice = ValidationSession::notice(mail, MessageKind::Invitation, now);
    let saves = budgets.saves();
    let mut queries = saves.queries();
    let stored = match fate {
        InvitationFate::InUse(user_id) => InvitationStored::InUse(user_id),
        InvitationFate::Unmailed => InvitationStored::Waiting { queued: false },
        InvitationFate::Mailed => {
            let (session, message) = &notice;
            queries.extend([sessions::insert(vec![session]), outbox::enqueue(std::slice::from_ref(message))]);
            InvitationStored::Waiting { queued: true }
        }
    };
    if let InvitationStored::Waiting { .. } = stored {
        queries.extend(insert(invitation, ephemeral_key));
    }
    let replies = tx.finish(queries).await?;
    saves.check(&replies)?;
    Ok(stored)
}

fn insert<'a>(invitation: &'a Invitation, ephemeral_key: &'a str) -> [Query<'a>; 2] {
    let insert = Query::new(
        "insert into invitations
            (token_hash, address_hash, sender, sealed_details, sid, created_at, handed_over_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .with(invitation.token_hash.as_bytes().as_slice())
    .with(invitation.address_hash.as_bytes().as_slice())
    .with(invitation.sender.as_str())
    .with(invitation.sealed_details.as_bytes())
    .with(invitation.sid.as_bytes().as_slice())
    .with(invitation.created_at.as_millis())
    .with(invitation.handed_over_at.map(Timestamp::as_millis));
    let key = Query::new("insert into ephemeral_keys (public_key, token_hash) values ($1, $2)")
        .with(ephemeral_key)
        .with(invitation.token_hash.as_bytes().as_slice());
    [insert, key]
}

/// An invitation, from all columns.
pub(super) fn read(row: &Row) -> Outcome<Invitation> {
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
