//! Mutants of the Rust code, as `cargo-mutants` makes them: each is built in a copy of the tree, and meets the conformance
//! suite first, then the unit tests of its crate.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bailiwick_tests::targets::root;
use serde_json::{Value, json};

use super::suite::{Coverage, Ending, Place, Programs};

/// What is changed: the rules, the scopes, the answers that are kept, the outbox, the drivers.
const FILES: [&str; 10] = [
    "core/src/domain/workflow.rs",
    "core/src/http/idempotency.rs",
    "core/src/delivery/outbox.rs",
    "core/src/access/**/*.rs",
    "core/src/repository/**/*.rs",
    "native/src/ports/database/mod.rs",
    "native/src/ports/database/sqlite.rs",
    "native/src/ports/database/postgres.rs",
    "native/src/ports/database/rls_context.rs",
    "native/src/ports/database/roles.rs",
];

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct CodeMutant {
    /// The file, the function and the change, without the numbers of lines, which change with every edit.
    pub(crate) id: String,
    file: String,
    package: String,
    /// From which byte to which.
    span: (usize, usize),
    replacement: String,
    line: u64,
}

/// How one ended.
pub(crate) enum Outcome {
    /// It is no program.
    Unviable,
    Caught(String, String),
    Survived,
}

/// All that `cargo-mutants` makes of these files.
pub(crate) fn all() -> Vec<CodeMutant> {
    let mut command = Command::new(root().join(".tools/bin/cargo-mutants"));
    command.current_dir(root()).args(["mutants", "--no-config", "--list", "--json", "--workspace"]);
    let output = command.args(FILES.iter().flat_map(|file| ["-f", file])).output().expect("cargo-mutants");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut mutants: Vec<CodeMutant> = Vec::new();
    for mutant in listed {
        let text = |name: &str| mutant[name].as_str().unwrap_or_default().to_owned();
        let file = text("file");
        let source = fs::read_to_string(root().join(&file)).expect("a file");
        let place = |end: &str| offset(&source, &mutant["span"][end]);
        let span = (place("start"), place("end"));
        // `src/workflow.rs:120:9: replace && with || in decide`.
        let what = text("name").splitn(4, ':').last().unwrap_or_default().trim().to_owned();
        let id = format!("{file}: {what}");
        let times =
            mutants.iter().filter(|other| other.id == id || other.id.starts_with(&format!("{id} ("))).count();
        let id = if times == 0 { id } else { format!("{id} ({})", times + 1) };
        let line = mutant["span"]["start"]["line"].as_u64().unwrap_or_default();
        mutants.push(CodeMutant {
            id,
            file,
            package: text("package"),
            span,
            replacement: text("replacement"),
            line,
        });
    }
    mutants
}

fn offset(source: &str, place: &Value) -> usize {
    let number = |name: &str| usize::try_from(place[name].as_u64().unwrap_or(1)).unwrap_or(1);
    let before: usize = source.split_inclusive('\n').take(number("line") - 1).map(str::len).sum();
    let line = source.get(before..).unwrap_or_default();
    before + line.chars().take(number("column") - 1).map(char::len_utf8).sum::<usize>()
}

/// The copy of the tree, with its own builds.
pub(crate) struct Tree {
    folder: PathBuf,
}

impl Tree {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(self.folder.join("tree")).args(arguments);
        command.env("CARGO_TARGET_DIR", self.folder.join("build"));
        command
    }

    /// Tries one.
    pub(crate) fn judge(&self, mutant: &CodeMutant, programs: &Programs, coverage: &Coverage) -> Outcome {
        let file = self.folder.join("tree").join(&mutant.file);
        let source = fs::read_to_string(root().join(&mutant.file)).expect("a file");
        let changed = [&source[..mutant.span.0], &mutant.replacement, &source[mutant.span.1..]].concat();
        fs::write(&file, changed).expect("a file");
        let outcome = self.judge_built(mutant, programs, coverage);
        fs::write(&file, source).expect("a file");
        outcome
    }

    fn judge_built(&self, mutant: &CodeMutant, programs: &Programs, coverage: &Coverage) -> Outcome {
        let built =
            self.cargo(&["build", "--locked", "--quiet", "--bin", "bailiwick"]).output().expect("cargo");
        if !built.status.success() {
            return Outcome::Unviable;
        }
        let of_postgres =
            ["postgres.rs", "held.rs", "roles.rs"].iter().any(|name| mutant.file.ends_with(name));
        let targets = if of_postgres { "native+postgres" } else { "native+sqlite" };
        let module = Path::new(&mutant.file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let place =
            Place::new(self.folder.join("code"), programs, &self.folder.join("build/debug/bailiwick"));
        let cases = coverage.all(module);
        if let Ending::Failed(case, said) = place.prove(targets, cases, &json!({})) {
            return Outcome::Caught(case, said);
        }
        let tested = self.cargo(&["test", "--locked", "--quiet", "-p", &mutant.package, "--lib"]).output();
        let tested = tested.expect("cargo");
        if tested.status.success() {
            return Outcome::Survived;
        }
        let said = String::from_utf8_lossy(&tested.stdout);
        let failed = said.lines().find_map(|line| line.strip_prefix("---- ")?.split(' ').next());
        Outcome::Caught(format!("unit test {}", failed.unwrap_or("(does not build)")), String::new())
    }

    /// Where it is, for whoever looks.
    pub(crate) fn place(mutant: &CodeMutant) -> String {
        format!("{}:{}", mutant.file, mutant.line)
    }
}
