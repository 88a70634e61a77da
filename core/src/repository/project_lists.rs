//! Lists of projects: filters, orders and searches.

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{
    access::{batch::Slot, paging::Paging},
    http::{
        page::{CountedPage, Looked},
        problem::{Code, Problem, Result},
    },
    kernel::{
        sql::{
            COUNT, TenantSql, Value, looked_through,
            rows::{DecodeError, FromCell, FromRow, Row},
            statements,
        },
        time::Timestamp,
        values::{
            enumerations::{ProjectOrder, Visibility},
            several::Several,
        },
        words::Search,
    },
    repository::{
        Repository,
        projects::{COLUMNS, Project, ProjectQuery},
        search,
    },
};

/// A bit for each status, the same as [`Several`] has.
pub(super) const STATUS_BIT: &str = "CASE status WHEN 'draft' THEN 1 WHEN 'submitted' THEN 2 WHEN 'approved' THEN 4 \
     WHEN 'rejected' THEN 8 WHEN 'in_progress' THEN 16 WHEN 'completed' THEN 32 ELSE 64 END";

/// Begins each row, which ends with its place in the order, unless a column is that.
const SELECT: &str = "SELECT ";
const FROM: &str = ", '' AS place FROM projects WHERE tenant_id = ?1";
const FROM_BY_NAME: &str = ", substr(name_words, 1, 64) AS place FROM projects WHERE tenant_id = ?1";

const OF_STATUS: &str = " AND (?2 & (";
const FILTERS: &str = ")) <> 0 AND visibility = COALESCE(?3, visibility) AND (created_at > ?4 OR ?4 IS NULL) \
     AND (created_at < ?5 OR ?5 IS NULL) AND (updated_at > ?6 OR ?6 IS NULL) AND (updated_at < ?7 OR ?7 IS NULL)";

const NEWEST: &str = " AND id < ?8 ORDER BY id DESC LIMIT ?9";
const OLDEST: &str = " AND id > ?8 ORDER BY id LIMIT ?9";
const RECENT: &str =
    " AND (updated_at < ?10 OR (updated_at = ?10 AND id < ?8)) ORDER BY updated_at DESC, id DESC LIMIT ?9";
const STALEST: &str =
    " AND (updated_at > ?10 OR (updated_at = ?10 AND id < ?8)) ORDER BY updated_at, id DESC LIMIT ?9";

/// The order of names, the same everywhere: by their words as searches have them, by code points. (Postgres would order
/// by a locale. A project that has no words yet is ordered as if it had no name.)
macro_rules! by_name {
    ($($collate:literal)?) => {
        concat!(" AND (substr(name_words, 1, 64)", $($collate,)? " > ?10 OR (substr(name_words, 1, 64) = ?10 AND id < ?8)) \
            ORDER BY substr(name_words, 1, 64)", $($collate,)? ", id DESC LIMIT ?9")
    };
}
macro_rules! by_name_reversed {
    ($($collate:literal)?) => {
        concat!(" AND (substr(name_words, 1, 64)", $($collate,)? " < ?10 OR (substr(name_words, 1, 64) = ?10 AND id < ?8)) \
            ORDER BY substr(name_words, 1, 64)", $($collate,)? " DESC, id DESC LIMIT ?9")
    };
}
const BY_NAME_ORDER: [&str; 2] = [by_name!(), by_name_reversed!()];
#[cfg(feature = "postgres")]
const BY_NAME_ORDER_POSTGRES: [&str; 2] = [by_name!(" COLLATE \"C\""), by_name_reversed!(" COLLATE \"C\"")];

looked_through!(LAST: "", "?2"; END: "", "?8"; "projects");
looked_through!(oldest LAST_OF_OLDEST: "", "?2"; END_OF_OLDEST: "", "?8"; "projects");

statements! { "projects";
    tenant LIST = SELECT, COLUMNS, FROM, " AND id < ?2 ORDER BY id DESC LIMIT ?3";
    tenant OLDEST_LIST = SELECT, COLUMNS, FROM, " AND id > ?2 ORDER BY id LIMIT ?3";

    /// As far as one page looks.
    tenant LIST_FILTERED = SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, END, NEWEST;
    tenant LAST_FILTERED = LAST;
    tenant OLDEST_FILTERED = SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, END_OF_OLDEST, OLDEST;
    tenant OLDEST_LAST_FILTERED = LAST_OF_OLDEST;

    tenant LIST_RECENT = SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, RECENT;
    tenant LIST_STALEST = SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, STALEST;
    tenant LIST_BY_NAME = SELECT, COLUMNS, FROM_BY_NAME, OF_STATUS, STATUS_BIT, FILTERS, BY_NAME_ORDER[0]
        => SELECT, COLUMNS, FROM_BY_NAME, OF_STATUS, STATUS_BIT, FILTERS, BY_NAME_ORDER_POSTGRES[0];
    tenant LIST_BY_NAME_REVERSED = SELECT, COLUMNS, FROM_BY_NAME, OF_STATUS, STATUS_BIT, FILTERS, BY_NAME_ORDER[1]
        => SELECT, COLUMNS, FROM_BY_NAME, OF_STATUS, STATUS_BIT, FILTERS, BY_NAME_ORDER_POSTGRES[1];

    tenant COUNT_LIST = COUNT[0], OF_STATUS, STATUS_BIT, FILTERS, COUNT[1], " FROM projects WHERE tenant_id = ?1", COUNT[2];
    tenant SEARCH_COUNT = COUNT[0], OF_STATUS, STATUS_BIT, FILTERS, COUNT[1], " FROM projects WHERE tenant_id = ?1", search::PROJECTS[0], "?8", search::PROJECTS[1], COUNT[2]
        => COUNT[0], OF_STATUS, STATUS_BIT, FILTERS, COUNT[1], " FROM projects WHERE tenant_id = ?1", search::PROJECTS_POSTGRES[0], "?8", search::PROJECTS_POSTGRES[1], COUNT[2];

    tenant SEARCH = SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS[0], "?10", search::PROJECTS[1], NEWEST
        => SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS_POSTGRES[0], "?10", search::PROJECTS_POSTGRES[1], NEWEST;
    tenant SEARCH_OLDEST = SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS[0], "?10", search::PROJECTS[1], OLDEST
        => SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS_POSTGRES[0], "?10", search::PROJECTS_POSTGRES[1], OLDEST;
    tenant SEARCH_RECENT = SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS[0], "?11", search::PROJECTS[1], RECENT
        => SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS_POSTGRES[0], "?11", search::PROJECTS_POSTGRES[1], RECENT;
    tenant SEARCH_STALEST = SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS[0], "?11", search::PROJECTS[1], STALEST
        => SELECT, COLUMNS, FROM, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS_POSTGRES[0], "?11", search::PROJECTS_POSTGRES[1], STALEST;
    tenant SEARCH_BY_NAME = SELECT, COLUMNS, FROM_BY_NAME, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS[0], "?11", search::PROJECTS[1], BY_NAME_ORDER[0]
        => SELECT, COLUMNS, FROM_BY_NAME, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS_POSTGRES[0], "?11", search::PROJECTS_POSTGRES[1], BY_NAME_ORDER_POSTGRES[0];
    tenant SEARCH_BY_NAME_REVERSED = SELECT, COLUMNS, FROM_BY_NAME, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS[0], "?11", search::PROJECTS[1], BY_NAME_ORDER[1]
        => SELECT, COLUMNS, FROM_BY_NAME, OF_STATUS, STATUS_BIT, FILTERS, search::PROJECTS_POSTGRES[0], "?11", search::PROJECTS_POSTGRES[1], BY_NAME_ORDER_POSTGRES[1];
}

/// A project, with its place in an order that is not one of its columns.
struct Listed {
    project: Project,
    place: String,
}

/// The place does not count for the size of a page.
impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.project.serialize(serializer)
    }
}

impl FromRow for Listed {
    fn from_row(mut row: Row) -> Result<Self, DecodeError> {
        let place = row.pop().map_or_else(|| Ok(String::new()), FromCell::from_cell)?;
        Ok(Self { project: Project::from_row(row)?, place })
    }
}

/// The statements of a list.
struct Listing {
    /// The statement with a search.
    search: &'static TenantSql,
    /// The statement without a search.
    sql: &'static TenantSql,
    /// The key at which the page starts, if the order has one.
    key: Option<Value>,
    /// The statement for the last row that a page looks through, if there is one.
    last: Option<&'static TenantSql>,
}

/// The list in an order, with or without filters.
fn listing(order: ProjectOrder, filtered: bool, paging: &Paging<'_>) -> Result<Listing> {
    let key = match (order, paging.key()) {
        (ProjectOrder::CreatedAt | ProjectOrder::Oldest, _) => None,
        (ProjectOrder::UpdatedAt | ProjectOrder::Stalest, Some(key)) => {
            Some(Timestamp::parse(key).ok_or_else(|| Problem::new(Code::InvalidCursor))?.into())
        }
        (ProjectOrder::Name | ProjectOrder::NameReversed, Some(key)) => Some(key.into()),
        (ProjectOrder::UpdatedAt, None) => Some(Timestamp::LAST.into()),
        (ProjectOrder::Stalest, None) => Some(Timestamp::from_unix_millis(0).into()),
        (ProjectOrder::Name, None) => Some("".into()),
        // No word has this character.
        (ProjectOrder::NameReversed, None) => Some(String::from(char::MAX).into()),
    };
    let (search, sql, last) = match order {
        ProjectOrder::CreatedAt if filtered => (&SEARCH, &LIST_FILTERED, Some(&LAST_FILTERED)),
        ProjectOrder::CreatedAt => (&SEARCH, &LIST, None),
        ProjectOrder::Oldest if filtered => (&SEARCH_OLDEST, &OLDEST_FILTERED, Some(&OLDEST_LAST_FILTERED)),
        ProjectOrder::Oldest => (&SEARCH_OLDEST, &OLDEST_LIST, None),
        ProjectOrder::UpdatedAt => (&SEARCH_RECENT, &LIST_RECENT, None),
        ProjectOrder::Stalest => (&SEARCH_STALEST, &LIST_STALEST, None),
        ProjectOrder::Name => (&SEARCH_BY_NAME, &LIST_BY_NAME, None),
        ProjectOrder::NameReversed => (&SEARCH_BY_NAME_REVERSED, &LIST_BY_NAME_REVERSED, None),
    };
    Ok(Listing { search, sql, key, last })
}

impl Repository<'_> {
    /// Projects, in the requested order, with the words of a search.
    pub(super) async fn list_projects(self, query: ProjectQuery) -> Result<CountedPage<Project>> {
        let words = query.q.as_ref().map(Search::words);
        let order = query.order.unwrap_or(ProjectOrder::CreatedAt);
        let statuses = query.status.map(Several::text);
        let times = [query.created_after, query.created_before, query.updated_after, query.updated_before];
        let texts = times.map(|time| time.map(|time| time.to_string()));
        let [created_after, created_before, updated_after, updated_before] = times.map(Value::from);
        let filters = [
            statuses.as_deref(),
            query.visibility.map(Visibility::as_str),
            texts[0].as_deref(),
            texts[1].as_deref(),
            texts[2].as_deref(),
            texts[3].as_deref(),
            words.as_deref(),
            Some(order.as_str()),
        ];
        let filtered = filters[..6].iter().any(Option::is_some);
        let paging = self.paging("projects", &filters, query.limit, query.cursor)?;
        let Listing { search, sql, key, last } = listing(order, filtered, &paging)?;
        let mut batch = self.scope.batch();
        let before = if order == ProjectOrder::Oldest { paging.after() } else { paging.before() };
        let last: Option<Slot<Uuid>> =
            last.filter(|_| words.is_none()).map(|last| batch.add(last, [before.clone()]));
        let mut arguments = vec![
            Several::bits(query.status).into(),
            query.visibility.into(),
            created_after,
            created_before,
            updated_after,
            updated_before,
        ];
        let words = words.map(Value::from);
        let total = (query.count == Some(true)).then(|| {
            let counting = if words.is_some() { &SEARCH_COUNT } else { &COUNT_LIST };
            let arguments = arguments.iter().chain(&words).cloned().collect();
            batch.add_chosen::<Looked>(counting, arguments)
        });
        let sql = if words.is_some() { search } else { sql };
        if sql.0 == LIST.0 || sql.0 == OLDEST_LIST.0 {
            arguments.clear();
        }
        arguments.extend([before, paging.fetch()]);
        arguments.extend(key);
        arguments.extend(words);
        let rows: Slot<Listed> = batch.add_chosen(sql, arguments);
        batch.bound(rows);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let (last, total) = (outcome.optional_if_asked(last)?, outcome.optional_if_asked(total)?);
        let key = |Listed { project, place }: &Listed| match order {
            ProjectOrder::CreatedAt | ProjectOrder::Oldest => String::new(),
            ProjectOrder::UpdatedAt | ProjectOrder::Stalest => project.updated_at.to_string(),
            ProjectOrder::Name | ProjectOrder::NameReversed => place.clone(),
        };
        let page = paging.page_by(outcome.all(rows)?, last, |listed| (key(listed), listed.project.id.0));
        Ok(page.map(|listed| listed.project).counted(total))
    }
}

#[cfg(test)]
mod tests {
    use super::STATUS_BIT;
    use crate::kernel::values::enumerations::ProjectStatus;

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
