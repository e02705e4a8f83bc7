//! What the cases of the identity service begin with.

use std::sync::Arc;

use countersign_core::{
    AddressHash, Association, Bind, Charge, HeldPepper, Invitation, InvitationTokenHash, LookupFilter,
    LookupKey, LookupKeySource, LookupPepper, NoticeDraft, PepperState, PepperedKey, Sealed, ServerName,
    SessionPurpose, Timestamp, UserId, ValidationSession,
};

use super::data::*;
use crate::{Bound, InvitationStored, Storage};

/// A user of another server.
pub(crate) fn user(name: &str) -> UserId {
    UserId::new(&localpart(name), &ServerName::parse("matrix.example.com").unwrap())
}

pub(crate) fn pepper(text: &str) -> LookupPepper {
    LookupPepper::parse(text).unwrap()
}

pub(crate) fn address_hash(address: &str) -> AddressHash {
    keyring().address_hash(&email(address))
}

/// The key of an address under the pepper of that number, as a client that is called `client` hashes it.
pub(crate) fn key_by(client: &str, address: AddressHash, pepper: i64) -> LookupKey {
    let subject = [client.as_bytes(), address.as_bytes(), &pepper.to_be_bytes()].concat();
    LookupKey::from_bytes(*keyring().subject_hash("lookup", &subject).as_bytes())
}

/// The key of an address under the pepper of that number.
pub(crate) fn key(address: AddressHash, pepper: i64) -> LookupKey {
    key_by("", address, pepper)
}

/// A session that proves the address, one more with each secret.
pub(crate) async fn proven(storage: &dyn Storage, address: &str, secret: &str) -> ValidationSession {
    let request = request_with(SessionPurpose::Identity, &email(address), secret);
    let sid = sending(storage, &request, NOW).await;
    assert!(storage.mark_validated(sid, NOW, DAY, NOW).await.unwrap());
    session(storage, sid).await
}

/// A wish to bind the address of a session to the user of that name, with a key under each pepper.
pub(crate) fn bind_of(session: &ValidationSession, name: &str, peppers: &[HeldPepper]) -> Bind {
    let keys = peppers
        .iter()
        .map(|pepper| PepperedKey { pepper: pepper.number, key: key(session.address_hash, pepper.number) });
    let on_bind = notice_draft(&email(&address_of(session)));
    Bind {
        sid: session.sid,
        client_secret_hash: session.client_secret_hash,
        user_id: user(name),
        sealed_address: Sealed::from_bytes(b"sealed for the association".to_vec()),
        keys: keys.collect(),
        on_bind: NoticeDraft { user_id: user(name), ..on_bind },
    }
}

/// Binds, with keys made anew as often as peppers change.
pub(crate) async fn bind_until_done(
    storage: &dyn Storage,
    session: &ValidationSession,
    name: &str,
) -> Association {
    loop {
        let peppers = storage.list_peppers().await.unwrap();
        match storage.bind(bind_of(session, name, &peppers), NOW).await.unwrap() {
            Bound::Done { association, .. } => return association,
            Bound::PeppersChanged => {}
            Bound::Refused(why) => panic!("refused: {why}"),
        }
    }
}

/// Proves an address and binds it.
pub(crate) async fn bound(storage: &dyn Storage, address: &str, name: &str) -> Association {
    let session = proven(storage, address, &format!("{name}s")).await;
    bind_until_done(storage, &session, name).await
}

/// The pepper that lookups are hashed with, made unless there is one.
pub(crate) async fn current_pepper(storage: &dyn Storage) -> HeldPepper {
    storage.init_pepper(pepper("first"), NOW).await.unwrap()
}

/// The users of keys, by a lookup without a filter.
pub(crate) async fn look_up_keys(
    storage: &dyn Storage,
    pepper: &LookupPepper,
    keys: Vec<LookupKey>,
) -> Option<Vec<(LookupKey, UserId)>> {
    let filter = Arc::new(LookupFilter::new(LookupKeySource::default(), 0));
    storage.lookup(pepper, keys, &filter).await.unwrap().map(|found| found.users)
}

/// To whom each of the addresses is bound, by a lookup under the current pepper.
pub(crate) async fn look_up(storage: &dyn Storage, addresses: &[&str]) -> Vec<Option<UserId>> {
    let peppers = storage.list_peppers().await.unwrap();
    let current = peppers.iter().find(|pepper| pepper.state == PepperState::Current).unwrap();
    let keys: Vec<_> = addresses.iter().map(|address| key(address_hash(address), current.number)).collect();
    let found = look_up_keys(storage, &current.pepper, keys.clone()).await.expect("the pepper is current");
    assert!(found.iter().all(|(key, _)| keys.contains(key)));
    let user_of =
        |key: &LookupKey| found.iter().find(|(found, _)| found == key).map(|(_, user)| user.clone());
    keys.iter().map(user_of).collect()
}

pub(crate) fn token_hash(token: &str) -> InvitationTokenHash {
    keyring().invitation_token_hash(token)
}

/// An invitation, with its ephemeral key and its mail.
pub(crate) struct Invite {
    pub(crate) invitation: Invitation,
    pub(crate) ephemeral_key: String,
    pub(crate) mail: NoticeDraft,
}

/// An invitation to that address; its token is `token`.
pub(crate) fn invite(address: &str, token: &str, created_at: Timestamp) -> Invite {
    let mail = notice_draft(&email(address));
    let invitation = Invitation {
        token_hash: token_hash(token),
        address_hash: mail.address_hash,
        sender: user("sender"),
        sealed_details: Sealed::from_bytes(format!("sealed {token}").into_bytes()),
        sid: mail.sid,
        created_at,
        handed_over_at: None,
    };
    Invite { invitation, ephemeral_key: format!("key/{token}+"), mail }
}

pub(crate) async fn store(storage: &dyn Storage, invite: &Invite, charges: &[Charge]) -> InvitationStored {
    let Invite { invitation, ephemeral_key, mail } = invite;
    let stored = storage.store_invitation(
        invitation.clone(),
        ephemeral_key.clone(),
        mail.clone(),
        charges.to_vec(),
        NOW,
    );
    stored.await.unwrap()
}
