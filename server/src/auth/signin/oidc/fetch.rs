//! Requests to the issuer and to nobody else: no other host, no redirect, no endless answer.

use std::time::Duration;

use axum::http;
use futures_util::future::BoxFuture;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::{Client, Request, Url, redirect};
use thiserror::Error;

/// Bytes of an answer at most.
const ANSWER_BYTES: usize = 256 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the issuer did not answer.
#[derive(Debug, Error)]
pub(super) enum FetchError {
    #[error("{0} is not of the issuer's own host: only that is asked")]
    Elsewhere(String),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer has more than {ANSWER_BYTES} bytes")]
    TooLong,
    #[error("the request makes no sense: {0}")]
    Malformed(#[from] http::Error),
}

#[derive(Debug)]
pub(super) struct Fetch {
    client: Client,
    issuer: Url,
}

impl Fetch {
    /// For one issuer; `None` when this build cannot make requests.
    pub(super) fn new(issuer: &Url) -> Option<Self> {
        let client = Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE);
        Some(Self { client: client.build().ok()?, issuer: issuer.clone() })
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let request = Request::try_from(request)?;
        if request.url().origin() != self.issuer.origin() {
            let host = request.url().host_str().unwrap_or("an address without a host");
            return Err(FetchError::Elsewhere(host.to_owned()));
        }
        let mut answer = self.client.execute(request).await?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await? {
            if body.len() + part.len() > ANSWER_BYTES {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&part);
        }
        let mut response = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        Ok(response.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = BoxFuture<'c, Result<HttpResponse, FetchError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.fetch(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(issuer: &str, url: &str) -> String {
        let fetch = Fetch::new(&issuer.parse().unwrap()).unwrap();
        let request = http::Request::builder().uri(url).body(Vec::new()).unwrap();
        fetch.fetch(request).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn nobody_but_the_issuer_is_asked() {
        let issuer = "http://127.0.0.1:9/realm";
        for url in [
            "http://169.254.169.254/latest/meta-data",
            "http://127.0.0.1:10/realm/jwks",
            "https://127.0.0.1:9/jwks",
            "http://127.0.0.1.example.org/jwks",
        ] {
            assert!(asked(issuer, url).await.contains("only that is asked"), "{url}");
        }
        assert!(!asked(issuer, "http://127.0.0.1:9/jwks").await.contains("only that is asked"));
    }

    /// A listener that answers one connection with `answer`.
    async fn answering(answer: String) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _head = stream.read(&mut [0; 4096]).await;
            let _cut = stream.write_all(answer.as_bytes()).await;
        });
        address
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_an_endless_answer_is_cut() {
        let redirect = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\
                        content-length: 0\r\n\r\n";
        let url = answering(redirect.to_owned()).await;
        let fetch = Fetch::new(&url.parse().unwrap()).unwrap();
        let request = || http::Request::builder().uri(&url).body(Vec::new()).unwrap();
        assert_eq!(fetch.fetch(request()).await.unwrap().status(), 302);
        let long = "x".repeat(ANSWER_BYTES + 1);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len());
        let url = answering(head).await;
        assert!(asked(&url, &url).await.contains("more than"));
    }
}
