//! One request and its answer over a connection, which is closed after it.

use std::pin::pin;

use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Failure, Request};
use crate::peer::Answer;

/// Limit for status and headers of an answer.
const MAX_HEAD_BYTES: usize = 16 * 1024;

pub(super) async fn exchange(
    stream: TlsStream<TcpStream>,
    host: &str,
    request: &Request<'_>,
    max_answer_bytes: usize,
) -> Result<Answer, Failure> {
    let request = write(host, request).map_err(Failure::Request)?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(Failure::Http)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(Failure::Http)?;
        let (head, body) = response.into_parts();
        let body = read_limited(body, max_answer_bytes).await?;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    });
    tokio::select! {
        answer = &mut answer => answer,
        // The rest is read already, or never comes.
        _ = &mut connection => answer.await,
    }
}

fn write(host: &str, request: &Request<'_>) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
    let mut builder = hyper::Request::builder()
        .method(&request.method)
        .uri(request.uri)
        .header(HOST, host)
        .header(USER_AGENT, "countersign")
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close");
    if let Some(authorization) = request.authorization {
        builder = builder.header(AUTHORIZATION, authorization);
    }
    if request.body.is_some() {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    builder.body(Full::from(request.body.clone().unwrap_or_default()))
}

async fn read_limited(mut body: Incoming, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers are of no interest.
        let Ok(data) = frame.map_err(Failure::Http)?.into_data() else { continue };
        if limit < read.len() + data.len() {
            return Err(Failure::TooLarge);
        }
        read.extend_from_slice(&data);
    }
    Ok(read)
}
