//! `tests/mutants.toml`: mutants that no test can or need catch, each with its reason.

use std::{collections::BTreeMap, fs};

use bailiwick_tests::targets::root;

/// Reasons by the mutant's id. Each table of the file is a statement or a file of code, each key in it a change.
pub(crate) fn read() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("tests/mutants.toml")).expect("tests/mutants.toml");
    let tables: toml::Table = text.parse().unwrap_or_else(|error| panic!("tests/mutants.toml: {error}"));
    let mut known = BTreeMap::new();
    for (of, changes) in tables {
        for (change, reason) in changes.as_table().into_iter().flatten() {
            let reason = reason.as_str().unwrap_or_else(|| panic!("{of}: {change} has no reason"));
            known.insert(format!("{of}: {change}"), reason.to_owned());
        }
    }
    known
}
