//! The use of the ports, counted: the batches of a request, the time that they took, and the steps of its trace.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    kernel::{sql::Statement, values::TenantId},
    ports::{
        BoxFuture, DatabaseError, Email, HttpFailure, HttpRequest, HttpResponse, Platform, SendFailure,
        hold::Hold,
        trace::{self, Step, Trace, Work},
    },
};

/// The cost of a request or of an attempt to deliver something, with its trace and its tenant.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    batches: AtomicU32,
    microseconds: AtomicU64,
    trace: Option<Trace>,
    /// The tenant, as soon as it is known.
    tenant: Mutex<Option<TenantId>>,
    /// The steps, if they are exported.
    steps: Option<Steps>,
    /// The hold of a test, if there is one.
    hold: Option<Hold>,
}

#[derive(Debug)]
struct Steps {
    /// The time of the clock when the meter started.
    began: Duration,
    /// The number of steps that have an id.
    numbered: AtomicU64,
    done: Mutex<Vec<Step>>,
}

impl Meter {
    /// Starts now. Steps are noted if they are exported and the trace is sampled.
    pub(crate) fn begin(ports: &Platform, exported: bool, trace: Option<Trace>) -> Self {
        let told = cfg!(feature = "spans") && exported && trace.is_some_and(|trace| trace.sampled);
        let steps = told.then(|| Steps {
            began: ports.clock.elapsed(),
            numbered: AtomicU64::new(0),
            done: Mutex::default(),
        });
        Self { trace, steps, ..Self::default() }
    }

    /// The same, for a request that a test holds.
    pub(crate) fn with_hold(self, hold: Option<Hold>) -> Self {
        Self { hold, ..self }
    }

    /// The hold before these statements: if they write, and others ran before.
    pub(crate) fn hold(&self, statements: &[Statement]) -> Option<&Hold> {
        let writes = || statements.iter().any(|statement| !statement.sql.reads);
        self.hold.as_ref().filter(|_| self.batches() > 0 && writes())
    }

    /// Adds a batch, and when it began and ended.
    pub(crate) fn add(
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

    /// The steps, if they are noted. Without the feature there are none, which the compiler is to know.
    fn noted(&self) -> Option<&Steps> {
        self.steps.as_ref().filter(|_| cfg!(feature = "spans"))
    }

    fn step(&self, span: u64, work: Work, (begun, ended): (Duration, Duration), failed: Option<String>) {
        let Some(steps) = self.noted() else { return };
        let (begun, took) = (begun.saturating_sub(steps.began), ended.saturating_sub(begun));
        let mut done = steps.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(Step { span, work, begun, took, failed });
    }

    /// An id for the next step: it follows the id of the request's own span, which is random. Without steps, that span
    /// stands for all of them.
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
        ports: &'a Platform,
        mut request: HttpRequest,
    ) -> BoxFuture<'a, std::result::Result<HttpResponse, HttpFailure>> {
        let (http, clock, to, span) = (&ports.http, &ports.clock, request.to, self.next_span());
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
        ports: &'a Platform,
        email: Email,
    ) -> BoxFuture<'a, std::result::Result<(), SendFailure>> {
        let (mailer, clock) = (&ports.mailer, &ports.clock);
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

    /// Notes the tenant of the request.
    pub(crate) fn about(&self, tenant: TenantId) {
        *self.tenant.lock().unwrap_or_else(PoisonError::into_inner) = Some(tenant);
    }

    /// The tenant, if it has been found.
    pub(crate) fn tenant(&self) -> Option<TenantId> {
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

    /// The number of batches.
    pub(crate) fn batches(&self) -> u32 {
        self.batches.load(Ordering::Relaxed)
    }

    /// The time that the database took for them.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed))
    }
}
