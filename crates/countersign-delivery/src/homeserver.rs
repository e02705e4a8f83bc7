//! The homeserver whose accounts a sidecar stands beside: whose token it is, and whose password.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    Secret,
    peer::{Answer, Peer, PeerError, PeerSettings, PeerSettingsError},
};

const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
const LOGIN: &str = "/_matrix/client/v3/login";
const LOGOUT: &str = "/_matrix/client/v3/logout";
const USERINFO: &str = "/_matrix/federation/v1/openid/userinfo";

/// The only way to log in that is used.
const PASSWORD: &str = "m.login.password";

/// How long to wait where the homeserver doesn't say.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// A homeserver, asked as its clients ask it.
#[derive(Debug)]
pub struct Homeserver {
    peer: Peer,
}

/// Whom an access token stands for at a homeserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whoami {
    /// This user id.
    User(String),
    /// A guest, who has no account.
    Guest,
    /// Nobody until the device refreshes it.
    SoftLogout,
    /// Nobody.
    Nobody,
}

/// What came of a login.
#[derive(Debug)]
pub enum LoginOutcome {
    /// It is the password: a token that must be given back, and whose it is.
    LoggedIn {
        /// The token.
        token: Secret,
        /// The user id.
        user_id: String,
    },
    /// It is not the password, or there is no such user.
    Wrong,
    /// Too many logins in too short a time.
    Limited(Duration),
}

#[derive(Deserialize)]
struct WhoamiAnswer {
    user_id: String,
    #[serde(default)]
    is_guest: bool,
}

#[derive(Deserialize)]
struct UserinfoAnswer {
    sub: String,
}

#[derive(Serialize)]
struct LoginRequest<'a> {
    #[serde(rename = "type")]
    login_type: &'static str,
    identifier: LoginIdentifier<'a>,
    password: &'a str,
    device_id: &'a str,
    initial_device_display_name: &'static str,
}

#[derive(Serialize)]
struct LoginIdentifier<'a> {
    #[serde(rename = "type")]
    identifier_type: &'static str,
    user: &'a str,
}

#[derive(Deserialize)]
struct LoginAnswer {
    user_id: String,
    access_token: String,
}

#[derive(Deserialize)]
struct LoginFlows {
    flows: Vec<LoginFlow>,
}

#[derive(Deserialize)]
struct LoginFlow {
    #[serde(rename = "type")]
    login_type: String,
}

impl Homeserver {
    /// Checks the settings. Connects to nothing yet.
    pub fn new(settings: &PeerSettings) -> Result<Self, PeerSettingsError> {
        Ok(Self { peer: Peer::new(settings)? })
    }

    /// Asks whom an access token stands for.
    pub async fn whoami(&self, token: &str) -> Result<Whoami, PeerError> {
        let answer = self.peer.get(WHOAMI, Some(token)).await?;
        if let Some(refusal) = answer.refusal(401) {
            return Ok(if refusal.soft_logout { Whoami::SoftLogout } else { Whoami::Nobody });
        }
        let WhoamiAnswer { user_id, is_guest } = answer.success()?;
        Ok(if is_guest { Whoami::Guest } else { Whoami::User(user_id) })
    }

    /// Asks whom an OpenID token proves. `None`: nobody.
    pub async fn openid_userinfo(&self, token: &str) -> Result<Option<String>, PeerError> {
        let answer = self.peer.get_with_query(USERINFO, None, &[("access_token", token)]).await?;
        if answer.refusal(401).is_some() {
            return Ok(None);
        }
        answer.success().map(|UserinfoAnswer { sub }| Some(sub))
    }

    /// Logs a device in by password, to see whether it is the password.
    pub async fn log_in(
        &self,
        user_id: &str,
        password: &str,
        device_id: &str,
    ) -> Result<LoginOutcome, PeerError> {
        let request = LoginRequest {
            login_type: PASSWORD,
            identifier: LoginIdentifier { identifier_type: "m.id.user", user: user_id },
            password,
            device_id,
            initial_device_display_name: "countersign",
        };
        let answer = self.peer.post(LOGIN, None, &request).await?;
        if is_wrong_password(&answer) {
            return Ok(LoginOutcome::Wrong);
        }
        if answer.status() == 429 {
            return Ok(LoginOutcome::Limited(answer.retry_after().unwrap_or(DEFAULT_WAIT)));
        }
        let LoginAnswer { user_id, access_token } = answer.success()?;
        Ok(LoginOutcome::LoggedIn { token: Secret::new(access_token), user_id })
    }

    /// Gives a token back. One that works no more is as good as given back.
    pub async fn log_out(&self, token: &Secret) -> Result<(), PeerError> {
        let answer = self.peer.post(LOGOUT, Some(token.expose()), &serde_json::json!({})).await?;
        if answer.refusal(401).is_some() {
            return Ok(());
        }
        answer.success::<serde::de::IgnoredAny>().map(|_| ())
    }

    /// Whether passwords can be checked there at all.
    pub async fn has_password_login(&self) -> Result<bool, PeerError> {
        let answer = self.peer.get(LOGIN, None).await?;
        // A server whose logins happen elsewhere doesn't know the path.
        if answer.refusal(404).is_some() {
            return Ok(false);
        }
        let LoginFlows { flows } = answer.success()?;
        Ok(flows.iter().any(|flow| flow.login_type == PASSWORD))
    }
}

impl fmt::Display for Homeserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.peer.base())
    }
}

fn is_wrong_password(answer: &Answer) -> bool {
    [401, 403].into_iter().any(|status| answer.refusal(status).is_some())
}
