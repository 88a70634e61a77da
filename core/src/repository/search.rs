//! The index of words for searches: the query of each engine for rows with some words, and the words of rows that have
//! none yet. New rows have them from the start; rows from before the words had their present form (`indexed` counts its
//! changes), or that were not written by the service, get them in the background.
//!
//! An index only says which rows may match. They are read from the tenant's table, like all others.

use uuid::Uuid;

use crate::{
    access::{
        batch::Slot,
        scopes::background::BackgroundScope,
        turns::{Step, Turned},
    },
    http::problem::Result,
    kernel::{
        sql::{TenantSql, rows::record, statements},
        values::TenantId,
        words::{index, index_name},
    },
};

/// The condition that a project has the words of a parameter, whose name stands between the two parts. For FTS5 each
/// word is a string, with a star behind it and the prefix of all words of the tenant in the index.
pub(super) const PROJECTS: [&str; 2] = [
    " AND id IN (SELECT s.id FROM project_search s \
     WHERE s.tenant_id = ?1 AND s.project_search MATCH ('\"' || substr(?1, -8) || replace(",
    ", ' ', '\"* AND \"' || substr(?1, -8)) || '\"*'))",
];

/// The same for tasks.
pub(super) const TASKS: [&str; 2] = [
    " AND id IN (SELECT s.id FROM task_search s \
     WHERE s.tenant_id = ?1 AND s.task_search MATCH ('\"' || substr(?1, -8) || replace(",
    PROJECTS[1],
];

/// The same for projects, on Postgres: a function, because row-level security keeps the statement itself from the
/// index. It is an array, lest the function be called for each row of a tenant that Postgres takes for a small one.
#[cfg(feature = "postgres")]
pub(super) const PROJECTS_POSTGRES: [&str; 2] = [" AND id = ANY (ARRAY(SELECT matching_projects(", ")))"];

/// The same for tasks.
#[cfg(feature = "postgres")]
pub(super) const TASKS_POSTGRES: [&str; 2] = [" AND id = ANY (ARRAY(SELECT matching_tasks(", ")))"];

/// Rows that get their words in one batch, each by a statement of its own.
const AT_ONCE: u32 = 50;

statements! { "search";
    /// The tenants with projects without words, behind a tenant. It runs every few seconds, so it must cost nothing: an
    /// index of only such projects leads from tenant to tenant, however many of them one has.
    spanning WAITING_PROJECTS = "SELECT o.tenant_id FROM (WITH RECURSIVE owing (tenant_id) AS (\
         SELECT (SELECT a.tenant_id FROM projects a WHERE a.indexed < 2 AND a.tenant_id > ?2 ORDER BY a.tenant_id LIMIT 1) \
         UNION ALL SELECT (SELECT b.tenant_id FROM projects b WHERE b.indexed < 2 AND b.tenant_id > p.tenant_id \
         ORDER BY b.tenant_id LIMIT 1) FROM owing p WHERE p.tenant_id IS NOT NULL) \
         SELECT tenant_id FROM owing) o WHERE o.tenant_id IS NOT NULL LIMIT ?1";

    spanning WAITING_TASKS = "SELECT o.tenant_id FROM (WITH RECURSIVE owing (tenant_id) AS (\
         SELECT (SELECT a.tenant_id FROM tasks a WHERE a.indexed < 2 AND a.tenant_id > ?2 ORDER BY a.tenant_id LIMIT 1) \
         UNION ALL SELECT (SELECT b.tenant_id FROM tasks b WHERE b.indexed < 2 AND b.tenant_id > p.tenant_id \
         ORDER BY b.tenant_id LIMIT 1) FROM owing p WHERE p.tenant_id IS NOT NULL) \
         SELECT tenant_id FROM owing) o WHERE o.tenant_id IS NOT NULL LIMIT ?1";

    tenant PROJECTS_WITHOUT = "SELECT id, version, name, description FROM projects \
         WHERE tenant_id = ?1 AND indexed < 2 ORDER BY id LIMIT ?2";

    tenant TASKS_WITHOUT = "SELECT id, version, title, description FROM tasks \
         WHERE tenant_id = ?1 AND indexed < 2 ORDER BY id LIMIT ?2";

    /// Unless the project was changed since: then it is found again.
    tenant INDEX_PROJECT = "UPDATE projects SET name_words = ?4, description_words = ?5, indexed = 2 \
         WHERE tenant_id = ?1 AND id = ?2 AND version = ?3";

    tenant INDEX_TASK = "UPDATE tasks SET title_words = ?4, description_words = ?5, indexed = 2 \
         WHERE tenant_id = ?1 AND id = ?2 AND version = ?3";
}

record! {
    struct Waiting {
        id: Uuid,
        version: i64,
        name: String,
        description: String,
    }
}

/// Makes missing words, in at most `batches` batches: tasks get those that projects leave, at least half.
pub(crate) async fn run(scope: &BackgroundScope<'_>, batches: u32) -> Result<Turned> {
    let turns = &scope.services().turns;
    let step = |tenant| some(scope, tenant, &PROJECTS_WITHOUT, &INDEX_PROJECT);
    let half = batches.div_ceil(2);
    let projects = turns.project_words.round(scope, Some(&WAITING_PROJECTS), half, step).await?;
    let step = |tenant| some(scope, tenant, &TASKS_WITHOUT, &INDEX_TASK);
    let rest = if projects.rows > 0 { batches - half } else { batches };
    let tasks = turns.task_words.round(scope, Some(&WAITING_TASKS), rest, step).await?;
    Ok(Turned {
        rows: projects.rows + tasks.rows,
        more: projects.more || tasks.more,
        failed: projects.failed.or(tasks.failed),
    })
}

/// Makes the words of some rows of a tenant, and returns how many.
async fn some(
    scope: &BackgroundScope<'_>,
    tenant: TenantId,
    without: &TenantSql,
    set: &TenantSql,
) -> Result<Step> {
    let mut batch = scope.batch(Some(tenant));
    let rows = batch.add::<Waiting, _>(without, [i64::from(AT_ONCE).into()]);
    let rows = scope.run(batch).await?.all(rows)?;
    let mut batch = scope.batch(Some(tenant));
    let mut count = 0;
    for Waiting { id, version, name, description } in rows {
        let _: Slot<()> = batch.add(set, [id.into(), version.into(), index_name(&name), index(&description)]);
        count += 1;
    }
    if count > 0 {
        scope.run(batch).await?;
    }
    Ok(if count < AT_ONCE { Step::Last(count) } else { Step::Some(count) })
}
