//! `bailiwick seed`: something to try things with.

use clap::Command;
use serde_json::json;

use super::{
    call::Call,
    report::{Failed, Outcome, Report},
};

pub(super) fn command() -> Command {
    Command::new("seed")
        .about("Fill the tenant `default` with people and projects to try things with")
        .after_help("What is there already stays as it is.\n\nExample:\n  bailiwick seed")
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let app = call.app().await?;
    let lines = bailiwick_core::seed::run(&app).await.map_err(Failed::refused)?;
    Ok(Report::done(json!({ "said": lines }), lines.clone()).into())
}
