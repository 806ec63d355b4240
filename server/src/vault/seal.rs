//! AES-256-GCM (NIST SP 800-38D), twice: a record under its own key, that key under the master key.
//! What is sealed is bound to its case, so no row can be put in another's place.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use onscene_sync_core::id::{DocId, PersonId};

use crate::random::{self, Random};

/// A 256-bit key. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// These bytes as a key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be wrapped.
    const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.0).expect("the key has the cipher's length");
        LessSafeKey::new(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// What something sealed is, and of which case or person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Name, number and address.
    Record(DocId),
    /// The record's key under the master key of this generation.
    RecordKey(DocId, u32),
    /// Why somebody looked, told apart by the entry's salt.
    Reason(DocId, [u8; 16]),
    /// The secret of a person's authenticator.
    SecondFactor(PersonId),
}

impl Place {
    fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Record(case) => [b"onscene record", &case.as_bytes()[..]].concat(),
            Self::RecordKey(case, generation) => {
                [b"onscene key", &case.as_bytes()[..], &generation.to_be_bytes()].concat()
            }
            Self::Reason(case, salt) => [b"onscene reason", &case.as_bytes()[..], &salt].concat(),
            Self::SecondFactor(person) => {
                [b"onscene second factor", &person.as_bytes()[..]].concat()
            }
        }
    }
}

/// Chance for one sealing, drawn before the transaction that uses it.
#[derive(Clone, Copy)]
pub struct Fresh([u8; NONCE_LEN]);

impl Fresh {
    /// Draws it.
    #[must_use]
    pub fn draw(random: &dyn Random) -> Self {
        Self(random::bytes(random))
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fresh(…)")
    }
}

/// Seals `plain`: the nonce, then the ciphertext with its tag.
#[must_use]
pub fn seal(key: &Key, fresh: Fresh, place: Place, plain: &[u8]) -> Vec<u8> {
    let mut sealed = plain.to_vec();
    let nonce = Nonce::assume_unique_for_key(fresh.0);
    let aad = Aad::from(place.to_bytes());
    let done = key.cipher().seal_in_place_append_tag(nonce, aad, &mut sealed);
    done.expect("far fewer bytes than the cipher takes");
    [&fresh.0[..], &sealed].concat()
}

/// Opens what [`seal`] made; `None` for any other bytes, key or place.
#[must_use]
pub fn open(key: &Key, place: Place, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut bytes = sealed.to_vec();
    let aad = Aad::from(place.to_bytes());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    key.cipher().open_in_place(nonce, aad, &mut bytes).ok().map(|plain| plain.to_vec())
}

/// Seals a record's key under a master key.
#[must_use]
pub fn wrap(master: &Key, fresh: Fresh, case: DocId, generation: u32, key: &Key) -> Vec<u8> {
    seal(master, fresh, Place::RecordKey(case, generation), key.as_bytes())
}

/// Opens what [`wrap`] made.
#[must_use]
pub fn unwrap(master: &Key, case: DocId, generation: u32, wrapped: &[u8]) -> Option<Key> {
    let bytes = open(master, Place::RecordKey(case, generation), wrapped)?;
    bytes.try_into().ok().map(Key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    const CASE: DocId = DocId::from_bytes([1; 16]);
    const OTHER: DocId = DocId::from_bytes([2; 16]);

    #[test]
    fn what_is_sealed_opens_in_its_place_with_its_key_and_nowhere_else() {
        let random = SeededRandom::new(1);
        let key = Key::from_bytes(random::bytes(&random));
        let sealed = seal(&key, Fresh::draw(&random), Place::Record(CASE), b"plain");
        assert_eq!(open(&key, Place::Record(CASE), &sealed).as_deref(), Some(&b"plain"[..]));
        assert_eq!(open(&key, Place::Record(OTHER), &sealed), None);
        assert_eq!(open(&key, Place::Reason(CASE, [0; 16]), &sealed), None);
        assert_eq!(open(&Key::from_bytes([0; 32]), Place::Record(CASE), &sealed), None);
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert_eq!(open(&key, Place::Record(CASE), &broken), None);
            assert_eq!(open(&key, Place::Record(CASE), &sealed[..at]), None);
        }
        assert!(!sealed.windows(5).any(|window| window == b"plain"));
    }

    #[test]
    fn a_wrapped_key_is_good_for_its_case_and_generation() {
        let random = SeededRandom::new(1);
        let [master, key] = [(); 2].map(|()| Key::from_bytes(random::bytes(&random)));
        let wrapped = wrap(&master, Fresh::draw(&random), CASE, 3, &key);
        assert_eq!(unwrap(&master, CASE, 3, &wrapped), Some(key.clone()));
        assert_eq!(unwrap(&master, CASE, 4, &wrapped), None);
        assert_eq!(unwrap(&master, OTHER, 3, &wrapped), None);
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
