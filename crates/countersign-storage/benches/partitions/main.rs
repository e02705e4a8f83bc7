//! Simulates nodes that share partitioned PostgreSQL primaries, and tells which resource is the first limit.
//!
//! Nothing here is a measurement: what goes in is (`settings.rs` says what was measured and what is assumed), what comes
//! out is arithmetic. `cargo bench -p countersign-storage --bench partitions -- [--rate 10000] [--hot 0.01] …`; `--help`
//! lists the flags. The same flags give the same figures.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the developer")]

mod parts;
mod random;
mod settings;
mod simulation;

use settings::Settings;
use simulation::{Figures, simulate};

/// Nodes and partitions of the sweep.
const SWEEP: [(usize, usize); 9] = [(1, 1), (2, 1), (3, 1), (6, 1), (3, 2), (6, 2), (6, 4), (12, 4), (12, 8)];

/// A rate counts as carried if so much of it was answered and its messages recorded before the end, and if the slowest
/// hundredth of the answers took no longer.
const DONE: f64 = 0.97;
const PATIENCE_MS: f64 = 1_000.0;
/// From here on a resource is full.
const FULL: f64 = 0.9;

fn main() {
    // Cargo adds `--bench`.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let settings = match Settings::parse(arguments) {
        Ok(settings) => settings,
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(2);
        }
    };
    let swept = match (settings.nodes, settings.partitions) {
        (Some(nodes), Some(partitions)) => vec![(nodes, partitions)],
        _ => SWEEP.to_vec(),
    };
    println!("SIMULATED, {} requests/s offered. Shares are of the busiest of each kind.\n", settings.rate);
    println!(
        "| nodes | partitions | answered/s | p50 ms | p99 ms | messages/s | requests a round | longest queue | 503s \
         | node CPU | workers | primary CPU | request rounds | delivery rounds | hottest row | log's disk | connections |"
    );
    println!("|{}", "--:|".repeat(17));
    for &(nodes, partitions) in &swept {
        print_load(&settings, nodes, partitions);
    }
    if 0.0 < settings.pause_seconds {
        return;
    }
    println!("\nSIMULATED, the highest rate that is carried, and what is full just past it.\n");
    println!("| nodes | partitions | requests/s | first limit |");
    println!("|--:|--:|--:|---|");
    for &(nodes, partitions) in &swept {
        let (rate, limit) = first_limit(&settings, nodes, partitions);
        println!("| {nodes} | {partitions} | {rate:.0} | {limit} |");
    }
}

fn print_load(settings: &Settings, nodes: usize, partitions: usize) {
    let figures = simulate(settings, nodes, partitions, settings.rate);
    println!(
        "| {nodes} | {partitions} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} | {} | {} | {} | {} |",
        figures.answered_per_second,
        figures.p50_ms,
        figures.p99_ms,
        figures.recorded_per_second,
        figures.requests_a_round,
        figures.longest_queue,
        figures.refused,
        [
            figures.node_cpu,
            figures.workers,
            figures.primary_cpu,
            figures.request_rounds,
            figures.delivery_rounds,
            figures.hot_row,
            figures.log,
        ]
        .map(|share| format!("{:.0} %", share * 100.0))
        .join(" | "),
        connections(settings, nodes),
    );
}

/// What was full. A busy log is none: whatever waits for it shares the next sync. A row that is always held is named only
/// where nothing else is full, since rounds that wait for it grow.
fn full(settings: &Settings, nodes: usize, figures: &Figures) -> String {
    if settings.max_connections < connections(settings, nodes) {
        return format!("connections: {} of {}", connections(settings, nodes), settings.max_connections);
    }
    let limits = [
        ("workers", figures.workers),
        ("CPU of a node", figures.node_cpu),
        ("CPU of a primary", figures.primary_cpu),
        ("rounds of deliveries", figures.delivery_rounds),
        ("rounds of requests", figures.request_rounds),
    ];
    let (name, share) = limits.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("there are five");
    let (name, share) = match share < FULL && share < figures.hot_row {
        true => ("the hottest row", figures.hot_row),
        false => (name, share),
    };
    format!("{name} ({:.0} %)", share * 100.0)
}

fn connections(settings: &Settings, nodes: usize) -> usize {
    nodes * settings.connections_per_node
}

/// Doubles the rate until it is not carried, then halves the gap.
fn first_limit(settings: &Settings, nodes: usize, partitions: usize) -> (f64, String) {
    let is_carried = |rate: f64| {
        let figures = simulate(settings, nodes, partitions, rate);
        let least = DONE * figures.arrived_per_second;
        least <= figures.answered_per_second
            && least <= figures.recorded_per_second
            && figures.p99_ms <= PATIENCE_MS
    };
    let (mut carried, mut too_much) = (0.0, 500.0);
    while too_much < 1e6 && is_carried(too_much) {
        (carried, too_much) = (too_much, too_much * 2.0);
    }
    for _ in 0..5 {
        let middle = f64::midpoint(carried, too_much);
        if is_carried(middle) { carried = middle } else { too_much = middle }
    }
    let figures = simulate(settings, nodes, partitions, too_much);
    (carried, full(settings, nodes, &figures))
}
