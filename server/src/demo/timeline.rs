//! What happens next: events in the order of their time, and of their planning where times agree.

use std::collections::BTreeMap;

use onscene_sync_core::time::Millis;

/// Planned events.
#[derive(Debug)]
pub struct Timeline<E> {
    events: BTreeMap<(Millis, u64), E>,
    planned: u64,
}

impl<E> Timeline<E> {
    /// No event.
    #[must_use]
    pub const fn new() -> Self {
        Self { events: BTreeMap::new(), planned: 0 }
    }

    /// Plans an event.
    pub fn plan(&mut self, at: Millis, event: E) {
        self.events.insert((at, self.planned), event);
        self.planned += 1;
    }
}

/// Takes the events off, next first.
impl<E> Iterator for Timeline<E> {
    type Item = (Millis, E);

    fn next(&mut self) -> Option<(Millis, E)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}

impl<E> Default for Timeline<E> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_by_planning() {
        let mut timeline = Timeline::new();
        for (at, event) in [(5, "later"), (1, "first"), (1, "second"), (3, "third")] {
            timeline.plan(Millis(at), event);
        }
        let order: Vec<_> = timeline.map(|(_, event)| event).collect();
        assert_eq!(order, ["first", "second", "third", "later"]);
    }
}
