//! Parts of the suite, for whoever runs it often (`scripts/mutants`): `TARGETS=native+sqlite,edge+d1` starts no other ones,
//! the file `CASES` has a case in each line, to be run in this order (or, behind a `!`, not to be run), and to the file `CASE_LOG` each case adds its name when
//! it begins.

use std::{fs::OpenOptions, io::Write, path::PathBuf};

use bailiwick_tests::targets::Target;

use crate::Case;

/// What is wanted. Nothing said is all.
pub(crate) struct Selection {
    targets: Option<String>,
    cases: Option<Vec<String>>,
    log: Option<PathBuf>,
}

impl Selection {
    /// By the environment.
    pub(crate) fn read() -> Self {
        let cases = std::env::var("CASES").ok().map(|file| {
            let cases = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
            cases.lines().map(str::to_owned).collect()
        });
        Self {
            targets: std::env::var("TARGETS").ok(),
            cases,
            log: std::env::var_os("CASE_LOG").map(PathBuf::from),
        }
    }

    /// Starts a target, if it is wanted.
    pub(crate) async fn start(&self, name: &str, starting: impl Future<Output = Target>) -> Option<Target> {
        match &self.targets {
            Some(wanted) if !wanted.split(',').any(|wanted| wanted == name) => None,
            _ => Some(starting.await),
        }
    }

    /// The cases that are wanted, in that order.
    pub(crate) fn of(&self, mut cases: Vec<Case>) -> Vec<Case> {
        let Some(told) = &self.cases else { return cases };
        let (unwanted, wanted): (Vec<_>, Vec<_>) = told.iter().partition(|line| line.starts_with('!'));
        cases.retain(|case| !unwanted.iter().any(|line| line[1..] == case.name));
        if !wanted.is_empty() {
            let place = |case: &Case| wanted.iter().position(|wanted| **wanted == case.name);
            cases.retain(|case| place(case).is_some());
            cases.sort_by_key(place);
        }
        cases
    }

    /// Says that a case begins.
    pub(crate) fn note(&self, name: &str) {
        let Some(file) = &self.log else { return };
        let mut file = OpenOptions::new().append(true).create(true).open(file).expect("a file");
        file.write_all(format!("case {name}\n").as_bytes()).expect("room for a line");
    }
}
