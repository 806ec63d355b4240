//! Figures over a period: how much came in, how much was closed, and what was done in time.
//!
//! | module | holds |
//! |---|---|
//! | [`period`] | days and months of the bureau |
//! | [`indicator`] | what is counted: one condition, for the figure and for the list behind it |
//! | [`counts`] | counted, and the rates that follow |
//! | [`words`] | the API's names in Chinese |
//! | [`export`] | CSV, GeoJSON and workbooks |
//! | [`bulletin`] | the bureau's bulletin of a period |
//! | [`hotspots`] | where most complaints come from |
//! | [`figures`] | a period's figures, whole and by class, channel, matter, unit and place |
//!
//! A case belongs to the period in which it was registered, an order to that in which it was issued.
//! Drills are out. Nothing is stored: every figure is counted from the rows of cases and orders, which
//! are worked out from facts, so what an offline phone delivers late corrects the past by itself.

pub mod bulletin;
pub mod counts;
pub mod export;
pub mod figures;
pub mod hotspots;
pub mod indicator;
pub mod period;
pub mod words;
