//! Where homeservers are found: each way that the specification has, and by which name they are asked.

use std::{net::SocketAddr, time::Duration};

use countersign_core::UserId;
use countersign_delivery::{Federation, PeerError, federation::Userinfo};

use super::world::{Reply, TestServer, UNREACHABLE, World, header, http, name, redirect};

const LOOPBACK: &str = "127.0.0.0/8";
const SUB: &str = r#"{"sub":"@alice:example.org"}"#;

/// Any call that needs discovery.
async fn call(federation: &Federation, server: &str) -> Result<Userinfo, PeerError> {
    federation.openid_userinfo(&name(server), "token").await
}

fn alice() -> Result<Userinfo, PeerError> {
    Ok(Userinfo::User(UserId::parse("@alice:example.org").unwrap()))
}

/// A homeserver with this name in its certificate.
async fn homeserver(world: &World, host: &str) -> TestServer {
    world.server(host, http(200, SUB)).await
}

/// A web server at port 443 of a host that gives one answer.
async fn web(world: &World, host: &str, answer: impl Into<String>) -> TestServer {
    let server = world.server(host, answer).await;
    world.dns.host(host, 443, &[&[server.address]]);
    server
}

fn well_known(server: &str) -> String {
    http(200, &format!("{{\"m.server\":\"{server}\"}}"))
}

fn hosts(server: &TestServer) -> Vec<String> {
    server.requests().iter().map(|request| header(request, "host").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_address_or_a_port_says_where() {
    let world = World::new();
    let literal = homeserver(&world, "127.0.0.1").await;
    let federation = world.federation(&[LOOPBACK]);
    let written = literal.address.to_string();
    assert_eq!(call(&federation, &written).await, alice());
    assert_eq!(hosts(&literal), [written]);

    let named = homeserver(&world, "example.org").await;
    world.dns.host("example.org", named.port(), &[&[named.address]]);
    let written = format!("example.org:{}", named.port());
    assert_eq!(call(&federation, &written).await, alice());
    assert_eq!(hosts(&named), std::slice::from_ref(&written));
    // No record and no document was looked for.
    assert_eq!(world.dns.asked(), [written]);
}

#[tokio::test]
async fn a_document_delegates_to_an_address_a_port_or_a_name() {
    for (delegated, certificate, dialed) in [
        ("matrix.example.net:4443", "matrix.example.net", ("matrix.example.net", 4443)),
        ("matrix.example.net", "matrix.example.net", ("matrix.example.net", 8448)),
    ] {
        let world = World::new();
        let server = homeserver(&world, certificate).await;
        world.dns.host(dialed.0, dialed.1, &[&[server.address]]);
        let web = web(&world, "example.org", well_known(delegated)).await;
        assert_eq!(call(&world.federation(&[LOOPBACK]), "example.org").await, alice(), "{delegated}");
        assert_eq!(web.request_lines(), ["GET /.well-known/matrix/server"]);
        assert_eq!(
            (hosts(&web), hosts(&server)),
            (vec!["example.org".to_owned()], vec![delegated.to_owned()])
        );
    }
    let world = World::new();
    let server = homeserver(&world, "127.0.0.1").await;
    web(&world, "example.org", well_known(&server.address.to_string())).await;
    assert_eq!(call(&world.federation(&[LOOPBACK]), "example.org").await, alice());
    assert_eq!(hosts(&server), [server.address.to_string()]);
}

#[tokio::test]
async fn records_lead_to_another_host_that_answers_by_the_servers_name() {
    for (service, other) in [("_matrix-fed._tcp", "_matrix._tcp"), ("_matrix._tcp", "_unused._tcp")] {
        for delegated in [None, Some("matrix.example.net")] {
            let world = World::new();
            let certificate = delegated.unwrap_or("example.org");
            let server = homeserver(&world, certificate).await;
            world.dns.service(&format!("{service}.{certificate}"), "srv.example.com", 1234);
            world.dns.service(&format!("{other}.{certificate}"), "wrong.example.com", 1234);
            world.dns.host("srv.example.com", 1234, &[&[server.address]]);
            let document = delegated.map_or(http(404, "{}"), well_known);
            web(&world, "example.org", document).await;
            assert_eq!(
                call(&world.federation(&[LOOPBACK]), "example.org").await,
                alice(),
                "{service} {delegated:?}"
            );
            assert_eq!(hosts(&server), [certificate]);
        }
    }
}

#[tokio::test]
async fn without_document_and_records_it_is_port_8448() {
    for document in [
        Some(http(404, SUB)),
        Some(http(200, "<html>")),
        Some(http(200, "{}")),
        Some(http(200, r#"{"m.server":"https://elsewhere.example/"}"#)),
        Some(redirect("http://example.org/.well-known/matrix/server")),
        Some("nonsense".to_owned()),
        None,
    ] {
        let world = World::new();
        let server = homeserver(&world, "example.org").await;
        world.dns.host("example.org", 8448, &[&[server.address]]);
        if let Some(document) = document.clone() {
            web(&world, "example.org", document).await;
        }
        assert_eq!(call(&world.federation(&[LOOPBACK]), "example.org").await, alice(), "{document:?}");
        assert_eq!(hosts(&server), ["example.org"]);
    }
}

#[tokio::test]
async fn a_document_that_never_comes_leaves_time_for_the_server() {
    let world = World::new();
    let server = homeserver(&world, "example.org").await;
    world.dns.host("example.org", 8448, &[&[server.address]]);
    let mute = world.server_with("example.org", |_| Reply::Stall("")).await;
    world.dns.host("example.org", 443, &[&[mute.address]]);
    assert_eq!(
        call(&world.patient_federation(&[LOOPBACK], Duration::from_secs(3)), "example.org").await,
        alice()
    );
}

#[tokio::test]
async fn records_that_say_no_or_can_not_be_read_are_the_end() {
    let world = World::new();
    let server = homeserver(&world, "example.org").await;
    for host in ["example.org", "broken.example.org"] {
        world.dns.host(host, 8448, &[&[server.address]]);
        world.dns.service(&format!("_matrix-fed._tcp.{host}"), "", 0);
        assert_eq!(call(&world.federation(&[LOOPBACK]), host).await, Err(UNREACHABLE), "{host}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_documents_redirects_are_followed_three_times_and_each_is_checked() {
    for (redirects, is_followed) in [(1, true), (3, true), (4, false)] {
        let world = World::new();
        let server = homeserver(&world, "matrix.example.net").await;
        world.dns.host("matrix.example.net", 4443, &[&[server.address]]);
        let web = world
            .server_with("example.org", move |request| {
                let path = request.split(' ').nth(1).unwrap();
                let step: usize = path.strip_prefix("/step?").map_or(0, |step| step.parse().unwrap());
                Reply::Say(match step < redirects {
                    true if step.is_multiple_of(2) => redirect(&format!("/step?{}", step + 1)),
                    true => redirect(&format!("https://example.org/step?{}", step + 1)),
                    false => well_known("matrix.example.net:4443"),
                })
            })
            .await;
        world.dns.host("example.org", 443, &[&[web.address]]);
        let outcome = call(&world.federation(&[LOOPBACK]), "example.org").await;
        assert_eq!(outcome, if is_followed { alice() } else { Err(UNREACHABLE) }, "{redirects}");
        assert_eq!(web.connections(), redirects.min(3) + 1);
    }
}

#[tokio::test]
async fn a_redirect_or_a_delegation_to_a_special_address_leads_nowhere() {
    let world = World::new();
    let inside = world.server("127.0.0.1", well_known("127.0.0.1:1")).await;
    let port = inside.port();
    world.dns.host("inside.example.org", port, &[&[inside.address]]);
    let outside = |answer: String| {
        TestServer::start("127.0.0.2:0", world.ca.acceptor("example.org"), move |_| {
            Reply::Say(answer.clone())
        })
    };
    for answer in [
        redirect(&format!("https://127.0.0.1:{port}/")),
        redirect(&format!("https://127.1:{port}/")),
        redirect(&format!("https://0x7f000001:{port}/")),
        redirect(&format!("https://2130706433:{port}/")),
        redirect(&format!("https://[::ffff:127.0.0.1]:{port}/")),
        redirect(&format!("//127.0.0.1:{port}/")),
        redirect(&format!("https://inside.example.org:{port}/")),
        redirect(&format!("https://example.org@127.0.0.1:{port}/")),
        well_known(&format!("127.0.0.1:{port}")),
        well_known(&format!("[::ffff:127.0.0.1]:{port}")),
        well_known(&format!("inside.example.org:{port}")),
    ] {
        let outside = outside(answer.clone()).await;
        world.dns.host("example.org", 443, &[&[outside.address]]);
        assert_eq!(
            call(&world.federation(&["127.0.0.2/32"]), "example.org").await,
            Err(UNREACHABLE),
            "{answer}"
        );
        assert_eq!((outside.connections(), inside.connections()), (1, 0), "{answer}");
    }
}

#[tokio::test]
async fn a_name_that_changes_between_document_and_call_is_checked_again() {
    let world = World::new();
    let inside = homeserver(&world, "example.org").await;
    let outside = TestServer::start("127.0.0.2:0", world.ca.acceptor("example.org"), |_| {
        Reply::Say(well_known("example.org:443"))
    })
    .await;
    world.dns.host("example.org", 443, &[&[outside.address], &[inside.address]]);
    assert_eq!(call(&world.federation(&["127.0.0.2/32"]), "example.org").await, Err(UNREACHABLE));
    assert_eq!((outside.connections(), inside.connections()), (1, 0));
}

#[tokio::test]
async fn a_delegation_is_remembered_and_so_is_that_there_is_none() {
    let body = r#"{"m.server":"matrix.example.net:4443"}"#;
    let document = format!(
        "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for (document, lifetime) in
        [(document, Duration::from_secs(60)), (http(404, ""), Duration::from_mins(10))]
    {
        let world = World::new();
        let server = world.server_with("matrix.example.net", |_| Reply::Say(http(200, SUB))).await;
        let fallback = homeserver(&world, "example.org").await;
        world.dns.host("matrix.example.net", 4443, &[&[server.address]]);
        world.dns.host("example.org", 8448, &[&[fallback.address]]);
        let web = web(&world, "example.org", document).await;
        let federation = world.federation(&[LOOPBACK]);
        for _ in 0..2 {
            assert_eq!(call(&federation, "example.org").await, alice());
        }
        assert_eq!(web.connections(), 1);
        world.clock.advance(lifetime - Duration::from_millis(1));
        assert_eq!(call(&federation, "example.org").await, alice());
        assert_eq!(web.connections(), 1);
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(call(&federation, "example.org").await, alice());
        assert_eq!(web.connections(), 2);
    }
}

#[tokio::test]
async fn the_next_record_is_tried_where_the_first_does_not_answer() {
    let world = World::new();
    let server = homeserver(&world, "example.org").await;
    let dead: SocketAddr = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (target, address) in [("first.example.com", dead), ("second.example.com", server.address)] {
        world.dns.service("_matrix-fed._tcp.example.org", target, 1234);
        world.dns.host(target, 1234, &[&[address]]);
    }
    assert_eq!(call(&world.federation(&[LOOPBACK]), "example.org").await, alice());
}
