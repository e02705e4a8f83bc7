//! `/capabilities`.

use axum::{Json, extract::State};
use countersign_api::client::capabilities::{Capabilities, CapabilitiesResponse, Capability};

use super::Authenticated;
use crate::http::{AppState, Offer};

/// `GET /capabilities` ([spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3capabilities))
///
/// Clients take what is absent for enabled, so that what this server lacks is named.
pub(in crate::http) async fn get_capabilities(
    State(state): State<AppState>,
    _caller: Authenticated,
) -> Json<CapabilitiesResponse> {
    let offered = |offer| Some(Capability { enabled: state.settings().offers.includes(offer) });
    let off = Some(Capability { enabled: false });
    let capabilities = Capabilities {
        threepid_changes: offered(Offer::ThreepidChanges),
        change_password: offered(Offer::PasswordChanges),
        get_login_token: off,
        set_displayname: off,
        set_avatar_url: off,
        profile_fields: off,
        ..Capabilities::default()
    };
    Json(CapabilitiesResponse { capabilities })
}
