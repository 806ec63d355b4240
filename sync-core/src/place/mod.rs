//! Where: positions in a named datum, fixes with their accuracy, and the site of a case.
//!
//! The types here are what travels. Raw values are kept as recorded, together with their datum.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The geodetic datum that a coordinate was given in. A mix-up moves a point by 523 m (GCJ-02) or
/// 1,317 m (BD-09) at Jinan, so it is never implied.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
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
#[cbor(array)]
pub struct Position {
    /// Latitude, 10⁻⁷ degrees, north positive.
    #[n(0)]
    pub lat_e7: i32,
    /// Longitude, 10⁻⁷ degrees, east positive.
    #[n(1)]
    pub lon_e7: i32,
}

/// Where a phone's location service took a fix from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
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
#[cbor(array)]
pub struct Site {
    /// Datum of all its positions.
    #[n(0)]
    pub datum: Datum,
    /// Its outline.
    #[n(1)]
    pub shape: Shape,
}
