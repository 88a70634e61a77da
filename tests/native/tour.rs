//! The README's tour, as it is written there, against a fresh server.

use std::path::Path;

use bailiwick_tests::{
    receivers::http::Receiver,
    targets::{address, native, root, start},
};
use serde_json::json;
use tokio::process::Command;

/// The commands of a section: its blocks marked `sh`.
fn commands(readme: &str, section: &str) -> String {
    let (_, rest) = readme.split_once(&format!("\n## {section}\n")).expect("the section");
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let blocks: Vec<_> =
        section.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n")).collect();
    assert!(!blocks.is_empty());
    blocks.concat()
}

#[tokio::test]
async fn works_as_it_is_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("tour.db").display());
    let slack = Receiver::start().await;
    // A newcomer's server: nothing is configured, except that this receiver stands in for Slack.
    let mut server = native(&url);
    server.env_remove("JWT_SECRET").env_remove("BCRYPT_COST").env("OUTBOUND_ALLOW", slack.origin());
    let (_process, line) = start(&mut server, "listening on http").await;
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    // The README promises that the tour can be taken again.
    for time in 1..=2 {
        take(&readme, &address(&line), &slack, directory.path()).await;
        let told = slack.wait_for("/tour", time).await;
        let expected = json!("Ada completed \u{201c}Bridge\u{201d}");
        assert!(
            told.len() == time && told.iter().all(|message| message.body["text"] == expected),
            "{told:?}"
        );
    }
}

async fn take(readme: &str, server: &str, slack: &Receiver, directory: &Path) {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands(readme, "A five-minute tour")])
        .env("BAILIWICK", server)
        .env("SLACK_WEBHOOK", slack.url("/tour"))
        .current_dir(directory)
        .output()
        .await
        .expect("bash");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    for expected in [
        r#""status":"ok""#,
        r#""slug":"default""#,
        r#""role":"owner""#,
        r#""code":"transition_not_allowed""#,
        r#""allowed":["submitted","archived"]"#,
        r#""status":"approved""#,
        r#""status":"in_progress""#,
        r#""title":"Measure the river""#,
        r#""priority":"high""#,
        r#""body":"It is wider than it looks.""#,
        r#""completed":["in_app","slack"]"#,
        r#""status":"completed""#,
        r#""state":"sent""#,
        r#""email":"grace"#,
        r#""role":"member""#,
        r#""code":"not_a_member""#,
    ] {
        assert!(said.contains(expected), "the tour does not show {expected}:\n{said}");
    }
    assert!(!said.contains("tasks_open") && !said.contains(r#""status":500"#), "{said}");
}
