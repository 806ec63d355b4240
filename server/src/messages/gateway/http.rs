//! The gateway over HTTP: only the configured host is called, and no redirect is followed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::Method;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use onscene_sync_core::id::MessageId;
use onscene_sync_core::time::Millis;
use reqwest::{Client, StatusCode, Url, redirect};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::signature::Signer;
use super::{Gateway, Reason, Standing, Unclear};
use crate::clock::Clock;
use crate::config::Sms;
use crate::random::{self, Random};

/// Bytes of an answer that are read.
const ANSWER_BYTES: usize = 16 * 1024;
/// How long a gateway that failed is left alone, so that a thousand messages that wait do not each wait
/// for an answer that will not come, and hold up other work meanwhile.
const REST_MS: i64 = 10_000;

/// The gateway cannot be used.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The address.
    #[error("`sms.url` is no address: {0}")]
    Url(String),
    /// The client.
    #[error("the client of the gateway cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Body of `PUT {url}/messages/{id}`.
#[derive(Serialize)]
pub struct Outgoing<'a> {
    /// The number to send it to.
    pub to: &'a str,
    /// The text.
    pub text: &'a str,
    /// When to give up, Unix milliseconds.
    pub expires_at: Millis,
}

impl std::fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outgoing(…)")
    }
}

/// How a message stands, in answers and receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatewayState {
    /// The gateway has it.
    Accepted,
    /// It arrived.
    Delivered,
    /// It did not arrive.
    Failed,
    /// The gateway gave it up.
    Expired,
}

/// An answer of the gateway. It may hold more, which is not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// How the message stands.
    pub state: GatewayState,
    /// A word why it failed, as `absent`.
    #[serde(default)]
    pub reason: String,
}

impl Answer {
    /// The same as a standing.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.state {
            GatewayState::Accepted => Standing::Accepted,
            GatewayState::Delivered => Standing::Delivered,
            GatewayState::Failed => Standing::Failed(Reason::new(&self.reason)),
            GatewayState::Expired => Standing::Expired,
        }
    }
}

/// A gateway that is called over HTTP.
#[derive(Debug)]
pub struct HttpGateway {
    client: Client,
    base: Url,
    signer: Signer,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Until when it is left alone.
    rests_until: AtomicI64,
}

impl HttpGateway {
    /// The gateway of the configuration; `None` when none is configured.
    ///
    /// # Errors
    /// When its address is none.
    pub fn open(
        config: &Sms,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Option<Self>, GatewayError> {
        if config.url.is_empty() {
            return Ok(None);
        }
        let wrong = |why: String| GatewayError::Url(why);
        let base: Url = config.url.parse().map_err(|error| wrong(format!("{error}")))?;
        if !base.has_host() || base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it needs a host, and has no query and no fragment".to_owned()));
        }
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(config.timeout_s))
            .build()?;
        Ok(Some(Self {
            client,
            base,
            signer: Signer::new(config),
            clock,
            random,
            rests_until: AtomicI64::new(0),
        }))
    }

    /// Calls the gateway unless it failed a moment ago.
    async fn call(
        &self,
        method: Method,
        id: MessageId,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Vec<u8>), Unclear> {
        if self.rests() {
            return Err(Unclear("it failed a moment ago and is left alone".to_owned()));
        }
        let answer = self.call_once(method, id, body).await;
        let failed = answer.as_ref().map_or(true, |(status, _)| {
            status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
        });
        let until = if failed { self.clock.now().plus(REST_MS).0 } else { 0 };
        self.rests_until.store(until, Ordering::Relaxed);
        answer
    }

    /// Sends a signed request and reads status and body.
    async fn call_once(
        &self,
        method: Method,
        id: MessageId,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Vec<u8>), Unclear> {
        let mut url = self.base.clone();
        let path = format!("{}/messages/{id}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let nonce = random::bytes(&*self.random);
        let signed = self.signer.sign(method.as_str(), url.path(), &body, self.clock.now(), nonce);
        let request = self.client.request(method, url).header("content-type", "application/json");
        let request =
            signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        // The address holds the message's id and nothing else; an error may still go without it.
        let failed = |error: reqwest::Error| Unclear(error.without_url().to_string());
        let mut answer = request.body(body).send().await.map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > ANSWER_BYTES {
                return Err(Unclear(format!("more than {ANSWER_BYTES} bytes")));
            }
        }
        Ok((answer.status(), bytes))
    }
}

impl Gateway for HttpGateway {
    fn rests(&self) -> bool {
        self.clock.now().0 < self.rests_until.load(Ordering::Relaxed)
    }

    fn send<'a>(
        &'a self,
        message: super::Outgoing<'a>,
    ) -> BoxFuture<'a, Result<Standing, Unclear>> {
        async move {
            let super::Outgoing { id, to, text, expires_at } = message;
            let body = serde_json::to_vec(&Outgoing { to, text, expires_at })
                .map_err(|_| Unclear("the message has no JSON form".to_owned()))?;
            let (status, body) = self.call(Method::PUT, id, body).await?;
            if is_refusal(status) {
                return Ok(Standing::Failed(Reason::new(&format!("refused_{}", status.as_u16()))));
            }
            read(status, &body)
        }
        .boxed()
    }

    fn ask(&self, id: MessageId) -> BoxFuture<'_, Result<Option<Standing>, Unclear>> {
        async move {
            let (status, body) = self.call(Method::GET, id, Vec::new()).await?;
            if status == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            read(status, &body).map(Some)
        }
        .boxed()
    }
}

/// The message itself is at fault: the same again would be refused again. Not so where our key, our
/// address or the gateway's load is.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 409 | 410 | 413 | 422)
}

fn read(status: StatusCode, body: &[u8]) -> Result<Standing, Unclear> {
    if !status.is_success() {
        return Err(Unclear(format!("status {}", status.as_u16())));
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| Unclear("the body is not of the form of an answer".to_owned()))?;
    Ok(answer.standing())
}
