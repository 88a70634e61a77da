//! `bailiwick seed`: sample data to try things with.

use bailiwick_core::seed::{self, demo};
use clap::{Arg, ArgAction, Command};
use serde_json::json;

use super::{
    call::Call,
    report::{Failed, Outcome, Report, progress},
};

pub(super) fn command() -> Command {
    Command::new("seed")
        .about("Add sample people and projects to the database")
        .arg(Arg::new("demo").long("demo").action(ArgAction::SetTrue).help(
            "Three tenants with forty people, sixty projects and ninety days of history, instead of a few in the tenant `default`",
        ))
        .after_help("Existing data stays as it is.\n\nExample:\n  bailiwick seed\n  bailiwick seed --demo")
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let app = call.new_app().await?;
    if !call.flag("demo") {
        let lines = seed::run(&app).await.map_err(Failed::refused)?;
        return Ok(Report::done(json!({ "lines": lines }), lines.clone()).into());
    }
    let bar = progress(demo::size().projects as u64, "Adding projects");
    let added = demo::run(&app, || bar.inc(1)).await.map_err(Failed::refused)?;
    bar.finish_and_clear();
    let mut lines = vec![format!(
        "Added {} tenants with {} people, {} projects and {} tasks. Everybody has the password {}.",
        added.tenants.len(),
        added.people,
        added.projects,
        added.tasks,
        demo::PASSWORD
    )];
    lines.extend(added.tenants.iter().map(|(slug, owner)| format!("  {slug}, owned by {owner}")));
    let tenants: Vec<_> =
        added.tenants.iter().map(|(slug, owner)| json!({ "slug": slug, "owner": owner })).collect();
    let value = json!({
        "tenants": tenants, "people": added.people, "projects": added.projects, "tasks": added.tasks,
        "password": demo::PASSWORD,
    });
    Ok(Report::done(value, lines).into())
}
