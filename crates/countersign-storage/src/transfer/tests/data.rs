//! What is moved in tests: an installation made by operations, and rows of anything.

use std::path::Path;

use countersign_core::{
    AccountThreepid, BudgetKind, Carrier, Charge, Device, InUsePolicy, Localpart, MasterKeyId, Medium,
    MessageId, Random, Requested, Sealed, SessionId, SessionPurpose, Stage, StageProof, Submitted,
    TermsVersion, Timestamp, UiaOperation, UiaSession, UiaTargetHash, ValidationRequest, ValidationSession,
};
use rusqlite::{Connection, params_from_iter, types::Value as SqliteValue};

use super::identity::{self, IdentityLook};
use crate::{
    FinishedMessage, FoundToken, HeldRegistrationToken, KeyCheck, Refreshed, Registered, Storage,
    contract::data::*,
    test_database::TestDatabase,
    transfer::{row::Kind, tables::Table},
};

/// An installation with something in each table, and what must be known to find it.
pub(super) struct Installation {
    proven: ValidationRequest,
    proven_sid: SessionId,
    open: ValidationRequest,
    open_sid: SessionId,
    msisdn: ValidationRequest,
    msisdn_sid: SessionId,
    held: MessageId,
    finished: Vec<MessageId>,
    spent: Charge,
    uia: UiaSession,
}

/// What operations tell of an installation.
#[derive(Debug, PartialEq)]
pub(super) struct Look {
    sessions: Vec<ValidationSession>,
    accounts: Vec<Option<(Option<String>, Timestamp)>>,
    devices: Vec<Vec<Device>>,
    tokens: Vec<Option<FoundToken>>,
    threepids: Vec<Vec<AccountThreepid>>,
    finished: Vec<Option<FinishedMessage>>,
    uia: Option<UiaSession>,
    waiting: u64,
    oldest: Option<Timestamp>,
    next_due_at: [Option<Timestamp>; 2],
    index_key: Option<Sealed>,
    key_checks: Vec<KeyCheck>,
    refreshable: Option<FoundToken>,
    terms: Vec<TermsVersion>,
    registration_tokens: Vec<HeldRegistrationToken>,
    openid_owner: Option<Localpart>,
    delegation: Option<Sealed>,
    identity: IdentityLook,
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const DEVICES: [&str; 4] = ["ZEBRA", "APPLE", "MANGO", "BERRY"];

impl Installation {
    pub(super) async fn make(storage: &dyn Storage) -> Self {
        storage.init_index_key(Sealed::from_bytes(b"index key".to_vec())).await.unwrap();
        let key_id = MasterKeyId::parse("k1").unwrap();
        storage.add_key_check(KeyCheck { key_id, check_value: [3; 32] }).await.unwrap();
        for name in NAMES {
            storage.register(registration(name, None), NOW).await.unwrap();
            for device in DEVICES {
                log_in(storage, name, device).await;
            }
            // In an order that is neither theirs by name nor by hash.
            for host in ["zebra", "apple", "mango", "berry"] {
                owned(storage, &email(&format!("{name}@{host}.example.org")), name).await;
            }
        }
        let suppressed = request(SessionPurpose::AddThreepid, &email("no@example.org"));
        let asked = delivered(storage, &suppressed, NOW).await;
        assert!(storage.suppress(not_me(&asked), NOW).await.unwrap());
        let proven = request(SessionPurpose::AddThreepid, &email("new@example.org"));
        let proven_sid = validated(storage, &proven, NOW).await.sid;
        let held = request(SessionPurpose::Identity, &email("held@example.org"));
        sending(storage, &held, NOW).await;
        lease_one(storage, Medium::Email, NOW).await;
        let open = request(SessionPurpose::AddThreepid, &email("open@example.org"));
        let open_sid = sending(storage, &open, NOW).await;
        let msisdn = request(SessionPurpose::Register, &msisdn("447700900123"));
        let msisdn_sid = sending(storage, &msisdn, NOW).await;
        let spent = charge(BudgetKind::Registrations, "spent", 1);
        storage.charge(vec![spent], NOW).await.unwrap().unwrap();
        let uia = UiaSession {
            target: Some(UiaTargetHash::from_bytes([7; 32])),
            ..UiaSession::begin(
                uia_session_hash("b"),
                UiaOperation::AddThreepid,
                Some(localpart("alice")),
                NOW,
            )
        };
        storage.open_uia_session(uia.clone(), Vec::new(), NOW).await.unwrap().unwrap();
        let uia = complete(storage, "b", Stage::Password, StageProof::Nothing).await;
        make_what_the_client_api_keeps(storage, open_sid).await;
        identity::make(storage).await;
        let finished = vec![suppressed.message_id, proven.message_id, held.message_id];
        let held = held.message_id;
        Self { proven, proven_sid, open, open_sid, msisdn, msisdn_sid, held, finished, spent, uia }
    }

    pub(super) async fn look(&self, storage: &dyn Storage) -> Look {
        let mut look = Look {
            sessions: Vec::new(),
            accounts: Vec::new(),
            devices: Vec::new(),
            tokens: Vec::new(),
            threepids: Vec::new(),
            finished: Vec::new(),
            uia: storage.find_uia_session(self.uia.id_hash).await.unwrap(),
            waiting: storage.count_outbox().await.unwrap().waiting,
            oldest: storage.count_outbox().await.unwrap().oldest_created_at,
            next_due_at: [
                storage.next_due_at(Carrier::Email).await.unwrap(),
                storage.next_due_at(Carrier::Msisdn).await.unwrap(),
            ],
            index_key: storage.find_index_key().await.unwrap(),
            key_checks: storage.list_key_checks().await.unwrap(),
            refreshable: storage.find_token(access_token_hash("dora")).await.unwrap(),
            terms: storage.list_accepted_terms(&localpart("dora")).await.unwrap(),
            registration_tokens: storage.list_registration_tokens(NOW).await.unwrap(),
            openid_owner: storage.find_openid_owner(keyring().openid_token_hash("open"), NOW).await.unwrap(),
            delegation: storage.find_delegation(self.open_sid).await.unwrap(),
            identity: identity::look(storage).await,
        };
        for sid in [self.proven_sid, self.open_sid, self.msisdn_sid] {
            look.sessions.push(session(storage, sid).await);
        }
        for name in NAMES {
            let account = storage.find_account(&localpart(name)).await.unwrap();
            look.accounts.push(account.map(|account| (account.password_hash, account.created_at)));
            look.devices.push(storage.list_devices(&localpart(name)).await.unwrap());
            look.threepids.push(storage.list_threepids(&localpart(name)).await.unwrap());
            for device in DEVICES {
                let token = access_token_hash(&format!("{name} {device}"));
                look.tokens.push(storage.find_token(token).await.unwrap());
            }
        }
        for id in &self.finished {
            look.finished.push(storage.find_finished_message(*id).await.unwrap());
        }
        look
    }

    /// What a moved installation goes on with.
    pub(super) async fn go_on(&self, storage: &dyn Storage) {
        assert!(storage.charge(vec![self.spent], NOW).await.unwrap().is_err(), "a spent budget stays spent");
        let suppressed = request_with(SessionPurpose::Identity, &email("no@example.org"), "other");
        let before = waiting(storage).await;
        storage.request_validation(suppressed, NOW).await.unwrap();
        assert_eq!(waiting(storage).await, before, "an owner who wants no messages gets none");
        for (request, sid) in
            [(&self.open, self.open_sid), (&self.msisdn, self.msisdn_sid), (&self.proven, self.proven_sid)]
        {
            let repeated = storage.request_validation(again(request, 1), NOW).await.unwrap();
            assert_eq!(repeated, Requested::Repeated(sid));
        }
        let in_use = request_with(SessionPurpose::AddThreepid, &email("alice@apple.example.org"), "third");
        let in_use = ValidationRequest { in_use: InUsePolicy::Tell, ..in_use };
        assert_eq!(storage.request_validation(in_use, NOW).await.unwrap(), Requested::InUse);
        let session = session(storage, self.proven_sid).await;
        storage.add_threepid(add_threepid(&session, "bob"), NOW).await.unwrap().unwrap();
        let listed = storage.list_threepids(&localpart("bob")).await.unwrap();
        assert_eq!(listed.last().unwrap().address_hash, session.address_hash, "what is new comes last");
        log_in(storage, "bob", "AARDVARK").await;
        let refreshed = storage.refresh(refresh("dora", "new"), NOW).await.unwrap();
        assert!(matches!(refreshed, Refreshed::Issued(_)), "{refreshed:?}");
        let devices = storage.list_devices(&localpart("bob")).await.unwrap();
        assert_eq!(devices.last().unwrap().device_id, device_id("AARDVARK"), "what is new comes last");

        let request = lease_request(Medium::Email, 10, NOW);
        let lease_id = request.lease_id;
        let leased = storage.lease(request, NOW).await.unwrap();
        let ids: Vec<_> = leased.iter().map(|leased| leased.message.id).collect();
        assert!(ids.contains(&self.held) && ids.contains(&self.open.message_id), "{ids:?}");
        for id in ids {
            assert!(storage.mark_delivered(id, lease_id, NOW).await.unwrap());
        }
        let (leased, lease_id) = lease_one(storage, Medium::Msisdn, NOW).await;
        assert!(storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
        let code = submission(&leased.session, &typed_code(&leased.session));
        assert_eq!(storage.submit_token(code, NOW).await.unwrap(), Submitted::Validated);
        identity::go_on(storage).await;
    }
}

/// Fills the tables that no operation above has filled.
async fn make_what_the_client_api_keeps(storage: &dyn Storage, sid: SessionId) {
    let session = UiaSession {
        shown_terms: vec![TermsVersion::parse("tos", "1").unwrap()],
        ..uia_register(uia_session_hash("terms"))
    };
    storage.open_uia_session(session, Vec::new(), NOW).await.unwrap().unwrap();
    let id = uia_session_hash("terms");
    storage.complete_uia_stage(id, Stage::Terms, StageProof::Nothing).await.unwrap();
    let login = refreshable_login("dora", "PHONE", "dora");
    let registration = registration_in("terms", "dora", Some(login));
    assert_eq!(storage.register(registration, NOW).await.unwrap(), Registered::Created);
    // In an order that is neither theirs by name nor by hash.
    for text in ["zebra", "apple", "mango", "berry"] {
        assert!(storage.add_registration_token(registration_token(text, Some(3))).await.unwrap());
    }
    let token = keyring().openid_token_hash("open");
    let phone = device_id("PHONE");
    assert!(storage.add_openid_token(token, &localpart("dora"), &phone, NOW.after(HOUR)).await.unwrap());
    let remote = Sealed::from_bytes(b"remote".to_vec());
    storage.keep_delegation(sid, remote, NOW.after(DAY)).await.unwrap();
}

async fn log_in(storage: &dyn Storage, name: &str, device: &str) {
    let login = login(name, device, &format!("{name} {device}"));
    assert!(storage.log_in(login, Some(PASSWORD_HASH)).await.unwrap());
}

/// Fills each table with rows of anything that it takes, the same for the same seed.
pub(super) fn random_rows(path: &Path, rows: usize, seed: u8) {
    let choices = CountingRandom::new();
    (0..u32::from(seed) * 10_000).for_each(|_| choices.fill(&mut [0]));
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("begin").unwrap();
    for table in tables(&connection) {
        let rows = if table == "index_keys" { 1 } else { rows };
        let columns = columns(&connection, &table);
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        let gaps: Vec<_> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
        let insert = format!("insert into {table} ({}) values ({})", names.join(", "), gaps.join(", "));
        for _ in 0..rows {
            let values = columns.iter().map(|column| column.value(&choices));
            connection.execute(&insert, params_from_iter(values)).unwrap();
        }
    }
    // Gaps, and an order that is not that of the keys.
    connection
        .execute_batch(
            "delete from devices where rowid % 10 = 9; delete from accounts where rowid = 2; commit",
        )
        .unwrap();
}

fn tables(connection: &Connection) -> Vec<String> {
    let select =
        "select name from pragma_table_list where type = 'table' and name not in ('schema_migrations')
        and name not like 'sqlite%'";
    let mut statement = connection.prepare(select).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

struct SqliteColumn {
    name: String,
    sql_type: String,
    is_nullable: bool,
}

fn columns(connection: &Connection, table: &str) -> Vec<SqliteColumn> {
    let select = "select name, type, \"notnull\" = 0 and pk = 0 from pragma_table_info(?1)";
    let mut statement = connection.prepare(select).unwrap();
    let read = |row: &rusqlite::Row<'_>| {
        Ok(SqliteColumn { name: row.get(0)?, sql_type: row.get(1)?, is_nullable: row.get(2)? })
    };
    statement.query_map([table], read).unwrap().map(Result::unwrap).collect()
}

impl SqliteColumn {
    /// Any value that the column takes, different from all others where that must be.
    fn value(&self, choices: &CountingRandom) -> SqliteValue {
        let choose = |bound: u64| u64::from_be_bytes((choices as &dyn Random).bytes()) % bound;
        let unique = || (choices as &dyn Random).bytes::<8>();
        if self.is_nullable && choose(3) == 0 {
            return SqliteValue::Null;
        }
        match (self.sql_type.as_str(), self.name.as_str()) {
            (_, "id") if self.sql_type == "INTEGER" => SqliteValue::Integer(1),
            (_, "decoy" | "latest") => SqliteValue::Integer(i64::from(choose(2) == 0)),
            (_, "session_number" | "number") => SqliteValue::Integer(i64::from_be_bytes(unique()) >> 1),
            ("INTEGER", _) => SqliteValue::Integer(
                [0, 1, -1, i64::MAX, i64::MIN, i64::from_be_bytes(unique())]
                    [usize::try_from(choose(6)).unwrap()],
            ),
            ("TEXT", _) => {
                let texts = ["", "a", "\u{1}\t\n\\'\"", "ä€𝄞\u{feff}", "null", "\\x00", "\u{7f}"];
                let text = texts[usize::try_from(choose(7)).unwrap()];
                SqliteValue::Text(format!("{text}{}", u64::from_be_bytes(unique())))
            }
            ("BLOB", _) => {
                let mut bytes = unique().to_vec();
                bytes.resize(8 + usize::try_from(choose(300)).unwrap(), u8::try_from(choose(256)).unwrap());
                SqliteValue::Blob(bytes)
            }
            (other, _) => panic!("what to put into a column of type {other}?"),
        }
    }
}

/// All rows that fill a table, as text, in one order. Written by SQLite, so that none of ours stands between.
pub(super) fn contents_of_sqlite(path: &Path, table: &Table) -> Vec<String> {
    let columns = table.columns.iter().map(|column| {
        let from = column.from;
        match column.kind {
            Kind::Integer | Kind::Flag => format!("ifnull(cast({from} as text), '-')"),
            Kind::Text => format!("ifnull('t' || {from}, '-')"),
            // `hex` of null is empty, not null.
            Kind::Blob => format!("iif({from} is null, '-', 'x' || lower(hex({from})))"),
        }
    });
    let select = format!("select {} from {}", columns.collect::<Vec<_>>().join(" || '|' || "), table.from);
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(&select).unwrap();
    let mut rows: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    rows.sort();
    rows
}

/// The same of PostgreSQL.
pub(super) async fn contents_of_postgres(database: &TestDatabase, table: &Table) -> Vec<String> {
    let columns = table.columns.iter().map(|column| {
        let name = column.name;
        match column.kind {
            Kind::Integer => format!("coalesce({name}::text, '-')"),
            Kind::Flag => format!("coalesce({name}::integer::text, '-')"),
            Kind::Text => format!("coalesce('t' || {name}, '-')"),
            Kind::Blob => format!("coalesce('x' || encode({name}, 'hex'), '-')"),
        }
    });
    let select = format!("select {} from {}", columns.collect::<Vec<_>>().join(" || '|' || "), table.name);
    let mut rows = database.run(&select).await;
    rows.sort();
    rows
}
