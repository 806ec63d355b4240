//! Files of evidence: the fact that names one is a [`Manifest`](crate::fact::body::Manifest); its
//! bytes travel in a lane of their own, and the hub answers for them with a [`receipt`].

pub mod receipt;

use crate::fact::body::Media;
use crate::limits::{
    EVIDENCE_AUDIO_BYTES, EVIDENCE_BYTES, EVIDENCE_DOCUMENT_BYTES, EVIDENCE_PHOTO_BYTES,
};

/// Bytes that a file of this kind may have.
#[must_use]
pub const fn limit(media: Media) -> u64 {
    match media {
        Media::Photo => EVIDENCE_PHOTO_BYTES,
        Media::Video => EVIDENCE_BYTES,
        Media::Audio => EVIDENCE_AUDIO_BYTES,
        Media::Document => EVIDENCE_DOCUMENT_BYTES,
    }
}
