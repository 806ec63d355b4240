//! Answers about reported matters, member by member as GeoReport v2 has them.

use onscene_sync_core::id::FactId;
use schemars::JsonSchema;
use serde::Serialize;

/// A reported matter, or a public one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Open311Request")]
pub(super) struct Request {
    /// The number of the case.
    pub(super) service_request_id: String,
    /// `open` or `closed`.
    pub(super) status: &'static str,
    /// The phase of the case.
    pub(super) status_notes: String,
    /// The kind of matter in Chinese.
    pub(super) service_name: String,
    /// Its key.
    pub(super) service_code: String,
    /// What was reported; only for the key that reported it.
    pub(super) description: Option<String>,
    /// The unit that was ordered out.
    pub(super) agency_responsible: Option<String>,
    /// Always `null`.
    pub(super) service_notice: Option<String>,
    /// When it was registered, RFC 3339.
    pub(super) requested_datetime: Option<String>,
    /// When it changed last.
    pub(super) updated_datetime: Option<String>,
    /// When its next clock runs out.
    pub(super) expected_datetime: Option<String>,
    /// Always `null`: an address could give somebody away.
    pub(super) address: Option<String>,
    /// Always `null`.
    pub(super) address_id: Option<String>,
    /// Always `null`.
    pub(super) zipcode: Option<String>,
    /// Degrees, WGS-84.
    pub(super) lat: Option<f64>,
    /// Degrees, WGS-84.
    pub(super) long: Option<f64>,
    /// The picture that came with the report; only for the key that reported it.
    pub(super) media_url: Option<String>,
}

/// What became of a matter, one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Open311Update")]
pub(super) struct Update {
    /// The fact.
    pub(super) update_id: FactId,
    /// The number of the case.
    pub(super) service_request_id: String,
    /// `open` or `closed`.
    pub(super) status: &'static str,
    /// When, RFC 3339.
    pub(super) updated_datetime: Option<String>,
    /// What, in fixed words.
    pub(super) description: &'static str,
}

/// A matter that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Open311Reported")]
pub(super) struct Reported {
    /// The number of the case.
    pub(super) service_request_id: String,
    /// Always `null`.
    pub(super) service_notice: Option<String>,
    /// Always `null`.
    pub(super) account_id: Option<String>,
}

/// The number behind a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Open311Token")]
pub(super) struct Token {
    /// The number of the case.
    pub(super) service_request_id: String,
    /// The id of its document.
    pub(super) token: String,
}
