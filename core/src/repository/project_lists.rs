//! Lists of projects: which ones, with which words.

use uuid::Uuid;

use super::{
    Repository,
    projects::{LAST_FILTERED, LIST, LIST_FILTERED, Project, ProjectQuery, SEARCH},
};
use crate::{
    cursor::Page,
    dispatch::Slot,
    problem::Result,
    search::Search,
    values::{ProjectStatus, Visibility},
};

impl Repository<'_> {
    /// Projects, newest first.
    pub(super) async fn list_projects(self, query: ProjectQuery) -> Result<Page<Project>> {
        let words = query.q.as_ref().map(Search::words);
        let words_asked = words.clone();
        let filters = [
            query.status.map(ProjectStatus::as_str),
            query.visibility.map(Visibility::as_str),
            words_asked.as_deref(),
        ];
        let paging = self.paging("projects", &filters, query.limit, query.cursor)?;
        let mut batch = self.scope.batch();
        let [status, visibility] = [query.status.into(), query.visibility.into()];
        let (before, fetch) = (paging.before(), paging.fetch());
        let (rows, last): (Slot<Project>, Option<Slot<Uuid>>) = match (words, filters) {
            (Some(words), _) => (batch.add(&SEARCH, [status, visibility, before, fetch, words.into()]), None),
            (None, [None, None, _]) => (batch.add(&LIST, [before, fetch]), None),
            (None, _) => {
                let last = batch.add(&LAST_FILTERED, [before.clone()]);
                (batch.add(&LIST_FILTERED, [status, visibility, before, fetch]), Some(last))
            }
        };
        batch.bound(rows);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let last = outcome.optional_if_asked(last)?;
        Ok(paging.page_within(outcome.all(rows)?, last, |project| project.id.0))
    }
}
