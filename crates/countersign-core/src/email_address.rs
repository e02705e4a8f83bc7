//! Email addresses in the one form in which they are stored, compared, hashed and written to.
//!
//! The canonical form is the Unicode full case folding of the whole address, without normalization
//! ([spec](https://spec.matrix.org/v1.19/appendices/#e-mail)). What is not plainly a mailbox is refused,
//! never repaired: a repaired address is somebody else's.

use std::{borrow::Cow, fmt};

use icu_casemap::CaseMapper;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup},
};
use idna::{
    AsciiDenyList,
    uts46::{DnsLength, Hyphens, Uts46},
};
use thiserror::Error;

/// The most bytes in an address: an SMTP path of 256 without its angle brackets (RFC 5321, 4.5.3.1.3).
const MAX_ADDRESS_BYTES: usize = 254;
/// The most bytes in a local part (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_PART_BYTES: usize = 64;

/// An email address in canonical form.
///
/// `Debug` shows the masked form, so that an address cannot reach a log by accident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    canonical: String,
    at: usize,
}

/// Why a string is not an email address; the sentences are for the client that sent it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidEmailAddress {
    /// Over 254 bytes, as given or in canonical form.
    #[error("The email address is longer than 254 bytes")]
    TooLong,
    /// No `@`, or more than one.
    #[error("An email address has exactly one @")]
    NotOneAt,
    /// Over 64 bytes before the `@`, as given or in canonical form.
    #[error("The part of the email address before the @ is longer than 64 bytes")]
    LocalPartTooLong,
    /// The local part is not a dot-atom: empty, quoted, spaced, commented, or with invisible characters.
    #[error("The part of the email address before the @ is empty or has characters that are not allowed")]
    LocalPart,
    /// The domain is not a fully qualified host name.
    #[error("The part of the email address after the @ is not a domain name")]
    Domain,
    /// The domain is written in Unicode, on whose comparison the specification is silent.
    #[error("Write the domain of the email address in its ASCII form: {ascii_domain}")]
    UnicodeDomain {
        /// The A-label form of the domain, which would have been accepted.
        ascii_domain: String,
    },
}

impl EmailAddress {
    /// Parses and canonicalizes an address; a canonical address parses to itself.
    ///
    /// Accepts a dot-atom of visible characters of any script, an `@`, and an ASCII domain of at least two
    /// labels. Quoted local parts, comments, display names and address literals are refused.
    pub fn parse(address: &str) -> Result<Self, InvalidEmailAddress> {
        let (local_part, domain) = split(address)?;
        check_local_part(local_part)?;
        let domain = canonical_domain(domain)?;

        let local_part = CaseMapper::new().fold_string(local_part);
        let canonical = format!("{local_part}@{domain}");
        // Folding lengthens some letters (`ΐ` from 2 bytes to 6), so the limits are checked again.
        split(&canonical)?;
        check_local_part(&local_part)?;
        Ok(Self { at: local_part.len(), canonical })
    }

    /// Returns the canonical address.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// Returns what precedes the `@`.
    pub fn local_part(&self) -> &str {
        &self.canonical[..self.at]
    }

    /// Returns what follows the `@`: lower-case ASCII, internationalized labels as A-labels.
    pub fn domain(&self) -> &str {
        &self.canonical[self.at + 1..]
    }

    /// Returns a form for pages and logs that its owner recognizes and nobody else can complete: `a…@e….org`.
    pub fn masked(&self) -> String {
        let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
        let top_level = self.domain().rsplit('.').next().unwrap_or_default();
        format!("{}…@{}….{top_level}", first(self.local_part()), first(self.domain()))
    }

    /// What of the address may stand where all members of a room see it: the first character of each side, but never a whole
    /// side, and nothing of how long they are.
    pub fn redacted(&self) -> String {
        let start = |side: &str| match side.char_indices().nth(1) {
            Some((end, _)) => side[..end].to_owned(),
            None => String::new(),
        };
        format!("{}...@{}...", start(self.local_part()), start(self.domain()))
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EmailAddress({})", self.masked())
    }
}

/// Splits an address of a permitted length at its only `@`.
fn split(address: &str) -> Result<(&str, &str), InvalidEmailAddress> {
    if MAX_ADDRESS_BYTES < address.len() {
        return Err(InvalidEmailAddress::TooLong);
    }
    match address.split_once('@') {
        Some((local_part, domain)) if !domain.contains('@') => Ok((local_part, domain)),
        Some(_) | None => Err(InvalidEmailAddress::NotOneAt),
    }
}

/// Checks for a dot-atom (RFC 5322, 3.2.3) widened to other scripts (RFC 6531, 3.3).
fn check_local_part(local_part: &str) -> Result<(), InvalidEmailAddress> {
    if MAX_LOCAL_PART_BYTES < local_part.len() {
        return Err(InvalidEmailAddress::LocalPartTooLong);
    }
    let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atom_text);
    if local_part.split('.').all(is_atom) { Ok(()) } else { Err(InvalidEmailAddress::LocalPart) }
}

/// Whether a character may stand in an atom.
///
/// Beyond ASCII that is whatever has a fixed, visible meaning: no spaces, no controls, nothing that
/// displays as nothing, and no unassigned code points, whose case folding a later Unicode may change.
fn is_atom_text(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let is_hidden = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    !GeneralCategoryGroup::Separator.union(GeneralCategoryGroup::Other).contains(category) && !is_hidden
}

/// Checks a domain and puts it in lower case.
fn canonical_domain(domain: &str) -> Result<String, InvalidEmailAddress> {
    let ascii_domain = to_ascii(domain).ok_or(InvalidEmailAddress::Domain)?;
    if !domain.is_ascii() {
        return Err(InvalidEmailAddress::UnicodeDomain { ascii_domain: ascii_domain.into_owned() });
    }
    Ok(ascii_domain.into_owned())
}

/// Maps a domain to lower-case ASCII (UTS #46), or nothing if no mail exchanger can have such a name.
///
/// Letters, digits and inner hyphens; A-labels that decode and encode to themselves, other labels with
/// `--` in third and fourth place being reserved (RFC 5890, 2.3.1); at least two labels; lengths as in the DNS.
fn to_ascii(domain: &str) -> Option<Cow<'_, str>> {
    let uts46 = Uts46::new();
    let ascii =
        uts46.to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify).ok()?;
    // No top-level domain ends in a digit: A-labels cannot (RFC 3492, 3.3), and 127.0.0.1 is not a name.
    let is_name = ascii.contains('.') && ascii.ends_with(|c: char| c.is_ascii_alphabetic());
    is_name.then_some(ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(address: &str) -> String {
        EmailAddress::parse(address).unwrap().as_str().to_owned()
    }

    fn refusal(address: &str) -> InvalidEmailAddress {
        EmailAddress::parse(address).unwrap_err()
    }

    #[test]
    fn whole_address_is_case_folded_and_not_normalized() {
        for (address, expected) in [
            ("Strauß@Example.com", "strauss@example.com"),
            ("STRAUẞ@example.com", "strauss@example.com"),
            ("\u{212A}@example.com", "k@example.com"),
            ("ﬁ@example.com", "fi@example.com"),
            ("ΣΑΣ@example.com", "σασ@example.com"),
            ("σας@example.com", "σασ@example.com"),
            ("İ@example.com", "i\u{307}@example.com"),
            ("ı@example.com", "ı@example.com"),
            ("É@example.com", "é@example.com"),
            ("E\u{301}@example.com", "e\u{301}@example.com"),
            ("u@XN--MNCHEN-3YA.Example", "u@xn--mnchen-3ya.example"),
            ("First.Last+Tag@Example.com", "first.last+tag@example.com"),
        ] {
            assert_eq!(canonical(address), expected, "{address}");
        }
    }

    #[test]
    fn two_parts_are_told_apart() {
        let address = EmailAddress::parse("Strauß@Mail.Example.com").unwrap();
        assert_eq!(address.local_part(), "strauss");
        assert_eq!(address.domain(), "mail.example.com");
    }

    #[test]
    fn address_with_other_than_one_at_is_refused() {
        for address in ["", "a", "example.com", "a@b@example.com", "a@@example.com", "\"a@b\"@example.com"] {
            assert_eq!(refusal(address), InvalidEmailAddress::NotOneAt, "{address}");
        }
    }

    #[test]
    fn local_part_that_is_no_visible_dot_atom_is_refused() {
        for local_part in [
            "",
            ".a",
            "a.",
            "a..b",
            "a b",
            " a",
            "\"a\"",
            "(c)a",
            "<a",
            "mailto:a",
            "a,b",
            "a\r\nb",
            "a\0",
            "a\u{7f}",
            "a\u{85}",
            "a\u{a0}b",
            "a\u{ad}b",
            "a\u{200b}",
            "a\u{202e}b",
            "a\u{2028}b",
            "\u{feff}a",
            "a\u{3164}",
            "a\u{e000}",
            "a\u{378}",
            "a\u{10ffff}",
        ] {
            let address = format!("{local_part}@example.com");
            assert_eq!(refusal(&address), InvalidEmailAddress::LocalPart, "{local_part:?}");
        }
    }

    #[test]
    fn domain_that_is_no_qualified_host_name_is_refused() {
        for domain in [
            "",
            "localhost",
            "example.com.",
            ".example.com",
            "example..com",
            "-example.com",
            "example-.com",
            "ex_ample.com",
            "exam ple.com",
            "example.com\r\n",
            "example.com:25",
            "example.com/x",
            "[127.0.0.1]",
            "127.0.0.1",
            "1.2.3",
            "ab--cd.example.com",
            "xn--a.com",
            "xn--zz.example.com",
            "xn--example-.com",
            "xn--Mnchen-3yaü.com",
            "\u{200b}.com",
        ] {
            assert_eq!(refusal(&format!("a@{domain}")), InvalidEmailAddress::Domain, "{domain:?}");
        }
    }

    #[test]
    fn unicode_domain_is_refused_with_its_ascii_form() {
        let error = refusal("secret@München.example");
        assert_eq!(
            error,
            InvalidEmailAddress::UnicodeDomain { ascii_domain: "xn--mnchen-3ya.example".into() }
        );
        assert_eq!(
            error.to_string(),
            "Write the domain of the email address in its ASCII form: xn--mnchen-3ya.example"
        );
        assert_eq!(canonical("a@xn--mnchen-3ya.example"), "a@xn--mnchen-3ya.example");
        // The Kelvin sign folds to an ASCII letter, and is refused all the same.
        assert!(matches!(refusal("a@\u{212A}.example"), InvalidEmailAddress::UnicodeDomain { .. }));
    }

    #[test]
    fn limits_hold_before_and_after_folding() {
        let at_limit = format!("{}@example.com", "a".repeat(64));
        assert_eq!(canonical(&at_limit), at_limit);
        assert_eq!(refusal(&format!("a{at_limit}")), InvalidEmailAddress::LocalPartTooLong);

        // U+0390 folds from two bytes to six, U+1E9E from three to two.
        assert_eq!(EmailAddress::parse(&format!("{}@example.com", "ΐ".repeat(10))).unwrap().at, 60);
        let grows = format!("{}@example.com", "ΐ".repeat(11));
        assert_eq!(refusal(&grows), InvalidEmailAddress::LocalPartTooLong);
        let shrinks = format!("{}@example.com", "ẞ".repeat(22));
        assert_eq!(refusal(&shrinks), InvalidEmailAddress::LocalPartTooLong);

        let domain = format!("{0}.{0}.{0}.com", "d".repeat(60));
        assert_eq!(domain.len(), 186);
        assert_eq!(refusal(&format!("{}@{domain}", "a".repeat(68))), InvalidEmailAddress::TooLong);
        let long_domain = format!("{}.{domain}", "d".repeat(20));
        assert_eq!(canonical(&format!("{}@{long_domain}", "a".repeat(46))).len(), 254);
        assert_eq!(refusal(&format!("{}@{long_domain}", "a".repeat(47))), InvalidEmailAddress::TooLong);
        assert_eq!(refusal(&format!("{}@{long_domain}", "ΐ".repeat(8))), InvalidEmailAddress::TooLong);
    }

    #[test]
    fn masked_form_and_debug_reveal_two_initials_and_the_top_level_domain() {
        for (address, expected) in [
            ("alice@mail.example.org", "a…@m….org"),
            ("a@b.co", "a…@b….co"),
            ("Ωmega@example.org", "ω…@e….org"),
            ("🙂x@example.org", "🙂…@e….org"),
        ] {
            let address = EmailAddress::parse(address).unwrap();
            assert_eq!(address.masked(), expected);
            assert_eq!(format!("{address:?}"), format!("EmailAddress({expected})"));
        }
    }

    #[test]
    fn the_redacted_form_reveals_two_initials_and_no_whole_side() {
        for (address, expected) in [
            ("alice@mail.example.org", "a...@m..."),
            ("foo@bar.com", "f...@b..."),
            ("a@b.co", "...@b..."),
            ("Ωmega@example.org", "ω...@e..."),
            ("🙂@example.org", "...@e..."),
        ] {
            assert_eq!(EmailAddress::parse(address).unwrap().redacted(), expected);
        }
    }

    #[test]
    fn errors_do_not_repeat_the_local_part() {
        for address in ["secret", "secret@x@y", "secret @example.com", "secret@-.com", "secret@ü.example"] {
            let error = refusal(address);
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn every_code_point_that_is_accepted_folds_to_a_canonical_form() {
        for c in '\0'..=char::MAX {
            if let Ok(address) = EmailAddress::parse(&format!("{c}@example.com")) {
                assert_eq!(EmailAddress::parse(address.as_str()).as_ref(), Ok(&address), "{c:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_string_parses_to_a_fixed_point_or_is_refused(
            address in prop_oneof![any::<String>(), r"\PC{0,20}@[a-zA-Z0-9.\-]{0,20}", r"[\pL\pM\pN.]{1,9}@[A-Z]{1,9}\.com"],
        ) {
            if let Ok(parsed) = EmailAddress::parse(&address) {
                prop_assert_eq!(EmailAddress::parse(parsed.as_str()), Ok(parsed.clone()));
                prop_assert!(parsed.as_str().len() <= MAX_ADDRESS_BYTES);
                prop_assert!(parsed.domain().is_ascii());
                prop_assert_eq!(format!("{}@{}", parsed.local_part(), parsed.domain()), parsed.as_str());
                prop_assert!(!parsed.masked().contains(parsed.as_str()));
                prop_assert!(!parsed.as_str().contains(char::is_whitespace));
            }
        }

        #[test]
        fn case_makes_no_difference(local_part in r"[a-zß-öø-ÿα-ωа-я0-9+_]{1,12}") {
            let lower = EmailAddress::parse(&format!("{local_part}@example.com")).unwrap();
            let upper = EmailAddress::parse(&format!("{}@EXAMPLE.COM", local_part.to_uppercase())).unwrap();
            prop_assert_eq!(lower, upper);
        }
    }
}
