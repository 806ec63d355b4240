//! The phone's end of the live connection: a WebSocket (RFC 6455) on the transport's own HTTP.

use std::time::Duration;

use futures_util::StreamExt as _;
use onscene_mobile::{HttpReply, HttpRequest};
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use reqwest::{Client, Response, StatusCode, Upgraded, redirect};
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::transport::{self, Unanswered};

/// A connection that was silent this long is taken for lost: the hub pings every half minute.
const SILENCE: Duration = Duration::from_secs(90);
/// Bytes of a message from the hub, many times those of a poke.
const INCOMING: usize = 1024;

/// Why there is no live connection.
#[derive(Debug, Error)]
pub enum NoLine {
    /// The hub answered with something else.
    #[error("the hub answered {0:?} instead of opening a live connection")]
    Refused(HttpReply),
    /// There was no answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// There was none in time.
    #[error("the hub did not open a live connection in time")]
    TooLate,
    /// What answered is no WebSocket server, a proxy perhaps.
    #[error("what answered does not speak WebSocket")]
    NotASocket,
}

/// Opens live connections.
#[derive(Debug, Clone)]
pub struct Dialler(Client);

/// A live connection.
#[derive(Debug)]
pub struct Line {
    socket: WebSocketStream<Upgraded>,
    heard_at: Instant,
}

impl Dialler {
    /// A client of HTTP/1.1, which can be upgraded, that follows no redirect.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, Unanswered> {
        let builder = Client::builder().http1_only().redirect(redirect::Policy::none());
        Ok(Self(builder.build()?))
    }

    /// Opens the connection that `request` asks for.
    ///
    /// # Errors
    /// When the hub refuses or does not answer in time.
    pub async fn open(&self, request: &HttpRequest) -> Result<Line, NoLine> {
        let deadline = Duration::from_millis(request.deadline_ms);
        timeout(deadline, self.shake_hands(request)).await.map_err(|_| NoLine::TooLate)?
    }

    async fn shake_hands(&self, request: &HttpRequest) -> Result<Line, NoLine> {
        let key = generate_key();
        let mut builder = self.0.get(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let builder = builder
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        let response = builder.send().await.map_err(Unanswered::from)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(NoLine::Refused(transport::read(response).await?));
        }
        if !is_accepted(&response, &key) {
            return Err(NoLine::NotASocket);
        }
        let stream = response.upgrade().await.map_err(Unanswered::from)?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(INCOMING))
            .max_frame_size(Some(INCOMING));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits)).await;
        Ok(Line { socket, heard_at: Instant::now() })
    }
}

fn is_accepted(response: &Response, key: &str) -> bool {
    let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    accept.is_some_and(|accept| accept.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes())
}

impl Line {
    /// The next binary message; `None` when the connection is lost. Pings are answered meanwhile.
    /// A call may be dropped and made again without losing anything.
    pub async fn hear(&mut self) -> Option<Vec<u8>> {
        loop {
            let heard = timeout_at(self.heard_at + SILENCE, self.socket.next()).await;
            let message = heard.ok()??.ok()?;
            self.heard_at = Instant::now();
            match message {
                Message::Binary(bytes) => return Some(bytes.to_vec()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::ws;
    use axum::http::HeaderMap;
    use axum::response::IntoResponse;
    use axum::routing::get;

    use super::*;

    async fn serve() -> String {
        let router = Router::new()
            .route("/live", get(talk))
            .route("/no", get(async || (StatusCode::UNAUTHORIZED, [("dpop-nonce", "n2")], "why")))
            .route("/other", get(other))
            .route("/never", get(std::future::pending::<()>));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    /// Says what the headers of the request were, among other things, and hangs up.
    async fn talk(headers: HeaderMap, socket: ws::WebSocketUpgrade) -> impl IntoResponse {
        let proof = headers["dpop"].as_bytes().to_vec();
        socket.on_upgrade(async move |mut socket| {
            let said = [
                ws::Message::Text("no poke".into()),
                ws::Message::Ping(Vec::new().into()),
                ws::Message::Binary(proof.into()),
                ws::Message::Binary(vec![0; INCOMING + 1].into()),
                ws::Message::Binary(vec![1].into()),
            ];
            for message in said {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        })
    }

    async fn other() -> impl IntoResponse {
        let headers = [("connection", "upgrade"), ("upgrade", "websocket")];
        (StatusCode::SWITCHING_PROTOCOLS, headers, [(SEC_WEBSOCKET_ACCEPT, "another key's")])
    }

    async fn open(path: &str) -> Result<Line, NoLine> {
        let request = HttpRequest {
            id: 0,
            method: "GET",
            url: serve().await + path,
            headers: vec![("dpop", "proof".to_owned())],
            body: Vec::new(),
            deadline_ms: 1_000,
        };
        Dialler::new().unwrap().open(&request).await
    }

    #[tokio::test]
    async fn what_is_said_is_heard_until_something_is_too_large() {
        let mut line = open("/live").await.unwrap();
        assert_eq!(line.hear().await.as_deref(), Some(&b"proof"[..]));
        assert_eq!(line.hear().await, None);
    }

    #[tokio::test]
    async fn a_refusal_comes_with_its_headers_and_other_answers_are_errors() {
        let refused = open("/no").await;
        let Err(NoLine::Refused(reply)) = refused else { panic!("{refused:?}") };
        assert_eq!((reply.status, &*reply.body), (401, &b"why"[..]));
        assert!(reply.headers.contains(&("dpop-nonce".to_owned(), "n2".to_owned())));
        assert!(matches!(open("/other").await, Err(NoLine::NotASocket)));
        assert!(matches!(open("/never").await, Err(NoLine::TooLate)));
    }
}
