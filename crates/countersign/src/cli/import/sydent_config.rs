//! The signing key in a sydent.conf.

use anyhow::{Result, anyhow, bail};
use countersign_core::{SigningKey, SigningKeyId};
use zeroize::Zeroizing;

/// The section and the option that hold it.
const SECTION: &str = "[crypto]";
const OPTION: &str = "ed25519.signingkey";

/// Finds the key in the text of a sydent.conf.
pub(super) fn signing_key(text: &str) -> Result<SigningKey> {
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        }
        let Some((name, value)) = line.split_once(['=', ':']) else { continue };
        if section == SECTION && name.trim().eq_ignore_ascii_case(OPTION) {
            return parse_key(value);
        }
    }
    bail!("there is no {OPTION} in the section {SECTION}")
}

/// Parses `ed25519 VERSION SEED`, or the seed alone in hexadecimal digits, as early versions wrote it.
pub(super) fn parse_key(text: &str) -> Result<SigningKey> {
    let text = text.trim();
    match parse_hexadecimal(text) {
        Some(seed) => {
            let id = SigningKeyId::from_version("0").map_err(|error| anyhow!(error))?;
            Ok(SigningKey::from_seed(id, &seed))
        }
        None => Ok(SigningKey::parse_line(text)?),
    }
}

fn parse_hexadecimal(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut seed = Zeroizing::new([0; 32]);
    for (index, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA0";

    #[test]
    fn key_is_found_in_its_section() {
        let config = format!(
            "[DEFAULT]\nemail.tlsmode = 0\n[general]\ned25519.signingkey = no\n\n[crypto]\n# a comment\n\
             Ed25519.SigningKey = ed25519 0 {SEED}\n"
        );
        let key = signing_key(&config).unwrap();
        assert_eq!((key.id().as_str(), key.to_line().as_str()), ("ed25519:0", &*format!("ed25519 0 {SEED}")));
    }

    #[test]
    fn early_form_is_the_same_key() {
        let key = parse_key(SIXTY_FOUR).unwrap();
        assert_eq!(key.id().as_str(), "ed25519:0");
        assert_eq!(*key.expose_seed(), std::array::from_fn(|index| index as u8));
    }

    const SIXTY_FOUR: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F";

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for bad in [
            "",
            "[crypto]\n",
            "[crypto]\ned25519.signingkey =\n",
            "[crypto]\ned25519.signingkey = ed25519 0 geheim",
        ] {
            let error = format!("{:#}", signing_key(bad).unwrap_err());
            assert!(!error.contains("geheim"), "{error}");
        }
        assert!(signing_key(&format!("[general]\ned25519.signingkey = ed25519 0 {SEED}")).is_err());
    }
}
