//! `POST /v1/sync`: the request out of the store, the answer into it.

use onscene_sync_core::crypto::{Signer, fact_id};
use onscene_sync_core::document::Document;
use onscene_sync_core::fact::anchor::Head;
use onscene_sync_core::fact::{AnchorRef, envelope};
use onscene_sync_core::id::{DocId, Hash};
use onscene_sync_core::sync::device::{Sent, Situation, compose};
use onscene_sync_core::sync::message::{Bucket, Cursor, Refusal, SyncReply};
use onscene_sync_core::sync::replica::{
    self, Alarm, Effect, Holdings, Member, OwnChange, OwnState,
};
use onscene_sync_core::sync::{version, wire};
use onscene_sync_core::time::ClockReading;

use super::witness;
use crate::author;
use crate::error::DeviceError;
use crate::handover;
use crate::store::db::Db;
use crate::store::events::{self, EventKind};
use crate::store::{carried, documents, evidence, feed, intents, meta, told};

/// Set while a new install number is needed.
pub(crate) const RENEW: &str = "renew";
/// Set when the hub has revoked the phone.
pub(crate) const REVOKED: &str = "revoked";

/// Whether the request asked for a certificate.
const CERTIFY: &str = "certify";
/// What colleagues had told before the request left.
const TOLD: &str = "told_before";

/// What an answer leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Something in it was wrong, or it brought nothing on: pause before the next.
    pub(crate) stuck: bool,
    /// The hub has more to send.
    pub(crate) more: bool,
}

/// Composes the body of a request.
pub(crate) fn request(
    db: Db<'_>,
    clock: ClockReading,
    max_changes: usize,
) -> Result<(Vec<u8>, Sent), DeviceError> {
    let (seen, disputed) = witness::testimony(db)?;
    let situation = Situation {
        head: meta::head(db)?,
        clock,
        anchor: feed::newest_anchor(db, clock.boot)?,
        cursors: feed::cursors(db)?,
        want: documents::wanted(db)?,
        renew: meta::flag(db, RENEW)?,
        certify: handover::needs_certificate(db, &clock)?,
        max_changes,
        seen,
        disputed,
    };
    meta::put(db, TOLD, &told::newest(db)?)?;
    meta::put(db, CERTIFY, &situation.certify)?;
    // One more than fits, so that the request knows whether it carries everything.
    let (request, sent) = compose(situation, carried::queue(db, max_changes + 1)?);
    Ok((wire::compress(&wire::encode(&request)), sent))
}

/// Whether there is a reason to sync in the store itself.
pub(crate) fn is_due(db: Db<'_>) -> Result<bool, DeviceError> {
    Ok(intents::any_waiting(db)?
        || carried::any_waiting(db)?
        || !documents::wanted(db)?.is_empty()
        || (meta::flag(db, RENEW)? && !meta::flag(db, REVOKED)?)
        || feed::cursors(db)?.len() != feed::buckets(db)?.len())
}

/// Takes an answer in. Everything happens in the caller's transaction.
pub(crate) fn apply(
    db: Db<'_>,
    key: &dyn Signer,
    sent: &Sent,
    reply: SyncReply,
    now: &ClockReading,
) -> Result<Outcome, DeviceError> {
    let mut inbox = Inbox { db, key, now, stuck: false, moved: false };
    if reply.protocol != version::CURRENT {
        inbox.alarm(&format!("the answer is in protocol {}", reply.protocol))?;
        return Ok(Outcome { stuck: true, more: false });
    }
    if let Some(bytes) = &reply.anchor {
        inbox.anchor(sent, bytes)?;
    }
    witness::take(db, reply.log.as_ref(), now)?;
    if let Some(bytes) = &reply.certificate
        && let Err(why) = handover::keep_certificate(db, bytes)?
    {
        inbox.alarm(why)?;
    }
    // A hub that promises more and sends nothing would have the phone ask without end.
    let brought =
        !reply.docs.is_empty() || reply.buckets.iter().any(|page| !page.frames.is_empty());
    let more = brought && reply.buckets.iter().any(|page| page.checksum.is_none());
    let complete =
        !reply.buckets.is_empty() && reply.buckets.iter().all(|page| page.checksum.is_some());
    for effect in replica::answer(&Lent(db), sent, reply)? {
        inbox.take(effect)?;
    }
    documents::sweep(db, now.wall_ms)?;
    carried::sweep(db)?;
    if complete {
        told::clear(db, meta::get(db, TOLD)?.unwrap_or(0))?;
    }
    // Only the answer may tell that the certificate nears its end or names another unit.
    let more = more || !meta::flag(db, CERTIFY)? && handover::needs_certificate(db, now)?;
    let nothing_waits = !intents::any_waiting(db)? && !carried::any_waiting(db)?;
    let idle = nothing_waits && documents::wanted(db)?.is_empty();
    Ok(Outcome { stuck: inbox.stuck || !(inbox.moved || idle), more })
}

/// The store, lent to the reading of an answer.
struct Lent<'a>(Db<'a>);

impl Holdings for Lent<'_> {
    type Error = DeviceError;

    fn install(&self) -> Result<u32, DeviceError> {
        Ok(meta::identity(self.0)?.install)
    }

    fn buckets(&self) -> Result<Vec<Bucket>, DeviceError> {
        feed::buckets(self.0)
    }

    fn members(&self, bucket: Bucket) -> Result<Vec<Member>, DeviceError> {
        feed::members(self.0, bucket)
    }

    fn base(&self, doc: DocId) -> Result<Option<Document>, DeviceError> {
        documents::base(self.0, doc)
    }

    fn head(&self) -> Result<Head, DeviceError> {
        meta::head(self.0)
    }

    fn own(&self, doc: DocId) -> Result<Vec<OwnChange>, DeviceError> {
        carried::beside(self.0, doc)
    }
}

struct Inbox<'a> {
    db: Db<'a>,
    key: &'a dyn Signer,
    now: &'a ClockReading,
    stuck: bool,
    moved: bool,
}

impl Inbox<'_> {
    /// Keeps the signed anchor, if it is one, of this phone, for what the request named.
    fn anchor(&mut self, sent: &Sent, bytes: &[u8]) -> Result<(), DeviceError> {
        let identity = meta::identity(self.db)?;
        let anchor = match envelope::read_anchor(bytes, &identity.hub_key) {
            Ok(anchor) if anchor.device == identity.device && anchor.head == sent.head => anchor,
            Ok(_) => return self.alarm("the anchor is for another phone or request"),
            Err(error) => return self.alarm(&format!("the anchor is no good: {error}")),
        };
        if sent.clock.boot != self.now.boot {
            // The phone was started anew meanwhile: its clock says nothing about this exchange.
            return Ok(());
        }
        let reference = AnchorRef {
            number: anchor.number,
            proof: fact_id(bytes),
            sent_boot_ns: sent.clock.boot_ns,
            received_boot_ns: self.now.boot_ns,
        };
        feed::add_anchor(self.db, &anchor, &reference, self.now.boot)
    }

    fn take(&mut self, effect: Effect) -> Result<(), DeviceError> {
        let db = self.db;
        match effect {
            Effect::Delivered(hash) => {
                self.settle(hash, OwnState::Delivered, None, EventKind::Delivered)
            }
            Effect::Refused(hash, refusal) => self.refused(hash, &refusal),
            Effect::Lost(hash) => {
                evidence::doubt(db)?;
                self.settle(hash, OwnState::Waiting, None, EventKind::Redelivering)
            }
            Effect::Held(hash, refusal) => self.hold(hash, &refusal),
            Effect::Parked(hash) => {
                self.moved = true;
                carried::set_state(db, hash, OwnState::Held).map(drop)
            }
            Effect::Later(_, why) => {
                self.event(EventKind::Problem, None, &format!("not taken yet: {why}"))
            }
            Effect::Seen(hash) => match intents::by_hash(db, hash)? {
                Some(intent) => intents::set_seen(db, intent.n),
                None => Ok(()),
            },
            Effect::Base(_, document) => self.base(&document),
            Effect::Rebuild(doc) => {
                self.moved = true;
                author::rebuild(db, doc)?;
                self.event(EventKind::Rebuilt, Some(doc), "what waits was written anew")
            }
            Effect::Want(doc) => documents::set_wanted(db, doc, true),
            Effect::Unwant(doc) => documents::set_wanted(db, doc, false),
            Effect::Restart(bucket) => feed::restart(db, bucket),
            Effect::Join(bucket, doc) => feed::join(db, bucket, doc),
            Effect::Part(bucket, doc) => feed::part(db, bucket, doc),
            Effect::Read(cursor) => self.read(&cursor),
            Effect::Reset(bucket) => feed::reset(db, bucket),
            Effect::Unfollow(bucket) => feed::unfollow(db, bucket),
            Effect::Renew => self.renew(),
            Effect::Renewed(install) => self.renewed(install),
            Effect::Revoked => self.revoked(),
            Effect::Alarm(alarm) => self.alarm(&in_words(&alarm)),
        }
    }

    fn settle(
        &mut self,
        hash: Hash,
        state: OwnState,
        refusal: Option<&Refusal>,
        kind: EventKind,
    ) -> Result<(), DeviceError> {
        self.moved = true;
        let Some(intent) = intents::by_hash(self.db, hash)? else {
            return self.settle_carried(hash, state, refusal);
        };
        if intent.state == state {
            return Ok(());
        }
        intents::set_state(self.db, intent.n, state, refusal)?;
        let why = refusal.map(|refusal| format!(": {}", refusal.detail)).unwrap_or_default();
        let detail = format!("record {} ({}){why}", intent.n, intent.act.name());
        self.event(kind, Some(intent.doc), &detail)
    }

    fn settle_carried(
        &self,
        hash: Hash,
        state: OwnState,
        refusal: Option<&Refusal>,
    ) -> Result<(), DeviceError> {
        match refusal {
            Some(refusal) if carried::set_state(self.db, hash, state)? => {
                let detail = format!("carried for a colleague: {}", refusal.detail);
                self.event(EventKind::Refused, None, &detail)
            }
            Some(_) => Ok(()),
            None => carried::set_state(self.db, hash, state).map(drop),
        }
    }

    /// What is recorded after a refusal gets another author's number even where nothing else waits:
    /// the same deed again would otherwise be the same change, and the hub's word on it unclear.
    fn refused(&mut self, hash: Hash, refusal: &Refusal) -> Result<(), DeviceError> {
        if let Some(intent) = intents::by_hash(self.db, hash)? {
            documents::raise_incarnation(self.db, intent.doc)?;
        }
        self.settle(hash, OwnState::Refused, Some(refusal), EventKind::Refused)
    }

    fn hold(&mut self, hash: Hash, refusal: &Refusal) -> Result<(), DeviceError> {
        self.moved = true;
        match intents::by_hash(self.db, hash)? {
            Some(intent) => intents::set_state(self.db, intent.n, OwnState::Held, Some(refusal)),
            None => Ok(()),
        }
    }

    fn base(&mut self, document: &Document) -> Result<(), DeviceError> {
        let doc = document.id();
        match documents::set_base(self.db, document) {
            Ok(()) => {
                self.moved = true;
                self.event(EventKind::DocumentChanged, Some(doc), document.kind().name())
            }
            Err(DeviceError::Document(error)) => {
                documents::set_wanted(self.db, doc, true)?;
                self.alarm(&format!("document {doc} cannot be kept: {error}"))
            }
            Err(error) => Err(error),
        }
    }

    /// A bucket of another epoch is that of a hub that was restored: it may have lost files too.
    fn read(&mut self, cursor: &Cursor) -> Result<(), DeviceError> {
        let known = feed::cursors(self.db)?.into_iter().find(|at| at.bucket == cursor.bucket);
        if known.is_some_and(|known| known.epoch != cursor.epoch) {
            evidence::doubt(self.db)?;
        }
        feed::set_cursor(self.db, cursor)
    }

    fn renew(&mut self) -> Result<(), DeviceError> {
        if meta::flag(self.db, RENEW)? {
            return Ok(());
        }
        meta::put(self.db, RENEW, &true)?;
        let why = "the hub knows more of this phone than the phone does: it was restored or copied";
        self.event(EventKind::Restored, None, why)
    }

    fn renewed(&mut self, install: u32) -> Result<(), DeviceError> {
        self.moved = true;
        author::renew(self.db, self.key, install)?;
        meta::put(self.db, RENEW, &false)?;
        self.event(EventKind::Renewed, None, &format!("installation {install}"))
    }

    fn revoked(&mut self) -> Result<(), DeviceError> {
        if meta::flag(self.db, REVOKED)? {
            return Ok(());
        }
        meta::put(self.db, REVOKED, &true)?;
        let what = "this phone was revoked; what is handed in is kept for a supervisor";
        self.event(EventKind::Revoked, None, what)
    }

    fn alarm(&mut self, what: &str) -> Result<(), DeviceError> {
        self.stuck = true;
        self.event(EventKind::Alarm, None, what)
    }

    fn event(&self, kind: EventKind, doc: Option<DocId>, detail: &str) -> Result<(), DeviceError> {
        events::add(self.db, self.now.wall_ms, kind, doc, detail)
    }
}

fn in_words(alarm: &Alarm) -> String {
    match alarm {
        Alarm::Results { pushed, received } => {
            format!("{pushed} changes were pushed and {received} answered for")
        }
        Alarm::Page(bucket, why) => {
            format!("a page of {bucket:?} could not be applied: {why}; reading it again")
        }
        Alarm::Whole(doc, why) => format!("document {doc} could not be used: {why}"),
        Alarm::Checksum(bucket) => {
            format!("{bucket:?} is not what the hub has; downloading it again")
        }
        Alarm::Install(install) => {
            format!("the hub gave install number {install}, which was not asked for or is not new")
        }
    }
}
