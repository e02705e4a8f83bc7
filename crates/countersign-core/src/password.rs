//! What a new password must be like.

use thiserror::Error;

use crate::Localpart;

/// The longest password, in bytes: hashing more would only cost time.
pub const PASSWORD_MAX_BYTES: usize = 512;

/// A kind of character that a password may have to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CharacterClass {
    /// A lower-case letter.
    Lower,
    /// An upper-case letter.
    Upper,
    /// A digit.
    Digit,
    /// Anything else.
    Symbol,
}

impl CharacterClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Lower, Self::Upper, Self::Digit, Self::Symbol];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Digit => "digit",
            Self::Symbol => "symbol",
        }
    }

    /// The class of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    fn has(self, character: char) -> bool {
        match self {
            Self::Lower => character.is_lowercase(),
            Self::Upper => character.is_uppercase(),
            Self::Digit => character.is_numeric(),
            Self::Symbol => !character.is_alphanumeric(),
        }
    }
}

/// What a new password must be like. One that exists is never checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// How many characters at least. None is never enough.
    pub min_length: usize,
    /// Of which kinds it must have at least one.
    pub require: Vec<CharacterClass>,
}

impl PasswordPolicy {
    /// Checks a new password, as it is: blanks count wherever they stand.
    ///
    /// # Errors
    /// When it is too short or too long, lacks a kind of character, or is the account's name.
    pub fn check(&self, password: &str, localpart: Option<&Localpart>) -> Result<(), WeakPassword> {
        if PASSWORD_MAX_BYTES < password.len() {
            return Err(WeakPassword::TooLong);
        }
        let min_length = self.min_length.max(1);
        if password.chars().count() < min_length {
            return Err(WeakPassword::TooShort { min_length });
        }
        for class in &self.require {
            if !password.chars().any(|character| class.has(character)) {
                return Err(WeakPassword::Lacks(*class));
            }
        }
        if localpart.is_some_and(|localpart| password.eq_ignore_ascii_case(localpart.as_str())) {
            return Err(WeakPassword::IsName);
        }
        Ok(())
    }

    /// The ways in which people write a name: what a password that is known by its hash alone is compared with, since it was
    /// given before anyone knew for which account.
    pub fn spellings(localpart: &Localpart) -> Vec<String> {
        let name = localpart.as_str();
        let capitals = |starts_word: fn(char) -> bool| -> String {
            let before = [None].into_iter().chain(name.chars().map(Some));
            let pairs = before.zip(name.chars());
            let capital = |(before, character): (Option<char>, char)| match before {
                Some(before) if !starts_word(before) => character,
                Some(_) | None => character.to_ascii_uppercase(),
            };
            pairs.map(capital).collect()
        };
        let mut spellings = vec![
            name.to_owned(),
            name.to_ascii_uppercase(),
            capitals(|_| false),
            capitals(|before| !before.is_ascii_alphanumeric()),
        ];
        spellings.dedup();
        spellings
    }
}

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WeakPassword {
    /// Too few characters.
    #[error("The password needs at least {min_length} characters")]
    TooShort {
        /// How many it needs.
        min_length: usize,
    },
    /// Too many bytes.
    #[error("The password has more than 512 bytes")]
    TooLong,
    /// None of a kind of character.
    #[error("The password needs at least one character of the kind \"{}\"", .0.as_str())]
    Lacks(CharacterClass),
    /// The account's own name.
    #[error("The password must not be the username")]
    IsName,
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: PasswordPolicy = PasswordPolicy { min_length: 8, require: Vec::new() };

    #[test]
    fn length_is_counted_in_characters_and_limited_in_bytes() {
        let short = Err(WeakPassword::TooShort { min_length: 8 });
        for (password, checked) in [
            ("", short),
            ("1234567", short),
            ("12345678", Ok(())),
            ("ääääääää", Ok(())),
            ("        ", Ok(())),
            (&"a".repeat(512), Ok(())),
            (&"a".repeat(513), Err(WeakPassword::TooLong)),
        ] {
            assert_eq!(POLICY.check(password, None), checked, "{password:?}");
        }
        let lax = PasswordPolicy { min_length: 0, ..POLICY };
        assert_eq!(lax.check("", None), Err(WeakPassword::TooShort { min_length: 1 }));
        assert_eq!(lax.check("a", None), Ok(()));
    }

    #[test]
    fn each_required_kind_must_be_there() {
        let strict = PasswordPolicy { require: CharacterClass::ALL.to_vec(), ..POLICY };
        assert_eq!(strict.check("aB3 aB3 ", None), Ok(()));
        for (password, class) in [
            ("AB3 AB3 ", CharacterClass::Lower),
            ("ab3 ab3 ", CharacterClass::Upper),
            ("aBc aBc ", CharacterClass::Digit),
            ("aB3caB3c", CharacterClass::Symbol),
        ] {
            assert_eq!(strict.check(password, None), Err(WeakPassword::Lacks(class)));
        }
    }

    #[test]
    fn the_own_name_is_no_password() {
        let name = Localpart::from_stored("alice.smith".to_owned());
        assert_eq!(POLICY.check("Alice.Smith", Some(&name)), Err(WeakPassword::IsName));
        assert_eq!(POLICY.check("alice.smith!", Some(&name)), Ok(()));
    }

    #[test]
    fn a_name_is_spelled_as_people_spell_it() {
        let spellings = |name: &str| PasswordPolicy::spellings(&Localpart::from_stored(name.to_owned()));
        assert_eq!(spellings("alice.smith"), ["alice.smith", "ALICE.SMITH", "Alice.smith", "Alice.Smith"]);
        assert_eq!(spellings("alice"), ["alice", "ALICE", "Alice"]);
        assert_eq!(spellings("12345678"), ["12345678"]);
        for spelling in spellings("alice.van_der-berg") {
            let name = Localpart::from_stored("alice.van_der-berg".to_owned());
            assert_eq!(POLICY.check(&spelling, Some(&name)), Err(WeakPassword::IsName));
        }
    }

    #[test]
    fn names_of_classes_read_back() {
        for class in CharacterClass::ALL {
            assert_eq!(CharacterClass::parse(class.as_str()), Some(class));
        }
        assert_eq!(CharacterClass::parse("letter"), None);
    }
}
