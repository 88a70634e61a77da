//! What goes wrong around the service, made to go wrong: processes that are killed, databases that go away, disks that are
//! full, clients and providers that hang, clocks that jump. Quick by default; `FAULTS=full` does each for as long and as
//! often as docs/RELIABILITY.md says, which has the figures that are printed here.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so and ends there"
)]

mod balancer;
mod clients;
mod clock;
mod commit;
mod d1;
mod disk;
mod http2;
mod idle;
mod instances;
mod kill;
mod load;
mod pool;
mod postgres;
mod providers;

use std::process::ExitCode;

use bailiwick_tests::concluded;
use futures::{FutureExt, future::BoxFuture};
use libtest_mimic::{Arguments, Trial};

type Case = (&'static str, fn() -> BoxFuture<'static, ()>);

macro_rules! cases {
    ($($module:ident::$case:ident),+ $(,)?) => {
        vec![$((concat!(stringify!($module), "::", stringify!($case)), || $module::$case().boxed())),+]
    };
}

/// Whether everything is to be done as long and as often as the page says.
fn full() -> bool {
    std::env::var("FAULTS").is_ok_and(|value| value == "full")
}

/// One number for every day, another one for the page.
fn times<T>(quick: T, thorough: T) -> T {
    if full() { thorough } else { quick }
}

/// A setting of an instance.
fn setting(name: &'static str, value: &str) -> (&'static str, String) {
    (name, value.to_owned())
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They wait most of the time.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    let alone = Arguments { test_threads: Some(1), ..arguments.clone() };
    let together: Vec<Case> = cases![
        balancer::rolling_restarts_fail_no_request,
        balancer::draining_is_seen_before_the_end,
        clients::who_is_slow_is_let_go,
        clients::who_is_slow_holds_up_nobody,
        clients::who_does_not_read_is_let_go,
        clients::what_is_too_large_is_refused,
        clock::tokens_and_answers_go_by_the_time_of_day,
        clock::limits_and_deliveries_do_not_wait_for_a_clock_that_went_back,
        commit::a_commit_that_nobody_is_told_of_is_made_once,
        d1::what_d1_answers_is_judged,
        disk::a_full_disk_refuses_writes_and_nothing_else,
        http2::who_keeps_a_connection_for_nothing_is_let_go,
        instances::one_key_on_two_instances_is_done_once,
        instances::one_state_on_two_instances_is_changed_once,
        pool::on_postgres_who_finds_no_connection_is_refused,
        pool::on_sqlite_who_finds_no_writer_is_refused,
        providers::what_hangs_for_an_hour_keeps_no_request_waiting,
        providers::a_mail_server_that_hangs_holds_up_nobody,
        providers::webhooks_that_hang_fail_or_are_gone_hold_up_nobody,
        providers::an_identity_provider_that_hangs_holds_up_nobody,
    ];
    // What they measure, or do to the machine, is not for the others.
    let one_by_one: Vec<Case> = cases![
        kill::on_sqlite_nothing_acknowledged_is_lost,
        kill::on_postgres_nothing_acknowledged_is_lost,
        postgres::it_is_stopped_and_started_under_load,
        postgres::its_connections_die_between_requests,
        idle::idle_connections_keep_nobody_from_being_served,
    ];
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut failed = false;
    for (cases, arguments) in [(together, &arguments), (one_by_one, &alone)] {
        let trials = cases.into_iter().map(|(name, case)| {
            let handle = runtime.handle().clone();
            Trial::test(name, move || handle.block_on(concluded(case())))
        });
        failed |= libtest_mimic::run(arguments, trials.collect()).has_failed();
    }
    println!("faults: {}", if full() { "in full" } else { "quick; FAULTS=full does more of each" });
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
