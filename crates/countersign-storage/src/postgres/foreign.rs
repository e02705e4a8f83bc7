//! Another program's database on a PostgreSQL server, as it is at one moment.

use tokio_postgres::Row;

use super::{
    PostgresSettings, connect_directly,
    connection::Connection,
    failure::{Failure, Outcome},
    parameter::Query,
};
use crate::{StorageError, foreign::synapse::SynapseThreepid};

/// A transaction that reads one state of the database, and where in it reading has come.
pub(crate) struct Snapshot {
    connection: Connection,
}

impl Snapshot {
    /// Begins to read the addresses of a Synapse, first added first; answers how many there are. `None` if there is no such
    /// table.
    pub(crate) async fn begin(settings: &PostgresSettings) -> Result<Option<(Self, u64)>, StorageError> {
        Ok(Self::start(settings).await?)
    }

    async fn start(settings: &PostgresSettings) -> Outcome<Option<(Self, u64)>> {
        let mut connection = connect_directly(settings).await?;
        connection.run_script("begin isolation level repeatable read read only").await?;
        let [found] =
            connection.run([Query::new("select to_regclass('user_threepids') is not null")]).await?;
        if !found.rows.iter().any(|row| row.get(0)) {
            return Ok(None);
        }
        let count = Query::new("select count(*) from user_threepids");
        let cursor = Query::new(
            "declare taken no scroll cursor for select user_id, medium, address, validated_at, added_at
             from user_threepids order by added_at, medium, address, user_id",
        );
        let [counted, _] = connection.run([count, cursor]).await?;
        let count = counted.rows.first().map_or(0, |row| row.get::<_, i64>(0));
        Ok(Some((Self { connection }, u64::try_from(count).unwrap_or(0))))
    }

    /// The next rows, up to `limit`; none at the end.
    pub(crate) async fn fetch(&mut self, limit: usize) -> Result<Vec<SynapseThreepid>, StorageError> {
        Ok(self.fetch_rows(limit).await?)
    }

    async fn fetch_rows(&mut self, limit: usize) -> Outcome<Vec<SynapseThreepid>> {
        // The grammar of `fetch` has no place for a parameter.
        let fetch = format!("fetch forward {limit} from taken");
        let rows = self.connection.client()?.query(&fetch, &[]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Outcome<SynapseThreepid> {
    Ok(SynapseThreepid {
        user_id: row.try_get(0).map_err(Failure::Postgres)?,
        medium: row.try_get(1).map_err(Failure::Postgres)?,
        address: row.try_get(2).map_err(Failure::Postgres)?,
        validated_at: row.try_get(3).map_err(Failure::Postgres)?,
        added_at: row.try_get(4).map_err(Failure::Postgres)?,
    })
}
