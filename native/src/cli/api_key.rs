//! `bailiwick api-key`: keys for machines, made in the name of a member, through the same routes as that member's own
//! requests.

use std::sync::Arc;

use bailiwick_core::{
    App,
    inside::Inside,
    values::{AccountEmail, Slug},
};
use clap::{Arg, Command};
use http::Method;
use serde_json::{Value, json};

use super::{
    call::Call,
    report::{Failed, Outcome, Report, Sentences, confirm, day, table, yes},
    tenant::role,
};

pub(super) fn command() -> Command {
    let tenant =
        || Arg::new("tenant").long("tenant").value_name("SLUG").required(true).help("The tenant of the key");
    let member = || {
        Arg::new("as")
            .long("as")
            .value_name("EMAIL")
            .required(true)
            .help("The member who acts; an owner sees the keys of all members")
    };
    Command::new("api-key")
        .about("List, create and revoke the API keys of a tenant")
        .subcommand_required(true)
        .subcommand(
            Command::new("list")
                .about("List the keys of a member, or of all members for an owner")
                .args([tenant(), member()])
                .after_help("Example:\n  bailiwick api-key list --tenant acme --as ada@example.com"),
        )
        .subcommand(
            Command::new("create")
                .about("Create a key; it is shown only once")
                .args([tenant(), member()])
                .arg(Arg::new("name").long("name").value_name("NAME").required(true).help("The purpose of the key"))
                .arg(
                    role()
                        .default_value("member")
                        .help("The highest role of the key, at most the member's own role"),
                )
                .arg(
                    Arg::new("expires-at")
                        .long("expires-at")
                        .value_name("TIME")
                        .help("When the key expires, as 2027-01-31T00:00:00Z [default: in 90 days]"),
                )
                .after_help(
                    "Example:\n  bailiwick api-key create --tenant acme --as ada@example.com --name \"Nightly export\" --role owner",
                ),
        )
        .subcommand(
            Command::new("revoke")
                .about("Revoke a key")
                .args([tenant(), member(), yes()])
                .arg(Arg::new("id").value_name("ID").required(true).help("The id of the key, from the list"))
                .after_help(
                    "Example:\n  bailiwick api-key revoke --tenant acme --as ada@example.com 0196a2b4-0000-7000-8000-00000000000a",
                ),
        )
        .after_help(
            "The command uses a session of that member and ends it afterwards; the tenant's activity log records both.\n\n\
             Example:\n  bailiwick api-key list --tenant acme --as ada@example.com",
        )
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let (name, call) = call.inner();
    let mut faults = Sentences::new();
    let tenant = call.value("tenant", Slug::parse, &mut faults);
    let member = call.value("as", AccountEmail::parse, &mut faults);
    let Some((tenant, member)) = tenant.zip(member) else { return Err(faults.into()) };
    if name == "revoke" {
        confirm(call.matches, "Programs that use this key will be refused.")?;
    }
    let app = call.app().await?;
    let session = Session::begin(&app, &member, &tenant).await?;
    let done = match name {
        "create" => create(call, &session.inside).await,
        "revoke" => revoke(call, &session.inside).await,
        // clap allows no other command.
        _ => list(&session.inside).await,
    };
    session.end().await?;
    done
}

/// A member's session, for as long as the command runs.
struct Session {
    id: String,
    inside: Inside,
}

impl Session {
    async fn begin(app: &Arc<App>, member: &AccountEmail, tenant: &Slug) -> Result<Self, Failed> {
        let issued = app.operator().sign_in(member).await?;
        Ok(Self {
            id: issued.session_id.to_string(),
            inside: Inside::new(app, issued.access_token, tenant.as_str()),
        })
    }

    async fn end(self) -> Result<(), Failed> {
        ask(&self.inside, Method::DELETE, &format!("/v1/me/sessions/{}", self.id), Value::Null)
            .await
            .map(drop)
    }
}

async fn ask(inside: &Inside, method: Method, path: &str, body: Value) -> Result<Value, Failed> {
    inside.ask(method, path, &body).await.map_err(|(status, why)| match status {
        500.. => Failed::unavailable(why),
        _ => Failed::refused(why),
    })
}

async fn list(inside: &Inside) -> Outcome {
    let mut keys: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/api-keys?limit=100{cursor}");
        let mut page = ask(inside, Method::GET, &path, Value::Null).await?;
        if let Value::Array(found) = page["data"].take() {
            keys.extend(found);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let text = |key: &Value, name: &str| key[name].as_str().unwrap_or("-").to_owned();
    let lines = table(
        ["ID", "BEGINS WITH", "ROLE", "EXPIRES", "LAST USED", "NAME"],
        keys.iter().map(|key| {
            let last = key["last_used_at"].as_str();
            [
                text(key, "id"),
                text(key, "prefix"),
                text(key, "role"),
                day(Some(text(key, "expires_at"))),
                day(last),
                text(key, "name"),
            ]
        }),
    );
    Ok(Report::done(json!({ "api_keys": keys }), lines).into())
}

async fn create(call: Call<'_>, inside: &Inside) -> Outcome {
    let mut new = json!({ "name": call.text("name"), "role": call.text("role") });
    if let Some(time) = call.text("expires-at") {
        new["expires_at"] = json!(time);
    }
    let made = ask(inside, Method::POST, "/v1/api-keys", new).await?;
    let key = made["key"].as_str().unwrap_or_default().to_owned();
    Ok(Report::done(made, [key]).into())
}

async fn revoke(call: Call<'_>, inside: &Inside) -> Outcome {
    let id = call.text("id").unwrap_or_default();
    // It is a segment of the path, whatever was typed.
    if !id.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-') {
        return Err(Sentences::from(["ID: Expected a UUID.".to_owned()]).into());
    }
    ask(inside, Method::DELETE, &format!("/v1/api-keys/{id}"), Value::Null).await?;
    Ok(Report::done(json!({ "revoked": id }), [format!("Revoked {id}.")]).into())
}
