//! The end of the service, in two steps: first it says that it is not ready any more, so that a balancer sends requests
//! elsewhere, and after a while it stops.

use std::{io, sync::Arc, time::Duration};

use bailiwick_core::App;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// The signals that ask for the end: SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens to them from now on.
    ///
    /// # Errors
    /// The system takes no handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Drains at the first signal, and becomes true after the delay. A second signal skips the delay.
pub fn on_signal(mut signals: Signals, app: Arc<App>, delay: Option<Duration>) -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        signals.next().await;
        app.drain();
        if let Some(delay) = delay {
            tracing::info!(?delay, "draining");
            let _ = tokio::time::timeout(delay, signals.next()).await;
        }
        stop.send_replace(true);
    });
    stopped
}
