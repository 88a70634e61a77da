//! The files for deployments: what the tools say of them that will read them, what those do not know (which settings there
//! are, which login does what, what restricted means), and the image's promises as far as they can be kept without an
//! engine: the binary in a bare root, as nobody, with nothing writable but its data.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so and ends there")]

mod compose;
mod image;
mod kubernetes;
mod roles;
mod systemd;
mod workflows;

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use bailiwick_core::Config;
use bailiwick_tests::targets::root;
use serde_json::Value;

/// A file of the checkout.
fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A tool that scripts/setup has installed for these tests.
fn tool(name: &str) -> Command {
    let path = root().join(".tools/deploy/bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup", path.display());
    let mut command = Command::new(path);
    command.current_dir(root());
    command
}

/// Runs a command to its end, which must be a good one, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// The documents of a YAML text.
fn yaml(text: &str) -> Vec<Value> {
    let script =
        "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin)), default=str))";
    let mut python = tool("python")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    python.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "no YAML:\n{text}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The text at a JSON pointer.
#[track_caller]
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

/// That these are names of settings.
#[track_caller]
fn are_settings<'a>(names: impl IntoIterator<Item = &'a str>) {
    for name in names {
        assert!(Config::SETTINGS.iter().any(|setting| setting.name == name), "{name} is no setting");
    }
}

/// kubectl, from wherever there is one.
fn kubectl() -> PathBuf {
    let own = root().join(".tools/bin/kubectl");
    if own.exists() { own } else { "kubectl".into() }
}
