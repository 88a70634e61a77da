//! `tests/mutants.toml`: mutants that no test can or need catch, each with its reason.

use std::fs;

use bailiwick_tests::targets::root;

/// Which mutants it means, and why.
#[derive(Debug)]
pub(crate) struct Known {
    /// A table of the file is a statement or a file of code, a key in it a change; in both, `*` stands for any text.
    pub(crate) pattern: String,
}

impl Known {
    /// Whether it means this one.
    pub(crate) fn means(&self, id: &str) -> bool {
        let mut parts = self.pattern.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = id.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some((_, behind)) = rest.split_once(part) else { return false };
            rest = behind;
        }
        rest.ends_with(last)
    }
}

/// All of the file. Each has a reason.
pub(crate) fn read() -> Vec<Known> {
    let text = fs::read_to_string(root().join("tests/mutants.toml")).expect("tests/mutants.toml");
    let tables: toml::Table = text.parse().unwrap_or_else(|error| panic!("tests/mutants.toml: {error}"));
    let mut known = Vec::new();
    for (of, changes) in tables {
        for (change, reason) in changes.as_table().into_iter().flatten() {
            assert!(reason.as_str().is_some_and(|reason| !reason.is_empty()), "{of}: {change} has no reason");
            known.push(Known { pattern: format!("{of}: {change}") });
        }
    }
    known
}
