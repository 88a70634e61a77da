//! The service itself: its health, its workflow, its OpenAPI description.

use serde::Serialize;

use crate::{
    access::scopes::anonymous::AnonymousScope,
    api::{
        reply::Json,
        site::{self, Description},
    },
    domain::workflow::{TRANSITIONS, Transition},
    http::problem::Result,
    kernel::values::enumerations::{ProjectStatus, Role},
    repository::service,
};

/// The state of the service.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Health {
    /// The state, always `ok`; any other state is a problem.
    #[cfg_attr(feature = "openapi", schemars(extend("const" = "ok")))]
    status: &'static str,
}

/// The approval workflow.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Workflow {
    /// The statuses of a project.
    statuses: &'static [ProjectStatus],
    /// The roles, lowest first.
    roles: &'static [Role],
    /// The status of a new project.
    initial: ProjectStatus,
    /// All transitions, each with its lowest role and its other conditions. No others are possible.
    transitions: &'static [Transition],
    /// The workflow as a diagram, in the language of Mermaid.
    diagram: String,
}

pub(crate) async fn alive() -> Result<Json<Health>> {
    Ok(Json(Health { status: "ok" }))
}

pub(crate) async fn ready(anonymous: AnonymousScope) -> Result<Json<Health>> {
    service::ready(&anonymous).await?;
    Ok(Json(Health { status: "ok" }))
}

pub(crate) async fn workflow() -> Result<Json<Workflow>> {
    let lines = TRANSITIONS.iter().map(|line| {
        let guards: String = line.guards.iter().map(|guard| format!(", {}", guard.as_str())).collect();
        let (from, to, role) = (line.from.as_str(), line.to.as_str(), line.required_role.as_str());
        format!("    {from} --> {to}: {role}{guards}\n")
    });
    Ok(Json(Workflow {
        statuses: ProjectStatus::ALL,
        roles: Role::ALL,
        initial: ProjectStatus::Draft,
        transitions: TRANSITIONS,
        diagram: format!("stateDiagram-v2\n    [*] --> draft\n{}", lines.collect::<String>()),
    }))
}

pub(crate) async fn openapi(anonymous: AnonymousScope) -> Result<Description> {
    site::DESCRIPTION.read(anonymous.services()).await.map(Description)
}
