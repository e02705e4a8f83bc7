//! What the command line is understood as.

use clap::{Command, CommandFactory, FromArgMatches, Parser, builder::Resettable, error::ErrorKind};

use super::{super::ClientArgs, identity::IdentityCommand, request_token::Purpose, *};

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
    let ClientCommand::RequestToken(RequestTokenCommand::Email {
        address,
        options,
        identity_server,
        purpose,
    }) = command("request-token email alice@example.org")
    else {
        panic!("another command");
    };
    assert_eq!((address.as_str(), options.send_attempt), ("alice@example.org", 1));
    assert_eq!(purpose.purpose, Purpose::Add);
    assert!(options.next_link.is_none());
    assert!(identity_server.id_server.is_none() && identity_server.id_access_token.is_none());
}

#[test]
fn a_request_for_a_token_by_sms_takes_every_option() {
    let ClientCommand::RequestToken(RequestTokenCommand::Msisdn {
        country,
        number,
        mut options,
        identity_server,
        purpose,
    }) = command(
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
    assert_eq!(identity_server.id_server.as_deref(), Some("id.example"));
    assert_eq!(identity_server.id_access_token.as_deref(), Some("-t"));
}

const SECRETS: [&str; 9] = [
    "access_token",
    "client_secret",
    "id_access_token",
    "new_password",
    "openid_token",
    "password",
    "private_key",
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

fn identity(line: &str) -> IdentityArgs {
    let ClientCommand::Identity(args) = command(&format!("identity {line}")) else {
        panic!("another command")
    };
    args
}

#[test]
fn options_of_the_identity_service_stand_before_and_behind_its_command() {
    for line in [
        "--id-url https://is --id-access-token -t account",
        "account --id-url https://is --id-access-token -t",
    ] {
        let args = identity(line);
        assert_eq!(args.id_url.as_deref(), Some("https://is"));
        assert_eq!(args.id_access_token.as_deref(), Some("-t"));
        assert!(matches!(args.command, IdentityCommand::Account));
    }
    let args = identity("terms");
    assert!(args.id_url.is_none() && args.id_access_token.is_none());
    let node = parse("identity terms --url http://node --access-token a --json").unwrap();
    assert_eq!(
        (node.url.as_str(), node.access_token.as_deref(), node.json),
        ("http://node", Some("a"), true)
    );
}

#[test]
fn an_openid_token_comes_with_its_server_or_not_at_all() {
    let IdentityCommand::Register(args) = identity("register").command else { panic!("another command") };
    assert!(args.openid_token.is_none() && args.server_name.is_none());
    let IdentityCommand::Register(args) = identity("register --openid-token -o --server-name x").command
    else {
        panic!("another command");
    };
    assert_eq!((args.openid_token.as_deref(), args.server_name.as_deref()), (Some("-o"), Some("x")));
    let missing = Some(ErrorKind::MissingRequiredArgument);
    assert_eq!(parse("identity register --openid-token o").err(), missing);
    assert_eq!(parse("identity register --server-name x").err(), missing);
}

#[test]
fn what_an_identity_service_is_asked_without_is_refused() {
    let missing = ErrorKind::MissingRequiredArgument;
    for (line, expected) in [
        ("lookup", missing),
        ("lookup alice", ErrorKind::ValueValidation),
        ("accept-terms", missing),
        ("accept-terms https://x --all", ErrorKind::ArgumentConflict),
        ("request-token email", missing),
        ("request-token email a@b.c --id-server is", ErrorKind::UnknownArgument),
        ("request-token email a@b.c --for reset", ErrorKind::UnknownArgument),
        ("submit-token --sid s --client-secret c --token t", missing),
        ("submit-token fax --sid s --client-secret c --token t", ErrorKind::InvalidValue),
        ("validated --sid s", missing),
        ("bind --client-secret c", missing),
        ("unbind email a@b.c", missing),
        ("store-invite a@b.c", missing),
        ("sign-ed25519 --token t", missing),
        ("sign-ed25519 --private-key k", missing),
        ("pubkey-is-valid", missing),
    ] {
        assert_eq!(parse(&format!("identity {line}")).err(), Some(expected), "{line}");
    }
    let nothing = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    assert_eq!(parse("identity").err(), Some(nothing));
}

#[test]
fn binding_names_the_identity_server_and_unbinding_may() {
    let ClientCommand::Bind(args) =
        command("bind --sid -s --client-secret -c --id-server is:1 --id-access-token -t")
    else {
        panic!("another command");
    };
    let request = args.request();
    assert_eq!((request.sid.as_str(), request.client_secret.as_str()), ("-s", "-c"));
    assert_eq!((request.id_server.as_str(), request.id_access_token.as_str()), ("is:1", "-t"));
    let missing = Some(ErrorKind::MissingRequiredArgument);
    assert_eq!(parse("bind --sid s --client-secret c --id-server is").err(), missing);
    assert_eq!(parse("bind --sid s --client-secret c --id-access-token t").err(), missing);

    let ClientCommand::Unbind(args) = command("unbind email a@b.c") else { panic!("another command") };
    let request = args.request();
    assert_eq!(
        (request.medium.as_str(), request.address.as_str(), request.id_server),
        ("email", "a@b.c", None)
    );
    let ClientCommand::Unbind(args) = command("unbind email a@b.c --id-server is") else {
        panic!("another command");
    };
    assert_eq!(args.request().id_server.as_deref(), Some("is"));
}
