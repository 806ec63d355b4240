//! Identifiers. Every noun has a type of its own; no bare strings or integers.
//!
//! Sixteen-byte ids are UUIDs (RFC 9562) made by whoever owns a clock and a random source: this
//! crate only carries them. In CBOR they are byte strings, in JSON and text the hyphenated form.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// An identifier whose text is not of its form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a valid {kind}: {expected}")]
pub struct InvalidId {
    kind: &'static str,
    expected: &'static str,
    text: String,
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(n(0), with = "minicbor::bytes")] [u8; $len]);

        impl $name {
            /// Wraps the raw bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// What an id looks like in JSON.
macro_rules! described_id {
    ($name:ident, $schema:expr) => {
        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        byte_id!($(#[$doc])* $name, 16);
        described_id!($name, schemars::json_schema!({ "type": "string", "format": "uuid" }));

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(|uuid| Self(uuid.into_bytes())).map_err(|_| InvalidId {
                    kind: stringify!($name),
                    expected: "a UUID such as 0198f3a2-7c11-7d52-9e0b-5f2f6c1e4a77",
                    text: text.chars().take(64).collect(),
                })
            }
        }
    };
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        byte_id!($(#[$doc])* $name, $len);
        described_id!($name, schemars::json_schema!({
            "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", 2 * $len),
        }));

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hex(text).map(Self).ok_or_else(|| InvalidId {
                    kind: stringify!($name),
                    expected: concat!($len, " bytes as lower-case hexadecimal"),
                    text: text.chars().take(64).collect(),
                })
            }
        }
    };
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

uuid_id!(
    /// An Automerge document: a case or an inspection.
    DocId
);
uuid_id!(
    /// A responsible unit (责任单位): city bureau, district bureau or squad.
    UnitId
);
uuid_id!(
    /// A rapid-response team (快速反应队伍) of a unit.
    TeamId
);
uuid_id!(
    /// A person: inspector, dispatcher, supervisor, administrator.
    PersonId
);
uuid_id!(
    /// A text message to a complainant.
    MessageId
);
hex_id!(
    /// An enrolled phone. Eight random bytes issued by the server at enrolment.
    DeviceId, 8
);
hex_id!(
    /// One boot of a phone: the first eight bytes of SHA-256 over the platform's boot identifier
    /// (Android `BOOT_COUNT` with the install id, iOS `kern.bootsessionuuid`).
    BootId, 8
);
hex_id!(
    /// A fact: the first sixteen bytes of SHA-256 over its signed envelope. It is also the key
    /// under which the fact stands in its document, and how a dispatch order is named.
    FactId, 16
);
hex_id!(
    /// SHA-256 of something: a change (Automerge's own hash), a file of evidence.
    Hash, 32
);

impl Hash {
    /// The first eight bytes as a big-endian integer: what bucket checksums add up.
    #[must_use]
    pub fn prefix(&self) -> u64 {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(prefix)
    }
}

impl From<automerge::ChangeHash> for Hash {
    fn from(hash: automerge::ChangeHash) -> Self {
        Self(hash.0)
    }
}

impl From<Hash> for automerge::ChangeHash {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

/// The author of Automerge changes, sixteen bytes: who wrote them is read off the id itself.
///
/// A device writes under its id, its install number (issued by the server at enrolment and after
/// every restore from a backup) and an incarnation that the device raises by itself after a refused
/// change. Two reserved devices exist: all zero for the genesis change that every replica computes
/// alike, and all ones for the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    /// The writing device.
    pub device: DeviceId,
    /// Which installation of the device; for the hub, its restore epoch.
    pub install: u32,
    /// Raised after a refusal, so that a refused sequence number is never used twice.
    pub incarnation: u32,
}

impl Actor {
    /// Author of the genesis change, equal on every replica.
    pub const GENESIS: Self = Self { device: DeviceId([0; 8]), install: 0, incarnation: 0 };

    /// The hub as an author, after its `epoch`-th restore from a backup.
    #[must_use]
    pub const fn hub(epoch: u32) -> Self {
        Self { device: DeviceId([0xff; 8]), install: epoch, incarnation: 0 }
    }

    /// The sixteen bytes as they stand in a change.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.device.0);
        bytes[8..12].copy_from_slice(&self.install.to_be_bytes());
        bytes[12..].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes
    }

    /// Reads an actor id; `None` unless it has exactly sixteen bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 16] = bytes.try_into().ok()?;
        let (device, rest) = bytes.split_first_chunk::<8>()?;
        let (install, rest) = rest.split_first_chunk::<4>()?;
        Some(Self {
            device: DeviceId(*device),
            install: u32::from_be_bytes(*install),
            incarnation: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

impl From<Actor> for automerge::ActorId {
    fn from(actor: Actor) -> Self {
        Self::from(actor.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_a_wrong_one_says_what_it_should_be() {
        let id = DeviceId::from_bytes([0x0f, 1, 2, 3, 4, 5, 6, 0xff]);
        assert_eq!(id.to_string(), "0f010203040506ff");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "0f", "0F010203040506FF", "zz010203040506ff", "0f010203040506ff00"] {
            let error = wrong.parse::<DeviceId>().expect_err(wrong).to_string();
            assert!(error.contains("DeviceId") && error.contains("8 bytes"), "{error}");
        }
        assert!("not a uuid".parse::<UnitId>().is_err());
    }

    #[test]
    fn an_actor_is_its_sixteen_bytes() {
        let actor =
            Actor { device: DeviceId::from_bytes([7; 8]), install: 3, incarnation: 0x0102_0304 };
        assert_eq!(Actor::from_slice(&actor.to_bytes()), Some(actor));
        assert_eq!(Actor::from_slice(&actor.to_bytes()[..15]), None);
        assert_eq!(Actor::GENESIS.to_bytes(), [0; 16]);
    }
}
