//! What an answer of the hub means for a phone: effects, as data.
//!
//! [`answer`] reads a [`SyncReply`] against what the phone holds and returns the [`Effect`]s that
//! the store applies in one transaction, in order. The hub is believed only as far as its bytes
//! bear it: a page that cannot be applied changes nothing but that its bucket is read again, and
//! nothing in a reply can remove what the phone has yet to deliver.
//!
//! # How a refusal is mended
//! The phone keeps, for each document, the *base* (admitted changes only) apart from its own
//! waiting changes. A refused change is taken out; what the phone recorded after it in that document
//! is authored anew on the base under a raised incarnation ([`Effect::Rebuild`]). The signed facts
//! go into the new changes as they are: a fact does not depend on the change that carries it. Only
//! a new install number ([`Effect::Renewed`]) makes facts be signed anew, because their places in
//! the chain are then others.

mod effect;
mod holdings;
mod page;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use effect::{Alarm, Effect};
pub use holdings::{Holdings, Member, OwnChange, OwnState};

use super::device::Sent;
use super::message::{Page, PushResult, Refusal, RefusalCode, Standing, SyncReply, Whole};
use crate::document::Document;
use crate::id::{DocId, Hash};

/// Reads an answer. The effects are in the order in which they must be applied.
///
/// # Errors
/// When the store cannot be read; whatever the reply holds is no error.
pub fn answer<H: Holdings>(
    held: &H,
    sent: &Sent,
    reply: SyncReply,
) -> Result<Vec<Effect>, H::Error> {
    let mut work = Work::new(held);
    work.results(sent, reply.results)?;
    work.wholes(sent, reply.docs);
    work.pages(sent, reply.buckets)?;
    work.settle()?;
    work.standing(sent, reply.standing)?;
    Ok(work.finish())
}

/// The reading of one answer: what has changed so far, over what the store holds.
struct Work<'h, H: Holdings> {
    held: &'h H,
    /// Bases that this answer has changed.
    bases: BTreeMap<DocId, Document>,
    /// Own changes of the documents looked at, with their states as changed by this answer.
    own: BTreeMap<DocId, Vec<OwnChange>>,
    /// Documents whose base this answer replaced.
    replaced: BTreeSet<DocId>,
    /// Changes that the hub's feed showed.
    shown: BTreeSet<(DocId, Hash)>,
    want: BTreeSet<DocId>,
    rebuild: BTreeSet<DocId>,
    /// Colleagues' changes that this answer parked: they wait for a later one, whatever it brought.
    parked: BTreeSet<Hash>,
    effects: Vec<Effect>,
}

impl<'h, H: Holdings> Work<'h, H> {
    fn new(held: &'h H) -> Self {
        Self {
            held,
            bases: BTreeMap::new(),
            own: BTreeMap::new(),
            replaced: BTreeSet::new(),
            shown: BTreeSet::new(),
            want: BTreeSet::new(),
            rebuild: BTreeSet::new(),
            parked: BTreeSet::new(),
            effects: Vec::new(),
        }
    }

    fn results(&mut self, sent: &Sent, results: Vec<PushResult>) -> Result<(), H::Error> {
        if results.len() != sent.pushed.len() {
            let (pushed, received) = (sent.pushed.len(), results.len());
            self.alarm(Alarm::Results { pushed, received });
            return Ok(());
        }
        for (pushed, result) in sent.pushed.iter().zip(results) {
            let Some(state) = self.state(pushed.doc, pushed.hash)? else { continue };
            match result {
                PushResult::Accepted | PushResult::Duplicate => {
                    self.admitted(pushed.doc, pushed.hash)?;
                }
                _ if state == OwnState::Delivered => {}
                PushResult::MissingDeps(missing) => {
                    self.missing(pushed.doc, pushed.hash, &missing)?;
                }
                PushResult::Refused(refusal) => {
                    self.refused(pushed.doc, pushed.hash, refusal)?;
                }
                PushResult::Later(why) => self.effects.push(Effect::Later(pushed.hash, why)),
            }
        }
        Ok(())
    }

    /// Moves an own change into the base. If the base is behind it, its bucket brings it later.
    fn admitted(&mut self, doc: DocId, hash: Hash) -> Result<(), H::Error> {
        self.set_state(doc, hash, OwnState::Delivered)?;
        self.effects.push(Effect::Delivered(hash));
        self.put_own(doc, hash)?;
        Ok(())
    }

    /// Whether the base holds the own change now.
    fn put_own(&mut self, doc: DocId, hash: Hash) -> Result<bool, H::Error> {
        let Some(change) = self.own_of(doc)?.iter().find(|change| change.hash == hash).cloned()
        else {
            return Ok(false);
        };
        let mut base = match self.base(doc)? {
            Some(base) if base.contains(&hash) => return Ok(true),
            Some(base) => base,
            None => Document::new(doc, change.kind),
        };
        let applied = base.apply(&change.bytes).is_ok();
        if applied {
            self.bases.insert(doc, base);
        }
        Ok(applied)
    }

    fn missing(&mut self, doc: DocId, change: Hash, missing: &[Hash]) -> Result<(), H::Error> {
        let own = self.own_of(doc)?;
        let find = |hash: &Hash| own.iter().find(|own| own.hash == *hash);
        let states: Vec<(Hash, Option<OwnState>)> =
            missing.iter().map(|hash| (*hash, find(hash).map(|own| own.state))).collect();
        let carried = |hash: &Hash| find(hash).is_some_and(|own| own.carried);
        let astray = |state: Option<OwnState>| {
            !matches!(state, Some(OwnState::Waiting | OwnState::Delivered))
        };
        if carried(&change) && states.iter().any(|(_, state)| astray(*state)) {
            self.rebuild.insert(doc);
            self.set_state(doc, change, OwnState::Held)?;
            self.parked.insert(change);
            self.effects.push(Effect::Parked(change));
            return Ok(());
        }
        let parked = |(hash, state): &(Hash, Option<OwnState>)| {
            *state == Some(OwnState::Held) && carried(hash)
        };
        if states.iter().any(parked) {
            self.rebuild.insert(doc);
        }
        if states.is_empty() || states.iter().any(|(_, state)| state.is_none()) {
            self.want.insert(doc);
        }
        for (hash, state) in states {
            match state {
                Some(OwnState::Delivered) => {
                    self.set_state(doc, hash, OwnState::Waiting)?;
                    self.effects.push(Effect::Lost(hash));
                }
                Some(OwnState::Refused) => {
                    self.rebuild.insert(doc);
                }
                Some(OwnState::Waiting | OwnState::Held) | None => {}
            }
        }
        Ok(())
    }

    fn refused(&mut self, doc: DocId, hash: Hash, refusal: Refusal) -> Result<(), H::Error> {
        let carried = self.own_of(doc)?.iter().any(|own| own.hash == hash && own.carried);
        let by_number = matches!(refusal.code, RefusalCode::Equivocation | RefusalCode::WrongActor);
        if by_number && !carried {
            self.set_state(doc, hash, OwnState::Held)?;
            self.effects.extend([Effect::Held(hash, refusal), Effect::Renew]);
        } else {
            self.set_state(doc, hash, OwnState::Refused)?;
            self.effects.push(Effect::Refused(hash, refusal));
            self.rebuild.insert(doc);
        }
        Ok(())
    }

    fn wholes(&mut self, sent: &Sent, wholes: Vec<Whole>) {
        let mut here = BTreeSet::new();
        for whole in wholes {
            if !sent.want.contains(&whole.doc) {
                self.alarm(Alarm::Whole(whole.doc, "it was not asked for".to_owned()));
                continue;
            }
            match open(&whole) {
                Ok(document) => {
                    here.insert(whole.doc);
                    self.bases.insert(whole.doc, document);
                    self.replaced.insert(whole.doc);
                }
                Err(why) => self.alarm(Alarm::Whole(whole.doc, why)),
            }
        }
        // One fits into a reply always, so if none came, none is in the phone's reach: what waits
        // in them is pushed again as it is.
        let answered = sent.want.iter().filter(|doc| here.is_empty() || here.contains(doc));
        self.effects.extend(answered.clone().map(|doc| Effect::Unwant(*doc)));
        self.rebuild.extend(answered);
    }

    fn pages(&mut self, sent: &Sent, pages: Vec<Page>) -> Result<(), H::Error> {
        let mut named = BTreeSet::new();
        let mut checks = Vec::new();
        for page in pages {
            let bucket = page.bucket;
            if !named.insert(bucket) {
                self.alarm(Alarm::Page(bucket, "it is the second of its bucket".to_owned()));
                continue;
            }
            match page::read(self, sent, page)? {
                Ok(check) => checks.extend(check),
                Err(page::Unfit::Forgotten) => {
                    self.effects.extend([Effect::Reset(bucket), Effect::Renew]);
                }
                Err(page::Unfit::Wrong(why)) => {
                    self.alarm(Alarm::Page(bucket, why));
                    self.effects.push(Effect::Reset(bucket));
                }
            }
        }
        for bucket in self.held.buckets()? {
            if !named.contains(&bucket) {
                self.effects.push(Effect::Unfollow(bucket));
            }
        }
        page::compare(self, &checks)
    }

    /// Brings the own changes of every touched document in line with its base.
    fn settle(&mut self) -> Result<(), H::Error> {
        let shown = self.shown.iter().map(|(doc, _)| doc);
        let touched: BTreeSet<DocId> = self.bases.keys().chain(shown).copied().collect();
        for doc in &touched {
            let Some(base) = self.base(*doc)? else { continue };
            for change in self.own_of(*doc)?.to_vec() {
                self.settle_change(*doc, &base, &change)?;
            }
        }
        for doc in touched.union(&self.rebuild.clone()) {
            if !self.want.contains(doc) && !self.stands(*doc)? {
                self.effects.push(Effect::Rebuild(*doc));
            }
        }
        self.effects.extend(self.want.iter().map(|doc| Effect::Want(*doc)));
        Ok(())
    }

    fn settle_change(
        &mut self,
        doc: DocId,
        base: &Document,
        change: &OwnChange,
    ) -> Result<(), H::Error> {
        let replaced = self.replaced.contains(&doc);
        // A fact is at the hub whatever change brought it there.
        let mut facts = change.fact.iter().chain(&change.earlier);
        let stated = facts.any(|fact| base.fact(fact).is_some());
        if stated || base.contains(&change.hash) {
            if change.state != OwnState::Delivered {
                self.set_state(doc, change.hash, OwnState::Delivered)?;
                self.effects.push(Effect::Delivered(change.hash));
            }
            let elsewhere = !base.contains(&change.hash);
            if elsewhere || replaced || self.shown.contains(&(doc, change.hash)) {
                self.effects.push(Effect::Seen(change.hash));
            }
        } else if self.waits_again(base, change, replaced) {
            self.set_state(doc, change.hash, OwnState::Waiting)?;
            self.effects.push(Effect::Lost(change.hash));
        }
        Ok(())
    }

    /// Whether the hub has lost a change, or has by now what a parked one builds on.
    fn waits_again(&self, base: &Document, change: &OwnChange, replaced: bool) -> bool {
        match change.state {
            OwnState::Delivered => replaced,
            OwnState::Held => {
                let parked_now = self.parked.contains(&change.hash);
                change.carried && !parked_now && base.awaits(&change.bytes)
            }
            OwnState::Waiting | OwnState::Refused => false,
        }
    }

    /// Whether everything that waits in a document can follow its base as it is. Where a change is
    /// held, the new install number will have all of it authored anew.
    fn stands(&mut self, doc: DocId) -> Result<bool, H::Error> {
        let own = self.own_of(doc)?.to_vec();
        if own.iter().any(|change| change.state == OwnState::Held && !change.carried) {
            return Ok(true);
        }
        let ruled = own.iter().filter(|change| change.ruled);
        let waiting = || ruled.clone().filter(|change| change.state == OwnState::Waiting);
        let Some(first) = waiting().find(|change| !change.carried) else { return Ok(true) };
        let base = self.base(doc)?;
        let mut view = base.unwrap_or_else(|| Document::new(doc, first.kind));
        Ok(waiting().all(|change| view.apply(&change.bytes).is_ok() || change.carried))
    }

    fn standing(&mut self, sent: &Sent, standing: Standing) -> Result<(), H::Error> {
        match standing {
            Standing::Good => {}
            // What was stated while the request was on its way may have come to the hub through a
            // colleague; the next request names it.
            Standing::Restored if self.held.head()? != sent.head => {}
            Standing::Restored => self.effects.push(Effect::Renew),
            Standing::Revoked => self.effects.push(Effect::Revoked),
            Standing::Renewed(install) if sent.renew && install > self.held.install()? => {
                self.effects.push(Effect::Renewed(install));
            }
            Standing::Renewed(install) => self.alarm(Alarm::Install(install)),
        }
        Ok(())
    }

    /// The bases come before the rebuilds that stand on them.
    fn finish(self) -> Vec<Effect> {
        let bases = self.bases.into_iter().map(|(doc, base)| Effect::Base(doc, Box::new(base)));
        bases.chain(self.effects).collect()
    }

    fn base(&self, doc: DocId) -> Result<Option<Document>, H::Error> {
        match self.bases.get(&doc) {
            Some(base) => Ok(Some(base.clone())),
            None => self.held.base(doc),
        }
    }

    fn own_of(&mut self, doc: DocId) -> Result<&[OwnChange], H::Error> {
        if !self.own.contains_key(&doc) {
            self.own.insert(doc, self.held.own(doc)?);
        }
        Ok(&self.own[&doc])
    }

    fn state(&mut self, doc: DocId, hash: Hash) -> Result<Option<OwnState>, H::Error> {
        Ok(self.own_of(doc)?.iter().find(|change| change.hash == hash).map(|change| change.state))
    }

    fn set_state(&mut self, doc: DocId, hash: Hash, state: OwnState) -> Result<(), H::Error> {
        self.own_of(doc)?;
        let changes = self.own.get_mut(&doc).into_iter().flatten();
        changes.filter(|change| change.hash == hash).for_each(|change| change.state = state);
        Ok(())
    }

    fn alarm(&mut self, alarm: Alarm) {
        self.effects.push(Effect::Alarm(alarm));
    }
}

/// Opens a whole document and checks it against what the hub says of it.
fn open(whole: &Whole) -> Result<Document, String> {
    let document = Document::load(whole.doc, whole.kind, &whole.snapshot)
        .map_err(|error| error.to_string())?;
    if document.sum() == whole.sum {
        Ok(document)
    } else {
        Err("its changes do not add up to the sum named with it".to_owned())
    }
}
