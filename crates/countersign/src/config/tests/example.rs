//! The example, which `countersign config example` prints.

use toml::{Table, Value};

use super::*;

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
