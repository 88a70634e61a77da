//! The output of commands and their end: lines for people or one JSON document for programs, and an exit code for the
//! result.

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

/// One sentence for each fault.
pub(super) type Sentences = Vec<String>;

/// The result of a command.
pub(super) type Outcome = Result<Output, Failed>;

/// How a command ends; the number is its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitStatus {
    /// It is done.
    Done = 0,
    /// It looked, and found a fault.
    Unwell = 1,
    /// The command line or the settings are wrong. Nothing was done.
    Usage = 2,
    /// It cannot be done in the present state: there is no such tenant, or there is one already. Nothing was done.
    Refused = 3,
    /// A database or a deployment cannot be used now. It may work later.
    Unavailable = 4,
}

/// The part of `--help` about them.
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

/// The reason why a command was not done.
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

    /// It cannot be done in the present state.
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

/// The output of a command.
pub(super) enum Output {
    /// Everything was printed already, or there is nothing to print.
    Nothing,
    /// A text that is the same for people and programs, such as a script.
    Text(String),
    /// A report.
    Report(Report),
}

/// A report of actions or findings.
pub(super) struct Report {
    value: Value,
    lines: Vec<String>,
    ending: ExitStatus,
}

impl Report {
    /// A report of an action: the value for programs, the lines for people.
    pub(super) fn done(value: impl Serialize, lines: impl IntoIterator<Item = String>) -> Self {
        // The reports are maps with texts as keys, which can always be JSON.
        let value = serde_json::to_value(value).unwrap_or_default();
        Self { value, lines: lines.into_iter().collect(), ending: ExitStatus::Done }
    }

    /// The same for findings, which decide on the exit code.
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

/// The format of a command's output.
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

    /// Prints the result of a command, and returns its exit code.
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

/// Prints a line for people; it is no failure if nobody reads it.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A progress bar with the expected end of long work, shown on a terminal only.
pub(super) fn progress(total: u64, what: &'static str) -> ProgressBar {
    styled(total, what, "{msg} {wide_bar} {pos}/{len} {eta}")
}

/// The same for work of changing speed: with the elapsed time.
pub(super) fn uneven_progress(what: &'static str) -> ProgressBar {
    styled(0, what, "{msg} {wide_bar} {pos}/{len} {elapsed}")
}

fn styled(total: u64, what: &'static str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(total).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    match style {
        Ok(style) => bar.with_style(style),
        // The template is ours, and valid.
        Err(_) => bar,
    }
}

/// The option that skips the question.
pub(super) fn yes() -> Arg {
    Arg::new("yes").long("yes").action(clap::ArgAction::SetTrue).help("Do not ask for confirmation")
}

/// Asks a person to confirm an action that cannot be undone. Without a terminal, `--yes` is required.
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

/// Rows under a head, in columns; a column of variable length stands last.
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
