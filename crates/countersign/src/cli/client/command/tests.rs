//! What the command line is understood as.

use clap::{Command, CommandFactory, FromArgMatches, Parser, builder::Resettable, error::ErrorKind};

use super::{super::ClientArgs, request_token::Purpose, *};

#[derive(Parser)]
struct TestCli {
    #[command(flatten)]
    client: ClientArgs,
}

fn parse(line: &str) -> Result<ClientArgs, ErrorKind> {
    let words = std::iter::once("client").chain(line.split_whitespace());
    let matches = without_environment(TestCli::command()).try_get_matches_from(words);
    let cli = matches.and_then(|matches| TestCli::from_arg_matches(&matches));
    cli.map(|cli| cli.client).map_err(|error| error.kind())
}

/// The variables are set on the machine of somebody who uses the commands.
fn without_environment(command: Command) -> Command {
    command.mut_args(|arg| arg.env(Resettable::Reset)).mut_subcommands(without_environment)
}

fn command(line: &str) -> ClientCommand {
    parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).command
}

#[test]
fn the_definition_is_consistent() {
    TestCli::command().debug_assert();
}

#[test]
fn a_node_on_this_machine_is_the_default() {
    let args = parse("versions").unwrap();
    assert_eq!((args.url.as_str(), args.prefix.as_str()), ("http://127.0.0.1:8008", "/_api"));
    assert!(args.access_token.is_none() && !args.json);
}

#[test]
fn options_of_the_node_stand_before_and_behind_the_command() {
    for line in [
        "--url http://node --prefix /_matrix --access-token -t --json list",
        "list --url http://node --prefix /_matrix --access-token -t --json",
    ] {
        let args = parse(line).unwrap();
        assert_eq!((args.url.as_str(), args.prefix.as_str()), ("http://node", "/_matrix"));
        assert_eq!(args.access_token.as_deref(), Some("-t"));
        assert!(args.json && matches!(args.command, ClientCommand::List));
    }
}

#[test]
fn a_request_for_a_token_by_mail_needs_the_address_alone() {
    let ClientCommand::RequestToken(RequestTokenCommand::Email { address, options, purpose }) =
        command("request-token email alice@example.org")
    else {
        panic!("another command");
    };
    assert_eq!((address.as_str(), options.send_attempt), ("alice@example.org", 1));
    assert_eq!(purpose.purpose, Purpose::Add);
    assert!(options.next_link.is_none() && options.id_server.is_none() && options.id_access_token.is_none());
}

#[test]
fn a_request_for_a_token_by_sms_takes_every_option() {
    let ClientCommand::RequestToken(RequestTokenCommand::Msisdn { country, number, mut options, purpose }) =
        command(
            "request-token msisdn GB 07700900001 --client-secret -s --send-attempt 2 --next-link https://a.example \
         --id-server id.example --id-access-token -t --for reset",
        )
    else {
        panic!("another command");
    };
    assert_eq!((country.as_str(), number.as_str(), options.send_attempt), ("GB", "07700900001", 2));
    assert_eq!(purpose.purpose, Purpose::Reset);
    let client_secret = options.client_secret();
    assert_eq!(client_secret.expose(), "-s");
    assert_eq!(client_secret.news(), None, "the person knows it");
    assert_eq!(options.next_link.as_deref(), Some("https://a.example"));
    assert_eq!(options.id_server.as_deref(), Some("id.example"));
    assert_eq!(options.id_access_token.as_deref(), Some("-t"));
}

const SECRETS: [&str; 7] = [
    "access_token",
    "client_secret",
    "id_access_token",
    "new_password",
    "password",
    "refresh_token",
    "registration_token",
];

#[test]
fn every_secret_can_come_from_the_environment_and_never_shows_in_the_help() {
    fn check(command: &Command) {
        for arg in command.get_arguments() {
            let is_secret = SECRETS.contains(&arg.get_id().as_str());
            assert!(!is_secret || arg.get_env().is_some() && arg.is_hide_env_values_set(), "{arg}");
        }
        command.get_subcommands().for_each(check);
    }
    check(&TestCli::command());
}

#[test]
fn ids_and_tokens_may_begin_with_a_hyphen() {
    let ClientCommand::SubmitToken(args) = command("submit-token --sid -a --client-secret --b --token -c")
    else {
        panic!("another command");
    };
    assert_eq!((args.session.sid.as_str(), args.session.client_secret.as_str()), ("-a", "--b"));
    assert_eq!((args.token.as_str(), args.submit_url), ("-c", None));
}

#[test]
fn a_password_comes_from_the_argument_or_from_standard_input() {
    for name in ["login", "register", "add --sid s --client-secret c"] {
        assert!(parse(&format!("{name} --user alice --password -x")).is_ok(), "{name}");
        assert!(parse(&format!("{name} --user alice --password-stdin")).is_ok(), "{name}");
        let missing = Some(ErrorKind::MissingRequiredArgument);
        assert_eq!(parse(&format!("{name} --user alice")).err(), missing, "{name}");
        assert_eq!(parse(&format!("{name} --password x")).err(), missing, "{name}");
    }
}

#[test]
fn optional_fields_of_register_are_sent_only_when_given() {
    let body = |line: &str| {
        let ClientCommand::Register(args) = command(line) else { panic!("another command") };
        serde_json::to_value(args.request().unwrap()).unwrap()
    };
    let expected = serde_json::json!({"username": "alice", "password": "x"});
    assert_eq!(body("register --user alice --password x"), expected);
    let expected = serde_json::json!({
        "username": "alice", "password": "x", "device_id": "D", "initial_device_display_name": "n", "inhibit_login": true,
    });
    let line = "register --user alice --password x --device-id D --device-name n --inhibit-login";
    assert_eq!(body(line), expected);
    let expected = serde_json::json!({"username": "alice", "password": "x", "refresh_token": true});
    assert_eq!(body("register --user alice --password x --with-refresh-token"), expected);
}

#[test]
fn what_is_missing_or_unknown_is_refused() {
    let missing = ErrorKind::MissingRequiredArgument;
    for (line, expected) in [
        ("available", missing),
        ("delete email", missing),
        ("request-token email", missing),
        ("request-token msisdn GB", missing),
        ("submit-token --sid s --client-secret c", missing),
        ("add --user alice --password x --client-secret c", missing),
        ("request-token email a@example.org --send-attempt one", ErrorKind::ValueValidation),
        ("request-token email a@example.org --for fun", ErrorKind::InvalidValue),
        ("register --user alice --password x --email-sid s", missing),
        ("password --user alice --password x", missing),
        ("password --new-password y --password x", missing),
        ("deactivate --user alice --password x", missing),
        ("refresh", missing),
        ("whoami alice", ErrorKind::UnknownArgument),
        ("sing", ErrorKind::InvalidSubcommand),
    ] {
        assert_eq!(parse(line).err(), Some(expected), "{line}");
    }
}
