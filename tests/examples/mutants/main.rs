//! `scripts/mutants`: breaks the product in many small ways, one at a time, and tells which of them no test notices. Statements
//! are broken between the product and its driver, so that one build serves for all of them; the rest is built anew each time.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "to run things and to tell of them is what it is for"
)]

mod code;
mod known;
mod make;
mod server;
mod suite;

use std::{
    cell::LazyCell,
    collections::BTreeMap,
    fmt::Write,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Mutex,
    time::Duration,
};

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::Config;
use bailiwick_tests::targets::root;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tokio::time::Instant;

use self::{
    code::{CodeMutant, Outcome, Tree},
    make::SqlMutant,
    suite::{Coverage, Ending, Place, Programs},
};

/// What a server that substitutes is told, in a file beside it.
const TOLD: &str = "told.json";

const HELP: &str = "scripts/mutants [--sample N] [--seed S] [--kind sql|code] [--writes] [--only WORD] [--first WORD] [--cases N]
                [--jobs N] [--known] [--resume] [--list]
  --sample N   that many, chosen by the seed, of all that the other options leave
  --seed S     another choice (0)
  --kind KIND  statements only, or Rust code only
  --writes     of the statements those only that write
  --only WORD  those only whose name contains this; may stand more than once
  --first WORD cases whose name contains this are run before all others; may stand more than once
  --known      those, too, that tests/mutants.toml gives a reason for
  --cases N    of the statements those only that at most N cases run: the others take minutes each
  --resume     those of the last table are not tried again, and stay in it
  --jobs N     statements tried at the same time (2)
  --list       no trial: names what there is to be tried";

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Options {
    sample: Option<usize>,
    seed: String,
    kind: Option<String>,
    writes: bool,
    only: Vec<String>,
    first: Vec<String>,
    known: bool,
    jobs: usize,
    list: bool,
    most: usize,
    resume: bool,
    conformance: PathBuf,
}

impl Options {
    fn read() -> Self {
        let mut options = Self {
            sample: None,
            seed: "0".to_owned(),
            kind: None,
            writes: false,
            only: Vec::new(),
            first: Vec::new(),
            known: false,
            jobs: 2,
            list: false,
            most: usize::MAX,
            resume: false,
            conformance: PathBuf::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} of what?\n{HELP}"));
            match argument.as_str() {
                "--sample" => options.sample = Some(value().parse().expect("a number")),
                "--seed" => options.seed = value(),
                "--kind" => options.kind = Some(value()),
                "--writes" => options.writes = true,
                "--only" => options.only.push(value()),
                "--first" => options.first.push(value()),
                "--known" => options.known = true,
                "--jobs" => options.jobs = value().parse().expect("a number"),
                "--cases" => options.most = value().parse().expect("a number"),
                "--resume" => options.resume = true,
                "--list" => options.list = true,
                "--conformance" => options.conformance = value().into(),
                "--help" => {
                    println!("{HELP}");
                    std::process::exit(0);
                }
                _ => panic!("{argument} is no option.\n{HELP}"),
            }
        }
        options
    }
}

enum Mutant {
    Sql(SqlMutant),
    Code(CodeMutant),
}

impl Mutant {
    fn id(&self) -> &str {
        match self {
            Self::Sql(mutant) => &mutant.id,
            Self::Code(mutant) => &mutant.id,
        }
    }
}

/// What was found out about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Caught,
    Survived,
    /// No case runs the statement.
    NotReached,
    /// There is no such program, or the engine makes the same one of both texts.
    Void,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Caught, Self::Survived, Self::NotReached, Self::Void];

    fn word(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Survived => "SURVIVED",
            Self::NotReached => "not reached",
            Self::Void => "void",
        }
    }
}

fn main() -> ExitCode {
    let this = std::env::current_exe().expect("the path of this program");
    if this.file_name().is_some_and(|name| name == "bailiwick") {
        return serve(&this);
    }
    let options = Options::read();
    let folder = root().join("target/mutants");
    fs::create_dir_all(&folder).expect("a folder");
    let programs = Programs {
        conformance: options.conformance.clone(),
        product: root().join("target/debug/bailiwick"),
        substituting: this,
    };
    let chosen = choose(&options, &Coverage::known(&folder));
    if options.list {
        for mutant in &chosen {
            println!("{}", mutant.id());
        }
        println!("{} mutants", chosen.len());
        return ExitCode::SUCCESS;
    }
    let coverage = Coverage::find(&folder, &programs).with_first(options.first);
    let (time, cases) = coverage.total();
    println!("{} mutants; {cases} cases, {} s one after the other\n", chosen.len(), time.as_secs());
    let report = Report::new(&folder, options.kind.as_deref(), options.resume);
    let queue =
        Mutex::new(chosen.iter().filter(|mutant| !report.has(mutant.id())).filter_map(
            |mutant| match mutant {
                Mutant::Sql(mutant) => Some(mutant),
                Mutant::Code(_) => None,
            },
        ));
    std::thread::scope(|scope| {
        for job in 0..options.jobs {
            let (queue, report, programs, coverage, folder) =
                (&queue, &report, &programs, &coverage, &folder);
            scope.spawn(move || {
                let place = LazyCell::new(|| {
                    Place::new(folder.join(format!("job{job}")), programs, &programs.substituting)
                });
                loop {
                    let Some(mutant) = queue.lock().expect("no panic").next() else { break };
                    let begun = Instant::now();
                    let (verdict, by, said) = judge(mutant, &place, coverage);
                    report.tell(&mutant.id, verdict, &by, &said, begun.elapsed());
                }
            });
        }
    });
    let tree = Tree::new(&folder);
    for mutant in &chosen {
        let Mutant::Code(mutant) = mutant else { continue };
        if report.has(&mutant.id) {
            continue;
        }
        let begun = Instant::now();
        let (verdict, by, said) = match tree.judge(mutant, &programs, &coverage) {
            Outcome::Unviable => (Verdict::Void, "does not compile".to_owned(), String::new()),
            Outcome::Caught(case, said) => (Verdict::Caught, case, said),
            Outcome::Survived => (Verdict::Survived, Tree::place(mutant), String::new()),
        };
        report.tell(&mutant.id, verdict, &by, &said, begun.elapsed());
    }
    report.end()
}

/// As the server of a trial, or, told to do something else, as the product itself.
fn serve(this: &Path) -> ExitCode {
    let told = this.with_file_name(TOLD);
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if arguments.is_empty() {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(server::serve(&told));
        return ExitCode::SUCCESS;
    }
    let text = fs::read_to_string(&told).expect("what to do");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let error = Command::new(told["product"].as_str().expect("the product")).args(arguments).exec();
    panic!("{error}");
}

/// What is to be tried.
fn choose(options: &Options, coverage: &Coverage) -> Vec<Mutant> {
    let known = known::read();
    let mut all: Vec<Mutant> = Vec::new();
    let mut unbound = 0;
    if options.kind.as_deref() != Some("code") {
        for mutant in make::all() {
            let often = coverage.of(mutant.of.name).len() > options.most;
            if (options.writes && mutant.of.reads) || often {
                continue;
            }
            if mutant.unbound {
                unbound += 1;
            } else {
                all.push(Mutant::Sql(mutant));
            }
        }
        println!("{unbound} mutants lack a tenant; `cargo test --test house statements` refuses these");
    }
    if options.kind.as_deref() != Some("sql") {
        all.extend(code::all().into_iter().map(Mutant::Code));
    }
    let whole = options.kind.is_none() && !options.writes && options.most == usize::MAX;
    let gone: Vec<_> =
        known.iter().filter(|known| !all.iter().any(|mutant| known.means(mutant.id()))).collect();
    assert!(!whole || gone.is_empty(), "tests/mutants.toml names what there is not: {gone:#?}");
    if !options.known {
        let before = all.len();
        all.retain(|mutant| !known.iter().any(|known| known.means(mutant.id())));
        println!("{} mutants are let live by tests/mutants.toml", before - all.len());
    }
    all.retain(|mutant| {
        options.only.is_empty() || options.only.iter().any(|word| mutant.id().contains(word.as_str()))
    });
    if let Some(sample) = options.sample {
        all.sort_by_cached_key(|mutant| Sha256::digest(format!("{} {}", options.seed, mutant.id())).to_vec());
        all.truncate(sample);
    }
    all
}

/// Tries one statement.
fn judge(mutant: &SqlMutant, place: &Place, coverage: &Coverage) -> (Verdict, String, String) {
    match compare(mutant) {
        Err(error) => return (Verdict::Void, error, String::new()),
        Ok(true) => return (Verdict::Void, "the same program".to_owned(), String::new()),
        Ok(false) => {}
    }
    let cases = coverage.of(mutant.of.name);
    if cases.is_empty() {
        return (Verdict::NotReached, String::new(), String::new());
    }
    let told = json!({ "name": mutant.of.name, "text": mutant.text });
    match place.prove("native+sqlite", cases, &told) {
        Ending::Failed(case, said) => (Verdict::Caught, case, said),
        Ending::Passed(passed) => (Verdict::Survived, format!("{passed} cases"), String::new()),
    }
}

/// Whether SQLite makes the same program of both texts; an error if it makes none.
fn compare(mutant: &SqlMutant) -> Result<bool, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("empty.db").display());
        let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
        AnyDatabase::connect_as_owner(&config).await.expect("a file").migrate().await.expect("migrations");
        let mut connection = SqliteConnection::connect(&url).await.expect("the file");
        let mut programs = Vec::new();
        for text in [make::unchanged(mutant.of), mutant.text.clone()] {
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN {text}"))).fetch_all(&mut connection).await;
            let rows = rows.map_err(|error| error.to_string())?;
            let program: Vec<_> = rows
                .iter()
                .map(|row| {
                    let numbers = ["p1", "p2", "p3", "p5"].map(|name| row.get::<i64, _>(name));
                    (row.get::<String, _>("opcode"), numbers, row.get::<Option<String>, _>("p4"))
                })
                .collect();
            programs.push(program);
        }
        Ok(programs[0] == programs[1])
    })
}

/// The table, as it grows.
struct Report {
    file: PathBuf,
    begun: Instant,
    verdicts: Mutex<BTreeMap<Verdict, Vec<String>>>,
    lines: Mutex<String>,
}

impl Report {
    fn new(folder: &Path, kind: Option<&str>, resumed: bool) -> Self {
        let file = folder.join(format!("report-{}.tsv", kind.unwrap_or("all")));
        let before = if resumed { fs::read_to_string(&file).unwrap_or_default() } else { String::new() };
        let mut verdicts = BTreeMap::<_, Vec<_>>::new();
        for line in before.lines() {
            let mut columns = line.split('\t');
            let (word, _, id) = (columns.next(), columns.next(), columns.next().unwrap_or_default());
            if let Some(verdict) = Verdict::ALL.into_iter().find(|verdict| word == Some(verdict.word())) {
                verdicts.entry(verdict).or_default().push(id.to_owned());
            }
        }
        Self { file, begun: Instant::now(), verdicts: Mutex::new(verdicts), lines: Mutex::new(before) }
    }

    /// Whether it is in the table already.
    fn has(&self, id: &str) -> bool {
        self.verdicts.lock().expect("no panic").values().flatten().any(|other| other == id)
    }

    fn tell(&self, id: &str, verdict: Verdict, by: &str, said: &str, time: Duration) {
        println!("{:11} {:4} s  {id}\n{:19}{by} {said}", verdict.word(), time.as_secs(), "");
        self.verdicts.lock().expect("no panic").entry(verdict).or_default().push(id.to_owned());
        let mut lines = self.lines.lock().expect("no panic");
        writeln!(lines, "{}\t{}\t{id}\t{by}\t{said}", verdict.word(), time.as_secs())
            .expect("a text takes all");
        fs::write(&self.file, lines.as_str()).expect("a file");
    }

    fn end(&self) -> ExitCode {
        let verdicts = self.verdicts.lock().expect("no panic");
        let count = |verdict| verdicts.get(&verdict).map_or(0, Vec::len);
        let (caught, survived) = (count(Verdict::Caught), count(Verdict::Survived));
        let (missed, void) = (count(Verdict::NotReached), count(Verdict::Void));
        for verdict in [Verdict::NotReached, Verdict::Survived] {
            for id in verdicts.get(&verdict).into_iter().flatten() {
                println!("{}: {id}", verdict.word());
            }
        }
        let tried = caught + survived + missed;
        #[expect(clippy::cast_precision_loss, reason = "a share of some thousands")]
        let share = if tried == 0 { 100.0 } else { caught as f64 * 100.0 / tried as f64 };
        println!(
            "\n{caught} of {tried} caught, {share:.1} %; {survived} survived, {missed} not reached, {void} void; \
             {} s; the table is {}",
            self.begun.elapsed().as_secs(),
            self.file.display()
        );
        if caught == tried { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
