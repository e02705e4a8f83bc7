//! `/federation/v1/3pid/onbind`: an identity server tells of invitations that waited for an address.

use axum::Json;
use countersign_api::{client::Empty, federation::onbind::OnbindNotice};

use crate::http::client::MatrixJson;

/// `PUT /federation/v1/3pid/onbind`, and `POST`, as identity servers send it that follow older prose
/// ([spec](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv13pidonbind))
///
/// A node has no rooms into which it could invite, so nothing follows. It is answered all the same: who gets no answer tries
/// again for days.
pub(in crate::http) async fn hear_of_invitations(_: MatrixJson<OnbindNotice>) -> Json<Empty> {
    Json(Empty {})
}
