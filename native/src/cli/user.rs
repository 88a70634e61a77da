//! `bailiwick user`: the operator's commands about accounts.

use std::io::{BufRead, IsTerminal};

use bailiwick_core::{
    input::Scalar,
    password::NewPassword,
    repository::operator::users::AccountSummary,
    values::{AccountEmail, Email, Name},
};
use clap::{Arg, ArgAction, Command};
use serde_json::json;

use super::{
    call::Call,
    report::{Failed, Outcome, Report, Sentences, confirm, day, table, yes},
};

pub(super) fn email() -> Arg {
    Arg::new("email").value_name("EMAIL").required(true).help("The address of the account")
}

pub(super) fn command() -> Command {
    Command::new("user")
        .about("List, create, disable and enable accounts, and change their passwords")
        .subcommand_required(true)
        .subcommand(
            Command::new("list")
                .about("List all accounts")
                .arg(
                    Arg::new("containing")
                        .long("containing")
                        .value_name("TEXT")
                        .help("Only accounts whose address contains this text"),
                )
                .after_help("Example:\n  bailiwick user list --containing @example.com"),
        )
        .subcommand(
            Command::new("show")
                .about("Show an account and its tenants")
                .arg(email())
                .after_help("Example:\n  bailiwick user show ada@example.com --output json"),
        )
        .subcommand(
            Command::new("create")
                .about("Create an account")
                .arg(email())
                .arg(Arg::new("name").long("name").value_name("NAME").required(true).help("The person's name"))
                .arg(
                    Arg::new("no-password")
                        .long("no-password")
                        .action(ArgAction::SetTrue)
                        .help("Create it without a password; `bailiwick user password` sets one later"),
                )
                .after_help(
                    "On a terminal the command asks for the password; otherwise it is the first line of the input.\n\n\
                     Example:\n  bailiwick user create ada@example.com --name \"Ada Lovelace\"\n  \
                     printf 'a long passphrase\\n' | bailiwick user create ada@example.com --name Ada",
                ),
        )
        .subcommand(
            Command::new("password")
                .about("Set a new password for an account, and end its sessions")
                .arg(email())
                .arg(
                    Arg::new("remove")
                        .long("remove")
                        .action(ArgAction::SetTrue)
                        .help("Remove the password: then only the identity provider can log in to the account"),
                )
                .after_help(
                    "On a terminal the command asks for the password; otherwise it is the first line of the input.\n\n\
                     Example:\n  bailiwick user password ada@example.com",
                ),
        )
        .subcommand(
            Command::new("disable")
                .about("Disable an account: nobody can log in to it")
                .arg(email())
                .arg(yes())
                .after_help("Its sessions end; its data stays.\n\nExample:\n  bailiwick user disable ada@example.com"),
        )
        .subcommand(
            Command::new("enable")
                .about("Enable a disabled account again")
                .arg(email())
                .after_help("Example:\n  bailiwick user enable ada@example.com"),
        )
        .subcommand(
            Command::new("logout")
                .about("End all sessions of an account; its API keys stay")
                .arg(email())
                .after_help("Example:\n  bailiwick user logout ada@example.com"),
        )
        .after_help(
            "What is done to an account is told in the activity of the tenants that it is in.\n\n\
             Example:\n  bailiwick user list\n  bailiwick user password ada@example.com",
        )
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let (name, call) = call.inner();
    if name == "list" {
        let app = call.app().await?;
        let users = app.operator().users(call.text("containing").unwrap_or_default()).await?;
        let lines = list(&users);
        return Ok(Report::done(json!({ "users": users }), lines).into());
    }
    if name == "create" {
        return create(call, &call.only("email", Email::parse)?).await;
    }
    let email = call.only("email", AccountEmail::parse)?;
    let address = email.as_str();
    match name {
        "show" => show(call, &email).await,
        "password" => {
            let password = if call.flag("remove") { None } else { Some(password()?) };
            let removed = password.is_none();
            call.app().await?.operator().set_password(&email, password).await?;
            let has = if removed { "has no password" } else { "has another password" };
            let line = format!("{address} {has} now; its sessions have ended.");
            Ok(Report::done(json!({ "email": address, "has_password": !removed }), [line]).into())
        }
        "disable" => {
            confirm(call.matches, &format!("Nobody will get in as {address}."))?;
            call.app().await?.operator().disable_user(&email).await?;
            Ok(Report::done(json!({ "disabled": address }), [format!("Disabled {address}.")]).into())
        }
        "enable" => {
            call.app().await?.operator().enable_user(&email).await?;
            Ok(Report::done(json!({ "enabled": address }), [format!("Enabled {address}.")]).into())
        }
        // clap allows no other command.
        _ => {
            call.app().await?.operator().end_sessions(&email).await?;
            let line = format!("The sessions of {address} have ended.");
            Ok(Report::done(json!({ "logged_out": address }), [line]).into())
        }
    }
}

async fn show(call: Call<'_>, email: &AccountEmail) -> Outcome {
    let app = call.app().await?;
    let operator = app.operator();
    let user = operator.user(email).await?;
    let places = operator.places(user.id).await?;
    let mut lines = list(std::slice::from_ref(&user));
    lines.push(String::new());
    lines.extend(table(
        ["TENANT", "ROLE", "STATUS"],
        places.iter().map(|place| {
            [place.tenant.as_str().to_owned(), place.role.as_str().to_owned(), place.status.clone()]
        }),
    ));
    Ok(Report::done(json!({ "user": user, "tenants": places }), lines).into())
}

async fn create(call: Call<'_>, email: &Email) -> Outcome {
    let name = call.only("name", Name::parse)?;
    let password = if call.flag("no-password") { None } else { Some(password()?) };
    let id = call.new_app().await?.operator().create_user(email, &name, password).await?;
    let line = format!("Created {} ({id}).", email.as_str());
    Ok(Report::done(json!({ "id": id, "email": email }), [line]).into())
}

/// A new password, typed twice; or the first line of the standard input.
fn password() -> Result<NewPassword, Failed> {
    let unread = |error: std::io::Error| Failed::from(vec![format!("The password cannot be read: {error}.")]);
    let typed = if std::io::stdin().is_terminal() {
        let typed = rpassword::prompt_password("New password: ").map_err(unread)?;
        if rpassword::prompt_password("Once more: ").map_err(unread)? != typed {
            return Err(Sentences::from(["The two are not the same.".to_owned()]).into());
        }
        typed
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(unread)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    NewPassword::from_value(typed.into())
        .map_err(|fault| vec![format!("The password: {}", fault.detail)].into())
}

fn list(users: &[AccountSummary]) -> Vec<String> {
    table(
        ["EMAIL", "ID", "LOGS IN BY", "SESSIONS", "CREATED", "DISABLED", "NAME"],
        users.iter().map(|user| {
            let by = match (user.has_password, user.identities) {
                (false, 0) => "-",
                (false, _) => "provider",
                (true, 0) => "password",
                (true, _) => "both",
            };
            [
                user.email.as_str().to_owned(),
                user.id.to_string(),
                by.to_owned(),
                user.sessions.to_string(),
                day(Some(user.created_at)),
                day(user.disabled_at),
                user.name.as_str().to_owned(),
            ]
        }),
    )
}
