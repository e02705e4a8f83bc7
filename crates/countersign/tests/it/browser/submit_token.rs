//! The identity API's links that validate at once, as a program mails them that made one of a token.

use countersign_api::identity::validate_email::{REQUEST_TOKEN, SUBMIT_TOKEN};
use serde_json::json;

use super::{
    ADDRESS, SECRET,
    chromium::{Browser, Screen, Scripts},
    landing::Landing,
};
use crate::{
    steps::{identity, other_code},
    support::TestNode,
};

/// A session of the identity API whose mail has come: the user's token, the sid, and links with the right token and a wrong
/// one.
struct Asked {
    token: String,
    sid: String,
    right: String,
    wrong: String,
}

async fn ask(node: &TestNode, next_link: Option<String>) -> Asked {
    let token = node.identity_user("alice").await;
    let mut body = json!({"client_secret": SECRET, "email": ADDRESS, "send_attempt": 1});
    if let Some(next_link) = next_link {
        body["next_link"] = next_link.into();
    }
    let sid = node.identity_post(REQUEST_TOKEN, &body).token(&token).send().await.ok_string("sid");
    let code = node.mailer.wait_for(1).await.remove(0).code.expect("a code");
    let link = |code: &str| {
        format!("{}{}?sid={sid}&client_secret={SECRET}&token={code}", node.url, identity(SUBMIT_TOKEN))
    };
    let (right, wrong) = (link(&code), link(&other_code(&code)));
    Asked { token, sid, right, wrong }
}

#[tokio::test]
async fn a_link_that_validates_says_so_and_a_wrong_one_says_that() {
    let node = TestNode::start().await;
    let Asked { token, sid, right, wrong } = ask(&node, None).await;
    let browser = Browser::start(Scripts::Off, Screen::Desk).await;
    browser.open(&wrong).await;
    browser.heading("This link does not work").await;
    browser.picture("submit-token-wrong").await;
    node.get_validated(&token, &sid, SECRET).send().await.expect_error(400, "M_SESSION_NOT_VALIDATED");

    // Another one, for each complains of a status that is none of success.
    let browser = Browser::start(Scripts::Off, Screen::Desk).await;
    browser.open(&right).await;
    browser.heading("Address confirmed").await;
    assert!(!browser.text().await.contains(ADDRESS), "the whole address is on the page");
    assert!(!browser.has("#continue").await, "it leads nowhere");
    browser.picture("submit-token").await;
    let validated = node.get_validated(&token, &sid, SECRET).send().await.ok();
    assert_eq!(validated["address"], ADDRESS);
    // Loaded again, it is a success again.
    browser.open(&right).await;
    browser.heading("Address confirmed").await;
    browser.quit().await;
}

#[tokio::test]
async fn a_link_that_validates_goes_on_to_a_listed_host_and_a_wrong_one_stays() {
    let landing = Landing::start().await;
    let node = TestNode::start_with(|config| {
        config.validation.next_link_hosts = vec!["127.0.0.1".to_owned()];
    })
    .await;
    let next_link = format!("{}/welcome?a=b", landing.url);
    let Asked { token, sid, right, wrong } = ask(&node, Some(next_link.clone())).await;
    let browser = Browser::start(Scripts::On, Screen::Phone).await;
    browser.open(&wrong).await;
    browser.heading("This link does not work").await;
    assert_eq!(landing.referrers().len(), 0, "a wrong token leads nowhere");

    let browser = Browser::start(Scripts::On, Screen::Phone).await;
    browser.open(&right).await;
    browser.heading("The app").await;
    assert_eq!(browser.url().await, format!("{next_link}&sid={sid}"));
    assert_eq!(landing.referrers(), [None::<String>; 1], "the token would be told to the app");
    node.get_validated(&token, &sid, SECRET).send().await.ok();
    browser.quit().await;
}
