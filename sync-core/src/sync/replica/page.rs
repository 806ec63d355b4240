//! Applying pages: all of one or nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::device::Sent;
use super::super::message::{Bucket, Cursor, Frame, Page, Whole};
use super::{Alarm, Effect, Holdings, Work, open};
use crate::document::Document;
use crate::id::{DocId, Hash};

/// A checksum to compare once the whole reply has been read.
pub(super) struct Check {
    bucket: Bucket,
    expected: u64,
    members: BTreeMap<DocId, u64>,
    /// Documents that this bucket's page brought up to date.
    touched: BTreeSet<DocId>,
}

/// Why a page cannot be taken in.
pub(super) enum Unfit {
    /// It tells of this phone's own work in a document that the phone has never heard of: the phone
    /// was restored from a backup, and the page has to be read with the documents whole.
    Forgotten,
    /// The hub did what it should not.
    Wrong(String),
}

impl From<String> for Unfit {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

/// Takes a page in; or says why it cannot be, and then nothing has changed.
pub(super) fn read<H: Holdings>(
    work: &mut Work<'_, H>,
    sent: &Sent,
    page: Page,
) -> Result<Result<Option<Check>, Unfit>, H::Error> {
    let cursor = sent
        .cursors
        .iter()
        .find(|cursor| cursor.bucket == page.bucket && cursor.epoch == page.epoch);
    if cursor.is_some_and(|cursor| page.seq < cursor.seq) {
        return Ok(Err("it ends before the cursor".to_owned().into()));
    }
    let mut reading = Reading::new(work, page.bucket, cursor.is_none())?;
    for frame in page.frames {
        if let Err(why) = reading.take(frame)? {
            return Ok(Err(why));
        }
    }
    let cursor = Cursor { bucket: page.bucket, epoch: page.epoch, seq: page.seq };
    Ok(Ok(reading.close(cursor, page.checksum)))
}

/// Compares checksums. Pages of one reply may have been read one after the other at the hub, so a
/// document that another bucket has brought further cannot be counted; the next reply tells.
pub(super) fn compare<H: Holdings>(
    work: &mut Work<'_, H>,
    checks: &[Check],
) -> Result<(), H::Error> {
    for check in checks {
        let moved_elsewhere = |doc: &DocId| {
            work.replaced.contains(doc) && !check.touched.contains(doc)
                || checks
                    .iter()
                    .any(|other| other.bucket != check.bucket && other.touched.contains(doc))
        };
        if check.members.keys().any(|doc| work.want.contains(doc) || moved_elsewhere(doc)) {
            continue;
        }
        let sum = check.members.iter().fold(0_u64, |sum, (doc, held)| {
            sum.wrapping_add(work.bases.get(doc).map_or(*held, Document::sum))
        });
        if sum != check.expected {
            work.alarm(Alarm::Checksum(check.bucket));
            work.effects.push(Effect::Reset(check.bucket));
        }
    }
    Ok(())
}

/// A page being read, apart from the rest until it has proved sound.
struct Reading<'w, 'h, H: Holdings> {
    work: &'w mut Work<'h, H>,
    bucket: Bucket,
    /// Each document of the bucket: confirmed, and the sum of its base in the store.
    members: BTreeMap<DocId, (bool, u64)>,
    bases: BTreeMap<DocId, Document>,
    replaced: BTreeSet<DocId>,
    shown: BTreeSet<(DocId, Hash)>,
    want: BTreeSet<DocId>,
    effects: Vec<Effect>,
}

impl<'w, 'h, H: Holdings> Reading<'w, 'h, H> {
    fn new(work: &'w mut Work<'h, H>, bucket: Bucket, from_start: bool) -> Result<Self, H::Error> {
        let members = work.held.members(bucket)?.into_iter();
        let members =
            members.map(|member| (member.doc, (member.fresh && !from_start, member.sum))).collect();
        let effects = if from_start { vec![Effect::Restart(bucket)] } else { Vec::new() };
        Ok(Self {
            work,
            bucket,
            members,
            bases: BTreeMap::new(),
            replaced: BTreeSet::new(),
            shown: BTreeSet::new(),
            want: BTreeSet::new(),
            effects,
        })
    }

    fn take(&mut self, frame: Frame) -> Result<Result<(), Unfit>, H::Error> {
        match frame {
            Frame::Change { doc, change } => Ok(self.change(doc, &change)?.map_err(Unfit::Wrong)),
            Frame::Own { doc, hash } => self.own(doc, hash),
            Frame::Enter(whole) => Ok(self.enter(&whole)?.map_err(Unfit::Wrong)),
            Frame::Leave { doc } => {
                self.members.remove(&doc);
                self.effects.push(Effect::Part(self.bucket, doc));
                Ok(Ok(()))
            }
        }
    }

    fn change(&mut self, doc: DocId, change: &[u8]) -> Result<Result<(), String>, H::Error> {
        if self.want.contains(&doc) {
            // It may build on what the phone has forgotten; the document comes whole.
            self.join(doc);
            return Ok(Ok(()));
        }
        let Some(mut base) = self.base(doc)? else {
            return Ok(Err(format!("it changes document {doc}, which the phone does not hold")));
        };
        match base.apply(change) {
            Ok(hash) => self.shown.insert((doc, hash)),
            Err(error) => {
                return Ok(Err(format!("its change of document {doc} does not apply: {error}")));
            }
        };
        self.bases.insert(doc, base);
        self.join(doc);
        Ok(Ok(()))
    }

    /// A phone restored from a backup is not sent what it once pushed, so it has to ask for it.
    fn own(&mut self, doc: DocId, hash: Hash) -> Result<Result<(), Unfit>, H::Error> {
        let base = self.base(doc)?;
        let change = self.work.own_of(doc)?.iter().find(|change| change.hash == hash).cloned();
        let kind = change.as_ref().map(|change| change.kind);
        let Some(mut base) = base.or_else(|| kind.map(|kind| Document::new(doc, kind))) else {
            return Ok(Err(Unfit::Forgotten));
        };
        self.join(doc);
        self.shown.insert((doc, hash));
        if base.contains(&hash) {
            return Ok(Ok(()));
        }
        match change {
            Some(change) if base.apply(&change.bytes).is_ok() => {
                self.bases.insert(doc, base);
            }
            _ => {
                self.want.insert(doc);
                self.effects.push(Effect::Renew);
            }
        }
        Ok(Ok(()))
    }

    fn enter(&mut self, whole: &Whole) -> Result<Result<(), String>, H::Error> {
        let kind = self.base(whole.doc)?.map(|base| base.kind());
        if kind.is_some_and(|kind| kind != whole.kind) {
            return Ok(Err(format!("document {} has changed its kind", whole.doc)));
        }
        Ok(match open(whole) {
            Ok(document) => {
                self.bases.insert(whole.doc, document);
                self.replaced.insert(whole.doc);
                self.want.remove(&whole.doc);
                self.join(whole.doc);
                Ok(())
            }
            Err(why) => Err(format!("document {} cannot be used: {why}", whole.doc)),
        })
    }

    fn join(&mut self, doc: DocId) {
        let member = self.members.entry(doc).or_insert((false, 0));
        if !member.0 {
            member.0 = true;
            self.effects.push(Effect::Join(self.bucket, doc));
        }
    }

    fn base(&self, doc: DocId) -> Result<Option<Document>, H::Error> {
        match self.bases.get(&doc) {
            Some(base) => Ok(Some(base.clone())),
            None => self.work.base(doc),
        }
    }

    /// The page is sound: it becomes part of the answer.
    fn close(mut self, cursor: Cursor, checksum: Option<u64>) -> Option<Check> {
        if checksum.is_some() {
            let unconfirmed = self.members.iter().filter(|(_, (fresh, _))| !fresh);
            let unconfirmed: Vec<DocId> = unconfirmed.map(|(doc, _)| *doc).collect();
            for doc in unconfirmed {
                self.members.remove(&doc);
                self.effects.push(Effect::Part(self.bucket, doc));
            }
        }
        self.effects.push(Effect::Read(cursor));
        let touched = self.bases.keys().copied().collect();
        let members = self.members.into_iter().map(|(doc, (_, sum))| (doc, sum)).collect();
        self.work.bases.append(&mut self.bases);
        self.work.replaced.append(&mut self.replaced);
        self.work.shown.append(&mut self.shown);
        self.work.want.append(&mut self.want);
        self.work.effects.append(&mut self.effects);
        checksum.map(|expected| Check { bucket: self.bucket, expected, members, touched })
    }
}
