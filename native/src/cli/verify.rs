//! `bailiwick verify-isolation`: the matrices of isolation against a deployment that is running somewhere.

use std::process::ExitCode;

use bailiwick::{isolation, shutdown::Signals};
use clap::{Arg, ArgMatches, Command};

use super::{Sentences, say};

/// The name of the command.
pub(super) const NAME: &str = "verify-isolation";

pub(super) fn command() -> Command {
    Command::new(NAME)
        .about("Try to get from one tenant to another, in a deployment of your own")
        .long_about(
            "Try to get from one tenant to another, in a deployment of your own.\n\n\
             It registers accounts, makes two tenants, and asks every route in the name of everybody (nobody, a \
             stranger, each role, a suspended and a removed owner) and with ids of the other tenant in every place \
             that takes one. In the end it removes the tenants; the accounts stay. It needs no settings.\n\n\
             It ends with 0 if all is well, with 1 if something is not as it must be, with 2 if it could not be run.",
        )
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .required(true)
                .help("Where the deployment answers"),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("FORM")
                .value_parser(["text", "json"])
                .default_value("text")
                .help("How to report"),
        )
        .after_help(
            "Example:\n  bailiwick verify-isolation --url https://api.example.com\n  \
             bailiwick verify-isolation --url http://127.0.0.1:8080 --output json",
        )
}

/// Runs it.
pub(super) async fn run(matches: &ArgMatches) -> Result<ExitCode, Sentences> {
    let argument = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let mut signals = Signals::listen().map_err(|error| vec![error.to_string()])?;
    let stop = async move { signals.next().await };
    let report = isolation::verify(argument("url"), stop).await?;
    if argument("output") == "json" {
        say(&report.json().to_string());
    } else {
        for line in report.lines() {
            say(&line);
        }
    }
    let clean = report.violations.is_empty();
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
