//! `bailiwick migrate`: brings the database up to date, or tells what that would take.

use bailiwick::ports::database::AnyDatabase;
use clap::{Arg, ArgAction, Command};
use serde_json::json;

use super::{
    call::Call,
    report::{Failed, Outcome, Report},
};

pub(super) fn command() -> Command {
    Command::new("migrate")
        .about("Bring the database up to date")
        .subcommand(
            Command::new("up")
                .about("Apply the migrations that the database lacks (the default)")
                .after_help("Example:\n  bailiwick migrate up"),
        )
        .subcommand(
            Command::new("status")
                .about("List the migrations that the database has and lacks; exits with 1 if it lacks some")
                .after_help("Example:\n  bailiwick migrate status --output json"),
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("List what would be applied, and apply nothing"),
        )
        .after_help(
            "If several run at once, the others wait for the first. A running server continues \
             meanwhile.\n\nExample:\n  bailiwick migrate\n  bailiwick migrate --dry-run",
        )
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let (name, inner) = call.inner();
    let dry_run = call.flag("dry-run");
    let config = inner.config()?;
    let database = AnyDatabase::connect_as_owner(&config).await.map_err(Failed::unavailable)?;
    if name == "status" {
        let migrations = database.migrations().await.map_err(Failed::unavailable)?;
        let lines = migrations.iter().map(|(migration, applied)| {
            format!("{}  {migration}", if *applied { "applied" } else { "LACKING" })
        });
        let lacks = migrations.iter().filter(|(_, applied)| !applied).count();
        let end = if lacks == 0 {
            "The database is up to date.".to_owned()
        } else {
            format!("The database lacks {lacks}: run `bailiwick migrate`.")
        };
        let list: Vec<_> = migrations
            .iter()
            .map(|(name, applied)| json!({ "migration": name, "applied": applied }))
            .collect();
        return Ok(Report::found(lacks == 0, json!({ "migrations": list }), lines.chain([end])).into());
    }
    let (done, verb) = if dry_run {
        (database.pending().await.map_err(Failed::unavailable)?, "Would apply")
    } else {
        (database.migrate().await.map_err(Failed::unavailable)?, "Applied")
    };
    let mut lines: Vec<_> = done.iter().map(|migration| format!("{verb} {migration}.")).collect();
    if lines.is_empty() {
        lines.push("The database is up to date.".to_owned());
    }
    Ok(Report::done(json!({ "applied": if dry_run { &[] } else { &*done }, "pending": if dry_run { &*done } else { &[] } }), lines).into())
}
