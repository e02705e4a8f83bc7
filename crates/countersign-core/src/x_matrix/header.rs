//! The grammar of the header: [RFC 9110, 11.4](https://www.rfc-editor.org/rfc/rfc9110#section-11.4), with colons in values
//! that stand without quotes, as old servers write them.

use super::{InvalidXMatrix, XMatrix};
use crate::{ServerName, Signature, SigningKeyId};

const SCHEME: &str = "X-Matrix";

/// What is read so far.
#[derive(Default)]
struct Parameters {
    origin: Option<String>,
    destination: Option<String>,
    key: Option<String>,
    signature: Option<String>,
}

pub(super) fn parse(header: &str) -> Result<XMatrix, InvalidXMatrix> {
    let (scheme, mut rest) = header.trim_matches(is_blank).split_once(is_blank).ok_or(InvalidXMatrix)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(InvalidXMatrix);
    }
    let mut read = Parameters::default();
    loop {
        // Elements of a list may be empty.
        rest = rest.trim_start_matches(|c| is_blank(c) || c == ',');
        if rest.is_empty() {
            break;
        }
        let (name, value, after) = parameter(rest).ok_or(InvalidXMatrix)?;
        read.take(name, value)?;
        rest = after.trim_start_matches(is_blank);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(InvalidXMatrix);
        }
    }
    read.finish().ok_or(InvalidXMatrix)
}

pub(super) fn write(header: &XMatrix) -> String {
    // None of the values can hold a quote or a backslash.
    let destination =
        header.destination.as_ref().map(|name| format!("destination=\"{name}\",")).unwrap_or_default();
    format!(
        "{SCHEME} origin=\"{}\",{destination}key=\"{}\",sig=\"{}\"",
        header.origin,
        header.key,
        header.signature.to_base64()
    )
}

impl Parameters {
    fn take(&mut self, name: &str, value: String) -> Result<(), InvalidXMatrix> {
        let place = match name.to_ascii_lowercase().as_str() {
            "origin" => &mut self.origin,
            "destination" => &mut self.destination,
            "key" => &mut self.key,
            "sig" | "signature" => &mut self.signature,
            _ => return Ok(()),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(InvalidXMatrix),
        }
    }

    fn finish(self) -> Option<XMatrix> {
        Some(XMatrix {
            origin: ServerName::parse(&self.origin?).ok()?,
            destination: self.destination.map(|name| ServerName::parse(&name)).transpose().ok()?,
            key: SigningKeyId::parse(&self.key?).ok()?,
            signature: Signature::parse(&self.signature?).ok()?,
        })
    }
}

/// Reads `name=value`, with blanks around the sign, and gives what follows.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_at(text.find(|c| !is_token(c)).filter(|length| 0 < *length)?);
    let rest = rest.trim_start_matches(is_blank).strip_prefix('=')?.trim_start_matches(is_blank);
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, after) = unquote(quoted)?;
        return Some((name, value, after));
    }
    let length = rest.find(|c| !is_token(c) && c != ':').unwrap_or(rest.len());
    let (value, after) = rest.split_at(length);
    (!value.is_empty()).then(|| (name, value.to_owned(), after))
}

/// Reads up to the closing quote, and gives what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        let c = match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => chars.next()?,
            c => c,
        };
        if c.is_control() && c != '\t' {
            return None;
        }
        value.push(c);
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}
