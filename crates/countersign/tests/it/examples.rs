//! The examples of the client library, run against a node.

#[path = "../../../countersign-client/examples/find_people.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own, too")]
mod find_people;
#[path = "../../../countersign-client/examples/manage_addresses.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own, too")]
mod manage_addresses;
#[path = "../../../countersign-client/examples/register_with_email.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own, too")]
mod register_with_email;
#[path = "../../../countersign-client/examples/reset_password.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is a program of its own, too")]
mod reset_password;

use countersign::config::Stage;
use countersign_client::{
    LoginRequest, RegisterRequest, UserIdentifier,
    identity::{EmailAddress, ThirdPartyIdentifier},
};

use crate::{
    steps::other_code,
    support::{PASSWORD, TestNode},
};

const EMAIL: &str = "alice@example.com";

#[tokio::test]
async fn an_account_is_made_with_an_address() {
    let node =
        TestNode::start_with(|config| config.registration.flows = vec![vec![Stage::EmailIdentity]]).await;
    let account = RegisterRequest::new("alice", PASSWORD);
    let code = async || node.mailer.wait_for(1).await[0].code.clone().expect("a code");
    let registered = register_with_email::run(&node.url, &account, EMAIL, code).await.expect("registered");
    assert_eq!(registered.user_id, "@alice:localhost");
    let client = node.client.with_access_token(registered.access_token.expect("logged in"));
    let threepids = client.get_account_3pids().await.expect("listed").threepids;
    assert_eq!(threepids[0].address, EMAIL);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, EMAIL).await;
    let mut asked = 0;
    let clicked = async || {
        asked += 1;
        // The first time, the user only says so.
        if 1 < asked {
            node.press_newest_link().await;
        }
    };
    let new_password = "a wholly new password";
    reset_password::run(&node.url, EMAIL, new_password, clicked).await.expect("changed");
    assert_eq!(asked, 2);
    let login = |password: &str| LoginRequest::password(UserIdentifier::user("alice"), password);
    assert_eq!(node.client.login(&login(PASSWORD)).await.expect_err("the old one").status(), Some(403));
    node.client.login(&login(new_password)).await.expect("the new one");
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_number_comes_and_goes() {
    let node = TestNode::start().await;
    node.register("alice").await;
    let mut tries = 0;
    let code = async || {
        tries += 1;
        let code = node.sms.wait_for(1).await[0].code.clone().expect("a code");
        if tries == 1 { other_code(&code) } else { code }
    };
    let number = ("GB", "07700900123");
    let threepids =
        manage_addresses::run(&node.url, ("alice", PASSWORD), number, code).await.expect("managed");
    assert_eq!(tries, 2);
    assert_eq!(threepids[0].address, "447700900123");
    assert_eq!(node.count("account_threepids"), 0);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn people_are_found_by_their_addresses() {
    let node = TestNode::start().await;
    node.register("alice").await;
    let bob = node.identity_user("bob").await;
    node.bind_email(&bob, EMAIL, "@bob:localhost").await;
    let [known, unknown]: [ThirdPartyIdentifier; 2] =
        [EMAIL, "nobody@example.com"].map(|email| EmailAddress::parse(email).expect("an address").into());
    let addresses = [known.clone(), unknown];
    let agrees = async |_: &[_]| true;
    let found = find_people::run(&node.url, &node.url, ("alice", PASSWORD), &addresses, agrees).await;
    let found: Vec<_> = found.expect("looked up").into_iter().collect();
    assert_eq!(found, [(known, "@bob:localhost".to_owned())]);
    node.until_outbox_is_empty().await;
}
