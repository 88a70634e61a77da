//! `bailiwick tenant`: what the operator does with tenants.

use bailiwick_core::{
    Operator,
    repository::operator::TenantSummary,
    values::{Email, Name, Slug},
};
use clap::{Arg, Command};
use serde_json::json;

use super::{
    call::Call,
    report::{Outcome, Report, Sentences, day, table},
};

pub(super) fn command() -> Command {
    let slug = || Arg::new("slug").value_name("SLUG").required(true).help("The tenant's name in headers");
    Command::new("tenant")
        .about("List, create, suspend and resume tenants")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("All tenants").after_help("Example:\n  bailiwick tenant list"))
        .subcommand(
            Command::new("create")
                .about("Create a tenant for somebody who has registered")
                .arg(slug())
                .arg(option("name", "Its name for people"))
                .arg(option("owner", "The email address of its owner, who has registered"))
                .after_help(
                    "Example:\n  bailiwick tenant create acme --name \"Acme Ltd\" --owner ada@example.com",
                ),
        )
        .subcommand(
            Command::new("suspend")
                .about("Close a tenant to everybody; its data stays")
                .arg(slug())
                .after_help("Example:\n  bailiwick tenant suspend acme"),
        )
        .subcommand(
            Command::new("resume")
                .about("Open a suspended tenant again")
                .arg(slug())
                .after_help("Example:\n  bailiwick tenant resume acme"),
        )
        .after_help(
            "Example:\n  bailiwick tenant create acme --name \"Acme Ltd\" --owner ada@example.com\n  \
             bailiwick tenant suspend acme",
        )
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
            Operator::new(&call.app().await?).suspend_tenant(&slug).await?;
            let line = format!("Suspended {}: nothing of it can be read or changed.", slug.as_str());
            Ok(Report::done(json!({ "suspended": slug }), [line]).into())
        }
        "resume" => {
            let slug = call.only("slug", Slug::parse)?;
            Operator::new(&call.app().await?).resume_tenant(&slug).await?;
            let line = format!("Resumed {}.", slug.as_str());
            Ok(Report::done(json!({ "resumed": slug }), [line]).into())
        }
        _ => {
            let tenants = Operator::new(&call.app().await?).tenants().await?;
            let lines = list(&tenants);
            Ok(Report::done(json!({ "tenants": tenants }), lines).into())
        }
    }
}

async fn create(call: Call<'_>) -> Outcome {
    let mut faults = Sentences::new();
    let slug = call.value("slug", Slug::parse, &mut faults);
    let name = call.value("name", Name::parse, &mut faults);
    let owner = call.value("owner", Email::parse, &mut faults);
    let Some(((slug, name), owner)) = slug.zip(name).zip(owner) else { return Err(faults.into()) };
    let id = Operator::new(&call.app().await?).create_tenant(slug.clone(), name, &owner).await?;
    let line = format!("Created {} ({id}); {} owns it.", slug.as_str(), owner.as_str());
    Ok(Report::done(json!({ "id": id, "slug": slug, "owner": owner }), [line]).into())
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
