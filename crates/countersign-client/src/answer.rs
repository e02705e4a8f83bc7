//! Reads a node's answer: 200 and a JSON object, or an error.

use std::time::Duration;

use countersign_api::uia::UiaInfo;
use reqwest::{
    Response, StatusCode,
    header::{LOCATION, RETRY_AFTER},
};
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Refused};

/// The largest answer there is, to a lookup of 10000 addresses whose users have the longest ids, stays below this size.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// Reads the answer. Only status 200 is success: no other one is in the protocol.
pub(crate) async fn read<T: DeserializeOwned>(mut response: Response) -> Result<T, Error> {
    let status = response.status();
    let retry_after = retry_after(&response);
    let body = read_body(&mut response).await;
    if status != StatusCode::OK {
        // An error whose body is lost is still that error.
        return Err(Kind::Refused(refused(status, retry_after, &body.unwrap_or_default())).into());
    }
    // The words of serde_json may quote the body, which may hold a token.
    serde_json::from_slice(&body?)
        .map_err(|error| Kind::UnexpectedBody { line: error.line(), column: error.column() }.into())
}

/// Reads an answer that was meant for a browser: a page, or a redirection, whose target is answered.
pub(crate) async fn read_page(mut response: Response) -> Result<Option<String>, Error> {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    match (response.status(), location) {
        (StatusCode::OK, _) => Ok(None),
        (StatusCode::FOUND | StatusCode::SEE_OTHER, Some(location)) => Ok(Some(location.to_owned())),
        (status, _) => {
            let retry_after = retry_after(&response);
            let body = read_body(&mut response).await;
            Err(Kind::Refused(refused(status, retry_after, &body.unwrap_or_default())).into())
        }
    }
}

fn refused(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Refused {
    let uia: Option<UiaInfo> = match status {
        StatusCode::UNAUTHORIZED => serde_json::from_slice(body).ok(),
        _ => None,
    };
    Refused { status: status.as_u16(), body: serde_json::from_slice(body).ok(), uia, retry_after }
}

/// The header's seconds. A date is left to the body's field, since the clocks may differ.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if LARGEST_BODY < body.len() + chunk.len() {
            return Err(Kind::TooLarge.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
