//! The pages in a browser: `check.mjs` uses them in a headless Chromium as a newcomer does, against a native server and
//! against the Worker.

#![expect(clippy::panic, reason = "a test that cannot go on says so and ends there")]

use bailiwick_tests::targets::{self, Target, root};
use tokio::process::Command;

#[tokio::test]
async fn native_sqlite() {
    use_pages(targets::native_sqlite(&[]).await).await;
}

#[tokio::test]
async fn edge_d1() {
    use_pages(targets::edge_d1(&[]).await).await;
}

async fn use_pages(target: Target) {
    let screenshots = root().join("target/browser").join(target.name);
    let mut command = Command::new(root().join("node_modules/.bin/node"));
    command
        .current_dir(root())
        .arg("tests/browser/check.mjs")
        .args(["--url", &target.url])
        .args(["--screenshots", &screenshots.display().to_string()])
        .kill_on_drop(true);
    let output = command.output().await;
    target.stop().await;
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "{}:\n{said}{wrong}\nThe last screenshots are in {}",
        target.name,
        screenshots.display()
    );
}
