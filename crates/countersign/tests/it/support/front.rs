//! What stands before a node so that other nodes reach it: TLS on a port of its own, which gives the node its name.

use std::path::Path;

use countersign::config::{Config, PublicUrl};
use countersign_core::ServerName;
use tokio::{io::copy_bidirectional, net::TcpListener, net::TcpStream, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use super::{TestNode, homeserver::certified};

/// A place for a node where others find it, by a name that is its address.
pub(crate) struct Front {
    /// The name of the node to be.
    pub(crate) name: String,
    /// Who vouches for its certificate.
    pub(crate) ca_pem: String,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

/// Two nodes that know each other's certificates, each behind its front.
pub(crate) struct TwoNodes {
    /// One.
    pub(crate) first: TestNode,
    /// And another.
    pub(crate) second: TestNode,
    /// Their names.
    pub(crate) names: [String; 2],
    fronts: [JoinHandle<()>; 2],
    _folder: tempfile::TempDir,
}

impl Front {
    /// Takes a port, before there is a node to lead to.
    pub(crate) async fn bind() -> Self {
        let (ca_pem, acceptor) = certified("127.0.0.1");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let name = listener.local_addr().expect("bound").to_string();
        Self { name, ca_pem, listener, acceptor }
    }

    /// Leads to the node at this URL from now on, until the task is aborted or its runtime ends.
    pub(crate) fn lead_to(self, url: &str) -> JoinHandle<()> {
        let inside = url.strip_prefix("http://").expect("a node without TLS").to_owned();
        tokio::spawn(async move {
            while let Ok((stream, _)) = self.listener.accept().await {
                let (acceptor, inside) = (self.acceptor.clone(), inside.clone());
                tokio::spawn(async move {
                    let mut outer = acceptor.accept(stream).await.ok()?;
                    let mut inner = TcpStream::connect(inside).await.ok()?;
                    copy_bidirectional(&mut outer, &mut inner).await.ok()
                });
            }
        })
    }
}

impl TwoNodes {
    /// Starts both.
    pub(crate) async fn start() -> Self {
        let (first, second) = (Front::bind().await, Front::bind().await);
        let folder = tempfile::tempdir().expect("a folder");
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, format!("{}{}", first.ca_pem, second.ca_pem)).expect("a file");
        let names = [first.name.clone(), second.name.clone()];
        let node = async |name: &str| TestNode::start_with(|config| settle(config, name, &ca_file)).await;
        let (first_node, second_node) = (node(&names[0]).await, node(&names[1]).await);
        let fronts = [first.lead_to(&first_node.url), second.lead_to(&second_node.url)];
        Self { first: first_node, second: second_node, names, fronts, _folder: folder }
    }
}

fn settle(config: &mut Config, name: &str, ca_file: &Path) {
    config.server.name = ServerName::parse(name).expect("an address is a name");
    config.server.public_url = PublicUrl::parse(&format!("https://{name}")).expect("a URL");
    config.federation.ca_file = Some(ca_file.to_owned());
    config.federation.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
}

impl Drop for TwoNodes {
    fn drop(&mut self) {
        self.fronts.iter().for_each(JoinHandle::abort);
    }
}
