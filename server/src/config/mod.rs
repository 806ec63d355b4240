//! What an operator may choose: a TOML file, overridden by `ONSCENE_<SECTION>__<KEY>` variables.
//!
//! Every key is documented once, on its field; the printed example is made from those words.

mod check;
mod example;
mod load;
mod section;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::keys::{make_private_dir, make_private_file};
use crate::store::Store;
pub use load::ConfigError;
use section::{Section, section};

section! {
    /// The API that phones and the command centre call.
    Http {
        /// Address and port to listen on. TLS ends in a proxy in front of it.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8460)),
        /// The address that phones reach the hub by. Tokens are valid for it alone.
        public_url: String = "http://127.0.0.1:8460".to_owned(),
        /// Open connections at most; further ones wait.
        connections: usize = 10_000,
        /// Requests worked on at once at most; further ones are answered 503.
        in_flight: usize = 512,
        /// Seconds in which a client must have sent a request's head.
        header_timeout_s: u64 = 10,
        /// Seconds in which an ordinary request must be answered.
        request_timeout_s: u64 = 30,
        /// Bytes of an ordinary request's body at most.
        body_bytes: usize = 1024 * 1024,
        /// Seconds that running requests get to finish when the program is told to stop.
        stop_timeout_s: u64 = 20,
    }
}

section! {
    /// Where files live.
    Data {
        /// Folder of the SQLite database, evidence, keys and the first administrator's key.
        dir: PathBuf = PathBuf::from("data"),
    }
}

section! {
    /// Where files of evidence are kept: in a folder, or in an S3-compatible store.
    Blob {
        /// Folder of the files; unset means `blobs` in the data folder. Several processes over one
        /// database need the same one, or a bucket.
        dir: Option<PathBuf> = None,
        /// Bucket of an S3-compatible store; empty means the folder.
        bucket: String = String::new(),
        /// The store's address, as `https://s3.example.org`; empty means Amazon's own.
        endpoint: String = String::new(),
        /// The bucket's region.
        region: String = "us-east-1".to_owned(),
        /// The bucket stands in the path and not in the host's name: most stores but Amazon's.
        path_style: bool = true,
        /// Key that may read, write, list and delete in the bucket.
        access_key_id: Secret = Secret(String::new()),
        /// Its secret; better given as the variable `ONSCENE_BLOB__SECRET_ACCESS_KEY`.
        secret_access_key: Secret = Secret(String::new()),
    }
}

section! {
    /// Files of evidence and their uploads.
    Evidence {
        /// Requests at once that bring bytes; further ones are answered 503.
        uploads: usize = 256,
        /// Seconds without a byte after which such a request is ended; what came is kept.
        idle_timeout_s: u64 = 20,
        /// Hours without a byte after which an unfinished upload is forgotten.
        upload_hours: u32 = 168,
        /// Bytes that one phone may bring in one day of the bureau.
        device_day_bytes: u64 = 2_000_000_000,
        /// Days that files are kept after their case was closed, or, without a case, after they came.
        keep_days: u32 = 3650,
    }
}

section! {
    /// The database.
    Database {
        /// `postgres://user:password@host/name` or `sqlite:///path/to/file?mode=rwc`; empty means
        /// the SQLite file onscene.db in the data folder.
        url: Secret = Secret(String::new()),
        /// Connections kept open at most.
        connections: u32 = 16,
    }
}

section! {
    /// The hub's keys, files of 64 hexadecimal digits each: facts.seed and token.seed sign, recovery.seed
    /// opens phones' stores, vault.1.key and callers.key the vault of complainants.
    KeyFiles {
        /// Folder of the keys. Unset, they are made at the first start in the data folder; set, they
        /// must be there. Several processes over one database must share them.
        dir: Option<PathBuf> = None,
    }
}

section! {
    /// How people at desks sign in, by password and authenticator.
    SignIn {
        /// Minutes without a request after which a session ends.
        idle_minutes: u32 = 60,
        /// Hours after which a session ends, however much it is used.
        session_hours: u32 = 12,
        /// Hours that an invitation to choose a password is good for.
        invitation_hours: u32 = 24,
        /// Addresses of the proxies in front of the hub: what they say in `X-Forwarded-For` is
        /// believed. Without the right ones here, everybody's failures count for one address.
        trusted_proxies: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

section! {
    /// Sign-in through an OpenID Connect provider, beside passwords. The provider asks for the
    /// second factor; the hub asks the issuer's host alone, and follows no redirect.
    Oidc {
        /// The issuer, as it calls itself: `https://id.example.org/realms/bureau`; empty means none.
        issuer: String = String::new(),
        /// What the provider calls the hub.
        client_id: String = String::new(),
        /// The hub's secret there; better given as the variable `ONSCENE_OIDC__CLIENT_SECRET`. Empty
        /// means a public client, which PKCE alone protects.
        client_secret: Secret = Secret(String::new()),
        /// The command centre's page that the provider sends people back to; it hands what it gets to
        /// `POST /v1/sign-in/oidc/return`.
        redirect_url: String = String::new(),
        /// The claim that tells who somebody is; administrators link its value to people. `email`
        /// counts only when the provider has verified it.
        claim: String = "sub".to_owned(),
        /// What is asked for besides `openid`, such as `email`.
        scopes: String = String::new(),
    }
}

section! {
    /// The bureau's calendar.
    Bureau {
        /// Minutes by which the bureau's clocks are ahead of UTC (China: 480).
        utc_offset_min: i32 = 480,
    }
}

section! {
    /// Open311 (GeoReport v2) at /open311/v2, for keys of people with the role web_intake.
    Open311 {
        /// The bureau's name among jurisdictions, such as `jinan.gov.cn`; empty means that requests need
        /// not name one.
        jurisdiction: String = String::new(),
        /// Radius of the site around a reported position, metres.
        radius_m: f64 = 100.0,
    }
}

section! {
    /// Cases.
    Cases {
        /// Days after which a case that lacks nothing is closed without a person; 0 means never.
        close_after_days: u32 = 7,
    }
}

section! {
    /// Text messages to complainants, through a gateway that speaks what server/src/messages/gateway
    /// describes. It calls back at /v1/messages/receipts and /v1/messages/inbound.
    Sms {
        /// Address of the gateway, as `https://sms.example.org/v1`; empty means that none are sent. No
        /// other host is ever called, and no redirect is followed.
        url: String = String::new(),
        /// Name of the key that both sides sign with.
        key_id: String = String::new(),
        /// The key, at least 32 characters; better given as the variable `ONSCENE_SMS__SECRET`.
        secret: Secret = Secret(String::new()),
        /// Seconds in which the gateway must answer.
        timeout_s: u64 = 5,
        /// Messages sent in a minute at most; further ones wait.
        per_minute: u32 = 60,
        /// Parts of a message at most (70 Chinese characters, or 67 each in several).
        parts: u32 = 3,
        /// Hours after which the gateway gives a message up; it is asked for a day more what became of it.
        expire_hours: u32 = 24,
    }
}

section! {
    /// Log lines, on standard error. They hold no personal data.
    Log {
        /// Least severity: error, warn, info, debug or trace; `tracing` filter syntax.
        filter: String = "info".to_owned(),
        /// `text` or `json`.
        format: LogFormat = LogFormat::Text,
    }
}

section! {
    /// Numbers for Prometheus.
    Metrics {
        /// Address and port that serve `/metrics`; unset means none. Keep it off the internet.
        listen: Option<SocketAddr> = None,
    }
}

/// Everything an operator may choose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// See [`Http`].
    pub http: Http,
    /// See [`Data`].
    pub data: Data,
    /// See [`Blob`].
    pub blob: Blob,
    /// See [`Evidence`].
    pub evidence: Evidence,
    /// See [`Database`].
    pub database: Database,
    /// See [`KeyFiles`].
    pub keys: KeyFiles,
    /// See [`SignIn`].
    pub sign_in: SignIn,
    /// See [`Oidc`].
    pub oidc: Oidc,
    /// See [`Bureau`].
    pub bureau: Bureau,
    /// See [`Open311`].
    pub open311: Open311,
    /// See [`Cases`].
    pub cases: Cases,
    /// See [`Sms`].
    pub sms: Sms,
    /// See [`Log`].
    pub log: Log,
    /// See [`Metrics`].
    pub metrics: Metrics,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A value that never shows in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "unset" } else { "(secret)" })
    }
}

impl Bureau {
    /// A moment on the bureau's clocks, as `2026-11-23 08:00:00`.
    #[must_use]
    pub fn local(&self, at: Millis) -> String {
        let local = at.plus(i64::from(self.utc_offset_min) * 60_000);
        let local = OffsetDateTime::from_unix_timestamp(local.0.div_euclid(1000));
        local.map_or_else(
            |_| format!("{} ms", at.0),
            |t| format!("{} {:02}:{:02}:{:02}", t.date(), t.hour(), t.minute(), t.second()),
        )
    }
}

impl Config {
    /// Defaults, with everything in `dir` and a free port.
    #[must_use]
    pub fn for_tests(dir: &Path) -> Self {
        let mut config = Self::default();
        config.data.dir = dir.to_owned();
        config.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config
    }

    /// The database's URL, the default one included.
    #[must_use]
    pub fn database_url(&self) -> String {
        if self.database.url.0.is_empty() {
            Store::sqlite_url(&self.sqlite_file())
        } else {
            self.database.url.0.clone()
        }
    }

    fn sqlite_file(&self) -> PathBuf {
        self.data.dir.join("onscene.db")
    }

    /// Makes the data folder, and the SQLite file in it if that is the database, so that other users
    /// of the machine cannot read them. What is there already stays as it is.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn make_data_folder(&self) -> std::io::Result<()> {
        make_private_dir(&self.data.dir)?;
        if self.database.url.0.is_empty() { make_private_file(&self.sqlite_file()) } else { Ok(()) }
    }
}
