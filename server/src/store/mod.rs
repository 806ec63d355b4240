//! Transactions on SQLite and PostgreSQL from one SQL text.
//!
//! [`Store::with_tx`] and [`Store::with_read`] are the only ways to the database, beside
//! [`Store::read_one`] and [`Store::write_one`] for what one statement does. Statements are
//! plain `sqlx` over [`Tx::conn`], written once for both engines: `$1` placeholders, columns that
//! are integers, text or bytes, `ON CONFLICT DO NOTHING` with the count of rows where a refusal is
//! expected (a violated constraint kills a PostgreSQL transaction), `CAST(sum(x) AS BIGINT)` around
//! sums, and [`Engine`]'s constants where the engines differ.
//!
//! Writers run at READ COMMITTED on PostgreSQL: whoever reads to decide locks the row first
//! ([`Engine::for_update`]). Lock order: documents sorted, then buckets sorted, last. SQLite has one
//! writer at a time, so there the locks are empty words.

mod connect;
mod error;
mod inspect;
mod lend;
mod rows;
mod tx;

pub use connect::{Engine, Store};
pub use error::{StoreError, TxError};
pub use inspect::SchemaState;
pub use rows::{RowExt, Value, insert_many};
pub use tx::Tx;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod foreign;
#[cfg(test)]
pub(crate) mod testing;
