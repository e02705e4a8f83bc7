//! Publishing whose an address is, taking it back, and inviting somebody by one.

use clap::Args;
use countersign_client::{
    Error,
    identity::{BindRequest, BindResponse, StoreInviteRequest, StoreInviteResponse, UnbindRequest},
};

use super::Service;
use crate::cli::client::args::Session;

#[derive(Args)]
pub(in crate::cli::client) struct BindArgs {
    #[command(flatten)]
    session: Session,
    /// The user that the address is of [default: the owner of the access token]
    #[arg(long, value_name = "ID")]
    pub(super) user_id: Option<String>,
}

#[derive(Args)]
pub(in crate::cli::client) struct UnbindArgs {
    /// What kind of address: email or msisdn.
    medium: String,
    /// The address, as validated prints it.
    address: String,
    #[command(flatten)]
    session: Session,
    /// The user that the address is bound to [default: the owner of the access token]
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
}

#[derive(Args)]
pub(in crate::cli::client) struct StoreInviteArgs {
    /// The e-mail address to invite.
    address: String,
    /// The id of the room.
    room_id: String,
    /// The user who invites [default: the owner of the access token]
    #[arg(long, value_name = "ID")]
    sender: Option<String>,
    /// The name of the room, for the mail.
    #[arg(long, value_name = "NAME")]
    room_name: Option<String>,
    /// The alias of the room, for the mail.
    #[arg(long, value_name = "ALIAS")]
    room_alias: Option<String>,
    /// The name of the user who invites, for the mail.
    #[arg(long, value_name = "NAME")]
    sender_name: Option<String>,
}

impl BindArgs {
    pub(super) async fn bind(self, service: &Service<'_>) -> Result<BindResponse, Error> {
        let user_id = service.user_or_owner(self.user_id).await?;
        let request = BindRequest::new(self.session.sid, self.session.client_secret, user_id);
        service.client.bind_3pid(&request).await
    }
}

impl UnbindArgs {
    pub(super) async fn unbind(self, service: &Service<'_>) -> Result<(), Error> {
        let user_id = service.user_or_owner(self.user_id).await?;
        let request = UnbindRequest::new(user_id, self.medium, self.address)
            .with_session(self.session.sid, self.session.client_secret);
        service.client.unbind_3pid(&request).await
    }
}

impl StoreInviteArgs {
    pub(super) async fn store(self, service: &Service<'_>) -> Result<StoreInviteResponse, Error> {
        let sender = service.user_or_owner(self.sender).await?;
        let request = StoreInviteRequest {
            room_alias: self.room_alias,
            room_name: self.room_name,
            sender_display_name: self.sender_name,
            ..StoreInviteRequest::email(self.address, self.room_id, sender)
        };
        service.client.store_invite(&request).await
    }
}
