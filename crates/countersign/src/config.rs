//! The configuration: one struct per section of the file, named exactly as there.
//!
//! It is read once, from a file and the environment, checked as a whole, turned into domain types and dropped.
//! The comments on the fields are the manual; `config.example.toml` shows the same keys with their defaults.

mod delegate;
mod duration;
mod email;
mod error;
mod federation;
mod identity;
mod keys;
mod limits;
mod log;
mod login;
mod notices;
mod outbox;
mod passwords;
mod peer_url;
mod privacy;
mod public_url;
mod registration;
mod retention;
mod secret;
mod server;
mod sidecar;
mod sms;
mod source;
mod storage;
mod templates;
mod terms;
mod threepids;
mod validation;
mod well_known;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use countersign_core::{Medium, ServerName};
use serde::{Deserialize, Serialize};

pub use self::delegate::{DelegateConfig, DelegatedMedium};
pub(crate) use self::duration::parse as parse_duration;
pub use self::email::{EmailConfig, Mailbox, SmtpConfig, SmtpTls};
pub use self::error::{ConfigError, Problem};
pub use self::federation::FederationConfig;
pub use self::identity::{IdentityConfig, IdentityV1Config, LookupAlgorithm};
pub use self::keys::KeysConfig;
pub use self::limits::LimitsConfig;
pub use self::log::{LogConfig, LogFormat};
pub use self::login::LoginConfig;
pub use self::notices::NoticesConfig;
pub use self::outbox::OutboxConfig;
pub use self::passwords::{CharacterClass, PasswordsConfig};
pub use self::peer_url::{PeerUrl, PeerUrlError};
pub use self::privacy::PrivacyConfig;
pub use self::public_url::{PublicUrl, PublicUrlError};
pub use self::registration::{RegistrationConfig, Stage};
pub use self::retention::RetentionConfig;
pub use self::secret::Secret;
pub use self::server::ServerConfig;
pub use self::sidecar::SidecarConfig;
pub use self::sms::{Countries, HttpMethod, SmsConfig, SmsHttpConfig, StatusRange};
pub use self::storage::{Migrate, PostgresUrl, StorageConfig, StorageUrl, StorageUrlError};
pub use self::templates::TemplatesConfig;
pub use self::terms::{PolicyConfig, PolicyLinkConfig, TermsConfig};
pub use self::threepids::{DeprecatedAdd, ThreepidsConfig};
pub use self::validation::ValidationConfig;
pub use self::well_known::WellKnownConfig;

use self::error::Problems;
use self::source::Source;

/// A configuration file with every key, its default and what it is for.
pub const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who the node is and where it listens.
    pub server: ServerConfig,
    /// Where the data is.
    pub storage: StorageConfig,
    /// Where the master key is.
    pub keys: KeysConfig,
    /// Whether and how people make accounts.
    #[serde(default)]
    pub registration: RegistrationConfig,
    /// The policies that people accept when they register.
    #[serde(default)]
    pub terms: TermsConfig,
    /// How long access tokens are good.
    #[serde(default)]
    pub login: LoginConfig,
    /// Which passwords are good enough, and what users may do with them.
    #[serde(default)]
    pub passwords: PasswordsConfig,
    /// What users may do with the addresses of their accounts.
    #[serde(default)]
    pub threepids: ThreepidsConfig,
    /// What the addresses of an account hear of changes to it.
    #[serde(default)]
    pub notices: NoticesConfig,
    /// How clients find the node from its name.
    #[serde(default)]
    pub well_known: WellKnownConfig,
    /// The homeserver that the node stands beside; absent, the node has accounts of its own.
    pub sidecar: Option<SidecarConfig>,
    /// The identity service, which publishes whose an address is.
    #[serde(default)]
    pub identity: IdentityConfig,
    /// How other servers are reached, which users name.
    #[serde(default)]
    pub federation: FederationConfig,
    /// What the node lets strangers find out.
    #[serde(default)]
    pub privacy: PrivacyConfig,
    /// How mail is sent; absent, e-mail addresses are not supported.
    pub email: Option<EmailConfig>,
    /// How SMS are sent; absent, phone numbers are not supported.
    pub sms: Option<SmsConfig>,
    /// Where an operator's own templates are.
    #[serde(default)]
    pub templates: TemplatesConfig,
    /// How long a validation session lives and where its links may lead.
    #[serde(default)]
    pub validation: ValidationConfig,
    /// How often things may be asked, and guessed.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How messages leave.
    #[serde(default)]
    pub outbox: OutboxConfig,
    /// How long finished things are kept.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// What is logged and in which form.
    #[serde(default)]
    pub log: LogConfig,
}

/// Where messages of one medium go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// Out, by the transport that the section configures.
    #[default]
    Configured,
    /// Into the development inbox of this process; no file can ask for it.
    Inbox,
}

impl Config {
    /// Reads the file, lays the environment's `COUNTERSIGN_SECTION__KEY` over it and fetches the secrets that stand
    /// in files of their own. What it returns is well formed; whether it makes sense is [`Config::check`]'s to say.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config: Self = Source::read(path, env)?.parse()?;
        config.storage.read_secret_files()?;
        if let Some(email) = &mut config.email {
            email.read_secret_files()?;
        }
        if let Some(sms) = &mut config.sms {
            sms.read_secret_files()?;
        }
        if let Some(delegate) = &mut config.validation.delegate {
            delegate.read_secret_files()?;
        }
        Ok(config)
    }

    /// Lists everything that would keep the node from working as configured, each with the name of its key.
    /// Looks at the files that the configuration names, but opens no connection.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        self.server.check(&mut problems);
        self.storage.check(&mut problems);
        self.keys.check(&mut problems);
        self.registration.check(self, &mut problems);
        self.terms.check("terms", &mut problems);
        self.login.check(&mut problems);
        self.passwords.check(&mut problems);
        if let Some(sidecar) = &self.sidecar {
            sidecar.check(self, &mut problems);
        }
        self.identity.check(self, &mut problems);
        self.federation.check(self, &mut problems);
        if let Some(email) = &self.email {
            email.check(&mut problems);
        }
        if let Some(sms) = &self.sms {
            sms.check(&mut problems);
        }
        self.templates.check(&mut problems);
        self.validation.check(self, &mut problems);
        self.limits.check(&mut problems);
        self.outbox.check(&mut problems);
        self.retention.check(self, &mut problems);
        self.log.check(&mut problems);
        problems.into_vec()
    }

    /// Loads and checks in one step: what `serve` wants.
    pub fn load_checked(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let config = Self::load(path, env)?;
        let problems = config.check();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Problems(problems)) }
    }

    /// Whether addresses of this medium can be proven, by the node or for it.
    fn proves(&self, medium: Medium) -> bool {
        let has_section = match medium {
            Medium::Email => self.email.is_some(),
            Medium::Msisdn => self.sms.is_some(),
        };
        has_section || self.validation.delegate.iter().any(|delegate| delegate.media().any(|it| it == medium))
    }

    /// The effective configuration as TOML, defaults included, with `"(secret)"` in place of each secret.
    pub fn redacted(&self) -> String {
        toml::to_string(self).expect("every section serializes to TOML: keys are strings, numbers fit in i64")
    }

    /// The configuration of `countersign dev`: loopback only, data and key in `folder`, registration open, the
    /// identity service on, all countries, and all messages into the inbox. The operator listener takes any free port.
    pub fn dev(folder: &Path, port: u16) -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            server: ServerConfig::new(
                ServerName::parse("localhost").expect("localhost is a server name"),
                PublicUrl::loopback(port),
                loopback(port),
                loopback(0),
            ),
            storage: StorageConfig::new(StorageUrl::Sqlite(folder.join("countersign.db"))),
            keys: KeysConfig { master_key_file: folder.join("master.key"), signing_key_file: None },
            registration: RegistrationConfig { enabled: true, ..RegistrationConfig::default() },
            login: LoginConfig::default(),
            passwords: PasswordsConfig::default(),
            threepids: ThreepidsConfig::default(),
            notices: NoticesConfig::default(),
            well_known: WellKnownConfig::default(),
            terms: TermsConfig::default(),
            sidecar: None,
            identity: IdentityConfig { enabled: true, ..IdentityConfig::default() },
            federation: FederationConfig::default(),
            privacy: PrivacyConfig::default(),
            email: Some(EmailConfig::inbox()),
            sms: Some(SmsConfig::inbox()),
            templates: TemplatesConfig::default(),
            validation: ValidationConfig::default(),
            limits: LimitsConfig::default(),
            outbox: OutboxConfig::default(),
            retention: RetentionConfig::default(),
            log: LogConfig::default(),
        }
    }
}

#[cfg(test)]
mod tests;
