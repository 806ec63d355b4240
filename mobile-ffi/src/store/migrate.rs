//! From schema 1, whose values were in the clear.

use onscene_sync_core::id::{BootId, DocId, FactId};
use onscene_sync_core::seal::DataKey;
use onscene_sync_core::time::Millis;
use rusqlite::types::Value;
use rusqlite::{Connection, TransactionBehavior, params_from_iter};

use super::db::{Column, Db};
use super::feed::{self, Reading};
use super::key::{self, Holder};
use super::{events, intents, work};
use crate::error::DeviceError;
use crate::host::Host;

/// A table whose rows keep their columns. The first is the key.
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    sealed: &'static [&'static str],
}

const TABLES: [Table; 7] = [
    Table { name: "meta", columns: &["key", "value"], sealed: &["value"] },
    Table {
        name: "doc",
        columns: &["doc", "kind", "base", "sum", "incarnation", "wanted", "gone"],
        sealed: &["base"],
    },
    Table { name: "ordered", columns: &["fact", "case_doc", "inspection"], sealed: &[] },
    Table {
        name: "intent",
        columns: &[
            "n", "doc", "act", "clock", "fact", "envelope", "install", "seq", "hash", "change",
            "state", "seen", "tries", "code", "detail",
        ],
        sealed: &["act", "clock", "envelope", "change", "detail"],
    },
    Table { name: "alias", columns: &["old", "new"], sealed: &[] },
    Table { name: "bucket", columns: &["bucket", "epoch", "seq"], sealed: &[] },
    Table { name: "member", columns: &["bucket", "doc", "fresh"], sealed: &[] },
];

/// Seals everything under a new data key, in one transaction; nothing readable stays in the file.
pub(super) fn seal_plain(connection: &mut Connection, host: &Host) -> Result<DataKey, DeviceError> {
    let (data_key, wrapped) = key::make(host)?;
    let sealer = key::sealer(data_key.clone(), host)?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    set_aside(&tx)?;
    super::lay_out(&tx)?;
    key::keep(&tx, Holder::Phone, &data_key, &wrapped)?;
    let db = Db::new(&tx, &sealer);
    for table in &TABLES {
        copy(db, table)?;
    }
    intents::stamp_all(db)?;
    copy_anchors(db)?;
    copy_events(db)?;
    for table in
        ["event", "anchor", "member", "bucket", "alias", "intent", "ordered", "doc", "meta"]
    {
        tx.execute_batch(&format!("DROP TABLE plain_{table}"))?;
    }
    work::rebuild(db)?;
    tx.commit()?;
    // The log still holds the old pages.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.pragma_update(None, "secure_delete", "OFF")?;
    Ok(data_key)
}

/// Makes room for the new tables.
fn set_aside(connection: &Connection) -> Result<(), DeviceError> {
    let mut statement = connection.prepare(
        "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type",
    )?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (kind, name) in found.collect::<Result<Vec<(String, String)>, _>>()? {
        connection.execute_batch(&match &kind[..] {
            "index" => format!("DROP INDEX {name}"),
            _ => format!("ALTER TABLE {name} RENAME TO plain_{name}"),
        })?;
    }
    Ok(())
}

fn copy(db: Db<'_>, table: &Table) -> Result<(), DeviceError> {
    let Table { name, columns, sealed } = table;
    let list = columns.join(", ");
    let marks = vec!["?"; columns.len()].join(", ");
    let mut read = db.prepare(&format!("SELECT {list} FROM plain_{name}"))?;
    let mut write = db.prepare(&format!("INSERT INTO {name} ({list}) VALUES ({marks})"))?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let mut values = Vec::new();
        for at in 0..columns.len() {
            values.push(row.get::<_, Value>(at)?);
        }
        let key = bytes(&values[0]);
        for (at, column) in columns.iter().enumerate() {
            if sealed.contains(column) && values[at] != Value::Null {
                let column = Column { table: name, name: column };
                values[at] = Value::Blob(db.seal(column, &key, &bytes(&values[at])));
            }
        }
        write.execute(params_from_iter(values))?;
    }
    Ok(())
}

/// A value as the new schema seals it, and as it names the row of a key.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Integer(number) => number.to_be_bytes().to_vec(),
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Blob(bytes) => bytes.clone(),
        Value::Null | Value::Real(_) => Vec::new(),
    }
}

fn copy_anchors(db: Db<'_>) -> Result<(), DeviceError> {
    let mut statement = db.prepare(
        "SELECT number, proof, install, seq, at, boot, sent_boot_ns, received_boot_ns
         FROM plain_anchor",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let unsigned = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let reading = Reading {
            at: Millis(row.get(4)?),
            boot: BootId::from_bytes(row.get(5)?),
            sent_boot_ns: unsigned(6)?,
            received_boot_ns: unsigned(7)?,
        };
        let proof = FactId::from_bytes(row.get(1)?);
        feed::keep_anchor(db, unsigned(0)?, proof, (row.get(2)?, unsigned(3)?), &reading)?;
    }
    Ok(())
}

fn copy_events(db: Db<'_>) -> Result<(), DeviceError> {
    let mut statement = db.prepare("SELECT n, kind, doc, wall_ms, detail FROM plain_event")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let doc = row.get::<_, Option<[u8; 16]>>(2)?.map(DocId::from_bytes);
        let detail: String = row.get(4)?;
        events::keep(db, row.get(0)?, row.get(1)?, doc, &(row.get(3)?, &detail))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::testing::{FakeHost, Hub};
    use crate::{Device, Job};

    /// Schema 1, as it was.
    const PLAIN: &str = include_str!("../testing/schema-1.sql");

    /// Writes what a store holds as schema 1 had it.
    fn write_plain(device: &Device, path: &Path) {
        let db = device.store.read();
        let plain = Connection::open(path).unwrap();
        plain.execute_batch(PLAIN).unwrap();
        plain.pragma_update(None, "application_id", super::super::APPLICATION_ID).unwrap();
        plain.pragma_update(None, "user_version", 1).unwrap();
        for Table { name, columns, sealed } in &TABLES {
            let list = columns.join(", ");
            let mut read = db.prepare(&format!("SELECT {list} FROM {name}")).unwrap();
            let mut rows = read.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let key = bytes(&row.get(0).unwrap());
                let value = |at: usize| match row.get(at).unwrap() {
                    Value::Blob(value) if sealed.contains(&columns[at]) => {
                        let column = Column { table: name, name: columns[at] };
                        let value = db.open(column, &key, &value).unwrap();
                        match columns[at] {
                            "detail" => Value::Text(String::from_utf8(value).unwrap()),
                            _ => Value::Blob(value),
                        }
                    }
                    value => value,
                };
                let marks = vec!["?"; columns.len()].join(", ");
                let insert = format!("INSERT INTO {name} ({list}) VALUES ({marks})");
                plain.execute(&insert, params_from_iter((0..columns.len()).map(value))).unwrap();
            }
        }
        for event in device.events_since(0, 1_000).unwrap() {
            let doc = event.doc.map(|doc| doc.as_bytes().to_vec());
            let values = (event.n, event.wall_ms, event.kind as i64, doc, event.detail);
            plain.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", values).unwrap();
        }
        for anchor in feed::known_anchors(db).unwrap() {
            let [number, sent, received] =
                [anchor.number, anchor.sent_boot_ns, anchor.received_boot_ns].map(u64::cast_signed);
            let boot = anchor.boot.as_bytes().to_vec();
            let values = (number, vec![0_u8; 16], anchor.at.0, 1, 0, boot, sent, received);
            plain.execute("INSERT INTO anchor VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values).unwrap();
        }
    }

    fn holds(folder: &Path, text: &str) -> bool {
        std::fs::read_dir(folder).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    #[test]
    fn a_plain_store_is_sealed_with_everything_in_it_and_goes_on() {
        let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
        let (order, ..) = hub.dispatch(1);
        let job = Job::Order(order);
        let mut device = fake.enrolled(folder.path(), &mut hub);
        device.note(job, "it was delivered").unwrap();
        device.note(job, "poison").unwrap();
        fake.sync(&mut device, &mut hub);
        device.note(job, "it waits here").unwrap();
        let plain = tempfile::tempdir().unwrap();
        write_plain(&device, &plain.path().join("phone.db"));
        assert!(holds(plain.path(), "it waits here") && !holds(folder.path(), "it waits here"));
        let before = (device.items(0, 100), device.events_since(0, 100), device.my_work());
        let anchors = feed::known_anchors(device.store.read());
        drop(device);

        let mut device = fake.open(plain.path());
        assert!(!holds(plain.path(), "it waits here"), "nothing readable stays behind");
        assert_eq!((device.items(0, 100), device.events_since(0, 100), device.my_work()), before);
        assert_eq!(feed::known_anchors(device.store.read()), anchors);
        fake.sync(&mut device, &mut hub);
        assert_eq!(hub.notes(), ["it waits here", "it was delivered"]);
        drop(device);
        assert_eq!(fake.open(plain.path()).counts().unwrap().delivered, 2);
    }

    #[test]
    fn a_migration_that_dies_leaves_the_plain_store_as_it_was() {
        let (folder, fake, mut hub) = (tempfile::tempdir().unwrap(), FakeHost::new(1), Hub::new());
        let device = fake.enrolled(folder.path(), &mut hub);
        let plain = tempfile::tempdir().unwrap();
        let path = plain.path().join("phone.db");
        write_plain(&device, &path);
        let mut connection = Connection::open(&path).unwrap();
        let mut steps = 0;
        for strides in (0..).step_by(40) {
            let mut used = 0;
            let handler = move || {
                used += 1;
                used > strides
            };
            connection.progress_handler(5, Some(handler)).unwrap();
            if seal_plain(&mut connection, &fake.host()).is_ok() {
                break;
            }
            connection.progress_handler(0, None::<fn() -> bool>).unwrap();
            let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
            // The whole transaction, or nothing of it.
            if version == Ok(super::super::SCHEMA) {
                break;
            }
            assert_eq!(version, Ok(1_i64));
            steps += 1;
        }
        assert!(steps > 5, "{steps}");
        drop(connection);
        assert!(fake.open(plain.path()).standing().unwrap().is_some());
    }
}
