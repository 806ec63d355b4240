//! What the hub adds to a claim when it judges it: kept, so that anybody can judge it again.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::{ArrivalPolicy, Flag, KnownAnchor, Question, Verdict, judge};
use crate::crypto::sha256;
use crate::fact::DeviceAuthor;
use crate::fact::body::{ArrivalClaim, Ordered};
use crate::id::{FactId, Hash};
use crate::time::Millis;

/// All that a [`Question`] asks besides the signed order and the signed claim. A verdict names it by
/// its hash ([`Judged::grounds`](crate::fact::body::Judged::grounds)), so it cannot be another one
/// afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Grounds {
    /// When the unit received the order: the clock starts.
    #[n(0)]
    pub started_at: Millis,
    /// The thresholds: the policy's, its limit moved by the time that the clock stood still.
    #[n(1)]
    pub policy: ArrivalPolicy,
    /// The anchors that the phone had acknowledged.
    #[n(2)]
    pub anchors: Vec<KnownAnchor>,
    /// The hub's first sight of a chain end that covers the claim.
    #[n(3)]
    pub not_after: Millis,
    /// The claim was signed after this.
    #[n(4)]
    pub not_before: Option<Millis>,
    /// What the hub found out about the claim and its phone.
    #[n(5)]
    pub circumstances: BTreeSet<Flag>,
    /// Claims that rest on the same track.
    #[n(6)]
    pub same_tracks: Vec<FactId>,
}

impl Grounds {
    /// Judges a claim on these grounds: `order` with the moment of its issue, `claim` with the author
    /// part of its fact.
    #[must_use]
    pub fn judge(
        &self,
        order: (&Ordered, Millis),
        claim: (&ArrivalClaim, &DeviceAuthor),
    ) -> Verdict {
        let question = Question {
            order_issued_at: order.1,
            started_at: self.started_at,
            site: order.0.site.as_ref(),
            claim: claim.0,
            author: claim.1,
            anchors: &self.anchors,
            not_after: Some(self.not_after),
            not_before: self.not_before,
            circumstances: &self.circumstances,
            same_tracks: &self.same_tracks,
        };
        judge(&question, &self.policy)
    }

    /// Their one encoding, and its SHA-256.
    #[must_use]
    pub fn to_bytes(&self) -> (Hash, Vec<u8>) {
        let bytes = minicbor::to_vec(self).expect("writing CBOR to memory cannot fail");
        (sha256(&bytes), bytes)
    }

    /// Reads what [`Grounds::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are anything else, also another encoding of the same.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let grounds: Self = minicbor::decode(bytes)?;
        if grounds.to_bytes().1 == bytes {
            return Ok(grounds);
        }
        Err(minicbor::decode::Error::message("this is not how grounds are written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BootId;

    fn grounds() -> Grounds {
        let anchor = KnownAnchor {
            number: 7,
            at: Millis(1_000),
            boot: BootId::from_bytes([1; 8]),
            sent_boot_ns: 5,
            received_boot_ns: 9,
        };
        Grounds {
            started_at: Millis(500),
            policy: ArrivalPolicy { limit_ms: 3_700_000, ..ArrivalPolicy::V1 },
            anchors: vec![anchor],
            not_after: Millis(9_000),
            not_before: Some(Millis(800)),
            circumstances: BTreeSet::from([Flag::ChainGap, Flag::OrderNotNamed]),
            same_tracks: vec![FactId::from_bytes([3; 16])],
        }
    }

    #[test]
    fn grounds_survive_their_bytes_and_each_part_counts() {
        let (hash, bytes) = grounds().to_bytes();
        assert_eq!(Grounds::from_bytes(&bytes).unwrap(), grounds());
        let changes: [fn(&mut Grounds); 7] = [
            |it| it.started_at = Millis(501),
            |it| it.policy.limit_ms += 1,
            |it| it.anchors[0].received_boot_ns += 1,
            |it| it.not_after = Millis(9_001),
            |it| it.not_before = None,
            |it| it.circumstances.clear(),
            |it| it.same_tracks.clear(),
        ];
        for change in changes {
            let mut other = grounds();
            change(&mut other);
            assert_ne!(other.to_bytes().0, hash);
        }
    }

    #[test]
    fn only_the_one_encoding_is_read() {
        let (_, bytes) = grounds().to_bytes();
        assert!(Grounds::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(Grounds::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        // The same array with its length written in two bytes.
        let longer = [&[0x98, 7], &bytes[1..]].concat();
        assert!(Grounds::from_bytes(&longer).is_err());
    }
}
