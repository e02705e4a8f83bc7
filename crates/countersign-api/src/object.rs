//! Reads a request body field by field, so that each way of being malformed has its own error.
//!
//! Unknown fields are ignored. `null` counts as absent where a field is optional.

use std::fmt;

use serde_json::{Map, Value};

/// The largest integer that JSON of the protocol may hold, 2^53 − 1; its negative is the smallest.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// A JSON object whose fields are taken out one by one.
///
/// Its `Debug` shows no content, since a body may hold secrets.
#[derive(Clone, Default, PartialEq)]
pub struct Object {
    fields: Map<String, Value>,
}

impl Object {
    /// Parses a body.
    ///
    /// Bytes that are empty, not UTF-8, followed by anything but white space, or nested deeper than 128 levels are
    /// [`BodyError::NotJson`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BodyError> {
        let value = serde_json::from_slice(bytes).map_err(|_| BodyError::NotJson)?;
        match value {
            Value::Object(fields) => Ok(Self { fields }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(BodyError::NotAnObject { key: None })
            }
        }
    }

    /// Makes an object of strings out of the decoded pairs of a query or a form; of equal names the first counts.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut fields = Map::new();
        for (name, value) in pairs {
            fields.entry(name).or_insert(Value::String(value));
        }
        Self { fields }
    }

    /// Parses the whole body as `T`.
    pub fn read<T: FromObject>(bytes: &[u8]) -> Result<T, BodyError> {
        T::from_object(Self::parse(bytes)?)
    }

    /// Adds the fields of `earlier` that this object lacks.
    ///
    /// A later round of user-interactive authentication may leave out the parameters that an earlier one gave.
    pub fn fill_from(&mut self, earlier: Self) {
        for (name, value) in earlier.fields {
            self.fields.entry(name).or_insert(value);
        }
    }

    /// The fields that were not taken yet.
    pub fn into_fields(self) -> Map<String, Value> {
        self.fields
    }

    /// Tells whether `key` is there with a value other than `null`.
    pub fn contains(&self, key: &str) -> bool {
        self.fields.get(key).is_some_and(|value| !value.is_null())
    }

    /// Takes a string that must be there.
    pub fn required_string(&mut self, key: &'static str) -> Result<String, BodyError> {
        string(key, self.required(key)?)
    }

    /// Takes a string that may be absent or `null`.
    pub fn optional_string(&mut self, key: &'static str) -> Result<Option<String>, BodyError> {
        self.optional(key).map(|value| string(key, value)).transpose()
    }

    /// Takes a string that is accepted but means nothing here: anything else counts as absent.
    pub fn ignored_string(&mut self, key: &'static str) -> Option<String> {
        self.optional_string(key).ok().flatten()
    }

    /// Takes an integer that is accepted but means nothing here: anything else counts as absent.
    pub fn ignored_integer(&mut self, key: &'static str) -> Option<i64> {
        self.optional_integer(key).ok().flatten()
    }

    /// Takes an integer that must be there.
    ///
    /// Only JSON integers in ±(2^53 − 1) are integers; `1.0`, `1e0`, `"1"` and `true` are not.
    pub fn required_integer(&mut self, key: &'static str) -> Result<i64, BodyError> {
        integer(key, self.required(key)?)
    }

    /// Takes an integer that may be absent or `null`.
    pub fn optional_integer(&mut self, key: &'static str) -> Result<Option<i64>, BodyError> {
        self.optional(key).map(|value| integer(key, value)).transpose()
    }

    /// Takes an integer that must be there and may be written as text: `1` or `"1"`.
    ///
    /// Forms and queries know nothing but text, and some clients of the identity service write `send_attempt` so.
    pub fn required_integer_or_text(&mut self, key: &'static str) -> Result<i64, BodyError> {
        match self.required(key)? {
            // Text that would not be an integer without its quotes is none with them: "+1", "01", " 1".
            Value::String(text) => text
                .parse::<i64>()
                .ok()
                .filter(|integer| integer.to_string() == text)
                .ok_or(BodyError::Invalid { key, expected: "an integer" })
                .and_then(|parsed| integer(key, parsed.into())),
            value
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                integer(key, value)
            }
        }
    }

    /// Takes a boolean that may be absent or `null`.
    pub fn optional_bool(&mut self, key: &'static str) -> Result<Option<bool>, BodyError> {
        self.optional(key)
            .map(|value| value.as_bool().ok_or(BodyError::Invalid { key, expected: "a boolean" }))
            .transpose()
    }

    /// Takes an object that must be there.
    pub fn required_object(&mut self, key: &'static str) -> Result<Self, BodyError> {
        object(key, self.required(key)?)
    }

    /// Takes an object that may be absent or `null`.
    pub fn optional_object(&mut self, key: &'static str) -> Result<Option<Self>, BodyError> {
        self.optional(key).map(|value| object(key, value)).transpose()
    }

    /// Takes a list of strings that must be there.
    pub fn required_string_list(&mut self, key: &'static str) -> Result<Vec<String>, BodyError> {
        string_list(key, self.required(key)?)
    }

    /// Takes a list of strings that may be absent or `null`.
    pub fn optional_string_list(&mut self, key: &'static str) -> Result<Option<Vec<String>>, BodyError> {
        self.optional(key).map(|value| string_list(key, value)).transpose()
    }

    fn required(&mut self, key: &'static str) -> Result<Value, BodyError> {
        self.fields.remove(key).ok_or(BodyError::Missing { key })
    }

    fn optional(&mut self, key: &'static str) -> Option<Value> {
        self.fields.remove(key).filter(|value| !value.is_null())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").finish_non_exhaustive()
    }
}

impl From<Map<String, Value>> for Object {
    fn from(fields: Map<String, Value>) -> Self {
        Self { fields }
    }
}

/// A type that a handler reads from a request body.
pub trait FromObject: Sized {
    /// Takes its fields out of `object` and ignores the others.
    fn from_object(object: Object) -> Result<Self, BodyError>;
}

/// The body as it is, for a handler that reads it in parts.
impl FromObject for Object {
    fn from_object(object: Object) -> Result<Self, BodyError> {
        Ok(object)
    }
}

/// What is wrong with a request body. It holds nothing of the body but the name of a known key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The bytes are no JSON.
    NotJson,
    /// The body, or the value under `key`, is JSON but no object.
    NotAnObject {
        /// The key whose value should be an object; none for the body itself.
        key: Option<&'static str>,
    },
    /// A required key is not there.
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value has the wrong JSON type, or breaks the grammar of its type.
    Invalid {
        /// The key.
        key: &'static str,
        /// What the value should be, with its article: "a string".
        expected: &'static str,
    },
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("The request body is not JSON"),
            Self::NotAnObject { key: None } => f.write_str("The request body is not a JSON object"),
            Self::NotAnObject { key: Some(key) } => write!(f, "{key} is not a JSON object"),
            Self::Missing { key } => write!(f, "{key} is missing"),
            Self::Invalid { key, expected } => write!(f, "{key} is not {expected}"),
        }
    }
}

impl std::error::Error for BodyError {}

fn string(key: &'static str, value: Value) -> Result<String, BodyError> {
    match value {
        // U+0000 has no place in any field of the protocol, and not every database can hold it.
        Value::String(text) if text.contains('\0') => {
            Err(BodyError::Invalid { key, expected: "a string without U+0000" })
        }
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(BodyError::Invalid { key, expected: "a string" })
        }
    }
}

fn integer(key: &'static str, value: Value) -> Result<i64, BodyError> {
    value
        .as_i64()
        .filter(|integer| (-MAX_INTEGER..=MAX_INTEGER).contains(integer))
        .ok_or(BodyError::Invalid { key, expected: "an integer" })
}

fn object(key: &'static str, value: Value) -> Result<Object, BodyError> {
    match value {
        Value::Object(fields) => Ok(Object { fields }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(BodyError::NotAnObject { key: Some(key) })
        }
    }
}

fn string_list(key: &'static str, value: Value) -> Result<Vec<String>, BodyError> {
    match value {
        Value::Array(items) => items.into_iter().map(|item| string(key, item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(BodyError::Invalid { key, expected: "a list of strings" })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Object {
        Object::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn bytes_that_are_no_json_are_told_from_json_that_is_no_object() {
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        let not_json: [&[u8]; 9] =
            [b"", b" ", b"{", b"{}x", b"{} {}", b"{\"a\":\xff}", b"{'a':1}", b"{\"a\":1,}", deep.as_bytes()];
        for body in not_json {
            assert_eq!(Object::parse(body), Err(BodyError::NotJson), "{body:?}");
        }
        for body in ["null", "[]", "\"{}\"", "1", "true"] {
            assert_eq!(Object::parse(body.as_bytes()), Err(BodyError::NotAnObject { key: None }), "{body}");
        }
        assert!(Object::parse(b" {}\n").is_ok());
    }

    #[test]
    fn only_json_integers_in_range_are_integers() {
        let invalid = Err(BodyError::Invalid { key: "n", expected: "an integer" });
        let cases = [
            ("0", Ok(0)),
            ("-7", Ok(-7)),
            ("9007199254740991", Ok(MAX_INTEGER)),
            ("-9007199254740991", Ok(-MAX_INTEGER)),
            ("9007199254740992", invalid),
            ("-9007199254740992", invalid),
            ("18446744073709551616", invalid),
            ("1.0", invalid),
            ("1e0", invalid),
            ("0.5", invalid),
            ("\"1\"", invalid),
            ("true", invalid),
            ("null", invalid),
            ("[1]", invalid),
            ("{}", invalid),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&format!("{{\"n\":{text}}}")).required_integer("n"), expected, "{text}");
        }
    }

    #[test]
    fn integer_text_is_an_integer_only_where_it_may_be() {
        let invalid = Err(BodyError::Invalid { key: "n", expected: "an integer" });
        let cases = [
            ("1", Ok(1)),
            ("\"1\"", Ok(1)),
            ("\"-7\"", Ok(-7)),
            ("\"0\"", Ok(0)),
            ("\"9007199254740991\"", Ok(MAX_INTEGER)),
            ("\"9007199254740992\"", invalid),
            ("9007199254740992", invalid),
            ("\"99999999999999999999\"", invalid),
            ("\"\"", invalid),
            ("\"+1\"", invalid),
            ("\"01\"", invalid),
            ("\"-0\"", invalid),
            ("\" 1\"", invalid),
            ("\"1.0\"", invalid),
            ("\"one\"", invalid),
            ("1.0", invalid),
            ("true", invalid),
            ("null", invalid),
            ("[\"1\"]", invalid),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&format!("{{\"n\":{text}}}")).required_integer_or_text("n"), expected, "{text}");
        }
        assert_eq!(parse("{}").required_integer_or_text("n"), Err(BodyError::Missing { key: "n" }));
    }

    #[test]
    fn null_is_absent_where_optional_and_invalid_where_required() {
        let mut object = parse(r#"{"a":null,"b":null,"c":null,"d":null,"e":null}"#);
        assert!(!object.contains("a"));
        assert_eq!(object.clone().optional_string("a"), Ok(None));
        assert_eq!(object.clone().optional_integer("a"), Ok(None));
        assert_eq!(object.clone().optional_bool("a"), Ok(None));
        assert_eq!(object.clone().optional_object("a"), Ok(None));
        assert_eq!(object.clone().optional_string_list("a"), Ok(None));
        assert_eq!(object.required_string("b"), Err(BodyError::Invalid { key: "b", expected: "a string" }));
        assert_eq!(object.required_object("c"), Err(BodyError::NotAnObject { key: Some("c") }));
        assert_eq!(object.required_string("x"), Err(BodyError::Missing { key: "x" }));
        assert_eq!(object.required_object("x"), Err(BodyError::Missing { key: "x" }));
    }

    #[test]
    fn wrong_types_name_their_key() {
        let mut object = parse(r#"{"s":1,"b":"true","o":[],"l":["a",1],"z":"a\u0000b"}"#);
        assert_eq!(object.required_string("s"), Err(BodyError::Invalid { key: "s", expected: "a string" }));
        assert_eq!(object.optional_bool("b"), Err(BodyError::Invalid { key: "b", expected: "a boolean" }));
        assert_eq!(object.optional_object("o"), Err(BodyError::NotAnObject { key: Some("o") }));
        assert_eq!(
            object.required_string_list("l"),
            Err(BodyError::Invalid { key: "l", expected: "a string" })
        );
        assert_eq!(
            object.required_string("z"),
            Err(BodyError::Invalid { key: "z", expected: "a string without U+0000" })
        );
    }

    #[test]
    fn what_is_ignored_never_fails() {
        let mut object = parse(r#"{"a":1,"b":"x","c":null,"d":1.5,"e":7}"#);
        assert_eq!(object.ignored_integer("d"), None);
        assert_eq!(object.ignored_integer("e"), Some(7));
        assert_eq!(object.ignored_string("a"), None);
        assert_eq!(object.ignored_string("b").as_deref(), Some("x"));
        assert_eq!(object.ignored_string("c"), None);
    }

    #[test]
    fn the_first_of_equal_pairs_counts() {
        let pairs = [("a", "1"), ("a", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(Object::from_pairs(pairs).required_string("a").as_deref(), Ok("1"));
    }

    #[test]
    fn a_later_round_overrides_an_earlier_one() {
        let mut later = parse(r#"{"a":1}"#);
        later.fill_from(parse(r#"{"a":2,"b":3}"#));
        assert_eq!(later, parse(r#"{"a":1,"b":3}"#));
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", parse(r#"{"password":"hunter2"}"#)), "Object { .. }");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Object::parse(&bytes);
        }
    }
}
