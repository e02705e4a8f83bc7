//! One connection, and a transaction on it. The statements of one round travel together: one trip to the database and back.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::Object;
use futures_util::{
    TryStreamExt as _,
    future::{join_all, try_join_all},
    pin_mut,
};
use tokio::time::{error::Elapsed, timeout};
use tokio_postgres::{Row, RowStream, Statement};

use super::{
    PreparedStatements,
    failure::{Failure, NoConnection, Outcome},
    parameter::Query,
};
use crate::{OutageReason, StorageError, outage::Condition};

/// What came of a statement.
pub(super) struct Reply {
    /// The rows that it answered.
    pub(super) rows: Vec<Row>,
    changed: u64,
}

impl Reply {
    /// How many rows it changed, or answered.
    pub(super) fn changed(&self) -> u64 {
        self.changed
    }

    /// Checks that it changed that many rows of `table`.
    pub(super) fn must_change(&self, table: &'static str, expected: usize) -> Outcome<()> {
        if u64::try_from(expected).is_ok_and(|expected| expected == self.changed) {
            Ok(())
        } else {
            Err(Failure::RowCount { table, changed: self.changed, expected })
        }
    }
}

/// A connection on loan from the pool.
pub(super) struct Connection {
    client: Option<Object>,
    settings: ConnectionSettings,
    condition: Arc<Condition>,
}

/// How statements are sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionSettings {
    /// Whether they are prepared.
    pub(super) prepared: PreparedStatements,
    /// How long to wait for an answer.
    pub(super) patience: Duration,
}

impl Connection {
    pub(super) fn new(client: Object, settings: ConnectionSettings, condition: Arc<Condition>) -> Self {
        Self { client: Some(client), settings, condition }
    }

    /// Runs statements in this order, each in a transaction of its own unless one was begun.
    pub(super) async fn run<const N: usize>(&mut self, queries: [Query<'_>; N]) -> Outcome<[Reply; N]> {
        let replies = self.run_all(queries.into()).await?;
        Ok(replies.try_into().unwrap_or_else(|_| unreachable!("each statement has one reply")))
    }

    /// As [`run`](Self::run), for any number of statements.
    pub(super) async fn run_all(&mut self, queries: Vec<Query<'_>>) -> Outcome<Vec<Reply>> {
        let client = self.client.as_ref().ok_or(Failure::Storage(StorageError::Closed))?;
        let answered = timeout(self.settings.patience, send(client, self.settings.prepared, queries)).await;
        self.conclude(answered)
    }

    /// Runs SQL without parameters, which may be several statements.
    pub(super) async fn run_script(&mut self, sql: &str) -> Outcome<()> {
        let client = self.client.as_ref().ok_or(Failure::Storage(StorageError::Closed))?;
        let answered = timeout(self.settings.patience, client.batch_execute(sql)).await;
        self.conclude(answered.map(|outcome| Ok(outcome?)))
    }

    /// What statements came to, in time or not; the log hears of it when that tells something about the database.
    fn conclude<T>(&mut self, answered: Result<Outcome<T>, Elapsed>) -> Outcome<T> {
        let outcome = answered.unwrap_or_else(|_| {
            self.close();
            Err(Failure::no_connection(OutageReason::Slow, NoConnection::AnswerTimeout))
        });
        match &outcome {
            Ok(_) => self.condition.reads(),
            Err(failure) if failure.is_transient() => {}
            Err(failure) => {
                if let Some(reason) = failure.outage() {
                    self.condition.fails(reason, failure);
                }
            }
        }
        outcome
    }

    /// The driver's own connection, for what no statement does.
    pub(super) fn client(&self) -> Outcome<&tokio_postgres::Client> {
        self.client.as_ref().map(|client| &***client).ok_or(Failure::Storage(StorageError::Closed))
    }

    /// Ends the connection rather than giving it back: nobody knows its state.
    fn close(&mut self) {
        self.client.take().map(Object::take);
    }
}

async fn send(client: &Object, prepared: PreparedStatements, queries: Vec<Query<'_>>) -> Outcome<Vec<Reply>> {
    let replies = match prepared {
        PreparedStatements::Kept => {
            // All at once where they are known, and before the first is run: what is run must be sent in order.
            let statements = try_join_all(queries.iter().map(|query| prepare(client, query))).await?;
            let run = statements
                .into_iter()
                .zip(queries)
                .map(|(statement, query)| run_prepared(client, statement, query));
            join_all(run).await
        }
        PreparedStatements::None => {
            join_all(queries.into_iter().map(|query| run_unprepared(client, query))).await
        }
    };
    // What follows the first that failed, failed because of it.
    Ok(replies.into_iter().collect::<Result<_, _>>()?)
}

async fn prepare(client: &Object, query: &Query<'_>) -> Result<Statement, tokio_postgres::Error> {
    client.prepare_typed_cached(query.sql, &query.types()).await
}

async fn run_prepared(
    client: &Object,
    statement: Statement,
    query: Query<'_>,
) -> Result<Reply, tokio_postgres::Error> {
    let parameters: Vec<_> = query.parameters.into_iter().map(|(parameter, _)| parameter).collect();
    collect(client.query_raw(&statement, parameters).await?).await
}

async fn run_unprepared(client: &Object, query: Query<'_>) -> Result<Reply, tokio_postgres::Error> {
    collect(client.query_typed_raw(query.sql, query.parameters).await?).await
}

async fn collect(stream: RowStream) -> Result<Reply, tokio_postgres::Error> {
    pin_mut!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    let changed = stream.rows_affected().unwrap_or(0);
    Ok(Reply { rows, changed })
}

/// A transaction. It begins with its first statements; unless it is committed or rolled back, dropping it ends the
/// connection, and with it the transaction.
pub(super) struct Transaction {
    connection: Connection,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    NotBegun,
    Open,
    Over,
}

impl Transaction {
    pub(super) fn on(connection: Connection) -> Self {
        Self { connection, state: State::NotBegun }
    }

    /// Runs statements in this order. One that fails dooms the transaction.
    pub(super) async fn run<const N: usize>(&mut self, queries: [Query<'_>; N]) -> Outcome<[Reply; N]> {
        let replies = self.run_all(queries.into()).await?;
        Ok(replies.try_into().unwrap_or_else(|_| unreachable!("each statement has one reply")))
    }

    /// As [`run`](Self::run), for any number of statements.
    pub(super) async fn run_all(&mut self, mut queries: Vec<Query<'_>>) -> Outcome<Vec<Reply>> {
        let begins = self.state == State::NotBegun;
        if begins {
            queries.insert(0, Query::new("begin"));
        }
        self.state = State::Open;
        let mut replies = self.connection.run_all(queries).await?;
        if begins {
            replies.remove(0);
        }
        Ok(replies)
    }

    /// Runs SQL without parameters, which may be several statements, once the transaction has begun.
    pub(super) async fn run_script(&mut self, sql: &str) -> Outcome<()> {
        self.connection.run_script(sql).await
    }

    /// Runs the last statements and commits, in one round. Whoever checks the replies does so too late to undo anything:
    /// they can only tell a defect.
    pub(super) async fn finish(mut self, mut queries: Vec<Query<'_>>) -> Outcome<Vec<Reply>> {
        queries.push(Query::new("commit"));
        let mut replies = self.run_all(queries).await?;
        replies.pop();
        self.state = State::Over;
        self.connection.condition.writes();
        Ok(replies)
    }

    /// Makes the changes last.
    pub(super) async fn commit(self) -> Outcome<()> {
        self.finish(Vec::new()).await?;
        Ok(())
    }

    /// Undoes what was done. Also the cheapest end where nothing was: the database has nothing to sync.
    pub(super) async fn roll_back(mut self) -> Outcome<()> {
        if self.state == State::Open {
            self.connection.run([Query::new("rollback")]).await?;
        }
        self.state = State::Over;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.state == State::Open {
            self.connection.close();
        }
    }
}
