//! A desk of the bureau: someone who works with the hub's API and a personal key, over HTTP.

use serde::Serialize;
use serde_json::Value;

use super::error::DemoError;

/// A desk.
#[derive(Debug, Clone)]
pub struct Desk {
    client: reqwest::Client,
    base: String,
    key: String,
}

impl Desk {
    /// The desk of whoever has `key`, at the hub of address `base`.
    #[must_use]
    pub fn new(client: reqwest::Client, base: &str, key: &str) -> Self {
        Self { client, base: base.to_owned(), key: key.to_owned() }
    }

    /// `POST`.
    ///
    /// # Errors
    /// When the hub refuses or does not answer.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, DemoError> {
        let body = serde_json::to_vec(body).unwrap_or_default();
        let request = self.client.post(self.url(path)).body(body);
        self.send("POST", path, request.header("content-type", "application/json")).await
    }

    /// `PATCH` of what a `GET` shows at the moment.
    ///
    /// # Errors
    /// When the hub refuses or does not answer.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Result<Answer, DemoError> {
        let body = serde_json::to_vec(body).unwrap_or_default();
        let tag = self.get(path).await?.tag;
        let request = self.client.patch(self.url(path)).body(body).header("if-match", tag);
        self.send("PATCH", path, request.header("content-type", "application/json")).await
    }

    /// `GET`.
    ///
    /// # Errors
    /// When the hub refuses or does not answer.
    pub async fn get(&self, path: &str) -> Result<Answer, DemoError> {
        self.send("GET", path, self.client.get(self.url(path))).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<Answer, DemoError> {
        let response = request.bearer_auth(&self.key).send().await?;
        let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok());
        let tag = tag.unwrap_or_default().to_owned();
        let (status, text) = (response.status(), response.text().await?);
        let request = format!("{method} {path}");
        if !status.is_success() {
            return Err(DemoError::Refused { request, answer: format!("{status}: {text}") });
        }
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { request, tag, value })
    }
}

/// What the hub answered.
#[derive(Debug, Clone)]
pub struct Answer {
    request: String,
    /// The `ETag`.
    tag: String,
    /// The body.
    pub value: Value,
}

impl Answer {
    /// Reads the value at a JSON pointer as text in the form of `T`.
    ///
    /// # Errors
    /// When there is none, or of another form.
    pub fn read<T: std::str::FromStr>(&self, pointer: &'static str) -> Result<T, DemoError> {
        self.value
            .pointer(pointer)
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok())
            .ok_or(DemoError::Answer { request: self.request.clone(), field: pointer })
    }
}
