//! Errors of the client library in words for the person at the terminal.

use std::time::Duration;

use countersign_client::{Error, ErrorBody, ErrorCode, UiaInfo};

use super::answer::printable;

/// Puts into words what went wrong with a request to `url`.
pub(super) fn explain(error: Error, url: &str) -> anyhow::Error {
    let words = error.status().and_then(|status| {
        let subject = refusal(status, error.body(), error.uia())?;
        Some(subject + advice(error.body(), error.retry_after()).as_str())
    });
    match words {
        Some(words) => anyhow::Error::msg(words),
        None if error.is_connect() => anyhow::Error::new(error).context(format!("can't reach {url}")),
        None => error.into(),
    }
}

/// What the node refused and why, if it says so in the protocol's own way.
fn refusal(status: u16, body: Option<&ErrorBody>, uia: Option<&UiaInfo>) -> Option<String> {
    match (body, uia) {
        (Some(body), _) => {
            let errcode = printable(body.errcode.as_str());
            let message = printable(&body.error);
            let colon = if message.is_empty() { "" } else { ": " };
            Some(format!("{errcode} ({status}){colon}{message}"))
        }
        (None, Some(uia)) => {
            let flows: Vec<String> = uia.flows.iter().map(|flow| flow.stages.join(" then ")).collect();
            Some(format!(
                "the node wants another authentication ({status}): {}",
                printable(&flows.join(", or "))
            ))
        }
        (None, None) => None,
    }
}

/// What would help.
fn advice(body: Option<&ErrorBody>, retry_after: Option<Duration>) -> String {
    let resend = body.is_some_and(|body| body.extra.get("resend") == Some(&true.into()));
    let mut advice = String::new();
    if body.is_some_and(|body| body.errcode == ErrorCode::TermsNotSigned) {
        advice += ", identity terms shows the policies, identity accept-terms accepts them";
    }
    if resend {
        advice += ", request-token with a higher --send-attempt sends another";
    }
    if let Some(wait) = retry_after {
        // Rounded up: a moment too early is refused again.
        let seconds = wait.as_secs() + u64::from(0 < wait.subsec_nanos());
        advice += &format!(", retry in {seconds} s");
    }
    advice
}

#[cfg(test)]
mod tests {
    use countersign_client::UiaFlow;

    use super::*;

    #[test]
    fn a_refusal_says_code_status_and_message() {
        let body = ErrorBody::new(ErrorCode::ThreepidInUse, "This address is on an account already");
        let words = refusal(400, Some(&body), None).unwrap();
        assert_eq!(words, "M_THREEPID_IN_USE (400): This address is on an account already");
        assert_eq!(advice(Some(&body), None), "");
        let silent = ErrorBody::new(ErrorCode::Unknown, "");
        assert_eq!(refusal(500, Some(&silent), None).unwrap(), "M_UNKNOWN (500)");
        assert_eq!(refusal(502, None, None), None);
    }

    #[test]
    fn the_wait_is_rounded_up() {
        assert_eq!(advice(None, Some(Duration::from_secs(12))), ", retry in 12 s");
        assert_eq!(advice(None, Some(Duration::from_millis(11_001))), ", retry in 12 s");
    }

    #[test]
    fn a_code_that_came_too_late_says_how_to_get_another() {
        let mut body = ErrorBody::new(ErrorCode::SessionExpired, "Too old");
        body.extra.insert("resend".to_owned(), true.into());
        assert_eq!(advice(Some(&body), None), ", request-token with a higher --send-attempt sends another");
    }

    #[test]
    fn policies_that_wait_for_consent_are_pointed_to() {
        let body = ErrorBody::new(ErrorCode::TermsNotSigned, "Accept the terms first");
        let expected = ", identity terms shows the policies, identity accept-terms accepts them";
        assert_eq!(advice(Some(&body), None), expected);
    }

    #[test]
    fn an_authentication_that_the_library_cannot_give_is_named() {
        let flow =
            |stages: &[&str]| UiaFlow { stages: stages.iter().map(|&stage| stage.to_owned()).collect() };
        let flows = vec![flow(&["m.login.dummy", "m.login.terms"]), flow(&["m.login.email.identity"])];
        let uia = UiaInfo { flows, ..UiaInfo::default() };
        assert_eq!(
            refusal(401, None, Some(&uia)).unwrap(),
            "the node wants another authentication (401): m.login.dummy then m.login.terms, or m.login.email.identity"
        );
        let failed = ErrorBody::new(ErrorCode::Forbidden, "Wrong username or password");
        assert_eq!(
            refusal(401, Some(&failed), Some(&uia)).unwrap(),
            "M_FORBIDDEN (401): Wrong username or password"
        );
    }

    #[test]
    fn a_node_cannot_write_to_the_terminal_what_it_wants() {
        let body = ErrorBody::new(ErrorCode::Other("M_\u{1b}[2J".to_owned()), "a\nb\u{9b}c");
        assert_eq!(refusal(400, Some(&body), None).unwrap(), "M_[2J (400): abc");
    }
}
