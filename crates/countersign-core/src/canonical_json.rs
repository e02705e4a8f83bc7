//! JSON in the one form that is signed ([spec](https://spec.matrix.org/v1.19/appendices/#canonical-json)).

use serde_json::{Map, Number, Value};
use thiserror::Error;

/// The largest integer that every implementation can hold: 2^53 − 1. The smallest is its negative.
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// A value that has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("numbers in signed JSON must be integers from -(2^53)+1 to (2^53)-1")]
pub struct NotCanonical;

/// Writes a value as canonical JSON: as short as possible, keys in the order of their code points.
///
/// # Errors
/// When it holds a number that is not an integer in ±(2^53 − 1). `1.0`, `1e3` and `-0` are none.
pub fn canonical_json(value: &Value) -> Result<String, NotCanonical> {
    let mut text = String::new();
    write_value(&mut text, value)?;
    Ok(text)
}

/// Writes an object as [`canonical_json`] does.
///
/// # Errors
/// As there.
pub fn canonical_json_object(object: &Map<String, Value>) -> Result<String, NotCanonical> {
    let mut text = String::new();
    write_object(&mut text, object.iter())?;
    Ok(text)
}

/// Writes what is signed of an object: all of it but `signatures` and `unsigned`.
pub(crate) fn signed_part(object: &Map<String, Value>) -> Result<String, NotCanonical> {
    let mut text = String::new();
    let is_signed = |key: &str| key != "signatures" && key != "unsigned";
    write_object(&mut text, object.iter().filter(|(key, _)| is_signed(key)))?;
    Ok(text)
}

fn write_value(text: &mut String, value: &Value) -> Result<(), NotCanonical> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_number(text, number)?,
        Value::String(string) => write_string(text, string),
        Value::Array(array) => {
            text.push('[');
            for (index, element) in array.iter().enumerate() {
                if 0 < index {
                    text.push(',');
                }
                write_value(text, element)?;
            }
            text.push(']');
        }
        Value::Object(object) => write_object(text, object.iter())?,
    }
    Ok(())
}

fn write_object<'a>(
    text: &mut String,
    members: impl Iterator<Item = (&'a String, &'a Value)>,
) -> Result<(), NotCanonical> {
    let mut members: Vec<_> = members.collect();
    // The order of UTF-8 bytes is that of code points; the order of UTF-16 units would not be. Sorted here, since a map of
    // serde_json may keep the order of insertion, by a feature that any crate can switch on.
    members.sort_unstable_by_key(|(key, _)| *key);
    text.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if 0 < index {
            text.push(',');
        }
        write_string(text, key);
        text.push(':');
        write_value(text, value)?;
    }
    text.push('}');
    Ok(())
}

fn write_number(text: &mut String, number: &Number) -> Result<(), NotCanonical> {
    let integer = number.as_i64().filter(|integer| (-MAX_INTEGER..=MAX_INTEGER).contains(integer));
    text.push_str(&integer.ok_or(NotCanonical)?.to_string());
    Ok(())
}

/// serde_json escapes exactly what must be escaped, in the shortest way, with hexadecimal digits in lower case.
fn write_string(text: &mut String, string: &str) {
    text.push_str(&serde_json::to_string(string).expect("text can be written as JSON"));
}

#[cfg(test)]
pub(crate) mod tests;
