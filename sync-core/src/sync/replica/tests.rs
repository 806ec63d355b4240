//! One answer at a time. Whole conversations are in the device library's stories.

use std::convert::Infallible;

use super::*;
use crate::crypto::fact_id;
use crate::document::{DocKind, Entry};
use crate::fact::anchor::Head;
use crate::id::{Actor, BootId, DeviceId, FactId, UnitId};
use crate::sync::device::Pushed;
use crate::sync::message::{Bucket, Cursor, Frame};
use crate::time::{ClockReading, Millis};

const DOC: DocId = DocId::from_bytes([1; 16]);
const OTHER: DocId = DocId::from_bytes([2; 16]);
const KIND: DocKind = DocKind::Response;
const BUCKET: Bucket = Bucket::Unit(UnitId::from_bytes([3; 16]));
const SECOND: Bucket = Bucket::Supervision(UnitId::from_bytes([3; 16]));

/// A phone that holds these things.
#[derive(Default)]
struct Phone {
    bases: BTreeMap<DocId, Document>,
    own: BTreeMap<DocId, Vec<OwnChange>>,
    members: BTreeMap<Bucket, Vec<DocId>>,
    /// Facts stated since the request left.
    stated: u64,
}

impl Holdings for Phone {
    type Error = Infallible;

    fn install(&self) -> Result<u32, Infallible> {
        Ok(1)
    }

    fn buckets(&self) -> Result<Vec<Bucket>, Infallible> {
        Ok(self.members.keys().copied().collect())
    }

    fn members(&self, bucket: Bucket) -> Result<Vec<Member>, Infallible> {
        let docs = self.members.get(&bucket).into_iter().flatten();
        let sum = |doc| self.bases.get(doc).map_or(0, Document::sum);
        Ok(docs.map(|doc| Member { doc: *doc, fresh: true, sum: sum(doc) }).collect())
    }

    fn base(&self, doc: DocId) -> Result<Option<Document>, Infallible> {
        Ok(self.bases.get(&doc).cloned())
    }

    fn head(&self) -> Result<Head, Infallible> {
        Ok(Head { install: 1, seq: self.stated, fact: None })
    }

    fn own(&self, doc: DocId) -> Result<Vec<OwnChange>, Infallible> {
        Ok(self.own.get(&doc).cloned().unwrap_or_default())
    }
}

fn actor(byte: u8) -> Actor {
    Actor { device: DeviceId::from_bytes([byte; 8]), install: 1, incarnation: 0 }
}

fn note(text: &str) -> (FactId, Entry) {
    let envelope = text.as_bytes().to_vec();
    let id = fact_id(&envelope);
    (id, Entry { facts: vec![(id, envelope)], ..Entry::default() })
}

impl Phone {
    /// Follows one bucket with an empty `DOC`, in which it has written these, all waiting.
    fn with(texts: &[&str]) -> Self {
        let mut phone = Self::default();
        phone.bases.insert(DOC, Document::new(DOC, KIND));
        phone.members.insert(BUCKET, vec![DOC]);
        let mut view = Document::new(DOC, KIND);
        let changes = texts.iter().map(|text| {
            let (fact, entry) = note(text);
            let written = view.write(actor(7), &entry).unwrap();
            let (hash, bytes) = (written.hash, written.bytes);
            let state = OwnState::Waiting;
            let (carried, earlier) = (false, Vec::new());
            OwnChange {
                carried,
                ruled: true,
                kind: KIND,
                hash,
                bytes,
                fact: Some(fact),
                earlier,
                state,
            }
        });
        phone.own.insert(DOC, changes.collect());
        phone
    }

    fn hash(&self, n: usize) -> Hash {
        self.own[&DOC][n].hash
    }

    /// What an answer with these results and pages means, in short.
    fn hears(&self, results: Vec<PushResult>, pages: Vec<Page>) -> Vec<Effect> {
        self.hears_all(results, pages, Vec::new(), Standing::Good)
    }

    fn hears_all(
        &self,
        results: Vec<PushResult>,
        pages: Vec<Page>,
        docs: Vec<Whole>,
        standing: Standing,
    ) -> Vec<Effect> {
        let own = self.own.get(&DOC).into_iter().flatten();
        let waiting = own.filter(|change| change.state == OwnState::Waiting);
        let clock = ClockReading { wall_ms: 0, boot_ns: 0, boot: BootId::from_bytes([0; 8]) };
        let head = Head { install: 1, seq: 0, fact: None };
        let sent = Sent {
            head,
            clock,
            cursors: vec![Cursor { bucket: BUCKET, epoch: 1, seq: 5 }],
            pushed: waiting.map(|change| Pushed { doc: DOC, hash: change.hash }).collect(),
            want: docs.iter().map(|whole| whole.doc).collect(),
            renew: matches!(standing, Standing::Renewed(2..)),
        };
        let (at, anchor) = (Millis(0), None);
        let reply = SyncReply {
            protocol: 1,
            results,
            buckets: pages,
            docs,
            head,
            anchor,
            at,
            standing,
            log: None,
            certificate: None,
        };
        let Ok(effects) = answer(self, &sent, reply);
        effects
    }
}

/// A page that reaches the end of the bucket, with the sum that these documents have there.
fn page(frames: Vec<Frame>, sums: &[&Document]) -> Page {
    let checksum = sums.iter().fold(0_u64, |sum, document| sum.wrapping_add(document.sum()));
    Page { bucket: BUCKET, epoch: 1, frames, seq: 9, checksum: Some(checksum) }
}

fn whole(document: &Document) -> Whole {
    let snapshot = document.save().into();
    Whole { doc: document.id(), kind: document.kind(), snapshot, sum: document.sum() }
}

/// What another phone has written, by itself.
fn others(text: &str) -> (Document, Vec<u8>) {
    let mut document = Document::new(DOC, KIND);
    let written = document.write(actor(8), &note(text).1).unwrap();
    (document, written.bytes)
}

fn refused(code: RefusalCode) -> PushResult {
    PushResult::Refused(Refusal { code, detail: String::new() })
}

/// The names of effects in order, with the number of the own change where it is about one.
fn told(phone: &Phone, effects: &[Effect]) -> Vec<String> {
    let number = |hash: &Hash| {
        let own = phone.own[&DOC].iter().position(|change| change.hash == *hash);
        own.map_or_else(|| "?".to_owned(), |n| n.to_string())
    };
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Delivered(hash) => format!("delivered {}", number(hash)),
            Effect::Seen(hash) => format!("seen {}", number(hash)),
            Effect::Refused(hash, _) => format!("refused {}", number(hash)),
            Effect::Held(hash, _) => format!("held {}", number(hash)),
            Effect::Parked(hash) => format!("parked {}", number(hash)),
            Effect::Later(hash, _) => format!("later {}", number(hash)),
            Effect::Lost(hash) => format!("lost {}", number(hash)),
            Effect::Base(..) => "base".to_owned(),
            Effect::Rebuild(_) => "rebuild".to_owned(),
            Effect::Want(_) => "want".to_owned(),
            Effect::Unwant(_) => "unwant".to_owned(),
            Effect::Restart(_) => "restart".to_owned(),
            Effect::Join(..) => "join".to_owned(),
            Effect::Part(..) => "part".to_owned(),
            Effect::Read(cursor) => format!("read {}", cursor.seq),
            Effect::Reset(_) => "reset".to_owned(),
            Effect::Unfollow(_) => "unfollow".to_owned(),
            Effect::Renew => "renew".to_owned(),
            Effect::Renewed(install) => format!("renewed {install}"),
            Effect::Revoked => "revoked".to_owned(),
            Effect::Alarm(_) => "alarm".to_owned(),
        })
        .collect()
}

#[test]
fn what_is_accepted_is_delivered_and_what_the_feed_shows_is_seen() {
    let phone = Phone::with(&["a"]);
    let mut hub = Document::new(DOC, KIND);
    hub.apply(&phone.own[&DOC][0].bytes).unwrap();
    let own = Frame::Own { doc: DOC, hash: phone.hash(0) };
    let effects = phone.hears(vec![PushResult::Accepted], vec![page(vec![own.clone()], &[&hub])]);
    assert_eq!(told(&phone, &effects), ["base", "delivered 0", "read 9", "seen 0"]);
    // The answer that said so was lost, the feed says it all the same.
    let missing = PushResult::MissingDeps(Vec::new());
    let effects = phone.hears(vec![missing], vec![page(vec![own], &[&hub])]);
    assert!(told(&phone, &effects).contains(&"delivered 0".to_owned()));
}

#[test]
fn a_refusal_rebuilds_what_follows_and_nothing_else() {
    let phone = Phone::with(&["a", "b"]);
    let missing = PushResult::MissingDeps(vec![phone.hash(0)]);
    let results = vec![refused(RefusalCode::Forbidden), missing];
    let effects = phone.hears(results, vec![page(vec![], &[])]);
    assert_eq!(told(&phone, &effects), ["refused 0", "read 9", "rebuild"]);
    let alone = Phone::with(&["a"]);
    let effects = alone.hears(vec![refused(RefusalCode::Forbidden)], vec![page(vec![], &[])]);
    assert_eq!(told(&alone, &effects), ["refused 0", "read 9"]);
}

#[test]
fn what_the_hub_has_no_room_for_goes_on_waiting_and_so_does_what_follows() {
    let phone = Phone::with(&["a", "b"]);
    let later = PushResult::Later("too many".to_owned());
    let results = vec![later, PushResult::MissingDeps(vec![phone.hash(0)])];
    let effects = phone.hears(results, vec![page(vec![], &[])]);
    assert_eq!(told(&phone, &effects), ["later 0", "read 9"]);
}

#[test]
fn a_number_used_twice_waits_for_a_new_install_number() {
    let phone = Phone::with(&["a", "b"]);
    let missing = PushResult::MissingDeps(vec![phone.hash(0)]);
    for code in [RefusalCode::Equivocation, RefusalCode::WrongActor] {
        let results = vec![refused(code), missing.clone()];
        let effects = phone.hears(results, vec![page(vec![], &[])]);
        assert_eq!(told(&phone, &effects), ["held 0", "renew", "read 9"]);
    }
}

#[test]
fn a_change_of_another_phone_that_is_missing_is_fetched_whole() {
    let mut phone = Phone::with(&["a"]);
    let (theirs, _) = others("theirs");
    // The phone built on a change that the hub has lost since.
    let mut view = theirs.clone();
    let written = view.write(actor(7), &note("a").1).unwrap();
    phone.bases.insert(DOC, theirs.clone());
    phone.own.get_mut(&DOC).unwrap()[0].bytes = written.bytes;
    phone.own.get_mut(&DOC).unwrap()[0].hash = written.hash;
    let missing = PushResult::MissingDeps(theirs.heads());
    let effects = phone.hears(vec![missing.clone()], vec![page(vec![], &[])]);
    assert_eq!(told(&phone, &effects), ["read 9", "want"], "no checksum before it is here");
    let bare = whole(&Document::new(DOC, KIND));
    let (results, pages) = (vec![missing], vec![page(vec![], &[])]);
    let effects = phone.hears_all(results, pages, vec![bare], Standing::Good);
    assert!(told(&phone, &effects).ends_with(&["want".to_owned()]), "it is still missing");
    let bare = whole(&Document::new(DOC, KIND));
    let effects = phone.hears_all(Vec::new(), vec![page(vec![], &[])], vec![bare], Standing::Good);
    assert_eq!(told(&phone, &effects), ["base", "alarm", "unwant", "read 9", "rebuild"]);
}

#[test]
fn a_whole_document_without_what_was_delivered_means_it_is_lost() {
    let mut phone = Phone::with(&["a", "b"]);
    let mut hub = Document::new(DOC, KIND);
    hub.apply(&phone.own[&DOC][0].bytes).unwrap();
    phone.own.get_mut(&DOC).unwrap().iter_mut().for_each(|own| own.state = OwnState::Delivered);
    let enter = Frame::Enter(whole(&hub));
    let effects = phone.hears(Vec::new(), vec![page(vec![enter], &[&hub])]);
    assert_eq!(told(&phone, &effects), ["base", "read 9", "seen 0", "lost 1"]);
}

#[test]
fn a_fact_that_another_change_brought_to_the_hub_is_delivered() {
    let phone = Phone::with(&["a", "b"]);
    let mut hub = Document::new(DOC, KIND);
    let again = Actor { incarnation: 1, ..actor(7) };
    let written = hub.write(again, &note("a").1).unwrap();
    let frame = Frame::Change { doc: DOC, change: written.bytes.into() };
    let missing = vec![PushResult::MissingDeps(Vec::new()); 2];
    let effects = phone.hears(missing, vec![page(vec![frame], &[&hub])]);
    let told = told(&phone, &effects);
    assert!(told.contains(&"delivered 0".to_owned()) && !told.contains(&"delivered 1".to_owned()));
}

#[test]
fn a_page_is_taken_whole_or_not_at_all() {
    let phone = Phone::with(&[]);
    let (theirs, change) = others("theirs");
    let other = Document::new(OTHER, DocKind::Case);
    let good = vec![
        Frame::Change { doc: DOC, change: change.clone().into() },
        Frame::Enter(whole(&other)),
    ];
    let effects = phone.hears(Vec::new(), vec![page(good.clone(), &[&theirs, &other])]);
    assert_eq!(told(&phone, &effects), ["base", "base", "join", "read 9"]);
    let bad = [
        Frame::Change { doc: DOC, change: change[..20].to_vec().into() },
        Frame::Change { doc: DocId::from_bytes([9; 16]), change: change.into() },
        Frame::Enter(Whole { sum: 1, ..whole(&other) }),
        Frame::Enter(Whole { kind: DocKind::Patrol, ..whole(&other) }),
    ];
    for frame in bad {
        let mut frames = good.clone();
        frames.push(frame.clone());
        let effects = phone.hears(Vec::new(), vec![page(frames, &[&theirs, &other])]);
        assert_eq!(told(&phone, &effects), ["alarm", "reset"], "{frame:?}");
    }
    let mut frames = good;
    frames.push(Frame::Own { doc: DocId::from_bytes([9; 16]), hash: Hash::from_bytes([1; 32]) });
    let effects = phone.hears(Vec::new(), vec![page(frames, &[&theirs, &other])]);
    assert_eq!(told(&phone, &effects), ["reset", "renew"], "its own work, forgotten");
}

#[test]
fn a_wrong_checksum_resets_the_bucket_unless_another_moved_its_documents() {
    let mut phone = Phone::with(&[]);
    let (theirs, change) = others("theirs");
    let wrong = page(vec![], &[&theirs]);
    let effects = phone.hears(Vec::new(), vec![wrong]);
    assert_eq!(told(&phone, &effects), ["read 9", "alarm", "reset"]);
    phone.members.insert(SECOND, vec![DOC]);
    let frame = Frame::Change { doc: DOC, change: change.into() };
    // This page was cut before the other phone's change came, the second one after.
    let before = page(vec![], &[]);
    let after = Page { bucket: SECOND, ..page(vec![frame], &[&theirs]) };
    let effects = phone.hears(Vec::new(), vec![before, after]);
    assert!(!told(&phone, &effects).contains(&"alarm".to_owned()), "{effects:?}");
}

#[test]
fn a_bucket_read_anew_parts_with_what_is_not_in_it_any_more() {
    let mut phone = Phone::with(&[]);
    phone.members.get_mut(&BUCKET).unwrap().push(OTHER);
    let document = Document::new(DOC, KIND);
    let frames = vec![Frame::Enter(whole(&document))];
    let anew = Page { epoch: 2, ..page(frames, &[&document]) };
    let effects = phone.hears(Vec::new(), vec![anew.clone()]);
    assert_eq!(told(&phone, &effects), ["base", "restart", "join", "part", "read 9"]);
    let unfinished = Page { checksum: None, ..anew };
    let effects = phone.hears(Vec::new(), vec![unfinished]);
    assert_eq!(told(&phone, &effects), ["base", "restart", "join", "read 9"]);
    let effects = phone.hears(Vec::new(), Vec::new());
    assert_eq!(told(&phone, &effects), ["unfollow"]);
}

#[test]
fn a_new_installation_begins_only_when_asked_for() {
    let phone = Phone::with(&[]);
    let hears = |standing| {
        let effects = phone.hears_all(Vec::new(), vec![page(vec![], &[])], Vec::new(), standing);
        told(&phone, &effects)
    };
    assert_eq!(hears(Standing::Renewed(2)), ["read 9", "renewed 2"]);
    assert_eq!(hears(Standing::Renewed(1)), ["read 9", "alarm"], "not asked for, not new");
    assert_eq!(hears(Standing::Restored), ["read 9", "renew"]);
    assert_eq!(hears(Standing::Revoked), ["read 9", "revoked"]);
}

/// `b` is a colleague's that is carried; `c`, this phone's own, builds on it.
fn carrying() -> Phone {
    let mut phone = Phone::with(&["a", "b", "c"]);
    phone.own.get_mut(&DOC).unwrap()[1].carried = true;
    phone
}

#[test]
fn a_colleagues_refused_change_neither_renews_this_phone_nor_takes_its_own_along() {
    let phone = carrying();
    let code = RefusalCode::Equivocation;
    let refusal = Refusal { code, detail: "forked".to_owned() };
    let missing = PushResult::MissingDeps(vec![phone.hash(1)]);
    let results = vec![PushResult::Accepted, PushResult::Refused(refusal), missing];
    let effects = phone.hears(results, Vec::new());
    let refused =
        |effect: &Effect| matches!(effect, Effect::Refused(hash, _) if *hash == phone.hash(1));
    assert!(effects.iter().any(refused), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Rebuild(DOC))), "{effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Renew | Effect::Held(..))));
}

#[test]
fn what_a_colleague_built_on_something_unknown_waits_until_that_comes() {
    let mut phone = carrying();
    let unknown = PushResult::MissingDeps(vec![Hash::from_bytes([9; 32])]);
    let after = PushResult::MissingDeps(vec![phone.hash(1)]);
    let effects = phone.hears(vec![PushResult::Accepted, unknown, after], Vec::new());
    let parked = |effect: &Effect| matches!(effect, Effect::Parked(hash) if *hash == phone.hash(1));
    assert!(effects.iter().any(parked), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Rebuild(DOC))), "{effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Want(_))), "{effects:?}");

    let own = phone.own.get_mut(&DOC).unwrap();
    own[1].state = OwnState::Held;
    own.truncate(2);
    let effects = phone.hears(vec![PushResult::Accepted], Vec::new());
    let again = |effect: &Effect| matches!(effect, Effect::Lost(hash) if *hash == phone.hash(1));
    assert!(effects.iter().any(again), "what it builds on is at the hub now: {effects:?}");
}

#[test]
fn a_hub_that_knows_more_through_a_colleague_is_asked_again_before_anything_is_renewed() {
    let mut phone = Phone::with(&["a"]);
    let accepted = || vec![PushResult::Accepted];
    let hears =
        |phone: &Phone| phone.hears_all(accepted(), Vec::new(), Vec::new(), Standing::Restored);
    let renews = |effects: &[Effect]| effects.iter().any(|one| matches!(one, Effect::Renew));
    assert!(renews(&hears(&phone)));
    phone.stated = 1;
    assert!(!renews(&hears(&phone)), "the request named an end that the phone has passed");
}
