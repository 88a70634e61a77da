//! `bailiwick verify-isolation`: the matrices of isolation, and noisy neighbours, against a deployment that is running somewhere.

use bailiwick::{isolation, shutdown::Signals};
use clap::{Arg, ArgAction, Command};

use super::{
    call::Call,
    report::{Ending, Failed, Outcome, Report},
};

pub(super) fn command() -> Command {
    Command::new("verify-isolation")
        .about("Try to reach one tenant from another, in a deployment of yours")
        .long_about(
            "Try to reach one tenant from another, in a deployment of yours.\n\n\
             It registers accounts, creates two tenants, and calls every route as everybody (nobody, a stranger, each \
             role, a suspended and a removed owner), with ids of the other tenant in every place that takes one. \
             Then one user works in one tenant while the other tenant sends the most expensive requests, a few times \
             a second: no request may be refused, and the report says how much longer they took. The first part takes \
             half a minute nearby and some minutes from afar, the second 15 seconds nearby and a minute from afar. At the end it \
             deletes the tenants; the accounts stay. It needs no settings.",
        )
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .required(true)
                .help("The URL of the deployment"),
        )
        .arg(
            Arg::new("without-neighbours")
                .long("without-neighbours")
                .action(ArgAction::SetTrue)
                .help("Do not test whether one tenant can slow another down"),
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
