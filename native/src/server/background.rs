//! Background work: deliveries are sent, and activity is sealed, at once after a request that wrote some, and
//! regularly, for retries and leftovers; deleted tenants are removed likewise. Old rows get their search words, and
//! expired rows are dropped.

use std::{future::Future, sync::Arc, time::Duration};

use bailiwick_core::{App, Config, Turned, problem::Problem};
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinSet},
    time::Instant,
};

use crate::telemetry::{DELIVERING, INDEXING, MEASURING, PRUNING, REMOVING, SEALING, Telemetry};

/// The number of deliveries of one round, which are sent at the same time.
const AT_ONCE: u32 = 20;

/// The number of simultaneous rounds of deliveries. A round ends with its slowest receiver; later deliveries have a
/// round of their own. Deliveries that hang and come one by one have as many rounds as a tenant's share, so there are a
/// few times as many.
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

/// How often expired rows are dropped, which have no effect any more.
const PRUNE: Duration = Duration::from_mins(30);

/// The signal that there is work to do. A signal during a round leads to another one.
#[derive(Clone, Debug, Default)]
pub struct WorkSignal {
    deliveries: Arc<Notify>,
    entries: Arc<Notify>,
    removals: Arc<Notify>,
}

impl WorkSignal {
    /// Signals, if the request that has just been answered has left work.
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

/// Sends and seals until `stopped` holds true. Then no new round begins, and running ones have `SHUTDOWN_GRACE` to end.
/// Unfinished work is due again when its claim ends, or is found by the next look.
pub async fn run(
    app: Arc<App>,
    signal: WorkSignal,
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
            // If nothing could be sealed, it is tried again at the next look.
            Ok(more && entries > 0)
        }
    };
    let of =
        |what, rounds| Times { what, rounds, interval: config.outbox_interval, grace: config.shutdown_grace };
    let pruning = Times { interval: PRUNE, ..of(PRUNING, 1) };
    tokio::join!(
        cycle(deliver, signal.deliveries, of(DELIVERING, ROUNDS), telemetry.clone(), stopped.clone()),
        // Of two at the same time one would find its numbers taken.
        cycle(seal, signal.entries, of(SEALING, 1), telemetry.clone(), stopped.clone()),
        cycle(prune, Arc::default(), pruning, telemetry.clone(), stopped.clone()),
        cycle(remove, signal.removals, of(REMOVING, 1), telemetry.clone(), stopped.clone()),
        // There is no signal for it: requests leave no such work.
        cycle(index, Arc::default(), of(INDEXING, 1), telemetry.clone(), stopped.clone()),
        cycle(measure, Arc::default(), of(MEASURING, 1), telemetry.clone(), stopped),
    );
}

/// The result of a round, after the failure of a tenant was reported.
fn told(what: &'static str, mut turned: Turned, telemetry: &Telemetry) -> Turned {
    if let Some(problem) = turned.failed.take() {
        telemetry.background_failed(what, &problem);
    }
    turned
}

#[derive(Clone, Copy)]
struct Times {
    what: &'static str,
    /// The maximum number of simultaneous rounds.
    rounds: usize,
    interval: Duration,
    grace: Duration,
}

/// Begins rounds at each signal, regularly, and after rounds that left work.
async fn cycle<F>(
    round: impl Fn() -> F,
    signal: Arc<Notify>,
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
            () = signal.notified(), if rounds.len() < times.rounds => {
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

/// Whether a round has left work. A panic ends the round, not the following ones.
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
        let (signal, (stop, stopped)) = (Arc::new(Notify::new()), watch::channel(false));
        let cycle = tokio::spawn(cycle(deliver, signal.clone(), times(LONG, LONG), telemetry(), stopped));
        // The second follows by itself, because there was more; those after it need a signal.
        assert_eq!((rounds.recv().await, rounds.recv().await), (Some(0), Some(1)));
        for number in 2..5 {
            signal.notify_one();
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
