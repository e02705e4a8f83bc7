//! Names of rooms and people that a stranger writes into an invitation, which go into a mail to another stranger.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup},
};

/// A name that can stand in a mail: one line, visible characters, not long, and nothing that a mail program makes a link of.
/// Invitations are otherwise a way to send anybody's words to anybody in this server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationName(String);

impl InvitationName {
    /// The longest name of a room, in characters.
    pub const ROOM_MAX: usize = 30;
    /// The longest name of a person, in characters.
    pub const PERSON_MAX: usize = 20;

    /// What of a text may stand in a mail. `None`: nothing, for it is empty, holds an address or a link, or a word of
    /// `blocked`, which are in lower case.
    pub fn parse(text: &str, longest: usize, blocked: &[String]) -> Option<Self> {
        let visible: String = text.chars().filter_map(visible).collect();
        let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
        let lowered = line.to_lowercase();
        if line.is_empty() || is_link(&lowered) || blocked.iter().any(|word| lowered.contains(word)) {
            return None;
        }
        Some(Self(shortened(line, longest)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The character itself, a blank for what separates, nothing for what can't be seen.
fn visible(c: char) -> Option<char> {
    if c.is_whitespace() || c.is_control() {
        return Some(' ');
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let is_hidden = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    (!is_hidden && !GeneralCategoryGroup::Other.contains(category)).then_some(c)
}

/// Whether a mail program, or a person, could take a part of the text for a link or an address: a scheme, an `@` with text on
/// both sides, or a dot between two characters of a word, as in a domain. Numbers may have dots: `1.2`.
fn is_link(lowered: &str) -> bool {
    if lowered.contains("//") || lowered.contains("www.") || lowered.contains("mailto:") {
        return true;
    }
    let characters: Vec<char> = lowered.chars().collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    characters.windows(3).any(|three| {
        let [before, middle, after] = [three[0], three[1], three[2]];
        let joins = is_dot(middle) && (after.is_alphabetic() || !before.is_numeric() && is_word(after));
        is_word(before) && (joins || middle == '@' && is_word(after))
    })
}

/// A dot, or what a domain may have in its place.
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{2024}' | '\u{fe52}')
}

fn shortened(line: String, longest: usize) -> String {
    match line.char_indices().nth(longest) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(longest.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Option<String> {
        InvitationName::parse(text, InvitationName::ROOM_MAX, &["casino".to_owned()]).map(|name| name.0)
    }

    #[test]
    fn names_become_one_short_visible_line() {
        for (text, expected) in [
            ("Gardening", "Gardening"),
            ("  Garden\r\nBcc: all ", "Garden Bcc: all"),
            ("a\u{200b}b\u{202e}c\u{7}d", "abc d"),
            ("Mr. Brown & Sons", "Mr. Brown & Sons"),
            ("version 1.2", "version 1.2"),
            ("Ünïcödé 🙂", "Ünïcödé 🙂"),
            (&"x".repeat(30), &"x".repeat(30)),
            (&"x".repeat(31), &format!("{}…", "x".repeat(29))),
        ] {
            assert_eq!(name(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn nothing_that_looks_like_a_link_stays() {
        for text in [
            "",
            " \u{200b} ",
            "https://evil.example",
            "HTTPS://evil",
            "//evil",
            "go to evil.example now",
            "evil.example",
            "evil\u{200b}.example",
            "evil。example",
            "evil．example",
            "www.x",
            "1.example",
            "alice@evil",
            "#room:evil.example",
            "mailto:x",
            "The Casino",
        ] {
            assert_eq!(name(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_stays_is_one_line_and_stays_the_same(text in any::<String>()) {
            if let Some(name) = name(&text) {
                prop_assert!(name.chars().count() <= InvitationName::ROOM_MAX && !name.chars().any(char::is_control));
                prop_assert!(!name.contains("://"));
            }
        }
    }
}
