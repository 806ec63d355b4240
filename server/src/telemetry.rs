//! Log lines on standard error, for people or machines.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{Log, LogFormat};

/// Starts logging; does nothing when something in this process logs already.
///
/// # Errors
/// When `log.filter` is not a filter.
pub fn start(log: &Log) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    let _already_logging = match log.format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing {
    //! Log lines, caught to be searched for what must not stand in them.

    use std::io;
    use std::sync::{Arc, LazyLock, Mutex, PoisonError};

    use tracing::Dispatch;
    use tracing::subscriber::{DefaultGuard, NoSubscriber};
    use tracing_subscriber::fmt::MakeWriter;

    /// While there is only one subscriber, a line that a thread without it meets first is switched
    /// off for all threads.
    static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

    /// Log lines of everything, from everywhere in this thread.
    #[derive(Clone, Default)]
    pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        /// Catches lines of every level until the guard is dropped.
        pub(crate) fn catch(&self) -> DefaultGuard {
            LazyLock::force(&ANOTHER);
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(self.clone())
                .finish();
            tracing::subscriber::set_default(subscriber)
        }

        /// All that were caught.
        pub(crate) fn caught(&self) -> Vec<u8> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }
}
