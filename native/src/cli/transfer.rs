//! `bailiwick export` and `bailiwick import`: a tenant from one database or deployment to another, by a file.

use std::{
    fs::{File, OpenOptions},
    io::{Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bailiwick::transfer::{self, Failure, Side, Wanted};
use clap::{Arg, ArgAction, Command};
use indicatif::ProgressBar;
use serde_json::json;

use super::{
    call::{Call, must_exist, start},
    report::{ExitStatus, Failed, Outcome, Output, Report, progress},
};

/// The variable with the token of a deployment. On the command line everybody on the machine could read it.
const TOKEN: &str = "BAILIWICK_TOKEN";
/// The time that a statement may take while a tenant is moved.
const PATIENCE: Duration = Duration::from_hours(1);

const WHERE: &str = "Without --url, the operator does it, at the database of the settings. With --url, the command \
     asks a deployment over HTTP, wherever it runs, as the user of the token in BAILIWICK_TOKEN";

fn url() -> Arg {
    Arg::new("url").long("url").value_name("URL").help("The deployment to ask instead of the database")
}

/// `bailiwick export`.
pub(super) fn export_command() -> Command {
    Command::new("export")
        .about("Write a tenant to a file, to move it elsewhere")
        .long_about(format!(
            "Write a tenant to a file, to move it elsewhere: one line of JSON for each row (NDJSON), with a digest.\n\n\
             {WHERE}: an owner, or better an owner's API key, which outlives the 15 minutes of a login. If the tenant \
             changes meanwhile, it is read again, so the file is consistent.\n\n\
             Password hashes and API keys are written only with --with-secrets, and never over HTTP."
        ))
        .arg(Arg::new("tenant").long("tenant").value_name("SLUG").required(true).help("The tenant"))
        .arg(url())
        .arg(Arg::new("file").short('o').long("file").value_name("FILE").help("The file to write; without it, the tenant is printed"))
        .arg(
            Arg::new("with-secrets")
                .long("with-secrets")
                .action(ArgAction::SetTrue)
                .help("Include webhooks, and at the database also password hashes and API keys"),
        )
        .after_help(
            "Example:\n  bailiwick export --tenant acme -o acme.ndjson\n  \
             bailiwick export --tenant acme --url https://api.example.com > acme.ndjson",
        )
}

/// `bailiwick import`.
pub(super) fn import_command() -> Command {
    Command::new("import")
        .about("Import a tenant from a file")
        .long_about(format!(
            "Import a tenant from a file that `bailiwick export` has written: all of it, or nothing. Nobody sees any \
             part of it before the end. After an interruption, the same command continues where it was, for a day.\n\n\
             {WHERE}; that user then owns the tenant. Members who have the same account there are suspended \
             until an owner reinstates them."
        ))
        .arg(Arg::new("file").value_name("FILE").required(true).help("The file to read"))
        .arg(url())
        .arg(Arg::new("slug").long("slug").value_name("SLUG").help("A different name for the tenant in URLs and headers"))
        .arg(
            Arg::new("new-ids")
                .long("new-ids")
                .action(ArgAction::SetTrue)
                .help("Give the tenant and everything in it new ids, needed where it already exists"),
        )
        .arg(
            Arg::new("anew")
                .long("anew")
                .action(ArgAction::SetTrue)
                .help("Start again, and do not continue an interrupted import"),
        )
        .after_help(
            "Example:\n  bailiwick import acme.ndjson\n  \
             bailiwick import acme.ndjson --url https://api.example.com --new-ids --slug acme-copy",
        )
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let ending = match failure.code.as_str() {
            "" | "unavailable" | "internal_error" | "timeout" => ExitStatus::Unavailable,
            _ => ExitStatus::Refused,
        };
        Self::new(if failure.faults.is_empty() { ending } else { ExitStatus::Refused }, failure.sentence)
    }
}

/// A bar for an unknown number of rows, and the function that advances it.
fn counting() -> (ProgressBar, impl FnMut(u64)) {
    let bar = progress(0, "rows");
    let moved = bar.clone();
    let told = move |rows| {
        moved.set_length(rows);
        moved.set_position(rows);
    };
    (bar, told)
}

async fn side(call: Call<'_>, reads: bool) -> Result<Side, Failed> {
    let Some(url) = call.text("url") else {
        let mut config = call.config()?;
        if reads {
            must_exist(&config)?;
        }
        config.database_statement_timeout = PATIENCE;
        return Ok(Side::Direct(start(config).await?));
    };
    let token = std::env::var(TOKEN).unwrap_or_default();
    if token.is_empty() {
        return Err(Failed::from(vec![format!(
            "{TOKEN}: it is not set; an owner's API key, or the access token of a login."
        )]));
    }
    Side::remote(url, token).map_err(|sentence| Failed::from(vec![sentence]))
}

/// Writes a tenant into a file.
pub(super) async fn export(call: Call<'_>) -> Outcome {
    let (slug, secrets) = (call.text("tenant").unwrap_or_default(), call.flag("with-secrets"));
    let side = side(call, true).await?;
    let target = call.text("file").map(PathBuf::from);
    // An unfinished file has another name, so that nobody takes it for a complete one.
    let part = match &target {
        Some(file) => PathBuf::from(format!("{}.part", file.display())),
        None => std::env::temp_dir().join(format!("bailiwick-export-{}.part", std::process::id())),
    };
    let mut file = create(&part, target.is_none())?;
    let (bar, mut told) = counting();
    let written = transfer::export(&side, slug, secrets, &mut file, &mut told).await;
    bar.finish_and_clear();
    let written = written.inspect_err(|_| drop(std::fs::remove_file(&part)))?;
    let Some(target) = target else {
        let printed = print(&mut file);
        drop(std::fs::remove_file(&part));
        return printed.map(|()| Output::Nothing).map_err(|error| unusable(&part, &error));
    };
    let named = file.sync_all().and_then(|()| std::fs::rename(&part, &target));
    named.map_err(|error| unusable(&target, &error))?;
    let line = format!("Wrote {} rows of {slug} to {}.", written.rows, target.display());
    let value =
        json!({ "file": target, "rows": written.rows, "tables": written.tables, "sha256": written.sha256 });
    Ok(Report::done(value, [line]).into())
}

fn create(path: &Path, new: bool) -> Result<File, Failed> {
    let mut options = OpenOptions::new();
    // It contains data that only owners may read.
    let file =
        options.read(true).write(true).create(true).create_new(new).truncate(true).mode(0o600).open(path);
    file.map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Failed {
    Failed::refused(format!("{} cannot be written: {error}.", path.display()))
}

fn print(file: &mut File) -> std::io::Result<()> {
    file.rewind()?;
    let mut out = std::io::stdout().lock();
    std::io::copy(file, &mut out)?;
    out.flush()
}

/// Imports a tenant.
pub(super) async fn import(call: Call<'_>) -> Outcome {
    let wanted = Wanted {
        slug: call.text("slug").map(str::to_owned),
        new_ids: call.flag("new-ids"),
        anew: call.flag("anew"),
    };
    let side = side(call, false).await?;
    let file = call.text("file").unwrap_or_default();
    let (bar, mut told) = counting();
    let brought = transfer::import(&side, Path::new(file), &wanted, &mut told).await;
    bar.finish_and_clear();
    let brought = brought?;
    let again = if brought.before > 0 {
        format!(" ({} of them were here before)", brought.before)
    } else {
        String::new()
    };
    let line = format!("Brought {} in ({}): {} rows{again}.", brought.slug, brought.tenant, brought.rows);
    let value = json!({ "tenant_id": brought.tenant, "slug": brought.slug, "rows": brought.rows });
    Ok(Report::done(value, [line]).into())
}
