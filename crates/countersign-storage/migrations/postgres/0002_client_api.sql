-- What the whole client API needs beside first light.

-- A deactivated account keeps its name, so that nobody else gets it, and nothing else.
alter table accounts add column deactivated_at bigint;

-- An access token that came by a refresh knows the refresh token that it replaces until it is used for the first time.
alter table access_tokens add column expires_at bigint;
alter table access_tokens add column replaces bytea;

-- Refresh tokens of devices, as keyed hashes. `replaces` as in `access_tokens`.
create table refresh_tokens (
    refresh_token_hash bytea not null primary key,
    localpart text not null,
    device_id text not null,
    access_token_hash bytea not null,
    replaces bytea,
    expires_at bigint
);
create index refresh_tokens_by_device on refresh_tokens (localpart, device_id);

-- Tokens that let people register. Uses that are not finished are the sessions that hold the token.
create table registration_tokens (
    token_hash bytea not null primary key,
    sealed_token bytea not null,
    uses_allowed bigint,
    completed bigint not null,
    expires_at bigint,
    created_at bigint not null,
    came_at bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint
);

-- Tokens that prove a user to another service.
create table openid_tokens (
    token_hash bytea not null primary key,
    localpart text not null,
    expires_at bigint not null
);
create index openid_tokens_by_expiry on openid_tokens (expires_at);
create index openid_tokens_by_account on openid_tokens (localpart);

-- What a session of user-interactive authentication proved, what its first request said, and when it had its effect.
alter table uia_sessions add column proven text;
alter table uia_sessions add column email_sid bytea;
alter table uia_sessions add column msisdn_sid bytea;
alter table uia_sessions add column registration_token_hash bytea;
alter table uia_sessions add column shown_terms text;
alter table uia_sessions add column sealed_params bytea;
alter table uia_sessions add column password_hash text;
alter table uia_sessions add column finished_at bigint;
create index uia_sessions_by_registration_token on uia_sessions (registration_token_hash)
    where registration_token_hash is not null;
create index uia_sessions_by_account on uia_sessions (localpart) where localpart is not null;
create index uia_sessions_by_proven on uia_sessions (proven) where proven is not null;

-- Policies that a user accepted.
create table terms_acceptances (
    localpart text not null,
    policy text not null,
    version text not null,
    accepted_at bigint not null,
    primary key (localpart, policy, version)
);

-- The other end of sessions whose validation another service does: its sid and our client secret there, sealed.
create table delegated_sessions (
    sid bytea not null primary key,
    sealed_remote bytea not null,
    expires_at bigint not null
);
create index delegated_sessions_by_expiry on delegated_sessions (expires_at);
