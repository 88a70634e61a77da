//! The context of a request: what its headers ask for besides route and caller, and its cost so far.

use std::{any::Any, sync::Arc};

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

/// The answer of a value that a handler is going to return, as the route's type of reply makes it.
pub(crate) type AnswerOf = fn(&dyn Any) -> Result<Answer>;

/// What keeps a request from taking effect twice.
#[derive(Debug)]
pub(crate) struct Idempotency {
    /// The key that the client has given.
    pub(crate) key: IdempotencyKey,
    /// Makes the answer that is stored under it.
    pub(crate) answer_of: AnswerOf,
}

/// One request, as the scopes see it.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) services: Arc<Services>,
    pub(crate) meter: Arc<Meter>,
    /// The states in which the client wants the resource to be that the request changes.
    pub(crate) condition: Option<Condition>,
    /// What keeps the request from taking effect twice, if the client wants that.
    pub(crate) idempotency: Option<Idempotency>,
    /// The client's address, if the adapter knows it.
    pub(crate) client: Option<ClientAddress>,
}

impl Context {
    /// The context of work that no request asked for.
    pub(in crate::access) fn of_nobody(services: &Arc<Services>) -> Arc<Self> {
        Arc::new(Self {
            services: services.clone(),
            meter: Arc::default(),
            condition: None,
            idempotency: None,
            client: None,
        })
    }

    /// An empty batch, about a tenant if one is given.
    pub(in crate::access) fn batch(&self, tenant: Option<Uuid>) -> Batch<'_> {
        Batch::new(&self.services, Some(&self.meter), tenant)
    }

    /// The arguments of a statement that lets a batch go on only if a resource is in a state that the client wants: its
    /// id, and [`Condition::asks`]. `None` if the client has named no state.
    pub(in crate::access) fn admitted(&self, batch: &mut Batch<'_>, id: Uuid) -> Option<[Value; 5]> {
        let [one, two, three, meant] = self.condition.as_ref()?.asks(id);
        batch.matched = true;
        Some([id.into(), one.into(), two.into(), three.into(), meant.into()])
    }

    /// Fails unless the state is one that the client wants.
    pub(in crate::access) fn matched(&self, version: Option<Version>) -> Result<()> {
        let admitted = self.condition.as_ref().is_none_or(|condition| condition.admits(version));
        admitted.then_some(()).ok_or_else(conditional::failed)
    }

    /// Gives the batch the value that the handler is going to return, in case its answer is to be stored.
    pub(in crate::access) fn store_answer(&self, batch: &mut Batch<'_>, value: &dyn Any) -> Result<()> {
        if let Some(Idempotency { answer_of, .. }) = &self.idempotency {
            batch.answer = Some(answer_of(value)?);
        }
        Ok(())
    }

    /// Checks that a batch which writes does what the request's headers ask for, and returns the answer to keep. A
    /// resource without a version is in no state that a client could name.
    pub(in crate::access) fn settle(
        &self,
        batch: &mut Batch<'_>,
    ) -> Result<Option<(&IdempotencyKey, Answer)>> {
        if !batch.matched {
            self.matched(None)?;
        }
        let Some(Idempotency { key, .. }) = &self.idempotency else { return Ok(None) };
        let answer = batch.answer.take();
        let answer = answer.ok_or_else(|| Problem::internal("the batch has no answer to be stored"))?;
        Ok(Some((key, answer)))
    }
}
