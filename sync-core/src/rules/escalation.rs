//! Whom a notice goes to, so that nobody is addressed into the void.
//!
//! Rule book, *The 60-minute rule*: an overdue order escalates. Where it is silent (*ours*): the rungs
//! name posts, not people; a post whose people are all off duty is told all the same and has a stand-in,
//! whoever stands by next up the tree of units; and where a post has nobody and no stand-in, the
//! command centre is told so.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{PersonId, UnitId};
use crate::rules::clocks::ClockKind;

/// A step of the escalation ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// How long after the deadline it is taken, milliseconds.
    pub after_ms: i64,
    /// Who is told.
    pub to: Vec<Addressee>,
}

/// A post that notices go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressee {
    /// The leader of the unit.
    UnitLeader,
    /// Whoever stands by in the unit.
    UnitDuty,
    /// The leader of the unit above; of the unit itself at the top.
    ParentLeader,
    /// Whoever stands by at the command centre, which is the top unit.
    CentreDuty,
    /// The bureau's leaders.
    BureauLeaders,
    /// Supervisors of the unit or of one above it.
    Supervision,
}

/// How long before it runs out a clock's owner is told, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// Before an order must be issued.
    pub dispatch_ms: i64,
    /// Before coordination must end.
    pub coordination_ms: i64,
    /// Before a team must be on scene.
    pub arrival_ms: i64,
    /// Before what ends with a day: feedback, rework, telling the complainant.
    pub days_ms: i64,
}

impl Warning {
    /// For a kind of clock; `None` for the one that has stopped before the case is on record.
    #[must_use]
    pub const fn before_ms(&self, kind: ClockKind) -> Option<i64> {
        match kind {
            ClockKind::Registration => None,
            ClockKind::Dispatch => Some(self.dispatch_ms),
            ClockKind::Coordination => Some(self.coordination_ms),
            ClockKind::Arrival => Some(self.arrival_ms),
            ClockKind::OnTheSpotFeedback
            | ClockKind::ComplexFeedback
            | ClockKind::ComplainantFeedback
            | ClockKind::Rework => Some(self.days_ms),
        }
    }
}

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// They lead the unit, or the one above.
    Leader,
    /// They stand by.
    OnDuty,
    /// They lead the bureau.
    BureauLeader,
    /// They supervise.
    Supervisor,
    /// They stand by next up the tree, and whoever was addressed is off duty.
    StandIn,
    /// They are of the command centre, and nobody could be addressed.
    Centre,
    /// It is for them alone.
    Person,
}

/// People by post, as they stand at a moment. Those who have left are not among them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Staff {
    /// The unit above each; `None` at the top.
    pub parents: BTreeMap<UnitId, Option<UnitId>>,
    /// Leaders of units.
    pub unit_leaders: BTreeMap<UnitId, Vec<PersonId>>,
    /// Supervisors, by their unit.
    pub supervisors: BTreeMap<UnitId, Vec<PersonId>>,
    /// The bureau's leaders.
    pub bureau_leaders: Vec<PersonId>,
    /// The command centre's people, on duty or not.
    pub centre: Vec<PersonId>,
    /// Who keeps the system: there is always one.
    pub administrators: Vec<PersonId>,
    /// Who stands by in each unit.
    pub on_duty: BTreeMap<UnitId, Vec<PersonId>>,
}

/// Whom a notice reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// Each person once, with the first reason.
    pub people: BTreeMap<PersonId, Because>,
    /// Addressees that have nobody and no stand-in.
    pub nobody: Vec<Addressee>,
}

impl Staff {
    /// The people that a notice to these posts about a unit (`None`: about the bureau) reaches.
    #[must_use]
    pub fn reach(&self, to: &[Addressee], unit: Option<UnitId>) -> Reached {
        let mut reached = Reached::default();
        let mut stand_ins: Vec<PersonId> = Vec::new();
        for addressee in to {
            let (people, because, base) = self.post(*addressee, unit);
            let awake = people.iter().any(|person| self.is_on_duty(*person));
            let instead = if awake { &[] } else { self.stand_ins(base) };
            if people.is_empty() && instead.is_empty() {
                reached.nobody.push(*addressee);
            }
            stand_ins.extend_from_slice(instead);
            for person in people {
                reached.people.entry(person).or_insert(because);
            }
        }
        // Who is addressed for a reason of their own stands in for nobody.
        for person in stand_ins {
            reached.people.entry(person).or_insert(Because::StandIn);
        }
        reached
    }

    /// Who is told that somebody else could not be: the command centre; without people there the
    /// bureau's leaders, or who keeps the system.
    #[must_use]
    pub fn last_resort(&self) -> &[PersonId] {
        let groups = [&self.centre, &self.bureau_leaders, &self.administrators];
        groups.into_iter().find(|group| !group.is_empty()).map_or(&[], Vec::as_slice)
    }

    /// The people of a post, why they are told, and the unit from which on a stand-in is sought.
    fn post(
        &self,
        addressee: Addressee,
        unit: Option<UnitId>,
    ) -> (Vec<PersonId>, Because, Option<UnitId>) {
        let of = |map: &BTreeMap<UnitId, Vec<PersonId>>, unit: Option<UnitId>| {
            unit.and_then(|unit| map.get(&unit)).cloned().unwrap_or_default()
        };
        let top = self.top();
        let unit = unit.or(top);
        let parent = unit.and_then(|unit| self.parents.get(&unit).copied().flatten()).or(unit);
        match addressee {
            Addressee::UnitLeader => (of(&self.unit_leaders, unit), Because::Leader, unit),
            Addressee::UnitDuty => (of(&self.on_duty, unit), Because::OnDuty, unit),
            Addressee::ParentLeader => (of(&self.unit_leaders, parent), Because::Leader, parent),
            Addressee::CentreDuty => (of(&self.on_duty, top), Because::OnDuty, top),
            Addressee::BureauLeaders => (self.bureau_leaders.clone(), Because::BureauLeader, top),
            Addressee::Supervision => {
                let above = self.upwards(unit).into_iter();
                let people = above.flat_map(|unit| of(&self.supervisors, Some(unit)));
                (people.collect(), Because::Supervisor, top)
            }
        }
    }

    /// Who stands by in the first unit, from this one upwards, where anybody does.
    fn stand_ins(&self, from: Option<UnitId>) -> &[PersonId] {
        let mut standing =
            self.upwards(from).into_iter().filter_map(|unit| self.on_duty.get(&unit));
        standing.find(|people| !people.is_empty()).map_or(&[], Vec::as_slice)
    }

    fn is_on_duty(&self, person: PersonId) -> bool {
        self.on_duty.values().any(|people| people.contains(&person))
    }

    /// The unit that nobody stands above; the oldest, were there several.
    fn top(&self) -> Option<UnitId> {
        self.parents.iter().find(|(_, parent)| parent.is_none()).map(|(unit, _)| *unit)
    }

    fn upwards(&self, from: Option<UnitId>) -> Vec<UnitId> {
        let (mut units, mut seen) = (Vec::new(), BTreeSet::new());
        let mut next = from;
        while let Some(unit) = next.filter(|unit| seen.insert(*unit)) {
            units.push(unit);
            next = self.parents.get(&unit).copied().flatten();
        }
        units
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::policy::Policy;

    const TOP: UnitId = UnitId::from_bytes([1; 16]);
    const DISTRICT: UnitId = UnitId::from_bytes([2; 16]);
    const SQUAD: UnitId = UnitId::from_bytes([3; 16]);

    fn person(n: u8) -> PersonId {
        PersonId::from_bytes([n; 16])
    }

    fn staff() -> Staff {
        Staff {
            parents: BTreeMap::from([(TOP, None), (DISTRICT, Some(TOP)), (SQUAD, Some(DISTRICT))]),
            unit_leaders: BTreeMap::from([(SQUAD, vec![person(1)]), (DISTRICT, vec![person(2)])]),
            supervisors: BTreeMap::from([(TOP, vec![person(3)]), (DISTRICT, vec![person(4)])]),
            bureau_leaders: vec![person(5)],
            centre: vec![person(6), person(7)],
            administrators: vec![person(8)],
            on_duty: BTreeMap::new(),
        }
    }

    fn told(staff: &Staff, to: Addressee) -> Vec<(PersonId, Because)> {
        staff.reach(&[to], Some(SQUAD)).people.into_iter().collect()
    }

    #[test]
    fn a_leader_on_duty_is_told_alone() {
        let mut staff = staff();
        staff.on_duty = BTreeMap::from([(SQUAD, vec![person(1)]), (TOP, vec![person(6)])]);
        assert_eq!(told(&staff, Addressee::UnitLeader), [(person(1), Because::Leader)]);
    }

    #[test]
    fn whoever_is_off_duty_is_told_with_the_next_who_stands_by_up_the_tree() {
        let mut staff = staff();
        staff.on_duty = BTreeMap::from([(TOP, vec![person(6)])]);
        let both = [(person(1), Because::Leader), (person(6), Because::StandIn)];
        assert_eq!(told(&staff, Addressee::UnitLeader), both);
        assert_eq!(told(&staff, Addressee::UnitDuty), [(person(6), Because::StandIn)]);
        staff.on_duty.insert(DISTRICT, vec![person(9)]);
        assert_eq!(told(&staff, Addressee::UnitDuty), [(person(9), Because::StandIn)]);
        staff.on_duty.insert(SQUAD, vec![person(10)]);
        let own = [(person(1), Because::Leader), (person(10), Because::StandIn)];
        assert_eq!(told(&staff, Addressee::UnitLeader), own, "the own unit's duty comes first");
    }

    #[test]
    fn supervision_is_of_the_unit_or_above_and_the_centre_is_the_top_unit() {
        let mut staff = staff();
        staff.on_duty = BTreeMap::from([(TOP, vec![person(3)])]);
        let supervision = [(person(3), Because::Supervisor), (person(4), Because::Supervisor)];
        assert_eq!(told(&staff, Addressee::Supervision), supervision);
        assert_eq!(told(&staff, Addressee::CentreDuty), [(person(3), Because::OnDuty)]);
        let above = staff.reach(&[Addressee::Supervision], Some(TOP)).people;
        assert_eq!(above.into_keys().collect::<Vec<_>>(), [person(3)]);
    }

    #[test]
    fn a_post_without_anybody_is_named_and_the_centre_hears_of_it() {
        let staff = staff();
        let reached = staff.reach(&[Addressee::UnitDuty, Addressee::UnitLeader], Some(SQUAD));
        assert_eq!(reached.nobody, [Addressee::UnitDuty]);
        assert_eq!(staff.last_resort(), [person(6), person(7)]);
        let empty = Staff { centre: vec![], bureau_leaders: vec![], ..staff };
        assert_eq!(empty.last_resort(), [person(8)]);
    }

    #[test]
    fn the_ladder_climbs_from_the_unit_to_the_bureau() {
        let policy = Policy::v1();
        let after: Vec<_> = policy.escalation.iter().map(|rung| rung.after_ms / 60_000).collect();
        assert_eq!(after, [0, 30, 120]);
        assert!(policy.escalation.iter().all(|rung| !rung.to.is_empty()));
    }

    proptest! {
        #[test]
        fn somebody_hears_of_everything(
            on_duty in proptest::collection::btree_map(1_u8..4, 1_u8..20, 0..3),
            leaders in 0_usize..2, rung in 0_usize..3,
        ) {
            let mut staff = staff();
            staff.on_duty = on_duty
                .into_iter()
                .map(|(unit, n)| (UnitId::from_bytes([unit; 16]), vec![person(n)]))
                .collect();
            if leaders == 0 {
                staff.unit_leaders.clear();
                staff.bureau_leaders.clear();
            }
            let to = &Policy::v1().escalation[rung].to;
            let reached = staff.reach(to, Some(SQUAD));
            prop_assert!(!reached.people.is_empty() || !staff.last_resort().is_empty());
            let silent = to.len() - reached.nobody.len();
            prop_assert!(silent == 0 || !reached.people.is_empty());
            // Whoever is off duty does not stand alone while anybody above is on.
            let awake = staff.on_duty.values().flatten().count() > 0;
            let above = [SQUAD, DISTRICT, TOP].iter().any(|unit| staff.on_duty.contains_key(unit));
            let heard = reached.people.keys().any(|one| staff.is_on_duty(*one));
            prop_assert!(!(awake && above) || rung > 0 || heard);
        }
    }
}
