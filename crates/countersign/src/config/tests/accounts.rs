//! What the configuration says about accounts.

use std::time::Duration;

use super::*;

#[test]
fn every_problem_with_accounts_names_its_key() {
    type Change = fn(&mut Config);
    let cases: &[(&str, Change)] = &[
        ("server.spec_versions", |c| c.server.spec_versions.clear()),
        ("server.spec_versions", |c| c.server.spec_versions.push("1.11".into())),
        ("server.spec_versions", |c| c.server.spec_versions.push("v1".into())),
        ("server.spec_versions", |c| c.server.spec_versions.push("r0.6".into())),
        ("server.spec_versions", |c| c.server.spec_versions.push("v1.x".into())),
        ("login.access_token_lifetime", |c| c.login.access_token_lifetime = Duration::from_secs(59)),
        ("login.refresh_token_lifetime", |c| c.login.refresh_token_lifetime = Duration::from_secs(3600)),
        ("passwords.min_length", |c| c.passwords.min_length = 0),
        ("passwords.min_length", |c| c.passwords.min_length = 129),
    ];
    for (key, change) in cases {
        assert_eq!(keys(&problems(change)), [*key]);
    }
}

#[test]
fn what_sounds_odd_about_accounts_may_be() {
    let found = problems(|config| {
        config.login.refresh_token_lifetime = Duration::ZERO;
        config.passwords.min_length = 1;
        config.server.spec_versions = vec!["r0.6.1".into(), "v2.0".into()];
    });
    assert_eq!(found, []);
}

#[test]
fn switches_read_as_in_the_manual() {
    let text = format!(
        "{MINIMAL}
[passwords]
require = [\"lower\", \"upper\", \"digit\", \"symbol\"]
[threepids]
deprecated_add = \"add\"
[well_known]
identity_server_url = \"https://identity.example.org/\"
"
    );
    let config = load(&text, &[]).expect("it is well formed");
    assert_eq!(config.passwords.require.len(), 4);
    assert_eq!(config.threepids.deprecated_add, DeprecatedAdd::Add);
    let url = config.well_known.identity_server_url.expect("it is set");
    assert_eq!(url.as_str(), "https://identity.example.org");
    assert!(load(&format!("{MINIMAL}\n[threepids]\ndeprecated_add = \"bind\"\n"), &[]).is_err());
    assert!(load(&format!("{MINIMAL}\n[passwords]\nrequire = [\"letter\"]\n"), &[]).is_err());
}
