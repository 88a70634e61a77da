//! Many tasks of a project at once: created, changed and deleted together, or not at all. The cost does not grow with
//! their number: each statement is about all of them.

use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    access::batch::Slot,
    domain::{notice::Notice, workflow},
    http::problem::{Code, Problem, Result},
    kernel::{
        decode::{Fault, FaultCode, Input, Items, Object, input},
        json, limits,
        sql::{items, statements},
        time::Timestamp,
        values::{
            ProjectId, TaskId, UserId,
            enumerations::{ProjectStatus, TaskStatus, wire_enum},
        },
        words::words,
    },
    repository::{
        Repository,
        activity::Event,
        audience::{Audience, AudienceQuery, Recipients},
        members, quotas,
        tasks::{
            ADMITTING, COLUMNS, INTO, OPEN, OPEN_TO, PROJECT, changes, created, event, not_assignable,
            task::{NewTask, Task, TaskPatch},
        },
    },
};

items!(TASKS, TASKS_POSTGRES: "?2", id uuid);
items!(NEW, NEW_POSTGRES: "?2", id uuid, title text, description text, status text, priority text, assignee_id uuid, due_on date,
    title_words text, description_words text);
items!(PATCHES, PATCHES_POSTGRES: "?2", task uuid, new_title text, new_description text, new_status text, new_priority text,
    assigns bigint, new_assignee uuid, dates bigint, new_due_on date, decided_on bigint, new_title_words text,
    new_description_words text);
// The ids of the tasks: SQLite finds the tasks by them, lest it look through all tasks of the project.
items!(CHANGED, CHANGED_POSTGRES: "?2", task uuid);

const SELECT: &str = "SELECT ";
/// In a form that no index has: Postgres would rather look through all tasks of the project than find a few by their ids.
const OF_PROJECT: &str = " FROM tasks WHERE tenant_id = ?1 AND project_id = COALESCE(?3, project_id) AND id";

const OF_ITEMS: &str = "i.id, p.id, i.title, i.description, i.status, i.priority, i.assignee_id, i.due_on, ?4, ?5, ?5, \
     1, i.title_words, i.description_words, 2 FROM projects p, ";

const UPDATE: &str = "UPDATE tasks SET title = COALESCE(i.new_title, title), \
     description = COALESCE(i.new_description, description), status = COALESCE(i.new_status, status), \
     priority = COALESCE(i.new_priority, priority), \
     assignee_id = CASE WHEN i.assigns = 1 THEN i.new_assignee ELSE assignee_id END, \
     due_on = CASE WHEN i.dates = 1 THEN i.new_due_on ELSE due_on END, updated_at = ?4, version = version + 1, \
     title_words = COALESCE(i.new_title_words, title_words), \
     description_words = COALESCE(i.new_description_words, description_words) FROM ";
const PATCHED: &str = " WHERE tasks.tenant_id = ?1 AND tasks.project_id = COALESCE(?3, tasks.project_id) AND tasks.id = i.task \
     AND tasks.version = i.decided_on AND tasks.id";

statements! { "bulk";
    tenant BY_IDS = SELECT, COLUMNS, OF_PROJECT, " IN (SELECT i.id FROM ", TASKS, ")"
        => SELECT, COLUMNS, OF_PROJECT, crate::kernel::sql::AMONG_POSTGRES[0], "id FROM ", TASKS_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1];

    tenant INSERT_EACH = INTO, OF_ITEMS, NEW, ADMITTING[0], "?3", ADMITTING[1], "i.status", ADMITTING[2]
        => INTO, OF_ITEMS, NEW_POSTGRES, ADMITTING[0], "?3", ADMITTING[1], "i.status", ADMITTING[2];

    tenant UPDATE_EACH = UPDATE, PATCHES, PATCHED, " IN (SELECT i.task FROM ", CHANGED, ")", OPEN_TO[0], "i.new_status", OPEN_TO[1]
        => UPDATE, PATCHES_POSTGRES, PATCHED, crate::kernel::sql::AMONG_POSTGRES[0], "task FROM ", CHANGED_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1], OPEN_TO[0], "i.new_status", OPEN_TO[1];

    tenant DELETE_EACH = "DELETE", OF_PROJECT, " IN (SELECT i.id FROM ", TASKS, ")", OPEN
        => "DELETE", OF_PROJECT, crate::kernel::sql::AMONG_POSTGRES[0], "id FROM ", TASKS_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1], OPEN;
}

wire_enum! {
    /// The kind of an operation on a task.
    TaskOperationKind {
        /// The task is created.
        Create = "create",
        /// The task is changed.
        Update = "update",
        /// The task is deleted.
        Delete = "delete",
    }
}

/// An operation on a task.
#[derive(Clone, Debug)]
pub enum TaskOperation {
    /// Create one.
    Create(NewTask),
    /// Change one.
    Update(TaskId, TaskPatch),
    /// Delete one.
    Delete(TaskId),
}

impl TaskOperation {
    /// The existing task, if there is one.
    const fn id(&self) -> Option<TaskId> {
        match self {
            Self::Create(_) => None,
            Self::Update(id, _) | Self::Delete(id) => Some(*id),
        }
    }

    /// Whether it creates an open task, or opens one of these.
    fn opens(&self, tasks: &[Task]) -> bool {
        match self {
            Self::Create(new) => new.status != Some(TaskStatus::Done),
            Self::Update(id, patch) => {
                let before = tasks.iter().find(|task| task.id == *id);
                before.is_some_and(|before| patch.opens(before))
            }
            Self::Delete(_) => false,
        }
    }

    /// The assignee that it sets.
    const fn assignee(&self) -> Option<UserId> {
        match self {
            Self::Create(new) => new.assignee_id,
            Self::Update(_, patch) => match patch.assignee_id.0 {
                Some(assignee) => assignee,
                None => None,
            },
            Self::Delete(_) => None,
        }
    }
}

impl Input for TaskOperation {
    fn decode(mut object: Object) -> Result<Self, Vec<Fault>> {
        match object.take("op") {
            // The other members mean nothing without it.
            None => Err(object.into_noted()),
            Some(TaskOperationKind::Create) => NewTask::decode(object).map(Self::Create),
            Some(TaskOperationKind::Update) => match (object.take("id"), TaskPatch::decode(object)) {
                (Some(id), Ok(patch)) => Ok(Self::Update(id, patch)),
                (_, outcome) => Err(outcome.err().unwrap_or_default()),
            },
            Some(TaskOperationKind::Delete) => match (object.take("id"), object.into_faults()) {
                (Some(id), faults) if faults.is_empty() => Ok(Self::Delete(id)),
                (_, faults) => Err(faults),
            },
        }
    }

    #[cfg(feature = "openapi")]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        super::bulk_schema::operation(generator)
    }
}

input! {
    /// Operations on the tasks of a project.
    pub struct TaskOperations {
        /// The operations. Either all of them take effect or none. Each task appears in at most one of them.
        pub operations: Items<TaskOperation, 1, { limits::BULK_OPERATIONS }>,
    }
}

/// The result of an operation.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum TaskOutcome {
    /// A task was created.
    Create {
        /// The task.
        task: Task,
    },
    /// A task was changed.
    Update {
        /// The task as it is now.
        task: Task,
    },
    /// A task was deleted.
    Delete {
        /// The id of the task.
        id: TaskId,
    },
}

/// The results of the operations.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TaskOutcomes {
    /// The result of each operation, in the order of the request.
    pub results: Vec<TaskOutcome>,
}

/// The facts that the database has about the operations.
struct Facts {
    tasks: Vec<Task>,
    assignable: Vec<UserId>,
    recipients: Recipients,
    actor: String,
}

/// The contents of the batch that writes.
#[derive(Default)]
struct Plan {
    new: Vec<Json>,
    patches: Vec<Json>,
    deleted: Vec<Json>,
    events: Vec<Event>,
    notices: Vec<(Notice, UserId)>,
    /// Whether it adds texts.
    writes: bool,
}

impl Plan {
    fn notify(&mut self, facts: &Facts, assignee: UserId, id: TaskId, title: &str, description: &str) {
        self.notices.push((Notice::assigned(&facts.actor, id, title, description), assignee));
    }

    /// Plans a change of the task in this version, and returns the result.
    fn change(&mut self, facts: &Facts, before: &Task, patch: &TaskPatch, now: Timestamp) -> Task {
        let Some(detail) = changes(patch).filter(|_| changes(&patch.clone().but(before)).is_some()) else {
            return before.clone();
        };
        self.events.push(event("task.updated", before.id, detail));
        let assignee = patch.assignee_id.0.flatten();
        let tells = assignee.filter(|assignee| before.assignee_id != Some(*assignee));
        if let Some(assignee) = tells {
            let title = patch.title.0.as_ref().unwrap_or(&before.title);
            let description = patch.description.0.as_ref().unwrap_or(&before.description);
            self.notify(facts, assignee, before.id, title.as_str(), description.as_str());
        }
        self.patches.push(json::object(vec![
            ("task", before.id.into()),
            ("new_title", patch.title.0.clone().into()),
            ("new_description", patch.description.0.clone().into()),
            ("new_status", patch.status.0.into()),
            ("new_priority", patch.priority.0.into()),
            ("assigns", i64::from(patch.assignee_id.0.is_some()).into()),
            ("new_assignee", assignee.into()),
            ("dates", i64::from(patch.due_on.0.is_some()).into()),
            ("new_due_on", patch.due_on.0.flatten().map(|day| day.to_string()).into()),
            ("decided_on", before.version.into()),
            ("new_title_words", patch.title.0.as_ref().map(|title| words(title.as_str())).into()),
            ("new_description_words", patch.description.0.as_ref().map(|text| words(text.as_str())).into()),
        ]));
        patch.clone().applied_to(before, now)
    }
}

/// The problem of an outdated decision.
fn conflict() -> Box<Problem> {
    Problem::new(Code::Conflict)
}

/// The number of rows for this many items.
fn rows(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

impl Repository<'_> {
    /// Applies all operations, provided that the facts are still the same.
    pub(super) async fn try_apply(
        self,
        project: ProjectId,
        operations: &[TaskOperation],
    ) -> Result<TaskOutcomes> {
        let facts = self.ask(project, operations).await?;
        // One time for everything: the answer has the time that is written.
        let now = self.scope.services().now();
        let (plan, outcomes) = self.plan(project, operations, &facts, now)?;
        if plan.events.is_empty() {
            return Ok(outcomes);
        }
        self.carry_out(project, plan, &facts, &outcomes, now).await?;
        Ok(outcomes)
    }

    /// Asks for the facts, and checks that the project can be changed.
    async fn ask(self, project: ProjectId, operations: &[TaskOperation]) -> Result<Facts> {
        let ids: Json = operations.iter().filter_map(TaskOperation::id).map(task_item).collect();
        let assignees = assignees(operations);
        let mut batch = self.scope.batch();
        let status = batch.add::<ProjectStatus, _>(&PROJECT, [project.into()]);
        let tasks = batch.add::<Task, _>(&BY_IDS, [ids.into(), project.into()]);
        let active = batch.add::<UserId, _>(&members::ARE_ACTIVE, [members::as_items(&assignees).into()]);
        let audience = AudienceQuery::ask(&mut batch, self.scope.user(), &Audience::Members(&assignees));
        let (membership, mut outcome) = self.scope.read(batch).await?;
        let status = outcome.optional(status)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        let tasks: Vec<Task> = outcome.all(tasks)?;
        workflow::admits(status, operations.iter().any(|operation| operation.opens(&tasks)))?;
        Ok(Facts {
            tasks,
            assignable: outcome.all(active)?,
            recipients: audience.take(&mut outcome)?,
            actor: membership.name.as_str().to_owned(),
        })
    }

    /// The rows to write, and the results; all faults, if there are any.
    fn plan(
        self,
        project: ProjectId,
        operations: &[TaskOperation],
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(Plan, TaskOutcomes)> {
        let (services, user) = (self.scope.services(), self.scope.user());
        let mut ids = services.new_ids(operations.len())?.into_iter();
        let (mut plan, mut outcomes, mut faults) = (Plan::default(), Vec::new(), Vec::new());
        for (index, operation) in operations.iter().enumerate() {
            let mut refuse =
                |fault: Fault| faults.push(fault.within(&index.to_string()).within("operations"));
            let there = operation.id().map(|id| facts.tasks.iter().find(|task| task.id == id));
            if there.is_some_and(|found| found.is_none()) {
                refuse(Fault::new(FaultCode::NotAllowed, "Expected a task of this project.").within("id"));
            }
            if there.is_some() && operations[..index].iter().any(|other| other.id() == operation.id()) {
                let detail = "Another operation is about this task, too.";
                refuse(Fault::new(FaultCode::Repeated, detail).within("id"));
            }
            if operation.assignee().is_some_and(|assignee| !facts.assignable.contains(&assignee)) {
                refuse(not_assignable());
            }
            match (operation, there.flatten(), ids.next()) {
                (TaskOperation::Create(new), _, Some(id)) => {
                    let task = new.clone().into_task(TaskId(id), project, user, now);
                    plan.events.push(created(&task));
                    if let Some(assignee) = task.assignee_id {
                        plan.notify(facts, assignee, task.id, task.title.as_str(), task.description.as_str());
                    }
                    plan.new.push(new_item(&task));
                    plan.writes = true;
                    outcomes.push(TaskOutcome::Create { task });
                }
                (TaskOperation::Update(_, patch), Some(before), _) => {
                    let new = patch.clone().but(before);
                    plan.writes |= new.title.0.is_some() || new.description.0.is_some();
                    let task = plan.change(facts, before, patch, now);
                    outcomes.push(TaskOutcome::Update { task });
                }
                (TaskOperation::Delete(id), Some(_), _) => {
                    plan.events.push(event("task.deleted", *id, json::object(Vec::new())));
                    plan.deleted.push(task_item(*id));
                    outcomes.push(TaskOutcome::Delete { id: *id });
                }
                _ => {}
            }
        }
        if faults.is_empty() {
            Ok((plan, TaskOutcomes { results: outcomes }))
        } else {
            Err(Problem::faults(Code::ValidationFailed, faults))
        }
    }

    /// Writes the plan, with its notifications.
    async fn carry_out(
        self,
        project: ProjectId,
        plan: Plan,
        facts: &Facts,
        outcomes: &TaskOutcomes,
        now: Timestamp,
    ) -> Result<()> {
        let user = self.scope.user();
        let mut batch = self.scope.batch();
        if !facts.assignable.is_empty() {
            let arguments = [members::as_items(&facts.assignable).into()];
            let count = rows(facts.assignable.len());
            let _: Slot<UserId> = batch.require_rows(count, &members::ARE_ACTIVE, arguments, conflict());
        }
        if !plan.patches.is_empty() {
            let (count, patches) = (rows(plan.patches.len()), Json::Array(plan.patches));
            let arguments = [patches.into(), project.into(), now.into()];
            let _: Slot<()> = batch.require_rows(count, &UPDATE_EACH, arguments, conflict());
        }
        if !plan.deleted.is_empty() {
            let (count, deleted) = (rows(plan.deleted.len()), Json::Array(plan.deleted));
            let arguments = [deleted.into(), project.into()];
            let _: Slot<()> = batch.require_rows(count, &DELETE_EACH, arguments, conflict());
        }
        if !plan.new.is_empty() {
            let (count, new) = (rows(plan.new.len()), Json::Array(plan.new));
            let arguments = [new.into(), project.into(), user.into(), now.into()];
            let _: Slot<()> = batch.require_rows(count, &INSERT_EACH, arguments, conflict());
        }
        if plan.writes {
            quotas::require_room(&mut batch);
        }
        self.record_each(&mut batch, plan.events)?;
        let notices =
            plan.notices.iter().map(|(notice, assignee)| (notice, facts.recipients.only(*assignee)));
        self.notify_each(&mut batch, &facts.recipients, notices)?;
        self.scope.store_answer(&mut batch, outcomes)?;
        self.scope.commit(batch, None).await.map(drop)
    }
}

/// The assignees, each once.
fn assignees(operations: &[TaskOperation]) -> Vec<UserId> {
    let mut all = Vec::new();
    for assignee in operations.iter().filter_map(TaskOperation::assignee) {
        if !all.contains(&assignee) {
            all.push(assignee);
        }
    }
    all
}

/// A new task as an item of a statement.
fn new_item(task: &Task) -> Json {
    json::object(vec![
        ("id", task.id.into()),
        ("title", task.title.clone().into()),
        ("description", task.description.clone().into()),
        ("status", task.status.into()),
        ("priority", task.priority.into()),
        ("assignee_id", task.assignee_id.into()),
        ("due_on", task.due_on.map(|day| day.to_string()).into()),
        ("title_words", words(task.title.as_str()).into()),
        ("description_words", words(task.description.as_str()).into()),
    ])
}

/// A task as an item of a statement.
fn task_item(id: TaskId) -> Json {
    json::object(vec![("id", id.into())])
}
