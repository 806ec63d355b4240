//! Letting a run of changes into one document: the guard for each by itself, and the phone's chain
//! of facts over all of them.

use super::chain::Slots;
use super::message::PushResult;
use crate::document::Document;
use crate::fact::Fact;
use crate::guard::{self, Admitted, Author, Denied};
use crate::id::FactId;

/// What became of one change of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Ruled {
    /// It is in the document now.
    Admitted(Admitted),
    /// It is not, by this run.
    Denied(Denied),
}

impl Ruled {
    /// What the phone is told.
    #[must_use]
    pub fn result(&self) -> PushResult {
        match self {
            Self::Admitted(_) => PushResult::Accepted,
            Self::Denied(Denied::Duplicate) => PushResult::Duplicate,
            Self::Denied(Denied::MissingDeps(missing)) => PushResult::MissingDeps(missing.clone()),
            Self::Denied(Denied::Refused(refusal)) => PushResult::Refused(refusal.clone()),
        }
    }
}

/// Lets one change into `document`. It is refused, too, if it forks its author's chain as far as
/// `slots` knows it; `slots` takes up the places of what is admitted.
pub fn admit(
    document: &mut Document,
    change: &[u8],
    author: &Author<'_>,
    slots: &mut Slots,
) -> Ruled {
    let fits = |facts: &[(FactId, Fact)]| slots.take(facts.iter().map(|(id, fact)| (*id, fact)));
    match guard::admit_if(document, change, author, fits) {
        Ok(admitted) => Ruled::Admitted(admitted),
        Err(denied) => Ruled::Denied(denied),
    }
}

/// Lets `changes` of one author into `document` in their order and [rules](admit) on each. Those that
/// build on a refused one miss it; all others are not affected.
pub fn admit_run(
    document: &mut Document,
    changes: &[&[u8]],
    author: &Author<'_>,
    slots: &mut Slots,
) -> Vec<Ruled> {
    changes.iter().map(|change| admit(document, change, author, slots)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::crypto::{SoftwareP256, verify_p256};
    use crate::document::{DocKind, Entry};
    use crate::fact::body::{Body, Text};
    use crate::fact::{self, DeviceAuthor, FACT_VERSION};
    use crate::id::{Actor, BootId, DeviceId, DocId};
    use crate::sync::chain::Slot;
    use crate::sync::message::RefusalCode;
    use crate::time::ClockReading;

    const DEVICE: DeviceId = DeviceId::from_bytes([7; 8]);
    const DOC: DocId = DocId::from_bytes([1; 16]);

    /// A phone that writes notes into one document.
    struct Phone {
        key: SoftwareP256,
        document: Document,
        incarnation: u32,
        seq: u64,
        prev: Option<FactId>,
    }

    impl Phone {
        fn new() -> Self {
            let key = SoftwareP256::from_scalar(&[9; 32]).expect("a key");
            let document = Document::new(DOC, DocKind::Patrol);
            Self { key, document, incarnation: 0, seq: 0, prev: None }
        }

        fn note(&mut self, text: &str) -> Vec<u8> {
            let fact = Fact {
                version: FACT_VERSION,
                doc: DOC,
                author: fact::Author::Device(DeviceAuthor {
                    device: DEVICE,
                    install: 1,
                    seq: self.seq + 1,
                    prev: self.prev,
                    clock: ClockReading {
                        wall_ms: 0,
                        boot_ns: 1,
                        boot: BootId::from_bytes([1; 8]),
                    },
                    anchors: Vec::new(),
                    restates: None,
                }),
                body: Body::Note(Text { text: text.to_owned(), by: None }),
            };
            let (id, envelope) = fact::envelope::seal(&fact, &self.key).expect("signed");
            (self.seq, self.prev) = (self.seq + 1, Some(id));
            let entry = Entry { facts: vec![(id, envelope)], ..Entry::default() };
            let actor = Actor { device: DEVICE, install: 1, incarnation: self.incarnation };
            self.document.write(actor, &entry).expect("written").bytes
        }
    }

    fn push(document: &mut Document, changes: &[Vec<u8>], slots: &mut Slots) -> Vec<PushResult> {
        let key = Phone::new().key.public_key();
        let author = Author { device: DEVICE, install: 1, key: &key, verify: verify_p256 };
        let changes: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
        admit_run(document, &changes, &author, slots).iter().map(Ruled::result).collect()
    }

    fn code(result: &PushResult) -> Option<RefusalCode> {
        match result {
            PushResult::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }

    #[test]
    fn each_change_has_its_own_result_and_a_repeat_is_a_duplicate() {
        let mut phone = Phone::new();
        let notes = ["a", "b", "c"].map(|text| phone.note(text));
        let (mut document, mut slots) = (Document::new(DOC, DocKind::Patrol), Slots::default());
        let results = push(&mut document, &notes, &mut slots);
        assert_eq!(results, vec![PushResult::Accepted; 3]);
        assert_eq!(document.save(), phone.document.save());
        let known = slots.clone();
        assert_eq!(push(&mut document, &notes, &mut slots), vec![PushResult::Duplicate; 3]);
        assert_eq!(slots, known);
    }

    #[test]
    fn what_builds_on_a_refused_change_misses_it_and_the_rest_goes_on() {
        let mut phone = Phone::new();
        let notes = ["a", "b", "c"].map(|text| phone.note(text));
        let mut slots = Slots::default();
        let taken = Slot { fact: FactId::from_bytes([5; 16]), prev: None };
        slots.insert(1, 2, taken);
        let mut document = Document::new(DOC, DocKind::Patrol);
        let results = push(&mut document, &notes, &mut slots);
        assert_eq!(code(&results[0]), Some(RefusalCode::Equivocation), "its follower is another");

        slots.insert(1, 2, Slot { prev: first_fact(&notes[0]), ..taken });
        let results = push(&mut document, &notes, &mut slots);
        assert_eq!(results[0], PushResult::Accepted);
        assert_eq!(code(&results[1]), Some(RefusalCode::Equivocation));
        assert!(matches!(&results[2], PushResult::MissingDeps(missing) if missing.len() == 1));
        assert_eq!(document.len(), 1, "a refused change is not in the document");
    }

    fn first_fact(change: &[u8]) -> Option<FactId> {
        let document = Document::replay(DOC, DocKind::Patrol, [change]).expect("a change");
        document.facts().first().map(|(id, _)| *id)
    }

    #[test]
    fn a_bad_change_in_the_middle_spoils_only_itself() {
        let mut phone = Phone::new();
        let changes = [phone.note("a"), b"not a change".to_vec(), phone.note("b")];
        let mut document = Document::new(DOC, DocKind::Patrol);
        let results = push(&mut document, &changes, &mut Slots::default());
        assert_eq!(results[0], PushResult::Accepted);
        assert_eq!(code(&results[1]), Some(RefusalCode::Malformed));
        assert_eq!(results[2], PushResult::Accepted);
    }

    #[test]
    fn a_run_of_forks_costs_one_check_each() {
        static CHECKS: AtomicUsize = AtomicUsize::new(0);
        let counted: crate::crypto::VerifyP256 = |key, message, signature| {
            CHECKS.fetch_add(1, Ordering::Relaxed);
            verify_p256(key, message, signature)
        };
        let forks: Vec<_> = (0..30)
            .map(|incarnation| {
                let mut phone = Phone { incarnation, ..Phone::new() };
                phone.note(&format!("telling {incarnation}"))
            })
            .collect();
        let changes: Vec<&[u8]> = forks.iter().map(Vec::as_slice).collect();
        let key = Phone::new().key.public_key();
        let author = Author { device: DEVICE, install: 1, key: &key, verify: counted };
        let mut document = Document::new(DOC, DocKind::Patrol);
        let ruled = admit_run(&mut document, &changes, &author, &mut Slots::default());
        let results: Vec<_> = ruled.iter().map(Ruled::result).collect();
        assert_eq!(results[0], PushResult::Accepted);
        assert!(results[1..].iter().all(|one| code(one) == Some(RefusalCode::Equivocation)));
        assert_eq!(document.len(), 1);
        assert_eq!(CHECKS.load(Ordering::Relaxed), 30);
    }
}
