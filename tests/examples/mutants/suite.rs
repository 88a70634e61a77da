//! The conformance suite against one server: which cases there are, what they run, and whether one of them fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::time::Instant;

/// Longer than any run of the suite: a mutant may make a server that answers nothing.
const PATIENCE: Duration = Duration::from_mins(30);

/// Cases that run at the same time. They wait for the server most of the time.
const THREADS: usize = 8;

/// What cases say that fail for want of time.
const BUSY: [&str; 4] = ["did not happen within", "503", "timed out", "did not start"];

/// Where it is noted which case runs what.
const KEPT: &str = "coverage.json";

/// What takes as long as a tenth of all others, and checks what the matrices check.
const LEFT_OUT: &str = "verify_isolation::";

/// Programs that a run takes, as they were built.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// `tests/conformance`.
    pub(crate) conformance: PathBuf,
    /// `bailiwick`, without a change.
    pub(crate) product: PathBuf,
    /// The server that substitutes statements: this program under another name.
    pub(crate) substituting: PathBuf,
}

/// A folder in which a server and the suite lie as the suite expects it.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
    product: PathBuf,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// The first case that failed, and what it said.
    Failed(String, String),
    /// Every case passed, and so many were run.
    Passed(usize),
}

impl Place {
    /// Makes it anew.
    pub(crate) fn new(folder: PathBuf, programs: &Programs, server: &Path) -> Self {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("deps")).expect("a folder");
        fs::create_dir_all(folder.join("tmp")).expect("a folder");
        // Not symbolic: a program finds what lies beside it by its own path.
        fs::hard_link(&programs.conformance, folder.join("deps/conformance")).expect("a link");
        fs::hard_link(server, folder.join("bailiwick")).expect("a link");
        Self { folder, product: programs.product.clone() }
    }

    /// Runs cases until one fails. One that fails as cases do on a machine that has too much to do must fail once more when it
    /// runs alone; otherwise the rest is run. Where that happens again and again, it is not the machine.
    pub(crate) fn prove(&self, targets: &str, mut cases: Vec<String>, told: &Value) -> Ending {
        const OFTEN: usize = 3;
        let (mut count, mut once) = (0, Vec::new());
        while !cases.is_empty() {
            let mut passed = BTreeSet::new();
            let ending = self.run(targets, Some(&cases), THREADS, told.clone(), |name| {
                passed.insert(name.to_owned());
            });
            count += passed.len();
            let Ending::Failed(case, said) = ending else { break };
            let busy = BUSY.iter().any(|sign| said.contains(sign));
            if !busy || !cases.contains(&case) {
                return Ending::Failed(case, said);
            }
            let alone = vec![case.clone()];
            if let Ending::Failed(_, said) = self.run(targets, Some(&alone), 1, told.clone(), |_| {}) {
                return Ending::Failed(case, said);
            }
            once.push(case.clone());
            if once.len() == OFTEN {
                return Ending::Failed(once.join(" and "), format!("each once: {said}"));
            }
            eprintln!("{case} failed once, and passed alone: {said}");
            count += 1;
            passed.insert(case);
            cases.retain(|case| !passed.contains(case));
        }
        Ending::Passed(count)
    }

    /// Runs these cases, or all, until the first fails. `told` is what the server reads that substitutes.
    pub(crate) fn run(
        &self,
        targets: &str,
        cases: Option<&[String]>,
        threads: usize,
        mut told: Value,
        mut passed: impl FnMut(&str),
    ) -> Ending {
        told["product"] = json!(self.product);
        fs::write(self.folder.join(super::TOLD), told.to_string()).expect("a file");
        let errors = self.folder.join("stderr");
        let mut command = Command::new(self.folder.join("deps/conformance"));
        command.arg("--test-threads").arg(threads.to_string()).env("TARGETS", targets);
        command.env("TMPDIR", self.folder.join("tmp")).env("RUST_BACKTRACE", "0");
        if let Some(cases) = cases {
            let file = self.folder.join("cases");
            fs::write(&file, cases.join("\n")).expect("a file");
            command.env("CASES", file);
        }
        if let Some(log) = told["log"].as_str() {
            command.env("CASE_LOG", log);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(fs::File::create(&errors).expect("a file"));
        // With the servers that it starts it is a group, which ends together.
        let mut child = command.process_group(0).spawn().expect("the suite");
        let group = child.id();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let begun = Instant::now();
        let mut failed = None;
        loop {
            match lines.recv_timeout(PATIENCE.saturating_sub(begun.elapsed())) {
                Ok(line) => {
                    let Some(rest) = line.strip_prefix("test ") else { continue };
                    let Some((name, outcome)) = rest.split_once(" ... ") else { continue };
                    let name = name.split_once("::").map_or(name, |(_, case)| case).trim();
                    if outcome.contains("FAILED") {
                        failed = Some(name.to_owned());
                        break;
                    }
                    passed(name);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    failed = Some("(nothing went on)".to_owned());
                    break;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        if failed.is_none() && !child.wait().expect("it ends").success() {
            failed = Some("(the suite itself)".to_owned());
        }
        let _ = Command::new("kill")
            .arg("-KILL")
            .arg("--")
            .arg(format!("-{group}"))
            .stderr(Stdio::null())
            .status();
        let _ = child.wait();
        drop(lines);
        let _ = reader.join();
        let said = failed.as_deref().map(|case| said(&fs::read_to_string(&errors).unwrap_or_default(), case));
        let _ = fs::remove_dir_all(self.folder.join("tmp"));
        fs::create_dir_all(self.folder.join("tmp")).expect("a folder");
        match (failed, said) {
            (Some(case), said) => Ending::Failed(case, said.unwrap_or_default()),
            (None, _) => Ending::Passed(0),
        }
    }
}

/// What the panic of a case said: the last one in its own file, or else the last one.
fn said(errors: &str, case: &str) -> String {
    let module = case.split("::").next().unwrap_or_default();
    let mut lines = errors.lines();
    let (mut own, mut any) = (None, None);
    while let Some(line) = lines.next() {
        if let Some((_, place)) = line.split_once("panicked at ") {
            let place = place.trim_end_matches(':');
            let text = format!("{place} {}", lines.next().unwrap_or_default());
            let text: String = text.chars().take(200).collect();
            if place.contains(module) {
                own = Some(text.clone());
            }
            any = Some(text);
        }
    }
    own.or(any).unwrap_or_default()
}

/// What each case takes and runs, when it runs alone.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    cases: BTreeMap<String, (u64, BTreeSet<String>)>,
    /// Cases with one of these words in their name go first.
    first: Vec<String>,
}

impl Coverage {
    /// What was found out before.
    pub(crate) fn known(folder: &Path) -> Self {
        Self::from(&Self::read(folder).1)
    }

    /// The build that it was found out with, and the cases.
    fn read(folder: &Path) -> (Value, Value) {
        let text = fs::read_to_string(folder.join(KEPT)).ok();
        let read = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        read.map_or((json!(0), json!({})), |read| (read["of"].clone(), read["cases"].clone()))
    }

    /// What was found out before, and what new cases do, which are run one after the other: at first all.
    pub(crate) fn find(folder: &Path, programs: &Programs) -> Self {
        let changed = fs::metadata(&programs.conformance).and_then(|data| data.modified()).expect("a time");
        let changed = changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (of, known) = Self::read(folder);
        if of == json!(changed) {
            return Self::from(&known);
        }
        let mut cases = known.as_object().cloned().unwrap_or_default();
        eprintln!("which statements a case runs is found out once; {} cases are known", cases.len());
        let unwanted: Vec<_> = cases.keys().map(|name| format!("!{name}")).collect();
        let log = folder.join("statements.log");
        let _ = fs::remove_file(&log);
        let place = Place::new(folder.join("coverage"), programs, &programs.substituting);
        let mut times = BTreeMap::new();
        let mut last = Instant::now();
        let told = json!({ "log": log.display().to_string() });
        let ending = place.run("native+sqlite", Some(&unwanted), 1, told, |name| {
            times.insert(name.to_owned(), last.elapsed().as_millis());
            last = Instant::now();
        });
        if let Ending::Failed(case, said) = ending {
            panic!("without any mutant {case} fails: {said}");
        }
        let (mut case, mut ran) = (String::new(), BTreeSet::new());
        let log = fs::read_to_string(&log).expect("the list of statements");
        for line in log.lines().chain(["case "]) {
            if let Some(next) = line.strip_prefix("case ") {
                if !case.is_empty() {
                    let millis =
                        times.get(&case).and_then(|time| u64::try_from(*time).ok()).unwrap_or_default();
                    cases.insert(case, json!({ "millis": millis, "statements": ran }));
                }
                (case, ran) = (next.to_owned(), BTreeSet::new());
            } else if let Some(statement) = line.strip_prefix("ran ") {
                ran.insert(statement.to_owned());
            }
        }
        let cases = Value::Object(cases);
        fs::write(folder.join(KEPT), json!({ "of": changed, "cases": cases }).to_string()).expect("a file");
        Self::from(&cases)
    }

    fn from(value: &Value) -> Self {
        let cases = value.as_object().expect("cases").iter().map(|(name, case)| {
            let statements = case["statements"].as_array().expect("a list").iter();
            let statements = statements.filter_map(|name| name.as_str().map(str::to_owned)).collect();
            (name.clone(), (case["millis"].as_u64().unwrap_or_default(), statements))
        });
        Self { cases: cases.collect(), first: Vec::new() }
    }

    /// The same, with other cases first.
    pub(crate) fn with_first(self, words: Vec<String>) -> Self {
        Self { first: words, ..self }
    }

    /// The cases that run a statement, those first that are likely to be about it and are fast.
    pub(crate) fn of(&self, statement: &str) -> Vec<String> {
        let module = statement.split("::").next().unwrap_or_default();
        self.chosen(module, |statements| statements.contains(statement))
    }

    /// All cases, those first that are named like this and are fast.
    pub(crate) fn all(&self, module: &str) -> Vec<String> {
        self.chosen(module, |_| true)
    }

    fn chosen(&self, module: &str, wanted: impl Fn(&BTreeSet<String>) -> bool) -> Vec<String> {
        let chosen = self.cases.iter().filter(|(name, _)| !name.starts_with(LEFT_OUT));
        let mut found: Vec<_> = chosen.filter(|(_, (_, statements))| wanted(statements)).collect();
        // What takes long is no first choice, whatever it is called.
        let late = |name: &str| !self.first.iter().any(|word| name.contains(word.as_str()));
        found.sort_by_key(|(name, (millis, _))| {
            (late(name), if name.starts_with(module) { millis / 4 } else { *millis })
        });
        found.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// How long all cases take, one after the other, and how many there are.
    pub(crate) fn total(&self) -> (Duration, usize) {
        (Duration::from_millis(self.cases.values().map(|(millis, _)| millis).sum()), self.cases.len())
    }
}
