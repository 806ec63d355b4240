//! Phases and clocks of cases: worked by hand, and against an independent model.

mod by_hand;
mod history;
mod oracle;
