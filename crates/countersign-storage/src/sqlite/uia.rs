//! Sessions of user-interactive authentication.

use async_trait::async_trait;
use countersign_core::{
    Charge, Limited, Localpart, RegistrationTokenHash, Sealed, SessionId, Stage, StageProof, Timestamp,
    UiaOperation, UiaSession, UiaSessionHash, UiaTargetHash,
};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage, accounts, budgets,
    failure::Outcome,
    registration_tokens,
    rows::{Columns, change, change_one, find},
};
use crate::{
    StageCompleted, StorageError, TokenReserved, UiaStore,
    accounts::parse_localpart,
    uia::{parse_stages, parse_terms, stage_names, terms_lines},
};

#[async_trait]
impl UiaStore for SqliteStorage {
    async fn open_uia_session(
        &self,
        session: UiaSession,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StorageError> {
        self.write(move |tx| open(tx, &session, &charges, now)).await
    }

    async fn find_uia_session(&self, id: UiaSessionHash) -> Result<Option<UiaSession>, StorageError> {
        self.read(move |tx| load(tx, id)).await
    }

    async fn complete_uia_stage(
        &self,
        id: UiaSessionHash,
        stage: Stage,
        proof: StageProof,
    ) -> Result<StageCompleted, StorageError> {
        self.write(move |tx| complete_stage(tx, id, stage, &proof)).await
    }

    async fn reserve_registration_token(
        &self,
        id: UiaSessionHash,
        token: RegistrationTokenHash,
        now: Timestamp,
    ) -> Result<TokenReserved, StorageError> {
        self.write(move |tx| reserve(tx, id, token, now)).await
    }
}

fn open(
    tx: &Connection,
    session: &UiaSession,
    charges: &[Charge],
    now: Timestamp,
) -> Outcome<Result<(), Limited>> {
    let existing = load(tx, session.id_hash)?;
    if existing.is_some_and(|existing| now <= existing.expires_at) {
        return Ok(Ok(()));
    }
    let charged = budgets::charge(tx, charges, now)?;
    if charged.is_ok() {
        change(tx, "delete from uia_sessions where id_hash = ?1", [session.id_hash.as_bytes()])?;
        insert(tx, session)?;
    }
    Ok(charged)
}

fn complete_stage(
    tx: &Connection,
    id: UiaSessionHash,
    stage: Stage,
    proof: &StageProof,
) -> Outcome<StageCompleted> {
    let Some(session) = load(tx, id)? else { return Ok(StageCompleted::SessionGone) };
    if let StageProof::Password { localpart, compared } = proof {
        let account = accounts::load(tx, localpart)?;
        if !account.is_some_and(|account| account.still_has(Some(compared))) {
            return Ok(StageCompleted::PasswordChanged);
        }
    }
    let session = session.complete(stage, proof);
    save(tx, &session)?;
    Ok(StageCompleted::Completed(session))
}

fn reserve(
    tx: &Connection,
    id: UiaSessionHash,
    token: RegistrationTokenHash,
    now: Timestamp,
) -> Outcome<TokenReserved> {
    let Some(session) = load(tx, id)?.filter(|session| now <= session.expires_at) else {
        return Ok(TokenReserved::SessionGone);
    };
    if let Some(held) = session.registration_token {
        let same = held == token;
        return Ok(if same { TokenReserved::Reserved(session) } else { TokenReserved::Changed });
    }
    let found = registration_tokens::load(tx, token, now)?;
    if !found.is_some_and(|found| found.token.has_use_left(found.pending, now)) {
        return Ok(TokenReserved::Invalid);
    }
    let session = session.complete(Stage::RegistrationToken, &StageProof::RegistrationToken(token));
    save(tx, &session)?;
    Ok(TokenReserved::Reserved(session))
}

fn insert(tx: &Connection, session: &UiaSession) -> Outcome<()> {
    change_one(
        tx,
        "uia_sessions",
        "insert into uia_sessions (id_hash, operation, localpart, target_hash, completed, created_at, expires_at,
            registered, proven, email_sid, msisdn_sid, registration_token_hash, shown_terms, sealed_params,
            password_hash, finished_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            session.id_hash.as_bytes(),
            session.operation.as_str(),
            session.localpart.as_ref().map(Localpart::as_str),
            session.target.as_ref().map(UiaTargetHash::as_bytes),
            stage_names(&session.completed),
            session.created_at.as_millis(),
            session.expires_at.as_millis(),
            session.registered.as_ref().map(Localpart::as_str),
            session.proven.as_ref().map(Localpart::as_str),
            session.email_sid.as_ref().map(SessionId::as_bytes),
            session.msisdn_sid.as_ref().map(SessionId::as_bytes),
            session.registration_token.as_ref().map(RegistrationTokenHash::as_bytes),
            terms_lines(&session.shown_terms),
            session.sealed_params.as_ref().map(Sealed::as_bytes),
            session.password_hash,
            session.finished_at.map(Timestamp::as_millis),
        ],
    )
}

/// Saves what may change in a session. The rest of the row stays as it was inserted.
pub(super) fn save(tx: &Connection, session: &UiaSession) -> Outcome<()> {
    change_one(
        tx,
        "uia_sessions",
        "update uia_sessions set
            completed = ?2, registered = ?3, proven = ?4, email_sid = ?5, msisdn_sid = ?6,
            registration_token_hash = ?7, finished_at = ?8
         where id_hash = ?1",
        params![
            session.id_hash.as_bytes(),
            stage_names(&session.completed),
            session.registered.as_ref().map(Localpart::as_str),
            session.proven.as_ref().map(Localpart::as_str),
            session.email_sid.as_ref().map(SessionId::as_bytes),
            session.msisdn_sid.as_ref().map(SessionId::as_bytes),
            session.registration_token.as_ref().map(RegistrationTokenHash::as_bytes),
            session.finished_at.map(Timestamp::as_millis),
        ],
    )
}

/// The session with that id.
pub(super) fn load(tx: &Connection, id: UiaSessionHash) -> Outcome<Option<UiaSession>> {
    let statement = tx.prepare_cached(
        "select operation, localpart, target_hash, completed, created_at, expires_at, registered, proven, email_sid,
            msisdn_sid, registration_token_hash, shown_terms, sealed_params, password_hash, finished_at
         from uia_sessions where id_hash = ?1",
    )?;
    find(statement, [id.as_bytes()], |row| {
        let mut columns = Columns::of("uia_sessions", row);
        Ok(UiaSession {
            id_hash: id,
            operation: columns.parse("operation", UiaOperation::parse)?,
            localpart: columns.parse_optional("localpart", parse_localpart)?,
            target: columns.optional_bytes("target_hash")?.map(UiaTargetHash::from_bytes),
            completed: columns.parse("completed", parse_stages)?,
            created_at: columns.timestamp("created_at")?,
            expires_at: columns.timestamp("expires_at")?,
            registered: columns.parse_optional("registered", parse_localpart)?,
            proven: columns.parse_optional("proven", parse_localpart)?,
            email_sid: columns.optional_bytes("email_sid")?.map(SessionId::from_bytes),
            msisdn_sid: columns.optional_bytes("msisdn_sid")?.map(SessionId::from_bytes),
            registration_token: columns
                .optional_bytes("registration_token_hash")?
                .map(RegistrationTokenHash::from_bytes),
            shown_terms: columns.parse_optional("shown_terms", parse_terms)?.unwrap_or_default(),
            sealed_params: columns.optional_blob("sealed_params")?.map(Sealed::from_bytes),
            password_hash: columns.parse_optional("password_hash", |hash| Some(hash.to_owned()))?,
            finished_at: columns.optional_timestamp("finished_at")?,
        })
    })
}
