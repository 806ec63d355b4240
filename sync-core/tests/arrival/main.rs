//! The 60-minute rule as a whole: what it says of visits, attacks and chance.

mod properties;
mod recorded;
mod scene;
mod simulation;
mod threats;
mod verdicts;
