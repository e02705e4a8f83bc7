//! `…/requestToken`: which session, which message, and who gets neither.

mod attempts;
mod delivery;
mod purposes;

use countersign::config::Countries;
use countersign_api::client::request_token::{THREEPID_EMAIL, THREEPID_MSISDN};
use serde_json::{Value, json};

use crate::{steps::send_all, support::TestNode};

#[tokio::test]
async fn the_answer_names_a_session_and_where_to_hand_in_the_code() {
    let node = TestNode::start().await;
    let by_mail = node.ask_email("monkeys", "alice@example.org", 1).send().await;
    let by_sms = node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await;
    for answer in [&by_mail, &by_sms] {
        assert_eq!(answer.ok_keys(), ["sid", "submit_url"]);
        let sid = answer.ok_string("sid");
        let fits = |c: char| c.is_ascii_alphanumeric() || ".=_-".contains(c);
        assert!((22..=255).contains(&sid.len()) && sid.chars().all(fits), "{sid}");
        assert_eq!(answer.ok_string("submit_url"), format!("{}/_countersign/v1/submit_token", node.url));
    }
    assert_ne!(by_mail.ok_string("sid"), by_sms.ok_string("sid"));
    node.mailer.wait_for(1).await;
    node.sms.wait_for(1).await;
}

#[tokio::test]
async fn the_submit_url_comes_from_the_configuration_and_never_from_the_host_header() {
    let node = TestNode::start().await;
    let call = node.ask_email("monkeys", "alice@example.org", 1);
    let answer = call.header("host", "evil.example").header("x-forwarded-host", "evil.example").send().await;
    assert!(!answer.text.contains("evil"), "{answer:?}");
    let mail = node.mailer.wait_for(1).await.swap_remove(0);
    assert!(!mail.text.contains("evil") && !mail.html.contains("evil"));
}

#[tokio::test]
async fn a_mail_without_a_code_leaves_nothing_to_hand_in() {
    let node = TestNode::start_with(|config| {
        config.email.as_mut().unwrap().code_for.clear();
    })
    .await;
    let answer = node.ask_email("monkeys", "alice@example.org", 1).send().await;
    assert_eq!(answer.ok_keys(), ["sid"]);
    let mail = node.mailer.wait_for(1).await.swap_remove(0);
    assert!(mail.code.is_none() && mail.link.is_some());
}

#[tokio::test]
async fn an_access_token_makes_no_difference_even_a_bad_one() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let ask = || node.ask_email("monkeys", "alice@example.org", 1);
    let sid = ask().send().await.ok_string("sid");
    for token in [alice.access_token.as_str(), "wrong", ""] {
        assert_eq!(ask().token(token).send().await.ok_string("sid"), sid, "{token:.4}");
    }
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn an_identity_server_is_accepted_and_ignored() {
    let node = TestNode::start().await;
    let mut sids = Vec::new();
    for extra in [
        json!({}),
        json!({"id_server": "id.example.org", "id_access_token": "secret"}),
        json!({"id_server": "127.0.0.1:1"}),
        json!({"id_access_token": "secret"}),
        json!({"id_server": 1, "id_access_token": []}),
    ] {
        let mut body = json!({"client_secret": "monkeys", "email": "alice@example.org", "send_attempt": 1});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        sids.push(node.post(THREEPID_EMAIL, &body).send().await.ok_string("sid"));
        let mut body = json!({
            "client_secret": "monkeys", "country": "GB", "phone_number": "07700900001", "send_attempt": 1,
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        sids.push(node.post(THREEPID_MSISDN, &body).send().await.ok_string("sid"));
    }
    sids.sort();
    sids.dedup();
    assert_eq!(sids.len(), 2);
    node.mailer.wait_for(1).await;
    node.sms.wait_for(1).await;
}

#[tokio::test]
async fn one_email_address_is_one_session_however_it_is_spelled() {
    let node = TestNode::start().await;
    for (secret, spellings, canonical) in [
        ("a", ["alice@example.org", "Alice@Example.ORG", "ALICE@EXAMPLE.org"], "alice@example.org"),
        ("b", ["Strauß@example.org", "STRAUSS@example.org", "strauẞ@example.org"], "strauss@example.org"),
        (
            "c",
            ["u@XN--MNCHEN-3YA.example", "u@xn--mnchen-3ya.example", "U@Xn--Mnchen-3ya.Example"],
            "u@xn--mnchen-3ya.example",
        ),
    ] {
        let came = node.mailer.messages().len();
        let mut sids = Vec::new();
        for spelling in spellings {
            sids.push(node.ask_email(secret, spelling, 1).send().await.ok_string("sid"));
        }
        sids.dedup();
        assert_eq!(sids.len(), 1, "{canonical}");
        assert_eq!(node.mailer.wait_for(came + 1).await[came].to, canonical);
    }
    assert_eq!(node.messages_queued(), 3);
}

#[tokio::test]
async fn one_phone_number_is_one_session_however_it_is_dialled() {
    let node = TestNode::start_without_limits().await;
    let mut sids = Vec::new();
    for (country, number) in [
        ("GB", "07700900001"),
        ("GB", "7700900001"),
        ("GB", "07700 900 001"),
        ("GB", "+44 7700 900001"),
        ("GB", "0044 7700 900001"),
        ("US", "011 44 7700 900001"),
        ("DE", "+447700900001"),
        ("GB", "٠٧٧٠٠٩٠٠٠٠١"),
    ] {
        sids.push(node.ask_msisdn("monkeys", country, number, 1).send().await.ok_string("sid"));
    }
    sids.dedup();
    assert_eq!(sids.len(), 1);
    assert_eq!(node.sms.wait_for(1).await[0].to, "447700900001");
    assert_eq!(node.messages_queued(), 1);
}

#[tokio::test]
async fn another_secret_or_address_is_another_session() {
    let node = TestNode::start().await;
    let mut sids = Vec::new();
    for (secret, email) in [("one", "a@example.org"), ("ONE", "a@example.org"), ("one", "b@example.org")] {
        sids.push(node.ask_email(secret, email, 1).send().await.ok_string("sid"));
    }
    sids.sort();
    sids.dedup();
    assert_eq!(sids.len(), 3);
    node.mailer.wait_for(3).await;
}

#[tokio::test]
async fn equal_requests_at_once_are_one_session_and_one_message() {
    let node = TestNode::start_without_limits().await;
    let calls = (0..64).map(|_| node.ask_email("monkeys", "alice@example.org", 1)).collect();
    let mut sids: Vec<_> = send_all(calls).await.iter().map(|answer| answer.ok_string("sid")).collect();
    sids.dedup();
    assert_eq!(sids.len(), 1);
    node.mailer.wait_for(1).await;
    assert_eq!(node.messages_queued(), 1);
}

#[tokio::test]
async fn a_next_link_may_be_https_loopback_or_an_app() {
    let node = TestNode::start_with(|config| {
        config.limits.enabled = false;
        config.validation.next_link_app_schemes = vec!["myapp".to_owned()];
    })
    .await;
    let links = [
        "https://example.org/",
        "https://example.org:8443/a?b=c#d",
        "http://127.0.0.1:3000/",
        "http://[::1]/",
        "http://localhost/",
        "myapp://validated",
        "MyApp:validated",
    ];
    for (index, link) in links.into_iter().enumerate() {
        let body = json!({
            "client_secret": format!("secret{index}"),
            "email": "alice@example.org",
            "send_attempt": 1,
            "next_link": link,
        });
        node.post(THREEPID_EMAIL, &body).send().await.ok();
    }
    node.mailer.wait_for(links.len()).await;
}

#[tokio::test]
async fn a_next_link_to_a_host_that_is_not_listed_is_refused() {
    let node = TestNode::start_with(|config| {
        config.validation.next_link_hosts = vec!["app.example.org".to_owned()];
    })
    .await;
    let ask = |link: &str| {
        let body = json!({
            "client_secret": "monkeys", "email": "alice@example.org", "send_attempt": 1, "next_link": link,
        });
        node.post(THREEPID_EMAIL, &body)
    };
    for link in [
        "https://example.org/",
        "https://app.example.org.evil.example/",
        "https://app.example.org@evil.example/",
    ] {
        assert_eq!(ask(link).send().await.error(), (400, "M_INVALID_PARAM".to_owned()), "{link}");
    }
    ask("https://APP.example.org/").send().await.ok();
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn a_medium_that_is_not_configured_is_not_supported_whatever_the_address() {
    let node = TestNode::start_with(|config| config.sms = None).await;
    for number in ["07700900001", "nonsense"] {
        let answer = node.ask_msisdn("monkeys", "GB", number, 1).send().await;
        answer.expect_error(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
    }
    let node = TestNode::start_with(|config| config.email = None).await;
    let answer = node.ask_email("monkeys", "alice@example.org", 1).send().await;
    answer.expect_error(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
}

#[tokio::test]
async fn a_number_of_a_country_that_is_not_listed_is_denied() {
    let node = TestNode::start_with(|config| {
        config.sms.as_mut().unwrap().countries = Countries::Only(vec!["GB".to_owned()]);
    })
    .await;
    for (country, number) in [("DE", "0151 23456789"), ("GB", "+49 151 23456789"), ("US", "201-555-0123")] {
        let answer = node.ask_msisdn("monkeys", country, number, 1).send().await;
        assert_eq!(answer.error(), (403, "M_THREEPID_DENIED".to_owned()), "{country} {number}");
    }
    // Where it is dialled from does not matter.
    node.ask_msisdn("monkeys", "US", "+44 7700 900001", 1).send().await.ok();
    assert_eq!(node.sms.wait_for(1).await[0].to, "447700900001");
    assert_eq!(node.messages_queued(), 1);
}

#[tokio::test]
async fn an_address_on_any_account_is_in_use_even_for_its_owner() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    node.add(&alice, &sid, "monkeys").send().await.ok();
    let sid = node.validate_msisdn("monkeys", "GB", "07700900001").await;
    node.add(&alice, &sid, "monkeys").send().await.ok();
    for call in [
        node.ask_email("other", "ALICE@example.org", 1),
        node.ask_email("other", "alice@example.org", 1).token(&alice.access_token),
        node.ask_email("monkeys", "alice@example.org", 1),
        node.ask_email("monkeys", "alice@example.org", 2),
        node.ask_msisdn("other", "US", "011 44 7700 900001", 1),
    ] {
        let answer = call.send().await;
        answer.expect_error(400, "M_THREEPID_IN_USE");
        assert_eq!(answer.json().as_object().unwrap().len(), 2, "{answer:?}");
    }
    node.until_outbox_is_empty().await;
    // One for each proof, and a notice to the first address of the second.
    assert_eq!(node.messages_queued(), 3);
}

#[tokio::test]
async fn the_seeds_own_examples_work() {
    let node = TestNode::start().await;
    let email: Value = json!({
        "client_secret": "monkeys_are_GREAT",
        "email": "alice@example.org",
        "id_server": "id.example.com",
        "next_link": "https://example.org/congratulations.html",
        "send_attempt": 1,
    });
    let msisdn: Value = json!({
        "client_secret": "monkeys_are_GREAT",
        "country": "GB",
        "id_server": "id.example.com",
        "next_link": "https://example.org/congratulations.html",
        "phone_number": "07700900001",
        "send_attempt": 1,
    });
    assert_eq!(node.post(THREEPID_EMAIL, &email).send().await.ok_keys(), ["sid", "submit_url"]);
    assert_eq!(node.post(THREEPID_MSISDN, &msisdn).send().await.ok_keys(), ["sid", "submit_url"]);
    node.mailer.wait_for(1).await;
    node.sms.wait_for(1).await;
}
