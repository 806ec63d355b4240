//! Moves the device library's requests over HTTP, byte for byte.

use std::time::Duration;

use onscene_mobile::{HttpReply, HttpRequest};
use onscene_sync_core::limits::MESSAGE_BYTES;
use reqwest::{Client, Method, Response, redirect};
use thiserror::Error;

/// A request that was not answered. Whether it arrived is not known.
#[derive(Debug, Error)]
pub enum Unanswered {
    /// The network, or the server's silence.
    #[error("no answer from the server: {0}")]
    Network(#[from] reqwest::Error),
    /// More than an answer may hold.
    #[error("the server's answer is larger than {MESSAGE_BYTES} bytes")]
    TooLarge,
    /// The library asked for a method that HTTP does not know.
    #[error("`{0}` is not an HTTP method")]
    Method(&'static str),
}

/// A connection to the hub, kept open between requests.
#[derive(Debug, Clone)]
pub struct Transport(Client);

impl Transport {
    /// A transport that follows no redirect: a proof is bound to its address.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, Unanswered> {
        Ok(Self(Client::builder().redirect(redirect::Policy::none()).build()?))
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// When none comes within the request's deadline, or one that is too large.
    pub async fn send(&self, request: &HttpRequest) -> Result<HttpReply, Unanswered> {
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Unanswered::Method(request.method))?;
        let mut builder = self
            .0
            .request(method, &request.url)
            .timeout(Duration::from_millis(request.deadline_ms))
            .body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        read(builder.send().await?).await
    }
}

/// Reads an answer to its end.
pub(super) async fn read(mut response: Response) -> Result<HttpReply, Unanswered> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MESSAGE_BYTES {
            return Err(Unanswered::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpReply { status, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Bytes;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::IntoResponse;
    use axum::routing::{get, post};

    async fn serve() -> String {
        let router = Router::new()
            .route("/echo", post(echo))
            .route("/large", get(async || vec![0_u8; MESSAGE_BYTES + 1]))
            .route("/away", get(async || axum::response::Redirect::temporary("/echo")));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    async fn echo(headers: HeaderMap, body: Bytes) -> impl IntoResponse {
        (StatusCode::ACCEPTED, [("x-seen", headers["dpop"].clone())], body)
    }

    fn request(method: &'static str, url: String) -> HttpRequest {
        let headers = vec![("dpop", "proof".to_owned())];
        HttpRequest {
            id: 1,
            method,
            url,
            headers,
            body: vec![0, 159, 146, 150],
            deadline_ms: 5_000,
        }
    }

    #[tokio::test]
    async fn bytes_and_headers_pass_unchanged() {
        let reply = Transport::new()
            .unwrap()
            .send(&request("POST", serve().await + "/echo"))
            .await
            .unwrap();
        assert_eq!((reply.status, reply.body), (202, vec![0, 159, 146, 150]));
        assert!(reply.headers.contains(&("x-seen".to_owned(), "proof".to_owned())));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut() {
        let sent = Transport::new().unwrap().send(&request("GET", serve().await + "/large")).await;
        assert!(matches!(sent, Err(Unanswered::TooLarge)));
    }

    #[tokio::test]
    async fn redirects_are_answers_and_silence_is_an_error() {
        let transport = Transport::new().unwrap();
        let reply = transport.send(&request("GET", serve().await + "/away")).await.unwrap();
        assert_eq!(reply.status, 307);
        let nobody = transport.send(&request("GET", "http://127.0.0.1:1/".to_owned())).await;
        assert!(matches!(nobody, Err(Unanswered::Network(_))));
    }
}
