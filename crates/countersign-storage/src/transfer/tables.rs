//! What is moved: each table of PostgreSQL, column by column, and where its values are in SQLite. A test compares this with the
//! tables of both.

use super::row::Kind;

/// A table of PostgreSQL and what fills it.
#[derive(Debug)]
pub(crate) struct Table {
    /// What PostgreSQL calls it.
    pub(crate) name: &'static str,
    /// The rows of SQLite that fill it: a table, and maybe a condition.
    pub(crate) from: &'static str,
    /// What puts them into the same order each time.
    pub(crate) order: &'static str,
    /// All of its columns but those that it fills itself.
    pub(crate) columns: &'static [Column],
    /// Columns of SQLite that PostgreSQL does not have, or fills itself.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the test that compares columns"))]
    pub(crate) left_out: &'static [&'static str],
}

/// A column of PostgreSQL.
#[derive(Debug)]
pub(crate) struct Column {
    /// What PostgreSQL calls it.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// What fills it: an expression of SQLite.
    pub(crate) from: &'static str,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, from: name }
}

const fn integer(name: &'static str) -> Column {
    column(name, Kind::Integer)
}

const fn flag(name: &'static str) -> Column {
    column(name, Kind::Flag)
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn blob(name: &'static str) -> Column {
    column(name, Kind::Blob)
}

/// A column that is null in the target, whatever it is in the source.
const fn cleared(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, from: "null" }
}

/// Keeps rows in the order in which they came: SQLite's row ids grow, and any is smaller than a time in microseconds.
const CAME_AT: Column = Column { name: "came_at", kind: Kind::Integer, from: "rowid" };

/// All of them. Keys come first: a node that was started on the target by mistake has made its own, and is found out at once.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "index_keys",
        from: "index_keys",
        order: "id",
        columns: &[integer("id"), blob("sealed_key")],
        left_out: &[],
    },
    Table {
        name: "master_key_checks",
        from: "master_key_checks",
        order: "key_id",
        columns: &[text("key_id"), blob("check_value")],
        left_out: &[],
    },
    Table {
        name: "accounts",
        from: "accounts",
        order: "rowid",
        columns: &[
            text("localpart"),
            text("password_hash"),
            integer("created_at"),
            integer("deactivated_at"),
            CAME_AT,
        ],
        left_out: &[],
    },
    Table {
        name: "devices",
        from: "devices",
        order: "rowid",
        columns: &[
            text("localpart"),
            text("device_id"),
            text("display_name"),
            integer("created_at"),
            CAME_AT,
        ],
        left_out: &[],
    },
    Table {
        name: "access_tokens",
        from: "access_tokens",
        order: "access_token_hash",
        columns: &[
            blob("access_token_hash"),
            text("localpart"),
            text("device_id"),
            integer("expires_at"),
            blob("replaces"),
        ],
        left_out: &[],
    },
    Table {
        name: "refresh_tokens",
        from: "refresh_tokens",
        order: "refresh_token_hash",
        columns: &[
            blob("refresh_token_hash"),
            text("localpart"),
            text("device_id"),
            blob("access_token_hash"),
            blob("replaces"),
            integer("expires_at"),
        ],
        left_out: &[],
    },
    Table {
        name: "openid_tokens",
        from: "openid_tokens",
        order: "token_hash",
        columns: &[blob("token_hash"), text("localpart"), integer("expires_at"), text("device_id")],
        left_out: &[],
    },
    Table {
        name: "registration_tokens",
        from: "registration_tokens",
        order: "rowid",
        columns: &[
            blob("token_hash"),
            blob("sealed_token"),
            integer("uses_allowed"),
            integer("completed"),
            integer("expires_at"),
            integer("created_at"),
            CAME_AT,
        ],
        left_out: &[],
    },
    Table {
        name: "terms_acceptances",
        from: "terms_acceptances",
        order: "localpart, policy, version",
        columns: &[text("localpart"), text("policy"), text("version"), integer("accepted_at")],
        left_out: &[],
    },
    Table {
        name: "account_threepids",
        from: "account_threepids",
        order: "rowid",
        columns: &[
            text("localpart"),
            text("medium"),
            blob("address_hash"),
            blob("sealed_address"),
            integer("validated_at"),
            integer("added_at"),
            CAME_AT,
        ],
        left_out: &[],
    },
    Table {
        name: "session_keys",
        from: "validation_sessions where latest = 1",
        order: "session_number",
        columns: &[blob("key"), blob("sid")],
        left_out: &[],
    },
    Table {
        name: "validation_sessions",
        from: "validation_sessions",
        order: "session_number",
        columns: &[
            blob("sid"),
            blob("key"),
            text("purpose"),
            text("medium"),
            blob("address_hash"),
            blob("sealed_address"),
            blob("client_secret_hash"),
            text("token_key_id"),
            blob("nonce"),
            flag("decoy"),
            integer("created_at"),
            flag("latest"),
            integer("expires_at"),
            integer("send_attempt"),
            blob("sealed_next_link"),
            integer("code_generation"),
            integer("code_began_at"),
            integer("misses"),
            text("requested_by"),
            integer("validated_at"),
            integer("ended_at"),
            text("ended_reason"),
            integer("consumed_at"),
            text("consumed_by"),
        ],
        left_out: &["session_number"],
    },
    Table {
        name: "delegated_sessions",
        from: "delegated_sessions",
        order: "sid",
        columns: &[blob("sid"), blob("sealed_remote"), integer("expires_at")],
        left_out: &[],
    },
    Table {
        name: "outbox",
        from: "outbox",
        order: "id",
        // No worker of the source lives any more: what one held waits again.
        columns: &[
            blob("id"),
            text("kind"),
            text("medium"),
            blob("sid"),
            integer("send_attempt"),
            text("language"),
            integer("created_at"),
            integer("not_before"),
            integer("tries"),
            cleared("lease_id", Kind::Blob),
            cleared("leased_until", Kind::Integer),
        ],
        left_out: &["session_number"],
    },
    Table {
        name: "message_history",
        from: "message_history",
        order: "id",
        columns: &[
            blob("id"),
            text("kind"),
            text("medium"),
            blob("sid"),
            integer("send_attempt"),
            text("outcome"),
            text("reason"),
            integer("tries"),
            integer("created_at"),
            integer("finished_at"),
        ],
        left_out: &["session_number"],
    },
    Table {
        name: "identity_accounts",
        from: "identity_accounts",
        order: "token_hash",
        columns: &[blob("token_hash"), text("user_id"), integer("created_at"), integer("used_at")],
        left_out: &[],
    },
    Table {
        name: "identity_terms_acceptances",
        from: "identity_terms_acceptances",
        order: "user_id, policy, version",
        columns: &[text("user_id"), text("policy"), text("version"), integer("accepted_at")],
        left_out: &[],
    },
    Table {
        name: "associations",
        from: "associations",
        order: "address_hash",
        columns: &[
            blob("address_hash"),
            text("medium"),
            blob("sealed_address"),
            text("user_id"),
            integer("bound_at"),
        ],
        left_out: &[],
    },
    Table {
        name: "peppers",
        from: "peppers",
        order: "number",
        columns: &[integer("number"), text("pepper"), text("state"), integer("created_at")],
        left_out: &[],
    },
    Table {
        name: "lookup_keys",
        from: "lookup_keys",
        order: "pepper, lookup_key",
        columns: &[integer("pepper"), blob("lookup_key"), blob("address_hash")],
        left_out: &["number"],
    },
    Table {
        name: "invitations",
        from: "invitations",
        order: "rowid",
        columns: &[
            blob("token_hash"),
            blob("address_hash"),
            text("sender"),
            blob("sealed_details"),
            blob("sid"),
            integer("created_at"),
            integer("handed_over_at"),
            CAME_AT,
        ],
        left_out: &[],
    },
    Table {
        name: "ephemeral_keys",
        from: "ephemeral_keys",
        order: "public_key",
        columns: &[text("public_key"), blob("token_hash")],
        left_out: &[],
    },
    Table {
        name: "signing_keys",
        from: "signing_keys",
        order: "rowid",
        columns: &[
            text("key_id"),
            blob("sealed_seed"),
            blob("public_key"),
            integer("created_at"),
            integer("retired_at"),
            CAME_AT,
        ],
        left_out: &[],
    },
    Table {
        name: "recorded_binds",
        from: "recorded_binds",
        order: "rowid",
        columns: &[
            text("localpart"),
            blob("address_hash"),
            text("id_server"),
            text("medium"),
            blob("sealed_address"),
            integer("bound_at"),
            integer("take_back_at"),
            integer("tries"),
            CAME_AT,
        ],
        left_out: &[],
    },
    Table {
        name: "uia_sessions",
        from: "uia_sessions",
        order: "id_hash",
        columns: &[
            blob("id_hash"),
            text("operation"),
            text("localpart"),
            blob("target_hash"),
            text("completed"),
            integer("created_at"),
            integer("expires_at"),
            text("registered"),
            text("proven"),
            blob("email_sid"),
            blob("msisdn_sid"),
            blob("registration_token_hash"),
            text("shown_terms"),
            blob("sealed_params"),
            text("password_hash"),
            integer("finished_at"),
        ],
        left_out: &[],
    },
    Table {
        name: "budgets",
        from: "budgets",
        order: "subject, kind",
        columns: &[blob("subject"), text("kind"), integer("full_at")],
        left_out: &[],
    },
    Table {
        name: "suppressions",
        from: "suppressions",
        order: "address_hash",
        columns: &[blob("address_hash"), integer("created_at")],
        left_out: &[],
    },
];
