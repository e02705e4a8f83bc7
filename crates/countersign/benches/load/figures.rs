//! What is measured of one load, and what a process costs, read from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// Ticks of `/proc/PID/stat` in a second: the same on every Linux.
const TICKS: u64 = 100;

/// One load on one server.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// How many requests were answered.
    pub(crate) requests: u64,
    /// CPU time of the server for one request, in microseconds.
    pub(crate) cpu_us: f64,
    /// Requests a second.
    pub(crate) rate: f64,
    /// Half of the answers came within, in microseconds.
    pub(crate) p50_us: f64,
    /// All but a hundredth of the answers came within, in microseconds.
    pub(crate) p99_us: f64,
}

/// Memory of a process, in MiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: f64,
    /// At its highest.
    pub(crate) peak: f64,
}

/// The CPU time that a process took so far, all its threads, ended ones too.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = Stat::read(&format!("/proc/{pid}/stat"))?;
    stat.time(Stat::OWN)
}

/// The CPU time that a process and its children took so far, ended ones too.
pub(crate) fn family_cpu_time(pid: u32) -> Result<Duration> {
    let parent = Stat::read(&format!("/proc/{pid}/stat"))?;
    let mut time = parent.time(Stat::OWN)? + parent.time(Stat::OF_ENDED_CHILDREN)?;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else {
            continue;
        };
        // One that ended in the meantime is none of a server's that is in use.
        let Ok(stat) = Stat::read(&format!("/proc/{name}/stat")) else { continue };
        if stat.number(Stat::PARENT)? == u64::from(pid) {
            time += stat.time(Stat::OWN)?;
        }
    }
    Ok(time)
}

/// `/proc/PID/stat`, but for the number and the name in front.
struct Stat(String);

impl Stat {
    const PARENT: usize = 1;
    /// `utime`, which `stime` follows, of the process.
    const OWN: usize = 11;
    /// `cutime`, which `cstime` follows.
    const OF_ENDED_CHILDREN: usize = 13;

    fn read(path: &str) -> Result<Self> {
        let stat = fs::read_to_string(path)?;
        // The name in parentheses may hold blanks.
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has a name")?;
        Ok(Self(fields.to_owned()))
    }

    fn number(&self, index: usize) -> Result<u64> {
        Ok(self.0.split_whitespace().nth(index).context("a short stat")?.parse()?)
    }

    /// The sum of the ticks at `index` and after.
    fn time(&self, index: usize) -> Result<Duration> {
        Ok(Duration::from_millis((self.number(index)? + self.number(index + 1)?) * 1000 / TICKS))
    }
}

/// The memory of a process.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mebibytes = |key: &str| -> Result<f64> {
        let line =
            status.lines().find_map(|line| line.strip_prefix(key)).context("no such line in status")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes / 1024.0)
    };
    Ok(Memory { resident: mebibytes("VmRSS:")?, peak: mebibytes("VmHWM:")? })
}

/// Lowest, middle and highest of some values.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Self { min: values[0], median: f64::midpoint(low, high), max: values[values.len() - 1] }
    }
}
