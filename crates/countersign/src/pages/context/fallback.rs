//! The pages that complete a stage of user-interactive authentication in a browser.

use serde::{Deserialize, Serialize};

use super::PageTemplate;

/// The session of the authentication, from the page's URL into the hidden field of a form and back.
#[derive(Clone, Deserialize, Serialize)]
pub struct StageSession {
    /// Its id, as the client has it.
    pub session: String,
}

impl StageSession {
    fn sample() -> Self {
        Self { session: "Zm9vYmFyZm9vYmFyZm9vYg".to_owned() }
    }
}

/// `m.login.dummy`: nothing to prove.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct FallbackDummy(pub StageSession);

impl PageTemplate for FallbackDummy {
    const NAME: &'static str = "fallback_dummy";

    fn samples() -> Vec<Self> {
        vec![Self(StageSession::sample())]
    }
}

/// `m.login.terms`: policies to accept.
#[derive(Clone, Serialize)]
pub struct FallbackTerms {
    /// Where they stand.
    pub policies: Vec<PolicyToAccept>,
    /// What the button sends.
    #[serde(flatten)]
    pub session: StageSession,
}

/// A policy in the reader's language, or else in another one.
#[derive(Clone, Serialize)]
pub struct PolicyToAccept {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub url: String,
    /// Which version it is.
    pub version: String,
}

impl PageTemplate for FallbackTerms {
    const NAME: &'static str = "fallback_terms";

    fn samples() -> Vec<Self> {
        let policy = |name: &str| PolicyToAccept {
            name: name.to_owned(),
            url: "https://example.org/privacy".to_owned(),
            version: "1.0".to_owned(),
        };
        let session = StageSession::sample();
        vec![Self { policies: vec![policy("Privacy policy"), policy("Terms of service")], session }]
    }
}

/// `m.login.registration_token`: a token to type.
#[derive(Clone, Serialize)]
pub struct FallbackRegistrationToken {
    /// Whether the one that was typed is not valid.
    pub refused: bool,
    /// What the button sends, beside the token.
    #[serde(flatten)]
    pub session: StageSession,
}

impl PageTemplate for FallbackRegistrationToken {
    const NAME: &'static str = "fallback_registration_token";

    fn samples() -> Vec<Self> {
        [false, true].map(|refused| Self { refused, session: StageSession::sample() }).into()
    }
}

/// Why an address or a code that was typed leads no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreepidProblem {
    /// It is no address.
    Invalid,
    /// It is on an account already.
    InUse,
    /// It is on no account, or on another one.
    NotFound,
    /// No messages go to that country.
    Denied,
    /// The code is wrong.
    WrongCode,
    /// The code or the message is too old.
    TooOld,
    /// The message was not answered yet.
    NotYet,
}

impl ThreepidProblem {
    const ALL: [Self; 7] = [
        Self::Invalid,
        Self::InUse,
        Self::NotFound,
        Self::Denied,
        Self::WrongCode,
        Self::TooOld,
        Self::NotYet,
    ];
}

/// `m.login.email.identity`: an address to prove.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct FallbackEmail(pub FallbackThreepid);

/// `m.login.msisdn`: a phone number to prove.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct FallbackMsisdn(pub FallbackThreepid);

/// What the pages of both media show.
#[derive(Clone, Serialize)]
pub struct FallbackThreepid {
    /// The address as it was typed.
    pub address: Option<String>,
    /// The message that was sent to it; absent, none was.
    pub sent: Option<SentMessage>,
    /// What went wrong.
    pub problem: Option<ThreepidProblem>,
    /// What the buttons send, beside the address and the code.
    #[serde(flatten)]
    pub session: StageSession,
}

/// A message that is on its way.
#[derive(Clone, Serialize)]
pub struct SentMessage {
    /// The validation session.
    pub sid: String,
    /// Its client secret, which only this page knows.
    pub client_secret: String,
    /// Which message it is.
    pub attempt: u32,
    /// Whether it holds a code.
    pub has_code: bool,
}

impl FallbackThreepid {
    fn samples(address: &str) -> Vec<Self> {
        let empty = Self { address: None, sent: None, problem: None, session: StageSession::sample() };
        let typed = Self { address: Some(address.to_owned()), ..empty.clone() };
        let sent = |has_code| {
            Some(SentMessage {
                sid: "c2FtcGxlLXNlc3Npb24".to_owned(),
                client_secret: "c2FtcGxlLXNlY3JldA".to_owned(),
                attempt: 1,
                has_code,
            })
        };
        let mut samples = vec![empty];
        for problem in ThreepidProblem::ALL {
            samples.push(Self { problem: Some(problem), ..typed.clone() });
        }
        samples.push(Self { sent: sent(true), ..typed.clone() });
        samples.push(Self { sent: sent(false), ..typed.clone() });
        for problem in [ThreepidProblem::WrongCode, ThreepidProblem::NotYet] {
            samples.push(Self { sent: sent(true), problem: Some(problem), ..typed.clone() });
        }
        samples
    }
}

impl PageTemplate for FallbackEmail {
    const NAME: &'static str = "fallback_email";

    fn samples() -> Vec<Self> {
        FallbackThreepid::samples("alice@example.com").into_iter().map(Self).collect()
    }
}

impl PageTemplate for FallbackMsisdn {
    const NAME: &'static str = "fallback_msisdn";

    fn samples() -> Vec<Self> {
        FallbackThreepid::samples("+44 7700 900123").into_iter().map(Self).collect()
    }
}

/// The stage is done: the one page with a script, which tells the client.
#[derive(Clone, Serialize)]
pub struct FallbackDone {}

impl PageTemplate for FallbackDone {
    const NAME: &'static str = "fallback_done";

    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}

/// There is no such authentication, or it does not have this stage now.
#[derive(Clone, Serialize)]
pub struct FallbackExpired {}

impl PageTemplate for FallbackExpired {
    const NAME: &'static str = "fallback_expired";

    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}
