//! Messages that nobody asked for with a session of their own: notices, invitations, calls of a homeserver.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    ClientSecret, DrawnRandom, Keyring, Language, MessageId, NoticeDraft, Random, SealedColumn, SessionId,
    SessionPurpose, ThirdPartyIdentifier, Timestamp, TokenNonce, UserId,
};

/// A message about an address that nobody asked for with a session of its own.
pub(crate) struct UnaskedMessage<'a> {
    /// The address.
    pub(crate) threepid: &'a ThirdPartyIdentifier,
    /// The language to write it in.
    pub(crate) language: &'a Language,
    /// The user whom it is about.
    pub(crate) user_id: &'a UserId,
    /// How long it may wait to be sent.
    pub(crate) lifetime: Duration,
}

impl UnaskedMessage<'_> {
    /// The draft, with a session of its own whose key and secret nobody has. The operation that it is given to decides
    /// whether it is owed.
    pub(crate) fn draft(&self, keyring: &Keyring, random: &dyn Random, now: Timestamp) -> NoticeDraft {
        let random: &dyn Random = &DrawnRandom::new(random);
        let sealer = keyring.sealer();
        let sid = SessionId::generate(now, random);
        let client_secret = ClientSecret::parse(&URL_SAFE_NO_PAD.encode(random.bytes::<32>()))
            .expect("base64url has only characters that a client secret may have");
        let address_hash = keyring.address_hash(self.threepid);
        let address = self.threepid.address().as_bytes();
        NoticeDraft {
            sid,
            message_id: MessageId::generate(now, random),
            medium: self.threepid.medium(),
            address_hash,
            sealed_address: sealer.seal(SealedColumn::SessionAddress, sid.as_bytes(), address, random),
            key: keyring.session_key(SessionPurpose::Verify, &address_hash, &client_secret),
            client_secret_hash: keyring.client_secret_hash(&client_secret),
            token_key_id: sealer.current_key_id().clone(),
            nonce: TokenNonce::from_bytes(random.bytes()),
            language: self.language.clone(),
            user_id: self.user_id.clone(),
            lifetime: self.lifetime,
        }
    }
}
