//! Makes connections to the first of the servers that the URL names which is the primary. None may keep us from the next:
//! the former primary may still take connections and never answer.

use std::time::Duration;

use deadpool_postgres::Connect;
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Config, Socket,
    config::{Host, LoadBalanceHosts},
};

use super::{
    failure::Failure,
    tls::{Encrypted, Tls},
};
use crate::OutageReason;

/// The servers of a URL.
#[derive(Clone)]
pub(super) struct Servers {
    /// Each as if there were no other; never empty.
    each: Vec<Config>,
    tls: Tls,
    patience: Duration,
}

impl Servers {
    /// Those of `config`. Each has this long to take a connection, or less.
    pub(super) fn new(config: &Config, tls: Tls, patience: Duration) -> Self {
        let hosts = hosts(config);
        let count = hosts.len().max(config.get_hostaddrs().len());
        let each = match config.get_load_balance_hosts() {
            LoadBalanceHosts::Disable if 1 < count => {
                (0..count).map(|index| only(config, &hosts, index)).collect()
            }
            _ => vec![config.clone()],
        };
        Self { each, tls, patience }
    }

    /// How long connecting takes at most.
    pub(super) fn patience(&self) -> Duration {
        self.patience * u32::try_from(self.each.len()).unwrap_or(u32::MAX)
    }

    /// Tries one after the other. The last one's patience is the caller's.
    pub(super) async fn connect(
        &self,
    ) -> Result<(Client, tokio_postgres::Connection<Socket, Encrypted<Socket>>), tokio_postgres::Error> {
        let mut failed = None;
        let (last, others) = self.each.split_last().expect("a URL has a server");
        for server in others {
            match timeout(self.patience, server.connect(self.tls.clone())).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => failed = Some(more_telling(failed, error)),
                Err(_) => {}
            }
        }
        last.connect(self.tls.clone()).await.map_err(|error| more_telling(failed, error))
    }
}

/// That a replica is none to write to is no news beside what keeps the primary.
fn more_telling(
    former: Option<tokio_postgres::Error>,
    error: tokio_postgres::Error,
) -> tokio_postgres::Error {
    match former {
        Some(former) if Failure::reason_of(&error) == Some(OutageReason::ReadOnly) => former,
        Some(_) | None => error,
    }
}

impl Connect for Servers {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        async {
            let (client, connection) = self.connect().await?;
            let driver = tokio::spawn(async {
                if let Err(error) = connection.await {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "a connection to the database broke"
                    );
                }
            });
            Ok((client, driver))
        }
        .boxed()
    }
}

/// The names in a URL. The driver takes `?host=a,b` for one name with a comma in it, unlike libpq.
fn hosts(config: &Config) -> Vec<Host> {
    let one = |name: &str| match name.starts_with('/') {
        true => Host::Unix(name.into()),
        false => Host::Tcp(name.to_owned()),
    };
    let split = |host: &Host| {
        let names = match host {
            Host::Tcp(names) => Some(names.as_str()),
            Host::Unix(folders) => folders.to_str(),
        };
        names.map_or_else(|| vec![host.clone()], |names| names.split(',').map(one).collect())
    };
    config.get_hosts().iter().flat_map(split).collect()
}

/// The same with one of its servers.
fn only(config: &Config, hosts: &[Host], index: usize) -> Config {
    let mut one = Config::new();
    match hosts.get(index) {
        Some(Host::Tcp(name)) => drop(one.host(name)),
        Some(Host::Unix(folder)) => drop(one.host_path(folder)),
        None => {}
    }
    config.get_hostaddrs().get(index).map(|address| one.hostaddr(*address));
    config.get_ports().get(index).or(config.get_ports().first()).map(|port| one.port(*port));
    config.get_user().map(|user| one.user(user));
    config.get_password().map(|password| one.password(password));
    config.get_dbname().map(|name| one.dbname(name));
    config.get_options().map(|options| one.options(options));
    config.get_application_name().map(|name| one.application_name(name));
    config.get_connect_timeout().map(|timeout| one.connect_timeout(*timeout));
    config.get_tcp_user_timeout().map(|timeout| one.tcp_user_timeout(*timeout));
    config.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
    config.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
    one.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding());
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_keeps_everything_but_the_others() {
        let url = "postgres://me:secret@one:1,two:2/base?hostaddr=127.0.0.1,127.0.0.2&options=-c%20jit%3Doff&sslmode=require\
             &application_name=test&connect_timeout=3&tcp_user_timeout=4&keepalives=0&keepalives_idle=5\
             &keepalives_interval=6&keepalives_retries=7&target_session_attrs=read-write&channel_binding=disable";
        let servers = |url: &str| {
            let config: Config = url.parse().unwrap();
            let tls = Tls::new(config.get_ssl_mode(), None).unwrap();
            Servers::new(&config, tls, Duration::from_secs(2))
        };
        let alone = |host, address| {
            let url = url.replace("one:1,two:2", host).replace("127.0.0.1,127.0.0.2", address);
            url.parse::<Config>().unwrap()
        };
        let both = servers(url);
        assert_eq!(both.each, [alone("one:1", "127.0.0.1"), alone("two:2", "127.0.0.2")]);
        assert_eq!(both.patience(), Duration::from_secs(4));
        let mixed = servers("postgres:///base?host=/one,two,/three&user=me");
        let one = |host| format!("postgres:///base?host={host}&user=me").parse::<Config>().unwrap();
        assert_eq!(mixed.each, [one("/one"), one("two"), one("/three")]);
        let names = servers("postgres://me@/base?host=a,b&port=1,2");
        let name = |name, port| format!("postgres://me@{name}:{port}/base").parse::<Config>().unwrap();
        assert_eq!(names.each, [name("a", 1), name("b", 2)]);
        assert_eq!(servers("postgres://me@a,b/base?load_balance_hosts=random").each.len(), 1);
    }
}
