//! What a request brings besides its route and its caller, and what it has cost so far.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use uuid::Uuid;

use crate::{
    conditional::{self, Condition, Version},
    dispatch::{App, Batch, hold::Hold},
    idempotency::IdempotencyKey,
    ports::{BoxFuture, DatabaseError, Email, HttpFailure, HttpRequest, HttpResponse, SendFailure},
    problem::{Problem, Result},
    reply::Answer,
    sql::{Statement, Value},
    throttle::ClientAddress,
    trace::{self, Step, Trace, Work},
    values::TenantId,
};

/// One request, as the doors that it comes through know it.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) app: Arc<App>,
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
    pub(super) fn of_nobody(app: &Arc<App>) -> Arc<Self> {
        Arc::new(Self { app: app.clone(), meter: Arc::default(), condition: None, key: None, client: None })
    }

    /// An empty batch, about a tenant if one is given.
    pub(super) fn batch(&self, tenant: Option<Uuid>) -> Batch<'_> {
        Batch::new(&self.app, Some(&self.meter), tenant)
    }

    /// What a statement is asked that lets a batch go on only if a resource is in a state that the client wants, if it
    /// said which: its id, and what [`Condition::asks`].
    pub(super) fn admitted(&self, batch: &mut Batch<'_>, id: Uuid) -> Option<[Value; 5]> {
        let [one, two, three, meant] = self.condition.as_ref()?.asks(id);
        batch.matched = true;
        Some([id.into(), one.into(), two.into(), three.into(), meant.into()])
    }

    /// Whether a state is one that the client wants.
    pub(super) fn matched(&self, version: Option<Version>) -> Result<()> {
        let admitted = self.condition.as_ref().is_none_or(|condition| condition.admits(version));
        admitted.then_some(()).ok_or_else(conditional::failed)
    }

    /// Says what is answered to a batch, for when it is to be kept.
    pub(super) fn keep(&self, batch: &mut Batch<'_>, answer: impl FnOnce() -> Result<Answer>) -> Result<()> {
        if self.key.is_some() {
            batch.answer = Some(answer()?);
        }
        Ok(())
    }

    /// Sees that a batch which writes does what the request's headers want, and says what is to be kept of it. What has
    /// no state is in none that could be named.
    pub(super) fn settle(&self, batch: &mut Batch<'_>) -> Result<Option<(&IdempotencyKey, Answer)>> {
        if !batch.matched {
            self.matched(None)?;
        }
        let Some(key) = &self.key else { return Ok(None) };
        let answer = batch.answer.take();
        let answer = answer.ok_or_else(|| Problem::internal("nobody said what the answer to be kept is"))?;
        Ok(Some((key, answer)))
    }
}

/// What a request has cost, or an attempt to deliver something: in which trace, and for which tenant.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    batches: AtomicU32,
    microseconds: AtomicU64,
    trace: Option<Trace>,
    /// The tenant that it is about, as soon as it is known.
    tenant: Mutex<Option<TenantId>>,
    /// What it consisted of, if that is to be told.
    steps: Option<Steps>,
    /// Where a test holds it, if one does.
    hold: Option<Hold>,
}

#[derive(Debug)]
struct Steps {
    /// When the first could begin, as the clock has it.
    began: Duration,
    /// How many have an id.
    numbered: AtomicU64,
    done: Mutex<Vec<Step>>,
}

impl Meter {
    /// Begins now. Steps are noted where they are exported, and the trace is one that is recorded.
    pub(crate) fn begin(app: &App, trace: Option<Trace>) -> Self {
        let told = cfg!(feature = "spans")
            && app.config.otlp_endpoint.is_some()
            && trace.is_some_and(|trace| trace.sampled);
        let steps = told.then(|| Steps {
            began: app.ports.clock.elapsed(),
            numbered: AtomicU64::new(0),
            done: Mutex::default(),
        });
        Self { trace, steps, ..Self::default() }
    }

    /// The same, of a request that a test holds.
    pub(super) fn with_hold(self, hold: Option<Hold>) -> Self {
        Self { hold, ..self }
    }

    /// Where it is held before it runs these statements: if they write, and others were run before.
    pub(super) fn hold(&self, statements: &[Statement]) -> Option<&Hold> {
        let writes = || statements.iter().any(|statement| !statement.sql.reads);
        self.hold.as_ref().filter(|_| self.batches() > 0 && writes())
    }

    /// Adds a batch, and when it began and ended.
    pub(super) fn add(
        &self,
        (begun, ended): (Duration, Duration),
        statements: &[Statement],
        failed: Option<&DatabaseError>,
    ) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(ended.saturating_sub(begun).as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
        if self.noted().is_some() {
            let names = statements.iter().map(|statement| statement.sql.name).collect();
            let failed = failed.map(|error| format!("{error:?}"));
            self.step(self.next_span(), Work::Batch(names), (begun, ended), failed);
        }
    }

    /// Where steps are noted, if they are. Without the feature that is nowhere, which the compiler is to know.
    fn noted(&self) -> Option<&Steps> {
        self.steps.as_ref().filter(|_| cfg!(feature = "spans"))
    }

    fn step(&self, span: u64, work: Work, (begun, ended): (Duration, Duration), failed: Option<String>) {
        let Some(steps) = self.noted() else { return };
        let (begun, took) = (begun.saturating_sub(steps.began), ended.saturating_sub(begun));
        let mut done = steps.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(Step { span, work, begun, took, failed });
    }

    /// An id for the next step. It follows on that of what it is a step of, which is random. Without steps, what it is
    /// a step of stands for all of them.
    fn next_span(&self) -> u64 {
        let span = self.trace.map_or(1, |trace| trace.span);
        match self.noted() {
            Some(steps) => span.wrapping_add(1 + steps.numbered.fetch_add(1, Ordering::Relaxed)).max(1),
            None => span,
        }
    }

    /// Sends a request to another service, as a step of the trace.
    pub(crate) fn send<'a>(
        &'a self,
        app: &'a App,
        mut request: HttpRequest,
    ) -> BoxFuture<'a, std::result::Result<HttpResponse, HttpFailure>> {
        let (http, clock, to, span) = (&app.ports.http, &app.ports.clock, request.to, self.next_span());
        request.headers.extend(self.trace.map(|trace| (trace::NAME, trace.to_header(span))));
        if self.noted().is_none() {
            return http.send(request);
        }
        Box::pin(async move {
            let begun = clock.elapsed();
            let answer = http.send(request).await;
            let (status, failed) = match &answer {
                Ok(response) => (Some(response.status), None),
                Err(failure) => (None, Some(failure.0.clone())),
            };
            self.step(span, Work::Call { to, status }, (begun, clock.elapsed()), failed);
            answer
        })
    }

    /// Hands an email to the platform, as a step of the trace.
    pub(crate) fn mail<'a>(
        &'a self,
        app: &'a App,
        email: Email,
    ) -> BoxFuture<'a, std::result::Result<(), SendFailure>> {
        let (mailer, clock) = (&app.ports.mailer, &app.ports.clock);
        if self.noted().is_none() {
            return mailer.send(email);
        }
        Box::pin(async move {
            let begun = clock.elapsed();
            let sent = mailer.send(email).await;
            let failed = sent.as_ref().err().map(|failure| match failure {
                SendFailure::Later(why, _) | SendFailure::Never(why) => why.clone(),
            });
            let work = Work::Call { to: "email", status: None };
            self.step(self.next_span(), work, (begun, clock.elapsed()), failed);
            sent
        })
    }

    /// Notes the tenant that it is about.
    pub(super) fn about(&self, tenant: TenantId) {
        *self.tenant.lock().unwrap_or_else(PoisonError::into_inner) = Some(tenant);
    }

    /// The tenant that it is about, if it has been found.
    pub(super) fn tenant(&self) -> Option<TenantId> {
        *self.tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trace; `None` if there was no randomness to begin one with.
    pub(crate) fn trace(&self) -> Option<Trace> {
        self.trace
    }

    /// The steps that were noted.
    #[cfg(feature = "spans")]
    pub(crate) fn steps(&self) -> Vec<Step> {
        let done = self.noted().map(|steps| steps.done.lock().unwrap_or_else(PoisonError::into_inner));
        done.map(|mut done| std::mem::take(&mut *done)).unwrap_or_default()
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
