//! What can be wrong with an outline, and how to mend it.

use std::fmt;

use thiserror::Error;

use crate::limits::{SITE_AREA_M2, SITE_EXTENT_M, SITE_HOLES, SITE_VERTICES};
use crate::place::PlaceError;

/// A line of a site, as an error names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// The outer ring of a polygon.
    Outline,
    /// A hole, counted from 0.
    Hole(usize),
    /// The centre line of a corridor.
    Line,
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outline => f.write_str("the outline"),
            Self::Hole(index) => write!(f, "hole {index} (counted from 0)"),
            Self::Line => f.write_str("the line"),
        }
    }
}

/// Why an outline cannot be used, and how to mend it.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SiteError {
    /// A position is not on the globe.
    #[error("point {index} of {ring}: {error}")]
    Position {
        /// Where it stands.
        ring: Ring,
        /// Which point, counted from 0.
        index: usize,
        /// What is wrong with it.
        error: PlaceError,
    },
    /// Nothing, or too little, was drawn.
    #[error("{ring} has {count} points; it needs at least {needed}")]
    TooFewPoints {
        /// Which line.
        ring: Ring,
        /// Its points.
        count: usize,
        /// What it needs.
        needed: usize,
    },
    /// More points than can be judged quickly.
    #[error("the site has {count} points; simplify it to at most {SITE_VERTICES}")]
    TooManyPoints {
        /// All its points.
        count: usize,
    },
    /// More holes than allowed.
    #[error("the polygon has {count} holes; leave at most {SITE_HOLES}")]
    TooManyHoles {
        /// Its holes.
        count: usize,
    },
    /// A ring ends where it began.
    #[error("{ring} repeats its first point at the end; leave the last point out")]
    Closed {
        /// Which ring.
        ring: Ring,
    },
    /// A point stands twice.
    #[error("point {index} of {ring} stands there twice; remove one of the two")]
    RepeatedPoint {
        /// Which line.
        ring: Ring,
        /// The second of the two, counted from 0.
        index: usize,
    },
    /// It reaches over the 180th meridian.
    #[error("the site crosses the 180th meridian; split it there into two sites")]
    Antimeridian,
    /// It reaches too far.
    #[error(
        "the site reaches {extent_m:.0} m from its middle; the limit is {SITE_EXTENT_M} m, so split it"
    )]
    TooLarge {
        /// Its reach, metres.
        extent_m: f64,
    },
    /// A radius or width of zero, or an area that no fix can fall into.
    #[error(
        "the site covers {area_m2:.2} m²; it needs at least {SITE_AREA_M2} m²: check radius, width and points"
    )]
    TooSmall {
        /// Its area, square metres.
        area_m2: f64,
    },
    /// A ring crosses or touches itself.
    #[error("{ring} crosses itself; put its points in the order in which they are walked")]
    CrossesItself {
        /// Which ring.
        ring: Ring,
    },
    /// A hole lies outside.
    #[error("{ring} is not inside the outline; move or remove it")]
    HoleOutside {
        /// Which hole.
        ring: Ring,
    },
    /// Two rings cross, overlap or share an edge.
    #[error("{ring} and {other} overlap; separate or join them")]
    Overlap {
        /// One of them.
        ring: Ring,
        /// The other one.
        other: Ring,
    },
}
