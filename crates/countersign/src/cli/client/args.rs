//! Arguments that several commands of `countersign client` share.

use std::io::{BufRead, stdin};

use anyhow::{Context as _, Result};
use clap::Args;
use countersign_client::{Credentials, ThreepidCreds, UserIdentifier};
use countersign_core::Random;
use countersign_service::SystemRandom;

/// More than any password: what is on standard input may be something else.
const LONGEST_PASSWORD: u64 = 4096;

/// Who the user is.
#[derive(Args)]
pub(super) struct UserAndPassword {
    /// The user id, or what stands before its colon.
    #[arg(long, env = "COUNTERSIGN_USER")]
    pub(super) user: String,
    /// The password. Arguments show in process lists: better set the variable or use --password-stdin.
    #[arg(
        long,
        env = "COUNTERSIGN_PASSWORD",
        hide_env_values = true,
        allow_hyphen_values = true,
        required_unless_present = "password_stdin"
    )]
    password: Option<String>,
    /// Reads the password from the first line of standard input, whatever else says it.
    #[arg(long)]
    password_stdin: bool,
}

impl UserAndPassword {
    pub(super) fn identifier(&self) -> UserIdentifier {
        UserIdentifier::user(&self.user)
    }

    pub(super) fn password(&self) -> Result<String> {
        match &self.password {
            Some(password) if !self.password_stdin => Ok(password.clone()),
            Some(_) | None => first_line(stdin().lock()).context("can't read a password from standard input"),
        }
    }
}

/// Who the user is, where something else may prove it.
#[derive(Args)]
pub(super) struct OwnPassword {
    /// The user id, or what stands before its colon.
    #[arg(long, env = "COUNTERSIGN_USER")]
    user: Option<String>,
    /// The password. Arguments show in process lists: better set the variable or use --password-stdin.
    #[arg(
        long,
        env = "COUNTERSIGN_PASSWORD",
        hide_env_values = true,
        allow_hyphen_values = true,
        requires = "user"
    )]
    password: Option<String>,
    /// Reads the password from the first line of standard input, whatever else says it.
    #[arg(long, requires = "user")]
    password_stdin: bool,
}

impl OwnPassword {
    pub(super) fn read(&self) -> Result<Option<(UserIdentifier, String)>> {
        let Some(user) = &self.user else { return Ok(None) };
        let password = match &self.password {
            Some(password) if !self.password_stdin => Some(password.clone()),
            Some(_) | None if self.password_stdin => {
                Some(first_line(stdin().lock()).context("can't read a password from standard input")?)
            }
            Some(_) | None => None,
        };
        Ok(password.map(|password| (UserIdentifier::user(user), password)))
    }
}

/// What else proves the user, where a node asks for more than a password or for something else.
#[derive(Args)]
pub(super) struct Proofs {
    /// A session that proves an e-mail address, as request-token printed it.
    #[arg(long, value_name = "SID", allow_hyphen_values = true, requires = "client_secret")]
    email_sid: Option<String>,
    /// A session that proves a phone number, as request-token printed it.
    #[arg(long, value_name = "SID", allow_hyphen_values = true, requires = "client_secret")]
    msisdn_sid: Option<String>,
    /// The client secret of these sessions.
    #[arg(
        long,
        value_name = "SECRET",
        env = "COUNTERSIGN_CLIENT_SECRET",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    client_secret: Option<String>,
}

impl Proofs {
    /// What the sessions prove.
    pub(super) fn credentials(&self) -> Credentials {
        let creds =
            |sid: &Option<String>| Some(ThreepidCreds::new(sid.as_ref()?, self.client_secret.as_ref()?));
        Credentials {
            email: creds(&self.email_sid),
            msisdn: creds(&self.msisdn_sid),
            ..Credentials::default()
        }
    }
}

/// The new password of an account.
#[derive(Args)]
pub(super) struct NewPassword {
    /// The new password. Arguments show in process lists: better set the variable or use --new-password-stdin.
    #[arg(
        long,
        env = "COUNTERSIGN_NEW_PASSWORD",
        hide_env_values = true,
        allow_hyphen_values = true,
        required_unless_present = "new_password_stdin"
    )]
    new_password: Option<String>,
    /// Reads the new password from standard input, whatever else says it: the first line, or the second one after
    /// --password-stdin.
    #[arg(long)]
    new_password_stdin: bool,
}

impl NewPassword {
    pub(super) fn read(&self) -> Result<String> {
        match &self.new_password {
            Some(password) if !self.new_password_stdin => Ok(password.clone()),
            Some(_) | None => {
                first_line(stdin().lock()).context("can't read the new password from standard input")
            }
        }
    }
}

/// The first line, without what ends it.
fn first_line(input: impl BufRead) -> Result<String> {
    let mut line = String::new();
    input.take(LONGEST_PASSWORD).read_line(&mut line)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    anyhow::ensure!(!line.is_empty(), "the first line is empty");
    Ok(line.to_owned())
}

/// The device that an access token is for.
#[derive(Args)]
pub(super) struct Device {
    /// The id of the device; the node makes one up.
    #[arg(long, value_name = "ID")]
    pub(super) device_id: Option<String>,
    /// A name for a new device.
    #[arg(long, value_name = "NAME")]
    pub(super) device_name: Option<String>,
    /// Asks for a refresh token too; the access token may then expire.
    #[arg(long)]
    pub(super) with_refresh_token: bool,
}

/// A token that lets people register.
#[derive(Args)]
pub(super) struct RegistrationToken {
    /// The registration token.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "COUNTERSIGN_REGISTRATION_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub(super) registration_token: Option<String>,
}

/// Which validation session.
#[derive(Args)]
pub(super) struct Session {
    /// The session's id, as request-token printed it.
    #[arg(long, allow_hyphen_values = true)]
    pub(super) sid: String,
    /// The client secret, as request-token got or printed it.
    #[arg(
        long,
        value_name = "SECRET",
        env = "COUNTERSIGN_CLIENT_SECRET",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub(super) client_secret: String,
}

/// What a request for a token may say beside the address.
#[derive(Args)]
pub(super) struct TokenOptions {
    /// Names the attempt to prove this address: 1 to 255 of 0-9a-zA-Z.=_-; made up and printed if absent.
    #[arg(
        long,
        value_name = "SECRET",
        env = "COUNTERSIGN_CLIENT_SECRET",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    client_secret: Option<String>,
    /// Raise it for another message; with the same number, none is sent.
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    pub(super) send_attempt: i64,
    /// Where the confirmation page leads on to.
    #[arg(long, value_name = "URL")]
    pub(super) next_link: Option<String>,
}

impl TokenOptions {
    pub(super) fn client_secret(&mut self) -> ChosenSecret {
        match self.client_secret.take() {
            Some(client_secret) => ChosenSecret::Given(client_secret),
            None => ChosenSecret::made_up(&SystemRandom),
        }
    }
}

/// The identity server that a request for a token may name.
#[derive(Args)]
pub(super) struct IdentityServer {
    /// An identity server; a node that validates itself ignores it.
    #[arg(long, value_name = "HOST")]
    pub(super) id_server: Option<String>,
    /// An access token for the identity server; a node that validates itself ignores it.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "COUNTERSIGN_ID_ACCESS_TOKEN",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub(super) id_access_token: Option<String>,
}

/// A client secret, and whether the person knows it already.
pub(super) enum ChosenSecret {
    Given(String),
    MadeUp(String),
}

impl ChosenSecret {
    /// 128 random bits in hexadecimal, so that it never looks like an option.
    fn made_up(random: &dyn Random) -> Self {
        Self::MadeUp(format!("{:032x}", u128::from_be_bytes(random.bytes())))
    }

    pub(super) fn expose(&self) -> &str {
        match self {
            Self::Given(client_secret) | Self::MadeUp(client_secret) => client_secret,
        }
    }

    /// The secret if nobody but this process knows it.
    pub(super) fn news(self) -> Option<String> {
        match self {
            Self::Given(_) => None,
            Self::MadeUp(client_secret) => Some(client_secret),
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::ClientSecret;

    use super::*;

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        for (input, expected) in
            [("hunter2", "hunter2"), ("hunter2\n", "hunter2"), ("a b \r\nmore\n", "a b "), ("-\n", "-")]
        {
            assert_eq!(first_line(input.as_bytes()).unwrap(), expected, "{input:?}");
        }
        for input in ["", "\n", "\r\nhunter2\n"] {
            assert!(first_line(input.as_bytes()).is_err(), "{input:?}");
        }
        assert!(first_line(&b"\xff\n"[..]).is_err());
    }

    #[test]
    fn a_made_up_secret_fits_the_grammar_and_is_new_each_time() {
        let secrets = [(); 2].map(|()| ChosenSecret::made_up(&SystemRandom));
        assert_ne!(secrets[0].expose(), secrets[1].expose());
        for secret in secrets {
            assert!(ClientSecret::parse(secret.expose()).is_ok());
            assert!(secret.news().is_some_and(|news| news.len() == 32));
        }
    }
}
