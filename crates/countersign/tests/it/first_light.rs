//! The whole way: ask for a token, redeem it by link or code, add the address, see it listed.

use countersign_client::{AddThreepidRequest, RequestEmailToken, RequestMsisdnToken, SubmitTokenRequest};

use crate::support::{PASSWORD, TestNode};

#[tokio::test]
async fn an_email_address_goes_to_an_account_by_code() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let request = RequestEmailToken::new("monkeys_are_GREAT", "Alice@Example.org", 1);
    let requested = node.client.request_token_to_3pid_email(&request).await.unwrap();
    let mails = node.mailer.wait_for(1).await;
    assert_eq!(mails[0].to, "alice@example.org");

    let submit_url = requested.submit_url.unwrap();
    assert_eq!(submit_url, format!("{}/_countersign/v1/submit_token", node.url));
    let token = mails[0].code.clone().unwrap();
    let submission = SubmitTokenRequest::new(&requested.sid, "monkeys_are_GREAT", token);
    assert!(node.client.submit_token(&submit_url, &submission).await.unwrap().success);

    let add = AddThreepidRequest::new(&requested.sid, "monkeys_are_GREAT");
    alice.client.add_3pid_with_password(&add, alice.identifier(), PASSWORD).await.unwrap();
    let listed = alice.client.get_account_3pids().await.unwrap().threepids;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].medium.as_str(), listed[0].address.as_str()), ("email", "alice@example.org"));

    let other = RequestEmailToken::new("other_secret", "alice@example.org", 1);
    let refused = node.client.request_token_to_3pid_email(&other).await.unwrap_err();
    assert_eq!(refused.errcode().unwrap().as_str(), "M_THREEPID_IN_USE");
    assert_eq!(refused.status(), Some(400));
}

#[tokio::test]
async fn a_phone_number_goes_to_an_account_by_code() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let request = RequestMsisdnToken::new("monkeys_are_GREAT", "GB", "07700900001", 1);
    let requested = node.client.request_token_to_3pid_msisdn(&request).await.unwrap();
    let sms = node.sms.wait_for(1).await;
    assert_eq!(sms[0].to, "447700900001");
    let submission =
        SubmitTokenRequest::new(&requested.sid, "monkeys_are_GREAT", sms[0].code.clone().unwrap());
    node.client.submit_token(&requested.submit_url.unwrap(), &submission).await.unwrap();
    let add = AddThreepidRequest::new(&requested.sid, "monkeys_are_GREAT");
    alice.client.add_3pid_with_password(&add, alice.identifier(), PASSWORD).await.unwrap();
    let listed = alice.client.get_account_3pids().await.unwrap().threepids;
    assert_eq!((listed[0].medium.as_str(), listed[0].address.as_str()), ("msisdn", "447700900001"));
}
