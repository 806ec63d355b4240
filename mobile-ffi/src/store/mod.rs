//! The phone's one file: SQLite in WAL mode with `synchronous=FULL`, its values sealed.
//!
//! With FULL, what a call has acknowledged survives a power cut; with NORMAL it would not
//! (hundreds of commits were lost in a simulated cut). Each call is one transaction.
//!
//! Whoever finds the file sees how many records and documents there are, their random ids, sizes and
//! states, and when documents change together; what anybody said, did or was told, where and when,
//! opens with the data key only ([`key`]). Files of evidence are not sealed: they lie in a folder of
//! the app as the camera wrote them, where the platform's own encryption protects them.
//!
//! | module | tables |
//! |---|---|
//! | [`meta`] | `meta`: identity, chain, tokens, what sync is about |
//! | [`documents`] | `doc`, `ordered`: the hub's state of each document |
//! | [`intents`] | `intent`, `alias`: everything recorded on this phone |
//! | [`feed`] | `bucket`, `member`, `anchor` |
//! | [`carried`], [`told`] | `carried`, `statement`, `introduced`, `colleague`; `told`: what colleagues handed over |
//! | [`events`] | `event` |
//! | [`evidence`] | `capture`, `evidence`: files taken and how far each has come |
//! | [`arriving`] | `arriving`: arrivals from the tap until they are claimed |
//! | [`work`], `list` | `work`: what lists show of each case, and the same in memory |
//! | `migrate`, [`salvage`] | reading older stores, and what is whole in one without its key |
//! | [`key`], [`db`] | `data_key`; sealing and opening values |

pub(crate) mod arriving;
pub(crate) mod carried;
pub(crate) mod db;
pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod feed;
pub(crate) mod intents;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod mend;
pub(crate) mod meta;
mod migrate;
pub(crate) mod salvage;
pub(crate) mod told;
pub(crate) mod work;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use onscene_sync_core::id::DocId;
use onscene_sync_core::seal::DataKey;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::error::DeviceError;
use crate::host::Host;
use db::{Db, Sealer};
use key::Holder;
use list::List;
use mend::Mended;

/// Marks the file as ours ("OnSc").
const APPLICATION_ID: i64 = 0x4f6e_5363;
/// What makes each version of the schema from the one before. Steps are added, never changed.
const STEPS: [&str; 7] = [
    include_str!("schema.sql"),
    include_str!("evidence.sql"),
    include_str!("work.sql"),
    include_str!("handover.sql"),
    include_str!("arriving.sql"),
    include_str!("inherited.sql"),
    include_str!("ruled.sql"),
];
/// The schema that the first step makes.
const FIRST: i64 = 2;
/// The schema that this build writes, and the newest it reads.
pub(crate) const SCHEMA: i64 = FIRST + STEPS.len() as i64 - 1;
/// SQLite before 3.51.3 can corrupt a WAL when two connections reset it at once.
const SQLITE_AT_LEAST: i32 = 3_051_003;

/// The open file.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    sealer: Sealer,
    list: RefCell<Option<List>>,
}

impl Store {
    /// Opens the file, or makes it with a new data key.
    pub(crate) fn open(path: &Path, host: &Host) -> Result<Self, DeviceError> {
        let (mut connection, found) = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        configure(&connection)?;
        let key = match found {
            Found::Nothing => make(&mut connection, host)?,
            Found::Plain => migrate::seal_plain(&mut connection, host)?,
            Found::Store(_) => key::unlock(&connection, host)?,
        };
        let sealer = key::sealer(key, host)?;
        if let Found::Store(version) = found {
            migrate(&mut connection, &sealer, version)?;
        }
        Ok(Self { connection, sealer, list: RefCell::default() })
    }

    /// Opens the file of a store that is there, without its key.
    pub(crate) fn connect(path: &Path) -> Result<Connection, DeviceError> {
        match connect(path, OpenFlags::empty())? {
            (connection, Found::Store(_)) => Ok(connection),
            (_, Found::Plain) => Err(DeviceError::NoRecovery),
            (_, Found::Nothing) => Err(DeviceError::NotAStore { path: path.to_owned() }),
        }
    }

    /// Runs `run` in one transaction; an error takes all of it back.
    pub(crate) fn write<T>(
        &mut self,
        run: impl FnOnce(Db<'_>) -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let touched = RefCell::default();
        let db = Db::new(&tx, &self.sealer).noting(&touched);
        let value = run(db)?;
        let cases = work::refresh(db, touched.take())?;
        tx.commit()?;
        self.follow(cases);
        Ok(value)
    }

    /// Lets the list in memory follow a transaction; one that cannot is read anew when next asked for.
    fn follow(&mut self, cases: BTreeSet<DocId>) {
        let db = Db::new(&self.connection, &self.sealer);
        let list = self.list.get_mut();
        if list.as_mut().is_some_and(|list| list.follow(db, cases).is_err()) {
            *list = None;
        }
    }

    /// Looks at the list of work, read first if need be.
    pub(crate) fn list<T>(&self, look: impl FnOnce(&List) -> T) -> Result<T, DeviceError> {
        let mut list = self.list.borrow_mut();
        if list.is_none() {
            *list = Some(List::read(self.read())?);
        }
        Ok(look(list.get_or_insert_default()))
    }

    /// Gives back the memory of the list.
    pub(crate) fn forget_list(&mut self) {
        *self.list.get_mut() = None;
    }

    /// Reading only.
    pub(crate) const fn read(&self) -> Db<'_> {
        Db::new(&self.connection, &self.sealer)
    }

    /// What in the store is damaged, in words. Reads all of it.
    pub(crate) fn check(&self) -> Result<Vec<String>, DeviceError> {
        mend::check(self.read())
    }

    /// Puts what can be read into a new file in the place of the damaged one, which is kept beside it.
    /// Wherever the phone is switched off, one of the two is whole in its place.
    pub(crate) fn mend(&mut self, host: &Host) -> Result<Mended, DeviceError> {
        let path = self.connection.path().map(PathBuf::from).unwrap_or_default();
        let fresh = mend::beside(&path, "mending");
        let mut mended = mend::make(self.read(), &fresh, host)?;
        *self.list.get_mut() = None;
        let old = std::mem::replace(&mut self.connection, Connection::open_in_memory()?);
        mended.damaged_file = mend::exchange(old, &fresh, &path)?;
        let (connection, _) = connect(&path, OpenFlags::empty())?;
        configure(&connection)?;
        self.connection = connection;
        Ok(mended)
    }

    /// Bytes of the file, without what waits in its WAL.
    pub(crate) fn bytes(&self) -> Result<u64, DeviceError> {
        let pages: i64 =
            self.connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let size: i64 = self.connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        u64::try_from(pages.saturating_mul(size)).map_err(|_| DeviceError::damaged("page count"))
    }
}

/// What is in the file.
enum Found {
    Nothing,
    /// Schema 1, whose values were in the clear.
    Plain,
    /// A store of this version.
    Store(i64),
}

fn connect(path: &Path, more: OpenFlags) -> Result<(Connection, Found), DeviceError> {
    if rusqlite::version_number() < SQLITE_AT_LEAST {
        return Err(DeviceError::Store(format!(
            "SQLite {} is too old: build with 3.51.3 or newer",
            rusqlite::version()
        )));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    let found = inspect(&connection, path)?;
    Ok((connection, found))
}

/// Looks at a file before anything in it is changed.
fn inspect(connection: &Connection, path: &Path) -> Result<Found, DeviceError> {
    let foreign = || DeviceError::NotAStore { path: path.to_owned() };
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let objects = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
    let objects: i64 = objects.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => foreign(),
        _ => error.into(),
    })?;
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, found) if found > SCHEMA => {
            Err(DeviceError::StoreTooNew { found, known: SCHEMA })
        }
        (APPLICATION_ID, 1) => Ok(Found::Plain),
        (APPLICATION_ID, found) => Ok(Found::Store(found)),
        _ if objects > 0 => Err(foreign()),
        _ => Ok(Found::Nothing),
    }
}

fn configure(connection: &Connection) -> Result<(), DeviceError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", "ON")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(())
}

/// Makes a store with a data key of its own.
fn make(connection: &mut Connection, host: &Host) -> Result<DataKey, DeviceError> {
    let (key, wrapped) = key::make(host)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    lay_out(&tx)?;
    key::keep(&tx, Holder::Phone, &key, &wrapped)?;
    tx.commit()?;
    Ok(key)
}

/// Makes the tables of an empty store.
fn lay_out(connection: &Connection) -> Result<(), DeviceError> {
    STEPS.iter().try_for_each(|step| connection.execute_batch(step))?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(connection.pragma_update(None, "user_version", SCHEMA)?)
}

/// Brings a store of an earlier version up to date, with all that it holds.
fn migrate(connection: &mut Connection, sealer: &Sealer, version: i64) -> Result<(), DeviceError> {
    if version == SCHEMA {
        return Ok(());
    }
    let done = usize::try_from(version - FIRST + 1).unwrap_or(0);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    STEPS[done..].iter().try_for_each(|step| tx.execute_batch(step))?;
    let db = Db::new(&tx, sealer);
    intents::stamp_all(db)?;
    work::rebuild(db)?;
    tx.pragma_update(None, "user_version", SCHEMA)?;
    tx.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    fn open(path: &Path) -> Result<Store, DeviceError> {
        Store::open(path, &FakeHost::new(1).host())
    }

    #[test]
    fn a_file_of_something_else_or_of_a_newer_app_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("notes.txt");
        std::fs::write(&text, "x".repeat(5_000)).unwrap();
        assert_eq!(open(&text).unwrap_err(), DeviceError::NotAStore { path: text.clone() });
        assert_eq!(std::fs::read(&text).unwrap(), "x".repeat(5_000).into_bytes());

        let foreign = dir.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
        assert!(matches!(open(&foreign), Err(DeviceError::NotAStore { .. })));

        let newer = dir.path().join("newer.db");
        drop(open(&newer).unwrap());
        Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert_eq!(
            open(&newer).unwrap_err(),
            DeviceError::StoreTooNew { found: 99, known: SCHEMA }
        );
    }

    #[test]
    fn a_store_of_an_earlier_version_is_brought_up_to_date_with_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("phone.db");
        let mut store = open(&path).unwrap();
        store.write(|tx| meta::put(tx, "chain", &7_u64)).unwrap();
        drop(store);
        let earlier = Connection::open(&path).unwrap();
        earlier
            .execute_batch(
                "ALTER TABLE intent DROP COLUMN stamp; DROP TABLE work; DROP TABLE evidence;
                 DROP TABLE capture; DROP TABLE carried; DROP TABLE introduced;
                 DROP TABLE statement; DROP TABLE colleague; DROP TABLE told; DROP TABLE arriving",
            )
            .unwrap();
        earlier.pragma_update(None, "user_version", FIRST).unwrap();
        drop(earlier);
        for _ in 0..2 {
            let store = open(&path).unwrap();
            assert_eq!(meta::get::<u64>(store.read(), "chain"), Ok(Some(7)));
            assert_eq!(evidence::captures(store.read()), Ok(Vec::new()));
        }
    }

    #[test]
    fn a_folder_a_missing_place_and_a_read_only_file_say_so() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("no/such/place")] {
            assert!(matches!(open(&path), Err(DeviceError::Store(_))), "{path:?}");
        }
    }

    #[test]
    fn every_commit_waits_for_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("phone.db")).unwrap();
        let pragma = |name| {
            store
                .read()
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
        };
        assert_eq!(pragma("synchronous").unwrap(), rusqlite::types::Value::Integer(2));
        assert_eq!(pragma("journal_mode").unwrap(), rusqlite::types::Value::Text("wal".into()));
    }

    #[test]
    fn an_error_takes_the_whole_transaction_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(&dir.path().join("phone.db")).unwrap();
        let failed = store.write(|tx| {
            meta::put(tx, "chain", &7_u64)?;
            Err::<(), _>(DeviceError::NotEnrolled)
        });
        assert_eq!(failed, Err(DeviceError::NotEnrolled));
        assert_eq!(meta::get::<u64>(store.read(), "chain"), Ok(None));
        assert!(store.bytes().unwrap() > 0);
    }

    #[test]
    fn only_the_key_store_that_made_a_store_opens_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("phone.db");
        let (mut first, second) = (open(&path).unwrap(), FakeHost::new(2).host());
        first.write(|tx| meta::put(tx, "chain", &7_u64)).unwrap();
        drop(first);
        let refused = Store::open(&path, &second).unwrap_err();
        assert!(matches!(refused, DeviceError::KeyUnavailable { .. }), "{refused:?}");
        assert_eq!(meta::get::<u64>(open(&path).unwrap().read(), "chain"), Ok(Some(7)));
    }
}
