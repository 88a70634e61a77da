//! Reports of finished requests and deliveries: a line of the log, numbers, and spans.

pub mod metrics;
mod otlp;

use std::{sync::Arc, time::Duration};

use bailiwick_core::{
    Attempt, RequestOutcome, Round,
    problem::{Code, Problem},
    values::DeliveryState,
};
use http::Method;
use tokio::time::Instant;

use self::otlp::Traces;
use crate::telemetry::metrics::{InFlight, Metrics};

/// The kinds of work in the background, as the log and the numbers name them.
pub(crate) const DELIVERING: &str = "sending deliveries";
pub(crate) const SEALING: &str = "sealing activity";
pub(crate) const PRUNING: &str = "pruning";
pub(crate) const INDEXING: &str = "indexing";
pub(crate) const REMOVING: &str = "removing tenants";
pub(crate) const MEASURING: &str = "measuring tenants";
/// All of them.
pub(crate) const WORK: [&str; 6] = [DELIVERING, SEALING, PRUNING, INDEXING, REMOVING, MEASURING];

/// The destinations of reports.
#[derive(Clone, Debug)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    /// If traces are exported.
    traces: Option<Arc<Traces>>,
}

/// A request that is being answered.
pub(crate) struct Watch<'a> {
    telemetry: &'a Telemetry,
    flight: InFlight<'a>,
    method: Method,
    began: Instant,
}

impl Telemetry {
    /// Begins to export, if that is configured.
    ///
    /// # Errors
    /// A sentence about the setting that is wrong.
    pub fn start(config: &bailiwick_core::Config, metrics: &Arc<Metrics>) -> Result<Self, String> {
        let traces = Traces::start(config)?.map(Arc::new);
        Ok(Self { metrics: metrics.clone(), traces })
    }

    /// Ends it: waiting spans are exported, if the collector takes them soon.
    pub async fn stop(&self) {
        if let Some(traces) = self.traces.clone() {
            let _ = tokio::task::spawn_blocking(move || traces.stop()).await;
        }
    }

    /// A request has come.
    pub(crate) fn watch(&self, method: &Method) -> Watch<'_> {
        let (flight, began) = (self.metrics.came(), Instant::now());
        Watch { telemetry: self, flight, method: method.clone(), began }
    }

    /// A round of deliveries has ended.
    pub(crate) fn deliveries(&self, round: &Round) {
        let count = |state| round.count(state);
        let (sent, postponed, dead) =
            (count(DeliveryState::Sent), count(DeliveryState::Pending), count(DeliveryState::Dead));
        for attempt in &round.attempts {
            self.delivery(attempt);
        }
        if dead > 0 {
            tracing::warn!(sent, postponed, dead, "deliveries were given up");
        } else if sent + postponed > 0 {
            tracing::info!(sent, postponed, dead, "deliveries");
        }
    }

    fn delivery(&self, attempt: &Attempt) {
        let Attempt { id, tenant, channel, state, error, trace, took, .. } = attempt;
        let (channel, outcome) = (channel.map_or("unknown", |channel| channel.as_str()), state.as_str());
        self.metrics.attempted(channel, outcome, *took);
        let (tenant, trace_id) = (tenant.map(tracing::field::display), trace.map(tracing::field::display));
        let (duration_ms, error) = (milliseconds(*took), error.as_deref());
        tracing::info!(channel, outcome, duration_ms, tenant, %id, trace_id, error, "delivery");
        if let Some(traces) = &self.traces {
            traces.delivery(attempt, channel);
        }
    }

    /// A round of something in the background has failed.
    pub(crate) fn background_failed(&self, what: &'static str, problem: &Problem) {
        self.metrics.background_failed(what);
        let reason = problem.internal_text().unwrap_or_else(|| problem.code.as_str());
        tracing::error!(what, reason, "a round in the background failed");
    }

    /// A round of something in the background has panicked.
    pub(crate) fn background_panicked(&self, what: &'static str, panic: &tokio::task::JoinError) {
        self.metrics.background_failed(what);
        tracing::error!(what, %panic, "a round in the background panicked");
    }
}

impl Watch<'_> {
    /// The request was answered.
    pub(crate) fn end(self, served: &RequestOutcome, status: u16) {
        let Self { telemetry, flight, method, began } = self;
        let took = began.elapsed();
        flight.answered(&method, served.route, status, served.problem, took);
        let RequestOutcome {
            request_id,
            trace,
            route,
            tenant,
            principal,
            problem,
            internal,
            batches,
            database,
            ..
        } = served;
        let (duration_ms, database_ms) = (milliseconds(took), milliseconds(*database));
        let (route, code) = (route.unwrap_or("-"), problem.map(Code::as_str));
        let trace_id = trace.map(tracing::field::display);
        let tenant = tenant.map(tracing::field::display);
        match internal {
            None => tracing::info!(
                %method, route, status, code, duration_ms, batches, database_ms, tenant, principal, request_id, trace_id,
                "request"
            ),
            Some(internal) => tracing::error!(
                %method, route, status, code, duration_ms, batches, database_ms, tenant, principal, request_id, trace_id,
                internal, "request"
            ),
        }
        if let Some(traces) = &telemetry.traces {
            traces.request(&method, served, status, took);
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
