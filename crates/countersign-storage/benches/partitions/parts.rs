//! What a simulation is made of: jobs, rounds, queues, primaries, events.

use std::{cmp::Ordering, collections::VecDeque};

/// Microseconds since the beginning.
pub(crate) type Time = f64;

#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) arrived_at: Time,
    pub(crate) node: usize,
    pub(crate) kind: Kind,
    /// Where its address is.
    pub(crate) home: usize,
    pub(crate) is_hot: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A charge to a network's budget that is elsewhere; the request follows.
    Charge,
    Request,
    Lease,
    Delivery,
}

/// How many lanes a node has for a partition.
pub(crate) const LANES: usize = 3;

impl Kind {
    /// Its lane's number.
    pub(crate) fn lane(self) -> usize {
        match self {
            Self::Charge | Self::Request => 0,
            Self::Lease => 1,
            Self::Delivery => 2,
        }
    }
}

pub(crate) enum Event {
    Arrival,
    Parsed(Job),
    /// Those who wait in a lane for others may have waited long enough.
    Waited(usize),
    /// A round reached its primary, for the first or the second time.
    Reached(usize),
    CpuDone(usize),
    Synced(usize),
    Confirmed(usize),
    Sent(Job),
    Pause,
    Resume,
}

/// An event and its place in the order: by time, then by when it was made.
pub(crate) struct Scheduled {
    pub(crate) time: u64,
    pub(crate) number: u64,
    pub(crate) event: Event,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

/// Work that waits for one of several equal servers.
pub(crate) struct Servers<T> {
    pub(crate) free: usize,
    pub(crate) waiting: VecDeque<T>,
    pub(crate) busy_us: f64,
}

impl<T> Servers<T> {
    pub(crate) fn new(count: usize) -> Self {
        Self { free: count, waiting: VecDeque::new(), busy_us: 0.0 }
    }
}

/// Where operations of one kind wait in one node for one partition.
pub(crate) struct Lane {
    pub(crate) waiting: VecDeque<Job>,
    /// Since when it waits for more to begin a round beside another.
    pub(crate) waits_since: Option<Time>,
    pub(crate) free: usize,
    pub(crate) width: usize,
    pub(crate) busy_us: f64,
    pub(crate) rounds: u64,
    pub(crate) jobs: u64,
}

impl Lane {
    /// How much of what it can carry it carried: the share of time that its rounds were under way, and how full they were.
    pub(crate) fn load(&self, time: f64, round_size: usize) -> f64 {
        let fill = self.jobs as f64 / (self.rounds as f64).max(1.0) / round_size as f64;
        (self.busy_us / time / self.width as f64).min(1.0) * fill
    }
}

pub(crate) struct Round {
    pub(crate) lane: usize,
    pub(crate) partition: usize,
    pub(crate) jobs: Vec<Job>,
    pub(crate) began_at: Time,
    pub(crate) cpu_us: f64,
    pub(crate) has_saved: bool,
    pub(crate) is_hot: bool,
}

pub(crate) struct Primary {
    pub(crate) cpu: Servers<usize>,
    pub(crate) is_syncing: bool,
    pub(crate) waiting_for_log: Vec<usize>,
    pub(crate) in_sync: Vec<usize>,
    pub(crate) log_us: f64,
    pub(crate) hot_row_held: Option<Time>,
    pub(crate) waiting_for_row: VecDeque<usize>,
    pub(crate) hot_row_us: f64,
    pub(crate) is_paused: bool,
}

impl Primary {
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            cpu: Servers::new(cores),
            is_syncing: false,
            waiting_for_log: Vec::new(),
            in_sync: Vec::new(),
            log_us: 0.0,
            hot_row_held: None,
            waiting_for_row: VecDeque::new(),
            hot_row_us: 0.0,
            is_paused: false,
        }
    }
}
