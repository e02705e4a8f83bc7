//! What holds when several nodes share one database.

use std::{collections::HashSet, sync::Arc};

use countersign_core::{
    BudgetKind, GiveUpReason, Medium, MessageId, Requested, SendAttempt, SessionPurpose, Submitted,
    ValidationRequest,
};
use tokio::task::JoinSet;

use super::{
    data::*, identity_data::current_pepper, lookups::filter_misses_nothing,
    peppers::bind_while_peppers_change,
};
use crate::{Registered, Storage};

pub(super) type Nodes = [Arc<dyn Storage>; 3];

/// Runs `count` tasks, spread over the nodes, and answers what came of them.
pub(super) async fn spread<T, F, R>(nodes: &Nodes, count: usize, mut task: F) -> Vec<T>
where
    T: Send + 'static,
    F: FnMut(usize, Arc<dyn Storage>) -> R,
    R: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..count {
        tasks.spawn(task(number, Arc::clone(&nodes[number % nodes.len()])));
    }
    tasks.join_all().await
}

pub(crate) async fn identical_requests_open_one_session(nodes: Nodes) {
    for round in 0..8 {
        let first = request(SessionPurpose::Identity, &email(&format!("user{round}@example.org")));
        let answers = spread(&nodes, 64, |_, node| {
            let request = again(&first, 1);
            async move { node.request_validation(request, NOW).await.unwrap() }
        })
        .await;
        let sending = answers.iter().filter(|answer| matches!(answer, Requested::Sending(_)));
        let sending: Vec<_> = sending.collect();
        assert_eq!(sending.len(), 1);
        let Requested::Sending(sid) = *sending[0] else { unreachable!("it was filtered") };
        assert_eq!(answers.iter().filter(|answer| **answer == Requested::Repeated(sid)).count(), 63);
        assert_eq!(waiting(&*nodes[0]).await, round + 1);
    }
}

pub(crate) async fn rising_attempts_leave_one_message_to_send(nodes: Nodes) {
    let first = alice();
    let sid = sending(&*nodes[0], &first, NOW).await;
    let answers = spread(&nodes, 63, |number, node| {
        let request = again(&first, 2 + i64::try_from(number).unwrap());
        async move { node.request_validation(request, NOW).await.unwrap() }
    })
    .await;
    let same = |answer: &Requested| [Requested::Sending(sid), Requested::Repeated(sid)].contains(answer);
    assert!(answers.iter().all(same), "{answers:?}");
    assert_eq!(session(&*nodes[1], sid).await.send_attempt, Some(SendAttempt(64)));
    assert_eq!(waiting(&*nodes[2]).await, 1);
    let (leased, _) = lease_one(&*nodes[2], Medium::Email, NOW).await;
    assert_eq!(leased.message.send_attempt, SendAttempt(64));
}

pub(crate) async fn budgets_are_never_overdrawn(nodes: Nodes) {
    let ten = charge(BudgetKind::Requests, "network", 10);
    let twenty = charge(BudgetKind::MessagesHourly, "other", 20);
    let answers = spread(&nodes, 96, |number, node| {
        let threepid = email(&format!("user{number}@example.org"));
        // In either order.
        let charges = if number % 2 == 0 { vec![ten, twenty] } else { vec![twenty, ten] };
        let request = ValidationRequest { charges, ..request(SessionPurpose::AddThreepid, &threepid) };
        async move { node.request_validation(request, NOW).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Requested::Sending(_))).count(), 10);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Requested::Limited(_))).count(), 86);
    assert_eq!(waiting(&*nodes[0]).await, 10);
    let left = spread(&nodes, 30, |_, node| async move { node.charge(vec![twenty], NOW).await.unwrap() });
    assert_eq!(left.await.iter().filter(|answer| answer.is_ok()).count(), 10);
}

pub(crate) async fn workers_never_share_a_message(nodes: Nodes) {
    for number in 0..50 {
        let threepid = email(&format!("user{number}@example.org"));
        sending(&*nodes[0], &request(SessionPurpose::AddThreepid, &threepid), NOW).await;
    }
    let leased = spread(&nodes, 30, |_, node| async move {
        let request = lease_request(Medium::Email, 3, NOW);
        let lease_id = request.lease_id;
        let leased = node.lease(request, NOW).await.unwrap();
        leased.into_iter().map(|leased| (leased.message.id, lease_id)).collect::<Vec<_>>()
    })
    .await;
    let leased: Vec<_> = leased.into_iter().flatten().collect();
    assert_eq!(leased.len(), 50);
    assert_eq!(leased.iter().map(|(id, _)| id).collect::<HashSet<_>>().len(), 50);
    // Each is told twice, on different nodes; one of them is believed.
    let told = spread(&nodes, 100, |number, node| {
        let (id, lease_id) = leased[number / 2];
        async move { node.mark_delivered(id, lease_id, NOW).await.unwrap() }
    })
    .await;
    assert_eq!(told.iter().filter(|told| **told).count(), 50);
    assert_eq!(waiting(&*nodes[1]).await, 0);
}

pub(crate) async fn lease_of_a_node_that_died_is_taken_over_by_one_other(nodes: Nodes) {
    let request = alice();
    sending(&*nodes[0], &request, NOW).await;
    let (leased, dead) = lease_one(&*nodes[0], Medium::Email, NOW).await;
    let later = NOW.after(MINUTE).after(SECOND);
    let taken = spread(&nodes, 9, |_, node| async move {
        node.lease(lease_request(Medium::Email, 10, later), later).await.unwrap().len()
    });
    assert_eq!(taken.await.iter().sum::<usize>(), 1);
    assert!(!nodes[0].mark_delivered(leased.message.id, dead, later).await.unwrap());
}

pub(crate) async fn misses_all_count(nodes: Nodes) {
    let sent = delivered(&*nodes[0], &alice(), NOW).await;
    let wrong = wrong_code(&sent);
    let answers = spread(&nodes, 30, |_, node| {
        let submission = submission(&sent, wrong);
        async move { node.submit_token(submission, NOW).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| **answer == Submitted::Incorrect).count(), 5);
    assert_eq!(answers.iter().filter(|answer| **answer == Submitted::Expired).count(), 25);
    assert_eq!(session(&*nodes[1], sent.sid).await.misses, 5);
}

pub(crate) async fn one_address_and_one_name_have_one_owner(nodes: Nodes) {
    let mut proven = Vec::new();
    for number in 0..12 {
        let client_secret = format!("secret{number}");
        let request = request_with(SessionPurpose::AddThreepid, &email("alice@example.org"), &client_secret);
        proven.push(validated(&*nodes[0], &request, NOW).await);
    }
    let added = spread(&nodes, 12, |number, node| {
        let add = add_threepid(&proven[number], &format!("user{number}"));
        async move { node.add_threepid(add, NOW).await.unwrap() }
    });
    assert_eq!(added.await.iter().filter(|answer| answer.is_ok()).count(), 1);
    let registered = spread(&nodes, 12, |number, node| {
        let login = login("alice", &format!("D{number}"), &format!("token{number}"));
        async move { node.register(registration("alice", Some(login)), NOW).await.unwrap() }
    });
    assert_eq!(registered.await.iter().filter(|answer| **answer == Registered::Created).count(), 1);
    assert_eq!(nodes[2].list_devices(&localpart("alice")).await.unwrap().len(), 1);
}

/// Everything at once on few keys: nothing fails, nothing is stuck, and what must hold at rest holds.
pub(crate) async fn everything_at_once_ends_well(nodes: Nodes) {
    let clients: Vec<_> = (0..3)
        .map(|number| request(SessionPurpose::Identity, &email(&format!("user{number}@example.org"))))
        .collect();
    for client in &clients {
        sending(&*nodes[0], client, NOW).await;
    }
    let messages = spread(&nodes, 240, |number, node| {
        let (client, attempt) = (clients[number % 3].clone(), i64::try_from(number / 12).unwrap());
        async move { step(&*node, number, again(&client, attempt)).await }
    })
    .await;
    let sent: Vec<MessageId> = messages.into_iter().flatten().collect();
    assert_eq!(sent.len(), sent.iter().collect::<HashSet<_>>().len(), "a message was delivered twice");
    for client in &clients {
        let answer = nodes[0].request_validation(again(client, i64::MIN), NOW).await.unwrap();
        let (Requested::Sending(sid) | Requested::Repeated(sid)) = answer else { panic!("{answer:?}") };
        assert!(session(&*nodes[1], sid).await.latest);
    }
}

/// One of the things that happen. Answers the messages that it delivered.
async fn step(node: &dyn Storage, number: usize, request: ValidationRequest) -> Vec<MessageId> {
    let mut delivered = Vec::new();
    match number % 4 {
        0 | 1 => drop(node.request_validation(request, NOW).await.unwrap()),
        2 => {
            let lease = lease_request(Medium::Email, 2, NOW);
            let lease_id = lease.lease_id;
            for leased in node.lease(lease, NOW).await.unwrap() {
                let id = leased.message.id;
                if number % 8 == 2 {
                    assert!(node.mark_delivered(id, lease_id, NOW).await.unwrap());
                    delivered.push(id);
                } else {
                    assert!(node.give_up(id, lease_id, GiveUpReason::Refused, None, NOW).await.unwrap());
                }
            }
        }
        _ => {
            let answer = node.request_validation(request, NOW).await.unwrap();
            let (Requested::Sending(sid) | Requested::Repeated(sid)) = answer else { panic!("{answer:?}") };
            let session = session(node, sid).await;
            let submission = submission(&session, wrong_code(&session));
            node.submit_token(submission, NOW).await.unwrap();
        }
    }
    delivered
}

pub(crate) async fn binds_while_peppers_change_are_found(nodes: Nodes) {
    current_pepper(&*nodes[1]).await;
    bind_while_peppers_change(&nodes).await;
}

pub(crate) async fn filters_miss_no_key_of_another_node(nodes: Nodes) {
    filter_misses_nothing(&nodes).await;
}
