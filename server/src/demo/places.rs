//! Where things happen: real places of Lixia and Shizhong districts of Jinan.
//!
//! Positions are of the well-known places, WGS 84, to some fifty metres; the outlines about them
//! are made up for the demonstration. The basements and tunnels without a network are made up too.

use onscene_sync_core::place::{Datum, Shape, Site};

use super::plane::Point;
use super::receiver::Surroundings;

/// The shape of a place, before it is put on the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outline {
    /// All within so many metres of the middle.
    Around(f64),
    /// A rectangle: metres east–west and north–south.
    Block(f64, f64),
    /// A street running east–west (`true`) or north–south: its length and half of its width.
    Street(bool, f64, f64),
}

/// One place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Its name, as the bureau writes it.
    pub chinese: &'static str,
    /// Its name in English.
    pub english: &'static str,
    /// Latitude, degrees, WGS 84.
    pub latitude: f64,
    /// Longitude, degrees, WGS 84.
    pub longitude: f64,
    /// Its shape.
    pub outline: Outline,
    /// What stands around a phone there.
    pub around: Surroundings,
    /// A mobile network reaches it.
    pub covered: bool,
    /// Which squad answers for it: an index into [`SQUADS`](super::people::SQUADS).
    pub squad: usize,
}

impl Place {
    /// Its middle on the map.
    #[must_use]
    pub fn middle(&self) -> Point {
        Point::from_degrees(self.latitude, self.longitude)
    }

    /// How far from the middle an inspector at work walks, metres: well inside the outline.
    #[must_use]
    pub fn reach_m(&self) -> f64 {
        match self.outline {
            Outline::Around(radius) => radius * 0.4,
            Outline::Block(east, north) => east.min(north) * 0.3,
            Outline::Street(_, _, half_width) => half_width * 0.25,
        }
    }

    /// As the site of a case.
    #[must_use]
    pub fn site(&self) -> Site {
        let middle = self.middle();
        let corner = |east: f64, north: f64| middle.moved(east, north).position();
        let shape = match self.outline {
            Outline::Around(radius) => {
                Shape::Circle { centre: middle.position(), radius_cm: centimetres(radius) }
            }
            Outline::Block(east, north) => {
                let (e, n) = (east / 2.0, north / 2.0);
                Shape::Polygon {
                    outline: vec![corner(-e, -n), corner(e, -n), corner(e, n), corner(-e, n)],
                    holes: Vec::new(),
                }
            }
            Outline::Street(eastward, length, half_width) => {
                let (e, n) = if eastward { (length / 2.0, 0.0) } else { (0.0, length / 2.0) };
                Shape::Corridor {
                    line: vec![corner(-e, -n), corner(e, n)],
                    half_width_cm: centimetres(half_width),
                }
            }
        };
        Site { datum: Datum::Wgs84, shape }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a place is at most kilometres wide")]
#[expect(clippy::cast_sign_loss, reason = "lengths are positive")]
fn centimetres(metres: f64) -> u32 {
    (metres * 100.0).round() as u32
}

const fn place(
    chinese: &'static str,
    english: &'static str,
    (latitude, longitude): (f64, f64),
    outline: Outline,
    around: Surroundings,
    squad: usize,
) -> Place {
    let covered = !matches!(around, Surroundings::Indoors);
    Place { chinese, english, latitude, longitude, outline, around, covered, squad }
}

use Outline::{Around, Block, Street as Road};
use Surroundings::{Canyon, Indoors, Open, Street};

/// All places of the demonstration.
pub const PLACES: [Place; 24] = [
    place("泉城广场", "Quancheng Square", (36.6612, 117.0165), Block(400.0, 180.0), Open, 0),
    place(
        "趵突泉北路",
        "Baotuquan North Road",
        (36.6640, 117.0110),
        Road(false, 420.0, 30.0),
        Street,
        0,
    ),
    place("芙蓉街", "Furong Street", (36.6664, 117.0167), Road(false, 400.0, 35.0), Canyon, 0),
    place("大明湖南门", "Daming Lake, south gate", (36.6730, 117.0175), Around(90.0), Open, 0),
    place(
        "曲水亭街",
        "Qushuiting Street",
        (36.6690, 117.0182),
        Road(false, 300.0, 35.0),
        Canyon,
        0,
    ),
    place(
        "黑虎泉西路",
        "Heihuquan West Road",
        (36.6597, 117.0225),
        Road(true, 500.0, 30.0),
        Street,
        0,
    ),
    place(
        "泉城路世茂广场地下车库",
        "Shimao Plaza, basement garage",
        (36.6655, 117.0215),
        Block(220.0, 220.0),
        Indoors,
        0,
    ),
    place("纬一路", "Weiyi Road", (36.6570, 116.9960), Road(false, 500.0, 30.0), Street, 0),
    place("千佛山北门", "Qianfo Mountain, north gate", (36.6440, 117.0320), Around(100.0), Open, 1),
    place("文化东路", "Wenhua East Road", (36.6520, 117.0400), Road(true, 700.0, 30.0), Street, 1),
    place("历山路", "Lishan Road", (36.6560, 117.0350), Road(false, 700.0, 30.0), Street, 1),
    place("朝山街", "Chaoshan Street", (36.6555, 117.0240), Road(false, 400.0, 30.0), Street, 1),
    place(
        "山师东路",
        "Shanshi East Road",
        (36.6500, 117.0445),
        Road(false, 500.0, 35.0),
        Canyon,
        1,
    ),
    place(
        "经十路千佛山隧道",
        "Qianfo Mountain tunnel",
        (36.6405, 117.0380),
        Block(260.0, 260.0),
        Indoors,
        1,
    ),
    place("佛山苑小区", "Foshanyuan estate", (36.6475, 117.0290), Block(260.0, 240.0), Street, 1),
    place(
        "英雄山文化市场",
        "Yingxiong Mountain market",
        (36.6385, 116.9960),
        Block(240.0, 200.0),
        Canyon,
        1,
    ),
    place("甸柳新村", "Dianliu New Village", (36.6600, 117.0680), Block(420.0, 380.0), Street, 2),
    place("燕山立交桥", "Yanshan overpass", (36.6490, 117.0650), Around(120.0), Street, 2),
    place("解放东路", "Jiefang East Road", (36.6615, 117.0850), Road(true, 800.0, 30.0), Street, 2),
    place("洪家楼广场", "Hongjialou Square", (36.6835, 117.0610), Around(90.0), Open, 2),
    place("姚家庄", "Yaojia village", (36.6580, 117.0980), Block(400.0, 300.0), Street, 2),
    place("奥体中路", "Aoti Middle Road", (36.6540, 117.1130), Road(false, 900.0, 35.0), Open, 2),
    place("燕翅山", "Yanchi Mountain", (36.6400, 117.0760), Around(150.0), Open, 2),
    place(
        "甸柳地下人防工程",
        "Dianliu air-raid shelter",
        (36.6620, 117.0660),
        Block(220.0, 220.0),
        Indoors,
        2,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_in_the_district_and_each_squad_has_some_without_a_network() {
        for place in &PLACES {
            assert!(place.middle().distance(Point::from_degrees(36.66, 117.05)) < 7_000.0);
            assert!(place.reach_m() >= 7.0, "{}", place.english);
        }
        for squad in 0..3 {
            let own = || PLACES.iter().filter(|place| place.squad == squad);
            assert_eq!(own().count(), 8);
            assert_eq!(own().filter(|place| !place.covered).count(), 1);
        }
    }

    #[test]
    fn each_kind_of_outline_becomes_a_site_about_its_middle() {
        let Shape::Polygon { outline, .. } = PLACES[0].site().shape else { panic!("a block") };
        let east = outline[1].lon_e7 - outline[0].lon_e7;
        assert!((east - 44_732).abs() < 5, "400 m are {east} at this latitude");
        let Shape::Corridor { line, half_width_cm } = PLACES[1].site().shape else {
            panic!("a street")
        };
        assert_eq!((line.len(), half_width_cm), (2, 3_000));
        assert!(matches!(PLACES[3].site().shape, Shape::Circle { radius_cm: 9_000, .. }));
    }
}
