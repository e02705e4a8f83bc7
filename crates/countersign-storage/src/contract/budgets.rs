//! Limits.

use std::sync::Arc;

use countersign_core::{BudgetKind, Limited};
use tokio::task::JoinSet;

use super::data::*;
use crate::Storage;

pub(crate) async fn budget_refills_with_time(storage: Arc<dyn Storage>) {
    let twice = charge(BudgetKind::NetworkLogins, "a", 2);
    let limited = |seconds| Err(Limited { retry_after: seconds * SECOND });
    let charge = async |now| storage.charge(vec![twice], now).await.unwrap();
    assert_eq!(charge(NOW).await, Ok(()));
    assert_eq!(charge(NOW).await, Ok(()));
    assert_eq!(charge(NOW).await, limited(1800));
    assert_eq!(charge(NOW.after(30 * MINUTE).before(SECOND)).await, limited(1));
    assert_eq!(charge(NOW.after(30 * MINUTE)).await, Ok(()));
    assert_eq!(charge(NOW.after(30 * MINUTE)).await, limited(1800));
}

pub(crate) async fn charge_takes_from_all_or_none(storage: Arc<dyn Storage>) {
    let spent = charge(BudgetKind::MessagesDaily, "a", 1);
    let other_kind = charge(BudgetKind::MessagesHourly, "a", 1);
    let other_subject = charge(BudgetKind::MessagesDaily, "b", 1);
    assert_eq!(storage.charge(vec![spent], NOW).await.unwrap(), Ok(()));
    let all = vec![other_kind, spent, other_subject];
    assert!(storage.charge(all, NOW).await.unwrap().is_err());
    assert_eq!(storage.charge(vec![other_kind, other_subject], NOW).await.unwrap(), Ok(()));
    assert_eq!(storage.charge(Vec::new(), NOW).await.unwrap(), Ok(()));
}

pub(crate) async fn refund_gives_back_what_was_taken(storage: Arc<dyn Storage>) {
    let (once, twice) =
        (charge(BudgetKind::AccountMisses, "a", 1), charge(BudgetKind::AccountNetworkMisses, "a", 2));
    for _ in 0..5 {
        assert_eq!(storage.charge(vec![once, twice], NOW).await.unwrap(), Ok(()));
        storage.refund(vec![once, twice], NOW).await.unwrap();
    }
    // What nobody took is not given.
    storage.refund(vec![once, twice], NOW).await.unwrap();
    assert_eq!(storage.charge(vec![once], NOW).await.unwrap(), Ok(()));
    assert!(storage.charge(vec![once], NOW).await.unwrap().is_err());
    for _ in 0..2 {
        assert_eq!(storage.charge(vec![twice], NOW).await.unwrap(), Ok(()));
    }
    assert!(storage.charge(vec![twice], NOW).await.unwrap().is_err());
}

pub(crate) async fn charges_at_once_take_what_there_is(storage: Arc<dyn Storage>) {
    let ten = charge(BudgetKind::Registrations, "a", 10);
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let storage = Arc::clone(&storage);
        tasks.spawn(async move { storage.charge(vec![ten], NOW).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.iter().filter(|answer| answer.is_ok()).count(), 10);
}
