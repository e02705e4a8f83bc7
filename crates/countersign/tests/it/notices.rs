//! What the addresses of an account hear of changes to it.

use countersign::config::Config;
use countersign_api::client::{
    deactivate::DEACTIVATE, password::PASSWORD as CHANGE_PASSWORD, threepid::DELETE,
};
use serde_json::json;

use crate::{
    steps::password_auth,
    support::{PASSWORD, TestNode, TestUser},
    wire::Call,
};

/// A node with Alice, two mail addresses of hers and her phone number, and what was sent for that.
async fn start(change: impl FnOnce(&mut Config)) -> (TestNode, TestUser, Sent) {
    let node = TestNode::start_with(|config| {
        config.limits.enabled = false;
        change(config);
    })
    .await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "first@example.org").await;
    node.give_email_later(&alice, "second@example.org").await;
    let sid = node.validate_msisdn("given", "GB", "07700900001").await;
    node.add(&alice, &sid, "given").send().await.ok();
    node.until_outbox_is_empty().await;
    let sent = Sent::so_far(&node);
    (node, alice, sent)
}

/// How many messages were sent.
struct Sent {
    mails: usize,
    sms: usize,
}

impl Sent {
    fn so_far(node: &TestNode) -> Self {
        Self { mails: node.mailer.messages().len(), sms: node.sms.messages().len() }
    }

    /// Who was told since, and in which words.
    async fn since(&mut self, node: &TestNode) -> Vec<(String, String)> {
        node.until_outbox_is_empty().await;
        let mails = node.mailer.messages().split_off(self.mails);
        let sms = node.sms.messages().split_off(self.sms);
        *self = Self::so_far(node);
        for mail in &mails {
            let links = mail.text.contains("://") || mail.html.contains("href");
            assert!(mail.code.is_none() && mail.link.is_none() && !links, "{mail:?}");
            assert!(mail.text.contains("@alice:localhost") && mail.text.contains("2026-11-21 12:00 UTC"));
        }
        for sms in &sms {
            assert!(sms.code.is_none() && sms.text.contains("@alice:localhost"), "{sms:?}");
        }
        let mails = mails.into_iter().map(|mail| (mail.to, mail.subject));
        let mut told: Vec<_> = mails.chain(sms.into_iter().map(|sms| (sms.to, sms.text))).collect();
        told.sort();
        told
    }
}

impl TestNode {
    /// Proves an address and adds it to an account that has others, which hear of it.
    async fn give_email_later(&self, user: &TestUser, email: &str) {
        self.until_outbox_is_empty().await;
        self.give_email(user, email).await;
        self.until_outbox_is_empty().await;
    }
}

fn change_password(node: &TestNode, alice: &TestUser) -> Call {
    let body = json!({"new_password": "another good password", "auth": password_auth(alice, PASSWORD)});
    node.post(CHANGE_PASSWORD, &body).token(&alice.access_token)
}

fn delete(node: &TestNode, alice: &TestUser, medium: &str, address: &str) -> Call {
    node.post(DELETE, &json!({"medium": medium, "address": address})).token(&alice.access_token)
}

#[track_caller]
fn assert_told(told: &[(String, String)], whom: &[&str], what: &str) {
    assert_eq!(told.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), whom, "{told:?}");
    for (_, words) in told {
        assert!(words.contains(what), "{words}");
    }
}

#[tokio::test]
async fn mail_addresses_hear_of_a_new_password() {
    let (node, alice, mut sent) = start(|_| {}).await;
    change_password(&node, &alice).send().await.ok();
    let told = sent.since(&node).await;
    assert_told(&told, &["first@example.org", "second@example.org"], "password");
}

#[tokio::test]
async fn phone_numbers_hear_of_it_where_the_operator_pays_for_that() {
    let (node, alice, mut sent) = start(|config| config.notices.sms = true).await;
    change_password(&node, &alice).send().await.ok();
    let told = sent.since(&node).await;
    assert_told(&told, &["447700900001", "first@example.org", "second@example.org"], "password");
}

#[tokio::test]
async fn the_other_addresses_hear_of_a_new_one() {
    let (node, alice, mut sent) = start(|_| {}).await;
    let sid = node.validate_email("third", "third@example.org").await;
    node.until_outbox_is_empty().await;
    sent = Sent { mails: sent.mails + 1, ..sent };
    for _ in 0..2 {
        node.add(&alice, &sid, "third").send().await.ok();
    }
    let told = sent.since(&node).await;
    assert_told(&told, &["first@example.org", "second@example.org"], "e-mail address was added");
    let sid = node.validate_msisdn("fourth", "GB", "07700900002").await;
    sent.sms += 1;
    node.add(&alice, &sid, "fourth").send().await.ok();
    let told = sent.since(&node).await;
    let mails = ["first@example.org", "second@example.org", "third@example.org"];
    assert_told(&told, &mails, "phone number was added");
}

#[tokio::test]
async fn all_addresses_hear_of_one_that_is_removed_that_one_too() {
    let (node, alice, mut sent) = start(|_| {}).await;
    let both = ["first@example.org", "second@example.org"];
    delete(&node, &alice, "msisdn", "447700900001").send().await.ok();
    assert_told(&sent.since(&node).await, &both, "phone number was removed");
    for _ in 0..2 {
        delete(&node, &alice, "email", "FIRST@example.org").send().await.ok();
    }
    assert_told(&sent.since(&node).await, &both, "e-mail address was removed");
    delete(&node, &alice, "email", "nobodys@example.org").send().await.ok();
    assert_told(&sent.since(&node).await, &[], "");
}

#[tokio::test]
async fn all_addresses_hear_of_the_end() {
    let (node, alice, mut sent) = start(|config| config.notices.sms = true).await;
    let body = json!({"auth": password_auth(&alice, PASSWORD)});
    node.post(DEACTIVATE, &body).token(&alice.access_token).send().await.ok();
    let told = sent.since(&node).await;
    assert_told(&told, &["447700900001", "first@example.org", "second@example.org"], "deactivated");
}

#[tokio::test]
async fn nobody_hears_where_the_operator_wants_none() {
    let (node, alice, mut sent) = start(|config| {
        config.notices.enabled = false;
        config.notices.sms = true;
    })
    .await;
    change_password(&node, &alice).send().await.ok();
    delete(&node, &alice, "email", "first@example.org").send().await.ok();
    assert_told(&sent.since(&node).await, &[], "");
}

#[tokio::test]
async fn an_address_that_wants_no_messages_gets_no_notice() {
    let (node, alice, mut sent) = start(|_| {}).await;
    node.ask_by_mail("/account/password/email/requestToken", "first@example.org").await;
    sent.mails += 1;
    node.want_no_more_messages().await;
    assert_eq!(node.count("suppressions"), 1);
    change_password(&node, &alice).send().await.ok();
    assert_told(&sent.since(&node).await, &["second@example.org"], "password");
}

#[tokio::test]
async fn a_notice_is_no_proof() {
    let (node, alice, _) = start(|_| {}).await;
    change_password(&node, &alice).send().await.ok();
    node.until_outbox_is_empty().await;
    let sql = "select count(*) from validation_sessions where decoy and validated_at is null and purpose = 'verify'";
    assert!(0 < node.look_up_count(sql));
    // It ends like every session, and leaves the address as free to ask for as before.
    let free = node.ask_by_mail("/account/password/email/requestToken", "first@example.org").await;
    assert!(!free.is_empty());
    node.until_outbox_is_empty().await;
}
