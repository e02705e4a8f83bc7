//! Sessions of user-interactive authentication.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{
    Charge, Limited, Localpart, RegistrationTokenHash, Sealed, SessionId, Stage, StageProof, Timestamp,
    UiaOperation, UiaSession, UiaSessionHash, UiaTargetHash, charge,
};

use super::{
    PostgresStorage, accounts,
    budgets::Wanted,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    registration_tokens,
    rows::{Columns, first},
};
use crate::{
    StageCompleted, StorageError, TokenReserved, UiaStore,
    accounts::parse_localpart,
    uia::{parse_stages, parse_terms, stage_names, terms_lines},
};

#[async_trait]
impl UiaStore for PostgresStorage {
    async fn open_uia_session(
        &self,
        session: UiaSession,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StorageError> {
        let opening = Arc::new((session, charges));
        self.write(move |tx| open(tx, Arc::clone(&opening), now)).await
    }

    async fn find_uia_session(&self, id: UiaSessionHash) -> Result<Option<UiaSession>, StorageError> {
        let [found] = self.connect().await?.run([find(&id)]).await?;
        Ok(first(&found.rows, |row| read(row, id))?)
    }

    async fn complete_uia_stage(
        &self,
        id: UiaSessionHash,
        stage: Stage,
        proof: StageProof,
    ) -> Result<StageCompleted, StorageError> {
        self.write(move |tx| complete_stage(tx, id, stage, proof.clone())).await
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

async fn open(
    mut tx: Transaction,
    opening: Arc<(UiaSession, Vec<Charge>)>,
    now: Timestamp,
) -> Outcome<Result<(), Limited>> {
    let (session, charges) = &*opening;
    let (completed, shown_terms) = (stage_names(&session.completed), terms_lines(&session.shown_terms));
    let forget = Query::new("delete from uia_sessions where id_hash = $1 and expires_at < $2")
        .with(session.id_hash.as_bytes().as_slice())
        .with(now.as_millis());
    let [_, inserted] = tx.run([forget, insert(session, &completed, shown_terms.as_deref())]).await?;
    if inserted.changed() == 0 {
        tx.roll_back().await?;
        return Ok(Ok(()));
    }
    let wanted = Wanted::of(charges, now);
    let [fresh, found] = tx.run([wanted.lock(), wanted.load()]).await?;
    let mut budgets = wanted.read(&found.rows, &fresh.rows)?;
    match charge(charges, &budgets.full_at(charges), now) {
        Ok(updates) => budgets.apply(&updates),
        Err(limited) => {
            tx.roll_back().await?;
            return Ok(Err(limited));
        }
    }
    let saves = budgets.saves();
    let replies = tx.finish(saves.queries()).await?;
    saves.check(&replies)?;
    Ok(Ok(()))
}

async fn complete_stage(
    mut tx: Transaction,
    id: UiaSessionHash,
    stage: Stage,
    proof: StageProof,
) -> Outcome<StageCompleted> {
    let Some(session) = load_and_lock(&mut tx, id).await? else {
        tx.roll_back().await?;
        return Ok(StageCompleted::SessionGone);
    };
    if let StageProof::Password { localpart, compared } = &proof {
        let [found] = tx.run([accounts::find_and_share(localpart)]).await?;
        let account = accounts::read_found(&found, localpart)?;
        if !account.is_some_and(|account| account.still_has(Some(compared))) {
            tx.roll_back().await?;
            return Ok(StageCompleted::PasswordChanged);
        }
    }
    let changed = Changed::to(session.complete(stage, &proof));
    tx.finish(vec![changed.save()]).await?[0].must_change("uia_sessions", 1)?;
    Ok(StageCompleted::Completed(changed.session))
}

async fn reserve(
    mut tx: Transaction,
    id: UiaSessionHash,
    token: RegistrationTokenHash,
    now: Timestamp,
) -> Outcome<TokenReserved> {
    let session = match load_and_lock(&mut tx, id).await?.filter(|session| now <= session.expires_at) {
        None => Err(TokenReserved::SessionGone),
        Some(session) if session.registration_token == Some(token) => Err(TokenReserved::Reserved(session)),
        Some(session) if session.registration_token.is_some() => Err(TokenReserved::Changed),
        Some(session) => Ok(session),
    };
    let session = match session {
        Ok(session) => session,
        Err(answer) => {
            tx.roll_back().await?;
            return Ok(answer);
        }
    };
    let find = registration_tokens::find(&token, now);
    let [_, found] = tx.run([registration_tokens::lock(&token), find]).await?;
    let found = registration_tokens::read_found(&found)?;
    if !found.is_some_and(|found| found.token.has_use_left(found.pending, now)) {
        tx.roll_back().await?;
        return Ok(TokenReserved::Invalid);
    }
    let proof = StageProof::RegistrationToken(token);
    let changed = Changed::to(session.complete(Stage::RegistrationToken, &proof));
    tx.finish(vec![changed.save()]).await?[0].must_change("uia_sessions", 1)?;
    Ok(TokenReserved::Reserved(changed.session))
}

/// A session that changed, ready to be saved.
pub(super) struct Changed {
    pub(super) session: UiaSession,
    completed: String,
}

impl Changed {
    pub(super) fn to(session: UiaSession) -> Self {
        Self { completed: stage_names(&session.completed), session }
    }

    /// Saves what may change in a session. The rest of the row stays as it was inserted.
    pub(super) fn save(&self) -> Query<'_> {
        let update = Query::new(
            "update uia_sessions set
                completed = $2, registered = $3, proven = $4, email_sid = $5, msisdn_sid = $6,
                registration_token_hash = $7, finished_at = $8
             where id_hash = $1",
        );
        fill_changing(update, &self.session, &self.completed)
    }
}

/// Adds a session, unless there is one of that id.
fn insert<'a>(session: &'a UiaSession, completed: &'a str, shown_terms: Option<&'a str>) -> Query<'a> {
    let insert = Query::new(
        "insert into uia_sessions (id_hash, completed, registered, proven, email_sid, msisdn_sid,
            registration_token_hash, finished_at, operation, localpart, target_hash, created_at, expires_at,
            shown_terms, sealed_params, password_hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict (id_hash) do nothing",
    );
    fill_changing(insert, session, completed)
        .with(session.operation.as_str())
        .with(session.localpart.as_ref().map(Localpart::as_str))
        .with(session.target.as_ref().map(|target| target.as_bytes().as_slice()))
        .with(session.created_at.as_millis())
        .with(session.expires_at.as_millis())
        .with(shown_terms)
        .with(session.sealed_params.as_ref().map(Sealed::as_bytes))
        .with(session.password_hash.as_deref())
}

/// Fills the gaps for the id and for what may change.
fn fill_changing<'a>(query: Query<'a>, session: &'a UiaSession, completed: &'a str) -> Query<'a> {
    let token = session.registration_token.as_ref();
    query
        .with(session.id_hash.as_bytes().as_slice())
        .with(completed)
        .with(session.registered.as_ref().map(Localpart::as_str))
        .with(session.proven.as_ref().map(Localpart::as_str))
        .with(session.email_sid.as_ref().map(|sid| sid.as_bytes().as_slice()))
        .with(session.msisdn_sid.as_ref().map(|sid| sid.as_bytes().as_slice()))
        .with(token.map(|token| token.as_bytes().as_slice()))
        .with(session.finished_at.map(Timestamp::as_millis))
}

/// Selects a session, with its columns in the order of the fields.
macro_rules! select_session {
    ($lock:literal) => {
        concat!(
            "select operation, localpart, target_hash, completed, created_at, expires_at, registered, proven,
                email_sid, msisdn_sid, registration_token_hash, shown_terms, sealed_params, password_hash, finished_at
             from uia_sessions where id_hash = $1",
            $lock
        )
    };
}

fn find(id: &UiaSessionHash) -> Query<'_> {
    Query::new(select_session!("")).with(id.as_bytes().as_slice())
}

/// The session with that id. Others can't change it until the end of the transaction.
pub(super) async fn load_and_lock(tx: &mut Transaction, id: UiaSessionHash) -> Outcome<Option<UiaSession>> {
    let select = Query::new(select_session!(" for update")).with(id.as_bytes().as_slice());
    let [found] = tx.run([select]).await?;
    first(&found.rows, |row| read(row, id))
}

fn read(row: &tokio_postgres::Row, id: UiaSessionHash) -> Outcome<UiaSession> {
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
}
