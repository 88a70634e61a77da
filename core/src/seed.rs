//! A small believable content for the tenant `default`, to try things with: a person of each role, and projects on
//! their way through the workflow. All of it goes through the same doors as any client's.

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

/// Name, description, moves.
const PROJECTS: &[(&str, &str, &Moves)] = &[
    ("Office move", "Find a place for forty people, and move there in spring.", &[]),
    ("New website", "The old one does not work on phones.", &[(Role::Member, "submitted")]),
    (
        "Customer survey",
        "Ask a hundred customers what they miss.",
        &[(Role::Member, "submitted"), (Role::Manager, "approved"), (Role::Member, "in_progress")],
    ),
];

/// Adds the content, and tells in lines what was added. What is there already stays as it is.
///
/// # Errors
/// A sentence about what failed.
pub async fn run(app: &Arc<App>) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    for (name, local, role) in PEOPLE {
        let email = format!("{local}@example.com");
        let account = json!({ "email": email, "name": name, "password": PASSWORD });
        let (status, user) = ask(app, "", Method::POST, "/v1/auth/register", &account).await?;
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
    for (name, description, moves) in PROJECTS {
        let new = json!({ "name": name, "description": description, "visibility": "public" });
        let (status, project) = ask(app, token(Role::Member), Method::POST, "/v1/projects", &new).await?;
        let Some(id) = project["id"].as_str().filter(|_| status == 201) else {
            return Err(format!("{name} cannot be created: {project}."));
        };
        for (role, to) in *moves {
            let path = format!("/v1/projects/{id}/transitions");
            let (status, answer) = ask(app, token(*role), Method::POST, &path, &json!({ "to": to })).await?;
            if status != 200 {
                return Err(format!("{name} cannot be moved to {to}: {answer}."));
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
