//! `bailiwick tenant`: what the operator does with tenants.

use bailiwick_core::{
    Config, Operator,
    input::Fault,
    problem::Problem,
    repository::operator::TenantSummary,
    values::{Email, Name, Slug},
};
use clap::{Arg, ArgMatches, Command};

use super::{Sentences, say, start};

pub(super) fn command() -> Command {
    let slug = || Arg::new("slug").value_name("SLUG").required(true).help("The tenant's name in headers");
    Command::new("tenant")
        .about("List, create, suspend and resume tenants")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("All tenants"))
        .subcommand(
            Command::new("create")
                .about("Create a tenant for somebody who has registered")
                .arg(slug())
                .arg(option("name", "Its name for people"))
                .arg(option("owner", "The email address of its owner, who has registered")),
        )
        .subcommand(Command::new("suspend").about("Close a tenant to everybody; its data stays").arg(slug()))
        .subcommand(Command::new("resume").about("Open a suspended tenant again").arg(slug()))
        .after_help(
            "Example:\n  bailiwick tenant create acme --name \"Acme Ltd\" --owner ada@example.com\n  \
             bailiwick tenant suspend acme",
        )
}

fn option(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(name.to_uppercase()).required(true).help(help)
}

/// What is asked for, read and checked.
enum Order {
    List,
    Create { slug: Slug, name: Name, owner: Email },
    Suspend(Slug),
    Resume(Slug),
}

impl Order {
    fn read(matches: &ArgMatches) -> Result<Self, Sentences> {
        let mut faults = Sentences::new();
        let order = match matches.subcommand() {
            Some(("create", given)) => {
                let slug = argument(given, "slug", Slug::parse, &mut faults);
                let name = argument(given, "name", Name::parse, &mut faults);
                let owner = argument(given, "owner", Email::parse, &mut faults);
                slug.zip(name).zip(owner).map(|((slug, name), owner)| Self::Create { slug, name, owner })
            }
            Some(("suspend", given)) => argument(given, "slug", Slug::parse, &mut faults).map(Self::Suspend),
            Some(("resume", given)) => argument(given, "slug", Slug::parse, &mut faults).map(Self::Resume),
            // clap lets no other pass.
            _ => Some(Self::List),
        };
        order.ok_or(faults)
    }
}

fn argument<T>(
    given: &ArgMatches,
    name: &str,
    parse: fn(&str) -> Result<T, Fault>,
    faults: &mut Sentences,
) -> Option<T> {
    let text = given.get_one::<String>(name).map_or("", String::as_str);
    parse(text).map_err(|fault| faults.push(format!("{}: {}", name.to_uppercase(), fault.detail))).ok()
}

/// Does what is asked for.
pub(super) async fn run(matches: &ArgMatches, config: Config) -> Result<(), Sentences> {
    let order = Order::read(matches)?;
    let app = start(config).await?;
    let operator = Operator::new(&app);
    let told = |problem: Box<Problem>| vec![problem.sentence()];
    match order {
        Order::List => {
            for line in table(&operator.tenants().await.map_err(told)?) {
                say(&line);
            }
        }
        Order::Create { slug, name, owner } => {
            let id = operator.create_tenant(slug.clone(), name, &owner).await.map_err(told)?;
            say(&format!("Created {} ({id}); {} owns it.", slug.as_str(), owner.as_str()));
        }
        Order::Suspend(slug) => {
            operator.suspend_tenant(&slug).await.map_err(told)?;
            say(&format!("Suspended {}: nothing of it can be read or changed.", slug.as_str()));
        }
        Order::Resume(slug) => {
            operator.resume_tenant(&slug).await.map_err(told)?;
            say(&format!("Resumed {}.", slug.as_str()));
        }
    }
    Ok(())
}

/// One line for each tenant, under a head; what is of any length stands last.
fn table(tenants: &[TenantSummary]) -> Vec<String> {
    let day = |time: &dyn ToString| time.to_string().chars().take(10).collect::<String>();
    let rows = tenants.iter().map(|tenant| {
        let suspended = tenant.suspended_at.as_ref().map_or_else(|| "-".to_owned(), |since| day(since));
        [
            tenant.slug.as_str().to_owned(),
            tenant.id.to_string(),
            tenant.members.to_string(),
            day(&tenant.created_at),
            suspended,
            tenant.name.as_str().to_owned(),
        ]
    });
    let head = ["SLUG", "ID", "MEMBERS", "CREATED", "SUSPENDED", "NAME"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: [usize; 5] = std::array::from_fn(width);
    rows.iter()
        .map(|row| {
            let (cells, name) = row.split_at(widths.len());
            let padded: String =
                cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
            padded + &name.concat()
        })
        .collect()
}
