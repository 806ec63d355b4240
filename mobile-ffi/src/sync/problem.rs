//! What an answer says when it is a refusal.

use serde::Deserialize;

use super::HttpReply;

/// How the hub's own problems are named (RFC 9457).
const PROBLEM: &str = "urn:onscene:problem:";

/// What of RFC 9457 a person is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    pub(crate) title: String,
    pub(crate) detail: String,
}

impl Problem {
    /// What an answer says of itself; nothing when it is no such document.
    pub(crate) fn read(reply: &HttpReply) -> Self {
        serde_json::from_slice(&reply.body).unwrap_or_default()
    }

    /// Whether the hub itself says this, rather than something between it and the phone.
    pub(crate) fn is_ours(&self) -> bool {
        self.kind.starts_with(PROBLEM)
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.kind.strip_prefix(PROBLEM) == Some(code)
    }
}

/// Whether the same request is welcome with a new proof.
pub(crate) fn wants_fresh_proof(reply: &HttpReply) -> bool {
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    // A proof that arrived twice is refused the second time: a new one is as good as the first was.
    challenge.contains("use_dpop_nonce") || Problem::read(reply).is("proof_replayed")
}
