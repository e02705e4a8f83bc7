//! TLS between a node and PostgreSQL.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::{
    cluster::{Server, folder, give_to_owner},
    load::until_accepted,
    quick_folder,
};
use crate::process::{self, SmtpServer};

/// Makes an authority and a certificate for 127.0.0.1 from it in this folder; answers the authority's certificate.
fn write_certificate(folder: &Path) -> String {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
    for (name, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        give_to_owner(&path);
    }
    ca_certificate.pem()
}

#[tokio::test]
async fn the_servers_certificate_is_checked() {
    let folder = folder();
    let ca = write_certificate(folder.path());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (server, mail) =
        tokio::join!(Server::start_with_tls(folder, port), SmtpServer::start_busy(Duration::ZERO));
    let url = format!("postgres://postgres@127.0.0.1:{port}/countersign?sslmode=require");

    let nodes = quick_folder(&url, "ca_file = \"ca.pem\"", &mail);
    fs::write(nodes.path().join("ca.pem"), ca).unwrap();
    let node = nodes.serve().await;
    until_accepted(&node, "alice@example.com").await;
    node.drained().await;
    let encrypted = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid)
        where application_name = 'countersign'";
    assert_eq!(server.sql(encrypted), "t");
    drop(node);

    let other = tempfile::tempdir().unwrap();
    fs::write(nodes.path().join("ca.pem"), write_certificate(other.path())).unwrap();
    let refused = process::run(nodes.path(), &["serve", "--config", "config.toml"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    let words = ["storage.url: can't open", "the database can't be reached", "certificate"];
    for word in words {
        assert!(refused.stderr.contains(word), "{word:?} is not in\n{}", refused.stderr);
    }
}
