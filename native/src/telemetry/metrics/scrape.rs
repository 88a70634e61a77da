//! The text that Prometheus reads: counters, and values that are read only now. Unreadable values are left out.

use std::time::Duration;

use bailiwick_core::App;
use prometheus::{Gauge, GaugeVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::Metrics;
use crate::ports::database::{AnyDatabase, Pool};

/// The time in which the database must report what waits. A scrape that takes longer fails as a whole.
const PATIENCE: Duration = Duration::from_secs(2);

/// All metrics, in the text format of Prometheus, version 0.0.4.
///
/// # Errors
/// A sentence about a metric that cannot be written: a bug.
pub async fn render(metrics: &Metrics, app: &App, database: &AnyDatabase) -> Result<String, String> {
    let asked = Registry::new();
    let outbox = tokio::time::timeout(PATIENCE, app.outbox()).await;
    let told = tell(&asked, &database.pools(), database.engine()).and_then(|()| match outbox {
        Ok(Ok(depth)) => tell_outbox(&asked, &depth),
        // The metrics of batches show that the database does not answer.
        Ok(Err(_)) | Err(_) => Ok(()),
    });
    let encoded = told.and_then(|()| {
        let mut families = metrics.registry.gather();
        families.extend(asked.gather());
        TextEncoder::new().encode_to_string(&families)
    });
    encoded.map_err(|error| format!("the metrics cannot be written: {error}"))
}

fn tell(registry: &Registry, pools: &[Pool], engine: &str) -> prometheus::Result<()> {
    let build = IntGaugeVec::new(
        Opts::new("bailiwick_build_info", "1; the labels say what runs."),
        &["version", "database"],
    )?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION"), engine]).set(1);
    registry.register(Box::new(build))?;
    let gauge = |name: &str, help: &str, value: fn(&Pool) -> usize| {
        let gauge = IntGaugeVec::new(Opts::new(name, help), &["pool"])?;
        for pool in pools {
            gauge.with_label_values(&[pool.name]).set(i64::try_from(value(pool)).unwrap_or(i64::MAX));
        }
        registry.register(Box::new(gauge))
    };
    gauge("bailiwick_database_pool_limit", "Connections that there may be.", |pool| pool.limit)?;
    gauge("bailiwick_database_pool_connections", "Connections that there are.", |pool| pool.connections)?;
    gauge("bailiwick_database_pool_idle", "Connections that nobody uses.", |pool| pool.idle)?;
    gauge("bailiwick_database_pool_waiting", "Batches that wait for a connection.", |pool| pool.waiting)
}

fn tell_outbox(registry: &Registry, depth: &bailiwick_core::Depth) -> prometheus::Result<()> {
    let deliveries = GaugeVec::new(
        Opts::new(
            "bailiwick_outbox_deliveries",
            "Deliveries in the outbox: pending, of tenants that are not suspended, or given up (dead).",
        ),
        &["state"],
    )?;
    for (state, count) in [("pending", depth.pending), ("dead", depth.dead)] {
        deliveries.with_label_values(&[state]).set(u32::try_from(count).unwrap_or(u32::MAX).into());
    }
    registry.register(Box::new(deliveries))?;
    for (name, help, age) in [
        (
            "bailiwick_outbox_oldest_seconds",
            "The age of the oldest delivery that is pending; 0 if none is.",
            depth.oldest,
        ),
        (
            "bailiwick_outbox_overdue_seconds",
            "How long the attempt is overdue that is due first; 0 if none is.",
            depth.overdue,
        ),
    ] {
        let gauge = Gauge::new(name, help)?;
        gauge.set(age.as_secs_f64());
        registry.register(Box::new(gauge))?;
    }
    Ok(())
}
