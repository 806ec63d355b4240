//! The 60-minute rule as a whole: what it says of visits, attacks and chance.

mod chance;
mod corpus;
mod honest;
mod likeness;
mod properties;
mod recorded;
mod scene;
mod simulation;
mod spoofs;
mod threats;
mod verdicts;
