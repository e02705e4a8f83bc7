//! `/.well-known/{matrix,sdn}/client`: how clients find the server from its name.

use axum::{Json, Router, extract::State, routing::get};
use countersign_api::well_known::{BaseUrl, MATRIX_CLIENT, MatrixClient, SDN_CLIENT, SdnClient};

use super::AppState;

/// What the two documents say.
#[derive(Clone, Debug)]
pub struct WellKnown {
    /// Where this server is.
    pub base_url: String,
    /// The identity server that clients are told of.
    pub identity_server_url: Option<String>,
}

/// The routes, if the operator wants them served.
pub(super) fn router(well_known: Option<&WellKnown>) -> Router<AppState> {
    let Some(well_known) = well_known.cloned() else { return Router::new() };
    Router::new()
        .route(MATRIX_CLIENT, get(matrix_client).with_state(well_known.clone()))
        .route(SDN_CLIENT, get(sdn_client).with_state(well_known))
}

/// `GET /.well-known/matrix/client`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#getwell-knownmatrixclient))
async fn matrix_client(State(well_known): State<WellKnown>) -> Json<MatrixClient> {
    let identity_server = well_known.identity_server_url.map(BaseUrl::new);
    Json(MatrixClient { homeserver: BaseUrl::new(well_known.base_url), identity_server })
}

/// `GET /.well-known/sdn/client`: the same for clients of the other prefix, which know the server as a node.
async fn sdn_client(State(well_known): State<WellKnown>) -> Json<SdnClient> {
    let identity_server = well_known.identity_server_url.map(BaseUrl::new);
    Json(SdnClient { node: BaseUrl::new(well_known.base_url), identity_server })
}
