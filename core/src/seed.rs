//! A small believable content for the tenant `default`, to try things with: a person of each role, projects on
//! their way through the workflow, tasks and a comment. All of it goes through the same doors as any client's.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::{
    dispatch::{App, Operator},
    problem::Problem,
    repository::{memberships, tenants},
    values::{Role, UserId},
};

/// The password of everybody who is seeded.
const PASSWORD: &str = "bailiwick-demo";

/// Name, local part of the address, role.
const PEOPLE: &[(&str, &str, Role)] = &[
    ("Olive Owner", "olive", Role::Owner),
    ("Manuel Manager", "manuel", Role::Manager),
    ("Mia Member", "mia", Role::Member),
    ("Viktor Viewer", "viktor", Role::Viewer),
];

/// The moves that a project makes: who makes them, and where to.
type Moves = [(Role, &'static str)];

/// Name, description, moves, tasks: title, priority, status.
type Plan =
    (&'static str, &'static str, &'static Moves, &'static [(&'static str, &'static str, &'static str)]);

const PROJECTS: &[Plan] = &[
    ("Office move", "Find a place for forty people, and move there in spring.", &[], &[]),
    (
        "New website",
        "The old one does not work on phones.",
        &[(Role::Member, "submitted")],
        &[("Write down what it must do", "high", "done"), ("Ask three agencies", "normal", "todo")],
    ),
    (
        "Customer survey",
        "Ask a hundred customers what they miss.",
        &[(Role::Member, "submitted"), (Role::Manager, "approved"), (Role::Member, "in_progress")],
        &[
            ("Agree on ten questions", "urgent", "in_progress"),
            ("Choose the customers", "high", "todo"),
            ("Order cake for the evaluation", "low", "blocked"),
        ],
    ),
];

/// What Manuel says about the first task that Mia is given.
const COMMENT: &str = "@mia, ten questions are enough; nobody answers twenty.";

/// Adds the content, and tells in lines what was added. What is there already stays as it is.
///
/// # Errors
/// A sentence about what failed.
pub async fn run(app: &Arc<App>) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut mia = Value::Null;
    for (name, local, role) in PEOPLE {
        let email = format!("{local}@example.com");
        let account = json!({ "email": email, "name": name, "password": PASSWORD });
        let (status, user) = ask(app, "", Method::POST, "/v1/auth/register", &account).await?;
        if *role == Role::Member {
            mia = user["id"].clone();
        }
        match (status, user["id"].as_str().and_then(UserId::parse)) {
            (201, Some(user)) => {
                admit(app, user, *role)
                    .await
                    .map_err(|problem| format!("{email} cannot be admitted: {problem:?}."))?;
            }
            (409, _) => return Ok(vec!["The people to try things with are there already.".to_owned()]),
            _ => return Err(format!("{email} cannot be registered: {user}.")),
        }
        let credentials = json!({ "email": email, "password": PASSWORD });
        let (_, session) = ask(app, "", Method::POST, "/v1/auth/login", &credentials).await?;
        tokens.push((*role, session["access_token"].as_str().unwrap_or_default().to_owned()));
    }
    let token =
        |role: Role| tokens.iter().find(|(of, _)| *of == role).map_or("", |(_, token)| token.as_str());
    let make = async |role: Role, path: &str, body: Value| -> Result<Value, String> {
        match ask(app, token(role), Method::POST, path, &body).await? {
            (200..=299, answer) => Ok(answer),
            (_, answer) => Err(format!("{path} does not take {body}: {answer}.")),
        }
    };
    for (name, description, moves, tasks) in PROJECTS {
        let new = json!({ "name": name, "description": description, "visibility": "public" });
        let project = make(Role::Member, "/v1/projects", new).await?;
        let path = format!("/v1/projects/{}", project["id"].as_str().unwrap_or_default());
        for (role, to) in *moves {
            make(*role, &format!("{path}/transitions"), json!({ "to": to })).await?;
        }
        for (title, priority, status) in *tasks {
            let new = json!({ "title": title, "priority": priority, "status": status, "assignee_id": mia });
            let task = make(Role::Manager, &format!("{path}/tasks"), new).await?;
            if *status == "in_progress" {
                let path = format!("/v1/tasks/{}/comments", task["id"].as_str().unwrap_or_default());
                make(Role::Manager, &path, json!({ "body": COMMENT })).await?;
            }
        }
    }
    let people = PEOPLE.iter().map(|(_, local, role)| format!("  {local}@example.com ({})", role.as_str()));
    let first = format!("Added {} projects and, with the password {PASSWORD}:", PROJECTS.len());
    Ok(std::iter::once(first).chain(people).collect())
}

async fn admit(app: &Arc<App>, user: UserId, role: Role) -> Result<(), Box<Problem>> {
    let operator = Operator::new(app);
    let tenant = operator.tenant(tenants::DEFAULT_SLUG).await?;
    memberships::admit(&operator, tenant, user, role).await
}

async fn ask(
    app: &Arc<App>,
    token: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> Result<(u16, Value), String> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Bytes::from(body.to_string()))
        .map_err(|error| error.to_string())?;
    let response = app.handle(request).await;
    let status = response.status().as_u16();
    Ok((status, serde_json::from_slice(response.body()).unwrap_or_default()))
}
