//! Sessions that another service validates, and tokens that prove users to other services.

use std::sync::Arc;

use countersign_core::{Authorization, Sealed, Submitted};

use super::data::*;
use crate::Storage;

pub(crate) async fn first_delegation_of_a_session_stays(storage: Arc<dyn Storage>) {
    let sid = sending(&*storage, &alice(), NOW).await;
    assert_eq!(storage.find_delegation(sid).await.unwrap(), None);
    let first = Sealed::from_bytes(b"first".to_vec());
    storage.keep_delegation(sid, first.clone(), NOW.after(HOUR)).await.unwrap();
    let second = Sealed::from_bytes(b"second".to_vec());
    storage.keep_delegation(sid, second, NOW.after(DAY)).await.unwrap();
    assert_eq!(storage.find_delegation(sid).await.unwrap(), Some(first));
}

pub(crate) async fn another_service_validates_a_session(storage: Arc<dyn Storage>) {
    let sid = sending(&*storage, &alice(), NOW).await;
    let later = NOW.after(MINUTE);
    for at in [NOW.after(SECOND), later] {
        assert!(storage.mark_validated(sid, at, HOUR, later).await.unwrap());
        let session = session(&*storage, sid).await;
        assert_eq!(session.validated_at, Some(NOW.after(SECOND)));
        assert_eq!(session.expires_at, later.after(HOUR));
    }
    assert!(!storage.mark_validated(sid_of_nothing(), later, HOUR, later).await.unwrap());
    let expired = sending(&*storage, &request_of("bob@example.org"), NOW).await;
    let late = NOW.after(2 * DAY);
    assert!(!storage.mark_validated(expired, NOW, HOUR, late).await.unwrap());
    assert_eq!(session(&*storage, expired).await.validated_at, None);
}

/// Validating twice at once, by the other service and by a link, keeps one time.
pub(crate) async fn validations_at_once_are_one(storage: Arc<dyn Storage>) {
    for round in 0..8 {
        let sent = delivered(&*storage, &request_of(&format!("user{round}@example.org")), NOW).await;
        let submission = submission(&sent, &link_token(&sent));
        let (one, other) = tokio::join!(
            storage.mark_validated(sent.sid, NOW.after(SECOND), HOUR, NOW.after(MINUTE)),
            storage.submit_token(submission, NOW.after(MINUTE)),
        );
        assert!(one.unwrap());
        assert_eq!(other.unwrap(), Submitted::Validated);
        let validated_at = session(&*storage, sent.sid).await.validated_at;
        storage.mark_validated(sent.sid, NOW, HOUR, NOW.after(HOUR)).await.unwrap();
        assert_eq!(session(&*storage, sent.sid).await.validated_at, validated_at);
    }
}

pub(crate) async fn openid_tokens_end_with_their_devices(storage: Arc<dyn Storage>) {
    for name in ["alice", "bob"] {
        storage.register(registration(name, Some(login(name, "PHONE", name))), NOW).await.unwrap();
    }
    assert!(storage.log_in(login("alice", "DESK", "desk"), Some(PASSWORD_HASH)).await.unwrap());
    let give = async |name, device, token| give_openid_token(&*storage, name, device, token).await;
    let live = async |tokens: [&'static str; 3]| {
        let mut live = Vec::new();
        for token in tokens {
            let token_hash = keyring().openid_token_hash(token);
            if storage.find_openid_owner(token_hash, NOW).await.unwrap().is_some() {
                live.push(token);
            }
        }
        live
    };
    assert!(give("alice", "PHONE", "phone 1").await);
    assert!(give("alice", "DESK", "desk 1").await);
    assert!(give("bob", "PHONE", "bob's").await);
    let first = ["phone 1", "desk 1", "bob's"];
    assert_eq!(live(first).await, first);
    storage.log_out(&localpart("alice"), &device_id("PHONE")).await.unwrap();
    assert_eq!(live(first).await, ["desk 1", "bob's"]);
    // Who asked before the device was logged out, and comes after it, gets none.
    assert!(!give("alice", "PHONE", "late").await);
    assert!(!give("nobody", "PHONE", "late").await);
    assert!(storage.log_in(login("alice", "PHONE", "phone"), Some(PASSWORD_HASH)).await.unwrap());
    assert!(give("alice", "PHONE", "phone 2").await);
    let change = crate::PasswordChange {
        localpart: localpart("alice"),
        password_hash: PASSWORD_HASH.to_owned(),
        log_out: crate::LogOut::AllBut(device_id("DESK")),
        authorization: Authorization::default(),
        notices: Vec::new(),
    };
    storage.change_password(change, NOW).await.unwrap();
    let second = ["phone 2", "desk 1", "bob's"];
    assert_eq!(live(second).await, ["desk 1", "bob's"]);
    // A login on a device ends what it had.
    assert!(storage.log_in(login("alice", "DESK", "desk again"), Some(PASSWORD_HASH)).await.unwrap());
    assert_eq!(live(second).await, ["bob's"]);
    assert!(give("alice", "DESK", "desk 2").await);
    storage.log_out_all(&localpart("alice")).await.unwrap();
    assert_eq!(live(["phone 2", "desk 2", "bob's"]).await, ["bob's"]);
}

pub(crate) async fn openid_token_proves_its_user_until_it_expires(storage: Arc<dyn Storage>) {
    let (alices, bobs) = (keyring().openid_token_hash("a"), keyring().openid_token_hash("b"));
    let last = NOW.after(HOUR);
    for name in ["alice", "bob"] {
        storage.register(registration(name, Some(login(name, "PHONE", name))), NOW).await.unwrap();
    }
    let add = async |token, name, expires_at| {
        storage.add_openid_token(token, &localpart(name), &device_id("PHONE"), expires_at).await
    };
    assert!(add(alices, "alice", last).await.unwrap());
    assert!(add(bobs, "bob", NOW.after(DAY)).await.unwrap());
    let owner = async |token, now| storage.find_openid_owner(token, now).await.unwrap();
    assert_eq!(owner(alices, last).await, Some(localpart("alice")));
    assert_eq!(owner(alices, last.after(SECOND)).await, None);
    assert_eq!(owner(bobs, last.after(SECOND)).await, Some(localpart("bob")));
    assert_eq!(owner(keyring().openid_token_hash("c"), NOW).await, None);
    assert!(add(alices, "bob", last).await.is_err());
    assert_eq!(owner(alices, NOW).await, Some(localpart("alice")));
}
