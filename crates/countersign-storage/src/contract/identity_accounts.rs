//! Who may use the identity service.

use std::sync::Arc;

use countersign_core::{IdentityTokenHash, TermsVersion};

use super::{data::*, identity_data::user};
use crate::{IdentityCaller, Storage};

fn token(text: &str) -> IdentityTokenHash {
    keyring().identity_token_hash(text)
}

pub(crate) async fn identity_token_stands_for_its_user_until_it_is_deleted(storage: Arc<dyn Storage>) {
    for (text, name) in [("a", "alice"), ("b", "alice"), ("c", "bob")] {
        storage.add_identity_token(token(text), &user(name), NOW).await.unwrap();
    }
    assert!(storage.add_identity_token(token("a"), &user("bob"), NOW).await.is_err(), "a token has one user");
    let caller = |name| Some(IdentityCaller { user_id: user(name), used_at: NOW, accepted: Vec::new() });
    assert_eq!(storage.find_identity_caller(token("a")).await.unwrap(), caller("alice"));
    assert_eq!(storage.find_identity_caller(token("none")).await.unwrap(), None);
    assert!(storage.delete_identity_token(token("a")).await.unwrap());
    assert!(!storage.delete_identity_token(token("a")).await.unwrap());
    assert_eq!(storage.find_identity_caller(token("a")).await.unwrap(), None);
    assert_eq!(storage.find_identity_caller(token("b")).await.unwrap(), caller("alice"));
    assert_eq!(storage.find_identity_caller(token("c")).await.unwrap(), caller("bob"));
}

pub(crate) async fn accepted_terms_add_up(storage: Arc<dyn Storage>) {
    storage.add_identity_token(token("a"), &user("alice"), NOW).await.unwrap();
    storage.add_identity_token(token("b"), &user("bob"), NOW).await.unwrap();
    let terms = |policy, version| TermsVersion::parse(policy, version).unwrap();
    let accepted = async |text| storage.find_identity_caller(token(text)).await.unwrap().unwrap().accepted;
    storage.accept_identity_terms(&user("alice"), vec![terms("tos", "1")], NOW).await.unwrap();
    storage.accept_identity_terms(&user("alice"), Vec::new(), NOW).await.unwrap();
    let more = vec![terms("tos", "2"), terms("privacy", "1"), terms("tos", "1")];
    storage.accept_identity_terms(&user("alice"), more, NOW.after(HOUR)).await.unwrap();
    assert_eq!(accepted("a").await, [terms("privacy", "1"), terms("tos", "1"), terms("tos", "2")]);
    assert!(accepted("b").await.is_empty());
    // They are the user's, not the token's.
    assert!(storage.delete_identity_token(token("a")).await.unwrap());
    storage.add_identity_token(token("new"), &user("alice"), NOW).await.unwrap();
    assert_eq!(accepted("new").await.len(), 3);
}

pub(crate) async fn use_of_a_token_is_noted(storage: Arc<dyn Storage>) {
    storage.add_identity_token(token("a"), &user("alice"), NOW).await.unwrap();
    let used_at = async || storage.find_identity_caller(token("a")).await.unwrap().unwrap().used_at;
    let later = NOW.after(HOUR);
    for (now, expected) in [(later, later), (NOW, later)] {
        storage.note_identity_token_use(token("a"), now).await.unwrap();
        assert_eq!(used_at().await, expected);
    }
    storage.note_identity_token_use(token("none"), later).await.unwrap();
    assert_eq!(storage.find_identity_caller(token("none")).await.unwrap(), None);
}

pub(crate) async fn identity_tokens_end_with_their_account(storage: Arc<dyn Storage>) {
    storage.register(registration("alice", None), NOW).await.unwrap();
    let end = deactivation("alice");
    // Another Alice is a user of another server.
    for (text, user_id) in [("a", &end.user_id), ("b", &end.user_id), ("c", &user("alice"))] {
        storage.add_identity_token(token(text), user_id, NOW).await.unwrap();
    }
    storage.deactivate(end, NOW).await.unwrap();
    for (text, is_there) in [("a", false), ("b", false), ("c", true)] {
        assert_eq!(storage.find_identity_caller(token(text)).await.unwrap().is_some(), is_there, "{text}");
    }
}
