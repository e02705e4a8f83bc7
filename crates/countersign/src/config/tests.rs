//! Tests of the configuration as a whole.

mod accounts;
mod identity;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;
use toml::{Table, Value};

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

/// The example with every commented key put into effect. A comment for people has a space after its `#`.
fn uncommented() -> String {
    let is_setting = |line: &str| line.starts_with(|c: char| c == '[' || c.is_ascii_lowercase());
    EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| is_setting(rest)).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect()
}

fn leaves(prefix: &str, table: &Table, found: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => leaves(&key, inner, found),
            _ => found.push((key, value.clone())),
        }
    }
}

fn leaves_of(text: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    leaves("", &text.parse().expect("TOML"), &mut found);
    found
}

/// The names that a section takes, from the error that an unknown one makes.
fn known_names(section: &str) -> Vec<String> {
    let mut root: Table = format!("{MINIMAL}{MEDIA}").parse().expect("TOML");
    let mut table = &mut root;
    for name in section.split('.').filter(|name| !name.is_empty()) {
        let inner = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
        table = inner.as_table_mut().expect("a section");
    }
    table.insert("nonsense".to_owned(), Value::Boolean(true));
    let error = root.try_into::<Config>().expect_err("nonsense is no key").message().to_owned();
    let (_, names) = error.split_once("expected").expect("the error lists the names");
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_example_is_a_working_configuration() {
    let folder = Folder::new();
    let key = folder.file("master.key", "");
    let env = [("COUNTERSIGN_KEYS__MASTER_KEY_FILE", key.to_str().expect("a UTF-8 path"))];
    assert_eq!(folder.load(EXAMPLE, &env).expect("the example is well formed").check(), []);
}

#[test]
fn the_example_shows_every_key() {
    let shown: Table = uncommented().parse().expect("the example is TOML when uncommented");
    let mut sections = vec![String::new()];
    while let Some(section) = sections.pop() {
        let mut table = &shown;
        for name in section.split('.').filter(|name| !name.is_empty()) {
            table = table[name].as_table().expect("a section");
        }
        for name in known_names(&section) {
            let value = table.get(&name);
            assert!(value.is_some(), "config.example.toml lacks `{name}` in [{section}]");
            if value.and_then(Value::as_table).is_some_and(|inner| !inner.is_empty()) {
                sections.push(if section.is_empty() { name } else { format!("{section}.{name}") });
            }
        }
    }
}

#[test]
fn the_example_shows_the_defaults() {
    // Both sides through the types, so that "24h" and "1d" are one.
    let shown: Config = toml::from_str(&without_second_secrets()).expect("the example is well formed");
    let shown = leaves_of(&shown.redacted());
    let default: Config = toml::from_str(&format!("{MINIMAL}{MEDIA}")).expect("both parts are well formed");
    for (key, default) in leaves_of(&default.redacted()) {
        let is_filled_in = |(other, _): &(String, Value)| other.starts_with(&format!("{key}."));
        if default.as_table().is_some() && shown.iter().any(is_filled_in) {
            continue;
        }
        let value = shown.iter().find(|(other, _)| *other == key).map(|(_, value)| value);
        assert_eq!(value, Some(&default), "config.example.toml shows another default for {key}");
    }
}

fn without_second_secrets() -> String {
    uncommented()
        .lines()
        .filter(|line| !line.contains("_file = \"/etc/countersign/s"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn every_example_value_is_accepted() {
    let config = load(&without_second_secrets(), &[]).expect("the uncommented example is well formed");
    let expected = [
        "storage.ca_file",
        "keys.master_key_file",
        "sidecar.ca_file",
        "federation.ca_file",
        "email.smtp.ca_file",
        "templates.folder",
        "templates.pages_folder",
        // The example has senders of its own and a delegate for both media, which no node has.
        "validation.delegate.media",
        "validation.delegate.media",
        "validation.delegate.ca_file",
    ];
    assert_eq!(keys(&config.check()), expected, "only files that the test's machine lacks are missing");
}

#[test]
fn a_misspelt_key_is_pointed_at_with_the_names_that_are_known() {
    let text = format!("{MINIMAL}\n[registration]\nenabeld = true\n");
    let error = error(&text, &[]);
    assert!(
        error.contains("countersign.toml:11:1: registration.enabeld: unknown field `enabeld`"),
        "{error}"
    );
    assert!(error.contains("expected one of `enabled`, `flows`"), "{error}");
    assert!(error.ends_with("\n   |\n11 | enabeld = true\n   | ^^^^^^^"), "{error}");
}

#[test]
fn a_misspelt_section_is_an_error() {
    let error = error(&format!("{MINIMAL}[limts]\nenabled = false\n"), &[]);
    assert!(error.contains(":9:2: limts: unknown field `limts`, expected one of `server`"), "{error}");
}

#[test]
fn a_missing_key_is_named() {
    let text = MINIMAL.replace("name = \"example.org\"\n", "");
    assert!(error(&text, &[]).ends_with("countersign.toml: server.name: missing field `name`"));
    let error = Config::load(None, std::iter::empty()).expect_err("nothing is set");
    assert_eq!(error.to_string(), "configuration: server: missing field `server`");
}

#[test]
fn a_bad_value_is_named_and_pointed_at() {
    let cases = [
        ("[server]", "listen = \"here\"", "server.listen: invalid socket address syntax"),
        (
            "[server]",
            "trusted_proxies = [\"10.0.0.0/99\"]",
            "server.trusted_proxies: invalid IP address syntax",
        ),
        ("[server]", "max_body_bytes = -1", "server.max_body_bytes: invalid value: integer `-1`"),
        (
            "[server]",
            "request_timeout = \"soon\"",
            "server.request_timeout: invalid value: string \"soon\", expected a duration",
        ),
        ("[storage]", "readers = 0", "storage.readers: invalid value: integer `0`, expected a nonzero"),
    ];
    for (section, line, message) in cases {
        let error = error(&MINIMAL.replace(section, &format!("{section}\n{line}")), &[]);
        assert!(error.contains(message) && error.contains(line) && error.contains('^'), "{error}");
    }
    let cases = [
        ("name = \"example.org\"", "name = \"https://example.org\"", "server.name: a server name is"),
        ("https://id.example.org", "http://id.example.org", "server.public_url: must be https"),
        ("sqlite:///var", "mysql://var", "storage.url: not a database"),
    ];
    for (from, to, message) in cases {
        let error = error(&MINIMAL.replace(from, to), &[]);
        assert!(error.contains(message) && error.contains('^'), "{error}");
    }
    let cases = [
        ("no-reply@example.org", "no-reply", "email.from: "),
        (
            "[email.smtp]",
            "code_for = [\"login\"]\n[email.smtp]",
            "email.code_for: unknown purpose `login`, expected some of `register`",
        ),
        (
            "[email.smtp]",
            "[email.smtp]\ntls = \"ssl\"",
            "email.smtp.tls: unknown variant `ssl`, expected one of `none`",
        ),
        ("\"GB\"", "\"gb\"", "sms.countries: `gb` is not a country"),
        ("[sms.http]", "[sms.http]\nmethod = \"post\"", "sms.http.method: unknown variant `post`"),
        (
            "[sms.http]",
            "[sms.http]\nsuccess_statuses = ['2xx']",
            "sms.http.success_statuses: a status is from 100 to 599",
        ),
        (
            "[sms]",
            "[registration]\nflows = [[\"m.login.sso\"]]\n[sms]",
            "registration.flows: unknown variant `m.login.sso`",
        ),
    ];
    for (from, to, message) in cases {
        let error = error(&format!("{MINIMAL}{}", MEDIA.replace(from, to)), &[]);
        assert!(error.contains(message) && error.contains('^'), "{error}");
    }
}

#[test]
fn a_line_with_a_secret_is_not_repeated() {
    let text = format!("{MINIMAL}{}", MEDIA.replace("[email.smtp]", "[email.smtp]\npassword = 'hunter2"));
    let error = error(&text, &[]);
    assert!(error.contains("countersign.toml:13:") && !error.contains("hunter2"), "{error}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let env = [
        ("COUNTERSIGN_SERVER__LISTEN", "[::1]:9000"),
        ("COUNTERSIGN_SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
        ("COUNTERSIGN_LIMITS__MISSES_PER_SESSION", "3"),
        ("COUNTERSIGN_REGISTRATION__ENABLED", "true"),
        ("COUNTERSIGN_EMAIL__SMTP__USERNAME", "true"),
        ("COUNTERSIGN_EMAIL__SMTP__PASSWORD", "0123"),
        ("COUNTERSIGN_EMAIL__SMTP__PORT", "587"),
        ("COUNTERSIGN_CONFIG", "not ours"),
        ("HOME", "/root"),
    ];
    let config = load(&format!("{MINIMAL}{MEDIA}"), &env).expect("all of them fit");
    assert_eq!(config.server.listen.to_string(), "[::1]:9000");
    assert_eq!(config.server.trusted_proxies.len(), 1);
    assert_eq!(config.limits.misses_per_session.get(), 3);
    assert!(config.registration.enabled);
    let smtp = config.email.and_then(|email| email.smtp).expect("the file has it");
    assert_eq!(smtp.username.as_deref(), Some("true"), "text that looks like a boolean stays text");
    assert_eq!(
        smtp.password.as_ref().map(Secret::expose),
        Some("0123"),
        "text that looks like a number stays text"
    );
    assert_eq!(smtp.port, 587);
}

#[test]
fn the_environment_alone_is_enough() {
    let env = [
        ("COUNTERSIGN_SERVER__NAME", "example.org"),
        ("COUNTERSIGN_SERVER__PUBLIC_URL", "https://id.example.org"),
        ("COUNTERSIGN_STORAGE__URL", "sqlite:countersign.db"),
        ("COUNTERSIGN_KEYS__MASTER_KEY_FILE", "master.key"),
        ("COUNTERSIGN_SMS__COUNTRIES", "['GB']"),
        ("COUNTERSIGN_SMS__HTTP__HEADERS", "{ X-Api-Key = 'k' }"),
        ("COUNTERSIGN_SMS__HTTP", "{ url = 'http://127.0.0.1:9000/send' }"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::load(None, env.into_iter()).expect("every key without default is set");
    let http = config.sms.and_then(|sms| sms.http).expect("set above");
    assert_eq!(http.headers["X-Api-Key"].expose(), "k");
}

#[test]
fn a_wrong_variable_is_named() {
    let cases = [
        ("COUNTERSIGN_SERVER__PROT", "1", "server.PROT".to_lowercase()),
        ("COUNTERSIGN_SERVER__LISTEN", "here", "server.listen: invalid socket address".to_owned()),
        (
            "COUNTERSIGN_LIMITS__SHIELD_BURST",
            "0",
            "limits.shield_burst: invalid value: integer `0`".to_owned(),
        ),
        ("COUNTERSIGN_SERVER__NAME__X", "0", "`name` is not a section".to_owned()),
        ("COUNTERSIGN_SERVER__", "0", "COUNTERSIGN_SECTION__KEY".to_owned()),
    ];
    for (name, value, message) in cases {
        let error = error(MINIMAL, &[(name, value)]);
        assert!(
            error.starts_with(&format!("environment variable {name}: ")) && error.contains(&message),
            "{error}"
        );
    }
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let folder = Folder::new();
    let secret = folder.file("smtp.password", "hunter2\n");
    let with = |lines: &str| {
        format!("{MINIMAL}{}", MEDIA.replace("[email.smtp]", &format!("[email.smtp]\n{lines}")))
    };
    let file = format!("password_file = '{}'", secret.display());

    let config = folder.load(&with(&file), &[]).expect("the file is there");
    let smtp = config.email.and_then(|email| email.smtp).expect("the file has it");
    assert_eq!(smtp.password.as_ref().map(Secret::expose), Some("hunter2"));

    let both = folder.load(&with(&format!("{file}\npassword = 'hunter2'")), &[]).expect_err("one too many");
    assert!(both.to_string().starts_with("email.smtp.password: give either"), "{both}");

    let missing = folder.load(&with("password_file = '/nowhere'"), &[]).expect_err("no such file");
    assert_eq!(missing.to_string(), "email.smtp.password_file: can't read /nowhere");
}

#[test]
fn what_is_shown_reads_back_and_holds_no_secret() {
    let secrets =
        MEDIA.replace("[email.smtp]", "[email.smtp]\nusername = 'me'\npassword = 'hunter2'").replace(
            "/send\"",
            "/send?api_key=hunter2\"\nauthorization = 'Bearer hunter2'\nheaders = { X-Key = 'hunter2' }",
        );
    let config = load(&format!("{MINIMAL}{secrets}"), &[]).expect("well formed");
    let shown = config.redacted();
    assert!(!shown.contains("hunter2") && !format!("{:?}", config.email).contains("hunter2"), "{shown}");
    assert!(shown.contains("password = \"(secret)\"") && shown.contains("/send?(secret)"), "{shown}");

    let mut plain = load(&format!("{MINIMAL}{MEDIA}"), &[]).expect("well formed");
    let shown = load(&plain.redacted(), &[]).expect("what is shown is a configuration");
    // A gateway's key may stand in the body.
    plain.sms.as_mut().and_then(|sms| sms.http.as_mut()).expect("it is configured").body =
        Some("(secret)".to_owned());
    assert_eq!(shown, plain);
}

#[test]
fn a_sound_configuration_has_no_problems() {
    assert_eq!(problems(|_| {}), []);
}

#[test]
fn every_problem_names_its_key() {
    use std::time::Duration;
    type Change = fn(&mut Config);
    const SECOND: Duration = Duration::from_secs(1);
    fn smtp(config: &mut Config) -> &mut SmtpConfig {
        config.email.as_mut().and_then(|email| email.smtp.as_mut()).expect("it is configured")
    }
    fn http(config: &mut Config) -> &mut SmsHttpConfig {
        config.sms.as_mut().and_then(|sms| sms.http.as_mut()).expect("it is configured")
    }
    fn email(config: &mut Config) -> &mut EmailConfig {
        config.email.as_mut().expect("it is configured")
    }
    fn sms(config: &mut Config) -> &mut SmsConfig {
        config.sms.as_mut().expect("it is configured")
    }
    let cases: &[(&str, Change)] = &[
        ("server.operator_listen", |c| c.server.operator_listen = c.server.listen),
        ("server.trusted_proxies", |c| {
            c.server.trusted_proxies = vec!["0.0.0.0/0".parse().expect("a network")]
        }),
        ("server.max_body_bytes", |c| c.server.max_body_bytes = 10),
        ("server.request_timeout", |c| {
            c.server.request_timeout = SECOND / 2;
            c.federation.timeout = SECOND / 2;
        }),
        ("keys.master_key_file", |c| c.keys.master_key_file = "/nowhere".into()),
        ("keys.master_key_file", |c| c.keys.master_key_file = "/".into()),
        ("registration.flows", |c| c.registration.flows = vec![]),
        ("registration.flows", |c| c.registration.flows = vec![vec![]]),
        ("federation.allow_networks", |c| {
            c.federation.allow_networks = vec!["::/0".parse().expect("a network")]
        }),
        ("federation.ca_file", |c| c.federation.ca_file = Some("/nowhere".into())),
        ("federation.timeout", |c| c.federation.timeout = Duration::ZERO),
        ("federation.timeout", |c| c.federation.timeout = 31 * SECOND),
        ("federation.max_answer_bytes", |c| c.federation.max_answer_bytes = 4095),
        ("email.smtp", |c| email(c).smtp = None),
        ("email.smtp.host", |c| smtp(c).host = "not a host".into()),
        ("email.smtp.port", |c| smtp(c).port = 0),
        ("email.smtp.hello_name", |c| smtp(c).hello_name = Some(String::new())),
        ("email.smtp.ca_file", |c| smtp(c).ca_file = Some("/nowhere".into())),
        ("email.smtp.password", |c| smtp(c).username = Some("me".into())),
        ("email.smtp.username", |c| smtp(c).password = Some(Secret::new("hunter2"))),
        ("email.code_lifetime", |c| email(c).code_lifetime = SECOND),
        ("sms.http", |c| sms(c).http = None),
        ("sms.autofill_domain", |c| sms(c).autofill_domain = Some("https://app.example.org".into())),
        ("sms.code_lifetime", |c| sms(c).code_lifetime = SECOND),
        ("sms.http.url", |c| http(c).url = "127.0.0.1:9000".into()),
        ("sms.http.body", |c| http(c).body = None),
        ("sms.http.method", |c| http(c).method = HttpMethod::Get),
        ("sms.http.success_statuses", |c| http(c).success_statuses = vec![]),
        ("sms.http.headers", |c| http(c).headers = [("X:".to_owned(), Secret::new(""))].into()),
        ("sms.http.headers", |c| http(c).headers = [("X".to_owned(), Secret::new("\n"))].into()),
        ("sms.http.authorization", |c| http(c).authorization = Some(Secret::new("a\r\nb"))),
        ("templates.folder", |c| c.templates.folder = Some("/nowhere".into())),
        ("validation.session_lifetime", |c| c.validation.session_lifetime = Duration::from_secs(1_200)),
        ("validation.next_link_hosts", |c| c.validation.next_link_hosts = vec!["https://example.org".into()]),
        ("validation.next_link_app_schemes", |c| {
            c.validation.next_link_app_schemes = vec!["javascript".into()]
        }),
        ("limits.messages_per_address_per_day", |c| {
            c.limits.messages_per_address_per_day = 1.try_into().expect("1")
        }),
        ("limits.login_failures_per_account_per_hour", |c| {
            c.limits.login_failures_per_account_per_hour = 19.try_into().expect("19")
        }),
        ("limits.requests_per_network_burst", |c| {
            c.limits.requests_per_network_burst = 31.try_into().expect("31")
        }),
        ("limits.misses_per_session", |c| c.limits.misses_per_session = 21.try_into().expect("21")),
        ("outbox.lease", |c| c.outbox.lease = c.outbox.send_timeout),
        ("outbox.send_timeout", |c| c.outbox.send_timeout = Duration::ZERO),
        ("outbox.retry_delay_min", |c| c.outbox.retry_delay_min = Duration::ZERO),
        ("outbox.retry_delay_max", |c| c.outbox.retry_delay_max = SECOND),
        ("outbox.poll_interval", |c| c.outbox.poll_interval = Duration::ZERO),
        ("retention.interval", |c| c.retention.interval = Duration::ZERO),
        ("retention.finished_messages", |c| c.retention.finished_messages = Duration::from_secs(3600)),
        ("log.filter", |c| c.log.filter = "countersign=loud".into()),
    ];
    for (key, change) in cases {
        assert_eq!(keys(&problems(change)), [*key]);
    }
}

#[test]
fn a_master_key_that_others_may_read_is_a_problem() {
    let found = problems(|config| {
        let path = &config.keys.master_key_file;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("our own file");
    });
    assert_eq!(keys(&found), ["keys.master_key_file"]);
    assert!(found[0].message.contains("0600"), "{}", found[0]);
}

#[test]
fn all_problems_are_told_at_once() {
    let folder = Folder::new();
    let path = folder.file("countersign.toml", &format!("{MINIMAL}[log]\nfilter = 'a=b'\n"));
    let error = Config::load_checked(Some(&path), std::iter::empty()).expect_err("two problems");
    let text = error.to_string();
    assert!(text.starts_with("the configuration has 2 problems:\n  keys.master_key_file: "), "{text}");
    assert!(text.contains("\n  log.filter: "), "{text}");
}

#[test]
fn dev_needs_nothing_but_its_key() {
    let folder = Folder::new();
    folder.file("master.key", "");
    let config = Config::dev(folder.folder.path(), 8008);
    assert_eq!(config.check(), []);
    assert!(config.server.listen.ip().is_loopback() && config.server.operator_listen.ip().is_loopback());
    assert_eq!(config.server.public_url.to_string(), "http://127.0.0.1:8008");
    assert_eq!(config.email.map(|email| email.transport), Some(Transport::Inbox));
}
