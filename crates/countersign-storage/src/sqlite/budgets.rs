//! Limits that belong to no other operation, and the rows that all limits share.

use async_trait::async_trait;
use countersign_core::{BudgetUpdate, Charge, Limited, Timestamp, refund};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change_one, find},
};
use crate::{BudgetStore, StorageError};

#[async_trait]
impl BudgetStore for SqliteStorage {
    async fn charge(
        &self,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StorageError> {
        self.write(move |tx| charge(tx, &charges, now)).await
    }

    async fn refund(&self, charges: Vec<Charge>, now: Timestamp) -> Result<(), StorageError> {
        self.write(move |tx| {
            let full_at = load(tx, &charges)?;
            save(tx, &refund(&charges, &full_at, now))
        })
        .await
    }
}

/// Takes one unit from each budget, or from none if one is spent.
pub(super) fn charge(tx: &Connection, charges: &[Charge], now: Timestamp) -> Outcome<Result<(), Limited>> {
    let full_at = load(tx, charges)?;
    match countersign_core::charge(charges, &full_at, now) {
        Ok(updates) => save(tx, &updates).map(Ok),
        Err(limited) => Ok(Err(limited)),
    }
}

/// For each charge, when its budget is full again, if it has a row.
pub(super) fn load(tx: &Connection, charges: &[Charge]) -> Outcome<Vec<Option<Timestamp>>> {
    charges
        .iter()
        .map(|charge| {
            let statement =
                tx.prepare_cached("select full_at from budgets where subject = ?1 and kind = ?2")?;
            let key = params![charge.key.subject.as_bytes(), charge.key.kind.as_str()];
            find(statement, key, |row| Columns::of("budgets", row).timestamp("full_at"))
        })
        .collect()
}

/// Saves what budgets are left with.
pub(super) fn save(tx: &Connection, updates: &[BudgetUpdate]) -> Outcome<()> {
    for update in updates {
        change_one(
            tx,
            "budgets",
            "insert into budgets (subject, kind, full_at) values (?1, ?2, ?3)
             on conflict (subject, kind) do update set full_at = excluded.full_at",
            params![update.key.subject.as_bytes(), update.key.kind.as_str(), update.full_at.as_millis()],
        )?;
    }
    Ok(())
}
