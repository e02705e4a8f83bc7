//! Requests for tokens, by the round.
//!
//! A look without locks answers repeats, which write nothing. For the others one round of statements takes the locks and
//! loads what core needs to know, and a second one saves what it decided and commits.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::{
    DropReason, MessageOutcome, RequestState, Requested, SessionId, SessionKey, Timestamp, ValidationRequest,
    ValidationSession,
};

use super::{
    fold::{Addresses, Fold},
    insert, read, save, select_sessions,
};
use crate::postgres::{
    budgets::{BudgetSaves, Wanted},
    connection::{Reply, Transaction},
    failure::Outcome,
    lane::{Round, decide},
    outbox,
    parameter::Query,
    pool::Pool,
    rows::{Columns, list},
    suppressions::list_suppressed,
    threepids::{list_owners, read_owners_name},
    wakeups::Announcer,
};

/// Carries out `request_validation`.
pub(in crate::postgres) struct RequestValidation {
    pub(in crate::postgres) announcer: Announcer,
}

type Job = (ValidationRequest, Timestamp);

impl Round for RequestValidation {
    type Job = Job;
    type Answer = Requested;

    async fn run(&self, pool: &Pool, jobs: &[Job]) -> Outcome<Vec<Outcome<Requested>>> {
        let mut connection = pool.connect().await?;
        let repeats = {
            let looks = [list_latest(jobs), list_owners(addresses(jobs))];
            let [latest, owners] = connection.run(looks).await?;
            find_repeats(jobs, &latest, &owners)?
        };
        let others = || jobs.iter().zip(&repeats).filter(|(_, repeat)| repeat.is_none()).map(|(job, _)| job);
        let decided = if others().next().is_some() {
            self.decide(Transaction::on(connection), &others().collect::<Vec<_>>()).await?
        } else {
            Vec::new()
        };
        let mut decided = decided.into_iter();
        let answer = |repeat: Option<Requested>| repeat.map(Ok).or_else(|| decided.next());
        Ok(repeats.into_iter().filter_map(answer).collect())
    }
}

impl RequestValidation {
    /// Carries out requests that change something, most likely.
    async fn decide(&self, mut tx: Transaction, jobs: &[&Job]) -> Outcome<Vec<Outcome<Requested>>> {
        let (keys, mut fold) = lock_and_load(&mut tx, jobs).await?;
        let answers = jobs.iter().map(|(request, now)| fold.request(request, *now)).collect();
        let budget_saves = fold.budgets.saves();
        let saves = Saves::of(&fold, &keys);
        if saves.is_empty() && !fold.budgets.are_changed() {
            // Nothing but locks and rows made in vain.
            tx.roll_back().await?;
            return Ok(answers);
        }
        saves.save(tx, &budget_saves).await?;
        for carrier in
            fold.messages.iter().map(|message| message.carrier).collect::<std::collections::HashSet<_>>()
        {
            self.announcer.announce(carrier);
        }
        Ok(answers)
    }
}

fn addresses(jobs: &[Job]) -> Vec<&[u8]> {
    jobs.iter().map(|(request, _)| request.address_hash.as_bytes().as_slice()).collect()
}

fn list_latest(jobs: &[Job]) -> Query<'_> {
    let keys: Vec<&[u8]> = jobs.iter().map(|(request, _)| request.key.as_bytes().as_slice()).collect();
    Query::new(select_sessions!("where sid in (select sid from session_keys where key = any($1))")).with(keys)
}

/// For each request that was seen before, the answer. What it is decided by was committed before it came.
fn find_repeats(jobs: &[Job], latest: &Reply, owners: &Reply) -> Outcome<Vec<Option<Requested>>> {
    let mut sessions = BTreeMap::new();
    for row in &latest.rows {
        // One that does not parse fails its own request, under its lock.
        if let Ok(session) = read(row) {
            sessions.insert(session.key, session);
        }
    }
    let owners: BTreeMap<_, _> = list(&owners.rows, read_owners_name)?.into_iter().collect();
    let repeat = |(request, now): &Job| {
        let existing = sessions.get(&request.key).cloned()?;
        let owner = owners.get(&request.address_hash).cloned();
        let state = RequestState { existing: Some(existing), owner, ..RequestState::default() };
        match decide(|| ValidationSession::request(&state, request, *now)).ok()?.answer {
            Requested::Repeated(sid) => Some(Requested::Repeated(sid)),
            Requested::Sending(_) | Requested::InUse | Requested::NotFound | Requested::Limited(_) => None,
        }
    };
    Ok(jobs.iter().map(repeat).collect())
}

/// The keys of a round, in the order in which they are locked.
struct Keys {
    /// Each with the session that it is to name if it names none.
    wanted: BTreeMap<SessionKey, SessionId>,
    /// Those that named none.
    fresh: BTreeSet<SessionKey>,
    /// What the others named.
    named: BTreeMap<SessionKey, SessionId>,
}

impl Keys {
    fn lock(&self) -> Query<'_> {
        let sids: Vec<&[u8]> = self.wanted.values().map(|sid| sid.as_bytes().as_slice()).collect();
        Query::new(
            "insert into session_keys (key, sid)
             select * from unnest($1::bytea[], $2::bytea[]) as wanted (key, sid) order by key
             on conflict (key) do update set sid = excluded.sid where false
             returning key",
        )
        .with(self.all())
        .with(sids)
    }

    fn all(&self) -> Vec<&[u8]> {
        self.wanted.keys().map(|key| key.as_bytes().as_slice()).collect()
    }
}

async fn lock_and_load(tx: &mut Transaction, jobs: &[&Job]) -> Outcome<(Keys, Fold)> {
    let (mut wanted_keys, mut wanted) = (BTreeMap::new(), Wanted::of(&[], Timestamp::from_millis(0)));
    for (request, now) in jobs {
        wanted_keys.entry(request.key).or_insert(request.new_sid);
        wanted.add(&request.charges, *now);
    }
    let mut keys = Keys { wanted: wanted_keys, fresh: BTreeSet::new(), named: BTreeMap::new() };
    let addresses: BTreeSet<&[u8]> =
        jobs.iter().map(|(request, _)| request.address_hash.as_bytes().as_slice()).collect();
    let addresses: Vec<&[u8]> = addresses.into_iter().collect();
    let mut queries = vec![
        keys.lock(),
        Query::new("select key, sid from session_keys where key = any($1)").with(keys.all()),
        Query::new(select_sessions!(
            "where sid in (select sid from session_keys where key = any($1)) order by sid for update"
        ))
        .with(keys.all()),
        list_owners(addresses.clone()),
        list_suppressed(addresses),
    ];
    if !wanted.is_empty() {
        queries.extend([wanted.lock(), wanted.load()]);
    }
    let replies = tx.run_all(queries).await?;
    let [fresh, named, sessions, owners, suppressed, budgets @ ..] = replies.as_slice() else {
        unreachable!("each statement has one reply")
    };
    let read_key = |columns: &mut Columns<'_>| Ok(SessionKey::from_bytes(columns.bytes("key")?));
    keys.fresh =
        list(&fresh.rows, |row| read_key(&mut Columns::of("session_keys", row)))?.into_iter().collect();
    for row in &named.rows {
        let mut columns = Columns::of("session_keys", row);
        keys.named.insert(read_key(&mut columns)?, SessionId::from_bytes(columns.bytes("sid")?));
    }
    let addresses = Addresses {
        owners: list(&owners.rows, read_owners_name)?.into_iter().collect(),
        suppressed: list(&suppressed.rows, |row| {
            let bytes = Columns::of("suppressions", row).bytes("address_hash")?;
            Ok(countersign_core::AddressHash::from_bytes(bytes))
        })?
        .into_iter()
        .collect(),
    };
    let budgets = match budgets {
        [fresh, found] => wanted.read(&found.rows, &fresh.rows)?,
        _ => wanted.read(&[], &[])?,
    };
    let fold = Fold::new(list(&sessions.rows, read)?, addresses, budgets);
    Ok((keys, fold))
}

/// What a round saves, but for the budgets.
struct Saves<'a> {
    fold: &'a Fold,
    new_sessions: Vec<&'a ValidationSession>,
    changed_sessions: Vec<&'a ValidationSession>,
    /// Keys that name another session than before.
    renamed: Vec<(&'a SessionKey, SessionId)>,
    /// Keys that were made in vain.
    unused: Vec<&'a [u8]>,
}

impl<'a> Saves<'a> {
    fn of(fold: &'a Fold, keys: &'a Keys) -> Self {
        let (mut renamed, mut unused) = (Vec::new(), Vec::new());
        for key in keys.wanted.keys() {
            match fold.latest(*key) {
                Some(sid) if keys.named.get(key) != Some(&sid) => renamed.push((key, sid)),
                None if keys.fresh.contains(key) => unused.push(key.as_bytes().as_slice()),
                Some(_) | None => {}
            }
        }
        let (new_sessions, changed_sessions) = (fold.new_sessions(), fold.changed_sessions());
        Self { fold, new_sessions, changed_sessions, renamed, unused }
    }

    fn is_empty(&self) -> bool {
        self.new_sessions.is_empty() && self.changed_sessions.is_empty()
    }

    async fn save(self, tx: Transaction, budgets: &BudgetSaves<'_>) -> Outcome<()> {
        let mut queries = Vec::new();
        // How many rows of which table each statement must change.
        let mut expected = Vec::new();
        if !self.new_sessions.is_empty() {
            expected.push(Some(("validation_sessions", self.new_sessions.len())));
            queries.push(insert(self.new_sessions));
        }
        if !self.changed_sessions.is_empty() {
            expected.push(Some(("validation_sessions", self.changed_sessions.len())));
            queries.push(save(self.changed_sessions));
        }
        if !self.renamed.is_empty() {
            expected.push(Some(("session_keys", self.renamed.len())));
            let keys: Vec<&[u8]> = self.renamed.iter().map(|(key, _)| key.as_bytes().as_slice()).collect();
            let rename = "update session_keys k set sid = n.sid
                 from unnest($1::bytea[], $2::bytea[]) as n (key, sid) where k.key = n.key";
            let sids: Vec<&[u8]> = self.renamed.iter().map(|(_, sid)| sid.as_bytes().as_slice()).collect();
            queries.push(Query::new(rename).with(keys).with(sids));
        }
        if !self.unused.is_empty() {
            expected.push(Some(("session_keys", self.unused.len())));
            queries.push(Query::new("delete from session_keys where key = any($1)").with(self.unused));
        }
        if !self.fold.supersede.is_empty() {
            expected.push(None);
            queries.push(outbox::supersede(&self.fold.supersede));
        }
        if !self.fold.messages.is_empty() {
            expected.push(Some(("outbox", self.fold.messages.len())));
            queries.push(outbox::enqueue(&self.fold.messages));
        }
        if !self.fold.superseded.is_empty() {
            expected.push(Some(("message_history", self.fold.superseded.len())));
            let outcome = MessageOutcome::Dropped(DropReason::Superseded);
            queries.push(outbox::record(&self.fold.superseded, outcome));
        }
        queries.extend(budgets.queries());
        let replies = tx.finish(queries).await?;
        let (replies, budget_replies) = replies.split_at(expected.len());
        for (reply, expected) in replies.iter().zip(expected) {
            expected.map_or(Ok(()), |(table, count)| reply.must_change(table, count))?;
        }
        budgets.check(budget_replies)
    }
}
