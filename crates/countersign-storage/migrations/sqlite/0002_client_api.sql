-- What the whole client API needs beside first light.

-- A deactivated account keeps its name, so that nobody else gets it, and nothing else.
alter table accounts add column deactivated_at integer;

-- An access token that came by a refresh knows the refresh token that it replaces until it is used for the first time.
alter table access_tokens add column expires_at integer;
alter table access_tokens add column replaces blob;

-- Refresh tokens of devices, as keyed hashes. `replaces` as in `access_tokens`.
create table refresh_tokens (
    refresh_token_hash blob not null primary key,
    localpart text not null,
    device_id text not null,
    access_token_hash blob not null,
    replaces blob,
    expires_at integer
) strict, without rowid;
create index refresh_tokens_by_device on refresh_tokens (localpart, device_id);

-- Tokens that let people register. Uses that are not finished are the sessions that hold the token. Row ids keep the order
-- in which they came.
create table registration_tokens (
    token_hash blob not null primary key,
    sealed_token blob not null,
    uses_allowed integer,
    completed integer not null,
    expires_at integer,
    created_at integer not null
) strict;

-- Tokens that prove a user to another service.
create table openid_tokens (
    token_hash blob not null primary key,
    localpart text not null,
    expires_at integer not null
) strict, without rowid;
create index openid_tokens_by_expiry on openid_tokens (expires_at);
create index openid_tokens_by_account on openid_tokens (localpart);

-- What a session of user-interactive authentication proved, what its first request said, and when it had its effect.
alter table uia_sessions add column proven text;
alter table uia_sessions add column email_sid blob;
alter table uia_sessions add column msisdn_sid blob;
alter table uia_sessions add column registration_token_hash blob;
alter table uia_sessions add column shown_terms text;
alter table uia_sessions add column sealed_params blob;
alter table uia_sessions add column password_hash text;
alter table uia_sessions add column finished_at integer;
create index uia_sessions_by_registration_token on uia_sessions (registration_token_hash)
    where registration_token_hash is not null;
create index uia_sessions_by_account on uia_sessions (localpart) where localpart is not null;
create index uia_sessions_by_proven on uia_sessions (proven) where proven is not null;

-- Policies that a user accepted.
create table terms_acceptances (
    localpart text not null,
    policy text not null,
    version text not null,
    accepted_at integer not null,
    primary key (localpart, policy, version)
) strict, without rowid;

-- The other end of sessions whose validation another service does: its sid and our client secret there, sealed.
create table delegated_sessions (
    sid blob not null primary key,
    sealed_remote blob not null,
    expires_at integer not null
) strict, without rowid;
create index delegated_sessions_by_expiry on delegated_sessions (expires_at);
