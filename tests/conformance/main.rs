//! The conformance suite: every case runs over HTTP against every target, each started for real. What is expected is
//! the same for all of them; there is no way to say otherwise.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::similar_names,
    clippy::print_stdout,
    reason = "a test that cannot go on says so and ends there"
)]

mod account_deletion;
mod accounts;
mod admin;
mod apart;
mod api_keys;
mod bootstrap;
mod bulk;
mod catalogue;
mod chain;
mod claims;
mod comments;
mod conditional;
mod config;
mod content;
mod counts;
mod edges;
mod emails;
mod freshness;
mod hearsay;
mod idempotency;
mod identities;
mod imports;
mod included;
mod input;
mod interleaving;
mod invitation_mails;
mod invitations;
mod lists;
mod logs;
mod long_pages;
mod matrix;
mod members;
mod neighbours;
mod notifications;
mod outage;
mod outbox;
mod pages;
mod people;
mod pieces;
mod places;
mod projects;
mod property;
mod quotas;
mod recipients;
mod resets;
mod retention;
mod search;
mod selection;
mod sending;
mod service;
mod sessions;
mod sizes;
mod spellings;
mod strictness;
mod tasks;
mod tenants;
mod throttle;
mod transitions;
mod verify_isolation;
mod walks;
mod written;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Arc, Mutex},
};

use bailiwick_tests::{
    actors::Actor,
    concluded,
    provider::{Person, Provider},
    targets::{self, Target},
};
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use libtest_mimic::{Arguments, Trial};

use self::selection::Selection;

/// A case, and what it is called.
struct Case {
    name: String,
    run: Box<dyn Fn(&'static Target) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Case {
    fn new<F>(name: impl Into<String>, run: impl Fn(&'static Target) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { name: name.into(), run: Box::new(move |target| run(target).boxed()) }
    }
}

/// The functions of a module as cases; those beside others that are generated, by a function of this name.
macro_rules! cases {
    ($module:literal: $($case:ident),+ $(,)?) => {
        pub(crate) fn cases() -> Vec<crate::Case> {
            crate::cases!(@list $module: $($case),+)
        }
    };
    ($function:ident, $module:literal: $($case:ident),+ $(,)?) => {
        fn $function() -> Vec<crate::Case> {
            crate::cases!(@list $module: $($case),+)
        }
    };
    (@list $module:literal: $($case:ident),+) => {
        vec![$(crate::Case::new(concat!($module, "::", stringify!($case)), $case)),+]
    };
}
pub(crate) use cases;

/// Passed and failed cases of each target.
type Tally = Arc<Mutex<BTreeMap<&'static str, (usize, usize)>>>;

/// The page that mails about forgotten passwords lead to.
const PASSWORD_RESET_URL: &str = "https://app.example.com/reset#{token}";

/// What these targets have beside what all have.
const MORE: &targets::More = &[("PASSWORD_RESET_URL", PASSWORD_RESET_URL)];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The cases wait for servers most of the time.
    arguments.test_threads = arguments.test_threads.or(Some(12));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let selection = &*Box::leak(Box::new(Selection::read()));
    let targets: Vec<&'static Target> = runtime.block_on(async {
        let (sqlite, postgres, edge) = tokio::join!(
            selection.start("native+sqlite", targets::native_sqlite(MORE)),
            selection.start("native+postgres", targets::native_postgres(MORE)),
            selection.start("edge+d1", targets::edge_d1(MORE))
        );
        [sqlite, postgres, edge].into_iter().flatten().map(|target| &*Box::leak(Box::new(target))).collect()
    });
    assert!(!targets.is_empty(), "TARGETS names no target");

    let disturbing =
        [identities::disturbing(), idempotency::disturbing(), outage::cases(), retention::cases()];
    let disturbing = disturbing.into_iter().flatten().collect();
    let alone = Arguments { test_threads: Some(1), ..arguments.clone() };
    let phases = [
        ("while the database is empty", bootstrap::cases(), &arguments),
        ("all together", common(), &arguments),
        ("one after the other, because they disturb the rest", disturbing, &alone),
    ];

    let tally = Tally::default();
    let mut failed = false;
    for (number, (what, cases, arguments)) in phases.into_iter().enumerate() {
        // No case but those of an empty database may depend on being the first: somebody has come, also by the provider.
        if number == 1 {
            runtime.block_on(join_all(targets.iter().copied().map(begin)));
        }
        println!("\nconformance, {what}:");
        let handle = runtime.handle().clone();
        let trials = trials(selection.of(cases), &targets, selection, &handle, &tally);
        failed |= libtest_mimic::run(arguments, trials).has_failed();
    }
    for (target, (passed, failed)) in tally.lock().expect("no panic while counting").iter() {
        println!("{target}: {passed} passed, {failed} failed");
    }
    runtime.block_on(end(&targets));
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The cases that may run at the same time.
fn common() -> Vec<Case> {
    [
        service::cases(),
        pages::cases(),
        account_deletion::cases(),
        accounts::cases(),
        sessions::cases(),
        sizes::cases(),
        spellings::cases(),
        counts::cases(),
        included::cases(),
        people::cases(),
        api_keys::cases(),
        identities::cases(),
        tenants::cases(),
        throttle::cases(),
        logs::cases(),
        members::cases(),
        invitations::cases(),
        invitation_mails::cases(),
        config::cases(),
        admin::cases(),
        chain::cases(),
        catalogue::cases(),
        projects::cases(),
        content::cases(),
        transitions::cases(),
        tasks::cases(),
        bulk::cases(),
        comments::cases(),
        search::cases(),
        lists::cases(),
        long_pages::cases(),
        walks::cases(),
        written::cases(),
        notifications::cases(),
        recipients::cases(),
        resets::cases(),
        outbox::cases(),
        sending::cases(),
        claims::cases(),
        edges::cases(),
        emails::cases(),
        input::cases(),
        conditional::cases(),
        freshness::cases(),
        hearsay::cases(),
        places::cases(),
        imports::cases(),
        pieces::cases(),
        neighbours::cases(),
        quotas::cases(),
        idempotency::cases(),
        strictness::cases(),
        matrix::cases(),
        interleaving::cases(),
        property::cases(),
        verify_isolation::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Ends all that were started.
async fn end(targets: &[&'static Target]) {
    join_all(targets.iter().map(|target| target.stop())).await;
    let apart = [
        &throttle::LIMITED,
        &sending::IMPATIENT,
        &claims::QUIET,
        &resets::BY_INVITATION,
        &resets::CLOSED,
        &apart::STRICT,
    ];
    join_all(apart.map(apart::Apart::stop)).await;
}

/// The first of all who come.
async fn begin(target: &'static Target) {
    Actor::register(target, "first").await;
    let token = Provider::shared().access_token("ES256", &Person::new("first")).await;
    let external = Actor { token: Some(token), ..Actor::anonymous(target) };
    external.get("/v1/me").send().await.expect(200);
}

fn trials(
    cases: Vec<Case>,
    targets: &[&'static Target],
    selection: &'static Selection,
    handle: &tokio::runtime::Handle,
    tally: &Tally,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for case in cases {
        let case = Arc::new(case);
        for &target in targets {
            let (case, handle, tally) = (case.clone(), handle.clone(), tally.clone());
            trials.push(Trial::test(format!("{}::{}", target.name, case.name), move || {
                selection.note(&case.name);
                // On the runtime, so that a case may start tasks of its own.
                let outcome = handle.block_on(concluded((case.run)(target)));
                let mut tally = tally.lock().expect("no panic while counting");
                let (passed, failed) = tally.entry(target.name).or_default();
                *if outcome.is_ok() { passed } else { failed } += 1;
                outcome
            }));
        }
    }
    trials
}
