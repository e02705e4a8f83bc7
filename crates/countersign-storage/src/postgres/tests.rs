//! The contract suite on PostgreSQL, on one instance and on several, and what only PostgreSQL promises.

mod cluster;

use std::sync::Arc;

use self::cluster::Database;
use super::{Migrate, PostgresSettings, PostgresStorage, PreparedStatements};
use crate::{
    SessionStore as _, Storage, StorageError,
    contract::{contract_tests, data::*},
};

contract_tests!(suite, crate::postgres::tests::open_for_contract);

async fn open_for_contract() -> (Arc<dyn Storage>, Database) {
    let database = Database::create().await;
    (Arc::new(database.open().await), database)
}
