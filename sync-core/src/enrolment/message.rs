//! The JSON bodies between a phone and the hub while it enrols and asks for tokens.
//!
//! Both requests carry a `DPoP` header (RFC 9449) with a proof signed by the phone's key: `htm`
//! POST, `htu` the address, a `jti` of its own and the `nonce` that the hub gave last. A first
//! request without a nonce is answered 401, problem `use_dpop_nonce`, with the nonce in the
//! `DPoP-Nonce` header; from then on every answer carries the next one.

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, Hash, PersonId, UnitId};
use crate::time::Millis;

/// What the QR code on the administrator's screen holds, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invitation {
    /// Where the hub is; `/v1/enrol` follows it.
    pub url: String,
    /// The one-time code.
    pub code: String,
    /// The hub's Ed25519 key: the phone checks the reply's against it.
    pub hub_key: Hash,
}

/// `POST /v1/enrol`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The one-time code as typed or scanned.
    pub code: String,
    /// The phone.
    pub phone: Phone,
    /// Revoke the phone that this person has now. Without it such an enrolment is refused.
    #[serde(default)]
    pub replace: bool,
}

/// What a phone says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// Maker and model, at most 100 characters.
    pub model: String,
    /// Where its private key is kept.
    pub key_level: KeyLevel,
    /// Version of the app, at most 40 characters.
    pub app_version: String,
}

/// Where a phone keeps its private key. Stated by the phone, not proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyLevel {
    /// Android's separate security chip.
    Strongbox,
    /// Android's trusted execution environment.
    Tee,
    /// Apple's Secure Enclave.
    SecureEnclave,
    /// Ordinary memory.
    Software,
}

impl KeyLevel {
    /// As it stands in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strongbox => "strongbox",
            Self::Tee => "tee",
            Self::SecureEnclave => "secure_enclave",
            Self::Software => "software",
        }
    }
}

/// Answer to [`EnrolRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrolReply {
    /// The phone's id from now on.
    pub device: DeviceId,
    /// Its install number: 1.
    pub install: u32,
    /// Whose it is.
    pub person: PersonId,
    /// That person's name.
    pub person_name: String,
    /// That person's role.
    pub role: String,
    /// That person's unit.
    pub unit: UnitId,
    /// The unit's name.
    pub unit_name: String,
    /// The phone compares these with its own [`check_words`](super::check_words) and shows its own.
    pub check_words: Vec<String>,
    /// Ed25519 key under which the hub signs facts and anchors.
    pub hub_key: Hash,
    /// Oldest and newest protocol version that the hub speaks.
    pub protocols: Protocols,
    /// For `POST /v1/token`, with the phone's key only. Kept by the phone; never replaced unless it
    /// lies unused for 30 days.
    pub refresh_token: String,
    /// The first access token.
    pub access: AccessToken,
}

/// The versions of the sync protocol that the hub speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Protocols {
    /// The oldest.
    pub oldest: u16,
    /// The newest.
    pub newest: u16,
}

/// `POST /v1/token`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// From [`EnrolReply::refresh_token`].
    pub refresh_token: String,
}

/// Answer to [`TokenRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccessToken {
    /// Goes into `Authorization: DPoP <access_token>`.
    pub access_token: String,
    /// Always `DPoP`.
    pub token_type: String,
    /// Seconds until it expires.
    pub expires_in: u32,
    /// The hub's clock.
    pub at: Millis,
    /// The hub's signed [recovery key](crate::recovery::offer), base64url without padding: the phone
    /// seals the key to its store to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<String>,
}
