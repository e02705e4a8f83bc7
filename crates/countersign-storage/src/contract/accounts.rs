//! Accounts, devices and access tokens.

use std::sync::Arc;

use countersign_core::{Device, Localpart, NewLogin, TokenOwner};
use tokio::task::JoinSet;

use super::data::*;
use crate::{Registered, Storage};

fn owner(name: &str, device: &str) -> Option<TokenOwner> {
    Some(TokenOwner { localpart: localpart(name), device_id: Some(device_id(device)) })
}

async fn register(storage: &dyn Storage, name: &str, login: Option<NewLogin>) {
    assert_eq!(storage.register(registration(name, login), NOW).await.unwrap(), Registered::Created);
}

async fn log_in(storage: &dyn Storage, login: NewLogin) {
    assert!(storage.log_in(login, Some(PASSWORD_HASH)).await.unwrap());
}

async fn token_owner(storage: &dyn Storage, token: &str) -> Option<TokenOwner> {
    storage.find_token(access_token_hash(token)).await.unwrap().map(|found| found.owner)
}

async fn devices(storage: &dyn Storage, name: &str) -> Vec<String> {
    let devices = storage.list_devices(&localpart(name)).await.unwrap();
    devices.iter().map(|device| device.device_id.as_str().to_owned()).collect()
}

/// The account that the session of that id made.
async fn registered_in(storage: &dyn Storage, id: &str) -> Option<Localpart> {
    storage.find_uia_session(uia_session_hash(id)).await.unwrap().expect("there is a session").registered
}

async fn open_uia(storage: &dyn Storage, name: &str) {
    open_registration(storage, name).await;
}

pub(crate) async fn registration_makes_account_device_and_token(storage: Arc<dyn Storage>) {
    open_uia(&*storage, "alice").await;
    let login = login("alice", "PHONE", "token");
    let registration = registration_in("alice", "alice", Some(login.clone()));
    assert_eq!(storage.register(registration, NOW).await.unwrap(), Registered::Created);
    let account = storage.find_account(&localpart("alice")).await.unwrap().unwrap();
    assert_eq!((account.localpart, account.created_at), (localpart("alice"), NOW));
    assert_eq!(account.password_hash.as_deref(), Some(PASSWORD_HASH));
    assert_eq!(storage.list_devices(&localpart("alice")).await.unwrap(), [login.device]);
    assert_eq!(token_owner(&*storage, "token").await, owner("alice", "PHONE"));
    assert_eq!(registered_in(&*storage, "alice").await, Some(localpart("alice")));
}

pub(crate) async fn registration_without_login_makes_no_device(storage: Arc<dyn Storage>) {
    let mut guest = registration("guest", None);
    guest.account.password_hash = None;
    assert_eq!(storage.register(guest, NOW).await.unwrap(), Registered::Created);
    assert_eq!(storage.find_account(&localpart("guest")).await.unwrap().unwrap().password_hash, None);
    assert!(devices(&*storage, "guest").await.is_empty());
    assert!(storage.find_account(&localpart("nobody")).await.unwrap().is_none());
}

pub(crate) async fn taken_name_changes_nothing(storage: Arc<dyn Storage>) {
    register(&*storage, "alice", None).await;
    open_uia(&*storage, "alice").await;
    let mut second = registration_in("alice", "alice", Some(login("alice", "OTHER", "other")));
    second.account.password_hash = None;
    assert_eq!(storage.register(second, NOW).await.unwrap(), Registered::UserInUse);
    assert!(storage.find_account(&localpart("alice")).await.unwrap().unwrap().password_hash.is_some());
    assert!(devices(&*storage, "alice").await.is_empty());
    assert_eq!(token_owner(&*storage, "other").await, None);
    assert_eq!(registered_in(&*storage, "alice").await, None);
}

pub(crate) async fn registrations_at_once_have_one_winner(storage: Arc<dyn Storage>) {
    let mut tasks = JoinSet::new();
    for number in 0..32 {
        let login = login("alice", &format!("D{number}"), &format!("token{number}"));
        let (storage, registration) = (Arc::clone(&storage), registration("alice", Some(login)));
        tasks.spawn(async move { storage.register(registration, NOW).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Registered::Created).count(), 1);
    assert_eq!(devices(&*storage, "alice").await.len(), 1);
}

pub(crate) async fn session_makes_one_account(storage: Arc<dyn Storage>) {
    open_uia(&*storage, "a").await;
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let name = format!("user{number}");
        let login = login(&name, "PHONE", &format!("token{number}"));
        let (storage, registration) = (Arc::clone(&storage), registration_in("a", &name, Some(login)));
        tasks.spawn(async move { (localpart(&name), storage.register(registration, NOW).await.unwrap()) });
    }
    let answers = tasks.join_all().await;
    let made: Vec<_> = answers.iter().filter(|(_, answer)| *answer == Registered::Created).collect();
    assert_eq!(made.len(), 1);
    let winner = &made[0].0;
    assert_eq!(registered_in(&*storage, "a").await.as_ref(), Some(winner));
    for (name, answer) in answers.iter().filter(|(name, _)| name != winner) {
        assert_eq!(*answer, Registered::Repeated(winner.clone()));
        assert!(storage.find_account(name).await.unwrap().is_none());
        assert!(storage.list_devices(name).await.unwrap().is_empty());
    }
    // The same name again, which is taken: by this session.
    let again = registration_in("a", winner.as_str(), None);
    assert_eq!(storage.register(again, NOW).await.unwrap(), Registered::Repeated(winner.clone()));
    let gone = registration_in("gone", "late", None);
    assert_eq!(storage.register(gone, NOW).await.unwrap(), Registered::SessionGone);
    assert!(storage.find_account(&localpart("late")).await.unwrap().is_none());
}

pub(crate) async fn new_login_replaces_a_devices_token(storage: Arc<dyn Storage>) {
    register(&*storage, "alice", Some(login("alice", "PHONE", "first"))).await;
    log_in(&*storage, login("alice", "DESK", "desk")).await;
    register(&*storage, "bob", Some(login("bob", "PHONE", "bob's"))).await;
    let mut renamed = login("alice", "PHONE", "second");
    renamed.device =
        Device { display_name: Some("renamed".to_owned()), created_at: NOW.after(HOUR), ..renamed.device };
    log_in(&*storage, renamed).await;
    assert_eq!(token_owner(&*storage, "first").await, None);
    assert_eq!(token_owner(&*storage, "second").await, owner("alice", "PHONE"));
    assert_eq!(token_owner(&*storage, "desk").await, owner("alice", "DESK"));
    assert_eq!(token_owner(&*storage, "bob's").await, owner("bob", "PHONE"));
    let phone = storage.list_devices(&localpart("alice")).await.unwrap().remove(0);
    assert_eq!(phone, login("alice", "PHONE", "").device, "it keeps its name and age");
    assert_eq!(devices(&*storage, "alice").await, ["PHONE", "DESK"]);
}

pub(crate) async fn logging_out_ends_one_device(storage: Arc<dyn Storage>) {
    register(&*storage, "alice", Some(login("alice", "PHONE", "phone"))).await;
    log_in(&*storage, login("alice", "DESK", "desk")).await;
    for _ in 0..2 {
        storage.log_out(&localpart("alice"), &device_id("PHONE")).await.unwrap();
    }
    assert_eq!(token_owner(&*storage, "phone").await, None);
    assert_eq!(token_owner(&*storage, "desk").await, owner("alice", "DESK"));
    assert_eq!(devices(&*storage, "alice").await, ["DESK"]);
}

pub(crate) async fn logging_out_everywhere_ends_all_devices_of_one_account(storage: Arc<dyn Storage>) {
    register(&*storage, "alice", Some(login("alice", "PHONE", "phone"))).await;
    log_in(&*storage, login("alice", "DESK", "desk")).await;
    register(&*storage, "bob", Some(login("bob", "PHONE", "bob's"))).await;
    storage.log_out_all(&localpart("alice")).await.unwrap();
    assert!(devices(&*storage, "alice").await.is_empty());
    assert_eq!((token_owner(&*storage, "phone").await, token_owner(&*storage, "desk").await), (None, None));
    assert_eq!(token_owner(&*storage, "bob's").await, owner("bob", "PHONE"));
    assert!(storage.find_account(&localpart("alice")).await.unwrap().is_some());
}
