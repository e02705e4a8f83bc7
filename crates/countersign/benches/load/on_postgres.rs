//! The load of fresh requests on PostgreSQL: one node, two nodes on one database, and what a replica and limits cost.

use std::{array, time::Duration};

use anyhow::Result;

use crate::{
    figures::Figures,
    generator::{Requests, Until},
    node::{self, Database, Folder, Limits, Node, Program, Setup},
    postgres::Server,
};

/// What one round measured.
pub(crate) struct OnPostgres {
    pub(crate) one_node: Load,
    pub(crate) two_nodes: Load,
    /// One node, whose commits wait for a replica on the same machine.
    pub(crate) replicated: Load,
    /// One node with limits in force.
    pub(crate) limited: Load,
}

/// One load.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// CPU time is that of the nodes.
    pub(crate) figures: Figures,
    /// CPU time of all processes of the PostgreSQL server for one request, in microseconds.
    pub(crate) database_cpu_us: f64,
}

/// Puts it under all loads, one after the other, each on an empty database.
pub(crate) fn measure(server: &Server<'_>, smtp_port: u16, duration: Duration) -> Result<OnPostgres> {
    let one_node = load::<1>(server, smtp_port, Limits::Off, duration)?;
    let two_nodes = load::<2>(server, smtp_port, Limits::Off, duration)?;
    let limited = load::<1>(server, smtp_port, Limits::On, duration)?;
    let _replica = server.start_replica()?;
    let replicated = load::<1>(server, smtp_port, Limits::Off, duration)?;
    Ok(OnPostgres { one_node, two_nodes, replicated, limited })
}

fn load<const NODES: usize>(
    server: &Server<'_>,
    smtp_port: u16,
    limits: Limits,
    duration: Duration,
) -> Result<Load> {
    let database = server.new_database()?;
    let setup = Setup {
        program: Program::Paused,
        database: Database::Postgres(&database.url),
        limits,
        smtp_port,
        preload: None,
    };
    // Both have the same master key, which is in their folder.
    let folder = Folder::new()?;
    let started: [Result<Node>; NODES] = array::from_fn(|_| Node::start(&folder, setup));
    let nodes = started.into_iter().collect::<Result<Vec<_>>>()?;
    node::load(&nodes, &Requests::Fresh, Until::Elapsed(duration / 8))?;
    let before = server.cpu_time()?;
    let figures = node::measure(&nodes, &Requests::Fresh, duration)?;
    let cpu = server.cpu_time()? - before;
    Ok(Load { figures, database_cpu_us: cpu.as_secs_f64() * 1e6 / figures.requests as f64 })
}
