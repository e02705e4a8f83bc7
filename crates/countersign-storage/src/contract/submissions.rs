//! `submit_token`, `confirm`, `not_me` and `suppress`.

use std::sync::Arc;

use countersign_core::{
    Confirmed, DropReason, EndReason, Ended, InUsePolicy, Limited, Medium, MessageOutcome, NotMe,
    NotMeDecision, Rate, SessionId, SessionPurpose, Submitted, TokenSubmission, ValidationRequest,
};
use tokio::task::JoinSet;

use super::data::*;
use crate::Storage;

pub(crate) async fn link_token_validates_and_validates_again(storage: Arc<dyn Storage>) {
    let sent = delivered(&*storage, &alice(), NOW).await;
    let later = NOW.after(HOUR);
    let right = submission(&sent, &link_token(&sent));
    assert_eq!(storage.submit_token(right.clone(), later).await.unwrap(), Submitted::Validated);
    let after = session(&*storage, sent.sid).await;
    assert_eq!((after.validated_at, after.expires_at), (Some(later), later.after(DAY)));
    assert_eq!(storage.submit_token(right, later.after(HOUR)).await.unwrap(), Submitted::Validated);
    assert_eq!(session(&*storage, sent.sid).await, after);
}

pub(crate) async fn code_validates(storage: Arc<dyn Storage>) {
    let request = request(SessionPurpose::Register, &msisdn("447700900123"));
    let sent = delivered(&*storage, &request, NOW).await;
    let wrong = submission(&sent, wrong_code(&sent));
    assert_eq!(storage.submit_token(wrong, NOW).await.unwrap(), Submitted::Incorrect);
    assert_eq!(session(&*storage, sent.sid).await.misses, 1);
    let right = submission(&sent, &typed_code(&sent));
    assert_eq!(storage.submit_token(right, NOW).await.unwrap(), Submitted::Validated);
    assert_eq!(session(&*storage, sent.sid).await.validated_at, Some(NOW));
}

pub(crate) async fn decoy_never_validates(storage: Arc<dyn Storage>) {
    owned(&*storage, &email("alice@example.org"), "alice").await;
    let request = ValidationRequest { in_use: InUsePolicy::Hide, ..alice() };
    let sent = delivered(&*storage, &request, NOW).await;
    for token in [link_token(&sent), typed_code(&sent)] {
        let answer = storage.submit_token(submission(&sent, &token), NOW).await.unwrap();
        assert_eq!(answer, Submitted::Incorrect);
    }
    let answer = storage.confirm(confirmation(&sent, link_token(&sent)), NOW).await.unwrap();
    assert_eq!(answer, Confirmed::Unknown);
    assert_eq!(session(&*storage, sent.sid).await.validated_at, None);
}

pub(crate) async fn unknown_session_or_secret_counts_nothing(storage: Arc<dyn Storage>) {
    let sent = delivered(&*storage, &alice(), NOW).await;
    let right = submission(&sent, &link_token(&sent));
    let other_sid = TokenSubmission { sid: SessionId::from_bytes([7; 22]), ..right.clone() };
    let other_secret =
        TokenSubmission { client_secret_hash: keyring().client_secret_hash(&secret("other")), ..right };
    for wrong in [other_sid, other_secret] {
        assert_eq!(storage.submit_token(wrong, NOW).await.unwrap(), Submitted::Unknown);
    }
    assert_eq!(session(&*storage, sent.sid).await, sent);
}

pub(crate) async fn fifth_miss_ends_the_session(storage: Arc<dyn Storage>) {
    let sent = delivered(&*storage, &alice(), NOW).await;
    for misses in 1..=5 {
        let wrong = submission(&sent, wrong_code(&sent));
        assert_eq!(storage.submit_token(wrong, NOW).await.unwrap(), Submitted::Incorrect);
        assert_eq!(session(&*storage, sent.sid).await.misses, misses);
    }
    let ended = session(&*storage, sent.sid).await;
    assert_eq!(ended.ended, Some(Ended { at: NOW, reason: EndReason::Guessed }));
    for token in [typed_code(&sent), link_token(&sent)] {
        let answer = storage.submit_token(submission(&sent, &token), NOW).await.unwrap();
        assert_eq!(answer, Submitted::Expired);
    }
    assert_eq!(session(&*storage, sent.sid).await, ended);
}

pub(crate) async fn misses_at_once_all_count(storage: Arc<dyn Storage>) {
    let sent = delivered(&*storage, &alice(), NOW).await;
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (storage, wrong) = (Arc::clone(&storage), submission(&sent, wrong_code(&sent)));
        tasks.spawn(async move { storage.submit_token(wrong, NOW).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Submitted::Incorrect).count(), 5);
    assert_eq!(answers.iter().filter(|answer| **answer == Submitted::Expired).count(), 59);
    assert_eq!(session(&*storage, sent.sid).await.misses, 5);
}

pub(crate) async fn address_cap_comes_before_the_comparison(storage: Arc<dyn Storage>) {
    let capped = |submission: TokenSubmission| TokenSubmission {
        misses_per_session: 100,
        misses_per_address: Some(Rate::per(3, DAY)),
        misses_per_network: Some((keyring().subject_hash("network", b"n"), Rate::per(100, DAY))),
        ..submission
    };
    let sent = delivered(&*storage, &alice(), NOW).await;
    // Another purpose, the same address.
    let other =
        delivered(&*storage, &request(SessionPurpose::Identity, &email("alice@example.org")), NOW).await;
    for guessed in [&sent, &other, &sent] {
        let wrong = capped(submission(guessed, wrong_code(guessed)));
        assert_eq!(storage.submit_token(wrong, NOW).await.unwrap(), Submitted::Incorrect);
    }
    let limited = Submitted::Limited(Limited { retry_after: DAY / 3 });
    for token in [typed_code(&sent), wrong_code(&sent).to_owned()] {
        let answer = storage.submit_token(capped(submission(&sent, &token)), NOW).await.unwrap();
        assert_eq!(answer, limited);
    }
    assert_eq!(session(&*storage, sent.sid).await.misses, 2);
    let link = capped(submission(&sent, &link_token(&sent)));
    assert_eq!(storage.submit_token(link, NOW).await.unwrap(), Submitted::Validated);
    let code = capped(submission(&other, &typed_code(&other)));
    assert_eq!(storage.submit_token(code, NOW).await.unwrap(), limited);
}

pub(crate) async fn old_code_is_told_and_a_new_one_works(storage: Arc<dyn Storage>) {
    let first = request(SessionPurpose::Register, &msisdn("447700900123"));
    let sent = delivered(&*storage, &first, NOW).await;
    let late = NOW.after(10 * MINUTE).after(SECOND);
    let old_code = typed_code(&sent);
    let answer = storage.submit_token(submission(&sent, &old_code), late).await.unwrap();
    assert_eq!(answer, Submitted::CodeExpired);
    assert_eq!(session(&*storage, sent.sid).await, sent);
    let sent_again = delivered(&*storage, &again(&first, 2), late).await;
    assert_eq!(sent_again.sid, sent.sid);
    let answer = storage.submit_token(submission(&sent_again, &old_code), late).await.unwrap();
    assert_eq!(answer, Submitted::Incorrect);
    let answer = storage.submit_token(submission(&sent_again, &typed_code(&sent_again)), late).await.unwrap();
    assert_eq!(answer, Submitted::Validated);
}

pub(crate) async fn expired_session_accepts_nothing(storage: Arc<dyn Storage>) {
    let sent = delivered(&*storage, &alice(), NOW).await;
    let late = NOW.after(DAY).after(SECOND);
    let answer = storage.submit_token(submission(&sent, &link_token(&sent)), late).await.unwrap();
    assert_eq!(answer, Submitted::Expired);
    let answer = storage.confirm(confirmation(&sent, link_token(&sent)), late).await.unwrap();
    assert_eq!(answer, Confirmed::Expired);
    assert_eq!(session(&*storage, sent.sid).await, sent);
}

pub(crate) async fn confirmation_needs_a_sent_link_and_counts_nothing(storage: Arc<dyn Storage>) {
    let request = alice();
    let sid = sending(&*storage, &request, NOW).await;
    let unsent = session(&*storage, sid).await;
    let answer = storage.confirm(confirmation(&unsent, link_token(&unsent)), NOW).await.unwrap();
    assert_eq!(answer, Confirmed::Unknown);
    lease_one(&*storage, Medium::Email, NOW).await;
    for token in [String::new(), "x".to_owned(), typed_code(&unsent)] {
        let answer = storage.confirm(confirmation(&unsent, token), NOW).await.unwrap();
        assert_eq!(answer, Confirmed::Unknown);
    }
    assert_eq!(session(&*storage, sid).await.misses, 0);
    for _ in 0..2 {
        let answer = storage.confirm(confirmation(&unsent, link_token(&unsent)), NOW).await.unwrap();
        assert_eq!(answer, Confirmed::Validated);
    }
    assert_eq!(session(&*storage, sid).await.validated_at, Some(NOW));
}

pub(crate) async fn owner_ends_a_session_that_is_not_validated(storage: Arc<dyn Storage>) {
    let sent = delivered(&*storage, &alice(), NOW).await;
    let wrong = NotMe { token: link_token(&sent), ..not_me(&sent) };
    assert_eq!(storage.not_me(wrong, NOW).await.unwrap(), NotMeDecision::Unknown);
    let NotMeDecision::End(ended) = storage.not_me(not_me(&sent), NOW).await.unwrap() else {
        panic!("it was not ended");
    };
    assert_eq!(ended.ended, Some(Ended { at: NOW, reason: EndReason::NotMe }));
    assert_eq!(session(&*storage, sent.sid).await, ended);
    assert_eq!(storage.not_me(not_me(&sent), NOW).await.unwrap(), NotMeDecision::Over);
    let answer = storage.submit_token(submission(&sent, &link_token(&sent)), NOW).await.unwrap();
    assert_eq!(answer, Submitted::Expired);

    let other = request(SessionPurpose::Identity, &email("alice@example.org"));
    let validated = validated(&*storage, &other, NOW).await;
    assert_eq!(storage.not_me(not_me(&validated), NOW).await.unwrap(), NotMeDecision::Validated);
    assert_eq!(session(&*storage, validated.sid).await, validated);
}

pub(crate) async fn owner_suppresses_an_address(storage: Arc<dyn Storage>) {
    let sent = delivered(&*storage, &alice(), NOW).await;
    let held = request(SessionPurpose::Register, &email("alice@example.org"));
    sending(&*storage, &held, NOW).await;
    let (held, lease_id) = lease_one(&*storage, Medium::Email, NOW).await;
    let waiting_one = request(SessionPurpose::Identity, &email("alice@example.org"));
    let elsewhere = request(SessionPurpose::Identity, &email("bob@example.org"));
    sending(&*storage, &waiting_one, NOW).await;
    sending(&*storage, &elsewhere, NOW).await;
    let wrong = NotMe { token: "x".to_owned(), ..not_me(&sent) };
    assert!(!storage.suppress(wrong, NOW).await.unwrap());
    assert_eq!(waiting(&*storage).await, 3);
    for _ in 0..2 {
        assert!(storage.suppress(not_me(&sent), NOW).await.unwrap());
        assert_eq!(waiting(&*storage).await, 2);
    }
    let finished = storage.find_finished_message(waiting_one.message_id).await.unwrap().unwrap();
    assert_eq!(finished.outcome, MessageOutcome::Dropped(DropReason::Ended));
    assert_eq!(storage.find_finished_message(elsewhere.message_id).await.unwrap(), None);
    let delivered = storage.mark_delivered(held.message.id, lease_id, NOW).await.unwrap();
    assert!(delivered, "what a worker holds is out of reach");
    // Its sessions live on.
    let answer = storage.submit_token(submission(&sent, &link_token(&sent)), NOW).await.unwrap();
    assert_eq!(answer, Submitted::Validated);
}
