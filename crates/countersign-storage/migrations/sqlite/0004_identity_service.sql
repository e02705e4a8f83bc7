-- What the identity service keeps (docs/decisions/0014).

-- Access tokens of the identity service, as keyed hashes, and the users of any server that they stand for. `used_at` is when
-- one was used last, to the day: it is not written with each use.
create table identity_accounts (
    token_hash blob not null primary key,
    user_id text not null,
    created_at integer not null,
    used_at integer not null
) strict, without rowid;
create index identity_accounts_by_user on identity_accounts (user_id);
create index identity_accounts_by_use on identity_accounts (used_at);

-- Policies that users of any server accepted.
create table identity_terms_acceptances (
    user_id text not null,
    policy text not null,
    version text not null,
    accepted_at integer not null,
    primary key (user_id, policy, version)
) strict, without rowid;

-- Addresses and the users whose they are: what the identity service publishes.
create table associations (
    address_hash blob not null primary key,
    medium text not null,
    sealed_address blob not null,
    user_id text not null,
    bound_at integer not null
) strict, without rowid;

-- What lookups are hashed with. One is current, one at most is being filled to take its place, the others are retired and
-- stay until their keys are deleted.
create table peppers (
    number integer not null primary key,
    pepper text not null,
    state text not null,
    created_at integer not null
) strict;

-- How lookups find associations: a key under each pepper that is current or being filled. The numbers keep the order in
-- which they came, and none is given twice: a node that has read all up to one needs only the later ones.
create table lookup_keys (
    number integer not null primary key autoincrement,
    pepper integer not null,
    lookup_key blob not null,
    address_hash blob not null,
    unique (pepper, lookup_key)
) strict;
create index lookup_keys_by_address on lookup_keys (address_hash, pepper);

-- Invitations that wait until an address is bound, and those that were handed over then, whose tokens stay good. Row ids keep
-- the order in which they came.
create table invitations (
    token_hash blob not null primary key,
    address_hash blob not null,
    sender text not null,
    sealed_details blob not null,
    sid blob not null,
    created_at integer not null,
    handed_over_at integer
) strict;
create index invitations_waiting on invitations (address_hash) where handed_over_at is null;
create index invitations_by_session on invitations (sid);

-- Public keys that were made for one invitation each.
create table ephemeral_keys (
    public_key text not null primary key,
    token_hash blob not null
) strict, without rowid;

-- The keys that this server signs with. One at most is not retired. Row ids keep the order in which they came.
create table signing_keys (
    key_id text not null primary key,
    sealed_seed blob not null,
    public_key blob not null,
    created_at integer not null,
    retired_at integer
) strict;

-- Where users of this node bound their addresses. Those of an account that ended are to be taken back from a time on, and
-- count the tries. Row ids keep the order in which they came.
create table recorded_binds (
    localpart text not null,
    address_hash blob not null,
    id_server text not null,
    medium text not null,
    sealed_address blob not null,
    bound_at integer not null,
    take_back_at integer,
    tries integer not null default 0,
    unique (localpart, address_hash, id_server)
) strict;
create index recorded_binds_to_take_back on recorded_binds (take_back_at) where take_back_at is not null;
