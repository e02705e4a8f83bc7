//! Client library for countersign and other nodes that speak the client API.
//!
//! Each endpoint is a method of [`Client`]. Its required parameters are the arguments of a `new`; optional ones are
//! public fields and are sent only when given. Status 200 alone is success; everything else is an [`Error`], which
//! has the node's code, its message and how long to wait.
//!
//! ```no_run
//! use countersign_client::{
//!     AddThreepidRequest, Client, ErrorCode, LoginRequest, RequestEmailToken, SubmitTokenRequest, UserIdentifier,
//! };
//!
//! # async fn example() -> Result<(), countersign_client::Error> {
//! let client = Client::builder("http://127.0.0.1:8008").build()?;
//! let login = client.login(&LoginRequest::password(UserIdentifier::user("alice"), "correct horse")).await?;
//! let client = client.with_access_token(login.access_token);
//!
//! // A secret of your own making: keep it, it proves later that the session is yours.
//! let client_secret = "6c1f5a34e2b94d0e";
//! let request = RequestEmailToken {
//!     next_link: Some("https://app.example.com/settings".to_owned()),
//!     ..RequestEmailToken::new(client_secret, "alice@example.com", 1)
//! };
//! let sid = match client.request_token_to_3pid_email(&request).await {
//!     Ok(answer) => {
//!         // The user reads the mail, and clicks its link or types its code.
//!         if let Some(submit_url) = &answer.submit_url {
//!             let typed = SubmitTokenRequest::new(&answer.sid, client_secret, "123456");
//!             client.submit_token(submit_url, &typed).await?;
//!         }
//!         answer.sid
//!     }
//!     Err(error) if error.errcode() == Some(&ErrorCode::ThreepidInUse) => return Ok(()),
//!     Err(error) => return Err(error),
//! };
//!
//! let add = AddThreepidRequest::new(sid, client_secret);
//! client.add_3pid_with_password(&add, UserIdentifier::user("alice"), "correct horse").await?;
//! for threepid in client.get_account_3pids().await?.threepids {
//!     println!("{} {}", threepid.medium, threepid.address);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Where a node asks for more than a password, [`Credentials`] hold what there is, and the methods that end in `_with`
//! walk the flow: see `examples/`.
//!
//! An identity service, which may be the node itself, has a client of its own: [`IdentityClient`], see [`identity`].
//!
//! TLS is rustls with its ring provider and the platform's certificates; there is nothing to install first.

mod answer;
mod client;
mod connection;
mod error;
mod flows;
pub mod identity;
mod tls;

pub use client::{Client, ClientBuilder};
pub use countersign_api::{
    ErrorBody, ErrorCode,
    client::{
        account::WhoamiResponse,
        capabilities::{Capabilities, CapabilitiesResponse, Capability},
        deactivate::{DeactivateRequest, DeactivateResponse},
        login::{LoginFlow, LoginFlowsResponse, LoginRequest, LoginResponse},
        openid::OpenIdTokenResponse,
        password::ChangePasswordRequest,
        refresh::{RefreshRequest, RefreshResponse},
        register::{AvailabilityResponse, RegisterRequest, RegisterResponse},
        registration_token::ValidityResponse,
        request_token::{RequestEmailToken, RequestMsisdnToken, RequestTokenResponse},
        threepid::{
            AddThreepidDirectlyRequest, AddThreepidRequest, BindThreepidRequest, DeleteThreepidRequest,
            DeleteThreepidResponse, Threepid, ThreepidsResponse, UnbindResult, UnbindThreepidRequest,
            UnbindThreepidResponse,
        },
        versions::VersionsResponse,
    },
    submit_token::{SubmitTokenRequest, SubmitTokenResponse},
    uia::{AuthData, Policy, PolicyLink, TermsParams, ThreepidCreds, UiaFlow, UiaInfo, UserIdentifier},
};
pub use error::Error;
pub use flows::{Credentials, walk};
pub use identity::{IdentityClient, IdentityClientBuilder};
