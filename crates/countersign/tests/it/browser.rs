//! The pages in a real browser: what a person sees, presses and gets, with scripts and without.

mod chromium;
mod fallback;
mod landing;
mod submit_token;

use countersign_client::{AddThreepidRequest, RequestEmailToken, SubmitTokenRequest};

use self::{
    chromium::{Browser, Screen, Scripts},
    landing::Landing,
};
use crate::{
    dev::Dev,
    support::{PASSWORD, TestNode, TestUser},
};

const SECRET: &str = "monkeys_are_GREAT";
const ADDRESS: &str = "alice@example.org";

/// Asks for a token as this user, and answers the sid and the links of the mail: confirm, and not-me.
async fn ask(node: &TestNode, user: &TestUser, next_link: Option<String>) -> (String, String, String) {
    let request = RequestEmailToken { next_link, ..RequestEmailToken::new(SECRET, ADDRESS, 1) };
    let asked = user.client.request_token_to_3pid_email(&request).await.expect("accepted");
    let mail = node.mailer.wait_for(1).await.remove(0);
    let confirm = mail.link.clone().expect("a mail has a link");
    let mut words = mail.text.split_whitespace();
    let not_me = words.find(|word| word.contains("/_countersign/v1/not-me?")).expect("a mail has this link");
    (asked.sid, confirm, not_me.to_owned())
}

async fn add(user: &TestUser, sid: &str) -> Result<(), countersign_client::Error> {
    let request = AddThreepidRequest::new(sid, SECRET);
    user.client.add_3pid_with_password(&request, user.identifier(), PASSWORD).await
}

async fn assert_add_is_refused(user: &TestUser, sid: &str) {
    let refused = add(user, sid).await.expect_err("nothing was proven");
    assert_eq!(refused.errcode().map(|code| code.as_str()), Some("M_THREEPID_AUTH_FAILED"));
}

#[tokio::test]
async fn without_scripts_only_the_button_confirms() {
    only_the_button_confirms(Scripts::Off).await;
}

#[tokio::test]
async fn with_scripts_only_the_button_confirms() {
    only_the_button_confirms(Scripts::On).await;
}

async fn only_the_button_confirms(scripts: Scripts) {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let next_link = "https://app.example.com/settings?tab=mail".to_owned();
    let (sid, confirm, _) = ask(&node, &alice, Some(next_link)).await;
    let browser = Browser::start(scripts, Screen::Desk).await;

    browser.open(&confirm).await;
    browser.heading("Add this address to an account").await;
    let text = browser.text().await;
    for shown in ["localhost", "a…@e….org", "@alice:localhost", "app.example.com", "2026"] {
        assert!(text.contains(shown), "{shown} is not on the page:\n{text}");
    }
    assert!(!text.contains(ADDRESS), "the whole address is on the page");
    browser.picture(&format!("confirm-{scripts:?}")).await;
    assert_add_is_refused(&alice, &sid).await;

    browser.press("confirm").await;
    browser.heading("Address confirmed").await;
    assert_eq!(browser.element("#continue").await, "Continue to app.example.com");
    let next = browser.attribute("#continue", "href").await;
    assert_eq!(next, format!("https://app.example.com/settings?tab=mail&sid={sid}"));
    browser.picture(&format!("confirmed-{scripts:?}")).await;

    // Back leads to the page with the button, if the browser kept it; pressing it again is a success again.
    browser.back().await;
    assert_eq!(browser.url().await, confirm);
    if browser.has("#confirm").await {
        browser.press("confirm").await;
    }
    browser.heading("Address confirmed").await;
    browser.open(&confirm).await;
    browser.heading("Address confirmed").await;
    add(&alice, &sid).await.expect("it was proven");
    let listed = alice.client.get_account_3pids().await.expect("listed").threepids;
    assert_eq!(listed[0].address, ADDRESS);
    browser.quit().await;
}

#[tokio::test]
async fn a_button_pressed_twice_succeeds_twice() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let (sid, confirm, _) = ask(&node, &alice, None).await;
    // Two tabs with the same page, as a link opened twice leaves them.
    let tabs =
        [Browser::start(Scripts::Off, Screen::Desk).await, Browser::start(Scripts::Off, Screen::Desk).await];
    for tab in &tabs {
        tab.open(&confirm).await;
    }
    for tab in tabs {
        tab.press("confirm").await;
        tab.heading("Address confirmed").await;
        tab.quit().await;
    }
    add(&alice, &sid).await.unwrap();
}

#[tokio::test]
async fn a_listed_host_is_gone_to_by_the_button() {
    let landing = Landing::start().await;
    let node = TestNode::start_with(|config| {
        config.validation.next_link_hosts = vec!["127.0.0.1".to_owned()];
    })
    .await;
    let alice = node.register("alice").await;
    let (sid, confirm, _) = ask(&node, &alice, Some(format!("{}/welcome?a=b", landing.url))).await;
    let browser = Browser::start(Scripts::Off, Screen::Desk).await;
    browser.open(&confirm).await;
    browser.press("confirm").await;
    browser.heading("The app").await;
    assert_eq!(browser.url().await, format!("{}/welcome?a=b&sid={sid}", landing.url));
    assert_eq!(landing.referrers(), [None::<String>; 1], "the link would be told to the app");
    add(&alice, &sid).await.unwrap();
    browser.quit().await;
}

#[tokio::test]
async fn not_me_ends_the_session_by_its_button_alone() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let (sid, confirm, not_me) = ask(&node, &alice, None).await;
    let browser = Browser::start(Scripts::Off, Screen::Desk).await;
    browser.open(&not_me).await;
    browser.heading("This wasn't you?").await;
    browser.picture("not-me").await;
    browser.open(&confirm).await;
    browser.heading("Add this address to an account").await;

    browser.open(&not_me).await;
    browser.press("not-me-end").await;
    browser.heading("Stopped").await;
    browser.picture("not-me-done").await;
    let code = node.mailer.messages()[0].code.clone().unwrap();
    let submission = SubmitTokenRequest::new(&sid, SECRET, code);
    let submit_url = format!("{}/_countersign/v1/submit_token", node.url);
    node.client.submit_token(&submit_url, &submission).await.expect_err("the session is over");
    browser.assert_silent().await;
    browser.open(&confirm).await;
    browser.heading("This link is too old").await;
    browser.picture("link-expired").await;
    assert_add_is_refused(&alice, &sid).await;
}

#[tokio::test]
async fn a_person_can_ask_for_no_more_messages() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let (_, _, not_me) = ask(&node, &alice, None).await;
    let browser = Browser::start(Scripts::Off, Screen::Desk).await;
    browser.open(&not_me).await;
    browser.press("not-me-end").await;
    browser.heading("Stopped").await;
    browser.press("not-me-suppress").await;
    browser.heading("No more messages").await;
    browser.picture("not-me-suppressed").await;
    browser.quit().await;

    for (secret, send_attempt) in [(SECRET, 1), (SECRET, 2), ("another", 1)] {
        let request = RequestEmailToken::new(secret, ADDRESS, send_attempt);
        node.client.request_token_to_3pid_email(&request).await.expect("answered like any other");
    }
    // A message to someone else is behind them in the queue.
    let request = RequestEmailToken::new(SECRET, "bob@example.org", 1);
    node.client.request_token_to_3pid_email(&request).await.unwrap();
    let mails = node.mailer.wait_for(2).await;
    assert_eq!(mails[1].to, "bob@example.org");
}

#[tokio::test]
async fn without_scripts_the_inbox_shows_a_message_when_it_comes() {
    the_inbox_shows_a_message_when_it_comes(Scripts::Off).await;
}

#[tokio::test]
async fn with_scripts_the_inbox_shows_a_message_when_it_comes() {
    the_inbox_shows_a_message_when_it_comes(Scripts::On).await;
}

async fn the_inbox_shows_a_message_when_it_comes(scripts: Scripts) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dev = Dev::start(folder.path()).await;
    let browser = Browser::start(scripts, Screen::Desk).await;
    browser.open(&dev.greeting.inbox).await;
    assert_eq!(browser.element("#empty").await, "No messages yet. They appear here by themselves.");
    for (number, address) in ["alice@example.org", "bob@example.org"].into_iter().enumerate() {
        let request = RequestEmailToken::new(SECRET, address, 1);
        dev.user().request_token_to_3pid_email(&request).await.expect("accepted");
        let newest = format!("#messages > #message-{}:first-child", number + 1);
        assert!(browser.element(&newest).await.contains(address), "{newest}");
    }
    assert!(browser.element("#messages > #message-1:last-child").await.contains("alice@example.org"));
    browser.picture(&format!("inbox-{scripts:?}")).await;
    browser.press("message-1").await;
    let link = browser.attribute("#message-1 .link", "href").await;
    browser.open(&link).await;
    browser.heading("Add this address to an account").await;
    browser.quit().await;
}

#[tokio::test]
async fn on_a_narrow_phone_nothing_scrolls_sideways() {
    let node = TestNode::start().await;
    let alice = node.register("alice-whose-name-is-as-long-as-a-name-may-well-be-if-nobody-stops-her").await;
    let next_link = "https://a-very-long-host-name-of-an-app.of-some-company.example.com/".to_owned();
    let (_, confirm, not_me) = ask(&node, &alice, Some(next_link)).await;
    let browser = Browser::start(Scripts::On, Screen::Phone).await;
    browser.open(&not_me).await;
    browser.heading("This wasn't you?").await;
    assert_fits(&browser, "not-me").await;
    browser.open(&confirm).await;
    browser.heading("Add this address to an account").await;
    assert_fits(&browser, "confirm").await;
    browser.press("confirm").await;
    browser.heading("Address confirmed").await;
    assert_fits(&browser, "confirmed").await;
    browser.open(&not_me).await;
    browser.heading("It is too late to stop this").await;
    assert_fits(&browser, "not-me-too-late").await;
    browser.assert_silent().await;
    browser.open(&format!("{}/_countersign/v1/confirm?sid=x&token=y", node.url)).await;
    assert_fits(&browser, "link-invalid").await;
}

#[tokio::test]
async fn on_a_narrow_phone_the_inbox_does_not_scroll_sideways() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let browser = Browser::start(Scripts::On, Screen::Phone).await;
    let request = RequestEmailToken::new(SECRET, ADDRESS, 1);
    dev.user().request_token_to_3pid_email(&request).await.unwrap();
    browser.open(&dev.greeting.inbox).await;
    browser.element("#message-1").await;
    assert_fits(&browser, "inbox").await;
    let opened: bool = browser.evaluate("document.querySelector('details').open = true").await;
    assert!(opened);
    assert_fits(&browser, "inbox-html").await;
}

async fn assert_fits(browser: &Browser, name: &str) {
    let [page, screen]: [u64; 2] = browser
        .evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        .await;
    browser.picture(&format!("phone-{name}")).await;
    assert_eq!((screen, page), (320, 320), "{name} scrolls sideways, or its viewport is not the screen's");
    let height: f64 = browser.evaluate(TAP_HEIGHT).await;
    assert!(44.0 <= height, "{name}: a button is only {height} px high, too small for a thumb");
}

/// The height of the lowest button.
const TAP_HEIGHT: &str = "Math.min(1000, ...[...document.querySelectorAll('button, .button')]\
    .map((button) => button.getBoundingClientRect().height))";

#[tokio::test]
async fn a_keyboard_is_enough() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let (sid, confirm, not_me) = ask(&node, &alice, Some("https://app.example.com/".to_owned())).await;
    let browser = Browser::start(Scripts::Off, Screen::Desk).await;
    let (tab, enter) = ("\u{e004}", "\u{e007}");
    browser.open(&not_me).await;
    browser.heading("This wasn't you?").await;
    browser.keys(tab).await;
    assert_eq!(browser.focus().await, "not-me-end");
    browser.open(&confirm).await;
    browser.heading("Add this address to an account").await;
    browser.keys(tab).await;
    assert_eq!(browser.focus().await, "confirm");
    browser.picture("confirm-focused").await;
    browser.keys(enter).await;
    browser.heading("Address confirmed").await;
    browser.keys(tab).await;
    assert_eq!(browser.focus().await, "continue");
    add(&alice, &sid).await.unwrap();
    browser.quit().await;
}
