//! A row of `validation_sessions`, column by column.

use countersign_core::{
    AddressHash, ClientSecretHash, CodeGeneration, Consumed, EndReason, Ended, MasterKeyId, Medium, Sealed,
    SendAttempt, SessionId, SessionKey, SessionPurpose, Timestamp, TokenNonce, UserId, ValidationSession,
};
use tokio_postgres::Row;

use super::super::{failure::Outcome, parameter::Query, rows::Columns};
use crate::{accounts::parse_localpart, sessions::parse_user_id};

/// Reads a row whose columns are in the order of the fields.
pub(super) fn read(row: &Row) -> Outcome<ValidationSession> {
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

/// Sessions, to be written column by column.
pub(super) struct Arrays<'a>(Vec<&'a ValidationSession>);

impl<'a> Arrays<'a> {
    pub(super) fn of(sessions: Vec<&'a ValidationSession>) -> Self {
        Self(sessions)
    }

    /// Fills the gaps for the id and for what may change.
    pub(super) fn fill_changing(&self, query: Query<'a>) -> Query<'a> {
        query
            .with(self.each(|session| session.sid.as_bytes().as_slice()))
            .with(self.each(|session| session.send_attempt.map(|attempt| attempt.0)))
            .with(self.each(|session| session.sealed_next_link.as_ref().map(Sealed::as_bytes)))
            .with(self.each(|session| i64::from(session.code_generation.0)))
            .with(self.each(|session| session.code_began_at.map(Timestamp::as_millis)))
            .with(self.each(|session| i64::from(session.misses)))
            .with(self.each(|session| session.requested_by.as_ref().map(UserId::as_str)))
            .with(self.each(|session| session.validated_at.map(Timestamp::as_millis)))
            .with(self.each(|session| session.expires_at.as_millis()))
            .with(self.each(|session| session.ended.map(|ended| ended.at.as_millis())))
            .with(self.each(|session| session.ended.map(|ended| ended.reason.as_str())))
            .with(self.each(|session| session.consumed.as_ref().map(|consumed| consumed.at.as_millis())))
            .with(self.each(|session| session.consumed.as_ref().map(|consumed| consumed.by.as_str())))
            .with(self.each(|session| session.decoy))
            .with(self.each(|session| session.latest))
    }

    /// Fills the gaps for what stays.
    pub(super) fn fill_lasting(&self, query: Query<'a>) -> Query<'a> {
        query
            .with(self.each(|session| session.key.as_bytes().as_slice()))
            .with(self.each(|session| session.purpose.as_str()))
            .with(self.each(|session| session.medium.as_str()))
            .with(self.each(|session| session.address_hash.as_bytes().as_slice()))
            .with(self.each(|session| session.sealed_address.as_bytes()))
            .with(self.each(|session| session.client_secret_hash.as_bytes().as_slice()))
            .with(self.each(|session| session.token_key_id.as_str()))
            .with(self.each(|session| session.nonce.as_bytes().as_slice()))
            .with(self.each(|session| session.created_at.as_millis()))
    }

    fn each<T>(&self, column: impl Fn(&'a ValidationSession) -> T) -> Vec<T> {
        self.0.iter().map(|session| column(session)).collect()
    }
}
