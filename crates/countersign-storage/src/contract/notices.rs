//! Notices: who is told of a change.

use std::sync::Arc;

use countersign_core::{
    AccountHome, AddRefusal, AddThreepid, Authorization, Credential, Lapsed, Medium, MessageKind,
    NoticeDraft, SessionPurpose, ThirdPartyIdentifier, Timestamp,
};

use super::data::*;
use crate::{LogOut, PasswordChange, PasswordChanged, Storage};

/// The kind and the address of each message that is sent now, by address.
async fn sent(storage: &dyn Storage, now: Timestamp) -> Vec<(MessageKind, String)> {
    let mut sent = Vec::new();
    for medium in [Medium::Email, Medium::Msisdn] {
        let request = lease_request(medium, 10, now);
        let lease_id = request.lease_id;
        for leased in storage.lease(request, now).await.unwrap() {
            let session = &leased.session;
            assert!(session.decoy && !session.latest && session.validated_at.is_none());
            assert_eq!(
                session.requested_by.as_ref().map(|user| user.as_str()),
                Some("@alice:example.org:8448")
            );
            sent.push((leased.message.kind, address_of(session)));
            assert!(storage.mark_delivered(leased.message.id, lease_id, now).await.unwrap());
        }
    }
    sent.sort_by(|(_, one), (_, other)| one.cmp(other));
    sent
}

fn drafts(threepids: &[&ThirdPartyIdentifier]) -> Vec<NoticeDraft> {
    threepids.iter().map(|threepid| notice_draft(threepid)).collect()
}

pub(crate) async fn notices_go_to_the_addresses_that_were_there(storage: Arc<dyn Storage>) {
    let (mail, phone) = (email("a@example.org"), msisdn("447700900123"));
    let (added, foreign) = (email("b@example.org"), email("bob@example.org"));
    owned(&*storage, &mail, "alice").await;
    owned(&*storage, &foreign, "bob").await;
    let all = || drafts(&[&mail, &phone, &added, &foreign]);

    let proven = validated(&*storage, &request_with(SessionPurpose::AddThreepid, &added, "add"), NOW).await;
    let add = AddThreepid { notices: all(), ..add_threepid(&proven, "alice") };
    let answer = storage.add_threepid(add, NOW).await.unwrap().unwrap();
    assert_eq!(answer.notified, [Medium::Email]);
    assert_eq!(sent(&*storage, NOW).await, [(MessageKind::EmailAdded, "a@example.org".to_owned())]);
    let again = AddThreepid { notices: all(), ..add_threepid(&proven, "alice") };
    assert!(storage.add_threepid(again, NOW).await.unwrap().unwrap().notified.is_empty());

    let proven = validated(&*storage, &request_with(SessionPurpose::AddThreepid, &phone, "add"), NOW).await;
    let add = AddThreepid { notices: all(), ..add_threepid(&proven, "alice") };
    storage.add_threepid(add, NOW).await.unwrap().unwrap();
    let both = ["a@example.org", "b@example.org"];
    assert_eq!(sent(&*storage, NOW).await, both.map(|to| (MessageKind::MsisdnAdded, to.to_owned())));

    let delete = async |threepid: &ThirdPartyIdentifier| {
        let hash = keyring().address_hash(threepid);
        storage.delete_threepid(&localpart("alice"), hash, all(), NOW).await.unwrap()
    };
    assert_eq!(delete(&added).await, Some(vec![Medium::Email, Medium::Msisdn]));
    let everyone = ["447700900123", "a@example.org", "b@example.org"];
    assert_eq!(sent(&*storage, NOW).await, everyone.map(|to| (MessageKind::EmailRemoved, to.to_owned())));
    for not_there in [&added, &foreign] {
        assert_eq!(delete(not_there).await, None);
    }
    assert_eq!(delete(&phone).await, Some(vec![Medium::Email, Medium::Msisdn]));
    let left = ["447700900123", "a@example.org"];
    assert_eq!(sent(&*storage, NOW).await, left.map(|to| (MessageKind::MsisdnRemoved, to.to_owned())));
    assert_eq!(waiting(&*storage).await, 0);
}

pub(crate) async fn password_change_tells_the_accounts_addresses(storage: Arc<dyn Storage>) {
    storage.register(registration("alice", None), NOW).await.unwrap();
    let (mail, foreign) = (email("a@example.org"), email("bob@example.org"));
    owned(&*storage, &mail, "alice").await;
    owned(&*storage, &foreign, "bob").await;
    let change = PasswordChange {
        localpart: localpart("alice"),
        password_hash: "new".to_owned(),
        log_out: LogOut::Nobody,
        authorization: Authorization::default(),
        notices: drafts(&[&mail, &foreign]),
    };
    let refused =
        PasswordChange { authorization: by(Credential::Threepid(sid_of_nothing())), ..change.clone() };
    let refused = storage.change_password(refused, NOW).await.unwrap();
    assert_eq!(refused, PasswordChanged::Lapsed(Lapsed::Proof));
    assert_eq!(waiting(&*storage).await, 0);
    let changed = storage.change_password(change, NOW).await.unwrap();
    assert_eq!(changed, PasswordChanged::Changed { notified: vec![Medium::Email] });
    assert_eq!(sent(&*storage, NOW).await, [(MessageKind::PasswordChanged, "a@example.org".to_owned())]);
}

pub(crate) async fn suppressed_address_gets_no_notice(storage: Arc<dyn Storage>) {
    let (mail, silent) = (email("a@example.org"), email("silent@example.org"));
    for address in [&mail, &silent] {
        owned(&*storage, address, "alice").await;
    }
    let request = request_with(SessionPurpose::ResetPassword, &silent, "reset");
    let session = delivered(&*storage, &request, NOW).await;
    assert!(storage.suppress(not_me(&session), NOW).await.unwrap());
    let hash = keyring().address_hash(&mail);
    let drafts = drafts(&[&mail, &silent]);
    let notified = storage.delete_threepid(&localpart("alice"), hash, drafts, NOW).await.unwrap();
    assert_eq!(notified, Some(vec![Medium::Email]));
    assert_eq!(sent(&*storage, NOW).await, [(MessageKind::EmailRemoved, "a@example.org".to_owned())]);
}

pub(crate) async fn notice_is_forgotten_in_time(storage: Arc<dyn Storage>) {
    let mail = email("a@example.org");
    owned(&*storage, &mail, "alice").await;
    let draft = notice_draft(&mail);
    let sid = draft.sid;
    let hash = keyring().address_hash(&mail);
    storage.delete_threepid(&localpart("alice"), hash, vec![draft], NOW).await.unwrap();
    assert_eq!(sent(&*storage, NOW).await.len(), 1);
    assert!(storage.find_session(sid).await.unwrap().is_some());
    let retention =
        crate::Retention { sessions: HOUR, messages: HOUR, identity_tokens: DAY, rows_per_sweep: 100 };
    storage.sweep(retention, LONG_AFTER).await.unwrap();
    assert!(storage.find_session(sid).await.unwrap().is_none());
}

pub(crate) async fn dead_account_gets_no_address(storage: Arc<dyn Storage>) {
    storage.register(registration("alice", None), NOW).await.unwrap();
    storage.register(registration("gone", None), NOW).await.unwrap();
    storage.deactivate(deactivation("gone"), NOW).await.unwrap();
    let proven = validated(&*storage, &alice(), NOW).await;
    let to = |name| AddThreepid { account: AccountHome::Here, ..add_threepid(&proven, name) };
    for name in ["gone", "nobody"] {
        let refused = storage.add_threepid(to(name), NOW).await.unwrap();
        assert_eq!(refused, Err(AddRefusal::AuthFailed), "{name}");
    }
    assert_eq!(storage.find_session(proven.sid).await.unwrap().as_ref(), Some(&proven));
    assert!(storage.add_threepid(to("alice"), NOW).await.unwrap().is_ok());
}
