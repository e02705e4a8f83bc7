//! The mail of an invitation.

use countersign_core::{Invitation, InvitationName, Keyring};
use countersign_delivery::templates::InvitationEmail;
use thiserror::Error;

use super::details::{Details, InvalidDetails};
use crate::{VerifierSettings, WriterSettings};

/// Where the mail of an invitation leads, if it leads anywhere: a URL of an app in which placeholders stand for what the app
/// must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteLink(String);

/// Text that is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidInviteLink {
    /// It is not of the web.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// It has a placeholder that there isn't.
    #[error(
        "may hold {{room_id}}, {{email}}, {{token}}, {{private_key}}, {{signurl}}, {{room_name}} and {{inviter_name}} only"
    )]
    Placeholder,
    /// Who follows it could not accept.
    #[error("must hold {{signurl}}, or {{token}} and {{private_key}}: without them nobody can accept")]
    Secrets,
}

/// What stands in braces in an [`InviteLink`].
const PLACEHOLDERS: [&str; 7] =
    ["room_id", "email", "token", "private_key", "signurl", "room_name", "inviter_name"];

impl InviteLink {
    /// Parses what an operator wrote.
    ///
    /// # Errors
    /// When it is no URL of the web, or holds too little or too much.
    pub fn parse(text: &str) -> Result<Self, InvalidInviteLink> {
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(InvalidInviteLink::Scheme);
        }
        let names: Vec<&str> =
            text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or("")).collect();
        if !names.iter().all(|name| PLACEHOLDERS.contains(name)) {
            return Err(InvalidInviteLink::Placeholder);
        }
        if names.contains(&"signurl") || names.contains(&"token") && names.contains(&"private_key") {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInviteLink::Secrets)
        }
    }

    /// The URL with its placeholders filled in, each value escaped.
    fn fill(&self, values: [(&str, &str); PLACEHOLDERS.len()]) -> String {
        let mut filled = String::new();
        for (index, part) in self.0.split('{').enumerate() {
            let (name, text) =
                if index == 0 { ("", part) } else { part.split_once('}').unwrap_or((part, "")) };
            let value = values.iter().find(|(placeholder, _)| *placeholder == name);
            filled.push_str(&escaped(value.map_or("", |(_, value)| value)));
            filled.push_str(text);
        }
        filled
    }
}

/// Text as it may stand anywhere in a URL.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// What stands in the mail of an invitation.
pub(crate) fn invitation_email(
    invitation: &Invitation,
    keyring: &Keyring,
    verifier: &VerifierSettings,
    settings: &WriterSettings,
) -> Result<InvitationEmail, InvalidDetails> {
    let details = Details::open(keyring, invitation)?;
    let name = |text: &Option<String>, longest| {
        let name = InvitationName::parse(text.as_deref()?, longest, &settings.invite_blocked_words)?;
        Some(name.as_str().to_owned())
    };
    let room_name = name(&details.room.name, InvitationName::ROOM_MAX);
    let sender_name = name(&details.sender_display_name, InvitationName::PERSON_MAX);
    let sign_url = verifier.links.sign_ed25519(&details.token, &details.private_key);
    let link = settings.invite_link.as_ref().map(|link| {
        link.fill([
            ("room_id", &details.room.id),
            ("email", &details.address),
            ("token", &details.token),
            ("private_key", &details.private_key),
            ("signurl", &sign_url),
            ("room_name", room_name.as_deref().unwrap_or_default()),
            ("inviter_name", sender_name.as_deref().unwrap_or_default()),
        ])
    });
    Ok(InvitationEmail {
        server_name: verifier.server_name.to_string(),
        sender: invitation.sender.for_strangers(),
        sender_name,
        room_name,
        link,
        not_me_link: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_escaped() {
        let link = "https://app.example.org/#/room/{room_id}?email={email}&signurl={signurl}";
        let values = [
            ("room_id", "!a:b"),
            ("email", "é@x&y"),
            ("token", "t"),
            ("private_key", "k"),
            ("signurl", "https://h/?a=b"),
            ("room_name", ""),
            ("inviter_name", ""),
        ];
        assert_eq!(
            InviteLink::parse(link).unwrap().fill(values),
            "https://app.example.org/#/room/%21a%3Ab?email=%C3%A9%40x%26y&signurl=https%3A%2F%2Fh%2F%3Fa%3Db"
        );
        let both = InviteLink::parse("http://h/{token}{private_key}x").unwrap();
        assert_eq!(both.fill(values), "http://h/tkx");
    }

    #[test]
    fn a_link_without_the_secrets_or_with_more_is_refused() {
        use InvalidInviteLink as E;
        for (link, error) in [
            ("javascript:{signurl}", E::Scheme),
            ("https://h/{signurl}{sid}", E::Placeholder),
            ("https://h/{signurl}{", E::Placeholder),
            ("https://h/{room_id}", E::Secrets),
            ("https://h/{token}", E::Secrets),
        ] {
            assert_eq!(InviteLink::parse(link), Err(error), "{link}");
        }
    }
}
