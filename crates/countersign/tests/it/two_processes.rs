//! Two processes of different names, each behind TLS, configured as an operator would: what one publishes at the other, and
//! what one has the other prove.

use countersign_client::{
    AddThreepidRequest, BindThreepidRequest, Client, IdentityClient, RegisterRequest, RequestEmailToken,
    RequestMsisdnToken, SubmitTokenRequest, UnbindResult, UnbindThreepidRequest, UserIdentifier,
    identity::{EmailAddress, RequestEmailValidation, StoreInviteRequest},
};
use countersign_storage::test_database::TestDatabase;
use reqwest::Certificate;
use tokio::task::JoinHandle;

use crate::{
    process::{PATIENCE, ServeFolder, ServedNode, SmtpServer},
    sms_gateway::Gateway,
    steps::link_token,
    support::{Front, PASSWORD},
};

const EMAIL: &str = "alice@example.org";
const SECRET: &str = "monkeys";
const SMS_BODY: &str = r#"body = '{"to": "{{ msisdn }}", "text": "{{ text }}"}'"#;
const LOOPBACK: &str = "allow_networks = [\"127.0.0.0/8\"]";

/// A process and the front that gives it its name.
struct NamedNode {
    name: String,
    node: ServedNode,
    /// Of PostgreSQL, where the process has one.
    database: Option<TestDatabase>,
    front: JoinHandle<()>,
    _folder: ServeFolder,
}

/// A user of a process.
struct User {
    user_id: String,
    client: Client,
}

impl NamedNode {
    /// Starts it on SQLite, or on this database. It trusts these certificates beside the system's.
    async fn start(front: Front, ca_pem: &str, database: Option<TestDatabase>, sections: &str) -> Self {
        let url = database.as_ref().map_or("sqlite:countersign.db".to_owned(), TestDatabase::url);
        let folder = ServeFolder::on(&url, sections);
        std::fs::write(folder.path().join("ca.pem"), ca_pem).expect("writable");
        let name = front.name.clone();
        let config = folder.config().replacen("name = \"example.org\"", &format!("name = \"{name}\""), 1);
        folder.write_config(&config.replacen("https://id.example.org", &format!("https://{name}"), 1));
        let node = folder.serve().await;
        let front = front.lead_to(&node.url);
        Self { name, node, database, front, _folder: folder }
    }

    async fn register(&self, name: &str) -> User {
        let request = RegisterRequest::new(name, PASSWORD);
        let registered = self.node.client.register_with_dummy(&request).await.expect("registered");
        let access_token = registered.access_token.expect("logged in");
        User { user_id: registered.user_id, client: self.node.client.with_access_token(access_token) }
    }

    /// Registers a user of any process with this one's identity service; answers the access token.
    async fn identity_token(&self, user: &User) -> Result<String, countersign_client::Error> {
        let openid = user.client.request_openid_token(&user.user_id).await.expect("a token");
        Ok(self.identity(None).register(&openid.into()).await?.token)
    }

    fn identity(&self, access_token: Option<&str>) -> IdentityClient {
        let builder = IdentityClient::builder(&self.node.url);
        let builder = match access_token {
            Some(access_token) => builder.access_token(access_token),
            None => builder,
        };
        builder.build().expect("a client")
    }

    /// The user to whom the address is bound.
    async fn look_up(&self, access_token: &str) -> Option<String> {
        let email = EmailAddress::parse(EMAIL).expect("an address").into();
        let found = self.identity(Some(access_token)).lookup_addresses(&[email]).await.expect("answered");
        found.into_values().next()
    }
}

impl Drop for NamedNode {
    fn drop(&mut self) {
        self.front.abort();
    }
}

/// `[federation]` as both processes have it, with this in place of the default networks.
fn federation(networks: &str) -> String {
    format!("[federation]\nca_file = \"ca.pem\"\n{networks}\n")
}

/// A homeserver on SQLite, and an identity service on PostgreSQL that sends mail.
async fn home_and_service(mail: &SmtpServer, home_networks: &str) -> (NamedNode, NamedNode) {
    let (home, service) = (Front::bind().await, Front::bind().await);
    let ca_pem = format!("{}{}", home.ca_pem, service.ca_pem);
    let database = TestDatabase::create().await;
    let sections = format!("{}\n{}\n[identity]\nenabled = true\n", mail.config(), federation(LOOPBACK));
    let home = NamedNode::start(home, &ca_pem, None, &federation(home_networks)).await;
    let service = NamedNode::start(service, &ca_pem, Some(database), &sections).await;
    (home, service)
}

/// Alice's address, proven to the service by the code of its mail; answers the session.
async fn prove(service: &NamedNode, access_token: &str, mail: &SmtpServer) -> String {
    let identity = service.identity(Some(access_token));
    let came = mail.received().len();
    let request = RequestEmailValidation::new(SECRET, EMAIL, 1);
    let sid = identity.request_email_token(&request).await.expect("accepted").sid;
    let code = mail.wait_for_events(came + 1).await[came].code().expect("a code");
    let submitted = identity.submit_email_token(&SubmitTokenRequest::new(&sid, SECRET, code)).await;
    assert!(submitted.expect("answered").success);
    sid
}

fn bind(sid: &str, service: &NamedNode, access_token: &str) -> BindThreepidRequest {
    BindThreepidRequest {
        client_secret: SECRET.to_owned(),
        sid: sid.to_owned(),
        id_server: service.name.clone(),
        id_access_token: access_token.to_owned(),
    }
}

#[tokio::test]
async fn an_address_is_published_told_of_and_taken_back_between_processes() {
    let mail = SmtpServer::start().await;
    let (home, service) = home_and_service(&mail, LOOPBACK).await;
    let database = service.database.as_ref().expect("it has one");
    // The service asks Alice's process who she is.
    let alice = home.register("alice").await;
    assert_eq!(alice.user_id, format!("@alice:{}", home.name));
    let token = service.identity_token(&alice).await.expect("her server vouches for her");
    // Carol's invitation waits for the address.
    let carol = service.register("carol").await;
    let carols = service.identity_token(&carol).await.expect("the service's own user");
    let invitation = StoreInviteRequest::email(EMAIL, "!room:here", &carol.user_id);
    service.identity(Some(&carols)).store_invite(&invitation).await.expect("stored");
    mail.wait_for_events(1).await;

    let sid = prove(&service, &token, &mail).await;
    alice.client.bind_3pid(&bind(&sid, &service, &token)).await.expect("published there");
    assert_eq!(service.look_up(&token).await.as_ref(), Some(&alice.user_id));
    // Alice's process is told of the invitation.
    service.node.drained().await;
    let told = "select outcome from message_history where kind = 'on_bind'";
    assert_eq!(database.run(told).await, ["delivered"]);
    let waiting = "select count(*) from invitations where handed_over_at is null";
    assert_eq!(database.run(waiting).await, ["0"]);

    // Whom the process signs for has to be its own user, and the one to whom the address is bound.
    let unbind = UnbindThreepidRequest {
        id_server: Some(service.name.clone()),
        ..UnbindThreepidRequest::new("email", EMAIL)
    };
    let bob = home.register("bob").await;
    bob.client.unbind_3pid_from_account(&unbind).await.expect("nothing of his is there");
    assert_eq!(service.look_up(&token).await.as_ref(), Some(&alice.user_id));
    let taken_back = alice.client.unbind_3pid_from_account(&unbind).await.expect("by signature");
    assert_eq!(taken_back.id_server_unbind_result, UnbindResult::Success);
    assert_eq!(service.look_up(&token).await, None);
}

#[tokio::test]
async fn a_process_that_does_not_allow_the_network_publishes_nothing_there() {
    let mail = SmtpServer::start().await;
    let (home, service) = home_and_service(&mail, "allow_networks = []").await;
    let alice = home.register("alice").await;
    let token = service.identity_token(&alice).await.expect("the service may call");
    let sid = prove(&service, &token, &mail).await;
    let refused = alice.client.bind_3pid(&bind(&sid, &service, &token)).await.expect_err("not dialed");
    assert_eq!(refused.status(), Some(502), "{refused}");
    assert_eq!(service.look_up(&token).await, None);
}

#[tokio::test]
async fn addresses_and_numbers_are_proven_by_another_process() {
    let (mail, gateway) = (SmtpServer::start().await, Gateway::start([]).await);
    let (home, service) = (Front::bind().await, Front::bind().await);
    let (home_ca, service_ca, service_name) =
        (home.ca_pem.clone(), service.ca_pem.clone(), service.name.clone());
    let sms =
        format!("[sms]\ncountries = [\"GB\"]\n[sms.http]\nurl = \"{}/send\"\n{SMS_BODY}\n", gateway.url);
    let sections = format!("{}\n{sms}\n[identity]\nenabled = true\n", mail.config());
    let database = TestDatabase::create().await;
    let service = NamedNode::start(service, &home_ca, Some(database), &sections).await;
    let worker = service.register("worker").await;
    let token = service.identity_token(&worker).await.expect("the service's own user");
    let delegate = format!(
        "[validation.delegate]\nurl = \"https://{service_name}\"\naccess_token = \"{token}\"\n\
         media = [\"email\", \"msisdn\"]\nca_file = \"ca.pem\"\n"
    );
    let home = NamedNode::start(home, &service_ca, None, &delegate).await;
    let alice = home.register("alice").await;
    let add = async |sid: &str| {
        let user = UserIdentifier::user(&alice.user_id);
        alice.client.add_3pid_with_password(&AddThreepidRequest::new(sid, SECRET), user, PASSWORD).await
    };

    let request = RequestMsisdnToken::new(SECRET, "GB", "07700 900001", 1);
    let asked = alice.client.request_token_to_3pid_msisdn(&request).await.expect("accepted");
    let text = gateway.wait_for(1).await.remove(0).body;
    let code = text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).expect("a code");
    let too_early = add(&asked.sid).await.expect_err("nothing was proven");
    assert_eq!(too_early.errcode().map(|code| code.as_str()), Some("M_THREEPID_AUTH_FAILED"));
    home.node.drained().await;
    let submit_url = format!("{}/_countersign/v1/submit_token", home.node.url);
    let submission = SubmitTokenRequest::new(&asked.sid, SECRET, code);
    assert!(home.node.client.submit_token(&submit_url, &submission).await.expect("answered").success);
    add(&asked.sid).await.expect("it was proven there");

    let request = RequestEmailToken::new(SECRET, EMAIL, 1);
    let asked = alice.client.request_token_to_3pid_email(&request).await.expect("accepted");
    let link = mail.wait_for_events(1).await[0].link("/confirm").expect("a link");
    add(&asked.sid).await.expect_err("nobody pressed its button");
    home.node.drained().await;
    press(&link, &service_ca).await;
    add(&asked.sid).await.expect("it was proven there");

    let listed = alice.client.get_account_3pids().await.expect("listed").threepids;
    let listed: Vec<_> = listed.into_iter().map(|threepid| threepid.address).collect();
    assert_eq!(listed, ["447700900001", EMAIL]);
}

/// Presses the button behind a link, as a browser that trusts the front's certificate.
async fn press(link: &str, ca_pem: &str) {
    let certificate = Certificate::from_pem(ca_pem.as_bytes()).expect("PEM");
    let browser = reqwest::Client::builder().no_proxy().add_root_certificate(certificate).timeout(PATIENCE);
    let browser = browser.build().expect("a client");
    let page = browser.get(link).send().await.expect("the link leads through the front");
    assert_eq!(page.status(), 200);
    let (address, query) = link.split_once('?').expect("a query");
    let sid = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "sid").expect("a sid").1;
    let form = format!("sid={sid}&token={}", link_token(link));
    let pressed =
        browser.post(address).header("content-type", "application/x-www-form-urlencoded").body(form);
    assert_eq!(pressed.send().await.expect("answered").status(), 200);
}
