//! What the guard lets through, and what it does not: addresses, redirects, sizes, times.

use std::{net::SocketAddr, time::Duration};

use countersign_delivery::{Federation, PeerError, Secret, federation::IdServerAnswer};
use serde_json::json;

use super::{
    certificate::TestCa,
    world::{MAX_ANSWER_BYTES, Reply, TestServer, UNREACHABLE, World, http, id_server, redirect},
};

const LOOPBACK: &str = "127.0.0.0/8";

/// Any call that needs no discovery.
async fn bind(federation: &Federation, host: &str) -> Result<IdServerAnswer, PeerError> {
    let (token, secret) = (Secret::new("token"), Secret::new("secret"));
    federation.bind(&id_server(host), &token, "1", &secret, "@alice:example.org").await
}

fn address(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(text.parse().unwrap(), port)
}

#[tokio::test]
async fn special_addresses_are_not_dialed_by_name_or_number_unless_listed() {
    let world = World::new();
    let server = world.server("id.example.org", http(200, "{}")).await;
    let port = server.port();
    let guarded = world.federation(&["192.0.2.0/24", "::/0"]);
    // All of these lead to the server, on one system or another.
    for form in [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
    ] {
        world.dns.host("id.example.org", port, &[&[address(form, port)]]);
        assert_eq!(bind(&guarded, &format!("id.example.org:{port}")).await, Err(UNREACHABLE), "{form}");
        let literal = if form.contains(':') { format!("[{form}]:{port}") } else { format!("{form}:{port}") };
        assert_eq!(bind(&guarded, &literal).await, Err(UNREACHABLE), "{literal}");
    }
    assert_eq!(server.connections(), 0);

    let listed = world.federation(&[LOOPBACK]);
    for form in ["127.0.0.1", "::ffff:127.0.0.1"] {
        world.dns.host("id.example.org", port, &[&[address(form, port)]]);
        let answer = bind(&listed, &format!("id.example.org:{port}")).await;
        assert!(matches!(answer, Ok(IdServerAnswer::Done(_))), "{form}: {answer:?}");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn every_special_range_is_refused_without_a_try() {
    let world = World::new();
    // A packet would be lost on most of these, so only a refusal is fast.
    let federation = world.patient_federation(&[], Duration::from_hours(1));
    for special in [
        "0.0.0.1",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.1.1",
        "192.175.48.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::a00:1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:2::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:a00:1::",
        "2620:4f:8000::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        world.dns.host("id.example.org", 443, &[&[address(special, 443)]]);
        assert_eq!(bind(&federation, "id.example.org").await, Err(UNREACHABLE), "{special}");
    }
}

#[tokio::test]
async fn of_several_addresses_only_those_that_may_be_are_dialed() {
    let world = World::new();
    let inside = world.server("id.example.org", http(200, "{}")).await;
    let outside = TestServer::start(
        &format!("127.0.0.2:{}", inside.port()),
        world.ca.acceptor("id.example.org"),
        |_| Reply::Say(http(200, "{}")),
    )
    .await;
    let port = inside.port();
    world.dns.host("id.example.org", port, &[&[inside.address, address("10.0.0.1", port), outside.address]]);
    let federation = world.federation(&["127.0.0.2/32"]);
    let answer = bind(&federation, &format!("id.example.org:{port}")).await;
    assert!(matches!(answer, Ok(IdServerAnswer::Done(_))));
    assert_eq!((inside.connections(), outside.connections()), (0, 1));
}

#[tokio::test]
async fn an_answer_of_the_name_service_that_changes_after_the_check_changes_nothing() {
    let world = World::new();
    let inside = world.server("id.example.org", http(200, "{}")).await;
    let outside = TestServer::start("127.0.0.2:0", world.ca.acceptor("id.example.org"), |_| {
        Reply::Say(http(200, "{}"))
    })
    .await;
    world.dns.host("id.example.org", 443, &[&[outside.address], &[inside.address]]);
    let federation = world.federation(&["127.0.0.2/32"]);
    assert!(matches!(bind(&federation, "id.example.org").await, Ok(IdServerAnswer::Done(_))));
    assert_eq!(world.dns.asked(), ["id.example.org:443"]);
    // The next call looks the name up again, and checks again.
    assert_eq!(bind(&federation, "id.example.org").await, Err(UNREACHABLE));
    assert_eq!((inside.connections(), outside.connections()), (0, 1));
}

#[tokio::test]
async fn a_dead_address_does_not_hide_the_living_one() {
    let world = World::new();
    let server = world.server("id.example.org", http(200, "{}")).await;
    let dead = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    world.dns.host("id.example.org", 443, &[&[dead, server.address]]);
    let answer = bind(&world.federation(&[LOOPBACK]), "id.example.org").await;
    assert!(matches!(answer, Ok(IdServerAnswer::Done(_))));
}

#[tokio::test]
async fn a_request_is_not_redirected() {
    let world = World::new();
    let other = world.server("other.example.org", http(200, "{}")).await;
    world.dns.host("other.example.org", 443, &[&[other.address]]);
    let server = world.server("id.example.org", redirect("https://other.example.org/")).await;
    world.dns.host("id.example.org", 443, &[&[server.address]]);
    let answer = bind(&world.federation(&[LOOPBACK]), "id.example.org").await;
    assert_eq!(answer, Err(PeerError::Answer { status: 302 }));
    assert_eq!((server.connections(), other.connections()), (1, 0));
}

#[tokio::test]
async fn only_a_server_that_proves_its_name_is_asked() {
    let world = World::new();
    let other_name = world.server("other.example.org", http(200, "{}")).await;
    let other_ca = TestServer::start("127.0.0.1:0", TestCa::new().acceptor("id.example.org"), |_| {
        Reply::Say(http(200, "{}"))
    })
    .await;
    for server in [other_name, other_ca] {
        world.dns.host("id.example.org", 443, &[&[server.address]]);
        assert_eq!(bind(&world.federation(&[LOOPBACK]), "id.example.org").await, Err(UNREACHABLE));
        assert_eq!((server.connections(), server.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn answers_are_read_up_to_the_limit_and_no_further() {
    let world = World::new();
    let body = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
    let no_length = |length| format!("HTTP/1.1 200 OK\r\n\r\n{}", body(length));
    let chunked = |length| {
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n0\r\n\r\n",
            body(length)
        )
    };
    for length in [MAX_ANSWER_BYTES, MAX_ANSWER_BYTES + 1] {
        for answer in [http(200, &body(length)), no_length(length), chunked(length)] {
            let server = world.server("id.example.org", answer).await;
            world.dns.host("id.example.org", 443, &[&[server.address]]);
            let answer = bind(&world.federation(&[LOOPBACK]), "id.example.org").await;
            if length <= MAX_ANSWER_BYTES {
                assert!(matches!(answer, Ok(IdServerAnswer::Done(_))), "{length}: {answer:?}");
            } else {
                assert_eq!(answer, Err(UNREACHABLE), "{length}");
            }
        }
    }
}

#[tokio::test]
async fn endless_and_broken_answers_come_to_an_end() {
    let world = World::new();
    // It is the size that ends these, long before the time.
    let federation = world.patient_federation(&[LOOPBACK], Duration::from_hours(1));
    let endless = |first: &str, then: &str| Reply::Endless(first.to_owned(), then.to_owned());
    for reply in [
        endless("HTTP/1.1 200 OK\r\n\r\n", "xxxxxxxx"),
        endless("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "xxxxxxxx"),
        endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "8\r\nxxxxxxxx\r\n"),
        endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8;", "xxxxxxxx"),
        endless("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        endless("HTTP/1.1 200 OK\r\nx: ", "xxxxxxxx"),
        endless("HTTP/1.1 200 ", "xxxxxxxx"),
        endless("", "xxxxxxxx"),
        Reply::Say(String::new()),
        Reply::Say("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}".to_owned()),
        Reply::Say("SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
        Reply::Say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}".to_owned()),
    ] {
        let said = reply.clone();
        let server = world.server_with("id.example.org", move |_| reply.clone()).await;
        world.dns.host("id.example.org", 443, &[&[server.address]]);
        let (Reply::Say(said) | Reply::Endless(said, _)) = said else { unreachable!() };
        assert_eq!(bind(&federation, "id.example.org").await, Err(UNREACHABLE), "{said:?}");
        assert_eq!(server.requests().len(), 1, "{said:?}");
    }
}

#[tokio::test]
async fn slow_servers_are_given_up_in_time() {
    let world = World::new();
    let federation = world.patient_federation(&[LOOPBACK], Duration::from_millis(300));
    for reply in [
        Reply::Stall(""),
        // Answers before the answer, and no end of them.
        Reply::Endless(String::new(), "HTTP/1.1 100 Continue\r\n\r\n".to_owned()),
        Reply::Stall("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"),
    ] {
        let server = world.server_with("id.example.org", move |_| reply.clone()).await;
        world.dns.host("id.example.org", 443, &[&[server.address]]);
        assert_eq!(bind(&federation, "id.example.org").await, Err(UNREACHABLE));
        assert_eq!(server.requests().len(), 1);
    }
    // Takes the connection and never speaks TLS.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.dns.host("id.example.org", 443, &[&[silent.local_addr().unwrap()]]);
    assert_eq!(bind(&federation, "id.example.org").await, Err(UNREACHABLE));
}

#[tokio::test]
async fn the_request_goes_out_whole_and_says_who_is_meant() {
    let world = World::new();
    let server = world.server("id.example.org", http(200, "{}")).await;
    let port = server.port();
    world.dns.host("id.example.org", port, &[&[server.address]]);
    bind(&world.federation(&[LOOPBACK]), &format!("https://ID.example.org:{port}")).await.unwrap();
    let requests = server.requests();
    let expected = format!(
        "POST /_matrix/identity/v2/3pid/bind HTTP/1.1\r\nhost: id.example.org:{port}\r\nuser-agent: countersign\r\n\
         accept: application/json\r\nconnection: close\r\nauthorization: Bearer token\r\n\
         content-type: application/json\r\ncontent-length: 64\r\n\r\n"
    );
    let [request] = &requests[..] else { panic!("{requests:?}") };
    let body = request.strip_prefix(&expected).unwrap_or_else(|| panic!("{request}"));
    let sent: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(sent, json!({ "client_secret": "secret", "mxid": "@alice:example.org", "sid": "1" }));
}
