//! A PostgreSQL server for the run: below the build's folder, as SQLite's files are, and as durable as an operator's.

use std::{
    env, fs,
    io::Write as _,
    os::unix::{
        fs::{MetadataExt as _, OpenOptionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use countersign_core::Random;
use countersign_service::SystemRandom;

use crate::{figures, node};

/// The longest wait for a server to accept connections, or for a replica to follow.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const STEP: Duration = Duration::from_millis(20);

/// What differs from the defaults; those that make a commit durable are said again, so that nobody has to wonder.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = '512MB'
max_wal_size = '4GB'
fsync = on
synchronous_commit = on
full_page_writes = on
";

/// An installed PostgreSQL, and the user to run it as.
pub(crate) struct Programs {
    folder: PathBuf,
    /// Root may not run it: then the user `postgres` does.
    owner: Option<(u32, u32)>,
}

impl Programs {
    /// The newest that Debian has here, or what is on the path; `None` if there is none.
    pub(crate) fn find() -> Result<Option<Self>> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let newest = versions.filter_map(|entry| {
            let version: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let folder = PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
            folder.join("initdb").is_file().then_some((version, folder))
        });
        let on_path =
            || env::split_paths(&env::var_os("PATH")?).find(|folder| folder.join("initdb").is_file());
        let Some(folder) = newest.max().map(|(_, folder)| folder).or_else(on_path) else { return Ok(None) };
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        let owner = if is_root { Some((id("-u")?, id("-g")?)) } else { None };
        Ok(Some(Self { folder, owner }))
    }

    fn command(&self, program: &str, password: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "5");
        command
    }

    /// A folder of theirs.
    fn folder(&self) -> Result<node::Folder> {
        let folder = node::Folder::new()?;
        if let Some((user, group)) = self.owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        Ok(folder)
    }
}

/// A running server. Dropping it stops it.
pub(crate) struct Server<'a> {
    programs: &'a Programs,
    folder: node::Folder,
    process: Child,
    port: u16,
    password: String,
}

impl<'a> Server<'a> {
    /// Makes one and waits until it accepts connections.
    pub(crate) fn start(programs: &'a Programs) -> Result<Self> {
        let folder = programs.folder()?;
        // Others on this machine can reach the port.
        let random: &dyn Random = &SystemRandom;
        let password = random.bytes::<16>().map(|byte| format!("{byte:02x}")).concat();
        let password_file = folder.path().join("password");
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&password_file)?;
        file.write_all(password.as_bytes())?;
        if let Some((user, group)) = programs.owner {
            chown(&password_file, Some(user), Some(group))?;
        }
        let mut initdb = programs.command("initdb", &password);
        initdb.arg("--pgdata").arg(data(&folder)).arg("--pwfile").arg(password_file);
        initdb.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
        run(initdb).with_context(|| {
            format!("the user who runs PostgreSQL must reach {}", folder.path().display())
        })?;
        let mut settings = fs::OpenOptions::new().append(true).open(data(&folder).join("postgresql.conf"))?;
        settings.write_all(SETTINGS.as_bytes())?;
        Self::launch(programs, folder, password)
    }

    /// A copy of it that follows, and that each commit waits for. It takes time of the same cores and the same disk.
    pub(crate) fn start_replica(&self) -> Result<Replica<'_>> {
        let folder = self.programs.folder()?;
        let mut copy = self.programs.command("pg_basebackup", &self.password);
        copy.arg("--pgdata").arg(data(&folder)).args(["--wal-method=stream", "--checkpoint=fast"]);
        copy.arg("--write-recovery-conf")
            .arg("--dbname")
            .arg(format!("host=127.0.0.1 port={} user=postgres application_name=replica", self.port));
        run(copy)?;
        let server = Self::launch(self.programs, folder, self.password.clone())?;
        // After the copy, which is to have no replica itself.
        let replica = Replica { primary: self, _server: server };
        self.query("alter system set synchronous_standby_names = 'replica'")?;
        self.query("select pg_reload_conf()")?;
        let began = Instant::now();
        while self.query("select sync_state from pg_stat_replication")? != "sync" {
            ensure!(began.elapsed() < PATIENCE, "the replica does not follow");
            thread::sleep(STEP);
        }
        Ok(replica)
    }

    /// An empty database, after a checkpoint.
    pub(crate) fn new_database(&self) -> Result<Database<'_>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("bench{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.query(&format!("create database {name}"))?;
        self.query("checkpoint")?;
        let url = format!("postgres://postgres:{}@127.0.0.1:{}/{name}", self.password, self.port);
        Ok(Database { server: self, name, url })
    }

    /// The CPU time of all its processes so far, those that ended too.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        figures::family_cpu_time(self.process.id())
    }

    fn launch(programs: &'a Programs, folder: node::Folder, password: String) -> Result<Self> {
        let [port, _] = node::free_ports()?;
        let log = fs::File::create(folder.path().join("log"))?;
        let mut command = programs.command("postgres", &password);
        command.arg("-D").arg(data(&folder)).arg("-p").arg(port.to_string());
        let process = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut server = Self { programs, folder, process, port, password };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        while self.query("select").is_err() {
            if self.process.try_wait()?.is_some() || PATIENCE < began.elapsed() {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                bail!("PostgreSQL did not start: {log}");
            }
            thread::sleep(STEP);
        }
        Ok(())
    }

    fn query(&self, sql: &str) -> Result<String> {
        let mut psql = self.programs.command("psql", &self.password);
        psql.args(["--host=127.0.0.1", "--username=postgres", "--dbname=postgres", "-qAtX"]);
        psql.arg("--port").arg(self.port.to_string()).arg("--command").arg(sql);
        run(psql).with_context(|| sql.to_owned())
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let mut stop = self.programs.command("pg_ctl", &self.password);
        stop.arg("--pgdata").arg(data(&self.folder)).args(["--mode=immediate", "--silent", "stop"]);
        if run(stop).is_err() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// A replica that commits wait for. Dropping it lets them go on without, and stops it.
pub(crate) struct Replica<'a> {
    primary: &'a Server<'a>,
    _server: Server<'a>,
}

impl Drop for Replica<'_> {
    fn drop(&mut self) {
        let _ = self.primary.query("alter system reset synchronous_standby_names");
        let _ = self.primary.query("select pg_reload_conf()");
    }
}

/// A database of its own for one load. Dropped with everything in it.
pub(crate) struct Database<'a> {
    server: &'a Server<'a>,
    name: String,
    /// Where nodes find it.
    pub(crate) url: String,
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let _ = self.server.query(&format!("drop database {} with (force)", self.name));
    }
}

fn data(folder: &node::Folder) -> PathBuf {
    folder.path().join("data")
}

/// The user `postgres`, or its group.
fn id(of: &str) -> Result<u32> {
    let mut command = Command::new("id");
    command.arg(of).arg("postgres");
    Ok(run(command)?.parse()?)
}

fn run(mut command: Command) -> Result<String> {
    let output = command.output()?;
    let program = Path::new(command.get_program()).display();
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
