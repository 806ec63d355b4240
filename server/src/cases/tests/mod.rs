//! Cases as the command centre and the phones meet them, on each engine.

mod bad_input;
mod bundle;
mod bureau;
mod desk;
mod draws;
mod exports;
mod field;
mod figures;
mod histories;
mod hostile_bundles;
mod measures;
mod messages;
mod phone;
mod races;
mod refill;
mod second_look;
mod silence;
mod supervision;
mod taken_back;
mod telling;
mod tracks;
