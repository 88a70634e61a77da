//! The description of the API: linters find nothing in it, it is complete, all targets do what it says and nothing
//! else, and clients that are generated from it work.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so and ends there")]

mod client;
mod complete;
mod fuzz;
mod generators;
mod lint;

use bailiwick_tests::targets::{Target, root};
use tokio::process::Command;

/// A tool of npm's, by the Node that it accepts; it asks nobody whether there is a newer one of it.
fn npm(tool: &str) -> Command {
    let mut command = Command::new(root().join("node_modules/.bin/node"));
    command
        .current_dir(root())
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        .arg(root().join("node_modules/.bin").join(tool));
    command
}

/// Runs a command to its end, which must be a good one, and returns what it printed; else what went wrong.
async fn attempt(command: &mut Command) -> Result<String, String> {
    let program = command.as_std().get_program().display().to_string();
    let output = command.kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("{program}: {error}; scripts/setup installs it"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let status = output.status;
    if status.success() { Ok(printed) } else { Err(format!("{program}: {status}\n{printed}\n{errors}")) }
}

/// Runs a command to its end, which must be a good one, and returns what it printed.
async fn run(command: &mut Command) -> String {
    attempt(command).await.unwrap_or_else(|failure| panic!("{failure}"))
}

/// The same against a target, which is stopped whatever comes of it.
async fn run_against(target: Target, command: &mut Command) -> String {
    let outcome = attempt(command).await;
    target.stop().await;
    outcome.unwrap_or_else(|failure| panic!("{failure}"))
}

/// The same with a client that takes the README's tour.
async fn tour_against(target: Target, client: &mut Command) {
    let printed = run_against(target, client).await;
    assert!(printed.contains("the tour went well"), "{printed}");
}
