//! `bailiwick man`: writes the manual pages.

use std::path::PathBuf;

use clap::{Arg, Command};

use super::{
    call::Call,
    report::{ExitStatus, Failed, Outcome, Output},
};

pub(super) fn command() -> Command {
    Command::new("man")
        .about("Write manual pages, one for each command")
        .arg(
            Arg::new("directory")
                .value_name("DIRECTORY")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("The directory for the pages; it is created if it is missing"),
        )
        .after_help("Example:\n  bailiwick man /usr/local/share/man/man1")
}

/// Writes them: the settings of the server are in the first page, and not once more in each of the others.
pub(super) fn run(call: Call<'_>, described: fn(bool) -> Command) -> Outcome {
    let Some(directory) = call.matches.get_one::<PathBuf>("directory") else { return Ok(Output::Nothing) };
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(described(false), directory))
        .and_then(|()| clap_mangen::Man::new(described(true)).generate_to(directory))
        .map_err(|error| Failed::new(ExitStatus::Refused, format!("{}: {error}.", directory.display())))?;
    Ok(Output::Nothing)
}
