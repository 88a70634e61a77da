//! The transitions of projects through the workflow, made and past.

use std::future::Future;

use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    access::batch::{Batch, Outcome, Slot},
    domain::{
        notice::Notice,
        workflow::{self, Decision, Facts, Requirement},
    },
    http::{
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::input,
        json,
        sql::{rows::record, statements},
        time::Timestamp,
        values::{
            ActivityId, ProjectId, TransitionComment, UserId,
            count::Count,
            enumerations::{ProjectStatus, Role},
        },
    },
    repository::{
        Repository,
        audience::{Audience, AudienceQuery},
        memberships,
        projects::{self, Project},
        quotas,
    },
};

statements! { "transitions";
    tenant MOVE = "UPDATE projects SET status = ?3, \
         submitted_by = CASE WHEN ?3 = 'submitted' THEN ?4 ELSE submitted_by END, \
         updated_at = ?5, version = version + 1 \
         WHERE tenant_id = ?1 AND id = ?2 AND version = ?6 AND revision = ?7";

    tenant COUNT_OPEN_TASKS = "SELECT count(*) AS open_tasks FROM tasks \
         WHERE tenant_id = ?1 AND project_id = ?2 AND status IN ('todo', 'in_progress', 'blocked')";

    /// A row if there are none.
    tenant NO_OPEN_TASKS = "SELECT 1 AS ok WHERE NOT EXISTS \
         (SELECT 1 FROM tasks WHERE tenant_id = ?1 AND project_id = ?2 AND status IN ('todo', 'in_progress', 'blocked'))";

    /// The transitions of projects have an index of their own in the activity.
    tenant HISTORY = "SELECT id, actor_id, detail, created_at FROM activity \
         WHERE tenant_id = ?1 AND entity_id = ?2 AND action = 'project.moved' \
         AND id < ?3 ORDER BY id DESC LIMIT ?4";
}

input! {
    /// A transition to make.
    pub struct TransitionRequest {
        /// The new status.
        pub to: ProjectStatus,
        /// The reason; some transitions require it.
        pub comment: Option<TransitionComment>,
        /// The `revision` that you have read. An approval requires it, or `If-Match`.
        pub revision: Option<Count>,
    }
}

/// A transition that was made.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TransitionRecord {
    /// The id of the entry in the activity log.
    pub id: ActivityId,
    /// The user who made the transition.
    pub actor_id: Option<UserId>,
    /// The status before.
    pub from: Option<ProjectStatus>,
    /// The status after.
    pub to: Option<ProjectStatus>,
    /// The reason.
    pub comment: Option<String>,
    /// The revision of the project at that time.
    pub revision: Option<i64>,
    /// The time of the transition.
    pub created_at: Timestamp,
}

record! {
    struct HistoryRow {
        id: ActivityId,
        actor_id: Option<UserId>,
        detail: Json,
        created_at: Timestamp,
    }
}

impl From<HistoryRow> for TransitionRecord {
    fn from(row: HistoryRow) -> Self {
        let text = |name: &str| row.detail.get(name).and_then(Json::as_str);
        Self {
            id: row.id,
            actor_id: row.actor_id,
            from: text("from").and_then(ProjectStatus::parse),
            to: text("to").and_then(ProjectStatus::parse),
            comment: text("comment").map(str::to_owned),
            revision: row.detail.get("revision").and_then(Json::as_i64),
            created_at: row.created_at,
        }
    }
}

/// A project's transitions, and the facts that decide on the next ones.
pub struct TransitionHistory {
    /// The facts of a decision.
    pub facts: Facts,
    /// The past transitions, newest first.
    pub history: Page<TransitionRecord>,
}

/// The transitions of a tenant's projects.
pub trait Transitions {
    /// Makes a transition: reads the facts, decides, and writes, provided that what the decision relied on still holds.
    fn make(&self, id: ProjectId, request: TransitionRequest)
    -> impl Future<Output = Result<Project>> + Send;

    /// A page of the past transitions of a project, and the facts that decide on the next ones.
    fn history(
        &self,
        id: ProjectId,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<TransitionHistory>> + Send;
}

/// The places of a project and of the facts in a batch that reads.
struct FactSlots {
    project: Slot<Project>,
    open_tasks: Slot<i64>,
    managers: Slot<i64>,
}

/// What a request for a transition says, besides the status.
#[derive(Clone, Copy)]
struct Requested {
    /// Whether it gives a comment.
    comment: bool,
    /// Whether it names the revision that is meant.
    revision: bool,
}

impl Repository<'_> {
    /// Asks for a project and for the facts of the workflow's decisions, in a batch that reads.
    fn ask_facts(self, batch: &mut Batch<'_>, id: ProjectId) -> FactSlots {
        FactSlots {
            project: batch.add(&projects::BY_ID, [id.into()]),
            open_tasks: batch.add(&COUNT_OPEN_TASKS, [id.into()]),
            managers: batch.add(&memberships::COUNT_MANAGERS, [self.scope.user().into()]),
        }
    }

    fn take_facts(
        self,
        slots: &FactSlots,
        outcome: &mut Outcome,
        role: Role,
        request: Requested,
    ) -> Result<(Project, Facts)> {
        let project = outcome.optional(slots.project)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        let facts = Facts {
            status: project.status,
            submitted_by: project.submitted_by,
            open_tasks: outcome.one(slots.open_tasks)?,
            managers: outcome.one(slots.managers)?,
            user: self.scope.user(),
            role,
            comment: request.comment,
            revision: request.revision,
        };
        Ok((project, facts))
    }

    /// Adds a transition to a batch, with its conditions and its entry of the activity log.
    fn write_transition(
        self,
        batch: &mut Batch<'_>,
        project: &Project,
        decision: &Decision,
        request: &TransitionRequest,
        now: Timestamp,
    ) -> Result<()> {
        let id = project.id;
        self.scope.require_match(batch, &projects::UNCHANGED, id.0);
        for requirement in &decision.requirements {
            self.require(batch, id, *requirement);
        }
        let (from, to) = (decision.transition.from, decision.transition.to);
        let _: Slot<()> = batch.require(
            &MOVE,
            [
                id.into(),
                to.into(),
                self.scope.user().into(),
                now.into(),
                project.version.into(),
                project.revision.into(),
            ],
            Problem::new(Code::Conflict),
        );
        if request.comment.is_some() {
            quotas::require_room(batch);
        }
        let detail = json::object(vec![
            ("from", from.into()),
            ("to", to.into()),
            ("comment", request.comment.clone().into()),
            ("revision", project.revision.into()),
        ]);
        self.record(batch, projects::event("project.moved", id, detail))
    }

    /// Makes a batch fail unless the requirement of a decision holds in it: what was read may be outdated.
    fn require(self, batch: &mut Batch<'_>, id: ProjectId, requirement: Requirement) {
        let (sql, argument) = match requirement {
            Requirement::NoOtherManager => (&memberships::SINGLE_MANAGER, self.scope.user().into()),
            Requirement::NoOpenTasks => (&NO_OPEN_TASKS, id.into()),
        };
        let _: Slot<i64> = batch.require(sql, [argument], Problem::new(requirement.code()));
    }
}

impl Transitions for Repository<'_> {
    async fn make(&self, id: ProjectId, request: TransitionRequest) -> Result<Project> {
        let audience = if request.to == ProjectStatus::Submitted {
            Audience::Approvers
        } else {
            Audience::OfProject(id)
        };
        let mut batch = self.scope.batch();
        let facts = self.ask_facts(&mut batch, id);
        let audience = AudienceQuery::ask(&mut batch, self.scope.user(), &audience);
        let (member, mut outcome) = self.scope.read(batch).await?;
        let requested = Requested {
            comment: request.comment.is_some(),
            revision: request.revision.is_some() || self.scope.names_a_state(),
        };
        let (project, facts) = self.take_facts(&facts, &mut outcome, member.role, requested)?;
        let project = self.scope.matched(project)?;
        let decision = workflow::decide(request.to, &facts)?;
        if let Some(Count(meant)) = request.revision.filter(|meant| meant.0 != project.revision) {
            let detail = format!("Revision {meant} is meant; the project is at {}.", project.revision);
            return Err(Problem::with(Code::Conflict, detail));
        }

        let now = self.scope.services().now();
        let mut batch = self.scope.batch();
        self.write_transition(&mut batch, &project, &decision, &request, now)?;
        let (from, to) = (decision.transition.from, decision.transition.to);
        let comment = request.comment.as_ref().map(TransitionComment::as_str);
        let (actor, name) = (member.name.as_str(), project.name.as_str());
        if let Some(notice) = Notice::moved(actor, id, name, (from, to), comment) {
            self.notify(&mut batch, &audience.take(&mut outcome)?, &notice)?;
        }
        let moved = Project {
            status: to,
            submitted_by: if to == ProjectStatus::Submitted {
                Some(facts.user)
            } else {
                project.submitted_by
            },
            updated_at: now,
            version: project.version + 1,
            ..project
        };
        self.scope.store_answer(&mut batch, &moved)?;
        self.scope.commit(batch, Some(decision.least_role)).await?;
        Ok(moved)
    }

    async fn history(
        &self,
        id: ProjectId,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> Result<TransitionHistory> {
        let paging = self.paging("transitions", &[Some(&id.to_string())], size, cursor)?;
        let mut batch = self.scope.batch();
        let facts = self.ask_facts(&mut batch, id);
        let arguments = [id.into(), paging.before(), paging.fetch()];
        let rows = batch.add::<HistoryRow, _>(&HISTORY, arguments);
        let (member, mut outcome) = self.scope.read(batch).await?;
        let (_, facts) =
            self.take_facts(&facts, &mut outcome, member.role, Requested { comment: true, revision: true })?;
        let past = outcome.all(rows)?.into_iter().map(TransitionRecord::from).collect();
        Ok(TransitionHistory { facts, history: paging.page(past, |record: &TransitionRecord| record.id.0) })
    }
}
