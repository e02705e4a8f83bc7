//! Changes to accounts, what allows them, and what they take away.

use countersign_core::{Authorization, Credential, Stage, StageProof, UiaSession, UiaSessionHash, UserId};

use super::*;
use crate::{Deactivation, StageCompleted};

/// The end of an account, which nothing stands against.
pub(crate) fn deactivation(name: &str) -> Deactivation {
    let localpart = localpart(name);
    Deactivation {
        user_id: UserId::new(&localpart, &server_name()),
        localpart,
        authorization: Authorization::default(),
        notices: Vec::new(),
    }
}

/// Allowed by the authentication session of that id.
pub(crate) fn by_session(id: UiaSessionHash) -> Authorization {
    Authorization { uia_session: Some(id), credential: Credential::Session }
}

/// Allowed at once by this.
pub(crate) fn by(credential: Credential) -> Authorization {
    Authorization { uia_session: None, credential }
}

/// The password of an account that [`registration`] made.
pub(crate) fn password_proof(name: &str) -> StageProof {
    StageProof::Password { localpart: localpart(name), compared: PASSWORD_HASH.to_owned() }
}

/// Completes a stage, which must count.
pub(crate) async fn complete(storage: &dyn Storage, id: &str, stage: Stage, proof: StageProof) -> UiaSession {
    match storage.complete_uia_stage(uia_session_hash(id), stage, proof).await.unwrap() {
        StageCompleted::Completed(session) => session,
        answer => panic!("not completed: {answer:?}"),
    }
}

/// Gives a device a token that proves its user to other services; answers whether it got it.
pub(crate) async fn give_openid_token(storage: &dyn Storage, name: &str, device: &str, token: &str) -> bool {
    let token = keyring().openid_token_hash(token);
    storage.add_openid_token(token, &localpart(name), &device_id(device), LONG_AFTER).await.unwrap()
}
