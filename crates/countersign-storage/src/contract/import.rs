//! Taking over what another program kept.

use std::{slice, sync::Arc, time::Duration};

use countersign_core::{
    AccountHome, AccountThreepid, Association, HeldPepper, Imported, Localpart, Medium, PepperState,
    PepperedKey, Sealed, TermsVersion, Timestamp,
};
use tokio::task::JoinSet;

use super::{data::*, identity_data::*};
use crate::{IdentityToken, ImportedAssociation, PepperImported, Storage};

/// An association to take over, with its keys.
pub(crate) fn imported(
    address: &str,
    name: &str,
    bound_at: Timestamp,
    peppers: &[HeldPepper],
) -> ImportedAssociation {
    let address_hash = address_hash(address);
    let association = Association {
        medium: Medium::Email,
        address_hash,
        sealed_address: Sealed::from_bytes(format!("sealed {address}").into_bytes()),
        user_id: user(name),
        bound_at,
    };
    let keys = peppers
        .iter()
        .map(|pepper| PepperedKey { pepper: pepper.number, key: key(address_hash, pepper.number) });
    ImportedAssociation { association, keys: keys.collect() }
}

async fn take(storage: &dyn Storage, batch: Vec<ImportedAssociation>) -> Vec<Imported> {
    storage.import_associations(batch).await.unwrap().expect("the peppers are as they were")
}

pub(crate) async fn associations_come_once_and_are_found(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    let batch = || {
        vec![
            imported("a@example.org", "alice", NOW, &peppers),
            imported("b@example.org", "bob", NOW.after(SECOND), &peppers),
        ]
    };
    assert_eq!(take(&*storage, batch()).await, [Imported::Taken; 2]);
    let listed = storage.list_associations(None, 10).await.unwrap();
    assert_eq!(take(&*storage, batch()).await, [Imported::AlreadyThere; 2]);
    assert_eq!(storage.list_associations(None, 10).await.unwrap(), listed);
    for imported in batch() {
        let found = storage.find_association(imported.association.address_hash).await.unwrap();
        assert_eq!(found, Some(imported.association));
    }
    let found = look_up(&*storage, &["a@example.org", "b@example.org", "c@example.org"]).await;
    assert_eq!(found, [Some(user("alice")), Some(user("bob")), None]);
    assert!(take(&*storage, Vec::new()).await.is_empty());
}

pub(crate) async fn later_bind_takes_the_place_of_an_earlier_one(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    let (earlier, later) = (NOW.before(HOUR), NOW.after(HOUR));
    bound(&*storage, "a@example.org", "alice").await;
    let at = |name, at| imported("a@example.org", name, at, &peppers);
    let outcomes = take(&*storage, vec![at("bob", earlier), at("bob", NOW)]).await;
    assert_eq!(outcomes, [Imported::OtherUser; 2]);
    assert_eq!(look_up(&*storage, &["a@example.org"]).await, [Some(user("alice"))]);
    // One batch is decided row by row, as if each came alone.
    let batch =
        || vec![at("bob", later), at("carol", later), at("alice", NOW), at("bob", later.after(SECOND))];
    let expected = [Imported::Taken, Imported::OtherUser, Imported::OtherUser, Imported::AlreadyThere];
    assert_eq!(take(&*storage, batch()).await, expected);
    let found = storage.find_association(address_hash("a@example.org")).await.unwrap().unwrap();
    assert_eq!((found.user_id, found.bound_at), (user("bob"), later.after(SECOND)));
    let expected = [Imported::AlreadyThere, Imported::OtherUser, Imported::OtherUser, Imported::AlreadyThere];
    assert_eq!(take(&*storage, batch()).await, expected);
    assert_eq!(look_up(&*storage, &["a@example.org"]).await, [Some(user("bob"))]);
    assert_eq!(storage.list_associations(None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn keys_under_another_pepper_bring_nothing(storage: Arc<dyn Storage>) {
    let current = current_pepper(&*storage).await;
    let filling = storage.begin_pepper(pepper("second"), NOW).await.unwrap();
    let old = vec![
        imported("a@example.org", "alice", NOW, &[current.clone(), filling.clone()]),
        imported("b@example.org", "bob", NOW, slice::from_ref(&current)),
    ];
    assert_eq!(storage.import_associations(old).await.unwrap(), None);
    assert!(storage.list_associations(None, 10).await.unwrap().is_empty());
    let both = [current, filling.clone()];
    take(&*storage, vec![imported("a@example.org", "alice", NOW, &both)]).await;
    assert!(storage.make_pepper_current(filling.number).await.unwrap());
    assert_eq!(look_up(&*storage, &["a@example.org"]).await, [Some(user("alice"))]);
}

pub(crate) async fn associations_and_binds_at_once_leave_one_user_each(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    let addresses = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"];
    let mut tasks = JoinSet::new();
    for number in 0..8_usize {
        let session = proven(&*storage, addresses[number % 4], &format!("secret{number}")).await;
        let mut batch: Vec<_> = addresses
            .iter()
            .map(|address| {
                let at = NOW.before(Duration::from_secs(number as u64));
                imported(address, &format!("import{number}"), at, &peppers)
            })
            .collect();
        // Whoever locks in the order in which they come meets the others.
        batch.rotate_left(number % 4);
        let (one, other) = (Arc::clone(&storage), Arc::clone(&storage));
        tasks.spawn(async move {
            take(&*one, batch).await;
        });
        tasks.spawn(async move {
            bind_until_done(&*other, &session, &format!("bind{number}")).await;
        });
    }
    tasks.join_all().await;
    let listed = storage.list_associations(None, 10).await.unwrap();
    assert_eq!(listed.len(), 4);
    let found = look_up(&*storage, &addresses).await;
    for (address, found) in addresses.iter().zip(found) {
        let association = storage.find_association(address_hash(address)).await.unwrap().unwrap();
        assert_eq!(Some(&association.user_id), found.as_ref());
        assert!(association.user_id.as_str().starts_with("@bind"), "a bind is later than what was imported");
    }
}

pub(crate) async fn pepper_comes_before_the_first_association(storage: Arc<dyn Storage>) {
    let import = async |text| storage.import_pepper(pepper(text), NOW).await.unwrap();
    let current = async || {
        let held = storage.list_peppers().await.unwrap();
        let current: Vec<_> = held.into_iter().filter(|held| held.state.wants_keys()).collect();
        assert!(matches!(&current[..], [HeldPepper { state: PepperState::Current, .. }]));
        current[0].pepper.clone()
    };
    assert_eq!(import("theirs").await, PepperImported::Taken);
    assert_eq!(import("theirs").await, PepperImported::AlreadyCurrent);
    storage.begin_pepper(pepper("next"), NOW).await.unwrap();
    assert_eq!(import("others").await, PepperImported::Taken);
    assert_eq!(current().await, pepper("others"));
    let peppers = storage.list_peppers().await.unwrap();
    take(&*storage, vec![imported("a@example.org", "alice", NOW, &peppers)]).await;
    assert_eq!(import("theirs").await, PepperImported::InUse);
    assert_eq!(import("others").await, PepperImported::AlreadyCurrent);
    assert_eq!(current().await, pepper("others"));
    assert_eq!(look_up(&*storage, &["a@example.org"]).await, [Some(user("alice"))]);
}

pub(crate) async fn invitations_come_once_and_are_handed_over(storage: Arc<dyn Storage>) {
    let waiting = invite("a@example.org", "waiting", NOW).invitation;
    let mut sent = invite("a@example.org", "sent", NOW.before(HOUR)).invitation;
    sent.handed_over_at = Some(NOW);
    let batch = || vec![waiting.clone(), sent.clone(), waiting.clone()];
    let expected = [Imported::Taken, Imported::Taken, Imported::AlreadyThere];
    assert_eq!(storage.import_invitations(batch()).await.unwrap(), expected);
    assert_eq!(storage.import_invitations(batch()).await.unwrap(), [Imported::AlreadyThere; 3]);
    let found = storage.find_invitation(token_hash("sent")).await.unwrap();
    assert_eq!(found.as_ref(), Some(&sent));
    let listed = storage.list_waiting_invitations(waiting.address_hash).await.unwrap();
    assert_eq!(listed, slice::from_ref(&waiting));
    storage.mark_handed_over(vec![waiting.token_hash], NOW).await.unwrap();
    assert_eq!(storage.import_invitations(batch()).await.unwrap(), [Imported::AlreadyThere; 3]);
    assert!(storage.list_waiting_invitations(waiting.address_hash).await.unwrap().is_empty());
}

pub(crate) async fn what_clients_hold_goes_on_working(storage: Arc<dyn Storage>) {
    let keys = || vec!["one".to_owned(), "two".to_owned(), "one".to_owned()];
    let expected = [Imported::Taken, Imported::Taken, Imported::AlreadyThere];
    assert_eq!(storage.import_ephemeral_keys(keys()).await.unwrap(), expected);
    assert_eq!(storage.import_ephemeral_keys(keys()).await.unwrap(), [Imported::AlreadyThere; 3]);
    assert!(storage.has_ephemeral_key("two").await.unwrap());
    assert!(!storage.has_ephemeral_key("three").await.unwrap());

    let token = |text: &str, name| IdentityToken {
        token: keyring().identity_token_hash(text),
        user_id: user(name),
        created_at: NOW,
    };
    let tokens = || vec![token("a", "alice"), token("b", "bob")];
    assert_eq!(storage.import_identity_tokens(tokens(), NOW).await.unwrap(), [Imported::Taken; 2]);
    let again = vec![token("a", "carol"), token("b", "bob")];
    assert_eq!(storage.import_identity_tokens(again, NOW).await.unwrap(), [Imported::AlreadyThere; 2]);

    let terms = TermsVersion::parse("privacy", "1").unwrap();
    let accepted = || vec![(user("alice"), terms.clone()), (user("alice"), terms.clone())];
    let expected = [Imported::Taken, Imported::AlreadyThere];
    assert_eq!(storage.import_identity_terms(accepted(), NOW).await.unwrap(), expected);
    assert_eq!(storage.import_identity_terms(accepted(), NOW).await.unwrap(), [Imported::AlreadyThere; 2]);
    let caller = storage.find_identity_caller(keyring().identity_token_hash("a")).await.unwrap().unwrap();
    assert_eq!((caller.user_id, caller.accepted), (user("alice"), vec![terms]));
}

fn threepid(address: &str, name: &str, added_at: Timestamp) -> AccountThreepid {
    AccountThreepid {
        localpart: Localpart::from_stored(name.to_owned()),
        medium: Medium::Email,
        address_hash: address_hash(address),
        sealed_address: Sealed::from_bytes(format!("sealed {address}").into_bytes()),
        validated_at: NOW.before(DAY),
        added_at,
    }
}

pub(crate) async fn addresses_come_to_accounts_that_are_there(storage: Arc<dyn Storage>) {
    for name in ["alice", "bob"] {
        storage.register(registration(name, None), NOW).await.unwrap();
    }
    owned(&*storage, &email("z@example.org"), "alice").await;
    let (first, second) = (NOW.before(HOUR), NOW.before(MINUTE));
    let batch = || {
        vec![
            threepid("b@example.org", "alice", first),
            threepid("b@example.org", "bob", first),
            threepid("a@example.org", "alice", second),
            threepid("c@example.org", "nobody", first),
            threepid("z@example.org", "bob", first),
            threepid("z@example.org", "alice", first),
        ]
    };
    let here = AccountHome::Here;
    use Imported::{AlreadyThere, NoAccount, OtherUser, Taken};
    let outcomes = storage.import_threepids(batch(), here).await.unwrap();
    assert_eq!(outcomes, [Taken, OtherUser, Taken, NoAccount, OtherUser, AlreadyThere]);
    let listed = storage.list_threepids(&localpart("alice")).await.unwrap();
    assert!(listed.contains(&threepid("b@example.org", "alice", first)));
    assert!(listed.contains(&threepid("a@example.org", "alice", second)));
    let place = |address| listed.iter().position(|one| one.address_hash == address_hash(address)).unwrap();
    assert!(place("b@example.org") < place("a@example.org"), "first added comes first");
    let outcomes = storage.import_threepids(batch(), here).await.unwrap();
    assert_eq!(outcomes, [AlreadyThere, OtherUser, AlreadyThere, NoAccount, OtherUser, AlreadyThere]);
    assert_eq!(storage.list_threepids(&localpart("alice")).await.unwrap(), listed);
    assert!(storage.list_threepids(&localpart("bob")).await.unwrap().is_empty());
}

pub(crate) async fn addresses_come_to_a_homeservers_accounts(storage: Arc<dyn Storage>) {
    let batch = vec![threepid("a@example.org", "Old Name", NOW)];
    let outcomes = storage.import_threepids(batch, AccountHome::Elsewhere).await.unwrap();
    assert_eq!(outcomes, [Imported::Taken]);
    let owner = storage.find_threepid_owner(address_hash("a@example.org")).await.unwrap();
    assert_eq!(owner.unwrap().localpart.as_str(), "Old Name");
}
