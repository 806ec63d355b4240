//! The bureau's bulletin (通报): what it says and how it looks.
//!
//! | module | holds |
//! |---|---|
//! | [`mod@story`] | what it holds, from the figures of a period and of the one before |
//! | `sentences` | what it says of them in words |
//! | [`mod@document`] | the same as a Word document (docx) |
//! | `page` | paragraphs, tables and bars of that document |
//!
//! Charts are drawn by the document itself, as cells of tables, and labelled by its own text: nothing
//! depends on the fonts of the machine that makes it.

pub mod document;
mod page;
mod sentences;
pub mod story;

pub use document::document;
pub use story::{Story, story};
