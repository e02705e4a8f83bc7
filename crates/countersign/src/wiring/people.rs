//! Who is found where: the use cases of the identity service, and of the addresses that users of the node publish.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use countersign_core::{AccountHome, Clock, IdServer, Keyring, Random, ServerName, SigningKey};
use countersign_delivery::Federation;
use countersign_service::{
    Associations, AssociationsParts, BoundThreepids, BoundThreepidsParts, Delegate, IdentityAccounts,
    Invitations, InvitationsSettings, Links, Lookup, LookupSettings, OnBind, OutboxWakeup,
    OwnIdentityService, Peppers, RemoteKeys, Signing,
};
use countersign_storage::Storage;

use super::settings::{limits, media};
use crate::config::{Config, LookupAlgorithm};

/// What these use cases need.
pub(super) struct PeopleParts {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) wakeup: OutboxWakeup,
    pub(super) delegate: Delegate,
    pub(super) federation: Arc<Federation>,
    pub(super) identity_accounts: IdentityAccounts,
    pub(super) home: AccountHome,
}

/// These use cases.
pub(super) struct People {
    pub(super) signing: Signing,
    pub(super) lookup: Lookup,
    pub(super) associations: Associations,
    pub(super) invitations: Invitations,
    pub(super) bound_threepids: BoundThreepids,
    pub(super) on_bind: OnBind,
}

impl People {
    /// Opens the signing keys, makes a pepper if there is none, and joins the use cases.
    pub(super) async fn open(config: &Config, parts: PeopleParts) -> Result<Self> {
        let PeopleParts { storage, keyring, clock, random, .. } = &parts;
        let signing = open_signing(config, &parts).await?;
        let peppers = Peppers::new(storage.clone(), keyring.clone(), clock.clone(), random.clone());
        if config.identity.enabled {
            peppers.current().await.context("the pepper of lookups")?;
        }
        let lookup = Lookup::new(
            storage.clone(),
            keyring.clone(),
            clock.clone(),
            peppers.clone(),
            lookup_settings(config),
        );
        let invitations = Invitations::new(
            storage.clone(),
            keyring.clone(),
            clock.clone(),
            random.clone(),
            parts.wakeup.clone(),
            signing.clone(),
            invitations_settings(config),
        );
        let on_bind = OnBind::new(
            storage.clone(),
            keyring.clone(),
            clock.clone(),
            parts.federation.clone(),
            signing.clone(),
            parts.home,
        );
        let associations = associations(config, &parts, &signing, peppers);
        let bound_threepids = bound_threepids(config, parts, &signing, &associations);
        Ok(Self { signing, lookup, associations, invitations, bound_threepids, on_bind })
    }
}

async fn open_signing(config: &Config, parts: &PeopleParts) -> Result<Signing> {
    let file = config.keys.signing_key_file.as_deref().map(read_signing_key).transpose()?;
    let PeopleParts { storage, keyring, clock, random, .. } = parts;
    let name = config.server.name.clone();
    Signing::open(storage.clone(), keyring, clock.clone(), &**random, name, file)
        .await
        .context("the keys that the node signs with")
}

fn read_signing_key(path: &Path) -> Result<SigningKey> {
    let line = zeroize::Zeroizing::new(
        std::fs::read_to_string(path)
            .with_context(|| format!("keys.signing_key_file: can't read {}", path.display()))?,
    );
    SigningKey::parse_line(&line).with_context(|| format!("keys.signing_key_file = {path:?}"))
}

fn associations(config: &Config, parts: &PeopleParts, signing: &Signing, peppers: Peppers) -> Associations {
    let PeopleParts { storage, keyring, clock, random, .. } = parts;
    let remote_keys = RemoteKeys::new(
        storage.clone(),
        keyring.clone(),
        clock.clone(),
        parts.federation.clone(),
        signing.clone(),
        limits(&config.limits),
    );
    Associations::new(AssociationsParts {
        storage: storage.clone(),
        keyring: keyring.clone(),
        clock: clock.clone(),
        random: random.clone(),
        wakeup: parts.wakeup.clone(),
        delegate: parts.delegate.clone(),
        signing: signing.clone(),
        peppers,
        remote_keys,
        own_names: own_names(config),
    })
}

fn bound_threepids(
    config: &Config,
    parts: PeopleParts,
    signing: &Signing,
    associations: &Associations,
) -> BoundThreepids {
    let own_service = config.identity.enabled.then(|| OwnIdentityService {
        names: own_names(config).iter().filter_map(|name| IdServer::parse(name.as_str()).ok()).collect(),
        accounts: parts.identity_accounts,
        associations: associations.clone(),
    });
    // Beside a homeserver, others check what is signed with the homeserver's key.
    let believed = config.sidecar.is_none() || config.keys.signing_key_file.is_some();
    if !believed {
        tracing::info!(
            "Without keys.signing_key_file, addresses that users bind at other identity servers can't be taken back"
        );
    }
    BoundThreepids::new(BoundThreepidsParts {
        storage: parts.storage,
        keyring: parts.keyring,
        clock: parts.clock,
        random: parts.random,
        federation: parts.federation,
        server_name: config.server.name.clone(),
        home: parts.home,
        limits: limits(&config.limits),
        signing: believed.then(|| signing.clone()),
        own_service,
    })
}

/// What others call this server: by its name, and by the host that they reach it at, with or without the port 443.
fn own_names(config: &Config) -> Vec<ServerName> {
    let url = config.server.public_url.as_url();
    let host = url.host_str().map(|host| match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    });
    let host = host.and_then(|host| ServerName::parse(&host).ok());
    let names = std::iter::once(config.server.name.clone()).chain(host);
    let spellings = names.flat_map(|name| {
        let other = match name.as_str().strip_suffix(":443") {
            Some(host) => ServerName::parse(host),
            None => ServerName::parse(&format!("{name}:443")),
        };
        // A name with another port has no other spelling.
        std::iter::once(name).chain(other.ok())
    });
    spellings.collect()
}

fn lookup_settings(config: &Config) -> LookupSettings {
    let algorithm = |algorithm: &LookupAlgorithm| match algorithm {
        LookupAlgorithm::Sha256 => countersign_service::LookupAlgorithm::Sha256,
        LookupAlgorithm::None => countersign_service::LookupAlgorithm::None,
    };
    LookupSettings {
        algorithms: config.identity.lookup_algorithms.iter().map(algorithm).collect(),
        max_addresses: config.identity.lookup_limit.get(),
        limits: limits(&config.limits),
    }
}

fn invitations_settings(config: &Config) -> InvitationsSettings {
    InvitationsSettings {
        server_name: config.server.name.clone(),
        links: Links::new(config.server.public_url.as_str()),
        media: media(config),
        lifetime: config.validation.session_lifetime,
        limits: limits(&config.limits),
    }
}
