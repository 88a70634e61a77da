//! What is done in the background, behind a response and by the cron trigger: deliveries are sent, and activity is
//! sealed; by the cron trigger alone, what was there before searches were gets its
//! words, and what is kept no longer is dropped.

use std::time::Duration;

use bailiwick_core::{
    App, Attempt, Turned,
    problem::{Problem, Result},
};
use serde_json::json;
use worker::{console_error, console_log};

/// How much is done in one go.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    /// Rounds of deliveries.
    rounds: u32,
    /// Batches in which activity is sealed.
    batches: u32,
    /// Batches in which projects and tasks are indexed.
    indexed: u32,
    /// Batches in which deleted tenants are removed.
    removed: u32,
    /// Steps in which tenants are measured.
    measured: u32,
}

/// Behind a response. The platform ends what goes on 30 seconds after it, and a round of deliveries may take as long as
/// `OUTBOUND_TIMEOUT`, 10 seconds by default. What is cut off is due again when its claim ends.
pub(crate) const BEHIND_A_RESPONSE: Share =
    Share { rounds: 2, batches: 2, indexed: 0, removed: 20, measured: 1 };

/// By the cron trigger. An invocation may ask D1 1000 times (on the free plan, whose processor time does not suffice for
/// a password's hash, 50 times). A round of 6 deliveries has 9 statements: one to look, two to claim, one to settle
/// each. A batch that seals or indexes 50 rows has 52. What is left over has the next minute.
pub(crate) const BY_CRON: Share = Share { rounds: 50, batches: 8, indexed: 2, removed: 10, measured: 4 };

/// The requests of an invocation that may wait for an answer at the same time. More would queue in the platform while
/// their time runs out.
const AT_ONCE: u32 = 6;

/// What there may be to do.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    entries: bool,
    deliveries: bool,
    removals: bool,
}

impl Waiting {
    /// All of it, for all that anybody knows.
    pub(crate) const ALL: Self = Self { entries: true, deliveries: true, removals: true };

    /// What requests have left in this isolate, if they have left anything.
    pub(crate) fn of(app: &App) -> Option<Self> {
        let (entries, deliveries, removals) =
            (app.entries_wait(), app.deliveries_wait(), app.removals_wait());
        (entries || deliveries || removals).then_some(Self { entries, deliveries, removals })
    }
}

/// Removes, seals and sends what waits: all of it, or after a request what it may have left.
pub(crate) async fn work(app: &App, share: Share, waiting: Waiting) {
    let Waiting { entries, deliveries, removals } = waiting;
    // What is left over has the cron trigger.
    if removals {
        told("removing tenants", app.remove(share.removed).await);
    }
    if entries {
        told("activity", app.seal_activity(share.batches).await);
        // Sealing shows who has changed enough.
        told("sizes", app.measure(share.indexed > 0, share.measured).await);
    }
    if share.indexed > 0 {
        told("search", app.index(share.indexed).await);
    }
    if !deliveries {
        return;
    }
    for _ in 0..share.rounds {
        match app.deliver(AT_ONCE).await {
            Ok(round) => {
                round.attempts.iter().for_each(tell);
                if !round.more {
                    return;
                }
            }
            // What was claimed is due again when the claim ends.
            Err(problem) => return report("outbox", &problem),
        }
    }
}

/// Drops what is kept no longer.
pub(crate) async fn prune(app: &App) {
    told("pruning", Ok(app.prune().await));
}

/// Tells what went wrong, for all or for one tenant.
fn told(what: &str, turned: Result<Turned>) {
    if let Err(problem) = turned.and_then(Turned::whole) {
        report(what, &problem);
    }
}

/// One line of JSON an attempt, for Workers Logs.
fn tell(attempt: &Attempt) {
    let Attempt { id, tenant, channel, state, error, trace, took, .. } = attempt;
    let line = json!({
        "message": "delivery",
        "channel": channel.map_or("unknown", |channel| channel.as_str()),
        "outcome": state.as_str(),
        "duration_ms": millis(*took),
        "tenant": tenant.map(|tenant| tenant.to_string()),
        "id": id.to_string(),
        "trace_id": trace.map(|trace| trace.to_string()),
        "error": error,
    });
    console_log!("{line}");
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn report(what: &str, problem: &Problem) {
    let internal = problem.internal_text().unwrap_or(problem.code.as_str());
    console_error!("{}", json!({ "background": what, "internal": internal }));
}
