//! The public catalogue of a tenant: its public projects.

use std::future::Future;

use serde::Serialize;
use uuid::Uuid;

use crate::{
    access::{batch::Slot, paging::Paging, scopes::public_tenant::PublicTenantScope},
    http::{
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::input,
        sql::{looked_through, rows::record, statements},
        time::Timestamp,
        values::{Description, ProjectId, ProjectName, enumerations::ProjectStatus, several::Several},
        words::Search,
    },
    repository::{project_lists::STATUS_BIT, search},
};

const SELECT: &str = "SELECT id, name, description, status, created_at, updated_at FROM projects \
     WHERE tenant_id = ?1 AND visibility = 'public' AND status <> 'draft'";

const OF_STATUS: &str = " AND (?2 & (";
const PAGE: &str = ")) <> 0 AND id < ?3 ORDER BY id DESC LIMIT ?4";

looked_through!(LAST: " AND f.visibility = 'public' AND f.status <> 'draft'", "?2";
    END: " AND f.visibility = 'public' AND f.status <> 'draft'", "?3"; "projects");

statements! { "catalogue";
    tenant LIST = SELECT, " AND id < ?2 ORDER BY id DESC LIMIT ?3";

    tenant LIST_FILTERED = SELECT, END, OF_STATUS, STATUS_BIT, PAGE;

    tenant LAST_FILTERED = LAST;

    tenant SEARCH = SELECT, search::PROJECTS[0], "?5", search::PROJECTS[1], OF_STATUS, STATUS_BIT, PAGE
        => SELECT, search::PROJECTS_POSTGRES[0], "?5", search::PROJECTS_POSTGRES[1], OF_STATUS, STATUS_BIT, PAGE;

    tenant BY_ID = SELECT, " AND id = ?2";
}

record! {
    /// A project as the public sees it.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct CatalogueProject {
        /// The id of the project.
        pub id: ProjectId,
        /// The name of the project, in one line.
        pub name: ProjectName,
        /// The description of the project; may be empty.
        pub description: Description,
        /// The status in the workflow; never `draft`.
        pub status: ProjectStatus,
        /// The time of creation.
        pub created_at: Timestamp,
        /// The time of the last change.
        pub updated_at: Timestamp,
    }
}

input! {
    /// The filters and the page of the catalogue.
    pub struct CatalogueQuery {
        /// Only projects with one of these statuses: `approved,completed`.
        pub status: Option<Several<ProjectStatus>>,
        /// Only projects with these words in their name or description.
        pub q: Option<Search>,
        /// The maximum number of items on the page.
        pub limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub cursor: Option<Cursor>,
    }
}

/// The projects that a tenant shows in public.
pub trait Catalogue {
    /// Projects, newest first.
    fn list(&self, query: CatalogueQuery) -> impl Future<Output = Result<Page<CatalogueProject>>> + Send;

    /// A project.
    fn get(&self, id: ProjectId) -> impl Future<Output = Result<CatalogueProject>> + Send;
}

impl Catalogue for PublicTenantScope {
    async fn list(&self, query: CatalogueQuery) -> Result<Page<CatalogueProject>> {
        let words = query.q.as_ref().map(Search::words);
        let asked = words.clone();
        let statuses = query.status.map(Several::text);
        let filters = [statuses.as_deref(), asked.as_deref()];
        let paging =
            Paging::new(self.services(), "catalogue", self.tenant().0, &filters, query.limit, query.cursor)?;
        let mut batch = self.batch();
        let (status, before, fetch) = (Several::bits(query.status).into(), paging.before(), paging.fetch());
        let (rows, last): (Slot<CatalogueProject>, Option<Slot<Uuid>>) = match (words, query.status) {
            (Some(words), _) => (batch.add(&SEARCH, [status, before, fetch, words.into()]), None),
            (None, None) => (batch.add(&LIST, [before, fetch]), None),
            (None, Some(_)) => {
                let last = batch.add(&LAST_FILTERED, [before.clone()]);
                (batch.add(&LIST_FILTERED, [status, before, fetch]), Some(last))
            }
        };
        batch.bound(rows);
        let mut outcome = self.read(batch).await?;
        let last = outcome.optional_if_asked(last)?;
        Ok(paging.page_within(outcome.all(rows)?, last, |project| project.id.0))
    }

    async fn get(&self, id: ProjectId) -> Result<CatalogueProject> {
        let mut batch = self.batch();
        let project = batch.add::<CatalogueProject, _>(&BY_ID, [id.into()]);
        self.read(batch).await?.optional(project)?.ok_or_else(|| Problem::new(Code::NotFound))
    }
}
