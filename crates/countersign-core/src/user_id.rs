//! Users of the node: ids, localparts, devices.

use std::fmt;

use thiserror::Error;

/// The longest user id, in bytes ([spec](https://spec.matrix.org/v1.19/appendices/#user-identifiers)).
const USER_ID_MAX_BYTES: usize = 255;

/// The longest localpart that strangers are shown, in bytes.
const SHOWN_LOCALPART_MAX: usize = 64;

/// The name of an account on this node: `[a-z0-9._=/+-]+`
/// ([spec](https://spec.matrix.org/v1.19/appendices/#user-identifiers)).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Localpart(String);

impl Localpart {
    /// Parses a name for a new account. Upper-case ASCII letters are mapped to lower case.
    ///
    /// # Errors
    /// When it is empty, too long to fit a user id with this server name, or has other characters.
    pub fn parse(text: &str, server_name: &ServerName) -> Result<Self, InvalidLocalpart> {
        let localpart = text.to_ascii_lowercase();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=/+-".contains(&byte);
        if localpart.is_empty() || !localpart.bytes().all(fits) {
            return Err(InvalidLocalpart::Characters);
        }
        if USER_ID_MAX_BYTES < localpart.len() + server_name.as_str().len() + 2 {
            return Err(InvalidLocalpart::TooLong);
        }
        Ok(Self(localpart))
    }

    /// The localpart that a stored row or a user id of this server holds.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Localpart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Localpart({})", self.0)
    }
}

/// Text that can't name an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidLocalpart {
    /// Empty, or with other characters.
    #[error("A username is one or more of the characters a-z, 0-9, '.', '_', '=', '-', '/' and '+'")]
    Characters,
    /// Too long.
    #[error("A user id has at most 255 bytes")]
    TooLong,
}

/// The part after the colon in user ids: a hostname or IP address, perhaps with a port
/// ([spec](https://spec.matrix.org/v1.19/appendices/#server-name)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName(String);

impl ServerName {
    /// Parses a server name.
    ///
    /// # Errors
    /// When it is not a hostname, an IPv4 address or a bracketed IPv6 address, with an optional port of 1 to 5 digits,
    /// up to 65535.
    pub fn parse(text: &str) -> Result<Self, InvalidServerName> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, after) = rest.split_once(']').ok_or(InvalidServerName)?;
                address.parse::<std::net::Ipv6Addr>().map_err(|_| InvalidServerName)?;
                let port = if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':').ok_or(InvalidServerName)?)
                };
                ("ipv6", port)
            }
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let host_fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let good_host = (1..=230).contains(&host.len()) && host.bytes().all(host_fits);
        let good_port = |port: &str| {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            (1..=5).contains(&port.len()) && digits && port.parse::<u16>().is_ok()
        };
        if good_host && port.is_none_or(good_port) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidServerName)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hostname or address, without the port; an IPv6 address is in its brackets.
    pub fn host(&self) -> &str {
        self.split().0
    }

    /// The port, if the name has one.
    pub fn port(&self) -> Option<u16> {
        self.split().1.and_then(|port| port.parse().ok())
    }

    fn split(&self) -> (&str, Option<&str>) {
        let bracket = self.0.find(']').unwrap_or(0);
        match self.0[bracket..].find(':') {
            None => (&self.0, None),
            Some(colon) => (&self.0[..bracket + colon], Some(&self.0[bracket + colon + 1..])),
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is no server name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a server name is a hostname or an IP address (IPv6 in brackets), with an optional port")]
pub struct InvalidServerName;

/// A user of some server: `@localpart:server`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserId(String);

impl UserId {
    /// The id of an account on this server.
    pub fn new(localpart: &Localpart, server_name: &ServerName) -> Self {
        Self(format!("@{}:{}", localpart.as_str(), server_name.as_str()))
    }

    /// Parses the id of a user of any server. A localpart may hold any characters but colon and NUL, as those of old accounts
    /// do, and may be empty; it stays as it is.
    ///
    /// # Errors
    /// When it is not `@localpart:server`, or longer than 255 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidUserId> {
        let (localpart, server_name) =
            text.strip_prefix('@').and_then(|rest| rest.split_once(':')).ok_or(InvalidUserId)?;
        if USER_ID_MAX_BYTES < text.len() || localpart.contains('\0') {
            return Err(InvalidUserId);
        }
        ServerName::parse(server_name).map_err(|_| InvalidUserId)?;
        Ok(Self(text.to_owned()))
    }

    /// The server that it is of: what stands behind the first colon.
    pub fn server_name(&self) -> ServerName {
        let (_, server_name) = self.0.split_once(':').expect("a user id has a colon");
        ServerName(server_name.to_owned())
    }

    /// The id as a mail to a stranger may show it. A server can put any words into a localpart: one that is long, or of other
    /// characters than new accounts have, is left out, and so is one with a slash, of which mail programs make a link.
    pub fn for_strangers(&self) -> String {
        let (localpart, server_name) = self.0[1..].split_once(':').expect("a user id has a colon");
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=+-".contains(&byte);
        if (1..=SHOWN_LOCALPART_MAX).contains(&localpart.len()) && localpart.bytes().all(fits) {
            self.0.clone()
        } else {
            format!("@…:{server_name}")
        }
    }

    /// The localpart, if this is a user of that server. It stays as it is.
    pub fn localpart_on(&self, server_name: &ServerName) -> Option<Localpart> {
        let (localpart, server) = self.0.strip_prefix('@')?.split_once(':')?;
        (server == server_name.as_str()).then(|| Localpart::from_stored(localpart.to_owned()))
    }

    /// The localpart that a login names: a full id of this server, or a localpart, compared without case.
    /// `None` if it is an id of another server, which never matches an account.
    pub fn localpart_here(user: &str, server_name: &ServerName) -> Option<Localpart> {
        let localpart = match user.strip_prefix('@') {
            None => user,
            Some(rest) => {
                let (localpart, server) = rest.split_once(':')?;
                if server != server_name.as_str() {
                    return None;
                }
                localpart
            }
        };
        Localpart::parse(localpart, server_name).ok()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is no user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a user id is `@localpart:server`, of at most 255 bytes")]
pub struct InvalidUserId;

/// A device of an account: at most 512 bytes, chosen by the client or by us.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// Parses a client's choice.
    ///
    /// # Errors
    /// When it is empty, longer than 512 bytes, or has control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidDeviceId> {
        let good = (1..=512).contains(&text.len()) && !text.chars().any(char::is_control);
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidDeviceId) }
    }

    /// A new random one: ten capital letters.
    pub fn generate(random: &dyn crate::Random) -> Self {
        let bytes: [u8; 10] = random.bytes();
        Self(bytes.iter().map(|byte| char::from(b'A' + byte % 26)).collect())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that is no device id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("device_id must have 1 to 512 bytes and no control characters")]
pub struct InvalidDeviceId;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server() -> ServerName {
        ServerName::parse("example.org").unwrap()
    }

    #[test]
    fn strangers_read_no_words_that_a_server_put_into_a_localpart() {
        let shown = |text: &str| UserId::parse(text).unwrap().for_strangers();
        assert_eq!(shown("@alice.smith_2=+-:example.org:8448"), "@alice.smith_2=+-:example.org:8448");
        let long = format!("@{}:example.org", "a".repeat(65));
        for hidden in
            ["@Old Name:example.org", "@x\n\nSign in:example.org", "@a/b:example.org", "@:example.org", &long]
        {
            assert_eq!(shown(hidden), "@…:example.org", "{hidden:?}");
        }
    }

    #[test]
    fn logins_name_accounts_of_this_server_only() {
        for (user, localpart) in [
            ("alice", Some("alice")),
            ("Alice", Some("alice")),
            ("@alice:example.org", Some("alice")),
            ("@alice:example.com", None),
            ("@alice", None),
            ("", None),
            ("@:example.org", None),
            ("ålice", None),
        ] {
            let found = UserId::localpart_here(user, &server());
            assert_eq!(found.as_ref().map(Localpart::as_str), localpart, "{user}");
        }
    }

    #[test]
    fn localparts_of_old_accounts_stay_as_they_are() {
        let old = UserId::parse("@Old Name:example.org").unwrap();
        assert_eq!(old.localpart_on(&server()).unwrap().as_str(), "Old Name");
        assert_eq!(UserId::parse("@a:example.com").unwrap().localpart_on(&server()), None);
    }

    #[test]
    fn server_names_follow_the_grammar() {
        for good in
            ["example.org", "localhost", "example.org:8448", "192.0.2.1", "[2001:db8::1]", "[::1]:8008"]
        {
            assert!(ServerName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "example.org:",
            "example.org:123456",
            "example.org:65536",
            "[::1",
            "[::1]8008",
            "https://example.org",
            "ä.de",
        ] {
            assert!(ServerName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_name_is_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("example.org", "example.org", None),
            ("example.org:8448", "example.org", Some(8448)),
            ("example.org:00443", "example.org", Some(443)),
            ("192.0.2.1:65535", "192.0.2.1", Some(65535)),
            ("[2001:db8::1]", "[2001:db8::1]", None),
            ("[::1]:8008", "[::1]", Some(8008)),
        ] {
            let name = ServerName::parse(text).unwrap();
            assert_eq!((name.host(), name.port()), (host, port), "{text}");
        }
    }

    #[test]
    fn user_ids_of_any_server_stay_as_they_are() {
        let longest = format!("@{}:example.org", "a".repeat(242));
        for (id, server_name) in [
            ("@alice:example.org", "example.org"),
            ("@Alice Ü/=:Example.org:8448", "Example.org:8448"),
            ("@:example.org", "example.org"),
            ("@a@b:[::1]:1", "[::1]:1"),
            (&longest, "example.org"),
        ] {
            let parsed = UserId::parse(id).unwrap();
            assert_eq!((parsed.as_str(), parsed.server_name().as_str()), (id, server_name));
        }
        let too_long = format!("@{}:example.org", "a".repeat(243));
        for bad in
            ["", "alice:example.org", "@alice", "@alice:", "@a:b:c", "@a\0:b", "@a:b c", "!a:b", &too_long]
        {
            assert_eq!(UserId::parse(bad), Err(InvalidUserId), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn parsers_never_panic(text in "\\PC{0,300}") {
            let _ = ServerName::parse(&text);
            let _ = UserId::parse(&text).map(|id| id.server_name());
            let _ = Localpart::parse(&text, &server());
            let _ = UserId::localpart_here(&text, &server());
            let _ = DeviceId::parse(&text);
        }
    }
}
