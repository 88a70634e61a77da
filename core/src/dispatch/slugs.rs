//! Which tenant a slug names, remembered, so that a request which names its tenant by slug costs no extra round
//! trip. The membership check compares the slug each time, so a memory that is out of date grants nothing.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use crate::values::TenantId;

/// More than this many are not kept; then it starts anew.
const CAPACITY: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct SlugCache(RwLock<HashMap<String, TenantId>>);

impl SlugCache {
    pub(super) fn get(&self, slug: &str) -> Option<TenantId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(slug).copied()
    }

    pub(super) fn remember(&self, slug: &str, tenant: TenantId) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(slug.to_owned(), tenant);
    }

    pub(super) fn forget(&self, slug: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(slug);
    }
}
