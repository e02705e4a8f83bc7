//! Another homeserver, which the node calls by TLS: it answers as it is told, and keeps what it was asked.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use countersign::config::Config;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// The longest request that it reads.
const MAX_REQUEST: usize = 64 * 1024;

/// The first lines and the bodies of what came.
type Requests = Arc<Mutex<Vec<(String, String)>>>;

/// What it answers: by each of these once, and by the last one from then on.
type Answers = Arc<Mutex<VecDeque<(u16, String)>>>;

/// Another homeserver. Its name is its address, so that nobody has to be asked where it is.
pub(crate) struct OtherHomeserver {
    /// Its name.
    pub(crate) name: String,
    answers: Answers,
    held: watch::Sender<Option<&'static str>>,
    requests: Requests,
    folder: TempDir,
    task: JoinHandle<()>,
}

impl OtherHomeserver {
    /// Starts one that answers everything by this.
    pub(crate) async fn start(status: u16, body: &Value) -> Self {
        let (ca_pem, acceptor) = certified("127.0.0.1");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), ca_pem).expect("a file");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let name = listener.local_addr().expect("bound").to_string();
        let answers = Answers::new(Mutex::new([(status, body.to_string())].into()));
        let requests = Requests::default();
        let held = watch::Sender::new(None);
        let (given, kept, holds) = (answers.clone(), requests.clone(), held.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(acceptor.clone(), stream, holds.subscribe(), given.clone(), kept.clone()));
            }
        });
        Self { name, answers, held, requests, folder, task }
    }

    /// Answers by this from now on.
    pub(crate) fn answer(&self, status: u16, body: impl ToString) {
        self.answer_in_turn([(status, body)]);
    }

    /// Answers by each of these once, and by the last one from then on.
    pub(crate) fn answer_in_turn<B: ToString>(&self, answers: impl IntoIterator<Item = (u16, B)>) {
        let answers = answers.into_iter().map(|(status, body)| (status, body.to_string()));
        *self.answers.lock().expect("not poisoned") = answers.collect();
    }

    /// Keeps back its answers to what is asked at such a path, from now on.
    pub(crate) fn hold(&self, path: Option<&'static str>) {
        self.held.send_replace(path);
    }

    /// The first lines of what it was asked.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").iter().map(|(line, _)| line.clone()).collect()
    }

    /// The bodies of what it was asked by such a first line.
    pub(crate) fn bodies(&self, line: &str) -> Vec<Value> {
        let requests = self.requests.lock().expect("not poisoned");
        let asked = requests.iter().filter(|(asked, _)| asked == line);
        asked.map(|(_, body)| serde_json::from_str(body).expect("JSON")).collect()
    }

    /// Lets a node call it.
    pub(crate) fn be_trusted_by(&self, config: &mut Config) {
        config.federation.ca_file = Some(self.ca_file());
        config.federation.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Drop for OtherHomeserver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn talk(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    mut held: watch::Receiver<Option<&'static str>>,
    answers: Answers,
    requests: Requests,
) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    let head = read_head(&mut stream).await?;
    let body = read_body(&mut stream, &head).await?;
    let line = head.lines().next()?;
    requests.lock().expect("not poisoned").push((line.to_owned(), body));
    held.wait_for(|held| held.is_none_or(|path| !line.contains(path))).await.ok()?;
    let (status, body) = {
        let mut answers = answers.lock().expect("not poisoned");
        if 1 < answers.len() { answers.pop_front()? } else { answers.front()?.clone() }
    };
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

async fn read_head(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_REQUEST {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn read_body(stream: &mut TlsStream<TcpStream>, head: &str) -> Option<String> {
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    String::from_utf8(body).ok()
}

/// A certificate for a host, and the authority that it is of, as PEM.
pub(super) fn certified(host: &str) -> (String, TlsAcceptor) {
    let authority_key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).expect("a certificate");
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let private_key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private_key)
        .expect("they fit");
    (authority.pem(), TlsAcceptor::from(Arc::new(config)))
}
