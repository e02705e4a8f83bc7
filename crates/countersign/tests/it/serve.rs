//! `countersign serve` and `countersign config` as an operator meets them: what they say when something is wrong, and
//! what they show when nothing is.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, time::Duration};

use serde_json::Value;

use crate::process::{self, Ended, ServeFolder, until};

async fn serve(folder: &ServeFolder) -> Ended {
    process::run(folder.path(), &["serve", "--config", "config.toml"]).await
}

/// Fails unless it ended with these words and nothing else: no backtrace, no Rust.
fn assert_refused(ended: &Ended, words: &[&str]) {
    let Ended { status, stdout, stderr } = ended;
    assert_eq!((status.code(), stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.starts_with("countersign: "), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in\n{stderr}");
    }
    for word in ["panicked", "backtrace", "Err(", "Some(", "Os {"] {
        assert!(!stderr.contains(word), "{word:?} is in\n{stderr}");
    }
}

#[tokio::test]
async fn a_missing_configuration_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let ended = process::run(folder.path(), &["serve", "--config", "nowhere/config.toml"]).await;
    assert_refused(&ended, &["can't read the configuration file nowhere/config.toml", "No such file"]);
}

#[tokio::test]
async fn a_misspelt_key_is_shown_in_its_line() {
    let folder = ServeFolder::new("[limits]\n enbled = false\n");
    let line = folder.config().lines().position(|line| line.contains("enbled")).unwrap() + 1;
    for command in [&["serve", "-c", "config.toml"][..], &["config", "check", "-c", "config.toml"]] {
        let ended = process::run(folder.path(), command).await;
        let place = format!("config.toml:{line}:2: limits.enbled: unknown field `enbled`");
        assert_refused(&ended, &[&place, &format!("{line} |  enbled = false"), "|  ^^^^^^", "`enabled`"]);
    }
}

#[tokio::test]
async fn a_misspelt_variable_of_the_environment_is_named() {
    let folder = ServeFolder::new("");
    let mut command = process::countersign(folder.path(), &["serve", "--config", "config.toml"]);
    command.env("COUNTERSIGN_SERVER__LISEN", "127.0.0.1:1");
    let ended = process::Process::start(command).ended().await;
    assert_refused(&ended, &["environment variable COUNTERSIGN_SERVER__LISEN", "server.lisen", "`listen`"]);
}

#[tokio::test]
async fn a_missing_master_key_comes_with_the_command_that_makes_one() {
    let folder = ServeFolder::new("");
    fs::remove_file(folder.master_key()).unwrap();
    let ended = serve(&folder).await;
    assert_refused(&ended, &["keys.master_key_file: master.key does not exist; make one with ("]);

    // What it says to do works.
    let (_, rest) = ended.stderr.split_once("make one with ").unwrap();
    let made =
        std::process::Command::new("sh").args(["-c", rest]).current_dir(folder.path()).status().unwrap();
    assert!(made.success());
    folder.serve().await;
}

#[tokio::test]
async fn a_master_key_that_others_can_read_is_refused() {
    let folder = ServeFolder::new("");
    fs::set_permissions(folder.master_key(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_refused(&serve(&folder).await, &["keys.master_key_file: ", "set its mode to 0600"]);
}

#[tokio::test]
async fn a_master_key_that_is_none_is_refused_and_not_shown() {
    let folder = ServeFolder::new("");
    fs::write(folder.master_key(), "k1 c2VjcmV0\n").unwrap();
    let ended = serve(&folder).await;
    assert_refused(&ended, &["keys.master_key_file", "master.key"]);
    assert!(!ended.stderr.contains("c2VjcmV0"), "{}", ended.stderr);
    assert!(!folder.path().join("countersign.db").exists(), "a database was made with no key to it");
}

#[tokio::test]
async fn another_master_key_does_not_open_the_database() {
    let folder = ServeFolder::new("");
    drop(folder.serve().await);
    let right = fs::read(folder.master_key()).unwrap();
    folder.write_master_key();
    assert_refused(
        &serve(&folder).await,
        &["keys.master_key_file", "master.key", "does not fit the database"],
    );

    fs::write(folder.master_key(), right).unwrap();
    folder.serve().await;
}

#[tokio::test]
async fn a_rotated_key_opens_what_the_old_one_sealed_and_the_old_one_must_stay() {
    let folder = ServeFolder::new("");
    drop(folder.serve().await);
    let old = fs::read_to_string(folder.master_key()).unwrap();
    folder.write_master_key();
    let new = fs::read_to_string(folder.master_key()).unwrap().replacen("k1 ", "k2 ", 1);
    fs::write(folder.master_key(), format!("{new}{old}")).unwrap();
    drop(folder.serve().await);

    fs::write(folder.master_key(), &new).unwrap();
    assert_refused(&serve(&folder).await, &["the master key k1 is missing from the file"]);
    fs::write(folder.master_key(), format!("{new}{old}")).unwrap();
    folder.serve().await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let folder = ServeFolder::new("");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let config = folder.config();
    for key in ["listen", "operator_listen"] {
        folder.write_config(
            &config.replace(&format!("\n{key} = \"127.0.0.1:0\""), &format!("\n{key} = \"{address}\"")),
        );
        let refused = serve(&folder).await;
        assert_refused(&refused, &[&format!("server.{key}: can't listen on {address}"), "in use"]);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_named() {
    let folder = ServeFolder::new("");
    folder
        .write_config(&folder.config().replace("sqlite:countersign.db", "sqlite:config.toml/countersign.db"));
    assert_refused(&serve(&folder).await, &["storage.url: can't open config.toml/countersign.db"]);
}

#[tokio::test]
async fn the_example_is_good_once_its_paths_are() {
    let folder = ServeFolder::new("");
    let example = process::run(folder.path(), &["config", "example"]).await;
    assert!(example.status.success());
    let config = example
        .stdout
        .replace("/etc/countersign/master.key", "master.key")
        .replace("sqlite:///var/lib/countersign/countersign.db", "sqlite:countersign.db");
    folder.write_config(&config);
    let checked = process::run(folder.path(), &["config", "check", "--config", "config.toml"]).await;
    assert_eq!(checked.stdout.trim(), "The configuration is good.", "{}", checked.stderr);
    folder.write_config(
        &config
            .replace("#listen = \"127.0.0.1:8008\"", "listen = \"127.0.0.1:0\"")
            .replace("#operator_listen = \"127.0.0.1:8009\"", "operator_listen = \"127.0.0.1:0\""),
    );
    folder.serve().await;
}

#[tokio::test]
async fn show_hides_secrets_and_tells_defaults() {
    let folder = ServeFolder::new(
        r#"
[email]
from = "no-reply@example.org"
[email.smtp]
username = "mailer"
password = "first-secret"
[sms]
countries = ["*"]
[sms.http]
url = "http://127.0.0.1:9000/send?key=second-secret"
authorization_file = "authorization"
headers = { X-Key = "third-secret" }
"#,
    );
    fs::write(folder.path().join("authorization"), "Bearer fourth-secret\n").unwrap();
    let shown = process::run(folder.path(), &["config", "show", "--config", "config.toml"]).await;
    assert!(shown.status.success(), "{}", shown.stderr);
    for expected in ["name = \"example.org\"", "username = \"mailer\"", "lease = \"", "\"(secret)\""] {
        assert!(shown.stdout.contains(expected), "{expected} is not in\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains("-secret"), "{}", shown.stdout);
}

#[tokio::test]
async fn health_is_told_to_the_operator_alone() {
    let folder = ServeFolder::new("");
    let node = folder.serve().await;
    let get = async |url: &str| {
        let answer = node.http.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, body) = get(&format!("{}/health/live", node.operator_url)).await;
    assert_eq!((status, &body["status"]), (200, &"live".into()));
    let (status, body) = get(&format!("{}/health/ready", node.operator_url)).await;
    assert_eq!((status, &body["status"], &body["outbox"]["waiting"]), (200, &"ready".into(), &0.into()));
    for path in ["/health/live", "/health/ready"] {
        let (status, body) = get(&format!("{}{path}", node.url)).await;
        assert_eq!((status, &body["errcode"]), (404, &"M_UNRECOGNIZED".into()), "{path}");
    }
    let (status, _) = get(&format!("{}/_matrix/client/versions", node.operator_url)).await;
    assert_eq!(status, 404);
    for path in ["/inbox", "/inbox/messages"] {
        assert_eq!(get(&format!("{}{path}", node.url)).await.0, 404, "{path}: the inbox is for dev");
    }
}

#[tokio::test]
async fn every_line_of_the_json_log_parses() {
    let folder = ServeFolder::new("[log]\nformat = \"json\"\nfilter = \"debug\"\n");
    let node = folder.serve().await;
    node.client.get_versions().await.unwrap();
    node.process.signal("TERM");
    let ended = node.process.ended_within(Duration::from_secs(5)).await;
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stdout, "", "the log goes to standard error");
    let lines: Vec<Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        for key in ["timestamp", "level", "target", "message"] {
            assert!(line[key].is_string(), "no {key} in {line}");
        }
    }
    let says = |text: &str| lines.iter().any(|line| line["message"].as_str().unwrap().starts_with(text));
    assert!(says("Serving https://id.example.org"));
    assert!(lines.last().unwrap()["message"] == "Stopped", "{:?}", lines.last());
}

#[tokio::test]
async fn a_stop_leaves_nothing_behind() {
    let folder = ServeFolder::new("");
    let node = folder.serve().await;
    until("there is a log to fold in", async || folder.path().join("countersign.db-wal").exists()).await;
    node.process.signal("INT");
    let ended = node.process.ended_within(Duration::from_secs(5)).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    for file in ["countersign.db-wal", "countersign.db-shm"] {
        assert!(!folder.path().join(file).exists(), "{file} is still there: the database was not closed");
    }
}
