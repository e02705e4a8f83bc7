//! `countersign client`, from nothing to a listed address, against a running node.

mod identity;

use serde_json::Value;

use crate::{
    process::{Ended, Process, ServeFolder, ServedNode, SmtpServer, countersign},
    support::PASSWORD,
};

/// A shell in which a person works with `countersign client`.
struct Shell<'a> {
    folder: &'a ServeFolder,
    node: &'a ServedNode,
    access_token: Option<String>,
}

impl Shell<'_> {
    async fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = countersign(self.folder.path(), &["client", "--json"]);
        command.args(arguments).env("COUNTERSIGN_URL", &self.node.url);
        command.env("COUNTERSIGN_USER", "alice").env("COUNTERSIGN_PASSWORD", PASSWORD);
        if let Some(access_token) = &self.access_token {
            command.env("COUNTERSIGN_ACCESS_TOKEN", access_token);
        }
        Process::start(command).ended().await
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(arguments).await;
        assert!(ended.status.success(), "{arguments:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{}: {error}", ended.stdout))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}

#[tokio::test]
async fn the_shell_goes_the_whole_way() {
    let mail = SmtpServer::start().await;
    let folder = ServeFolder::new(&mail.config());
    let node = folder.serve().await;
    let mut shell = Shell { folder: &folder, node: &node, access_token: None };
    assert!(shell.json(&["versions"]).await["versions"].is_array());
    assert_eq!(shell.json(&["available", "alice"]).await["available"], true);
    shell.access_token = Some(text(&shell.json(&["register"]).await["access_token"]));
    assert_eq!(shell.json(&["whoami"]).await["user_id"], "@alice:example.org");
    shell.access_token = Some(text(&shell.json(&["login"]).await["access_token"]));

    let asked = shell.json(&["request-token", "email", "alice@example.com"]).await;
    let (sid, secret) = (text(&asked["sid"]), text(&asked["client_secret"]));
    let session = ["--sid", &sid, "--client-secret", &secret];
    let code = mail.wait_for_events(1).await[0].code().unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let refused = shell.run(&[&["submit-token", "--token", wrong], &session[..]].concat()).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        refused.stderr.contains("M_TOKEN_INCORRECT") || refused.stderr.contains("400"),
        "{}",
        refused.stderr
    );

    let submitted = shell.json(&[&["submit-token", "--token", &code], &session[..]].concat()).await;
    assert_eq!(submitted["success"], true);
    shell.json(&[&["add"], &session[..]].concat()).await;
    let listed = shell.json(&["list"]).await;
    assert_eq!(listed["threepids"][0]["address"], "alice@example.com");

    let again = shell.run(&["request-token", "email", "alice@example.com"]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stderr.contains("M_THREEPID_IN_USE (400)"), "{}", again.stderr);
    shell.json(&["delete", "email", "alice@example.com"]).await;
    assert_eq!(shell.json(&["list"]).await["threepids"], Value::Array(Vec::new()));
    shell.json(&["logout"]).await;
    let ended = shell.run(&["whoami"]).await;
    assert!(ended.stderr.contains("M_UNKNOWN_TOKEN"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_shell_changes_and_ends_an_account() {
    let mail = SmtpServer::start().await;
    let folder = ServeFolder::new(&mail.config());
    let node = folder.serve().await;
    let mut shell = Shell { folder: &folder, node: &node, access_token: None };
    let asked = shell.json(&["request-token", "email", "alice@example.com", "--for", "register"]).await;
    let (sid, secret) = (text(&asked["sid"]), text(&asked["client_secret"]));
    let code = mail.wait_for_events(1).await[0].code().unwrap();
    let session = ["--sid", &sid, "--client-secret", &secret];
    shell.json(&[&["submit-token", "--token", &code], &session[..]].concat()).await;
    // This node wants no proof of an address, so the account comes without it.
    let registered = shell
        .json(&["register", "--with-refresh-token", "--email-sid", &sid, "--client-secret", &secret])
        .await;
    let refresh_token = text(&registered["refresh_token"]);
    let refreshed = shell.json(&["refresh", "--refresh-token", &refresh_token]).await;
    shell.access_token = Some(text(&refreshed["access_token"]));

    let openid = shell.json(&["openid"]).await;
    assert_eq!(openid["matrix_server_name"], "example.org");
    let validity = shell.json(&["token-validity", "--registration-token", "nonsense"]).await;
    assert_eq!(validity["valid"], false);

    let other = text(&shell.json(&["login"]).await["access_token"]);
    let new_password = "another correct horse";
    let wrong = shell.run(&["password", "--new-password", new_password, "--password", "wrong"]).await;
    assert!(wrong.stderr.contains("M_FORBIDDEN"), "{}", wrong.stderr);
    shell.json(&["password", "--new-password", new_password]).await;
    assert_eq!(shell.json(&["whoami"]).await["user_id"], "@alice:example.org");
    shell.access_token = Some(other);
    let ended = shell.run(&["whoami"]).await;
    assert!(ended.stderr.contains("M_UNKNOWN_TOKEN"), "{}", ended.stderr);

    shell.access_token = None;
    let ended = shell.json(&["deactivate", "--password", new_password, "--yes"]).await;
    assert_eq!(ended["id_server_unbind_result"], "success");
    let gone = shell.run(&["login", "--password", new_password]).await;
    assert!(gone.stderr.contains("M_FORBIDDEN"), "{}", gone.stderr);
}

#[tokio::test]
async fn a_node_that_is_not_there_is_named() {
    let folder = ServeFolder::new("");
    let mut node = folder.serve().await;
    node.process.kill();
    let shell = Shell { folder: &folder, node: &node, access_token: None };
    let ended = shell.run(&["versions"]).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(&format!("can't reach {}", node.url)), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}
