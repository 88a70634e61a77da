//! What a tenant works with: its projects, tasks and comments, and the activity that tells of them.

use super::super::{Case, own, rows};

/// Rows of a page of twenty and the one that tells whether there is another one.
const PAGE: u32 = 25;

/// An index for each order, of a tenant, a project and an assignee, would have each write of a task cost six more.
const SORTED: &str = "It sorts the tasks that there are.";

const FOUND: &str = "Of one project or one assignee it looks through all tasks: those of one status would be spread over many pages.";

/// Those that a filter looks through, once to see where that ends and once to see what they are.
const LOOKED: u32 = 2_100;

pub(super) const ALL: &[Case] = &[
    rows("activity::INSERT", "@new, @user, 'a.b', 'task', @task, '{}', @now", 2),
    rows(
        "activity::INSERT_EACH",
        "'[{\"id\":\"@new\",\"action\":\"a.b\",\"entity_type\":\"task\",\"entity_id\":\"@task\",\"detail\":{}}]', @user, @now",
        3,
    ),
    rows("activity::INSERT_DENIED", "@new, @user, 'task', @task, '{}', @now, @past, 'GET /x', @start", 4),
    rows("activity::INSERT_EXPORT", "@new, @user, '{}', @now, @past, @start", 4),
    rows("admin::ACTIVITY", "@end, 21", PAGE),
    rows("admin::ACTIVITY_OF_ENTITY", "'project', @project, @end, 21", PAGE),
    rows("admin::ACTIVITY_OF_ENTITY", "'project', @new, @end, 21", PAGE),
    rows("admin::ACTIVITY_OF_ACTOR", "@third, @end, 21", PAGE),
    rows("admin::ACTIVITY_OF_ACTION", "'a.b', @end, 21", PAGE),
    rows("admin::ACTIVITY_FILTERED", "@user, 'a.b', NULL, NULL, NULL, NULL, @end, 21", LOOKED),
    rows("admin::ACTIVITY_FILTERED", "NULL, NULL, 'task', NULL, NULL, NULL, @end, 21", LOOKED),
    rows("admin::ACTIVITY_FILTERED", "NULL, NULL, NULL, NULL, @now, NULL, @end, 21", LOOKED),
    rows("admin::ACTIVITY_FILTERED", "NULL, NULL, NULL, NULL, NULL, @past, @end, 21", LOOKED),
    rows("admin::LAST_FILTERED", "@end", LOOKED),
    own("admin::PROJECTS", "", "It counts them."),
    own("admin::TASKS", "", "It counts them."),
    own("admin::MEMBERS", "", "It counts them."),
    own("admin::DELIVERIES", "", "It counts them."),
    own("admin::ACTIVITY_BY_DAY", "@past", "It counts the entries of thirty days."),
    rows("bulk::BY_IDS", "'[{\"id\":\"@task\"}]', @project", 3),
    rows(
        "bulk::INSERT_EACH",
        "'[{\"id\":\"@new\",\"title\":\"T\",\"description\":\"\",\"status\":\"todo\",\"priority\":\"low\",\
         \"title_words\":\"t\",\"description_words\":\"\"}]', @project, @user, @now",
        20,
    ),
    rows(
        "bulk::UPDATE_EACH",
        "'[{\"task\":\"@task\",\"new_title\":\"N\",\"assigns\":0,\"dates\":0,\"decided_on\":1,\"new_title_words\":\"n\"}]', \
         @project, @now",
        20,
    ),
    rows("bulk::DELETE_EACH", "'[{\"id\":\"@plain\"}]', @project", 30),
    own("bulk::DELETE_EACH", "'[{\"id\":\"@task\"}]', @project", "Comments go with their task."),
    rows("catalogue::LIST", "@end, 21", PAGE),
    rows("catalogue::LIST_FILTERED", "'rejected', @end, 21", LOOKED),
    rows("catalogue::LAST_FILTERED", "@end", LOOKED),
    rows("catalogue::SEARCH", "NULL, @end, 21, 'rare'", 50),
    rows("catalogue::BY_ID", "@project", 1),
    rows("comments::SUBJECT", "@task", 2),
    rows("comments::LIST", "@task, @end, 21", PAGE),
    rows("comments::BY_ID", "@task, @comment", 1),
    rows("comments::INSERT", "@task, @new, @user, 'C', @now", 4),
    rows("comments::UPDATE", "@task, @comment, 'D', @now, @user, 1", 4),
    rows("comments::UNCHANGED", "@comment, 1, NULL, NULL, 1", 1),
    rows("comments::DELETE", "@task, @comment", 4),
    rows("projects::BY_ID", "@project", 1),
    rows("projects::LIST", "@end, 21", PAGE),
    rows("projects::LIST_FILTERED", "'rejected', NULL, @end, 21", LOOKED),
    rows("projects::LIST_FILTERED", "NULL, 'public', @end, 21", LOOKED),
    rows("projects::LAST_FILTERED", "@end", LOOKED),
    rows("projects::SEARCH", "NULL, NULL, @end, 21, 'rare'", 50),
    rows("projects::INSERT", "@new, 'N', '', 'private', @user, @now, 'n', ''", 20),
    rows("projects::UPDATE", "@project, 'O', NULL, NULL, @now, 'o', NULL, 0", 20),
    rows("projects::UNCHANGED", "@project, 1, NULL, NULL, 1", 1),
    rows("projects::DELETE", "@bare", 20),
    own("projects::DELETE", "@project", "Tasks and their comments go with their project."),
    rows("projects::MOVE", "@project, 'completed', @user, @now, 1, 0", 4),
    own("projects::COUNT_OPEN_TASKS", "@project", "It says how many."),
    rows("projects::NO_OPEN_TASKS", "@project", 3),
    rows("projects::HISTORY", "@project, @end, 21", PAGE),
    rows("search::PROJECTS_WITHOUT", "50", 55),
    rows("search::TASKS_WITHOUT", "50", 55),
    rows("search::INDEX_PROJECT", "@project, 1, 'n', ''", 20),
    rows("search::INDEX_TASK", "@task, 1, 'n', ''", 20),
    rows("tasks::BY_ID", "@task", 1),
    rows("tasks::PROJECT", "@project", 1),
    rows("tasks::INSERT", "@project, @new, 'T', '', 'todo', 'low', @user, NULL, @user, @now, 't', ''", 20),
    rows("tasks::UPDATE", "@task, 'U', NULL, 'todo', NULL, 0, NULL, 0, NULL, @now, 1, 'u', NULL", 20),
    rows("tasks::UNCHANGED", "@task, 1, NULL, NULL, 1", 1),
    rows("tasks::DELETE", "@plain", 20),
    own("tasks::DELETE", "@task", "Comments go with their task."),
    rows("tasks::NEWEST_IN_PROJECT", "@project, NULL, NULL, NULL, NULL, @end, 21", PAGE),
    rows("tasks::NEWEST_IN_PROJECT", "@bare, NULL, NULL, NULL, NULL, @end, 21", PAGE),
    own("tasks::NEWEST_IN_PROJECT", "@project, NULL, 'todo', NULL, NULL, @end, 21", FOUND),
    rows("tasks::NEWEST_OF_ASSIGNEE", "NULL, @user, NULL, NULL, NULL, @end, 21", PAGE),
    rows("tasks::NEWEST_OF_ASSIGNEE", "NULL, @third, NULL, NULL, NULL, @end, 21", PAGE),
    own("tasks::NEWEST_OF_ASSIGNEE", "NULL, @user, 'todo', NULL, NULL, @end, 21", FOUND),
    rows("tasks::NEWEST_ANYWHERE", "NULL, NULL, NULL, NULL, NULL, @end, 21", PAGE),
    rows("tasks::NEWEST_FILTERED", "NULL, NULL, 'todo', NULL, NULL, @end, 21", LOOKED),
    rows("tasks::NEWEST_FILTERED", "NULL, NULL, NULL, 'urgent', NULL, @end, 21", LOOKED),
    rows("tasks::NEWEST_FILTERED", "NULL, NULL, 'done', NULL, NULL, @end, 21", LOOKED),
    rows("tasks::LAST_FILTERED", "@end", LOOKED),
    own("tasks::SOONEST_IN_PROJECT", "@project, NULL, NULL, NULL, NULL, @end, 21, '0001-01-01'", SORTED),
    own("tasks::SOONEST_OF_ASSIGNEE", "NULL, @user, NULL, NULL, NULL, @end, 21, '0001-01-01'", SORTED),
    own("tasks::SOONEST_ANYWHERE", "NULL, NULL, NULL, NULL, NULL, @end, 21, '0001-01-01'", SORTED),
    own("tasks::MOST_URGENT_IN_PROJECT", "@project, NULL, NULL, NULL, NULL, @end, 21, 5", SORTED),
    own("tasks::MOST_URGENT_OF_ASSIGNEE", "NULL, @user, NULL, NULL, NULL, @end, 21, 5", SORTED),
    own("tasks::MOST_URGENT_ANYWHERE", "NULL, NULL, NULL, NULL, NULL, @end, 21, 5", SORTED),
    rows("tasks::SEARCH_NEWEST", "NULL, NULL, NULL, NULL, NULL, @end, 21, 'rare'", 50),
    own(
        "tasks::SEARCH_NEWEST",
        "NULL, NULL, NULL, NULL, NULL, @end, 21, 'shared'",
        "All of them have the word.",
    ),
    rows("tasks::SEARCH_SOONEST", "NULL, NULL, NULL, NULL, NULL, @end, 21, '0001-01-01', 'rare'", 50),
    rows("tasks::SEARCH_MOST_URGENT", "NULL, NULL, NULL, NULL, NULL, @end, 21, 5, 'rare'", 50),
];
