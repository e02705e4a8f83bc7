//! What the identity service keeps, for the tests that move an installation.

use countersign_core::{
    AccountHome, Association, HeldPepper, Invitation, LookupKey, Medium, RecordedBind, Sealed, TermsVersion,
    UserId,
};

use crate::{
    IdentityCaller, Storage, StoredSigningKey,
    contract::{data::*, identity_data::*},
};

/// What operations tell of it.
#[derive(Debug, PartialEq)]
pub(super) struct IdentityLook {
    caller: Option<IdentityCaller>,
    peppers: Vec<HeldPepper>,
    associations: Vec<Association>,
    found: Option<Vec<(LookupKey, UserId)>>,
    invitations: [Option<Invitation>; 2],
    waiting: Vec<Invitation>,
    has_ephemeral_key: bool,
    signing_keys: Vec<StoredSigningKey>,
    recorded_binds: Vec<RecordedBind>,
}

// In an order that is neither theirs by name nor by hash.
const NAMES: [&str; 4] = ["zebra", "apple", "mango", "berry"];

/// Fills the tables.
pub(super) async fn make(storage: &dyn Storage) {
    storage.add_identity_token(keyring().identity_token_hash("a"), &user("alice"), NOW).await.unwrap();
    let terms = vec![TermsVersion::parse("tos", "1").unwrap()];
    storage.accept_identity_terms(&user("alice"), terms, NOW).await.unwrap();
    current_pepper(storage).await;
    storage.begin_pepper(pepper("next"), NOW).await.unwrap();
    bound(storage, "bound@example.org", "alice").await;
    for name in NAMES {
        store(storage, &invite("invited@example.org", name, NOW), &[]).await;
        assert!(storage.replace_signing_key(signing_key(name), NOW).await.unwrap());
        storage.record_bind(recorded_bind(name), AccountHome::Elsewhere).await.unwrap();
    }
    storage.mark_handed_over(vec![token_hash("apple")], NOW).await.unwrap();
}

fn signing_key(name: &str) -> StoredSigningKey {
    StoredSigningKey {
        key_id: format!("ed25519:{name}"),
        sealed_seed: Sealed::from_bytes(name.into()),
        public_key: [name.as_bytes()[0]; 32],
        created_at: NOW,
        retired_at: None,
    }
}

fn recorded_bind(id_server: &str) -> RecordedBind {
    RecordedBind {
        localpart: localpart("alice"),
        medium: Medium::Email,
        address_hash: address_hash("bound@example.org"),
        sealed_address: Sealed::from_bytes(b"sealed".to_vec()),
        id_server: id_server.to_owned(),
        bound_at: NOW,
    }
}

/// Looks at it by operations.
pub(super) async fn look(storage: &dyn Storage) -> IdentityLook {
    let peppers = storage.list_peppers().await.unwrap();
    let keys = vec![key(address_hash("bound@example.org"), peppers[0].number)];
    let invitation = async |token| storage.find_invitation(token_hash(token)).await.unwrap();
    let invited = address_hash("invited@example.org");
    IdentityLook {
        caller: storage.find_identity_caller(keyring().identity_token_hash("a")).await.unwrap(),
        associations: storage.list_associations(None, 10).await.unwrap(),
        found: look_up_keys(storage, &peppers[0].pepper, keys).await,
        invitations: [invitation("apple").await, invitation("zebra").await],
        waiting: storage.list_waiting_invitations(invited).await.unwrap(),
        has_ephemeral_key: storage.has_ephemeral_key("key/mango+").await.unwrap(),
        signing_keys: storage.list_signing_keys().await.unwrap(),
        recorded_binds: storage.list_recorded_binds(&localpart("alice"), None).await.unwrap(),
        peppers,
    }
}

/// What a moved identity service goes on with.
pub(super) async fn go_on(storage: &dyn Storage) {
    let next = storage.begin_pepper(pepper("other"), NOW).await.unwrap();
    assert_eq!(next.pepper, pepper("next"), "what was being filled still is");
    assert!(storage.make_pepper_current(next.number).await.unwrap());
    assert_eq!(look_up(storage, &["bound@example.org"]).await, [Some(user("alice"))]);
    assert_eq!(storage.sweep_peppers(10).await.unwrap(), 1);
    assert!(storage.replace_signing_key(signing_key("aardvark"), NOW).await.unwrap());
    let keys = storage.list_signing_keys().await.unwrap();
    assert_eq!(keys.last().unwrap().key_id, "ed25519:aardvark", "what is new comes last");
}
