//! `bailiwick backup`: a copy of an embedded database, made while the server runs.

use std::path::Path;

use bailiwick::ports::database::{AnyDatabase, is_postgres};
use clap::{Arg, ArgAction, Command};
use serde_json::json;

use super::{
    call::{Call, must_exist, secret_file, sqlite_file},
    report::{Failed, Outcome, Report},
};

pub(super) fn command() -> Command {
    Command::new("backup")
        .about("Copy an embedded SQLite database while the server runs")
        .arg(Arg::new("file").value_name("FILE").required(true).help("The file to write; it must not exist yet"))
        .arg(
            Arg::new("with-secret")
                .long("with-secret")
                .action(ArgAction::SetTrue)
                .help("Also copy the secret that is kept beside the database, to FILE.jwt-secret"),
        )
        .after_help(
            "The copy is the complete database at one moment, and is checked. Without the secret, everybody has to log in \
             again, and open invitations stop working. To restore, stop the server, replace the database with the copy, \
             and remove the files that end in -wal and -shm.\n\
             For Postgres use pg_dump: see docs/POSTGRES.md.\n\n\
             Example:\n  bailiwick backup /var/backups/bailiwick-2026-11-25.db --with-secret",
        )
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let config = call.config()?;
    let file = Path::new(call.text("file").unwrap_or_default());
    let source = sqlite_file(config.database_url.expose());
    let source = match (is_postgres(&config), source) {
        (Ok(false), Some(source)) => source,
        (Ok(true), _) => {
            return Err(Failed::from(vec![
                "This is for SQLite. For Postgres use pg_dump (docs/POSTGRES.md).".to_owned(),
            ]));
        }
        _ => return Err(Failed::from(vec!["A database in memory cannot be copied.".to_owned()])),
    };
    must_exist(&config)?;
    let secret = call.flag("with-secret").then(|| (secret_file(&source), secret_file(file)));
    if let Some((secret, _)) = secret.iter().find(|(secret, _)| !secret.exists()) {
        let why = format!("There is no secret at {}: it comes from the settings.", secret.display());
        return Err(Failed::refused(why));
    }
    for target in std::iter::once(file).chain(secret.iter().map(|(_, target)| target.as_path())) {
        if target.exists() {
            return Err(Failed::refused(format!("{} is there already.", target.display())));
        }
    }
    let database = AnyDatabase::connect_as_owner(&config).await.map_err(Failed::unavailable)?;
    let bytes = database.copy_to(file).await.map_err(Failed::unavailable)?;
    let mut lines = vec![format!("Copied {} to {} ({bytes} bytes).", source.display(), file.display())];
    if let Some((secret, target)) = secret {
        let failed = |error| Failed::unavailable(format!("{} cannot be copied: {error}.", secret.display()));
        // Its permissions are copied with it.
        std::fs::copy(&secret, &target).map_err(failed)?;
        lines.push(format!("Copied its secret to {}.", target.display()));
    }
    Ok(Report::done(json!({ "file": file, "bytes": bytes }), lines).into())
}
