//! No test's outcome depends on how fast a machine is: what docs/DEVELOPING.md says of that, as far as a search of the text
//! can hold it.

use bailiwick_tests::targets::root;

use crate::tidy::files;

/// What sleeps, and why no event can be waited for instead.
const SLEEPS: &[(&str, &str)] = &[
    ("tests/src/lib.rs", "`until` looks again"),
    ("tests/src/receivers/http.rs", "a receiver that is slow"),
    ("tests/faults/clients.rs", "a client that is slow"),
    ("tests/faults/clock.rs", "the time that a refusal says; a monotonic clock is nobody's to set"),
    ("tests/faults/kill.rs", "killed at any moment"),
    ("tests/faults/load.rs", "a pause before it asks again"),
    ("tests/faults/postgres.rs", "away for a while, between looks"),
    ("tests/native/moments.rs", "a statement that the database gives up: it must last"),
    ("tests/native/outbox.rs", "killed at any moment, and a pause before it asks again"),
    ("tests/browser/check.mjs", "a pause before it looks again"),
    ("tests/src/process.rs", "what is dropped cannot await the end of its process, and looks for it"),
    ("tests/edge/cost.mjs", "no test: figures"),
    (
        "tests/edge/entry.mjs",
        "a turn of the loop for what goes on behind a response: what it is counts by itself",
    ),
];

/// What compares a time that has passed with one that it may take, and why no outcome hangs on it.
const BOUNDS: &[(&str, &str)] = &[
    ("tests/conformance/property/run.rs", "how long a failure is made shorter"),
    ("tests/examples/row_security.rs", "no test: figures, each for so long"),
];

/// What gives something a limit of time, and why: all else goes by `until` and `ended`.
const LIMITS: &[(&str, &str)] = &[
    ("tests/src/lib.rs", "`until` and `ended`, after PATIENCE"),
    ("tests/src/targets.rs", "the client of all, after PATIENCE"),
    ("tests/examples/mutants/suite.rs", "a mutant that does not end was noticed, after PATIENCE"),
    ("native/src/server/background.rs", "within the crate, where there is no PATIENCE: five minutes"),
];

/// The tests of a kind, and of Rust's also those beside the code, without what is code there.
fn tests() -> Vec<(String, String)> {
    let mut found: Vec<_> =
        [".rs", ".mjs", ".ts", ".py"].iter().flat_map(|ending| files("tests", ending)).collect();
    for folder in ["core/src", "native/src"] {
        found.extend(files(folder, ".rs").into_iter().filter_map(|(path, text)| {
            let (_, tests) = text.split_once("#[cfg(test)]")?;
            Some((path, tests.to_owned()))
        }));
    }
    // Which names what it looks for.
    found.retain(|(path, _)| path != "tests/house/timing.rs");
    found
}

/// Holds that lines of this kind are where they may be and nowhere else.
fn only(allowed: &[(&str, &str)], what: &str, is: impl Fn(&str) -> bool) {
    let tests = tests();
    let with = |text: &str| text.lines().find(|line| is(line)).map(|line| line.trim().to_owned());
    for (path, text) in &tests {
        let excused = allowed.iter().any(|(place, _)| place == path);
        let found = with(text);
        assert!(excused || found.is_none(), "{path} {what}: {}", found.unwrap_or_default());
    }
    for (place, reason) in allowed {
        let used = tests.iter().any(|(path, text)| path == place && with(text).is_some());
        assert!(used, "{place} need not be excused any more: {reason}");
    }
}

fn has(line: &str, words: &[&str]) -> bool {
    !line.trim_start().starts_with("//") && words.iter().any(|word| line.contains(word))
}

#[test]
fn no_test_bounds_the_time_that_something_takes() {
    only(BOUNDS, "bounds a time from above", |line| {
        let words = ["elapsed() <", "elapsed().as_secs() <", "took <", "longest <", "slowest <"];
        has(line, &words) || has(line, &["< Duration::from", "<= Duration::from", "< std::time::Duration"])
    });
}

#[test]
fn what_is_waited_for_is_waited_for_long_and_told() {
    only(LIMITS, "gives up by a clock of its own; `until` and `ended` say what there was instead", |line| {
        has(line, &["timeout(", "recv_timeout(", "timeout_at("])
            && !has(line, &["OUTBOUND_", "_timeout(&", "busy_timeout(", "acquire_timeout(", "fn "])
    });
    let patience = bailiwick_tests::PATIENCE;
    assert!(patience.as_secs() >= 120, "{patience:?}");
    let browser = std::fs::read_to_string(root().join("tests/browser/check.mjs")).expect("a file");
    assert!(browser.contains("const PATIENCE = 5 * 60_000;\ncontext.setDefaultTimeout(PATIENCE);"));
}

#[test]
fn no_test_sleeps_where_there_is_an_event() {
    only(SLEEPS, "sleeps", |line| has(line, &["sleep(", "waitForTimeout(", "setTimeout("]));
}

#[test]
fn a_port_that_is_told_beforehand_is_reserved() {
    only(&[], "takes a port and lets it go; `Port::reserve` keeps it", |line| {
        has(line, &["|socket| socket.local_addr()", "local_addr().map(|"])
    });
}

/// Something that is tried again until it goes well hides that it did not go well. (What is waited for is `until`'s.)
#[test]
fn nothing_is_tried_again() {
    only(&[], "tries again", |line| {
        has(line, &["attempts += 1", "attempt += 1", " tries += 1", "retries += 1"])
    });
}
