//! Lists of tasks: filters, orders and searches.

use uuid::Uuid;

use crate::{
    access::{batch::Slot, paging::Paging},
    http::{
        page::{CountedPage, Looked},
        problem::{Code, Problem, Result},
    },
    kernel::{
        sql::{self, COUNT, TenantSql, Value, looked_through, statements},
        time::Date,
        values::{
            ProjectId, UserId,
            enumerations::{Assignee, AssigneeFilter, Priority, ProjectStatus, TaskOrder},
            several::Several,
        },
        words::Search,
    },
    repository::{
        Repository,
        included::{TaskNames, With, included_in_tasks},
        search,
        tasks::{
            COLUMNS, PROJECT,
            task::{Task, TaskQuery},
        },
    },
};

/// The assignee, if the list is filtered by one.
macro_rules! by {
    () => {
        " AND (COALESCE(assignee_id, '00000000-0000-0000-0000-000000000000') = ?3 OR ?3 IS NULL)"
    };
}

/// The tasks of a list: each way to select them has an index of its own. All take the same parameters.
const IN_PROJECT: &str = concat!(" FROM tasks WHERE tenant_id = ?1 AND project_id = ?2", by!());
const OF_ASSIGNEE: &str =
    " FROM tasks WHERE tenant_id = ?1 AND assignee_id = ?3 AND (project_id = ?2 OR ?2 IS NULL)";
const ANYWHERE: &str = concat!(" FROM tasks WHERE tenant_id = ?1 AND (project_id = ?2 OR ?2 IS NULL)", by!());

/// The included columns.
const INCLUDED: &str = included_in_tasks!("?10");

const OF_ANY_PROJECT: &str = " AND (project_id = ?2 OR ?2 IS NULL)";

/// The id for nobody in `?3`: no user has it.
const NOBODY: UserId = UserId(Uuid::nil());

/// An id that no task has, and that does not mean nobody either.
const NO_ONE_AT_ALL: UserId = UserId(Uuid::max());

/// A bit for each status, the same as [`Several`] has.
macro_rules! status_bit {
    () => {
        "CASE status WHEN 'todo' THEN 1 WHEN 'in_progress' THEN 2 WHEN 'blocked' THEN 4 ELSE 8 END"
    };
}

/// The same for priorities.
macro_rules! priority_bit {
    () => {
        "CASE priority WHEN 'low' THEN 1 WHEN 'normal' THEN 2 WHEN 'high' THEN 4 ELSE 8 END"
    };
}

/// Several values by their bits: Postgres assumes that nearly all rows match that. Of `COALESCE(?4, status)` it assumes
/// that hardly one does, even without a filter, and would read and sort all rows for a page of them.
#[rustfmt::skip]
const FILTERS: &str = concat!(" AND (?4 & (", status_bit!(), ")) <> 0 AND (?5 & (", priority_bit!(), ")) <> 0 \
     AND (due_on > ?6 OR ?6 IS NULL) AND (due_on < ?7 OR ?7 IS NULL)");

const NEWEST: &str = " AND id < ?8 ORDER BY id DESC LIMIT ?9";
const OLDEST: &str = " AND id > ?8 ORDER BY id LIMIT ?9";

/// The day, where a task without one comes last: as text, with one value that is no day.
macro_rules! due {
    () => {
        "COALESCE(CAST(due_on AS text), 'none')"
    };
}

/// That value.
const NO_DAY: &str = "none";

/// The day, where a task without one comes last in the other direction, too.
macro_rules! due_or_less {
    () => {
        "COALESCE(CAST(due_on AS text), '')"
    };
}

macro_rules! rank {
    () => {
        "CASE priority WHEN 'urgent' THEN 4 WHEN 'high' THEN 3 WHEN 'normal' THEN 2 ELSE 1 END"
    };
}

/// The start and the end of a page in a sorted order. Included columns are looked up for the page alone, because SQLite
/// would look them up for each row that it sorts.
const SORTED: &str = {
    const PARTS: &[&str] = &["SELECT ", COLUMNS, INCLUDED, " FROM (SELECT ", COLUMNS];
    const JOINED: [u8; sql::total(PARTS)] = sql::join(PARTS, false);
    sql::text(&JOINED)
};
macro_rules! sorted {
    ($key:ident $beyond:literal $direction:literal) => {
        concat!(
            " AND (",
            $key!(),
            $beyond,
            "?11 OR (",
            $key!(),
            " = ?11 AND id < ?8)) ORDER BY ",
            $key!(),
            $direction,
            ", id DESC LIMIT ?9) tasks ORDER BY ",
            $key!(),
            $direction,
            ", id DESC"
        )
    };
}

const SOONEST: &str = sorted!(due " > " "");
const LATEST: &str = sorted!(due_or_less " < " " DESC");
const MOST_URGENT: &str = sorted!(rank " < " " DESC");
const LEAST_URGENT: &str = sorted!(rank " > " "");

looked_through!(LAST: "", "?2"; END: "", "?8"; "tasks");
looked_through!(oldest LAST_OF_OLDEST: "", "?2"; END_OF_OLDEST: "", "?8"; "tasks");

statements! { "tasks";
    tenant NEWEST_IN_PROJECT = "SELECT ", COLUMNS, INCLUDED, IN_PROJECT, FILTERS, NEWEST;
    tenant NEWEST_OF_ASSIGNEE = "SELECT ", COLUMNS, INCLUDED, OF_ASSIGNEE, FILTERS, NEWEST;
    tenant NEWEST_ANYWHERE = "SELECT ", COLUMNS, INCLUDED, ANYWHERE, FILTERS, NEWEST;
    /// As far as one page looks.
    tenant NEWEST_FILTERED = "SELECT ", COLUMNS, INCLUDED, ANYWHERE, FILTERS, END, NEWEST;
    tenant LAST_FILTERED = LAST;

    tenant OLDEST_IN_PROJECT = "SELECT ", COLUMNS, INCLUDED, IN_PROJECT, FILTERS, OLDEST;
    tenant OLDEST_OF_ASSIGNEE = "SELECT ", COLUMNS, INCLUDED, OF_ASSIGNEE, FILTERS, OLDEST;
    tenant OLDEST_ANYWHERE = "SELECT ", COLUMNS, INCLUDED, ANYWHERE, FILTERS, OLDEST;
    tenant OLDEST_FILTERED = "SELECT ", COLUMNS, INCLUDED, ANYWHERE, FILTERS, END_OF_OLDEST, OLDEST;
    tenant OLDEST_LAST_FILTERED = LAST_OF_OLDEST;

    tenant SOONEST_IN_PROJECT = SORTED, IN_PROJECT, FILTERS, SOONEST;
    tenant SOONEST_OF_ASSIGNEE = SORTED, OF_ASSIGNEE, FILTERS, SOONEST;
    tenant SOONEST_ANYWHERE = SORTED, ANYWHERE, FILTERS, SOONEST;
    tenant MOST_URGENT_IN_PROJECT = SORTED, IN_PROJECT, FILTERS, MOST_URGENT;
    tenant MOST_URGENT_OF_ASSIGNEE = SORTED, OF_ASSIGNEE, FILTERS, MOST_URGENT;
    tenant MOST_URGENT_ANYWHERE = SORTED, ANYWHERE, FILTERS, MOST_URGENT;
    tenant LATEST_IN_PROJECT = SORTED, IN_PROJECT, FILTERS, LATEST;
    tenant LATEST_OF_ASSIGNEE = SORTED, OF_ASSIGNEE, FILTERS, LATEST;
    tenant LATEST_ANYWHERE = SORTED, ANYWHERE, FILTERS, LATEST;
    tenant LEAST_URGENT_IN_PROJECT = SORTED, IN_PROJECT, FILTERS, LEAST_URGENT;
    tenant LEAST_URGENT_OF_ASSIGNEE = SORTED, OF_ASSIGNEE, FILTERS, LEAST_URGENT;
    tenant LEAST_URGENT_ANYWHERE = SORTED, ANYWHERE, FILTERS, LEAST_URGENT;

    /// Counts of matching tasks: in the project, of the assignee, in the tenant, or with these words.
    tenant COUNT_IN_PROJECT = COUNT[0], by!(), FILTERS, COUNT[1], " FROM tasks WHERE tenant_id = ?1 AND project_id = ?2", COUNT[2];
    tenant COUNT_OF_ASSIGNEE = COUNT[0], OF_ANY_PROJECT, FILTERS, COUNT[1], " FROM tasks WHERE tenant_id = ?1 AND assignee_id = ?3", COUNT[2];
    tenant COUNT_ANYWHERE = COUNT[0], OF_ANY_PROJECT, by!(), FILTERS, COUNT[1], " FROM tasks WHERE tenant_id = ?1", COUNT[2];
    tenant SEARCH_COUNT = COUNT[0], OF_ANY_PROJECT, by!(), FILTERS, COUNT[1], " FROM tasks WHERE tenant_id = ?1", search::TASKS[0], "?8", search::TASKS[1], COUNT[2]
        => COUNT[0], OF_ANY_PROJECT, by!(), FILTERS, COUNT[1], " FROM tasks WHERE tenant_id = ?1", search::TASKS_POSTGRES[0], "?8", search::TASKS_POSTGRES[1], COUNT[2];

    tenant SEARCH_NEWEST = "SELECT ", COLUMNS, INCLUDED, ANYWHERE, FILTERS, search::TASKS[0], "?11", search::TASKS[1], NEWEST
        => "SELECT ", COLUMNS, INCLUDED, ANYWHERE, FILTERS, search::TASKS_POSTGRES[0], "?11", search::TASKS_POSTGRES[1], NEWEST;
    tenant SEARCH_SOONEST = SORTED, ANYWHERE, FILTERS, search::TASKS[0], "?12", search::TASKS[1], SOONEST
        => SORTED, ANYWHERE, FILTERS, search::TASKS_POSTGRES[0], "?12", search::TASKS_POSTGRES[1], SOONEST;
    tenant SEARCH_MOST_URGENT = SORTED, ANYWHERE, FILTERS, search::TASKS[0], "?12", search::TASKS[1], MOST_URGENT
        => SORTED, ANYWHERE, FILTERS, search::TASKS_POSTGRES[0], "?12", search::TASKS_POSTGRES[1], MOST_URGENT;
    tenant SEARCH_OLDEST = "SELECT ", COLUMNS, INCLUDED, ANYWHERE, FILTERS, search::TASKS[0], "?11", search::TASKS[1], OLDEST
        => "SELECT ", COLUMNS, INCLUDED, ANYWHERE, FILTERS, search::TASKS_POSTGRES[0], "?11", search::TASKS_POSTGRES[1], OLDEST;
    tenant SEARCH_LATEST = SORTED, ANYWHERE, FILTERS, search::TASKS[0], "?12", search::TASKS[1], LATEST
        => SORTED, ANYWHERE, FILTERS, search::TASKS_POSTGRES[0], "?12", search::TASKS_POSTGRES[1], LATEST;
    tenant SEARCH_LEAST_URGENT = SORTED, ANYWHERE, FILTERS, search::TASKS[0], "?12", search::TASKS[1], LEAST_URGENT
        => SORTED, ANYWHERE, FILTERS, search::TASKS_POSTGRES[0], "?12", search::TASKS_POSTGRES[1], LEAST_URGENT;
}

/// The statements of a list.
struct Listing {
    sql: &'static TenantSql,
    /// The key at which the page starts, if the order has one.
    key: Option<Value>,
    /// The statement for the last row that a page looks through, if there is one.
    last: Option<&'static TenantSql>,
    /// The statement that counts the list.
    count: &'static TenantSql,
}

fn listing(
    order: TaskOrder,
    search: bool,
    filtered: bool,
    project: Option<ProjectId>,
    assignee: Option<UserId>,
    paging: &Paging<'_>,
) -> Result<Listing> {
    let unreadable = || Problem::new(Code::InvalidCursor);
    let key = match (order, paging.key()) {
        (TaskOrder::CreatedAt | TaskOrder::Oldest, _) => None,
        (TaskOrder::DueOn, None) => Some("".into()),
        (TaskOrder::Latest, None) => Some(NO_DAY.into()),
        (TaskOrder::DueOn, Some(key)) if key == NO_DAY || Date::parse(key).is_some() => Some(key.into()),
        (TaskOrder::Latest, Some(key)) if key.is_empty() || Date::parse(key).is_some() => Some(key.into()),
        (TaskOrder::DueOn | TaskOrder::Latest, Some(_)) => return Err(unreadable()),
        (TaskOrder::Priority, None) => Some((Priority::Urgent.rank() + 1).into()),
        (TaskOrder::LeastUrgent, None) => Some((Priority::Low.rank() - 1).into()),
        (TaskOrder::Priority | TaskOrder::LeastUrgent, Some(key)) => {
            Some(key.parse::<i64>().map_err(|_| unreadable())?.into())
        }
    };
    let [found, in_project, of_assignee, anywhere] = match order {
        TaskOrder::CreatedAt => [&SEARCH_NEWEST, &NEWEST_IN_PROJECT, &NEWEST_OF_ASSIGNEE, &NEWEST_ANYWHERE],
        TaskOrder::Oldest => [&SEARCH_OLDEST, &OLDEST_IN_PROJECT, &OLDEST_OF_ASSIGNEE, &OLDEST_ANYWHERE],
        TaskOrder::DueOn => [&SEARCH_SOONEST, &SOONEST_IN_PROJECT, &SOONEST_OF_ASSIGNEE, &SOONEST_ANYWHERE],
        TaskOrder::Latest => [&SEARCH_LATEST, &LATEST_IN_PROJECT, &LATEST_OF_ASSIGNEE, &LATEST_ANYWHERE],
        TaskOrder::Priority => {
            [&SEARCH_MOST_URGENT, &MOST_URGENT_IN_PROJECT, &MOST_URGENT_OF_ASSIGNEE, &MOST_URGENT_ANYWHERE]
        }
        TaskOrder::LeastUrgent => [
            &SEARCH_LEAST_URGENT,
            &LEAST_URGENT_IN_PROJECT,
            &LEAST_URGENT_OF_ASSIGNEE,
            &LEAST_URGENT_ANYWHERE,
        ],
    };
    let (sql, last, count) = match (project, assignee) {
        _ if search => (found, None, &SEARCH_COUNT),
        (Some(_), _) => (in_project, None, &COUNT_IN_PROJECT),
        (None, Some(assignee)) if assignee != NOBODY => (of_assignee, None, &COUNT_OF_ASSIGNEE),
        (None, None) if !filtered => (anywhere, None, &COUNT_ANYWHERE),
        // Matching tasks may be anywhere in the tenant. Only a list that goes by the id alone stops early; the others
        // sort all tasks.
        (None, _) => match order {
            TaskOrder::CreatedAt => (&NEWEST_FILTERED, Some(&LAST_FILTERED), &COUNT_ANYWHERE),
            TaskOrder::Oldest => (&OLDEST_FILTERED, Some(&OLDEST_LAST_FILTERED), &COUNT_ANYWHERE),
            _ => (anywhere, None, &COUNT_ANYWHERE),
        },
    };
    Ok(Listing { sql, key, last, count })
}

impl Repository<'_> {
    /// Tasks, in the requested order, with the words of a search.
    pub(super) async fn list_tasks(
        self,
        project: Option<ProjectId>,
        query: TaskQuery,
    ) -> Result<CountedPage<Task>> {
        let TaskQuery {
            status,
            priority,
            assignee_id,
            assignee,
            due_after,
            due_before,
            q,
            order,
            limit,
            cursor,
            count,
            include,
        } = query;
        let include = Several::chosen(include);
        let assignee = self.wanted_assignee(assignee_id, assignee);
        let order = order.unwrap_or(TaskOrder::CreatedAt);
        let texts = [project.map(|id| id.to_string()), assignee.map(|id| id.to_string())];
        let due = [due_after, due_before].map(|day| day.map(|day| day.to_string()));
        let several = [status.map(Several::text), priority.map(Several::text)];
        let words = q.as_ref().map(Search::words);
        let filters = [
            texts[0].as_deref(),
            texts[1].as_deref(),
            several[0].as_deref(),
            several[1].as_deref(),
            due[0].as_deref(),
            due[1].as_deref(),
            words.as_deref(),
            Some(order.as_str()),
        ];
        let paging = self.paging("tasks", &filters, limit, cursor)?;
        let days = due_after.is_some() || due_before.is_some();
        let filtered = status.is_some() || priority.is_some() || days;
        let Listing { sql, key, last, count: counting } =
            listing(order, words.is_some(), filtered, project, assignee, &paging)?;
        let mut batch = self.scope.batch();
        let there = project.map(|id| batch.add::<ProjectStatus, _>(&PROJECT, [id.into()]));
        let before = if order == TaskOrder::Oldest { paging.after() } else { paging.before() };
        let last: Option<Slot<Uuid>> = last.map(|last| batch.add(last, [before.clone()]));
        let mut arguments = vec![
            project.into(),
            assignee.into(),
            Several::bits(status).into(),
            Several::bits(priority).into(),
            due_after.into(),
            due_before.into(),
        ];
        let words = words.map(Value::from);
        let total = (count == Some(true)).then(|| {
            let arguments = arguments.iter().chain(&words).cloned().collect();
            batch.add_chosen::<Looked>(counting, arguments)
        });
        arguments.extend([before, paging.fetch(), include.into()]);
        arguments.extend(key);
        arguments.extend(words);
        let rows: Slot<With<Task, TaskNames>> = batch.add_chosen(sql, arguments);
        batch.bound(rows);
        let (_, mut outcome) = self.scope.read(batch).await?;
        if let Some(there) = there {
            outcome.optional(there)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        }
        let (last, total) = (outcome.optional_if_asked(last)?, outcome.optional_if_asked(total)?);
        let rows: Vec<_> = outcome.all(rows)?.into_iter().map(|row| row.asked(include)).collect();
        let page = paging.page_by(rows, last, |task| (sort_key(order, task), task.id.0));
        Ok(page.counted(total))
    }

    /// The user whose tasks both filters ask for: [`NOBODY`] for tasks without an assignee, [`NO_ONE_AT_ALL`] if no task
    /// can match.
    fn wanted_assignee(self, by_id: Option<AssigneeFilter>, by_name: Option<Assignee>) -> Option<UserId> {
        let [one, other] = [by_id, by_name.map(AssigneeFilter::Named)].map(|asked| match asked? {
            AssigneeFilter::Named(Assignee::Me) => Some(self.scope.user()),
            AssigneeFilter::Named(Assignee::Nobody) => Some(NOBODY),
            // No user has the id for nobody.
            AssigneeFilter::User(NOBODY) => Some(NO_ONE_AT_ALL),
            AssigneeFilter::User(user) => Some(user),
        });
        match (one, other) {
            // A task has only one assignee.
            (Some(one), Some(other)) if one != other => Some(NO_ONE_AT_ALL),
            (one, other) => one.or(other),
        }
    }
}

/// What an order sorts by before the id, as the cursor holds it.
fn sort_key(order: TaskOrder, task: &Task) -> String {
    match order {
        TaskOrder::CreatedAt | TaskOrder::Oldest => String::new(),
        TaskOrder::DueOn => task.due_on.map_or_else(|| NO_DAY.to_owned(), |day| day.to_string()),
        TaskOrder::Latest => task.due_on.map_or_else(String::new, |day| day.to_string()),
        TaskOrder::Priority | TaskOrder::LeastUrgent => task.priority.rank().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::values::enumerations::TaskStatus;

    #[test]
    fn each_value_has_the_bit_that_it_is_asked_for_by() {
        fn text(column: &str, names: &[&str]) -> String {
            let bit = |(place, name): (usize, &&str)| {
                let when =
                    if place + 1 == names.len() { "ELSE".to_owned() } else { format!("WHEN '{name}' THEN") };
                format!("{when} {}", 1 << place)
            };
            let bits: Vec<_> = names.iter().enumerate().map(bit).collect();
            format!("CASE {column} {} END", bits.join(" "))
        }
        let statuses: Vec<_> = TaskStatus::ALL.iter().map(|status| status.as_str()).collect();
        assert_eq!(status_bit!(), text("status", &statuses));
        let priorities: Vec<_> = Priority::ALL.iter().map(|priority| priority.as_str()).collect();
        assert_eq!(priority_bit!(), text("priority", &priorities));
    }
}
