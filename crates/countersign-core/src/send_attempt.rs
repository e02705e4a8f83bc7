//! The counter by which a client asks for another message.

/// A client's `send_attempt`: any integer; a message is sent exactly when it grows ([spec]).
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidemailrequesttoken
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SendAttempt(pub i64);
