//! How names of hosts are looked up.

use std::{error::Error, net::SocketAddr};

use async_trait::async_trait;
use hickory_resolver::{
    TokioResolver,
    net::NetError,
    proto::rr::{Name, RData},
};

/// Looks names up. Each call asks anew, so two answers for one name may differ.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Where to dial for a port of a host. Nowhere, if the name does not exist or has no address.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DnsError>;

    /// The SRV records of a name. None, if there are none.
    async fn services(&self, name: &str) -> Result<Vec<Service>, DnsError>;
}

/// An SRV record ([RFC 2782](https://www.rfc-editor.org/rfc/rfc2782)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The lowest comes first.
    pub priority: u16,
    /// Among those of one priority, the highest comes first.
    pub weight: u16,
    /// The host, without a dot at its end; empty, where the service is not to be had.
    pub target: String,
    /// The port.
    pub port: u16,
}

/// A name could not be looked up. That it has no records is no error.
#[derive(Debug, thiserror::Error)]
#[error("the name can't be looked up")]
pub struct DnsError(#[source] Box<dyn Error + Send + Sync>);

impl DnsError {
    /// Wraps the cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// The name servers and the hosts file that the system is configured for.
pub struct SystemDns {
    /// Absent, where the configuration can't be read.
    resolver: Option<TokioResolver>,
}

impl SystemDns {
    /// Reads the system's configuration, and asks nothing yet. Where it can't be read, every look-up fails.
    pub fn new() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        if let Err(error) = &resolver {
            tracing::warn!(reason = %error, "The system's DNS can't be used: no other server can be found");
        }
        Self { resolver: resolver.ok() }
    }

    fn resolver(&self) -> Result<&TokioResolver, DnsError> {
        self.resolver.as_ref().ok_or_else(|| DnsError::new("there is no configuration"))
    }
}

impl Default for SystemDns {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Dns for SystemDns {
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DnsError> {
        match self.resolver()?.lookup_ip(absolute(host)?).await {
            Ok(found) => Ok(found.iter().map(|address| SocketAddr::new(address, port)).collect()),
            Err(error) => none_or(error),
        }
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, DnsError> {
        match self.resolver()?.srv_lookup(absolute(name)?).await {
            Ok(found) => Ok(found.answers().iter().filter_map(|record| service(&record.data)).collect()),
            Err(error) => none_or(error),
        }
    }
}

fn service(data: &RData) -> Option<Service> {
    let RData::SRV(service) = data else { return None };
    Some(Service {
        priority: service.priority,
        weight: service.weight,
        target: service.target.to_ascii().trim_end_matches('.').to_owned(),
        port: service.port,
    })
}

/// The name as it stands, not below a domain that the system searches.
fn absolute(name: &str) -> Result<Name, DnsError> {
    let mut name = Name::from_ascii(name).map_err(DnsError::new)?;
    name.set_fqdn(true);
    Ok(name)
}

fn none_or<T>(error: NetError) -> Result<Vec<T>, DnsError> {
    if error.is_no_records_found() || error.is_nx_domain() {
        Ok(Vec::new())
    } else {
        Err(DnsError::new(error))
    }
}
