//! Whom an OpenID token proves: known here, or asked of the user's server.

use std::sync::Arc;

use countersign_core::{ServerName, UserId};
use countersign_delivery::{Federation, federation::Userinfo};

use super::IdentityRegisterError;
use crate::{Callers, OpenIds};

/// Whom an OpenID token proves. Cheap to clone.
#[derive(Clone)]
pub struct OpenIdProofs {
    /// Our own name; its tokens are those of `openids`, or of the homeserver that we stand beside.
    pub server_name: ServerName,
    /// Tokens that this node gave out.
    pub openids: OpenIds,
    /// Who has the accounts of our own name.
    pub callers: Callers,
    /// Calls the other servers.
    pub federation: Arc<Federation>,
}

impl OpenIdProofs {
    /// The user whom a token proves; always one of that server, whose name is compared with case.
    pub(super) async fn find_user(
        &self,
        server_name: &ServerName,
        token: &str,
    ) -> Result<UserId, IdentityRegisterError> {
        let user_id = if *server_name == self.server_name {
            self.find_own_user(token).await?
        } else {
            let answered = self.federation.openid_userinfo(server_name, token).await;
            match answered.map_err(IdentityRegisterError::Unreachable)? {
                Userinfo::User(user_id) => Some(user_id),
                Userinfo::Nobody => None,
            }
        };
        user_id.filter(|user_id| user_id.server_name() == *server_name).ok_or(IdentityRegisterError::Unproven)
    }

    async fn find_own_user(&self, token: &str) -> Result<Option<UserId>, IdentityRegisterError> {
        match &self.callers {
            Callers::Here(_) => Ok(self.openids.find_user(token).await?),
            Callers::Homeserver(homeserver) => {
                let answered = homeserver.find_openid_user(token).await;
                let user_id = answered.map_err(IdentityRegisterError::Unreachable)?;
                Ok(user_id.and_then(|user_id| UserId::parse(&user_id).ok()))
            }
        }
    }
}
