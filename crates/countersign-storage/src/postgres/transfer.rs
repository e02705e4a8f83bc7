//! A PostgreSQL database as the target of a transfer. How far it got is kept in a table of its own, which no migration makes.

use futures_util::{TryStreamExt as _, pin_mut};
use tokio_postgres::{
    Client, Row,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

use super::{
    Migrate, PostgresSettings, connect_directly,
    connection::Connection,
    failure::{Failure, Outcome},
    migrate_directly, migrations,
    rows::Columns,
};
use crate::{
    StorageError,
    transfer::{
        TransferError,
        row::{self, Kind, Tally, Value},
        tables::{Column, TABLES, Table},
    },
};

/// A row for each table: what is to come, and how much of it came.
const PROGRESS: &str = "create table if not exists storage_transfer (
    table_name text not null primary key,
    source_rows bigint not null,
    source_sum bytea not null,
    copied_rows bigint not null,
    finished_at bigint
)";

/// A database to be filled.
pub(crate) struct Target {
    connection: Connection,
}

/// What was there when a transfer began.
pub(crate) enum Found {
    /// No rows.
    Nothing,
    /// The first rows of each table, so many.
    Part(Vec<u64>),
    /// Rows of a source that was different. They are gone now.
    PartOfOther,
    /// All rows.
    Everything,
}

/// A row of `storage_transfer`.
struct Progress {
    table: String,
    source: Tally,
    copied: u64,
    is_finished: bool,
}

impl Target {
    /// Connects, brings the tables up to date or checks that they are, and refuses those that hold anything but what a transfer
    /// brought.
    pub(crate) async fn open(settings: &PostgresSettings) -> Result<Self, TransferError> {
        let prepared = match settings.migrate {
            Migrate::Auto => migrate_directly(settings).await,
            Migrate::Manual => match connect_directly(settings).await {
                Ok(mut connection) => migrations::check(&mut connection).await,
                Err(failure) => Err(failure),
            },
        };
        prepared.map_err(|failure| match failure {
            Failure::Storage(error @ StorageError::Schema { .. }) => TransferError::TargetSchema(error),
            failure => target_error(failure),
        })?;
        let target = Self { connection: connect_directly(settings).await.map_err(target_error)? };
        let client = target.client()?;
        client.batch_execute("set statement_timeout = 0").await?;
        let began = "select to_regclass('storage_transfer') is not null";
        if !client.query_typed(began, &[]).await?.iter().any(|row| row.get(0)) {
            refuse_rows(client).await?;
        }
        Ok(target)
    }

    /// Begins, or begins again, with what the tables of the source come to.
    pub(crate) async fn begin(&self, tallies: &[(&Table, Tally)]) -> Result<Found, TransferError> {
        let client = self.client()?;
        client.batch_execute("begin").await?;
        client.execute_typed("select pg_advisory_xact_lock($1)", &[(&migrations::LOCK, Type::INT8)]).await?;
        client.batch_execute(PROGRESS).await?;
        let select = "select table_name, source_rows, source_sum, copied_rows, finished_at is not null
            from storage_transfer for update";
        let progress = client.query_typed(select, &[]).await?;
        let progress: Vec<_> =
            progress.iter().map(read_progress).collect::<Outcome<_>>().map_err(target_error)?;
        let found = judge(&progress, tallies)?;
        match found {
            Found::Nothing => refuse_rows(client).await?,
            Found::PartOfOther => {
                let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
                let truncate = format!("truncate {}; delete from storage_transfer", names.join(", "));
                client.batch_execute(&truncate).await?;
            }
            Found::Part(_) | Found::Everything => {}
        }
        if matches!(found, Found::Nothing | Found::PartOfOther) {
            for (table, tally) in tallies {
                let insert = "insert into storage_transfer (table_name, source_rows, source_sum, copied_rows)
                    values ($1, $2, $3, 0)";
                let sum = tally.sum().to_vec();
                let parameters: [(&(dyn ToSql + Sync), Type); 3] =
                    [(&table.name, Type::TEXT), (&as_bigint(tally.rows()), Type::INT8), (&sum, Type::BYTEA)];
                client.execute_typed(insert, &parameters).await?;
            }
        }
        client.batch_execute("commit").await?;
        Ok(found)
    }

    /// Adds the rows of a table that come after the first `copied`. Answers how many there are then.
    pub(crate) async fn copy(
        &self,
        table: &Table,
        copied: u64,
        rows: &[row::Row],
    ) -> Result<u64, TransferError> {
        let client = self.client()?;
        let after = copied + rows.len() as u64;
        client.batch_execute("begin").await?;
        // First, so that nobody who goes on where we were killed misses what we still commit.
        let update = "update storage_transfer set copied_rows = $3
            where table_name = $1 and copied_rows = $2 and finished_at is null";
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&table.name, Type::TEXT), (&as_bigint(copied), Type::INT8), (&as_bigint(after), Type::INT8)];
        if client.execute_typed(update, &parameters).await? != 1 {
            return Err(TransferError::TargetInUse);
        }
        let copy = format!("copy {} ({}) from stdin (format binary)", table.name, names(table));
        let types: Vec<_> = table.columns.iter().map(|column| type_of(column.kind)).collect();
        let writer = BinaryCopyInWriter::new(client.copy_in(&copy).await?, &types);
        pin_mut!(writer);
        for row in rows {
            let values: Vec<_> = table
                .columns
                .iter()
                .zip(row)
                .map(|(column, value)| as_parameter(column.kind, value))
                .collect();
            writer.as_mut().write(&values).await?;
        }
        let (changed, expected) = (writer.finish().await?, rows.len());
        if changed != rows.len() as u64 {
            return Err(target_error(Failure::RowCount { table: table.name, changed, expected }));
        }
        client.batch_execute("commit").await?;
        Ok(after)
    }

    /// What the rows of a table come to. `watch` hears of each.
    pub(crate) async fn tally(
        &self,
        table: &Table,
        mut watch: impl FnMut(u64),
    ) -> Result<Tally, TransferError> {
        let select = format!("select {} from {}", names(table), table.name);
        let none: [(&(dyn ToSql + Sync), Type); 0] = [];
        let rows = self.client()?.query_typed_raw(&select, none).await?;
        pin_mut!(rows);
        let mut tally = Tally::default();
        while let Some(row) = rows.try_next().await? {
            tally.add(&read_row(table, &row).map_err(target_error)?);
            watch(tally.rows());
        }
        Ok(tally)
    }

    /// Lets nodes in.
    pub(crate) async fn finish(&self) -> Result<(), TransferError> {
        let update = "update storage_transfer
            set finished_at = (extract(epoch from clock_timestamp()) * 1000)::bigint where finished_at is null";
        self.client()?.execute_typed(update, &[]).await?;
        Ok(())
    }

    fn client(&self) -> Result<&Client, TransferError> {
        self.connection.client().map_err(target_error)
    }
}

/// Whether a transfer of the same source had begun.
fn judge(progress: &[Progress], tallies: &[(&Table, Tally)]) -> Result<Found, TransferError> {
    if progress.is_empty() {
        return Ok(Found::Nothing);
    }
    let of_table = |(table, tally): &(&Table, Tally)| {
        let found = progress.iter().find(|progress| progress.table == table.name)?;
        (found.source == *tally).then_some(found.copied)
    };
    let copied: Option<Vec<u64>> = tallies.iter().map(of_table).collect();
    let copied = copied.filter(|copied| copied.len() == progress.len());
    let is_finished = progress.iter().all(|progress| progress.is_finished);
    match (copied, is_finished) {
        (Some(_), true) => Ok(Found::Everything),
        (Some(copied), false) => Ok(Found::Part(copied)),
        (None, true) => Err(TransferError::FilledBefore),
        (None, false) => Ok(Found::PartOfOther),
    }
}

/// Refuses tables that hold anything.
async fn refuse_rows(client: &Client) -> Result<(), TransferError> {
    for table in TABLES {
        let select = format!("select 1 from {} limit 1", table.name);
        if !client.query_typed(&select, &[]).await?.is_empty() {
            return Err(TransferError::NotEmpty(table.name));
        }
    }
    Ok(())
}

fn names(table: &Table) -> String {
    table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Integer => Type::INT8,
        Kind::Flag => Type::BOOL,
        Kind::Text => Type::TEXT,
        Kind::Blob => Type::BYTEA,
    }
}

fn as_parameter(kind: Kind, value: &Value) -> &(dyn ToSql + Sync) {
    match (value, kind) {
        (Value::Integer(integer), _) => integer,
        (Value::Flag(flag), _) => flag,
        (Value::Text(text), _) => text,
        (Value::Blob(bytes), _) => bytes,
        (Value::Null, Kind::Integer) => &None::<i64>,
        (Value::Null, Kind::Flag) => &None::<bool>,
        (Value::Null, Kind::Text) => &None::<&str>,
        (Value::Null, Kind::Blob) => &None::<&[u8]>,
    }
}

fn as_bigint(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn read_progress(row: &Row) -> Outcome<Progress> {
    let mut columns = Columns::of("storage_transfer", row);
    let table = columns.parse("table_name", |name| Some(name.to_owned()))?;
    let source = Tally::from_parts(columns.integer("source_rows")?, columns.bytes("source_sum")?);
    Ok(Progress {
        table,
        source,
        copied: columns.integer("copied_rows")?,
        is_finished: columns.flag("finished_at")?,
    })
}

fn read_row(table: &Table, row: &Row) -> Outcome<row::Row> {
    let columns = table.columns.iter().enumerate();
    let values = columns.map(|(index, column)| {
        let corrupt = |_| Failure::Storage(StorageError::Corrupt { table: table.name, column: column.name });
        read_value(column, row, index).map_err(corrupt)
    });
    values.collect()
}

fn read_value(column: &Column, row: &Row, index: usize) -> Result<Value, tokio_postgres::Error> {
    let value = match column.kind {
        Kind::Integer => row.try_get::<_, Option<_>>(index)?.map(Value::Integer),
        Kind::Flag => row.try_get::<_, Option<_>>(index)?.map(Value::Flag),
        Kind::Text => row.try_get::<_, Option<_>>(index)?.map(Value::Text),
        Kind::Blob => row.try_get::<_, Option<_>>(index)?.map(Value::Blob),
    };
    Ok(value.unwrap_or(Value::Null))
}

fn target_error(failure: Failure) -> TransferError {
    TransferError::Target(failure.into())
}

impl From<tokio_postgres::Error> for TransferError {
    fn from(error: tokio_postgres::Error) -> Self {
        target_error(Failure::Postgres(error))
    }
}
