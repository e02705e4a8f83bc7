//! Makes load: requests over many connections that are kept alive, each sent when the one before is answered.
//!
//! Light, since it shares the machine with the server: one thread, requests written by hand, answers only searched for
//! what is checked. Every answer is checked; the first wrong one ends the run.

use std::{
    collections::HashSet,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// The endpoint under load.
pub(crate) const PATH: &str = "/_api/client/v3/account/3pid/email/requestToken";

/// How many connections ask at once.
const CONNECTIONS: usize = 64;

/// Numbers everything that was ever requested, so that nothing is requested twice by accident.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What is requested.
#[derive(Clone)]
pub(crate) enum Requests {
    /// A new address and a new client secret from a new network each; sids must differ.
    Fresh,
    /// The same, but all answers are the same too.
    Constant,
    /// What was requested before: the answer must be the same.
    Repeated(Arc<Vec<Opened>>),
    /// Whole requests, written before, one after the other and over again. The answers must be successes.
    Written(Arc<Vec<Vec<u8>>>),
}

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After that time.
    Elapsed(Duration),
    /// After that many requests.
    Count(u64),
}

/// A session, by the number of its request.
pub(crate) struct Opened {
    number: u64,
    sid: String,
}

/// What came of a load.
pub(crate) struct Answers {
    pub(crate) opened: Vec<Opened>,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Histogram<u64>,
}

impl Answers {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.latencies.len()
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Puts servers under load, all alike, then checks the answers against each other.
pub(crate) fn run(ports: &[u16], requests: &Requests, until: Until) -> Result<Answers> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answers = runtime.block_on(load(ports, requests, until))?;
    if matches!(requests, Requests::Fresh) {
        let sids: HashSet<&str> = answers.opened.iter().map(|opened| opened.sid.as_str()).collect();
        ensure!(sids.len() == answers.opened.len(), "two fresh requests were answered with one sid");
    }
    Ok(answers)
}

async fn load(ports: &[u16], requests: &Requests, until: Until) -> Result<Answers> {
    let mut connections = Vec::new();
    for &port in ports.iter().cycle().take(CONNECTIONS) {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        connections.push(Connection { stream, port, request: Vec::new(), answer: Vec::new() });
    }
    let began = Instant::now();
    let left = Arc::new(AtomicU64::new(match until {
        Until::Elapsed(_) => u64::MAX,
        Until::Count(count) => count,
    }));
    let ends = match until {
        Until::Elapsed(duration) => Some(began + duration),
        Until::Count(_) => None,
    };
    let mut running = JoinSet::new();
    for connection in connections {
        running.spawn(connection.run(requests.clone(), left.clone(), ends));
    }
    let mut answers = Answers { opened: Vec::new(), elapsed: Duration::ZERO, latencies: histogram()? };
    while let Some(finished) = running.join_next().await {
        let (opened, latencies) = finished??;
        answers.opened.extend(opened);
        answers.latencies.add(latencies)?;
    }
    answers.elapsed = began.elapsed();
    Ok(answers)
}

/// Of latencies in microseconds, to three digits.
fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new(3)?)
}

struct Connection {
    stream: TcpStream,
    port: u16,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    async fn run(
        mut self,
        requests: Requests,
        left: Arc<AtomicU64>,
        ends: Option<Instant>,
    ) -> Result<(Vec<Opened>, Histogram<u64>)> {
        let mut opened = Vec::new();
        let mut latencies = histogram()?;
        while ends.is_none_or(|ends| Instant::now() < ends)
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            let turn = NEXT.fetch_add(1, Ordering::Relaxed);
            let (number, request) = match &requests {
                Requests::Fresh | Requests::Constant => (turn, None),
                Requests::Repeated(opened) => (opened[turn as usize % opened.len()].number, None),
                Requests::Written(written) => (turn, Some(&written[turn as usize % written.len()])),
            };
            if request.is_none() {
                self.write_request(number, turn)?;
            }
            let sent = Instant::now();
            self.stream.write_all(request.unwrap_or(&self.request)).await?;
            let answer = self.read_answer().await?;
            latencies.record(u64::try_from(sent.elapsed().as_micros())?)?;
            match &requests {
                Requests::Fresh | Requests::Constant => {
                    opened.push(Opened { number, sid: sid_in(answer)?.to_owned() });
                }
                Requests::Repeated(opened) => {
                    let same = opened[turn as usize % opened.len()].sid == sid_in(answer)?;
                    ensure!(same, "a repeated request was answered with another sid");
                }
                Requests::Written(_) => {}
            }
        }
        Ok((opened, latencies))
    }

    /// Writes the request of that number, as if a proxy passed it on from a network of its own.
    fn write_request(&mut self, number: u64, network: u64) -> Result<()> {
        let Self { port, request, .. } = self;
        let [.., a, b, c] = network.to_be_bytes();
        let body = format!(
            r#"{{"client_secret":"secret-{number:012}","email":"someone{number:012}@example.org","send_attempt":1}}"#
        );
        request.clear();
        write!(
            request,
            "POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Forwarded-For: 11.{a}.{b}.{c}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        Ok(())
    }

    /// Reads an answer to its end, and answers its body. It must be a success.
    async fn read_answer(&mut self) -> Result<&str> {
        self.answer.clear();
        let (head_length, length) = loop {
            ensure!(self.stream.read_buf(&mut self.answer).await? != 0, "the server hung up");
            if let Some(end) = find(&self.answer, b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.answer[..end])?;
                break (end + 4, end + 4 + content_length(head)?);
            }
        };
        while self.answer.len() < length {
            ensure!(self.stream.read_buf(&mut self.answer).await? != 0, "the server hung up");
        }
        let answer = std::str::from_utf8(&self.answer)?;
        if !answer.starts_with("HTTP/1.1 200 ") || self.answer.len() != length {
            bail!("the server answered: {answer}");
        }
        Ok(&answer[head_length..])
    }
}

/// The `sid` in a body.
fn sid_in(body: &str) -> Result<&str> {
    let sid = body.split_once(r#""sid":""#).and_then(|(_, rest)| rest.split_once('"'));
    sid.map(|(sid, _)| sid).with_context(|| format!("no sid in: {body}"))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn content_length(head: &str) -> Result<usize> {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    Ok(value.context("an answer without content-length")?.parse()?)
}
