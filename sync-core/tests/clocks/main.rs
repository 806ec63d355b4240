//! Phases and clocks of cases: worked by hand, and against an independent model.

mod by_hand;
#[expect(clippy::wildcard_enum_match_arm, reason = "each step looks at a few kinds of event")]
mod history;
#[expect(clippy::wildcard_enum_match_arm, reason = "each step looks at a few kinds of event")]
mod oracle;
