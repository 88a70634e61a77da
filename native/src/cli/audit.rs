//! `bailiwick audit`: whether what happened still stands as it was written.

use bailiwick_core::{
    BreachKind, Config, Head, Operator, Verification,
    problem::Problem,
    values::{Slug, TenantId},
};
use clap::{Arg, ArgMatches, Command};

use super::{Sentences, say, start};

pub(super) fn command() -> Command {
    let verify = Command::new("verify")
        .about("Find entries of the activity log that were altered, removed or put in another order")
        .arg(
            Arg::new("tenant")
                .long("tenant")
                .value_name("SLUG")
                .help("Only this tenant's; all tenants' if it is not given"),
        )
        .arg(
            Arg::new("head")
                .long("head")
                .value_name("SEQ:HASH")
                .requires("tenant")
                .help("A head that was noted earlier, which the tenant's log must have still"),
        );
    Command::new("audit")
        .about("Verify the activity log")
        .subcommand_required(true)
        .subcommand(verify)
        .after_help(
            "Each tenant has a line, which ends with its head: note it elsewhere. It shows later, by --head, that nothing \
             up to it was changed, and that the log was not cut off before it.\n\n\
             Example:\n  bailiwick audit verify\n  bailiwick audit verify --tenant acme --head 1204:9f86d081...",
        )
}

/// Does what is asked for. A log that does not hold is an error, after all logs have had their line.
pub(super) async fn run(matches: &ArgMatches, config: Config) -> Result<(), Sentences> {
    let given = matches.subcommand_matches("verify");
    let text = |name: &str| given.and_then(|given| given.get_one::<String>(name));
    let (mut faults, mut slug, mut noted) = (Sentences::new(), None, None);
    match text("tenant").map(|text| Slug::parse(text)).transpose() {
        Ok(found) => slug = found,
        Err(fault) => faults.push(format!("TENANT: {}", fault.detail)),
    }
    match text("head").map(|text| Head::parse(text)).transpose() {
        Ok(found) => noted = found,
        Err(fault) => faults.push(format!("HEAD: {}", fault.detail)),
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let app = start(config).await?;
    let operator = Operator::new(&app);
    let told = |problem: Box<Problem>| vec![problem.sentence()];
    let mut tenants: Vec<(Slug, TenantId)> = Vec::new();
    for tenant in operator.tenants().await.map_err(told)? {
        if slug.as_ref().is_none_or(|slug| *slug == tenant.slug) {
            tenants.push((tenant.slug, tenant.id));
        }
    }
    if let (Some(slug), true) = (slug, tenants.is_empty()) {
        return Err(vec![format!("No tenant has the slug {}.", slug.as_str())]);
    }
    let (mut broken, count) = (0, tenants.len());
    for (slug, id) in tenants {
        let found = operator.verify_activity(id, noted.clone()).await.map_err(told)?;
        broken += usize::from(!found.valid);
        say(&line(slug.as_str(), &found));
    }
    if broken > 0 {
        return Err(vec![format!("Of {count} activity logs {broken} do not stand as they were written.")]);
    }
    Ok(())
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
