//! What is done in the background: deliveries are sent, and activity is sealed, at once after a request that wrote some,
//! and regularly, for what is to be tried again or was left behind; so are tenants removed that were deleted. What was there
//! before searches were gets its words, and what is kept no longer is dropped.

use std::{future::Future, sync::Arc, time::Duration};

use bailiwick_core::{App, Config, Turned, problem::Problem};
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinSet},
    time::Instant,
};

use crate::telemetry::{DELIVERING, INDEXING, MEASURING, PRUNING, REMOVING, SEALING, Telemetry};

/// Deliveries of one round, which are sent at the same time.
const AT_ONCE: u32 = 20;

/// Rounds of deliveries that may be under way at the same time. A round ends with its slowest receiver; what comes
/// meanwhile has a round of its own. What hangs and comes one by one has as many as a tenant's share, so there are a few
/// times as many.
const ROUNDS: usize = 32;

/// Batches in which a round seals activity.
const BATCHES: u32 = 20;

/// Batches in which a round indexes projects and tasks.
const INDEXED: u32 = 4;

/// Batches in which a round removes deleted tenants.
const REMOVED: u32 = 20;

/// Steps in which a round measures how much tenants have stored.
const MEASURED: u32 = 4;

/// After a round that sealed something the next one waits, so that a busy server seals many entries at a time: a commit
/// costs as much for one as for fifty.
const PAUSE: Duration = Duration::from_millis(200);

/// How often that is dropped which is kept no longer, and counts for nothing since its time has passed.
const PRUNE: Duration = Duration::from_mins(30);

/// Rung when there is something to do. Rung while a round is under way, it leads to another one.
#[derive(Clone, Debug, Default)]
pub struct WorkSignal {
    deliveries: Arc<Notify>,
    entries: Arc<Notify>,
    removals: Arc<Notify>,
}

impl WorkSignal {
    /// Rings it, if the request that has just been answered left something to do.
    pub fn ring_if_needed(&self, app: &App) {
        if app.deliveries_wait() {
            self.deliveries.notify_one();
        }
        if app.entries_wait() {
            self.entries.notify_one();
        }
        if app.removals_wait() {
            self.removals.notify_one();
        }
    }
}

/// Sends and seals until `stopped` holds true. Then nothing more is begun, and what is under way has `SHUTDOWN_GRACE` to
/// end. What has not ended by then is due again when its claim ends, or found by the next that looks.
pub async fn run(
    app: Arc<App>,
    bell: WorkSignal,
    telemetry: &Telemetry,
    config: &Config,
    stopped: watch::Receiver<bool>,
) {
    let deliver = {
        let (app, telemetry) = (app.clone(), telemetry.clone());
        move || {
            let (app, telemetry) = (app.clone(), telemetry.clone());
            async move {
                let round = app.deliver(AT_ONCE).await?;
                telemetry.deliveries(&round);
                Ok(round.more)
            }
        }
    };
    let prune = {
        let (app, telemetry) = (app.clone(), telemetry.clone());
        move || {
            let (app, telemetry) = (app.clone(), telemetry.clone());
            async move { Ok(told(PRUNING, app.prune().await, &telemetry).more) }
        }
    };
    let index = {
        let (app, telemetry) = (app.clone(), telemetry.clone());
        move || {
            let (app, telemetry) = (app.clone(), telemetry.clone());
            async move {
                let Turned { rows, more, .. } = told(INDEXING, app.index(INDEXED).await?, &telemetry);
                if rows > 0 {
                    tracing::info!(rows, more, "projects and tasks were indexed for search");
                }
                Ok(more && rows > 0)
            }
        }
    };
    let remove = {
        let (app, telemetry) = (app.clone(), telemetry.clone());
        move || {
            let (app, telemetry) = (app.clone(), telemetry.clone());
            async move { Ok(told(REMOVING, app.remove(REMOVED).await?, &telemetry).more) }
        }
    };
    let measure = {
        let (app, telemetry) = (app.clone(), telemetry.clone());
        move || {
            let (app, telemetry) = (app.clone(), telemetry.clone());
            async move { Ok(told(MEASURING, app.measure(true, MEASURED).await?, &telemetry).more) }
        }
    };
    let told_of = telemetry.clone();
    let seal = move || {
        let (app, telemetry) = (app.clone(), told_of.clone());
        async move {
            let turned = told(SEALING, app.seal_activity(BATCHES).await?, &telemetry);
            let Turned { rows: entries, more, .. } = turned;
            tracing::debug!(entries, more, "activity was sealed");
            if entries > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            // Where nothing could be sealed, it is tried again when it is time to look.
            Ok(more && entries > 0)
        }
    };
    let of =
        |what, rounds| Times { what, rounds, interval: config.outbox_interval, grace: config.shutdown_grace };
    let pruning = Times { interval: PRUNE, ..of(PRUNING, 1) };
    tokio::join!(
        cycle(deliver, bell.deliveries, of(DELIVERING, ROUNDS), telemetry.clone(), stopped.clone()),
        // Of two at the same time one would find its numbers taken.
        cycle(seal, bell.entries, of(SEALING, 1), telemetry.clone(), stopped.clone()),
        cycle(prune, Arc::default(), pruning, telemetry.clone(), stopped.clone()),
        cycle(remove, bell.removals, of(REMOVING, 1), telemetry.clone(), stopped.clone()),
        // Nobody rings: requests leave nothing of this behind.
        cycle(index, Arc::default(), of(INDEXING, 1), telemetry.clone(), stopped.clone()),
        cycle(measure, Arc::default(), of(MEASURING, 1), telemetry.clone(), stopped),
    );
}

/// What came of a round, after it was told what went wrong for one tenant.
fn told(what: &'static str, mut turned: Turned, telemetry: &Telemetry) -> Turned {
    if let Some(problem) = turned.failed.take() {
        telemetry.background_failed(what, &problem);
    }
    turned
}

#[derive(Clone, Copy)]
struct Times {
    what: &'static str,
    /// Rounds at the same time, at the most.
    rounds: usize,
    interval: Duration,
    grace: Duration,
}

/// Begins rounds when the bell rings, regularly, and after those that say that there is more to do.
async fn cycle<F>(
    round: impl Fn() -> F,
    bell: Arc<Notify>,
    times: Times,
    telemetry: Telemetry,
    mut stopped: watch::Receiver<bool>,
) where
    F: Future<Output = Result<bool, Box<Problem>>> + Send + 'static,
{
    let mut rounds = JoinSet::new();
    let mut next_look = Instant::now();
    loop {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(ended) = rounds.join_next() => {
                if more(ended, times.what, &telemetry) {
                    rounds.spawn(round());
                }
            }
            () = bell.notified(), if rounds.len() < times.rounds => {
                rounds.spawn(round());
            }
            () = tokio::time::sleep_until(next_look), if rounds.len() < times.rounds => {
                next_look = Instant::now() + spread(times.interval);
                rounds.spawn(round());
            }
        }
    }
    let all = async {
        while let Some(ended) = rounds.join_next().await {
            more(ended, times.what, &telemetry);
        }
    };
    if tokio::time::timeout(times.grace, all).await.is_err() {
        let what = times.what;
        tracing::warn!(
            what,
            "what was still under way after SHUTDOWN_GRACE was given up; it is done again later"
        );
    }
}

/// Whether there is more to do after a round. A panic ends the round, not the rounds.
fn more(
    ended: Result<Result<bool, Box<Problem>>, JoinError>,
    what: &'static str,
    telemetry: &Telemetry,
) -> bool {
    match ended {
        Ok(Ok(more)) => more,
        Ok(Err(problem)) => {
            telemetry.background_failed(what, &problem);
            false
        }
        Err(panic) => {
            telemetry.background_panicked(what, &panic);
            false
        }
    }
}

/// The interval, longer or shorter by up to a quarter, so that instances that started together do not ask together.
fn spread(interval: Duration) -> Duration {
    let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    interval.mul_f64(0.75 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bailiwick_core::problem::Code;
    use tokio::{sync::mpsc, time::timeout};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);
    const SOON: Duration = Duration::from_mins(5);

    fn telemetry() -> Telemetry {
        let metrics = Arc::new(crate::telemetry::metrics::Metrics::new().unwrap());
        Telemetry::start(&Config::read(|_| None).unwrap(), &metrics).unwrap()
    }

    fn times(interval: Duration, grace: Duration) -> Times {
        Times { what: "testing", rounds: 4, interval, grace }
    }

    #[tokio::test]
    async fn rounds_follow_on_more_on_the_bell_on_the_interval_and_on_failure() {
        let (began, mut rounds) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicUsize::new(0));
        let deliver = move || {
            let (began, number) = (began.clone(), count.fetch_add(1, Ordering::Relaxed));
            async move {
                began.send(number).unwrap();
                match number {
                    0 => Ok(true),
                    1 => panic!("a panic in a round"),
                    2 => Err(Problem::new(Code::Unavailable)),
                    _ => Ok(false),
                }
            }
        };
        let (bell, (stop, stopped)) = (Arc::new(Notify::new()), watch::channel(false));
        let cycle = tokio::spawn(cycle(deliver, bell.clone(), times(LONG, LONG), telemetry(), stopped));
        // The second follows by itself, because there was more; those after it when the bell rings.
        assert_eq!((rounds.recv().await, rounds.recv().await), (Some(0), Some(1)));
        for number in 2..5 {
            bell.notify_one();
            assert_eq!(timeout(SOON, rounds.recv()).await.unwrap(), Some(number));
        }
        stop.send(true).unwrap();
        timeout(SOON, cycle).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_outbox_is_looked_through_regularly() {
        let (began, mut rounds) = mpsc::unbounded_channel();
        let deliver = move || {
            began.send(()).unwrap();
            async { Ok(false) }
        };
        let (_stop, stopped) = watch::channel(false);
        let often = times(Duration::from_millis(5), LONG);
        let cycle = tokio::spawn(cycle(deliver, Arc::default(), often, telemetry(), stopped));
        for _ in 0..3 {
            timeout(SOON, rounds.recv()).await.unwrap().unwrap();
        }
        cycle.abort();
    }

    #[tokio::test]
    async fn a_round_in_flight_may_end_but_no_other_begins() {
        let (began, mut rounds) = mpsc::unbounded_channel();
        let gate = Arc::new(Notify::new());
        let deliver = {
            let gate = gate.clone();
            move || {
                let (began, gate) = (began.clone(), gate.clone());
                async move {
                    began.send("began").unwrap();
                    gate.notified().await;
                    began.send("ended").unwrap();
                    Ok(true)
                }
            }
        };
        let (stop, stopped) = watch::channel(false);
        let cycle = tokio::spawn(cycle(deliver, Arc::default(), times(LONG, LONG), telemetry(), stopped));
        assert_eq!(rounds.recv().await, Some("began"));
        stop.send(true).unwrap();
        tokio::task::yield_now().await;
        gate.notify_one();
        timeout(SOON, cycle).await.unwrap().unwrap();
        assert_eq!((rounds.recv().await, rounds.recv().await), (Some("ended"), None));
    }

    #[tokio::test]
    async fn a_round_that_does_not_end_is_given_up() {
        let (stop, stopped) = watch::channel(false);
        let deliver = || async {
            std::future::pending::<()>().await;
            Ok(false)
        };
        let short = times(LONG, Duration::from_millis(10));
        let cycle = tokio::spawn(cycle(deliver, Arc::default(), short, telemetry(), stopped));
        tokio::task::yield_now().await;
        stop.send(true).unwrap();
        timeout(SOON, cycle).await.unwrap().unwrap();
    }

    #[test]
    fn the_interval_is_spread_by_a_quarter() {
        for _ in 0..100 {
            let spread = spread(Duration::from_secs(4));
            assert!((Duration::from_secs(3)..=Duration::from_secs(5)).contains(&spread));
        }
    }
}
