//! The request templates: URL, headers and body, filled in so that no value can break out.

use minijinja::{Environment, ErrorKind, Output, UndefinedBehavior, Value, context};

use super::HttpGatewaySettingsError as SettingsError;
use crate::{SmsMessage, markup};

/// An honest template of this kind uses a few dozen.
const FUEL: u64 = 20_000;

/// How values are written into a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Inside the quotes of a JSON string.
    JsonString,
    /// As a component of a URL or a form.
    Percent,
    /// As text or an attribute of XML.
    Xml,
    /// As it is.
    Nothing,
}

impl Escape {
    /// Chooses by the media type that the body is sent as.
    pub(super) fn for_content_type(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => Self::Percent,
            "application/xml" | "text/xml" => Self::Xml,
            "application/json" => Self::JsonString,
            other if other.ends_with("+json") => Self::JsonString,
            other if other.ends_with("+xml") => Self::Xml,
            _ => Self::Nothing,
        }
    }

    fn apply(self, text: &str) -> String {
        match self {
            Self::JsonString => {
                let json = serde_json::to_string(text).expect("a string is always JSON");
                json[1..json.len() - 1].to_owned()
            }
            Self::Percent => percent_encoded(text),
            Self::Xml => markup::escape(text),
            Self::Nothing => text.to_owned(),
        }
    }
}

/// Encodes all but RFC 3986's unreserved characters, which URLs and forms both read back.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// One template and the way its values are written.
pub(super) struct RequestTemplate {
    environment: Environment<'static>,
}

impl RequestTemplate {
    /// Compiles the template and fills it in once, with every variable that is set and no other.
    pub(super) fn new(
        key: &'static str,
        source: &str,
        escape: Escape,
        from: Option<&str>,
    ) -> Result<Self, SettingsError> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_formatter(move |out: &mut Output<'_>, _state, value: &Value| {
            // `tojson` and the like have escaped already.
            let text = value.to_string();
            let text = if value.is_safe() { text } else { escape.apply(&text) };
            out.write_str(&text).map_err(|_| ErrorKind::WriteFailure.into())
        });
        environment
            .add_template_owned("request", source.to_owned())
            .map_err(|cause| SettingsError::Template { key, cause })?;
        let template = Self { environment };
        template.render(&sample(), from).map_err(|cause| SettingsError::Template { key, cause })?;
        Ok(template)
    }

    pub(super) fn render(
        &self,
        message: &SmsMessage,
        from: Option<&str>,
    ) -> Result<String, minijinja::Error> {
        let country = message.country.as_deref().unwrap_or("");
        let known = context! { id => &message.id, msisdn => &message.to, text => &message.text, country };
        let context = match from {
            // The same under both names: gateways call it one or the other.
            Some(from) => context! { from, sender => from, ..known },
            None => known,
        };
        self.environment.get_template("request")?.render(context)
    }
}

/// A message with everything in its text that a careless template breaks on.
pub(super) fn sample() -> SmsMessage {
    SmsMessage {
        id: "01936f2e-0000-7000-8000-000000000000".to_owned(),
        to: "447700900123".to_owned(),
        text: "\"Code\" \\ 123456 & <more>\n@example.org #123456".to_owned(),
        country: Some("GB".to_owned()),
        template: "sample",
        date_ms: 0,
        code: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rendered(source: &str, escape: Escape, text: &str) -> String {
        let template = RequestTemplate::new("body", source, escape, Some("Example")).unwrap();
        template.render(&SmsMessage { text: text.to_owned(), ..sample() }, Some("Example")).unwrap()
    }

    #[test]
    fn values_are_written_for_the_media_type() {
        for (content_type, escape) in [
            ("application/json", Escape::JsonString),
            ("application/json; charset=utf-8", Escape::JsonString),
            ("Application/Vnd.Api+JSON", Escape::JsonString),
            ("application/x-www-form-urlencoded", Escape::Percent),
            ("text/xml", Escape::Xml),
            ("application/soap+xml", Escape::Xml),
            ("text/plain", Escape::Nothing),
        ] {
            assert_eq!(Escape::for_content_type(content_type), escape, "{content_type}");
        }
        assert_eq!(
            rendered("to={{ msisdn }}&t={{ text }}&f={{ sender }}", Escape::Percent, "a b&c=+é"),
            "to=447700900123&t=a%20b%26c%3D%2B%C3%A9&f=Example"
        );
        assert_eq!(rendered("<t>{{ text }}</t>", Escape::Xml, "<&>\"'"), "<t>&lt;&amp;&gt;&quot;&#39;</t>");
    }

    #[test]
    fn unknown_variables_are_refused_at_start() {
        assert!(RequestTemplate::new("body", "{{ txt }}", Escape::Nothing, None).is_err());
        assert!(RequestTemplate::new("body", "{{ from }}", Escape::Nothing, None).is_err());
        assert!(RequestTemplate::new("body", "{{ from }}", Escape::Nothing, Some("Ann")).is_ok());
        assert!(RequestTemplate::new("body", "{{ text", Escape::Nothing, None).is_err());
        assert!(
            RequestTemplate::new("body", "{% for i in range(9999999) %}x{% endfor %}", Escape::Nothing, None)
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn any_text_survives_a_json_body(text in any::<String>()) {
            let body = rendered(r#"{"to": "{{ msisdn }}", "text": "{{ text }}", "whole": {{ text | tojson }}}"#, Escape::JsonString, &text);
            let json: serde_json::Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(json["text"].as_str(), Some(text.as_str()));
            prop_assert_eq!(json["whole"].as_str(), Some(text.as_str()));
        }

        #[test]
        fn any_text_survives_a_form_body(text in any::<String>()) {
            let body = rendered("a=1&text={{ text }}&b=2", Escape::Percent, &text);
            let fields: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            prop_assert_eq!(fields.len(), 3);
            prop_assert_eq!(&fields[1].1, &text);
        }
    }
}
