//! Writes a leased message from its session: opens the address, derives the tokens, renders the template.

use std::sync::Arc;

use countersign_core::{
    Keyring, LeasedMessage, Medium, MessageKind, SessionPurpose, ThirdPartyIdentifier, Timestamp,
    ValidationSession,
};
use countersign_delivery::{
    EmailMessage, SmsMessage,
    templates::{
        AccountChange, AccountChangedEmail, AccountChangedSms, AddressInUseEmail, AddressInUseSms,
        InvitationEmail, MessagePurpose, NoAccountEmail, NoAccountSms, RenderedEmail, RenderedSms,
        TemplateError, Templates, ValidateEmail, ValidateMsisdn,
    },
};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;

use crate::{
    InviteLink, VerifierSettings,
    invitations::{InvalidDetails, invitation_email},
    session_address::{SessionAddressError, open_session_address},
};

/// Writes messages. Shared by the workers of both media.
pub struct MessageWriter {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    templates: Templates,
    verifier: Arc<VerifierSettings>,
    settings: WriterSettings,
}

/// What an operator decides about messages.
#[derive(Clone, Debug, Default)]
pub struct WriterSettings {
    /// The origin where an SMS's code is typed.
    pub autofill_domain: Option<String>,
    /// Where the mails of invitations lead; `None`: nowhere, they only tell.
    pub invite_link: Option<InviteLink>,
    /// Words that a name must not hold to stand in the mail of an invitation, in lower case.
    pub invite_blocked_words: Vec<String>,
}

/// A message, written.
pub(crate) enum Written {
    /// For the mail server.
    Email(EmailMessage),
    /// For the SMS gateway.
    Sms(SmsMessage),
}

/// Why a message can't be written. It never will be, unless the database failed.
#[derive(Debug, Error)]
pub(crate) enum WriteError {
    /// The address can't be read.
    #[error(transparent)]
    Address(#[from] SessionAddressError),
    /// The key that the tokens derive from was taken out of the key file.
    #[error("the session's token key is gone")]
    TokenKey,
    /// It is no mail and no SMS.
    #[error("a message of kind {0} came to a worker that can't write it")]
    Kind(&'static str),
    /// A template fails.
    #[error("the template fails")]
    Template(#[source] TemplateError),
    /// The invitation that it is about is gone.
    #[error("the invitation is gone")]
    NoInvitation,
    /// The invitation that it is about can't be read.
    #[error(transparent)]
    Invitation(#[from] InvalidDetails),
    /// The database failed. This alone may pass.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl MessageWriter {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        templates: Templates,
        verifier: Arc<VerifierSettings>,
        settings: WriterSettings,
    ) -> Self {
        Self { storage, keyring, templates, verifier, settings }
    }

    pub(crate) async fn write(&self, leased: &LeasedMessage, now: Timestamp) -> Result<Written, WriteError> {
        let threepid = open_session_address(&self.keyring, &leased.session)?;
        match threepid {
            ThirdPartyIdentifier::Email(email) => {
                self.write_email(leased, email.as_str(), now).await.map(Written::Email)
            }
            ThirdPartyIdentifier::Msisdn(msisdn) => {
                let country = msisdn.country();
                self.write_sms(leased, msisdn.as_str(), country, now).map(Written::Sms)
            }
        }
    }

    async fn write_email(
        &self,
        leased: &LeasedMessage,
        to: &str,
        now: Timestamp,
    ) -> Result<EmailMessage, WriteError> {
        let LeasedMessage { message, session } = leased;
        let language = message.language.as_str();
        let server_name = self.verifier.server_name.to_string();
        let purpose = purpose(session.purpose);
        let (mut link, mut code) = (None, None);
        let rendered = match words(message.kind)? {
            Words::Validation => {
                let context = self.validate_email(session, server_name, now)?;
                (link, code) = (context.link.clone(), context.code.clone());
                self.templates.render_email(&context, language)
            }
            Words::AddressInUse => {
                let not_me_link = self.not_me_link(session)?;
                let context = AddressInUseEmail { server_name, purpose, not_me_link };
                self.templates.render_email(&context, language)
            }
            Words::NoAccount => {
                let not_me_link = self.not_me_link(session)?;
                self.templates.render_email(&NoAccountEmail { server_name, not_me_link }, language)
            }
            Words::AccountChanged(change) => {
                let (user_id, when) = (account(session), when(session.created_at));
                let context = AccountChangedEmail { server_name, user_id, change, when };
                self.templates.render_email(&context, language)
            }
            Words::Invitation => {
                let context = self.invitation(session).await?;
                link.clone_from(&context.link);
                self.templates.render_email(&context, language)
            }
        };
        let RenderedEmail { template, language, subject, text, html } =
            rendered.map_err(WriteError::Template)?;
        Ok(EmailMessage {
            id: message.id.to_string(),
            to: to.to_owned(),
            subject,
            text,
            html,
            template,
            language,
            date_ms: now.as_millis(),
            link,
            code,
        })
    }

    fn validate_email(
        &self,
        session: &ValidationSession,
        server_name: String,
        now: Timestamp,
    ) -> Result<ValidateEmail, WriteError> {
        let link_token = session.link_token(&self.keyring).ok_or(WriteError::TokenKey)?;
        Ok(ValidateEmail {
            server_name,
            purpose: purpose(session.purpose),
            user_id: session.requested_by.as_ref().map(ToString::to_string),
            link: Some(self.verifier.links.confirm(&session.sid, &link_token)),
            code: self.code(session)?,
            code_minutes: self.code_minutes(session, now),
            expires_hours: hours(session.expires_at, now),
            not_me_link: self.not_me_link(session)?,
        })
    }

    async fn invitation(&self, session: &ValidationSession) -> Result<InvitationEmail, WriteError> {
        let found = self.storage.find_invitation_of_session(session.sid).await?;
        let invitation = found.ok_or(WriteError::NoInvitation)?;
        let mail = invitation_email(&invitation, &self.keyring, &self.verifier, &self.settings)?;
        Ok(InvitationEmail { not_me_link: self.not_me_link(session)?, ..mail })
    }

    fn not_me_link(&self, session: &ValidationSession) -> Result<Option<String>, WriteError> {
        let token = session.not_me_token(&self.keyring).ok_or(WriteError::TokenKey)?;
        Ok(Some(self.verifier.links.not_me(&session.sid, &token)))
    }

    fn write_sms(
        &self,
        leased: &LeasedMessage,
        to: &str,
        country: Option<String>,
        now: Timestamp,
    ) -> Result<SmsMessage, WriteError> {
        let LeasedMessage { message, session } = leased;
        let language = message.language.as_str();
        let server_name = self.verifier.server_name.to_string();
        let purpose = purpose(session.purpose);
        let mut code = None;
        let rendered = match words(message.kind)? {
            Words::Validation => {
                let typed = self.code(session)?.ok_or(WriteError::TokenKey)?;
                code = Some(typed.clone());
                let context = ValidateMsisdn {
                    server_name,
                    purpose,
                    code: typed,
                    code_minutes: self.code_minutes(session, now),
                    autofill_domain: self.settings.autofill_domain.clone(),
                };
                self.templates.render_sms(&context, language)
            }
            Words::AddressInUse => {
                self.templates.render_sms(&AddressInUseSms { server_name, purpose }, language)
            }
            Words::NoAccount => self.templates.render_sms(&NoAccountSms { server_name }, language),
            Words::AccountChanged(change) => {
                let context = AccountChangedSms { server_name, user_id: account(session), change };
                self.templates.render_sms(&context, language)
            }
            Words::Invitation => return Err(WriteError::Kind(message.kind.as_str())),
        };
        let RenderedSms { template, text, .. } = rendered.map_err(WriteError::Template)?;
        let (id, date_ms) = (message.id.to_string(), now.as_millis());
        Ok(SmsMessage { id, to: to.to_owned(), text, country, template, date_ms, code })
    }

    /// The code that the message carries; `None` where this purpose goes by link only.
    fn code(&self, session: &ValidationSession) -> Result<Option<String>, WriteError> {
        if !self.verifier.codes.sends_code(session.medium, session.purpose) {
            return Ok(None);
        }
        let code = session.typed_code(&self.keyring).ok_or(WriteError::TokenKey)?;
        Ok(Some(code.expose().to_owned()))
    }

    /// The minutes that the code still works, rounded, at least one.
    fn code_minutes(&self, session: &ValidationSession, now: Timestamp) -> u32 {
        let began = session.code_began_at.unwrap_or(now);
        let left = began.after(self.verifier.codes.lifetime(session.medium)).since(now);
        u32::try_from((left.as_secs() + 30) / 60).unwrap_or(u32::MAX).max(1)
    }
}

/// Which template a message has.
enum Words {
    Validation,
    AddressInUse,
    NoAccount,
    AccountChanged(AccountChange),
    Invitation,
}

fn words(kind: MessageKind) -> Result<Words, WriteError> {
    Ok(match kind {
        MessageKind::Validation => Words::Validation,
        MessageKind::AddressInUse => Words::AddressInUse,
        MessageKind::NoAccount => Words::NoAccount,
        MessageKind::PasswordChanged => Words::AccountChanged(AccountChange::PasswordChanged),
        MessageKind::EmailAdded => Words::AccountChanged(AccountChange::EmailAdded),
        MessageKind::MsisdnAdded => Words::AccountChanged(AccountChange::MsisdnAdded),
        MessageKind::EmailRemoved => Words::AccountChanged(AccountChange::EmailRemoved),
        MessageKind::MsisdnRemoved => Words::AccountChanged(AccountChange::MsisdnRemoved),
        MessageKind::Deactivated => Words::AccountChanged(AccountChange::Deactivated),
        MessageKind::Invitation => Words::Invitation,
        MessageKind::OnBind => return Err(WriteError::Kind(kind.as_str())),
    })
}

/// The account that a notice is about.
fn account(session: &ValidationSession) -> String {
    session.requested_by.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// A point in time, in UTC and in an order that every language reads. One that no clock of ours tells becomes the epoch.
fn when(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_second(time.as_millis().div_euclid(1000)).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The hours until then, rounded, at least one.
fn hours(until: Timestamp, now: Timestamp) -> u32 {
    u32::try_from((until.since(now).as_secs() + 1800) / 3600).unwrap_or(u32::MAX).max(1)
}

fn purpose(purpose: SessionPurpose) -> MessagePurpose {
    match purpose {
        SessionPurpose::Register => MessagePurpose::Register,
        SessionPurpose::AddThreepid => MessagePurpose::AddThreepid,
        SessionPurpose::ResetPassword => MessagePurpose::ResetPassword,
        SessionPurpose::Identity => MessagePurpose::Identity,
        SessionPurpose::Verify => MessagePurpose::Verify,
    }
}

impl Written {
    /// How it travels.
    pub(crate) fn medium(&self) -> Medium {
        match self {
            Self::Email(_) => Medium::Email,
            Self::Sms(_) => Medium::Msisdn,
        }
    }
}
