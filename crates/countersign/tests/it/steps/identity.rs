//! First steps at the identity API: an access token, and a proven address.

use axum::http::Method;
use countersign_api::identity::{
    account::REGISTER,
    lookup::{HASH_DETAILS, LOOKUP},
    threepid::BIND,
    validate_email, validate_msisdn,
    validated_threepid::GET_VALIDATED_3PID,
};
use countersign_core::{LookupPepper, Medium, ThirdPartyIdentifier, lookup_digest};
use serde_json::{Value, json};

use crate::{
    support::{TestNode, TestUser},
    wire::Call,
};

/// A path of the identity API under the prefix that most clients use.
pub(crate) fn identity(path: &str) -> String {
    format!("/_matrix{path}")
}

impl TestNode {
    /// `GET` of a route of the identity API.
    pub(crate) fn identity_get(&self, path: &str) -> Call {
        self.call(Method::GET, &identity(path))
    }

    /// `POST` of a JSON body to a route of the identity API.
    pub(crate) fn identity_post(&self, path: &str, body: &Value) -> Call {
        self.post_to(&identity(path), body)
    }

    /// An OpenID token of a user of this node, as the node answers it.
    pub(crate) async fn openid_token(&self, user: &TestUser) -> Value {
        let path = format!("/user/{}/openid/request_token", user.user_id);
        self.post(&path, &json!({})).token(&user.access_token).send().await.ok()
    }

    /// A new access token of the identity API for a user of this node.
    pub(crate) async fn identity_token(&self, user: &TestUser) -> String {
        let openid = self.openid_token(user).await;
        self.identity_post(REGISTER, &openid).send().await.ok_string("token")
    }

    /// Registers a user with the node and with its identity API; answers the token of the latter.
    pub(crate) async fn identity_user(&self, name: &str) -> String {
        let user = self.register(name).await;
        self.identity_token(&user).await
    }

    /// Asks the identity API for a token by mail.
    pub(crate) fn ask_identity_email(&self, token: &str, secret: &str, email: &str, attempt: i64) -> Call {
        let body = json!({"client_secret": secret, "email": email, "send_attempt": attempt});
        self.identity_post(validate_email::REQUEST_TOKEN, &body).token(token)
    }

    /// Asks the identity API for a code by SMS, to a British number.
    pub(crate) fn ask_identity_msisdn(&self, token: &str, secret: &str, number: &str, attempt: i64) -> Call {
        let body = json!({"client_secret": secret, "country": "GB", "phone_number": number, "send_attempt": attempt});
        self.identity_post(validate_msisdn::REQUEST_TOKEN, &body).token(token)
    }

    /// Asks what a session of the identity API has proven.
    pub(crate) fn get_validated(&self, token: &str, sid: &str, secret: &str) -> Call {
        self.identity_get(&format!("{GET_VALIDATED_3PID}?sid={sid}&client_secret={secret}")).token(token)
    }

    /// Proves an e-mail address to the identity API; answers the session.
    pub(crate) async fn identity_email(&self, token: &str, secret: &str, email: &str) -> String {
        self.until_outbox_is_empty().await;
        let came = self.mailer.messages().len();
        let sid = self.ask_identity_email(token, secret, email, 1).send().await.ok_string("sid");
        let code = self.mailer.wait_for(came + 1).await.swap_remove(came).code.expect("a code");
        let body = json!({"sid": sid, "client_secret": secret, "token": code});
        self.identity_post(validate_email::SUBMIT_TOKEN, &body).token(token).send().await.ok();
        sid
    }

    /// Proves a British phone number to the identity API; answers the session.
    pub(crate) async fn identity_msisdn(&self, token: &str, secret: &str, number: &str) -> String {
        self.until_outbox_is_empty().await;
        let came = self.sms.messages().len();
        let sid = self.ask_identity_msisdn(token, secret, number, 1).send().await.ok_string("sid");
        let code = self.sms.wait_for(came + 1).await.swap_remove(came).code.expect("a code");
        let body = json!({"sid": sid, "client_secret": secret, "token": code});
        self.identity_post(validate_msisdn::SUBMIT_TOKEN, &body).token(token).send().await.ok();
        sid
    }

    /// Binds the address of a session to a user.
    pub(crate) fn identity_bind(&self, token: &str, sid: &str, secret: &str, mxid: &str) -> Call {
        let body = json!({"sid": sid, "client_secret": secret, "mxid": mxid});
        self.identity_post(BIND, &body).token(token)
    }

    /// Proves an e-mail address and binds it to a user; answers the association.
    pub(crate) async fn bind_email(&self, token: &str, email: &str, mxid: &str) -> Value {
        let secret = format!("bound_{}", self.mailer.messages().len());
        let sid = self.identity_email(token, &secret, email).await;
        self.identity_bind(token, &sid, &secret, mxid).send().await.ok()
    }

    /// The pepper of lookups.
    pub(crate) async fn pepper(&self, token: &str) -> String {
        self.identity_get(HASH_DETAILS).token(token).send().await.ok_string("lookup_pepper")
    }

    /// Looks addresses up as they are hashed.
    pub(crate) fn look_up_hashes(&self, token: &str, pepper: &str, addresses: &[String]) -> Call {
        let body = json!({"algorithm": "sha256", "pepper": pepper, "addresses": addresses});
        self.identity_post(LOOKUP, &body).token(token)
    }

    /// The user to whom an e-mail address is bound, by a lookup.
    pub(crate) async fn look_up_email(&self, token: &str, email: &str) -> Option<String> {
        let pepper = self.pepper(token).await;
        let hash = hashed(Medium::Email, email, &pepper);
        let answer = self.look_up_hashes(token, &pepper, std::slice::from_ref(&hash)).send().await.ok();
        let mappings = answer["mappings"].as_object().expect("an object").clone();
        assert!(mappings.keys().all(|key| *key == hash), "{answer}");
        mappings.get(&hash).map(|user_id| user_id.as_str().expect("a string").to_owned())
    }
}

/// A canonical address as clients hash it.
pub(crate) fn hashed(medium: Medium, address: &str, pepper: &str) -> String {
    let threepid = ThirdPartyIdentifier::from_canonical(medium, address).expect("an address");
    lookup_digest(&threepid, &LookupPepper::parse(pepper).expect("a pepper")).encode()
}
