//! The pages that complete a stage for a client that can't: what they take, what they tell, and what they give away.

use axum::http::Method;
use countersign::config::{Config, PolicyConfig, PolicyLinkConfig, Stage};
use serde_json::{Value, json};

use crate::{
    support::{PASSWORD, TestNode},
    wire::{Answer, Call},
};

const DUMMY: &str = "m.login.dummy";

fn with_flow(config: &mut Config, flow: &[Stage]) {
    config.registration.flows = vec![flow.to_vec()];
    let link = |language: &str| {
        let (name, url) = (format!("Policy <{language}>"), format!("https://example.org/{language}?a=1&b=2"));
        (language.to_owned(), PolicyLinkConfig { name, url })
    };
    let links = [link("en"), link("de")].into();
    config.terms.0.insert("policy".to_owned(), PolicyConfig { version: "1.0".to_owned(), links });
}

/// A node whose registration takes these stages and a dummy, and a session there.
async fn begun(stages: &[Stage]) -> (TestNode, String) {
    let flow = [stages, &[Stage::Dummy]].concat();
    let node = TestNode::start_with(|config| with_flow(config, &flow)).await;
    let session = node.begin_registration(json!({"username": "alice", "password": PASSWORD})).await;
    (node, session.as_str().expect("a session").to_owned())
}

fn path(stage: &str) -> String {
    format!("/_matrix/client/v3/auth/{stage}/fallback/web")
}

fn open(node: &TestNode, stage: &str, session: &str) -> Call {
    node.call(Method::GET, &format!("{}?session={session}", path(stage)))
}

fn press(node: &TestNode, stage: &str, fields: &[(&str, &str)]) -> Call {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let call = node.call(Method::POST, &path(stage));
    call.header("content-type", "application/x-www-form-urlencoded").body(form)
}

/// The value of a hidden field.
fn field(page: &Answer, name: &str) -> String {
    let marker = format!("name=\"{name}\" value=\"");
    let (_, after) = page.text.split_once(&marker).unwrap_or_else(|| panic!("no {name}: {}", page.text));
    after.split('"').next().expect("an end").to_owned()
}

#[track_caller]
fn assert_page(page: &Answer, status: u16, heading: &str) {
    assert_eq!(page.status, status, "{page:?}");
    assert!(page.text.contains(&format!("<h1>{heading}</h1>")), "{}", page.text);
    for (name, value) in [
        ("content-type", Some("text/html; charset=utf-8")),
        ("cache-control", Some("no-store")),
        ("referrer-policy", Some("no-referrer")),
        ("x-frame-options", Some("DENY")),
        ("cross-origin-opener-policy", Some("unsafe-none")),
        ("access-control-allow-origin", None),
    ] {
        assert_eq!(page.header(name), value, "{name}");
    }
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(policy.contains("script-src 'sha256-"), heading == "Done", "{policy}");
    assert_eq!(page.text.matches("<script").count(), usize::from(heading == "Done"), "{}", page.text);
}

/// What the client does after it was told: the session alone, and then the dummy.
async fn finish(node: &TestNode, session: &str, stage: &str) {
    let looked = node.register_round(json!({}), json!({"session": session})).send().await;
    assert_eq!((looked.stage_errcode(), looked.completed()), (None, vec![stage.to_owned()]));
    assert_page(&open(node, stage, session).send().await, 200, "Done");
    assert_page(&press(node, DUMMY, &[("session", session)]).send().await, 200, "Done");
    let done = node.register_round(json!({}), json!({"session": session})).send().await;
    assert_eq!(done.ok_string("user_id"), "@alice:localhost");
}

#[tokio::test]
async fn the_policies_are_shown_in_the_readers_language_and_accepted() {
    let (node, session) = begun(&[Stage::Terms]).await;
    let stage = "m.login.terms";
    let page = open(&node, stage, &session).header("accept-language", "de-AT").send().await;
    assert_page(&page, 200, "Terms");
    assert!(
        page.text.contains("example.org&#x2f;de?a=1&amp;b=2\"")
            && page.text.contains("Policy &lt;de&gt;</a>")
            && page.text.contains("version 1.0"),
        "{}",
        page.text
    );
    let english = open(&node, stage, &session).header("accept-language", "fr").send().await;
    assert!(english.text.contains("Policy &lt;en&gt;"), "{}", english.text);
    let looked = node.register_round(json!({}), json!({"session": session})).send().await;
    assert!(looked.completed().is_empty(), "a look accepts nothing");
    assert_page(&press(&node, stage, &[("session", &session)]).send().await, 200, "Done");
    assert_page(&press(&node, stage, &[("session", &session)]).send().await, 200, "Done");
    finish(&node, &session, stage).await;
    assert_eq!(node.count("terms_acceptances"), 1);
}

#[tokio::test]
async fn a_registration_token_is_typed() {
    let (node, session) = begun(&[Stage::RegistrationToken]).await;
    crate::registration_tokens::make(&node, "let.me~in", Some(1), None).await;
    let stage = "m.login.registration_token";
    let page = open(&node, stage, &session).send().await;
    assert_page(&page, 200, "Registration token");
    assert!(!page.text.contains("role=\"alert\""));
    let token = |text: &str| press(&node, stage, &[("session", &session), ("token", text)]);
    for wrong in ["", "\"><script>alert(1)</script>", "other"] {
        let refused = token(wrong).send().await;
        assert_page(&refused, 400, "Registration token");
        assert!(refused.text.contains("role=\"alert\""));
    }
    assert_page(&token(" let.me~in ").send().await, 200, "Done");
    finish(&node, &session, stage).await;
}

#[tokio::test]
async fn a_mail_address_is_proven_by_its_code_or_its_link() {
    let stage = "m.login.email.identity";
    for by_code in [true, false] {
        let (node, session) = begun(&[Stage::EmailIdentity]).await;
        assert_page(&open(&node, stage, &session).send().await, 200, "E-mail address");
        let address = ("address", "alice@example.org");
        let sent = press(&node, stage, &[("session", &session), ("step", "ask"), address]).send().await;
        assert_page(&sent, 200, "Look into your mail");
        let (sid, secret) = (field(&sent, "sid"), field(&sent, "client_secret"));
        let fields = [
            ("session", session.as_str()),
            address,
            ("sid", &sid),
            ("client_secret", &secret),
            ("attempt", "1"),
            ("has_code", "yes"),
        ];
        let with = |more: &[(&str, &str)]| press(&node, stage, &[&fields, more].concat());
        let early = with(&[("step", "check"), ("code", "")]).send().await;
        assert_page(&early, 400, "Look into your mail");
        assert!(early.text.contains("not confirmed yet"), "{}", early.text);
        node.until_outbox_is_empty().await;
        let again = with(&[("step", "ask")]).send().await;
        assert_eq!((field(&again, "sid"), field(&again, "attempt")), (sid.clone(), "2".to_owned()));
        node.until_outbox_is_empty().await;
        assert_eq!(node.mailer.messages().len(), 2);
        let code = node.mailer.messages()[1].code.clone().expect("a code");
        let wrong = with(&[("step", "check"), ("code", &crate::steps::other_code(&code))]).send().await;
        assert_page(&wrong, 400, "Look into your mail");
        assert!(wrong.text.contains("not the code"), "{}", wrong.text);
        let done = if by_code {
            with(&[("step", "check"), ("code", &code)])
        } else {
            node.press_newest_link().await;
            with(&[("step", "check"), ("code", " ")])
        };
        assert_page(&done.send().await, 200, "Done");
        finish(&node, &session, stage).await;
        assert_eq!(node.count("account_threepids"), 1);
    }
}

#[tokio::test]
async fn a_phone_number_is_proven_by_its_code() {
    let (node, session) = begun(&[Stage::Msisdn]).await;
    let stage = "m.login.msisdn";
    assert_page(&open(&node, stage, &session).send().await, 200, "Phone number");
    let ask =
        |number: &str| press(&node, stage, &[("session", &session), ("step", "ask"), ("address", number)]);
    for wrong in ["", "nonsense", "07700 900123", "\"><b>"] {
        let refused = ask(wrong).send().await;
        assert_page(&refused, 400, "Phone number");
        assert!(refused.text.contains("That is no phone number") && !refused.text.contains("<b>"));
    }
    let sent = ask("+44 7700 900123").send().await;
    assert_page(&sent, 200, "Look at your phone");
    let code = node.sms.wait_for(1).await[0].code.clone().expect("a code");
    let (sid, secret) = (field(&sent, "sid"), field(&sent, "client_secret"));
    let done = press(
        &node,
        stage,
        &[
            ("session", &session),
            ("step", "check"),
            ("sid", &sid),
            ("client_secret", &secret),
            ("attempt", "1"),
            ("has_code", "yes"),
            ("code", &code),
        ],
    );
    assert_page(&done.send().await, 200, "Done");
    finish(&node, &session, stage).await;
}

#[tokio::test]
async fn an_address_in_use_is_told_as_an_error_or_hidden() {
    let stage = "m.login.email.identity";
    for hide in [false, true] {
        let node = TestNode::start_with(|config| {
            config.registration.flows = vec![vec![Stage::EmailIdentity], vec![Stage::Dummy]];
            config.privacy.hide_accounts = hide;
        })
        .await;
        let bob = node.register("bob").await;
        node.give_email(&bob, "bob@example.org").await;
        let session = node.begin_registration(json!({})).await;
        let session = session.as_str().unwrap();
        let fields = [("session", session), ("step", "ask"), ("address", "bob@example.org")];
        let answer = press(&node, stage, &fields).send().await;
        if hide {
            assert_page(&answer, 200, "Look into your mail");
            node.until_outbox_is_empty().await;
        } else {
            assert_page(&answer, 400, "E-mail address");
            assert!(answer.text.contains("on an account already"), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn pages_stand_under_every_prefix_and_have_no_other_methods() {
    let (node, session) = begun(&[]).await;
    for prefix in ["/_matrix", "/_api"] {
        for version in ["v3", "r0"] {
            let path = format!("{prefix}/client/{version}/auth/{DUMMY}/fallback/web?session={session}");
            assert_page(&node.call(Method::GET, &path).send().await, 200, "Continue");
            let other = node.call(Method::PUT, &path).send().await;
            assert_eq!((other.status, other.header("content-type")), (405, Some("text/html; charset=utf-8")));
        }
    }
}

#[tokio::test]
async fn what_is_over_or_not_there_is_a_page_too() {
    let (node, session) = begun(&[Stage::EmailIdentity]).await;
    let gone = "This page is too old";
    for stage in ["m.login.recaptcha", "nonsense", "%3Cscript%3E", "%ff"] {
        assert_page(&open(&node, stage, &session).send().await, 404, gone);
        assert_page(&press(&node, stage, &[("session", &session)]).send().await, 404, gone);
    }
    for unknown in ["nonsense", "", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "%ff"] {
        let page = open(&node, DUMMY, unknown).send().await;
        assert_page(&page, 400, gone);
        assert!(!page.text.contains("alert(1)"));
    }
    assert_page(&node.call(Method::GET, &path(DUMMY)).send().await, 400, gone);
    assert_page(&press(&node, DUMMY, &[("session", "nonsense")]).send().await, 400, gone);
    // A stage whose turn has not come, and one that is in no flow.
    for stage in [DUMMY, "m.login.msisdn", "m.login.terms"] {
        assert_page(&open(&node, stage, &session).send().await, 400, gone);
        let fields = [("session", session.as_str()), ("step", "ask"), ("address", "+44 7700 900123")];
        assert_page(&press(&node, stage, &fields).send().await, 400, gone);
    }
    assert_page(&open(&node, "m.login.password", &session).send().await, 400, gone);
    assert!(node.sms.messages().is_empty());
    node.let_pass(countersign_core::UIA_SESSION_LIFETIME + std::time::Duration::from_millis(1)).await;
    assert_page(&open(&node, "m.login.email.identity", &session).send().await, 400, gone);
    let unread = node.register_round(json!({}), json!({"session": Value::from(session)})).send().await;
    unread.expect_error(400, "M_INVALID_PARAM");
}
