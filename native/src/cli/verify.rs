//! `bailiwick verify-isolation`: the matrices of isolation, and noisy neighbours, against a running deployment.

use bailiwick::{
    server::shutdown::Signals,
    verify as isolation,
    verify::{Progress, plan::Plan},
};
use clap::{Arg, ArgAction, Command};

use super::{
    call::Call,
    report::{ExitStatus, Failed, Outcome, Report, uneven_progress},
};

pub(super) fn command() -> Command {
    Command::new("verify-isolation")
        .about("Try to reach one tenant from another, in a deployment of yours")
        .long_about(
            "Try to reach one tenant from another, in a deployment of yours.\n\n\
             It registers accounts, creates two tenants, and calls every route as everybody (nobody, a stranger, each \
             role, a suspended and a removed owner), with ids of the other tenant in every place that takes one. \
             Then one user works in one tenant while the other tenant sends the most expensive requests, a few times \
             a second: no request may be refused, and the report says how much longer they took. On a terminal it says \
             beforehand about how long all of it takes (a minute nearby, several from afar), and shows how far it is. At the \
             end, also if it fails or is interrupted, it deletes the tenants and the accounts. It needs no settings.",
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
    let bar = uneven_progress("Checks");
    let shown = bar.clone();
    let listener = move |progress| match progress {
        Progress::Begins(plan) => {
            shown.println(announced(&plan));
            shown.set_length(plan.checks.into());
        }
        Progress::Checked => shown.inc(1),
        Progress::Removes => shown.set_message("Removing tenants and accounts after checks"),
    };
    let report =
        isolation::verify(call.text("url").unwrap_or_default(), neighbours, Box::new(listener), stop).await;
    bar.finish_and_clear();
    let report = report.map_err(|sentences| Failed::all(ExitStatus::Unavailable, sentences))?;
    Ok(Report::found(report.violations.is_empty(), report.json(), report.lines()).into())
}

/// The announcement before a run.
fn announced(Plan { checks, requests, time }: &Plan) -> String {
    let seconds = time.as_secs();
    let time =
        if seconds < 90 { format!("{seconds} seconds") } else { format!("{} minutes", seconds.div_ceil(60)) };
    format!(
        "{checks} checks with about {requests} requests: about {time}, and longer if the deployment asks to wait. \
         Ctrl-C ends it early; what it made is removed all the same."
    )
}
