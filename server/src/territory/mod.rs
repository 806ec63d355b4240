//! The ground that a unit answers for, and which units a place suggests. It only suggests: dispatching
//! stays a person's act.
//!
//! | module | holds |
//! |---|---|
//! | [`outline`] | `GeoJSON` in a named datum, checked and laid out |
//! | [`area`] | ground in WGS-84 degrees, and how one lies to another |
//! | [`record`] | every version of every territory |
//! | [`suggest`] | the units for a place |

pub mod area;
pub mod outline;
pub mod record;
pub mod suggest;
