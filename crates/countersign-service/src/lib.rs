//! The use cases of countersign, and the workers behind them.
//!
//! A use case names operations of storage and decisions of core. It knows no HTTP, no SQL and no mail server.

mod account_threepids;
mod accounts;
mod callers;
mod confirmations;
mod context;
mod delegate;
mod health;
mod janitor;
mod keys;
mod limits;
mod links;
mod message_writer;
mod notices;
mod openid;
mod outbox_wakeup;
mod outbox_worker;
mod passwords;
mod registration_tokens;
mod system;
mod uia;
mod verifier;

pub use self::{
    account_threepids::{AccountThreepids, AddThreepidError, ListedThreepid, ThreepidsError},
    accounts::{
        AccountIdentifier, Accounts, AccountsError, AccountsSettings, ChangePassword, ChangePasswordError,
        Deactivate, DeactivateError, InvalidDevice, IssuedToken, LogInRequest, LogOutDevices, LoggedIn,
        NewAccount, NewDevice, RefreshError, RegisterError, RegisterRequest, TokenLifetimes, WithRefresh,
    },
    callers::{
        Authentication, CallerError, Callers, CheckPasswordError, Freshness, HomeserverAccounts,
        HomeserverSettings,
    },
    confirmations::{
        ConfirmError, Confirmations, Next, NotMeError, NotMePage, Page, PageState, SidInNextLink,
    },
    context::RequestContext,
    delegate::{Delegate, DelegateSettings},
    health::{Health, NotReady, Readiness},
    janitor::Janitor,
    keys::{KeyringError, open_keyring},
    limits::Limits,
    links::Links,
    message_writer::{MessageWriter, WriterSettings},
    notices::{NoticeSettings, Notices},
    openid::{IssuedOpenId, OpenIdError, OpenIds},
    outbox_wakeup::OutboxWakeup,
    outbox_worker::{OutboxWorker, WorkerParts, WorkerSettings},
    passwords::{NewPassword, Passwords},
    registration_tokens::{CreateToken, ListedToken, RegistrationTokens, RegistrationTokensError},
    system::{SystemClock, SystemRandom},
    uia::{
        Challenge, PageOutcome, StageAttempt, StageFailure, StageState, StageView, Uia, UiaBegin, UiaError,
        UiaOutcome, UiaParts, UiaProof, UiaRun, UiaSettings, UiaWish,
    },
    verifier::{
        RequestTokenError, SubmitTokenError, SubmitTokenRequest, TokenRequest, TokenRequested, Verifier,
        VerifierSettings,
    },
};
pub use countersign_delivery::{Inbox, inbox::InboxEntry};
pub use countersign_storage::StorageError;
