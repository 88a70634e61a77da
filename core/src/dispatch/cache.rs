//! What is remembered of the database, so that a request costs no extra round trip: which tenant a slug names, and
//! which account an identity leads to. The check in front of each batch compares them each time, so an entry that is
//! out of date grants nothing.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

/// The maximum number of entries; a cache that is full starts anew.
const CAPACITY: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Cache<T>(RwLock<HashMap<String, T>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: Copy> Cache<T> {
    pub(crate) fn get(&self, name: &str) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    pub(crate) fn remember(&self, name: &str, what: T) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(name.to_owned(), what);
    }

    pub(crate) fn forget(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
