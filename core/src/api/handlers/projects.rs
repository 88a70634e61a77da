//! Projects, and their transitions through the workflow.

use serde::Serialize;

use crate::{
    access::scopes::tenant::TenantScope,
    api::{
        endpoint::{Body, Query},
        handlers::PageQuery,
        reply::{Created, List, NoContent, Transitioned, Versioned},
    },
    domain::workflow::{self, Guard},
    http::{
        page::{CountedPage, Listing},
        problem::Result,
    },
    kernel::values::{
        ProjectId,
        enumerations::{ProjectStatus, Role},
    },
    repository::{
        projects::{NewProject, Project, ProjectPatch, ProjectQuery, Projects},
        transitions::{TransitionHistory, TransitionRecord, TransitionRequest, Transitions as _},
    },
};

pub(crate) async fn list(
    scope: TenantScope,
    Query(query): Query<ProjectQuery>,
) -> Result<List<CountedPage<Project>>> {
    scope.projects().list(query).await.map(List)
}

pub(crate) async fn create(scope: TenantScope, Body(new): Body<NewProject>) -> Result<Created<Project>> {
    scope.projects().create(new).await.map(Created)
}

pub(crate) async fn get(scope: TenantScope, id: ProjectId) -> Result<Versioned<Project>> {
    scope.projects().get(id).await.map(Versioned)
}

pub(crate) async fn update(
    scope: TenantScope,
    id: ProjectId,
    Body(patch): Body<ProjectPatch>,
) -> Result<Versioned<Project>> {
    scope.projects().update(id, patch).await.map(Versioned)
}

pub(crate) async fn delete(scope: TenantScope, id: ProjectId) -> Result<NoContent> {
    scope.projects().delete(id).await.map(|()| NoContent)
}

pub(crate) async fn transition(
    scope: TenantScope,
    id: ProjectId,
    Body(request): Body<TransitionRequest>,
) -> Result<Transitioned<Project>> {
    scope.transitions().make(id, request).await.map(Transitioned)
}

/// The past transitions of a project, and the ones that are possible now.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Transitions {
    /// The current status of the project.
    status: ProjectStatus,
    /// The transitions from the current status, and for each whether the caller can make it.
    transitions: Vec<Outlook>,
    /// The past transitions, newest first.
    data: Vec<TransitionRecord>,
    /// The cursor of the next page of past transitions; `null` on the last page.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<crate::http::page::Cursor>"))]
    next_cursor: Option<String>,
}

impl Listing for Transitions {
    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}

/// A transition from the current status.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Outlook {
    /// The new status.
    to: ProjectStatus,
    /// Whether the caller could make the transition now, with a comment or a revision where one is required.
    allowed: bool,
    /// The `code` of the problem that the caller would get; `null` if the transition is allowed.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<crate::http::problem::Code>"))]
    refusal: Option<&'static str>,
    /// The lowest role that may make the transition.
    required_role: Role,
    /// The other conditions.
    guards: &'static [Guard],
}

pub(crate) async fn transitions(
    scope: TenantScope,
    id: ProjectId,
    Query(page): Query<PageQuery>,
) -> Result<List<Transitions>> {
    let TransitionHistory { facts, history } =
        scope.transitions().history(id, page.limit, page.cursor).await?;
    let transitions = workflow::from(facts.status)
        .map(|line| {
            let refusal = workflow::decide(line.to, &facts).err().map(|problem| problem.code.as_str());
            Outlook {
                to: line.to,
                allowed: refusal.is_none(),
                refusal,
                required_role: line.required_role,
                guards: line.guards,
            }
        })
        .collect();
    Ok(List(Transitions {
        status: facts.status,
        transitions,
        data: history.data,
        next_cursor: history.next_cursor,
    }))
}
