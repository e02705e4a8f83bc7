//! Whole SMTP conversations with a scripted server: what is said, and what each mishap means.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/server.rs"]
mod server;

use std::time::Duration;

use countersign_delivery::{
    Accepted, EmailMessage, EmailTransport, Secret, SendError,
    email::{
        mime::Mailbox,
        smtp::{SmtpSettings, SmtpTls, SmtpTransport},
    },
};

use self::{
    certificate::TestCa,
    server::{Act, Builder, Security, Server},
};

fn message() -> EmailMessage {
    EmailMessage {
        id: "0193-abc".to_owned(),
        to: "alice@example.com".to_owned(),
        subject: "Hello".to_owned(),
        text: "First line\n.\n..two\n.end\n".to_owned(),
        html: "<p>Hello</p>\n".to_owned(),
        template: "validate_email",
        language: "en".to_owned(),
        date_ms: 1_794_996_000_000,
        link: None,
        code: None,
    }
}

fn settings(server: &Server) -> SmtpSettings {
    let from = Mailbox::parse("Example <no-reply@example.org>").unwrap();
    SmtpSettings {
        hello_name: "node.example.org".to_owned(),
        ..SmtpSettings::new("127.0.0.1", server.address.port(), from)
    }
}

fn transport(server: &Server) -> SmtpTransport {
    SmtpTransport::new(settings(server)).unwrap()
}

async fn send(transport: &SmtpTransport) -> Result<Accepted, SendError> {
    transport.send(&message()).await
}

fn transient(outcome: Result<Accepted, SendError>) -> String {
    match outcome {
        Err(SendError::Transient { reason, .. }) => reason,
        other => panic!("not transient: {other:?}"),
    }
}

fn permanent(outcome: Result<Accepted, SendError>) -> String {
    match outcome {
        Err(SendError::Permanent { reason }) => reason,
        other => panic!("not permanent: {other:?}"),
    }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_built() {
    let server = Builder::new().start().await;
    assert_eq!(send(&transport(&server)).await, Ok(Accepted { reply: "250 2.0.0".to_owned() }));
    assert_eq!(
        server.commands(),
        ["EHLO node.example.org", "MAIL FROM:<no-reply@example.org>", "RCPT TO:<alice@example.com>", "DATA"]
    );
    let received = &server.messages()[0];
    assert!(received.contains("Message-ID: <0193-abc@example.org>\r\n"));
    // A dot at the start of a line is doubled on the wire, and there only.
    assert!(received.contains("First line\r\n..\r\n...two\r\n..end\r\n"), "{received}");
    assert!(!received.replace("\r\n", "").contains(['\r', '\n']));
}

#[tokio::test]
async fn one_connection_carries_many_messages() {
    let server = Builder::new().start().await;
    let transport = transport(&server);
    for _ in 0..5 {
        send(&transport).await.unwrap();
    }
    assert_eq!((server.connections(), server.messages().len()), (1, 5));
}

#[tokio::test]
async fn a_connection_is_replaced_after_its_last_message() {
    let server = Builder::new().start().await;
    let transport =
        SmtpTransport::new(SmtpSettings { max_messages_per_connection: 2, ..settings(&server) }).unwrap();
    for _ in 0..4 {
        send(&transport).await.unwrap();
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn no_more_connections_than_allowed_are_opened() {
    let server = Builder::new().start().await;
    let transport = SmtpTransport::new(SmtpSettings { max_connections: 2, ..settings(&server) }).unwrap();
    let transport = std::sync::Arc::new(transport);
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let transport = std::sync::Arc::clone(&transport);
        sending.spawn(async move { send(&transport).await });
    }
    while let Some(outcome) = sending.join_next().await {
        outcome.unwrap().unwrap();
    }
    assert!(server.connections() <= 2);
    assert_eq!(server.messages().len(), 20);
}

#[tokio::test]
async fn an_idle_connection_that_died_is_replaced_at_once() {
    for act in [Act::Hang, Act::line("421 4.4.2 idle too long")] {
        let server = Builder::new().on("MAIL", 2, act).start().await;
        let transport = transport(&server);
        send(&transport).await.unwrap();
        send(&transport).await.unwrap();
        assert_eq!((server.connections(), server.messages().len()), (2, 2));
    }
}

#[tokio::test]
async fn a_connection_closed_after_a_message_is_replaced_at_once() {
    let server = Builder::new().on("end", 1, Act::ReplyAndHang).start().await;
    let transport = transport(&server);
    send(&transport).await.unwrap();
    send(&transport).await.unwrap();
    assert_eq!((server.connections(), server.messages().len()), (2, 2));
}

#[tokio::test]
async fn a_refused_message_leaves_the_connection_usable() {
    let server =
        Builder::new().on("RCPT", 1, Act::line("550 5.1.1 <alice@example.com> unknown")).start().await;
    let transport = transport(&server);
    assert_eq!(permanent(send(&transport).await), "SMTP RCPT TO: 550 5.1.1");
    send(&transport).await.unwrap();
    assert_eq!(server.connections(), 1);
    assert!(server.commands().contains(&"RSET".to_owned()));
}

#[tokio::test]
async fn refusals_of_the_message_are_permanent() {
    for (stage, reason) in [
        ("MAIL", "SMTP MAIL FROM: 554 5.0.0"),
        ("RCPT", "SMTP RCPT TO: 554 5.0.0"),
        ("DATA", "SMTP DATA: 554 5.0.0"),
        ("end", "SMTP end of message: 554 5.0.0"),
    ] {
        let server = Builder::new().on(stage, 1, Act::line("554 5.0.0 no alice@example.com")).start().await;
        assert_eq!(permanent(send(&transport(&server)).await), reason);
    }
}

#[tokio::test]
async fn everything_else_is_transient_at_every_stage() {
    let stages = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "end"];
    for stage in stages {
        for (act, mark) in [
            (Act::line("451 4.7.1 greylisted alice@example.com"), "451 4.7.1"),
            (Act::line("421 closing"), "421"),
            (Act::line("530 5.7.0 log in first"), "530 5.7.0"),
            (Act::Hang, "connection failed"),
            (Act::line("hello there"), "unreadable reply"),
            (Act::Say(b"\x00\xff\xfe\r\n\r\n".to_vec()), "unreadable reply"),
            (Act::Say("2\u{e9}0 ok\r\n".into()), "unreadable reply"),
            (Act::Flood, "unreadable reply"),
        ] {
            let server = Builder::new().on(stage, 1, act).start().await;
            let reason = transient(send(&transport(&server)).await);
            assert!(reason.contains(mark), "{stage}: {reason}");
            assert!(!reason.contains("alice"));
        }
    }
}

#[tokio::test]
async fn a_line_cut_at_any_byte_is_transient() {
    for (stage, usual_length) in
        [("greeting", 16), ("EHLO", 34), ("MAIL", 14), ("RCPT", 14), ("DATA", 11), ("end", 24)]
    {
        for length in 0..usual_length {
            let server = Builder::new().on(stage, 1, Act::Cut(length)).start().await;
            transient(send(&transport(&server)).await);
            assert_eq!(server.connections(), 1, "{stage} {length}");
        }
    }
}

#[tokio::test]
async fn a_blank_line_in_the_hello_harms_nobody() {
    let hello = Act::Say(b"250-test\r\n250-   \r\n250-\t\r\n250 HELP\r\n".to_vec());
    let server = Builder::new().on("EHLO", 1, hello).start().await;
    send(&transport(&server)).await.unwrap();
}

#[tokio::test]
async fn an_unused_connection_is_closed_politely() {
    let server = Builder::new().start().await;
    let idle_timeout = Duration::from_millis(20);
    let transport = SmtpTransport::new(SmtpSettings { idle_timeout, ..settings(&server) }).unwrap();
    send(&transport).await.unwrap();
    let left = async {
        while !server.commands().contains(&"QUIT".to_owned()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), left).await.unwrap();
    send(&transport).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_refusal_at_the_door_is_transient() {
    for stage in ["greeting", "EHLO"] {
        let server = Builder::new().on(stage, 1, Act::line("554 5.7.1 no access")).start().await;
        assert!(transient(send(&transport(&server)).await).contains("554 5.7.1"));
    }
}

#[tokio::test]
async fn a_positive_reply_of_the_wrong_kind_is_transient() {
    for (stage, line) in [("DATA", "250 ok"), ("RCPT", "354 go on"), ("end", "354 more")] {
        let server = Builder::new().on(stage, 1, Act::line(line)).start().await;
        assert!(transient(send(&transport(&server)).await).contains("unexpected reply"));
    }
}

#[tokio::test]
async fn a_mute_server_costs_no_more_than_the_limits() {
    for stage in ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "end"] {
        let server = Builder::new().on(stage, 1, Act::Mute).start().await;
        let limit = Duration::from_millis(50);
        let short = SmtpSettings { command_timeout: limit, data_timeout: limit, ..settings(&server) };
        assert!(transient(send(&SmtpTransport::new(short).unwrap()).await).contains("timed out"));
        let short = SmtpSettings { send_timeout: limit, ..settings(&server) };
        let server_for_second = Builder::new().on(stage, 1, Act::Mute).start().await;
        let short = SmtpSettings { port: server_for_second.address.port(), ..short };
        let reason = transient(send(&SmtpTransport::new(short).unwrap()).await);
        assert_eq!(reason, "SMTP whole attempt: timed out");
    }
}

#[tokio::test]
async fn a_localized_refusal_keeps_its_code() {
    let refusal = [b"550 5.1.1 Empf\xe4nger unbekannt\r\n".to_vec()].concat();
    let server = Builder::new().on("RCPT", 1, Act::Say(refusal)).start().await;
    assert_eq!(permanent(send(&transport(&server)).await), "SMTP RCPT TO: 550 5.1.1");
}

#[tokio::test]
async fn nobody_listening_is_transient() {
    let server = Builder::new().start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let closed = SmtpSettings { port, ..settings(&server) };
    let reason = transient(send(&SmtpTransport::new(closed).unwrap()).await);
    assert!(reason.starts_with("SMTP connect: connection failed"), "{reason}");
}

#[tokio::test]
async fn an_address_that_could_break_out_never_reaches_the_wire() {
    let server = Builder::new().start().await;
    let transport = transport(&server);
    for to in ["a@b.example>\r\nRCPT TO:<eve@example.com", "a b@c.example", "a@b.example\nDATA"] {
        permanent(transport.send(&EmailMessage { to: to.to_owned(), ..message() }).await);
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn foreign_addresses_need_smtputf8() {
    let foreign = || EmailMessage { to: "ñandú@example.com".to_owned(), ..message() };
    let server = Builder::new().start().await;
    let with_old_server = transport(&server);
    assert!(permanent(with_old_server.send(&foreign()).await).contains("SMTPUTF8"));
    send(&with_old_server).await.unwrap();
    assert_eq!(server.connections(), 1);

    let server = Builder::new().extensions(&["8BITMIME", "SMTPUTF8"]).start().await;
    transport(&server).send(&foreign()).await.unwrap();
    assert_eq!(server.commands()[1], "MAIL FROM:<no-reply@example.org> SMTPUTF8 BODY=8BITMIME");
    assert_eq!(server.commands()[2], "RCPT TO:<ñandú@example.com>");
    send(&transport(&server)).await.unwrap();
    assert!(server.commands().contains(&"MAIL FROM:<no-reply@example.org>".to_owned()));
}

#[tokio::test]
async fn credentials_are_sent_by_the_offered_mechanism() {
    let credentials = || Some(("user".to_owned(), Secret::new("pass")));
    let server = Builder::new().extensions(&["AUTH PLAIN LOGIN"]).start().await;
    let settings_with = SmtpSettings { credentials: credentials(), ..settings(&server) };
    assert!(!format!("{settings_with:?}").contains("pass"));
    let transport = SmtpTransport::new(settings_with).unwrap();
    send(&transport).await.unwrap();
    send(&transport).await.unwrap();
    let logins = server.commands().iter().filter(|line| *line == "AUTH PLAIN AHVzZXIAcGFzcw==").count();
    assert_eq!(logins, 1);

    let server = Builder::new()
        .extensions(&["AUTH LOGIN"])
        .on("AUTH", 1, Act::line("334 VXNlcm5hbWU6"))
        .on("other", 1, Act::line("334 UGFzc3dvcmQ6"))
        .on("other", 2, Act::line("235 ok"))
        .start()
        .await;
    send(&SmtpTransport::new(SmtpSettings { credentials: credentials(), ..settings(&server) }).unwrap())
        .await
        .unwrap();
    assert_eq!(server.commands()[1..4], ["AUTH LOGIN", "dXNlcg==", "cGFzcw=="]);
}

#[tokio::test]
async fn a_failed_login_waits_for_the_operator() {
    let credentials = || Some(("user".to_owned(), Secret::new("pass")));
    let server = Builder::new()
        .extensions(&["AUTH PLAIN"])
        .on("AUTH", 1, Act::line("535 5.7.8 wrong password pass"))
        .start()
        .await;
    let transport =
        SmtpTransport::new(SmtpSettings { credentials: credentials(), ..settings(&server) }).unwrap();
    assert_eq!(transient(send(&transport).await), "SMTP AUTH: 535 5.7.8");

    let server = Builder::new().start().await;
    let transport =
        SmtpTransport::new(SmtpSettings { credentials: credentials(), ..settings(&server) }).unwrap();
    assert_eq!(transient(send(&transport).await), "SMTP AUTH: not offered by the server");
    assert!(server.messages().is_empty());
}

#[tokio::test]
async fn check_connects_and_leaves() {
    let server = Builder::new().start().await;
    transport(&server).check().await.unwrap();
    assert_eq!(server.commands(), ["EHLO node.example.org", "NOOP", "QUIT"]);

    let server = Builder::new().on("greeting", 1, Act::line("554 go away")).start().await;
    assert!(transport(&server).check().await.is_err());
}

fn tls_settings(server: &Server, tls: SmtpTls, ca: Option<Vec<u8>>) -> SmtpSettings {
    SmtpSettings { host: "localhost".to_owned(), tls, extra_ca_pem: ca, ..settings(server) }
}

#[tokio::test]
async fn implicit_tls_and_starttls_deliver() {
    let ca = TestCa::new();
    for (security, tls) in [
        (Security::Implicit(ca.acceptor("localhost")), SmtpTls::Implicit),
        (Security::Starttls(ca.acceptor("localhost")), SmtpTls::Starttls),
    ] {
        let server = Builder::new().security(security).start().await;
        let transport = SmtpTransport::new(tls_settings(&server, tls, Some(ca.pem.clone()))).unwrap();
        send(&transport).await.unwrap();
        send(&transport).await.unwrap();
        assert_eq!((server.connections(), server.messages().len()), (1, 2));
        let hellos = server.commands().iter().filter(|line| line.starts_with("EHLO")).count();
        assert_eq!(hellos, if tls == SmtpTls::Starttls { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_ends_the_attempt() {
    let (ours, other) = (TestCa::new(), TestCa::new());
    for (acceptor, trusted) in
        [(ours.acceptor("localhost"), &other.pem), (ours.acceptor("elsewhere.example"), &ours.pem)]
    {
        let server = Builder::new().security(Security::Starttls(acceptor)).start().await;
        let settings = tls_settings(&server, SmtpTls::Starttls, Some(trusted.clone()));
        let reason = transient(send(&SmtpTransport::new(settings).unwrap()).await);
        assert!(reason.starts_with("SMTP TLS handshake: TLS failed: invalid peer certificate"), "{reason}");
        assert!(server.messages().is_empty());
    }
}

#[tokio::test]
async fn starttls_never_falls_back_to_clear_text() {
    let ca = TestCa::new();
    let plain = Builder::new().start().await;
    let refusing = Builder::new()
        .security(Security::Starttls(ca.acceptor("localhost")))
        .on("STARTTLS", 1, Act::line("454 4.7.0 not now"))
        .start()
        .await;
    let injecting = Builder::new()
        .security(Security::Starttls(ca.acceptor("localhost")))
        .on("STARTTLS", 1, Act::Say(b"220 go\r\n250 injected\r\n".to_vec()))
        .start()
        .await;
    for (server, reason) in [
        (plain, "SMTP STARTTLS: not offered by the server"),
        (refusing, "SMTP STARTTLS: 454 4.7.0"),
        (injecting, "SMTP STARTTLS: unreadable reply"),
    ] {
        let settings = tls_settings(&server, SmtpTls::Starttls, Some(ca.pem.clone()));
        assert_eq!(transient(send(&SmtpTransport::new(settings).unwrap()).await), reason);
        assert!(!server.commands().iter().any(|line| line.starts_with("MAIL")));
    }
}

#[test]
fn settings_that_cannot_work_are_refused_at_start() {
    let base = || SmtpSettings::new("localhost", 25, Mailbox::parse("a@example.org").unwrap());
    assert!(SmtpTransport::new(SmtpSettings { host: "no host".to_owned(), ..base() }).is_err());
    assert!(SmtpTransport::new(SmtpSettings { hello_name: "a\r\nb".to_owned(), ..base() }).is_err());
    let with_ca =
        |pem: &[u8]| SmtpSettings { tls: SmtpTls::Implicit, extra_ca_pem: Some(pem.to_vec()), ..base() };
    assert!(SmtpTransport::new(with_ca(b"not PEM")).is_err());
    assert!(SmtpTransport::new(SmtpSettings { hello_name: "::1".to_owned(), ..base() }).is_ok());
}
