//! The open store as everything below reads and writes it: SQLite, and the key to its values.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Deref;

use minicbor::{Decode, Encode};
use onscene_sync_core::crypto::Signer;
use onscene_sync_core::id::{DeviceId, DocId};
use onscene_sync_core::recovery::escrow::{Escrow, EscrowFailed};
use onscene_sync_core::recovery::offer::RecoveryKey;
use onscene_sync_core::seal::{DataKey, NONCE_BYTES, Place};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rusqlite::Connection;

use super::meta::{from_cbor, to_cbor};
use crate::error::DeviceError;

/// The data key and the chance for nonces.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: DataKey,
    /// Seeded by the platform's chance each time the store is opened.
    chance: RefCell<ChaCha20Rng>,
}

impl Sealer {
    pub(crate) fn new(key: DataKey, seed: [u8; 32]) -> Self {
        Self { key, chance: RefCell::new(ChaCha20Rng::from_seed(seed)) }
    }

    fn seal(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        self.chance.borrow_mut().fill_bytes(&mut nonce);
        self.key.seal(place, nonce, plain)
    }
}

/// A connection with the key to its values, inside a transaction or outside of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Db<'a> {
    connection: &'a Connection,
    sealer: &'a Sealer,
    /// Documents that changed in this transaction.
    touched: Option<&'a RefCell<BTreeSet<DocId>>>,
}

/// A column whose values are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
}

impl Column {
    fn of<'a>(&self, row: &'a [u8]) -> Place<'a> {
        Place { table: self.table, column: self.name, row }
    }
}

impl<'a> Db<'a> {
    pub(crate) const fn new(connection: &'a Connection, sealer: &'a Sealer) -> Self {
        Self { connection, sealer, touched: None }
    }

    /// Another connection under the same key.
    pub(crate) const fn at<'b>(self, connection: &'b Connection) -> Db<'b>
    where
        'a: 'b,
    {
        Db { connection, sealer: self.sealer, touched: None }
    }

    /// As [`Db::new`], noting in `touched` which documents change.
    pub(crate) const fn noting(self, touched: &'a RefCell<BTreeSet<DocId>>) -> Self {
        Self { touched: Some(touched), ..self }
    }

    /// What lists show of this document is to be worked out anew.
    pub(crate) fn touch(self, doc: DocId) {
        if let Some(touched) = self.touched {
            touched.borrow_mut().insert(doc);
        }
    }

    pub(crate) const fn key(self) -> &'a DataKey {
        &self.sealer.key
    }

    /// The data key, sealed to the hub.
    pub(crate) fn escrow(
        self,
        device: DeviceId,
        to: RecoveryKey,
        signer: &dyn Signer,
    ) -> Result<Escrow, EscrowFailed> {
        let chance = &mut *self.sealer.chance.borrow_mut();
        Escrow::new(&self.sealer.key, device, to, signer, chance)
    }

    /// Seals bytes for a column of the row with this key.
    pub(crate) fn seal(self, column: Column, row: &[u8], plain: &[u8]) -> Vec<u8> {
        self.sealer.seal(column.of(row), plain)
    }

    /// Opens what stands in a column of the row with this key.
    pub(crate) fn open(
        self,
        column: Column,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        let opened = self.sealer.key.open(column.of(row), sealed);
        opened.map_err(|_| DeviceError::damaged(format!("{} of a {}", column.name, column.table)))
    }

    /// Seals a value as CBOR.
    pub(crate) fn put<T: Encode<()>>(self, column: Column, row: &[u8], value: &T) -> Vec<u8> {
        self.seal(column, row, &to_cbor(value))
    }

    /// Opens a value that was sealed as CBOR.
    pub(crate) fn get<T: for<'b> Decode<'b, ()>>(
        self,
        column: Column,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<T, DeviceError> {
        from_cbor(&self.open(column, row, sealed)?, column.table)
    }
}

impl Deref for Db<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}
