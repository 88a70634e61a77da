//! Rows, put in by the back door.

use bailiwick_tests::{actors::new_id, backdoor::Backdoor};

/// A point in time that every dialect reads.
pub(crate) const NOW: &str = "'2026-01-01T00:00:00.000Z'";
/// One long before it.
pub(crate) const LONG_AGO: &str = "'2024-01-01T00:00:00.000Z'";

/// Puts rows into a table: `into` names it and its columns, and each row is what stands in brackets.
pub(crate) async fn insert(backdoor: &Backdoor, into: &str, rows: &[String]) {
    // D1 takes no longer statements.
    for some in rows.chunks(200) {
        backdoor.sql(&format!("INSERT INTO {into} VALUES {}", some.join(", "))).await;
    }
}

/// So many rows of what makes one of a fresh id.
pub(crate) fn rows(count: usize, row: impl Fn(String) -> String) -> Vec<String> {
    (0..count).map(|_| row(new_id())).collect()
}

/// A tenant, and somebody who owns it.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    pub(crate) tenant: String,
    pub(crate) owner: String,
}

impl Owned {
    pub(crate) async fn make(backdoor: &Backdoor) -> Self {
        let this = Self { tenant: new_id(), owner: new_id() };
        let Self { tenant, owner } = &this;
        for sql in [
            format!(
                "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
                 VALUES ('{owner}', '{owner}@example.com', 'O', 'x', {NOW}, {NOW}, 1)"
            ),
            format!(
                "INSERT INTO tenants (id, slug, name, created_at, updated_at, version) \
                 VALUES ('{tenant}', 's-{tenant}', 'T', {NOW}, {NOW}, 1)"
            ),
            format!(
                "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
                 VALUES ('{tenant}', '{}', '{owner}', 'owner', 'active', {NOW}, {NOW}, 1)",
                new_id()
            ),
        ] {
            backdoor.sql(&sql).await;
        }
        this
    }

    /// A project that no search has to find, and its id.
    pub(crate) async fn project(&self, backdoor: &Backdoor) -> String {
        let id = new_id();
        self.projects(backdoor, std::slice::from_ref(&id), 2).await;
        id
    }

    async fn projects(&self, backdoor: &Backdoor, ids: &[String], indexed: u8) {
        let Self { tenant, owner } = self;
        let row = |id: &String| {
            format!(
                "('{tenant}', '{id}', 'A bridge', 'Over it', 'in_progress', 'private', '{owner}', {NOW}, {NOW}, 1, {indexed})"
            )
        };
        let into = "projects (tenant_id, id, name, description, status, visibility, created_by, created_at, updated_at, \
             version, indexed)";
        insert(backdoor, into, &ids.iter().map(row).collect::<Vec<_>>()).await;
    }

    /// Projects that have no words yet.
    pub(crate) async fn projects_without_words(&self, backdoor: &Backdoor, count: usize) {
        let ids: Vec<_> = (0..count).map(|_| new_id()).collect();
        self.projects(backdoor, &ids, 0).await;
    }

    /// Tasks that have no words yet, or no need of any; returns the last one's id.
    pub(crate) async fn tasks(&self, backdoor: &Backdoor, count: usize, indexed: u8) -> String {
        let (tenant, project) = (&self.tenant, self.project(backdoor).await);
        let into = "tasks (tenant_id, id, project_id, title, description, status, created_at, updated_at, version, indexed)";
        let row = |id: String| {
            format!(
                "('{tenant}', '{id}', '{project}', 'A pier', 'Of it', 'todo', {NOW}, {NOW}, 1, {indexed})"
            )
        };
        let all = rows(count, row);
        let last = all.last().expect("a task").split('\'').nth(3).expect("an id").to_owned();
        insert(backdoor, into, &all).await;
        last
    }

    /// Entries of the activity that are not sealed.
    pub(crate) async fn entries(&self, backdoor: &Backdoor, count: usize) {
        let Self { tenant, owner } = self;
        let into = "activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at)";
        let row = |id| format!("('{tenant}', '{id}', '{owner}', 'a.b', 'c', '{id}', '{{}}', {NOW})");
        insert(backdoor, into, &rows(count, row)).await;
    }

    /// Notifications, read at a time or not.
    pub(crate) async fn notifications(&self, backdoor: &Backdoor, count: usize, read_at: &str) {
        let Self { tenant, owner } = self;
        let into = "notifications (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, read_at, created_at)";
        let row = |id| {
            format!(
                "('{tenant}', '{id}', '{owner}', 'approved', 'T', '', 'project', '{id}', {read_at}, {LONG_AGO})"
            )
        };
        insert(backdoor, into, &rows(count, row)).await;
    }
}
