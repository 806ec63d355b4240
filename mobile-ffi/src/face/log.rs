//! Lines for the app's log. Only names from this library and numbers can stand in one: there is no
//! place for a text, a phone number or a coordinate.

use super::error::HostFailure;

/// The app's log. Optional.
#[uniffi::export(foreign)]
pub trait PhoneLog: Send + Sync {
    /// Writes one line. A failure is ignored.
    ///
    /// # Errors
    /// Whatever the platform says.
    fn write(&self, line: LogLine) -> Result<(), HostFailure>;
}

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// What happens in the ordinary course.
    Info,
    /// A call failed.
    Warning,
    /// A bug showed.
    Error,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LogLine {
    /// How grave.
    pub level: LogLevel,
    /// What happened: a name such as `call_failed`.
    pub event: String,
    /// More about it.
    pub fields: Vec<LogField>,
}

/// One detail of a line.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum LogField {
    /// One of this library's own names.
    Code {
        /// What it is.
        name: String,
        /// The name.
        value: String,
    },
    /// A count, a size, a status or a duration.
    Number {
        /// What it is.
        name: String,
        /// The number.
        value: i64,
    },
}

impl LogField {
    /// The only way to a text in the log: one that was written in this library.
    pub(super) fn code(name: &'static str, value: &'static str) -> Self {
        Self::Code { name: name.to_owned(), value: value.to_owned() }
    }

    pub(super) fn number(name: &'static str, value: i64) -> Self {
        Self::Number { name: name.to_owned(), value }
    }
}
