//! Tables of the specification, and ruma as a second opinion.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ruma_common::CanonicalJsonValue;
use serde_json::json;

use super::*;

fn canonical(text: &str) -> Result<String, NotCanonical> {
    canonical_json(&serde_json::from_str(text).unwrap())
}

/// The examples of the specification.
#[test]
fn examples_of_the_specification_are_written_as_there() {
    for (text, expected) in [
        ("{}", "{}"),
        (r#"{ "one": 1, "two": "Two" }"#, r#"{"one":1,"two":"Two"}"#),
        (r#"{ "b": "2", "a": "1" }"#, r#"{"a":"1","b":"2"}"#),
        (r#"{"b":"2","a":"1"}"#, r#"{"a":"1","b":"2"}"#),
        (
            r#"{ "auth": { "success": true, "mxid": "@john.doe:example.com",
                 "profile": { "display_name": "John Doe", "three_pids": [
                   { "medium": "email", "address": "john.doe@example.org" },
                   { "medium": "msisdn", "address": "123456789" } ] } } }"#,
            r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}"#,
        ),
        (r#"{ "a": "日本語" }"#, r#"{"a":"日本語"}"#),
        (r#"{ "本": 2, "日": 1 }"#, r#"{"日":1,"本":2}"#),
        (r#"{ "a": "\u65E5" }"#, r#"{"a":"日"}"#),
        (r#"{ "a": null }"#, r#"{"a":null}"#),
    ] {
        assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn keys_are_in_the_order_of_code_points_not_of_utf_16() {
    // U+FF5E sorts before U+1F600, whose UTF-16 form begins with a smaller unit.
    assert_eq!(canonical(r#"{"😀":1,"～":2,"":3}"#).as_deref(), Ok(r#"{"":3,"～":2,"😀":1}"#));
}

#[test]
fn only_what_must_be_escaped_is() {
    let value = json!("\"\\/\u{8}\t\n\u{c}\r\0\u{b}\u{1f}\u{7f}é<\u{2028}");
    let expected = "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u000b\\u001f\u{7f}é<\u{2028}\"";
    assert_eq!(canonical_json(&value).as_deref(), Ok(expected));
}

#[test]
fn numbers_are_integers_that_every_implementation_can_hold() {
    for good in ["0", "-1", "9007199254740991", "-9007199254740991"] {
        assert_eq!(canonical(good).as_deref(), Ok(good));
    }
    for bad in [
        "9007199254740992",
        "-9007199254740992",
        "18446744073709551615",
        "1.5",
        "1.0",
        "1e3",
        "-0",
        "[{\"a\":0.1}]",
    ] {
        assert_eq!(canonical(bad), Err(NotCanonical), "{bad}");
    }
}

#[test]
fn signatures_and_unsigned_are_left_out_at_the_top_only() {
    let object = json!({ "unsigned": 1.5, "signatures": {}, "a": { "signatures": 1, "unsigned": 2 } });
    let signed = signed_part(object.as_object().unwrap());
    assert_eq!(signed.as_deref(), Ok(r#"{"a":{"signatures":1,"unsigned":2}}"#));
}

/// Any JSON: mostly such that has a canonical form.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i32>().prop_map(Value::from),
        (-(1_i64 << 53) - 2..(1_i64 << 53) + 2).prop_map(Value::from),
        prop_oneof![
            Just(MAX_INTEGER),
            Just(-MAX_INTEGER),
            Just(MAX_INTEGER + 1),
            Just(-MAX_INTEGER - 1),
            any::<i64>()
        ]
        .prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            any_object_of(inner).prop_map(Value::Object),
        ]
    })
}

/// Any object, at times with the keys that signing treats apart.
pub(crate) fn any_object_of(
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![9 => any::<String>(), 1 => Just("unsigned".to_owned())];
    prop::collection::vec((key, value), 0..6).prop_map(Map::from_iter)
}

proptest! {
    #[test]
    fn ruma_writes_the_same(value in any_json()) {
        let theirs = CanonicalJsonValue::try_from(value.clone()).map(|value| value.to_string());
        prop_assert_eq!(canonical_json(&value).ok(), theirs.ok());
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_value(value in any_json()) {
        if let Ok(text) = canonical_json(&value) {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn the_order_of_insertion_makes_no_difference(members in prop::collection::btree_map(any::<String>(), any::<i32>(), 0..8)) {
        let forwards: Map<_, _> = members.iter().map(|(key, value)| (key.clone(), Value::from(*value))).collect();
        let backwards: Map<_, _> = members.iter().rev().map(|(key, value)| (key.clone(), Value::from(*value))).collect();
        let expected: BTreeMap<_, _> = members;
        prop_assert_eq!(canonical_json_object(&forwards).unwrap(), serde_json::to_string(&expected).unwrap());
        prop_assert_eq!(canonical_json_object(&backwards), canonical_json_object(&forwards));
    }
}
