//! The tables: each figure with its spread, its goal, and whether it is reached.

mod beside_sqlite;

use std::{
    fmt::Write as _,
    fs,
    io::{Write as _, stdout},
    thread,
};

use anyhow::Result;

use crate::{
    figures::Spread,
    rounds::{Plan, Round},
};

/// One line of the table.
struct Figure {
    name: &'static str,
    unit: &'static str,
    value: fn(&Round) -> f64,
    goal: Option<Goal>,
}

/// What is asked of a figure, as a number made from the same round.
struct Goal {
    text: &'static str,
    ratio: fn(&Round) -> f64,
    unit: &'static str,
    bound: Bound,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// The ratio is only told.
    Nothing,
}

impl Bound {
    /// What the table says about a ratio.
    fn met(&self, ratio: f64) -> &'static str {
        match *self {
            Self::AtMost(most) if ratio <= most => "yes",
            Self::AtLeast(least) if least <= ratio => "yes",
            Self::AtMost(_) | Self::AtLeast(_) => "**no**",
            Self::Nothing => "",
        }
    }
}

const fn figure(name: &'static str, unit: &'static str, value: fn(&Round) -> f64) -> Figure {
    Figure { name, unit, value, goal: None }
}

impl Figure {
    const fn goal(mut self, text: &'static str, bound: Bound, ratio: fn(&Round) -> f64) -> Self {
        self.goal = Some(Goal { text, ratio, unit: "×", bound });
        self
    }

    /// A goal that is the figure itself.
    const fn absolute(mut self, text: &'static str, bound: Bound) -> Self {
        self.goal = Some(Goal { text, ratio: self.value, unit: self.unit, bound });
        self
    }
}

#[rustfmt::skip]
fn figures() -> Vec<Figure> {
    use Bound::{AtLeast, AtMost, Nothing};
    vec![
        figure("HTTP floor: CPU a request", "µs", |r| r.floor.cpu_us),
        figure("HTTP floor: requests a second", "/s", |r| r.floor.rate),
        figure("HTTP floor: p50", "µs", |r| r.floor.p50_us),
        figure("HTTP floor: p99", "µs", |r| r.floor.p99_us),
        figure("storage limit, 64 requests a commit: CPU a request", "µs", |r| r.bare.cpu_us),
        figure("storage limit, 64 requests a commit: requests a second", "/s", |r| r.bare.rate),
        figure("storage limit, one request a commit: requests a second", "/s", |r| r.bare_single.rate),
        figure("`requestToken`, fresh: CPU a request", "µs", |r| r.fresh.cpu_us)
            .goal("at most 4× the floor's", AtMost(4.0), |r| r.fresh.cpu_us / r.floor.cpu_us),
        figure("… requests a second", "/s", |r| r.fresh.rate)
            .goal("at least 1/2 of the floor's", AtLeast(0.5), |r| r.fresh.rate / r.floor.rate),
        figure("… beside the storage limit", "/s", |r| r.fresh.rate)
            .goal("", Nothing, |r| r.fresh.rate / r.bare.rate),
        figure("… p50", "µs", |r| r.fresh.p50_us),
        figure("… p99", "µs", |r| r.fresh.p99_us)
            .goal("under 10× the floor's", AtMost(10.0), |r| r.fresh.p99_us / r.floor.p99_us),
        figure("limits on, each request from another network: CPU", "µs", |r| r.limited.cpu_us)
            .goal("at most 1.1× without", AtMost(1.1), |r| r.limited.cpu_us / r.fresh.cpu_us),
        figure("… requests a second", "/s", |r| r.limited.rate),
        figure("… p50", "µs", |r| r.limited.p50_us),
        figure("… p99", "µs", |r| r.limited.p99_us),
        figure("repeated: CPU a request", "µs", |r| r.repeated.cpu_us),
        figure("… requests a second", "/s", |r| r.repeated.rate)
            .goal("no slower than fresh", AtLeast(1.0), |r| r.repeated.rate / r.fresh.rate),
        figure("… p50", "µs", |r| r.repeated.p50_us),
        figure("… p99", "µs", |r| r.repeated.p99_us),
        figure("… written", "bytes", |r| r.repeated_wrote as f64).absolute("nothing", AtMost(0.0)),
        figure("accepted and delivered: CPU a message, all in", "µs", |r| r.delivered.cpu_us)
            .absolute("at most 150 µs", AtMost(150.0)),
        figure("full outbox: messages a second", "/s", |r| r.delivered.drain_rate)
            .absolute("at least 5,000/s", AtLeast(5000.0)),
        figure("full outbox: CPU a message", "µs", |r| r.delivered.drain_cpu_us),
        figure("lookup of 100 hashes, 1,000 associations: CPU", "µs", |r| r.lookups.short[0].cpu_us)
            .absolute("at most 32 µs, 1/20 of Sydent's", AtMost(32.0)),
        figure("… many associations: CPU", "µs", |r| r.lookups.short[1].cpu_us)
            .goal("", Nothing, |r| r.lookups.short[1].cpu_us / r.lookups.short[0].cpu_us),
        figure("lookup of 10,000 hashes, 1,000 associations: CPU", "µs", |r| r.lookups.long[0].cpu_us),
        figure("… many associations: CPU", "µs", |r| r.lookups.long[1].cpu_us)
            .goal("at most 2× with 1,000", AtMost(2.0), |r| r.lookups.long[1].cpu_us / r.lookups.long[0].cpu_us),
        figure("resident memory after start", "MiB", |r| r.at_start.resident)
            .absolute("under 40 MiB", AtMost(40.0)),
        figure("resident memory at full load, highest", "MiB", |r| r.after_load.peak)
            .absolute("under 100 MiB", AtMost(100.0)),
        figure("from start to first answer", "ms", |r| r.started_in.as_secs_f64() * 1e3)
            .absolute("under 100 ms", AtMost(100.0)),
    ]
}

#[rustfmt::skip]
fn slow_fsync_figures() -> Vec<Figure> {
    use Bound::AtLeast;
    let fresh = |r: &Round| r.slow.as_ref().map_or(0.0, |slow| slow.fresh.rate);
    let single = |r: &Round| r.slow.as_ref().map_or(0.0, |slow| slow.bare_single.rate);
    vec![
        figure("`fsync` of 1 ms: storage limit, one request a commit", "/s", single),
        figure("`fsync` of 1 ms: `requestToken`, fresh", "/s", fresh)
            .goal("at least 10× one a commit", AtLeast(10.0), |r| {
                r.slow.as_ref().map_or(0.0, |slow| slow.fresh.rate / slow.bare_single.rate)
            }),
        figure("… p99", "µs", |r| r.slow.as_ref().map_or(0.0, |slow| slow.fresh.p99_us)),
    ]
}

/// Prints the tables as Markdown, and what it was measured on.
pub(crate) fn print(plan: &Plan, rounds: &[Round]) -> Result<()> {
    let mut figures = figures();
    if plan.slow_fsync.is_some() {
        figures.extend(slow_fsync_figures());
    }
    let mut text = format!(
        "Measured on {}; median of {} rounds with {} s a load (lowest to highest). Many associations are {}.\n\n",
        machine(),
        rounds.len(),
        plan.load.as_secs(),
        plan.associations,
    );
    text.push_str("| figure | measured | goal | ratio | met |\n|---|---|---|---|---|\n");
    for figure in figures {
        let measured = shown(Spread::of(rounds.iter().map(figure.value)), figure.unit);
        write!(text, "| {} | {measured} |", figure.name)?;
        match figure.goal {
            None => text.push_str(" | | |\n"),
            Some(goal) => {
                let ratio = Spread::of(rounds.iter().map(goal.ratio));
                let met = goal.bound.met(ratio.median);
                writeln!(text, " {} | {} | {met} |", goal.text, shown(ratio, goal.unit))?;
            }
        }
    }
    beside_sqlite::write(&mut text, rounds)?;
    Ok(stdout().write_all(text.as_bytes())?)
}

fn shown(spread: Spread, unit: &str) -> String {
    let digits = if spread.max < 10.0 { 2 } else { usize::from(spread.max < 1000.0) };
    let Spread { min, median, max } = spread;
    format!("{median:.digits$} {unit} ({min:.digits$} to {max:.digits$})")
}

fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores of {model}, Linux {}", kernel.trim())
}
