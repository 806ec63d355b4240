//! What a person did, kept beside the documents so that it can be written again.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use onscene_sync_core::document::{Answer, Entry};
use onscene_sync_core::fact::Body;
use onscene_sync_core::id::FactId;

/// One deed. It becomes one change of one document.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) enum Act {
    /// Something was stated.
    #[n(0)]
    State(#[n(0)] Body),
    /// An item of the checklist was answered.
    #[n(1)]
    Answer(#[n(0)] String, #[n(1)] Ticked),
    /// One of several outcomes was settled on.
    #[n(2)]
    Choose(#[n(0)] FactId),
}

/// [`Answer`] as it stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Ticked {
    #[n(0)]
    Yes,
    #[n(1)]
    No,
    #[n(2)]
    NotApplicable,
}

impl From<Answer> for Ticked {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::Yes,
            Answer::No => Self::No,
            Answer::NotApplicable => Self::NotApplicable,
        }
    }
}

impl From<Ticked> for Answer {
    fn from(ticked: Ticked) -> Self {
        match ticked {
            Ticked::Yes => Self::Yes,
            Ticked::No => Self::No,
            Ticked::NotApplicable => Self::NotApplicable,
        }
    }
}

impl Act {
    /// What the change writes. `sealed` is the signed fact of a statement.
    pub(crate) fn entry(&self, sealed: Option<(FactId, Vec<u8>)>) -> Entry {
        let fact = sealed.as_ref().map(|(id, _)| *id);
        let mut entry = Entry { facts: sealed.into_iter().collect(), ..Entry::default() };
        match self {
            Self::State(Body::Outcome(_)) => entry.outcome = fact,
            Self::State(Body::SiteCorrection(_)) => entry.site = fact,
            Self::State(_) => {}
            Self::Answer(item, ticked) => entry.answer = Some((item.clone(), (*ticked).into())),
            Self::Choose(outcome) => entry.outcome = Some(*outcome),
        }
        entry
    }

    /// The same deed where facts that it names have been stated anew under other ids.
    pub(crate) fn renamed(mut self, aliases: &BTreeMap<FactId, FactId>) -> Self {
        let rename = |id: &mut FactId| {
            while let Some(new) = aliases.get(id) {
                *id = *new;
            }
        };
        match &mut self {
            Self::State(Body::Outcome(report)) => report.evidence.iter_mut().for_each(rename),
            Self::State(Body::Evidence(manifest)) => manifest.before.iter_mut().for_each(rename),
            Self::State(Body::Withdrawal(withdrawal)) => rename(&mut withdrawal.fact),
            Self::Choose(outcome) => rename(outcome),
            Self::State(_) | Self::Answer(..) => {}
        }
        self
    }

    /// Its name on screens.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::State(Body::Accepted(_)) => "accepted",
            Self::State(Body::Arrival(_)) => "arrival",
            Self::State(Body::Note(_)) => "note",
            Self::State(Body::Evidence(_)) => "evidence",
            Self::State(Body::Outcome(_)) => "outcome",
            Self::State(Body::Told(_)) => "told",
            Self::State(Body::Withdrawal(_)) => "withdrawal",
            Self::State(Body::Finding(_)) => "finding",
            Self::State(Body::SiteCorrection(_)) => "site_correction",
            Self::State(_) => "statement",
            Self::Answer(..) => "answer",
            Self::Choose(_) => "choice",
        }
    }
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::fact::body::{
        Manifest, Media, Outcome, OutcomeReport, Text, Withdrawal,
    };
    use onscene_sync_core::id::{BootId, Hash};
    use onscene_sync_core::time::ClockReading;

    use super::*;

    fn id(byte: u8) -> FactId {
        FactId::from_bytes([byte; 16])
    }

    fn photo(before: Option<FactId>) -> Manifest {
        Manifest {
            sha256: Hash::from_bytes([5; 32]),
            bytes: 10,
            media: Media::Photo,
            captured: true,
            taken: ClockReading { wall_ms: 0, boot_ns: 1, boot: BootId::from_bytes([1; 8]) },
            fix: None,
            datum: None,
            before,
        }
    }

    #[test]
    fn names_follow_facts_through_several_restatements() {
        let aliases = BTreeMap::from([(id(1), id(2)), (id(2), id(3))]);
        let outcome = Body::Outcome(OutcomeReport {
            outcome: Outcome::Stopped,
            text: String::new(),
            evidence: vec![id(1), id(9)],
            complainant_told: None,
        });
        let renamed = Act::State(outcome).renamed(&aliases);
        let Act::State(Body::Outcome(report)) = renamed else { panic!("another act") };
        assert_eq!(report.evidence, [id(3), id(9)]);
        let Act::State(Body::Evidence(after)) =
            Act::State(Body::Evidence(photo(Some(id(1))))).renamed(&aliases)
        else {
            panic!("another act")
        };
        assert_eq!(after, photo(Some(id(3))), "a pair stays one");
        assert_eq!(Act::Choose(id(2)).renamed(&aliases), Act::Choose(id(3)));
        let withdrawal =
            |fact| Act::State(Body::Withdrawal(Withdrawal { fact, reason: String::new() }));
        assert_eq!(withdrawal(id(1)).renamed(&aliases), withdrawal(id(3)));
    }

    #[test]
    fn only_outcomes_and_sites_move_a_register() {
        let note = Act::State(Body::Note(Text { text: "x".to_owned(), by: None }));
        let entry = note.entry(Some((id(1), vec![1])));
        assert_eq!((entry.facts.len(), entry.outcome, entry.site), (1, None, None));
        assert_eq!(Act::Choose(id(4)).entry(None).outcome, Some(id(4)));
        let answer = Act::Answer("fire_lane".to_owned(), Ticked::No).entry(None);
        assert_eq!(answer.answer, Some(("fire_lane".to_owned(), Answer::No)));
    }
}
