//! Accounts that begin with proven addresses, accepted terms and the use of a token.

use std::sync::Arc;

use countersign_core::{
    Medium, RegistrationToken, SessionPurpose, Stage, StageProof, TermsVersion, ThirdPartyIdentifier,
    UiaOperation, UiaSession, ValidationSession,
};
use tokio::task::JoinSet;

use super::data::*;
use crate::{Registered, Registration, Storage, TokenReserved};

async fn proven(storage: &dyn Storage, threepid: &ThirdPartyIdentifier, secret: &str) -> ValidationSession {
    validated(storage, &request_with(SessionPurpose::Register, threepid, secret), NOW).await
}

/// A registration that begins with the address of those sessions.
fn with_threepids(registration: Registration, sessions: &[&ValidationSession]) -> Registration {
    let threepids = sessions.iter().map(|session| registered_threepid(session)).collect();
    Registration { threepids, ..registration }
}

async fn nothing_of(storage: &dyn Storage, name: &str) {
    assert!(storage.find_account(&localpart(name)).await.unwrap().is_none());
    assert!(storage.list_devices(&localpart(name)).await.unwrap().is_empty());
    assert!(storage.find_token(access_token_hash(name)).await.unwrap().is_none());
    assert!(storage.list_threepids(&localpart(name)).await.unwrap().is_empty());
    assert!(storage.list_accepted_terms(&localpart(name)).await.unwrap().is_empty());
}

pub(crate) async fn proven_addresses_come_with_the_account(storage: Arc<dyn Storage>) {
    let terms = vec![terms_version("privacy_policy", "1.0"), terms_version("tos", "2")];
    let session = UiaSession {
        shown_terms: terms.clone(),
        ..UiaSession::begin(uia_session_hash("a"), UiaOperation::Register, None, NOW)
    };
    storage.open_uia_session(session, Vec::new(), NOW).await.unwrap().unwrap();
    storage.complete_uia_stage(uia_session_hash("a"), Stage::Terms, StageProof::Nothing).await.unwrap();
    let by_mail = proven(&*storage, &email("alice@example.org"), "a").await;
    let by_sms = proven(&*storage, &msisdn("447700900123"), "a").await;
    let later = NOW.after(MINUTE);
    let registration = registration_in("a", "alice", Some(login("alice", "PHONE", "token")));
    let registration = with_threepids(registration, &[&by_mail, &by_sms]);
    assert_eq!(storage.register(registration.clone(), later).await.unwrap(), Registered::Created);
    let mut threepids = storage.list_threepids(&localpart("alice")).await.unwrap();
    // They came at once.
    threepids.sort_by_key(|threepid| threepid.medium.as_str());
    let media: Vec<_> = threepids.iter().map(|threepid| threepid.medium).collect();
    assert_eq!(media, [Medium::Email, Medium::Msisdn]);
    for (threepid, session) in threepids.iter().zip([&by_mail, &by_sms]) {
        assert_eq!((threepid.validated_at, threepid.added_at), (NOW, later));
        assert_eq!(threepid.address_hash, session.address_hash);
        assert_eq!(threepid.sealed_address, registered_threepid(session).sealed_address);
        let consumed = storage.find_session(session.sid).await.unwrap().unwrap().consumed.unwrap();
        assert_eq!((consumed.at, consumed.by), (later, localpart("alice")));
    }
    assert_eq!(storage.list_accepted_terms(&localpart("alice")).await.unwrap(), terms);
    let session = uia_session(&*storage, "a").await;
    assert_eq!((session.registered, session.finished_at), (Some(localpart("alice")), Some(later)));
    let again = storage.register(registration, later).await.unwrap();
    assert_eq!(again, Registered::Repeated(localpart("alice")));
}

pub(crate) async fn terms_that_were_not_accepted_are_not_kept(storage: Arc<dyn Storage>) {
    let session = UiaSession {
        shown_terms: vec![terms_version("privacy_policy", "1.0")],
        ..UiaSession::begin(uia_session_hash("a"), UiaOperation::Register, None, NOW)
    };
    storage.open_uia_session(session, Vec::new(), NOW).await.unwrap().unwrap();
    let registration = registration_in("a", "alice", None);
    assert_eq!(storage.register(registration, NOW).await.unwrap(), Registered::Created);
    assert!(storage.list_accepted_terms(&localpart("alice")).await.unwrap().is_empty());
}

pub(crate) async fn address_taken_meanwhile_undoes_the_registration(storage: Arc<dyn Storage>) {
    let token = registration_token("token", Some(1));
    storage.add_registration_token(token.clone()).await.unwrap();
    open_registration(&*storage, "a").await;
    reserve(&*storage, "a", &token).await;
    let free = proven(&*storage, &msisdn("447700900123"), "a").await;
    let taken = proven(&*storage, &email("alice@example.org"), "a").await;
    owned(&*storage, &email("alice@example.org"), "bob").await;
    let login = login("alice", "PHONE", "alice");
    let registration = with_threepids(registration_in("a", "alice", Some(login)), &[&free, &taken]);
    assert_eq!(storage.register(registration, NOW).await.unwrap(), Registered::ThreepidInUse);
    nothing_of(&*storage, "alice").await;
    for session in [&free, &taken] {
        assert_eq!(storage.find_session(session.sid).await.unwrap().as_ref(), Some(session));
    }
    assert_eq!(completed(&*storage, &token).await, (0, 1));
    assert_eq!(uia_session(&*storage, "a").await.finished_at, None);
}

pub(crate) async fn unproven_address_undoes_the_registration(storage: Arc<dyn Storage>) {
    let address = email("alice@example.org");
    let unproven = delivered(&*storage, &request_with(SessionPurpose::Register, &address, "a"), NOW).await;
    let foreign = validated(&*storage, &request_with(SessionPurpose::AddThreepid, &address, "a"), NOW).await;
    let used = proven(&*storage, &email("bob@example.org"), "a").await;
    let of_bob = with_threepids(registration("bob", None), &[&used]);
    assert_eq!(storage.register(of_bob, NOW).await.unwrap(), Registered::Created);
    storage.delete_threepid(&localpart("bob"), used.address_hash, Vec::new(), NOW).await.unwrap();
    let good = proven(&*storage, &msisdn("447700900123"), "a").await;
    for session in [&unproven, &foreign, &used] {
        let login = login("alice", "PHONE", "alice");
        let registration = with_threepids(registration("alice", Some(login)), &[&good, session]);
        let answer = storage.register(registration, NOW).await.unwrap();
        assert_eq!(answer, Registered::ThreepidUnproven);
        nothing_of(&*storage, "alice").await;
    }
    let expired = with_threepids(registration("alice", None), &[&good]);
    let late = NOW.after(DAY).after(SECOND);
    assert_eq!(storage.register(expired, late).await.unwrap(), Registered::ThreepidUnproven);
    assert_eq!(storage.find_session(good.sid).await.unwrap(), Some(good));
}

pub(crate) async fn one_address_begins_one_account(storage: Arc<dyn Storage>) {
    let mut sessions = Vec::new();
    for number in 0..12 {
        sessions.push(proven(&*storage, &email("alice@example.org"), &format!("secret{number}")).await);
    }
    let mut tasks = JoinSet::new();
    for (number, session) in sessions.iter().enumerate() {
        let name = format!("user{number}");
        let registration = with_threepids(registration(&name, Some(login(&name, "D", &name))), &[session]);
        let storage = Arc::clone(&storage);
        tasks.spawn(async move { (name, storage.register(registration, NOW).await.unwrap()) });
    }
    let answers = tasks.join_all().await;
    let (made, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(_, answer)| *answer == Registered::Created);
    assert_eq!(made.len(), 1);
    for (name, answer) in refused {
        assert_eq!(answer, Registered::ThreepidInUse);
        nothing_of(&*storage, &name).await;
    }
}

pub(crate) async fn registration_uses_its_token_once(storage: Arc<dyn Storage>) {
    let token = registration_token("token", Some(2));
    storage.add_registration_token(token.clone()).await.unwrap();
    open_registration(&*storage, "a").await;
    assert_eq!(completed(&*storage, &token).await, (0, 0));
    reserve(&*storage, "a", &token).await;
    assert_eq!(completed(&*storage, &token).await, (0, 1));
    let alice = registration_in("a", "alice", None);
    assert_eq!(storage.register(alice.clone(), NOW).await.unwrap(), Registered::Created);
    assert_eq!(completed(&*storage, &token).await, (1, 0));
    let again = storage.register(alice, NOW).await.unwrap();
    assert_eq!(again, Registered::Repeated(localpart("alice")));
    assert_eq!(completed(&*storage, &token).await, (1, 0));
    // Whose token is gone registers no more.
    open_registration(&*storage, "b").await;
    reserve(&*storage, "b", &token).await;
    assert!(storage.delete_registration_token(token.token_hash).await.unwrap());
    let bob = with_threepids(registration_in("b", "bob", Some(login("bob", "D", "bob"))), &[]);
    assert_eq!(storage.register(bob, NOW).await.unwrap(), Registered::SessionGone);
    nothing_of(&*storage, "bob").await;
}

/// Uses that had their effect, and those that are held.
async fn completed(storage: &dyn Storage, token: &RegistrationToken) -> (u32, u32) {
    let held = storage.find_registration_token(token.token_hash, NOW).await.unwrap().unwrap();
    (held.token.completed, held.pending)
}

async fn reserve(storage: &dyn Storage, id: &str, token: &RegistrationToken) {
    let answer = storage.reserve_registration_token(uia_session_hash(id), token.token_hash, NOW).await;
    assert!(matches!(answer.unwrap(), TokenReserved::Reserved(_)));
}

fn terms_version(policy: &str, version: &str) -> TermsVersion {
    TermsVersion::parse(policy, version).unwrap()
}
