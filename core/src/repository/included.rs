//! Included resources of a task or a comment: the resources whose ids it contains, so that a client need not ask for
//! each. They are read in the statement that reads the task or the comment.

use serde::Serialize;

use crate::kernel::{
    sql::rows::{DecodeError, FromRow, Row, record},
    values::{Name, ProjectId, ProjectName, UserId, enumerations::ProjectStatus},
};

/// The columns of the resources that a parameter includes in a task, a bit for each: those not asked for cost nothing.
macro_rules! included_in_tasks {
    ($bits:literal) => {
        concat!(
            ", CASE WHEN (", $bits, " & 1) <> 0 THEN (SELECT a.name FROM users a WHERE a.id = tasks.assignee_id) END AS assignee_name, \
             CASE WHEN (", $bits, " & 2) <> 0 THEN (SELECT c.name FROM users c WHERE c.id = tasks.created_by) END AS creator_name, \
             CASE WHEN (", $bits, " & 4) <> 0 THEN (SELECT p.name FROM projects p \
             WHERE p.tenant_id = ?1 AND p.id = tasks.project_id AND p.version > 0) END AS project_name, \
             CASE WHEN (", $bits, " & 4) <> 0 THEN (SELECT q.status FROM projects q \
             WHERE q.tenant_id = ?1 AND q.id = tasks.project_id AND q.version > 0) END AS project_status"
        )
    };
}
pub(crate) use included_in_tasks;

/// A person by name.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NamedPerson {
    /// The id of the user.
    pub id: UserId,
    /// The user's name.
    pub name: Name,
}

/// A project by name.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NamedProject {
    /// The id of the project.
    pub id: ProjectId,
    /// The name of the project.
    pub name: ProjectName,
    /// The status in the workflow.
    pub status: ProjectStatus,
}

/// The resources that were requested with a task.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TaskIncluded {
    /// The assignee; `null` if the task has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<Option<NamedPerson>>,
    /// The user who created the task; `null` if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<Option<NamedPerson>>,
    /// The project of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "NamedProject", extend("x-optional" = true)))]
    pub project: Option<NamedProject>,
}

/// The resources that were requested with a comment.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CommentIncluded {
    /// The user who wrote the comment.
    pub author: NamedPerson,
}

record! {
    /// The included columns beside a task, as far as they were asked for.
    pub(super) struct TaskNames {
        pub(super) assignee: Option<Name>,
        pub(super) created_by: Option<Name>,
        pub(super) project: Option<ProjectName>,
        pub(super) project_status: Option<ProjectStatus>,
    }
}

/// The first columns of a row, and the included ones.
pub(super) struct With<T, N>(pub(super) T, pub(super) N);

impl FromRow for With<crate::repository::tasks::task::Task, TaskNames> {
    fn from_row(mut row: Row) -> Result<Self, DecodeError> {
        let names = TaskNames::from_row(row.split_off(row.len().saturating_sub(4)))?;
        Ok(Self(FromRow::from_row(row)?, names))
    }
}

impl FromRow for With<crate::repository::comments::Comment, Option<Name>> {
    fn from_row(mut row: Row) -> Result<Self, DecodeError> {
        let name = FromRow::from_row(row.split_off(row.len().saturating_sub(1)))?;
        Ok(Self(FromRow::from_row(row)?, name))
    }
}
