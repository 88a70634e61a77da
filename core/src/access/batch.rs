//! A batch as repositories write it: the scope's own check first, then statements whose rows are fetched by slot.

use std::marker::PhantomData;

use uuid::Uuid;

use crate::{
    access::services::Services,
    http::{
        answer::Answer,
        problem::{Problem, Result},
    },
    kernel::{
        limits,
        sql::{
            GlobalSql, Reach, Statement, TenantSql, Value,
            rows::{FromRow, Rows},
        },
        values::TenantId,
    },
    ports::{DatabaseError, meter::Meter},
};

/// The place of a statement in its batch, and the type of its rows.
pub(crate) struct Slot<T>(usize, PhantomData<T>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> Slot<T> {
    /// The place of the scope's check.
    pub(in crate::access) fn first() -> Self {
        Self(0, PhantomData)
    }
}

/// Statements that are run together or not at all.
pub(crate) struct Batch<'a> {
    services: &'a Services,
    /// The meter of the request, if the batch is for one.
    meter: Option<&'a Meter>,
    tenant: Option<Uuid>,
    pub(in crate::access) statements: Vec<Statement>,
    misses: Vec<(usize, Box<Problem>)>,
    duplicates: Vec<(&'static str, Box<Problem>)>,
    /// Whether it writes deliveries.
    delivers: bool,
    /// Whether it fails unless the resource that it changes is in a state that `If-Match` names.
    pub(in crate::access) matched: bool,
    /// Whether it is beside the request's own work: no test holds a request for it.
    pub(in crate::access) aside: bool,
    /// The answer, if it is to be stored.
    pub(in crate::access) answer: Option<Answer>,
}

impl<'a> Batch<'a> {
    /// An empty batch; the scope that opens it puts its check in front.
    pub(in crate::access) fn new(
        services: &'a Services,
        meter: Option<&'a Meter>,
        tenant: Option<Uuid>,
    ) -> Self {
        Self {
            services,
            meter,
            tenant,
            statements: Vec::with_capacity(4),
            misses: Vec::new(),
            duplicates: Vec::new(),
            delivers: false,
            matched: false,
            aside: false,
            answer: None,
        }
    }

    pub(in crate::access) fn push<T>(&mut self, statement: Statement) -> Slot<T> {
        self.statements.push(statement);
        Slot(self.statements.len() - 1, PhantomData)
    }

    /// The services that run it.
    pub(crate) fn services(&self) -> &'a Services {
        self.services
    }

    /// Adds a statement about the tenant whose scope this is.
    pub(crate) fn add<T: FromRow, const N: usize>(
        &mut self,
        sql: &TenantSql,
        arguments: [Value; N],
    ) -> Slot<T> {
        // A batch without a tenant binds the nil id, which no tenant has: such a statement finds nothing.
        self.push(sql.bind(self.tenant.unwrap_or(Uuid::nil()), arguments))
    }

    /// The same for a statement that is chosen among several, with arguments that depend on the request.
    pub(crate) fn add_chosen<T: FromRow>(&mut self, sql: &TenantSql, arguments: Vec<Value>) -> Slot<T> {
        self.push(sql.bind_all(self.tenant.unwrap_or(Uuid::nil()), arguments))
    }

    /// Has the engine hand over no more rows of a list than a page has room for, where they can be long. Each text of a
    /// row must be a text of its item: a list that was cut here is taken to end there unless its items have too many
    /// bytes for the page. (The bound is twice the page, since no two engines need the same number of bytes.)
    pub(crate) fn bound<T>(&mut self, rows: Slot<T>) {
        if let Some(statement) = self.statements.get_mut(rows.0) {
            statement.enough = Some(2 * limits::PAGE_BYTES);
        }
    }

    /// Adds a statement that must touch exactly one row; the batch fails with the problem if it does not.
    pub(crate) fn require<T: FromRow, const N: usize>(
        &mut self,
        sql: &TenantSql,
        arguments: [Value; N],
        otherwise: Box<Problem>,
    ) -> Slot<T> {
        self.require_rows(1, sql, arguments, otherwise)
    }

    /// Adds a statement that must touch exactly `rows` rows; the batch fails with the problem if it does not.
    pub(crate) fn require_rows<T: FromRow, const N: usize>(
        &mut self,
        rows: u32,
        sql: &TenantSql,
        arguments: [Value; N],
        otherwise: Box<Problem>,
    ) -> Slot<T> {
        let slot = self.push(sql.bind(self.tenant.unwrap_or(Uuid::nil()), arguments).expecting(rows));
        self.misses.push((slot.0, otherwise));
        slot
    }

    /// Adds a statement about no tenant in particular that must touch exactly one row; the batch fails with the problem
    /// if it does not.
    pub(crate) fn require_global<T: FromRow, const N: usize>(
        &mut self,
        sql: &GlobalSql,
        arguments: [Value; N],
        otherwise: Box<Problem>,
    ) -> Slot<T> {
        let slot = self.push(sql.bind(arguments).expecting(1));
        self.misses.push((slot.0, otherwise));
        slot
    }

    /// Adds a statement about no tenant in particular.
    pub(crate) fn add_global<T: FromRow, const N: usize>(
        &mut self,
        sql: &GlobalSql,
        arguments: [Value; N],
    ) -> Slot<T> {
        self.push(sql.bind(arguments))
    }

    /// Says what the violation of a uniqueness constraint means.
    pub(crate) fn on_duplicate(&mut self, key: &'static str, problem: Box<Problem>) {
        self.duplicates.push((key, problem));
    }

    /// The `traceparent` for work that the batch causes later.
    pub(crate) fn traceparent(&self) -> Option<String> {
        let trace = self.meter.and_then(Meter::trace)?;
        Some(trace.to_header(trace.span))
    }

    /// Notes that it writes deliveries, which are to be sent as soon as it is committed.
    pub(crate) fn delivers(&mut self) {
        self.delivers = true;
    }

    /// Runs it. `Err(None)` if the statement in front, the scope's check, was not met.
    pub(in crate::access) async fn run(self) -> Result<Outcome, Option<Box<Problem>>> {
        let Self { services, meter, tenant, statements, mut misses, mut duplicates, delivers, aside, .. } =
            self;
        if let Some(hold) = meter.filter(|_| !aside).and_then(|meter| meter.hold(&statements))
            // Boxed, because a hold is rare.
            && !Box::pin(hold.wait(&services.ports)).await
        {
            return Err(Some(Problem::internal("a request was held, and nobody let it go on")));
        }
        let clock = &services.ports.clock;
        let begun = meter.map(|_| clock.elapsed());
        let done = services.batch(&statements).await;
        if let (Some(meter), Some(begun)) = (meter, begun) {
            meter.add((begun, clock.elapsed()), &statements, done.as_ref().err());
        }
        let problem = match done {
            Ok(rows) => {
                if delivers {
                    services.pending.delivery();
                }
                if statements.iter().any(|written| written.sql.removes()) {
                    services.pending.removal();
                }
                for written in statements.iter().filter(|statement| statement.sql.records()) {
                    let of = tenant.filter(|_| written.sql.reach == Reach::Tenant);
                    of.inspect(|of| services.turns.sealing.join(TenantId(*of)));
                    services.pending.entry(of.is_some());
                }
                return Ok(Outcome { rows });
            }
            Err(DatabaseError::Unmet(index)) => match misses.iter().position(|(place, _)| *place == index) {
                Some(found) => misses.swap_remove(found).1,
                None if index == 0 => return Err(None),
                None => DatabaseError::Unmet(index).into(),
            },
            Err(DatabaseError::Unique(key)) => match duplicates.iter().position(|(name, _)| *name == key) {
                Some(found) => duplicates.swap_remove(found).1,
                None => DatabaseError::Unique(key).into(),
            },
            Err(error) => error.into(),
        };
        Err(Some(problem))
    }
}

/// The rows that a batch returned.
pub(crate) struct Outcome {
    rows: Vec<Rows>,
}

impl Outcome {
    /// All rows of a statement.
    pub(crate) fn all<T: FromRow>(&mut self, slot: Slot<T>) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for row in self.take(slot.0) {
            all.push(T::from_row(row)?);
        }
        Ok(all)
    }

    fn take(&mut self, place: usize) -> Rows {
        self.rows.get_mut(place).map(std::mem::take).unwrap_or_default()
    }

    /// The row of a statement that returns at most one.
    pub(crate) fn optional<T: FromRow>(&mut self, slot: Slot<T>) -> Result<Option<T>> {
        Ok(self.all(slot)?.into_iter().next())
    }

    /// The same for a statement that may not have been added.
    pub(crate) fn optional_if_asked<T: FromRow>(&mut self, slot: Option<Slot<T>>) -> Result<Option<T>> {
        slot.map_or(Ok(None), |slot| self.optional(slot))
    }

    /// The row of a statement that always returns one.
    pub(crate) fn one<T: FromRow>(&mut self, slot: Slot<T>) -> Result<T> {
        self.optional(slot)?.ok_or_else(|| Problem::internal("a statement that returns a row returned none"))
    }
}
