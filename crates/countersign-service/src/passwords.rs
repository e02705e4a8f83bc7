//! Password hashes: argon2id, off the async threads, few at a time.

use std::{fmt, sync::Arc};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use countersign_core::Random;
use tokio::{sync::Semaphore, task};
use zeroize::Zeroizing;

/// How many hashes are computed at once. Each takes 19 MiB and tens of milliseconds of one core.
const CONCURRENT: usize = 2;

/// Verified in place of an account that isn't there, so that both take the same time. Nobody's password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$Y291bnRlcnNpZ25ub2JvZHk$\
                      5QnKOsqNA1Gl1zHVbCsiYCMhU5XYvtr0mWqnZ8rKVPM";

/// The password that an account is to have.
#[derive(Clone)]
pub enum NewPassword {
    /// As its owner typed it.
    Plain(Zeroizing<String>),
    /// As an earlier round of the authentication left it, a PHC string.
    Hashed(String),
    /// None at all.
    None,
}

impl NewPassword {
    /// What this round of a request says, or else what an earlier one left.
    pub fn of(plain: Option<Zeroizing<String>>, remembered: Option<&str>) -> Self {
        match (plain, remembered) {
            (Some(plain), _) => Self::Plain(plain),
            (None, Some(hash)) => Self::Hashed(hash.to_owned()),
            (None, None) => Self::None,
        }
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

/// Makes and verifies password hashes. Clones share one bound.
#[derive(Clone)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    random: Arc<dyn Random>,
}

impl Passwords {
    /// With salts from `random`.
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self { slots: Arc::new(Semaphore::new(CONCURRENT)), random }
    }

    /// The PHC string of a password. Any string is one: it is neither trimmed nor normalized.
    pub async fn hash(&self, password: Zeroizing<String>) -> String {
        let salt = self.random.bytes::<16>();
        self.off_the_async_threads(move || {
            Argon2::default()
                .hash_password_with_salt(password.as_bytes(), &salt)
                .expect("the default parameters and a salt of 16 bytes are good")
                .to_string()
        })
        .await
    }

    /// The PHC string of a new password. One that matches what an earlier round left keeps that string, so that a repeat
    /// which leaves the password out can be told from another request.
    pub(crate) async fn hash_new(&self, password: NewPassword, remembered: Option<String>) -> Option<String> {
        match password {
            NewPassword::Plain(password) => match remembered {
                Some(hash) if self.verify(password.clone(), Some(hash.clone())).await => Some(hash),
                Some(_) | None => Some(self.hash(password).await),
            },
            NewPassword::Hashed(hash) => Some(hash),
            NewPassword::None => None,
        }
    }

    /// Whether a password matches a PHC string. With no string it takes as long and is `false`.
    pub async fn verify(&self, password: Zeroizing<String>, hash: Option<String>) -> bool {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let matches = self
            .off_the_async_threads(move || {
                let verified: Result<(), _> =
                    Argon2::default().verify_password(password.as_bytes(), hash.as_str());
                verified.is_ok()
            })
            .await;
        matches && known
    }

    async fn off_the_async_threads<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        let work = task::spawn_blocking(move || {
            let _slot = slot;
            work()
        });
        work.await.expect("hashing does not panic, and is not aborted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new(Arc::new(SystemRandom));
        let hash = passwords.hash(Zeroizing::new(" pässword ".to_owned())).await;
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(Zeroizing::new(" pässword ".to_owned()), Some(hash.clone())).await);
        assert!(!passwords.verify(Zeroizing::new("pässword".to_owned()), Some(hash.clone())).await);
        assert!(!passwords.verify(Zeroizing::new(" pässword ".to_owned()), None).await);
    }

    #[test]
    fn the_stand_in_for_nobody_is_a_real_hash() {
        let verified: Result<(), _> = Argon2::default().verify_password(b"x", NOBODY);
        assert_eq!(verified, Err(argon2::password_hash::Error::PasswordInvalid));
    }
}
