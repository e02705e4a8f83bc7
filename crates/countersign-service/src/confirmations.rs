//! The pages behind the links in a mail: confirm, and "this wasn't me" (docs/decisions/0007).

use std::sync::Arc;

use countersign_core::{
    Clock, Confirmation, Confirmed, Keyring, NextLink, NotMe, NotMeDecision, OpenError, SealedColumn,
    SessionId, SessionPurpose, ThirdPartyIdentifier, Timestamp, UserId, ValidationSession,
};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;

use crate::VerifierSettings;

/// What the pages behind a mail's links do. Cheap to clone.
#[derive(Clone)]
pub struct Confirmations {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    settings: Arc<VerifierSettings>,
    append_sid: bool,
}

/// What the confirm page shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// What the button does.
    pub purpose: SessionPurpose,
    /// The address, mostly hidden.
    pub masked_address: String,
    /// When the token was asked for.
    pub requested_at: Timestamp,
    /// Who asked, if the request carried a valid access token.
    pub requested_by: Option<UserId>,
    /// Where "continue" leads.
    pub next: Option<Next>,
    /// Whether the button was pressed before.
    pub state: PageState,
}

/// Where "continue" leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The link, with the `sid` appended.
    pub url: String,
    /// The host that it leads to; `None`: an app.
    pub host: Option<String>,
    /// Whether the operator named that host, so that the person may be sent on without a further click.
    pub trusted: bool,
}

/// Whether the button was pressed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Not yet.
    Open,
    /// The address is proven.
    Validated,
}

/// What the "this wasn't me" page shows.
#[derive(Clone, Debug)]
pub struct NotMePage {
    /// What someone wanted to do.
    pub purpose: SessionPurpose,
    /// The address, mostly hidden.
    pub masked_address: String,
    /// When the token was asked for.
    pub requested_at: Timestamp,
    /// Whether the address is proven, so that nothing can be stopped any more.
    pub validated: bool,
}

/// Why a confirm page can't be shown or its button does nothing.
#[derive(Debug, Error)]
pub enum ConfirmError {
    /// There is no such session, or the token is not its.
    #[error("unknown link")]
    Unknown,
    /// The session's time is over, or it was ended.
    #[error("the link is too old")]
    Expired,
    /// A stored value can't be read.
    #[error("a sealed value of the session does not open")]
    Sealed(#[source] OpenError),
    /// What is sealed makes no sense.
    #[error("a stored value of the session makes no sense")]
    Corrupt,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a "this wasn't me" page can't be shown or does nothing.
pub type NotMeError = ConfirmError;

impl Confirmations {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        settings: Arc<VerifierSettings>,
        sid_in_next_link: SidInNextLink,
    ) -> Self {
        let append_sid = sid_in_next_link == SidInNextLink::Appended;
        Self { storage, keyring, clock, settings, append_sid }
    }

    /// What the confirm page shows. Changes nothing: a GET proves nothing.
    ///
    /// # Errors
    /// When the link is wrong or too old; when the database fails.
    pub async fn view(&self, sid: Option<SessionId>, token: &str) -> Result<Page, ConfirmError> {
        let session = self.find(sid).await?;
        let session = session
            .filter(|session| session.has_link_token(token, &self.keyring))
            .ok_or(ConfirmError::Unknown)?;
        if session.ended.is_some() || session.is_expired(self.clock.now()) {
            return Err(ConfirmError::Expired);
        }
        self.page(&session)
    }

    /// The button of the confirm page: validates the session. Again is a success again.
    ///
    /// # Errors
    /// When the link is wrong or too old; when the database fails.
    pub async fn confirm(&self, sid: Option<SessionId>, token: &str) -> Result<Page, ConfirmError> {
        let sid = sid.ok_or(ConfirmError::Unknown)?;
        let confirmation = Confirmation {
            sid,
            token: token.to_owned(),
            keyring: self.keyring.clone(),
            session_lifetime: self.settings.session_lifetime,
        };
        match self.storage.confirm(confirmation, self.clock.now()).await? {
            Confirmed::Validated => {}
            Confirmed::Unknown => return Err(ConfirmError::Unknown),
            Confirmed::Expired => return Err(ConfirmError::Expired),
        }
        let session = self.find(Some(sid)).await?.ok_or(ConfirmError::Unknown)?;
        self.page(&session)
    }

    /// What a page shows of a session that was validated without its button.
    ///
    /// # Errors
    /// When the session is gone; when the database fails.
    pub async fn view_validated(&self, sid: SessionId) -> Result<Page, ConfirmError> {
        let session = self.find(Some(sid)).await?;
        let session =
            session.filter(|session| session.validated_at.is_some()).ok_or(ConfirmError::Unknown)?;
        self.page(&session)
    }

    /// What the "this wasn't me" page shows. Changes nothing.
    ///
    /// # Errors
    /// When the link is wrong; when the database fails.
    pub async fn view_not_me(&self, sid: Option<SessionId>, token: &str) -> Result<NotMePage, NotMeError> {
        let session = self.find(sid).await?;
        let session = session
            .filter(|session| session.has_not_me_token(token, &self.keyring))
            .ok_or(ConfirmError::Unknown)?;
        self.not_me_page(&session)
    }

    /// The first choice of the "this wasn't me" page: ends the session, if it isn't validated yet.
    ///
    /// # Errors
    /// When the link is wrong; when the database fails.
    pub async fn not_me(&self, sid: Option<SessionId>, token: &str) -> Result<NotMePage, NotMeError> {
        let sid = sid.ok_or(ConfirmError::Unknown)?;
        match self.storage.not_me(self.not_me_request(sid, token), self.clock.now()).await? {
            NotMeDecision::Unknown => Err(ConfirmError::Unknown),
            NotMeDecision::End(_) | NotMeDecision::Over | NotMeDecision::Validated => {
                self.view_not_me(Some(sid), token).await
            }
        }
    }

    /// The second choice of the "this wasn't me" page: no more messages to this address.
    ///
    /// # Errors
    /// When the link is wrong; when the database fails.
    pub async fn suppress(&self, sid: Option<SessionId>, token: &str) -> Result<NotMePage, NotMeError> {
        let sid = sid.ok_or(ConfirmError::Unknown)?;
        let suppressed = self.storage.suppress(self.not_me_request(sid, token), self.clock.now()).await?;
        if suppressed { self.view_not_me(Some(sid), token).await } else { Err(ConfirmError::Unknown) }
    }

    fn not_me_request(&self, sid: SessionId, token: &str) -> NotMe {
        NotMe { sid, token: token.to_owned(), keyring: self.keyring.clone() }
    }

    async fn find(&self, sid: Option<SessionId>) -> Result<Option<ValidationSession>, StorageError> {
        match sid {
            Some(sid) => self.storage.find_session(sid).await,
            None => Ok(None),
        }
    }

    fn page(&self, session: &ValidationSession) -> Result<Page, ConfirmError> {
        Ok(Page {
            purpose: session.purpose,
            masked_address: self.masked_address(session)?,
            requested_at: session.created_at,
            requested_by: session.requested_by.clone(),
            next: self.next(session)?,
            state: if session.validated_at.is_some() { PageState::Validated } else { PageState::Open },
        })
    }

    fn not_me_page(&self, session: &ValidationSession) -> Result<NotMePage, ConfirmError> {
        Ok(NotMePage {
            purpose: session.purpose,
            masked_address: self.masked_address(session)?,
            requested_at: session.created_at,
            validated: session.validated_at.is_some(),
        })
    }

    fn masked_address(&self, session: &ValidationSession) -> Result<String, ConfirmError> {
        let sealer = self.keyring.sealer();
        let address = sealer
            .open(SealedColumn::SessionAddress, session.sid.as_bytes(), &session.sealed_address)
            .map_err(ConfirmError::Sealed)?;
        let address = str::from_utf8(&address).map_err(|_| ConfirmError::Corrupt)?;
        let threepid =
            ThirdPartyIdentifier::from_canonical(session.medium, address).ok_or(ConfirmError::Corrupt)?;
        Ok(threepid.masked())
    }

    /// The stored link, by the policy of today: a link that is not allowed any more is not offered.
    fn next(&self, session: &ValidationSession) -> Result<Option<Next>, ConfirmError> {
        let Some(sealed) = &session.sealed_next_link else { return Ok(None) };
        let sealer = self.keyring.sealer();
        let link = sealer
            .open(SealedColumn::SessionNextLink, session.key.as_bytes(), sealed)
            .map_err(ConfirmError::Sealed)?;
        let link = str::from_utf8(&link).map_err(|_| ConfirmError::Corrupt)?;
        let policy = &self.settings.next_links;
        let Ok(link) = NextLink::parse(link, policy) else { return Ok(None) };
        let url = if self.append_sid { link.with_sid(&session.sid) } else { link.as_str().to_owned() };
        let trusted = link.is_trusted_by(policy);
        Ok(Some(Next { url, host: link.host().map(str::to_owned), trusted }))
    }
}

/// Whether a `next_link` gets the `sid` appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidInNextLink {
    /// As other servers do.
    Appended,
    /// The link stays as it is.
    Omitted,
}
