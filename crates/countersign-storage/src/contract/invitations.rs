//! Invitations: what is kept, what is owed, and that a bind never misses one.

use std::sync::Arc;

use countersign_core::{
    BudgetKind, Carrier, EndReason, Medium, MessageKind, NotMeDecision, SessionPurpose, Timestamp,
};

use super::{data::*, identity_data::*};
use crate::{Bound, InvitationStored, Storage};

const QUEUED: InvitationStored = InvitationStored::Waiting { queued: true };
const UNMAILED: InvitationStored = InvitationStored::Waiting { queued: false };

/// What each carrier has to carry now.
async fn owed(storage: &dyn Storage, now: Timestamp) -> Vec<(Carrier, MessageKind)> {
    let mut owed = Vec::new();
    for carrier in Carrier::ALL {
        let leased = storage.lease(lease_request(carrier, 10, now), now).await.unwrap();
        owed.extend(leased.iter().map(|leased| (carrier, leased.message.kind)));
    }
    owed
}

pub(crate) async fn invitation_waits_and_owes_its_mail(storage: Arc<dyn Storage>) {
    let (late, early) =
        (invite("a@example.org", "late", NOW), invite("a@example.org", "early", NOW.before(SECOND)));
    let other = invite("b@example.org", "other", NOW);
    for invite in [&late, &early, &other] {
        assert_eq!(store(&*storage, invite, &[]).await, QUEUED);
    }
    let address = late.invitation.address_hash;
    let waiting = storage.list_waiting_invitations(address).await.unwrap();
    assert_eq!(waiting, [early.invitation.clone(), late.invitation.clone()]);
    assert_eq!(storage.find_invitation(token_hash("late")).await.unwrap(), Some(late.invitation.clone()));
    assert_eq!(storage.find_invitation(token_hash("none")).await.unwrap(), None);
    let of_session = storage.find_invitation_of_session(early.mail.sid).await.unwrap();
    assert_eq!(of_session, Some(early.invitation.clone()));
    assert_eq!(storage.find_invitation_of_session(sid_of_nothing()).await.unwrap(), None);
    for (public_key, is_ours) in
        [("key/late+", true), ("key/other+", true), ("KEY/late+", false), ("key/late", false)]
    {
        assert_eq!(storage.has_ephemeral_key(public_key).await.unwrap(), is_ours, "{public_key}");
    }
    let leased = storage.lease(lease_request(Medium::Email, 10, NOW), NOW).await.unwrap();
    let mut to: Vec<_> =
        leased.iter().map(|leased| (leased.message.kind, address_of(&leased.session))).collect();
    to.sort_by(|(_, one), (_, other)| one.cmp(other));
    let expected = ["a@example.org", "a@example.org", "b@example.org"];
    assert_eq!(to, expected.map(|to| (MessageKind::Invitation, to.to_owned())));
}

pub(crate) async fn handed_over_invitation_waits_no_more_and_is_found(storage: Arc<dyn Storage>) {
    let (one, other) = (invite("a@example.org", "one", NOW), invite("a@example.org", "other", NOW));
    for invite in [&one, &other] {
        store(&*storage, invite, &[]).await;
    }
    let later = NOW.after(MINUTE);
    storage.mark_handed_over(vec![token_hash("one"), token_hash("none")], later).await.unwrap();
    storage.mark_handed_over(vec![token_hash("one")], NOW.after(HOUR)).await.unwrap();
    storage.mark_handed_over(Vec::new(), NOW).await.unwrap();
    let waiting = storage.list_waiting_invitations(one.invitation.address_hash).await.unwrap();
    assert_eq!(waiting, [other.invitation]);
    let found = storage.find_invitation(token_hash("one")).await.unwrap().unwrap();
    assert_eq!(found.handed_over_at, Some(later));
    assert!(storage.has_ephemeral_key("key/one+").await.unwrap());
}

pub(crate) async fn address_in_use_takes_no_invitation_but_charges(storage: Arc<dyn Storage>) {
    current_pepper(&*storage).await;
    bound(&*storage, "a@example.org", "alice").await;
    let charges = [charge(BudgetKind::MessagesHourly, "a", 2), charge(BudgetKind::MessagesDaily, "a", 9)];
    for token in ["one", "two"] {
        let stored = store(&*storage, &invite("a@example.org", token, NOW), &charges).await;
        assert_eq!(stored, InvitationStored::InUse(user("alice")));
    }
    let third = invite("a@example.org", "three", NOW);
    assert!(matches!(store(&*storage, &third, &charges).await, InvitationStored::Limited(_)));
    for token in ["one", "two", "three"] {
        assert_eq!(storage.find_invitation(token_hash(token)).await.unwrap(), None);
        assert!(!storage.has_ephemeral_key(&format!("key/{token}+")).await.unwrap());
    }
    assert!(owed(&*storage, NOW).await.is_empty());
}

pub(crate) async fn spent_budget_keeps_no_invitation(storage: Arc<dyn Storage>) {
    let (address, network) =
        (charge(BudgetKind::MessagesHourly, "a", 1), charge(BudgetKind::Requests, "n", 3));
    assert_eq!(store(&*storage, &invite("a@example.org", "one", NOW), &[address, network]).await, QUEUED);
    let limited = store(&*storage, &invite("a@example.org", "two", NOW), &[network, address]).await;
    assert!(matches!(limited, InvitationStored::Limited(_)), "{limited:?}");
    assert_eq!(storage.find_invitation(token_hash("two")).await.unwrap(), None);
    assert_eq!(owed(&*storage, NOW).await, [(Carrier::Email, MessageKind::Invitation)]);
    // Nothing was taken from the other budget, which has two left.
    for result in [true, true, false] {
        assert_eq!(storage.charge(vec![network], NOW).await.unwrap().is_ok(), result);
    }
}

pub(crate) async fn owner_ends_an_invitations_mail_and_refuses_more(storage: Arc<dyn Storage>) {
    let one = invite("a@example.org", "one", NOW);
    store(&*storage, &one, &[]).await;
    let (leased, lease_id) = lease_one(&*storage, Medium::Email, NOW).await;
    assert!(leased.session.decoy, "it never validates");
    assert!(storage.retry_at(leased.message.id, lease_id, NOW).await.unwrap());
    let ended = storage.not_me(not_me(&leased.session), NOW).await.unwrap();
    assert!(matches!(ended, NotMeDecision::End(_)), "{ended:?}");
    assert!(owed(&*storage, NOW).await.is_empty(), "an ended mail is not sent");
    let reason = session(&*storage, one.mail.sid).await.ended.map(|ended| ended.reason);
    assert_eq!(reason, Some(EndReason::NotMe));
    let two = invite("a@example.org", "two", NOW);
    assert_eq!(store(&*storage, &two, &[]).await, QUEUED, "he refused one mail, not all");
    assert!(storage.suppress(not_me(&leased.session), NOW).await.unwrap());
    assert!(owed(&*storage, NOW).await.is_empty());
    assert_eq!(store(&*storage, &invite("a@example.org", "three", NOW), &[]).await, UNMAILED);
    assert!(owed(&*storage, NOW).await.is_empty());
    let waiting = storage.list_waiting_invitations(one.invitation.address_hash).await.unwrap();
    assert_eq!(waiting.len(), 3);
}

pub(crate) async fn bind_owes_a_message_while_invitations_wait(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    let proof = proven(&*storage, "a@example.org", "secret").await;
    store(&*storage, &invite("b@example.org", "other", NOW), &[]).await;
    let bind = async |now| match storage.bind(bind_of(&proof, "alice", &peppers), now).await.unwrap() {
        Bound::Done { queued, .. } => queued,
        answer => panic!("{answer:?}"),
    };
    assert!(!bind(NOW).await, "the invitation is for someone else");
    assert!(storage.unbind(proof.address_hash, &user("alice")).await.unwrap());
    store(&*storage, &invite("a@example.org", "one", NOW), &[]).await;
    assert!(bind(NOW).await);

    assert_eq!(storage.next_due_at(Carrier::Federation).await.unwrap(), Some(NOW));
    let (leased, lease_id) = lease_one(&*storage, Carrier::Federation, NOW).await;
    let expected = (MessageKind::OnBind, Carrier::Federation);
    assert_eq!((leased.message.kind, leased.message.carrier), expected);
    let owing = &leased.session;
    assert_eq!((owing.requested_by.as_ref(), owing.address_hash), (Some(&user("alice")), proof.address_hash));
    assert!(owing.decoy && !owing.latest && owing.purpose == SessionPurpose::Verify);
    let mails = storage.lease(lease_request(Carrier::Email, 10, NOW), NOW).await.unwrap();
    assert_eq!(mails.len(), 2, "the mails were left alone");
    assert!(storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
    assert!(storage.find_finished_message(leased.message.id).await.unwrap().is_some());
    assert_eq!(storage.next_due_at(Carrier::Federation).await.unwrap(), None);

    storage.mark_handed_over(vec![token_hash("one")], NOW).await.unwrap();
    assert!(!bind(NOW.after(SECOND)).await, "nothing waits any more");
}

pub(crate) async fn repeated_bind_owes_nothing_more_while_its_message_waits(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    let proof = proven(&*storage, "a@example.org", "secret").await;
    let other = proven(&*storage, "b@example.org", "secret").await;
    let bind = async |proof, name| match storage.bind(bind_of(proof, name, &peppers), NOW).await.unwrap() {
        Bound::Done { queued, .. } => queued,
        answer => panic!("{answer:?}"),
    };
    for (address, token) in [("a@example.org", "one"), ("b@example.org", "other")] {
        store(&*storage, &invite(address, token, NOW), &[]).await;
    }
    assert!(bind(&proof, "alice").await);
    for _ in 0..3 {
        assert!(!bind(&proof, "alice").await);
    }
    assert!(bind(&other, "alice").await, "another address has its own");
    assert!(bind(&proof, "bob").await, "another user has its own");
    assert!(!bind(&proof, "bob").await);
    let request = lease_request(Carrier::Federation, 10, NOW);
    let lease_id = request.lease_id;
    let leased = storage.lease(request, NOW).await.unwrap();
    assert_eq!(leased.len(), 3);
    // What is being sent may have missed an invitation.
    assert!(bind(&proof, "bob").await);
    assert!(!bind(&proof, "bob").await);
    for leased in leased {
        assert!(storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
    }
    let (leased, lease_id) = lease_one(&*storage, Carrier::Federation, NOW).await;
    assert!(storage.retry_at(leased.message.id, lease_id, NOW.after(HOUR)).await.unwrap());
    assert!(!bind(&proof, "bob").await, "one that is tried again later will do");
}

pub(crate) async fn refused_messages_leave_a_homeservers_alone(storage: Arc<dyn Storage>) {
    current_pepper(&*storage).await;
    let one = invite("a@example.org", "one", NOW);
    store(&*storage, &one, &[]).await;
    let (leased, _) = lease_one(&*storage, Medium::Email, NOW).await;
    bound(&*storage, "a@example.org", "alice").await;
    assert!(storage.suppress(not_me(&leased.session), NOW).await.unwrap());
    assert_eq!(owed(&*storage, NOW).await, [(Carrier::Federation, MessageKind::OnBind)]);
}

pub(crate) async fn bind_and_invitation_at_once_never_miss_each_other(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    for round in 0..24 {
        let address = format!("user{round}@example.org");
        let proof = proven(&*storage, &address, "secret").await;
        let invite = invite(&address, &format!("t{round}"), NOW);
        let (bound, stored) = tokio::join!(
            storage.bind(bind_of(&proof, "alice", &peppers), NOW),
            store(&*storage, &invite, &[]),
        );
        let Bound::Done { queued, .. } = bound.unwrap() else { panic!("not bound") };
        match stored {
            InvitationStored::InUse(user_id) => assert_eq!((user_id, queued), (user("alice"), false)),
            InvitationStored::Waiting { .. } => assert!(queued, "it would wait for ever"),
            InvitationStored::Limited(_) => unreachable!("nothing was charged"),
        }
    }
}
