//! The identity API's part of the table.

use countersign_api::identity::{
    account::{ACCOUNT, LOGOUT, REGISTER},
    validate_email, validate_msisdn,
};
use serde_json::json;

use super::Table;
use crate::{steps::other_code, support::TestNode};

/// On a node that serves users of `localhost` and `127.0.0.1:1` alone, and sends SMS to British numbers alone.
pub(super) async fn add_errors_of_the_identity_api(node: &TestNode, table: &mut Table) {
    let register =
        |name: &str| node.identity_post(REGISTER, &json!({"access_token": "x", "matrix_server_name": name}));
    table.send("identity: no access token", node.identity_get(ACCOUNT)).await;
    table.send("identity: an unknown access token", node.identity_get(ACCOUNT).token("x")).await;
    table
        .send("identity: logging out an unknown token", node.identity_post(LOGOUT, &json!({})).token("x"))
        .await;
    table.send("identity: a missing key", node.identity_post(REGISTER, &json!({}))).await;
    table.send("identity: what is no name of a server", register("https://example.org")).await;
    table.send("identity: a server that is not listed", register("example.org")).await;
    table.send("identity: an OpenID token that proves nobody", register("localhost")).await;
    table.send("identity: a server that does not answer", register("127.0.0.1:1")).await;
    let token = node.identity_user("ida").await;
    add_errors_of_validating(node, &token, table).await;
}

async fn add_errors_of_validating(node: &TestNode, token: &str, table: &mut Table) {
    let email = |email| node.ask_identity_email(token, "x", email, 1);
    table.send("identity: what is no e-mail address", email("ida")).await;
    let msisdn = |country: &str, number: &str| {
        let body =
            json!({"client_secret": "x", "country": country, "phone_number": number, "send_attempt": 1});
        node.identity_post(validate_msisdn::REQUEST_TOKEN, &body).token(token)
    };
    table.send("identity: a bad country", msisdn("gb", "07700900001")).await;
    table.send("identity: what is no phone number", msisdn("GB", "abc")).await;
    table.send("identity: a country that is not listed", msisdn("DE", "0151 23456789")).await;
    node.until_outbox_is_empty().await;
    let came = node.mailer.messages().len();
    let sid = node.ask_identity_email(token, "x", "ida@example.org", 1).send().await.ok_string("sid");
    let code = node.mailer.wait_for(came + 1).await.swap_remove(came).code.expect("a code");
    let submit = |path: &str, sid: &str, code: &str| {
        let body = json!({"sid": sid, "client_secret": "x", "token": code});
        node.identity_post(path, &body).token(token)
    };
    let to_email = validate_email::SUBMIT_TOKEN;
    table.send("identity: an unknown session", submit(to_email, "x", &code)).await;
    table
        .send("identity: a token of the other medium", submit(validate_msisdn::SUBMIT_TOKEN, &sid, &code))
        .await;
    table.send("identity: a wrong token", submit(to_email, &sid, &other_code(&code))).await;
    let validated = |sid: &str| node.get_validated(token, sid, "x");
    table.send("identity: what an unknown session has proven", validated("x")).await;
    table.send("identity: what a session without a token has proven", validated(&sid)).await;
    node.let_pass(std::time::Duration::from_secs(24 * 60 * 60 + 1)).await;
    table.send("identity: what a session that is over has proven", validated(&sid)).await;
}

/// What a node says that has policies and sends no SMS.
pub(super) async fn add_errors_of_terms(node: &TestNode, table: &mut Table) {
    let token = node.identity_user("ida").await;
    table.send("identity: terms that are not accepted", node.identity_get(ACCOUNT).token(&token)).await;
}

/// What a node says that sends no SMS.
pub(super) async fn add_errors_of_media(node: &TestNode, table: &mut Table) {
    let token = node.identity_user("ida").await;
    let call = node.ask_identity_msisdn(&token, "x", "07700900001", 1);
    table.send("identity: a medium that is not supported", call).await;
}
