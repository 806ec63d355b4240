//! A phone's platform and a hub in memory, for tests.

mod files;
mod hub;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use onscene_sync_core::crypto::{Signer, SigningFailed, sha256};
use onscene_sync_core::enrolment::message::KeyLevel;
use onscene_sync_core::id::BootId;
use onscene_sync_core::time::ClockReading;

// Only by what the library shows, so that benchmarks can take this module in, too.
use crate::{
    Applied, Clock, Device, Host, HostError, HttpReply, HttpRequest, KeyStore, OpenConfig, Random,
    SoftwareKeys, Step, UploadRequest, UploadStep, WaitReason,
};

pub(crate) use files::{body, header};
pub(crate) use hub::{Hub, UNIT, proof_parts};

/// The platform of one phone. Clones are the same phone.
#[derive(Clone)]
pub(crate) struct FakeHost(Arc<Mutex<State>>);

struct State {
    clock: ClockReading,
    key: Arc<SoftwareKeys>,
    key_fails: bool,
    seed: u8,
    drawn: u64,
}

impl FakeHost {
    pub(crate) fn new(seed: u8) -> Self {
        let key = SoftwareKeys::from_scalar(&[seed; 32]).unwrap();
        Self(Arc::new(Mutex::new(State {
            // The wall clock is years off: nothing may depend on it.
            clock: ClockReading {
                wall_ms: 946_684_800_000,
                boot_ns: 5_000_000_000,
                boot: BootId::from_bytes([seed; 8]),
            },
            key: Arc::new(key),
            key_fails: false,
            seed,
            drawn: 0,
        })))
    }

    pub(crate) fn host(&self) -> Host {
        Host {
            clock: Box::new(self.clone()),
            keys: Box::new(self.clone()),
            random: Box::new(self.clone()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn now(&self) -> ClockReading {
        self.state().clock
    }

    pub(crate) fn advance(&self, ms: u64) {
        let mut state = self.state();
        state.clock.boot_ns += ms * 1_000_000;
        state.clock.wall_ms += ms.cast_signed();
    }

    /// Switches the phone off and on again.
    pub(crate) fn reboot(&self) {
        let mut state = self.state();
        let mut boot = *state.clock.boot.as_bytes();
        boot[0] = boot[0].wrapping_add(1);
        state.clock.boot = BootId::from_bytes(boot);
        state.clock.boot_ns = 1_000_000_000;
    }

    pub(crate) fn break_key(&self, broken: bool) {
        self.state().key_fails = broken;
    }

    /// Opens the phone's store in a folder.
    pub(crate) fn open(&self, folder: &Path) -> Device {
        let config = OpenConfig {
            path: folder.join("phone.db"),
            model: "Test One".to_owned(),
            app_version: "1.0".to_owned(),
        };
        Device::open(config, self.host()).unwrap()
    }

    /// Opens the store and enrols at the hub.
    pub(crate) fn enrolled(&self, folder: &Path, hub: &mut Hub) -> Device {
        let mut device = self.open(folder);
        device.enrol("https://hub.example/", &hub.code(), None, false).unwrap();
        self.sync(&mut device, hub);
        assert!(device.standing().unwrap().is_some());
        device
    }

    /// Syncs until there is nothing left to do; returns the number of exchanges.
    pub(crate) fn sync(&self, device: &mut Device, hub: &mut Hub) -> usize {
        device.sync_soon();
        let mut exchanges = 0;
        for _ in 0..1_000 {
            match device.sync_next().unwrap() {
                Step::Send(request) => {
                    exchanges += usize::from(request.url.ends_with("/v1/sync"));
                    let reply = hub.handle(&request);
                    self.advance(20);
                    assert_eq!(device.sync_apply(request.id, &reply).unwrap(), Applied::Taken);
                }
                Step::Wait { ms, .. } => self.advance(ms),
                Step::Idle => return exchanges,
            }
        }
        panic!("sync does not come to an end: {:?}", device.events_since(0, 1_000).unwrap());
    }

    /// Uploads until there is nothing left to do; returns the number of requests.
    pub(crate) fn upload(&self, device: &mut Device, hub: &mut Hub) -> usize {
        let mut requests = 0;
        for _ in 0..2_000 {
            match device.upload_next().unwrap() {
                UploadStep::Send(request) => {
                    requests += 1;
                    let reply = hub.upload(&request);
                    self.advance(20);
                    assert_eq!(device.upload_apply(request.id, &reply).unwrap(), Applied::Taken);
                }
                UploadStep::Wait { ms, why } => {
                    self.advance(ms);
                    if why == WaitReason::NeedsSync {
                        self.sync(device, hub);
                    }
                }
                UploadStep::Idle => return requests,
            }
        }
        panic!("uploading does not come to an end: {:?}", device.evidence(0, 100).unwrap());
    }

    /// The next request of the lane of a phone that has one.
    pub(crate) fn next_upload(&self, device: &mut Device) -> UploadRequest {
        for _ in 0..50 {
            match device.upload_next().unwrap() {
                UploadStep::Send(request) => return request,
                UploadStep::Wait { ms, .. } => self.advance(ms),
                UploadStep::Idle => break,
            }
        }
        panic!("there is no file to send");
    }

    /// The next request of a phone that has one.
    pub(crate) fn next_request(&self, device: &mut Device) -> HttpRequest {
        device.sync_soon();
        for _ in 0..10 {
            match device.sync_next().unwrap() {
                Step::Send(request) => return request,
                Step::Wait { ms, .. } => self.advance(ms),
                Step::Idle => break,
            }
        }
        panic!("there is nothing to send");
    }
}

impl Clock for FakeHost {
    fn read(&self) -> Result<ClockReading, HostError> {
        let mut state = self.state();
        state.clock.boot_ns += 1_000;
        Ok(state.clock)
    }
}

impl Signer for FakeHost {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        let (key, fails) = {
            let state = self.state();
            (Arc::clone(&state.key), state.key_fails)
        };
        if fails { Err(SigningFailed::for_now("locked")) } else { key.sign(message) }
    }
}

impl KeyStore for FakeHost {
    fn public_key(&self) -> Result<Vec<u8>, HostError> {
        self.state().key.public_key()
    }

    fn level(&self) -> KeyLevel {
        KeyLevel::Software
    }

    fn wrap(&self, data_key: &[u8]) -> Result<Vec<u8>, HostError> {
        self.state().key.wrap(data_key)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Vec<u8>, HostError> {
        let state = self.state();
        if state.key_fails { Err(HostError::for_now("locked")) } else { state.key.unwrap(wrapped) }
    }
}

impl Random for FakeHost {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        let mut state = self.state();
        for chunk in bytes.chunks_mut(32) {
            state.drawn += 1;
            let drawn = state.drawn.to_be_bytes();
            let block = sha256(&[&[state.seed], &drawn[..]].concat());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// An answer without headers.
pub(crate) fn reply(status: u16, body: impl Into<Vec<u8>>) -> HttpReply {
    HttpReply { status, headers: Vec::new(), body: body.into() }
}
