//! Positions as the platforms give them: degrees and metres, with the datum always named.

use onscene_sync_core::place::{self, Fix, Position, Provider, Shape, Site, accuracy_mm};

use super::convert::unsigned;
use super::error::PhoneError;

/// The geodetic datum that a coordinate was given in. A mix-up moves a point by half a kilometre
/// and more, so it is never implied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Datum {
    /// What satellites and the platforms' own location services give.
    Wgs84,
    /// 火星坐标: the shifted datum of maps published in China, and of their location services.
    Gcj02,
    /// Baidu's shift on top of GCJ-02.
    Bd09,
}

/// A latitude and longitude in degrees, north and east positive.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct Place {
    /// Latitude.
    pub latitude: f64,
    /// Longitude.
    pub longitude: f64,
}

/// Where the phone's location service took a fix from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FixProvider {
    /// Satellites.
    Gnss,
    /// The platform's mixture of satellites, networks and motion sensors.
    Fused,
    /// Cell towers and wireless networks.
    Network,
    /// Anything else, or not told.
    Other,
}

/// One position fix, as Android's `Location` or Apple's `CLLocation` reports it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PhoneFix {
    /// Where.
    pub place: Place,
    /// Radius of the circle that holds the true position in 68 of 100 cases, metres, above 0. Leave
    /// a fix without it out.
    pub accuracy_m: f64,
    /// When it was taken, on the phone's boot clock, nanoseconds: Android's
    /// `Location.getElapsedRealtimeNanos()`.
    pub boot_ns: i64,
    /// Where it came from.
    pub provider: FixProvider,
    /// The platform marked it as simulated.
    pub mock: bool,
    /// Speed over ground, metres a second, if known.
    pub speed_m_s: Option<f64>,
    /// Satellites used, if known.
    pub satellites: Option<i32>,
    /// Time of the fix by the provider's own clock, Unix milliseconds, if known.
    pub fix_wall_ms: Option<i64>,
}

/// The outline of a site, to be drawn on a map of its datum.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum SiteShape {
    /// All points up to `radius_m` from `centre`.
    Circle {
        /// Centre.
        centre: Place,
        /// Radius, metres.
        radius_m: f64,
    },
    /// The inside of `outline` without the `holes`; no ring repeats its first point at its end.
    Polygon {
        /// Outer ring, three points or more.
        outline: Vec<Place>,
        /// Inner rings.
        holes: Vec<Vec<Place>>,
    },
    /// All points up to `half_width_m` from the line: a street, a river bank.
    Corridor {
        /// Centre line, two points or more.
        line: Vec<Place>,
        /// Half of the width, metres.
        half_width_m: f64,
    },
}

/// Where a case is.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct PhoneSite {
    /// Datum of all its positions.
    pub datum: Datum,
    /// Its outline.
    pub shape: SiteShape,
}

impl From<Datum> for place::Datum {
    fn from(datum: Datum) -> Self {
        match datum {
            Datum::Wgs84 => Self::Wgs84,
            Datum::Gcj02 => Self::Gcj02,
            Datum::Bd09 => Self::Bd09,
        }
    }
}

impl From<place::Datum> for Datum {
    fn from(datum: place::Datum) -> Self {
        match datum {
            place::Datum::Wgs84 => Self::Wgs84,
            place::Datum::Gcj02 => Self::Gcj02,
            place::Datum::Bd09 => Self::Bd09,
        }
    }
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        let degrees = position.degrees();
        Self { latitude: degrees.lat, longitude: degrees.lon }
    }
}

impl TryFrom<Place> for Position {
    type Error = PhoneError;

    fn try_from(place: Place) -> Result<Self, PhoneError> {
        Self::from_degrees(place.latitude, place.longitude)
            .map_err(|error| PhoneError::invalid("place", error))
    }
}

impl TryFrom<PhoneFix> for Fix {
    type Error = PhoneError;

    fn try_from(fix: PhoneFix) -> Result<Self, PhoneError> {
        let metres = |field: &'static str, metres: f64| {
            accuracy_mm(metres).map_err(|error| PhoneError::invalid(field, error))
        };
        Ok(Self {
            position: fix.place.try_into()?,
            accuracy_mm: metres("accuracy_m", fix.accuracy_m)?,
            boot_ns: unsigned("boot_ns", fix.boot_ns)?,
            provider: match fix.provider {
                FixProvider::Gnss => Provider::Gnss,
                FixProvider::Fused => Provider::Fused,
                FixProvider::Network => Provider::Network,
                FixProvider::Other => Provider::Other,
            },
            mock: fix.mock,
            speed_mm_s: match fix.speed_m_s {
                Some(0.0) => Some(0),
                // Apple says -1 when it does not know.
                Some(speed) if speed < 0.0 => None,
                Some(speed) => Some(metres("speed_m_s", speed)?),
                None => None,
            },
            satellites: fix
                .satellites
                .map(|count| unsigned("satellites", i64::from(count)))
                .transpose()?,
            fix_wall_ms: fix.fix_wall_ms,
        })
    }
}

impl From<Site> for PhoneSite {
    fn from(site: Site) -> Self {
        let places = |ring: Vec<Position>| ring.into_iter().map(Place::from).collect::<Vec<_>>();
        let metres = |cm: u32| f64::from(cm) / 100.0;
        let shape = match site.shape {
            Shape::Circle { centre, radius_cm } => {
                SiteShape::Circle { centre: centre.into(), radius_m: metres(radius_cm) }
            }
            Shape::Polygon { outline, holes } => SiteShape::Polygon {
                outline: places(outline),
                holes: holes.into_iter().map(places).collect(),
            },
            Shape::Corridor { line, half_width_cm } => {
                SiteShape::Corridor { line: places(line), half_width_m: metres(half_width_cm) }
            }
        };
        Self { datum: site.datum.into(), shape }
    }
}

impl TryFrom<PhoneSite> for Site {
    type Error = PhoneError;

    fn try_from(site: PhoneSite) -> Result<Self, PhoneError> {
        let positions = |ring: Vec<Place>| {
            ring.into_iter().map(Position::try_from).collect::<Result<Vec<_>, _>>()
        };
        let shape = match site.shape {
            SiteShape::Circle { centre, radius_m } => Shape::Circle {
                centre: centre.try_into()?,
                radius_cm: centimetres("radius_m", radius_m)?,
            },
            SiteShape::Polygon { outline, holes } => Shape::Polygon {
                outline: positions(outline)?,
                holes: holes.into_iter().map(positions).collect::<Result<_, _>>()?,
            },
            SiteShape::Corridor { line, half_width_m } => Shape::Corridor {
                line: positions(line)?,
                half_width_cm: centimetres("half_width_m", half_width_m)?,
            },
        };
        let site = Self { datum: site.datum.into(), shape };
        site.validate().map_err(|error| PhoneError::invalid("site", error))?;
        Ok(site)
    }
}

/// A length of metres as whole centimetres, at least one; the millimetres of a radius are checked.
fn centimetres(field: &str, metres: f64) -> Result<u32, PhoneError> {
    let millimetres = accuracy_mm(metres).map_err(|error| PhoneError::invalid(field, error))?;
    Ok(millimetres.div_ceil(10))
}
