//! What the phone holds, as its store lends it for the reading of an answer.

use super::super::message::Bucket;
use crate::document::{DocKind, Document};
use crate::fact::anchor::Head;
use crate::id::{DocId, FactId, Hash};

/// What the store holds, lent for the reading of one answer.
pub trait Holdings {
    /// Why the store cannot be read.
    type Error;

    /// The present install number.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn install(&self) -> Result<u32, Self::Error>;

    /// All buckets followed.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn buckets(&self) -> Result<Vec<Bucket>, Self::Error>;

    /// The documents of a bucket.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn members(&self, bucket: Bucket) -> Result<Vec<Member>, Self::Error>;

    /// The hub's state of a document; `None` when there is none or it does not load.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn base(&self, doc: DocId) -> Result<Option<Document>, Self::Error>;

    /// The end of this installation's chain of facts.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn head(&self) -> Result<Head, Self::Error>;

    /// The changes of a document that are this phone's or that it carries for colleagues, each after
    /// those that it may build on.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn own(&self, doc: DocId) -> Result<Vec<OwnChange>, Self::Error>;
}

/// A document of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub doc: DocId,
    /// Seen since the bucket was last read from its beginning.
    pub fresh: bool,
    /// Sum of its base, see [`Whole::sum`](super::super::message::Whole::sum).
    pub sum: u64,
}

/// A change that this phone authored, or that it carries for a colleague.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChange {
    /// A colleague authored it.
    pub carried: bool,
    /// The guard of this phone has let it in. Always true of its own; a colleague's that builds on what
    /// is not here is carried without having been applied, and never is.
    pub ruled: bool,
    /// The document's kind.
    pub kind: DocKind,
    /// The change's hash.
    pub hash: Hash,
    /// The change chunk.
    pub bytes: Vec<u8>,
    /// The fact in it, if one is.
    pub fact: Option<FactId>,
    /// The facts that this one states anew, each stated anew as the one before.
    pub earlier: Vec<FactId>,
    /// What became of it.
    pub state: OwnState,
}

/// What became of a change of this phone. Numbers stand in stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnState {
    /// Not answered for, or to be pushed again.
    Waiting = 0,
    /// Turned away because of its author's number; will be stated anew under a new install. A
    /// colleague's: it builds on what the hub does not have, and waits for that.
    Held = 1,
    /// At the hub.
    Delivered = 2,
    /// In quarantine at the hub.
    Refused = 3,
}
