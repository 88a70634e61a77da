//! What is remembered of the database, so that a request costs no extra round trip: which tenant a slug names, and
//! which account an identity leads to. The check in front of each batch compares them each time, so an entry that is
//! out of date grants nothing.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, RwLock},
};

/// The maximum number of entries; in a cache that is full, a new entry takes the place of the oldest.
const CAPACITY: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Cache<T>(RwLock<Entries<T>>);

#[derive(Debug)]
struct Entries<T> {
    /// `None` for a name that was forgotten, so that each name stands here and among the names exactly once.
    known: HashMap<Arc<str>, Option<T>>,
    /// The names, the oldest first.
    names: VecDeque<Arc<str>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(RwLock::new(Entries { known: HashMap::new(), names: VecDeque::new() }))
    }
}

impl<T: Copy> Cache<T> {
    pub(crate) fn get(&self, name: &str) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known.get(name).copied().flatten()
    }

    pub(crate) fn remember(&self, name: &str, what: T) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Entries { known, names } = &mut *entries;
        if let Some(entry) = known.get_mut(name) {
            *entry = Some(what);
            return;
        }
        if names.len() >= CAPACITY
            && let Some(oldest) = names.pop_front()
        {
            known.remove(&oldest);
        }
        let name: Arc<str> = name.into();
        known.insert(name.clone(), Some(what));
        names.push_back(name);
    }

    pub(crate) fn forget(&self, name: &str) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.known.get_mut(name) {
            *entry = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Cache<usize> {
        let cache = Cache::default();
        for number in 0..CAPACITY {
            cache.remember(&number.to_string(), number);
        }
        cache
    }

    #[test]
    fn a_full_cache_loses_its_oldest_entry_and_no_other() {
        let cache = full();
        cache.remember("new", CAPACITY);
        assert_eq!(cache.get("0"), None);
        assert!((1..CAPACITY).all(|number| cache.get(&number.to_string()) == Some(number)));
        assert_eq!(cache.get("new"), Some(CAPACITY));
    }

    #[test]
    fn an_entry_that_is_changed_or_forgotten_keeps_its_place() {
        let cache = full();
        for _ in 0..2 {
            cache.forget("0");
            assert_eq!(cache.get("0"), None);
            cache.remember("0", 7);
            assert_eq!(cache.get("0"), Some(7));
        }
        cache.forget("unknown");
        assert_eq!(cache.get("1"), Some(1), "a name that was remembered again displaces nothing");
        cache.remember("new", CAPACITY);
        assert_eq!((cache.get("0"), cache.get("1")), (None, Some(1)));
        let entries = cache.0.read().unwrap();
        assert_eq!((entries.known.len(), entries.names.len()), (CAPACITY, CAPACITY));
    }
}
