//! `onscene demo`: one day of a district bureau, on the product's own code.
//!
//! | module | holds |
//! |---|---|
//! | [`places`], [`people`], [`cases`] | the made-up day: pure data and seeded choice |
//! | [`plane`], [`movement`], [`receiver`] | where people truly are and what their phones make of it |
//! | [`handset`] | the clocks of their phones |
//! | [`walker`], [`timeline`] | one inspector in the district; what happens next |
//! | [`account`], [`report`] | the day line by line; the table that must add up |

pub mod account;
pub mod cases;
pub mod handset;
pub mod movement;
pub mod people;
pub mod places;
pub mod plane;
pub mod receiver;
pub mod report;
pub mod timeline;
pub mod walker;
