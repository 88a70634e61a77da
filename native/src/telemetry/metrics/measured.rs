//! Measured ports: each calls the one inside, and counts the calls.

use std::sync::Arc;

use bailiwick_core::{
    ports::{Database, DatabaseError, HttpClient, HttpFailure, HttpRequest, HttpResponse, RateLimiter, Wait},
    sql::{Rows, Statement},
    throttle::Limit,
};
use tokio::time::Instant;

use super::Metrics;

/// The kinds of batches.
pub(super) const KINDS: [&str; 2] = ["read", "write"];
/// The results of batches.
pub(super) const OUTCOMES: [&str; 8] =
    ["done", "unmet", "unique", "constraint", "contention", "unavailable", "full", "internal"];

/// A port, and the metrics that count its calls.
#[derive(Clone, Debug)]
pub struct Measured<P> {
    port: P,
    metrics: Arc<Metrics>,
}

impl<P> Measured<P> {
    /// Measures a port.
    pub fn new(port: P, metrics: &Arc<Metrics>) -> Self {
        Self { port, metrics: metrics.clone() }
    }
}

impl<D: Database> Database for Measured<D> {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let kind = KINDS[usize::from(statements.iter().any(|statement| !statement.sql.reads))];
        let begun = Instant::now();
        let done = self.port.batch(statements).await;
        let outcome = match &done {
            Ok(_) => "done",
            Err(DatabaseError::Unmet(_)) => "unmet",
            Err(DatabaseError::Unique(_)) => "unique",
            Err(DatabaseError::Constraint(_)) => "constraint",
            Err(DatabaseError::Contention) => "contention",
            Err(DatabaseError::Unavailable(_)) => "unavailable",
            Err(DatabaseError::Full(_)) => "full",
            Err(DatabaseError::Internal(_)) => "internal",
        };
        self.metrics.batches.with_label_values(&[kind, outcome]).inc();
        self.metrics.batch_seconds.with_label_values(&[kind]).observe(begun.elapsed().as_secs_f64());
        done
    }
}

impl<L: RateLimiter> RateLimiter for Measured<L> {
    async fn take(&self, limit: Limit, key: &str) -> Result<(), Wait> {
        let taken = self.port.take(limit, key).await;
        if taken.is_err() {
            self.metrics.requests.throttled.with_label_values(&[limit.as_str()]).inc();
        }
        taken
    }
}

impl<C: HttpClient> HttpClient for Measured<C> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let (to, begun) = (request.to, Instant::now());
        let answer = self.port.send(request).await;
        let outcome = match &answer {
            Ok(HttpResponse { status: 200..=299, .. }) => "2xx",
            Ok(HttpResponse { status: 300..=399, .. }) => "3xx",
            Ok(HttpResponse { status: 400..=499, .. }) => "4xx",
            Ok(_) => "5xx",
            Err(_) => "failed",
        };
        self.metrics.calls.with_label_values(&[to, outcome]).inc();
        self.metrics.call_seconds.with_label_values(&[to]).observe(begun.elapsed().as_secs_f64());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(DatabaseError);

    impl Database for Failing {
        async fn batch(&self, _: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
            Err(self.0.clone())
        }
    }

    #[test]
    fn every_outcome_of_a_batch_is_one_that_is_told_from_the_start() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for error in [
            DatabaseError::Unmet(0),
            DatabaseError::Unique(String::new()),
            DatabaseError::Constraint(String::new()),
            DatabaseError::Contention,
            DatabaseError::Unavailable(String::new()),
            DatabaseError::Full(String::new()),
            DatabaseError::Internal(String::new()),
        ] {
            let measured = Measured::new(Failing(error.clone()), &metrics);
            assert_eq!(runtime.block_on(measured.batch(&[])).unwrap_err(), error);
        }
        for outcome in &OUTCOMES[1..] {
            assert_eq!(metrics.batches.with_label_values(&["read", outcome]).get(), 1, "{outcome}");
        }
    }
}
