//! `/capabilities`.

use axum::Json;
use countersign_api::client::capabilities::{Capabilities, CapabilitiesResponse, Capability};

use super::Authenticated;

/// `GET /capabilities` ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3capabilities))
pub(in crate::http) async fn get_capabilities(_caller: Authenticated) -> Json<CapabilitiesResponse> {
    let (on, off) = (Some(Capability { enabled: true }), Some(Capability { enabled: false }));
    let capabilities = Capabilities {
        threepid_changes: on,
        change_password: off,
        get_login_token: off,
        set_displayname: off,
        set_avatar_url: off,
        profile_fields: off,
        ..Capabilities::default()
    };
    Json(CapabilitiesResponse { capabilities })
}
