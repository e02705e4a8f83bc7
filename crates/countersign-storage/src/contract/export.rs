//! Reading everything, batch by batch.

use std::{fmt::Debug, slice, sync::Arc};

use countersign_core::{AccountHome, Medium, RecordedBind, Sealed, TermsVersion};

use super::{data::*, identity_data::*};
use crate::{Registered, Storage, StorageError};

/// Checks that `read` answers `count` rows, however many it is asked for at a time, each once and in one order.
async fn assert_pages<R: Clone + Debug, K: Debug + PartialEq>(
    count: usize,
    read: impl AsyncFn(Option<K>, usize) -> Result<Vec<R>, StorageError>,
    key: impl Fn(&R) -> K,
) {
    let at_once: Vec<_> = read(None, 100).await.unwrap().iter().map(&key).collect();
    assert_eq!(at_once.len(), count, "{at_once:?}");
    for limit in 1..=count {
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let page = read(after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= limit);
            after = Some(key(last));
            keys.extend(page.iter().map(&key));
        }
        assert_eq!(keys, at_once);
    }
}

async fn fill(storage: &dyn Storage) {
    let terms = |version| TermsVersion::parse("privacy", version).unwrap();
    for name in ["bob", "alice", "carol"] {
        let registration = registration(name, Some(login(name, "phone", name)));
        assert_eq!(storage.register(registration, NOW).await.unwrap(), Registered::Created);
        owned(storage, &email(&format!("{name}@example.org")), name).await;
        storage.log_in(login(name, "laptop", &format!("{name}2")), Some(PASSWORD_HASH)).await.unwrap();
        storage.add_identity_token(keyring().identity_token_hash(name), &user(name), NOW).await.unwrap();
        storage.accept_identity_terms(&user(name), vec![terms("1"), terms("2")], NOW).await.unwrap();
        for id_server in ["vector.im", "id.example.org"] {
            let bind = RecordedBind {
                localpart: localpart(name),
                medium: Medium::Email,
                address_hash: address_hash(name_address(name)),
                sealed_address: Sealed::from_bytes(b"sealed".to_vec()),
                id_server: id_server.to_owned(),
                bound_at: NOW,
            };
            storage.record_bind(bind, AccountHome::Here).await.unwrap();
        }
    }
    // Their mails would be in the way of others.
    for token in ["one", "two", "three"] {
        store(storage, &invite("invited@example.org", token, NOW), &[]).await;
    }
}

fn name_address(name: &str) -> &'static str {
    if name == "alice" { "a@example.org" } else { "b@example.org" }
}

pub(crate) async fn everything_is_read_in_batches(storage: Arc<dyn Storage>) {
    fill(&*storage).await;
    assert_pages(
        3,
        async |after, limit| storage.export_accounts(after, limit).await,
        |account| account.localpart.clone(),
    )
    .await;
    assert_pages(
        6,
        async |after, limit| storage.export_devices(after, limit).await,
        |device| (device.localpart.clone(), device.device_id.clone()),
    )
    .await;
    assert_pages(
        3,
        async |after, limit| storage.export_threepids(after, limit).await,
        |threepid| threepid.address_hash,
    )
    .await;
    assert_pages(
        3,
        async |after, limit| storage.export_identity_tokens(after, limit).await,
        |token| token.token,
    )
    .await;
    assert_pages(
        6,
        async |after, limit| storage.export_identity_terms(after, limit).await,
        |terms| (terms.user.clone(), terms.version.clone()),
    )
    .await;
    assert_pages(
        3,
        async |after, limit| storage.export_invitations(after, limit).await,
        |invitation| invitation.token_hash,
    )
    .await;
    assert_pages(
        6,
        async |after, limit| storage.export_recorded_binds(after, limit).await,
        |bind| (bind.localpart.clone(), bind.address_hash, bind.id_server.clone()),
    )
    .await;
    let accounts = storage.export_accounts(None, 1).await.unwrap();
    assert_eq!(accounts[0].localpart, localpart("alice"));
    let token = &storage.export_identity_tokens(None, 1).await.unwrap()[0];
    let caller = storage.find_identity_caller(token.token).await.unwrap().unwrap();
    assert_eq!((caller.user_id, token.created_at), (token.user_id.clone(), NOW));
    let invitation = &storage.export_invitations(None, 1).await.unwrap()[0];
    assert_eq!(storage.find_invitation(invitation.token_hash).await.unwrap().as_ref(), Some(invitation));
    let threepid = &storage.export_threepids(None, 1).await.unwrap()[0];
    assert_eq!(storage.list_threepids(&threepid.localpart).await.unwrap(), slice::from_ref(threepid));
    let binds = storage.export_recorded_binds(None, 2).await.unwrap();
    assert_eq!(binds.len(), storage.list_recorded_binds(&localpart("alice"), None).await.unwrap().len());
    assert!(storage.export_terms(None, 10).await.unwrap().is_empty());
}
