//! An arrival is kept from the tap on: whatever kills the app before it is claimed.

use std::path::Path;
use std::sync::atomic::Ordering;

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::ArrivalClaim;
use onscene_sync_core::limits::FIXES;
use onscene_sync_core::place::{Datum, Fix, Position, Provider};
use onscene_sync_core::rules::arrival::PlaceGrade;
use onscene_sync_core::time::ClockReading;

use super::crash::fuse;
use crate::testing::{FakeHost, Hub};
use crate::{Clock as _, Device, DeviceError, ItemState, Job};

/// Fixes that are added one by one.
const ADDED: usize = 6;

fn fix(now: &ClockReading, n: usize) -> Fix {
    let step = i32::try_from(n % 7).unwrap() * 10;
    Fix {
        position: Position { lat_e7: 366_512_000 + step, lon_e7: 1_171_200_000 - step },
        accuracy_mm: 6_000 + u32::try_from(n % 9).unwrap() * 100,
        boot_ns: now.boot_ns,
        provider: Provider::Gnss,
        mock: false,
        speed_mm_s: None,
        satellites: None,
        fix_wall_ms: None,
    }
}

fn claims(hub: &Hub) -> Vec<ArrivalClaim> {
    let claim = |body| match body {
        Body::Arrival(claim) => Some(claim),
        _ => None,
    };
    hub.facts().into_iter().filter_map(|(_, fact)| claim(fact.body)).collect()
}

/// How far a stand on scene came, as the app was told.
#[derive(Debug, Default)]
struct Stand {
    tap: Option<ClockReading>,
    fixes: Vec<Fix>,
    claimed: bool,
}

impl Stand {
    /// Taps, stands there and claims, until it is done or the database dies.
    fn live(&mut self, device: &mut Device, fake: &FakeHost, job: Job) -> Result<(), DeviceError> {
        let tap = fake.read()?;
        device.begin_arrival(job, tap, Datum::Wgs84, Vec::new())?;
        self.tap = Some(tap);
        for n in 0..ADDED {
            fake.advance(1_000);
            let fix = fix(&fake.now(), n);
            device.add_fixes(job, vec![fix])?;
            self.fixes.push(fix);
        }
        device.finish_arrival(job)?;
        self.claimed = true;
        Ok(())
    }
}

/// A stand in which the database dies after `strides`; returns how many strides it took in all.
fn one(strides: u32, folder: &Path) -> u32 {
    let (fake, mut hub) = (FakeHost::new(1), Hub::new());
    let job = Job::Order(hub.dispatch(1).0);
    let mut device = fake.enrolled(folder, &mut hub);
    let used = fuse(&device, strides);
    let mut stand = Stand::default();
    let died = stand.live(&mut device, &fake, job).is_err();
    let used = used.load(Ordering::Relaxed);
    assert_eq!(died, used > strides, "{used} of {strides}");
    drop(device);

    let mut device = fake.open(folder);
    for open in device.open_arrivals().unwrap() {
        assert!(!stand.claimed, "after {strides} strides");
        device.finish_arrival(Job::Inspection(open.inspection)).unwrap();
    }
    fake.sync(&mut device, &mut hub);
    let claims = claims(&hub);
    let Some(tap) = stand.tap else {
        assert!(claims.len() <= 1, "after {strides} strides");
        return used;
    };
    let [claim] = &claims[..] else { panic!("after {strides} strides: {claims:?}") };
    assert_eq!(claim.tap, tap);
    assert!(claim.fixes.starts_with(&stand.fixes), "after {strides} strides: {claim:?}");
    assert!(claim.fixes.len() <= stand.fixes.len() + 1);
    assert_eq!(device.open_arrivals().unwrap(), []);
    used
}

#[test]
fn a_tap_and_every_fix_that_was_taken_outlive_death_at_any_step() {
    let folder = tempfile::tempdir().unwrap();
    let all = one(u32::MAX, folder.path());
    assert!(all > 200, "the stride is too long to meet every transaction: {all}");
    for strides in (0..all).step_by(usize::try_from(all / 50).unwrap().max(1)) {
        let folder = tempfile::tempdir().unwrap();
        one(strides, folder.path());
    }
}

#[test]
fn a_stand_is_judged_while_it_lasts_and_is_claimed_as_it_was() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let job = Job::Order(hub.dispatch(1).0);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let tap = fake.read().unwrap();
    assert_eq!(device.begin_arrival(job, tap, Datum::Wgs84, Vec::new()), Ok(None));
    let mut last = None;
    for n in 0..80 {
        fake.advance(1_000);
        last = device.add_fixes(job, vec![fix(&fake.now(), n)]).unwrap();
    }
    assert_ne!(last.as_ref().map(|verdict| verdict.place), Some(PlaceGrade::Uncertain));
    drop(device);
    // The phone's battery gave out, and it is charged hours later.
    fake.reboot();
    fake.advance(3 * 3_600_000);
    let mut device = fake.open(folder.path());
    let receipt = device.finish_arrival(job).unwrap();
    assert_eq!(receipt.likely.map(|verdict| verdict.place), last.map(|verdict| verdict.place));
    fake.sync(&mut device, &mut hub);
    let [claim] = &claims(&hub)[..] else { panic!("one claim") };
    assert_eq!((claim.tap, claim.fixes.len()), (tap, 80));
    assert!(device.items(0, 10).unwrap().iter().all(|item| item.state == ItemState::Verified));
    assert!(device.my_work().unwrap()[0].arrived);
    assert!(matches!(device.finish_arrival(job), Err(DeviceError::Unknown { .. })));
}

#[test]
fn a_second_tap_claims_the_first_one_too() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let job = Job::Order(hub.dispatch(1).0);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let first = fake.read().unwrap();
    device.begin_arrival(job, first, Datum::Wgs84, vec![fix(&first, 1)]).unwrap();
    fake.advance(600_000);
    let second = fake.read().unwrap();
    let earlier = device.begin_arrival(job, second, Datum::Gcj02, Vec::new()).unwrap();
    let later = device.finish_arrival(job).unwrap();
    assert_ne!(earlier.unwrap().fact, later.fact);
    fake.sync(&mut device, &mut hub);
    let taps: Vec<_> = claims(&hub).into_iter().map(|claim| claim.tap).collect();
    assert!(taps.len() == 2 && taps.contains(&first) && taps.contains(&second), "{taps:?}");
}

#[test]
fn what_cannot_be_claimed_is_refused_at_once_and_costs_nothing_that_was_there() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let job = Job::Order(hub.dispatch(1).0);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let tap = fake.read().unwrap();
    let unknown = device.add_fixes(job, vec![fix(&tap, 1)]);
    assert!(matches!(unknown, Err(DeviceError::Unknown { .. })), "{unknown:?}");
    let nowhere = Fix { accuracy_mm: 0, ..fix(&tap, 1) };
    let refused = device.begin_arrival(job, tap, Datum::Wgs84, vec![nowhere]);
    assert!(matches!(refused, Err(DeviceError::Invalid { .. })), "{refused:?}");
    assert_eq!(device.open_arrivals().unwrap(), []);
    let full: Vec<Fix> = (0..FIXES).map(|n| fix(&tap, n)).collect();
    device.begin_arrival(job, tap, Datum::Wgs84, full.clone()).unwrap();
    for more in [nowhere, fix(&tap, 1)] {
        let refused = device.add_fixes(job, vec![more]);
        assert!(matches!(refused, Err(DeviceError::Invalid { .. })), "{refused:?}");
    }
    let [open] = &device.open_arrivals().unwrap()[..] else { panic!("one") };
    assert_eq!(open.claim.fixes, full);
    fake.break_key(true);
    assert!(matches!(device.finish_arrival(job), Err(DeviceError::Key(_))));
    assert_eq!(device.open_arrivals().unwrap().len(), 1, "it stays begun");
    fake.break_key(false);
    device.finish_arrival(job).unwrap();
}

#[test]
fn an_arrival_that_was_begun_survives_the_mending_of_the_store() {
    let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
    let job = Job::Order(hub.dispatch(1).0);
    let mut device = fake.enrolled(folder.path(), &mut hub);
    let tap = fake.read().unwrap();
    device.begin_arrival(job, tap, Datum::Wgs84, vec![fix(&tap, 1)]).unwrap();
    let before = device.open_arrivals().unwrap();
    device.mend().unwrap();
    assert_eq!(device.open_arrivals().unwrap(), before);
    assert_eq!(device.check().unwrap(), Vec::<String>::new());
    device.finish_arrival(job).unwrap();
}
