//! `bailiwick tenant`: the operator's commands about tenants.

use bailiwick_core::{
    config::Most,
    input::Scalar,
    repository::{
        operator::TenantSummary,
        quotas::{LimitSummary, Quota},
    },
    values::{AccountEmail, Name, Role, Slug},
};
use clap::{Arg, ArgAction, Command};
use serde_json::json;

use super::{
    call::Call,
    report::{Outcome, Report, Sentences, confirm, day, table, yes},
    user::email,
};

pub(super) fn command() -> Command {
    let slug = || Arg::new("slug").value_name("SLUG").required(true).help("The tenant's name in headers");
    Command::new("tenant")
        .about("List, create, limit, suspend, resume and delete tenants, and admit members")
        .subcommand_required(true)
        .subcommand(
            Command::new("list").about("List all tenants").after_help("Example:\n  bailiwick tenant list"),
        )
        .subcommand(
            Command::new("create")
                .about("Create a tenant for a registered user")
                .arg(slug())
                .arg(option("name", "The tenant's name for people"))
                .arg(option("owner", "The email address of its owner, a registered user"))
                .after_help(
                    "Example:\n  bailiwick tenant create acme --name \"Acme Ltd\" --owner ada@example.com",
                ),
        )
        .subcommand(
            Command::new("suspend")
                .about("Suspend a tenant: nobody can use it, but its data stays")
                .arg(slug())
                .after_help("Example:\n  bailiwick tenant suspend acme"),
        )
        .subcommand(
            Command::new("resume")
                .about("End the suspension of a tenant")
                .arg(slug())
                .after_help("Example:\n  bailiwick tenant resume acme"),
        )
        .subcommand(
            Command::new("admit")
                .about("Make a registered user an active member, whatever they were before")
                .arg(slug())
                .arg(email())
                .arg(role().required(true).help("The new role of the member"))
                .after_help("Example:\n  bailiwick tenant admit acme ada@example.com --role owner"),
        )
        .subcommand(
            Command::new("limits")
                .about("Show how much of its limits a tenant uses, or change its limits")
                .arg(slug())
                .arg(
                    Arg::new("limit")
                        .value_name("NAME=MOST")
                        .action(ArgAction::Append)
                        .help("The new limit, as a number; `default` for the limit of all other tenants"),
                )
                .after_help(
                    "Example:\n  bailiwick tenant limits acme\n  \
                     bailiwick tenant limits acme members=10000 api_keys=default",
                ),
        )
        .subcommand(
            Command::new("delete")
                .about("Delete a tenant and everything in it; accounts stay")
                .arg(slug())
                .arg(yes())
                .after_help("Example:\n  bailiwick tenant delete acme\n  bailiwick tenant delete acme --yes"),
        )
        .after_help(
            "Example:\n  bailiwick tenant create acme --name \"Acme Ltd\" --owner ada@example.com\n  \
             bailiwick tenant suspend acme",
        )
}

/// A role, by its name.
pub(super) fn role() -> Arg {
    Arg::new("role").long("role").value_name("ROLE").value_parser(["viewer", "member", "manager", "owner"])
}

fn option(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(name.to_uppercase()).required(true).help(help)
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let (name, call) = call.inner();
    match name {
        "create" => create(call).await,
        "suspend" => {
            let slug = call.only("slug", Slug::parse)?;
            call.app().await?.operator().suspend_tenant(&slug).await?;
            let line = format!("Suspended {}: nothing of it can be read or changed.", slug.as_str());
            Ok(Report::done(json!({ "suspended": slug }), [line]).into())
        }
        "resume" => {
            let slug = call.only("slug", Slug::parse)?;
            call.app().await?.operator().resume_tenant(&slug).await?;
            let line = format!("Resumed {}.", slug.as_str());
            Ok(Report::done(json!({ "resumed": slug }), [line]).into())
        }
        "admit" => admit(call).await,
        "limits" => limits(call).await,
        "delete" => {
            let slug = call.only("slug", Slug::parse)?;
            confirm(call.matches, &format!("All that is in {} will be gone.", slug.as_str()))?;
            call.app().await?.operator().delete_tenant(&slug).await?;
            Ok(Report::done(json!({ "deleted": slug }), [format!("Deleted {}.", slug.as_str())]).into())
        }
        // clap allows no other command.
        _ => {
            let tenants = call.app().await?.operator().tenants().await?;
            let lines = list(&tenants);
            Ok(Report::done(json!({ "tenants": tenants }), lines).into())
        }
    }
}

async fn create(call: Call<'_>) -> Outcome {
    let mut faults = Sentences::new();
    let slug = call.value("slug", Slug::parse, &mut faults);
    let name = call.value("name", Name::parse, &mut faults);
    let owner = call.value("owner", AccountEmail::parse, &mut faults);
    let Some(((slug, name), owner)) = slug.zip(name).zip(owner) else { return Err(faults.into()) };
    let id = call.app().await?.operator().create_tenant(slug.clone(), name, &owner).await?;
    let line = format!("Created {} ({id}); {} owns it.", slug.as_str(), owner.as_str());
    Ok(Report::done(json!({ "id": id, "slug": slug, "owner": owner.as_str() }), [line]).into())
}

async fn admit(call: Call<'_>) -> Outcome {
    let mut faults = Sentences::new();
    let slug = call.value("slug", Slug::parse, &mut faults);
    let email = call.value("email", AccountEmail::parse, &mut faults);
    let role = call.value("role", |text| Role::from_value(text.into()), &mut faults);
    let Some(((slug, email), role)) = slug.zip(email).zip(role) else { return Err(faults.into()) };
    call.app().await?.operator().admit(&slug, &email, role).await?;
    let line = format!("{} is {} of {} now.", email.as_str(), role.as_str(), slug.as_str());
    Ok(Report::done(json!({ "tenant": slug, "email": email.as_str(), "role": role }), [line]).into())
}

async fn limits(call: Call<'_>) -> Outcome {
    let mut faults = Sentences::new();
    let slug = call.value("slug", Slug::parse, &mut faults);
    let mut said = Vec::new();
    for text in call.texts("limit") {
        match limit(text) {
            Ok(limit) => said.push(limit),
            Err(fault) => faults.push(format!("{text}: {fault}")),
        }
    }
    let Some(slug) = slug.filter(|_| faults.is_empty()) else { return Err(faults.into()) };
    let operator = call.app().await?.operator();
    let limits = match said.as_slice() {
        [] => operator.limits(&slug).await?,
        said => operator.limit(&slug, said).await?,
    };
    Ok(Report::done(json!({ "tenant": slug, "limits": limits }), shown(&limits)).into())
}

/// A limit as it was typed; no number means the default.
fn limit(text: &str) -> Result<(Quota, Option<i64>), String> {
    let (name, most) = text.split_once('=').ok_or("Expected NAME=MOST.")?;
    let quota = Quota::from_value(name.into()).map_err(|fault| fault.detail)?;
    if most == "default" {
        return Ok((quota, None));
    }
    let most = most.parse().ok().filter(|most| Most::RANGE.contains(most));
    let (from, to) = (Most::RANGE.start(), Most::RANGE.end());
    let most = most.ok_or_else(|| format!("Expected a number from {from} to {to}, or default."))?;
    Ok((quota, Some(most)))
}

fn shown(limits: &[LimitSummary]) -> Vec<String> {
    table(
        ["LIMIT", "USED", "MOST", "SET"],
        limits.iter().map(|limit| {
            [
                limit.quota.as_str().to_owned(),
                limit.used.to_string(),
                limit.most.to_string(),
                if limit.own { "for this tenant" } else { "for all" }.to_owned(),
            ]
        }),
    )
}

fn list(tenants: &[TenantSummary]) -> Vec<String> {
    table(
        ["SLUG", "ID", "MEMBERS", "CREATED", "SUSPENDED", "NAME"],
        tenants.iter().map(|tenant| {
            [
                tenant.slug.as_str().to_owned(),
                tenant.id.to_string(),
                tenant.members.to_string(),
                day(Some(tenant.created_at)),
                day(tenant.suspended_at),
                tenant.name.as_str().to_owned(),
            ]
        }),
    )
}
