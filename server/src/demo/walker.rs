//! One inspector out in the district: where they truly are, whether a network reaches them, and
//! what their phone's receiver makes of it.

use onscene_sync_core::place::{Fix, Provider};
use onscene_sync_core::time::Millis;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::handset::Handset;
use super::movement::{Track, within};
use super::people::{INSPECTORS, Inspector, Oddity, SQUADS};
use super::places::{Outline, PLACES, Place};
use super::receiver::Receiver;

/// Fixes are taken this often, milliseconds.
const FIX_EVERY_MS: i64 = 2_000;
/// The evidence window: from so long before the tap to so long after it, milliseconds.
const WINDOW_MS: (i64, i64) = (10_000, 80_000);

/// An inspector.
#[derive(Debug)]
pub struct Walker {
    /// Who.
    pub who: &'static Inspector,
    /// Where they are, were and will be.
    pub track: Track,
    /// The phone's clocks.
    pub handset: Handset,
    /// No network before this: after a restart a phone waits for its PIN.
    pub offline_until: Millis,
    receiver: Receiver,
    rng: ChaCha8Rng,
}

impl Walker {
    /// The `number`-th inspector at their squad's base.
    #[must_use]
    pub fn at_base(number: usize, handset: Handset, seed: u64, now: Millis) -> Self {
        let who = &INSPECTORS[number];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1_000 + u64::from(handset.number));
        let spot = within(&mut rng, SQUADS[who.squad].base(), 25.0);
        Self {
            who,
            track: Track::standing(now, spot),
            handset,
            offline_until: now,
            receiver: Receiver::new(),
            rng,
        }
    }

    /// Whether a network reaches the phone.
    #[must_use]
    pub fn online(&self, now: Millis) -> bool {
        let here = self.track.at(now);
        let shadowed = |place: &Place| {
            let reach = match place.outline {
                Outline::Block(east, north) => east.max(north) / 2.0 + 30.0,
                Outline::Around(radius) => radius + 30.0,
                Outline::Street(_, length, _) => length / 2.0,
            };
            !place.covered && here.distance(place.middle()) < reach
        };
        now >= self.offline_until && !PLACES.iter().any(shadowed)
    }

    /// Rides to `place` from `leave` on and walks about there for `stay_ms`. Returns the arrival.
    pub fn go(&mut self, place: &Place, leave: Millis, stay_ms: i64) -> Millis {
        let speed = self.rng.random_range(4.5..6.5);
        let spot = within(&mut self.rng, place.middle(), place.reach_m());
        let arrived = self.track.ride(&mut self.rng, leave, spot, speed);
        self.track.walk_about(
            &mut self.rng,
            place.middle(),
            place.reach_m(),
            arrived.plus(stay_ms),
        );
        arrived
    }

    /// Rides back to the squad's base. Returns the arrival.
    pub fn go_back(&mut self, leave: Millis) -> Millis {
        let base = within(&mut self.rng, SQUADS[self.who.squad].base(), 25.0);
        let speed = self.rng.random_range(4.5..6.5);
        self.track.ride(&mut self.rng, leave, base, speed)
    }

    /// When the evidence window of a tap is complete.
    #[must_use]
    pub fn window_ends(tap: Millis) -> Millis {
        tap.plus(WINDOW_MS.1)
    }

    /// The fixes of the evidence window around a tap: honest ones, or those of an app that
    /// simulates a walk about `place` while the owner sits at base.
    pub fn evidence(&mut self, tap: Millis, place: &Place) -> Vec<Fix> {
        let moments = (tap.0 - WINDOW_MS.0..=tap.0 + WINDOW_MS.1)
            .step_by(usize::try_from(FIX_EVERY_MS).unwrap_or(1));
        let handset = self.handset.clone();
        moments
            .map(Millis)
            .filter(|at| *at > handset.booted_at)
            .map(|at| {
                let boot_ns = handset.boot_ns(at);
                if self.who.oddity == Oddity::Cheat {
                    let spot = within(&mut self.rng, place.middle(), 6.0);
                    Fix {
                        position: spot.position(),
                        accuracy_mm: self.rng.random_range(3_000..5_000),
                        boot_ns,
                        provider: Provider::Gnss,
                        mock: true,
                        speed_mm_s: Some(0),
                        satellites: None,
                        fix_wall_ms: Some(at.0),
                    }
                } else {
                    let truth = self.track.at(at);
                    self.receiver.fix(&mut self.rng, truth, place.around, at, boot_ns)
                }
            })
            .collect()
    }

    /// A number of milliseconds between two, by this inspector's own dice.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        self.rng.random_range(least..=most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walker(number: usize) -> Walker {
        let handset = Handset {
            number: u32::try_from(number).unwrap(),
            wall_offset_ms: 0,
            drift_ppm: 5,
            boots: 1,
            booted_at: Millis(0),
        };
        Walker::at_base(number, handset, 7, Millis(3_600_000))
    }

    fn basement() -> &'static Place {
        PLACES.iter().find(|place| !place.covered && place.squad == 0).unwrap()
    }

    #[test]
    fn a_basement_has_no_network_and_the_street_has() {
        let mut walker = walker(0);
        let leave = Millis(3_700_000);
        assert!(walker.online(leave));
        let arrived = walker.go(basement(), leave, 600_000);
        assert!(!walker.online(arrived.plus(60_000)));
        let left = walker.track.end().0;
        let back = walker.go_back(left);
        assert!(walker.online(back));
        walker.offline_until = back.plus(1);
        assert!(!walker.online(back), "the PIN is awaited");
    }

    #[test]
    fn honest_evidence_lies_about_the_true_place_in_time_order() {
        let place = &PLACES[0];
        let mut walker = walker(1);
        let arrived = walker.go(place, Millis(3_700_000), 600_000);
        let fixes = walker.evidence(arrived, place);
        assert_eq!(fixes.len(), 46);
        assert!(fixes.is_sorted_by_key(|fix| fix.boot_ns) && fixes.iter().all(|fix| !fix.mock));
        let (ns, truth) = (walker.handset.boot_ns(arrived), walker.track.at(arrived).position());
        let at_tap = fixes.iter().find(|fix| fix.boot_ns == ns).unwrap();
        assert!((at_tap.position.lat_e7 - truth.lat_e7).abs() < 2_000, "within some 20 m");
    }

    #[test]
    fn the_cheat_is_at_base_and_the_fixes_say_otherwise() {
        let cheat = INSPECTORS.iter().position(|who| who.oddity == Oddity::Cheat).unwrap();
        let mut walker = walker(cheat);
        let place = &PLACES[3];
        let fixes = walker.evidence(Millis(5_000_000), place);
        let middle = place.middle().position();
        assert!(fixes.iter().all(|fix| fix.mock));
        assert!(fixes.iter().all(|fix| (fix.position.lat_e7 - middle.lat_e7).abs() < 700));
        assert!(walker.track.at(Millis(5_000_000)).distance(place.middle()) > 300.0);
    }
}
