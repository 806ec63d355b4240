//! "Something new in this bucket": a doorbell between requests, never the news itself.

use onscene_sync_core::sync::message::Bucket;
use tokio::sync::broadcast;

/// Pokes that a slow listener may fall behind before it loses some.
const BACKLOG: usize = 1024;

/// A bucket has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poke {
    /// The bucket.
    pub bucket: Bucket,
    /// Its newest sequence number.
    pub seq: u64,
}

/// Tells live connections which buckets have grown. Losing a poke is harmless: phones also poll.
#[derive(Debug, Clone)]
pub struct Pokes(broadcast::Sender<Poke>);

impl Default for Pokes {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Pokes {
    /// Rings for `poke`; call it after the commit. Nobody listening is fine.
    pub fn ring(&self, poke: Poke) {
        let _nobody_listens = self.0.send(poke);
    }

    /// Hears every poke from here on. `Lagged` means that some were lost: poke everything.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Poke> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::id::UnitId;

    use super::*;

    #[test]
    fn a_listener_hears_what_rings_after_it_came_and_learns_what_it_lost() {
        let pokes = Pokes::default();
        let poke = |seq| Poke { bucket: Bucket::Unit(UnitId::from_bytes([1; 16])), seq };
        pokes.ring(poke(1));
        let mut listener = pokes.listen();
        pokes.ring(poke(2));
        assert_eq!(listener.try_recv(), Ok(poke(2)));
        for seq in 0..=BACKLOG as u64 {
            pokes.ring(poke(seq));
        }
        assert!(matches!(listener.try_recv(), Err(broadcast::error::TryRecvError::Lagged(1))));
    }
}
