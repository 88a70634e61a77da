//! Projects. Their transitions are in [`crate::repository::transitions`].

use std::future::Future;

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    access::batch::Slot,
    domain::workflow,
    http::{
        conditional::{Resource, Version},
        page::{CountedPage, Cursor, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Patch, input},
        json,
        sql::{rows::record, statements},
        time::Timestamp,
        values::{
            Description, ProjectId, ProjectName, UserId,
            enumerations::{ProjectOrder, ProjectStatus, Visibility},
            several::Several,
        },
        words::{Search, index, index_name},
    },
    repository::{Repository, activity::Event, content, quotas},
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
}

pub(super) fn event(action: &'static str, id: ProjectId, detail: Json) -> Event {
    Event::new(action, "project", id.0, detail)
}

impl Repository<'_> {
    /// The condition that a write into a project has missed: that the project exists, that its status admits the write,
    /// or else a conflict with a change a moment before.
    pub(super) async fn closed_or_missing(self, id: ProjectId, opens: bool) -> Result<Box<Problem>> {
        let project = Projects::get(&self, id).await?;
        Ok(workflow::admits(project.status, opens).err().unwrap_or_else(|| Problem::new(Code::Conflict)))
    }
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
}
