//! The pages that complete a stage of an authentication, and how the app hears of it.

use countersign::config::{PolicyConfig, PolicyLinkConfig, Stage};
use serde_json::json;

use super::{
    assert_fits,
    chromium::{Browser, Screen, Scripts},
    landing::Landing,
};
use crate::support::{PASSWORD, TestNode};

const TERMS: &str = "m.login.terms";

/// Marks the page for which an app was told that it is done.
const APP: &str = "window.onAuthDone = () => { document.documentElement.dataset.told = 'yes'; };";

/// A node whose registration takes these stages, and a session there.
async fn begun(stages: &[Stage]) -> (TestNode, String) {
    let node = TestNode::start_with(|config| {
        config.registration.flows = vec![stages.to_vec()];
        let link =
            PolicyLinkConfig { name: "Privacy policy".to_owned(), url: "https://example.org/".to_owned() };
        let links = [("en".to_owned(), link)].into();
        config.terms.0.insert("policy".to_owned(), PolicyConfig { version: "1.0".to_owned(), links });
    })
    .await;
    let session = node.begin_registration(json!({"username": "alice", "password": PASSWORD})).await;
    (node, session.as_str().expect("a session").to_owned())
}

fn url(node: &TestNode, stage: &str, session: &str) -> String {
    format!("{}/_matrix/client/v3/auth/{stage}/fallback/web?session={session}", node.url)
}

/// What the app does after it was told.
async fn assert_registers(node: &TestNode, session: &str) {
    let done = node.register_round(json!({}), json!({"session": session})).send().await;
    assert_eq!(done.ok_string("user_id"), "@alice:localhost");
}

#[tokio::test]
async fn the_window_that_opened_a_page_hears_that_it_is_done() {
    let (node, session) = begun(&[Stage::Terms]).await;
    let app = Landing::start().await;
    let browser = Browser::start(Scripts::On, Screen::Desk).await;
    let page: String = url::form_urlencoded::byte_serialize(url(&node, TERMS, &session).as_bytes()).collect();
    browser.open(&format!("{}/opener?{page}", app.url)).await;
    browser.press("open").await;
    browser.to_the_new_window().await;
    browser.heading("Terms").await;
    browser.picture("fallback-terms").await;
    browser.press("accept").await;
    browser.heading("Done").await;
    browser.picture("fallback-done").await;
    browser.to_the_first_window().await;
    browser.heading("authDone").await;
    assert_registers(&node, &session).await;
    browser.quit().await;
}

#[tokio::test]
async fn an_app_around_the_page_hears_that_it_is_done() {
    for stage in [Stage::Dummy, Stage::RegistrationToken] {
        let (node, session) = begun(&[stage]).await;
        let browser = Browser::start(Scripts::On, Screen::Desk).await;
        browser.before_every_page(APP).await;
        let name = match stage {
            Stage::RegistrationToken => "m.login.registration_token",
            _ => "m.login.dummy",
        };
        browser.open(&url(&node, name, &session)).await;
        if stage == Stage::RegistrationToken {
            crate::registration_tokens::make(&node, "let.me~in", Some(1), None).await;
            browser.fill("token", "wrong").await;
            browser.press("continue").await;
            assert!(browser.element("[role=alert]").await.contains("not valid"));
            browser.picture("fallback-registration-token").await;
            browser.fill("token", "let.me~in").await;
        }
        browser.press("continue").await;
        browser.heading("Done").await;
        browser.element("html[data-told=yes]").await;
        assert_registers(&node, &session).await;
    }
}

#[tokio::test]
async fn an_address_is_proven_on_a_narrow_phone() {
    prove_an_address(Scripts::On, Screen::Phone).await;
}

#[tokio::test]
async fn an_address_is_proven_without_scripts() {
    prove_an_address(Scripts::Off, Screen::Desk).await;
}

async fn prove_an_address(scripts: Scripts, screen: Screen) {
    let (node, session) = begun(&[Stage::EmailIdentity]).await;
    let browser = Browser::start(scripts, screen).await;
    browser.open(&url(&node, "m.login.email.identity", &session)).await;
    browser.heading("E-mail address").await;
    assert_fits_if(&browser, screen, "fallback-email").await;
    browser.fill("address", "alice@example.org").await;
    browser.press("ask").await;
    browser.heading("Look into your mail").await;
    browser.element("input[name=attempt][value='1']").await;
    assert_fits_if(&browser, screen, "fallback-email-sent").await;
    browser.press("again").await;
    browser.element("input[name=attempt][value='2']").await;
    let code = node.mailer.wait_for(2).await[1].code.clone().expect("a code");
    browser.fill("code", &code).await;
    browser.press("continue").await;
    browser.heading("Done").await;
    assert_registers(&node, &session).await;
    browser.quit().await;
}

#[tokio::test]
async fn a_phone_number_is_proven() {
    let (node, session) = begun(&[Stage::Msisdn]).await;
    let browser = Browser::start(Scripts::On, Screen::Phone).await;
    browser.before_every_page(APP).await;
    browser.open(&url(&node, "m.login.msisdn", &session)).await;
    browser.heading("Phone number").await;
    assert_fits(&browser, "fallback-msisdn").await;
    browser.fill("address", "+44 7700 900123").await;
    browser.press("ask").await;
    browser.heading("Look at your phone").await;
    let code = node.sms.wait_for(1).await[0].code.clone().expect("a code");
    browser.fill("code", &code).await;
    browser.press("continue").await;
    browser.heading("Done").await;
    browser.element("html[data-told=yes]").await;
    assert_registers(&node, &session).await;
    browser.quit().await;
}

#[tokio::test]
async fn what_is_over_fits_a_phone_and_says_so() {
    let (node, _) = begun(&[Stage::Dummy]).await;
    let browser = Browser::start(Scripts::On, Screen::Phone).await;
    browser.open(&url(&node, "m.login.dummy", "nonsense")).await;
    browser.heading("This page is too old").await;
    browser.picture("fallback-expired").await;
}

async fn assert_fits_if(browser: &Browser, screen: Screen, name: &str) {
    if let Screen::Phone = screen {
        assert_fits(browser, name).await;
    }
}
