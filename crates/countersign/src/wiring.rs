//! Builds a node from its configuration: the one place that knows storage backends and transports by name.

mod database;
mod transfer;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use countersign_core::{
    Clock, CodePolicy, InUsePolicy, MasterKeys, Medium, NextLinkPolicy, Random, Rate, RetryPolicy, Stage,
};
use countersign_delivery::{
    EmailTransport, SmsGateway,
    email::{
        mime::Mailbox,
        smtp::{SmtpSettings, SmtpTls, SmtpTransport},
    },
    sms::http::{HttpGateway, HttpGatewaySettings},
    templates::Templates,
};
use countersign_service::{
    AccountThreepids, Accounts, Confirmations, Health, Inbox, Janitor, Limits, Links, MessageWriter,
    OutboxWakeup, OutboxWorker, SidInNextLink, SystemClock, SystemRandom, Uia, Verifier, VerifierSettings,
    WorkerParts, WorkerSettings, WriterSettings, open_keyring,
};
use countersign_storage::{Retention, postgres::LeaseClock};
use tokio_util::sync::CancellationToken;

use self::database::Database;
pub use self::{
    database::migrate,
    transfer::{Beginning, Event, Phase, Transferred, transfer},
};
use crate::{
    config::{self, Config, EmailConfig, LimitsConfig, SmsConfig, Transport},
    http::{AppParts, AppState, HttpSettings, Registration, Shield, ShieldSettings},
    pages::Pages,
};

/// What a node takes from outside: time, randomness, and in tests the transports.
pub struct Outside {
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// Whether leases go by that clock as well, or by the database's, where nodes share one.
    pub lease_clock: LeaseClock,
    /// Where ids, tokens and salts come from.
    pub random: Arc<dyn Random>,
    /// Takes all mail in place of what the configuration names.
    pub email: Option<Arc<dyn EmailTransport>>,
    /// Takes all SMS in place of what the configuration names.
    pub sms: Option<Arc<dyn SmsGateway>>,
}

impl Default for Outside {
    /// The system's own, and the transports that the configuration names.
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            lease_clock: LeaseClock::Database,
            random: Arc::new(SystemRandom),
            email: None,
            sms: None,
        }
    }
}

/// A node, ready to serve.
pub struct Node {
    /// What handlers reach.
    pub state: AppState,
    /// Accounts, for the command line.
    pub accounts: Accounts,
    /// Wakes the workers.
    pub wakeup: OutboxWakeup,
    workers: Vec<OutboxWorker>,
    janitor: Option<Janitor>,
    database: Database,
}

impl Node {
    /// Opens storage and keys, loads templates, builds use cases, workers and transports. Sends and serves nothing yet.
    ///
    /// # Errors
    /// Says what can't be opened or loaded, in words for an operator.
    pub async fn open(config: &Config, outside: Outside, shutdown: CancellationToken) -> Result<Self> {
        // Before the storage: a key that can't be read must not leave a new database behind.
        let master_keys = read_master_keys(&config.keys.master_key_file)?;
        let wakeup = OutboxWakeup::default();
        let Outside { clock, lease_clock, random, email, sms } = outside;
        let database = Database::open(config, lease_clock, &wakeup).await?;
        let storage = database.storage();
        let keyring = Arc::new(open_keyring(&*storage, &master_keys, &*random).await.with_context(|| {
            format!("keys.master_key_file = {:?} does not fit the database", config.keys.master_key_file)
        })?);
        let verifier_settings = Arc::new(verifier_settings(config));
        let templates = Templates::load(config.templates.folder.as_deref()).context("templates.folder")?;
        let pages_folder = config.templates.pages_folder.as_deref();
        let pages =
            Arc::new(Pages::load(pages_folder, &config.server.name).context("templates.pages_folder")?);
        let inbox = wants_inbox(config).then(Inbox::new);
        let limits = limits(&config.limits);

        let accounts = Accounts::new(
            storage.clone(),
            keyring.clone(),
            clock.clone(),
            random.clone(),
            config.server.name.clone(),
            limits,
        );
        let sid_in_next_link =
            if config.validation.append_sid { SidInNextLink::Appended } else { SidInNextLink::Omitted };
        let state = AppState::new(AppParts {
            verifier: Verifier::new(
                storage.clone(),
                keyring.clone(),
                clock.clone(),
                random.clone(),
                wakeup.clone(),
                verifier_settings.clone(),
            ),
            confirmations: Confirmations::new(
                storage.clone(),
                keyring.clone(),
                clock.clone(),
                verifier_settings.clone(),
                sid_in_next_link,
            ),
            accounts: accounts.clone(),
            threepids: AccountThreepids::new(storage.clone(), keyring.clone(), clock.clone(), random.clone()),
            uia: Uia::new(storage.clone(), keyring.clone(), clock.clone(), random.clone(), accounts.clone()),
            health: Health::new(storage.clone()),
            pages,
            inbox: inbox.clone(),
            settings: http_settings(config),
            shield: config.limits.enabled.then(|| Shield::new(shield_settings(&config.limits))),
            shutdown,
        });

        let writer_settings = WriterSettings {
            autofill_domain: config.sms.as_ref().and_then(|sms| sms.autofill_domain.clone()),
        };
        let writer =
            Arc::new(MessageWriter::new(keyring, templates, verifier_settings.clone(), writer_settings));
        let parts = |concurrency| WorkerParts {
            storage: storage.clone(),
            clock: clock.clone(),
            random: random.clone(),
            writer: writer.clone(),
            wakeup: wakeup.clone(),
            settings: worker_settings(config, concurrency, verifier_settings.codes.clone()),
        };
        let mut workers = Vec::new();
        if let Some(section) = &config.email {
            let transport = match email {
                Some(transport) => transport,
                None => email_transport(config, section, inbox.as_ref())?,
            };
            workers.push(OutboxWorker::for_email(parts(config.outbox.email_workers.get()), transport));
        }
        if let Some(section) = &config.sms {
            let gateway = match sms {
                Some(gateway) => gateway,
                None => sms_gateway(config, section, inbox.as_ref())?,
            };
            workers.push(OutboxWorker::for_sms(parts(config.outbox.sms_workers.get()), gateway));
        }
        let janitor =
            Janitor::new(storage.clone(), clock.clone(), retention(config), config.retention.interval);
        Ok(Self { state, accounts, wakeup, workers, janitor: Some(janitor), database })
    }

    /// Takes the workers and the janitor out, to be run.
    pub(crate) fn take_background(&mut self) -> (Vec<OutboxWorker>, Option<Janitor>) {
        (std::mem::take(&mut self.workers), self.janitor.take())
    }

    /// Finishes what waits in the storage and closes it.
    pub(crate) async fn close(self) -> Result<()> {
        self.database.close().await
    }
}

fn read_master_keys(path: &Path) -> Result<MasterKeys> {
    let text = zeroize::Zeroizing::new(
        std::fs::read_to_string(path)
            .with_context(|| format!("keys.master_key_file: can't read {}", path.display()))?,
    );
    MasterKeys::parse(&text).with_context(|| format!("keys.master_key_file = {path:?}"))
}

fn wants_inbox(config: &Config) -> bool {
    let email = config.email.as_ref().map(|email| email.transport);
    let sms = config.sms.as_ref().map(|sms| sms.transport);
    [email, sms].contains(&Some(Transport::Inbox))
}

fn verifier_settings(config: &Config) -> VerifierSettings {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let media =
        [config.email.is_some().then_some(Medium::Email), config.sms.is_some().then_some(Medium::Msisdn)];
    let hosts = &config.validation.next_link_hosts;
    VerifierSettings {
        server_name: config.server.name.clone(),
        links: Links::new(config.server.public_url.as_str()),
        media: media.into_iter().flatten().collect(),
        sms_countries: config.sms.as_ref().and_then(|sms| match &sms.countries {
            config::Countries::All => None,
            config::Countries::Only(countries) => Some(countries.clone()),
        }),
        codes: CodePolicy {
            email_purposes: config.email.as_ref().map(|email| email.code_for.clone()).unwrap_or_default(),
            email_lifetime: config.email.as_ref().map_or(minutes(30), |email| email.code_lifetime),
            msisdn_lifetime: config.sms.as_ref().map_or(minutes(10), |sms| sms.code_lifetime),
        },
        session_lifetime: config.validation.session_lifetime,
        next_links: NextLinkPolicy {
            app_schemes: config.validation.next_link_app_schemes.clone(),
            hosts: (!hosts.is_empty()).then(|| hosts.clone()),
        },
        in_use: if config.privacy.hide_accounts { InUsePolicy::Hide } else { InUsePolicy::Tell },
        limits: limits(&config.limits),
    }
}

fn limits(config: &LimitsConfig) -> Limits {
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(60 * 60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let rate = |count: std::num::NonZeroU32, period| config.enabled.then(|| Rate::per(count.get(), period));
    Limits {
        messages_hourly: rate(config.messages_per_address_per_hour, HOUR),
        messages_daily: rate(config.messages_per_address_per_day, DAY),
        requests: rate(config.requests_per_network_per_hour, HOUR)
            .map(|rate| rate.with_burst(config.requests_per_network_burst.get())),
        misses_per_session: config.misses_per_session.get(),
        misses_per_address: rate(config.misses_per_address_per_day, DAY),
        misses_per_network: rate(config.misses_per_network_per_hour, HOUR),
        logins: rate(config.logins_per_network_per_minute, MINUTE),
        misses_per_account: rate(config.login_failures_per_account_per_hour, HOUR),
        misses_per_account_and_network: rate(config.login_failures_per_account_and_network_per_hour, HOUR),
        registrations: rate(config.registrations_per_network_per_hour, HOUR),
        name_checks: rate(config.name_checks_per_network_per_minute, MINUTE),
        uia_sessions: rate(config.uia_sessions_per_network_per_hour, HOUR),
    }
}

fn shield_settings(config: &LimitsConfig) -> ShieldSettings {
    ShieldSettings { per_second: config.shield_requests_per_second, burst: config.shield_burst }
}

fn http_settings(config: &Config) -> HttpSettings {
    let registration = if config.registration.enabled {
        let stage = |stage: &config::Stage| match stage {
            config::Stage::Dummy => Stage::Dummy,
        };
        Registration::Open(
            config.registration.flows.iter().map(|flow| flow.iter().map(stage).collect()).collect(),
        )
    } else {
        Registration::Closed
    };
    HttpSettings {
        registration,
        trusted_proxies: config.server.trusted_proxies.clone(),
        max_body_bytes: config.server.max_body_bytes,
        request_timeout: config.server.request_timeout,
    }
}

fn worker_settings(config: &Config, concurrency: usize, codes: CodePolicy) -> WorkerSettings {
    WorkerSettings {
        concurrency,
        send_timeout: config.outbox.send_timeout,
        lease: config.outbox.lease,
        retry: RetryPolicy { first: config.outbox.retry_delay_min, longest: config.outbox.retry_delay_max },
        poll_interval: config.outbox.poll_interval,
        codes,
    }
}

fn retention(config: &Config) -> Retention {
    Retention {
        sessions: config.retention.expired_sessions,
        messages: config.retention.finished_messages,
        rows_per_sweep: 500,
    }
}

fn email_transport(
    config: &Config,
    section: &EmailConfig,
    inbox: Option<&Inbox>,
) -> Result<Arc<dyn EmailTransport>> {
    let smtp = match (section.transport, &section.smtp, inbox) {
        (Transport::Inbox, _, Some(inbox)) => return Ok(Arc::new(inbox.clone())),
        (_, Some(smtp), _) => smtp,
        (_, None, _) => bail!("email.smtp is missing: say which mail server takes the messages"),
    };
    let from = Mailbox::parse(&String::from(section.from.clone())).context("email.from")?;
    let credentials = match (&smtp.username, &smtp.password) {
        (Some(username), Some(password)) => {
            Some((username.clone(), countersign_delivery::Secret::new(password.expose())))
        }
        _ => None,
    };
    let extra_ca_pem = match &smtp.ca_file {
        Some(path) => Some(std::fs::read(path).with_context(|| format!("email.smtp.ca_file = {path:?}"))?),
        None => None,
    };
    let defaults = SmtpSettings::new(smtp.host.clone(), smtp.port, from);
    let settings = SmtpSettings {
        tls: match smtp.tls {
            config::SmtpTls::None => SmtpTls::None,
            config::SmtpTls::Starttls => SmtpTls::Starttls,
            config::SmtpTls::Implicit => SmtpTls::Implicit,
        },
        credentials,
        hello_name: smtp.hello_name.clone().unwrap_or_else(|| defaults.hello_name.clone()),
        max_connections: config.outbox.email_workers.get(),
        send_timeout: config.outbox.send_timeout,
        extra_ca_pem,
        ..defaults
    };
    Ok(Arc::new(SmtpTransport::new(settings).context("email.smtp")?))
}

fn sms_gateway(config: &Config, section: &SmsConfig, inbox: Option<&Inbox>) -> Result<Arc<dyn SmsGateway>> {
    let http = match (section.transport, &section.http, inbox) {
        (Transport::Inbox, _, Some(inbox)) => return Ok(Arc::new(inbox.clone())),
        (_, Some(http), _) => http,
        (_, None, _) => bail!("sms.http is missing: say which gateway takes the messages"),
    };
    let secret = countersign_delivery::Secret::new;
    let mut headers: Vec<_> =
        http.headers.iter().map(|(name, value)| (name.clone(), secret(value.expose()))).collect();
    if let Some(authorization) = &http.authorization {
        headers.push(("Authorization".to_owned(), secret(authorization.expose())));
    }
    let method = match http.method {
        config::HttpMethod::Get => "GET",
        config::HttpMethod::Post => "POST",
        config::HttpMethod::Put => "PUT",
    };
    let settings = HttpGatewaySettings {
        method: method.to_owned(),
        headers,
        body: http.body.clone(),
        from: http.from.clone(),
        success_statuses: http.success_statuses.iter().map(config::StatusRange::to_range).collect(),
        success_contains: http.success_contains.clone(),
        timeout: config.outbox.send_timeout,
        ..HttpGatewaySettings::new(http.url.clone())
    };
    Ok(Arc::new(HttpGateway::new(settings).context("sms.http")?))
}
