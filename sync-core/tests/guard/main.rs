//! The guard against everything that a hostile phone is known to try, and against chance.
//!
//! `ONSCENE_FUZZ_CASES` sets how many random cases each fuzz test makes.

mod attacks;
mod bytes;
mod facts;
mod forge;
mod fuzz;
mod histories;
mod world;
