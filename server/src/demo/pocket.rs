//! An inspector with a phone: the device library, its clocks, and a count of everything recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use onscene_mobile::{Clock, Device, DeviceError, Host, HostError, Job, NewFile, OpenConfig};
use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::FactId;
use onscene_sync_core::time::{ClockReading, Millis};

use super::error::DemoError;
use super::handset::Handset;
use super::walker::Walker;
use crate::clock::{Clock as _, ManualClock};
use crate::phone::drive::{Round, round, upload};
use crate::phone::folder::Folder;
use crate::phone::lend::Chance;
use crate::phone::transport::Transport;
use crate::random::SeededRandom;

/// An inspector and the phone in their pocket.
#[derive(Debug)]
pub struct Pocket {
    /// The inspector.
    pub walker: Walker,
    /// The phone.
    pub device: Device,
    /// Records made on it so far, counted by whoever makes them.
    pub recorded: u64,
    /// Photos taken with it so far, counted likewise.
    pub taken: u64,
    /// The case (of the day) that the inspector is on.
    pub busy_with: Option<usize>,
    /// Cases had today.
    pub had: u32,
    /// The order accepted last.
    pub has_accepted: Option<FactId>,
    worn: Arc<Mutex<Handset>>,
    dir: PathBuf,
}

impl Pocket {
    /// Opens the phone kept in `dir`, or makes it.
    ///
    /// # Errors
    /// When its storage cannot be used.
    pub fn open(
        dir: &Path,
        walker: Walker,
        clock: &ManualClock,
        seed: u64,
    ) -> Result<Self, DemoError> {
        let worn = Arc::new(Mutex::new(walker.handset.clone()));
        let device = open_device(dir, &walker, &worn, clock, seed)?;
        Ok(Self {
            walker,
            device,
            recorded: 0,
            taken: 0,
            busy_with: None,
            had: 0,
            has_accepted: None,
            worn,
            dir: dir.to_owned(),
        })
    }

    /// Records something and counts it.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn record<T>(
        &mut self,
        deed: impl FnOnce(&mut Device) -> Result<T, DeviceError>,
    ) -> Result<T, DemoError> {
        let done = deed(&mut self.device).map_err(|source| self.failed(source))?;
        self.recorded += 1;
        Ok(done)
    }

    /// Takes a photo with the app's camera, and counts it; returns the fact that names it.
    ///
    /// # Errors
    /// When the library refuses or the file cannot be written.
    pub fn photograph(
        &mut self,
        job: Job,
        picture: &[u8],
        before: Option<FactId>,
    ) -> Result<FactId, DemoError> {
        let begun = self.device.begin_capture(job, jpeg(before));
        let capture = begun.map_err(|source| self.failed(source))?;
        fs::write(&capture.path, picture)?;
        let fact = self.record(|device| device.finish_capture(capture.id, None))?;
        self.taken += 1;
        Ok(fact)
    }

    /// Attaches a photo that came from elsewhere, and counts it; returns the fact that names it.
    ///
    /// # Errors
    /// When the library refuses or the file cannot be written.
    pub fn import(&mut self, job: Job, picture: &[u8]) -> Result<FactId, DemoError> {
        let file = self.dir.join("received.jpg");
        fs::write(&file, picture)?;
        let fact = self.record(|device| device.attach(job, &file, jpeg(None), None))?;
        self.taken += 1;
        Ok(fact)
    }

    /// Asks the library something.
    ///
    /// # Errors
    /// When its store fails.
    pub fn ask<T>(
        &self,
        question: impl FnOnce(&Device) -> Result<T, DeviceError>,
    ) -> Result<T, DemoError> {
        question(&self.device).map_err(|source| self.failed(source))
    }

    /// Exchanges everything with the hub, then sends the photos.
    ///
    /// # Errors
    /// When the library's store fails.
    pub async fn sync(&mut self, transport: &Transport) -> Result<Round, DemoError> {
        let who = self.walker.who.english;
        let failed = |source| DemoError::Phone { who, source };
        let synced = round(&mut self.device, transport).await.map_err(failed)?;
        self.device.upload_soon();
        upload(&mut self.device, transport).await.map_err(failed)?;
        Ok(synced)
    }

    /// Switches the phone off and on again.
    pub fn restart(&mut self, now: Millis) {
        self.walker.handset.restart(now);
        *self.worn.lock().unwrap_or_else(PoisonError::into_inner) = self.walker.handset.clone();
    }

    /// The phone's clocks at a moment.
    #[must_use]
    pub fn reading(&self, at: Millis) -> ClockReading {
        self.walker.handset.reading(at)
    }

    /// Name in both scripts.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.walker.who.chinese, self.walker.who.english)
    }

    fn failed(&self, source: DeviceError) -> DemoError {
        DemoError::Phone { who: self.walker.who.english, source }
    }
}

fn jpeg(before: Option<FactId>) -> NewFile {
    NewFile { media: Media::Photo, extension: "jpg".to_owned(), before }
}

fn open_device(
    dir: &Path,
    walker: &Walker,
    worn: &Arc<Mutex<Handset>>,
    clock: &ManualClock,
    seed: u64,
) -> Result<Device, DemoError> {
    let chance = Arc::new(SeededRandom::new(seed));
    let folder = Folder::make(dir, &*chance)?;
    let host = Host {
        clock: Box::new(Worn { handset: Arc::clone(worn), clock: clock.clone() }),
        keys: Box::new(folder.keys()?),
        random: Box::new(Chance(chance)),
    };
    let config = OpenConfig {
        path: folder.store_path(),
        model: "demonstration phone".to_owned(),
        app_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Device::open(config, host)
        .map_err(|source| DemoError::Phone { who: walker.who.english, source })
}

/// Where the phone of inspector `number` is kept.
#[must_use]
pub fn folder_of(dir: &Path, number: usize) -> PathBuf {
    dir.join("phones").join(format!("{:02}", number + 1))
}

/// Shows what a handset's clocks show at the world's time.
#[derive(Debug)]
struct Worn {
    handset: Arc<Mutex<Handset>>,
    clock: ManualClock,
}

impl Clock for Worn {
    fn read(&self) -> Result<ClockReading, HostError> {
        let handset = self.handset.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(handset.reading(self.clock.now()))
    }
}
