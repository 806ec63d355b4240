//! Connections that last, a few for each caller.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many lasting connections each caller has.
#[derive(Debug, Clone)]
pub struct Listeners<K>(Arc<Mutex<BTreeMap<K, usize>>>);

/// One lasting connection among those of its caller, until it is dropped.
#[derive(Debug)]
pub(super) struct Place<K: Ord> {
    listeners: Listeners<K>,
    caller: K,
}

impl<K> Default for Listeners<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Ord + Copy> Listeners<K> {
    /// A place for one more connection of `caller`, unless it has `most`.
    pub(super) fn join(&self, caller: K, most: usize) -> Option<Place<K>> {
        let mut connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = connections.entry(caller).or_default();
        (*open < most).then(|| {
            *open += 1;
            Place { listeners: Self(Arc::clone(&self.0)), caller }
        })
    }
}

impl<K: Ord> Drop for Place<K> {
    fn drop(&mut self) {
        let mut connections = self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = connections.get_mut(&self.caller) {
            *open -= 1;
            if *open == 0 {
                connections.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 3;

    #[test]
    fn a_caller_has_few_places_and_gets_them_back() {
        let listeners = Listeners::default();
        let mut places: Vec<_> = (0..MOST).filter_map(|_| listeners.join(1, MOST)).collect();
        assert_eq!(places.len(), MOST);
        assert!(listeners.join(1, MOST).is_none());
        assert!(listeners.join(2, MOST).is_some(), "others are not affected");
        places.pop();
        places.extend(listeners.join(1, MOST));
        assert_eq!(places.len(), MOST);
        drop(places);
        assert!(listeners.0.lock().unwrap().is_empty());
    }
}
