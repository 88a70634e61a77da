//! Projects, and moving them through the workflow.

use serde::Serialize;

use crate::{
    cursor::{CountedPage, Listing},
    dispatch::TenantScope,
    endpoint::{Body, Query},
    handlers::PageQuery,
    problem::Result,
    reply::{Created, List, NoContent, Transitioned, Versioned},
    repository::projects::{Journey, Move, Moved, NewProject, Project, ProjectPatch, ProjectQuery, Projects},
    values::{ProjectId, ProjectStatus, Role},
    workflow::{self, Guard},
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
    Body(request): Body<Move>,
) -> Result<Transitioned<Project>> {
    scope.projects().transition(id, request).await.map(Transitioned)
}

/// Where a project has been and where it can go.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Transitions {
    /// The status that the project has.
    status: ProjectStatus,
    /// The transitions from there, each with what keeps the caller from it.
    transitions: Vec<Outlook>,
    /// The moves so far, newest first.
    data: Vec<Moved>,
    /// Where the next page of moves starts; `null` on the last one.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<crate::cursor::Cursor>"))]
    next_cursor: Option<String>,
}

impl Listing for Transitions {
    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }
}

/// A transition that the workflow has from the present status.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Outlook {
    /// The status that the project would get.
    to: ProjectStatus,
    /// Whether the caller could do it now, giving a comment where one is needed.
    allowed: bool,
    /// Why not: the `code` of the problem that they would get.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<crate::problem::Code>"))]
    refusal: Option<&'static str>,
    /// The least role that may do it.
    required_role: Role,
    /// What must hold besides.
    guards: &'static [Guard],
}

pub(crate) async fn transitions(
    scope: TenantScope,
    id: ProjectId,
    Query(page): Query<PageQuery>,
) -> Result<List<Transitions>> {
    let Journey { facts, history } = scope.projects().journey(id, page.limit, page.cursor).await?;
    let transitions = workflow::from(facts.status)
        .map(|line| {
            let refusal = workflow::transition(line.to, &facts).err().map(|problem| problem.code.as_str());
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
