//! Where settings come from: the file's text, and the environment laid over it.
//!
//! Both end in one tree that keeps the places of the file, so that an error can point at them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::{Config, ConfigError};

const PREFIX: &str = "COUNTERSIGN_";

/// Lines with one of these words are not repeated in errors, since a secret may stand beside it.
const SECRET_WORDS: [&str; 7] =
    ["password", "authorization", "headers", "token", "secret", "key", "postgres"];

/// The file and the environment, read but not yet understood.
pub(super) struct Source {
    /// The file's name for messages.
    name: String,
    text: String,
    overrides: Vec<Override>,
}

/// A variable of the environment that sets a key.
struct Override {
    variable: String,
    key: Vec<String>,
    value: String,
}

/// How a variable's value is taken.
#[derive(Clone, Copy)]
enum Reading {
    /// As a TOML value if it is one.
    Toml,
    /// As text, since the key would not take the TOML value: a password may look like a number.
    Text,
}

impl Source {
    pub(super) fn read(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match path {
            Some(path) => fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?,
            None => String::new(),
        };
        let name = path.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
        let mut overrides = env
            .filter_map(|(variable, value)| Override::of(variable, value))
            .collect::<Result<Vec<_>, _>>()?;
        // A section set whole comes before a key set in it.
        overrides.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { name, text, overrides })
    }

    pub(super) fn parse(&self) -> Result<Config, ConfigError> {
        let mut first_errors = BTreeMap::new();
        loop {
            let reading =
                |index| if first_errors.contains_key(&index) { Reading::Text } else { Reading::Toml };
            let mut root = DeTable::parse(&self.text).map_err(|error| self.malformed(&error))?;
            for (index, setting) in self.overrides.iter().enumerate() {
                setting.apply(root.get_mut(), reading(index))?;
            }
            let error = match Config::deserialize(Deserializer::from(root)) {
                Ok(config) => return Ok(config),
                Err(error) => error,
            };
            let key = key_of(&error);
            let Some(index) = self.overrides.iter().position(|setting| setting.concerns(&key)) else {
                return Err(self.malformed(&error));
            };
            // The value may have been meant as text: the second error at the same place is final, and the first
            // one says more.
            if let Some(first) = first_errors.insert(index, error) {
                let name = self.overrides[index].variable.clone();
                let message = format!("{key}: {}", first.message());
                return Err(ConfigError::Environment { name, message });
            }
        }
    }

    fn malformed(&self, error: &Error) -> ConfigError {
        let key = key_of(error);
        let what =
            if key.is_empty() { error.message().to_owned() } else { format!("{key}: {}", error.message()) };
        let place = error.span().filter(|_| !error.message().starts_with("missing field"));
        ConfigError::Malformed(match place {
            Some(span) => self.point_at(&span, &what),
            None => format!("{}: {what}", self.name),
        })
    }

    /// Writes the file's name, line and column, the message, and the line with a caret under the place.
    fn point_at(&self, span: &Range<usize>, what: &str) -> String {
        let before = &self.text[..self.text.floor_char_boundary(span.start)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let number = before.matches('\n').count() + 1;
        let column = before[line_start..].chars().count();
        let line = self.text[line_start..].lines().next().unwrap_or_default();

        let mut shown = format!("{}:{number}:{}: {what}", self.name, column + 1);
        if SECRET_WORDS.iter().any(|word| line.contains(word)) {
            return shown;
        }
        let width = self
            .text
            .get(span.clone())
            .map_or(1, |marked| marked.lines().next().unwrap_or_default().chars().count());
        let gutter = " ".repeat(number.to_string().len());
        let _ = write!(
            shown,
            "\n{gutter} |\n{number} | {line}\n{gutter} | {}{}",
            " ".repeat(column),
            "^".repeat(width.max(1))
        );
        shown
    }
}

impl Override {
    /// Takes variables with our prefix and at least one `__`; others such as `COUNTERSIGN_CONFIG` are the command
    /// line's.
    fn of(variable: String, value: String) -> Option<Result<Self, ConfigError>> {
        let name = variable.strip_prefix(PREFIX)?;
        if !name.contains("__") {
            return None;
        }
        let key: Vec<String> = name.split("__").map(str::to_lowercase).collect();
        if key.iter().any(String::is_empty) {
            let message = "write COUNTERSIGN_SECTION__KEY".to_owned();
            return Some(Err(ConfigError::Environment { name: variable, message }));
        }
        Some(Ok(Self { variable, key, value }))
    }

    fn apply<'a>(&'a self, root: &mut DeTable<'a>, reading: Reading) -> Result<(), ConfigError> {
        let mut table = root;
        let (last, sections) = self.key.split_last().expect("a key was split from a name with `__`");
        for section in sections {
            if !table.contains_key(section.as_str()) {
                table.insert(
                    Spanned::new(0..0, section.into()),
                    Spanned::new(0..0, DeValue::Table(DeTable::new())),
                );
            }
            let value = table.get_mut(section.as_str()).expect("it was there or inserted").get_mut();
            let DeValue::Table(inner) = value else {
                let message = format!("`{section}` is not a section");
                return Err(ConfigError::Environment { name: self.variable.clone(), message });
            };
            table = inner;
        }
        table.remove(last.as_str());
        table.insert(Spanned::new(0..0, last.into()), self.value(reading));
        Ok(())
    }

    fn value(&self, reading: Reading) -> Spanned<DeValue<'_>> {
        let text = || Spanned::new(0..0, DeValue::String(self.value.as_str().into()));
        match reading {
            Reading::Toml => DeValue::parse(&self.value).unwrap_or_else(|_| text()),
            Reading::Text => text(),
        }
    }

    /// Whether an error at `key` is about this variable's value, or about its name.
    fn concerns(&self, key: &str) -> bool {
        let own = self.key.join(".");
        key == own || key.strip_prefix(&own).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// The dotted key that an error is about; an unknown or missing one included.
fn key_of(error: &Error) -> String {
    // The path is only in the text, and only without the input that would be shown instead.
    let mut bare = error.clone();
    bare.set_input(None);
    let text = bare.to_string();
    let section = text
        .lines()
        .last()
        .and_then(|line| line.strip_prefix("in `"))
        .and_then(|line| line.strip_suffix('`'))
        .unwrap_or_default();
    let named = ["unknown field `", "missing field `"]
        .iter()
        .find_map(|start| error.message().strip_prefix(start))
        .and_then(|rest| rest.split_once('`'))
        .map_or("", |(name, _)| name);
    [section, named].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}
