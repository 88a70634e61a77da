//! Projects and their transitions through the workflow.

use std::future::Future;

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    access::batch::{Batch, Outcome, Slot},
    domain::{
        notice::Notice,
        workflow::{self, Facts, Guard},
    },
    http::{
        conditional::{Resource, Version},
        page::{CountedPage, Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Patch, input},
        json,
        sql::{rows::record, statements},
        time::Timestamp,
        values::{
            ActivityId, Description, ProjectId, ProjectName, TransitionComment, UserId,
            enumerations::{ProjectOrder, ProjectStatus, Role, Visibility},
            several::Several,
        },
        words::{Search, index, index_name},
    },
    repository::{
        Repository,
        activity::Event,
        audience::{Audience, AudienceQuery},
        content, memberships, quotas,
        transfer::file::Count,
    },
};

pub(super) const COLUMNS: &str = "id, name, description, status, visibility, created_by, submitted_by, created_at, updated_at, version, \
     revision";

statements! { "projects";
    tenant BY_ID = "SELECT ", COLUMNS, " FROM projects WHERE tenant_id = ?1 AND id = ?2";

    tenant INSERT = "INSERT INTO projects (tenant_id, id, name, description, status, visibility, created_by, \
         created_at, updated_at, version, revision, name_words, description_words, indexed) \
         VALUES (?1, ?2, ?3, ?4, 'draft', ?5, ?6, ?7, ?7, 1, 1, ?8, ?9, 2)";

    /// Approved contents change only in this revision.
    tenant UPDATE = "UPDATE projects SET name = COALESCE(?3, name), description = COALESCE(?4, description), \
         visibility = COALESCE(?5, visibility), updated_at = ?6, version = version + 1, \
         revision = revision + 1, name_words = COALESCE(?7, name_words), description_words = COALESCE(?8, description_words) \
         WHERE tenant_id = ?1 AND id = ?2 AND (status IN ('draft', 'rejected') \
         OR status IN ('approved', 'in_progress', 'completed') AND revision = ?9) RETURNING ", COLUMNS;

    /// A row unless the project has another version.
    tenant UNCHANGED = "SELECT 1 AS ok WHERE NOT EXISTS \
         (SELECT 1 FROM projects WHERE tenant_id = ?1 AND id = ?2 AND CASE WHEN version IN (?3, ?4, ?5) THEN 1 ELSE 0 END <> ?6)";

    tenant DELETE = "DELETE FROM projects WHERE tenant_id = ?1 AND id = ?2";

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

record! {
    /// A project.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct Project {
        /// The id of the project.
        pub id: ProjectId,
        /// The name of the project, in one line.
        pub name: ProjectName,
        /// The description of the project; may be empty.
        pub description: Description,
        /// The status in the workflow. Only transitions change it.
        pub status: ProjectStatus,
        /// Whether people outside the tenant can see the project.
        pub visibility: Visibility,
        /// The user who created the project.
        pub created_by: UserId,
        /// The user who last submitted the project; `null` if nobody has.
        pub submitted_by: Option<UserId>,
        /// The time of creation.
        pub created_at: Timestamp,
        /// The time of the last change.
        pub updated_at: Timestamp,
        /// The version number; each change increases it.
        pub version: i64,
        /// The revision number; each change of name, description or visibility increases it. An approval names the revision
        /// that was read.
        pub revision: i64,
    }
}

impl Resource for Project {
    fn version(&self) -> Option<Version> {
        Some(Version { id: self.id.0, number: self.version })
    }
}

input! {
    /// A new project.
    pub struct NewProject {
        /// The name of the project, in one line.
        pub name: ProjectName,
        /// The description of the project.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "")))]
        pub description: Option<Description>,
        /// Whether people outside the tenant can see the project; `private` if absent.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "private")))]
        pub visibility: Option<Visibility>,
    }

    /// The changes of a project. Absent fields stay as they are. Only transitions change the status.
    pub struct ProjectPatch {
        /// The name of the project, in one line.
        pub name: Patch<ProjectName>,
        /// The description of the project.
        pub description: Patch<Description>,
        /// Whether people outside the tenant can see the project.
        pub visibility: Patch<Visibility>,
    }

    /// The filters, the order and the page of the projects.
    pub struct ProjectQuery {
        /// Only projects with one of these statuses: `submitted,approved`.
        pub status: Option<Several<ProjectStatus>>,
        /// Only projects with this visibility.
        pub visibility: Option<Visibility>,
        /// Only projects created after this time.
        pub created_after: Option<Timestamp>,
        /// Only projects created before this time.
        pub created_before: Option<Timestamp>,
        /// Only projects last changed after this time.
        pub updated_after: Option<Timestamp>,
        /// Only projects last changed before this time.
        pub updated_before: Option<Timestamp>,
        /// Only projects with these words in their name or description.
        pub q: Option<Search>,
        /// The order of the list; `created_at` if absent.
        #[cfg_attr(feature = "openapi", schemars(extend("default" = "created_at")))]
        pub order: Option<ProjectOrder>,
        /// The maximum number of items on the page.
        pub limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub cursor: Option<Cursor>,
        /// Whether the page says in `total` how many items all pages have together.
        pub count: Option<bool>,
    }

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

/// The projects of a tenant.
pub trait Projects {
    /// Projects, in the requested order.
    fn list(&self, query: ProjectQuery) -> impl Future<Output = Result<CountedPage<Project>>> + Send;

    /// Creates a project, as a draft.
    fn create(&self, new: NewProject) -> impl Future<Output = Result<Project>> + Send;

    /// A project.
    fn get(&self, id: ProjectId) -> impl Future<Output = Result<Project>> + Send;

    /// Changes the contents of a project: before it is submitted, or, as a manager, after it was approved.
    fn update(&self, id: ProjectId, patch: ProjectPatch) -> impl Future<Output = Result<Project>> + Send;

    /// Deletes a project and what belongs to it. Its activity stays.
    fn delete(&self, id: ProjectId) -> impl Future<Output = Result<()>> + Send;

    /// Makes a transition, if the workflow allows it.
    fn transition(
        &self,
        id: ProjectId,
        request: TransitionRequest,
    ) -> impl Future<Output = Result<Project>> + Send;

    /// The past transitions of a project, and the facts that decide on the next ones.
    fn journey(
        &self,
        id: ProjectId,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<TransitionHistory>> + Send;
}

fn event(action: &'static str, id: ProjectId, detail: Json) -> Event {
    Event::new(action, "project", id.0, detail)
}

impl Repository<'_> {
    /// Asks for a project and for the facts of the workflow's decisions, in a batch that reads.
    fn ask_facts(self, batch: &mut Batch<'_>, id: ProjectId) -> FactSlots {
        FactSlots {
            project: batch.add(&BY_ID, [id.into()]),
            open_tasks: batch.add(&COUNT_OPEN_TASKS, [id.into()]),
            managers: batch.add(&memberships::COUNT_MANAGERS, [self.scope.user().into()]),
        }
    }

    fn take_facts(
        self,
        slots: &FactSlots,
        outcome: &mut Outcome,
        role: Role,
        (comment, revision): (bool, bool),
    ) -> Result<(Project, Facts)> {
        let project = outcome.optional(slots.project)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        let facts = Facts {
            status: project.status,
            submitted_by: project.submitted_by,
            open_tasks: outcome.one(slots.open_tasks)?,
            managers: outcome.one(slots.managers)?,
            user: self.scope.user(),
            role,
            comment,
            revision,
        };
        Ok((project, facts))
    }

    /// The condition that a write into a project has missed: that the project exists, that its status admits the write,
    /// or else a conflict with a change a moment before.
    pub(super) async fn closed_or_missing(self, id: ProjectId, opens: bool) -> Result<Box<Problem>> {
        let project = Projects::get(&self, id).await?;
        Ok(workflow::admits(project.status, opens).err().unwrap_or_else(|| Problem::new(Code::Conflict)))
    }
}

struct FactSlots {
    project: Slot<Project>,
    open_tasks: Slot<i64>,
    managers: Slot<i64>,
}

impl Projects for Repository<'_> {
    async fn list(&self, query: ProjectQuery) -> Result<CountedPage<Project>> {
        self.list_projects(query).await
    }

    async fn create(&self, new: NewProject) -> Result<Project> {
        let services = self.scope.services();
        let (id, now, user) = (ProjectId(services.new_id()?), services.now(), self.scope.user());
        let description = new.description.unwrap_or_default();
        let visibility = new.visibility.unwrap_or(Visibility::Private);
        let mut batch = self.scope.batch();
        let _: Slot<()> = batch.add(
            &INSERT,
            [
                id.into(),
                new.name.clone().into(),
                description.clone().into(),
                visibility.into(),
                user.into(),
                now.into(),
                index_name(new.name.as_str()),
                index(description.as_str()),
            ],
        );
        quotas::require_room(&mut batch);
        self.record(
            &mut batch,
            event(
                "project.created",
                id,
                json::object(vec![("name", new.name.clone().into()), ("visibility", visibility.into())]),
            ),
        )?;
        let project = Project {
            id,
            name: new.name,
            description,
            status: ProjectStatus::Draft,
            visibility,
            created_by: user,
            submitted_by: None,
            created_at: now,
            updated_at: now,
            version: 1,
            revision: 1,
        };
        self.scope.store_answer(&mut batch, &project)?;
        self.scope.commit(batch, None).await?;
        Ok(project)
    }

    async fn get(&self, id: ProjectId) -> Result<Project> {
        let mut batch = self.scope.batch();
        let project = batch.add::<Project, _>(&BY_ID, [id.into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        outcome.optional(project)?.ok_or_else(|| Problem::new(Code::NotFound))
    }

    async fn update(&self, id: ProjectId, patch: ProjectPatch) -> Result<Project> {
        content::change(*self, id, &patch).await
    }

    async fn delete(&self, id: ProjectId) -> Result<()> {
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &UNCHANGED, id.0);
        let _: Slot<()> = batch.require(&DELETE, [id.into()], Problem::new(Code::NotFound));
        self.record(&mut batch, event("project.deleted", id, json!({})))?;
        self.scope.commit(batch, None).await.map(drop)
    }

    async fn transition(&self, id: ProjectId, request: TransitionRequest) -> Result<Project> {
        let audience = if request.to == ProjectStatus::Submitted {
            Audience::Approvers
        } else {
            Audience::OfProject(id)
        };
        let mut batch = self.scope.batch();
        let facts = self.ask_facts(&mut batch, id);
        let audience = AudienceQuery::ask(&mut batch, self.scope.user(), &audience);
        let (standing, mut outcome) = self.scope.read(batch).await?;
        let said = (request.comment.is_some(), request.revision.is_some() || self.scope.names_a_state());
        let (project, facts) = self.take_facts(&facts, &mut outcome, standing.role, said)?;
        let project = self.scope.matched(project)?;
        let found = workflow::transition(request.to, &facts)?;
        if let Some(Count(meant)) = request.revision.filter(|meant| meant.0 != project.revision) {
            let detail = format!("Revision {meant} is meant; the project is at {}.", project.revision);
            return Err(Problem::with(Code::Conflict, detail));
        }

        // The guards are conditions of the batch that writes: the rows that were read may be outdated.
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &UNCHANGED, id.0);
        for guard in found.guards {
            match guard {
                Guard::NoOpenTasks => {
                    let _: Slot<i64> =
                        batch.require(&NO_OPEN_TASKS, [id.into()], Problem::new(Code::TasksOpen));
                }
                Guard::FourEyes if facts.submitted_by == Some(facts.user) => {
                    let (sql, unmet) = (&memberships::SINGLE_MANAGER, Problem::new(Code::FourEyes));
                    let _: Slot<i64> = batch.require(sql, [facts.user.into()], unmet);
                }
                // These depend on the role, which the membership check fixes, and on the project, which its
                // version fixes.
                Guard::FourEyes | Guard::SubmitterOrManager | Guard::Comment | Guard::Revision => {}
            }
        }
        let now = self.scope.services().now();
        let _: Slot<()> = batch.require(
            &MOVE,
            [
                id.into(),
                request.to.into(),
                facts.user.into(),
                now.into(),
                project.version.into(),
                project.revision.into(),
            ],
            Problem::new(Code::Conflict),
        );
        if request.comment.is_some() {
            quotas::require_room(&mut batch);
        }
        let detail = json::object(vec![
            ("from", found.from.into()),
            ("to", found.to.into()),
            ("comment", request.comment.clone().into()),
            ("revision", project.revision.into()),
        ]);
        self.record(&mut batch, event("project.moved", id, detail))?;
        let comment = request.comment.as_ref().map(TransitionComment::as_str);
        let (actor, step) = (standing.name.as_str(), (found.from, found.to));
        if let Some(notice) = Notice::moved(actor, id, project.name.as_str(), step, comment) {
            self.notify(&mut batch, &audience.take(&mut outcome)?, &notice)?;
        }
        // The role that the decision relied on must still be there, also if a guard accepted a manager.
        let by_role =
            found.guards.contains(&Guard::SubmitterOrManager) && facts.submitted_by != Some(facts.user);
        let least = if by_role { Role::Manager } else { found.required_role };
        let submitted_by = match found.to {
            ProjectStatus::Submitted => Some(facts.user),
            _ => project.submitted_by,
        };
        let (status, version) = (found.to, project.version + 1);
        let moved = Project { status, submitted_by, updated_at: now, version, ..project };
        self.scope.store_answer(&mut batch, &moved)?;
        self.scope.commit(batch, Some(least)).await?;
        Ok(moved)
    }

    async fn journey(
        &self,
        id: ProjectId,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> Result<TransitionHistory> {
        let paging = self.paging("transitions", &[Some(&id.to_string())], size, cursor)?;
        let mut batch = self.scope.batch();
        let facts = self.ask_facts(&mut batch, id);
        let rows = batch.add::<HistoryRow, _>(&HISTORY, [id.into(), paging.before(), paging.fetch()]);
        let (standing, mut outcome) = self.scope.read(batch).await?;
        let (_, facts) = self.take_facts(&facts, &mut outcome, standing.role, (true, true))?;
        let moves = outcome.all(rows)?.into_iter().map(TransitionRecord::from).collect();
        Ok(TransitionHistory { facts, history: paging.page(moves, |moved: &TransitionRecord| moved.id.0) })
    }
}
