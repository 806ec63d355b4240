//! Where: positions in a named datum, fixes with their accuracy, and the site of a case.
//!
//! The types here are what travels. Raw values are kept as recorded, together with their datum.
//! [`grid`] finds what is near, [`site`] says which outlines are usable, [`datum`] converts, [`plane`] measures, and a [`Fence`]
//! gives the [probability] of being inside.

pub mod datum;
mod fence;
pub mod grid;
pub mod plane;
pub mod probability;
pub mod site;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use fence::Fence;
pub use site::{SiteError, ValidSite};

/// The geodetic datum that a coordinate was given in. A mix-up moves a point by 523 m (GCJ-02) or
/// 1,317 m (BD-09) at Jinan, so it is never implied.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "lowercase")]
pub enum Datum {
    /// What satellites and phones' own location services give.
    #[n(0)]
    Wgs84,
    /// 火星坐标: the shifted datum of maps published in China.
    #[n(1)]
    Gcj02,
    /// Baidu's shift on top of GCJ-02.
    #[n(2)]
    Bd09,
}

/// A latitude and longitude in 10⁻⁷ degrees (1.1 cm), so that a position is always a number.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct Position {
    /// Latitude, 10⁻⁷ degrees, north positive.
    #[n(0)]
    pub lat_e7: i32,
    /// Longitude, 10⁻⁷ degrees, east positive.
    #[n(1)]
    pub lon_e7: i32,
}

/// A latitude and longitude in degrees, for computing. What travels is a [`Position`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Degrees {
    /// Latitude, north positive.
    pub lat: f64,
    /// Longitude, east positive.
    pub lon: f64,
}

/// A number that is no position or no accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum PlaceError {
    /// Not a finite number.
    #[error("a coordinate or radius is not a number; leave the fix out")]
    NotANumber,
    /// Beyond a pole.
    #[error("latitude {0} is not between -90 and 90; are latitude and longitude swapped?")]
    Latitude(f64),
    /// Beyond the 180th meridian.
    #[error("longitude {0} is not between -180 and 180; is it in degrees?")]
    Longitude(f64),
    /// Zero or below, by which some platforms say that there is no fix at all.
    #[error("an accuracy of {0} m is not a radius; leave the fix out")]
    Accuracy(f64),
}

impl Position {
    /// Reads degrees, rounded to the nearest 10⁻⁷.
    ///
    /// # Errors
    /// When one is not a number or not on the globe.
    pub fn from_degrees(lat: f64, lon: f64) -> Result<Self, PlaceError> {
        if !lat.is_finite() || !lon.is_finite() {
            return Err(PlaceError::NotANumber);
        }
        if lat.abs() > 90.0 {
            return Err(PlaceError::Latitude(lat));
        }
        if lon.abs() > 180.0 {
            return Err(PlaceError::Longitude(lon));
        }
        Ok(Self { lat_e7: e7(lat), lon_e7: e7(lon) })
    }

    /// The position in degrees.
    #[must_use]
    pub fn degrees(&self) -> Degrees {
        Degrees { lat: f64::from(self.lat_e7) / 1e7, lon: f64::from(self.lon_e7) / 1e7 }
    }

    /// Checks a position that came from outside.
    ///
    /// # Errors
    /// When it is not on the globe.
    pub fn check(&self) -> Result<(), PlaceError> {
        let Degrees { lat, lon } = self.degrees();
        Self::from_degrees(lat, lon).map(|_| ())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "callers hold it within ±180, ±1.8e9 fits")]
fn e7(degrees: f64) -> i32 {
    (degrees * 1e7).round() as i32
}

/// Reads an accuracy radius in metres as the whole millimetres of a [`Fix`], at least one.
///
/// # Errors
/// When it is not a number, zero or negative.
pub fn accuracy_mm(metres: f64) -> Result<u32, PlaceError> {
    if !metres.is_finite() {
        return Err(PlaceError::NotANumber);
    }
    if metres <= 0.0 {
        return Err(PlaceError::Accuracy(metres));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    Ok((metres * 1000.0).round().clamp(1.0, f64::from(u32::MAX)) as u32)
}

/// Where a phone's location service took a fix from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Satellites.
    #[n(0)]
    Gnss,
    /// The platform's mixture of satellites, networks and motion sensors.
    #[n(1)]
    Fused,
    /// Cell towers and wireless networks.
    #[n(2)]
    Network,
    /// Anything else, or not told.
    #[n(3)]
    Other,
}

/// One position fix as the phone reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct Fix {
    /// Position in the datum that the claim names.
    #[n(0)]
    pub position: Position,
    /// Radius of the circle that holds the true position in 68 of 100 cases, millimetres.
    #[n(1)]
    pub accuracy_mm: u32,
    /// When the fix was taken, on the phone's boot clock, nanoseconds.
    #[n(2)]
    pub boot_ns: u64,
    /// Where it came from.
    #[n(3)]
    pub provider: Provider,
    /// The platform marked it as simulated.
    #[n(4)]
    pub mock: bool,
    /// Speed over ground, millimetres a second.
    #[n(5)]
    pub speed_mm_s: Option<u32>,
    /// Satellites used.
    #[n(6)]
    pub satellites: Option<u8>,
    /// Time of the fix by the provider's own clock, Unix milliseconds (a witness, not a proof).
    #[n(7)]
    pub fix_wall_ms: Option<i64>,
}

/// The outline of a site. Lengths in centimetres.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "shape", rename_all = "lowercase", deny_unknown_fields)]
pub enum Shape {
    /// All points up to `radius_cm` from `centre`.
    #[n(0)]
    Circle {
        /// Centre.
        #[n(0)]
        centre: Position,
        /// Radius, centimetres.
        #[n(1)]
        radius_cm: u32,
    },
    /// The inside of `outline` without the `holes`. Rings are not closed: the last point is joined
    /// to the first.
    #[n(1)]
    Polygon {
        /// Outer ring, three points or more.
        #[n(0)]
        outline: Vec<Position>,
        /// Inner rings.
        #[n(1)]
        #[serde(default)]
        holes: Vec<Vec<Position>>,
    },
    /// All points up to `half_width_cm` from the line: a street, a river bank.
    #[n(2)]
    Corridor {
        /// Centre line, two points or more.
        #[n(0)]
        line: Vec<Position>,
        /// Half of the width, centimetres.
        #[n(1)]
        half_width_cm: u32,
    },
}

/// Where a case is: an outline in a named datum.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct Site {
    /// Datum of all its positions.
    #[n(0)]
    pub datum: Datum,
    /// Its outline.
    #[n(1)]
    pub shape: Shape,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_on_the_globe_are_positions() {
        let jinan = Position { lat_e7: 366_500_000, lon_e7: 1_170_000_000 };
        assert_eq!(Position::from_degrees(36.65, 117.0), Ok(jinan));
        assert_eq!(jinan.degrees(), Degrees { lat: 36.65, lon: 117.0 });
        assert!(Position::from_degrees(-90.0, 180.0).is_ok_and(|edge| edge.check().is_ok()));
        assert_eq!(Position::from_degrees(117.0, 36.65), Err(PlaceError::Latitude(117.0)));
        assert_eq!(Position::from_degrees(0.0, 180.1), Err(PlaceError::Longitude(180.1)));
        for (lat, lon) in [(f64::NAN, 0.0), (0.0, f64::NAN), (f64::INFINITY, 0.0)] {
            assert_eq!(Position::from_degrees(lat, lon), Err(PlaceError::NotANumber));
        }
        let beyond = Position { lat_e7: 900_000_001, lon_e7: 0 };
        assert!(matches!(beyond.check(), Err(PlaceError::Latitude(_))));
    }

    #[test]
    fn an_accuracy_is_a_positive_radius() {
        assert_eq!(accuracy_mm(4.2366138), Ok(4237));
        assert_eq!(accuracy_mm(0.0001), Ok(1));
        assert_eq!(accuracy_mm(1e300), Ok(u32::MAX));
        assert_eq!(accuracy_mm(-1.0), Err(PlaceError::Accuracy(-1.0)));
        assert_eq!(accuracy_mm(0.0), Err(PlaceError::Accuracy(0.0)));
        assert_eq!(accuracy_mm(f64::NAN), Err(PlaceError::NotANumber));
    }
}
