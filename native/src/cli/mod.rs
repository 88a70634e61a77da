//! The command line: its commands, and calling them.

mod api_key;
mod audit;
mod backup;
mod call;
mod doctor;
mod env_file;
mod health;
mod man;
mod migrate;
mod report;
mod seed;
mod serve;
mod tenant;
mod token;
mod transfer;
mod user;
mod verify;
mod workflow;

use std::process::ExitCode;

use bailiwick::ports::assets::Embedded;
use bailiwick_core::{Config, config::Setting};
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_complete::Shell;

use self::{
    call::Call,
    report::{Outcome, Output, OutputFormat},
};

/// All commands; the help includes the settings if `all` is set.
fn command(all: bool) -> Command {
    Command::new("bailiwick")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Multi-tenant project management with an approval workflow")
        .long_about(
            "Multi-tenant project management with an approval workflow.\n\n\
             Without a command, it runs the server. Every setting is an option (`--help-all` lists them) and an environment variable, \
             which a file .env may contain. An option wins over the environment, and the environment over the file.",
        )
        .after_help(format!(
            "Example:\n  bailiwick\n  bailiwick tenant list --output json\n\n{}",
            report::ENDINGS
        ))
        .args(Config::SETTINGS.iter().map(|setting| argument(setting).hide(!all)))
        .arg(
            Arg::new("help-all")
                .long("help-all")
                .action(ArgAction::HelpLong)
                .global(true)
                .help("Print help, with the settings of the server"),
        )
        .arg(OutputFormat::argument())
        .subcommand(serve::command())
        .subcommand(migrate::command())
        .subcommand(seed::command())
        .subcommand(user::command())
        .subcommand(tenant::command())
        .subcommand(token::command())
        .subcommand(api_key::command())
        .subcommand(doctor::command())
        .subcommand(backup::command())
        .subcommand(audit::command())
        .subcommand(transfer::export_command())
        .subcommand(transfer::import_command())
        .subcommand(health::command())
        .subcommand(verify::command())
        .subcommand(workflow::command())
        .subcommand(
            Command::new("openapi")
                .about("Print the description of the API, OpenAPI 3.1")
                .after_help("Example:\n  bailiwick openapi > openapi.json"),
        )
        .subcommand(man::command())
        .subcommand(
            Command::new("completions")
                .about("Print a script that completes commands and options in a shell")
                .arg(
                    Arg::new("shell")
                        .value_name("SHELL")
                        .required(true)
                        .value_parser(clap::value_parser!(Shell)),
                )
                .after_help("Example:\n  bailiwick completions bash > /etc/bash_completion.d/bailiwick"),
        )
}

/// Calls the command that the command line names.
async fn call(matches: &ArgMatches) -> Outcome {
    let (name, call) = Call { matches }.inner();
    match name {
        "migrate" => migrate::run(call).await,
        "seed" => seed::run(call).await,
        "user" => user::run(call).await,
        "tenant" => tenant::run(call).await,
        "token" => token::run(call).await,
        "api-key" => api_key::run(call).await,
        "doctor" => doctor::run(call).await,
        "backup" => backup::run(call).await,
        "audit" => audit::run(call).await,
        "export" => transfer::export(call).await,
        "import" => transfer::import(call).await,
        "healthcheck" => health::run(call).await,
        "verify-isolation" => verify::run(call).await,
        "workflow" => workflow::run(call),
        "openapi" => Ok(text(Embedded::file("openapi.json").unwrap_or_default())),
        "man" => man::run(call, command),
        "completions" => Ok(completions(call)),
        _ => serve::run(call).await,
    }
}

fn flag(setting: &Setting) -> String {
    setting.name.to_lowercase().replace('_', "-")
}

fn argument(setting: &'static Setting) -> Arg {
    let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let help = setting.help.concat().trim().trim_end_matches('.').to_owned() + &default;
    let of_file = env_file::settings().ok().and_then(|settings| settings.get(setting.name));
    Arg::new(setting.name)
        .default_value(of_file.map(String::as_str))
        .hide_default_value(true)
        .long(flag(setting))
        .env(setting.name)
        // The value may be a secret.
        .hide_env_values(true)
        .value_name("VALUE")
        .global(true)
        .help_heading("Settings")
        .help(help)
}

/// Runs the command line.
pub(crate) async fn run() -> ExitCode {
    let all = std::env::args_os().any(|argument| argument == "--help-all");
    let matches = command(all).get_matches();
    let mut innermost = &matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    // Options may stand before or after the commands.
    OutputFormat::read(innermost).tell(call(&matches).await)
}

fn completions(call: Call<'_>) -> Output {
    let mut script = Vec::new();
    if let Some(shell) = call.matches.get_one::<Shell>("shell") {
        clap_complete::generate(*shell, &mut command(true), "bailiwick", &mut script);
    }
    text(&script)
}

fn text(bytes: &[u8]) -> Output {
    Output::Text(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command and its subcommands, with the words that lead to them.
    fn all(command: &Command, words: &str, found: &mut Vec<(String, Command)>) {
        let words = format!("{words} {}", command.get_name()).trim().to_owned();
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            all(inner, &words, found);
        }
        found.push((words, command.clone()));
    }

    fn commands() -> Vec<(String, Command)> {
        let mut found = Vec::new();
        let mut command = command(true);
        command.build();
        all(&command, "", &mut found);
        found
    }

    #[test]
    fn the_tree_is_sound() {
        command(true).debug_assert();
        assert!(commands().len() > 10);
    }

    /// Every example can be called as it stands, and belongs to its command or to a subcommand of it.
    #[test]
    fn each_has_examples_that_can_be_called() {
        for (words, command) in commands() {
            assert!(command.get_about().is_some(), "{words} does not say what it is for");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<_> = help
                .lines()
                .filter_map(|line| line.strip_prefix("  "))
                .filter(|line| line.contains("bailiwick"))
                .collect();
            assert!(!examples.is_empty(), "{words} has no example");
            for example in examples {
                let call = &example[example.find("bailiwick").unwrap()..];
                let called = split(call.split(['>', '<', '|']).next().unwrap());
                super::command(true)
                    .try_get_matches_from(&called)
                    .unwrap_or_else(|error| panic!("{example}: {error}"));
                assert!(call.starts_with(&words), "{example} is not about {words}");
            }
        }
    }

    /// Words as a shell splits them, as far as examples need it.
    fn split(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for letter in line.trim().chars() {
            match letter {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                letter => words.last_mut().unwrap().push(letter),
            }
        }
        words
    }
}
