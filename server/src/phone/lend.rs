//! What this machine lends to the device library: clocks and chance.

use std::sync::Arc;

use onscene_mobile::{Clock, Host, HostError, Random, SoftwareKeys};
use onscene_sync_core::time::ClockReading;

use super::clocks;
use crate::random::{self, SystemRandom};

/// This machine as a phone with these keys.
#[must_use]
pub fn machine(keys: SoftwareKeys) -> Host {
    Host {
        clock: Box::new(MachineClock),
        keys: Box::new(keys),
        random: Box::new(Chance(Arc::new(SystemRandom))),
    }
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn read(&self) -> Result<ClockReading, HostError> {
        clocks::read().map_err(HostError::for_now)
    }
}

/// Chance from the server's source of it.
#[derive(Debug, Clone)]
pub struct Chance(pub Arc<dyn random::Random>);

impl Random for Chance {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        self.0.fill(bytes);
        Ok(())
    }
}
