//! What the API says of itself: an OpenAPI 3.1 document made from the routes.
//!
//! Nothing is described apart from the code that does it. The parameters of a handler say what it
//! takes ([`Input`]), its return type says what it answers ([`Answer`]), the types of bodies say their
//! schemas ([`schemars::JsonSchema`]), and [`Access`](crate::auth::Access) says who may call it. What
//! types cannot say stands beside the route: a sentence
//! ([`Routes::about`](crate::auth::Routes::about)), and answers that are not JSON
//! ([`Routes::with`](crate::auth::Routes::with)).
//!
//! | module | holds |
//! |---|---|
//! | [`handler`] | what handlers, their parameters and their return types say |
//! | [`operation`] | one operation while it is being described |
//! | [`problems`] | the answers that say why not |
//! | [`security`] | who may call, from `Access` |
//! | [`document`](mod@document) | the whole document |

pub mod document;
pub mod handler;
pub mod operation;
mod problems;
mod schemas;
mod security;

pub use document::document;
pub use handler::{Answer, Described, Input};
pub use operation::Operation;
