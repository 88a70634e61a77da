//! What commands say and how they end: lines for people or one JSON document for programs, and an exit code that tells
//! what became of it.

use std::{
    io::{BufRead, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use bailiwick_core::problem::{Code, Problem};
use clap::{Arg, ArgMatches};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

/// One sentence for each thing that is wrong.
pub(super) type Sentences = Vec<String>;

/// What becomes of a command.
pub(super) type Outcome = Result<Output, Failed>;

/// How a command ends; the number is its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitStatus {
    /// It is done.
    Done = 0,
    /// It looked, and found something that is not as it should be.
    Unwell = 1,
    /// The command line or the settings are wrong. Nothing was done.
    Usage = 2,
    /// It cannot be done as things are: there is no such tenant, or there is one already. Nothing was done.
    Refused = 3,
    /// A database or a deployment cannot be used now. Later it may work.
    Unavailable = 4,
}

/// What `--help` tells of them.
pub(super) const ENDINGS: &str = "Exit status: 0 success; 1 the command has found a fault; 2 the command line or the \
     settings are wrong; 3 the command cannot be done as things are; 4 the database or the deployment is not available \
     now.";

impl ExitStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unwell => "unwell",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(ending: ExitStatus) -> Self {
        Self::from(ending as u8)
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(super) struct Failed {
    ending: ExitStatus,
    sentences: Sentences,
}

impl Failed {
    pub(super) fn new(ending: ExitStatus, sentence: impl Into<String>) -> Self {
        Self::all(ending, vec![sentence.into()])
    }

    pub(super) fn all(ending: ExitStatus, sentences: Sentences) -> Self {
        Self { ending, sentences }
    }

    /// The database or the deployment cannot be used.
    pub(super) fn unavailable(sentence: impl Into<String>) -> Self {
        Self::new(ExitStatus::Unavailable, sentence)
    }

    /// It cannot be done as things are.
    pub(super) fn refused(sentence: impl Into<String>) -> Self {
        Self::new(ExitStatus::Refused, sentence)
    }
}

/// Sentences by themselves are about the command line or the settings.
impl From<Sentences> for Failed {
    fn from(sentences: Sentences) -> Self {
        Self { ending: ExitStatus::Usage, sentences }
    }
}

impl From<Box<Problem>> for Failed {
    fn from(problem: Box<Problem>) -> Self {
        let ending = match problem.code {
            Code::Unavailable | Code::InternalError | Code::Overloaded => ExitStatus::Unavailable,
            _ => ExitStatus::Refused,
        };
        Self::new(ending, problem.sentence())
    }
}

/// What a command says in the end.
pub(super) enum Output {
    /// It has said everything, or has nothing to say.
    Nothing,
    /// A text that is the same for people and programs, such as a script.
    Text(String),
    /// What was done or found.
    Report(Report),
}

/// What was done or found.
pub(super) struct Report {
    value: Value,
    lines: Vec<String>,
    ending: ExitStatus,
}

impl Report {
    /// Of what is done: as a program is told it, and as a person is.
    pub(super) fn done(value: impl Serialize, lines: impl IntoIterator<Item = String>) -> Self {
        // What is reported are maps with texts as keys, which can always be JSON.
        let value = serde_json::to_value(value).unwrap_or_default();
        Self { value, lines: lines.into_iter().collect(), ending: ExitStatus::Done }
    }

    /// The same, and it ends as what was found is.
    pub(super) fn found(well: bool, value: impl Serialize, lines: impl IntoIterator<Item = String>) -> Self {
        let ending = if well { ExitStatus::Done } else { ExitStatus::Unwell };
        Self { ending, ..Self::done(value, lines) }
    }
}

impl From<Report> for Output {
    fn from(report: Report) -> Self {
        Self::Report(report)
    }
}

/// Where and how a command speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputFormat {
    json: bool,
}

impl OutputFormat {
    /// The option that every command has.
    pub(super) fn argument() -> Arg {
        Arg::new("output")
            .long("output")
            .value_name("FORM")
            .value_parser(["text", "json"])
            .default_value("text")
            .global(true)
            .help("Report as lines for people, or as one JSON document for programs")
    }

    pub(super) fn read(matches: &ArgMatches) -> Self {
        Self { json: matches.get_one::<String>("output").is_some_and(|form| form == "json") }
    }

    /// Says what became of a command, and returns its exit code.
    pub(super) fn tell(self, outcome: Outcome) -> ExitCode {
        match outcome {
            Ok(Output::Nothing) => ExitCode::SUCCESS,
            Ok(Output::Text(text)) => {
                say(text.trim_end());
                ExitCode::SUCCESS
            }
            Ok(Output::Report(Report { value, lines, ending })) => {
                if self.json {
                    say(&value.to_string());
                } else {
                    for line in lines {
                        say(&line);
                    }
                }
                ending.into()
            }
            Err(Failed { ending, sentences }) => {
                for sentence in &sentences {
                    eprintln!("bailiwick: {sentence}");
                }
                if self.json {
                    say(&json!({ "error": ending.name(), "details": sentences }).to_string());
                }
                ending.into()
            }
        }
    }
}

/// Prints a line for a person; that nobody reads it is no failure.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A bar that shows on a terminal how far long work is and when it may end, and nowhere else.
pub(super) fn progress(total: u64, what: &'static str) -> ProgressBar {
    styled(total, what, "{msg} {wide_bar} {pos}/{len} {eta}")
}

/// The same of work that is not equally fast all the time: with the time that has passed.
pub(super) fn uneven_progress(what: &'static str) -> ProgressBar {
    styled(0, what, "{msg} {wide_bar} {pos}/{len} {elapsed}")
}

fn styled(total: u64, what: &'static str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(total).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    match style {
        Ok(style) => bar.with_style(style),
        // The template is ours, and good.
        Err(_) => bar,
    }
}

/// The option that spares the question.
pub(super) fn yes() -> Arg {
    Arg::new("yes").long("yes").action(clap::ArgAction::SetTrue).help("Do not ask for confirmation")
}

/// Has a person confirm what cannot be undone. Where nobody can be asked, `--yes` must have been given.
pub(super) fn confirm(matches: &ArgMatches, question: &str) -> Result<(), Failed> {
    if matches.get_flag("yes") {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failed::from(vec![format!("{question} Add --yes if that is meant.")]));
    }
    eprint!("{question} Type yes to go on: ");
    let mut answer = String::new();
    match std::io::stdin().lock().read_line(&mut answer) {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failed::refused("Nothing was done.")),
    }
}

/// Rows under a head, in columns; what is of any length stands last.
pub(super) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Vec<String> {
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let padded = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  "));
        padded.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The day of a time, or a dash.
pub(super) fn day(time: Option<impl ToString>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_string().chars().take(10).collect())
}
