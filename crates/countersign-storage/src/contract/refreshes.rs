//! Refresh tokens: when what they replace ends.

use std::sync::Arc;

use countersign_core::TokenOwner;
use tokio::task::JoinSet;

use super::data::*;
use crate::{Refreshed, Storage};

async fn logged_in(storage: &dyn Storage, name: &str, device: &str, token: &str) {
    if storage.find_account(&localpart(name)).await.unwrap().is_none() {
        storage.register(registration(name, None), NOW).await.unwrap();
    }
    let login = refreshable_login(name, device, token);
    assert!(storage.log_in(login, Some(PASSWORD_HASH)).await.unwrap());
}

fn issued() -> Refreshed {
    Refreshed::Issued(TokenOwner { localpart: localpart("alice"), device_id: Some(device_id("PHONE")) })
}

/// Hands in the refresh token of that name for a pair of that name.
async fn ask(storage: &dyn Storage, token: &str, new: &str) -> Refreshed {
    storage.refresh(refresh(token, new), NOW).await.unwrap()
}

async fn is_good(storage: &dyn Storage, token: &str) -> bool {
    storage.find_token(access_token_hash(token)).await.unwrap().is_some()
}

/// As a request with that access token does.
async fn use_token(storage: &dyn Storage, token: &str) {
    let found = storage.find_token(access_token_hash(token)).await.unwrap().unwrap();
    assert!(found.is_unsettled);
    for _ in 0..2 {
        storage.settle_refresh(access_token_hash(token)).await.unwrap();
    }
    let found = storage.find_token(access_token_hash(token)).await.unwrap().unwrap();
    assert!(!found.is_unsettled);
}

pub(crate) async fn old_refresh_token_works_until_the_new_pair_is_used(storage: Arc<dyn Storage>) {
    logged_in(&*storage, "alice", "PHONE", "1").await;
    let found = storage.find_token(access_token_hash("1")).await.unwrap().unwrap();
    assert_eq!((found.expires_at, found.is_unsettled), (Some(NOW.after(HOUR)), false));
    storage.settle_refresh(access_token_hash("1")).await.unwrap();
    assert_eq!(ask(&*storage, "1", "2").await, issued());
    assert!(is_good(&*storage, "1").await && is_good(&*storage, "2").await);
    // The access token is used first.
    use_token(&*storage, "2").await;
    assert!(!is_good(&*storage, "1").await && is_good(&*storage, "2").await);
    assert_eq!(ask(&*storage, "1", "x").await, Refreshed::Unknown);
    // The refresh token is used first.
    assert_eq!(ask(&*storage, "2", "3").await, issued());
    assert_eq!(ask(&*storage, "3", "4").await, issued());
    assert!(!is_good(&*storage, "2").await && is_good(&*storage, "3").await && is_good(&*storage, "4").await);
    assert_eq!(ask(&*storage, "2", "x").await, Refreshed::Unknown);
    use_token(&*storage, "4").await;
    assert!(!is_good(&*storage, "3").await && is_good(&*storage, "4").await);
    storage.settle_refresh(access_token_hash("nothing")).await.unwrap();
}

pub(crate) async fn unused_successor_is_replaced(storage: Arc<dyn Storage>) {
    logged_in(&*storage, "alice", "PHONE", "1").await;
    logged_in(&*storage, "alice", "DESK", "desk").await;
    logged_in(&*storage, "bob", "PHONE", "bob").await;
    assert_eq!(ask(&*storage, "1", "lost").await, issued());
    assert_eq!(ask(&*storage, "1", "2").await, issued());
    assert!(!is_good(&*storage, "lost").await);
    assert_eq!(ask(&*storage, "lost", "x").await, Refreshed::Unknown);
    assert!(is_good(&*storage, "1").await && is_good(&*storage, "2").await);
    use_token(&*storage, "2").await;
    assert!(!is_good(&*storage, "1").await);
    for other in ["desk", "bob"] {
        assert!(is_good(&*storage, other).await, "{other}");
        assert!(matches!(ask(&*storage, other, &format!("{other}2")).await, Refreshed::Issued(_)));
    }
}

pub(crate) async fn expired_refresh_token_issues_nothing(storage: Arc<dyn Storage>) {
    logged_in(&*storage, "alice", "PHONE", "1").await;
    let last = NOW.after(DAY);
    let late = storage.refresh(refresh("1", "2"), last.after(SECOND)).await.unwrap();
    assert_eq!(late, Refreshed::Expired);
    assert!(!is_good(&*storage, "2").await);
    assert_eq!(storage.refresh(refresh("1", "2"), last).await.unwrap(), issued());
    assert_eq!(ask(&*storage, "unknown", "3").await, Refreshed::Unknown);
    // Access tokens are no refresh tokens, and the other way round.
    assert!(storage.find_token(access_token_hash("refresh 1")).await.unwrap().is_none());
}

pub(crate) async fn refreshes_at_once_leave_one_good_pair(storage: Arc<dyn Storage>) {
    for round in 0..8 {
        let (name, token) = (format!("user{round}"), format!("{round}"));
        logged_in(&*storage, &name, "PHONE", &token).await;
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let (storage, token) = (Arc::clone(&storage), token.clone());
            tasks.spawn(async move {
                let answer = ask(&*storage, &token, &format!("{token} {number}")).await;
                assert!(matches!(answer, Refreshed::Issued(_)));
            });
        }
        tasks.join_all().await;
        let mut good = Vec::new();
        for number in 0..8 {
            let successor = format!("{token} {number}");
            if is_good(&*storage, &successor).await {
                good.push(successor);
            }
        }
        assert_eq!(good.len(), 1);
        assert!(is_good(&*storage, &token).await);
        use_token(&*storage, &good[0]).await;
        assert!(!is_good(&*storage, &token).await);
    }
}

/// Both uses of a new pair at once: what it replaces ends, and nothing else.
pub(crate) async fn pair_used_twice_at_once_is_settled_once(storage: Arc<dyn Storage>) {
    for round in 0..8 {
        let (name, token) = (format!("user{round}"), format!("{round}"));
        logged_in(&*storage, &name, "PHONE", &token).await;
        ask(&*storage, &token, &format!("{token} 2")).await;
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let (storage, second) = (Arc::clone(&storage), format!("{token} 2"));
            tasks.spawn(async move {
                if number % 2 == 0 {
                    storage.settle_refresh(access_token_hash(&second)).await.unwrap();
                } else {
                    let third = format!("{second} {number}");
                    assert!(matches!(ask(&*storage, &second, &third).await, Refreshed::Issued(_)));
                }
            });
        }
        tasks.join_all().await;
        assert!(!is_good(&*storage, &token).await);
        assert!(is_good(&*storage, &format!("{token} 2")).await);
        assert!(matches!(ask(&*storage, &format!("{token} 2"), "x").await, Refreshed::Issued(_)));
        storage.log_out_all(&localpart(&name)).await.unwrap();
    }
}

pub(crate) async fn login_on_the_device_ends_its_refresh_tokens(storage: Arc<dyn Storage>) {
    logged_in(&*storage, "alice", "PHONE", "1").await;
    logged_in(&*storage, "alice", "DESK", "desk").await;
    ask(&*storage, "1", "2").await;
    logged_in(&*storage, "alice", "PHONE", "3").await;
    for ended in ["1", "2"] {
        assert!(!is_good(&*storage, ended).await);
        assert_eq!(ask(&*storage, ended, "x").await, Refreshed::Unknown);
    }
    assert!(matches!(ask(&*storage, "3", "4").await, Refreshed::Issued(_)));
    storage.log_out(&localpart("alice"), &device_id("PHONE")).await.unwrap();
    assert_eq!(ask(&*storage, "3", "x").await, Refreshed::Unknown);
    assert_eq!(ask(&*storage, "4", "x").await, Refreshed::Unknown);
    assert!(matches!(ask(&*storage, "desk", "desk2").await, Refreshed::Issued(_)));
    storage.log_out_all(&localpart("alice")).await.unwrap();
    assert_eq!(ask(&*storage, "desk", "x").await, Refreshed::Unknown);
    assert_eq!(ask(&*storage, "desk2", "x").await, Refreshed::Unknown);
    // One that has none, after one that had.
    logged_in(&*storage, "alice", "PHONE", "5").await;
    assert!(storage.log_in(login("alice", "PHONE", "6"), Some(PASSWORD_HASH)).await.unwrap());
    assert_eq!(ask(&*storage, "5", "x").await, Refreshed::Unknown);
    let found = storage.find_token(access_token_hash("6")).await.unwrap().unwrap();
    assert_eq!((found.expires_at, found.is_unsettled), (None, false));
}
