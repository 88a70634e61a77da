//! What a request brings besides its route and its caller, and what it has cost so far.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    access::{batch::Batch, services::Services},
    http::{
        answer::Answer,
        conditional::{self, Condition, Version},
        idempotency::IdempotencyKey,
        problem::{Problem, Result},
    },
    kernel::sql::Value,
    ports::{limit::ClientAddress, meter::Meter},
};

/// One request, as the scopes that it comes through know it.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) services: Arc<Services>,
    pub(crate) meter: Arc<Meter>,
    /// Where what is written must be in a state that the client has seen.
    pub(crate) condition: Option<Condition>,
    /// Where what is done must not be done again.
    pub(crate) key: Option<IdempotencyKey>,
    /// Where it comes from, if the adapter knows.
    pub(crate) client: Option<ClientAddress>,
}

impl Context {
    /// Of what is no request.
    pub(in crate::access) fn of_nobody(services: &Arc<Services>) -> Arc<Self> {
        Arc::new(Self {
            services: services.clone(),
            meter: Arc::default(),
            condition: None,
            key: None,
            client: None,
        })
    }

    /// An empty batch, about a tenant if one is given.
    pub(in crate::access) fn batch(&self, tenant: Option<Uuid>) -> Batch<'_> {
        Batch::new(&self.services, Some(&self.meter), tenant)
    }

    /// What a statement is asked that lets a batch go on only if a resource is in a state that the client wants, if it
    /// said which: its id, and what [`Condition::asks`].
    pub(in crate::access) fn admitted(&self, batch: &mut Batch<'_>, id: Uuid) -> Option<[Value; 5]> {
        let [one, two, three, meant] = self.condition.as_ref()?.asks(id);
        batch.matched = true;
        Some([id.into(), one.into(), two.into(), three.into(), meant.into()])
    }

    /// Whether a state is one that the client wants.
    pub(in crate::access) fn matched(&self, version: Option<Version>) -> Result<()> {
        let admitted = self.condition.as_ref().is_none_or(|condition| condition.admits(version));
        admitted.then_some(()).ok_or_else(conditional::failed)
    }

    /// Says what is answered to a batch, for when it is to be kept.
    pub(in crate::access) fn store_answer(
        &self,
        batch: &mut Batch<'_>,
        answer: impl FnOnce() -> Result<Answer>,
    ) -> Result<()> {
        if self.key.is_some() {
            batch.answer = Some(answer()?);
        }
        Ok(())
    }

    /// Sees that a batch which writes does what the request's headers want, and says what is to be kept of it. What has
    /// no state is in none that could be named.
    pub(in crate::access) fn settle(
        &self,
        batch: &mut Batch<'_>,
    ) -> Result<Option<(&IdempotencyKey, Answer)>> {
        if !batch.matched {
            self.matched(None)?;
        }
        let Some(key) = &self.key else { return Ok(None) };
        let answer = batch.answer.take();
        let answer = answer.ok_or_else(|| Problem::internal("nobody said what the answer to be kept is"))?;
        Ok(Some((key, answer)))
    }
}
