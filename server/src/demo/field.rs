//! The inspectors' part of the day: going, arriving, recording, syncing when there is a network.

use onscene_mobile::{Device, Job};
use onscene_sync_core::document::Answer;
use onscene_sync_core::fact::body::{Finding, OutcomeReport};
use onscene_sync_core::id::FactId;
use onscene_sync_core::place::Datum;
use onscene_sync_core::rules::arrival::Verdict;
use onscene_sync_core::time::Millis;

use super::account::Kind;
use super::day::{Day, Event, MINUTE};
use super::error::DemoError;
use super::people::{INSPECTORS, Oddity};
use super::photo::{photo, resent};
use super::places::PLACES;
use super::villains;
use super::walker::Walker;

/// From the tap to the end of its evidence window, milliseconds.
fn window_ms() -> i64 {
    Walker::window_ends(Millis(0)).0
}

impl Day<'_> {
    /// A phone exchanges what it has, if a network reaches it; then its owner looks at it.
    pub(super) async fn exchange(&mut self, number: usize) -> Result<(), DemoError> {
        let pocket = &mut self.world.pockets[number];
        if !pocket.walker.online(self.now) {
            return Ok(());
        }
        let waiting = pocket.ask(Device::counts)?.saved;
        pocket.sync(&self.world.transport).await?;
        self.world.hub.turn_to(self.now).await?;
        if waiting > 0 {
            self.tell_verdicts().await?;
        }
        self.look(number)
    }

    /// An order that has come is accepted, and the inspector leaves.
    fn look(&mut self, number: usize) -> Result<(), DemoError> {
        let pocket = &mut self.world.pockets[number];
        let Some(case) = pocket.busy_with else { return Ok(()) };
        let Some(order) = self.cases[case].order else { return Ok(()) };
        let known = pocket.ask(Device::my_work)?.iter().any(|item| item.order == order);
        if !known || pocket.has_accepted == Some(order) {
            return Ok(());
        }
        pocket.has_accepted = Some(order);
        pocket.record(|device| device.accept(order))?;
        let text = format!("{} by {}", self.cases[case].number, pocket.name());
        self.world.account.line(self.now, Kind::Accepted, &text)?;
        self.soon(3_000, Event::Sync(number));
        self.depart(number, case);
        Ok(())
    }

    fn depart(&mut self, number: usize, case: usize) {
        let (now, place) = (self.now, self.cases[case].planned.place);
        let pocket = &mut self.world.pockets[number];
        let walker = &mut pocket.walker;
        let delay = if walker.who.oddity == Oddity::FlatTyre {
            walker.between(62 * MINUTE, 70 * MINUTE)
        } else {
            walker.between(MINUTE, 4 * MINUTE)
        };
        let stay = if place.covered {
            walker.between(10 * MINUTE, 20 * MINUTE)
        } else {
            walker.between(40 * MINUTE, 65 * MINUTE)
        };
        let leave = now.plus(delay);
        if walker.who.oddity == Oddity::Cheat {
            let pretended = leave.plus(walker.between(10 * MINUTE, 15 * MINUTE));
            self.timeline.plan(pretended, Event::Arrive(number, case));
            return;
        }
        let arrived = walker.go(place, leave, stay);
        let tap = arrived.plus(walker.between(12_000, 40_000));
        if walker.who.oddity == Oddity::Restarts {
            // The battery gives out on the way; one of them finds the PIN only long afterwards.
            let off = if number.is_multiple_of(2) { 100 * MINUTE } else { 12 * MINUTE };
            walker.offline_until = arrived.plus(off);
            self.timeline.plan(leave.plus(MINUTE), Event::Restart(number));
            self.timeline.plan(arrived.plus(off + 1_000), Event::Sync(number));
        }
        self.timeline.plan(Walker::window_ends(tap), Event::Arrive(number, case));
    }

    pub(super) fn restart(&mut self, number: usize) -> Result<(), DemoError> {
        let pocket = &mut self.world.pockets[number];
        pocket.restart(self.now);
        let text = format!(
            "{} restarts and stays without a network: its running clock begins anew",
            pocket.name()
        );
        Ok(self.world.account.line(self.now, Kind::Phone, &text)?)
    }

    pub(super) fn arrive(&mut self, number: usize, case: usize) -> Result<(), DemoError> {
        let tap = self.now.plus(-window_ms());
        let place = self.cases[case].planned.place;
        let Some(order) = self.cases[case].order else { return Ok(()) };
        let pocket = &mut self.world.pockets[number];
        let fixes = pocket.walker.evidence(tap, place);
        let reading = pocket.reading(tap);
        let receipt = pocket
            .record(|device| device.arrive(Job::Order(order), reading, Datum::Wgs84, fixes))?;
        let network = if pocket.walker.online(self.now) { "" } else { " [离线 offline]" };
        let text = format!(
            "{} {}{network} · the phone expects: {}",
            self.cases[case].number,
            pocket.name(),
            expected(receipt.likely.as_ref())
        );
        let work = if place.covered {
            pocket.walker.between(3 * MINUTE, 6 * MINUTE)
        } else {
            pocket.walker.between(20 * MINUTE, 35 * MINUTE)
        };
        self.cases[case].claims += 1;
        self.world.account.line(self.now, Kind::Arrived, &text)?;
        self.soon(2_000, Event::Sync(number));
        self.soon(work, Event::Finish(number, case));
        Ok(())
    }

    pub(super) fn finish(&mut self, number: usize, case: usize) -> Result<(), DemoError> {
        let Some(order) = self.cases[case].order else { return Ok(()) };
        let cheats = self.world.pockets[number].walker.who.oddity == Oddity::Cheat;
        if cheats && self.old_photo().is_none() {
            self.soon(10 * MINUTE, Event::Finish(number, case));
            return Ok(());
        }
        let job = Job::Order(order);
        let evidence = if cheats { self.deceive(number, job) } else { self.depict(number, job) }?;
        let planned = &self.cases[case].planned;
        let second = self.cases[case].team.first() != Some(&number);
        let (outcome, words) = planned.matter.outcomes[(planned.ending + usize::from(second)) % 2];
        let pocket = &mut self.world.pockets[number];
        pocket.record(|device| device.note(job, "已向当事人出示证件，说明来意"))?;
        let item = if second { "witness_named" } else { "id_shown" };
        pocket.record(|device| device.answer(job, item, Answer::Yes))?;
        let report =
            OutcomeReport { outcome, text: words.to_owned(), evidence, complainant_told: None };
        pocket.record(|device| device.outcome(job, report))?;
        let text = format!("{} {}: {words}", self.cases[case].number, pocket.name());
        self.world.account.line(self.now, Kind::Outcome, &text)?;
        self.go_home(number, case);
        Ok(())
    }

    /// The scene before the work and after it.
    fn depict(&mut self, number: usize, job: Job) -> Result<Vec<FactId>, DemoError> {
        let seed = self.world.memory.seed ^ self.now.0.cast_unsigned() << 16 ^ number as u64;
        let (before, after) = (photo(seed), photo(!seed));
        let pocket = &mut self.world.pockets[number];
        let taken = pocket.photograph(job, &before, None)?;
        let also = pocket.photograph(job, &after, Some(taken))?;
        if pocket.walker.online(self.now) && self.passed_around.is_none() {
            self.passed_around = Some((self.now, after));
        }
        Ok(vec![taken, also])
    }

    /// Who was never on scene has a colleague's photo of another one, by way of a chat.
    fn deceive(&mut self, number: usize, job: Job) -> Result<Vec<FactId>, DemoError> {
        let old = self.old_photo().map(resent).unwrap_or_default();
        Ok(vec![self.world.pockets[number].import(job, &old)?])
    }

    /// A photo of today that the hub has had for a while.
    fn old_photo(&self) -> Option<&[u8]> {
        let (taken, photo) = self.passed_around.as_ref()?;
        (self.now.since(*taken) > 5 * MINUTE).then_some(photo)
    }

    fn go_home(&mut self, number: usize, case: usize) {
        let team = self.cases[case].team.clone();
        let pocket = &mut self.world.pockets[number];
        pocket.busy_with = None;
        let back = if pocket.walker.who.oddity == Oddity::Cheat {
            self.now.plus(MINUTE)
        } else {
            pocket.walker.go_back(self.now)
        };
        let cloned = pocket.walker.who.oddity == Oddity::Cloned && self.world.copied.is_none();
        self.soon(3_000, Event::Sync(number));
        self.timeline.plan(back, Event::Sync(number));
        if cloned {
            self.timeline.plan(back.plus(MINUTE), Event::Copy(number));
        }
        if team.len() > 1 && team.first() == Some(&number) {
            self.timeline.plan(back.plus(30 * MINUTE), Event::Agree(number, case));
        }
    }

    /// Two of a team recorded different outcomes without a network: neither is dropped, and one of
    /// them is settled on.
    pub(super) fn agree(&mut self, number: usize, case: usize) -> Result<(), DemoError> {
        let Some(order) = self.cases[case].order else { return Ok(()) };
        let pocket = &mut self.world.pockets[number];
        let outcomes = pocket.ask(|device| device.conflicts(Job::Order(order)))?.outcomes;
        let Some(first) = outcomes.first().copied() else { return Ok(()) };
        pocket.record(|device| device.choose_outcome(Job::Order(order), first))?;
        let text = format!(
            "{} the team recorded {} outcomes offline; both stay, {} settles on one",
            self.cases[case].number,
            outcomes.len(),
            pocket.name()
        );
        self.world.account.line(self.now, Kind::Outcome, &text)?;
        self.soon(3_000, Event::Sync(number));
        Ok(())
    }

    pub(super) fn patrol(&mut self, number: usize) -> Result<(), DemoError> {
        let squad = INSPECTORS[number].squad;
        let shelter = PLACES.iter().find(|place| place.squad == squad && !place.covered);
        let Some(shelter) = shelter else { return Ok(()) };
        let arrived = self.world.pockets[number].walker.go(shelter, self.now, 60 * MINUTE);
        self.timeline.plan(arrived.plus(5 * MINUTE), Event::Find(number));
        Ok(())
    }

    pub(super) fn find(&mut self, number: usize) -> Result<(), DemoError> {
        let pocket = &mut self.world.pockets[number];
        let who = pocket.walker.who.english;
        let patrol = pocket.device.begin_patrol();
        let job = Job::Inspection(patrol.map_err(|source| DemoError::Phone { who, source })?);
        let here = pocket.walker.track.at(self.now).position();
        let finding = Finding {
            matter: "illegal_building".to_owned(),
            text: "人防工程内私自隔断".to_owned(),
            position: Some(here),
            datum: Some(Datum::Wgs84),
        };
        pocket.record(|device| device.finding(job, finding))?;
        pocket.record(|device| device.note(job, "明日复查"))?;
        let text = format!(
            "{} finds something on patrol in a shelter and does not come out today: it waits on \
             the phone",
            pocket.name()
        );
        Ok(self.world.account.line(self.now, Kind::Phone, &text)?)
    }

    /// Somebody copies the phone's storage; original and copy are used side by side.
    pub(super) async fn copy(&mut self, number: usize) -> Result<(), DemoError> {
        self.world.copy_phone()?;
        let Some(order) = self.world.pockets[number].has_accepted else { return Ok(()) };
        let job = Job::Order(order);
        let world = &mut *self.world;
        let (original, Some(copied)) = (&mut world.pockets[number], world.copied.as_mut()) else {
            return Ok(());
        };
        villains::remark(original, job, "原手机记录：现场已恢复")?;
        villains::remark(&mut copied.pocket, job, "克隆手机记录：回访当事人")?;
        for _ in 0..3 {
            original.sync(&world.transport).await?;
            copied.pocket.sync(&world.transport).await?;
        }
        let text = format!(
            "{}'s phone was copied and both wrote: the hub saw the fork, let both begin new chains, \
             and nothing was lost",
            original.name()
        );
        Ok(self.world.account.line(self.now, Kind::Phone, &text)?)
    }

    pub(super) async fn attack(&mut self, number: usize) -> Result<(), DemoError> {
        let world = &mut *self.world;
        let pocket = &mut world.pockets[number];
        pocket.sync(&world.transport).await?;
        let work = pocket.ask(Device::my_work)?;
        let Some(item) = work.first() else {
            self.soon(10 * MINUTE, Event::Attack(number));
            return Ok(());
        };
        let clock = pocket.reading(self.now);
        let documents = (item.case, item.inspection);
        let attacks = villains::attack(pocket, &world.transport, documents, clock).await?;
        world.memory.forged += attacks.len() as u64;
        for attack in &attacks {
            let answer = attack.refusal.as_deref().unwrap_or("LET IN");
            let text = format!("{} sends {} → {answer}", pocket.name(), attack.what);
            world.account.line(self.now, Kind::Refused, &text)?;
        }
        world.remember()
    }
}

fn expected(likely: Option<&Verdict>) -> String {
    use onscene_sync_core::rules::arrival::Conclusion;
    match likely.map(|verdict| verdict.conclusion) {
        Some(Conclusion::OnTime) => "按时 on time",
        Some(Conclusion::Late) => "迟到 late",
        Some(Conclusion::NotOnScene) => "未到现场 not on scene",
        Some(Conclusion::NeedsReview) => "待复核 needs review",
        None => "nothing, nobody ordered it",
    }
    .to_owned()
}
