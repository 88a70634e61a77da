//! A small believable content for the tenant `default`, to try things with: a person of each role, projects on their
//! way through the workflow, tasks and a comment. All of it goes through the same scopes as any client's requests.

pub mod client;
pub mod demo;
pub(crate) mod story;

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::{
    dispatch::App,
    http::problem::Problem,
    kernel::values::{self, Email, UserId, enumerations::Role},
    repository::memberships,
    seed::client::Inside,
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

/// The transitions of a project: the role of the person, and the new status.
type Moves = [(Role, &'static str)];

/// Name, description, transitions, tasks: title, priority, status.
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

/// Manuel's comment on the first task that Mia is given.
const COMMENT: &str = "@mia, ten questions are enough; nobody answers twenty.";

/// Adds the content, and reports in lines what was added. Existing rows stay as they are.
///
/// # Errors
/// A sentence about the failure.
pub async fn run(app: &Arc<App>) -> Result<Vec<String>, String> {
    let mut people = Vec::new();
    let mut mia = Value::Null;
    let anybody = Inside::new(app, "", values::DEFAULT_SLUG);
    for (name, local, role) in PEOPLE {
        let email = format!("{local}@example.com");
        let account = json!({ "email": email, "name": name, "password": PASSWORD });
        let user = match anybody.ask(Method::POST, "/v1/auth/register", &account).await {
            Ok(user) => user,
            Err((409, _)) => return Ok(vec!["The people to try things with are there already.".to_owned()]),
            Err((_, why)) => return Err(format!("{email} cannot be registered: {why}")),
        };
        let told = |problem: Box<Problem>| format!("{email}: {}", problem.sentence());
        let address = Email::parse(&email).map_err(|fault| fault.detail)?;
        let operator = app.operator();
        if let Some(id) = user["id"].as_str().and_then(UserId::parse) {
            let tenant = operator.tenant(values::DEFAULT_SLUG).await.map_err(told)?;
            memberships::admit(&operator, tenant, id, *role).await.map_err(told)?;
        }
        if *role == Role::Member {
            mia = user["id"].clone();
        }
        let token = operator.sign_in(&(&address).into()).await.map_err(told)?.access_token;
        people.push((*role, Inside::new(app, token, values::DEFAULT_SLUG)));
    }
    let make = async |role: Role, path: &str, body: Value| -> Result<Value, String> {
        let Some((_, person)) = people.iter().find(|(of, _)| *of == role) else { return Ok(Value::Null) };
        let made = person.ask(Method::POST, path, &body).await;
        made.map_err(|(_, why)| format!("{path} does not take {body}: {why}"))
    };
    for (name, description, moves, tasks) in PROJECTS {
        let new = json!({ "name": name, "description": description, "visibility": "public" });
        let project = make(Role::Member, "/v1/projects", new).await?;
        let path = format!("/v1/projects/{}", project["id"].as_str().unwrap_or_default());
        for (role, to) in *moves {
            make(*role, &format!("{path}/transitions"), json!({ "to": to, "revision": 1 })).await?;
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
