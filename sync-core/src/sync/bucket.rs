//! A bucket: one gapless log of what happened to the documents of a feed, and how a phone's page is
//! cut from it.
//!
//! A page need not repeat the log. A document that came and went between two visits of the phone is
//! not sent at all, and one that changed much is sent whole. What matters is that whoever has read
//! to the end holds exactly the documents of the bucket with all their changes; the checksum at the
//! end says whether that is so.

use std::collections::BTreeMap;

use super::message::{Bucket, Frame, Page};
use crate::id::{DocId, Hash};

/// Bytes that a frame adds around its change or snapshot.
const FRAME_OVERHEAD: usize = 64;

/// The counter row of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// Sequence number of the newest row; the first row has 1.
    pub seq: u64,
    /// Raised when the log was rebuilt, for example from a backup.
    pub epoch: u32,
    /// Wrapping sum of [`Hash::prefix`] over the admitted changes of all documents in the bucket.
    pub checksum: u64,
}

impl State {
    /// Takes in a change of a document in the bucket; returns its sequence number.
    pub fn change(&mut self, hash: Hash) -> u64 {
        self.checksum = self.checksum.wrapping_add(hash.prefix());
        self.next()
    }

    /// Takes in a document whose changes add up to `sum`; returns the row's sequence number.
    pub fn enter(&mut self, sum: u64) -> u64 {
        self.checksum = self.checksum.wrapping_add(sum);
        self.next()
    }

    /// Lets a document go whose changes add up to `sum`; returns the row's sequence number.
    pub fn leave(&mut self, sum: u64) -> u64 {
        self.checksum = self.checksum.wrapping_sub(sum);
        self.next()
    }

    fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

/// What a row of the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A change of a document in the bucket.
    Change(Hash),
    /// A document entered.
    Enter,
    /// A document left.
    Leave,
}

/// A row of the log, with what the hub knows about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its place.
    pub seq: u64,
    /// The document.
    pub doc: DocId,
    /// What happened to it.
    pub entry: Entry,
    /// Bytes of the change; 0 for others.
    pub bytes: usize,
    /// The phone that asks has pushed this change and holds its bytes.
    pub own: bool,
}

/// What a phone is told about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The bytes of this change.
    Change(Hash),
    /// That its own change is in.
    Own(Hash),
    /// The whole document.
    Enter,
    /// That the document left.
    Leave,
}

/// One frame to be, at the row that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The row's place.
    pub seq: u64,
    /// The document.
    pub doc: DocId,
    /// What to send.
    pub action: Action,
}

/// Where reading starts: after the cursor if it belongs to this log, else at the beginning.
///
/// A cursor of another epoch, or one beyond the end (a hub restored from an older backup), belongs
/// to another log.
#[must_use]
pub fn start(state: &State, cursor: Option<(u32, u64)>) -> u64 {
    match cursor {
        Some((epoch, seq)) if epoch == state.epoch && seq <= state.seq => seq,
        _ => 0,
    }
}

/// What a page will say, decided before any byte of it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its frames to be.
    pub steps: Vec<Step>,
    /// The cursor after it.
    pub seq: u64,
}

/// Plans a page from consecutive `rows` after the cursor `from`, as far as the budget goes.
/// `whole_bytes` bounds the size of a document that is sent whole.
///
/// A page always ends where a phone can stand: a document is left out, or a change of it, only if
/// what makes up for that is in the same page.
pub fn plan(
    from: u64,
    rows: &[Row],
    whole_bytes: &dyn Fn(DocId) -> usize,
    budget: &mut Budget,
) -> Plan {
    let mut rows = rows;
    loop {
        let steps = steps(rows, whole_bytes);
        let mut room = *budget;
        let over = steps.iter().find(|step| !room.take(carried(step, rows, whole_bytes)));
        let Some(over) = over else {
            *budget = room;
            return Plan { steps, seq: rows.last().map_or(from, |row| row.seq) };
        };
        rows = &rows[..rows.partition_point(|row| row.seq < over.seq)];
    }
}

fn carried(step: &Step, rows: &[Row], whole_bytes: &dyn Fn(DocId) -> usize) -> usize {
    match step.action {
        Action::Change(_) => {
            let row = rows.partition_point(|row| row.seq < step.seq);
            rows.get(row).map_or(0, |row| row.bytes)
        }
        Action::Enter => whole_bytes(step.doc),
        Action::Own(_) | Action::Leave => 0,
    }
}

/// Turns consecutive rows into as few steps as tell a phone the same.
fn steps(rows: &[Row], whole_bytes: &dyn Fn(DocId) -> usize) -> Vec<Step> {
    let mut docs: BTreeMap<DocId, Story> = BTreeMap::new();
    for row in rows {
        docs.entry(row.doc).or_insert_with(|| Story::beginning_with(row)).take(row);
    }
    let whole: BTreeMap<DocId, Option<u64>> =
        docs.iter().map(|(doc, story)| (*doc, story.whole_at(whole_bytes(*doc)))).collect();
    rows.iter()
        .filter_map(|row| {
            let action = step(row, &docs[&row.doc], whole[&row.doc])?;
            Some(Step { seq: row.seq, doc: row.doc, action })
        })
        .collect()
}

/// What the rows of one window say about one document.
struct Story {
    held_before: bool,
    entered_at: Option<u64>,
    left_at: Option<u64>,
    first_change: Option<u64>,
    change_bytes: usize,
}

impl Story {
    fn beginning_with(row: &Row) -> Self {
        Self {
            held_before: row.entry != Entry::Enter,
            entered_at: None,
            left_at: None,
            first_change: None,
            change_bytes: 0,
        }
    }

    fn take(&mut self, row: &Row) {
        match row.entry {
            Entry::Enter => {
                self.entered_at = Some(row.seq);
                self.left_at = None;
            }
            Entry::Leave => {
                self.left_at = Some(row.seq);
                self.entered_at = None;
            }
            Entry::Change(_) => {
                self.first_change.get_or_insert(row.seq);
                self.change_bytes += if row.own { 0 } else { row.bytes + FRAME_OVERHEAD };
            }
        }
    }

    /// The row at which the document is sent whole, if it is.
    fn whole_at(&self, whole_bytes: usize) -> Option<u64> {
        let cheaper = self.change_bytes > whole_bytes + FRAME_OVERHEAD;
        self.entered_at.or(if cheaper { self.first_change } else { None })
    }
}

fn step(row: &Row, story: &Story, whole_at: Option<u64>) -> Option<Action> {
    if let Some(left_at) = story.left_at {
        return (row.seq == left_at && story.held_before).then_some(Action::Leave);
    }
    if let Some(whole_at) = whole_at {
        return (row.seq == whole_at).then_some(Action::Enter);
    }
    match row.entry {
        Entry::Change(hash) if row.own => Some(Action::Own(hash)),
        Entry::Change(hash) => Some(Action::Change(hash)),
        Entry::Enter | Entry::Leave => None,
    }
}

/// Room that is left in a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    left: usize,
    used: bool,
}

impl Budget {
    /// A reply of at most `bytes` of frames. One frame fits in any case, so that a phone that asks
    /// for too little still gets on.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes, used: false }
    }

    /// Takes room for a frame that carries `bytes`; `false` when there is none.
    pub fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes + FRAME_OVERHEAD;
        if bytes > self.left && self.used {
            self.left = 0;
            return false;
        }
        self.left = self.left.saturating_sub(bytes);
        self.used = true;
        true
    }

    /// Nothing more fits.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.left == 0 && self.used
    }
}

/// The page that a plan's `frames` make; it carries the checksum if it gets to the bucket's end.
#[must_use]
pub fn page(bucket: Bucket, state: &State, seq: u64, frames: Vec<Frame>) -> Page {
    let checksum = (seq == state.seq).then_some(state.checksum);
    Page { bucket, epoch: state.epoch, frames, seq, checksum }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::message::Whole;
    use super::*;
    use crate::document::DocKind;
    use crate::id::UnitId;

    /// A bucket with everything that ever happened to it, and the documents behind it.
    #[derive(Default)]
    struct Model {
        state: State,
        rows: Vec<Row>,
        docs: BTreeMap<DocId, Vec<Hash>>,
        members: BTreeSet<DocId>,
    }

    impl Model {
        fn act(&mut self, act: (u8, u8, u16)) {
            let doc = DocId::from_bytes([act.1; 16]);
            let changes = self.docs.entry(doc).or_default();
            let sum = changes.iter().fold(0_u64, |sum, hash| sum.wrapping_add(hash.prefix()));
            let (seq, entry, bytes) = match (act.0 % 4, self.members.contains(&doc)) {
                (0, true) => {
                    self.members.remove(&doc);
                    (self.state.leave(sum), Entry::Leave, 0)
                }
                (0 | 1, false) => {
                    self.members.insert(doc);
                    (self.state.enter(sum), Entry::Enter, 0)
                }
                (_, member) => {
                    let hash = crate::crypto::sha256(
                        &[&doc.as_bytes()[..], &changes.len().to_be_bytes()[..]].concat(),
                    );
                    changes.push(hash);
                    if !member {
                        return;
                    }
                    (self.state.change(hash), Entry::Change(hash), usize::from(act.2))
                }
            };
            let own = act.2.is_multiple_of(3);
            self.rows.push(Row { seq, doc, entry, bytes, own });
        }

        fn recomputed(&self) -> u64 {
            let members = self.members.iter().flat_map(|doc| &self.docs[doc]);
            members.fold(0, |sum, hash| sum.wrapping_add(hash.prefix()))
        }

        fn page(&self, from: u64, window: usize, budget: usize) -> Page {
            let rows: Vec<Row> =
                self.rows.iter().copied().filter(|row| row.seq > from).take(window).collect();
            let sizes = |doc: DocId| self.docs[&doc].len() * 40;
            let plan = plan(from, &rows, &sizes, &mut Budget::new(budget));
            let frames = plan.steps.iter().map(|step| self.frame(step)).collect();
            let bucket = Bucket::Unit(UnitId::from_bytes([0; 16]));
            page(bucket, &self.state, plan.seq, frames)
        }

        fn frame(&self, step: &Step) -> Frame {
            let doc = step.doc;
            match step.action {
                Action::Change(hash) => {
                    let row = self.rows.iter().find(|row| row.entry == Entry::Change(hash));
                    let mut change = hash.as_bytes().to_vec();
                    change.resize(row.expect("in the log").bytes.max(32), 0);
                    Frame::Change { doc, change: change.into() }
                }
                Action::Own(hash) => Frame::Own { doc, hash },
                Action::Leave => Frame::Leave { doc },
                Action::Enter => {
                    let hashes = self.docs[&doc].iter().flat_map(|hash| *hash.as_bytes());
                    let snapshot = hashes.collect::<Vec<u8>>().into();
                    Frame::Enter(Whole { doc, kind: DocKind::Patrol, snapshot, sum: 0 })
                }
            }
        }
    }

    /// What a phone holds: the hashes of each document in the bucket.
    #[derive(Default)]
    struct Phone(BTreeMap<DocId, BTreeSet<Hash>>);

    impl Phone {
        fn take(&mut self, frame: &Frame) {
            let hash = |bytes: &[u8]| Hash::from_bytes(bytes[..32].try_into().expect("32 bytes"));
            match frame {
                Frame::Change { doc, change } => {
                    self.0.get_mut(doc).expect("held").insert(hash(change));
                }
                Frame::Own { doc, hash } => {
                    self.0.get_mut(doc).expect("held").insert(*hash);
                }
                Frame::Enter(whole) => {
                    self.0.insert(whole.doc, whole.snapshot.chunks(32).map(hash).collect());
                }
                Frame::Leave { doc } => {
                    self.0.remove(doc);
                }
            }
        }

        fn sum(&self) -> u64 {
            self.0.values().flatten().fold(0, |sum, hash| sum.wrapping_add(hash.prefix()))
        }
    }

    proptest! {
        #[test]
        fn whoever_reads_to_the_end_holds_the_bucket_whatever_the_pages(
            early in prop::collection::vec((0_u8..4, 0_u8..5, 0_u16..200), 0..40),
            late in prop::collection::vec((0_u8..4, 0_u8..5, 0_u16..200), 0..40),
            window in 1_usize..30,
            budget in 0_usize..2_000,
        ) {
            let mut model = Model::default();
            let mut phone = Phone::default();
            let mut cursor = 0;
            for acts in [early, late] {
                for act in acts {
                    model.act(act);
                    prop_assert_eq!(model.state.checksum, model.recomputed());
                    prop_assert_eq!(model.state.seq, model.rows.len() as u64);
                }
                while cursor < model.state.seq {
                    let page = model.page(cursor, window, budget);
                    prop_assert!(page.seq > cursor, "every page moves on");
                    page.frames.iter().for_each(|frame| phone.take(frame));
                    cursor = page.seq;
                    prop_assert_eq!(page.checksum.is_some(), cursor == model.state.seq);
                    if let Some(checksum) = page.checksum {
                        prop_assert_eq!(phone.sum(), checksum);
                    }
                }
                let held: BTreeSet<DocId> = phone.0.keys().copied().collect();
                prop_assert_eq!(&held, &model.members);
            }
        }
    }

    fn row(seq: u64, doc: u8, entry: Entry, own: bool) -> Row {
        Row { seq, doc: DocId::from_bytes([doc; 16]), entry, bytes: 200, own }
    }

    fn change(byte: u8) -> Entry {
        Entry::Change(Hash::from_bytes([byte; 32]))
    }

    fn actions(rows: &[Row], whole: usize) -> Vec<(u64, Action)> {
        let plan = plan(0, rows, &|_| whole, &mut Budget::new(1_000_000));
        plan.steps.into_iter().map(|step| (step.seq, step.action)).collect()
    }

    #[test]
    fn what_came_and_went_is_not_sent_and_what_went_and_came_is_sent_once() {
        let came_and_went = [
            row(1, 1, Entry::Enter, false),
            row(2, 1, change(1), false),
            row(3, 1, Entry::Leave, false),
        ];
        assert_eq!(actions(&came_and_went, 9_999), []);
        let went_and_came = [
            row(4, 1, change(1), false),
            row(5, 1, Entry::Leave, false),
            row(6, 1, Entry::Enter, false),
            row(7, 1, change(2), false),
        ];
        assert_eq!(actions(&went_and_came, 9_999), [(6, Action::Enter)]);
    }

    #[test]
    fn many_changes_collapse_into_the_whole_and_own_ones_cost_nothing() {
        let theirs: Vec<Row> = (1..=10_u8).map(|n| row(n.into(), 1, change(n), false)).collect();
        assert_eq!(actions(&theirs, 1_000), [(1, Action::Enter)]);
        assert_eq!(actions(&theirs, 9_999).len(), 10);
        let own: Vec<Row> = (1..=10_u8).map(|n| row(n.into(), 1, change(n), true)).collect();
        let steps = actions(&own, 10);
        assert_eq!(steps.len(), 10);
        assert_eq!(steps[0], (1, Action::Own(Hash::from_bytes([1; 32]))));
    }

    #[test]
    fn a_cursor_of_another_log_starts_anew() {
        let state = State { seq: 9, epoch: 2, checksum: 0 };
        assert_eq!(start(&state, Some((2, 9))), 9);
        assert_eq!(start(&state, Some((1, 9))), 0);
        assert_eq!(start(&state, Some((2, 10))), 0);
        assert_eq!(start(&state, None), 0);
    }
}
