//! How messages are encoded: CBOR, compressed with zstd where that is declared.

use std::io::Read;

use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::limits::MESSAGE_BYTES;

/// Media type of a message.
pub const CONTENT_TYPE: &str = "application/vnd.onscene.sync+cbor";
/// zstd level: the fastest that still finds repeats across changes.
const LEVEL: i32 = 3;
/// Largest window a sender may ask the receiver to keep (2^22 = 4 MiB).
const WINDOW_LOG: u32 = 22;

/// A message that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// Larger than [`MESSAGE_BYTES`] once decompressed.
    #[error("the message is larger than {MESSAGE_BYTES} bytes: send fewer changes at a time")]
    TooLarge,
    /// Not zstd.
    #[error("the body is not zstd data: {0}")]
    NotZstd(String),
    /// Not the expected CBOR.
    #[error("the body is not a CBOR message of this protocol: {0}")]
    NotCbor(String),
}

/// Encodes a message.
#[must_use]
pub fn encode<T: Encode<()>>(message: &T) -> Vec<u8> {
    minicbor::to_vec(message).expect("writing CBOR to memory cannot fail")
}

/// Decodes a message that fills `bytes` to the last one.
///
/// # Errors
/// When the bytes are too many or not such a message.
pub fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, WireError> {
    if bytes.len() > MESSAGE_BYTES {
        return Err(WireError::TooLarge);
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let message = decoder.decode().map_err(|error| WireError::NotCbor(error.to_string()))?;
    if decoder.position() == bytes.len() {
        Ok(message)
    } else {
        Err(WireError::NotCbor("more bytes follow the message".to_owned()))
    }
}

/// Compresses with zstd.
#[must_use]
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, LEVEL).expect("compressing in memory cannot fail")
}

/// Decompresses zstd data, never holding more than [`MESSAGE_BYTES`] of it.
///
/// # Errors
/// When the data is not zstd, asks for a large window, or grows too large.
pub fn decompress(bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let not_zstd = |error: std::io::Error| WireError::NotZstd(error.to_string());
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(not_zstd)?;
    decoder.window_log_max(WINDOW_LOG).map_err(not_zstd)?;
    let mut plain = Vec::new();
    decoder.take(MESSAGE_BYTES as u64 + 1).read_to_end(&mut plain).map_err(not_zstd)?;
    if plain.len() > MESSAGE_BYTES { Err(WireError::TooLarge) } else { Ok(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_refused_without_being_held() {
        let bomb = compress(&vec![0; 64 * 1024 * 1024]);
        assert!(bomb.len() < 16 * 1024);
        assert_eq!(decompress(&bomb), Err(WireError::TooLarge));
    }

    #[test]
    fn truncated_and_foreign_bytes_are_refused() {
        let packed = compress(b"some message that is long enough to cut");
        assert!(matches!(decompress(&packed[..packed.len() - 3]), Err(WireError::NotZstd(_))));
        assert!(matches!(decompress(b"plain text"), Err(WireError::NotZstd(_))));
        assert_eq!(
            decompress(&packed).as_deref(),
            Ok(&b"some message that is long enough to cut"[..])
        );
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&7_u64);
        assert_eq!(decode::<u64>(&bytes), Ok(7));
        bytes.push(0);
        assert!(matches!(decode::<u64>(&bytes), Err(WireError::NotCbor(_))));
    }
}
