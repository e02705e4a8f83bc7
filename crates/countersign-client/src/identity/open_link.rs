//! The `GET` of both submitToken, whose answer is for a browser.

use countersign_api::submit_token::SubmitTokenRequest;
use reqwest::Method;
use url::form_urlencoded;

use super::IdentityClient;
use crate::{answer, error::Error};

impl IdentityClient {
    /// Submits a token by its link. A redirection is not followed but answered.
    pub(super) async fn open_link(
        &self,
        path: &str,
        request: &SubmitTokenRequest,
    ) -> Result<Option<String>, Error> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("sid", &request.sid)
            .append_pair("client_secret", &request.client_secret)
            .append_pair("token", &request.token)
            .finish();
        let request = self.connection.anonymous(Method::GET, &format!("{path}?{query}"));
        answer::read_page(request.send().await?).await
    }
}
