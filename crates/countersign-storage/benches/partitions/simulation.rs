//! The simulation: events in order of their time, and what each does.
//!
//! A request takes CPU of its node, waits in the node's queue for its partition, shares a round with what else waits (beside
//! another round, a little for more), and is answered when that is committed. A round takes a trip and half its CPU to load and lock, another to save, then waits
//! for the log, whose syncs are shared by all commits that wait, and for the replica. A row that many charge is held from
//! the first trip until the commit is answered. Each request leaves a
//! message: a lease, a worker's time, and its part in a round that records deliveries.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    mem::take,
};

use crate::{
    parts::{Event, Job, Kind, LANES, Lane, Primary, Round, Scheduled, Servers, Time},
    random::Random,
    settings::Settings,
};

/// What came out.
pub(crate) struct Figures {
    pub(crate) arrived_per_second: f64,
    pub(crate) answered_per_second: f64,
    /// Messages that were sent and recorded.
    pub(crate) recorded_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) requests_a_round: f64,
    pub(crate) longest_queue: usize,
    pub(crate) refused: u64,
    pub(crate) node_cpu: f64,
    pub(crate) primary_cpu: f64,
    pub(crate) log: f64,
    pub(crate) workers: f64,
    pub(crate) request_rounds: f64,
    pub(crate) delivery_rounds: f64,
    pub(crate) hot_row: f64,
}

struct Simulation<'a> {
    settings: &'a Settings,
    partitions: usize,
    rate: f64,
    random: Random,
    now: Time,
    end: Time,
    events: BinaryHeap<Reverse<Scheduled>>,
    next_event: u64,
    nodes: Vec<Servers<Job>>,
    workers: Vec<Servers<Job>>,
    /// Requests, leases and deliveries, for each node and partition.
    lanes: Vec<Lane>,
    rounds: HashMap<usize, Round>,
    next_round: usize,
    primaries: Vec<Primary>,
    latencies: Vec<f64>,
    arrived: u64,
    answered: u64,
    recorded: u64,
    refused: u64,
    longest_queue: usize,
}

/// Simulates a load and answers what came of it.
pub(crate) fn simulate(settings: &Settings, nodes: usize, partitions: usize, rate: f64) -> Figures {
    let lane = |width| Lane {
        waiting: VecDeque::new(),
        waits_since: None,
        free: width,
        width,
        busy_us: 0.0,
        rounds: 0,
        jobs: 0,
    };
    let mut simulation = Simulation {
        settings,
        partitions,
        rate,
        random: Random::new(1),
        now: 0.0,
        end: settings.seconds * 1e6,
        events: BinaryHeap::new(),
        next_event: 0,
        nodes: (0..nodes).map(|_| Servers::new(settings.node_cores)).collect(),
        workers: (0..nodes).map(|_| Servers::new(settings.workers)).collect(),
        lanes: (0..nodes * partitions).flat_map(|_| [lane(settings.rounds), lane(1), lane(1)]).collect(),
        rounds: HashMap::new(),
        next_round: 0,
        primaries: (0..partitions).map(|_| Primary::new(settings.primary_cores)).collect(),
        latencies: Vec::new(),
        arrived: 0,
        answered: 0,
        recorded: 0,
        refused: 0,
        longest_queue: 0,
    };
    simulation.run();
    simulation.figures()
}

impl Simulation<'_> {
    fn run(&mut self) {
        self.after(0.0, Event::Arrival);
        if 0.0 < self.settings.pause_seconds {
            self.after(self.settings.pause_at * 1e6, Event::Pause);
            self.after((self.settings.pause_at + self.settings.pause_seconds) * 1e6, Event::Resume);
        }
        while let Some(Reverse(Scheduled { time, event, .. })) = self.events.pop() {
            self.now = f64::from_bits(time);
            if self.end < self.now {
                break;
            }
            match event {
                Event::Arrival => self.arrive(),
                Event::Parsed(job) => self.parsed(job),
                Event::Waited(lane) => self.start_round(lane),
                Event::Reached(round) => self.reached(round),
                Event::CpuDone(round) => self.cpu_done(round),
                Event::Synced(partition) => self.synced(partition),
                Event::Confirmed(round) => self.confirmed(round),
                Event::Sent(job) => self.sent(job),
                Event::Pause => self.primaries[0].is_paused = true,
                Event::Resume => {
                    self.primaries[0].is_paused = false;
                    self.start_cpu(0);
                    self.start_sync(0);
                }
            }
        }
    }

    fn after(&mut self, wait: f64, event: Event) {
        // A time is not negative, so that its bits are in its order.
        let time = (self.now + wait).to_bits();
        self.events.push(Reverse(Scheduled { time, number: self.next_event, event }));
        self.next_event += 1;
    }

    fn arrive(&mut self) {
        self.arrived += 1;
        let wait = self.random.exponential(1e6 / self.rate);
        self.after(wait, Event::Arrival);
        let is_hot = self.random.share() < self.settings.hot;
        let home =
            if self.random.share() < self.settings.skew { 0 } else { self.random.below(self.partitions) };
        let apart = self.settings.networks_apart != 0 && 1 < self.partitions;
        let kind = if apart { Kind::Charge } else { Kind::Request };
        let job = Job { arrived_at: self.now, node: self.random.below(self.nodes.len()), kind, home, is_hot };
        self.nodes[job.node].waiting.push_back(job);
        self.start_parsing(job.node);
    }

    fn start_parsing(&mut self, node: usize) {
        let servers = &mut self.nodes[node];
        if servers.free == 0 {
            return;
        }
        let Some(job) = servers.waiting.pop_front() else { return };
        servers.free -= 1;
        servers.busy_us += self.settings.node_us;
        self.after(self.settings.node_us, Event::Parsed(job));
    }

    fn parsed(&mut self, job: Job) {
        self.nodes[job.node].free += 1;
        self.enqueue(job);
        self.start_parsing(job.node);
    }

    fn enqueue(&mut self, job: Job) {
        let partition = match (job.kind, job.is_hot) {
            (Kind::Charge, true) => 0,
            (Kind::Charge, false) => self.random.below(self.partitions),
            (Kind::Request | Kind::Lease | Kind::Delivery, _) => job.home,
        };
        let is_request = matches!(job.kind, Kind::Charge | Kind::Request);
        let place = (job.node * self.partitions + partition) * LANES + job.kind.lane();
        let lane = &mut self.lanes[place];
        if is_request && self.settings.queue <= lane.waiting.len() {
            self.refused += 1;
            return;
        }
        lane.waiting.push_back(job);
        if is_request {
            self.longest_queue = self.longest_queue.max(lane.waiting.len());
        }
        self.start_round(place);
    }

    fn start_round(&mut self, place: usize) {
        let s = self.settings;
        let lane = &mut self.lanes[place];
        if lane.free == 0 || lane.waiting.is_empty() {
            return;
        }
        if lane.free < lane.width && lane.waiting.len() < s.beside {
            let since = *lane.waits_since.get_or_insert(self.now);
            let wait = since + s.beside_us - self.now;
            // Less is rounding.
            if 0.1 < wait {
                if since == self.now {
                    self.after(wait, Event::Waited(place));
                }
                return;
            }
        }
        lane.waits_since = None;
        let kind = lane.waiting[0].kind;
        let most = if kind == Kind::Lease { s.workers } else { s.round_size };
        let size = lane.waiting.len().min(most);
        let jobs: Vec<Job> = lane.waiting.drain(..size).collect();
        lane.free -= 1;
        lane.rounds += 1;
        lane.jobs += size as u64;
        let fixed = match kind {
            Kind::Charge | Kind::Request => s.round_us,
            Kind::Lease => s.lease_round_us,
            Kind::Delivery => s.delivery_round_us,
        };
        let cost = |job: &Job| match job.kind {
            Kind::Charge => s.charge_us,
            Kind::Request => s.row_us,
            Kind::Lease => s.lease_row_us,
            Kind::Delivery => s.delivery_row_us,
        };
        let apart = s.networks_apart != 0 && 1 < self.partitions;
        let charges = if apart { Kind::Charge } else { Kind::Request };
        let round = Round {
            lane: place,
            partition: place / LANES % self.partitions,
            cpu_us: fixed + jobs.iter().map(cost).sum::<f64>(),
            is_hot: jobs.iter().any(|job| job.is_hot && job.kind == charges),
            jobs,
            began_at: self.now,
            has_saved: false,
        };
        self.rounds.insert(self.next_round, round);
        self.after(s.trip_us / 2.0, Event::Reached(self.next_round));
        self.next_round += 1;
    }

    fn reached(&mut self, number: usize) {
        let round = &self.rounds[&number];
        let (partition, must_lock) = (round.partition, round.is_hot && !round.has_saved);
        let primary = &mut self.primaries[partition];
        if must_lock && primary.hot_row_held.is_some() {
            primary.waiting_for_row.push_back(number);
            return;
        }
        if must_lock {
            primary.hot_row_held = Some(self.now);
        }
        primary.cpu.waiting.push_back(number);
        self.start_cpu(partition);
    }

    fn start_cpu(&mut self, partition: usize) {
        loop {
            let primary = &mut self.primaries[partition];
            if primary.cpu.free == 0 || primary.is_paused {
                return;
            }
            let Some(number) = primary.cpu.waiting.pop_front() else { return };
            let half = self.rounds[&number].cpu_us / 2.0;
            primary.cpu.free -= 1;
            primary.cpu.busy_us += half;
            self.after(half, Event::CpuDone(number));
        }
    }

    fn cpu_done(&mut self, number: usize) {
        let round = self.rounds.get_mut(&number).expect("a round lives until it is confirmed");
        let partition = round.partition;
        self.primaries[partition].cpu.free += 1;
        if round.has_saved {
            self.primaries[partition].waiting_for_log.push(number);
            self.start_sync(partition);
        } else {
            round.has_saved = true;
            self.after(self.settings.trip_us, Event::Reached(number));
        }
        self.start_cpu(partition);
    }

    fn start_sync(&mut self, partition: usize) {
        let primary = &mut self.primaries[partition];
        if primary.is_syncing || primary.is_paused || primary.waiting_for_log.is_empty() {
            return;
        }
        primary.is_syncing = true;
        primary.in_sync = take(&mut primary.waiting_for_log);
        let duration = self.random.with_tail(self.settings.sync_us);
        primary.log_us += duration;
        self.after(duration, Event::Synced(partition));
    }

    fn synced(&mut self, partition: usize) {
        let primary = &mut self.primaries[partition];
        primary.is_syncing = false;
        // The replica confirms a stretch of the log, so all commits in it at once.
        let replica = self.random.with_tail(self.settings.replica_us);
        for round in take(&mut primary.in_sync) {
            self.after(replica, Event::Confirmed(round));
        }
        self.start_sync(partition);
    }

    fn confirmed(&mut self, number: usize) {
        let round = self.rounds.remove(&number).expect("a round is confirmed once");
        if round.is_hot {
            let primary = &mut self.primaries[round.partition];
            primary.hot_row_us += self.now - primary.hot_row_held.take().expect("a hot round holds the row");
            if let Some(next) = primary.waiting_for_row.pop_front() {
                primary.hot_row_held = Some(self.now);
                primary.cpu.waiting.push_back(next);
                self.start_cpu(round.partition);
            }
        }
        let answered_at = self.now + self.settings.trip_us / 2.0;
        for job in round.jobs {
            match job.kind {
                Kind::Charge => self.enqueue(Job { kind: Kind::Request, ..job }),
                Kind::Request => {
                    self.answered += 1;
                    if self.end * 0.2 <= job.arrived_at {
                        self.latencies.push(answered_at - job.arrived_at);
                    }
                    self.enqueue(Job { kind: Kind::Lease, ..job });
                }
                Kind::Lease => {
                    self.workers[job.node].waiting.push_back(job);
                    self.start_sending(job.node);
                }
                Kind::Delivery => self.recorded += 1,
            }
        }
        let lane = &mut self.lanes[round.lane];
        lane.free += 1;
        lane.busy_us += answered_at - round.began_at;
        self.start_round(round.lane);
    }

    fn start_sending(&mut self, node: usize) {
        let workers = &mut self.workers[node];
        if workers.free == 0 {
            return;
        }
        let Some(job) = workers.waiting.pop_front() else { return };
        workers.free -= 1;
        let duration = self.random.exponential(self.settings.send_ms * 1e3);
        self.workers[node].busy_us += duration;
        self.after(duration, Event::Sent(job));
    }

    fn sent(&mut self, job: Job) {
        self.workers[job.node].free += 1;
        self.enqueue(Job { kind: Kind::Delivery, ..job });
        self.start_sending(job.node);
    }

    fn figures(mut self) -> Figures {
        self.latencies.sort_by(f64::total_cmp);
        let latency = |share: f64| {
            let place = (self.latencies.len() as f64 * share) as usize;
            self.latencies.get(place).map_or(f64::INFINITY, |us| us / 1e3)
        };
        let busiest = |shares: &mut dyn Iterator<Item = f64>| shares.fold(0.0, f64::max).min(1.0);
        let now = self.end;
        let requests: u64 = self.lanes.iter().step_by(LANES).map(|lane| lane.jobs).sum();
        let rounds: u64 = self.lanes.iter().step_by(LANES).map(|lane| lane.rounds).sum();
        let load = |lane: &Lane| lane.load(now, self.settings.round_size);
        let cores = self.settings.primary_cores as f64;
        Figures {
            arrived_per_second: self.arrived as f64 / self.settings.seconds,
            answered_per_second: self.answered as f64 / self.settings.seconds,
            recorded_per_second: self.recorded as f64 / self.settings.seconds,
            p50_ms: latency(0.50),
            p99_ms: latency(0.99),
            requests_a_round: requests as f64 / (rounds as f64).max(1.0),
            longest_queue: self.longest_queue,
            refused: self.refused,
            node_cpu: busiest(
                &mut self.nodes.iter().map(|node| node.busy_us / now / self.settings.node_cores as f64),
            ),
            primary_cpu: busiest(&mut self.primaries.iter().map(|primary| primary.cpu.busy_us / now / cores)),
            log: busiest(&mut self.primaries.iter().map(|primary| primary.log_us / now)),
            workers: busiest(
                &mut self.workers.iter().map(|workers| workers.busy_us / now / self.settings.workers as f64),
            ),
            request_rounds: busiest(&mut self.lanes.iter().step_by(LANES).map(load)),
            delivery_rounds: busiest(&mut self.lanes.iter().skip(2).step_by(LANES).map(load)),
            hot_row: busiest(&mut self.primaries.iter().map(|primary| {
                (primary.hot_row_us + primary.hot_row_held.map_or(0.0, |since| now - since)) / now
            })),
        }
    }
}
