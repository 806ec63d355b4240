//! The hub (the server side of Onscene), its command-line phone and its demonstration.
//!
//! | module | holds |
//! |---|---|
//! | [`app`] | the whole program in one value |
//! | [`config`], [`clock`], [`random`], [`keys`] | what it is given: choices, time, chance, keys |
//! | [`store`] | transactions on SQLite and PostgreSQL from one SQL text |
//! | [`blob`], [`evidence`] | files by their hash; how they come, what they show, how long they stay |
//! | [`picture`] | what a picture shows, found out in a process of its own |
//! | [`auth`] | who calls, and what they may see |
//! | [`http`] | the API |
//! | [`describe`] | what the API says of itself |
//! | [`problem`] | errors as the API shows them |
//! | [`audit`] | the log that shows when it is rewritten |
//! | [`supervision`] | the weekly draw and its rechecks, special checks, drills, hard cases, media reports |
//! | [`bundle`] | the evidence of a case in one file that proves itself |
//! | [`hub`] | documents, devices and feeds in the database |
//! | [`intake`] | kinds of matter, what is settled at the first call, repeats, imports |
//! | [`cases`] | what is recorded, judged and owed about each case |
//! | [`territory`] | the ground of each unit, and which units a place suggests |
//! | [`duty`], [`notice`] | who stands by, round the clock; what people are told |
//! | [`statistics`] | figures over a period |
//! | [`vault`] | complainants, and who looked at them |
//! | [`messages`] | text messages to complainants, and their replies |
//! | [`jobs`] | work to be done later |
//! | [`poke`] | "something new", between requests |
//! | [`phone`], [`demo`] | the command-line phone, the demonstration |
//! | [`cli`], [`telemetry`] | the command line, log lines |

pub mod app;
pub mod audit;
pub mod auth;
pub mod blob;
pub mod bundle;
pub mod cases;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod describe;
pub mod duty;
pub mod evidence;
pub mod http;
pub mod hub;
pub mod intake;
pub mod jobs;
pub mod keys;
pub mod messages;
pub mod notice;
pub mod phone;
pub mod picture;
pub mod poke;
pub mod problem;
pub mod random;
pub mod statistics;
pub mod store;
pub mod supervision;
pub mod telemetry;
pub mod territory;
pub mod vault;
