//! `bailiwick token`: tokens to log in with, and the secret that signs them.

use std::io::BufRead;

use bailiwick_core::values::AccountEmail;
use clap::{Arg, Command};
use serde_json::json;

use super::{
    call::{Call, new_secret},
    report::{Failed, Outcome, Output, Report},
    user::email,
};

pub(super) fn command() -> Command {
    Command::new("token")
        .about("Issue and inspect access tokens, and generate secrets for them")
        .subcommand_required(true)
        .subcommand(
            Command::new("issue")
                .about("Start a session for a user, without their password")
                .arg(email())
                .after_help(
                    "The activity logs of the user's tenants record it. `bailiwick user logout` ends the session.\n\n\
                     Example:\n  bailiwick token issue ada@example.com\n  bailiwick token issue ada@example.com --output json",
                ),
        )
        .subcommand(
            Command::new("inspect")
                .about("Show the user of an access token, and whether it is valid; exits with 1 if it is not")
                .arg(Arg::new("token").value_name("TOKEN").help("The token; without it, the first line of the input"))
                .after_help("Example:\n  bailiwick token inspect < token.txt"),
        )
        .subcommand(
            Command::new("secret")
                .about("Generate a secret for JWT_SECRET or JWT_KEYS")
                .after_help("Example:\n  bailiwick token secret > jwt-secret"),
        )
        .after_help("Example:\n  bailiwick token issue ada@example.com")
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let (name, call) = call.inner();
    match name {
        "issue" => {
            let email = call.only("email", AccountEmail::parse)?;
            let issued = call.app().await?.operator().sign_in(&email).await?;
            let lines = [issued.access_token.clone()];
            Ok(Report::done(issued, lines).into())
        }
        "inspect" => inspect(call).await,
        // clap allows no other command.
        _ => Ok(Output::Text(new_secret().map_err(Failed::unavailable)?)),
    }
}

async fn inspect(call: Call<'_>) -> Outcome {
    let token = if let Some(token) = call.text("token") {
        token.to_owned()
    } else {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.map_err(|error| vec![format!("The token cannot be read: {error}.")])?;
        line.trim().to_owned()
    };
    let found = call.app().await?.operator().inspect(&token).await?;
    let user = found.user_id.map_or_else(|| "nobody".to_owned(), |id| id.to_string());
    let who = found.email.as_ref().map_or(user, |email| email.as_str().to_owned());
    let state = found.why_not.unwrap_or("It is good.");
    let kind = found.kind.unwrap_or("unknown");
    let lines = [format!("Kind  {kind}"), format!("User  {who}"), format!("State {state}")];
    Ok(Report::found(found.good, json!(found), lines).into())
}
