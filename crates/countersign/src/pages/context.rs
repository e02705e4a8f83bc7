//! What each page is rendered from, with samples that cover every branch of its template.

mod fallback;

use countersign_core::{SessionPurpose, Timestamp};
use countersign_service::{InboxEntry, Next, NotMePage, Page};
use serde::{Deserialize, Serialize, Serializer};

pub use self::fallback::{
    FallbackDone, FallbackDummy, FallbackEmail, FallbackExpired, FallbackMsisdn, FallbackRegistrationToken,
    FallbackTerms, FallbackThreepid, PolicyToAccept, SentMessage, StageSession, ThreepidProblem,
};
use super::time::When;

/// A page and its file, `<language>/<name>.html`.
pub trait PageTemplate: Serialize + Sized {
    /// The file's name without folder and ending.
    const NAME: &'static str;
    /// Gives contexts that the start-up check and the snapshots render.
    fn samples() -> Vec<Self>;
}

/// The `sid` and token of a link, from there into the hidden fields of a form and back. Whatever else a link holds is
/// ignored, since mail programs add things.
#[derive(Clone, Deserialize, Serialize)]
pub struct LinkFields {
    /// The session's id, as the link has it.
    pub sid: String,
    /// The token, as the link has it.
    pub token: String,
}

/// Where "continue" leads.
#[derive(Clone, Serialize)]
pub struct NextStep {
    /// The whole link.
    pub url: String,
    /// The host that it leads to; absent, an app.
    pub host: Option<String>,
}

impl From<Next> for NextStep {
    fn from(Next { url, host, trusted: _ }: Next) -> Self {
        Self { url, host }
    }
}

/// The page behind a mail's link, before its button is pressed.
#[derive(Clone, Serialize)]
pub struct Confirm {
    /// What the button does; templates compare it with the names in snake case.
    #[serde(serialize_with = "purpose_name")]
    pub purpose: SessionPurpose,
    /// The address, mostly hidden.
    pub address: String,
    /// When the token was asked for.
    pub requested_at: When,
    /// Who asked for it, if known.
    pub user_id: Option<String>,
    /// Where "continue" leads.
    pub next: Option<NextStep>,
    /// What the button sends.
    #[serde(flatten)]
    pub link: LinkFields,
}

impl Confirm {
    /// The page for a session that is not validated yet.
    pub fn new(page: Page, link: LinkFields) -> Self {
        Self {
            purpose: page.purpose,
            address: page.masked_address,
            requested_at: page.requested_at.into(),
            user_id: page.requested_by.map(|user_id| user_id.to_string()),
            next: page.next.map(NextStep::from),
            link,
        }
    }
}

impl PageTemplate for Confirm {
    const NAME: &'static str = "confirm";

    fn samples() -> Vec<Self> {
        let sample = |purpose| Self {
            purpose,
            address: ADDRESS.to_owned(),
            requested_at: REQUESTED_AT.into(),
            user_id: None,
            next: None,
            link: sample_link(),
        };
        let mut samples: Vec<Self> = SessionPurpose::ALL.map(sample).into();
        let user_id = || Some("@alice:example.org".to_owned());
        samples.push(Self { user_id: user_id(), next: web(), ..sample(SessionPurpose::AddThreepid) });
        samples.push(Self { user_id: user_id(), next: app(), ..sample(SessionPurpose::ResetPassword) });
        samples
    }
}

/// The page after the button, and the page of a link whose button was pressed before.
#[derive(Clone, Serialize)]
pub struct ConfirmedPage {
    /// What is proven; templates compare it with the names in snake case.
    #[serde(serialize_with = "purpose_name")]
    pub purpose: SessionPurpose,
    /// The address, mostly hidden.
    pub address: String,
    /// Who asked for it, if known.
    pub user_id: Option<String>,
    /// Where "continue" leads.
    pub next: Option<NextStep>,
}

impl From<Page> for ConfirmedPage {
    fn from(page: Page) -> Self {
        Self {
            purpose: page.purpose,
            address: page.masked_address,
            user_id: page.requested_by.map(|user_id| user_id.to_string()),
            next: page.next.map(NextStep::from),
        }
    }
}

impl PageTemplate for ConfirmedPage {
    const NAME: &'static str = "confirmed";

    fn samples() -> Vec<Self> {
        let sample = |purpose| Self { purpose, address: ADDRESS.to_owned(), user_id: None, next: None };
        let mut samples: Vec<Self> = SessionPurpose::ALL.map(sample).into();
        let user_id = Some("@alice:example.org".to_owned());
        samples.push(Self { user_id, next: web(), ..sample(SessionPurpose::AddThreepid) });
        samples.push(Self { next: app(), ..sample(SessionPurpose::ResetPassword) });
        samples
    }
}

/// The page of a link that names no session.
#[derive(Clone, Serialize)]
pub struct LinkInvalid {}

impl PageTemplate for LinkInvalid {
    const NAME: &'static str = "link_invalid";

    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}

/// The page of a link whose time is over.
#[derive(Clone, Serialize)]
pub struct LinkExpired {}

impl PageTemplate for LinkExpired {
    const NAME: &'static str = "link_expired";

    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}

/// What every "this wasn't me" page shows.
#[derive(Clone, Serialize)]
pub struct NotMeContext {
    /// What someone wanted; templates compare it with the names in snake case.
    #[serde(serialize_with = "purpose_name")]
    pub purpose: SessionPurpose,
    /// The address, mostly hidden.
    pub address: String,
    /// When the token was asked for.
    pub requested_at: When,
    /// What the buttons send.
    #[serde(flatten)]
    pub link: LinkFields,
}

impl NotMeContext {
    /// The facts of a session, and the link that led to them.
    pub fn new(page: NotMePage, link: LinkFields) -> Self {
        Self {
            purpose: page.purpose,
            address: page.masked_address,
            requested_at: page.requested_at.into(),
            link,
        }
    }

    fn sample(purpose: SessionPurpose) -> Self {
        Self { purpose, address: ADDRESS.to_owned(), requested_at: REQUESTED_AT.into(), link: sample_link() }
    }
}

/// "This wasn't me", before the button.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct NotMe(pub NotMeContext);

impl PageTemplate for NotMe {
    const NAME: &'static str = "not_me";

    fn samples() -> Vec<Self> {
        SessionPurpose::ALL.map(NotMeContext::sample).map(Self).into()
    }
}

/// "This wasn't me", after the first choice: the session is ended.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct NotMeDone(pub NotMeContext);

impl PageTemplate for NotMeDone {
    const NAME: &'static str = "not_me_done";

    fn samples() -> Vec<Self> {
        vec![Self(NotMeContext::sample(SessionPurpose::Register))]
    }
}

/// "This wasn't me" about a session that is validated already.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct NotMeTooLate(pub NotMeContext);

impl PageTemplate for NotMeTooLate {
    const NAME: &'static str = "not_me_too_late";

    fn samples() -> Vec<Self> {
        [SessionPurpose::AddThreepid, SessionPurpose::ResetPassword]
            .map(NotMeContext::sample)
            .map(Self)
            .into()
    }
}

/// "This wasn't me", after the second choice: no more messages.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct NotMeSuppressed(pub NotMeContext);

impl PageTemplate for NotMeSuppressed {
    const NAME: &'static str = "not_me_suppressed";

    fn samples() -> Vec<Self> {
        vec![Self(NotMeContext::sample(SessionPurpose::Register))]
    }
}

/// What went wrong, where it has nothing to do with the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The form was larger than any form of ours.
    TooLarge,
    /// Neither GET nor POST.
    MethodNotAllowed,
    /// Too many requests from one network.
    Limited,
    /// Overloaded or going down.
    Unavailable,
    /// A defect, or a broken database.
    Internal,
}

/// The page of every other failure.
#[derive(Clone, Serialize)]
pub struct ErrorPage {
    /// What went wrong; templates compare it with the names in snake case.
    pub problem: Problem,
}

impl PageTemplate for ErrorPage {
    const NAME: &'static str = "error";

    fn samples() -> Vec<Self> {
        use Problem as P;
        [P::TooLarge, P::MethodNotAllowed, P::Limited, P::Unavailable, P::Internal]
            .map(|problem| Self { problem })
            .into()
    }
}

/// The development inbox.
#[derive(Clone, Serialize)]
pub struct InboxPage {
    /// The messages, newest first.
    pub messages: Vec<InboxMessage>,
    /// The sequence number of the newest; 0 while there is none.
    pub next: u64,
}

impl InboxPage {
    /// The page for these messages, given oldest first.
    pub fn new(entries: Vec<InboxEntry>) -> Self {
        let next = entries.last().map_or(0, |entry| entry.sequence);
        Self { messages: entries.into_iter().rev().map(InboxMessage::from).collect(), next }
    }
}

/// One message of the inbox.
#[derive(Clone, Serialize)]
pub struct InboxMessage {
    /// Counts up from 1 in order of arrival.
    pub sequence: u64,
    /// The address or phone number.
    pub to: String,
    /// The subject, in mail only.
    pub subject: Option<String>,
    /// The text, cut at each place where the code stands, for marking it there.
    pub text_parts: Vec<String>,
    /// The document for the frame: links open outside of it.
    pub html: Option<String>,
    /// The link inside, if any.
    pub link: Option<String>,
    /// The code inside, if any.
    pub code: Option<String>,
    /// When it was sent.
    pub received_at: When,
}

impl From<InboxEntry> for InboxMessage {
    fn from(entry: InboxEntry) -> Self {
        let text_parts = match entry.code.as_deref() {
            Some(code) if !code.is_empty() => entry.text.split(code).map(str::to_owned).collect(),
            Some(_) | None => vec![entry.text],
        };
        Self {
            sequence: entry.sequence,
            to: entry.to,
            subject: entry.subject,
            text_parts,
            html: entry.html.map(|html| format!("<base target=\"_blank\">{html}")),
            link: entry.link,
            code: entry.code,
            received_at: Timestamp::from_millis(entry.received_at).into(),
        }
    }
}

impl PageTemplate for InboxPage {
    const NAME: &'static str = "inbox";

    fn samples() -> Vec<Self> {
        let mail = InboxEntry {
            sequence: 1,
            id: "01930000-0000-7000-8000-000000000001".to_owned(),
            medium: "email",
            to: "alice@example.com".to_owned(),
            template: "validate_email",
            subject: Some("Confirm your address".to_owned()),
            text: "Hello,\n\nyour code is 123456.".to_owned(),
            html: Some("<p>Your code is <b>123456</b>.</p>".to_owned()),
            link: Some(
                "https://id.example.org/_countersign/v1/confirm?sid=Zm9vYmFy&token=c2FtcGxl".to_owned(),
            ),
            code: Some("123456".to_owned()),
            received_at: REQUESTED_AT.as_millis(),
        };
        let sms = InboxEntry {
            sequence: 2,
            medium: "msisdn",
            to: "447700900123".to_owned(),
            template: "validate_msisdn",
            subject: None,
            text: "654321 is your code.\n\n@app.example.org #654321".to_owned(),
            html: None,
            link: None,
            code: Some("654321".to_owned()),
            ..mail.clone()
        };
        let notice = InboxEntry {
            sequence: 3,
            text: "Someone tried <b>".to_owned(),
            html: None,
            link: None,
            code: None,
            ..mail.clone()
        };
        vec![Self::new(Vec::new()), Self::new(vec![mail, sms, notice])]
    }
}

const ADDRESS: &str = "a…@e….com";
const REQUESTED_AT: Timestamp = Timestamp::from_millis(1_794_996_000_000);

fn sample_link() -> LinkFields {
    LinkFields { sid: "Zm9vYmFyZm9vYmFyZm9vYg".to_owned(), token: "c2FtcGxlLXRva2Vu".to_owned() }
}

fn web() -> Option<NextStep> {
    let url = "https://app.example.org/welcome?sid=Zm9vYmFyZm9vYmFyZm9vYg".to_owned();
    Some(NextStep { url, host: Some("app.example.org".to_owned()) })
}

fn app() -> Option<NextStep> {
    Some(NextStep { url: "com.example.app:/validated?sid=Zm9vYmFyZm9vYmFyZm9vYg".to_owned(), host: None })
}

fn purpose_name<S: Serializer>(purpose: &SessionPurpose, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(purpose.as_str())
}
