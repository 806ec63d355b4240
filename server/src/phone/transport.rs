//! Moves the device library's requests over HTTP, byte for byte.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream;
use onscene_mobile::{HttpReply, HttpRequest, UploadBody, UploadRequest};
use onscene_sync_core::limits::MESSAGE_BYTES;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Body, Client, Method, RequestBuilder, Response, redirect};
use thiserror::Error;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// Bytes of a file that are in memory at once.
const PIECE: u64 = 64 * 1024;

/// A request that was not answered. Whether it arrived is not known.
#[derive(Debug, Error)]
pub enum Unanswered {
    /// The network, or the server's silence.
    #[error("no answer from the server: {0}")]
    Network(#[from] reqwest::Error),
    /// More than an answer may hold.
    #[error("the server's answer is larger than {MESSAGE_BYTES} bytes")]
    TooLarge,
    /// The file that was to be sent.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
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
        let HttpRequest { method, url, headers, deadline_ms, .. } = request;
        let builder = self.prepare(method, url, headers, *deadline_ms)?;
        read(builder.body(request.body.clone()).send().await?).await
    }

    /// Sends a request of the lane of files, its range piece by piece, and reads its answer.
    ///
    /// # Errors
    /// When none comes within the request's deadline, or the file cannot be read.
    pub async fn upload(&self, request: &UploadRequest) -> Result<HttpReply, Unanswered> {
        let UploadRequest { method, url, headers, deadline_ms, .. } = request;
        let builder = self.prepare(method, url, headers, *deadline_ms)?;
        let builder = match &request.body {
            UploadBody::Empty => builder,
            UploadBody::Range { path, offset, length } => {
                let body = range(path, *offset, *length).await;
                let failed = |source| Unanswered::File { path: path.clone(), source };
                builder.header(CONTENT_LENGTH, *length).body(body.map_err(failed)?)
            }
        };
        read(builder.send().await?).await
    }

    fn prepare(
        &self,
        method: &'static str,
        url: &str,
        headers: &[(&'static str, String)],
        deadline_ms: u64,
    ) -> Result<RequestBuilder, Unanswered> {
        let known =
            Method::from_bytes(method.as_bytes()).map_err(|_| Unanswered::Method(method))?;
        let builder = self.0.request(known, url).timeout(Duration::from_millis(deadline_ms));
        Ok(headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value)))
    }
}

/// A part of a file as a body. One that ends before the range does ends the request in an error.
async fn range(path: &Path, offset: u64, length: u64) -> io::Result<Body> {
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(offset)).await?;
    let pieces = stream::try_unfold((file, length), async |(mut file, left)| {
        if left == 0 {
            return Ok(None);
        }
        let mut piece = Vec::new();
        let read = (&mut file).take(left.min(PIECE)).read_to_end(&mut piece).await?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(Some((piece, (file, left - read as u64))))
    });
    Ok(Body::wrap_stream(pieces))
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
            .route("/echo", post(echo).patch(echo).head(echo))
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

    fn upload(url: String, path: &Path, offset: u64, length: u64) -> UploadRequest {
        let body = UploadBody::Range { path: path.to_owned(), offset, length };
        let headers = vec![("dpop", "proof".to_owned())];
        UploadRequest { id: 1, method: "PATCH", url, headers, body, deadline_ms: 5_000 }
    }

    #[tokio::test]
    async fn a_range_of_a_file_passes_as_it_stands_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("video.mp4");
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
        std::fs::write(&path, &bytes).unwrap();
        let (transport, url) = (Transport::new().unwrap(), serve().await + "/echo");
        let request = upload(url.clone(), &path, 100_001, 1_000_000);
        let reply = transport.upload(&request).await.unwrap();
        assert_eq!(reply.status, 202);
        assert!(reply.body == bytes[100_001..1_100_001], "{} bytes", reply.body.len());
        let empty = UploadRequest { method: "HEAD", body: UploadBody::Empty, ..request };
        assert_eq!(transport.upload(&empty).await.unwrap().status, 202);

        let shorter = transport.upload(&upload(url.clone(), &path, 1_100_000, 200_000)).await;
        assert!(matches!(shorter, Err(Unanswered::Network(_))), "the range is cut");
        let gone = transport.upload(&upload(url, &dir.path().join("gone"), 0, 1)).await;
        assert!(matches!(gone, Err(Unanswered::File { .. })));
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
