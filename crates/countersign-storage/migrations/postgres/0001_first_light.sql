-- The tables that the node begins with. Points in time are milliseconds since the Unix epoch.
-- No table refers to another by a foreign key: an operation deletes what belongs together.
-- No sequence, and no unique index beside the primary key, which begins with a keyed hash, a name or an id: each table can
-- be partitioned by hash of its first key column, or spread over machines. `came_at` keeps the order in which rows came, in
-- microseconds by the database's clock, where another column does not.

-- Accounts of the node.
create table accounts (
    localpart text not null primary key,
    password_hash text,
    created_at bigint not null,
    came_at bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint
);
create index accounts_by_age on accounts (created_at, came_at);

-- Logins of accounts.
create table devices (
    localpart text not null,
    device_id text not null,
    display_name text,
    created_at bigint not null,
    came_at bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint,
    primary key (localpart, device_id)
);

-- Tokens of devices, as keyed hashes.
create table access_tokens (
    access_token_hash bytea not null primary key,
    localpart text not null,
    device_id text not null
);
create index access_tokens_by_device on access_tokens (localpart, device_id);

-- Addresses of accounts: an address is on one account at most.
create table account_threepids (
    localpart text not null,
    medium text not null,
    address_hash bytea not null primary key,
    sealed_address bytea not null,
    validated_at bigint not null,
    added_at bigint not null,
    came_at bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint
);
create index account_threepids_by_account on account_threepids (localpart);

-- The latest session of each key. Its row is what requests with one key wait for (docs/decisions/0009).
create table session_keys (
    key bytea not null primary key,
    sid bytea not null
);

-- Proofs of ownership. What changes often is in no index, and a part of each page is left free, so that a change stays on
-- its page.
create table validation_sessions (
    sid bytea not null primary key,
    key bytea not null,
    purpose text not null,
    medium text not null,
    address_hash bytea not null,
    sealed_address bytea not null,
    client_secret_hash bytea not null,
    token_key_id text not null,
    nonce bytea not null,
    decoy boolean not null,
    created_at bigint not null,
    latest boolean not null,
    expires_at bigint not null,
    send_attempt bigint,
    sealed_next_link bytea,
    code_generation bigint not null,
    code_began_at bigint,
    misses bigint not null,
    requested_by text,
    validated_at bigint,
    ended_at bigint,
    ended_reason text,
    consumed_at bigint,
    consumed_by text
) with (fillfactor = 80);
create index validation_sessions_by_expiry on validation_sessions (expires_at);

-- Messages that are owed. `lease_id` and `leased_until` are null while no worker holds the message. Rows come and go:
-- they are cleaned up early, so that no worker reads past many that are gone.
create table outbox (
    id bytea not null primary key,
    kind text not null,
    medium text not null,
    sid bytea not null,
    send_attempt bigint not null,
    language text not null,
    created_at bigint not null,
    not_before bigint not null,
    tries bigint not null,
    lease_id bytea,
    leased_until bigint
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index outbox_waiting on outbox (medium, not_before) where lease_id is null;
create index outbox_leased on outbox (medium, leased_until) where lease_id is not null;
create index outbox_by_session on outbox (sid);

-- Messages that are over and done with.
create table message_history (
    id bytea not null primary key,
    kind text not null,
    medium text not null,
    sid bytea not null,
    send_attempt bigint not null,
    outcome text not null,
    reason text,
    tries bigint not null,
    created_at bigint not null,
    finished_at bigint not null
);
create index message_history_by_session on message_history (sid);
create index message_history_by_end on message_history (finished_at);

-- Sessions of user-interactive authentication. `completed` holds names of stages, separated by blanks. `target_hash` says
-- what the session is about, and `registered` which account it made.
create table uia_sessions (
    id_hash bytea not null primary key,
    operation text not null,
    localpart text,
    target_hash bytea,
    completed text not null,
    created_at bigint not null,
    expires_at bigint not null,
    registered text
);
create index uia_sessions_by_expiry on uia_sessions (expires_at);

-- Limits: when a budget is full again. The subject stands first, since one request charges several kinds of one subject.
-- No index by time: each charge would have to move its row in it.
create table budgets (
    subject bytea not null,
    kind text not null,
    full_at bigint not null,
    primary key (subject, kind)
) with (fillfactor = 80);

-- Addresses whose owners want no messages.
create table suppressions (
    address_hash bytea not null primary key,
    created_at bigint not null
);

-- The key that all lookups hash with, sealed. One row.
create table index_keys (
    id bigint not null primary key check (id = 1),
    sealed_key bytea not null
);

-- What each master key that was ever used must answer to.
create table master_key_checks (
    key_id text not null primary key,
    check_value bytea not null
);
