//! Real SMTP conversations of the real program with a real mail server.

use std::{fs, net::TcpListener, time::SystemTime};

use countersign_client::{AddThreepidRequest, RegisterRequest, RequestEmailToken, SubmitTokenRequest};
use countersign_client::{RequestTokenResponse, UserIdentifier};

use crate::{
    process::{ReceivedMail, ServeFolder, ServedNode, SmtpServer, smtp_config, until},
    support::PASSWORD,
};

/// Failed messages are tried again soon.
const OUTBOX: &str = "[outbox]\nretry_delay_min = \"100ms\"\npoll_interval = \"100ms\"\n";

fn folder(mail: &SmtpServer) -> ServeFolder {
    ServeFolder::new(&format!("{}\n{OUTBOX}", mail.config()))
}

async fn ask(node: &ServedNode, address: &str, send_attempt: i64) -> RequestTokenResponse {
    let request = RequestEmailToken::new("monkeys_are_GREAT", address, send_attempt);
    node.client.request_token_to_3pid_email(&request).await.expect("accepted")
}

#[tokio::test]
async fn a_mail_says_who_sent_it_when_and_that_no_person_did() {
    let server = SmtpServer::start().await;
    let folder = folder(&server);
    let node = folder.serve().await;
    ask(&node, "Alice+Tag@Example.com", 1).await;
    let mail = server.wait_for_events(1).await.remove(0);

    assert_eq!(mail.envelope_from, "no-reply@example.org");
    assert_eq!(mail.to(), "alice+tag@example.com");
    assert_eq!(mail.header("from"), "Exämple <no-reply@example.org>");
    assert!(mail.header("to").contains("alice+tag@example.com"));
    assert!(mail.header("subject").contains("example.org"), "{}", mail.header("subject"));
    assert_eq!(mail.header("auto-submitted"), "auto-generated");
    assert_eq!(mail.header("mime-version"), "1.0");
    let id = mail.header("message-id");
    let id = id.strip_prefix('<').and_then(|id| id.strip_suffix("@example.org>"));
    assert!(id.is_some_and(|id| id.len() == 32), "{}", mail.header("message-id"));
    assert!(seconds_since(mail.date.unwrap()).abs() < 60.0, "{:?}", mail.date);
    assert_eq!(mail.content_type, "multipart/alternative");
    assert_eq!(mail.parts, ["text/plain", "text/html"]);
    assert_eq!(mail.defects, [""; 0]);
    assert_lines_are_clean(&mail);
}

/// How long ago that was, in seconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the program under test has a real clock, so the test compares with one"
)]
fn seconds_since(date: f64) -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs_f64() - date
}

/// All lines end with CR and LF, neither stands alone, and none is too long (RFC 5322, section 2.1.1).
fn assert_lines_are_clean(mail: &ReceivedMail) {
    let raw = String::from_utf8(mail.raw()).expect("ASCII");
    assert!(raw.is_ascii());
    assert!(raw.ends_with("\r\n"));
    assert!(!raw.replace("\r\n", "").contains(['\r', '\n']));
    assert!(raw.split("\r\n").all(|line| line.len() <= 998));
}

#[tokio::test]
async fn code_and_link_in_a_mail_are_good() {
    let server = SmtpServer::start().await;
    let folder = folder(&server);
    let node = folder.serve().await;
    let sid = ask(&node, "alice@example.com", 1).await.sid;
    let mail = server.wait_for_events(1).await.remove(0);
    let code = mail.code().unwrap();
    let link = mail.link("/_countersign/v1/confirm?").unwrap();
    assert!(link.starts_with("https://id.example.org/"), "{link}");
    for part in [mail.text.as_ref().unwrap(), mail.html.as_ref().unwrap()] {
        assert!(part.contains(&code), "{part}");
        assert!(part.replace("&amp;", "&").contains(&link), "{part}");
        assert!(part.contains("/_countersign/v1/not-me?"), "{part}");
        assert!(!part.contains("monkeys_are_GREAT"), "the client secret is the client's alone");
    }

    // The proxy in front, which the public URL names, is not there: the page is asked of the node itself.
    let page = node.http.get(link.replace("https://id.example.org", &node.url)).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("id=\"confirm\""));
    let submit_url = format!("{}/_countersign/v1/submit_token", node.url);
    let submission = SubmitTokenRequest::new(&sid, "monkeys_are_GREAT", code);
    assert!(node.client.submit_token(&submit_url, &submission).await.unwrap().success);
    let registered = node.client.register_with_dummy(&RegisterRequest::new("alice", PASSWORD)).await.unwrap();
    let alice = node.client.with_access_token(registered.access_token.unwrap());
    let add = AddThreepidRequest::new(&sid, "monkeys_are_GREAT");
    alice.add_3pid_with_password(&add, UserIdentifier::user("alice"), PASSWORD).await.unwrap();
    assert_eq!(alice.get_account_3pids().await.unwrap().threepids[0].address, "alice@example.com");
}

#[tokio::test]
async fn a_mail_waits_for_a_server_that_is_down() {
    let port = quiet_port();
    let folder = ServeFolder::new(&format!("{}\n{OUTBOX}", smtp_config(port)));
    let node = folder.serve().await;
    ask(&node, "alice@example.com", 1).await;
    node.process.said("was not accepted and is tried again").await;
    assert_eq!(node.ready().await.unwrap()["outbox"]["waiting"], 1);

    let server = SmtpServer::start_at(port).await;
    let mails = server.wait_for_events(1).await;
    assert_eq!(mails[0].to(), "alice@example.com");
    node.drained().await;
    assert_eq!(server.event_count(), 1, "it came once");
}

/// A port that nobody is given by chance: below those that the system hands out.
fn quiet_port() -> u16 {
    let ephemeral = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first =
        ephemeral.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768_u16);
    let process = u16::try_from(std::process::id() % 10_000).expect("less than 10 000");
    let start = (first - 10_000).max(1_024) + process / 2;
    (start..first).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

#[tokio::test]
async fn a_mail_that_is_put_off_comes_with_the_same_id_and_code() {
    let server = SmtpServer::start().await;
    server.refuse("451 4.7.1 Greylisted, try again later");
    let folder = folder(&server);
    let node = folder.serve().await;
    ask(&node, "alice@example.com", 1).await;
    let waiting_id = until_logged_id(&node).await;
    server.wait_for_events(2).await;
    server.accept();
    until("the mail comes", async || !server.received().is_empty()).await;
    node.drained().await;
    let mails = server.received();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].header("message-id"), format!("<{waiting_id}@example.org>"));
    assert!(server.refused().iter().all(|address| address == "alice@example.com"));
}

/// The id of the message that the log says is tried again.
async fn until_logged_id(node: &ServedNode) -> String {
    let line = node.process.said("was not accepted and is tried again").await;
    assert!(line.contains("451"), "{line}");
    assert!(!line.contains("alice@"), "the log names the address: {line}");
    let (_, rest) = line.split_once("Message ").expect("the id follows");
    rest.split(' ').next().expect("a split has a first part").to_owned()
}

#[tokio::test]
async fn after_a_refusal_for_good_the_same_attempt_sends_again() {
    let server = SmtpServer::start().await;
    server.refuse("550 5.1.1 No such user here");
    let folder = folder(&server);
    let node = folder.serve().await;
    let first = ask(&node, "alice@example.com", 1).await;
    node.process.said("is given up").await;
    node.drained().await;
    assert_eq!(server.refused(), ["alice@example.com"], "it was tried once");

    server.accept();
    let again = ask(&node, "alice@example.com", 1).await;
    assert_eq!(again.sid, first.sid);
    until("the mail comes", async || !server.received().is_empty()).await;
    node.drained().await;
    ask(&node, "alice@example.com", 1).await;
    node.drained().await;
    assert_eq!(server.received().len(), 1, "a repeat after the delivery sends nothing");
}
