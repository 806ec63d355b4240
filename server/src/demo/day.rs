//! One day: what happens, in the order of time.

use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::time::Millis;

use super::cases::{self, Planned};
use super::error::DemoError;
use super::people::{INSPECTORS, Oddity};
use super::timeline::Timeline;
use super::world::{World, odd};

/// A minute, milliseconds.
pub(super) const MINUTE: i64 = 60_000;
/// Phones ask for news by themselves until so long after the day's start.
const LASTS_MS: i64 = 6 * 60 * MINUTE;
/// Cases beside the one for each place.
const MORE_CASES: usize = 6;

/// What can happen. Numbers are those of inspectors and of the day's cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A citizen reports a case.
    Report(usize),
    /// The command centre orders a squad out.
    Dispatch(usize),
    /// The squad decides who goes.
    Assign(usize),
    /// The time of an order is up.
    Deadline(usize),
    /// A phone asks for news, and will again.
    Poll(usize),
    /// A phone exchanges what it has.
    Sync(usize),
    /// A phone restarts.
    Restart(usize),
    /// The evidence window of an arrival is complete.
    Arrive(usize, usize),
    /// The visit ends with its result.
    Finish(usize, usize),
    /// The team looks at what it disagrees about.
    Agree(usize, usize),
    /// Somebody copies a phone and uses both.
    Copy(usize),
    /// The hostile phone strikes.
    Attack(usize),
    /// A late patrol goes where no network is.
    Patrol(usize),
    /// It has found something, and does not come back today.
    Find(usize),
}

/// A case of the day.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) planned: Planned,
    pub(super) id: Option<DocId>,
    pub(super) number: String,
    pub(super) order: Option<FactId>,
    pub(super) visit: Option<DocId>,
    pub(super) team: Vec<usize>,
    pub(super) claims_told: usize,
    pub(super) claims: usize,
}

/// A day under way.
#[derive(Debug)]
pub struct Day<'w> {
    pub(super) world: &'w mut World,
    pub(super) timeline: Timeline<Event>,
    pub(super) cases: Vec<Live>,
    /// The first photo that was sent from a scene today, and when: colleagues have it too.
    pub(super) passed_around: Option<(Millis, Vec<u8>)>,
    pub(super) now: Millis,
    pub(super) ends: Millis,
}

impl<'w> Day<'w> {
    /// Plans the next day of the world.
    #[must_use]
    pub fn plan(world: &'w mut World) -> Self {
        let starts = world.hub.app.now();
        let planned = cases::of_day(world.memory.seed, world.memory.days, MORE_CASES);
        let mut timeline = Timeline::new();
        for (number, case) in planned.iter().enumerate() {
            timeline.plan(starts.plus(5 * MINUTE + case.after_ms), Event::Report(number));
        }
        for (number, pocket) in world.pockets.iter_mut().enumerate() {
            let first = starts.plus(pocket.walker.between(1_000, 3 * MINUTE));
            timeline.plan(first, Event::Poll(number));
        }
        timeline.plan(starts.plus(100 * MINUTE), Event::Attack(odd(Oddity::Hostile)));
        timeline.plan(starts.plus(LASTS_MS - 45 * MINUTE), Event::Patrol(late_patrol()));
        let cases = planned.into_iter().map(Live::of).collect();
        let ends = starts.plus(LASTS_MS);
        Self { world, timeline, cases, passed_around: None, now: starts, ends }
    }

    /// Lives through the day.
    ///
    /// # Errors
    /// When the hub or a phone fails in a way that the story does not know.
    pub async fn live(mut self) -> Result<(), DemoError> {
        while let Some((at, event)) = self.timeline.next() {
            self.now = at;
            self.world.hub.turn_to(at).await?;
            self.happen(event).await?;
        }
        for number in 0..self.world.pockets.len() {
            self.exchange(number).await?;
        }
        self.settle_simulated().await?;
        self.settle_reused().await?;
        self.world.memory.days += 1;
        self.world.remember()
    }

    async fn happen(&mut self, event: Event) -> Result<(), DemoError> {
        match event {
            Event::Report(case) => self.report(case).await,
            Event::Dispatch(case) => self.dispatch(case).await,
            Event::Assign(case) => self.assign(case),
            Event::Deadline(case) => self.deadline(case).await,
            Event::Poll(number) => {
                self.exchange(number).await?;
                let again = self
                    .now
                    .plus(self.world.pockets[number].walker.between(8 * MINUTE, 12 * MINUTE));
                if again < self.ends {
                    self.timeline.plan(again, event);
                }
                Ok(())
            }
            Event::Sync(number) => self.exchange(number).await,
            Event::Restart(number) => self.restart(number),
            Event::Arrive(number, case) => self.arrive(number, case),
            Event::Finish(number, case) => self.finish(number, case),
            Event::Agree(number, case) => self.agree(number, case),
            Event::Copy(number) => self.copy(number).await,
            Event::Attack(number) => self.attack(number).await,
            Event::Patrol(number) => self.patrol(number),
            Event::Find(number) => self.find(number),
        }
    }

    /// Plans an event so many milliseconds from now.
    pub(super) fn soon(&mut self, after_ms: i64, event: Event) {
        self.timeline.plan(self.now.plus(after_ms), event);
    }
}

impl Live {
    fn of(planned: Planned) -> Self {
        Self {
            planned,
            id: None,
            number: String::new(),
            order: None,
            visit: None,
            team: Vec::new(),
            claims_told: 0,
            claims: 0,
        }
    }
}

/// The inspector of the last squad who goes on a late patrol: the last one without an oddity.
pub(super) fn late_patrol() -> usize {
    INSPECTORS.iter().rposition(|who| who.oddity == Oddity::None).unwrap_or(0)
}
