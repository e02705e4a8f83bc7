//! Phone numbers in the one form in which they are stored, compared, hashed and written to.
//!
//! The canonical form is E.164 without the plus sign
//! ([spec](https://spec.matrix.org/v1.19/appendices/#pstn-phone-numbers)). Reading what people type is
//! libphonenumber's trade; this file is the thin wrapper that makes its answer strict and stable.

use std::fmt;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, Region};
use thiserror::Error;

/// The most bytes worth reading: fifteen digits of any script with generous punctuation.
const MAX_INPUT_BYTES: usize = 64;

/// A phone number in canonical form: E.164 digits, country calling code first, no plus sign.
///
/// `Debug` shows the masked form, so that a number cannot reach a log by accident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Msisdn(String);

/// Why a string is not a phone number; the sentences are for the client that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidMsisdn {
    /// `country` is not two upper-case ASCII letters.
    #[error("The country is not a two-letter upper-case ISO 3166-1 code")]
    MalformedCountry,
    /// `country` has no numbering plan of its own.
    #[error("The country is not one with phone numbers")]
    UnknownCountry,
    /// Over 64 bytes, and therefore not read at all.
    #[error("The phone number is too long")]
    InputTooLong,
    /// Not readable as a phone number, or of a calling code that is not in use.
    #[error("This is not a phone number")]
    NotANumber,
    /// A number with an extension: no message can be sent to it.
    #[error("A phone number with an extension cannot receive messages")]
    Extension,
    /// A length that no number of its numbering plan has, or that can only be dialed locally.
    #[error("The phone number does not have a possible length")]
    NotPossible,
    /// An address that should have been E.164 digits already, and is not.
    #[error("The phone number is not in its canonical form, E.164 digits only")]
    NotCanonical,
}

impl Msisdn {
    /// Reads a number as if dialed from `country`, and canonicalizes it.
    ///
    /// A leading `+` or the international prefix of `country` makes it a number of any country. The number
    /// must be possible, not valid: ranges are assigned faster than nodes are updated, and fictional numbers
    /// are never assigned.
    pub fn parse(country: &str, phone_number: &str) -> Result<Self, InvalidMsisdn> {
        let region = parse_country(country)?;
        let number = read(phone_number, Some(region))?;
        let canonical = e164(&number);
        // A number in no assigned range may begin with what a second reading takes for a trunk prefix, and
        // then has no canonical form.
        Self::from_canonical(&canonical).map_err(|_| InvalidMsisdn::NotPossible)
    }

    /// Takes a number that is in canonical form already, tolerating a leading `+`.
    pub fn from_canonical(address: &str) -> Result<Self, InvalidMsisdn> {
        let digits = address.strip_prefix('+').unwrap_or(address);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidMsisdn::NotCanonical);
        }
        let number = read(&format!("+{digits}"), None)?;
        if e164(&number) != digits {
            return Err(InvalidMsisdn::NotCanonical);
        }
        Ok(Self(digits.to_owned()))
    }

    /// Returns the canonical digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the ISO 3166-1 code of the country that the number belongs to.
    ///
    /// For a number in no assigned range, that is the main country of its calling code (`US` for 1); for
    /// satellite and other international networks, nothing.
    pub fn country(&self) -> Option<String> {
        let number = read(&format!("+{}", self.0), None).ok()?;
        let region = PHONE_NUMBER_UTIL
            .get_region_for_number(&number)
            .or_else(|| PHONE_NUMBER_UTIL.get_region_for_country_code(number.country_code))?;
        if region == Region::World { None } else { Some(region.to_string()) }
    }

    /// Returns a form for pages and logs that its owner recognizes and nobody else can complete: `+44…01`.
    pub fn masked(&self) -> String {
        // A short number gives away its last two digits only. Digits are ASCII: any index is a boundary.
        let start = if self.0.len() < 9 { "" } else { &self.0[..2] };
        format!("+{start}…{}", &self.0[self.0.len().saturating_sub(2)..])
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Msisdn({})", self.masked())
    }
}

fn parse_country(country: &str) -> Result<Region, InvalidMsisdn> {
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(InvalidMsisdn::MalformedCountry);
    }
    let region = Region::from_code(country).map_err(|_| InvalidMsisdn::MalformedCountry)?;
    match PHONE_NUMBER_UTIL.get_country_code_for_region(region) {
        Some(_) => Ok(region),
        None => Err(InvalidMsisdn::UnknownCountry),
    }
}

/// Reads a possible number without an extension.
fn read(phone_number: &str, region: Option<Region>) -> Result<PhoneNumber, InvalidMsisdn> {
    if MAX_INPUT_BYTES < phone_number.len() {
        return Err(InvalidMsisdn::InputTooLong);
    }
    if has_scheme_after_context(phone_number) {
        return Err(InvalidMsisdn::NotANumber);
    }
    if has_second_extension(phone_number) {
        return Err(InvalidMsisdn::Extension);
    }
    let number = PHONE_NUMBER_UTIL.parse(phone_number, region).map_err(|_| InvalidMsisdn::NotANumber)?;
    if number.extension.is_some() {
        return Err(InvalidMsisdn::Extension);
    }
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
        Ok(NumberLengthType::IsPossible) => Ok(number),
        // Lengths are those of a calling code's main country: Canada's 310-1234 is assigned, but in the
        // United States seven digits are a local number.
        Ok(NumberLengthType::IsPossibleLocalOnly) if PHONE_NUMBER_UTIL.is_valid_number(&number) => Ok(number),
        Ok(NumberLengthType::IsPossibleLocalOnly) | Err(_) => Err(InvalidMsisdn::NotPossible),
    }
}

/// Whether `tel:` comes after `;phone-context=`, an order over which the library's slicing panics.
fn has_scheme_after_context(phone_number: &str) -> bool {
    match (phone_number.find(";phone-context="), phone_number.find("tel:")) {
        (Some(context), Some(scheme)) => context < scheme,
        _ => false,
    }
}

/// Whether there is a mark like that in `x302/x2303`, at which the library drops part of the text.
fn has_second_extension(phone_number: &str) -> bool {
    phone_number.split(['/', '\\']).skip(1).any(|rest| rest.trim_start_matches(' ').starts_with('x'))
}

fn e164(number: &PhoneNumber) -> String {
    format!("{}{}", number.country_code, number.get_national_significant_number())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(country: &str, phone_number: &str) -> String {
        Msisdn::parse(country, phone_number).unwrap().0
    }

    fn refusal(country: &str, phone_number: &str) -> InvalidMsisdn {
        Msisdn::parse(country, phone_number).unwrap_err()
    }

    #[test]
    fn number_is_read_as_if_dialed_from_the_country() {
        for (country, phone_number, expected) in [
            ("GB", "07700900001", "447700900001"),
            ("GB", "7700900001", "447700900001"),
            ("GB", "+44 7700 900001", "447700900001"),
            ("GB", "0044 7700 900001", "447700900001"),
            ("US", "011 44 7700 900001", "447700900001"),
            ("GB", "+33 6 12 34 56 78", "33612345678"),
            ("US", "1-800-555-2067", "18005552067"),
            ("US", "(555) 123-4567", "15551234567"),
            ("IT", "02 1234 5678", "390212345678"),
            ("AR", "011 15 2345-6789", "5491123456789"),
            ("RU", "8 (912) 345-67-89", "79123456789"),
            ("GB", "+878 10 123 456 7890", "878101234567890"),
            ("CA", "310-1234", "13101234"), // seven digits, and assigned
        ] {
            assert_eq!(canonical(country, phone_number), expected, "{country} {phone_number}");
        }
    }

    #[test]
    fn usual_ways_of_writing_a_number_are_read() {
        for phone_number in [
            "tel:+44-7911-123456",
            "tel:7911123456;phone-context=+44",
            "tel:07911123456;phone-context=example.com",
            "Tel: 07911 123456",
            "  07911 123456\t",
            "07911\u{a0}123456\u{200b}",
            "+44\u{ad}7911123456",
            "++447911123456",
            "\u{ff0b}447911123456",
            "+44 (0)7911 123456",
            "+44 07911 123456",
            "０７９１１　１２３４５６",
            "٠٧٩١١ ١٢٣٤٥٦",
            "०७९११ १२३४५६",
            "07911–123456",
        ] {
            assert_eq!(canonical("GB", phone_number), "447911123456", "{phone_number:?}");
        }
        assert_eq!(canonical("US", "1-800-GOFEDEX"), "18004633339");
    }

    #[test]
    fn country_that_is_no_upper_case_code_is_refused_even_with_a_plus_number() {
        for country in ["", "G", "gb", "Gb", "GBR", "44", "001", "G1", "ＧＢ", "é"] {
            for phone_number in ["07911123456", "+447911123456"] {
                assert_eq!(refusal(country, phone_number), InvalidMsisdn::MalformedCountry, "{country}");
            }
        }
        for country in ["ZZ", "EU", "UK", "AA", "TF"] {
            for phone_number in ["07911123456", "+447911123456"] {
                assert_eq!(refusal(country, phone_number), InvalidMsisdn::UnknownCountry, "{country}");
            }
        }
    }

    #[test]
    fn what_is_no_phone_number_is_refused() {
        for phone_number in [
            "",
            "abc",
            "+",
            "()",
            "7",
            "+999 123456789",
            "+0 123 456 789",
            "+447911123456/+447911123457",
            "+44 7911 123456; DROP TABLE x",
            ";phone-context=+44;tel:7911123456",
            "tel:7911123456;phone-context=",
        ] {
            assert_eq!(refusal("GB", phone_number), InvalidMsisdn::NotANumber, "{phone_number}");
        }
        let long = format!("07911123456{}", " ".repeat(54));
        assert_eq!(refusal("GB", &long), InvalidMsisdn::InputTooLong);
        assert_eq!(canonical("GB", &long[..64]), "447911123456");
    }

    #[test]
    fn number_of_an_impossible_length_is_refused() {
        for (country, phone_number) in [
            ("GB", "12"),
            ("GB", "740012"), // local only
            ("DE", "110"),
            ("US", "555-1234"), // local only
            ("US", "+1 24625012347"),
            ("US", "447911123456e0"),
            ("NG", "00 234 802 123 4567"), // strips to a number from which more would be stripped
        ] {
            assert_eq!(refusal(country, phone_number), InvalidMsisdn::NotPossible, "{phone_number}");
        }
    }

    #[test]
    fn number_with_an_extension_is_refused() {
        for phone_number in [
            "07911 123456 ext. 12",
            "07911 123456 x12",
            "+44 7911 123456 #12",
            "tel:+447911123456;ext=4",
            "+447911123456,,4",
            "07911 123456 x302/x2303",
            "07911 123456 \\ x2303",
            "020\n07911 123456/x",
        ] {
            assert_eq!(refusal("GB", phone_number), InvalidMsisdn::Extension, "{phone_number}");
        }
    }

    #[test]
    fn canonical_address_is_taken_with_and_without_plus_and_nothing_else_is() {
        for address in ["447700900001", "+447700900001"] {
            assert_eq!(Msisdn::from_canonical(address).unwrap().as_str(), "447700900001");
        }
        for address in
            ["", "+", "++447700900001", "44 7700900001", "4407700900001", "٤٤٧٧٠٠٩٠٠٠٠١", "+44-7700900001"]
        {
            assert_eq!(Msisdn::from_canonical(address), Err(InvalidMsisdn::NotCanonical), "{address}");
        }
        assert_eq!(Msisdn::from_canonical("07700900001"), Err(InvalidMsisdn::NotANumber));
        assert_eq!(Msisdn::from_canonical("4412"), Err(InvalidMsisdn::NotPossible));
        assert_eq!(Msisdn::from_canonical(&"4".repeat(64)), Err(InvalidMsisdn::InputTooLong));
    }

    #[test]
    fn country_is_that_of_the_number_and_not_of_the_caller() {
        for (phone_number, expected) in [
            ("+447911123456", Some("GG")), // Guernsey
            ("+447700900001", Some("GB")), // fictional
            ("+15551234567", Some("US")),  // in no assigned range
            ("+12684641234", Some("AG")),
            ("+33612345678", Some("FR")),
            ("+878101234567890", None),
        ] {
            let country = Msisdn::parse("GB", phone_number).unwrap().country();
            assert_eq!(country.as_deref(), expected, "{phone_number}");
        }
    }

    #[test]
    fn masked_form_and_debug_reveal_four_digits_at_most() {
        let msisdn = Msisdn::from_canonical("447700900001").unwrap();
        assert_eq!(msisdn.masked(), "+44…01");
        assert_eq!(format!("{msisdn:?}"), "Msisdn(+44…01)");
        assert_eq!(Msisdn::from_canonical("6907290").unwrap().masked(), "+…90");
    }

    /// Strings that look like what people, and attackers, put into the field.
    fn phone_like() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[0-9]{1,9}",
            1 => "[+＋()/.x#,;*~ \u{ad}\u{200b}\u{3000}-]{1,3}",
            1 => "[०-९０-９٠-٩]{1,4}",
            1 => prop::sample::select(vec!["tel:", ";ext=", ";phone-context=", ";isub=", "ext", "+44", "00"])
                .prop_map(str::to_owned),
            1 => "\\PC{0,3}",
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    fn country() -> impl Strategy<Value = String> {
        prop::sample::select(PHONE_NUMBER_UTIL.get_supported_regions().collect::<Vec<_>>())
            .prop_map(|region| region.to_string())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_string_parses_to_a_fixed_point_or_is_refused(
            country in country(),
            phone_number in prop_oneof![phone_like(), "\\+?[0-9]{4,17}", any::<String>()],
        ) {
            if let Ok(msisdn) = Msisdn::parse(&country, &phone_number) {
                prop_assert_eq!(Msisdn::from_canonical(msisdn.as_str()), Ok(msisdn.clone()));
                prop_assert_eq!(Msisdn::parse(&country, &format!("+{}", msisdn.as_str())), Ok(msisdn.clone()));
                prop_assert!(msisdn.as_str().bytes().all(|byte| byte.is_ascii_digit()));
                prop_assert!((6..=19).contains(&msisdn.as_str().len()), "{}", msisdn.as_str());
                prop_assert!(!msisdn.masked().contains(msisdn.as_str()));
                msisdn.country();
            }
        }

        #[test]
        fn any_country_and_any_address_parse_or_are_refused(country in any::<String>(), address in any::<String>()) {
            let _ = Msisdn::parse(&country, &address);
            let _ = Msisdn::from_canonical(&address);
        }
    }
}
