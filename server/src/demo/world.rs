//! Everything that a demonstration runs on: hub, desks, inspectors with phones, and the account.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::desk::Desk;
use super::error::DemoError;
use super::founding::{self, ADMIN_KEY, DISPATCHER_KEY, SUPERVISOR_KEY};
use super::hub::Hub;
use super::ledger::{self, HubBook};
use super::memory::{FIRST_MORNING, Memory};
use super::people::{INSPECTORS, Oddity};
use super::pocket::Pocket;
use super::report::Table;
use super::villains::CopiedPhone;
use crate::phone::transport::Transport;

/// The world.
#[derive(Debug)]
pub struct World {
    /// The demonstration's folder.
    pub dir: PathBuf,
    /// The server.
    pub hub: Hub,
    /// The phones' way to it.
    pub transport: Transport,
    /// The administrator's desk.
    pub admin: Desk,
    /// The command centre's desk.
    pub dispatcher: Desk,
    /// The supervisor's desk.
    pub supervisor: Desk,
    /// The inspectors, as in [`INSPECTORS`].
    pub pockets: Vec<Pocket>,
    /// The copied phone, once there is one.
    pub copied: Option<CopiedPhone>,
    /// What the folder remembers.
    pub memory: Memory,
    /// The account.
    pub account: Account,
}

impl World {
    /// Opens the world kept in `dir`, or founds one.
    ///
    /// # Errors
    /// When the folder, the port or the hub cannot be used.
    pub async fn open(
        dir: &Path,
        port: u16,
        seed: u64,
        out: Box<dyn Write + Send>,
    ) -> Result<Self, DemoError> {
        fs::create_dir_all(dir)?;
        let remembered = Memory::load(dir)?;
        let (port, now, seed, days) = match &remembered {
            Some(memory) => (memory.port, memory.next_morning(), memory.seed, memory.days),
            None => (port, FIRST_MORNING, seed, 0),
        };
        let hub = Hub::start(dir, port, now, seed ^ u64::from(days) << 40).await?;
        hub.turn_to(now).await?;
        let client = reqwest::Client::new();
        let desk = |file: &str| -> Result<Desk, DemoError> {
            let key = fs::read_to_string(dir.join(file))?;
            Ok(Desk::new(client.clone(), &hub.address, key.trim()))
        };
        let admin = desk(ADMIN_KEY)?;
        let memory = match remembered {
            Some(memory) => memory,
            None => founding::found(dir, &hub, &admin, seed).await?,
        };
        let transport = Transport::new()?;
        let pockets = founding::hand_out(dir, &hub, &admin, &memory, &transport).await?;
        let mut world = Self {
            dir: dir.to_owned(),
            dispatcher: desk(DISPATCHER_KEY)?,
            supervisor: desk(SUPERVISOR_KEY)?,
            hub,
            transport,
            admin,
            pockets,
            copied: None,
            memory,
            account: Account::to(out),
        };
        if world.memory.copied.is_some() {
            world.copy_phone()?;
        }
        world.remember()?;
        Ok(world)
    }

    /// Copies the storage of the phone that is to be cloned, or opens the copy of an earlier day.
    ///
    /// # Errors
    /// When the storage cannot be copied.
    pub fn copy_phone(&mut self) -> Result<(), DemoError> {
        let number = odd(Oddity::Cloned);
        let earlier = self.memory.copied;
        let seed = self.memory.seed ^ u64::from(self.memory.days) << 8;
        let original = &self.pockets[number];
        let copied = CopiedPhone::of(&self.dir, &self.hub, original, number, earlier, seed)?;
        self.memory.copied = Some(copied.copied);
        self.copied = Some(copied);
        self.remember()
    }

    /// Writes down where the world stands.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn remember(&mut self) -> Result<(), DemoError> {
        self.memory.now = self.hub.app.now();
        for (phone, pocket) in self.memory.phones.iter_mut().zip(&self.pockets) {
            phone.recorded = pocket.recorded;
            phone.taken = pocket.taken;
            phone.handset.clone_from(&pocket.walker.handset);
        }
        self.memory.save(&self.dir)
    }

    /// What became of everything that was ever recorded.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn table(&self) -> Result<Table, DemoError> {
        let book = HubBook::count(&self.hub).await?;
        ledger::table(&self.pockets, self.copied.as_ref(), self.memory.forged, &book)
    }
}

/// The number of the inspector with this oddity.
#[must_use]
pub fn odd(oddity: Oddity) -> usize {
    INSPECTORS.iter().position(|who| who.oddity == oddity).unwrap_or(0)
}
