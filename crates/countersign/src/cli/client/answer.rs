//! Answers of a node as they are printed: lines for a person, or JSON for a machine.

mod identity;

use countersign_client::{
    AvailabilityResponse, CapabilitiesResponse, DeactivateResponse, DeleteThreepidResponse,
    LoginFlowsResponse, LoginResponse, OpenIdTokenResponse, RefreshResponse, RegisterResponse,
    RequestTokenResponse, SubmitTokenResponse, Threepid, ThreepidsResponse, UnbindResult, ValidityResponse,
    VersionsResponse, WhoamiResponse,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub(super) use self::identity::Found;

/// How an answer is printed.
#[derive(Clone, Copy)]
pub(super) enum Format {
    /// Lines of `key: value`.
    Lines,
    /// One line with a JSON object.
    Json,
}

impl Format {
    /// The answer, without a line feed at the end.
    pub(super) fn show(self, answer: &impl Answer) -> Result<String, serde_json::Error> {
        match self {
            Self::Lines => Ok(answer.lines().0.join("\n")),
            Self::Json => serde_json::to_string(answer),
        }
    }
}

/// What can be printed both ways.
pub(super) trait Answer: Serialize {
    /// The answer for a person: the keys of the wire, each with its value.
    fn lines(&self) -> Lines;
}

/// Lines of `key: value`.
#[derive(Default)]
pub(super) struct Lines(Vec<String>);

impl Lines {
    fn of(key: &str, value: impl ToString) -> Self {
        Self::default().and(key, value)
    }

    fn and(mut self, key: &str, value: impl ToString) -> Self {
        self.0.push(printable(&format!("{key}: {}", value.to_string())));
        self
    }

    /// Adds a line if there is a value.
    fn and_maybe(self, key: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.and(key, value),
            None => self,
        }
    }
}

/// The text without the characters by which a node could command the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

/// The answer of a node that has nothing to say but that it was done.
#[derive(Serialize)]
pub(super) struct Done {}

impl From<()> for Done {
    fn from((): ()) -> Self {
        Self {}
    }
}

impl Answer for Done {
    fn lines(&self) -> Lines {
        Lines(vec!["done".to_owned()])
    }
}

/// The answer to a request for a token, with the client secret if it was made up here.
#[derive(Serialize)]
pub(super) struct TokenRequested {
    #[serde(flatten)]
    pub(super) answer: RequestTokenResponse,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_secret: Option<String>,
}

impl Answer for TokenRequested {
    fn lines(&self) -> Lines {
        Lines::of("sid", &self.answer.sid)
            .and_maybe("client_secret", self.client_secret.as_ref())
            .and_maybe("submit_url", self.answer.submit_url.as_ref())
    }
}

impl Answer for VersionsResponse {
    fn lines(&self) -> Lines {
        let features =
            self.unstable_features.iter().filter(|(_, enabled)| **enabled).map(|(name, _)| name.as_str());
        let features = features.collect::<Vec<_>>().join(", ");
        let features = Some(features).filter(|features| !features.is_empty());
        Lines::of("versions", self.versions.join(", ")).and_maybe("unstable_features", features)
    }
}

impl Answer for CapabilitiesResponse {
    fn lines(&self) -> Lines {
        let Ok(Value::Object(capabilities)) = serde_json::to_value(&self.capabilities) else {
            return Lines::default();
        };
        let lines = capabilities.iter().fold(Lines::default(), |lines, (name, capability)| match capability
            .get("enabled")
            .and_then(Value::as_bool)
        {
            Some(true) => lines.and(name, "enabled"),
            Some(false) => lines.and(name, "disabled"),
            None => lines.and(name, capability),
        });
        if lines.0.is_empty() { Lines::of("capabilities", "none") } else { lines }
    }
}

impl Answer for LoginFlowsResponse {
    fn lines(&self) -> Lines {
        let types: Vec<&str> = self.flows.iter().map(|flow| flow.login_type.as_str()).collect();
        Lines::of("flows", types.join(", "))
    }
}

impl Answer for LoginResponse {
    fn lines(&self) -> Lines {
        Lines::of("user_id", &self.user_id)
            .and("device_id", &self.device_id)
            .and("access_token", &self.access_token)
            .and_maybe("refresh_token", self.refresh_token.as_ref())
            .and_maybe("expires_in_ms", self.expires_in_ms)
    }
}

impl Answer for RegisterResponse {
    fn lines(&self) -> Lines {
        Lines::of("user_id", &self.user_id)
            .and_maybe("device_id", self.device_id.as_ref())
            .and_maybe("access_token", self.access_token.as_ref())
            .and_maybe("refresh_token", self.refresh_token.as_ref())
            .and_maybe("expires_in_ms", self.expires_in_ms)
    }
}

impl Answer for WhoamiResponse {
    fn lines(&self) -> Lines {
        Lines::of("user_id", &self.user_id)
            .and_maybe("device_id", self.device_id.as_ref())
            .and_maybe("is_guest", self.is_guest)
    }
}

impl Answer for AvailabilityResponse {
    fn lines(&self) -> Lines {
        Lines::of("available", self.available)
    }
}

impl Answer for SubmitTokenResponse {
    fn lines(&self) -> Lines {
        Lines::of("success", self.success)
    }
}

impl Answer for ThreepidsResponse {
    /// A block for each 3PID, with an empty line between two.
    fn lines(&self) -> Lines {
        if self.threepids.is_empty() {
            return Lines::of("threepids", "none");
        }
        let blocks: Vec<Vec<String>> = self.threepids.iter().map(|threepid| block(threepid).0).collect();
        Lines(blocks.join(&String::new()))
    }
}

fn block(threepid: &Threepid) -> Lines {
    Lines::of("medium", &threepid.medium)
        .and("address", &threepid.address)
        .and("validated_at", time(threepid.validated_at))
        .and("added_at", time(threepid.added_at))
}

/// A time in words, or its milliseconds if no calendar reaches so far.
fn time(milliseconds: i64) -> String {
    match Timestamp::from_millisecond(milliseconds) {
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => milliseconds.to_string(),
    }
}

impl Answer for DeleteThreepidResponse {
    fn lines(&self) -> Lines {
        unbound(self.id_server_unbind_result)
    }
}

impl Answer for DeactivateResponse {
    fn lines(&self) -> Lines {
        unbound(self.id_server_unbind_result)
    }
}

fn unbound(result: UnbindResult) -> Lines {
    let result = match result {
        UnbindResult::Success => "success",
        UnbindResult::NoSupport => "no-support",
    };
    Lines::of("id_server_unbind_result", result)
}

impl Answer for RefreshResponse {
    fn lines(&self) -> Lines {
        Lines::of("access_token", &self.access_token)
            .and_maybe("refresh_token", self.refresh_token.as_ref())
            .and_maybe("expires_in_ms", self.expires_in_ms)
    }
}

impl Answer for ValidityResponse {
    fn lines(&self) -> Lines {
        Lines::of("valid", self.valid)
    }
}

impl Answer for OpenIdTokenResponse {
    fn lines(&self) -> Lines {
        Lines::of("access_token", &self.access_token)
            .and("token_type", &self.token_type)
            .and("matrix_server_name", &self.matrix_server_name)
            .and("expires_in", self.expires_in)
    }
}

#[cfg(test)]
mod tests;
