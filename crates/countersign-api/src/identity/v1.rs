//! The part of the identity service's version 1 that homeservers still call to have phone numbers validated, and clients to
//! have it signed that they accept an invitation.
//!
//! Version 1 knows no access tokens. Its bodies are JSON or `application/x-www-form-urlencoded`; the latter, and its
//! queries, are read by [`Object::from_pairs`](crate::Object::from_pairs) into the types of version 2, whose
//! `send_attempt` may be text. Its answers are those of version 2.

/// `POST`: like [`validate_email::REQUEST_TOKEN`](super::validate_email::REQUEST_TOKEN).
pub const EMAIL_REQUEST_TOKEN: &str = "/identity/api/v1/validate/email/requestToken";

/// `POST`, `GET`: like [`validate_email::SUBMIT_TOKEN`](super::validate_email::SUBMIT_TOKEN).
pub const EMAIL_SUBMIT_TOKEN: &str = "/identity/api/v1/validate/email/submitToken";

/// `POST`: like [`validate_msisdn::REQUEST_TOKEN`](super::validate_msisdn::REQUEST_TOKEN).
pub const MSISDN_REQUEST_TOKEN: &str = "/identity/api/v1/validate/msisdn/requestToken";

/// `POST`, `GET`: like [`validate_msisdn::SUBMIT_TOKEN`](super::validate_msisdn::SUBMIT_TOKEN).
pub const MSISDN_SUBMIT_TOKEN: &str = "/identity/api/v1/validate/msisdn/submitToken";

/// `POST`, without an access token: like [`sign_ed25519::SIGN_ED25519`](super::sign_ed25519::SIGN_ED25519). The fields stand in
/// the query or in the body: clients add `mxid` to the query of the link that an invitation's mail holds, and send no body.
pub const SIGN_ED25519: &str = "/identity/api/v1/sign-ed25519";

/// `GET`: like [`validated_threepid::GET_VALIDATED_3PID`](super::validated_threepid::GET_VALIDATED_3PID).
pub const GET_VALIDATED_3PID: &str = "/identity/api/v1/3pid/getValidated3pid";
