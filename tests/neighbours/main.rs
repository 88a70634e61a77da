//! The neighbours' suite: whatever one tenant does, as much of it as is allowed, another one's requests are answered as ever,
//! visit no more of the database, and wait behind no more than a stated number of the other's jobs. Nothing is timed.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so and ends there"
)]

mod attack;
mod bystander;
mod heap;
mod imports;
mod outbox;
mod retention;
mod routes;
mod rows;
#[path = "../conformance/matrix/samples.rs"]
#[expect(dead_code, reason = "the conformance suite needs more of them")]
mod samples;
#[path = "../conformance/strictness/schema.rs"]
#[expect(dead_code, reason = "the conformance suite asks for more of it")]
mod schema;
mod turns;
mod worker;

use std::{process::ExitCode, sync::Arc};

use bailiwick_tests::{
    concluded,
    targets::{self, Target},
};
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use libtest_mimic::{Arguments, Trial};
use tokio::sync::{Mutex, OnceCell};

use self::{routes::Scene, worker::Worker};

/// On SQLite a connection's first statements read the schema, so all that reads goes by one.
const ONE_CONNECTION: &targets::More = &[("DATABASE_CONNECTIONS", "1")];

/// A target, where one case after the other has its turn, so that what a case counts is its own.
struct Place {
    target: Target,
    turn: Mutex<()>,
    /// What the cases of routes have in common; made for the first of them.
    scene: OnceCell<Scene>,
    /// Does the work in the background when it is told to.
    worker: OnceCell<Worker>,
}

/// A case, and what it is called.
struct Case {
    name: String,
    run: Box<dyn Fn(&'static Place) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Case {
    fn new<F>(name: impl Into<String>, run: impl Fn(&'static Place) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { name: name.into(), run: Box::new(move |place| run(place).boxed()) }
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One for each target.
    arguments.test_threads = Some(3);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let wanted = std::env::var("TARGETS").ok();
    let wanted = |name: &str| wanted.as_ref().is_none_or(|all| all.split(',').any(|one| one == name));
    let places: Vec<&'static Place> = runtime.block_on(async {
        let (sqlite, postgres, edge) = tokio::join!(
            async {
                if wanted("native+sqlite") {
                    Some(targets::native_sqlite(ONE_CONNECTION).await)
                } else {
                    None
                }
            },
            async {
                if wanted("native+postgres") { Some(targets::native_postgres(&[]).await) } else { None }
            },
            async { if wanted("edge+d1") { Some(targets::edge_d1(&[]).await) } else { None } },
        );
        if let Some(postgres) = &postgres {
            // Of tables as small as these it would read all rows rather than go by an index, until they are a little larger.
            for sql in ["ALTER SYSTEM SET enable_seqscan = off", "SELECT CAST(pg_reload_conf() AS text)"] {
                postgres.backdoor.sql(sql).await;
            }
        }
        let place = |target| {
            let (turn, scene, worker) = (Mutex::new(()), OnceCell::new(), OnceCell::new());
            &*Box::leak(Box::new(Place { target, turn, scene, worker }))
        };
        [sqlite, postgres, edge].into_iter().flatten().map(place).collect()
    });
    assert!(!places.is_empty(), "TARGETS names no target");
    let cases = [turns::cases(), retention::cases(), imports::cases(), outbox::cases(), routes::cases()];
    let mut trials = Vec::new();
    for case in cases.into_iter().flatten().map(Arc::new) {
        for &place in &places {
            let (case, handle) = (case.clone(), runtime.handle().clone());
            let name = format!("{}::{}", place.target.name, case.name);
            trials.push(Trial::test(name, move || {
                // On the runtime, so that a case may start tasks of its own.
                handle.block_on(async {
                    let _turn = place.turn.lock().await;
                    concluded((case.run)(place)).await
                })
            }));
        }
    }
    let failed = libtest_mimic::run(&arguments, trials).has_failed();
    for place in &places {
        if let Some(most) = place.scene.get().map(Scene::told) {
            println!("{}: {most}", place.target.name);
        }
    }
    // Places live as long as the process, so nothing of theirs ends by itself.
    places.iter().filter_map(|place| place.worker.get()).for_each(Worker::stop);
    runtime.block_on(join_all(places.iter().map(|place| place.target.stop())));
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
