//! The language that a message or page is written in.

use std::fmt;

/// A language tag such as `en` or `pt-BR`: letters, then parts of 1 to 8 letters or digits (RFC 5646, loosely).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Language(String);

impl Language {
    /// Parses a tag of at most 35 characters. `None` if it isn't one; a wildcard isn't.
    pub fn parse(tag: &str) -> Option<Self> {
        let mut parts = tag.split('-');
        let first = parts.next()?;
        let good_first =
            (2..=8).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
        let good_rest = parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        (tag.len() <= 35 && good_first && good_rest).then(|| Self(tag.to_owned()))
    }

    /// The language that an `Accept-Language` header asks for first (RFC 9110, 12.5.4); English if it asks for none.
    pub fn negotiate(accept_language: Option<&str>) -> Self {
        let mut best: Option<(Self, u16)> = None;
        for item in accept_language.unwrap_or_default().split(',').take(20) {
            let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight(parameters);
            let Some(language) = Self::parse(tag.trim()) else { continue };
            if best.as_ref().map_or(0, |(_, weight)| *weight) < weight {
                best = Some((language, weight));
            }
        }
        best.map_or_else(Self::default, |(language, _)| language)
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Language {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A quality value in thousandths; 1000 where none is given, 0 where it makes no sense.
fn weight(parameters: &str) -> u16 {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return 1000;
    }
    let Some(quality) = parameters.strip_prefix("q=").or_else(|| parameters.strip_prefix("Q=")) else {
        return 0;
    };
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    match (whole, fraction) {
        ("1", _) => 1000,
        ("0", digits) if digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{digits:0<3}").parse().unwrap_or(0)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_highest_weight_wins_and_the_first_of_equals() {
        for (header, language) in [
            (None, "en"),
            (Some("de"), "de"),
            (Some("fr;q=0.5, pt-BR;q=0.9, *;q=0.1"), "pt-BR"),
            (Some("fr, de"), "fr"),
            (Some("*"), "en"),
            (Some("de;q=0"), "en"),
            (Some("de;Q=0.1, fr ; q=0.2"), "fr"),
            (Some("de; q = 1, fr;q=0.1"), "fr"),
            (Some("de;q=0.1234, fr;q=0.001"), "fr"),
            (Some("de;q=, fr;q=-1, pt;q=2"), "en"),
            (Some(",;, ,de"), "de"),
            (Some("../../etc, de"), "de"),
        ] {
            assert_eq!(Language::negotiate(header).as_str(), language, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn negotiate_gives_a_language_for_any_header(header in "\\PC{0,80}") {
            let language = Language::negotiate(Some(&header));
            prop_assert_eq!(Language::parse(language.as_str()), Some(language));
        }
    }
}
