//! What travels between a phone and the hub.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::witness::{Mark, News};
use crate::document::DocKind;
use crate::fact::AnchorRef;
use crate::fact::anchor::Head;
use crate::id::{DocId, Hash, PersonId, UnitId};
use crate::time::{ClockReading, Millis};

/// A feed of documents that a phone follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Bucket {
    /// The work of a unit.
    #[n(0)]
    Unit(#[n(0)] UnitId),
    /// One person's own work.
    #[n(1)]
    Person(#[n(0)] PersonId),
    /// What supervisors of a unit and all below it see.
    #[n(2)]
    Supervision(#[n(0)] UnitId),
}

/// `POST /v1/sync`, from the phone.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct SyncRequest {
    /// See [`version`](super::version).
    #[n(0)]
    pub protocol: u16,
    /// The end of this installation's chain of facts, pushed or not.
    #[n(1)]
    pub head: Head,
    /// The phone's clocks as the request leaves.
    #[n(2)]
    pub clock: ClockReading,
    /// The newest anchor received.
    #[n(3)]
    pub anchor: Option<AnchorRef>,
    /// How far each bucket has been read. Buckets that the hub does not find here start at 0.
    #[n(4)]
    pub cursors: Vec<Cursor>,
    /// New changes, each document's in causal order.
    #[n(5)]
    pub push: Vec<Push>,
    /// Documents to send whole, after a refusal or a wrong checksum.
    #[n(6)]
    pub want: Vec<DocId>,
    /// Ask for a new install number: the phone was restored from a backup, or its chain forked.
    #[n(7)]
    pub renew: bool,
    /// Bytes of frames that the phone takes in the reply.
    #[n(8)]
    pub max_bytes: u32,
    /// The newest checkpoint of the audit log that the phone has.
    #[n(9)]
    pub seen: Option<Mark>,
    /// A checkpoint that the hub signed and that its log no longer agrees with.
    #[n(10)]
    pub disputed: Option<SignedCheckpoint>,
    /// [Statements](crate::handover::statement) of colleagues for what is pushed: their changes, and
    /// documents that the phone knows from them only.
    #[n(11)]
    #[cbor(skip_if = "Vec::is_empty")]
    pub statements: Vec<ByteVec>,
    /// Ask for a [certificate](crate::handover::certificate).
    #[n(12)]
    #[cbor(default)]
    pub certify: bool,
}

/// How far a bucket has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cursor {
    /// The bucket.
    #[n(0)]
    pub bucket: Bucket,
    /// The bucket's epoch when it was read; another epoch at the hub means reading it anew.
    #[n(1)]
    pub epoch: u32,
    /// Everything up to this sequence number has been applied.
    #[n(2)]
    pub seq: u64,
}

/// A change on its way to the hub.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Push {
    /// Its document.
    #[n(0)]
    pub doc: DocId,
    /// The document's kind: only a patrol inspection may be new to the hub.
    #[n(1)]
    pub kind: DocKind,
    /// An uncompressed Automerge change chunk.
    #[n(2)]
    pub change: ByteVec,
}

/// The hub's answer.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct SyncReply {
    /// See [`version`](super::version).
    #[n(0)]
    pub protocol: u16,
    /// One for each pushed change, in the same order.
    #[n(1)]
    pub results: Vec<PushResult>,
    /// One page of each bucket that the phone follows now. A bucket the phone knows and does not
    /// find here is no longer its to follow.
    #[n(2)]
    pub buckets: Vec<Page>,
    /// Documents asked for with `want` that are in the phone's scope.
    #[n(3)]
    pub docs: Vec<Whole>,
    /// The newest chain end that the hub has admitted facts for, of the requesting install.
    #[n(4)]
    pub head: Head,
    /// A signed anchor for the head that the request named; absent for a revoked device.
    #[n(5)]
    pub anchor: Option<ByteVec>,
    /// The hub's clock.
    #[n(6)]
    pub at: Millis,
    /// How the hub sees the device.
    #[n(7)]
    pub standing: Standing,
    /// The newest checkpoint of the audit log, if it is another than the phone's.
    #[n(8)]
    pub log: Option<News>,
    /// The certificate that was asked for.
    #[n(9)]
    pub certificate: Option<ByteVec>,
}

/// How the hub sees the device that synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Standing {
    /// In order.
    #[n(0)]
    Good,
    /// This install number was issued: author everything undelivered anew under it.
    #[n(1)]
    Renewed(#[n(0)] u32),
    /// The hub knows a longer or another chain: the phone was restored or copied. Deliver what is
    /// pending, then ask for a new install number with `renew`.
    #[n(2)]
    Restored,
    /// Revoked: what is pushed is kept for a supervisor, nothing is sent.
    #[n(3)]
    Revoked,
}

impl Standing {
    /// The install number just issued, if one was.
    #[must_use]
    pub const fn install(self) -> Option<u32> {
        match self {
            Self::Renewed(install) => Some(install),
            Self::Good | Self::Restored | Self::Revoked => None,
        }
    }
}

/// What became of one pushed change.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum PushResult {
    /// Admitted and durable.
    #[n(0)]
    Accepted,
    /// Was admitted before.
    #[n(1)]
    Duplicate,
    /// Changes it builds on are not admitted: push those first.
    #[n(2)]
    MissingDeps(#[n(0)] Vec<Hash>),
    /// Not admitted; kept whole in quarantine for a supervisor.
    #[n(3)]
    Refused(#[n(0)] Refusal),
    /// The hub has no room for it now: whoever has it keeps it and brings it again. Says why, in words.
    #[n(4)]
    Later(#[n(0)] String),
}

/// Why a change was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Refusal {
    /// The kind of reason.
    #[n(0)]
    pub code: RefusalCode,
    /// In words, for a person.
    #[n(1)]
    pub detail: String,
}

/// Kinds of refusal. Numbers are never used again.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// Not one well-formed change chunk within the limits.
    #[n(0)]
    Malformed,
    /// Written under an actor that was not issued to this device.
    #[n(1)]
    WrongActor,
    /// Redoing its operations does not give the same bytes.
    #[n(2)]
    NotReproducible,
    /// Writes where a phone may not write, or what may not stand there.
    #[n(3)]
    Forbidden,
    /// A fact in it is not well-formed, not of this document, or over a limit.
    #[n(4)]
    BadFact,
    /// A fact in it is not signed by this device.
    #[n(5)]
    BadSignature,
    /// Its actor or its chain of facts has used this number for something else.
    #[n(6)]
    Equivocation,
    /// The document is not and never was in this device's scope.
    #[n(7)]
    OutOfScope,
    /// No such document, and not one that a phone may begin.
    #[n(8)]
    UnknownDocument,
    /// The document holds as many changes as it may.
    #[n(9)]
    DocumentFull,
    /// The device was revoked.
    #[n(10)]
    DeviceRevoked,
    /// Written by a newer app than the hub understands.
    #[n(11)]
    TooNew,
    /// The hub met an unexpected fault while reading it; a person looks at it.
    #[n(12)]
    Fault,
}

/// "Something new": what a live connection carries from the hub, and all that it carries. A poke may
/// come late, twice or not at all; whoever gets one syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Poke {
    /// The bucket that has grown.
    #[n(0)]
    pub bucket: Bucket,
    /// Its newest sequence number; 0 when the hub has lost count and the phone had better ask.
    #[n(1)]
    pub seq: u64,
}

/// One page of a bucket.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Page {
    /// The bucket.
    #[n(0)]
    pub bucket: Bucket,
    /// Its epoch. If it differs from the cursor's, the phone drops what it holds of this bucket
    /// (never what it has yet to push) and applies the page from 0.
    #[n(1)]
    pub epoch: u32,
    /// What happened after the cursor, in order.
    #[n(2)]
    pub frames: Vec<Frame>,
    /// The cursor after these frames.
    #[n(3)]
    pub seq: u64,
    /// Checksum of the bucket at `seq`, if this page reaches its end.
    #[n(4)]
    pub checksum: Option<u64>,
}

/// One step of a bucket.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Frame {
    /// A change of a document in the bucket.
    #[n(0)]
    Change {
        /// Its document.
        #[n(0)]
        doc: DocId,
        /// The change chunk.
        #[n(1)]
        change: ByteVec,
    },
    /// A change that the phone itself pushed: it has the bytes.
    #[n(1)]
    Own {
        /// Its document.
        #[n(0)]
        doc: DocId,
        /// The change's hash.
        #[n(1)]
        hash: Hash,
    },
    /// A document entered the bucket, or is sent whole in place of many changes.
    #[n(2)]
    Enter(#[n(0)] Whole),
    /// A document left the bucket.
    #[n(3)]
    Leave {
        /// Which.
        #[n(0)]
        doc: DocId,
    },
}

/// A whole document.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Whole {
    /// Which.
    #[n(0)]
    pub doc: DocId,
    /// Its kind.
    #[n(1)]
    pub kind: DocKind,
    /// Automerge's document chunk, uncompressed columns (`save_nocompress`).
    #[n(2)]
    pub snapshot: ByteVec,
    /// Wrapping sum of the hash prefixes of its admitted changes.
    #[n(3)]
    pub sum: u64,
}
