//! Counters and timers, in the terms of Prometheus. No label holds a value that a client chose or that belongs to
//! somebody: routes are those of the table, and all other labels are one of a few words.

mod measured;
mod scrape;

use std::time::Duration;

use bailiwick_core::{
    problem::Code,
    throttle::Limit,
    values::{Channel, DeliveryState},
};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    core::Collector,
};

pub use self::{measured::Measured, scrape::render};
use crate::telemetry::WORK;

/// Seconds of requests: a read takes a few milliseconds, and `REQUEST_TIMEOUT` is 30 s.
const REQUESTS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds of batches: SQLite answers in a tenth of a millisecond.
const BATCHES: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Seconds of work that waits for others: the hash of a password takes a quarter of a second, another service a while.
const OTHERS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The label for requests that no route answers.
const UNMATCHED: &str = "unmatched";

/// Everything that is counted while the process runs. Values that can be read at any time are read at each scrape.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Requests,
    batches: IntCounterVec,
    batch_seconds: HistogramVec,
    attempts: IntCounterVec,
    attempt_seconds: HistogramVec,
    calls: IntCounterVec,
    call_seconds: HistogramVec,
    hashing: Hashing,
    background_failures: IntCounterVec,
}

/// What is counted of requests to this server.
#[derive(Debug)]
struct Requests {
    answered: IntCounterVec,
    seconds: HistogramVec,
    in_flight: IntGauge,
    abandoned: IntCounter,
    problems: IntCounterVec,
    throttled: IntCounterVec,
}

/// What is counted of the hashing of passwords.
#[derive(Debug)]
struct Hashing {
    queued: IntGauge,
    rejected: IntCounter,
    seconds: Histogram,
}

/// Makes the metrics, and registers them.
struct Maker(Registry);

impl Maker {
    fn kept<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> prometheus::Result<C> {
        let made = made?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        self.kept(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn times(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: &[&str],
    ) -> prometheus::Result<HistogramVec> {
        self.kept(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }
}

impl Requests {
    fn make(make: &Maker) -> prometheus::Result<Self> {
        Ok(Self {
            answered: make.counters(
                "bailiwick_http_requests_total",
                "Requests that were answered.",
                &["method", "route", "status"],
            )?,
            seconds: make.times(
                "bailiwick_http_request_duration_seconds",
                "How long it took to answer requests.",
                REQUESTS,
                &["method", "route"],
            )?,
            in_flight: make.kept(IntGauge::new(
                "bailiwick_http_requests_in_flight",
                "Requests that are being answered.",
            ))?,
            abandoned: make.kept(IntCounter::new(
                "bailiwick_http_requests_abandoned_total",
                "Requests whose client went away before they were answered.",
            ))?,
            problems: make.counters(
                "bailiwick_problems_total",
                "Problems that requests were answered with, by code. Throttled: too_many_requests, too_many_attempts. \
                 Shed: overloaded, timeout, unavailable.",
                &["code"],
            )?,
            throttled: make.counters(
                "bailiwick_throttled_total",
                "Requests that were refused because there were too many, by the limit that they met.",
                &["limit"],
            )?,
        })
    }
}

impl Hashing {
    fn make(make: &Maker) -> prometheus::Result<Self> {
        Ok(Self {
            queued: make
                .kept(IntGauge::new("bailiwick_hashing_queued", "Passwords that wait to be hashed."))?,
            rejected: make.kept(IntCounter::new(
                "bailiwick_hashing_rejected_total",
                "Passwords that were not hashed because too many were waiting.",
            ))?,
            seconds: make.kept(Histogram::with_opts(
                HistogramOpts::new(
                    "bailiwick_hashing_duration_seconds",
                    "How long hashing a password took, with the wait for it.",
                )
                .buckets(OTHERS.to_vec()),
            ))?,
        })
    }
}

impl Metrics {
    /// Makes all metrics, at zero.
    ///
    /// # Errors
    /// A sentence about an invalid metric: a bug.
    pub fn new() -> Result<Self, String> {
        Self::make().map_err(|error| format!("The metrics cannot be made: {error}."))
    }

    fn make() -> prometheus::Result<Self> {
        let make = Maker(Registry::new());
        #[cfg(target_os = "linux")]
        make.0.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let this = Self {
            requests: Requests::make(&make)?,
            batches: make.counters(
                "bailiwick_database_batches_total",
                "Batches that the database was asked for, and how they ended. (unmet, unique and constraint are refusals, \
                 not failures.)",
                &["kind", "outcome"],
            )?,
            batch_seconds: make.times(
                "bailiwick_database_batch_duration_seconds",
                "How long batches took, with the wait for a connection and with what was retried.",
                BATCHES,
                &["kind"],
            )?,
            attempts: make.counters(
                "bailiwick_delivery_attempts_total",
                "Attempts to deliver something, and what became of it.",
                &["channel", "outcome"],
            )?,
            attempt_seconds: make.times(
                "bailiwick_delivery_attempt_duration_seconds",
                "How long attempts to deliver something took.",
                OTHERS,
                &["channel"],
            )?,
            calls: make.counters(
                "bailiwick_outbound_requests_total",
                "Requests to other services, by what they are for, and how they were answered.",
                &["to", "outcome"],
            )?,
            call_seconds: make.times(
                "bailiwick_outbound_request_duration_seconds",
                "How long requests to other services took.",
                OTHERS,
                &["to"],
            )?,
            hashing: Hashing::make(&make)?,
            background_failures: make.counters(
                "bailiwick_background_failures_total",
                "Rounds of what is done in the background that failed.",
                &["what"],
            )?,
            registry: make.0,
        };
        this.zero();
        Ok(this)
    }

    /// Labels without events exist, at zero: Prometheus sees no increase from a missing value.
    fn zero(&self) {
        for code in Code::ALL {
            self.requests.problems.with_label_values(&[code.as_str()]);
        }
        for limit in Limit::ALL {
            self.requests.throttled.with_label_values(&[limit.as_str()]);
        }
        // Notifications within the product are rows of the database, which nobody attempts to deliver.
        for channel in Channel::ALL.iter().filter(|channel| **channel != Channel::InApp) {
            for outcome in DeliveryState::ALL {
                self.attempts.with_label_values(&[channel.as_str(), outcome.as_str()]);
            }
        }
        for kind in measured::KINDS {
            for outcome in measured::OUTCOMES {
                self.batches.with_label_values(&[kind, outcome]);
            }
        }
        for what in WORK {
            self.background_failures.with_label_values(&[what]);
        }
    }

    /// Notes a new request; it has been answered, or given up, when the returned value is dropped.
    pub(crate) fn came(&self) -> InFlight<'_> {
        self.requests.in_flight.inc();
        InFlight { metrics: self, answered: false }
    }

    /// Notes an attempt to deliver something.
    pub(crate) fn attempted(&self, channel: &'static str, outcome: &'static str, took: Duration) {
        self.attempts.with_label_values(&[channel, outcome]).inc();
        self.attempt_seconds.with_label_values(&[channel]).observe(took.as_secs_f64());
    }

    /// Notes that a round in the background failed.
    pub(crate) fn background_failed(&self, what: &'static str) {
        self.background_failures.with_label_values(&[what]).inc();
    }

    /// Notes that a password is to be hashed and waits.
    pub(crate) fn hashing_waits(&self) {
        self.hashing.queued.inc();
    }

    /// Notes that a password waits no longer.
    pub(crate) fn hashing_begins(&self) {
        self.hashing.queued.dec();
    }

    /// Notes that a password was refused.
    pub(crate) fn hashing_rejected(&self) {
        self.hashing.queued.dec();
        self.hashing.rejected.inc();
    }

    /// Notes that a password was hashed.
    pub(crate) fn hashed(&self, took: Duration) {
        self.hashing.seconds.observe(took.as_secs_f64());
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    metrics: &'a Metrics,
    answered: bool,
}

impl InFlight<'_> {
    /// Notes how it was answered.
    pub(crate) fn answered(
        mut self,
        method: &http::Method,
        route: Option<&'static str>,
        status: u16,
        problem: Option<Code>,
        took: Duration,
    ) {
        self.answered = true;
        let (method, route, requests) = (known(method), route.unwrap_or(UNMATCHED), &self.metrics.requests);
        let mut digits = [0; 3];
        requests.answered.with_label_values(&[method, route, decimal(status, &mut digits)]).inc();
        requests.seconds.with_label_values(&[method, route]).observe(took.as_secs_f64());
        if let Some(code) = problem {
            requests.problems.with_label_values(&[code.as_str()]).inc();
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.metrics.requests.in_flight.dec();
        if !self.answered {
            self.metrics.requests.abandoned.inc();
        }
    }
}

/// The method, if a route has it; clients can send any.
fn known(method: &http::Method) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

/// A status of three digits, as text.
fn decimal(status: u16, digits: &mut [u8; 3]) -> &str {
    for (digit, value) in digits.iter_mut().zip([status / 100 % 10, status / 10 % 10, status % 10]) {
        *digit = b'0' + u8::try_from(value).unwrap_or_default();
    }
    std::str::from_utf8(digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn what_clients_choose_is_in_no_label() {
        let metrics = Metrics::new().unwrap();
        for text in ["GET", "get", "BREW", "PROPFIND", "TRACE"] {
            let method = text.parse().unwrap();
            metrics.came().answered(&method, None, 404, Some(Code::RouteNotFound), Duration::ZERO);
        }
        drop(metrics.came());
        let requests = &metrics.requests;
        assert_eq!((requests.in_flight.get(), requests.abandoned.get()), (0, 1));
        let count = |method| requests.answered.with_label_values(&[method, UNMATCHED, "404"]).get();
        assert_eq!((count("GET"), count("other")), (1, 4));
        assert_eq!(requests.problems.with_label_values(&["route_not_found"]).get(), 5);
    }

    #[test]
    fn every_channel_that_sends_starts_at_zero() {
        let text = TextEncoder::new().encode_to_string(&Metrics::new().unwrap().registry.gather()).unwrap();
        for channel in Channel::ALL {
            let starts = text.contains(&format!("attempts_total{{channel=\"{}\"", channel.as_str()));
            assert_eq!(starts, *channel != Channel::InApp, "{}", channel.as_str());
        }
    }

    #[test]
    fn statuses_are_written_as_they_are() {
        for status in [100, 200, 204, 404, 599, 999] {
            assert_eq!(decimal(status, &mut [0; 3]), status.to_string());
        }
    }
}
