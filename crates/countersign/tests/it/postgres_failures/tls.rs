//! TLS between a node and PostgreSQL.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::{
    cluster::{Server, folder, give_to_owner},
    load::until_accepted,
    quick_folder,
};
use crate::process::{self, SmtpServer};

/// Makes an authority and a certificate for 127.0.0.1 from it: the authority's certificate, the server's, and its key.
fn make_certificate() -> Result<[String; 3], rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    let certificate = certificate.signed_by(&key, &Issuer::from_params(&ca, &ca_key))?;
    Ok([ca_certificate.pem(), certificate.pem(), key.serialize_pem()])
}

/// Writes a file that only the server's user may read, as the server insists.
fn write_for_owner(path: &Path, text: &str) {
    fs::write(path, text).expect("writable");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
    give_to_owner(path);
}

#[tokio::test]
async fn the_servers_certificate_is_checked() {
    let folder = folder();
    let [ca, certificate, key] = make_certificate().unwrap();
    write_for_owner(&folder.path().join("server.crt"), &certificate);
    write_for_owner(&folder.path().join("server.key"), &key);
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

    let [other_ca, ..] = make_certificate().unwrap();
    fs::write(nodes.path().join("ca.pem"), other_ca).unwrap();
    let refused = process::run(nodes.path(), &["serve", "--config", "config.toml"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    let words = ["storage.url: can't open", "the database can't be reached", "certificate"];
    for word in words {
        assert!(refused.stderr.contains(word), "{word:?} is not in\n{}", refused.stderr);
    }
}
