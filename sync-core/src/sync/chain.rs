//! What the hub makes of a phone's chain of facts: whether the phone is the one it last saw, and
//! whether a fact fits into its chain.

use std::collections::BTreeMap;

use super::message::{Refusal, RefusalCode, Standing};
use crate::fact::anchor::Head;
use crate::fact::{DeviceAuthor, Fact};
use crate::id::FactId;

/// What the hub knows about a device before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The device was revoked.
    pub revoked: bool,
    /// Its newest install number.
    pub install: u32,
    /// The furthest chain end that a request of the asking install has named.
    pub named: Option<Head>,
    /// The furthest fact of the asking install that was admitted.
    pub admitted: Option<Head>,
    /// The fact that was admitted at the place that the request names as its end.
    pub at_end: Option<FactId>,
}

/// How the hub sees a phone whose request names `head`. A phone that asks for a new install number
/// gets it from the caller, see [`may_reuse`].
#[must_use]
pub fn standing(head: &Head, known: &Known) -> Standing {
    let fell_back = |seen: Option<Head>| {
        seen.is_some_and(|seen| {
            head.seq < seen.seq || (head.seq == seen.seq && head.fact != seen.fact)
        })
    };
    if known.revoked {
        Standing::Revoked
    } else if head.install != known.install
        || fell_back(known.named)
        || fell_back(known.admitted)
        || known.at_end.is_some_and(|fact| head.fact != Some(fact))
    {
        Standing::Restored
    } else {
        Standing::Good
    }
}

/// Whether the newest install number can be told again to a phone that asks under an older one:
/// its first answer was lost, and nothing was ever said under the new number.
#[must_use]
pub fn may_reuse(asking: u32, newest: u32, newest_was_used: bool) -> bool {
    asking < newest && !newest_was_used
}

/// A place in a chain that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The fact there.
    pub fact: FactId,
    /// The fact that it names before it.
    pub prev: Option<FactId>,
}

/// Taken places, by install and sequence number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots(BTreeMap<(u32, u64), Slot>);

impl Slots {
    /// Records a taken place.
    pub fn insert(&mut self, install: u32, seq: u64, slot: Slot) {
        self.0.insert((install, seq), slot);
    }

    /// Checks that a fact's place is free and that its neighbours agree with it.
    ///
    /// # Errors
    /// When the chain forks here.
    pub fn check(&self, id: FactId, author: &DeviceAuthor) -> Result<(), Refusal> {
        let at = |seq: Option<u64>| seq.and_then(|seq| self.0.get(&(author.install, seq)));
        let place = format!("place {} of install {}", author.seq, author.install);
        if at(Some(author.seq)).is_some_and(|slot| slot.fact != id) {
            return Err(fork(format!("{place} already holds another fact of this phone")));
        }
        if at(author.seq.checked_sub(1)).is_some_and(|slot| Some(slot.fact) != author.prev) {
            return Err(fork(format!("the fact at {place} does not follow the fact before it")));
        }
        if at(author.seq.checked_add(1)).is_some_and(|slot| slot.prev != Some(id)) {
            return Err(fork(format!("the fact after {place} does not follow this one")));
        }
        Ok(())
    }

    /// Checks the facts of one change in order and takes their places, all or none.
    ///
    /// # Errors
    /// When the chain forks at one of them.
    pub fn take<'a>(
        &mut self,
        facts: impl Iterator<Item = (FactId, &'a Fact)>,
    ) -> Result<(), Refusal> {
        let mut taken = Vec::new();
        for (id, fact) in facts {
            let Some(author) = fact.device() else { continue };
            if let Err(refusal) = self.check(id, author) {
                self.0.retain(|key, _| !taken.contains(key));
                return Err(refusal);
            }
            let key = (author.install, author.seq);
            if self.0.insert(key, Slot { fact: id, prev: author.prev }).is_none() {
                taken.push(key);
            }
        }
        Ok(())
    }
}

fn fork(detail: String) -> Refusal {
    Refusal {
        code: RefusalCode::Equivocation,
        detail: format!("{detail}: it was copied or restored; ask for a new install number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::body::{Body, Text};
    use crate::fact::{Author, FACT_VERSION};
    use crate::id::{BootId, DeviceId, DocId};
    use crate::time::ClockReading;

    fn id(byte: u8) -> FactId {
        FactId::from_bytes([byte; 16])
    }

    fn head(install: u32, seq: u64, fact: u8) -> Head {
        Head { install, seq, fact: (seq > 0).then(|| id(fact)) }
    }

    const FRESH: Known =
        Known { revoked: false, install: 2, named: None, admitted: None, at_end: None };

    #[test]
    fn a_phone_that_goes_on_is_good() {
        assert_eq!(standing(&head(2, 0, 0), &FRESH), Standing::Good);
        let known = Known { named: Some(head(2, 5, 5)), admitted: Some(head(2, 4, 4)), ..FRESH };
        assert_eq!(standing(&head(2, 5, 5), &known), Standing::Good);
        assert_eq!(standing(&head(2, 9, 9), &known), Standing::Good);
    }

    #[test]
    fn a_phone_that_fell_back_or_forked_was_restored() {
        let named = Known { named: Some(head(2, 5, 5)), ..FRESH };
        let admitted = Known { admitted: Some(head(2, 5, 5)), ..FRESH };
        for known in [named, admitted] {
            assert_eq!(standing(&head(2, 4, 4), &known), Standing::Restored);
            assert_eq!(standing(&head(2, 5, 6), &known), Standing::Restored);
        }
        let forked = Known { at_end: Some(id(7)), ..FRESH };
        assert_eq!(standing(&head(2, 3, 3), &forked), Standing::Restored);
        assert_eq!(standing(&head(1, 3, 3), &FRESH), Standing::Restored);
        assert_eq!(standing(&head(2, 0, 0), &Known { revoked: true, ..named }), Standing::Revoked);
    }

    #[test]
    fn a_lost_answer_to_renew_is_told_again() {
        assert!(may_reuse(1, 2, false));
        assert!(!may_reuse(1, 2, true));
        assert!(!may_reuse(2, 2, false));
    }

    fn fact(seq: u64, prev: Option<u8>) -> Fact {
        Fact {
            version: FACT_VERSION,
            doc: DocId::from_bytes([0; 16]),
            author: Author::Device(DeviceAuthor {
                device: DeviceId::from_bytes([1; 8]),
                install: 1,
                seq,
                prev: prev.map(id),
                clock: ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([0; 8]) },
                anchors: Vec::new(),
                restates: None,
            }),
            body: Body::Note(Text { text: String::new(), by: None }),
        }
    }

    fn take(slots: &mut Slots, facts: &[(u8, Fact)]) -> Result<(), RefusalCode> {
        slots
            .take(facts.iter().map(|(byte, fact)| (id(*byte), fact)))
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_fork_shows_at_the_place_before_it_and_after_it() {
        let mut slots = Slots::default();
        assert_eq!(take(&mut slots, &[(1, fact(1, None)), (2, fact(2, Some(1)))]), Ok(()));
        assert_eq!(take(&mut slots, &[(2, fact(2, Some(1)))]), Ok(()), "the same fact again");
        assert_eq!(take(&mut slots, &[(9, fact(2, Some(1)))]), Err(RefusalCode::Equivocation));
        assert_eq!(take(&mut slots, &[(3, fact(3, Some(9)))]), Err(RefusalCode::Equivocation));
        assert_eq!(take(&mut slots, &[(5, fact(5, Some(4)))]), Ok(()), "a gap is no fork");
        assert_eq!(take(&mut slots, &[(8, fact(4, Some(3)))]), Err(RefusalCode::Equivocation));
        assert_eq!(take(&mut slots, &[(4, fact(4, Some(3)))]), Ok(()));
    }

    #[test]
    fn a_refused_change_takes_no_place() {
        let mut slots = Slots::default();
        let forked = [(1, fact(1, None)), (3, fact(2, Some(9)))];
        assert_eq!(take(&mut slots, &forked), Err(RefusalCode::Equivocation));
        assert_eq!(slots, Slots::default());
    }
}
