//! Documents: Automerge documents of one fixed form.
//!
//! Every document begins with a *genesis* change that is a pure function of its id and kind, so each
//! replica makes the same one and it never travels. Root:
//!
//! | key | value |
//! |---|---|
//! | `doc` | the document's id, 16 bytes |
//! | `kind` | [`DocKind::name`] |
//! | `v` | schema version, 1 |
//! | `facts` | map: fact id (hex) → envelope bytes; append-only |
//! | `shared` | map: `outcome`, `site` → fact id (16 bytes) that the team settled on |
//! | `checklist` | map: item → `yes`, `no`, `n/a` |
//!
//! A case document is written by the hub alone. An inspection is written by its team's phones; two
//! phones may set `shared/outcome` offline, then Automerge keeps both values and the conflict is
//! shown to people.

pub(crate) mod chunk;
pub(crate) mod content;
pub(crate) mod genesis;
pub(crate) mod replica;
mod snapshot;
mod write;

pub use replica::{Document, DocumentError};
pub use write::{Answer, Entry, Written};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What a document is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum DocKind {
    /// The official record of a case; the hub is its only author.
    #[n(0)]
    Case,
    /// A visit that answers a dispatch order.
    #[n(1)]
    Response,
    /// A visit that an inspector began; may be born on a phone.
    #[n(2)]
    Patrol,
    /// A supervisor's recheck of a closed case.
    #[n(3)]
    Recheck,
}

impl DocKind {
    /// Its name in documents and databases.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Response => "response",
            Self::Patrol => "patrol",
            Self::Recheck => "recheck",
        }
    }
}
