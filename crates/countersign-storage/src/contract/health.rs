//! Whether the database can do its work.

use std::sync::Arc;

use super::{data::*, retention::RETENTION};
use crate::{Storage, Swept};

pub(crate) async fn check_leaves_nothing_behind(storage: Arc<dyn Storage>) {
    let check = || {
        let storage = storage.clone();
        tokio::spawn(async move { storage.check_writable().await })
    };
    for check in (0..8).map(|_| check()).collect::<Vec<_>>() {
        check.await.unwrap().unwrap();
    }
    assert_eq!(storage.sweep(RETENTION, NOW.after(DAY)).await.unwrap(), Swept::default());
}
