//! Values that have the right type and still make no sense, each with its mend.

use super::{Config, ConfigError, Sms};

impl Config {
    /// Values that have the right type and still make no sense, each with its mend.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let url = &self.database.url.0;
        let checks = [
            (
                "http.public_url",
                self.http.public_url.starts_with("https://")
                    || self.http.public_url.starts_with("http://"),
                "must start with https:// (http:// only for trials)",
            ),
            ("http.public_url", !self.http.public_url.ends_with('/'), "must not end with a slash"),
            ("http.connections", self.http.connections > 0, "must be at least 1"),
            ("http.in_flight", self.http.in_flight > 0, "must be at least 1"),
            ("http.header_timeout_s", self.http.header_timeout_s > 0, "must be at least 1"),
            ("http.request_timeout_s", self.http.request_timeout_s > 0, "must be at least 1"),
            (
                "database.url",
                ["", "sqlite:", "postgres://", "postgresql://"]
                    .iter()
                    .any(|start| url.starts_with(start) && (start.is_empty() == url.is_empty())),
                "must start with postgres:// or sqlite:, or be empty",
            ),
            (
                "blob.endpoint",
                ["", "https://", "http://"].iter().any(|start| {
                    self.blob.endpoint.starts_with(start)
                        && start.is_empty() == self.blob.endpoint.is_empty()
                }),
                "must start with https:// (http:// only for trials), or be empty",
            ),
            (
                "blob.access_key_id",
                self.blob.bucket.is_empty() || !self.blob.access_key_id.0.is_empty(),
                "must be given with `blob.bucket`",
            ),
            (
                "blob.secret_access_key",
                self.blob.bucket.is_empty() || !self.blob.secret_access_key.0.is_empty(),
                "must be given with `blob.bucket`",
            ),
            ("evidence.uploads", self.evidence.uploads > 0, "must be at least 1"),
            ("evidence.idle_timeout_s", self.evidence.idle_timeout_s > 0, "must be at least 1"),
            ("evidence.upload_hours", self.evidence.upload_hours > 0, "must be at least 1"),
            ("evidence.keep_days", self.evidence.keep_days > 0, "must be at least 1"),
            ("database.connections", self.database.connections > 1, "must be at least 2"),
            (
                "open311.radius_m",
                (1.0..=10_000.0).contains(&self.open311.radius_m),
                "must be between 1 and 10000",
            ),
            (
                "bureau.utc_offset_min",
                (-720..=840).contains(&self.bureau.utc_offset_min),
                "must be between -720 and 840",
            ),
        ];
        let (sms, sign_in) = (self.sms.checks(), self.sign_in_checks());
        match checks.iter().chain(&sms).chain(&sign_in).find(|(_, holds, _)| !holds) {
            Some((key, _, mend)) => Err(ConfigError::Value { key, mend }),
            None => Ok(()),
        }
    }

    fn sign_in_checks(&self) -> [(&'static str, bool, &'static str); 6] {
        let (sign_in, oidc) = (&self.sign_in, &self.oidc);
        let unused = oidc.issuer.is_empty();
        [
            ("sign_in.idle_minutes", sign_in.idle_minutes >= 5, "must be at least 5"),
            ("sign_in.session_hours", sign_in.session_hours > 0, "must be at least 1"),
            (
                "sign_in.invitation_hours",
                (1..=168).contains(&sign_in.invitation_hours),
                "must be between 1 and 168",
            ),
            (
                "oidc.issuer",
                unused || is_safe_url(&oidc.issuer),
                "must be an https:// address (http:// only of this machine, for trials), or empty",
            ),
            (
                "oidc.redirect_url",
                unused || is_safe_url(&oidc.redirect_url),
                "must be the https:// address of a page (http:// only of this machine, for trials)",
            ),
            (
                "oidc.client_id",
                unused || !(oidc.client_id.is_empty() || oidc.claim.is_empty()),
                "and `oidc.claim` must be given with `oidc.issuer`",
            ),
        ]
    }
}

impl Sms {
    /// Keys with whether they make sense, and how they would.
    fn checks(&self) -> [(&'static str, bool, &'static str); 7] {
        [
            (
                "sms.url",
                self.url.is_empty()
                    || ["https://", "http://"].iter().any(|start| self.url.starts_with(start)),
                "must start with https:// (http:// only for trials), or be empty",
            ),
            (
                "sms.key_id",
                self.url.is_empty() || is_key_id(&self.key_id),
                "must be given with `sms.url`, as letters, digits, - and _",
            ),
            (
                "sms.secret",
                self.url.is_empty() || self.secret.0.len() >= 32,
                "must be given with `sms.url`, and have at least 32 characters",
            ),
            ("sms.timeout_s", (1..=20).contains(&self.timeout_s), "must be between 1 and 20"),
            ("sms.per_minute", self.per_minute > 0, "must be at least 1"),
            ("sms.parts", (1..=10).contains(&self.parts), "must be between 1 and 10"),
            (
                "sms.expire_hours",
                (1..=168).contains(&self.expire_hours),
                "must be between 1 and 168",
            ),
        ]
    }
}

/// Whether nobody on the way can change what comes from this address.
fn is_safe_url(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    url.scheme() == "https" || (url.scheme() == "http" && local)
}

/// What fits into a signature's parameters as it is.
fn is_key_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.len() <= 64 && text.chars().all(plain)
}
