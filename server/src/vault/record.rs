//! Records: stored, recognised without being read, erased.

use std::fmt;

use minicbor::{Decode, Encode};
use onscene_sync_core::id::{DocId, PersonId};
use onscene_sync_core::limits::{COMPLAINANT_ADDRESS_CHARS, COMPLAINANT_CHARS};
use onscene_sync_core::privacy::Identity;
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::VaultError;
use super::keys::VaultKeys;
use super::reply;
use super::seal::{self, Fresh, Key, Place};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::hub::inconsistent;
use crate::random;
use crate::store::{RowExt as _, StoreError, Tx};

/// Who raised a case. `Debug` shows nothing of it; its JSON is the answer to a logged read only.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Encode, Decode, JsonSchema)]
#[serde(try_from = "Value")]
#[schemars(!try_from, default, deny_unknown_fields)]
#[cbor(array)]
pub struct Complainant {
    /// Name, as the caller gave it; empty when not given.
    #[n(0)]
    pub name: String,
    /// Telephone number.
    #[n(1)]
    pub number: String,
    /// Address.
    #[n(2)]
    pub address: String,
}

impl fmt::Debug for Complainant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Complainant(…)")
    }
}

/// What is wrong is said without the words that are wrong: the text may end up in somebody's log.
impl TryFrom<Value> for Complainant {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let Value::Object(mut fields) = value else {
            return Err("`complainant` is an object of `name`, `number` and `address`".to_owned());
        };
        let mut take = |field: &str, most: usize| {
            let text = match fields.remove(field) {
                None | Some(Value::Null) => return Ok(String::new()),
                Some(Value::String(text)) => text.trim().to_owned(),
                Some(_) => return Err(format!("`complainant.{field}` is a text")),
            };
            if text.chars().count() > most || text.chars().any(char::is_control) {
                return Err(format!(
                    "`complainant.{field}` has at most {most} characters and no control characters"
                ));
            }
            Ok(text)
        };
        let complainant = Self {
            name: take("name", COMPLAINANT_CHARS)?,
            number: take("number", COMPLAINANT_CHARS)?,
            address: take("address", COMPLAINANT_ADDRESS_CHARS)?,
        };
        if !fields.is_empty() {
            return Err(
                "`complainant` has `name`, `number` and `address` and nothing else".to_owned()
            );
        }
        if complainant == Self::default() {
            return Err("`complainant` needs at least one of name, number and address".to_owned());
        }
        Ok(complainant)
    }
}

impl Complainant {
    /// For [`privacy::scan`](onscene_sync_core::privacy::scan).
    #[must_use]
    pub fn identity(&self) -> Identity<'_> {
        Identity { name: &self.name, number: &self.number, address: &self.address }
    }

    /// A fingerprint of it for idempotency, which tells nothing to who has not the vault's keys.
    #[must_use]
    pub fn fingerprint(&self, keys: &VaultKeys) -> Vec<u8> {
        keys.fingerprint(&minicbor::to_vec(self).expect("writing CBOR to memory cannot fail"))
    }
}

/// A record about to be stored, sealed under a key of its own.
#[derive(Debug, Clone)]
pub struct Sealed {
    key: Key,
    record: Vec<u8>,
    caller: Option<Vec<u8>>,
    fresh: Fresh,
}

impl Sealed {
    /// Seals a record for this case.
    #[must_use]
    pub fn new(app: &App, case: DocId, complainant: &Complainant) -> Self {
        let key = Key::from_bytes(random::bytes(&*app.random));
        let plain = minicbor::to_vec(complainant).expect("writing CBOR to memory cannot fail");
        let record = seal::seal(&key, Fresh::draw(&*app.random), Place::Record(case), &plain);
        let caller = app.keys.vault.caller(&complainant.number);
        Self { key, record, caller, fresh: Fresh::draw(&*app.random) }
    }
}

/// The generation of the master key in use; it stays so until the transaction ends.
pub(super) async fn generation(tx: &mut Tx) -> Result<u32, StoreError> {
    let lock = tx.engine().for_update();
    let sql = format!("SELECT generation FROM vault WHERE one = 1{lock}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(tx.conn()).await?.number("generation")
}

/// Stores the complainant of a case, in place of what was stored before.
///
/// # Errors
/// When the master key is absent or the record was erased, and the database's.
pub async fn store(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    by: PersonId,
    sealed: &Sealed,
) -> Result<(), VaultError> {
    const SQL: &str = "INSERT INTO complainant \
         (case_id, generation, wrapped_key, sealed, caller, stored_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (case_id) DO UPDATE SET \
         generation = excluded.generation, wrapped_key = excluded.wrapped_key, \
         sealed = excluded.sealed, caller = excluded.caller, changed_at = excluded.changed_at \
         WHERE complainant.erased_at IS NULL";
    let now = app.now();
    let generation = generation(tx).await?;
    let master = app.keys.vault.master(generation)?;
    let wrapped = seal::wrap(&master, sealed.fresh, case, generation, &sealed.key);
    let query = sqlx::query(SQL).bind(&case.as_bytes()[..]).bind(i64::from(generation));
    let query = query.bind(wrapped).bind(&sealed.record[..]).bind(sealed.caller.clone());
    let stored = query.bind(now.0).execute(tx.conn()).await.map_err(StoreError::from)?;
    if stored.rows_affected() == 0 {
        return Err(VaultError::Erased(case));
    }
    let entry = Entry::new(Deed::ComplainantStored, now).by(by).to(case.as_bytes());
    Ok(audit::note(tx, &[entry]).await?)
}

/// A record as it lies in the vault, with its key.
pub(super) struct Found {
    pub(super) key: Key,
    record: Vec<u8>,
}

/// Finds a record and unwraps its key.
pub(super) async fn find(tx: &mut Tx, app: &App, case: DocId) -> Result<Found, VaultError> {
    const SQL: &str =
        "SELECT generation, wrapped_key, sealed, erased_at FROM complainant WHERE case_id = $1";
    let query = sqlx::query(SQL).bind(&case.as_bytes()[..]);
    let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let row = row.ok_or(VaultError::Absent(case))?;
    if row.opt_int("erased_at")?.is_some() {
        return Err(VaultError::Erased(case));
    }
    let generation = row.number("generation")?;
    let master = app.keys.vault.master(generation)?;
    let key = seal::unwrap(&master, case, generation, &row.bytes("wrapped_key")?);
    let key = key.ok_or(VaultError::Damaged(case))?;
    Ok(Found { key, record: row.bytes("sealed")? })
}

impl Found {
    pub(super) fn open(&self, case: DocId) -> Result<Complainant, VaultError> {
        let plain = seal::open(&self.key, Place::Record(case), &self.record);
        let read = plain.and_then(|plain| minicbor::decode(&plain).ok());
        read.ok_or(VaultError::Damaged(case))
    }
}

/// Destroys a record's key, and what it sealed, with what the complainant wrote back: about the case, and
/// about none unless the same number still stands with another case. Nobody can undo it; backups that still
/// hold both are closed by destroying the master key of their time ([`rotate`](super::rotate)).
///
/// # Errors
/// [`VaultError::Absent`]; [`VaultError::Erased`] when that was done before; when a master key is absent,
/// and the database's.
pub async fn erase(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    by: PersonId,
    now: Millis,
) -> Result<(), VaultError> {
    const SQL: &str = "UPDATE complainant SET wrapped_key = $3, sealed = $3, caller = NULL, \
         erased_at = $2 WHERE case_id = $1 AND erased_at IS NULL";
    // One after the other: of two cases of one number, the second sees that the first is erased.
    generation(tx).await?;
    let caller = caller_of(tx, case).await?;
    let query = sqlx::query(SQL).bind(&case.as_bytes()[..]).bind(now.0).bind(&[][..]);
    let erased = query.execute(tx.conn()).await.map_err(StoreError::from)?;
    if erased.rows_affected() == 0 {
        let known = status(tx, case).await?.is_some();
        return Err(if known { VaultError::Erased(case) } else { VaultError::Absent(case) });
    }
    reply::erase(tx, case, now).await?;
    if let Some(caller) = caller
        && !raised_any(tx, &caller).await?
    {
        reply::erase_of(tx, app, &caller, now).await?;
    }
    let entry = Entry::new(Deed::ComplainantErased, now).by(by).to(case.as_bytes());
    Ok(audit::note(tx, &[entry]).await?)
}

/// The keyed hash of the number that is stored with a case.
async fn caller_of(tx: &mut Tx, case: DocId) -> Result<Option<Vec<u8>>, StoreError> {
    let query = sqlx::query("SELECT caller FROM complainant WHERE case_id = $1");
    let row = query.bind(&case.as_bytes()[..]).fetch_optional(tx.conn()).await?;
    Ok(row.map(|row| row.opt_bytes("caller")).transpose()?.flatten())
}

async fn raised_any(tx: &mut Tx, caller: &[u8]) -> Result<bool, StoreError> {
    let query = sqlx::query("SELECT case_id FROM complainant WHERE caller = $1 LIMIT 1");
    Ok(query.bind(caller.to_vec()).fetch_optional(tx.conn()).await?.is_some())
}

/// What can be said of a record without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// When it was stored first.
    pub stored_at: Millis,
    /// When it was stored last.
    pub changed_at: Millis,
    /// When it was erased.
    pub erased_at: Option<Millis>,
    /// Other cases that the same number raised, newest first, at most 50.
    pub same_caller: Vec<SameCaller>,
}

/// Another case of the same caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SameCaller {
    /// The case.
    pub case: DocId,
    /// Its number.
    pub number: String,
    /// When it was registered.
    pub registered_at: Millis,
}

/// Whether a number is stored with a case, without reading it.
///
/// # Errors
/// When the database refuses.
pub async fn has_number(tx: &mut Tx, case: DocId) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT caller FROM complainant WHERE case_id = $1 AND caller IS NOT NULL";
    let query = sqlx::query(SQL).bind(&case.as_bytes()[..]);
    Ok(query.fetch_optional(tx.conn()).await?.is_some())
}

/// What can be said without reading; `None` when nothing was ever stored.
///
/// # Errors
/// When the database refuses.
pub async fn status(tx: &mut Tx, case: DocId) -> Result<Option<Status>, StoreError> {
    const SQL: &str =
        "SELECT caller, stored_at, changed_at, erased_at FROM complainant WHERE case_id = $1";
    const SAME: &str = "SELECT c.case_id, r.number, r.registered_at FROM complainant c \
         JOIN case_row r ON r.case_id = c.case_id WHERE c.caller = $1 AND c.case_id <> $2 \
         ORDER BY r.registered_at DESC, r.number DESC LIMIT 50";
    let query = sqlx::query(SQL).bind(&case.as_bytes()[..]);
    let Some(row) = query.fetch_optional(tx.conn()).await? else { return Ok(None) };
    let mut same_caller = Vec::new();
    if let Some(caller) = row.opt_bytes("caller")? {
        let query = sqlx::query(SAME).bind(caller).bind(&case.as_bytes()[..]);
        for row in query.fetch_all(tx.conn()).await? {
            same_caller.push(SameCaller {
                case: DocId::from_bytes(row.array("case_id")?),
                number: row.text("number")?,
                registered_at: row.millis("registered_at")?,
            });
        }
    }
    Ok(Some(Status {
        stored_at: row.millis("stored_at")?,
        changed_at: row.millis("changed_at")?,
        erased_at: row.opt_millis("erased_at")?,
        same_caller,
    }))
}

/// The record, for comparing a text with it inside the program. Nobody sees it, so nothing is
/// logged.
pub(super) async fn for_guard(
    tx: &mut Tx,
    app: &App,
    case: DocId,
) -> Result<Option<Complainant>, VaultError> {
    match find(tx, app, case).await {
        Ok(found) => found.open(case).map(Some),
        Err(VaultError::Absent(_) | VaultError::Erased(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A purpose that a newer program wrote.
pub(super) fn unknown_purpose(name: &str) -> StoreError {
    inconsistent("complainant_read.purpose", name.to_owned(), "a purpose that this program knows")
}
