//! `bailiwick audit`: whether the activity is still as it was written.

use bailiwick_core::{
    BreachKind, Head, Verification,
    values::{Slug, TenantId},
};
use clap::{Arg, Command};
use serde_json::json;

use super::{
    call::Call,
    report::{Failed, Outcome, Report, Sentences, progress},
};

pub(super) fn command() -> Command {
    let verify = Command::new("verify")
        .about("Find entries of the activity log that were altered, removed or reordered")
        .arg(
            Arg::new("tenant")
                .long("tenant")
                .value_name("SLUG")
                .help("Only the log of this tenant; without it, the logs of all tenants"),
        )
        .arg(
            Arg::new("head")
                .long("head")
                .value_name("SEQ:HASH")
                .requires("tenant")
                .help("A head that you noted earlier; the tenant's log must still contain it"),
        )
        .after_help(
            "The line of each tenant ends with the head of its log. Note it elsewhere: --head shows later that nothing up to \
             it was changed, and that the log was not cut off before it.\n\n\
             Example:\n  bailiwick audit verify\n  bailiwick audit verify --tenant acme --head 1204:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        );
    Command::new("audit")
        .about("Verify the activity log")
        .subcommand_required(true)
        .subcommand(verify)
        .after_help("Example:\n  bailiwick audit verify")
}

/// Verifies the logs; a log with a fault makes the command end as unwell.
pub(super) async fn run(call: Call<'_>) -> Outcome {
    let (_, call) = call.inner();
    let mut faults = Sentences::new();
    let slug = call.value("tenant", Slug::parse, &mut faults);
    let noted = call.value("head", Head::parse, &mut faults);
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let app = call.app().await?;
    let operator = app.operator();
    let mut tenants: Vec<(Slug, TenantId)> = Vec::new();
    for tenant in operator.tenants().await? {
        if slug.as_ref().is_none_or(|slug| *slug == tenant.slug) {
            tenants.push((tenant.slug, tenant.id));
        }
    }
    if let (Some(slug), true) = (slug, tenants.is_empty()) {
        return Err(Failed::refused(format!("No tenant has the slug {}.", slug.as_str())));
    }
    let (mut broken, count) = (0, tenants.len());
    let (mut lines, mut logs) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let bar = progress(count as u64, "Verifying");
    for (slug, id) in tenants {
        let found = operator.verify_activity(id, noted.clone()).await?;
        broken += usize::from(!found.valid);
        lines.push(line(slug.as_str(), &found));
        logs.push(json!({ "tenant": slug, "found": found }));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if broken > 0 {
        lines.push(format!("Of {count} activity logs {broken} do not stand as they were written."));
    }
    Ok(Report::found(broken == 0, json!({ "valid": broken == 0, "logs": logs }), lines).into())
}

fn line(slug: &str, found: &Verification) -> String {
    let head = found.head.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let verdict = match &found.breach {
        None => format!("ok, {} entries", found.checked),
        Some(breach) => {
            let what = match breach.kind {
                BreachKind::Altered => "was altered",
                BreachKind::Missing => "is missing",
                BreachKind::Reordered => "is another one than it was",
            };
            let id = breach.activity_id.map(|id| format!(" ({id})")).unwrap_or_default();
            format!("BROKEN, entry {} {what}{id}, {} entries before it hold", breach.seq, found.checked)
        }
    };
    format!("{slug}: {verdict}, {} not sealed yet, head {head}", found.pending)
}
