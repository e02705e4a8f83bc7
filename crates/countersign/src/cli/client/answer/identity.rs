//! Answers of an identity service.

use std::collections::BTreeMap;

use countersign_client::{
    Policy,
    identity::{
        AccountResponse, BindResponse, HashDetailsResponse, IsValidResponse, PubkeyResponse,
        RegisterResponse, SignResponse, StoreInviteResponse, TermsResponse, ValidatedThreepidResponse,
        VersionsResponse,
    },
};
use serde::Serialize;

use super::{Answer, Lines, time};

/// The users who were found, by their addresses.
#[derive(Serialize)]
pub(in crate::cli::client) struct Found {
    pub(in crate::cli::client) mappings: BTreeMap<String, String>,
}

impl Answer for Found {
    fn lines(&self) -> Lines {
        if self.mappings.is_empty() {
            return Lines::of("mappings", "none");
        }
        self.mappings.iter().fold(Lines::default(), |lines, (address, user_id)| lines.and(address, user_id))
    }
}

impl Answer for VersionsResponse {
    fn lines(&self) -> Lines {
        Lines::of("versions", self.versions.join(", "))
    }
}

impl Answer for RegisterResponse {
    fn lines(&self) -> Lines {
        Lines::of("token", &self.token)
    }
}

impl Answer for AccountResponse {
    fn lines(&self) -> Lines {
        Lines::of("user_id", &self.user_id)
    }
}

impl Answer for TermsResponse {
    /// A block for each policy, with an empty line between two.
    fn lines(&self) -> Lines {
        if self.policies.is_empty() {
            return Lines::of("policies", "none");
        }
        let blocks: Vec<Vec<String>> = self.policies.iter().map(|(id, policy)| block(id, policy).0).collect();
        Lines(blocks.join(&String::new()))
    }
}

fn block(id: &str, policy: &Policy) -> Lines {
    let head = Lines::of("policy", id).and("version", &policy.version);
    policy.links.iter().fold(head, |lines, (language, link)| lines.and(language, &link.url))
}

impl Answer for ValidatedThreepidResponse {
    fn lines(&self) -> Lines {
        Lines::of("medium", &self.medium)
            .and("address", &self.address)
            .and("validated_at", time(self.validated_at))
    }
}

impl Answer for BindResponse {
    /// The signatures are for machines.
    fn lines(&self) -> Lines {
        Lines::of("medium", &self.medium)
            .and("address", &self.address)
            .and("mxid", &self.mxid)
            .and("not_before", time(self.not_before))
            .and("not_after", time(self.not_after))
            .and("ts", time(self.ts))
    }
}

impl Answer for StoreInviteResponse {
    fn lines(&self) -> Lines {
        let head = Lines::of("token", &self.token).and("display_name", &self.display_name);
        self.public_keys.iter().fold(head, |lines, key| lines.and("public_key", &key.public_key))
    }
}

impl Answer for PubkeyResponse {
    fn lines(&self) -> Lines {
        Lines::of("public_key", &self.public_key)
    }
}

impl Answer for IsValidResponse {
    fn lines(&self) -> Lines {
        Lines::of("valid", self.valid)
    }
}

impl Answer for HashDetailsResponse {
    fn lines(&self) -> Lines {
        Lines::of("lookup_pepper", &self.lookup_pepper).and("algorithms", self.algorithms.join(", "))
    }
}

impl Answer for SignResponse {
    /// The signatures are for machines.
    fn lines(&self) -> Lines {
        Lines::of("mxid", &self.mxid).and("sender", &self.sender).and("token", &self.token)
    }
}

#[cfg(test)]
mod tests {
    use countersign_client::{
        PolicyLink,
        identity::{InvitePublicKey, Signatures},
    };

    use super::*;
    use crate::cli::client::answer::Format;

    fn lines(answer: &impl Answer) -> String {
        Format::Lines.show(answer).unwrap()
    }

    fn json(answer: &impl Answer) -> String {
        Format::Json.show(answer).unwrap()
    }

    #[test]
    fn people_stand_behind_their_addresses() {
        let found = |pairs: &[(&str, &str)]| Found {
            mappings: pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
        };
        assert_eq!(lines(&found(&[])), "mappings: none");
        let two = found(&[("bob@example.org", "@bob:x"), ("447700900123", "@al:x")]);
        assert_eq!(lines(&two), "447700900123: @al:x\nbob@example.org: @bob:x");
        assert_eq!(json(&two), r#"{"mappings":{"447700900123":"@al:x","bob@example.org":"@bob:x"}}"#);
    }

    #[test]
    fn policies_are_blocks_with_a_url_in_each_language() {
        assert_eq!(lines(&TermsResponse::default()), "policies: none");
        let link = |url: &str| PolicyLink { name: "Terms".to_owned(), url: url.to_owned() };
        let links = [("de".to_owned(), link("https://x/de")), ("en".to_owned(), link("https://x/en"))];
        let policy = Policy { version: "2".to_owned(), links: links.into() };
        let bare = Policy { version: "1".to_owned(), links: BTreeMap::new() };
        let policies = [("terms".to_owned(), policy), ("a".to_owned(), bare)].into();
        let expected =
            "policy: a\nversion: 1\n\npolicy: terms\nversion: 2\nde: https://x/de\nen: https://x/en";
        assert_eq!(lines(&TermsResponse { policies }), expected);
    }

    #[test]
    fn tokens_and_keys_are_printed_under_the_keys_of_the_wire() {
        assert_eq!(lines(&RegisterResponse { token: "t".to_owned() }), "token: t");
        assert_eq!(lines(&AccountResponse { user_id: "@a:x".to_owned() }), "user_id: @a:x");
        assert_eq!(lines(&PubkeyResponse { public_key: "k".to_owned() }), "public_key: k");
        assert_eq!(lines(&IsValidResponse { valid: true }), "valid: true");
        let algorithms = vec!["sha256".to_owned(), "none".to_owned()];
        let details = HashDetailsResponse { lookup_pepper: "p".to_owned(), algorithms };
        assert_eq!(lines(&details), "lookup_pepper: p\nalgorithms: sha256, none");
        let signed = SignResponse {
            mxid: "@b:x".to_owned(),
            sender: "@a:x".to_owned(),
            token: "t".to_owned(),
            signatures: Signatures::new(),
        };
        assert_eq!(lines(&signed), "mxid: @b:x\nsender: @a:x\ntoken: t");
        assert_eq!(json(&signed), r#"{"mxid":"@b:x","sender":"@a:x","token":"t","signatures":{}}"#);
        let versions = VersionsResponse { versions: vec!["v1.18".to_owned(), "v1.19".to_owned()] };
        assert_eq!(lines(&versions), "versions: v1.18, v1.19");
        let key = |public_key: &str| InvitePublicKey {
            public_key: public_key.to_owned(),
            key_validity_url: "https://is".to_owned(),
        };
        let stored = StoreInviteResponse {
            token: "t".to_owned(),
            public_keys: vec![key("k"), key("l")],
            display_name: "a...@b...".to_owned(),
            public_key: Some("k".to_owned()),
        };
        assert_eq!(lines(&stored), "token: t\ndisplay_name: a...@b...\npublic_key: k\npublic_key: l");
    }

    #[test]
    fn times_of_a_binding_are_readable() {
        let validated = ValidatedThreepidResponse {
            medium: "email".to_owned(),
            address: "a@b.c".to_owned(),
            validated_at: 0,
        };
        let expected = "medium: email\naddress: a@b.c\nvalidated_at: 1970-01-01T00:00:00Z";
        assert_eq!(lines(&validated), expected);
        let bound = BindResponse {
            address: "a@b.c".to_owned(),
            medium: "email".to_owned(),
            mxid: "@a:x".to_owned(),
            not_before: 0,
            not_after: 1_500,
            ts: 0,
            signatures: Signatures::new(),
        };
        let expected = "medium: email\naddress: a@b.c\nmxid: @a:x\nnot_before: 1970-01-01T00:00:00Z\n\
                        not_after: 1970-01-01T00:00:01.5Z\nts: 1970-01-01T00:00:00Z";
        assert_eq!(lines(&bound), expected);
    }
}
