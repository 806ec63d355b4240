//! Sealing: a value that only the holder of a key can read, bound to the place where it lies.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with nonces of 24 random bytes. A sealed value is
//! `nonce ‖ ciphertext ‖ tag`, 40 bytes longer than what it holds. The place is associated data, so a
//! value that is moved to another row or column does not open there.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce. So many that random ones never meet.
pub const NONCE_BYTES: usize = 24;

/// A key to values. Wiped from memory when dropped; `Debug` does not show it.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; KEY_BYTES]>);

/// Where a value lies. No table or column has a zero byte in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The key of the row.
    pub row: &'a [u8],
}

/// Another key, another place, or damage: there is no telling which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a sealed value does not open: it is damaged, or not of this key and place")]
pub struct Unopened;

impl DataKey {
    /// Every 32 bytes are a key.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes, to be wrapped by another key.
    #[must_use]
    pub fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Seals `plain` for its place. `nonce` must be drawn by chance for each call.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, nonce: [u8; NONCE_BYTES], plain: &[u8]) -> Vec<u8> {
        let aad = place.to_bytes();
        let payload = Payload { msg: plain, aad: &aad };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.expect("nothing held in memory is longer than the cipher's 256 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// When a single bit differs, or it was sealed for another place or under another key.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Unopened)?;
        let aad = place.to_bytes();
        let payload = Payload { msg: sealed, aad: &aad };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| Unopened)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl Place<'_> {
    fn to_bytes(self) -> Vec<u8> {
        let names = [b"onscene 1", self.table.as_bytes(), self.column.as_bytes()].join(&0);
        [&names, &[0][..], self.row].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Place<'_> = Place { table: "intent", column: "act", row: b"7" };

    #[test]
    fn a_value_opens_at_its_place_under_its_key_only() {
        let key = DataKey::new([1; 32]);
        let sealed = key.seal(HERE, [9; 24], b"on scene");
        assert_eq!(sealed.len(), 8 + 40);
        assert_eq!(key.open(HERE, &sealed).unwrap(), b"on scene");
        assert_eq!(DataKey::new([2; 32]).open(HERE, &sealed), Err(Unopened));
        let elsewhere = [
            Place { table: "doc", ..HERE },
            Place { column: "clock", ..HERE },
            Place { row: b"8", ..HERE },
            Place { table: "intent\0act", column: "", ..HERE },
            Place { column: "ac", row: b"t7", ..HERE },
        ];
        for place in elsewhere {
            assert_eq!(key.open(place, &sealed), Err(Unopened), "{place:?}");
        }
    }

    #[test]
    fn every_altered_or_missing_byte_is_noticed() {
        let key = DataKey::new([1; 32]);
        let sealed = key.seal(HERE, [9; 24], b"on scene");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 0x20;
            assert_eq!(key.open(HERE, &altered), Err(Unopened), "byte {at}");
            assert_eq!(key.open(HERE, &sealed[..at]), Err(Unopened), "cut at {at}");
        }
    }

    /// draft-irtf-cfrg-xchacha-03, A.3.1: the construction is the published one.
    #[test]
    fn the_published_example_comes_out() {
        let key = XChaCha20Poly1305::new(
            &std::array::from_fn(|n| u8::try_from(n).unwrap() + 0x80).into(),
        );
        let nonce = XNonce::from(std::array::from_fn(|n| u8::try_from(n).unwrap() + 0x40));
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let msg = b"Ladies and Gentlemen of the class of '99: If I could offer you \
                    only one tip for the future, sunscreen would be it.";
        let sealed = key.encrypt(&nonce, Payload { msg, aad: &aad }).unwrap();
        let tag = [0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79];
        assert_eq!(sealed[..4], [0xbd, 0x6d, 0x17, 0x9d]);
        assert_eq!(sealed[sealed.len() - 16..][..8], tag);
    }

    #[test]
    fn a_key_does_not_show_when_printed() {
        assert_eq!(format!("{:?}", DataKey::new([1; 32])), "DataKey(…)");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(plain: Vec<u8>, row: Vec<u8>, nonce: [u8; 24], key: [u8; 32]) {
            let place = Place { table: "t", column: "c", row: &row };
            let key = DataKey::new(key);
            let sealed = key.seal(place, nonce, &plain);
            prop_assert_eq!(key.open(place, &sealed), Ok(plain));
        }

        #[test]
        fn bytes_from_anywhere_are_refused_without_panic(bytes: Vec<u8>) {
            prop_assert_eq!(DataKey::new([3; 32]).open(HERE, &bytes), Err(Unopened));
        }
    }
}
