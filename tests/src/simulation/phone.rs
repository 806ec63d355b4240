//! One simulated phone: the real device library over a file, in the hands of somebody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use onscene_mobile::{Device, Item, ItemState, OpenConfig};
use onscene_mobile::{HttpReply, HttpRequest};
use onscene_sync_core::id::{DocId, FactId, PersonId};

use crate::handset::Handset;

/// A phone and what the world remembers of it.
#[derive(Debug)]
pub struct Phone {
    dir: PathBuf,
    /// Clocks, key, chance.
    pub handset: Handset,
    /// Whose it is.
    pub person: PersonId,
    /// Index of that person's unit now.
    pub unit: usize,
    /// The bureau revoked it.
    pub revoked: bool,
    /// A backup was taken.
    pub backed_up: bool,
    /// It was restored from one, and has forgotten what it took since.
    pub restored: bool,
    /// Requests to be carried out once more, later.
    pub repeats: Vec<HttpRequest>,
    /// Answers on their way after the phone gave up.
    pub late: Vec<(u64, HttpReply)>,
    /// Everything this phone ever showed as delivered.
    pub acknowledged: BTreeMap<FactId, DocId>,
    device: Option<Device>,
}

impl Phone {
    /// Opens a new phone in `dir`.
    #[must_use]
    pub fn new(dir: PathBuf, handset: Handset, person: PersonId, unit: usize) -> Self {
        std::fs::create_dir_all(&dir).expect("a folder");
        let mut phone = Self {
            dir,
            handset,
            person,
            unit,
            revoked: false,
            backed_up: false,
            restored: false,
            repeats: Vec::new(),
            late: Vec::new(),
            acknowledged: BTreeMap::new(),
            device: None,
        };
        phone.open();
        phone
    }

    /// The library.
    pub fn device(&mut self) -> &mut Device {
        self.device.as_mut().expect("it is open between calls")
    }

    fn store(&self) -> PathBuf {
        self.dir.join("onscene.db")
    }

    fn open(&mut self) {
        let config = OpenConfig {
            path: self.store(),
            model: "simulated".to_owned(),
            app_version: "1".to_owned(),
        };
        self.device = Some(Device::open(config, self.handset.host()).expect("the store opens"));
    }

    /// The app is killed and started again: what was shown as saved is still there.
    pub fn crash(&mut self) {
        let before = self.device().counts().expect("counts").recorded;
        self.device = None;
        self.open();
        let after = self.device().counts().expect("counts").recorded;
        assert_eq!(before, after, "a crash changed what is recorded");
    }

    /// Somebody backs the phone up.
    pub fn back_up(&mut self) {
        self.device = None;
        copy(&self.store(), &self.dir.join("backup.db"));
        self.backed_up = true;
        self.open();
    }

    /// The phone is restored from its backup. Whatever was saved since and not delivered is gone with
    /// the old phone; nothing else may be.
    pub fn restore(&mut self) {
        self.device = None;
        for suffix in ["-wal", "-shm"] {
            let _absent = std::fs::remove_file(self.dir.join(format!("onscene.db{suffix}")));
        }
        copy(&self.dir.join("backup.db"), &self.store());
        self.restored = true;
        self.open();
    }

    /// Every record, oldest first.
    pub fn items(&mut self) -> Vec<Item> {
        self.device().items(0, 100_000).expect("items")
    }

    /// Remembers what the phone shows as delivered now.
    pub fn note_acknowledged(&mut self) {
        for item in self.items() {
            let delivered = matches!(item.state, ItemState::Delivered | ItemState::Verified);
            if let (true, Some(fact)) = (delivered, item.fact) {
                self.acknowledged.insert(fact, item.doc);
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("a copy of the store");
}
