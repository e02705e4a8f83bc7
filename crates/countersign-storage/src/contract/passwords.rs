//! New passwords, and the end of accounts.

use std::sync::Arc;

use countersign_core::{
    Authorization, Credential, Lapsed, Medium, MessageKind, SessionPurpose, Stage, StageProof, TermsVersion,
    ThirdPartyIdentifier, UiaOperation, UiaSession, ValidationSession,
};
use tokio::task::JoinSet;

use super::data::*;
use crate::{
    Deactivated, Deactivation, LogOut, PasswordChange, PasswordChanged, Registered, Registration, Storage,
};

const CHANGED: PasswordChanged = PasswordChanged::Changed { notified: Vec::new() };
const PROOF_GONE: PasswordChanged = PasswordChanged::Lapsed(Lapsed::Proof);

fn change(name: &str, password_hash: &str) -> PasswordChange {
    PasswordChange {
        localpart: localpart(name),
        password_hash: password_hash.to_owned(),
        log_out: LogOut::Everybody,
        authorization: Authorization::default(),
        notices: Vec::new(),
    }
}

/// An account with devices `PHONE` and `DESK`, each with tokens called like it.
async fn account(storage: &dyn Storage, name: &str) {
    let login = |device| refreshable_login(name, device, &format!("{name} {device}"));
    let registration = registration(name, Some(login("PHONE")));
    assert_eq!(storage.register(registration, NOW).await.unwrap(), Registered::Created);
    assert!(storage.log_in(login("DESK"), Some(PASSWORD_HASH)).await.unwrap());
}

/// The devices whose tokens work, both of them.
async fn live_devices(storage: &dyn Storage, name: &str) -> Vec<String> {
    let mut live = Vec::new();
    for device in storage.list_devices(&localpart(name)).await.unwrap() {
        let device = device.device_id.as_str().to_owned();
        assert!(is_logged_in(storage, name, &device).await, "{device}");
        live.push(device);
    }
    for device in ["PHONE", "DESK"].into_iter().filter(|device| !live.contains(&(*device).to_owned())) {
        assert!(!is_logged_in(storage, name, device).await, "{device}");
    }
    live
}

async fn is_logged_in(storage: &dyn Storage, name: &str, device: &str) -> bool {
    let token = format!("{name} {device}");
    let access = storage.find_token(access_token_hash(&token)).await.unwrap().is_some();
    // Asked for at a time when it has expired, a refresh changes nothing.
    let refreshed = storage.refresh(refresh(&token, "never"), LONG_AFTER).await.unwrap();
    assert_eq!(access, refreshed == crate::Refreshed::Expired, "{refreshed:?}");
    access
}

async fn password_of(storage: &dyn Storage, name: &str) -> Option<String> {
    storage.find_account(&localpart(name)).await.unwrap().unwrap().password_hash
}

async fn proven(storage: &dyn Storage, threepid: &ThirdPartyIdentifier, secret: &str) -> ValidationSession {
    validated(storage, &request_with(SessionPurpose::ResetPassword, threepid, secret), NOW).await
}

async fn open(storage: &dyn Storage, id: &str, operation: UiaOperation, name: Option<&str>) {
    let session = UiaSession::begin(uia_session_hash(id), operation, name.map(localpart), NOW);
    storage.open_uia_session(session, Vec::new(), NOW).await.unwrap().unwrap();
}

pub(crate) async fn login_with_an_old_password_is_refused(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    assert_eq!(storage.change_password(change("alice", "new"), NOW).await.unwrap(), CHANGED);
    for old in [Some(PASSWORD_HASH), None] {
        let login = login("alice", "STOLEN", "stolen");
        assert!(!storage.log_in(login, old).await.unwrap());
    }
    assert!(storage.list_devices(&localpart("alice")).await.unwrap().is_empty());
    assert!(storage.find_token(access_token_hash("stolen")).await.unwrap().is_none());
    assert!(storage.log_in(login("alice", "PHONE", "good"), Some("new")).await.unwrap());
    assert!(!storage.log_in(login("nobody", "PHONE", "nobody"), None).await.unwrap());
    let mut guest = registration("guest", None);
    guest.account.password_hash = None;
    storage.register(guest, NOW).await.unwrap();
    assert!(!storage.log_in(login("guest", "PHONE", "guest"), Some("")).await.unwrap());
    assert!(storage.log_in(login("guest", "PHONE", "guest"), None).await.unwrap());
}

pub(crate) async fn password_change_ends_the_other_devices_as_told(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    account(&*storage, "bob").await;
    for (password, log_out, left) in [
        ("1", LogOut::Nobody, vec!["PHONE", "DESK"]),
        ("2", LogOut::AllBut(device_id("DESK")), vec!["DESK"]),
        ("3", LogOut::Everybody, vec![]),
    ] {
        let change = PasswordChange { log_out, ..change("alice", password) };
        assert_eq!(storage.change_password(change, NOW).await.unwrap(), CHANGED);
        assert_eq!(password_of(&*storage, "alice").await.as_deref(), Some(password));
        assert_eq!(live_devices(&*storage, "alice").await, left);
    }
    assert_eq!(live_devices(&*storage, "bob").await, ["PHONE", "DESK"]);
    assert_eq!(password_of(&*storage, "bob").await.as_deref(), Some(PASSWORD_HASH));
    let nobody = storage.change_password(change("nobody", "4"), NOW).await.unwrap();
    assert_eq!(nobody, PasswordChanged::NoAccount);
}

pub(crate) async fn password_reset_consumes_its_proof_once(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    account(&*storage, "bob").await;
    let address = email("alice@example.org");
    owned(&*storage, &address, "alice").await;
    let session = proven(&*storage, &address, "reset").await;
    let reset = |name, password| PasswordChange {
        authorization: by(Credential::Threepid(session.sid)),
        ..change(name, password)
    };
    let foreign = storage.change_password(reset("bob", "stolen"), NOW).await.unwrap();
    assert_eq!(foreign, PROOF_GONE);
    assert_eq!(password_of(&*storage, "bob").await.as_deref(), Some(PASSWORD_HASH));
    assert_eq!(live_devices(&*storage, "bob").await.len(), 2);
    assert_eq!(storage.find_session(session.sid).await.unwrap().as_ref(), Some(&session));

    assert_eq!(storage.change_password(reset("alice", "new"), NOW).await.unwrap(), CHANGED);
    let consumed = storage.find_session(session.sid).await.unwrap().unwrap().consumed.unwrap();
    assert_eq!(consumed.by, localpart("alice"));
    let again = storage.change_password(reset("alice", "newer"), NOW).await.unwrap();
    assert_eq!(again, PROOF_GONE);
    assert_eq!(password_of(&*storage, "alice").await.as_deref(), Some("new"));
    // An address that went to another account meanwhile proves nothing for the one that had it.
    let session = proven(&*storage, &address, "second").await;
    storage.delete_threepid(&localpart("alice"), session.address_hash, Vec::new(), NOW).await.unwrap();
    let authorization = by(Credential::Threepid(session.sid));
    let gone = PasswordChange { authorization, ..change("alice", "newest") };
    assert_eq!(storage.change_password(gone, NOW).await.unwrap(), PROOF_GONE);
}

pub(crate) async fn password_resets_at_once_in_one_session_have_one_effect(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    open(&*storage, "a", UiaOperation::ChangePassword, Some("alice")).await;
    let mut tasks = JoinSet::new();
    for number in 0..12 {
        let authorization = by_session(uia_session_hash("a"));
        let change = PasswordChange { authorization, ..change("alice", &number.to_string()) };
        let storage = Arc::clone(&storage);
        tasks.spawn(async move { (number.to_string(), storage.change_password(change, NOW).await.unwrap()) });
    }
    let answers = tasks.join_all().await;
    let changed: Vec<_> = answers.iter().filter(|(_, answer)| *answer == CHANGED).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(answers.iter().filter(|(_, answer)| *answer == PasswordChanged::Repeated).count(), 11);
    assert_eq!(password_of(&*storage, "alice").await.as_ref(), Some(&changed[0].0));
    assert_eq!(uia_session(&*storage, "a").await.finished_at, Some(NOW));
    let authorization = by_session(uia_session_hash("b"));
    let gone = PasswordChange { authorization, ..change("alice", "late") };
    let gone = storage.change_password(gone, NOW).await.unwrap();
    assert_eq!(gone, PasswordChanged::Lapsed(Lapsed::Session));
}

/// Who had an address before an account got it has proven nothing about that account.
pub(crate) async fn reset_by_a_proof_from_before_the_address_came_is_refused(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    account(&*storage, "bob").await;
    let address = email("alice@example.org");
    owned(&*storage, &address, "alice").await;
    let session = proven(&*storage, &address, "reset").await;
    storage.delete_threepid(&localpart("alice"), session.address_hash, Vec::new(), NOW).await.unwrap();
    owned_since(&*storage, &address, "bob", NOW.after(SECOND)).await;
    let authorization = by(Credential::Threepid(session.sid));
    for name in ["alice", "bob"] {
        let reset = PasswordChange { authorization: authorization.clone(), ..change(name, "stolen") };
        assert_eq!(storage.change_password(reset, NOW.after(HOUR)).await.unwrap(), PROOF_GONE);
        let end = Deactivation { authorization: authorization.clone(), ..deactivation(name) };
        let refused = storage.deactivate(end, NOW.after(HOUR)).await.unwrap();
        assert_eq!(refused, Deactivated::Lapsed(Lapsed::Proof));
        assert_eq!(password_of(&*storage, name).await.as_deref(), Some(PASSWORD_HASH));
    }
}

/// A request that the old password allowed must not come after a reset.
pub(crate) async fn changes_allowed_by_an_old_password_are_refused(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    assert_eq!(storage.change_password(change("alice", "new"), NOW).await.unwrap(), CHANGED);
    let allowed_by = |password: &str| by(Credential::Password(password.to_owned()));
    let late = PasswordChange { authorization: allowed_by(PASSWORD_HASH), ..change("alice", "stolen") };
    let late = storage.change_password(late, NOW).await.unwrap();
    assert_eq!(late, PasswordChanged::Lapsed(Lapsed::Password));
    let end = |password| Deactivation { authorization: allowed_by(password), ..deactivation("alice") };
    let late = storage.deactivate(end(PASSWORD_HASH), NOW).await.unwrap();
    assert_eq!(late, Deactivated::Lapsed(Lapsed::Password));
    let gone = Deactivation { authorization: by_session(uia_session_hash("gone")), ..deactivation("alice") };
    let gone = storage.deactivate(gone, NOW).await.unwrap();
    assert_eq!(gone, Deactivated::Lapsed(Lapsed::Session));
    assert_eq!(password_of(&*storage, "alice").await.as_deref(), Some("new"));
    let good = PasswordChange { authorization: allowed_by("new"), ..change("alice", "newer") };
    assert_eq!(storage.change_password(good, NOW).await.unwrap(), CHANGED);
    let done = Deactivated::Done { notified: Vec::new() };
    assert_eq!(storage.deactivate(end("newer"), NOW).await.unwrap(), done);
}

pub(crate) async fn account_is_ended_by_its_own_proof_once(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    account(&*storage, "bob").await;
    let address = email("alice@example.org");
    owned(&*storage, &address, "alice").await;
    let session = proven(&*storage, &address, "reset").await;
    let end =
        |name| Deactivation { authorization: by(Credential::Threepid(session.sid)), ..deactivation(name) };
    let refused = storage.deactivate(end("bob"), NOW).await.unwrap();
    assert_eq!(refused, Deactivated::Lapsed(Lapsed::Proof));
    assert_eq!(live_devices(&*storage, "bob").await.len(), 2);
    let done = Deactivated::Done { notified: Vec::new() };
    assert_eq!(storage.deactivate(end("alice"), NOW).await.unwrap(), done);
    let consumed = storage.find_session(session.sid).await.unwrap().unwrap().consumed.unwrap();
    assert_eq!(consumed.by, localpart("alice"));
    assert_eq!(storage.deactivate(end("alice"), NOW).await.unwrap(), Deactivated::Before);
}

/// An access token alone sets a password where nothing else could be asked for, and nowhere else.
pub(crate) async fn first_password_needs_an_account_without_anything_else(storage: Arc<dyn Storage>) {
    let address = email("alice@example.org");
    let mut guest = registration("alice", None);
    guest.account.password_hash = None;
    storage.register(guest, NOW).await.unwrap();
    let authorization = by(Credential::AccessToken);
    let first = PasswordChange { authorization: authorization.clone(), ..change("alice", "first") };
    let end = Deactivation { authorization, ..deactivation("alice") };
    let lapsed = PasswordChanged::Lapsed(Lapsed::AccessToken);
    owned(&*storage, &address, "alice").await;
    assert_eq!(storage.change_password(first.clone(), NOW).await.unwrap(), lapsed);
    let hash = keyring().address_hash(&address);
    storage.delete_threepid(&localpart("alice"), hash, Vec::new(), NOW).await.unwrap();
    assert_eq!(storage.change_password(first.clone(), NOW).await.unwrap(), CHANGED);
    let second = PasswordChange { password_hash: "second".to_owned(), ..first };
    assert_eq!(storage.change_password(second, NOW).await.unwrap(), lapsed);
    assert_eq!(storage.deactivate(end, NOW).await.unwrap(), Deactivated::Lapsed(Lapsed::AccessToken));
    assert_eq!(password_of(&*storage, "alice").await.as_deref(), Some("first"));
}

/// An authentication that began with the old password must not outlive it.
pub(crate) async fn password_change_ends_other_authentications(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    open(&*storage, "own", UiaOperation::ChangePassword, None).await;
    open(&*storage, "begun", UiaOperation::AddThreepid, Some("alice")).await;
    open(&*storage, "proven", UiaOperation::Deactivate, None).await;
    complete(&*storage, "proven", Stage::Password, password_proof("alice")).await;
    open(&*storage, "bob", UiaOperation::AddThreepid, Some("bob")).await;
    open(&*storage, "nobody", UiaOperation::ChangePassword, None).await;
    let change_in =
        |id| PasswordChange { authorization: by_session(uia_session_hash(id)), ..change("alice", id) };
    assert_eq!(storage.change_password(change_in("own"), NOW).await.unwrap(), CHANGED);
    for (id, is_there) in
        [("own", true), ("begun", false), ("proven", false), ("bob", true), ("nobody", true)]
    {
        let found = storage.find_uia_session(uia_session_hash(id)).await.unwrap();
        assert_eq!(found.is_some(), is_there, "{id}");
    }
    let own = uia_session(&*storage, "own").await;
    assert_eq!((own.finished_at, own.proven.clone()), (Some(NOW), Some(localpart("alice"))));
    // What had its effect stays, to answer a repeat.
    assert_eq!(storage.change_password(change("alice", "next"), NOW).await.unwrap(), CHANGED);
    assert_eq!(uia_session(&*storage, "own").await, own);
    let begun = storage.change_password(change_in("begun"), NOW).await.unwrap();
    assert_eq!(begun, PasswordChanged::Lapsed(Lapsed::Session));
    storage.deactivate(deactivation("alice"), NOW).await.unwrap();
    assert!(storage.find_uia_session(uia_session_hash("own")).await.unwrap().is_none());
}

pub(crate) async fn resets_at_once_with_one_proof_have_one_effect(storage: Arc<dyn Storage>) {
    account(&*storage, "alice").await;
    let address = email("alice@example.org");
    owned(&*storage, &address, "alice").await;
    let session = proven(&*storage, &address, "reset").await;
    let mut tasks = JoinSet::new();
    for number in 0..12 {
        let authorization = by(Credential::Threepid(session.sid));
        let change = PasswordChange { authorization, ..change("alice", &number.to_string()) };
        let storage = Arc::clone(&storage);
        tasks.spawn(async move { storage.change_password(change, NOW).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == CHANGED).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == PROOF_GONE).count(), 11);
}

/// Whatever comes first, nobody is logged in with the old password afterwards.
pub(crate) async fn login_at_once_with_a_reset_leaves_nobody_in(storage: Arc<dyn Storage>) {
    for round in 0..8 {
        let name = format!("user{round}");
        account(&*storage, &name).await;
        let mut tasks = JoinSet::new();
        for number in 0..6 {
            let login = login(&name, &format!("D{number}"), &format!("{name} {number}"));
            let storage = Arc::clone(&storage);
            tasks.spawn(async move {
                let _may_come_too_late = storage.log_in(login, Some(PASSWORD_HASH)).await.unwrap();
            });
        }
        let (storage_too, change) = (Arc::clone(&storage), change(&name, "new"));
        tasks.spawn(async move {
            assert_eq!(storage_too.change_password(change, NOW).await.unwrap(), CHANGED);
        });
        tasks.join_all().await;
        assert!(storage.list_devices(&localpart(&name)).await.unwrap().is_empty());
        for number in 0..6 {
            let token = access_token_hash(&format!("{name} {number}"));
            assert!(storage.find_token(token).await.unwrap().is_none());
        }
    }
}

pub(crate) async fn deactivated_account_has_nothing_left_but_its_name(storage: Arc<dyn Storage>) {
    let session = UiaSession {
        shown_terms: vec![TermsVersion::parse("tos", "1").unwrap()],
        ..UiaSession::begin(uia_session_hash("made"), UiaOperation::Register, None, NOW)
    };
    storage.open_uia_session(session, Vec::new(), NOW).await.unwrap().unwrap();
    storage.complete_uia_stage(uia_session_hash("made"), Stage::Terms, StageProof::Nothing).await.unwrap();
    let login = refreshable_login("alice", "PHONE", "alice PHONE");
    storage.register(registration_in("made", "alice", Some(login)), NOW).await.unwrap();
    account(&*storage, "bob").await;
    let (address, number) = (email("alice@example.org"), msisdn("447700900123"));
    owned(&*storage, &address, "alice").await;
    owned(&*storage, &number, "alice").await;
    owned(&*storage, &email("bob@example.org"), "bob").await;
    let openid = keyring().openid_token_hash("openid");
    assert!(give_openid_token(&*storage, "alice", "PHONE", "openid").await);
    open(&*storage, "own", UiaOperation::Deactivate, Some("alice")).await;
    open(&*storage, "other", UiaOperation::AddThreepid, Some("alice")).await;
    open(&*storage, "password", UiaOperation::Deactivate, None).await;
    complete(&*storage, "password", Stage::Password, password_proof("alice")).await;
    open(&*storage, "bob", UiaOperation::AddThreepid, Some("bob")).await;

    let notices = vec![notice_draft(&address), notice_draft(&number), notice_draft(&email("x@example.org"))];
    let authorization = by_session(uia_session_hash("own"));
    let end = Deactivation { authorization, notices, ..deactivation("alice") };
    let done = Deactivated::Done { notified: vec![Medium::Email, Medium::Msisdn] };
    assert_eq!(storage.deactivate(end.clone(), NOW).await.unwrap(), done);
    for medium in [Medium::Email, Medium::Msisdn] {
        let (leased, lease_id) = lease_one(&*storage, medium, NOW).await;
        assert_eq!(leased.message.kind, MessageKind::Deactivated);
        storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap();
    }
    let account = storage.find_account(&localpart("alice")).await.unwrap().unwrap();
    assert_eq!((account.password_hash, account.deactivated_at), (None, Some(NOW)));
    assert!(live_devices(&*storage, "alice").await.is_empty());
    assert!(storage.list_threepids(&localpart("alice")).await.unwrap().is_empty());
    assert!(storage.list_accepted_terms(&localpart("alice")).await.unwrap().is_empty());
    assert_eq!(storage.find_openid_owner(openid, NOW).await.unwrap(), None);
    for id in ["made", "other", "password"] {
        assert!(storage.find_uia_session(uia_session_hash(id)).await.unwrap().is_none(), "{id}");
    }
    assert_eq!(uia_session(&*storage, "own").await.finished_at, Some(NOW));
    nobody_gets_into(&*storage, "alice").await;

    assert_eq!(storage.deactivate(end, NOW.after(HOUR)).await.unwrap(), Deactivated::Before);
    assert_eq!(waiting(&*storage).await, 0);
    // The address is free, and everybody else is as before.
    owned(&*storage, &address, "carol").await;
    assert_eq!(live_devices(&*storage, "bob").await, ["PHONE", "DESK"]);
    assert_eq!(storage.list_threepids(&localpart("bob")).await.unwrap().len(), 1);
    assert!(storage.find_uia_session(uia_session_hash("bob")).await.unwrap().is_some());
}

async fn nobody_gets_into(storage: &dyn Storage, name: &str) {
    for password_hash in [None, Some(PASSWORD_HASH)] {
        assert!(!storage.log_in(login(name, "D", "late"), password_hash).await.unwrap());
    }
    let taken = Registration { uia_session: None, ..registration(name, Some(login(name, "D", "late"))) };
    assert_eq!(storage.register(taken, NOW).await.unwrap(), Registered::UserInUse);
    let changed = storage.change_password(change(name, "new"), NOW).await.unwrap();
    assert_eq!(changed, PasswordChanged::NoAccount);
    assert!(storage.find_token(access_token_hash("late")).await.unwrap().is_none());
}
