//! SMS through any provider with an HTTP API: request and answer are described by settings.

use std::{fmt, ops::RangeInclusive, time::Duration};

use async_trait::async_trait;
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};

use self::request::{Escape, RequestTemplate};
use super::{SmsGateway, SmsMessage};
use crate::{Accepted, Secret, SendError};

mod request;

/// More of an answer is not looked at.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A longer `Retry-After` is taken for this one: no message lives longer.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// What a request to the gateway looks like and which answers are good ones.
///
/// `url`, the values of `headers` and `body` are templates with the variables `msisdn`, `text`,
/// `id` (the same in every attempt), `country`, and, if `from` is set, `from` and `sender`. Values
/// are percent-encoded in the URL and in forms, escaped for the inside of a string in JSON
/// (write the quotes: `"{{ text }}"`), and as text in XML.
#[derive(Clone)]
pub struct HttpGatewaySettings {
    /// Where to send the request.
    pub url: String,
    /// The request method.
    pub method: String,
    /// Header names and values; credentials go here. The default `Content-Type` is JSON.
    pub headers: Vec<(String, Secret)>,
    /// The request body, if there is one.
    pub body: Option<String>,
    /// The sender's name or number, if the gateway wants one.
    pub from: Option<String>,
    /// The status codes that mean "accepted".
    pub success_statuses: Vec<RangeInclusive<u16>>,
    /// Text that the answer's body must contain as well.
    pub success_contains: Option<String>,
    /// Limit for connecting.
    pub connect_timeout: Duration,
    /// Limit for the whole exchange.
    pub timeout: Duration,
}

impl HttpGatewaySettings {
    /// Starts from a POST without headers and body that any 2xx status accepts.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            method: "POST".to_owned(),
            headers: Vec::new(),
            body: None,
            from: None,
            success_statuses: vec![200..=299],
            success_contains: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for HttpGatewaySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL and the body may hold an API key.
        f.debug_struct("HttpGatewaySettings").field("method", &self.method).finish_non_exhaustive()
    }
}

/// The settings cannot work.
#[derive(Debug, thiserror::Error)]
pub enum HttpGatewaySettingsError {
    /// A template is malformed or names an unknown variable.
    #[error("{key}: the template cannot be filled in")]
    Template {
        /// The setting at fault.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        cause: minijinja::Error,
    },
    /// The filled-in URL is not an http or https URL.
    #[error("url: not an http or https URL once filled in")]
    Url,
    /// The method is not an HTTP method.
    #[error("method: {0:?} is not an HTTP method")]
    Method(String),
    /// The header's name or value is not allowed in HTTP.
    #[error("headers: {0:?} is not a valid header")]
    Header(String),
    /// The body is sent as JSON and is not JSON.
    #[error("body: not JSON once filled in; values belong inside quotes, as in \"{{{{ text }}}}\"")]
    NotJson,
    /// No status means success.
    #[error("success_statuses: empty")]
    NoSuccess,
    /// The HTTP client could not be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Sends text messages as HTTP requests.
pub struct HttpGateway {
    client: Client,
    method: Method,
    url: RequestTemplate,
    headers: Vec<(HeaderName, RequestTemplate)>,
    body: Option<RequestTemplate>,
    content_type: Option<HeaderValue>,
    from: Option<String>,
    success_statuses: Vec<RangeInclusive<u16>>,
    success_contains: Option<String>,
}

impl HttpGateway {
    /// Checks the settings by filling in a sample. Connects to nothing yet.
    pub fn new(settings: HttpGatewaySettings) -> Result<Self, HttpGatewaySettingsError> {
        use HttpGatewaySettingsError as E;
        if settings.success_statuses.is_empty() {
            return Err(E::NoSuccess);
        }
        let from = settings.from.as_deref();
        let method =
            Method::from_bytes(settings.method.as_bytes()).map_err(|_| E::Method(settings.method.clone()))?;
        let url = RequestTemplate::new("url", &settings.url, Escape::Percent, from)?;
        let sample_url =
            url.render(&request::sample(), from).map_err(|cause| E::Template { key: "url", cause })?;
        parse_url(&sample_url).ok_or(E::Url)?;

        let mut headers = Vec::new();
        let mut configured_type = None;
        for (name, value) in &settings.headers {
            let bad = || E::Header(name.clone());
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
            if header == CONTENT_TYPE {
                configured_type = Some(value.expose().to_owned());
            }
            headers.push((header, RequestTemplate::new("headers", value.expose(), Escape::Nothing, from)?));
        }
        let (body, content_type) = match &settings.body {
            Some(body) => {
                (Some(body_template(body, configured_type.as_deref(), from)?), configured_type.is_none())
            }
            None => (None, false),
        };
        let content_type = content_type.then(|| HeaderValue::from_static("application/json"));
        let client = client(&settings).map_err(E::Client)?;
        let HttpGatewaySettings { from, success_statuses, success_contains, .. } = settings;
        Ok(Self {
            client,
            method,
            url,
            headers,
            body,
            content_type,
            from,
            success_statuses,
            success_contains,
        })
    }

    fn request(&self, message: &SmsMessage) -> Result<reqwest::Request, SendError> {
        // The samples went through at start, so what fails now lies in this message; filling it in
        // again would fail again.
        let fill = |template: &RequestTemplate| {
            template
                .render(message, self.from.as_deref())
                .map_err(|_| SendError::permanent("SMS request: the template failed for this message"))
        };
        let url =
            parse_url(&fill(&self.url)?).ok_or_else(|| SendError::permanent("SMS request: not a URL"))?;
        let mut headers = HeaderMap::new();
        if let Some(content_type) = &self.content_type {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        for (name, template) in &self.headers {
            let mut value = HeaderValue::from_str(&fill(template)?)
                .map_err(|_| SendError::permanent("SMS request: a header value is not allowed in HTTP"))?;
            value.set_sensitive(true);
            headers.append(name.clone(), value);
        }
        let mut request = self.client.request(self.method.clone(), url).headers(headers);
        if let Some(body) = &self.body {
            request = request.body(fill(body)?);
        }
        request.build().map_err(|_| SendError::permanent("SMS request: cannot be built"))
    }

    async fn judge(&self, response: Response) -> Result<Accepted, SendError> {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        if !self.success_statuses.iter().any(|range| range.contains(&status.as_u16())) {
            return Err(refusal(status, retry_after));
        }
        if let Some(expected) = &self.success_contains {
            let answer = read_limited(response).await?;
            if !answer.contains(expected.as_str()) {
                return Err(SendError::transient(format!(
                    "SMS gateway: status {} without the text that means success",
                    status.as_u16()
                )));
            }
        }
        Ok(Accepted { reply: status.as_u16().to_string() })
    }
}

#[async_trait]
impl SmsGateway for HttpGateway {
    async fn send(&self, message: &SmsMessage) -> Result<Accepted, SendError> {
        let request = self.request(message)?;
        let response = self.client.execute(request).await.map_err(|error| failed(&error))?;
        self.judge(response).await
    }
}

fn client(settings: &HttpGatewaySettings) -> Result<Client, reqwest::Error> {
    // reqwest looks for the process's TLS provider; an error means that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.timeout)
        .user_agent("countersign")
        .build()
}

fn body_template(
    source: &str,
    content_type: Option<&str>,
    from: Option<&str>,
) -> Result<RequestTemplate, HttpGatewaySettingsError> {
    let escape = Escape::for_content_type(content_type.unwrap_or("application/json"));
    let template = RequestTemplate::new("body", source, escape, from)?;
    let filled = template
        .render(&request::sample(), from)
        .map_err(|cause| HttpGatewaySettingsError::Template { key: "body", cause })?;
    if escape == Escape::JsonString && serde_json::from_str::<serde::de::IgnoredAny>(&filled).is_err() {
        return Err(HttpGatewaySettingsError::NotJson);
    }
    Ok(template)
}

fn parse_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Sorts a status that does not mean success.
fn refusal(status: StatusCode, retry_after: Option<Duration>) -> SendError {
    let reason = format!("SMS gateway: status {}", status.as_u16());
    match status.as_u16() {
        // Wrong credentials, path or method, or no credit: the operator can repair that, so the
        // message waits.
        401 | 402 | 403 | 404 | 405 | 407 => SendError::Transient { reason, retry_after },
        408 | 425 | 429 => SendError::Transient { reason, retry_after },
        400..=499 => SendError::Permanent { reason },
        // 5xx; also redirects, which are not followed, and a 2xx that is not in the list.
        _ => SendError::Transient { reason, retry_after },
    }
}

/// Reads `Retry-After` in seconds; the form with a date is ignored.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

async fn read_limited(mut response: Response) -> Result<String, SendError> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        let room = MAX_ANSWER_BYTES - answer.len();
        answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if answer.len() == MAX_ANSWER_BYTES {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Names the kind of failure only: reqwest's own text holds the URL.
fn failed(error: &reqwest::Error) -> SendError {
    let what = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_body() || error.is_decode() {
        "connection lost in the answer"
    } else {
        "connection lost"
    };
    SendError::transient(format!("SMS gateway: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: HttpGatewaySettings) -> HttpGatewaySettingsError {
        match HttpGateway::new(settings) {
            Ok(_) => panic!("the settings were accepted"),
            Err(error) => error,
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused_at_start() {
        let base = || HttpGatewaySettings::new("http://127.0.0.1:9/send");
        let with = |change: fn(&mut HttpGatewaySettings)| {
            let mut settings = base();
            change(&mut settings);
            refused(settings)
        };
        assert!(matches!(with(|s| s.url = "ftp://host/".into()), HttpGatewaySettingsError::Url));
        assert!(matches!(with(|s| s.url = "/send".into()), HttpGatewaySettingsError::Url));
        assert!(matches!(with(|s| s.method = "P OST".into()), HttpGatewaySettingsError::Method(_)));
        assert!(matches!(
            with(|s| s.headers = vec![("a b".into(), Secret::new("c"))]),
            HttpGatewaySettingsError::Header(_)
        ));
        assert!(matches!(
            with(|s| s.headers = vec![("a".into(), Secret::new("b\r\nc: d"))]),
            HttpGatewaySettingsError::Header(_)
        ));
        assert!(matches!(
            with(|s| s.body = Some(r#"{"text": {{ text }}}"#.into())),
            HttpGatewaySettingsError::NotJson
        ));
        assert!(matches!(
            with(|s| s.body = Some(r#"{"text": "{{ message }}"}"#.into())),
            HttpGatewaySettingsError::Template { key: "body", .. }
        ));
        assert!(matches!(with(|s| s.success_statuses = vec![]), HttpGatewaySettingsError::NoSuccess));
        assert!(HttpGateway::new(base()).is_ok());
    }

    #[test]
    fn statuses_are_sorted_by_who_can_repair_them() {
        for (status, permanent) in [
            (400, true),
            (402, false),
            (409, true),
            (422, true),
            (401, false),
            (403, false),
            (404, false),
            (405, false),
            (408, false),
            (425, false),
            (429, false),
            (500, false),
            (503, false),
            (301, false),
            (204, false),
        ] {
            let error = refusal(StatusCode::from_u16(status).unwrap(), None);
            assert_eq!(matches!(error, SendError::Permanent { .. }), permanent, "{status}");
        }
    }
}
