//! Policies that users accept.

use thiserror::Error;

/// One version of a policy, as a user accepts it. Both names are 1 to 255 of `0-9a-zA-Z._~-`
/// ([spec](https://spec.matrix.org/v1.19/appendices/#opaque-identifiers)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TermsVersion {
    policy: String,
    version: String,
}

impl TermsVersion {
    /// Parses both names.
    ///
    /// # Errors
    /// When one is empty, too long or has other characters.
    pub fn parse(policy: &str, version: &str) -> Result<Self, InvalidTermsVersion> {
        if !is_opaque_id(policy) {
            return Err(InvalidTermsVersion::Policy);
        }
        if !is_opaque_id(version) {
            return Err(InvalidTermsVersion::Version);
        }
        Ok(Self { policy: policy.to_owned(), version: version.to_owned() })
    }

    /// The policy.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Which version of it.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// Whether a user who accepted these versions accepted all that is required. A new version of a policy is required anew.
pub fn are_accepted<'a>(
    required: impl IntoIterator<Item = &'a TermsVersion>,
    accepted: &[TermsVersion],
) -> bool {
    required.into_iter().all(|version| accepted.contains(version))
}

fn is_opaque_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(fits)
}

/// Text that names no version of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidTermsVersion {
    /// The policy's name.
    #[error("the name of a policy is 1 to 255 of 0-9a-zA-Z._~-")]
    Policy,
    /// The version.
    #[error("the version of a policy is 1 to 255 of 0-9a-zA-Z._~-")]
    Version,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_required_version_must_be_accepted_and_no_other_stands_for_it() {
        let version = |policy: &str, version: &str| TermsVersion::parse(policy, version).unwrap();
        let required = [version("terms", "2"), version("privacy", "1")];
        let accepted = |versions: &[(&str, &str)]| {
            let accepted: Vec<_> = versions.iter().map(|(policy, number)| version(policy, number)).collect();
            are_accepted(&required, &accepted)
        };
        assert!(accepted(&[("privacy", "1"), ("terms", "2"), ("terms", "1")]));
        for versions in [&[][..], &[("terms", "2")], &[("terms", "1"), ("privacy", "1")]] {
            assert!(!accepted(versions), "{versions:?}");
        }
        assert!(are_accepted([], &[]));
    }

    #[test]
    fn names_follow_the_grammar() {
        let long = "a".repeat(255);
        for good in ["privacy_policy", "1.0", "a", "~-._Az9", &long] {
            let version = TermsVersion::parse(good, good).unwrap();
            assert_eq!((version.policy(), version.version()), (good, good));
        }
        for bad in ["", " ", "a b", "ä", "a\n", "a/b", &format!("{long}a")] {
            assert_eq!(TermsVersion::parse(bad, "1"), Err(InvalidTermsVersion::Policy), "{bad:?}");
            assert_eq!(TermsVersion::parse("a", bad), Err(InvalidTermsVersion::Version), "{bad:?}");
        }
    }
}
