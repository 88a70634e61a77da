//! What a request brings besides its route and its caller, and what it has cost so far.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use uuid::Uuid;

use crate::{
    conditional::{self, IfMatch, Version},
    dispatch::{App, Batch},
    idempotency::IdempotencyKey,
    problem::{Problem, Result},
    reply::Answer,
    sql::Value,
};

/// One request, as the doors that it comes through know it.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) app: Arc<App>,
    pub(crate) meter: Arc<Meter>,
    /// Where what is written must be in a state that the client has seen.
    pub(crate) if_match: Option<IfMatch>,
    /// Where what is done must not be done again.
    pub(crate) key: Option<IdempotencyKey>,
}

impl Context {
    /// Of what is no request.
    pub(super) fn of_nobody(app: &Arc<App>) -> Arc<Self> {
        Arc::new(Self { app: app.clone(), meter: Arc::default(), if_match: None, key: None })
    }

    /// An empty batch, about a tenant if one is given.
    pub(super) fn batch(&self, tenant: Option<Uuid>) -> Batch<'_> {
        Batch::new(&self.app, Some(&self.meter), tenant)
    }

    /// What a statement is asked that lets a batch go on only if a resource is in a state that `If-Match` names, if the
    /// client named any: its id, and the versions.
    pub(super) fn admitted(&self, batch: &mut Batch<'_>, id: Uuid) -> Option<[Value; 4]> {
        let [one, two, three] = self.if_match.as_ref()?.versions(id);
        batch.matched = true;
        Some([id.into(), one.into(), two.into(), three.into()])
    }

    /// Whether a state is one that `If-Match` names.
    pub(super) fn matched(&self, version: Option<Version>) -> Result<()> {
        let Some(if_match) = &self.if_match else { return Ok(()) };
        let matched = version.is_some_and(|version| if_match.admits(version));
        matched.then_some(()).ok_or_else(conditional::failed)
    }

    /// Says what is answered to a batch, for when it is to be kept.
    pub(super) fn keep(&self, batch: &mut Batch<'_>, answer: impl FnOnce() -> Result<Answer>) -> Result<()> {
        if self.key.is_some() {
            batch.answer = Some(answer()?);
        }
        Ok(())
    }

    /// Sees that a batch which writes does what the request's headers want, and says what is to be kept of it. What has
    /// no state that `If-Match` could name is in no such state.
    pub(super) fn settle(&self, batch: &mut Batch<'_>) -> Result<Option<(&IdempotencyKey, Answer)>> {
        if self.if_match.is_some() && !batch.matched {
            return Err(conditional::failed());
        }
        let Some(key) = &self.key else { return Ok(None) };
        let answer = batch.answer.take();
        let answer = answer.ok_or_else(|| Problem::internal("nobody said what the answer to be kept is"))?;
        Ok(Some((key, answer)))
    }
}

/// What a request has cost.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    batches: AtomicU32,
    microseconds: AtomicU64,
}

impl Meter {
    /// Adds a batch, and how long it took.
    pub(super) fn add(&self, time: Duration) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// Batches.
    pub(super) fn batches(&self) -> u32 {
        self.batches.load(Ordering::Relaxed)
    }

    /// How long the database took for them.
    pub(super) fn time(&self) -> Duration {
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed))
    }
}
