//! A server process: its folder on disk, its configuration, and what it costs.

use std::{
    env, fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    slice,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use countersign_core::MasterKeys;
use countersign_service::SystemRandom;

use crate::{
    figures::{self, Figures, Memory},
    generator::{self, Answers, Requests, Until},
};

/// The longest wait for a first answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two tries to reach a server that starts.
const STEP: Duration = Duration::from_micros(200);

/// A folder below the build's, thus on a disk and not in memory; removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("bench-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What runs.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    /// `countersign serve`.
    Countersign,
    /// The constant answer.
    Floor,
    /// A node whose workers do not run.
    Paused,
}

/// How it runs.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) program: Program,
    pub(crate) database: Database<'a>,
    pub(crate) limits: Limits,
    /// Where mail goes.
    pub(crate) smtp_port: u16,
    /// A library loaded first.
    pub(crate) preload: Option<&'a Path>,
}

/// Where its data is.
#[derive(Clone, Copy)]
pub(crate) enum Database<'a> {
    /// In its folder.
    Sqlite,
    /// There.
    Postgres(&'a str),
}

/// Whether limits are in force.
#[derive(Clone, Copy)]
pub(crate) enum Limits {
    On,
    Off,
}

/// A server process. Dropping it kills it.
pub(crate) struct Node {
    child: Child,
    port: u16,
    /// From before the process began to its first answer.
    pub(crate) started_in: Duration,
}

impl Node {
    /// Starts a server and waits for its first answer.
    pub(crate) fn start(folder: &Folder, setup: Setup<'_>) -> Result<Self> {
        let [port, operator_port] = free_ports()?;
        let config = write_config(folder.path(), &setup, port, operator_port)?;
        let mut command = match setup.program {
            Program::Countersign => Command::new(env!("CARGO_BIN_EXE_countersign")),
            Program::Floor | Program::Paused => Command::new(env::current_exe()?),
        };
        match setup.program {
            Program::Countersign => command.args(["serve", "--config"]),
            Program::Floor => command.arg("serve-floor"),
            Program::Paused => command.arg("serve-paused"),
        };
        if let Some(library) = setup.preload {
            command.env("LD_PRELOAD", library);
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.path().join("log"))?;
        let began = Instant::now();
        let child = command.arg(config).stdout(Stdio::null()).stderr(log).spawn()?;
        let mut node = Self { child, port, started_in: Duration::ZERO };
        node.started_in = node.wait_until_live(operator_port, began).with_context(|| {
            let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            format!("the server did not start: {log}")
        })?;
        Ok(node)
    }

    /// What its memory is.
    pub(crate) fn memory(&self) -> Result<Memory> {
        figures::memory(self.child.id())
    }

    /// The CPU time that it took so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        figures::cpu_time(self.child.id())
    }

    /// Puts it under load.
    pub(crate) fn load(&self, requests: &Requests, until: Until) -> Result<Answers> {
        load(slice::from_ref(self), requests, until)
    }

    /// Puts it under load and says what that cost.
    pub(crate) fn measure(&self, requests: &Requests, duration: Duration) -> Result<Figures> {
        measure(slice::from_ref(self), requests, duration)
    }

    fn wait_until_live(&mut self, operator_port: u16, began: Instant) -> Result<Duration> {
        loop {
            ensure!(self.child.try_wait()?.is_none(), "it ended");
            ensure!(began.elapsed() < PATIENCE, "it does not listen");
            match TcpStream::connect(("127.0.0.1", operator_port)) {
                Ok(mut stream) => {
                    stream.write_all(
                        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                    )?;
                    let mut answer = String::new();
                    stream.read_to_string(&mut answer)?;
                    ensure!(answer.starts_with("HTTP/1.1 200 "), "it answered: {answer}");
                    return Ok(began.elapsed());
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => thread::sleep(STEP),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts nodes under load, all alike.
pub(crate) fn load(nodes: &[Node], requests: &Requests, until: Until) -> Result<Answers> {
    let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();
    generator::run(&ports, requests, until)
}

/// Puts nodes under load, all alike, and says what that cost them together.
pub(crate) fn measure(nodes: &[Node], requests: &Requests, duration: Duration) -> Result<Figures> {
    let cpu_time = || nodes.iter().map(Node::cpu_time).sum::<Result<Duration>>();
    let before = cpu_time()?;
    let answers = load(nodes, requests, Until::Elapsed(duration))?;
    let cpu = cpu_time()? - before;
    Ok(Figures {
        requests: answers.count(),
        cpu_us: cpu.as_secs_f64() * 1e6 / answers.count() as f64,
        rate: answers.rate(),
        p50_us: answers.latencies.value_at_quantile(0.5) as f64,
        p99_us: answers.latencies.value_at_quantile(0.99) as f64,
    })
}

/// Two ports that nobody listens on. Both are held until both are known, or they might be one.
pub(crate) fn free_ports() -> Result<[u16; 2]> {
    let bind = || TcpListener::bind(("127.0.0.1", 0));
    let (one, other) = (bind()?, bind()?);
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

fn write_config(folder: &Path, setup: &Setup<'_>, port: u16, operator_port: u16) -> Result<PathBuf> {
    let key = folder.join("master.key");
    if !key.exists() {
        fs::write(&key, MasterKeys::generate(&SystemRandom))?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    }
    let limits = match setup.limits {
        Limits::On => "true",
        Limits::Off => "false",
    };
    let url = match setup.database {
        Database::Sqlite => format!("sqlite://{}/countersign.db", folder.display()),
        Database::Postgres(url) => url.to_owned(),
    };
    let text = format!(
        r#"
[server]
name = "example.org"
public_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
operator_listen = "127.0.0.1:{operator_port}"
[storage]
url = "{url}"
[keys]
master_key_file = "{folder}/master.key"
[email]
from = "Example <no-reply@example.org>"
[email.smtp]
port = {smtp_port}
[limits]
enabled = {limits}
[identity]
enabled = true
"#,
        folder = folder.display(),
        smtp_port = setup.smtp_port,
    );
    // Nodes may share a folder.
    let path = folder.join(format!("config-{port}.toml"));
    fs::write(&path, text)?;
    Ok(path)
}
