//! `[sms]`: how SMS are sent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use url::{Host, Url};

use super::error::Problems;
use super::{ConfigError, Secret, Transport, duration};

/// How SMS are sent.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SmsConfig {
    /// The countries whose numbers get messages, two upper-case letters each, or `["*"]` for all. Every country
    /// that is not needed is one less to be billed for by fraud.
    pub countries: Countries,
    /// The domain of the page on which codes are typed. Phones then offer the code there, and nowhere else.
    pub autofill_domain: Option<String>,
    /// How long a typed code in an SMS is good.
    #[serde(default = "default_code_lifetime", with = "duration")]
    pub code_lifetime: Duration,
    /// The gateway that takes our messages.
    pub http: Option<SmsHttpConfig>,
    /// Where SMS go; files can't set it.
    #[serde(skip)]
    pub transport: Transport,
}

/// A gateway that takes messages by HTTP.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SmsHttpConfig {
    /// Where to send the request. This, `body` and the values of `headers` are templates with `{{ msisdn }}` (digits
    /// only), `{{ text }}`, `{{ id }}` (the same in every attempt), `{{ country }}` and, if `from` is set,
    /// `{{ from }}`. Its query is not shown by `config show`.
    #[serde(serialize_with = "without_query")]
    pub url: String,
    /// `POST`, `PUT` or `GET`.
    #[serde(default)]
    pub method: HttpMethod,
    /// The request's body; absent, none. Not shown by `config show`. Values are escaped as its `Content-Type` demands, which is JSON unless
    /// `headers` says otherwise.
    #[serde(serialize_with = "hidden")]
    pub body: Option<String>,
    /// The sender's name or number, if the gateway wants one.
    pub from: Option<String>,
    /// The `Authorization` header's whole value, such as `Bearer …`.
    pub authorization: Option<Secret>,
    /// A file that holds that value instead.
    pub authorization_file: Option<PathBuf>,
    /// More headers. Their values are not shown.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// The statuses that mean that the gateway took the message: numbers, or ranges such as `"200-299"`.
    #[serde(default = "default_success_statuses")]
    pub success_statuses: Vec<StatusRange>,
    /// A text that the answer must hold as well, for gateways that answer 200 to everything.
    pub success_contains: Option<String>,
}

/// The countries whose numbers get messages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub enum Countries {
    /// All of them.
    All,
    /// Those with these ISO 3166-1 alpha-2 codes.
    Only(Vec<String>),
}

impl Countries {
    /// Whether the country with this code is among them.
    pub fn contains(&self, country: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(countries) => countries.iter().any(|listed| listed == country),
        }
    }
}

impl TryFrom<Vec<String>> for Countries {
    type Error = String;

    fn try_from(countries: Vec<String>) -> Result<Self, String> {
        if countries == ["*"] {
            return Ok(Self::All);
        }
        let is_code = |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        match countries.iter().find(|code| !is_code(code)) {
            Some(code) => Err(format!(
                "`{code}` is not a country: write two upper-case letters such as \"GB\", or [\"*\"]"
            )),
            None if countries.is_empty() => Err("names no country: leave out [sms] instead".to_owned()),
            None => Ok(Self::Only(countries)),
        }
    }
}

impl From<Countries> for Vec<String> {
    fn from(countries: Countries) -> Self {
        match countries {
            Countries::All => vec!["*".to_owned()],
            Countries::Only(countries) => countries,
        }
    }
}

/// The method of the gateway's request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// `GET`, without a body.
    Get,
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
}

impl HttpMethod {
    /// The method as HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// Some HTTP statuses: one, or a range with both its ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "WrittenStatuses", into = "WrittenStatuses")]
pub struct StatusRange(RangeInclusive<u16>);

impl StatusRange {
    /// The statuses.
    pub fn to_range(&self) -> RangeInclusive<u16> {
        self.0.clone()
    }
}

/// Statuses as the file spells them.
#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a status such as 200, or a range such as \"200-299\"")]
enum WrittenStatuses {
    One(u16),
    Range(String),
}

impl TryFrom<WrittenStatuses> for StatusRange {
    type Error = String;

    fn try_from(written: WrittenStatuses) -> Result<Self, String> {
        let range = match &written {
            WrittenStatuses::One(status) => Some(*status..=*status),
            WrittenStatuses::Range(text) => text
                .split_once('-')
                .and_then(|(first, last)| Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)),
        };
        range
            .filter(|range| 100 <= *range.start() && range.start() <= range.end() && *range.end() <= 599)
            .map(Self)
            .ok_or_else(|| "a status is from 100 to 599, a range is written \"200-299\"".to_owned())
    }
}

impl From<StatusRange> for WrittenStatuses {
    fn from(StatusRange(range): StatusRange) -> Self {
        if range.start() == range.end() {
            Self::One(*range.start())
        } else {
            Self::Range(format!("{}-{}", range.start(), range.end()))
        }
    }
}

impl SmsConfig {
    /// SMS of all countries into the development inbox.
    pub(super) fn inbox() -> Self {
        Self {
            countries: Countries::All,
            autofill_domain: None,
            code_lifetime: default_code_lifetime(),
            http: None,
            transport: Transport::Inbox,
        }
    }

    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        if let Some(http) = &mut self.http {
            let value = http.authorization.take();
            http.authorization =
                Secret::resolve("sms.http.authorization", value, http.authorization_file.as_deref())?;
        }
        Ok(())
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if self.autofill_domain.as_deref().is_some_and(|domain| !is_domain(domain)) {
            problems.add(
                "sms.autofill_domain",
                "must be a plain domain such as \"app.example.org\", in lower case",
            );
        }
        if self.code_lifetime < Duration::from_secs(60) {
            problems
                .add("sms.code_lifetime", "must be at least \"1m\", or no one could type the code in time");
        }
        match (&self.http, self.transport) {
            (Some(http), _) => http.check(problems),
            (None, Transport::Configured) => {
                problems.add("sms.http", "is missing: say which gateway takes the messages");
            }
            (None, Transport::Inbox) => {}
        }
    }
}

impl SmsHttpConfig {
    fn check(&self, problems: &mut Problems) {
        let url = Url::parse(&self.url);
        if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            problems.add("sms.http.url", "is not an absolute http or https URL");
        }
        let carries = |name: &str| {
            self.url.contains(name) || self.body.as_deref().is_some_and(|body| body.contains(name))
        };
        if !carries("msisdn") || !carries("text") {
            problems.add("sms.http.body", "must hold {{ msisdn }} and {{ text }}, unless sms.http.url does");
        }
        if self.method == HttpMethod::Get && self.body.is_some() {
            problems.add("sms.http.method", "must not be GET: sms.http.body is set");
        }
        if self.success_statuses.is_empty() {
            problems.add("sms.http.success_statuses", "must name at least one status, such as [200]");
        }
        let is_token = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if let Some(name) = self.headers.keys().find(|name| !is_token(name)) {
            problems.add("sms.http.headers", format!("`{name}` is not the name of a header"));
        }
        let is_line = |value: &Secret| !value.expose().contains(['\r', '\n', '\0']);
        if !self.headers.values().all(is_line) {
            problems.add("sms.http.headers", "a value holds a line end");
        }
        if !self.authorization.iter().all(is_line) {
            problems.add("sms.http.authorization", "holds a line end");
        }
    }
}

/// Whether the text is a domain in the form in which browsers compare it.
pub(super) fn is_domain(text: &str) -> bool {
    matches!(Host::parse(text), Ok(Host::Domain(domain)) if domain == text && !text.ends_with('.'))
}

/// Gateways like keys in bodies, too.
fn hidden<S: Serializer>(body: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    body.as_ref().map(|_| "(secret)").serialize(serializer)
}

/// Gateways like keys in queries, and some in the user part.
fn without_query<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let (place, hidden) = match url.split_once('?') {
        Some((place, _)) => (place, "?(secret)"),
        None => (url, ""),
    };
    match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => {
            serializer.collect_str(&format_args!("{scheme}://(secret)@{rest}{hidden}"))
        }
        _ => serializer.collect_str(&format_args!("{place}{hidden}")),
    }
}

const fn default_code_lifetime() -> Duration {
    Duration::from_secs(10 * 60)
}

fn default_success_statuses() -> Vec<StatusRange> {
    vec![StatusRange(200..=299)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn countries(codes: &[&str]) -> Result<Countries, String> {
        codes.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>().try_into()
    }

    #[test]
    fn countries_are_codes_or_all() {
        assert_eq!(countries(&["*"]), Ok(Countries::All));
        let some = countries(&["GB", "DE"]).expect("both are codes");
        assert!(some.contains("DE") && !some.contains("FR"));
        for codes in [&["gb"][..], &["GBR"], &["GB", "*"], &["+44"], &[]] {
            assert!(countries(codes).is_err(), "{codes:?}");
        }
    }

    #[test]
    fn statuses_are_numbers_or_ranges() {
        let range =
            |text: &str| StatusRange::try_from(WrittenStatuses::Range(text.to_owned())).map(|range| range.0);
        assert_eq!(range("200-299"), Ok(200..=299));
        assert_eq!(StatusRange::try_from(WrittenStatuses::One(202)).map(|range| range.0), Ok(202..=202));
        for text in ["", "200", "2xx", "299-200", "0-999", "200-"] {
            assert!(range(text).is_err(), "{text}");
        }
        assert!(StatusRange::try_from(WrittenStatuses::One(2)).is_err());
    }

    #[test]
    fn autofill_domains_are_bare() {
        assert!(is_domain("app.example.org") && is_domain("localhost"));
        for text in
            ["App.example.org", "https://app.example.org", "app.example.org:443", "10.0.0.1", "a/b", "a.", ""]
        {
            assert!(!is_domain(text), "{text}");
        }
    }
}
