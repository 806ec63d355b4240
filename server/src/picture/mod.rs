//! What a picture shows, found out in a process of its own: bytes from outside are decoded there and
//! nowhere else.
//!
//! | module | does |
//! |---|---|
//! | [`process`] | runs this very program once for one picture, and ends it if it does not end |
//! | [`worker`] | that process: bounds itself, then decodes |
//! | [`likeness`] | 64 bits that alike pictures share nearly all of |

pub mod likeness;
pub mod process;
pub mod worker;

use minicbor::{Decode, Encode};

use likeness::Likeness;

/// The hidden subcommand of the process.
pub const SUBCOMMAND: &str = "look-at-picture";
/// Longest side of a thumbnail, in pixels.
pub const THUMBNAIL: u32 = 480;
/// Longest side of an outward copy, in pixels.
pub const OUTWARD: u32 = 4_096;

/// What was found out.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Look {
    /// Pixels across, as it is to be looked at.
    #[n(0)]
    pub width: u32,
    /// Pixels down.
    #[n(1)]
    pub height: u32,
    /// A small JPEG.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub thumbnail: Vec<u8>,
    /// A JPEG of the same picture, upright, with nothing in it but the picture: for whoever is
    /// outside the bureau.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub outward: Vec<u8>,
    /// `None` for a picture of nearly one colour, which is like every other one.
    #[n(4)]
    pub likeness: Option<Likeness>,
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { width, height, thumbnail, outward, likeness } = self;
        let sizes =
            format_args!("{width} x {height}, {} and {} bytes", thumbnail.len(), outward.len());
        f.debug_tuple("Look").field(&sizes).field(likeness).finish()
    }
}

/// Whether a picture of this type can be decoded. HEIF cannot: its only decoders are in C.
#[must_use]
pub fn is_decodable(mime: &str) -> bool {
    matches!(mime, "image/jpeg" | "image/png" | "image/webp")
}
