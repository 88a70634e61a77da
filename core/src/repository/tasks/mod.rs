//! The tasks of projects.

pub mod bulk;
#[cfg(feature = "openapi")]
mod bulk_schema;
pub(crate) mod lists;
pub(crate) mod task;

use std::future::Future;

use serde_json::{Map, Value as Json, json};

pub use crate::repository::tasks::task::{NewTask, Task, TaskPatch, TaskQuery, TaskReading};
use crate::{
    access::batch::{Batch, Slot},
    domain::{notice::Notice, workflow},
    http::{
        page::CountedPage,
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Clearable, Fault, FaultCode, Patch},
        json,
        sql::{Value, statements},
        time::Timestamp,
        values::{
            ProjectId, TaskId, UserId,
            enumerations::{Priority, TaskInclude, TaskStatus},
            several::Several,
        },
        words::index,
    },
    repository::{
        Repository,
        activity::Event,
        audience::{Audience, AudienceQuery},
        comments,
        included::{TaskNames, With, included_in_tasks},
        members, quotas, repeat,
        tasks::bulk::{TaskOperation, TaskOutcomes},
    },
};

const COLUMNS: &str = "id, project_id, title, description, status, priority, assignee_id, due_on, created_by, \
     created_at, updated_at, version";

/// A new task, up to the values of its columns: one task and many have the same.
const INTO: &str = "INSERT INTO tasks (tenant_id, id, project_id, title, description, status, priority, assignee_id, \
     due_on, created_by, created_at, updated_at, version, title_words, description_words, indexed) SELECT p.tenant_id, ";
/// `p` is the project (between the first two), and it admits a new task of this status (between the last two).
const ADMITTING: [&str; 3] = [
    " WHERE p.tenant_id = ?1 AND p.id = ",
    " AND p.status <> 'archived' AND (p.status <> 'completed' OR ",
    " = 'done') AND p.version > 0",
];

/// The task's project is not archived. (Every project has a version: the condition keeps Postgres from the index that
/// has all other columns, by status, in which it would go through all projects of the tenant to find one.)
const OPEN: &str = " AND EXISTS (SELECT 1 FROM projects p \
     WHERE p.tenant_id = ?1 AND p.id = tasks.project_id AND p.status <> 'archived' AND p.version > 0)";
/// The same; and if the project is completed, a done task gets no other status (between these) than that.
const OPEN_TO: [&str; 2] = [
    " AND EXISTS (SELECT 1 FROM projects p WHERE p.tenant_id = ?1 AND p.id = tasks.project_id AND p.status <> 'archived' \
     AND (p.status <> 'completed' OR tasks.status <> 'done' OR COALESCE(",
    ", 'done') = 'done') AND p.version > 0)",
];

statements! { "tasks";
    tenant BY_ID = "SELECT ", COLUMNS, " FROM tasks WHERE tenant_id = ?1 AND id = ?2";

    /// With the included resources.
    tenant READ = "SELECT ", COLUMNS, included_in_tasks!("?3"), " FROM tasks WHERE tenant_id = ?1 AND id = ?2";

    /// The status of the project, if it exists.
    tenant PROJECT = "SELECT status FROM projects WHERE tenant_id = ?1 AND id = ?2 AND version > 0";

    tenant INSERT = INTO, "?3, p.id, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, 1, ?12, ?13, 2 FROM projects p",
         ADMITTING[0], "?2", ADMITTING[1], "?6", ADMITTING[2];

    /// Unless the task is the same already: a change of nothing writes nothing.
    tenant UPDATE = "UPDATE tasks SET title = COALESCE(?3, title), description = COALESCE(?4, description), \
         status = COALESCE(?5, status), priority = COALESCE(?6, priority), \
         assignee_id = CASE WHEN ?7 = 1 THEN ?8 ELSE assignee_id END, \
         due_on = CASE WHEN ?9 = 1 THEN ?10 ELSE due_on END, updated_at = ?11, version = version + 1, \
         title_words = COALESCE(?13, title_words), description_words = COALESCE(?14, description_words) \
         WHERE tenant_id = ?1 AND id = ?2 AND version = COALESCE(?12, version) AND (title <> COALESCE(?3, title) \
         OR description <> COALESCE(?4, description) OR status <> COALESCE(?5, status) OR priority <> COALESCE(?6, priority) \
         OR (?7 = 1 AND assignee_id IS DISTINCT FROM ?8) OR (?9 = 1 AND due_on IS DISTINCT FROM ?10))",
         OPEN_TO[0], "?5", OPEN_TO[1], " RETURNING ", COLUMNS;

    /// A row unless the task has another version.
    tenant UNCHANGED = "SELECT 1 AS ok WHERE NOT EXISTS \
         (SELECT 1 FROM tasks WHERE tenant_id = ?1 AND id = ?2 AND CASE WHEN version IN (?3, ?4, ?5) THEN 1 ELSE 0 END <> ?6)";

    tenant DELETE = "DELETE FROM tasks WHERE tenant_id = ?1 AND id = ?2", OPEN;
}

/// The tasks of a tenant.
pub trait Tasks {
    /// The tasks of a project, or of all projects.
    fn list(
        &self,
        project: Option<ProjectId>,
        query: TaskQuery,
    ) -> impl Future<Output = Result<CountedPage<Task>>> + Send;

    /// Creates a task in a project that is not archived.
    fn create(&self, project: ProjectId, new: NewTask) -> impl Future<Output = Result<Task>> + Send;

    /// A task.
    fn get(&self, id: TaskId) -> impl Future<Output = Result<Task>> + Send;

    /// A task, with the resources to include.
    fn read(
        &self,
        id: TaskId,
        include: Option<Several<TaskInclude>>,
    ) -> impl Future<Output = Result<Task>> + Send;

    /// Changes a task whose project is not archived.
    fn update(&self, id: TaskId, patch: TaskPatch) -> impl Future<Output = Result<Task>> + Send;

    /// Deletes a task whose project is not archived, and its comments.
    fn delete(&self, id: TaskId) -> impl Future<Output = Result<()>> + Send;

    /// Creates, changes and deletes tasks of a project that is not archived: either all of it, or nothing.
    fn apply(
        &self,
        project: ProjectId,
        operations: Vec<TaskOperation>,
    ) -> impl Future<Output = Result<TaskOutcomes>> + Send;
}

fn event(action: &'static str, id: TaskId, detail: Json) -> Event {
    Event::new(action, "task", id.0, detail)
}

/// The entry of the activity log about a new task.
fn created(task: &Task) -> Event {
    let detail = json::object(vec![
        ("project_id", task.project_id.into()),
        ("title", task.title.clone().into()),
        ("assignee_id", task.assignee_id.into()),
    ]);
    event("task.created", task.id, detail)
}

/// The fault of an assignee outside the tenant, whether they belong to another one or to none.
fn not_assignable() -> Fault {
    Fault::new(FaultCode::NotAllowed, "Expected an active member of the tenant.").within("assignee_id")
}

impl NewTask {
    /// The new task.
    fn into_task(self, id: TaskId, project_id: ProjectId, creator: UserId, now: Timestamp) -> Task {
        Task {
            id,
            project_id,
            title: self.title,
            description: self.description.unwrap_or_default(),
            status: self.status.unwrap_or(TaskStatus::Todo),
            priority: self.priority.unwrap_or(Priority::Normal),
            assignee_id: self.assignee_id,
            due_on: self.due_on,
            created_by: Some(creator),
            created_at: now,
            updated_at: now,
            version: 1,
            included: None,
        }
    }
}

impl TaskPatch {
    /// The part of the patch that differs from the task.
    fn but(self, before: &Task) -> Self {
        Self {
            title: Patch(self.title.0.filter(|title| *title != before.title)),
            description: Patch(self.description.0.filter(|text| *text != before.description)),
            status: Patch(self.status.0.filter(|status| *status != before.status)),
            priority: Patch(self.priority.0.filter(|priority| *priority != before.priority)),
            assignee_id: Clearable(self.assignee_id.0.filter(|assignee| *assignee != before.assignee_id)),
            due_on: Clearable(self.due_on.0.filter(|day| *day != before.due_on)),
        }
    }

    /// Whether it opens a task that is done.
    fn opens(&self, before: &Task) -> bool {
        before.status == TaskStatus::Done && self.status.0.is_some_and(|status| status != TaskStatus::Done)
    }

    /// The task after the patch.
    fn applied_to(self, before: &Task, now: Timestamp) -> Task {
        let before = before.clone();
        Task {
            title: self.title.0.unwrap_or(before.title),
            description: self.description.0.unwrap_or(before.description),
            status: self.status.0.unwrap_or(before.status),
            priority: self.priority.0.unwrap_or(before.priority),
            assignee_id: self.assignee_id.0.unwrap_or(before.assignee_id),
            due_on: self.due_on.0.unwrap_or(before.due_on),
            updated_at: now,
            version: before.version + 1,
            ..before
        }
    }
}

impl Repository<'_> {
    /// The problem of a write to a task or to a part of it that was refused with `problem`: that there is no such task,
    /// that its project is archived, or else `problem` itself.
    pub(super) async fn task_unwritable(self, id: TaskId, problem: Box<Problem>) -> Result<Box<Problem>> {
        let mut batch = self.scope.batch();
        let subject = comments::ask_subject(&mut batch, id);
        let (_, mut outcome) = self.scope.read(batch).await?;
        match outcome.optional(subject)? {
            None => Ok(Problem::new(Code::NotFound)),
            Some(subject) => Ok(subject.writable().err().unwrap_or(problem)),
        }
    }

    /// The task, if the change would change nothing, or the problem of the change.
    async fn as_it_is(self, id: TaskId, patch: TaskPatch, problem: Box<Problem>) -> Result<Task> {
        let mut batch = self.scope.batch();
        let subject = comments::ask_subject(&mut batch, id);
        let task = batch.add::<Task, _>(&BY_ID, [id.into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let (Some(task), Some(subject)) = (outcome.optional(task)?, outcome.optional(subject)?) else {
            return Err(Problem::new(Code::NotFound));
        };
        workflow::admits(subject.project_status, patch.opens(&task))?;
        if changes(&patch.but(&task)).is_none() { self.scope.matched(task) } else { Err(problem) }
    }

    /// Changes a task; if that notifies somebody, provided that the task is still as it was when that was decided.
    async fn try_update(self, id: TaskId, patch: TaskPatch, detail: Json) -> Result<Task> {
        let TaskPatch {
            title: Patch(title),
            description: Patch(description),
            status: Patch(status),
            priority: Patch(priority),
            assignee_id: assignee,
            due_on,
        } = patch.clone();
        let new_assignee = assignee.0.flatten();
        // A member who is the assignee already gets no second notification.
        let recipients = match new_assignee {
            None => None,
            Some(new) => {
                let mut batch = self.scope.batch();
                let task = batch.add::<Task, _>(&BY_ID, [id.into()]);
                let audience = AudienceQuery::ask(&mut batch, self.scope.user(), &Audience::Member(new));
                let (membership, mut outcome) = self.scope.read(batch).await?;
                let task = outcome.optional(task)?.ok_or_else(|| Problem::new(Code::NotFound))?;
                let recipients = audience.take(&mut outcome)?;
                (task.assignee_id != Some(new)).then_some((recipients, membership.name, task))
            }
        };
        let decided_on = recipients.as_ref().map(|(_, _, before)| before.version);
        let now = self.scope.services().now();
        let [assigns, assignee] = assignee.arguments();
        let [dates, due_on] = due_on.arguments();
        let mut batch = self.scope.batch();
        let arguments = [
            id.into(),
            title.clone().into(),
            description.clone().into(),
            status.into(),
            priority.into(),
            assigns,
            assignee,
            dates,
            due_on,
            now.into(),
            decided_on.into(),
            title.as_ref().map_or(Value::Text(None), |title| index(title.as_str())),
            description.as_ref().map_or(Value::Text(None), |text| index(text.as_str())),
        ];
        self.scope.require_match(&mut batch, &UNCHANGED, id.0);
        Self::require_assignee(&mut batch, new_assignee);
        let changed = batch.require::<Task, _>(&UPDATE, arguments, Problem::new(Code::Conflict));
        if title.is_some() || description.is_some() {
            quotas::require_room(&mut batch);
        }
        self.record(&mut batch, event("task.updated", id, detail))?;
        if let Some((recipients, actor, before)) = &recipients {
            let title = title.as_ref().unwrap_or(&before.title);
            let description = description.as_ref().unwrap_or(&before.description);
            let notice = Notice::assigned(actor.as_str(), id, title.as_str(), description.as_str());
            self.notify(&mut batch, recipients, &notice)?;
        }
        match self.scope.commit(batch, None).await {
            Ok(mut outcome) => outcome.one(changed),
            Err(problem) if problem.code == Code::Conflict => self.as_it_is(id, patch, problem).await,
            Err(problem) => Err(problem),
        }
    }

    /// Makes the batch fail unless the assignee is an active member. It goes in front of the change: a foreign key
    /// would refuse it, too, but without an explanation.
    fn require_assignee(batch: &mut Batch<'_>, assignee: Option<UserId>) {
        if let Some(assignee) = assignee {
            let otherwise = Problem::faults(Code::ValidationFailed, vec![not_assignable()]);
            let _: Slot<UserId> = batch.require(&members::IS_ACTIVE, [assignee.into()], otherwise);
        }
    }
}

impl Tasks for Repository<'_> {
    async fn list(&self, project: Option<ProjectId>, query: TaskQuery) -> Result<CountedPage<Task>> {
        self.list_tasks(project, query).await
    }

    async fn create(&self, project: ProjectId, new: NewTask) -> Result<Task> {
        let (services, user) = (self.scope.services(), self.scope.user());
        let recipients = match new.assignee_id {
            None => None,
            Some(assignee) => {
                let mut batch = self.scope.batch();
                let audience = AudienceQuery::ask(&mut batch, user, &Audience::Member(assignee));
                let (membership, mut outcome) = self.scope.read(batch).await?;
                Some((audience.take(&mut outcome)?, membership.name))
            }
        };
        let task = new.into_task(TaskId(services.new_id()?), project, user, services.now());
        let mut batch = self.scope.batch();
        let arguments = [
            project.into(),
            task.id.into(),
            task.title.clone().into(),
            task.description.clone().into(),
            task.status.into(),
            task.priority.into(),
            task.assignee_id.into(),
            task.due_on.into(),
            user.into(),
            task.created_at.into(),
            index(task.title.as_str()),
            index(task.description.as_str()),
        ];
        Self::require_assignee(&mut batch, task.assignee_id);
        let _: Slot<()> = batch.require(&INSERT, arguments, Problem::new(Code::ProjectArchived));
        quotas::require_room(&mut batch);
        self.record(&mut batch, created(&task))?;
        if let Some((recipients, actor)) = &recipients {
            let (title, description) = (task.title.as_str(), task.description.as_str());
            self.notify(
                &mut batch,
                recipients,
                &Notice::assigned(actor.as_str(), task.id, title, description),
            )?;
        }
        self.scope.store_answer(&mut batch, &task)?;
        match self.scope.commit(batch, None).await {
            Ok(_) => Ok(task),
            Err(problem) if problem.code == Code::ProjectArchived => {
                Err(self.closed_or_missing(project, task.status != TaskStatus::Done).await?)
            }
            Err(problem) => Err(problem),
        }
    }

    async fn get(&self, id: TaskId) -> Result<Task> {
        let mut batch = self.scope.batch();
        let task = batch.add::<Task, _>(&BY_ID, [id.into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        outcome.optional(task)?.ok_or_else(|| Problem::new(Code::NotFound))
    }

    async fn read(&self, id: TaskId, include: Option<Several<TaskInclude>>) -> Result<Task> {
        let include = Several::chosen(include);
        let mut batch = self.scope.batch();
        let task = batch.add::<With<Task, TaskNames>, _>(&READ, [id.into(), include.into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let task = outcome.optional(task)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        Ok(task.asked(include))
    }

    async fn update(&self, id: TaskId, patch: TaskPatch) -> Result<Task> {
        let Some(detail) = changes(&patch) else {
            return self.scope.matched(self.get(id).await?);
        };
        repeat(|| self.try_update(id, patch.clone(), detail.clone())).await
    }

    async fn delete(&self, id: TaskId) -> Result<()> {
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &UNCHANGED, id.0);
        let _: Slot<()> = batch.require(&DELETE, [id.into()], Problem::new(Code::Conflict));
        self.record(&mut batch, event("task.deleted", id, json!({})))?;
        match self.scope.commit(batch, None).await {
            Err(problem) if problem.code == Code::Conflict => Err(self.task_unwritable(id, problem).await?),
            outcome => outcome.map(drop),
        }
    }

    async fn apply(&self, project: ProjectId, operations: Vec<TaskOperation>) -> Result<TaskOutcomes> {
        repeat(|| self.try_apply(project, &operations)).await
    }
}

/// The changes of a patch, for the activity log; `None` if there are none.
fn changes(patch: &TaskPatch) -> Option<Json> {
    let mut detail = Map::new();
    let mut note = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            detail.insert(name.to_owned(), value);
        }
    };
    note("title", patch.title.0.clone().map(Json::from));
    // The log notes only the change; the text itself may be long.
    note("description", patch.description.0.as_ref().map(|_| Json::Bool(true)));
    note("status", patch.status.0.map(Json::from));
    note("priority", patch.priority.0.map(Json::from));
    note("assignee_id", patch.assignee_id.0.map(Json::from));
    note("due_on", patch.due_on.0.map(|day| day.map(|day| day.to_string()).into()));
    (!detail.is_empty()).then_some(Json::Object(detail))
}
