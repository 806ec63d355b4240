//! What this machine lends to the device library: clocks, a key in a file, chance.

use std::sync::Arc;

use onscene_mobile::{Clock, Host, HostError, KeyStore, Random};
use onscene_sync_core::crypto::{Signer, SigningFailed, SoftwareP256};
use onscene_sync_core::enrolment::message::KeyLevel;
use onscene_sync_core::time::ClockReading;

use super::clocks;
use crate::random::{self, SystemRandom};

/// This machine as a phone, with `key` as its key.
#[must_use]
pub fn machine(key: SoftwareP256) -> Host {
    Host {
        clock: Box::new(MachineClock),
        keys: Box::new(FileKey(key)),
        random: Box::new(Chance(Arc::new(SystemRandom))),
    }
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn read(&self) -> Result<ClockReading, HostError> {
        clocks::read().map_err(|error| HostError(error.to_string()))
    }
}

/// A key that was read from a file.
#[derive(Debug)]
pub struct FileKey(pub SoftwareP256);

impl Signer for FileKey {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        self.0.sign(message)
    }
}

impl KeyStore for FileKey {
    fn public_key(&self) -> Result<Vec<u8>, HostError> {
        Ok(self.0.public_key())
    }

    fn level(&self) -> KeyLevel {
        KeyLevel::Software
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
