//! `/logout`: the end of an access token. Both paths take an empty body or any object and answer `{}`.

/// `POST`, with an access token: ends this device.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout)
pub const LOGOUT: &str = "/logout";

/// `POST`, with an access token: ends all devices of the user.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall)
pub const LOGOUT_ALL: &str = "/logout/all";
