//! When nobody is at the desk: duty is round the clock.

use std::collections::BTreeMap;

use onscene_sync_core::id::UnitId;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::shift::{Shift, ShiftPost};

/// A time without anybody at the desk of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Gap {
    /// The unit.
    pub unit: UnitId,
    /// From this moment
    pub from: Millis,
    /// until before this one.
    pub until: Millis,
}

/// The gaps of `units` in `[from, until)`, by unit and time. Only shifts at the desk fill it: a team
/// on stand-by may be out, and a leader in charge may be at home.
#[must_use]
pub fn gaps(units: &[UnitId], shifts: &[Shift], from: Millis, until: Millis) -> Vec<Gap> {
    let mut desks: BTreeMap<UnitId, Vec<(Millis, Millis)>> = BTreeMap::new();
    for shift in shifts.iter().filter(|shift| shift.post == ShiftPost::Desk) {
        desks.entry(shift.unit).or_default().push((shift.from, shift.until));
    }
    let none = Vec::new();
    units
        .iter()
        .flat_map(|unit| {
            let covered = desks.get(unit).unwrap_or(&none);
            let left = uncovered(covered.clone(), from, until).into_iter();
            left.map(|(from, until)| Gap { unit: *unit, from, until })
        })
        .collect()
}

/// What `covered` leaves of `[from, until)`, in order.
fn uncovered(
    mut covered: Vec<(Millis, Millis)>,
    from: Millis,
    until: Millis,
) -> Vec<(Millis, Millis)> {
    covered.sort_unstable();
    let mut left = Vec::new();
    let mut reached = from;
    for (start, end) in covered {
        if start >= until {
            break;
        }
        if start > reached {
            left.push((reached, start));
        }
        reached = reached.max(end);
    }
    if reached < until {
        left.push((reached, until));
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shifts_that_meet_leave_no_gap() {
        let at = |spans: &[(i64, i64)]| {
            let covered = spans.iter().map(|(a, b)| (Millis(*a), Millis(*b))).collect();
            let left = uncovered(covered, Millis(0), Millis(24));
            left.into_iter().map(|(a, b)| (a.0, b.0)).collect::<Vec<_>>()
        };
        assert_eq!(at(&[]), [(0, 24)]);
        assert_eq!(at(&[(12, 24), (0, 12)]), []);
        assert_eq!(at(&[(-5, 8), (9, 30)]), [(8, 9)]);
        assert_eq!(at(&[(2, 20), (3, 4)]), [(0, 2), (20, 24)]);
        assert_eq!(at(&[(30, 40)]), [(0, 24)]);
    }

    proptest! {
        #[test]
        fn every_moment_is_covered_or_in_a_gap(
            spans in proptest::collection::vec((-20_i64..60, 1_i64..20), 0..8), at in 0_i64..40,
        ) {
            let covered: Vec<_> =
                spans.iter().map(|(from, length)| (Millis(*from), Millis(from + length))).collect();
            let holds = |(from, until): &(Millis, Millis)| from.0 <= at && at < until.0;
            let gaps = uncovered(covered.clone(), Millis(0), Millis(40));
            prop_assert_ne!(covered.iter().any(holds), gaps.iter().any(holds));
            prop_assert!(gaps.iter().all(|(from, until)| from < until));
            prop_assert!(gaps.windows(2).all(|two| two[0].1 < two[1].0));
        }
    }
}
