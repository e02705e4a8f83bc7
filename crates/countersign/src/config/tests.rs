//! Tests of the configuration as a whole.

mod accounts;
mod example;
mod identity;
mod problems;
mod reading;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// The keys that have no default, and nothing else.
const MINIMAL: &str = r#"
[server]
name = "example.org"
public_url = "https://id.example.org"
[storage]
url = "sqlite:///var/lib/countersign/countersign.db"
[keys]
master_key_file = "/etc/countersign/master.key"
"#;

const MEDIA: &str = r#"
[email]
from = "Example <no-reply@example.org>"
[email.smtp]
[sms]
countries = ["GB", "DE"]
[sms.http]
url = "http://127.0.0.1:9000/send"
body = '{"to": "{{ msisdn }}", "text": "{{ text }}"}'
"#;

struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file in a temporary folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
        path
    }

    fn load(&self, text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let path = self.file("countersign.toml", text);
        Config::load(Some(&path), env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }
}

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Folder::new().load(text, env)
}

fn error(text: &str, env: &[(&str, &str)]) -> String {
    load(text, env).expect_err("the configuration is wrong").to_string()
}

/// A sound configuration whose master key exists, with `change` made to it, and the problems that it has then.
fn problems(change: impl FnOnce(&mut Config)) -> Vec<Problem> {
    let folder = Folder::new();
    let mut config = folder.load(&format!("{MINIMAL}{MEDIA}"), &[]).expect("both parts are well formed");
    config.keys.master_key_file = folder.file("master.key", "");
    change(&mut config);
    config.check()
}

fn keys(problems: &[Problem]) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.key).collect()
}
