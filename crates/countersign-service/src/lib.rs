//! The use cases of countersign, and the workers behind them.
//!
//! A use case names operations of storage and decisions of core. It knows no HTTP, no SQL and no mail server.

mod account_threepids;
mod accounts;
mod associations;
mod bound_threepids;
mod callers;
mod confirmations;
mod context;
mod delegate;
mod drafts;
mod export;
mod health;
mod identity_accounts;
mod import;
mod invitations;
mod janitor;
mod keys;
mod limits;
mod links;
mod lookup;
mod message_writer;
mod notices;
mod on_bind;
mod openid;
mod outbox_wakeup;
mod outbox_worker;
mod passwords;
mod peppers;
mod registration_tokens;
mod remote_keys;
mod session_address;
mod signing;
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
    associations::{
        Associations, AssociationsParts, BindError, BindWish, ProofBySession, Published, SignedRequest,
        UnbindError, UnbindWish,
    },
    bound_threepids::{
        BindElsewhere, BindElsewhereError, BoundThreepids, BoundThreepidsParts, OwnIdentityService,
        RecordedBindError, TakeBack, UnbindElsewhereError, UnbindResult,
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
    export::{ExportError, Exporter},
    health::{Health, NotReady, Readiness},
    identity_accounts::{
        IdentityAccounts, IdentityAccountsSettings, IdentityCallerError, IdentityPolicy,
        IdentityRegisterError, OpenIdProof, OpenIdProofs,
    },
    import::{
        Effect, ImportError, ImportEvent, ImportKind, ImportReport, Importer, Left, PepperOutcome,
        SigningKeyOutcome, SydentImport, SynapseImport, Tally,
    },
    invitations::{
        InvalidInviteLink, InvitationWish, Invitations, InvitationsSettings, InviteLink, InvitedRoom,
        SignError, SignWish, StoreInviteError, StoredInvitation,
    },
    janitor::Janitor,
    keys::{KeyringError, open_keyring},
    limits::Limits,
    links::Links,
    lookup::{HashDetails, Lookup, LookupAlgorithm, LookupError, LookupRequest, LookupSettings},
    message_writer::{MessageWriter, WriterSettings},
    notices::{NoticeSettings, Notices},
    on_bind::OnBind,
    openid::{IssuedOpenId, OpenIdError, OpenIds},
    outbox_wakeup::OutboxWakeup,
    outbox_worker::{OutboxWorker, WorkerParts, WorkerSettings},
    passwords::{NewPassword, Passwords},
    peppers::{Peppers, RotatePepperError},
    registration_tokens::{CreateToken, ListedToken, RegistrationTokens, RegistrationTokensError},
    remote_keys::{RemoteKeyError, RemoteKeys},
    session_address::SessionAddressError,
    signing::{Signing, SigningError},
    system::{SystemClock, SystemRandom},
    uia::{
        Challenge, PageOutcome, StageAttempt, StageFailure, StageState, StageView, Uia, UiaBegin, UiaError,
        UiaOutcome, UiaParts, UiaProof, UiaRun, UiaSettings, UiaWish,
    },
    verifier::{
        GetValidatedError, RequestTokenError, SubmitTokenError, SubmitTokenRequest, TokenRequest,
        TokenRequested, ValidatedThreepid, Verifier, VerifierSettings,
    },
};
pub use countersign_delivery::{Inbox, federation::MatrixError, inbox::InboxEntry};
pub use countersign_storage::StorageError;
