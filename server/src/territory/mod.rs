//! The ground that a unit answers for, and which units a place suggests. It only suggests: dispatching
//! stays a person's act.
//!
//! | module | holds |
//! |---|---|
//! | [`geometry`] | `GeoJSON` in a named datum, checked and laid out in WGS-84 |
//! | [`record`] | every version of every territory |
//! | [`suggest`] | the units for a place |

pub mod geometry;
pub mod record;
pub mod suggest;
