//! A task as clients see it, and the inputs about it.

use serde::Serialize;

use crate::{
    http::{
        conditional::{Resource, Version},
        page::{Cursor, PageSize},
    },
    kernel::{
        decode::{Clearable, Patch, input},
        sql::rows::{DecodeError, FromRow, Row, take},
        time::{Date, Timestamp},
        values::{
            Description, Name, ProjectId, TaskId, TaskTitle, UserId,
            enumerations::{Assignee, AssigneeFilter, Priority, TaskInclude, TaskOrder, TaskStatus},
            several::Several,
        },
        words::Search,
    },
    repository::included::{NamedPerson, NamedProject, TaskIncluded, TaskNames, With},
};

/// A task.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Task {
    /// The id of the task.
    pub id: TaskId,
    /// The project of the task. It never changes.
    pub project_id: ProjectId,
    /// The title of the task, in one line.
    pub title: TaskTitle,
    /// The description of the task; may be empty.
    pub description: Description,
    /// The status of the task.
    pub status: TaskStatus,
    /// The priority of the task.
    pub priority: Priority,
    /// The user who is to do the task; `null` if nobody is.
    pub assignee_id: Option<UserId>,
    /// The due date; `null` if the task has none.
    pub due_on: Option<Date>,
    /// The user who created the task; `null` if unknown.
    pub created_by: Option<UserId>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The version number; each change increases it.
    pub version: i64,
    /// The related resources that `include` asked for; absent without it.
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
    /// The task with the included resources: a bit for each.
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

input! {
    /// A new task.
    pub struct NewTask {
        /// The title of the task, in one line.
        pub title: TaskTitle,
        /// The description of the task.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "")))]
        pub description: Option<Description>,
        /// The status of the task; `todo` if absent.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "todo")))]
        pub status: Option<TaskStatus>,
        /// The priority of the task; `normal` if absent.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "normal")))]
        pub priority: Option<Priority>,
        /// The user who is to do the task, an active member of the tenant.
        pub assignee_id: Option<UserId>,
        /// The due date.
        pub due_on: Option<Date>,
    }

    /// The changes of a task. Absent fields stay as they are.
    pub struct TaskPatch {
        /// The title of the task, in one line.
        pub title: Patch<TaskTitle>,
        /// The description of the task.
        pub description: Patch<Description>,
        /// The status of the task.
        pub status: Patch<TaskStatus>,
        /// The priority of the task.
        pub priority: Patch<Priority>,
        /// The user who is to do the task, an active member of the tenant.
        pub assignee_id: Clearable<UserId>,
        /// The due date.
        pub due_on: Clearable<Date>,
    }

    /// The filters, the order and the page of the tasks.
    pub struct TaskQuery {
        /// Only tasks with one of these statuses: `todo,blocked`.
        pub status: Option<Several<TaskStatus>>,
        /// Only tasks with one of these priorities: `high,urgent`.
        pub priority: Option<Several<Priority>>,
        /// Only tasks of this assignee: the id of a user, `me`, or `none` for tasks without an assignee.
        pub assignee_id: Option<AssigneeFilter>,
        /// The same as `me` or `none` in `assignee_id`.
        pub assignee: Option<Assignee>,
        /// Only tasks due on a day after this one.
        pub due_after: Option<Date>,
        /// Only tasks due on a day before this one.
        pub due_before: Option<Date>,
        /// Only tasks with these words in their title or description.
        pub q: Option<Search>,
        /// The order of the list; `created_at` if absent.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "created_at")))]
        pub order: Option<TaskOrder>,
        /// The maximum number of items on the page.
        pub limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub cursor: Option<Cursor>,
        /// Whether the page says in `total` how many items all pages have together.
        pub count: Option<bool>,
        /// The related resources to include with each task: `assignee,project`.
        pub include: Option<Several<TaskInclude>>,
    }

    /// The options for reading a task.
    pub struct TaskReading {
        /// The related resources to include: `assignee,project`.
        pub include: Option<Several<TaskInclude>>,
    }
}
