//! Builds a node from its configuration: the one place that knows storage backends and transports by name.

mod authentication;
mod callers;
mod database;
mod delegate;
mod desk;
mod federation;
mod identity;
mod import;
mod people;
mod settings;
mod transfer;
mod transports;

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use countersign_core::{Clock, MasterKeys, Medium, Random};
use countersign_delivery::{Dns, EmailTransport, SmsGateway, templates::Templates};
use countersign_service::{
    AccountThreepids, Accounts, Confirmations, Health, Inbox, InviteLink, Janitor, MessageWriter, Notices,
    OpenIdProofs, OpenIds, OutboxWakeup, OutboxWorker, RegistrationTokens, SidInNextLink, SystemClock,
    SystemRandom, TakeBack, Uia, UiaParts, Verifier, VerifierSettings, WorkerParts, WriterSettings,
    open_keyring,
};
use countersign_storage::postgres::LeaseClock;
use tokio_util::sync::CancellationToken;

use self::{
    authentication::{accounts_settings, uia_settings},
    callers::callers,
    database::Database,
    delegate::delegate,
    federation::federation,
    identity::identity_accounts,
    people::{People, PeopleParts},
    settings::{
        http_settings, limits, notice_settings, retention, shield_settings, verifier_settings, wants_inbox,
        worker_settings,
    },
    transports::{email_transport, sms_gateway},
};
pub use self::{
    database::migrate,
    desk::Desk,
    import::{SynapseDatabase, export, import_sydent, import_synapse},
    transfer::{Beginning, Event, Phase, Transferred, transfer},
};
use crate::{
    config::Config,
    http::{AppParts, AppState, Shield},
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
    /// Finds other servers in place of the system's name servers.
    pub dns: Option<Arc<dyn Dns>>,
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
            dns: None,
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
    background: Background,
    database: Database,
}

/// What a node does beside answering.
#[derive(Default)]
pub(crate) struct Background {
    /// Send messages.
    pub(crate) workers: Vec<OutboxWorker>,
    /// Forgets what is over.
    pub(crate) janitor: Option<Janitor>,
    /// Takes back what ended accounts published.
    pub(crate) take_back: Option<TakeBack>,
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
        let Outside { clock, lease_clock, random, email, sms, dns } = outside;
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

        let accounts = Accounts::new(
            storage.clone(),
            keyring.clone(),
            clock.clone(),
            random.clone(),
            accounts_settings(config),
        );
        let callers = callers(config, &accounts, storage.clone(), keyring.clone(), clock.clone()).await?;
        let delegate = delegate(config, storage.clone(), keyring.clone(), clock.clone(), random.clone())?;
        let notices = Notices::new(
            storage.clone(),
            keyring.clone(),
            clock.clone(),
            random.clone(),
            wakeup.clone(),
            notice_settings(config),
        );
        let federation = federation(config, dns, clock.clone())?;
        let openids = OpenIds::new(
            storage.clone(),
            keyring.clone(),
            clock.clone(),
            random.clone(),
            config.server.name.clone(),
            limits(&config.limits),
        );
        let proofs = OpenIdProofs {
            server_name: config.server.name.clone(),
            openids: openids.clone(),
            callers: callers.clone(),
            federation: federation.clone(),
        };
        let identity_accounts = identity_accounts(
            config,
            storage.clone(),
            keyring.clone(),
            clock.clone(),
            random.clone(),
            proofs,
        );
        let people = PeopleParts {
            storage: storage.clone(),
            keyring: keyring.clone(),
            clock: clock.clone(),
            random: random.clone(),
            wakeup: wakeup.clone(),
            delegate: delegate.clone(),
            federation,
            identity_accounts: identity_accounts.clone(),
            home: callers.account_home(),
        };
        let people = People::open(config, people).await?;
        let sid_in_next_link =
            if config.validation.append_sid { SidInNextLink::Appended } else { SidInNextLink::Omitted };
        let verifier = |settings| {
            Verifier::new(
                storage.clone(),
                keyring.clone(),
                clock.clone(),
                random.clone(),
                wakeup.clone(),
                delegate.clone(),
                settings,
            )
        };
        let v1_settings = VerifierSettings {
            limits: verifier_settings.limits.clone().without_networks(),
            ..(*verifier_settings).clone()
        };
        let state = AppState::new(AppParts {
            verifier: verifier(verifier_settings.clone()),
            v1_verifier: verifier(v1_settings.into()),
            confirmations: Confirmations::new(
                storage.clone(),
                keyring.clone(),
                clock.clone(),
                verifier_settings.clone(),
                sid_in_next_link,
            ),
            accounts: accounts.clone(),
            callers: callers.clone(),
            threepids: AccountThreepids::new(
                storage.clone(),
                keyring.clone(),
                clock.clone(),
                random.clone(),
                notices.clone(),
                delegate.clone(),
                callers.account_home(),
            ),
            notices,
            identity_accounts,
            signing: people.signing,
            lookup: people.lookup,
            associations: people.associations,
            invitations: people.invitations,
            bound_threepids: people.bound_threepids.clone(),
            openids,
            uia: Uia::new(
                UiaParts {
                    storage: storage.clone(),
                    keyring: keyring.clone(),
                    clock: clock.clone(),
                    random: random.clone(),
                    accounts: accounts.clone(),
                    callers,
                    delegate: delegate.clone(),
                },
                uia_settings(config),
            ),
            registration_tokens: RegistrationTokens::new(
                storage.clone(),
                keyring.clone(),
                clock.clone(),
                random.clone(),
                limits(&config.limits),
            ),
            health: Health::new(storage.clone()),
            pages,
            inbox: inbox.clone(),
            settings: http_settings(config),
            shield: config.limits.enabled.then(|| Shield::new(shield_settings(&config.limits))),
            shutdown,
        });

        let writer_settings = WriterSettings {
            autofill_domain: config.sms.as_ref().and_then(|sms| sms.autofill_domain.clone()),
            invite_link: config.identity.invite_link.as_deref().and_then(|link| InviteLink::parse(link).ok()),
            invite_blocked_words: config.identity.blocked_words(),
        };
        let writer = Arc::new(MessageWriter::new(
            storage.clone(),
            keyring,
            templates,
            verifier_settings.clone(),
            writer_settings,
        ));
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
        for medium in delegate.media() {
            let concurrency = match medium {
                Medium::Email => config.outbox.email_workers,
                Medium::Msisdn => config.outbox.sms_workers,
            };
            workers.push(OutboxWorker::for_delegate(parts(concurrency.get()), *medium, delegate.clone()));
        }
        if config.identity.enabled {
            let parts = parts(config.outbox.federation_workers.get());
            workers.push(OutboxWorker::for_federation(parts, people.on_bind));
        }
        let janitor =
            Janitor::new(storage.clone(), clock.clone(), retention(config), config.retention.interval);
        let take_back = TakeBack::new(people.bound_threepids, config.retention.interval);
        let background = Background { workers, janitor: Some(janitor), take_back: Some(take_back) };
        Ok(Self { state, accounts, wakeup, background, database })
    }

    /// Takes what goes on in the background out, to be run.
    pub(crate) fn take_background(&mut self) -> Background {
        std::mem::take(&mut self.background)
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
