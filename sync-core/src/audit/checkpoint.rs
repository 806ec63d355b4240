//! How large the log is and what its root is, signed by the hub.
//!
//! In files and for other tools it is a C2SP `tlog-checkpoint` in a `signed-note` (Ed25519). On the
//! way to phones it is the same without the words that follow from the hub's key.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::crypto::{Signer, SigningFailed, sha256, verify_ed25519};
use crate::id::Hash;
use crate::limits::{CHECKPOINT_BYTES, RESTORES};

/// Signature type Ed25519 of a signed note.
const ED25519: u8 = 1;

/// A time at which the hub's database was restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Restore {
    /// The epoch that began.
    #[n(0)]
    pub epoch: u32,
    /// Entries that the backup held. What was logged beyond them in the epochs before is lost.
    #[n(1)]
    pub size: u64,
}

/// The log at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Checkpoint {
    /// Its entries.
    #[n(0)]
    pub size: u64,
    /// The root over them.
    #[n(1)]
    pub root: Hash,
    /// Every time that the hub was restored, oldest first: no restored hub looks like one that
    /// never was.
    #[n(2)]
    pub restores: Vec<Restore>,
}

/// A checkpoint with the hub's signature over its text.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedCheckpoint {
    /// What is signed.
    #[n(0)]
    pub checkpoint: Checkpoint,
    /// Ed25519.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// A text that is no checkpoint of this hub.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotACheckpoint {
    /// Not the form of one.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// Signed by somebody else, or not at all.
    #[error("no signature of this hub's key: compare the key, or ask whose checkpoint this is")]
    Foreign,
}

/// The log's name, which follows from the hub's key.
#[must_use]
pub fn origin(hub_key: &[u8; 32]) -> String {
    format!("onscene-hub/{}", &sha256(hub_key).to_string()[..16])
}

impl Checkpoint {
    /// The life of the hub that it is of.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.restores.last().map_or(1, |restore| restore.epoch)
    }

    /// How many entries of a log that was seen in `epoch` can still be there: all, unless the hub
    /// was restored since.
    #[must_use]
    pub fn kept_since(&self, epoch: u32) -> u64 {
        let later = self.restores.iter().filter(|restore| restore.epoch > epoch);
        later.map(|restore| restore.size).min().unwrap_or(u64::MAX)
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self, hub_key: &[u8; 32]) -> String {
        let root = STANDARD.encode(self.root.as_bytes());
        let mut text = format!("{}\n{}\n{root}\n", origin(hub_key), self.size);
        for restore in &self.restores {
            let _never_fails = writeln!(text, "epoch {} {}", restore.epoch, restore.size);
        }
        text
    }

    /// Signs it with the hub's key.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(
        self,
        hub_key: &[u8; 32],
        signer: &impl Signer,
    ) -> Result<SignedCheckpoint, SigningFailed> {
        let signature = signer.sign(self.text(hub_key).as_bytes())?;
        Ok(SignedCheckpoint { checkpoint: self, signature })
    }
}

impl SignedCheckpoint {
    /// Whether the hub of this key signed it.
    #[must_use]
    pub fn is_signed_by(&self, hub_key: &[u8; 32]) -> bool {
        let text = self.checkpoint.text(hub_key);
        self.checkpoint.restores.len() <= RESTORES
            && verify_ed25519(hub_key, text.as_bytes(), &self.signature)
    }

    /// The signed note.
    #[must_use]
    pub fn to_note(&self, hub_key: &[u8; 32]) -> String {
        let name = origin(hub_key);
        let signature = [&key_id(&name, hub_key)[..], &self.signature].concat();
        let text = self.checkpoint.text(hub_key);
        format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature))
    }

    /// Reads a signed note of the hub of this key. Signatures of others in it are passed over.
    ///
    /// # Errors
    /// When it is none, or the hub did not sign it.
    pub fn from_note(note: &str, hub_key: &[u8; 32]) -> Result<Self, NotACheckpoint> {
        if note.len() > CHECKPOINT_BYTES {
            return Err(NotACheckpoint::Malformed("it is too long"));
        }
        let (text, signatures) =
            note.split_once("\n\n").ok_or(NotACheckpoint::Malformed("no empty line in it"))?;
        let checkpoint = read(text, hub_key)?;
        let name = origin(hub_key);
        let id = key_id(&name, hub_key);
        let ours = signatures.lines().filter_map(|line| {
            let (signer, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let blob = STANDARD.decode(blob).ok()?;
            let signature = blob.strip_prefix(&id).filter(|_| signer == name)?;
            signature.try_into().ok()
        });
        let signed = ours.map(|signature| Self { checkpoint: checkpoint.clone(), signature });
        signed.into_iter().find(|it| it.is_signed_by(hub_key)).ok_or(NotACheckpoint::Foreign)
    }
}

fn read(text: &str, hub_key: &[u8; 32]) -> Result<Checkpoint, NotACheckpoint> {
    let mut lines = text.lines();
    if lines.next() != Some(&origin(hub_key)) {
        return Err(NotACheckpoint::Foreign);
    }
    let size = lines.next().and_then(number).ok_or(NotACheckpoint::Malformed("no size in it"))?;
    let root = lines.next().and_then(|line| STANDARD.decode(line).ok());
    let root = root.and_then(|root| root.try_into().ok()).map(Hash::from_bytes);
    let root = root.ok_or(NotACheckpoint::Malformed("no root hash in it"))?;
    let restores = lines
        .map(|line| {
            let (epoch, size) = line.strip_prefix("epoch ")?.split_once(' ')?;
            let epoch = u32::try_from(number(epoch)?).ok()?;
            Some(Restore { epoch, size: number(size)? })
        })
        .collect::<Option<Vec<_>>>()
        .ok_or(NotACheckpoint::Malformed("an extension line that is not known"))?;
    Ok(Checkpoint { size, root, restores })
}

/// A decimal number written as it would be written here.
fn number(text: &str) -> Option<u64> {
    let value: u64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

fn key_id(name: &str, hub_key: &[u8; 32]) -> [u8; 4] {
    let digest = sha256(&[name.as_bytes(), b"\n", &[ED25519], hub_key].concat());
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SoftwareEd25519;

    fn key() -> SoftwareEd25519 {
        SoftwareEd25519::from_seed(&[7; 32])
    }

    fn signed(size: u64, restores: &[Restore]) -> SignedCheckpoint {
        let checkpoint =
            Checkpoint { size, root: sha256(&size.to_be_bytes()), restores: restores.to_vec() };
        checkpoint.sign(&key().public_key(), &key()).unwrap()
    }

    #[test]
    fn a_checkpoint_survives_its_note_and_its_wire_form() {
        let hub = key().public_key();
        for restores in [&[][..], &[Restore { epoch: 2, size: 40 }, Restore { epoch: 5, size: 7 }]]
        {
            let checkpoint = signed(1_234, restores);
            let note = checkpoint.to_note(&hub);
            assert_eq!(SignedCheckpoint::from_note(&note, &hub), Ok(checkpoint.clone()));
            let bytes = minicbor::to_vec(&checkpoint).unwrap();
            assert!(bytes.len() < 120 + 12 * restores.len(), "{} bytes", bytes.len());
            assert_eq!(minicbor::decode::<SignedCheckpoint>(&bytes).unwrap(), checkpoint);
        }
        let lines: Vec<String> = signed(9, &[]).to_note(&hub).lines().map(str::to_owned).collect();
        assert_eq!(lines[1], "9");
        assert_eq!(lines[3], "");
        assert!(lines[4].starts_with(&format!("\u{2014} {} ", lines[0])));
    }

    #[test]
    fn what_another_key_signed_or_somebody_changed_is_not_taken() {
        let hub = key().public_key();
        let note = signed(5, &[Restore { epoch: 2, size: 3 }]).to_note(&hub);
        let stranger = SoftwareEd25519::from_seed(&[8; 32]).public_key();
        let read = |note: &str| SignedCheckpoint::from_note(note, &hub);
        assert_eq!(SignedCheckpoint::from_note(&note, &stranger), Err(NotACheckpoint::Foreign));
        assert_eq!(read(&note.replace("\n5\n", "\n6\n")), Err(NotACheckpoint::Foreign));
        assert_eq!(read(&note.replace("epoch 2 3\n", "")), Err(NotACheckpoint::Foreign));
        for broken in ["", "x", "\n\n", &note.replace("\n5\n", "\n05\n"), &"\n\n".repeat(100_000)] {
            assert!(read(broken).is_err());
        }
    }

    #[test]
    fn others_may_sign_the_same_note() {
        let hub = key().public_key();
        let checkpoint = signed(5, &[]);
        let note = checkpoint.to_note(&hub);
        let with_witness = note.replacen("\n\n", "\n\n\u{2014} witness.example QUJDRA==\n", 1);
        assert_eq!(SignedCheckpoint::from_note(&with_witness, &hub), Ok(checkpoint));
    }

    #[test]
    fn what_a_backup_held_bounds_what_is_left_of_earlier_lives() {
        let restores = [Restore { epoch: 2, size: 40 }, Restore { epoch: 3, size: 90 }];
        let checkpoint = signed(100, &restores).checkpoint;
        assert_eq!(checkpoint.epoch(), 3);
        assert_eq!(checkpoint.kept_since(1), 40);
        assert_eq!(checkpoint.kept_since(2), 90);
        assert_eq!(checkpoint.kept_since(3), u64::MAX);
    }
}
