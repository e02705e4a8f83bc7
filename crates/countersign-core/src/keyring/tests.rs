//! Tests of master keys, sealing and keyed hashes.

use std::error::Error as _;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    EmailAddress, Msisdn, SessionId,
    validation_session::test_data::{ConstantRandom, CountingRandom, key_line, keyring, keyring_of},
};

const COLUMNS: [SealedColumn; 7] = [
    SealedColumn::SessionAddress,
    SealedColumn::SessionNextLink,
    SealedColumn::AccountThreepidAddress,
    SealedColumn::UiaParams,
    SealedColumn::RegistrationToken,
    SealedColumn::DelegatedSession,
    SealedColumn::IndexKey,
];

fn sealer(key_file: &str) -> Sealer {
    Sealer::new(&MasterKeys::parse(key_file).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn email() -> ThirdPartyIdentifier {
    EmailAddress::parse("alice@example.org").unwrap().into()
}

#[test]
fn a_generated_key_file_parses_and_holds_a_new_key_each_time() {
    let random = CountingRandom::default();
    let (first, second) = (MasterKeys::generate(&random), MasterKeys::generate(&random));
    assert_ne!(*first, *second);
    assert_eq!(sealer(&first).current_key_id().as_str(), "k1");
}

#[test]
fn key_files_may_have_comments_blanks_and_any_line_ends() {
    let (new, old) = (key_line("new-2", 1), key_line("old_1", 2));
    for text in [
        format!("{new}{old}"),
        format!("# The current key comes first.\n\n  {new}\n \t\n{old}"),
        format!("{}\r\n{}\r\n", new.trim(), old.trim()),
        format!("{}{}", new.replace(' ', "\t  "), old.trim()),
    ] {
        let ids: Vec<_> = sealer(&text).key_checks().map(|(id, _)| id.as_str().to_owned()).collect();
        assert_eq!(ids, ["new-2", "old_1"], "{text}");
    }
}

#[test]
fn a_wrong_key_file_says_where_and_never_shows_a_key() {
    let good = key_line("k1", 1);
    let key = good.trim().strip_prefix("k1 ").unwrap();
    let base64 = |length: usize| STANDARD.encode(vec![7; length]);
    for (line, cause) in [
        (key.to_owned(), "a key is written as an id, a blank, and the base64 of 32 bytes"),
        (format!("k2{key}"), "a key is written as an id, a blank, and the base64 of 32 bytes"),
        (format!("{key} k2"), "a key id is 1 to 32 of 0-9a-zA-Z_-"),
        (format!("k.2 {key}"), "a key id is 1 to 32 of 0-9a-zA-Z_-"),
        (format!("{} {key}", "k".repeat(33)), "a key id is 1 to 32 of 0-9a-zA-Z_-"),
        (format!("k2 {key} more"), "a key is written as an id, a blank, and the base64 of 32 bytes"),
        (format!("k2 {}", base64(31)), "a key is written as an id, a blank, and the base64 of 32 bytes"),
        (format!("k2 {}", base64(33)), "a key is written as an id, a blank, and the base64 of 32 bytes"),
        (
            format!("k2 {}", key.replace('=', "")),
            "a key is written as an id, a blank, and the base64 of 32 bytes",
        ),
        (
            format!("k2 {}", key.replace("AQEB", "AQ-B")),
            "a key is written as an id, a blank, and the base64 of 32 bytes",
        ),
        (format!("k1 {}", base64(32)), "this key id stands in the file twice"),
    ] {
        let error = MasterKeys::parse(&format!("# key\n{good}\n{line}\n")).unwrap_err();
        assert_eq!(error.to_string(), "line 4 of the master key file", "{line}");
        assert_eq!(error.source().unwrap().to_string(), cause, "{line}");
        let shown = format!("{error:?}");
        assert!(!shown.contains(&key[..8]) && !shown.contains(&base64(32)[..8]), "{shown}");
    }
    for empty in ["", "\n\n", "# k1 only a comment"] {
        assert!(matches!(MasterKeys::parse(empty), Err(MasterKeyError::Empty)), "{empty:?}");
    }
}

#[test]
fn debug_output_shows_key_ids_only() {
    let keys = MasterKeys::parse(&format!("{}{}", key_line("k1", 1), key_line("k2", 2))).unwrap();
    assert_eq!(format!("{keys:?}"), r#"[MasterKeyId("k1"), MasterKeyId("k2")]"#);
    assert_eq!(format!("{:?}", keyring()), "Keyring(..)");
}

#[test]
fn a_sealed_value_opens_in_its_own_column_and_row_only() {
    let (sealer, random) = (sealer(&key_line("k1", 1)), CountingRandom::default());
    for column in COLUMNS {
        let sealed = sealer.seal(column, b"row", b"alice@example.org", &random);
        for other in COLUMNS {
            for row in [b"row".as_slice(), b"rov", b"ro", b"row\0", b""] {
                let opened = sealer.open(other, row, &sealed);
                if other == column && row == b"row" {
                    assert_eq!(opened.unwrap().as_slice(), b"alice@example.org");
                } else {
                    assert!(matches!(opened, Err(OpenError::Damaged)), "{other:?} {row:?}");
                }
            }
        }
    }
}

#[test]
fn the_same_value_is_sealed_differently_each_time() {
    let (sealer, random) = (sealer(&key_line("k1", 1)), CountingRandom::default());
    let seal = || sealer.seal(SealedColumn::SessionAddress, b"row", b"alice@example.org", &random);
    assert_ne!(seal(), seal());
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let sealer = sealer(&key_line("k1", 1));
    let random = CountingRandom::default();
    let sealed = sealer.seal(SealedColumn::SessionAddress, b"row", b"alice", &random);
    let bytes = sealed.as_bytes();
    let open = |bytes: Vec<u8>| sealer.open(SealedColumn::SessionAddress, b"row", &Sealed::from_bytes(bytes));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(open(flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(open(bytes[..length].to_vec()).is_err(), "cut to {length}");
    }
    assert!(open([bytes, &[0]].concat()).is_err());
}

#[test]
fn an_unknown_key_is_named() {
    let random = CountingRandom::default();
    let sealed = sealer(&key_line("old", 1)).seal(SealedColumn::SessionAddress, b"row", b"alice", &random);
    let error = sealer(&key_line("new", 1)).open(SealedColumn::SessionAddress, b"row", &sealed).unwrap_err();
    assert!(matches!(&error, OpenError::UnknownKey(id) if id.as_str() == "old"));
    assert_eq!(error.to_string(), "the master key old is not in the key file");
}

#[test]
fn after_rotation_old_values_open_and_new_ones_use_the_new_key() {
    let random = CountingRandom::default();
    let (old, new) = (key_line("old", 1), key_line("new", 2));
    let sealed = sealer(&old).seal(SealedColumn::SessionAddress, b"row", b"alice", &random);
    let rotated = sealer(&format!("{new}{old}"));
    let opened = rotated.open(SealedColumn::SessionAddress, b"row", &sealed).unwrap();
    assert_eq!(opened.as_slice(), b"alice");
    let resealed = rotated.seal(SealedColumn::SessionAddress, b"row", &opened, &random);
    let without_old = sealer(&new);
    assert_eq!(without_old.open(SealedColumn::SessionAddress, b"row", &resealed).unwrap(), opened);
    let (old_id, new_id) = (MasterKeyId::parse("old").unwrap(), MasterKeyId::parse("new").unwrap());
    assert!(sealed.is_sealed_with(&old_id) && !sealed.is_sealed_with(&new_id));
    assert!(resealed.is_sealed_with(&new_id) && !resealed.is_sealed_with(&old_id));
    assert!(!resealed.is_sealed_with(&MasterKeyId::parse("ne").unwrap()));
    assert!(!Sealed::from_bytes(b"\x01\x03new".to_vec()).is_sealed_with(&new_id));
}

#[test]
fn tokens_of_an_old_key_are_found_after_rotation() {
    let (old, new) = (key_line("old", 1), key_line("new", 2));
    let (before, after) = (keyring_of(&old), keyring_of(&format!("{new}{old}")));
    let (id, key) = before.current_token_key();
    let (sid, nonce) = (SessionId::from_bytes([1; 22]), crate::TokenNonce::from_bytes([2; 16]));
    let token = key.link_token(&sid, &nonce);
    assert!(after.find_token_key(id).unwrap().link_token(&sid, &nonce).matches(token.expose()));
    assert_eq!(after.current_token_key().0.as_str(), "new");
    assert!(!after.current_token_key().1.link_token(&sid, &nonce).matches(token.expose()));
    assert!(keyring_of(&new).find_token_key(id).is_none());
}

#[test]
fn a_key_check_tells_a_wrong_key() {
    let right = sealer(&key_line("k1", 1));
    let (id, check) = right.key_checks().next().unwrap();
    assert_eq!(right.matches_check(id, check), Some(true));
    assert_eq!(sealer(&key_line("k1", 2)).matches_check(id, check), Some(false));
    assert_eq!(sealer(&key_line("k2", 1)).matches_check(id, check), None);
}

#[test]
fn the_index_key_survives_sealing_and_nothing_else_passes_for_it() {
    let (sealer, random) = (sealer(&key_line("k1", 1)), CountingRandom::default());
    let key = IndexKey::generate(&ConstantRandom(2));
    let opened = sealer.open_index_key(&sealer.seal_index_key(&key, &random)).unwrap();
    assert_eq!(*opened.0, *key.0);
    let short = sealer.seal(SealedColumn::IndexKey, &[], &[2; 31], &random);
    assert!(matches!(sealer.open_index_key(&short), Err(OpenError::Damaged)));
}

/// Computed by another implementation, itself checked against the vector of draft-irtf-cfrg-xchacha A.3.1. A change would
/// make every stored value unreadable, or every stored address impossible to find.
#[test]
fn derivations_and_formats_never_change() {
    let keyring = keyring();
    let (_, check) = keyring.sealer().key_checks().next().unwrap();
    assert_eq!(hex(check), "e2f47302d3f95c3d0171aa7fde3ec5c0aa42c2cf872554f0965e27c2b4d64a09");
    let plain = b"alice@example.org";
    let sealed = keyring.sealer().seal(SealedColumn::SessionAddress, &[1; 16], plain, &ConstantRandom(3));
    let (header, cipher) = sealed.as_bytes().split_at(28);
    assert_eq!(header, [b"\x01\x02k1".as_slice(), &[3; 24]].concat());
    assert_eq!(hex(cipher), "b897c29c71ac1b4bf70d0ebf6c7829215672933ccad101624b54536140c2790e36");
    let address_hash = keyring.address_hash(&email());
    let secret = ClientSecret::parse("monkeys").unwrap();
    let msisdn = Msisdn::from_canonical("447700900123").unwrap().into();
    let session_key = keyring.session_key(SessionPurpose::AddThreepid, &address_hash, &secret);
    for (what, hash, expected) in [
        (
            "email",
            address_hash.as_bytes(),
            "d1d89aafb1c78b66d99eba27d970d24946400096502893b3adfcba38a0078e21",
        ),
        (
            "msisdn",
            keyring.address_hash(&msisdn).as_bytes(),
            "c70eac3b10fb2e061fa4537deb4abaf257b69db787e5437fa918a89dbb6d7410",
        ),
        (
            "session",
            session_key.as_bytes(),
            "4a4bd9c45e4f9f26af90a88984c6a6ecaf09b22162cc2a073c64e1b3105377d4",
        ),
        (
            "client secret",
            keyring.client_secret_hash(&secret).as_bytes(),
            "f75c25e6b6eceabb743a40137a6cf91c9325f52e766a3006bfe7499b4b39bbd5",
        ),
        (
            "access token",
            keyring.access_token_hash("monkeys").as_bytes(),
            "2d81c77aab6284fc0217f5148c04a29a0f2fc6acbb33299b0239dba48708c0f5",
        ),
        (
            "refresh token",
            keyring.refresh_token_hash("monkeys").as_bytes(),
            "73ac5699d0a17766aa88c05f8eece4276286b916946c16b592b1d2029be408ed",
        ),
        (
            "registration token",
            keyring.registration_token_hash("monkeys").as_bytes(),
            "572b593d0fb21118e2112797bc175576ead0137b32abc7859f8006998fb3b4b6",
        ),
        (
            "OpenID token",
            keyring.openid_token_hash("monkeys").as_bytes(),
            "9a123219aa2fb6b9f0a0db1631edf40915caf1144ec31889c49105b76f9032ba",
        ),
        (
            "UIA session",
            keyring.uia_session_hash("monkeys").as_bytes(),
            "a0f97363ff31ef556995a3e3696bb1775525a93cdae340e8ba05751ba93368d8",
        ),
        (
            "subject",
            keyring.subject_hash("network", &[192, 0, 2, 7]).as_bytes(),
            "8764dfd0823256f0400527d8efb31ef4fca0d8170d938f3f924fe15e3df4109a",
        ),
    ] {
        assert_eq!(hex(hash), expected, "{what}");
    }
}

#[test]
fn a_derived_session_is_for_one_operation_caller_and_proof() {
    let keyring = keyring();
    let [alice, bob] = ["alice", "bob"].map(|name| Localpart::from_stored(name.to_owned()));
    let mut ids = Vec::new();
    for operation in UiaOperation::ALL {
        for caller in [None, Some(&alice), Some(&bob)] {
            for (sid, secret) in [("sid", "secret"), ("sids", "ecret"), ("", "sidsecret")] {
                let derive = || keyring.derived_uia_session(operation, caller, sid, secret);
                ids.push(derive());
                assert_eq!(ids.last(), Some(&derive()));
            }
        }
    }
    let change = UiaOperation::ChangePassword;
    let id = keyring.derived_uia_session(change, Some(&alice), "sid", "secret");
    assert_eq!(id, "CwmBvFh7IaJspbA0yrvP3OQzBCErcK8oh2uUSUQqwSo");
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn a_session_key_is_for_one_purpose_address_and_secret() {
    let keyring = keyring();
    let (email, phone) = (email(), Msisdn::from_canonical("447700900123").unwrap().into());
    let mut keys = Vec::new();
    for purpose in SessionPurpose::ALL {
        for address in [&email, &phone] {
            for secret in ["a", "b"] {
                let secret = ClientSecret::parse(secret).unwrap();
                keys.push(*keyring.session_key(purpose, &keyring.address_hash(address), &secret).as_bytes());
            }
        }
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn hashes_depend_on_the_index_key() {
    let master = MasterKeys::parse(&key_line("k1", 1)).unwrap();
    let other = Keyring::new(Sealer::new(&master), &IndexKey::generate(&ConstantRandom(3)));
    assert_ne!(other.address_hash(&email()), keyring().address_hash(&email()));
}

#[test]
fn parts_do_not_run_into_each_other() {
    let keyring = keyring();
    assert_ne!(keyring.subject_hash("ab", b"c"), keyring.subject_hash("a", b"bc"));
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_again(row in vec(any::<u8>(), 0..40), plain in vec(any::<u8>(), 0..300)) {
        let sealer = sealer(&key_line("k1", 1));
        let sealed = sealer.seal(SealedColumn::SessionNextLink, &row, &plain, &CountingRandom::default());
        let opened = sealer.open(SealedColumn::SessionNextLink, &row, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plain);
    }

    #[test]
    fn opening_never_panics(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..100),
            vec(any::<u8>(), 0..100).prop_map(|rest| [b"\x01\x02k1".as_slice(), &rest].concat()),
        ],
    ) {
        let keyring = keyring();
        let sealed = Sealed::from_bytes(bytes);
        prop_assert!(keyring.sealer().open(SealedColumn::SessionAddress, b"row", &sealed).is_err());
        prop_assert!(keyring.sealer().open_index_key(&sealed).is_err());
    }

    #[test]
    fn parsing_a_key_file_never_panics(text in "(\\PC|\n|\t){0,120}") {
        let _ = MasterKeys::parse(&text);
    }
}
