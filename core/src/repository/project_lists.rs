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
    values::{Several, Visibility},
};

impl Repository<'_> {
    /// Projects, newest first.
    pub(super) async fn list_projects(self, query: ProjectQuery) -> Result<Page<Project>> {
        let words = query.q.as_ref().map(Search::words);
        let words_asked = words.clone();
        let statuses = query.status.map(Several::text);
        let filters = [statuses.as_deref(), query.visibility.map(Visibility::as_str), words_asked.as_deref()];
        let paging = self.paging("projects", &filters, query.limit, query.cursor)?;
        let mut batch = self.scope.batch();
        let [status, visibility] = [Several::bits(query.status).into(), query.visibility.into()];
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

#[cfg(test)]
mod tests {
    use crate::{repository::projects::STATUS_BIT, values::ProjectStatus};

    #[test]
    fn each_status_has_the_bit_that_it_is_asked_for_by() {
        let last = ProjectStatus::ALL.len() - 1;
        let bit = |(place, status): (usize, &ProjectStatus)| {
            let when =
                if place == last { "ELSE".to_owned() } else { format!("WHEN '{}' THEN", status.as_str()) };
            format!("{when} {}", 1 << place)
        };
        let bits: Vec<_> = ProjectStatus::ALL.iter().enumerate().map(bit).collect();
        assert_eq!(STATUS_BIT, format!("CASE status {} END", bits.join(" ")));
    }
}
