//! A copied phone and a hostile one, each against the real hub.

use std::fs;
use std::io;
use std::path::Path;

use minicbor::bytes::ByteVec;
use onscene_mobile::{Device, Job, Step};
use onscene_sync_core::crypto::{SoftwareP256, sha256};
use onscene_sync_core::document::{DocKind, Document, Entry};
use onscene_sync_core::fact::body::Text;
use onscene_sync_core::fact::{Author, Body, DeviceAuthor, FACT_VERSION, Fact, envelope};
use onscene_sync_core::id::{Actor, DeviceId, DocId};
use onscene_sync_core::sync::message::{Push, PushResult, SyncReply, SyncRequest};
use onscene_sync_core::sync::wire;
use onscene_sync_core::time::ClockReading;

use super::error::DemoError;
use super::hub::Hub;
use super::pocket::{Pocket, folder_of};
use super::walker::Walker;
use crate::phone::transport::Transport;

/// The copy of a phone.
#[derive(Debug)]
pub struct CopiedPhone {
    /// The phone that runs on the copied storage.
    pub pocket: Pocket,
    /// Records that it held when it was copied.
    pub copied: u64,
}

impl CopiedPhone {
    /// Copies the storage of `original` (number `number`), or opens a copy made on an earlier day.
    ///
    /// # Errors
    /// When the storage cannot be copied or used.
    pub fn of(
        dir: &Path,
        hub: &Hub,
        original: &Pocket,
        number: usize,
        earlier: Option<u64>,
        seed: u64,
    ) -> Result<Self, DemoError> {
        let (from, to) = (folder_of(dir, number), dir.join("phones").join("clone"));
        if earlier.is_none() {
            copy_folder(&from, &to)?;
        }
        let mut handset = original.walker.handset.clone();
        handset.number += 1_000;
        let walker = Walker::at_base(number, handset, seed, hub.app.now());
        let mut pocket = Pocket::open(&to, walker, &hub.clock, seed ^ 0xc10e)?;
        let held = pocket.ask(Device::counts)?.recorded;
        pocket.recorded = held;
        Ok(Self { pocket, copied: earlier.unwrap_or(held) })
    }
}

/// Copies a folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

/// What the hub said of forged changes, one line each: what was tried, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// What was tried.
    pub what: &'static str,
    /// What the hub answered; `None` if it let it in.
    pub refusal: Option<String>,
}

/// Sends forged and garbled changes in an exchange of the phone's own, with its good credentials.
/// `case` and `inspection` are documents in its scope.
///
/// # Errors
/// When the phone's library fails or the hub does not answer.
pub async fn attack(
    pocket: &mut Pocket,
    transport: &Transport,
    (case, inspection): (DocId, DocId),
    clock: ClockReading,
) -> Result<Vec<Attack>, DemoError> {
    let who = pocket.walker.who.english;
    let failed = |source| DemoError::Phone { who, source };
    let refuse = |what: String| DemoError::NotEnrolled(who, what);
    let standing = pocket.ask(Device::standing)?.ok_or_else(|| refuse("no standing".to_owned()))?;
    pocket.device.sync_soon();
    let Step::Send(mut request) = pocket.device.sync_next().map_err(failed)? else {
        return Ok(Vec::new());
    };
    let message = wire::decompress(&request.body).and_then(|bytes| wire::decode(&bytes));
    let mut message: SyncRequest = message.map_err(|error| refuse(error.to_string()))?;
    let own = Actor { device: standing.device, install: standing.install, incarnation: 99 };
    let forged = forgeries(own, case, inspection, clock).map_err(refuse)?;
    message.push = forged.iter().map(|(_, push)| push.clone()).collect();
    request.body = wire::compress(&wire::encode(&message));
    let reply = transport.send(&request).await?;
    // The library never hears of this exchange: its own records are not in it.
    pocket.device.sync_failed(request.id, "used by an attacker").map_err(failed)?;
    let body = match reply.headers.iter().find(|(name, _)| name == "content-encoding") {
        Some(_) => wire::decompress(&reply.body),
        None => Ok(reply.body.clone()),
    };
    let reply: SyncReply = body
        .and_then(|bytes| wire::decode(&bytes))
        .map_err(|error| refuse(format!("status {}: {error}", reply.status)))?;
    let results = reply.results.into_iter().map(|result| match result {
        PushResult::Refused(refusal) => Some(format!("{:?}: {}", refusal.code, refusal.detail)),
        PushResult::MissingDeps(_) => Some("MissingDeps".to_owned()),
        PushResult::Later(_) => Some("Later".to_owned()),
        PushResult::Accepted | PushResult::Duplicate => None,
    });
    Ok(forged.iter().zip(results).map(|((what, _), refusal)| Attack { what, refusal }).collect())
}

fn forgeries(
    own: Actor,
    case: DocId,
    inspection: DocId,
    clock: ClockReading,
) -> Result<Vec<(&'static str, Push)>, String> {
    let note = |device: DeviceId, doc, text: &str| Fact {
        version: FACT_VERSION,
        doc,
        author: Author::Device(DeviceAuthor {
            device,
            install: own.install,
            seq: 1_000,
            prev: None,
            clock,
            anchors: Vec::new(),
            restates: None,
        }),
        body: Body::Note(Text { text: text.to_owned(), by: None }),
    };
    let stranger = DeviceId::from_bytes([0x66; 8]);
    let mut torn = written(own, inspection, DocKind::Response, &note(own.device, inspection, "1"))?;
    torn.truncate(torn.len() - 7);
    Ok(vec![
        ("random bytes in place of a change", push(inspection, DocKind::Response, garbage(clock))),
        ("a change cut short", push(inspection, DocKind::Response, torn)),
        ("a statement signed by a stolen name's own key", {
            let fact = note(own.device, inspection, "2");
            push(inspection, DocKind::Response, written(own, inspection, DocKind::Response, &fact)?)
        }),
        ("a change in another phone's name", {
            let actor = Actor { device: stranger, ..own };
            let fact = note(stranger, inspection, "3");
            push(
                inspection,
                DocKind::Response,
                written(actor, inspection, DocKind::Response, &fact)?,
            )
        }),
        ("a verdict written into the official record", {
            let fact = note(own.device, case, "4");
            push(case, DocKind::Case, written(own, case, DocKind::Case, &fact)?)
        }),
    ])
}

/// A well-formed change with a fact that is signed by a key the hub does not know.
fn written(actor: Actor, doc: DocId, kind: DocKind, fact: &Fact) -> Result<Vec<u8>, String> {
    let key = SoftwareP256::from_scalar(&[7; 32]).ok_or("not a key")?;
    let sealed = envelope::seal(fact, &key).map_err(|error| error.to_string())?;
    let entry = Entry { facts: vec![sealed], ..Entry::default() };
    let change = Document::new(doc, kind).write(actor, &entry);
    change.map(|change| change.bytes).map_err(|error| error.to_string())
}

fn push(doc: DocId, kind: DocKind, change: Vec<u8>) -> Push {
    Push { doc, kind, change: ByteVec::from(change) }
}

fn garbage(clock: ClockReading) -> Vec<u8> {
    let seed = clock.boot_ns.to_be_bytes();
    (0..16_u8).flat_map(|n| *sha256(&[&seed[..], &[n]].concat()).as_bytes()).collect()
}

/// A remark in the visit that answers `job`, so that two phones with one key both have something new.
///
/// # Errors
/// When the library refuses.
pub fn remark(pocket: &mut Pocket, job: Job, text: &str) -> Result<(), DemoError> {
    pocket.record(|device| device.note(job, text)).map(drop)
}
