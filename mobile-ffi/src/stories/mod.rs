//! Whole stories of phones and a hub, told through the public calls.

mod everyday;
