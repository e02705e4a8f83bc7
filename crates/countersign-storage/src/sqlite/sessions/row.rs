//! A row of `validation_sessions`, column by column.

use countersign_core::{
    AddressHash, ClientSecretHash, CodeGeneration, Consumed, EndReason, Ended, MasterKeyId, Medium, Sealed,
    SendAttempt, SessionId, SessionKey, SessionPurpose, TokenNonce, ValidationSession,
};
use rusqlite::Row;

use super::super::{failure::Outcome, rows::Columns};
use crate::{accounts::parse_localpart, sessions::parse_user_id};

/// Reads a row whose columns are in the order of the fields.
pub(super) fn read(row: &Row<'_>) -> Outcome<ValidationSession> {
    let columns = &mut Columns::of("validation_sessions", row);
    Ok(ValidationSession {
        sid: SessionId::from_bytes(columns.bytes("sid")?),
        key: SessionKey::from_bytes(columns.bytes("key")?),
        purpose: columns.parse("purpose", SessionPurpose::parse)?,
        medium: columns.parse("medium", Medium::parse)?,
        address_hash: AddressHash::from_bytes(columns.bytes("address_hash")?),
        sealed_address: Sealed::from_bytes(columns.blob("sealed_address")?),
        client_secret_hash: ClientSecretHash::from_bytes(columns.bytes("client_secret_hash")?),
        token_key_id: columns.parse("token_key_id", |id| MasterKeyId::parse(id).ok())?,
        nonce: TokenNonce::from_bytes(columns.bytes("nonce")?),
        send_attempt: columns.optional_integer("send_attempt")?.map(SendAttempt),
        sealed_next_link: columns.optional_blob("sealed_next_link")?.map(Sealed::from_bytes),
        code_generation: CodeGeneration(columns.integer("code_generation")?),
        code_began_at: columns.optional_timestamp("code_began_at")?,
        misses: columns.integer("misses")?,
        requested_by: columns.parse_optional("requested_by", parse_user_id)?,
        created_at: columns.timestamp("created_at")?,
        validated_at: columns.optional_timestamp("validated_at")?,
        expires_at: columns.timestamp("expires_at")?,
        ended: read_ended(columns)?,
        consumed: read_consumed(columns)?,
        decoy: columns.flag("decoy")?,
        latest: columns.flag("latest")?,
    })
}

fn read_ended(columns: &mut Columns<'_>) -> Outcome<Option<Ended>> {
    let at = columns.optional_timestamp("ended_at")?;
    match (at, columns.parse_optional("ended_reason", EndReason::parse)?) {
        (Some(at), Some(reason)) => Ok(Some(Ended { at, reason })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(columns.corrupt("ended_reason")),
    }
}

fn read_consumed(columns: &mut Columns<'_>) -> Outcome<Option<Consumed>> {
    let at = columns.optional_timestamp("consumed_at")?;
    match (at, columns.parse_optional("consumed_by", parse_localpart)?) {
        (Some(at), Some(by)) => Ok(Some(Consumed { at, by })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(columns.corrupt("consumed_by")),
    }
}
