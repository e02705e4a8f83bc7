//! A PostgreSQL server of the test's own, to be stopped, demoted, promoted and given a bad disk.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::process::{PATIENCE, signal, until};

/// What every server is started with: small, and not safe from a power cut.
const SETTINGS: [&str; 4] = ["listen_addresses=", "shared_buffers=32MB", "fsync=off", "max_wal_senders=4"];

/// The database of the nodes.
const DATABASE: &str = "countersign";

/// A server. Dropping it ends it, as does the end of the test by whatever cause.
pub(super) struct Server {
    folder: TempDir,
    settings: Vec<String>,
    environment: Vec<String>,
    port: u16,
    process: Option<Child>,
}

/// How a server is stopped.
#[derive(Clone, Copy)]
pub(super) enum Stop {
    /// Transactions are rolled back, connections ended.
    Fast,
    /// As a power cut would.
    Immediate,
}

impl Server {
    /// Makes a server with an empty database for the nodes, and starts it with these settings besides.
    pub(super) async fn start(settings: &[&str]) -> Self {
        Self::start_in(folder(), settings, &[]).await
    }

    /// The same in a folder and an environment, each entry of it `NAME=value`.
    pub(super) async fn start_in(folder: TempDir, settings: &[&str], environment: &[String]) -> Self {
        let mut server = Self::new(folder, settings, environment);
        server.initialize().await;
        server
    }

    /// The same with TLS at a port, by `server.crt` and `server.key` in its folder.
    pub(super) async fn start_with_tls(folder: TempDir, port: u16) -> Self {
        let file = |name| folder.path().join(name).display().to_string();
        let settings = [
            "ssl=on".to_owned(),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("ssl_cert_file={}", file("server.crt")),
            format!("ssl_key_file={}", file("server.key")),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let mut server = Self::new(folder, &settings, &[]);
        server.port = port;
        server.initialize().await;
        server
    }

    async fn initialize(&mut self) {
        let data = self.data();
        let initdb = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"];
        succeeded(as_owner(&program("initdb")).args(initdb).arg(data).current_dir(self.path()).output());
        self.resume().await;
        self.sql_in("postgres", &format!("create database {DATABASE}"));
    }

    /// Makes a replica of a server, which waits for it from now on before it answers a commit.
    pub(super) async fn start_synchronous_replica(primary: &Self) -> Self {
        let mut replica = Self::new(folder(), &["cluster_name=replica"], &[]);
        let options = ["-U", "postgres", "-X", "stream", "-c", "fast", "--no-sync", "-R", "-h"];
        let mut backup = as_owner(&program("pg_basebackup"));
        backup.args(options).arg(primary.path()).arg("-D").arg(replica.data()).current_dir(replica.path());
        succeeded(backup.output());
        replica.resume().await;
        primary.sql("alter system set synchronous_standby_names = 'replica'");
        primary.sql("select pg_reload_conf()");
        until("the replica is synchronous", async || {
            primary.sql("select sync_state from pg_stat_replication") == "sync"
        })
        .await;
        replica
    }

    fn new(folder: TempDir, settings: &[&str], environment: &[String]) -> Self {
        let settings = SETTINGS.iter().chain(settings).map(|setting| (*setting).to_owned()).collect();
        Self { folder, settings, environment: environment.to_vec(), port: 5432, process: None }
    }

    /// Starts it again and waits until it answers.
    pub(super) async fn resume(&mut self) {
        let mut command = as_owner(Path::new("env"));
        command.args(&self.environment).arg(program("postgres")).arg("-D").arg(self.data());
        command.arg("-k").arg(self.path()).current_dir(self.path());
        for setting in &self.settings {
            command.arg("-c").arg(setting);
        }
        let log = File::options().create(true).append(true).open(self.log()).expect("writable");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("PostgreSQL starts"));
        until("the server answers", async || {
            self.psql("postgres", "select 1").output().is_ok_and(|output| output.status.success())
        })
        .await;
    }

    /// Stops it and waits until it is gone.
    pub(super) async fn stop(&mut self, how: Stop) {
        let mut process = self.process.take().expect("it runs");
        let name = match how {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        assert!(signal(process.id(), name), "SIG{name} was not sent");
        until("the server is gone", async || process.try_wait().expect("a child").is_some()).await;
    }

    /// Lets it be a replica, which only reads, when it is started again.
    pub(super) fn demote(&self) {
        let signal = self.data().join("standby.signal");
        fs::write(&signal, "").expect("writable");
        give_to_owner(&signal);
    }

    /// Makes a replica the primary.
    pub(super) fn promote(&self) {
        assert_eq!(self.sql_in("postgres", "select pg_promote()"), "t");
    }

    /// Its folder, where its socket is as well.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The nodes' database.
    pub(super) fn url(&self) -> String {
        format!("postgres:///{DATABASE}?host={}&user=postgres", self.path().display())
    }

    /// Runs SQL in the nodes' database.
    pub(super) fn sql(&self, sql: &str) -> String {
        self.sql_in(DATABASE, sql)
    }

    fn sql_in(&self, database: &str, sql: &str) -> String {
        let output = succeeded(self.psql(database, sql).output());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// What holds a connection as this user until it is dropped.
    pub(super) fn hog(&self, user: &str) -> Hog {
        let mut command = self.psql(DATABASE, "select pg_sleep(600)");
        command.env("PGUSER", user).env("PGAPPNAME", "hog").stdin(Stdio::null()).stderr(Stdio::null());
        Hog(command.stdout(Stdio::null()).spawn().expect("psql starts"))
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut command = Command::new(program("psql"));
        command.arg("-h").arg(self.path()).arg("-p").arg(self.port.to_string());
        command.args(["-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql]).env("PGUSER", "postgres");
        command
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.path().join("log")
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "where a test that fails says what it knows")]
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if thread::panicking() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            eprintln!("{}:\n{log}", self.log().display());
        }
        // Killed, it would leave shared memory behind.
        signal(process.id(), "QUIT");
        let deadline = Instant::now() + PATIENCE;
        while process.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// A connection that is held.
pub(super) struct Hog(Child);

impl Hog {
    /// Whether it got one, or still tries to.
    pub(super) fn is_held(&mut self) -> bool {
        self.0.try_wait().expect("a child").is_none()
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder for a server.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("ours");
    give_to_owner(folder.path());
    folder
}

/// A command as a user that such programs accept to be, which ends when this thread does.
pub(super) fn as_owner(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
    command
}

/// Makes a file or folder the property of that user.
pub(super) fn give_to_owner(path: &Path) {
    if is_root() {
        succeeded(Command::new("chown").arg("postgres:").arg(path).output());
    }
}

fn is_root() -> bool {
    let output = succeeded(Command::new("id").arg("-u").output());
    output.stdout.trim_ascii() == b"0"
}

/// A program of the newest PostgreSQL that Debian has here, or of that on the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).filter(|path| path.join("bin").join(name).exists());
    newest.max_by_key(|path| number(path)).map_or_else(|| name.into(), |path| path.join("bin").join(name))
}

/// What a command printed, if it did its work.
pub(super) fn succeeded(output: std::io::Result<Output>) -> Output {
    let output = output.expect("the program is there; scripts/test installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}
