//! `request_validation`.

use std::{collections::HashSet, sync::Arc};

use countersign_core::{
    BudgetKind, Carrier, DropReason, InUsePolicy, Limited, Medium, MessageKind, MessageOutcome, Requested,
    SendAttempt, SessionPurpose, Submitted, ValidationRequest,
};
use tokio::task::JoinSet;

use super::data::*;
use crate::Storage;

pub(crate) async fn first_request_opens_a_session_and_owes_a_message(storage: Arc<dyn Storage>) {
    for (index, attempt) in [i64::MIN, -1, 0, 1, 7, i64::MAX].into_iter().enumerate() {
        let threepid = email(&format!("user{index}@example.org"));
        let request = ValidationRequest {
            send_attempt: SendAttempt(attempt),
            requested_by: (index % 2 == 0).then(|| alice().requested_by.unwrap()),
            sealed_next_link: alice().sealed_next_link.filter(|_| index % 3 == 0),
            ..request(SessionPurpose::ALL[index % 2], &threepid)
        };
        assert_eq!(sending(&*storage, &request, NOW).await, request.new_sid);
        assert_eq!(session(&*storage, request.new_sid).await, opened_by(&request, NOW));
        let (leased, _) = lease_one(&*storage, Medium::Email, NOW).await;
        let message = leased.message;
        assert_eq!((message.id, message.sid), (request.message_id, request.new_sid));
        assert_eq!((message.kind, message.carrier), (MessageKind::Validation, Carrier::Email));
        assert_eq!((message.send_attempt, message.language), (request.send_attempt, request.language));
        assert_eq!((message.created_at, message.not_before, message.tries), (NOW, NOW, 1));
    }
}

pub(crate) async fn repeated_or_lower_attempt_changes_nothing(storage: Arc<dyn Storage>) {
    let first = again(&alice(), 5);
    let sid = sending(&*storage, &first, NOW).await;
    let before = session(&*storage, sid).await;
    for attempt in [5, 4, 0, -1, i64::MIN] {
        let answer = storage.request_validation(again(&first, attempt), NOW.after(HOUR)).await.unwrap();
        assert_eq!(answer, Requested::Repeated(sid), "{attempt}");
    }
    assert_eq!(session(&*storage, sid).await, before);
    assert_eq!(waiting(&*storage).await, 1);
}

pub(crate) async fn higher_attempt_sends_for_the_same_session(storage: Arc<dyn Storage>) {
    let first = again(&alice(), -3);
    let before = delivered(&*storage, &first, NOW).await;
    for attempt in [-2, 0, 1, 9, i64::MAX] {
        let next = again(&first, attempt);
        assert_eq!(sending(&*storage, &next, NOW).await, before.sid);
        let now = session(&*storage, before.sid).await;
        assert_eq!(now.send_attempt, Some(SendAttempt(attempt)));
        assert_eq!(now.sealed_next_link, next.sealed_next_link);
        assert_eq!((now.created_at, now.expires_at), (before.created_at, before.expires_at));
        let (leased, lease_id) = lease_one(&*storage, Medium::Email, NOW).await;
        assert_eq!(leased.message.id, next.message_id);
        assert!(storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
    }
}

pub(crate) async fn higher_attempt_supersedes_what_waits(storage: Arc<dyn Storage>) {
    let first = alice();
    let second = again(&first, 2);
    sending(&*storage, &first, NOW).await;
    sending(&*storage, &second, NOW.after(SECOND)).await;
    assert_eq!(waiting(&*storage).await, 1);
    let finished = storage.find_finished_message(first.message_id).await.unwrap().unwrap();
    assert_eq!(finished.outcome, MessageOutcome::Dropped(DropReason::Superseded));
    assert_eq!((finished.tries, finished.finished_at), (0, NOW.after(SECOND)));
    let (leased, _) = lease_one(&*storage, Medium::Email, NOW.after(SECOND)).await;
    assert_eq!(leased.message.id, second.message_id);
}

pub(crate) async fn higher_attempt_leaves_a_leased_message_alone(storage: Arc<dyn Storage>) {
    let first = alice();
    sending(&*storage, &first, NOW).await;
    let (leased, lease_id) = lease_one(&*storage, Medium::Email, NOW).await;
    sending(&*storage, &again(&first, 2), NOW).await;
    assert_eq!(waiting(&*storage).await, 2);
    assert!(storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
    lease_one(&*storage, Medium::Email, NOW).await;
}

pub(crate) async fn expired_session_gives_way_to_a_new_one(storage: Arc<dyn Storage>) {
    let first = alice();
    let old = sending(&*storage, &first, NOW).await;
    let last_moment = storage.request_validation(again(&first, 1), NOW.after(DAY)).await.unwrap();
    assert_eq!(last_moment, Requested::Repeated(old));
    let later = NOW.after(DAY).after(SECOND);
    let next = again(&first, 1);
    assert_eq!(sending(&*storage, &next, later).await, next.new_sid);
    assert!(!session(&*storage, old).await.latest);
    assert_eq!(session(&*storage, next.new_sid).await, opened_by(&next, later));
}

pub(crate) async fn ended_session_gives_way_to_a_new_one(storage: Arc<dyn Storage>) {
    let first = alice();
    let old = delivered(&*storage, &first, NOW).await;
    storage.not_me(not_me(&old), NOW).await.unwrap();
    let next = again(&first, 1);
    assert_eq!(sending(&*storage, &next, NOW).await, next.new_sid);
    assert_eq!(
        storage.request_validation(again(&first, 1), NOW).await.unwrap(),
        Requested::Repeated(next.new_sid)
    );
}

pub(crate) async fn consumed_session_gives_way_to_a_new_one(storage: Arc<dyn Storage>) {
    let first = alice();
    let old = validated(&*storage, &first, NOW).await;
    storage.add_threepid(add_threepid(&old, "alice"), NOW).await.unwrap().unwrap();
    let address = first.address_hash;
    assert!(storage.delete_threepid(&localpart("alice"), address, Vec::new(), NOW).await.unwrap().is_some());
    let next = again(&first, 1);
    assert_eq!(sending(&*storage, &next, NOW).await, next.new_sid);
}

pub(crate) async fn higher_attempt_after_validation_opens_a_session_beside_the_old(
    storage: Arc<dyn Storage>,
) {
    let first = alice();
    let old = validated(&*storage, &first, NOW).await;
    let next = again(&first, 2);
    assert_eq!(sending(&*storage, &next, NOW).await, next.new_sid);
    assert_eq!(session(&*storage, next.new_sid).await, opened_by(&next, NOW));
    // The old one works on.
    let answer = storage.submit_token(submission(&old, &link_token(&old)), NOW).await.unwrap();
    assert_eq!(answer, Submitted::Validated);
    let added = storage.add_threepid(add_threepid(&old, "alice"), NOW).await.unwrap();
    assert!(added.is_ok());
}

pub(crate) async fn repeat_after_validation_changes_nothing(storage: Arc<dyn Storage>) {
    let first = alice();
    let before = validated(&*storage, &first, NOW).await;
    let answer = storage.request_validation(again(&first, 1), NOW).await.unwrap();
    assert_eq!(answer, Requested::Repeated(before.sid));
    assert_eq!(session(&*storage, before.sid).await, before);
}

pub(crate) async fn purposes_addresses_and_secrets_do_not_mix(storage: Arc<dyn Storage>) {
    let mut sids = HashSet::new();
    for purpose in [SessionPurpose::AddThreepid, SessionPurpose::Register, SessionPurpose::Identity] {
        for threepid in [email("alice@example.org"), email("bob@example.org"), msisdn("447700900123")] {
            for client_secret in ["one", "two"] {
                let request = request_with(purpose, &threepid, client_secret);
                let sid = sending(&*storage, &request, NOW).await;
                assert_eq!(sid, request.new_sid);
                sids.insert(sid);
            }
        }
    }
    assert_eq!(sids.len(), 18);
    assert_eq!(waiting(&*storage).await, 18);
}

pub(crate) async fn address_in_use_is_told(storage: Arc<dyn Storage>) {
    owned(&*storage, &email("alice@example.org"), "alice").await;
    for purpose in [SessionPurpose::AddThreepid, SessionPurpose::Register] {
        let request = request(purpose, &email("alice@example.org"));
        assert_eq!(storage.request_validation(request.clone(), NOW).await.unwrap(), Requested::InUse);
        assert_eq!(storage.find_session(request.new_sid).await.unwrap(), None);
    }
    assert_eq!(waiting(&*storage).await, 0);
    sending(&*storage, &request(SessionPurpose::ResetPassword, &email("alice@example.org")), NOW).await;
    sending(&*storage, &request(SessionPurpose::Identity, &email("alice@example.org")), NOW).await;
}

pub(crate) async fn missing_address_is_told(storage: Arc<dyn Storage>) {
    let request = request(SessionPurpose::ResetPassword, &email("alice@example.org"));
    assert_eq!(storage.request_validation(request.clone(), NOW).await.unwrap(), Requested::NotFound);
    assert_eq!(storage.find_session(request.new_sid).await.unwrap(), None);
    assert_eq!(waiting(&*storage).await, 0);
}

pub(crate) async fn hidden_address_gets_a_decoy(storage: Arc<dyn Storage>) {
    let address = email("alice@example.org");
    let hidden = |purpose| ValidationRequest { in_use: InUsePolicy::Hide, ..request(purpose, &address) };
    let reset = hidden(SessionPurpose::ResetPassword);
    assert_eq!(sending(&*storage, &reset, NOW).await, reset.new_sid);
    assert!(session(&*storage, reset.new_sid).await.decoy);
    let (leased, _) = lease_one(&*storage, Medium::Email, NOW).await;
    assert_eq!(leased.message.kind, MessageKind::NoAccount);

    owned(&*storage, &address, "alice").await;
    let add = hidden(SessionPurpose::AddThreepid);
    assert_eq!(sending(&*storage, &add, NOW).await, add.new_sid);
    let (leased, _) = lease_one(&*storage, Medium::Email, NOW).await;
    assert_eq!(leased.message.kind, MessageKind::AddressInUse);
    assert!(leased.session.decoy);
    let repeat = storage.request_validation(again(&add, 1), NOW).await.unwrap();
    assert_eq!(repeat, Requested::Repeated(add.new_sid));
}

pub(crate) async fn limits_charge_all_budgets_or_none(storage: Arc<dyn Storage>) {
    let scarce = charge(BudgetKind::MessagesHourly, "address", 2);
    let plenty = charge(BudgetKind::Requests, "network", 4);
    let asking = |secret: &str| ValidationRequest {
        charges: vec![scarce, plenty],
        ..request_with(SessionPurpose::AddThreepid, &email("alice@example.org"), secret)
    };
    sending(&*storage, &asking("one"), NOW).await;
    sending(&*storage, &asking("two"), NOW).await;
    let refused = asking("three");
    let answer = storage.request_validation(refused.clone(), NOW).await.unwrap();
    assert_eq!(answer, Requested::Limited(Limited { retry_after: HOUR / 2 }));
    assert_eq!(storage.find_session(refused.new_sid).await.unwrap(), None);
    assert_eq!(waiting(&*storage).await, 2);
    // Two of four are left, for the refused one took none.
    assert_eq!(storage.charge(vec![plenty], NOW).await.unwrap(), Ok(()));
    assert_eq!(storage.charge(vec![plenty], NOW).await.unwrap(), Ok(()));
    assert!(storage.charge(vec![plenty], NOW).await.unwrap().is_err());
    // Time helps.
    storage.request_validation(refused, NOW.after(HOUR / 2)).await.unwrap();
}

pub(crate) async fn repeat_is_not_charged(storage: Arc<dyn Storage>) {
    let budget = charge(BudgetKind::MessagesHourly, "address", 2);
    let first = ValidationRequest { charges: vec![budget], ..alice() };
    let sid = sending(&*storage, &first, NOW).await;
    for _ in 0..5 {
        assert_eq!(
            storage.request_validation(again(&first, 1), NOW).await.unwrap(),
            Requested::Repeated(sid)
        );
    }
    assert_eq!(storage.charge(vec![budget], NOW).await.unwrap(), Ok(()));
    // Nor does a spent budget keep it from its answer.
    assert_eq!(storage.request_validation(again(&first, 1), NOW).await.unwrap(), Requested::Repeated(sid));
}

pub(crate) async fn refusal_is_charged(storage: Arc<dyn Storage>) {
    let budget = charge(BudgetKind::MessagesHourly, "address", 1);
    let reset = ValidationRequest {
        charges: vec![budget],
        ..request(SessionPurpose::ResetPassword, &email("alice@example.org"))
    };
    assert_eq!(storage.request_validation(reset.clone(), NOW).await.unwrap(), Requested::NotFound);
    let answer = storage.request_validation(again(&reset, 1), NOW).await.unwrap();
    assert_eq!(answer, Requested::Limited(Limited { retry_after: HOUR }));
}

pub(crate) async fn suppressed_address_gets_nothing(storage: Arc<dyn Storage>) {
    let first = alice();
    let sent = delivered(&*storage, &first, NOW).await;
    assert!(storage.suppress(not_me(&sent), NOW).await.unwrap());
    let budget = charge(BudgetKind::MessagesHourly, "address", 1);
    let next = ValidationRequest { charges: vec![budget], ..again(&first, 2) };
    assert_eq!(sending(&*storage, &next, NOW).await, sent.sid);
    assert_eq!(session(&*storage, sent.sid).await.send_attempt, Some(SendAttempt(2)));
    assert_eq!(waiting(&*storage).await, 0);
    assert!(storage.charge(vec![budget], NOW).await.unwrap().is_err(), "it was charged");
    sending(&*storage, &request(SessionPurpose::Register, &email("bob@example.org")), NOW).await;
    assert_eq!(waiting(&*storage).await, 1, "others get theirs");
}

pub(crate) async fn identical_requests_at_once_open_one_session(storage: Arc<dyn Storage>) {
    let first = alice();
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (storage, request) = (Arc::clone(&storage), again(&first, 1));
        tasks.spawn(async move { storage.request_validation(request, NOW).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    let sending: Vec<_> = answers.iter().filter(|answer| matches!(answer, Requested::Sending(_))).collect();
    assert_eq!(sending.len(), 1);
    let Requested::Sending(sid) = *sending[0] else { unreachable!("it was filtered") };
    assert_eq!(answers.iter().filter(|answer| **answer == Requested::Repeated(sid)).count(), 63);
    assert_eq!(waiting(&*storage).await, 1);
}

pub(crate) async fn requests_at_once_charge_each_unit_once(storage: Arc<dyn Storage>) {
    let budget = charge(BudgetKind::Requests, "network", 10);
    let mut tasks = JoinSet::new();
    for index in 0..64 {
        let threepid = email(&format!("user{index}@example.org"));
        let request =
            ValidationRequest { charges: vec![budget], ..request(SessionPurpose::AddThreepid, &threepid) };
        let storage = Arc::clone(&storage);
        tasks.spawn(async move { storage.request_validation(request, NOW).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Requested::Sending(_))).count(), 10);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Requested::Limited(_))).count(), 54);
    assert_eq!(waiting(&*storage).await, 10);
}
