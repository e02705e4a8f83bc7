//! Other servers on loopback, the name service that leads to them, and the time.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use countersign_core::{Clock, IdServer, ServerName, Timestamp};
use countersign_delivery::{
    Dns, Federation, GuardSettings, PeerError,
    dns::{DnsError, Service},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::{certificate::TestCa, request::read_request};

/// Limit for answers in tests.
pub(crate) const MAX_ANSWER_BYTES: usize = 2000;

/// What all failures look like.
pub(crate) const UNREACHABLE: PeerError = PeerError::Unreachable("the other server can't be reached");

/// All that is outside.
pub(crate) struct World {
    pub(crate) ca: TestCa,
    pub(crate) dns: Arc<TestDns>,
    pub(crate) clock: Arc<TestClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { ca: TestCa::new(), dns: Arc::default(), clock: Arc::default() }
    }

    /// Starts a server that has a certificate for `host` and one answer for everything.
    pub(crate) async fn server(&self, host: &str, answer: impl Into<String>) -> TestServer {
        let answer = answer.into();
        self.server_with(host, move |_| Reply::Say(answer.clone())).await
    }

    /// Starts a server that has a certificate for `host` and answers what it likes.
    pub(crate) async fn server_with(
        &self,
        host: &str,
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> TestServer {
        TestServer::start("127.0.0.1:0", self.ca.acceptor(host), reply).await
    }

    pub(crate) fn federation(&self, allow_networks: &[&str]) -> Federation {
        self.patient_federation(allow_networks, Duration::from_secs(20))
    }

    pub(crate) fn patient_federation(&self, allow_networks: &[&str], timeout: Duration) -> Federation {
        let settings = GuardSettings {
            allow_networks: allow_networks.iter().map(|network| network.parse().unwrap()).collect(),
            ca_pem: Some(self.ca.pem.clone()),
            timeout,
            max_answer_bytes: MAX_ANSWER_BYTES,
        };
        Federation::new(&settings, self.dns.clone(), self.clock.clone()).unwrap()
    }
}

pub(crate) fn name(text: &str) -> ServerName {
    ServerName::parse(text).unwrap()
}

pub(crate) fn id_server(text: &str) -> IdServer {
    IdServer::parse(text).unwrap()
}

/// An HTTP answer in full.
pub(crate) fn http(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

/// What a server does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    Say(String),
    /// Says this, and then this again and again.
    Endless(String, String),
    /// Says this, then nothing more, and keeps the connection open.
    Stall(&'static str),
}

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    connections: usize,
    requests: Vec<String>,
}

impl TestServer {
    pub(crate) async fn start(
        bind: &str,
        acceptor: TlsAcceptor,
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(bind).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, reply) = (Arc::<Mutex<Heard>>::default(), Arc::new(reply));
        let kept = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                kept.lock().unwrap().connections += 1;
                let (acceptor, kept, reply) = (acceptor.clone(), Arc::clone(&kept), Arc::clone(&reply));
                tokio::spawn(async move {
                    let mut tls = acceptor.accept(tcp).await.ok()?;
                    let request = read_request(&mut tls).await?;
                    let reply = reply(&request);
                    kept.lock().unwrap().requests.push(request);
                    speak(&mut tls, reply).await
                });
            }
        });
        Self { address, heard }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn connections(&self) -> usize {
        self.heard.lock().unwrap().connections
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.heard.lock().unwrap().requests.clone()
    }

    /// The first lines of all requests, without the version.
    pub(crate) fn request_lines(&self) -> Vec<String> {
        let line =
            |request: &String| request.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        self.requests().iter().map(line).collect()
    }
}

async fn speak(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), reply: Reply) -> Option<()> {
    match reply {
        Reply::Say(answer) => {
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.shutdown().await.ok()
        }
        Reply::Endless(first, then) => {
            stream.write_all(first.as_bytes()).await.ok()?;
            loop {
                stream.write_all(then.as_bytes()).await.ok()?;
                stream.flush().await.ok()?;
            }
        }
        Reply::Stall(first) => {
            stream.write_all(first.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            // Ends when the client gives up.
            stream.read_u8().await.ok()?;
            None
        }
    }
}

/// A header of a request.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

type Answers = VecDeque<Vec<SocketAddr>>;

/// Names that lead where a test says. Of several answers for one name each is given once, and the last again.
#[derive(Default)]
pub(crate) struct TestDns {
    addresses: Mutex<HashMap<(String, u16), Answers>>,
    services: Mutex<HashMap<String, Vec<Service>>>,
    asked: Mutex<Vec<String>>,
}

impl TestDns {
    /// The answers to the first look-up of a host's port, to the second, and so on. They may lead to another port.
    pub(crate) fn host(&self, host: &str, port: u16, answers: &[&[SocketAddr]]) {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        self.addresses.lock().unwrap().insert((host.to_owned(), port), answers);
    }

    pub(crate) fn service(&self, name: &str, target: &str, port: u16) {
        let service = Service { priority: 0, weight: 0, target: target.to_owned(), port };
        self.services.lock().unwrap().entry(name.to_owned()).or_default().push(service);
    }

    /// All names that were looked up.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl Dns for TestDns {
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DnsError> {
        self.asked.lock().unwrap().push(format!("{host}:{port}"));
        let mut addresses = self.addresses.lock().unwrap();
        let Some(answers) = addresses.get_mut(&(host.to_owned(), port)) else { return Ok(Vec::new()) };
        Ok(if 1 < answers.len() { answers.pop_front().unwrap() } else { answers[0].clone() })
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, DnsError> {
        self.asked.lock().unwrap().push(name.to_owned());
        if name.contains("broken") {
            return Err(DnsError::new("SERVFAIL"));
        }
        Ok(self.services.lock().unwrap().get(name).cloned().unwrap_or_default())
    }
}

/// A clock that stands until it is set.
pub(crate) struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(1_700_000_000_000))
    }
}

impl TestClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}
