//! A task as clients see it, and what they send of one.

use serde::Serialize;

use crate::{
    conditional::{Placed, Resource, Version},
    cursor::{Cursor, PageSize},
    input::{Clearable, Patch, input},
    repository::included::{NamedPerson, NamedProject, TaskIncluded, TaskNames, With},
    search::Search,
    sql::{DecodeError, FromRow, Row, take},
    time::{Date, Timestamp},
    values::{
        Assignee, AssigneeFilter, Description, Name, Priority, ProjectId, Several, TaskId, TaskInclude,
        TaskOrder, TaskStatus, TaskTitle, UserId,
    },
};

/// A task.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The project that it belongs to, for good.
    pub project_id: ProjectId,
    /// What is to be done, in a line.
    pub title: TaskTitle,
    /// More about it; may be empty.
    pub description: Description,
    /// Where it stands.
    pub status: TaskStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// Who is to do it.
    pub assignee_id: Option<UserId>,
    /// The day by which it is to be done.
    pub due_on: Option<Date>,
    /// Who created it.
    pub created_by: Option<UserId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub version: i64,
    /// What it has the ids of; only there with `include`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "TaskIncluded", extend("x-optional" = true)))]
    pub included: Option<TaskIncluded>,
}

impl FromRow for Task {
    #[inline(never)]
    fn from_row(row: Row) -> Result<Self, DecodeError> {
        let mut cells = row.into_iter();
        Ok(Self {
            id: take(&mut cells)?,
            project_id: take(&mut cells)?,
            title: take(&mut cells)?,
            description: take(&mut cells)?,
            status: take(&mut cells)?,
            priority: take(&mut cells)?,
            assignee_id: take(&mut cells)?,
            due_on: take(&mut cells)?,
            created_by: take(&mut cells)?,
            created_at: take(&mut cells)?,
            updated_at: take(&mut cells)?,
            version: take(&mut cells)?,
            included: None,
        })
    }
}

impl With<Task, TaskNames> {
    /// The task with what was asked for: a bit for each.
    pub(super) fn asked(self, include: i64) -> Task {
        let Self(task, names) = self;
        if include == 0 {
            return task;
        }
        let has = |what: TaskInclude| include & (1 << what as i64) != 0;
        let person = |id: Option<UserId>, name: Option<Name>| Some(NamedPerson { id: id?, name: name? });
        let project = names.project.zip(names.project_status);
        let included = TaskIncluded {
            assignee: has(TaskInclude::Assignee).then(|| person(task.assignee_id, names.assignee)),
            created_by: has(TaskInclude::CreatedBy).then(|| person(task.created_by, names.created_by)),
            project: project.map(|(name, status)| NamedProject { id: task.project_id, name, status }),
        };
        Task { included: Some(included), ..task }
    }
}

impl Resource for Task {
    fn version(&self) -> Option<Version> {
        Some(Version { id: self.id.0, number: self.version })
    }
}

impl Placed for Task {
    fn location(&self) -> String {
        format!("/v1/tasks/{}", self.id)
    }
}

input! {
    /// What it takes to create a task.
    pub struct NewTask {
        /// What is to be done, in a line.
        pub title: TaskTitle,
        /// More about it.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "")))]
        pub description: Option<Description>,
        /// Where it stands; `todo` if absent.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "todo")))]
        pub status: Option<TaskStatus>,
        /// How urgent it is; `normal` if absent.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "normal")))]
        pub priority: Option<Priority>,
        /// Who is to do it: an active member.
        pub assignee_id: Option<UserId>,
        /// The day by which it is to be done.
        pub due_on: Option<Date>,
    }

    /// What can be changed of a task; what is absent stays as it is.
    pub struct TaskPatch {
        /// What is to be done, in a line.
        pub title: Patch<TaskTitle>,
        /// More about it.
        pub description: Patch<Description>,
        /// Where it stands.
        pub status: Patch<TaskStatus>,
        /// How urgent it is.
        pub priority: Patch<Priority>,
        /// Who is to do it: an active member.
        pub assignee_id: Clearable<UserId>,
        /// The day by which it is to be done.
        pub due_on: Clearable<Date>,
    }

    /// Which tasks, in which order, and how many of them.
    pub struct TaskQuery {
        /// Only those that have one of these statuses: `todo,blocked`.
        pub status: Option<Several<TaskStatus>>,
        /// Only those that have one of these priorities: `high,urgent`.
        pub priority: Option<Several<Priority>>,
        /// Only those that this user is to do: an id, `me` or `none`.
        pub assignee_id: Option<AssigneeFilter>,
        /// The same as `me` or `none` in `assignee_id`.
        pub assignee: Option<Assignee>,
        /// Only those that are to be done on a day after this one.
        pub due_after: Option<Date>,
        /// Only those that are to be done on a day before this one.
        pub due_before: Option<Date>,
        /// Only those with these words in their title or description.
        pub q: Option<Search>,
        /// In which order; `created_at` if absent.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "created_at")))]
        pub order: Option<TaskOrder>,
        /// Items on a page.
        pub limit: Option<PageSize>,
        /// The `next_cursor` of the page before.
        pub cursor: Option<Cursor>,
        /// Whether the page says in `total` how many items there are.
        pub count: Option<bool>,
        /// What is told of each task besides: `assignee,project`.
        pub include: Option<Several<TaskInclude>>,
    }

    /// How a task is read.
    pub struct TaskReading {
        /// What is told of the task besides: `assignee,project`.
        pub include: Option<Several<TaskInclude>>,
    }
}
