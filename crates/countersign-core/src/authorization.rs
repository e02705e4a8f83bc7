//! What allows a change to an account, and whether it still does when the change is made (docs/decisions/0011).

use std::fmt;

use thiserror::Error;

use crate::{
    Account, Localpart, SecondFactor, SessionId, ThreepidOwner, Timestamp, UiaSession, UiaSessionHash,
    ValidationSession,
};

/// What allows a change to an account. What was good when it was checked may not be any more when the change is made, so
/// the operation looks at it once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorization {
    /// The authentication session; `None`: it was allowed at once.
    pub uia_session: Option<UiaSessionHash>,
    /// What its stage rests on.
    pub credential: Credential,
}

/// What a stage rests on.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credential {
    /// The authentication session stands for it: a password that an earlier round had, and whose end is the session's
    /// end; or a homeserver answers for it; or nothing was asked.
    #[default]
    Session,
    /// A password that was compared with this PHC string.
    Password(String),
    /// A validation session of purpose `ResetPassword`.
    Threepid(SessionId),
    /// The access token alone, since the account has nothing else.
    AccessToken,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "Session",
            Self::Password(_) => "Password(..)",
            Self::Threepid(_) => "Threepid(..)",
            Self::AccessToken => "AccessToken",
        })
    }
}

/// What is there of what an [`Authorization`] rests on.
#[derive(Clone, Debug, Default)]
pub struct Grounds {
    /// The account, if it lives here.
    pub account: Option<Account>,
    /// The authentication session.
    pub uia_session: Option<UiaSession>,
    /// The validation session.
    pub proof: Option<ValidationSession>,
    /// Who has that one's address.
    pub proof_owner: Option<ThreepidOwner>,
    /// How many addresses the account has.
    pub threepids: usize,
}

/// Why an authentication does not allow a change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Lapsed {
    /// Its session is gone.
    #[error("the authentication session is gone")]
    Session,
    /// The password is another one by now.
    #[error("the password is another one by now")]
    Password,
    /// The validation session proves no address of the account any more.
    #[error("the address of the authentication is not proven any more")]
    Proof,
    /// The account has a password or an address by now, which has to be asked for.
    #[error("the access token alone is not enough any more")]
    AccessToken,
}

impl Authorization {
    /// Checks that a change to an account is still allowed. Answers the validation session that allows it, consumed.
    ///
    /// # Errors
    /// When what it rests on is gone or is something else by now.
    pub fn check(
        &self,
        grounds: &Grounds,
        localpart: &Localpart,
        now: Timestamp,
    ) -> Result<Option<ValidationSession>, Lapsed> {
        if self.uia_session.is_some() && grounds.uia_session.is_none() {
            return Err(Lapsed::Session);
        }
        let account = grounds.account.as_ref();
        let holds = |holds: bool, lapsed| if holds { Ok(None) } else { Err(lapsed) };
        match &self.credential {
            Credential::Session => Ok(None),
            Credential::Password(compared) => {
                holds(account.is_some_and(|account| account.still_has(Some(compared))), Lapsed::Password)
            }
            Credential::Threepid(_) => {
                let (proof, owner) = (grounds.proof.as_ref(), grounds.proof_owner.as_ref());
                ValidationSession::speak_for(proof, owner, localpart, now)
                    .map(Some)
                    .map_err(|_| Lapsed::Proof)
            }
            Credential::AccessToken => {
                let factor = account.map(|account| account.second_factor(grounds.threepids));
                holds(factor == Some(SecondFactor::None), Lapsed::AccessToken)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SessionPurpose, UiaOperation, ValidationRequest, validation_session::test_data::*};

    fn account(password_hash: Option<&str>) -> Account {
        Account {
            localpart: localpart("alice"),
            password_hash: password_hash.map(str::to_owned),
            created_at: NOW,
            deactivated_at: None,
        }
    }

    fn check(credential: Credential, grounds: &Grounds) -> Result<Option<ValidationSession>, Lapsed> {
        Authorization { uia_session: None, credential }.check(grounds, &localpart("alice"), NOW)
    }

    #[test]
    fn a_session_that_is_gone_allows_nothing() {
        let id = UiaSessionHash::from_bytes([7; 32]);
        let session = UiaSession::begin(id, UiaOperation::Deactivate, None, NOW);
        let authorization = Authorization { uia_session: Some(id), credential: Credential::Session };
        let there = Grounds { uia_session: Some(session), ..Grounds::default() };
        assert_eq!(authorization.check(&there, &localpart("alice"), NOW), Ok(None));
        let gone = authorization.check(&Grounds::default(), &localpart("alice"), NOW);
        assert_eq!(gone, Err(Lapsed::Session));
        assert_eq!(check(Credential::Session, &Grounds::default()), Ok(None));
    }

    #[test]
    fn a_password_allows_as_long_as_it_is_the_accounts() {
        let with = |account| Grounds { account, ..Grounds::default() };
        let checked = |account| check(Credential::Password("old".to_owned()), &with(account));
        assert_eq!(checked(Some(account(Some("old")))), Ok(None));
        let dead = Account { deactivated_at: Some(NOW), ..account(Some("old")) };
        for other in [Some(account(Some("new"))), Some(account(None)), Some(dead), None] {
            assert_eq!(checked(other), Err(Lapsed::Password));
        }
    }

    #[test]
    fn a_proof_of_an_address_of_the_account_allows_once() {
        let proof = validated(&ValidationRequest { purpose: SessionPurpose::ResetPassword, ..request() });
        let owned_by = |name| Some(ThreepidOwner { localpart: localpart(name), added_at: NOW });
        let checked = |proof: &ValidationSession, proof_owner| {
            let grounds = Grounds { proof: Some(proof.clone()), proof_owner, ..Grounds::default() };
            check(Credential::Threepid(proof.sid), &grounds)
        };
        let consumed = checked(&proof, owned_by("alice")).unwrap().unwrap();
        assert!(consumed.consumed.is_some());
        assert_eq!(checked(&consumed, owned_by("alice")), Err(Lapsed::Proof));
        assert_eq!(checked(&proof, owned_by("bob")), Err(Lapsed::Proof));
        assert_eq!(check(Credential::Threepid(proof.sid), &Grounds::default()), Err(Lapsed::Proof));
    }

    #[test]
    fn an_access_token_alone_allows_where_there_is_nothing_else() {
        let checked = |account, threepids| {
            check(Credential::AccessToken, &Grounds { account, threepids, ..Grounds::default() })
        };
        assert_eq!(checked(Some(account(None)), 0), Ok(None));
        for (account, threepids) in [(Some(account(None)), 1), (Some(account(Some("set"))), 0), (None, 0)] {
            assert_eq!(checked(account, threepids), Err(Lapsed::AccessToken));
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert_eq!(format!("{:?}", Credential::Password("$argon2id$secret".to_owned())), "Password(..)");
    }
}
