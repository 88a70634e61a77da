//! `bailiwick workflow`: the documents of workflows, without a server or a database.

use std::{fs::File, io::Read};

use bailiwick_core::{
    definition::{
        document::Definition,
        finding::{Finding, Severity},
        standard::STANDARD,
    },
    limits::WORKFLOW_BYTES,
};
use clap::{Arg, Command};
use serde_json::{Value, json};

use super::{
    call::Call,
    report::{ExitStatus, Failed, Outcome, Output, Report},
};

pub(super) fn command() -> Command {
    let validate = Command::new("validate")
        .about("Check the document of a workflow, and try its examples")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The document, JSON; - reads it from the standard input"),
        )
        .after_help(
            "Each finding has a place (a JSON pointer), a code and a sentence. Errors make the command end with status 1; \
             warnings do not.\n\n\
             Example:\n  bailiwick workflow validate construction.json\n  \
             bailiwick workflow validate - < construction.json",
        );
    let standard = Command::new("standard")
        .about("Print the document of the standard workflow, to begin your own with")
        .after_help("Example:\n  bailiwick workflow standard > mine.json");
    Command::new("workflow")
        .about("Check workflows that are written as documents")
        .subcommand_required(true)
        .subcommand(validate)
        .subcommand(standard)
        .after_help("Example:\n  bailiwick workflow validate construction.json")
}

pub(super) fn run(call: Call<'_>) -> Outcome {
    match call.inner() {
        ("standard", _) => Ok(Output::Text(STANDARD.to_owned())),
        (_, call) => validate(call.text("file").unwrap_or_default()),
    }
}

/// Checks a document; an error in it makes the command end as unwell.
fn validate(file: &str) -> Outcome {
    let document =
        read(file).map_err(|error| Failed::new(ExitStatus::Refused, format!("{file}: {error}.")))?;
    let (sound, findings, about) = match Definition::read(&document) {
        Ok(definition) => {
            let found = definition.findings();
            let sound = found.iter().all(|finding| finding.severity == Severity::Warning);
            (sound, found.iter().map(of_finding).collect(), summary(&definition, &found))
        }
        Err(faults) => {
            let findings: Vec<_> = faults
                .iter()
                .map(|fault| {
                    json!({
                        "pointer": fault.pointer, "code": fault.code, "severity": Severity::Error,
                        "detail": fault.detail,
                    })
                })
                .collect();
            (false, findings, String::new())
        }
    };
    let mut lines: Vec<_> = findings.iter().map(line).collect();
    lines.push(match (sound, about) {
        (true, about) => about,
        (false, _) => "The workflow cannot be used as it is.".to_owned(),
    });
    Ok(Report::found(sound, json!({ "valid": sound, "findings": findings }), lines).into())
}

/// Reads a document, and no more of it than shows that it is too long.
fn read(file: &str) -> std::io::Result<Vec<u8>> {
    let mut document = Vec::new();
    let most = u64::try_from(WORKFLOW_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    if file == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut document)?;
    } else {
        File::open(file)?.take(most).read_to_end(&mut document)?;
    }
    Ok(document)
}

fn of_finding(finding: &Finding) -> Value {
    // A finding is a map with texts as keys, which can always be JSON.
    serde_json::to_value(finding).unwrap_or_default()
}

/// A finding as a line for people.
fn line(finding: &Value) -> String {
    let text = |name: &str| finding[name].as_str().unwrap_or_default();
    let place = if text("pointer").is_empty() { "the document" } else { text("pointer") };
    printable(&format!("{}: {place}: {} ({})", text("severity"), text("detail"), text("code")))
}

/// A text of which nothing moves the cursor, changes colours or turns the direction of writing in a terminal.
fn printable(text: &str) -> String {
    let shown = |character: char| match character {
        ' ' | '"' | '\'' | '\\' => character.to_string(),
        // That knows which characters a reader does not see.
        other => other.escape_debug().to_string(),
    };
    text.chars().map(shown).collect()
}

/// What a sound workflow consists of.
fn summary(definition: &Definition, found: &[Finding]) -> String {
    let parts = [
        (definition.statuses.0.len(), "statuses"),
        (definition.transitions.0.len(), "transitions"),
        (definition.roles.0.len(), "domain roles"),
        (definition.holds.0.len(), "kinds of holds"),
        (definition.examples.0.len(), "examples that hold"),
        (found.len(), "warnings"),
    ];
    let parts: Vec<_> = parts.iter().map(|(count, what)| format!("{count} {what}")).collect();
    printable(&format!("\u{201c}{}\u{201d} is sound: {}.", definition.name.as_str(), parts.join(", ")))
}
