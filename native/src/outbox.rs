//! Sending what is in the outbox, in the background: at once after a request that wrote deliveries, and regularly, for
//! what is to be tried again.

use std::{future::Future, sync::Arc, time::Duration};

use bailiwick_core::{App, Config, Round, problem::Problem};
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinSet},
    time::Instant,
};

/// Deliveries of one round, which are sent at the same time.
const AT_ONCE: u32 = 20;

/// Rounds that may be under way at the same time.
const ROUNDS: usize = 4;

/// Rung when deliveries wait. Rung while a round is under way, it leads to another one.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Rings it, if the request that has just been answered wrote deliveries.
    pub fn ring_if_needed(&self, app: &App) {
        if app.deliveries_wait() {
            self.0.notify_one();
        }
    }
}

/// Sends until `stopped` holds true. Then no more deliveries are claimed, and those that are under way have
/// `SHUTDOWN_GRACE` to end; whatever has not ended by then is due again when its claim ends.
pub async fn run(app: Arc<App>, bell: Bell, config: &Config, stopped: watch::Receiver<bool>) {
    let deliver = move || {
        let app = app.clone();
        async move { app.deliver(AT_ONCE).await }
    };
    let times = Times { interval: config.outbox_interval, grace: config.shutdown_grace };
    cycle(deliver, bell, times, stopped).await;
}

#[derive(Clone, Copy)]
struct Times {
    interval: Duration,
    grace: Duration,
}

async fn cycle<F>(deliver: impl Fn() -> F, bell: Bell, times: Times, mut stopped: watch::Receiver<bool>)
where
    F: Future<Output = Result<Round, Box<Problem>>> + Send + 'static,
{
    // A round ends with its slowest receiver; what comes meanwhile has a round of its own.
    let mut rounds = JoinSet::new();
    let mut next_look = Instant::now();
    loop {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(ended) = rounds.join_next() => {
                if report(ended) {
                    rounds.spawn(deliver());
                }
            }
            () = bell.0.notified(), if rounds.len() < ROUNDS => {
                rounds.spawn(deliver());
            }
            () = tokio::time::sleep_until(next_look), if rounds.len() < ROUNDS => {
                next_look = Instant::now() + spread(times.interval);
                rounds.spawn(deliver());
            }
        }
    }
    let all = async {
        while let Some(ended) = rounds.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(times.grace, all).await.is_err() {
        tracing::warn!(
            "deliveries still under way after SHUTDOWN_GRACE were given up; they are due again later"
        );
    }
}

/// Logs what came of a round, and says whether there is more to do. A panic ends the round, not the rounds.
fn report(ended: Result<Result<Round, Box<Problem>>, JoinError>) -> bool {
    match ended {
        Ok(Ok(Round { sent, postponed, dead, more })) => {
            if dead > 0 {
                tracing::warn!(sent, postponed, dead, "deliveries were given up");
            } else if sent + postponed > 0 {
                tracing::info!(sent, postponed, dead, "deliveries");
            }
            more
        }
        Ok(Err(problem)) => {
            let reason = problem.internal_text().unwrap_or_else(|| problem.code.as_str());
            tracing::error!(reason, "the outbox could not be looked through");
            false
        }
        Err(panic) => {
            tracing::error!(%panic, "looking through the outbox panicked");
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

    const LONG: Duration = Duration::from_mins(1);
    const SOON: Duration = Duration::from_secs(5);

    fn times(interval: Duration, grace: Duration) -> Times {
        Times { interval, grace }
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
                    0 => Ok(Round { more: true, ..Round::default() }),
                    1 => panic!("a panic in a round"),
                    2 => Err(Problem::new(Code::Unavailable)),
                    _ => Ok(Round::default()),
                }
            }
        };
        let (bell, (stop, stopped)) = (Bell::default(), watch::channel(false));
        let cycle = tokio::spawn(cycle(deliver, bell.clone(), times(LONG, LONG), stopped));
        // The second follows by itself, because there was more; those after it when the bell rings.
        assert_eq!((rounds.recv().await, rounds.recv().await), (Some(0), Some(1)));
        for number in 2..5 {
            bell.0.notify_one();
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
            async { Ok(Round::default()) }
        };
        let (_stop, stopped) = watch::channel(false);
        let often = times(Duration::from_millis(5), LONG);
        let cycle = tokio::spawn(cycle(deliver, Bell::default(), often, stopped));
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
                    Ok(Round { sent: 20, more: true, ..Round::default() })
                }
            }
        };
        let (stop, stopped) = watch::channel(false);
        let cycle = tokio::spawn(cycle(deliver, Bell::default(), times(LONG, LONG), stopped));
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
            Ok(Round::default())
        };
        let short = times(LONG, Duration::from_millis(10));
        let cycle = tokio::spawn(cycle(deliver, Bell::default(), short, stopped));
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
