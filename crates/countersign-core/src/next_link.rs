//! Where a person goes on after validation (docs/decisions/0007).

use std::fmt;

use thiserror::Error;
use url::{Host, Url};

use crate::SessionId;

/// The longest link that is accepted, in bytes.
const MAX_BYTES: usize = 2048;

/// What an operator lets clients link to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NextLinkPolicy {
    /// Schemes of apps, such as `com.example.app`, beside `https` and `http` to loopback.
    pub app_schemes: Vec<String>,
    /// The only hosts that web links may go to, and those that a person is sent on to without asking.
    /// `None`: any host, but the person sees it and clicks.
    pub hosts: Option<Vec<String>>,
}

/// A link that passed the policy. Kept exactly as the client wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct NextLink {
    text: String,
    host: Option<String>,
}

impl NextLink {
    /// Parses and checks a link: absolute, `https`, `http` to loopback or an app scheme, no user info, no control
    /// characters or blanks, on an allowed host.
    ///
    /// # Errors
    /// Says which rule the link breaks, without repeating the link.
    pub fn parse(text: &str, policy: &NextLinkPolicy) -> Result<Self, InvalidNextLink> {
        if MAX_BYTES < text.len() {
            return Err(InvalidNextLink::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(InvalidNextLink::Characters);
        }
        let url = Url::parse(text).map_err(|_| InvalidNextLink::NotAbsolute)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidNextLink::UserInfo);
        }
        let host = url.host_str().map(str::to_owned);
        // A browser reads `https:x` as relative to the page that it stands on.
        let is_web = matches!(url.scheme(), "http" | "https");
        if is_web && !text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://")) {
            return Err(InvalidNextLink::NotAbsolute);
        }
        match url.scheme() {
            "https" => Self::check_host(host.as_deref(), policy)?,
            "http" if is_loopback(&url) => {}
            scheme if policy.app_schemes.iter().any(|allowed| allowed.eq_ignore_ascii_case(scheme)) => {}
            _ => return Err(InvalidNextLink::Scheme),
        }
        Ok(Self { text: text.to_owned(), host })
    }

    fn check_host(host: Option<&str>, policy: &NextLinkPolicy) -> Result<(), InvalidNextLink> {
        match &policy.hosts {
            Some(hosts) if !host.is_some_and(|host| listed(hosts, host)) => Err(InvalidNextLink::Host),
            _ => Ok(()),
        }
    }

    /// The link as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host that it leads to; `None` for a link into an app.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Whether the operator named its host, so that a person may be sent there without a further click.
    pub fn is_trusted_by(&self, policy: &NextLinkPolicy) -> bool {
        match (&policy.hosts, &self.host) {
            (Some(hosts), Some(host)) => listed(hosts, host),
            _ => false,
        }
    }

    /// The link with `sid` appended: after `&` if the text holds a `?` anywhere, else after `?`. Plain concatenation,
    /// also behind a fragment, since that is where clients look for it.
    pub fn with_sid(&self, sid: &SessionId) -> String {
        let separator = if self.text.contains('?') { '&' } else { '?' };
        format!("{}{separator}sid={sid}", self.text)
    }
}

impl fmt::Debug for NextLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NextLink(host {:?})", self.host)
    }
}

fn listed(hosts: &[String], host: &str) -> bool {
    hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidNextLink {
    /// Over 2048 bytes.
    #[error("next_link must have at most 2048 bytes")]
    TooLong,
    /// A blank, a backslash or a control character.
    #[error("next_link must not hold blanks, backslashes or control characters")]
    Characters,
    /// Not an absolute URI.
    #[error("next_link must be an absolute URI")]
    NotAbsolute,
    /// A user name or password before the host.
    #[error("next_link must not hold a user name or password")]
    UserInfo,
    /// A scheme that isn't allowed.
    #[error(
        "next_link must begin with https:// (or http:// to this machine, or an app scheme that this server allows)"
    )]
    Scheme,
    /// A host that isn't allowed.
    #[error("next_link leads to a host that this server does not allow")]
    Host,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> NextLinkPolicy {
        NextLinkPolicy { app_schemes: vec!["com.example.app".to_owned()], hosts: None }
    }

    #[test]
    fn only_https_loopback_and_app_schemes_pass() {
        for good in [
            "https://app.example.org/welcome?a=b#c",
            "http://127.0.0.1:8080/x",
            "http://[::1]/",
            "http://localhost/",
            "com.example.app:/validated",
            "com.example.app://validated",
        ] {
            assert!(NextLink::parse(good, &policy()).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("http://example.org/", InvalidNextLink::Scheme),
            ("http://localhost.example.org/", InvalidNextLink::Scheme),
            ("javascript:alert(1)", InvalidNextLink::Scheme),
            ("JavaScript:alert(1)", InvalidNextLink::Scheme),
            ("data:text/html,x", InvalidNextLink::Scheme),
            ("file:///etc/passwd", InvalidNextLink::Scheme),
            ("/relative", InvalidNextLink::NotAbsolute),
            ("//example.org", InvalidNextLink::NotAbsolute),
            ("https:example.org", InvalidNextLink::NotAbsolute),
            ("https:/example.org", InvalidNextLink::NotAbsolute),
            ("", InvalidNextLink::NotAbsolute),
            ("https://user@example.org/", InvalidNextLink::UserInfo),
            ("https://user:pw@example.org/", InvalidNextLink::UserInfo),
            ("https://example.org/\r\nSet-Cookie: a=b", InvalidNextLink::Characters),
            ("java\tscript:alert(1)", InvalidNextLink::Characters),
            ("https:\\\\example.org", InvalidNextLink::Characters),
        ] {
            assert_eq!(NextLink::parse(bad, &policy()), Err(error), "{bad}");
        }
    }

    #[test]
    fn a_host_list_is_the_only_way_and_makes_hosts_trusted() {
        let policy = NextLinkPolicy { hosts: Some(vec!["app.example.org".to_owned()]), ..policy() };
        let link = NextLink::parse("https://APP.example.org/", &policy).unwrap();
        assert!(link.is_trusted_by(&policy));
        assert!(!link.is_trusted_by(&NextLinkPolicy::default()));
        assert_eq!(NextLink::parse("https://example.com/", &policy), Err(InvalidNextLink::Host));
        assert_eq!(
            NextLink::parse("https://app.example.org.evil.example/", &policy),
            Err(InvalidNextLink::Host)
        );
    }

    #[test]
    fn sid_is_appended_by_plain_concatenation() {
        let sid = SessionId::from_bytes([0; 22]);
        for (link, expected) in [
            ("https://a.example/", "https://a.example/?sid=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ("https://a.example/?x=1", "https://a.example/?x=1&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ("https://a.example/#/p?x=1", "https://a.example/#/p?x=1&sid=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ] {
            assert_eq!(NextLink::parse(link, &policy()).unwrap().with_sid(&sid), expected);
        }
    }

    proptest! {
        #[test]
        fn accepted_links_are_kept_as_written_and_never_split_a_header(text in "\\PC{0,60}|https://\\PC{0,60}") {
            if let Ok(link) = NextLink::parse(&text, &policy()) {
                prop_assert_eq!(link.as_str(), &text);
                prop_assert!(!link.as_str().contains(['\r', '\n', ' ']));
            }
        }
    }
}
