//! What goes into the simulation, and where each number comes from.

/// Every number can be set by a flag of its name. Times are in microseconds unless the name says otherwise.
pub(crate) struct Settings {
    pub(crate) nodes: Option<usize>,
    pub(crate) partitions: Option<usize>,
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    pub(crate) node_cores: usize,
    pub(crate) node_us: f64,
    pub(crate) primary_cores: usize,
    pub(crate) round_us: f64,
    pub(crate) row_us: f64,
    pub(crate) lease_round_us: f64,
    pub(crate) lease_row_us: f64,
    pub(crate) delivery_round_us: f64,
    pub(crate) delivery_row_us: f64,
    pub(crate) charge_us: f64,
    pub(crate) trip_us: f64,
    pub(crate) sync_us: f64,
    pub(crate) replica_us: f64,
    pub(crate) rounds: usize,
    pub(crate) round_size: usize,
    pub(crate) beside: usize,
    pub(crate) beside_us: f64,
    pub(crate) queue: usize,
    pub(crate) connections_per_node: usize,
    pub(crate) max_connections: usize,
    pub(crate) hot: f64,
    pub(crate) skew: f64,
    pub(crate) networks_apart: usize,
    pub(crate) workers: usize,
    pub(crate) send_ms: f64,
    pub(crate) pause_at: f64,
    pub(crate) pause_seconds: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodes: None,
            partitions: None,
            rate: 10_000.0,
            seconds: 4.0,
            node_cores: 4,
            node_us: 100.0,
            primary_cores: 8,
            round_us: 1_600.0,
            row_us: 133.0,
            lease_round_us: 150.0,
            lease_row_us: 45.0,
            delivery_round_us: 350.0,
            delivery_row_us: 30.0,
            charge_us: 20.0,
            trip_us: 300.0,
            sync_us: 1_000.0,
            replica_us: 1_500.0,
            rounds: 2,
            round_size: 256,
            beside: 32,
            beside_us: 5_000.0,
            queue: 4_096,
            connections_per_node: 12,
            max_connections: 200,
            hot: 0.0,
            skew: 0.0,
            networks_apart: 0,
            workers: 16,
            send_ms: 20.0,
            pause_at: 0.0,
            pause_seconds: 0.0,
        }
    }
}

const HELP: &str = "\
--nodes N --partitions N   only this one (default: a sweep)
--rate 10000               requests a second, evenly over the nodes, independent of each other
--seconds 4                simulated time; the first fifth is not counted in latencies

measured (benches/postgres/run), as fitted lines:
--round-us 1600 --row-us 133            CPU of a primary for a round of requests, and for each request in it
--lease-round-us 150 --lease-row-us 45  the same for leasing messages
--delivery-round-us 350 --delivery-row-us 30   the same for recording what became of them

how the program works:
--rounds 2                 rounds of requests that a node has under way at a primary
--round-size 256           requests in a round at most
--beside 32 --beside-us 5000   requests for which a round begins beside another, and how long fewer wait
--queue 4096               requests that wait in a node for a primary; beyond, 503
--connections-per-node 12
--workers 16               messages that a node has under way (outbox.email_workers)

assumed:
--node-cores 4 --node-us 100        a node's cores, and its CPU for a request and its message
--primary-cores 8                   a primary's cores
--trip-us 300                       node to primary and back
--sync-us 1000 --replica-us 1500    a sync of the log, and the wait for the replica's; 1 in 100 takes ten times as long
--max-connections 200               what a primary admits
--hot 0.0                           share of requests that charge one and the same budget: one busy network
--skew 0.0                          share of requests that goes to one partition, before the rest is spread
--networks-apart 0                  1: a network's budget is on a partition of its own and charged in a round before
--charge-us 20                      CPU of a primary for such a charge
--send-ms 20                        how long the mail server takes
--pause-at 2 --pause-seconds 0      a failover of one partition: when, and how long";

impl Settings {
    /// Reads flags.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut settings = Self::default();
        while let Some(flag) = arguments.next() {
            if flag == "--help" {
                return Err(HELP.to_owned());
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            settings.set(&flag, &value).ok_or_else(|| format!("{flag} {value} makes no sense\n\n{HELP}"))?;
        }
        Ok(settings)
    }

    fn set(&mut self, flag: &str, value: &str) -> Option<()> {
        let number = value.parse::<f64>().ok().filter(|number| 0.0 <= *number)?;
        let count = value.parse::<usize>();
        match flag {
            "--nodes" => self.nodes = Some(count.ok().filter(|count| 0 < *count)?),
            "--partitions" => self.partitions = Some(count.ok().filter(|count| 0 < *count)?),
            "--node-cores" => self.node_cores = count.ok()?.max(1),
            "--primary-cores" => self.primary_cores = count.ok()?.max(1),
            "--rounds" => self.rounds = count.ok()?.max(1),
            "--round-size" => self.round_size = count.ok()?.max(1),
            "--beside" => self.beside = count.ok()?,
            "--workers" => self.workers = count.ok()?.max(1),
            "--queue" => self.queue = count.ok()?,
            "--connections-per-node" => self.connections_per_node = count.ok()?,
            "--max-connections" => self.max_connections = count.ok()?,
            "--networks-apart" => self.networks_apart = count.ok()?,
            "--rate" => self.rate = number,
            "--seconds" => self.seconds = number,
            "--node-us" => self.node_us = number,
            "--round-us" => self.round_us = number,
            "--row-us" => self.row_us = number,
            "--lease-round-us" => self.lease_round_us = number,
            "--lease-row-us" => self.lease_row_us = number,
            "--delivery-round-us" => self.delivery_round_us = number,
            "--delivery-row-us" => self.delivery_row_us = number,
            "--charge-us" => self.charge_us = number,
            "--trip-us" => self.trip_us = number,
            "--sync-us" => self.sync_us = number,
            "--replica-us" => self.replica_us = number,
            "--beside-us" => self.beside_us = number,
            "--hot" => self.hot = number,
            "--skew" => self.skew = number,
            "--send-ms" => self.send_ms = number,
            "--pause-at" => self.pause_at = number,
            "--pause-seconds" => self.pause_seconds = number,
            _ => return None,
        }
        Some(())
    }
}
