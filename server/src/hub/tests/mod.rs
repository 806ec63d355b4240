//! The hub as phones meet it, on each engine.

mod audit;
mod chain;
mod feeds;
mod handover;
mod http;
mod idle;
mod races;
mod refusals;
mod sign_in;
mod world;
