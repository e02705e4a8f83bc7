-- What the identity service keeps (docs/decisions/0014).

-- Access tokens of the identity service, as keyed hashes, and the users of any server that they stand for. `used_at` is when
-- one was used last, to the day: it is not written with each use.
create table identity_accounts (
    token_hash bytea not null primary key,
    user_id text not null,
    created_at bigint not null,
    used_at bigint not null
);
create index identity_accounts_by_user on identity_accounts (user_id);
create index identity_accounts_by_use on identity_accounts (used_at);

-- Policies that users of any server accepted.
create table identity_terms_acceptances (
    user_id text not null,
    policy text not null,
    version text not null,
    accepted_at bigint not null,
    primary key (user_id, policy, version)
);

-- Addresses and the users whose they are: what the identity service publishes.
create table associations (
    address_hash bytea not null primary key,
    medium text not null,
    sealed_address bytea not null,
    user_id text not null,
    bound_at bigint not null
);

-- What lookups are hashed with. One is current, one at most is being filled to take its place, the others are retired and
-- stay until their keys are deleted.
create table peppers (
    number bigint not null primary key,
    pepper text not null,
    state text not null,
    created_at bigint not null
);

-- How lookups find associations: a key under each pepper that is current or being filled. The numbers keep the order in
-- which they came, since whoever adds keys holds a lock, and none is given twice: a node that has read all up to one needs
-- only the later ones.
create table lookup_keys (
    number bigint generated always as identity primary key,
    pepper bigint not null,
    lookup_key bytea not null,
    address_hash bytea not null,
    unique (pepper, lookup_key)
);
create index lookup_keys_by_address on lookup_keys (address_hash, pepper);

-- Invitations that wait until an address is bound, and those that were handed over then, whose tokens stay good.
create table invitations (
    token_hash bytea not null primary key,
    address_hash bytea not null,
    sender text not null,
    sealed_details bytea not null,
    sid bytea not null,
    created_at bigint not null,
    handed_over_at bigint,
    came_at bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint
);
create index invitations_waiting on invitations (address_hash) where handed_over_at is null;
create index invitations_by_session on invitations (sid);

-- Public keys that were made for one invitation each.
create table ephemeral_keys (
    public_key text not null primary key,
    token_hash bytea not null
);

-- The keys that this server signs with. One at most is not retired.
create table signing_keys (
    key_id text not null primary key,
    sealed_seed bytea not null,
    public_key bytea not null,
    created_at bigint not null,
    retired_at bigint,
    came_at bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint
);

-- Where users of this node bound their addresses. Those of an account that ended are to be taken back from a time on, and
-- count the tries.
create table recorded_binds (
    localpart text not null,
    address_hash bytea not null,
    id_server text not null,
    medium text not null,
    sealed_address bytea not null,
    bound_at bigint not null,
    take_back_at bigint,
    tries bigint not null default 0,
    came_at bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint,
    primary key (localpart, address_hash, id_server)
);
create index recorded_binds_to_take_back on recorded_binds (take_back_at) where take_back_at is not null;
