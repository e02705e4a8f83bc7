-- The tables that the node begins with. Points in time are milliseconds since the Unix epoch.
-- No table refers to another by a foreign key: an operation deletes what belongs together.

-- Accounts of the node.
create table accounts (
    localpart text not null primary key,
    password_hash text,
    created_at integer not null
) strict;

-- Logins of accounts. Row ids keep the order in which they came.
create table devices (
    localpart text not null,
    device_id text not null,
    display_name text,
    created_at integer not null,
    unique (localpart, device_id)
) strict;

-- Tokens of devices, as keyed hashes.
create table access_tokens (
    access_token_hash blob not null primary key,
    localpart text not null,
    device_id text not null
) strict, without rowid;
create index access_tokens_by_device on access_tokens (localpart, device_id);

-- Addresses of accounts: an address is on one account at most. Row ids keep the order in which they came.
create table account_threepids (
    localpart text not null,
    medium text not null,
    address_hash blob not null unique,
    sealed_address blob not null,
    validated_at integer not null,
    added_at integer not null
) strict;
create index account_threepids_by_account on account_threepids (localpart);

-- Proofs of ownership. Kept in order of arrival, so that a new one touches few pages however many there are.
-- What changes often stands last and in no index.
create table validation_sessions (
    -- Other tables index by it rather than by the random `sid`, so that what is new lies together there, too. It may come
    -- again once a session is deleted: whoever looks by it compares `sid`.
    session_number integer primary key,
    sid blob not null unique,
    key blob not null,
    purpose text not null,
    medium text not null,
    address_hash blob not null,
    sealed_address blob not null,
    client_secret_hash blob not null,
    token_key_id text not null,
    nonce blob not null,
    decoy integer not null,
    created_at integer not null,
    latest integer not null,
    expires_at integer not null,
    send_attempt integer,
    sealed_next_link blob,
    code_generation integer not null,
    code_began_at integer,
    misses integer not null,
    requested_by text,
    validated_at integer,
    ended_at integer,
    ended_reason text,
    consumed_at integer,
    consumed_by text
) strict;
-- At most one session for a key is the latest.
create unique index validation_sessions_latest on validation_sessions (key) where latest = 1;
create index validation_sessions_by_expiry on validation_sessions (expires_at);

-- Messages that are owed. `lease_id` and `leased_until` are null while no worker holds the message.
create table outbox (
    id blob not null primary key,
    kind text not null,
    medium text not null,
    session_number integer not null,
    sid blob not null,
    send_attempt integer not null,
    language text not null,
    created_at integer not null,
    not_before integer not null,
    tries integer not null,
    lease_id blob,
    leased_until integer
) strict, without rowid;
create index outbox_waiting on outbox (medium, not_before) where lease_id is null;
create index outbox_leased on outbox (medium, leased_until) where lease_id is not null;
create index outbox_by_session on outbox (session_number);

-- Messages that are over and done with.
create table message_history (
    id blob not null primary key,
    kind text not null,
    medium text not null,
    session_number integer not null,
    sid blob not null,
    send_attempt integer not null,
    outcome text not null,
    reason text,
    tries integer not null,
    created_at integer not null,
    finished_at integer not null
) strict, without rowid;
create index message_history_by_session on message_history (session_number);
create index message_history_by_end on message_history (finished_at);

-- Sessions of user-interactive authentication. `completed` holds names of stages, separated by blanks. `target_hash` says
-- what the session is about, and `registered` which account it made.
create table uia_sessions (
    id_hash blob not null primary key,
    operation text not null,
    localpart text,
    target_hash blob,
    completed text not null,
    created_at integer not null,
    expires_at integer not null,
    registered text
) strict, without rowid;
create index uia_sessions_by_expiry on uia_sessions (expires_at);

-- Limits: when a budget is full again. The subject stands first, since one request charges several kinds of one subject,
-- which then lie on one page. No index by time: each charge would have to move its row in it.
create table budgets (
    subject blob not null,
    kind text not null,
    full_at integer not null,
    primary key (subject, kind)
) strict, without rowid;

-- Addresses whose owners want no messages.
create table suppressions (
    address_hash blob not null primary key,
    created_at integer not null
) strict, without rowid;

-- The key that all lookups hash with, sealed. One row.
create table index_keys (
    id integer not null primary key check (id = 1),
    sealed_key blob not null
) strict;

-- What each master key that was ever used must answer to.
create table master_key_checks (
    key_id text not null primary key,
    check_value blob not null
) strict, without rowid;
