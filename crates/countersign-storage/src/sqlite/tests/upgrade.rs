//! What a database holds that an earlier version made, or someone damaged.

use std::sync::Arc;

use countersign_core::{
    LookupFilter, LookupKeySource, Stage, TermsVersion, TokenOwner, UIA_SESSION_LIFETIME, UiaOperation,
    UiaSession, UiaTargetHash, UserId,
};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::{SqliteStorage, open, settings};
use crate::{
    AccountStore as _, AssociationStore as _, Deactivated, IdentityAccountStore as _, InvitationStored,
    PepperStore as _, RegistrationTokenStore as _, SigningKeyStore as _, StorageError, ThreepidStore as _,
    TokenStore as _, UiaStore as _,
    contract::{data::*, identity_data::*},
};

/// A database of the version before the whole client API, with something in each table that has changed since.
fn first_light() -> TempDir {
    let folder = TempDir::new().unwrap();
    let connection = Connection::open(settings(folder.path()).path).unwrap();
    connection.execute_batch(include_str!("../../../migrations/sqlite/0001_first_light.sql")).unwrap();
    connection
        .execute_batch(
            "create table schema_migrations (
                number integer not null primary key, name text not null, applied_at integer not null) strict;
             insert into schema_migrations values (1, 'first_light', 0);
             insert into accounts values ('alice', 'hash', 1), ('bob', null, 2);
             insert into devices values ('alice', 'PHONE', null, 1);",
        )
        .unwrap();
    let token = access_token_hash("token");
    let insert =
        "insert into access_tokens (access_token_hash, localpart, device_id) values (?1, 'alice', 'PHONE')";
    connection.execute(insert, [token.as_bytes()]).unwrap();
    let target = UiaTargetHash::from_bytes([7; 32]);
    connection
        .execute(
            "insert into uia_sessions (id_hash, operation, localpart, target_hash, completed, created_at, expires_at)
             values (?1, 'POST /account/3pid/add', 'alice', ?2, 'm.login.dummy', ?3, ?4)",
            params![
                uia_session_hash("a").as_bytes(),
                target.as_bytes(),
                NOW.as_millis(),
                NOW.after(UIA_SESSION_LIFETIME).as_millis(),
            ],
        )
        .unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn database_of_first_light_goes_on() {
    let folder = first_light();
    let storage = SqliteStorage::open(settings(folder.path())).unwrap();
    let alice = storage.find_account(&localpart("alice")).await.unwrap().unwrap();
    assert_eq!((alice.password_hash.as_deref(), alice.deactivated_at), (Some("hash"), None));
    let found = storage.find_token(access_token_hash("token")).await.unwrap().unwrap();
    let owner = TokenOwner { localpart: localpart("alice"), device_id: Some(device_id("PHONE")) };
    assert_eq!((found.owner, found.expires_at, found.is_unsettled), (owner, None, false));
    let expected = UiaSession {
        target: Some(UiaTargetHash::from_bytes([7; 32])),
        completed: vec![Stage::Dummy],
        ..UiaSession::begin(uia_session_hash("a"), UiaOperation::AddThreepid, Some(localpart("alice")), NOW)
    };
    assert_eq!(uia_session(&storage, "a").await, expected);
    assert!(storage.log_in(refreshable_login("bob", "D", "b"), None).await.unwrap());
    assert!(storage.list_threepids(&localpart("alice")).await.unwrap().is_empty());
    // Opened again, it is not changed again.
    drop(storage);
    let storage = SqliteStorage::open(settings(folder.path())).unwrap();
    assert_eq!(uia_session(&storage, "a").await, expected);
}

/// A database of the version before the identity service: an account, and a suppressed address.
fn client_api() -> TempDir {
    let folder = first_light();
    let connection = Connection::open(settings(folder.path()).path).unwrap();
    connection.execute_batch(include_str!("../../../migrations/sqlite/0002_client_api.sql")).unwrap();
    connection.execute_batch("insert into schema_migrations values (2, 'client_api', 0)").unwrap();
    let insert = "insert into suppressions (address_hash, created_at) values (?1, 0)";
    connection.execute(insert, [address_hash("no@example.org").as_bytes()]).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn database_of_the_client_api_gets_an_identity_service() {
    let folder = client_api();
    let storage = SqliteStorage::open(settings(folder.path())).unwrap();
    assert!(storage.list_peppers().await.unwrap().is_empty());
    assert!(storage.list_associations(None, 10).await.unwrap().is_empty());
    assert!(storage.list_signing_keys().await.unwrap().is_empty());
    current_pepper(&storage).await;
    let unmailed = store(&storage, &invite("no@example.org", "token", NOW), &[]).await;
    assert_eq!(
        unmailed,
        InvitationStored::Waiting { queued: false },
        "who wants no messages still gets none"
    );
    let session = proven(&storage, "no@example.org", "secret").await;
    bind_until_done(&storage, &session, "alice").await;
    assert_eq!(look_up(&storage, &["no@example.org"]).await, [Some(user("alice"))]);
    let end = deactivation("alice");
    assert_eq!(storage.deactivate(end, NOW).await.unwrap(), Deactivated::Done { notified: Vec::new() });
}

#[tokio::test(flavor = "multi_thread")]
async fn row_that_makes_no_sense_is_named() {
    let (storage, _folder) = open();
    for (set, column) in [
        ("operation = 'POST /elsewhere'", "operation"),
        ("completed = 'm.login.nonsense'", "completed"),
        ("email_sid = x'00'", "email_sid"),
        ("msisdn_sid = x'00'", "msisdn_sid"),
        ("registration_token_hash = x'00'", "registration_token_hash"),
        ("shown_terms = 'privacy_policy'", "shown_terms"),
        ("proven = ''", "proven"),
    ] {
        open_registration(&storage, column).await;
        let (update, id) =
            (format!("update uia_sessions set {set} where id_hash = ?1"), uia_session_hash(column));
        let damage = move |tx: &Connection| {
            tx.execute(&update, [id.as_bytes()])?;
            Ok(())
        };
        storage.write(damage).await.unwrap();
        let error = storage.find_uia_session(id).await.unwrap_err();
        let StorageError::Corrupt { table: "uia_sessions", column: named } = error else {
            panic!("{error:?}")
        };
        assert_eq!(named, column);
    }
    storage.add_registration_token(registration_token("token", Some(1))).await.unwrap();
    let damage = |tx: &Connection| {
        tx.execute("update registration_tokens set completed = -1", [])?;
        Ok(())
    };
    storage.write(damage).await.unwrap();
    let error = storage.list_registration_tokens(NOW).await.unwrap_err();
    let StorageError::Corrupt { table: "registration_tokens", column } = error else { panic!("{error:?}") };
    assert_eq!(column, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_row_that_makes_no_sense_is_named() {
    let (storage, _folder) = open();
    current_pepper(&storage).await;
    let address = bound(&storage, "a@example.org", "alice").await.address_hash;
    let damage = async |sql: &'static str| {
        let damage = move |tx: &Connection| {
            tx.execute(sql, [])?;
            Ok(())
        };
        storage.write(damage).await.unwrap();
    };
    damage("update associations set user_id = 'alice'").await;
    let error = storage.find_association(address).await.unwrap_err();
    assert!(matches!(error, StorageError::Corrupt { table: "associations", column: "user_id" }), "{error:?}");
    let filter = Arc::new(LookupFilter::new(LookupKeySource::default(), 0));
    let found = storage.lookup(&pepper("first"), vec![key(address, 1)], &filter).await.unwrap_err();
    assert!(matches!(found, StorageError::Corrupt { table: "associations", column: "user_id" }), "{found:?}");
    damage("update peppers set state = 'forgotten'").await;
    let error = storage.list_peppers().await.unwrap_err();
    assert!(matches!(error, StorageError::Corrupt { table: "peppers", column: "state" }), "{error:?}");
    let token = keyring().identity_token_hash("token");
    let alice = UserId::parse("@alice:example.org").unwrap();
    storage.add_identity_token(token, &alice, NOW).await.unwrap();
    storage.accept_identity_terms(&alice, vec![TermsVersion::parse("tos", "1").unwrap()], NOW).await.unwrap();
    damage("update identity_terms_acceptances set version = ''").await;
    let error = storage.find_identity_caller(token).await.unwrap_err();
    let expected =
        matches!(error, StorageError::Corrupt { table: "identity_terms_acceptances", column: "version" });
    assert!(expected, "{error:?}");
}
