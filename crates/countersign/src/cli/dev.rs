//! `countersign dev`: a node to try things with.

use std::{
    fs,
    io::{ErrorKind, Write, stdout},
    net::Ipv4Addr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Args;
use countersign_core::{ClientNetwork, Language, MasterKeys, Random};
use countersign_service::{
    AccountIdentifier, Accounts, AccountsError, LogInRequest, NewDevice, NewPassword, RegisterError,
    RegisterRequest, RequestContext, SystemRandom, UiaProof, WithRefresh,
};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::shutdown_on_signal;
use crate::{
    config::Config,
    logging,
    server::{self, Listeners},
    wiring::{Node, Outside},
};

/// The port to begin with, that of every example.
const FIRST_PORT: u16 = 8008;
/// How many ports are tried.
const PORTS: u16 = 50;
/// The made-up user.
const USER: &str = "alice";

/// How to run it.
#[derive(Args)]
pub(super) struct DevArgs {
    /// Where data and key are kept.
    #[arg(long, value_name = "FOLDER", default_value = "countersign-dev")]
    folder: PathBuf,
    /// The port to listen on [default: 8008 or the next free one]
    #[arg(long)]
    port: Option<u16>,
    /// Lifts all limits but the guesses of one session.
    #[arg(long)]
    no_limits: bool,
}

pub(super) fn run(args: DevArgs) -> Result<()> {
    let folder = &args.folder;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("can't make {}", folder.display()))?;
    keep_secret(&folder.join("master.key"), || MasterKeys::generate(&SystemRandom))?;
    server::runtime()?.block_on(dev(args))
}

async fn dev(args: DevArgs) -> Result<()> {
    let shutdown = shutdown_on_signal()?;
    let listener = bind(args.port).await?;
    let operator_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut config = Config::dev(&args.folder, listener.local_addr()?.port());
    config.limits.enabled = !args.no_limits;
    logging::init(&config.log)?;
    let node = Node::open(&config, Outside::default(), shutdown.clone()).await?;
    let greeting = Greeting {
        url: config.server.public_url.to_string(),
        health_url: format!("http://{}/health/ready", operator_listener.local_addr()?),
        folder: args.folder.clone(),
        user: made_up_user(&node.accounts, &args.folder).await?,
    };
    greeting.print()?;
    let listeners = Listeners { main: listener, operator: operator_listener, identity_v1: None };
    server::run(node, listeners, shutdown, config.server.limits()).await
}

/// Listens on the given port, or on 8008 or the next free one.
async fn bind(port: Option<u16>) -> Result<TcpListener> {
    if let Some(port) = port {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        return listener.with_context(|| format!("can't listen on port {port}"));
    }
    for port in FIRST_PORT..FIRST_PORT + PORTS {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).with_context(|| format!("can't listen on port {port}")),
        }
    }
    anyhow::bail!("no port from {FIRST_PORT} to {} is free; choose one with --port", FIRST_PORT + PORTS - 1)
}

/// The content of a file that only its owner reads; made up when there is no such file.
fn keep_secret(path: &Path, make: impl FnOnce() -> Zeroizing<String>) -> Result<Zeroizing<String>> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let secret = make();
            file.write_all(secret.as_bytes())?;
            file.sync_all()?;
            Ok(secret)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Zeroizing::new(
            fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?,
        )),
        Err(error) => Err(error).with_context(|| format!("can't make {}", path.display())),
    }
}

struct DevUser {
    user_id: String,
    password: Zeroizing<String>,
    access_token: Zeroizing<String>,
}

/// The made-up user, registered at the first start, with a new access token.
async fn made_up_user(accounts: &Accounts, folder: &Path) -> Result<DevUser> {
    let password = keep_secret(&folder.join("alice.password"), || {
        let random: &dyn Random = &SystemRandom;
        let letters: String = random.bytes::<16>().iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        Zeroizing::new(letters)
    })?;
    let context = RequestContext {
        network: ClientNetwork::of(Ipv4Addr::LOCALHOST.into()),
        language: Language::default(),
        caller: None,
    };
    match accounts.check_username(USER).await {
        Ok(localpart) => {
            let request = RegisterRequest {
                context: context.clone(),
                localpart: Some(localpart),
                password: NewPassword::Plain(password.clone()),
                device: None,
                refresh: WithRefresh::No,
                proof: UiaProof::default(),
            };
            accounts.register(request).await?;
        }
        Err(RegisterError::UserInUse) => {}
        Err(error) => return Err(error.into()),
    }
    let request = LogInRequest {
        context,
        identifier: AccountIdentifier::User(USER.to_owned()),
        password: password.clone(),
        device: NewDevice { device_id: None, display_name: Some("countersign dev".to_owned()) },
        refresh: WithRefresh::No,
    };
    let logged_in = accounts.log_in(request).await.map_err(|error| match error {
        AccountsError::Forbidden => anyhow::anyhow!(
            "{}/alice.password does not fit the database; delete the folder to begin anew",
            folder.display()
        ),
        AccountsError::Limited(_) | AccountsError::Storage(_) => error.into(),
    })?;
    let access_token = logged_in.login.access_token;
    Ok(DevUser { user_id: logged_in.user_id.to_string(), password, access_token })
}

/// What the person at the terminal reads first.
struct Greeting {
    url: String,
    health_url: String,
    folder: PathBuf,
    user: DevUser,
}

impl Greeting {
    fn print(&self) -> Result<()> {
        let Self { url, health_url, folder, user } = self;
        let folder = folder.display();
        let DevUser { user_id, password, access_token } = user;
        writeln!(
            stdout(),
            r#"
countersign dev, for trying things on this machine. Ctrl-C stops it; data and keys stay in {folder}.

  inbox         {url}/inbox
  client API    {url}/_api/client/v3  (and under /_matrix)
  health        {health_url}

  user          {user_id}
  password      {}
  access token  {}

Ask for a token, then look into the inbox:

  curl -s {url}/_api/client/v3/account/3pid/email/requestToken \
    -d '{{"client_secret": "monkeys_are_GREAT", "email": "alice@example.org", "send_attempt": 1}}'
"#,
            **password,
            **access_token
        )?;
        Ok(())
    }
}
