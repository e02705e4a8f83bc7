//! Base64 as the protocol writes it: without padding, and read in whatever way others write it
//! ([spec](https://spec.matrix.org/v1.19/appendices/#unpadded-base64)).

use base64::{
    Engine, alphabet,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig,
        general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
    },
};
use thiserror::Error;
use zeroize::Zeroizing;

/// Takes padding or none, and bits at the end that no byte uses: the seed of the specification's own examples has such.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Text that is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is not base64")]
pub struct InvalidBase64;

/// Writes bytes in the standard alphabet, without padding: signatures and long-term public keys.
pub fn encode_base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// Writes bytes in the URL-safe alphabet, without padding: what stands in a query or a path.
pub fn encode_base64_url_safe(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64 of either alphabet, with or without padding.
///
/// # Errors
/// When it has other characters, blanks included, or no bytes have this length.
pub fn decode_base64(text: &str) -> Result<Zeroizing<Vec<u8>>, InvalidBase64> {
    let standard = Zeroizing::new(text.replace('-', "+").replace('_', "/"));
    LENIENT.decode(standard.as_bytes()).map(Zeroizing::new).map_err(|_| InvalidBase64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_alphabets_padding_and_spare_bits_are_read() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg", b"f"),
            ("Zg==", b"f"),
            ("Zh", b"f"),
            ("Zm8", b"fo"),
            ("Zm8=", b"fo"),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
        ] {
            assert_eq!(decode_base64(text).unwrap().as_slice(), bytes, "{text}");
        }
        for bad in ["Z", "Zm8 ", " Zg", "Zg=\n", "Z===", "====", "Zg==Zg==", "é"] {
            assert_eq!(decode_base64(bad), Err(InvalidBase64), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for text in [encode_base64(&bytes), encode_base64_url_safe(&bytes)] {
                prop_assert!(!text.contains('='));
                prop_assert_eq!(&**decode_base64(&text).unwrap(), &bytes);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = decode_base64(&text);
        }
    }
}
