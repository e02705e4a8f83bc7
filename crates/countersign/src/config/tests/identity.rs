//! The identity service, and how other servers are reached.

use std::time::Duration;

use super::*;

#[test]
fn the_identity_service_is_off_by_default_and_on_in_dev() {
    let config = load(MINIMAL, &[]).expect("well formed");
    assert!(!config.identity.enabled && config.identity.v1.listen.is_none());
    assert!(Config::dev(&PathBuf::from("dev"), 8008).identity.enabled);
}

#[test]
fn what_makes_no_sense_for_the_identity_service_is_named() {
    type Change = fn(&mut IdentityConfig);
    let cases: [(Change, &str); 6] = [
        (|identity| identity.homeservers.clear(), "identity.homeservers"),
        (|identity| identity.homeservers = vec!["https://example.org".to_owned()], "identity.homeservers"),
        (|identity| identity.lookup_algorithms = vec![LookupAlgorithm::None], "identity.lookup_algorithms"),
        (|identity| identity.max_lookup_body_bytes = usize::MAX, "identity.max_lookup_body_bytes"),
        (
            |identity| {
                let policy = PolicyConfig { version: "1".to_owned(), links: Default::default() };
                identity.terms.0.insert("terms".to_owned(), policy);
            },
            "identity.terms",
        ),
        (|identity| identity.v1.listen = Some(([127, 0, 0, 1], 8008).into()), "identity.v1.listen"),
    ];
    for (change, key) in cases {
        assert_eq!(keys(&problems(|config| change(&mut config.identity))), [key]);
    }
    assert_eq!(problems(|config| config.identity.homeservers.push("example.org".to_owned())), []);
}

#[test]
fn the_old_api_is_for_nobody_and_for_everybody_never() {
    let with_sources = |sources: &[&str]| {
        problems(|config| {
            config.identity.v1.listen = Some(([127, 0, 0, 1], 8090).into());
            config.identity.v1.allowed_sources =
                sources.iter().map(|network| network.parse().expect("a network")).collect();
        })
    };
    assert_eq!(with_sources(&["10.0.0.0/8"]), []);
    assert_eq!(keys(&with_sources(&[])), ["identity.v1.allowed_sources"]);
    assert_eq!(keys(&with_sources(&["10.0.0.0/8", "::/0"])), ["identity.v1.allowed_sources"]);
}

#[test]
fn calls_of_other_servers_take_time_and_have_answers() {
    let with = |change: fn(&mut FederationConfig)| problems(|config| change(&mut config.federation));
    assert_eq!(keys(&with(|federation| federation.timeout = Duration::ZERO)), ["federation.timeout"]);
    assert_eq!(keys(&with(|federation| federation.max_answer_bytes = 1)), ["federation.max_answer_bytes"]);
}
