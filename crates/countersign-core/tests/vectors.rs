//! Runs the address types over public test vectors: see `vectors/README.md`.
//!
//! Strict vectors must be answered as they say. For the others our answer is a choice, recorded in
//! `vectors/our_answers.tsv`, so that a change of mind (or of numbering data) is seen in review.

use std::{collections::BTreeMap, fmt::Debug, fs, path::PathBuf};

use countersign_core::{EmailAddress, Msisdn};
use serde::{Deserialize, de::DeserializeOwned};

#[derive(Debug, Deserialize, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Accept,
    Refuse,
}

#[derive(Debug, Deserialize)]
struct PhoneVector {
    id: String,
    country: String,
    phone_number: String,
    msisdn: Option<String>,
    expect: Expect,
    strict: bool,
}

#[derive(Debug, Deserialize)]
struct EmailVector {
    id: String,
    email: String,
    canonical: Option<String>,
    expect: Expect,
    strict: bool,
}

#[derive(Debug, Deserialize)]
struct EmailPairVector {
    id: String,
    a: String,
    b: String,
    canonical_a: String,
    canonical_b: String,
    same: bool,
    strict: bool,
}

#[test]
fn strict_phone_vectors_are_answered_as_they_say() {
    let wrong = phones().into_iter().filter(|vector| {
        let expected = (vector.expect == Expect::Accept).then(|| vector.msisdn.clone().unwrap());
        vector.strict && answer_phone(vector).ok() != expected
    });
    assert_none(wrong, answer_phone);
}

#[test]
fn strict_email_vectors_are_answered_as_they_say() {
    let wrong = emails().into_iter().filter(|vector| {
        let expected = (vector.expect == Expect::Accept).then(|| vector.canonical.clone().unwrap());
        vector.strict && answer_email(&vector.email).ok() != expected
    });
    assert_none(wrong, |vector| answer_email(&vector.email));
}

#[test]
fn strict_pairs_of_addresses_are_one_address_or_two_as_they_say() {
    let wrong = email_pairs().into_iter().filter(|vector| {
        let (a, b) = (answer_email(&vector.a), answer_email(&vector.b));
        let is_right = a.as_ref() == Ok(&vector.canonical_a)
            && b.as_ref() == Ok(&vector.canonical_b)
            && (a == b) == vector.same;
        vector.strict && !is_right
    });
    assert_none(wrong, |vector| (answer_email(&vector.a), answer_email(&vector.b)));
}

#[test]
fn accepted_phone_numbers_are_canonical_and_read_back() {
    for vector in phones() {
        if let Ok(msisdn) = Msisdn::parse(&vector.country, &vector.phone_number) {
            assert_eq!(Msisdn::from_canonical(msisdn.as_str()).as_ref(), Ok(&msisdn), "{}", vector.id);
            assert_eq!(vector.msisdn.as_deref(), Some(msisdn.as_str()), "{}", vector.id);
        }
    }
}

#[test]
fn accepted_addresses_are_the_canonical_ones_of_the_vectors() {
    for vector in emails() {
        if let (Ok(answer), Some(canonical)) = (answer_email(&vector.email), vector.canonical) {
            assert_eq!(answer, canonical, "{}", vector.id);
        }
    }
}

#[test]
fn answers_to_the_other_vectors_are_those_on_record() {
    let mut answers = BTreeMap::new();
    for vector in phones().into_iter().filter(|vector| !vector.strict) {
        answers.insert(vector.id.clone(), answer_phone(&vector));
    }
    for vector in emails().into_iter().filter(|vector| !vector.strict) {
        answers.insert(vector.id, answer_email(&vector.email));
    }
    for vector in email_pairs().into_iter().filter(|vector| !vector.strict) {
        answers.insert(format!("{}a", vector.id), answer_email(&vector.a));
        answers.insert(format!("{}b", vector.id), answer_email(&vector.b));
    }
    let table: String = answers
        .into_iter()
        .map(|(id, answer)| match answer {
            Ok(canonical) => format!("{id}\taccept\t{canonical}\n"),
            Err(reason) => format!("{id}\trefuse\t{reason}\n"),
        })
        .collect();

    let recorded = fs::read_to_string(path("our_answers.tsv")).unwrap();
    if table != recorded {
        let fresh = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("our_answers.tsv");
        fs::write(&fresh, table).unwrap();
        panic!("answers changed: compare tests/vectors/our_answers.tsv with {}", fresh.display());
    }
}

fn answer_phone(vector: &PhoneVector) -> Result<String, String> {
    match Msisdn::parse(&vector.country, &vector.phone_number) {
        Ok(msisdn) => Ok(msisdn.as_str().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn answer_email(email: &str) -> Result<String, String> {
    match EmailAddress::parse(email) {
        Ok(address) => Ok(address.as_str().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Fails with every vector in `wrong`, each with our answer.
#[track_caller]
fn assert_none<V: Debug, A: Debug>(wrong: impl Iterator<Item = V>, answer: impl Fn(&V) -> A) {
    let lines: Vec<_> =
        wrong.map(|vector| format!("{vector:?}\n  answer: {:?}\n", answer(&vector))).collect();
    assert!(lines.is_empty(), "{} vectors answered wrongly:\n{}", lines.len(), lines.concat());
}

fn phones() -> Vec<PhoneVector> {
    read("phones.jsonl")
}

fn emails() -> Vec<EmailVector> {
    read("emails.jsonl")
}

fn email_pairs() -> Vec<EmailPairVector> {
    read("email_pairs.jsonl")
}

fn read<V: DeserializeOwned>(file: &str) -> Vec<V> {
    let vectors = fs::read_to_string(path(file)).expect("the file is checked in");
    let vectors: Vec<V> =
        vectors.lines().map(|line| serde_json::from_str(line).expect("a vector a line")).collect();
    assert!(!vectors.is_empty(), "{file} is empty");
    vectors
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file)
}
