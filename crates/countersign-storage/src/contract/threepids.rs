//! Addresses of accounts.

use std::sync::Arc;

use countersign_core::{
    AccountHome, AccountThreepid, AddRefusal, AddThreepid, Authorization, Consumed, Credential, Lapsed,
    Medium, SessionId, SessionPurpose, ThreepidOwner, UiaOperation, UiaSession, ValidationSession,
};
use tokio::task::JoinSet;

use super::data::*;
use crate::{AddedThreepid, Storage};

/// That the account has the address, and nobody was told.
const ADDED: Result<AddedThreepid, AddRefusal> = Ok(AddedThreepid { notified: Vec::new() });

pub(crate) async fn validated_address_is_added_once_and_for_all(storage: Arc<dyn Storage>) {
    let request = alice();
    let proven = validated(&*storage, &request, NOW).await;
    let add = add_threepid(&proven, "alice");
    let later = NOW.after(MINUTE);
    assert_eq!(storage.add_threepid(add.clone(), later).await.unwrap(), ADDED);
    let expected = AccountThreepid {
        localpart: localpart("alice"),
        medium: Medium::Email,
        address_hash: request.address_hash,
        sealed_address: add.sealed_address,
        validated_at: NOW,
        added_at: later,
    };
    assert_eq!(storage.list_threepids(&localpart("alice")).await.unwrap(), [expected]);
    let owner = storage.find_threepid_owner(request.address_hash).await.unwrap();
    assert_eq!(owner, Some(ThreepidOwner { localpart: localpart("alice"), added_at: later }));
    let consumed = Some(Consumed { at: later, by: localpart("alice") });
    assert_eq!(session(&*storage, proven.sid).await.consumed, consumed);
}

pub(crate) async fn same_callers_retry_succeeds(storage: Arc<dyn Storage>) {
    let proven = validated(&*storage, &alice(), NOW).await;
    for _ in 0..2 {
        let add = add_threepid(&proven, "alice");
        assert_eq!(storage.add_threepid(add, NOW).await.unwrap(), ADDED);
    }
    assert_eq!(storage.list_threepids(&localpart("alice")).await.unwrap().len(), 1);
    let add = add_threepid(&proven, "bob");
    let refused = storage.add_threepid(add, NOW).await.unwrap();
    assert_eq!(refused, Err(AddRefusal::AuthFailed));
}

pub(crate) async fn address_of_another_account_is_refused(storage: Arc<dyn Storage>) {
    let address = email("alice@example.org");
    let of_bob = request_with(SessionPurpose::AddThreepid, &address, "of_bob");
    let proven = validated(&*storage, &of_bob, NOW).await;
    owned(&*storage, &address, "alice").await;
    let add = add_threepid(&proven, "bob");
    let refused = storage.add_threepid(add, NOW).await.unwrap();
    assert_eq!(refused, Err(AddRefusal::InUse));
    assert_eq!(session(&*storage, proven.sid).await, proven);
    assert!(storage.list_threepids(&localpart("bob")).await.unwrap().is_empty());
    // The owner's own other session is used up.
    let add = add_threepid(&proven, "alice");
    assert_eq!(storage.add_threepid(add, NOW).await.unwrap(), ADDED);
    assert!(session(&*storage, proven.sid).await.consumed.is_some());
    assert_eq!(storage.list_threepids(&localpart("alice")).await.unwrap().len(), 1);
}

pub(crate) async fn unproven_address_is_refused(storage: Arc<dyn Storage>) {
    let unproven = delivered(&*storage, &alice(), NOW).await;
    let foreign =
        validated(&*storage, &request(SessionPurpose::Identity, &email("a@example.org")), NOW).await;
    let proven =
        validated(&*storage, &request(SessionPurpose::AddThreepid, &email("b@example.org")), NOW).await;
    let right = add_threepid(&proven, "alice");
    let cases = [
        (add_threepid(&unproven, "alice"), NOW),
        (add_threepid(&foreign, "alice"), NOW),
        (AddThreepid { sid: SessionId::from_bytes([7; 22]), ..right.clone() }, NOW),
        (
            AddThreepid { client_secret_hash: keyring().client_secret_hash(&secret("x")), ..right.clone() },
            NOW,
        ),
        (right.clone(), NOW.after(DAY).after(SECOND)),
    ];
    for (add, now) in cases {
        let refused = storage.add_threepid(add, now).await.unwrap();
        assert_eq!(refused, Err(AddRefusal::AuthFailed));
    }
    assert!(storage.list_threepids(&localpart("alice")).await.unwrap().is_empty());
    assert_eq!(storage.add_threepid(right, NOW.after(DAY)).await.unwrap(), ADDED);
}

pub(crate) async fn what_allowed_an_address_is_used_up_with_it(storage: Arc<dyn Storage>) {
    owned(&*storage, &email("first@example.org"), "alice").await;
    let reset = request_with(SessionPurpose::ResetPassword, &email("first@example.org"), "reset");
    let proof = validated(&*storage, &reset, NOW).await;
    let (one, other) = (email("one@example.org"), email("other@example.org"));
    let one = validated(&*storage, &request_with(SessionPurpose::AddThreepid, &one, "one"), NOW).await;
    let other = validated(&*storage, &request_with(SessionPurpose::AddThreepid, &other, "two"), NOW).await;
    let add = |session: &ValidationSession, name: &str| AddThreepid {
        authorization: by(Credential::Threepid(proof.sid)),
        ..add_threepid(session, name)
    };
    let lapsed = Err(AddRefusal::Lapsed(Lapsed::Proof));
    assert_eq!(storage.add_threepid(add(&one, "bob"), NOW).await.unwrap(), lapsed);
    assert_eq!(session(&*storage, proof.sid).await, proof);
    assert_eq!(storage.add_threepid(add(&one, "alice"), NOW).await.unwrap(), ADDED);
    let consumed = session(&*storage, proof.sid).await.consumed;
    assert_eq!(consumed, Some(Consumed { at: NOW, by: localpart("alice") }));
    // The answer may have been lost.
    assert_eq!(storage.add_threepid(add(&one, "alice"), NOW).await.unwrap(), ADDED);
    assert_eq!(storage.add_threepid(add(&other, "alice"), NOW).await.unwrap(), lapsed);
    assert_eq!(session(&*storage, other.sid).await, other);
    assert_eq!(storage.list_threepids(&localpart("alice")).await.unwrap().len(), 2);
}

pub(crate) async fn address_is_refused_when_what_allowed_it_lapsed(storage: Arc<dyn Storage>) {
    storage.register(registration("alice", None), NOW).await.unwrap();
    let proven = validated(&*storage, &alice(), NOW).await;
    let old = by(Credential::Password("$argon2id$old".to_owned()));
    for (authorization, lapsed) in [
        (old, Lapsed::Password),
        (by(Credential::AccessToken), Lapsed::AccessToken),
        (by_session(uia_session_hash("gone")), Lapsed::Session),
    ] {
        let add = AddThreepid { account: AccountHome::Here, authorization, ..add_threepid(&proven, "alice") };
        let refused = storage.add_threepid(add, NOW).await.unwrap();
        assert_eq!(refused, Err(AddRefusal::Lapsed(lapsed)));
        assert_eq!(session(&*storage, proven.sid).await, proven);
    }
    let uia =
        UiaSession::begin(uia_session_hash("add"), UiaOperation::AddThreepid, Some(localpart("alice")), NOW);
    storage.open_uia_session(uia, Vec::new(), NOW).await.unwrap().unwrap();
    let authorization = Authorization {
        uia_session: Some(uia_session_hash("add")),
        credential: Credential::Password(PASSWORD_HASH.to_owned()),
    };
    let add = AddThreepid { account: AccountHome::Here, authorization, ..add_threepid(&proven, "alice") };
    assert_eq!(storage.add_threepid(add.clone(), NOW).await.unwrap(), ADDED);
    assert_eq!(uia_session(&*storage, "add").await.finished_at, Some(NOW));
    // A repeat is told the same, whatever became of what allowed it.
    let gone = AddThreepid { authorization: by_session(uia_session_hash("gone")), ..add };
    assert_eq!(storage.add_threepid(gone, NOW).await.unwrap(), ADDED);
}

pub(crate) async fn addresses_are_listed_in_order_and_deleted_by_their_owner(storage: Arc<dyn Storage>) {
    let addresses = [email("z@example.org"), msisdn("447700900123"), email("a@example.org")];
    for address in &addresses {
        owned(&*storage, address, "alice").await;
    }
    let hashes = addresses.clone().map(|address| keyring().address_hash(&address));
    let listed = async |name| {
        let listed = storage.list_threepids(&localpart(name)).await.unwrap();
        listed.iter().map(|threepid| threepid.address_hash).collect::<Vec<_>>()
    };
    let delete = async |name| {
        let deleted = storage.delete_threepid(&localpart(name), hashes[1], Vec::new(), NOW).await.unwrap();
        deleted.is_some()
    };
    assert_eq!(listed("alice").await, hashes);
    assert!(!delete("bob").await);
    assert!(delete("alice").await);
    assert!(!delete("alice").await);
    assert_eq!(listed("alice").await, [hashes[0], hashes[2]]);
    assert!(listed("bob").await.is_empty());
    assert_eq!(storage.find_threepid_owner(hashes[1]).await.unwrap(), None);
}

pub(crate) async fn two_accounts_at_once_have_one_winner(storage: Arc<dyn Storage>) {
    let mut adds = Vec::new();
    for number in 0..16 {
        let client_secret = format!("secret{number}");
        let request = request_with(SessionPurpose::AddThreepid, &email("alice@example.org"), &client_secret);
        let proven = validated(&*storage, &request, NOW).await;
        adds.push(add_threepid(&proven, &format!("user{number}")));
    }
    let mut tasks = JoinSet::new();
    for add in adds {
        let storage = Arc::clone(&storage);
        tasks.spawn(async move { storage.add_threepid(add, NOW).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Err(AddRefusal::InUse)).count(), 15);
}
