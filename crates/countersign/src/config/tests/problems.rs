//! What is well formed and makes no sense.

use super::*;

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
            c.federation.timeout = SECOND / 4;
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
        ("federation.timeout", |c| c.federation.timeout = 16 * SECOND),
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
        ("retention.identity_tokens", |c| c.retention.identity_tokens = Duration::from_secs(24 * 3600)),
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
