//! Gates at which requests wait until a case lets them go on.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    client::{Answer, Ask},
    receivers::Receivers,
};

/// How far a gate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Expecting,
    Reached,
    Open,
}

/// The gates of a server, by their paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates(Arc<watch::Sender<HashMap<String, Stage>>>);

impl Gates {
    /// Makes one, which is shut.
    fn make(&self) -> String {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let path = format!("/gates/{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        self.set(&path, Stage::Expecting);
        path
    }

    fn set(&self, path: &str, stage: Stage) {
        self.0.send_modify(|gates| {
            gates.insert(path.to_owned(), stage);
        });
    }

    async fn until(&self, path: &str, stage: Stage) {
        let mut changes = self.0.subscribe();
        // The sender is here, so there is no end to it.
        let _ = changes.wait_for(|gates| gates.get(path) == Some(&stage)).await;
    }

    /// Whether there is a gate at this path. Returns when it is open.
    pub(super) async fn pass(&self, path: &str) -> bool {
        let mut there = false;
        self.0.send_if_modified(|gates| {
            let stage = gates.get_mut(path);
            there = stage.is_some();
            stage.filter(|stage| **stage == Stage::Expecting).map(|stage| *stage = Stage::Reached).is_some()
        });
        if there {
            self.until(path, Stage::Open).await;
        }
        there
    }
}

/// A gate that a case has made; it opens when this is dropped.
#[derive(Debug)]
struct Gate {
    gates: Gates,
    path: String,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.gates.set(&self.path, Stage::Open);
    }
}

/// A request that has read, and waits before it writes.
#[derive(Debug)]
#[must_use = "it goes on when this is dropped"]
pub struct Held {
    gate: Gate,
    sending: JoinHandle<Answer>,
}

impl Held {
    /// Lets it go on, and returns its answer.
    pub async fn release(self) -> Answer {
        let Self { gate, sending } = self;
        drop(gate);
        sending.await.expect("an answer")
    }
}

/// What became of a request that was to be held.
#[derive(Debug)]
#[must_use = "what is held goes on when this is dropped"]
pub enum Reached {
    /// It has read, and waits before it writes.
    Held(Held),
    /// It was answered before it came to that: it writes with its first batch, or not at all.
    Answered(Answer),
}

impl Ask {
    /// Sends it, to be held between reading and writing; returns when it is held, or answered.
    pub async fn hold(self) -> Reached {
        let receiver = &Receivers::shared().http;
        let gate = Gate { gates: receiver.gates.clone(), path: receiver.gates.make() };
        let fault = format!("hold {}", receiver.url(&gate.path));
        let mut sending = tokio::spawn(self.header("x-fault", &fault).send());
        let answer = tokio::select! {
            answer = &mut sending => answer.expect("an answer"),
            () = gate.gates.until(&gate.path, Stage::Reached) => return Reached::Held(Held { gate, sending }),
        };
        Reached::Answered(answer)
    }

    /// The same of a request that must be held.
    pub async fn held(self) -> Held {
        match self.hold().await {
            Reached::Held(held) => held,
            Reached::Answered(answer) => panic!("it was answered without being held: {answer:?}"),
        }
    }

    /// Sends it, and has something happen between its reading and its writing.
    pub async fn meanwhile(self, change: impl Future<Output = ()>) -> Answer {
        let held = self.held().await;
        change.await;
        held.release().await
    }
}
