//! The list of work in memory: sealed rows cannot be searched where they lie.
//!
//! Read from the rows when it is first asked for, then kept up with every transaction. How much
//! memory it takes has not been measured; [`Device::forget_list`](crate::Device::forget_list) gives
//! it back.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::time::Millis;

use super::db::Db;
use super::work;
use crate::error::DeviceError;
use crate::work::{Search, WorkItem};

/// The oldest order first.
type Place = (Millis, FactId);

#[derive(Debug)]
struct Listed {
    item: WorkItem,
    /// All its words, in lower case.
    words: String,
}

/// All orders to be answered.
#[derive(Debug, Default)]
pub(crate) struct List {
    items: BTreeMap<Place, Listed>,
    places: BTreeMap<DocId, Vec<Place>>,
}

impl List {
    pub(super) fn read(db: Db<'_>) -> Result<Self, DeviceError> {
        let mut list = Self::default();
        work::all(db)?.into_iter().for_each(|item| list.insert(item));
        Ok(list)
    }

    /// Follows a transaction that changed these cases.
    pub(super) fn follow(&mut self, db: Db<'_>, cases: BTreeSet<DocId>) -> Result<(), DeviceError> {
        for case in cases {
            for place in self.places.remove(&case).unwrap_or_default() {
                self.items.remove(&place);
            }
            work::of(db, case)?.into_iter().for_each(|item| self.insert(item));
        }
        Ok(())
    }

    fn insert(&mut self, item: WorkItem) {
        let place = (item.issued_at, item.order);
        self.places.entry(item.case).or_default().push(place);
        let words = [&item.matter[..], &item.summary, &item.text].join("\n").to_lowercase();
        self.items.insert(place, Listed { item, words });
    }

    pub(crate) fn all(&self) -> Vec<WorkItem> {
        self.items.values().map(|listed| listed.item.clone()).collect()
    }

    pub(crate) fn search(&self, search: &Search) -> Vec<WorkItem> {
        let words = search.words.to_lowercase();
        let words: Vec<&str> = words.split_whitespace().collect();
        let from = search.after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.items
            .range((from, std::ops::Bound::Unbounded))
            .map(|(_, listed)| listed)
            .filter(|listed| !(search.undone_only && listed.item.done))
            .filter(|listed| words.iter().all(|word| listed.words.contains(word)))
            .take(search.max)
            .map(|listed| listed.item.clone())
            .collect()
    }
}
