//! The second table: PostgreSQL's figures, beside SQLite's of the same round.

use std::fmt::{self, Write as _};

use super::{Bound, shown};
use crate::{
    figures::{Figures, Spread},
    on_postgres::{Load, OnPostgres},
    rounds::Round,
};

/// One way to run on PostgreSQL, and which load on SQLite it is compared with.
struct Case {
    name: &'static str,
    postgres: fn(&OnPostgres) -> Load,
    sqlite: fn(&Round) -> Figures,
    goal: &'static str,
    /// On the rate beside SQLite's.
    bound: Bound,
}

/// One line of a case.
struct Line {
    name: &'static str,
    unit: &'static str,
    postgres: fn(Load) -> f64,
    sqlite: fn(Figures) -> f64,
}

const CASES: [Case; 4] = [
    Case {
        name: "one node",
        postgres: |all| all.one_node,
        sqlite: |round| round.fresh,
        goal: "at least 1/2 of SQLite's",
        bound: Bound::AtLeast(0.5),
    },
    Case {
        name: "two nodes",
        postgres: |all| all.two_nodes,
        sqlite: |round| round.fresh,
        goal: "",
        bound: Bound::Nothing,
    },
    Case {
        name: "one node, synchronous replica beside it",
        postgres: |all| all.replicated,
        sqlite: |round| round.fresh,
        goal: "",
        bound: Bound::Nothing,
    },
    Case {
        name: "one node, limits on, beside SQLite with limits on",
        postgres: |all| all.limited,
        sqlite: |round| round.limited,
        goal: "",
        bound: Bound::Nothing,
    },
];

#[rustfmt::skip]
const LINES: [Line; 5] = [
    Line { name: "CPU of nodes a request", unit: "µs", postgres: |load| load.figures.cpu_us, sqlite: |figures| figures.cpu_us },
    Line { name: "… of PostgreSQL", unit: "µs", postgres: |load| load.database_cpu_us, sqlite: |figures| figures.cpu_us },
    Line { name: "… of both", unit: "µs", postgres: |load| load.figures.cpu_us + load.database_cpu_us, sqlite: |figures| figures.cpu_us },
    Line { name: "… p50", unit: "µs", postgres: |load| load.figures.p50_us, sqlite: |figures| figures.p50_us },
    Line { name: "… p99", unit: "µs", postgres: |load| load.figures.p99_us, sqlite: |figures| figures.p99_us },
];

/// Writes the table, or that PostgreSQL is missing.
pub(super) fn write(text: &mut String, rounds: &[Round]) -> fmt::Result {
    let measured: Vec<(&Round, &OnPostgres)> =
        rounds.iter().filter_map(|round| Some((round, round.postgres.as_ref()?))).collect();
    if measured.is_empty() {
        return text.write_str("\nWithout PostgreSQL: it is not installed, or was not asked for.\n");
    }
    text.push_str("\n| fresh `requestToken` on PostgreSQL | measured | beside SQLite | goal | met |\n|---|---|---|---|---|\n");
    for case in &CASES {
        let pairs = || measured.iter().map(|(round, all)| ((case.postgres)(all), (case.sqlite)(round)));
        let rates = Spread::of(pairs().map(|(load, _)| load.figures.rate));
        let ratio = Spread::of(pairs().map(|(load, sqlite)| load.figures.rate / sqlite.rate));
        let (name, goal, met) = (case.name, case.goal, case.bound.met(ratio.median));
        let (rates, ratio) = (shown(rates, "/s"), shown(ratio, "×"));
        writeln!(text, "| {name}: requests a second | {rates} | {ratio} | {goal} | {met} |")?;
        for line in &LINES {
            let measured = Spread::of(pairs().map(|(load, _)| (line.postgres)(load)));
            let ratio =
                Spread::of(pairs().map(|(load, sqlite)| (line.postgres)(load) / (line.sqlite)(sqlite)));
            let (measured, ratio) = (shown(measured, line.unit), shown(ratio, "×"));
            writeln!(text, "| {} | {measured} | {ratio} | | |", line.name)?;
        }
    }
    let rate_of_two = |(_, all): &(_, &OnPostgres)| all.two_nodes.figures.rate / all.one_node.figures.rate;
    let ratio = Spread::of(measured.iter().map(rate_of_two));
    let met = Bound::AtLeast(1.0).met(ratio.median);
    writeln!(
        text,
        "| two nodes beside one: requests a second | {} | | at least 1× | {met} |",
        shown(ratio, "×")
    )
}
