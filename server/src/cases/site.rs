//! A site as people and programs write it: degrees and metres, and always a named datum.

use onscene_sync_core::place::{Datum, PlaceError, Position, Shape, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CaseError;

/// `{"datum": "gcj02", "circle": {"centre": {"lat": 36.65, "lon": 117.12}, "radius_m": 80}}`, or
/// `polygon` or `corridor` in place of `circle`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteForm {
    /// Datum of all positions; never implied.
    pub datum: Datum,
    /// All points around a centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<Circle>,
    /// The inside of an outline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polygon: Option<Polygon>,
    /// All points along a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corridor: Option<Corridor>,
}

/// A position in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Degrees {
    /// Latitude, north positive.
    pub lat: f64,
    /// Longitude, east positive.
    pub lon: f64,
}

/// See [`SiteForm::circle`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Circle {
    /// Its centre.
    pub centre: Degrees,
    /// Its radius, metres.
    pub radius_m: f64,
}

/// See [`SiteForm::polygon`]. Rings are not closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Polygon {
    /// The outer ring.
    pub outline: Vec<Degrees>,
    /// Inner rings.
    #[serde(default)]
    pub holes: Vec<Vec<Degrees>>,
}

/// See [`SiteForm::corridor`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corridor {
    /// The centre line.
    pub line: Vec<Degrees>,
    /// From edge to edge, metres.
    pub width_m: f64,
}

impl SiteForm {
    /// The site that arrivals are judged against.
    ///
    /// # Errors
    /// [`CaseError::Invalid`] names the part that is wrong and how to mend it.
    pub fn to_site(&self) -> Result<Site, CaseError> {
        let shape = match (&self.circle, &self.polygon, &self.corridor) {
            (Some(circle), None, None) => Shape::Circle {
                centre: position("circle.centre", &circle.centre)?,
                radius_cm: centimetres("circle.radius_m", circle.radius_m)?,
            },
            (None, Some(polygon), None) => Shape::Polygon {
                outline: positions("polygon.outline", &polygon.outline)?,
                holes: polygon
                    .holes
                    .iter()
                    .enumerate()
                    .map(|(hole, ring)| positions(&format!("polygon.holes[{hole}]"), ring))
                    .collect::<Result<_, _>>()?,
            },
            (None, None, Some(corridor)) => Shape::Corridor {
                line: positions("corridor.line", &corridor.line)?,
                half_width_cm: centimetres("corridor.width_m", corridor.width_m / 2.0)?,
            },
            _ => return Err(invalid("give exactly one of `circle`, `polygon` and `corridor`")),
        };
        let site = Site { datum: self.datum, shape };
        site.validate().map_err(|error| invalid(error.to_string()))?;
        Ok(site)
    }
}

impl From<&Site> for SiteForm {
    fn from(site: &Site) -> Self {
        let empty = Self { datum: site.datum, circle: None, polygon: None, corridor: None };
        match &site.shape {
            Shape::Circle { centre, radius_cm } => {
                let circle =
                    Circle { centre: centre.into(), radius_m: f64::from(*radius_cm) / 100.0 };
                Self { circle: Some(circle), ..empty }
            }
            Shape::Polygon { outline, holes } => {
                let ring = |ring: &Vec<Position>| ring.iter().map(Degrees::from).collect();
                let polygon =
                    Polygon { outline: ring(outline), holes: holes.iter().map(ring).collect() };
                Self { polygon: Some(polygon), ..empty }
            }
            Shape::Corridor { line, half_width_cm } => {
                let line = line.iter().map(Degrees::from).collect();
                let width_m = f64::from(*half_width_cm) / 50.0;
                Self { corridor: Some(Corridor { line, width_m }), ..empty }
            }
        }
    }
}

impl From<&Position> for Degrees {
    fn from(position: &Position) -> Self {
        let degrees = position.degrees();
        Self { lat: degrees.lat, lon: degrees.lon }
    }
}

fn positions(part: &str, points: &[Degrees]) -> Result<Vec<Position>, CaseError> {
    points
        .iter()
        .enumerate()
        .map(|(index, point)| position(&format!("{part}[{index}]"), point))
        .collect()
}

fn position(part: &str, point: &Degrees) -> Result<Position, CaseError> {
    Position::from_degrees(point.lat, point.lon)
        .map_err(|error: PlaceError| invalid(format!("{part}: {error}")))
}

/// Whole centimetres of a length.
fn centimetres(part: &str, metres: f64) -> Result<u32, CaseError> {
    let length = (metres * 100.0).round();
    if !(1.0..=f64::from(u32::MAX)).contains(&length) {
        return Err(invalid(format!("{part}: {metres} m is not a length: give metres above 0")));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "just checked")]
    Ok(length as u32)
}

fn invalid(why: impl Into<String>) -> CaseError {
    CaseError::Invalid { field: "site", why: why.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(form: Value) -> Result<Site, String> {
        let form: SiteForm = serde_json::from_value(form).map_err(|error| error.to_string())?;
        form.to_site().map_err(|error| error.to_string())
    }

    fn point(lat: f64, lon: f64) -> Value {
        json!({ "lat": lat, "lon": lon })
    }

    #[test]
    fn each_shape_survives_the_way_in_and_out() {
        let square = [(36.6, 117.0), (36.6, 117.01), (36.61, 117.01), (36.61, 117.0)];
        let ring: Vec<Value> = square.iter().map(|(lat, lon)| point(*lat, *lon)).collect();
        let line = ring[..2].to_vec();
        for form in [
            json!({ "datum": "wgs84", "circle": { "centre": point(36.65, 117.12), "radius_m": 80.5 } }),
            json!({ "datum": "gcj02", "polygon": { "outline": ring, "holes": [] } }),
            json!({ "datum": "bd09", "corridor": { "line": line, "width_m": 24.0 } }),
        ] {
            let site = read(form.clone()).unwrap();
            assert_eq!(serde_json::to_value(SiteForm::from(&site)).unwrap(), form);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let circle = |lat, radius| json!({ "centre": point(lat, 117.0), "radius_m": radius });
        let line = json!({ "line": [point(36.0, 117.0), point(36.0, 117.01)], "width_m": 10.0 });
        for (form, named) in [
            (json!({ "circle": circle(36.0, 50.0) }), "missing field `datum`"),
            (json!({ "datum": "nad27", "circle": circle(36.0, 50.0) }), "unknown variant `nad27`"),
            (
                json!({ "datum": "wgs84", "circle": circle(91.0, 50.0) }),
                "circle.centre: latitude 91",
            ),
            (json!({ "datum": "wgs84", "circle": circle(36.0, 0.0) }), "circle.radius_m: 0 m"),
            (json!({ "datum": "wgs84", "circle": circle(36.0, -3.0) }), "circle.radius_m: -3 m"),
            (json!({ "datum": "wgs84" }), "exactly one"),
            (
                json!({ "datum": "wgs84", "circle": circle(36.0, 9.0), "corridor": line }),
                "exactly one",
            ),
            (json!({ "datum": "wgs84", "polygon": { "outline": [] } }), "the outline has 0 points"),
            (json!({ "datum": "wgs84", "square": {} }), "unknown field `square`"),
        ] {
            let error = read(form.clone()).unwrap_err();
            assert!(error.contains(named), "{form} gave {error}");
        }
        let nan = SiteForm {
            datum: Datum::Wgs84,
            circle: Some(Circle { centre: Degrees { lat: f64::NAN, lon: 117.0 }, radius_m: 5.0 }),
            polygon: None,
            corridor: None,
        };
        assert!(nan.to_site().unwrap_err().to_string().contains("not a number"));
    }
}
