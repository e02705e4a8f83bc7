//! Keys of the specification's examples, key files, and what must not be shown.

use super::*;

/// Of the specification's examples: 43 characters, the last of which has bits to spare.
const SEED: &str = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";

fn key() -> SigningKey {
    SigningKey::from_base64_seed(SigningKeyId::parse("ed25519:1").unwrap(), SEED).unwrap()
}

struct Sevens;

impl Random for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[test]
fn key_ids_name_an_algorithm_and_a_version() {
    for good in ["ed25519:0", "ed25519:a_abcd", "ed25519:auto+/=.-"] {
        assert_eq!(SigningKeyId::parse(good).unwrap().as_str(), good);
    }
    let long = format!("ed25519:{}", "a".repeat(129));
    for bad in
        ["", "ed25519", "ed25519:", "rsa:1", "ed25519:a b", "ed25519:\"", "ed25519:1:2", " ed25519:1", &long]
    {
        assert!(SigningKeyId::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(SigningKeyId::parse("ed25519:a_b").unwrap().version(), "a_b");
}

#[test]
fn lines_of_synapse_and_sydent_are_read() {
    for (line, id) in [
        (format!("ed25519 a_zZxX {SEED}\n"), "ed25519:a_zZxX"),
        (format!("ed25519 0 {SEED}"), "ed25519:0"),
        (format!("  ed25519\t1   {SEED}=\r\n"), "ed25519:1"),
    ] {
        let read = SigningKey::parse_line(&line).unwrap();
        assert_eq!(read.id().as_str(), id);
        assert_eq!(read.public_key(), key().public_key());
        let again = SigningKey::parse_line(&read.to_line()).unwrap();
        assert_eq!((again.id(), again.public_key()), (read.id(), read.public_key()));
    }
    let short = format!("ed25519 0 {}", &SEED[..42]);
    for (line, error) in [
        ("", InvalidSigningKey::Form),
        (SEED, InvalidSigningKey::Form),
        ("ed25519 0", InvalidSigningKey::Form),
        ("curve25519 0 YJDB", InvalidSigningKey::Form),
        ("ed25519 : YJDB", InvalidSigningKey::Form),
        ("ed25519 0 YJDB more", InvalidSigningKey::Form),
        ("ed25519 0 !", InvalidSigningKey::Seed),
        (&short, InvalidSigningKey::Seed),
    ] {
        assert_eq!(SigningKey::parse_line(line).err(), Some(error), "{line}");
    }
}

#[test]
fn a_signature_is_of_one_key_and_one_message() {
    let signature = key().sign(b"message");
    assert!(key().public_key().verifies(b"message", &signature));
    assert!(!key().public_key().verifies(b"messagf", &signature));
    let other = SigningKey::generate(SigningKeyId::parse("ed25519:1").unwrap(), &Sevens);
    assert!(!other.public_key().verifies(b"message", &signature));
    for index in 0..64 {
        let mut bytes = signature.0;
        bytes[index] ^= 1;
        assert!(!key().public_key().verifies(b"message", &Signature(bytes)), "{index}");
    }
}

#[test]
fn a_new_key_is_what_randomness_gives() {
    let key = SigningKey::generate(SigningKeyId::parse("ed25519:new").unwrap(), &Sevens);
    assert_eq!(*key.expose_seed(), [7; 32]);
}

#[test]
fn a_key_that_fits_any_signature_verifies_nothing() {
    // The neutral element: everything that is signed with R = S = 0 fits it.
    let mut point = [0; 32];
    point[0] = 1;
    let weak = PublicKey::from_bytes(&point).unwrap();
    let mut signature = [0; 64];
    signature[0] = 1;
    assert!(!weak.verifies(b"message", &Signature(signature)));
}

#[test]
fn keys_and_signatures_are_read_in_either_alphabet_and_compared_by_bytes() {
    let public = key().public_key();
    assert_eq!(PublicKey::parse(&public.to_base64()), Ok(public));
    assert_eq!(PublicKey::parse(&public.to_base64_url_safe()), Ok(public));
    assert_eq!(PublicKey::parse(&format!("{}=", public.to_base64())), Ok(public));
    for bad in ["", "AAAA", "not base64", &"A".repeat(44)] {
        assert!(PublicKey::parse(bad).is_err(), "{bad}");
        assert!(Signature::parse(bad).is_err(), "{bad}");
    }
    let signature = key().sign(b"");
    assert_eq!(Signature::parse(&signature.to_base64()), Ok(signature));
}

#[test]
fn a_private_key_is_not_shown() {
    assert_eq!(format!("{:?}", key()), "SigningKey(ed25519:1)");
}
