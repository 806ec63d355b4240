//! What somebody wrote back by text message: their number and their words, sealed like a record, under a
//! key of its own.

use minicbor::{Decode, Encode};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{DocId, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::any::AnyRow;

use super::VaultError;
use super::record::generation;
use super::seal::{self, Fresh, Key, Place};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::random;
use crate::store::{RowExt as _, StoreError, Tx};

/// A reply. `Debug` shows nothing of it; its JSON is the answer to a logged read only.
#[derive(Clone, PartialEq, Eq, Serialize, Encode, Decode, JsonSchema)]
#[cbor(array)]
pub struct Reply {
    /// The number that it came from.
    #[n(0)]
    pub from: String,
    /// What it says.
    #[n(1)]
    pub text: String,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply(…)")
    }
}

/// A reply about to be stored, sealed under a key of its own.
#[derive(Debug, Clone)]
pub struct SealedReply {
    key: Key,
    sealed: Vec<u8>,
    fresh: Fresh,
}

impl SealedReply {
    /// Seals a reply of this id.
    #[must_use]
    pub fn new(app: &App, id: DocId, reply: &Reply) -> Self {
        let key = Key::from_bytes(random::bytes(&*app.random));
        let plain = minicbor::to_vec(reply).expect("writing CBOR to memory cannot fail");
        let sealed = seal::seal(&key, Fresh::draw(&*app.random), Place::Record(id), &plain);
        Self { key, sealed, fresh: Fresh::draw(&*app.random) }
    }

    /// The generation, the wrapped key and the sealed words, for the reply's row.
    ///
    /// # Errors
    /// When the master key is absent, and the database's.
    pub async fn wrap(
        &self,
        tx: &mut Tx,
        app: &App,
        id: DocId,
    ) -> Result<(u32, Vec<u8>, Vec<u8>), VaultError> {
        let generation = generation(tx).await?;
        let master = app.keys.vault.master(generation)?;
        let wrapped = seal::wrap(&master, self.fresh, id, generation, &self.key);
        Ok((generation, wrapped, self.sealed.clone()))
    }
}

/// Somebody's wish to read a reply.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Which.
    pub id: DocId,
    /// Who.
    pub by: PersonId,
    /// Why, in their words.
    pub reason: String,
    salt: [u8; 16],
}

impl Reading {
    /// A wish to read.
    #[must_use]
    pub fn new(app: &App, id: DocId, by: PersonId, reason: String) -> Self {
        Self { id, by, reason, salt: random::bytes(&*app.random) }
    }
}

/// Puts a reading on record and opens the reply. What it returns may leave the program only after the
/// transaction was committed. `None` when there is no such reply.
///
/// # Errors
/// [`VaultError::Erased`]; when it cannot be opened, and the database's.
pub async fn read(tx: &mut Tx, app: &App, wish: &Reading) -> Result<Option<Reply>, VaultError> {
    const SQL: &str =
        "SELECT generation, wrapped_key, sealed, erased_at FROM reply WHERE reply_id = $1";
    let query = sqlx::query(SQL).bind(&wish.id.as_bytes()[..]);
    let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let Some(row) = row else { return Ok(None) };
    if row.opt_int("erased_at")?.is_some() {
        return Err(VaultError::Erased(wish.id));
    }
    let reply = open(app, wish.id, &row)?;
    let commitment = sha256(&[&wish.salt[..], wish.reason.as_bytes()].concat());
    let entry = Entry::new(Deed::ReplyRead, app.now()).by(wish.by).to(wish.id.as_bytes());
    audit::note(tx, &[entry.hashes([&commitment])]).await?;
    Ok(Some(reply))
}

fn open(app: &App, id: DocId, row: &AnyRow) -> Result<Reply, VaultError> {
    let generation = row.number("generation")?;
    let master = app.keys.vault.master(generation)?;
    let key = seal::unwrap(&master, id, generation, &row.bytes("wrapped_key")?);
    let sealed = row.bytes("sealed")?;
    let plain = key.and_then(|key| seal::open(&key, Place::Record(id), &sealed));
    let reply = plain.and_then(|plain| minicbor::decode(&plain).ok());
    reply.ok_or(VaultError::Damaged(id))
}

/// Destroys what was written back about a case.
///
/// # Errors
/// When the database refuses.
pub(super) async fn erase(tx: &mut Tx, case: DocId, now: Millis) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE reply SET wrapped_key = $3, sealed = $3, erased_at = $2 \
         WHERE case_id = $1 AND erased_at IS NULL";
    let query = sqlx::query(SQL).bind(&case.as_bytes()[..]).bind(now.0).bind(&[][..]);
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Destroys what the number of `caller` wrote back that belongs to no case. It is kept nowhere whose it is,
/// so each such reply is opened; nobody sees it, and those that are settled are deleted after a while.
///
/// # Errors
/// When a master key is absent, and the database's.
pub(super) async fn erase_of(
    tx: &mut Tx,
    app: &App,
    caller: &[u8],
    now: Millis,
) -> Result<(), VaultError> {
    const SQL: &str = "SELECT reply_id, generation, wrapped_key, sealed FROM reply \
         WHERE case_id IS NULL AND erased_at IS NULL ORDER BY reply_id";
    const ERASE: &str = "UPDATE reply SET wrapped_key = $3, sealed = $3, erased_at = $2 \
         WHERE reply_id = $1";
    let rows = sqlx::query(SQL).fetch_all(tx.conn()).await.map_err(StoreError::from)?;
    for row in &rows {
        let id = DocId::from_bytes(row.array("reply_id")?);
        let reply = match open(app, id, row) {
            // Nobody can read it.
            Err(VaultError::Damaged(_)) => continue,
            opened => opened?,
        };
        if app.keys.vault.caller(&reply.from).as_deref() == Some(caller) {
            let query = sqlx::query(ERASE).bind(&id.as_bytes()[..]).bind(now.0).bind(&[][..]);
            query.execute(tx.conn()).await.map_err(StoreError::from)?;
        }
    }
    Ok(())
}
