//! From a destination to a connection: look up, check, dial what was checked.

use std::{io, net::SocketAddr};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use super::{Destination, Failure, Guard, Place};

/// How many of a destination's places, and how many addresses of each, are tried.
const MAX_TRIES: usize = 4;

impl Guard {
    /// Connects to the first address that takes a connection, of those that may be dialed.
    pub(super) async fn connect(&self, to: &Destination) -> Result<TlsStream<TcpStream>, Failure> {
        let mut failure = Failure::NoAddress;
        for place in to.places().iter().take(MAX_TRIES) {
            match self.dial(place).await {
                Ok(tcp) => return self.tls.connect(to.certificate_name(), tcp).await.map_err(Failure::Tls),
                Err(cause) => failure = cause,
            }
        }
        Err(failure)
    }

    async fn dial(&self, place: &Place) -> Result<TcpStream, Failure> {
        let mut failure = Failure::NotDialable;
        for address in self.dialable_addresses(place).await?.into_iter().take(MAX_TRIES) {
            // One that doesn't answer must leave time for the next.
            let limit = self.timeout / MAX_TRIES as u32;
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    tcp.set_nodelay(true).map_err(Failure::Connect)?;
                    return Ok(tcp);
                }
                Ok(Err(cause)) => failure = Failure::Connect(cause),
                Err(_) => failure = Failure::Connect(io::ErrorKind::TimedOut.into()),
            }
        }
        Err(failure)
    }

    async fn dialable_addresses(&self, place: &Place) -> Result<Vec<SocketAddr>, Failure> {
        let addresses = match place {
            Place::Address(address) => vec![*address],
            Place::Name(host, port) => self.dns.addresses(host, *port).await?,
        };
        if addresses.is_empty() {
            return Err(Failure::NoAddress);
        }
        Ok(addresses.into_iter().filter(|address| self.dialable.allow(address.ip())).collect())
    }
}
