//! What is shipped beside the program agrees with it: configurations, the unit, the image, the balancer.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Parser;
use countersign::{
    cli::Cli,
    config::{Config, ConfigError, EXAMPLE},
};

use crate::{process::ServeFolder, routes::all_paths};

/// A file of the folder `packaging`.
fn shipped(path: &str) -> String {
    let path = packaging().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn packaging() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

/// The variables of ours that a text sets, as `NAME=value` or `NAME: value`.
fn variables(text: &str) -> BTreeMap<String, String> {
    let set = text.match_indices("COUNTERSIGN_").filter_map(|(at, _)| {
        let (name, value) = text[at..].lines().next()?.split_once(['=', ':'])?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        (is_name && name.contains("__"))
            .then(|| (name.to_owned(), value.trim_matches([' ', '"', '\\', '…', '.', ';', '`']).to_owned()))
    });
    set.collect()
}

/// Loads a configuration with these variables, and a master key that can be read.
fn load(path: &Path, mut variables: BTreeMap<String, String>) -> Result<Config, ConfigError> {
    let key = path.with_file_name("master.key").display().to_string();
    variables.insert("COUNTERSIGN_KEYS__MASTER_KEY_FILE".to_owned(), key);
    Config::load(Some(path), variables.into_iter())
}

/// Copies it into a folder where there is a master key.
fn copy_with_master_key(path: &Path, folder: &Path) -> PathBuf {
    let key = folder.join("master.key");
    fs::write(&key, "").expect("a writable folder");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("our own file");
    let copy = folder.join("countersign.toml");
    fs::copy(path, &copy).expect("a readable file");
    copy
}

#[test]
fn every_shipped_configuration_is_good() {
    let compose = variables(&shipped("example-cluster/compose.yaml"));
    assert!(compose["COUNTERSIGN_STORAGE__URL"].starts_with("postgres://"), "{compose:?}");
    let folder_of_copies = tempfile::tempdir().unwrap();
    let mut seen = 0;
    let mut folders = vec![packaging()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                let path = copy_with_master_key(&path, folder_of_copies.path());
                let config = load(&path, compose.clone()).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(config.check(), [], "{}", path.display());
                seen += 1;
            }
        }
    }
    assert_ne!(seen, 0, "no configuration was found");
}

#[test]
fn every_variable_that_is_shipped_is_a_key_of_ours() {
    let config = packaging().join("example-cluster/countersign.toml");
    for path in ["container/Containerfile", "systemd/countersign.service", "example-cluster/compose.yaml"] {
        let mut variables = variables(&shipped(path));
        assert!(!variables.is_empty(), "{path}: no variable was found");
        variables
            .entry("COUNTERSIGN_STORAGE__URL".to_owned())
            .or_insert_with(|| "sqlite:countersign.db".to_owned());
        load(&config, variables).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

#[test]
fn the_unit_and_the_image_start_the_program_as_it_wants_to_be() {
    let unit = shipped("systemd/countersign.service");
    let commands: Vec<&str> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Exec")?.split_once('='))
        .map(|(_, run)| run)
        .collect();
    assert_eq!(commands.len(), 2, "{unit}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words[0], "/usr/bin/countersign");
        Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    let image = shipped("container/Containerfile");
    let words = |keyword: &str| -> Vec<String> {
        let line = image.lines().find_map(|line| line.strip_prefix(keyword)).expect(keyword);
        serde_json::from_str(line).unwrap()
    };
    let command = [words("ENTRYPOINT "), words("CMD ")].concat();
    Cli::try_parse_from(&command).unwrap_or_else(|error| panic!("{command:?}: {error}"));
}

#[test]
fn whoever_stops_a_node_waits_for_it() {
    let config = example_config();
    let needed = config.server.shutdown_timeout + config.outbox.send_timeout;
    for (path, keyword) in [
        ("systemd/countersign.service", "TimeoutStopSec="),
        ("example-cluster/compose.yaml", "stop_grace_period:"),
    ] {
        assert!(needed < seconds(&shipped(path), keyword), "{path}: {keyword} is not longer than {needed:?}");
    }
}

#[tokio::test]
async fn the_balancer_asks_and_passes_on_what_there_is() {
    let balancer = shipped("example-cluster/haproxy.cfg");
    let config = example_config();
    assert!(config.server.request_timeout < seconds(&balancer, "timeout server"));
    let line = |start: &str| {
        let line = balancer.lines().find_map(|line| line.trim().strip_prefix(start));
        line.unwrap_or_else(|| panic!("no line begins with {start:?}"))
    };
    let prefixes: Vec<&str> = line("acl ours path_beg ").split(' ').collect();
    for path in all_paths() {
        assert!(prefixes.iter().any(|prefix| path.starts_with(prefix)), "{path} is not passed on");
    }
    let health = line("http-check send meth GET uri ").split(' ').next().unwrap();
    let node = ServeFolder::new("").serve().await;
    let answer = node.http.get(format!("{}{health}", node.operator_url)).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{health}");
    let port = config.server.operator_listen.port();
    assert!(line("default-server ").starts_with(&format!("check port {port} ")));
    let nodes = balancer.lines().filter(|line| line.trim().starts_with("server node"));
    let port = config.server.listen.port();
    assert!(nodes.clone().all(|line| line.ends_with(&format!(":{port}"))), "{balancer}");
    assert_eq!(nodes.count(), 3);
}

fn example_config() -> Config {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("countersign.toml");
    fs::write(&path, EXAMPLE).expect("a writable folder");
    Config::load(Some(&path), std::iter::empty()).expect("the example is good")
}

/// The span of a line such as `TimeoutStopSec=120s`.
fn seconds(text: &str, keyword: &str) -> Duration {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(keyword)).expect(keyword);
    Duration::from_secs(line.trim().strip_suffix('s').expect("seconds").parse().expect("a number"))
}
