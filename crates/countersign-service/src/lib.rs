//! The use cases of countersign, and the workers behind them.
//!
//! A use case names operations of storage and decisions of core. It knows no HTTP, no SQL and no mail server.

mod account_threepids;
mod accounts;
mod confirmations;
mod context;
mod health;
mod janitor;
mod keys;
mod limits;
mod links;
mod message_writer;
mod outbox_wakeup;
mod outbox_worker;
mod passwords;
mod system;
mod uia;
mod verifier;

pub use self::{
    account_threepids::{AccountThreepids, AddThreepidError, ListedThreepid, ThreepidsError},
    accounts::{
        AccountIdentifier, Accounts, AccountsError, InvalidDevice, IssuedToken, LogInRequest, LoggedIn,
        NewAccount, NewDevice, RegisterError, RegisterRequest,
    },
    confirmations::{
        ConfirmError, Confirmations, Next, NotMeError, NotMePage, Page, PageState, SidInNextLink,
    },
    context::RequestContext,
    health::{Health, NotReady, Readiness},
    janitor::Janitor,
    keys::{KeyringError, open_keyring},
    limits::Limits,
    links::Links,
    message_writer::{MessageWriter, WriterSettings},
    outbox_wakeup::OutboxWakeup,
    outbox_worker::{OutboxWorker, WorkerParts, WorkerSettings},
    passwords::Passwords,
    system::{SystemClock, SystemRandom},
    uia::{Challenge, StageAttempt, StageFailure, Uia, UiaError, UiaOutcome, UiaRequest},
    verifier::{
        RequestTokenError, SubmitTokenError, SubmitTokenRequest, TokenRequest, TokenRequested, Verifier,
        VerifierSettings,
    },
};
pub use countersign_delivery::{Inbox, inbox::InboxEntry};
pub use countersign_storage::StorageError;
