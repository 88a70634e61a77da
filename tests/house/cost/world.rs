//! A database with one tenant that has heaped up very much of everything, one that has a tenth of that, and many that have
//! little; and the ids of what is in it.

use std::env;

use super::Engine;

/// Tenants that have little.
const SMALL: usize = 100;
/// What each of them has of everything.
const FEW: usize = 3;
/// Tenants that have nothing, on Postgres.
const BARE: usize = 5_000;

/// A tenant: how all its ids begin, and how many rows it has of everything.
#[derive(Clone)]
pub(super) struct Heap {
    pub(super) prefix: String,
    pub(super) rows: usize,
}

/// The rows of the large one: `COSTS_ROWS`, for those who want to see it with more of them.
pub(super) fn large() -> Heap {
    let rows = env::var("COSTS_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(10_000);
    Heap { prefix: "0aaaaaaa".to_owned(), rows }
}

/// The one that has a tenth of that.
pub(super) fn medium() -> Heap {
    Heap { prefix: "0bbbbbbb".to_owned(), rows: large().rows / 10 }
}

/// One of those that have little.
pub(super) fn small() -> Heap {
    Heap { prefix: format!("0c{:06}", SMALL / 2), rows: FEW }
}

fn all() -> Vec<Heap> {
    let small = (1..=SMALL).map(|number| Heap { prefix: format!("0c{number:06}"), rows: FEW });
    [large(), medium()].into_iter().chain(small).collect()
}

/// What has ids.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    User = 101,
    Project,
    Task,
    Comment,
    Notification,
    Delivery,
    Activity,
    Invitation,
    Key,
    Session,
    Identity,
    Membership,
    Claim,
    Reset,
    Placeholder,
}

impl Heap {
    /// The id of the row of this number.
    pub(super) fn id(&self, kind: Kind, number: usize) -> String {
        format!("{}-0000-7000-8{:03}-{number:012}", self.prefix, kind as usize)
    }

    /// The tenant itself. Ids end at random, so these end differently.
    pub(super) fn tenant(&self) -> String {
        format!("{}-0000-7000-8100-0000{}", self.prefix, self.prefix)
    }

    /// What stands for a part of the row in the arguments of statements.
    pub(super) fn resolve(&self, text: &str) -> String {
        // The last of everything is what a scan from the beginning finds last. The owner is the last member, and what
        // everything is about; `other` is a manager, and `third` a member whom nothing is about.
        let (last, before) = (self.rows, self.rows - 1);
        let tokens = [
            ("@tenant", self.tenant()),
            ("@user", self.id(Kind::User, last)),
            ("@other", self.id(Kind::User, before)),
            ("@third", self.id(Kind::User, 1)),
            ("@project", self.id(Kind::Project, last)),
            ("@bare", self.id(Kind::Project, 1)),
            ("@plain", self.id(Kind::Task, 1)),
            ("@task", self.id(Kind::Task, last)),
            ("@comment", self.id(Kind::Comment, last)),
            ("@notification", self.id(Kind::Notification, last)),
            ("@delivery", self.id(Kind::Delivery, last)),
            ("@pending", self.id(Kind::Activity, self.rows + 1)),
            ("@activity", self.id(Kind::Activity, last)),
            ("@invitation", self.id(Kind::Invitation, last)),
            ("@key", self.id(Kind::Key, last)),
            ("@session", self.id(Kind::Session, last)),
            ("@identity", self.id(Kind::Identity, last)),
            ("@member", self.id(Kind::Membership, last)),
            ("@claim", self.id(Kind::Claim, 1)),
            ("@reset", self.id(Kind::Reset, last)),
            ("@email", format!("u{last}.{}@example.com", self.prefix)),
            ("@invited", format!("i{last}.{}@example.com", self.prefix)),
            ("@slug", format!("t{}", self.prefix)),
            ("@rows", last.to_string()),
            ("@new", "0ddddddd-0000-7000-8000-00000000000d".to_owned()),
            ("@end", "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned()),
            ("@start", "00000000-0000-0000-0000-000000000000".to_owned()),
            ("@past", "2020-01-01T00:00:00.000Z".to_owned()),
            ("@now", "2029-01-01T00:00:00.000Z".to_owned()),
            ("@future", "2040-01-01T00:00:00.000Z".to_owned()),
        ];
        tokens.iter().fold(text.to_owned(), |text, (token, value)| text.replace(token, value))
    }
}

/// All of it, as statements. Rows are made by the database itself, out of a series `n` of numbers `i`.
pub(super) fn script(engine: Engine) -> Vec<String> {
    let mut script: Vec<String> = all().iter().flat_map(|heap| rows(engine, heap)).collect();
    if engine == Engine::Postgres {
        // Of a table of few blocks it reads all, which is right, but is what this looks for.
        script.push(format!(
            "INSERT INTO tenants (id, slug, name, created_at, updated_at, version) SELECT CAST('0e' || \
             substr(CAST(1000000 + i AS text), 2) || '-0000-7000-8100-0000' || '0e' || \
             substr(CAST(1000000 + i AS text), 2) AS uuid), 'bare' || i, 'T', now(), now(), 1 \
             FROM generate_series(1, {BARE}) i"
        ));
    }
    script
}

/// What stands for an id in a statement that makes rows.
fn made(engine: Engine, heap: &Heap, kind: Kind, number: &str) -> String {
    let text = format!(
        "('{}-0000-7000-8{:03}-' || substr(CAST(1000000000000 + {number} AS text), 2))",
        heap.prefix, kind as usize
    );
    match engine {
        Engine::Sqlite => text,
        Engine::Postgres => format!("CAST({text} AS uuid)"),
    }
}

/// A time in a year, a second after the one of the number before.
fn at(engine: Engine, year: u32) -> String {
    match engine {
        Engine::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%fZ', '{year}-01-01', '+' || i || ' seconds')"),
        Engine::Postgres => format!("timestamptz '{year}-01-01T00:00:00Z' + i * interval '1 second'"),
    }
}

#[expect(clippy::too_many_lines, reason = "a list of rows, one table after the other")]
fn rows(engine: Engine, heap: &Heap) -> Vec<String> {
    let Heap { prefix, rows } = heap;
    let id = |kind| made(engine, heap, kind, "i");
    let last = |kind| format!("'{}'", heap.id(kind, *rows));
    let tenant = format!("'{}'", heap.tenant());
    let (user, project, task) = (last(Kind::User), last(Kind::Project), last(Kind::Task));
    let [other, third] = [rows - 1, 1].map(|number| format!("'{}'", heap.id(Kind::User, number)));
    let claim = format!("'{}'", heap.id(Kind::Claim, 1));
    let typed = if engine == Engine::Postgres { "timestamptz " } else { "" };
    let [early, now, later] = [2025, 2026, 2031].map(|year| format!("{typed}'{year}-01-01T00:00:00.000Z'"));
    let (time, few) = (at(engine, 2026), (*rows / 10).clamp(1, 50));
    let fill = |table: &str, columns: &str, values: String, from: usize, to: usize| {
        format!(
            "INSERT INTO {table} ({columns}) WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n \
             WHERE i < {to}) SELECT {values} FROM n"
        )
    };
    let many = |table: &str, columns: &str, values: String| fill(table, columns, values, 1, *rows);
    let deliveries = "tenant_id, id, channel, kind, recipient_id, title, body, subject_type, subject_id, state, attempts, \
         next_attempt_at, created_at, claim";
    let delivery = |state: &str, next: &str, claim: &str| {
        format!(
            "{tenant}, {}, 'email', 'approved', {user}, 'T', '', 'project', {project}, '{state}', 1, {next}, {now}, {claim}",
            id(Kind::Delivery)
        )
    };
    let action =
        "CASE i % 3 WHEN 0 THEN 'project.updated' WHEN 1 THEN 'task.updated' ELSE 'task.created' END";
    let hash = |of: &str| format!("'{of}{prefix}-' || CAST(i AS text)");
    vec![
        many(
            "users",
            "id, email, name, password_hash, created_at, updated_at, version",
            format!(
                "{}, 'u' || CAST(i AS text) || '.{prefix}@example.com', 'U', 'x', {now}, {now}, 1",
                id(Kind::User)
            ),
        ),
        // The last stands for `third`, who has left as little as the others.
        many(
            "users",
            "id, email, name, password_hash, created_at, updated_at, version, imported_into, imported_email",
            format!(
                "{0}, {0} || '@unclaimed.invalid', 'P', '', {now}, {now}, 1, {tenant}, \
                 'u' || CAST({rows} + 1 - i AS text) || '.{prefix}@example.com'",
                id(Kind::Placeholder)
            ),
        ),
        format!(
            "INSERT INTO tenants (id, slug, name, created_by, created_at, updated_at, version) \
             VALUES ({tenant}, 't{prefix}', 'T', {user}, {now}, {now}, 1)"
        ),
        many(
            "memberships",
            "tenant_id, id, user_id, role, status, created_at, updated_at, version",
            format!(
                "{tenant}, {}, {}, CASE {rows} - i WHEN 0 THEN 'owner' WHEN 1 THEN 'manager' ELSE 'member' END, 'active', \
                 {now}, {now}, 1",
                id(Kind::Membership),
                id(Kind::User)
            ),
        ),
        many(
            "projects",
            "tenant_id, id, name, description, status, visibility, created_by, created_at, updated_at, version, name_words, \
             description_words, indexed",
            format!(
                "{tenant}, {}, 'N', '', 'approved', CASE i WHEN 1 THEN 'public' ELSE 'private' END, {user}, {now}, {now}, 1, \
                 CASE i WHEN 1 THEN 'rare' ELSE 'shared' END, '', CASE WHEN i <= {few} THEN 0 ELSE 2 END",
                id(Kind::Project)
            ),
        ),
        many(
            "tasks",
            "tenant_id, id, project_id, title, description, status, priority, assignee_id, due_on, created_at, updated_at, \
             version, title_words, description_words, indexed",
            format!(
                "{tenant}, {}, {project}, 'T', '', CASE i % 2 WHEN 0 THEN 'done' ELSE 'blocked' END, 'normal', {user}, NULL, {now}, \
                 {now}, 1, CASE i WHEN 1 THEN 'rare' ELSE 'shared' END, '', CASE WHEN i <= {few} THEN 0 ELSE 2 END",
                id(Kind::Task)
            ),
        ),
        many(
            "comments",
            "tenant_id, id, task_id, author_id, body, created_at, updated_at, version",
            format!("{tenant}, {}, {task}, {user}, 'C', {now}, {now}, 1", id(Kind::Comment)),
        ),
        many(
            "notifications",
            "tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, read_at, created_at",
            format!(
                "{tenant}, {}, {user}, 'approved', 'T', '', 'project', {project}, \
                 CASE i % 10 WHEN 0 THEN {time} END, {now}",
                id(Kind::Notification)
            ),
        ),
        many("deliveries", deliveries, delivery("pending", &time, "NULL")),
        fill("deliveries", deliveries, delivery("pending", &later, &claim), rows + 1, rows + few.min(5)),
        fill("deliveries", deliveries, delivery("sent", &time, "NULL"), 2 * rows + 1, 3 * rows),
        fill("deliveries", deliveries, delivery("dead", &time, "NULL"), 3 * rows + 1, 4 * rows),
        many(
            "activity",
            "tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at, seq, hash",
            format!(
                "{tenant}, {}, {user}, {action}, 'project', {project}, '{{}}', {time}, i, 'x'",
                id(Kind::Activity)
            ),
        ),
        fill(
            "activity",
            "tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at",
            format!(
                "{tenant}, {}, {user}, {action}, 'project', {project}, '{{}}', {time}",
                id(Kind::Activity)
            ),
            rows + 1,
            2 * rows,
        ),
        many(
            "invitations",
            "tenant_id, id, email, role, token_hash, invited_by, expires_at, created_at",
            format!(
                "{tenant}, {}, 'i' || CAST(i AS text) || '.{prefix}@example.com', 'member', 'x', {user}, {later}, {now}",
                id(Kind::Invitation)
            ),
        ),
        many(
            "api_keys",
            "tenant_id, id, user_id, name, role, prefix, token_hash, expires_at, created_at",
            format!("{tenant}, {}, {other}, 'K', 'member', 'p', 'x', {later}, {now}", id(Kind::Key)),
        ),
        many(
            "sessions",
            "id, user_id, refresh_hash, created_at, refreshed_at, expires_at, revoked_at",
            format!(
                "{}, {user}, 'x', {now}, {now}, {later}, CASE WHEN i < {rows} THEN {now} END",
                id(Kind::Session)
            ),
        ),
        // Nobody has many.
        fill(
            "identities",
            "id, user_id, issuer, subject, created_at",
            format!("{}, {user}, 'https://id.example', {}, {now}", id(Kind::Identity), hash("s")),
            rows - few + 1,
            *rows,
        ),
        many(
            "idempotency_keys",
            "tenant_id, key_hash, user_id, fingerprint, answer, created_at",
            format!("{tenant}, {}, {user}, 'f', 'a', {time}", hash("k")),
        ),
        many(
            "account_idempotency_keys",
            "user_id, key_hash, fingerprint, answer, created_at",
            format!("{user}, {}, 'f', 'a', {time}", hash("k")),
        ),
        format!(
            "INSERT INTO imports (tenant_id, user_id, state, next_line, digest, created_at, updated_at) \
             VALUES ({tenant}, {user}, '{{}}', {rows}, 'd', {now}, {now})"
        ),
        many(
            "import_rows",
            "tenant_id, user_id, line, kind, name, content",
            format!("{tenant}, {user}, i, 'labels', {}, '{{}}'", hash("n")),
        ),
        // One that was given up.
        format!(
            "INSERT INTO imports (tenant_id, user_id, state, next_line, digest, created_at, updated_at, placed) \
             VALUES ({tenant}, {third}, '{{}}', {rows}, '', {now}, {early}, -1)"
        ),
        many(
            "import_rows",
            "tenant_id, user_id, line, kind, name, content",
            format!("{tenant}, {third}, i, 'labels', {}, '{{}}'", hash("n")),
        ),
        many(
            "password_resets",
            "user_id, email, id, token_hash, expires_at, next_attempt_at, attempts, created_at",
            format!(
                "{}, 'r' || CAST(i AS text) || '.{prefix}@example.com', {}, 'x', {later}, {time}, 0, {now}",
                id(Kind::User),
                id(Kind::Reset)
            ),
        ),
        many("released_slugs", "slug, user_id, released_at", format!("{}, {user}, {time}", hash("s"))),
    ]
}
