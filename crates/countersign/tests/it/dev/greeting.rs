//! What `countersign dev` prints, read as a person does.

/// What a newcomer learns.
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    /// The node: `http://127.0.0.1:8008`.
    pub(crate) url: String,
    /// The inbox's page.
    pub(crate) inbox: String,
    /// Where health is told.
    pub(crate) health: String,
    /// The made-up user.
    pub(crate) user: String,
    /// Its password.
    pub(crate) password: String,
    /// Its access token.
    pub(crate) access_token: String,
    /// Where the request to paste goes.
    pub(crate) curl_url: String,
    /// What it sends.
    pub(crate) curl_body: String,
}

impl Greeting {
    /// Reads it.
    pub(super) fn read(text: &str) -> Self {
        let value = |name: &str| {
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.trim().strip_prefix(name)?.split_whitespace().next());
            found.unwrap_or_else(|| panic!("no {name} in\n{text}")).to_owned()
        };
        let curl_url = value("curl -s ");
        let inbox = value("inbox ");
        let url = inbox.strip_suffix("/inbox").expect("the inbox is at /inbox").to_owned();
        assert!(url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:"), "{url}");
        assert!(curl_url.starts_with(&url), "{text}");
        let (_, body) = text.split_once("-d '").expect("the request has a body");
        let (body, _) = body.split_once('\'').expect("the quote ends");
        Self {
            url,
            inbox,
            health: value("health "),
            user: value("user "),
            password: value("password "),
            access_token: value("access token "),
            curl_url,
            curl_body: body.to_owned(),
        }
    }
}
