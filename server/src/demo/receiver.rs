//! What a phone's location service says of the true place: errors that wander, with an accuracy
//! that is itself only roughly right.
//!
//! Position errors of one receiver are strongly correlated over a minute, so they are a first-order
//! Gauss–Markov process for each axis (R. G. Brown and P. Y. C. Hwang, *Introduction to Random
//! Signals and Applied Kalman Filtering*, ch. 3), not independent draws: averaging many fixes does
//! not make them exact, and a test with independent noise would be too kind to the rule.

use onscene_sync_core::place::{Fix, Provider};
use onscene_sync_core::time::Millis;
use rand::{Rng, RngExt as _};

use super::plane::Point;

/// Time after which an error has mostly forgotten what it was, seconds.
const CORRELATION_S: f64 = 60.0;
/// Radius of the circle with 68 % of a two-dimensional normal distribution, in standard deviations
/// of one axis: √(−2 ln 0.32).
const R68: f64 = 1.509_6;

/// What stands around the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surroundings {
    /// A square, a park: the sky is free.
    Open,
    /// A street between houses.
    Street,
    /// A lane between tall walls, a market roof.
    Canyon,
    /// A basement or a tunnel: only networks, if anything.
    Indoors,
}

impl Surroundings {
    /// Standard deviation of the error on one axis, metres.
    #[must_use]
    pub const fn sigma_m(self) -> f64 {
        match self {
            Self::Open => 2.5,
            Self::Street => 4.0,
            Self::Canyon => 9.0,
            Self::Indoors => 22.0,
        }
    }

    const fn provider(self) -> Provider {
        match self {
            Self::Open | Self::Street => Provider::Gnss,
            Self::Canyon => Provider::Fused,
            Self::Indoors => Provider::Network,
        }
    }
}

/// The error of one phone's receiver, carried from fix to fix.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Error in standard deviations, east and north.
    error: (f64, f64),
    last: Option<Millis>,
}

impl Receiver {
    /// A receiver that was just switched on.
    #[must_use]
    pub const fn new() -> Self {
        Self { error: (0.0, 0.0), last: None }
    }

    /// The fix that the phone reports at `at` (boot clock `boot_ns`) when it truly is at `truth`.
    pub fn fix(
        &mut self,
        rng: &mut impl Rng,
        truth: Point,
        around: Surroundings,
        at: Millis,
        boot_ns: u64,
    ) -> Fix {
        self.wander(rng, at);
        let sigma = around.sigma_m();
        let seen = truth.moved(self.error.0 * sigma, self.error.1 * sigma);
        // Phones state their accuracy from signal strengths, some tens of percent off.
        let stated = sigma * R68 * (normal(rng).0 * 0.2).exp();
        Fix {
            position: seen.position(),
            accuracy_mm: whole(stated * 1e3),
            boot_ns,
            provider: around.provider(),
            mock: false,
            speed_mm_s: Some(rng.random_range(0..900)),
            satellites: (around.provider() == Provider::Gnss).then(|| rng.random_range(7..19)),
            fix_wall_ms: Some(at.0),
        }
    }

    fn wander(&mut self, rng: &mut impl Rng, at: Millis) {
        let fresh = normal(rng);
        let kept = match self.last.replace(at) {
            Some(last) => (-(std::time::Duration::from_millis(at.since(last).unsigned_abs())
                .as_secs_f64())
                / CORRELATION_S)
                .exp(),
            None => 0.0,
        };
        let new = (1.0 - kept * kept).sqrt();
        self.error.0 = kept * self.error.0 + new * fresh.0;
        self.error.1 = kept * self.error.1 + new * fresh.1;
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

/// Two independent standard normal draws (Box and Muller, 1958).
pub fn normal(rng: &mut impl Rng) -> (f64, f64) {
    let (radius, angle): (f64, f64) =
        (rng.random_range(f64::EPSILON..1.0), rng.random_range(0.0..std::f64::consts::TAU));
    let radius = (-2.0 * radius.ln()).sqrt();
    (radius * angle.cos(), radius * angle.sin())
}

#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
#[expect(clippy::cast_sign_loss, reason = "a float cast saturates")]
fn whole(number: f64) -> u32 {
    number.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    const HERE: Point = Point { east: 0.0, north: 0.0 };

    /// Errors of one axis for `count` fixes `step_s` apart, in metres, and how many fixes lay
    /// within the accuracy that they stated.
    fn errors(step_s: i64, count: i64) -> (Vec<f64>, i64) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut receiver = Receiver::new();
        let mut within = 0;
        let east = (0..count)
            .map(|n| {
                let at = Millis(n * step_s * 1_000);
                let fix = receiver.fix(&mut rng, HERE, Surroundings::Street, at, 0);
                let seen = Point::from_degrees(
                    f64::from(fix.position.lat_e7) / 1e7,
                    f64::from(fix.position.lon_e7) / 1e7,
                );
                within += i64::from(seen.distance(HERE) * 1e3 <= f64::from(fix.accuracy_mm));
                seen.east
            })
            .collect();
        (east, within)
    }

    fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
        let count = f64::from(u32::try_from(values.len()).unwrap());
        values.sum::<f64>() / count
    }

    #[test]
    fn errors_have_the_stated_size_and_the_stated_circle_holds_about_68_of_100() {
        let (east, within) = errors(300, 4_000);
        let variance = mean(east.iter().map(|error| error * error));
        assert!((variance.sqrt() - 4.0).abs() < 0.25, "σ is {}", variance.sqrt());
        assert!((2_500..2_900).contains(&within), "{within} of 4000");
    }

    #[test]
    fn errors_are_correlated_as_a_gauss_markov_process_is() {
        let (east, _) = errors(30, 8_000);
        let variance = mean(east.iter().map(|error| error * error));
        let product = mean(east.windows(2).map(|pair| pair[0] * pair[1]));
        let expected = (-30.0 / CORRELATION_S).exp();
        assert!((product / variance - expected).abs() < 0.06, "{}", product / variance);
    }
}
