//! A message that tells the owner of an account what became of it (docs/decisions/0012).

use std::time::Duration;

use super::ValidationSession;
use crate::{
    AddressHash, ClientSecretHash, CodeGeneration, Language, MasterKeyId, Medium, MessageId, MessageKind,
    OutboxMessage, Sealed, SendAttempt, SessionId, SessionKey, SessionPurpose, Timestamp, TokenNonce, UserId,
};

/// A notice to one address, sealed before the operation that decides whether it is owed.
#[derive(Clone, Debug)]
pub struct NoticeDraft {
    /// The session that is to owe it: new, of its own.
    pub sid: SessionId,
    /// The message's row.
    pub message_id: MessageId,
    /// The kind of address.
    pub medium: Medium,
    /// The address, to look up.
    pub address_hash: AddressHash,
    /// The address, to read: sealed for that session.
    pub sealed_address: Sealed,
    /// A key that nobody asks for.
    pub key: SessionKey,
    /// A secret that nobody has.
    pub client_secret_hash: ClientSecretHash,
    /// The key that the session's tokens would derive from.
    pub token_key_id: MasterKeyId,
    /// What they would derive from.
    pub nonce: TokenNonce,
    /// The language to write it in.
    pub language: Language,
    /// The account that it is about.
    pub user_id: UserId,
    /// How long it may wait to be sent.
    pub lifetime: Duration,
}

impl ValidationSession {
    /// The session and the message of a notice. The session never validates: it is a decoy, its tokens are sent to nobody,
    /// and no key names it.
    pub fn notice(draft: &NoticeDraft, kind: MessageKind, now: Timestamp) -> (Self, OutboxMessage) {
        let send_attempt = SendAttempt(1);
        let session = Self {
            sid: draft.sid,
            key: draft.key,
            // Of all purposes the one that has no effect on an account.
            purpose: SessionPurpose::Verify,
            medium: draft.medium,
            address_hash: draft.address_hash,
            sealed_address: draft.sealed_address.clone(),
            client_secret_hash: draft.client_secret_hash,
            token_key_id: draft.token_key_id.clone(),
            nonce: draft.nonce.clone(),
            send_attempt: Some(send_attempt),
            sealed_next_link: None,
            code_generation: CodeGeneration(0),
            code_began_at: None,
            misses: 0,
            requested_by: Some(draft.user_id.clone()),
            created_at: now,
            validated_at: None,
            expires_at: now.after(draft.lifetime),
            ended: None,
            consumed: None,
            decoy: true,
            latest: false,
        };
        let message = OutboxMessage {
            id: draft.message_id,
            kind,
            carrier: kind.carrier(draft.medium),
            sid: draft.sid,
            send_attempt,
            language: draft.language.clone(),
            created_at: now,
            not_before: now,
            tries: 0,
        };
        (session, message)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{BeginSend, Confirmed, Submitted, test_data::*},
        *,
    };
    use crate::Carrier;

    #[test]
    fn a_notice_is_sent_and_proves_nothing() {
        let (session, message) =
            ValidationSession::notice(&notice_draft(), MessageKind::PasswordChanged, NOW);
        assert_eq!((message.kind, message.sid), (MessageKind::PasswordChanged, session.sid));
        let BeginSend::Send(sent) = session.begin_send(&message, &codes(), NOW) else { panic!("not sent") };
        for token in [link_token(&sent), typed_code(&sent)] {
            let answer = ValidationSession::submit(Some(&sent), &submission(&token), &[], NOW).answer;
            assert_eq!(answer, Submitted::Incorrect);
        }
        let confirmed = ValidationSession::confirm(Some(&sent), &confirmation(&link_token(&sent)), NOW);
        assert_eq!(confirmed.answer, Confirmed::Unknown);
        assert!(ValidationSession::add_threepid(&adding(&sent), &add("alice"), NOW).is_err());
    }

    #[test]
    fn what_is_for_a_homeserver_leaves_another_way_than_mail() {
        for (kind, carrier) in
            [(MessageKind::OnBind, Carrier::Federation), (MessageKind::Invitation, Carrier::Email)]
        {
            assert_eq!(ValidationSession::notice(&notice_draft(), kind, NOW).1.carrier, carrier);
        }
    }

    #[test]
    fn a_notice_that_waited_too_long_is_given_up() {
        let (session, message) = ValidationSession::notice(&notice_draft(), MessageKind::Deactivated, NOW);
        let late = session.expires_at.after(TICK);
        assert!(matches!(session.begin_send(&message, &codes(), late), BeginSend::GiveUp(_)));
    }
}
