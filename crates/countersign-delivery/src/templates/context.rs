//! What each message is rendered from, with samples that cover every branch of its template.

use serde::Serialize;

/// A mail and its three files, `<name>.subject.txt`, `<name>.txt` and `<name>.html`.
pub trait EmailTemplate: Serialize + Sized {
    /// The files' name without folder and ending.
    const NAME: &'static str;
    /// Gives contexts that the start-up check and the snapshots render.
    fn samples() -> Vec<Self>;
}

/// A text message and its file, `<name>.sms.txt`.
pub trait SmsTemplate: Serialize + Sized {
    /// The file's name without folder and ending.
    const NAME: &'static str;
    /// Gives contexts that the start-up check and the snapshots render.
    fn samples() -> Vec<Self>;
}

/// What confirming will do; templates compare it with the names in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessagePurpose {
    /// Creates an account with the address.
    Register,
    /// Adds the address to an account.
    AddThreepid,
    /// Resets the password of the account that has the address.
    ResetPassword,
    /// Confirms the address to an identity service.
    Identity,
    /// Confirms the address to another program.
    Verify,
}

impl MessagePurpose {
    const ALL: [Self; 5] =
        [Self::Register, Self::AddThreepid, Self::ResetPassword, Self::Identity, Self::Verify];
}

/// Asks the holder of a mail address to confirm it. Has a link, a code, or both.
#[derive(Clone, Serialize)]
pub struct ValidateEmail {
    /// The server's name as people know it.
    pub server_name: String,
    /// What confirming will do.
    pub purpose: MessagePurpose,
    /// The account that asked, if it is known.
    pub user_id: Option<String>,
    /// The page with the button.
    pub link: Option<String>,
    /// The code to type.
    pub code: Option<String>,
    /// How long the code works.
    pub code_minutes: u32,
    /// How long the link works.
    pub expires_hours: u32,
    /// The "this wasn't me" page.
    pub not_me_link: Option<String>,
}

const CONFIRM: &str = "https://id.example.org/_countersign/v1/confirm?sid=Zm9vYmFy&token=c2FtcGxlLXRva2VuLW9mLXRoaXJ0eS10d28tYnl0ZXM";
const NOT_ME: &str =
    "https://id.example.org/_countersign/v1/not-me?sid=Zm9vYmFy&token=YW5vdGhlci1zYW1wbGUtdG9rZW4";

impl EmailTemplate for ValidateEmail {
    const NAME: &'static str = "validate_email";

    fn samples() -> Vec<Self> {
        let sample = |purpose| Self {
            server_name: "example.org".to_owned(),
            purpose,
            user_id: None,
            link: Some(CONFIRM.to_owned()),
            code: Some("123456".to_owned()),
            code_minutes: 30,
            expires_hours: 24,
            not_me_link: Some(NOT_ME.to_owned()),
        };
        let mut samples: Vec<Self> = MessagePurpose::ALL.map(sample).into();
        samples.push(Self {
            user_id: Some("@alice:example.org".to_owned()),
            ..sample(MessagePurpose::AddThreepid)
        });
        samples.push(Self { code: None, ..sample(MessagePurpose::ResetPassword) });
        samples.push(Self {
            link: None,
            code_minutes: 1,
            not_me_link: None,
            server_name: "Bob & <Sons>".to_owned(),
            ..sample(MessagePurpose::Verify)
        });
        samples
    }
}

/// Tells the holder of a mail address that somebody tried to use it for another account.
#[derive(Clone, Serialize)]
pub struct AddressInUseEmail {
    /// The server's name as people know it.
    pub server_name: String,
    /// What was tried.
    pub purpose: MessagePurpose,
    /// The "this wasn't me" page.
    pub not_me_link: Option<String>,
}

impl EmailTemplate for AddressInUseEmail {
    const NAME: &'static str = "address_in_use";

    fn samples() -> Vec<Self> {
        let server_name = || "example.org".to_owned();
        vec![
            Self {
                server_name: server_name(),
                purpose: MessagePurpose::AddThreepid,
                not_me_link: Some(NOT_ME.to_owned()),
            },
            Self { server_name: server_name(), purpose: MessagePurpose::Register, not_me_link: None },
        ]
    }
}

/// Answers a password reset for a mail address that no account has.
#[derive(Clone, Serialize)]
pub struct NoAccountEmail {
    /// The server's name as people know it.
    pub server_name: String,
    /// The "this wasn't me" page.
    pub not_me_link: Option<String>,
}

impl EmailTemplate for NoAccountEmail {
    const NAME: &'static str = "no_account";

    fn samples() -> Vec<Self> {
        let server_name = || "example.org".to_owned();
        vec![
            Self { server_name: server_name(), not_me_link: Some(NOT_ME.to_owned()) },
            Self { server_name: server_name(), not_me_link: None },
        ]
    }
}

/// Tells the holder of a mail address that a user invites them. The names come from that user, cleaned and shortened.
#[derive(Clone, Serialize)]
pub struct InvitationEmail {
    /// The server's name as people know it.
    pub server_name: String,
    /// The user who invites.
    pub sender: String,
    /// What that user is called.
    pub sender_name: Option<String>,
    /// What the room is called.
    pub room_name: Option<String>,
    /// Where to accept.
    pub link: Option<String>,
    /// The "this wasn't me" page.
    pub not_me_link: Option<String>,
}

impl EmailTemplate for InvitationEmail {
    const NAME: &'static str = "invitation";

    fn samples() -> Vec<Self> {
        let sample = || Self {
            server_name: "example.org".to_owned(),
            sender: "@alice:example.org".to_owned(),
            sender_name: Some("Alice".to_owned()),
            room_name: Some("Bob & <Sons>".to_owned()),
            link: Some(
                "https://app.example.org/#/room/%21abc%3Aexample.org?email=bob%40example.com".to_owned(),
            ),
            not_me_link: Some(NOT_ME.to_owned()),
        };
        vec![
            sample(),
            Self { sender_name: None, link: None, ..sample() },
            Self { room_name: None, ..sample() },
            Self { sender_name: None, room_name: None, link: None, not_me_link: None, ..sample() },
        ]
    }
}

/// What became of an account; templates compare it with the names in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountChange {
    /// Its password is another one.
    PasswordChanged,
    /// An e-mail address came to it.
    EmailAdded,
    /// A phone number came to it.
    MsisdnAdded,
    /// An e-mail address was taken from it.
    EmailRemoved,
    /// A phone number was taken from it.
    MsisdnRemoved,
    /// It was deactivated.
    Deactivated,
}

impl AccountChange {
    const ALL: [Self; 6] = [
        Self::PasswordChanged,
        Self::EmailAdded,
        Self::MsisdnAdded,
        Self::EmailRemoved,
        Self::MsisdnRemoved,
        Self::Deactivated,
    ];
}

/// Tells the owner of an account what became of it, by mail. It has neither link nor code.
#[derive(Clone, Serialize)]
pub struct AccountChangedEmail {
    /// The server's name as people know it.
    pub server_name: String,
    /// The account.
    pub user_id: String,
    /// What became of it.
    pub change: AccountChange,
    /// When, as a date and time in UTC.
    pub when: String,
}

impl EmailTemplate for AccountChangedEmail {
    const NAME: &'static str = "account_changed";

    fn samples() -> Vec<Self> {
        let sample = |change| Self {
            server_name: "example.org".to_owned(),
            user_id: "@alice:example.org".to_owned(),
            change,
            when: "2026-11-21 12:00 UTC".to_owned(),
        };
        AccountChange::ALL.map(sample).into()
    }
}

/// The same by SMS.
#[derive(Clone, Serialize)]
pub struct AccountChangedSms {
    /// The server's name as people know it.
    pub server_name: String,
    /// The account.
    pub user_id: String,
    /// What became of it.
    pub change: AccountChange,
}

impl SmsTemplate for AccountChangedSms {
    const NAME: &'static str = "account_changed";

    fn samples() -> Vec<Self> {
        let sample = |change| Self {
            server_name: "example.org".to_owned(),
            user_id: "@alice:example.org".to_owned(),
            change,
        };
        AccountChange::ALL.map(sample).into()
    }
}

/// Gives the holder of a phone number the code that confirms it.
#[derive(Clone, Serialize)]
pub struct ValidateMsisdn {
    /// The server's name as people know it.
    pub server_name: String,
    /// What confirming will do.
    pub purpose: MessagePurpose,
    /// The code to type.
    pub code: String,
    /// How long the code works.
    pub code_minutes: u32,
    /// The host of the page where the code is typed, for phones that fill it in there.
    pub autofill_domain: Option<String>,
}

impl SmsTemplate for ValidateMsisdn {
    const NAME: &'static str = "validate_msisdn";

    fn samples() -> Vec<Self> {
        let sample = |purpose| Self {
            server_name: "example.org".to_owned(),
            purpose,
            code: "123456".to_owned(),
            code_minutes: 10,
            autofill_domain: Some("app.example.org".to_owned()),
        };
        let mut samples: Vec<Self> = MessagePurpose::ALL.map(sample).into();
        samples.push(Self { autofill_domain: None, code_minutes: 1, ..sample(MessagePurpose::AddThreepid) });
        samples
    }
}

/// Tells the holder of a phone number that somebody tried to use it for another account.
#[derive(Clone, Serialize)]
pub struct AddressInUseSms {
    /// The server's name as people know it.
    pub server_name: String,
    /// What was tried.
    pub purpose: MessagePurpose,
}

impl SmsTemplate for AddressInUseSms {
    const NAME: &'static str = "address_in_use";

    fn samples() -> Vec<Self> {
        let sample = |purpose| Self { server_name: "example.org".to_owned(), purpose };
        vec![sample(MessagePurpose::AddThreepid), sample(MessagePurpose::Register)]
    }
}

/// Answers a password reset for a phone number that no account has.
#[derive(Clone, Serialize)]
pub struct NoAccountSms {
    /// The server's name as people know it.
    pub server_name: String,
}

impl SmsTemplate for NoAccountSms {
    const NAME: &'static str = "no_account";

    fn samples() -> Vec<Self> {
        vec![Self { server_name: "example.org".to_owned() }]
    }
}
