//! Tenants take turns at background work. Each tenant that waits has one step before any has a second, so that none
//! waits behind more than one step of each other tenant, however much work one has and whatever fails for it.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::{
    access::scopes::background::BackgroundScope,
    http::problem::{Problem, Result},
    kernel::{sql::GlobalSql, values::TenantId},
};

/// The number of tenants that the database is asked for at once; the next time it is asked for those behind them.
const FOUND: usize = 100;

/// The number of tenants that are remembered. The database knows the others.
const MOST: usize = 1_000;

/// The turns at each kind of work.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub(crate) sealing: Turns,
    pub(crate) project_words: Turns,
    pub(crate) task_words: Turns,
    pub(crate) removal: Turns,
    pub(crate) sizes: Turns,
}

/// The order of turns, as far as this process knows. Losing this memory costs a place in the order, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Order>);

#[derive(Debug, Default)]
struct Order {
    waiting: VecDeque<TenantId>,
    /// The last tenant that the database named, if there may be others behind it.
    last: Uuid,
    asked: bool,
}

/// The result of one step of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing is left. This many rows were done.
    Last(u32),
    /// The tenant needs another turn. This many rows were done.
    Some(u32),
    /// Another instance is at it, and may leave something.
    Busy,
}

/// The result of a round of work in which tenants take turns.
#[derive(Debug, Default)]
pub struct Turned {
    /// Rows that were done.
    pub rows: u32,
    /// Whether another round is worth while, because more may be waiting.
    pub more: bool,
    /// The first failure of a tenant. The other tenants had their turns all the same.
    pub failed: Option<Box<Problem>>,
}

impl Turned {
    /// The same, if no tenant's step failed.
    ///
    /// # Errors
    /// The first failure.
    pub fn whole(self) -> Result<Self> {
        match self.failed {
            Some(problem) => Err(problem),
            None => Ok(self),
        }
    }
}

impl Turns {
    fn order(&self) -> MutexGuard<'_, Order> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no tenant is known to wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.order().waiting.is_empty()
    }

    /// Adds a tenant behind those that wait.
    pub(crate) fn join(&self, tenant: TenantId) {
        let mut order = self.order();
        if order.waiting.len() < MOST && !order.waiting.contains(&tenant) {
            order.waiting.push_back(tenant);
        }
    }

    fn next(&self) -> Option<TenantId> {
        self.order().waiting.pop_front()
    }

    /// Asks the database which tenants wait: `waiting` names up to `?1` of them, in order, behind `?2`.
    async fn look(&self, scope: &BackgroundScope<'_>, waiting: &GlobalSql) -> Result<()> {
        let (last, asked) = {
            let order = self.order();
            (order.last, order.asked)
        };
        let mut batch = scope.batch(None);
        let most = i64::try_from(FOUND).unwrap_or(i64::MAX);
        let slot = batch.add_global::<TenantId, _>(waiting, [most.into(), last.into()]);
        let mut found = scope.run(batch).await?.all(slot)?;
        {
            let mut order = self.order();
            let behind = found.last().filter(|_| found.len() == FOUND);
            (order.last, order.asked) = (behind.map_or(Uuid::nil(), |tenant| tenant.0), true);
        }
        // Where processes are short-lived, each starts at a random place, so that no tenant is always first.
        if !asked && !found.is_empty() {
            let mut random = [0; 2];
            let _ = scope.services().ports.entropy.fill(&mut random);
            let first = usize::from(u16::from_be_bytes(random)) % found.len();
            found.rotate_left(first);
        }
        for tenant in found {
            self.join(tenant);
        }
        Ok(())
    }

    /// A round of at most `steps` steps. The statement `waiting`, if given, first asks which tenants wait.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub(crate) async fn round<F>(
        &self,
        scope: &BackgroundScope<'_>,
        waiting: Option<&GlobalSql>,
        steps: u32,
        step: impl Fn(TenantId) -> F,
    ) -> Result<Turned>
    where
        F: Future<Output = Result<Step>>,
    {
        if let Some(waiting) = waiting {
            self.look(scope, waiting).await?;
        }
        let (mut turned, mut went_on, mut busy) = (Turned::default(), false, false);
        let mut failed = Vec::new();
        for _ in 0..steps {
            let Some(tenant) = self.next() else { break };
            match step(tenant).await {
                Ok(Step::Last(rows)) => (turned.rows, went_on) = (turned.rows + rows, true),
                Ok(Step::Some(rows)) => {
                    (turned.rows, went_on) = (turned.rows + rows, true);
                    self.join(tenant);
                }
                Ok(Step::Busy) => busy = true,
                Err(problem) => {
                    turned.failed = turned.failed.or(Some(problem));
                    failed.push(tenant);
                }
            }
        }
        // Failed tenants are tried again, but not in the same round.
        for tenant in failed {
            self.join(tenant);
        }
        turned.more = busy || (went_on && (!self.is_empty() || self.order().last != Uuid::nil()));
        Ok(turned)
    }
}
