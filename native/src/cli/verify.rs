//! `bailiwick verify-isolation`: the matrices of isolation, and noisy neighbours, against a deployment that is running somewhere.

use bailiwick::{isolation, shutdown::Signals};
use clap::{Arg, ArgAction, Command};

use super::{
    call::Call,
    report::{Ending, Failed, Outcome, Report},
};

pub(super) fn command() -> Command {
    Command::new("verify-isolation")
        .about("Try to get from one tenant to another, in a deployment of your own")
        .long_about(
            "Try to get from one tenant to another, in a deployment of your own.\n\n\
             It registers accounts, makes two tenants, and asks every route in the name of everybody (nobody, a \
             stranger, each role, a suspended and a removed owner) and with ids of the other tenant in every place \
             that takes one. Then somebody works in one tenant while another asks, a few times a second, for the dearest \
             that there is: nothing may be refused, and how much longer it took is told. The first takes half a minute \
             nearby and some minutes from afar, the second a quarter of a minute and one. In the end it removes the \
             tenants; the accounts stay. It needs no settings.",
        )
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .required(true)
                .help("Where the deployment answers"),
        )
        .arg(
            Arg::new("without-neighbours")
                .long("without-neighbours")
                .action(ArgAction::SetTrue)
                .help("Do not try whether one tenant keeps another one from working"),
        )
        .after_help(
            "Example:\n  bailiwick verify-isolation --url https://api.example.com\n  \
             bailiwick verify-isolation --url http://127.0.0.1:8080 --output json",
        )
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let mut signals = Signals::listen().map_err(|error| vec![error.to_string()])?;
    let stop = async move { signals.next().await };
    let neighbours = !call.flag("without-neighbours");
    let report = isolation::verify(call.text("url").unwrap_or_default(), neighbours, stop).await;
    let report = report.map_err(|sentences| Failed::all(Ending::Unavailable, sentences))?;
    Ok(Report::found(report.violations.is_empty(), report.json(), report.lines()).into())
}
