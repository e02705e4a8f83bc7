//! The rounds: everything is measured in each, on fresh servers and databases, so that noise meets all alike.

use std::{
    env, fs,
    io::{Write as _, stderr},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    bare_loop::Wrote,
    figures::{Figures, Memory},
    generator::{Requests, Until},
    lookups::{self, Lookups, People},
    node::{Database, Folder, Limits, Node, Program, Setup},
    on_postgres::{self, OnPostgres},
    postgres::{Programs, Server},
    sink::Sink,
};

/// How many requests share a commit in the bare loop: as many as there are connections, the most that can wait together.
const BATCH: u64 = 64;

/// How many associations are few.
const FEW: u32 = 1_000;

/// What to measure, and for how long.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// How long each load lasts.
    pub(crate) load: Duration,
    /// How many messages are delivered.
    pub(crate) messages: u64,
    /// How many associations are many.
    pub(crate) associations: u32,
    /// A library that makes `fsync` take 1 ms.
    pub(crate) slow_fsync: Option<PathBuf>,
    /// A PostgreSQL to measure too.
    pub(crate) postgres: Option<Programs>,
}

/// What one round measured.
pub(crate) struct Round {
    pub(crate) floor: Figures,
    pub(crate) fresh: Figures,
    pub(crate) limited: Figures,
    pub(crate) repeated: Figures,
    /// By how many bytes the log grew while requests were repeated.
    pub(crate) repeated_wrote: u64,
    pub(crate) bare: Wrote,
    pub(crate) bare_single: Wrote,
    pub(crate) slow: Option<SlowFsync>,
    pub(crate) postgres: Option<OnPostgres>,
    pub(crate) lookups: Lookups,
    pub(crate) delivered: Delivered,
    pub(crate) at_start: Memory,
    pub(crate) after_load: Memory,
    pub(crate) started_in: Duration,
}

/// With an `fsync` of 1 ms.
pub(crate) struct SlowFsync {
    pub(crate) fresh: Figures,
    pub(crate) bare_single: Wrote,
}

/// Messages on their way to the sink.
#[derive(Clone, Copy)]
pub(crate) struct Delivered {
    /// CPU time for one message, from the request to the mail, in microseconds.
    pub(crate) cpu_us: f64,
    /// Messages a second from a full outbox.
    pub(crate) drain_rate: f64,
    /// CPU time for one of those, in microseconds.
    pub(crate) drain_cpu_us: f64,
}

/// Measures everything in each of the rounds.
pub(crate) fn measure(plan: &Plan) -> Result<Vec<Round>> {
    let sink = Sink::start()?;
    let server = plan.postgres.as_ref().map(Server::start).transpose()?;
    let people = [People::bind(FEW, sink.port)?, People::bind(plan.associations, sink.port)?];
    let mut rounds = Vec::new();
    for number in 1..=plan.rounds {
        writeln!(stderr(), "round {number} of {}", plan.rounds)?;
        rounds.push(round(plan, &sink, server.as_ref(), &people)?);
    }
    Ok(rounds)
}

fn round(plan: &Plan, sink: &Sink, server: Option<&Server<'_>>, people: &[People; 2]) -> Result<Round> {
    let database = Database::Sqlite;
    let setup = |program, limits| Setup { program, database, limits, smtp_port: sink.port, preload: None };
    let duration = plan.load;
    let warm_up = Until::Elapsed(duration / 8);

    let folder = Folder::new()?;
    let floor = Node::start(&folder, setup(Program::Floor, Limits::Off))?;
    floor.load(&Requests::Constant, warm_up)?;
    let floor = floor.measure(&Requests::Constant, duration)?;

    let full = Folder::new()?;
    let node = Node::start(&full, setup(Program::Paused, Limits::Off))?;
    let mut waiting = node.load(&Requests::Fresh, warm_up)?.count();
    let fresh = node.measure(&Requests::Fresh, duration)?;
    waiting += fresh.requests;
    drop(node);

    let folder = Folder::new()?;
    let node = Node::start(&folder, setup(Program::Paused, Limits::On))?;
    node.load(&Requests::Fresh, warm_up)?;
    let limited = node.measure(&Requests::Fresh, duration)?;
    drop(node);

    let folder = Folder::new()?;
    let node = Node::start(&folder, setup(Program::Paused, Limits::Off))?;
    let opened = Arc::new(node.load(&Requests::Fresh, warm_up)?.opened);
    let log_length =
        || Ok::<_, std::io::Error>(fs::metadata(folder.path().join("countersign.db-wal"))?.len());
    let before = log_length()?;
    let repeated = node.measure(&Requests::Repeated(opened), duration)?;
    let repeated_wrote = log_length()?.saturating_sub(before);
    drop(node);

    let postgres = server.map(|server| on_postgres::measure(server, sink.port, duration)).transpose()?;

    let lookups = lookups::measure(people, sink.port, duration)?;

    let (delivered, at_start, after_load, started_in) = deliver(plan, sink, &full, waiting, setup)?;
    Ok(Round {
        floor,
        fresh,
        limited,
        repeated,
        repeated_wrote,
        bare: bare_loop(BATCH, duration, None)?,
        bare_single: bare_loop(1, duration / 2, None)?,
        slow: plan.slow_fsync.as_deref().map(|library| slow_fsync(sink, duration, library)).transpose()?,
        postgres,
        lookups,
        delivered,
        at_start,
        after_load,
        started_in,
    })
}

/// With the program itself: accepts and delivers, then drains what a paused node left in `full`, where `waiting` messages
/// are.
fn deliver(
    plan: &Plan,
    sink: &Sink,
    full: &Folder,
    waiting: u64,
    setup: impl Fn(Program, Limits) -> Setup<'static>,
) -> Result<(Delivered, Memory, Memory, Duration)> {
    let folder = Folder::new()?;
    let node = Node::start(&folder, setup(Program::Countersign, Limits::Off))?;
    let (at_start, started_in) = (node.memory()?, node.started_in);
    let messages = plan.messages;
    let warmed_up = sink.taken() + messages / 8;
    node.load(&Requests::Fresh, Until::Count(messages / 8))?;
    sink.wait_for(warmed_up)?;
    let cpu_before = node.cpu_time()?;
    node.load(&Requests::Fresh, Until::Count(messages))?;
    sink.wait_for(warmed_up + messages)?;
    let cpu = node.cpu_time()? - cpu_before;
    let cpu_us = cpu.as_secs_f64() * 1e6 / messages as f64;
    node.load(&Requests::Fresh, Until::Elapsed(plan.load))?;
    let after_load = node.memory()?;
    drop(node);

    let node = Node::start(full, setup(Program::Countersign, Limits::Off))?;
    // On a slow machine there are fewer.
    let messages = messages.min(waiting / 10 * 8);
    let first = sink.taken() + messages / 8;
    let began = sink.wait_for(first)?;
    let (began_with, cpu_before) = (sink.taken(), node.cpu_time()?);
    let ended = sink.wait_for(first + messages)?;
    let (drained, cpu) = ((sink.taken() - began_with) as f64, node.cpu_time()? - cpu_before);
    let delivered = Delivered {
        cpu_us,
        drain_rate: drained / (ended - began).as_secs_f64(),
        drain_cpu_us: cpu.as_secs_f64() * 1e6 / drained,
    };
    Ok((delivered, at_start, after_load, started_in))
}

fn slow_fsync(sink: &Sink, duration: Duration, library: &Path) -> Result<SlowFsync> {
    let folder = Folder::new()?;
    let setup = Setup {
        program: Program::Paused,
        database: Database::Sqlite,
        limits: Limits::Off,
        smtp_port: sink.port,
        preload: Some(library),
    };
    let node = Node::start(&folder, setup)?;
    node.load(&Requests::Fresh, Until::Elapsed(duration / 8))?;
    let fresh = node.measure(&Requests::Fresh, duration)?;
    Ok(SlowFsync { fresh, bare_single: bare_loop(1, duration / 2, Some(library))? })
}

/// Runs the bare loop in a process of its own.
fn bare_loop(batch: u64, duration: Duration, preload: Option<&Path>) -> Result<Wrote> {
    let folder = Folder::new()?;
    let mut command = Command::new(env::current_exe()?);
    command.arg("bare-loop").arg(folder.path());
    command.args(["--batch", &batch.to_string(), "--milliseconds", &duration.as_millis().to_string()]);
    if let Some(library) = preload {
        command.env("LD_PRELOAD", library);
    }
    let output = command.output()?;
    ensure!(output.status.success(), "the bare loop: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the bare loop's figures")
}
