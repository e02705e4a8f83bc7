//! What is read from the file, the environment and files beside, and what is said of it.

use super::*;

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
