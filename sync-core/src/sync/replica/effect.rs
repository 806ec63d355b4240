//! What an answer asks of the store, in words that the store can carry out.

use super::super::message::{Bucket, Cursor, Refusal};
use crate::document::Document;
use crate::id::{DocId, Hash};

/// One thing for the store to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// The hub holds this change.
    Delivered(Hash),
    /// The hub's feed shows this change, which [`Effect::Delivered`] named now or earlier.
    Seen(Hash),
    /// The hub has put this change into quarantine.
    Refused(Hash, Refusal),
    /// This change waits for a new install number.
    Held(Hash, Refusal),
    /// This colleague's change waits until the hub has what it builds on.
    Parked(Hash),
    /// The hub has no room for this change now, and says why; it goes on waiting.
    Later(Hash, String),
    /// The hub has lost this change (a restored backup), or can take it now: it waits again.
    Lost(Hash),
    /// The hub's state of a document.
    Base(DocId, Box<Document>),
    /// Author the waiting changes of a document anew on its base.
    Rebuild(DocId),
    /// Ask for the document whole, and push nothing of it before it has come.
    Want(DocId),
    /// Stop asking.
    Unwant(DocId),
    /// A bucket is being read from its beginning: its documents are to be confirmed.
    Restart(Bucket),
    /// A document is in a bucket, confirmed.
    Join(Bucket, DocId),
    /// A document is in a bucket no more.
    Part(Bucket, DocId),
    /// How far a bucket has been read.
    Read(Cursor),
    /// Read a bucket again from its beginning. What it holds stays until then.
    Reset(Bucket),
    /// A bucket is not followed any more: all its documents part.
    Unfollow(Bucket),
    /// Ask for a new install number.
    Renew,
    /// A new installation begins: state anew everything that waits or is held.
    Renewed(u32),
    /// The hub has revoked this phone.
    Revoked,
    /// A person should hear of this.
    Alarm(Alarm),
}

/// Something that an honest hub and a sound phone never give cause for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// The results do not match the changes that were pushed.
    Results {
        /// Changes pushed.
        pushed: usize,
        /// Results received.
        received: usize,
    },
    /// A page could not be applied.
    Page(Bucket, String),
    /// A whole document could not be used.
    Whole(DocId, String),
    /// What the phone holds of a bucket is not what the hub says.
    Checksum(Bucket),
    /// An install number that was not asked for or is not new.
    Install(u32),
}
