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

/// The rows of a heap: statements for one engine.
struct Rows<'a> {
    engine: Engine,
    heap: &'a Heap,
    rows: usize,
    /// A few of the rows.
    few: usize,
    prefix: &'a str,
    // Values, as SQL has them: ids of single rows, and times.
    tenant: String,
    user: String,
    project: String,
    task: String,
    early: String,
    now: String,
    later: String,
    /// A time of its own for each row.
    time: String,
}

fn rows(engine: Engine, heap: &Heap) -> Vec<String> {
    let last = |kind| format!("'{}'", heap.id(kind, heap.rows));
    let typed = if engine == Engine::Postgres { "timestamptz " } else { "" };
    let [early, now, later] = [2025, 2026, 2031].map(|year| format!("{typed}'{year}-01-01T00:00:00.000Z'"));
    let rows = Rows {
        engine,
        heap,
        rows: heap.rows,
        few: (heap.rows / 10).clamp(1, 50),
        prefix: &heap.prefix,
        tenant: format!("'{}'", heap.tenant()),
        user: last(Kind::User),
        project: last(Kind::Project),
        task: last(Kind::Task),
        early,
        now,
        later,
        time: at(engine, 2026),
    };
    [rows.of_people(), rows.of_work(), rows.of_messages(), rows.of_access(), rows.kept()].concat()
}

impl Rows<'_> {
    fn id(&self, kind: Kind) -> String {
        made(self.engine, self.heap, kind, "i")
    }

    /// The account of that number.
    fn account(&self, number: usize) -> String {
        format!("'{}'", self.heap.id(Kind::User, number))
    }

    fn hash(&self, of: &str) -> String {
        format!("'{of}{}-' || CAST(i AS text)", self.prefix)
    }

    /// Rows of a table, for each number of a range.
    fn fill(table: &str, columns: &str, values: &str, (from, to): (usize, usize)) -> String {
        format!(
            "INSERT INTO {table} ({columns}) WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n \
             WHERE i < {to}) SELECT {values} FROM n"
        )
    }

    fn many(&self, table: &str, columns: &str, values: &str) -> String {
        Self::fill(table, columns, values, (1, self.rows))
    }

    /// Accounts, the tenant, and its members.
    fn of_people(&self) -> Vec<String> {
        let Self { rows, prefix, tenant, user, now, .. } = self;
        vec![
            self.many(
                "users",
                "id, email, name, password_hash, created_at, updated_at, version",
                &format!(
                    "{}, 'u' || CAST(i AS text) || '.{prefix}@example.com', 'U', 'x', {now}, {now}, 1",
                    self.id(Kind::User)
                ),
            ),
            // The last stands for `third`, who has left as little as the others.
            self.many(
                "users",
                "id, email, name, password_hash, created_at, updated_at, version, imported_into, imported_email",
                &format!(
                    "{0}, {0} || '@unclaimed.invalid', 'P', '', {now}, {now}, 1, {tenant}, \
                     'u' || CAST({rows} + 1 - i AS text) || '.{prefix}@example.com'",
                    self.id(Kind::Placeholder)
                ),
            ),
            format!(
                "INSERT INTO tenants (id, slug, name, created_by, created_at, updated_at, version) \
                 VALUES ({tenant}, 't{prefix}', 'T', {user}, {now}, {now}, 1)"
            ),
            self.many(
                "memberships",
                "tenant_id, id, user_id, role, status, created_at, updated_at, version",
                &format!(
                    "{tenant}, {}, {}, CASE {rows} - i WHEN 0 THEN 'owner' WHEN 1 THEN 'manager' ELSE 'member' END, 'active', \
                     {now}, {now}, 1",
                    self.id(Kind::Membership),
                    self.id(Kind::User)
                ),
            ),
        ]
    }

    /// Projects, tasks and comments.
    fn of_work(&self) -> Vec<String> {
        let Self { few, tenant, user, project, task, now, .. } = self;
        vec![
            self.many(
                "projects",
                "tenant_id, id, name, description, status, visibility, created_by, created_at, updated_at, version, name_words, \
                 description_words, indexed",
                &format!(
                    "{tenant}, {}, 'N', '', 'approved', CASE i WHEN 1 THEN 'public' ELSE 'private' END, {user}, {now}, {now}, 1, \
                     CASE i WHEN 1 THEN 'rare' ELSE 'shared' END, '', CASE WHEN i <= {few} THEN 0 ELSE 2 END",
                    self.id(Kind::Project)
                ),
            ),
            self.many(
                "tasks",
                "tenant_id, id, project_id, title, description, status, priority, assignee_id, due_on, created_at, updated_at, \
                 version, title_words, description_words, indexed",
                &format!(
                    "{tenant}, {}, {project}, 'T', '', CASE i % 2 WHEN 0 THEN 'done' ELSE 'blocked' END, 'normal', {user}, NULL, {now}, \
                     {now}, 1, CASE i WHEN 1 THEN 'rare' ELSE 'shared' END, '', CASE WHEN i <= {few} THEN 0 ELSE 2 END",
                    self.id(Kind::Task)
                ),
            ),
            self.many(
                "comments",
                "tenant_id, id, task_id, author_id, body, created_at, updated_at, version",
                &format!("{tenant}, {}, {task}, {user}, 'C', {now}, {now}, 1", self.id(Kind::Comment)),
            ),
        ]
    }

    /// Notifications, deliveries and the activity log.
    fn of_messages(&self) -> Vec<String> {
        let Self { rows, few, tenant, user, project, now, later, time, .. } = self;
        let claim = format!("'{}'", self.heap.id(Kind::Claim, 1));
        let deliveries = "tenant_id, id, channel, kind, recipient_id, title, body, subject_type, subject_id, state, attempts, \
             next_attempt_at, created_at, claim";
        let delivery = |state: &str, next: &str, claim: &str| {
            format!(
                "{tenant}, {}, 'email', 'approved', {user}, 'T', '', 'project', {project}, '{state}', 1, {next}, {now}, {claim}",
                self.id(Kind::Delivery)
            )
        };
        let action =
            "CASE i % 3 WHEN 0 THEN 'project.updated' WHEN 1 THEN 'task.updated' ELSE 'task.created' END";
        vec![
            self.many(
                "notifications",
                "tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, read_at, created_at",
                &format!(
                    "{tenant}, {}, {user}, 'approved', 'T', '', 'project', {project}, \
                     CASE i % 10 WHEN 0 THEN {time} END, {now}",
                    self.id(Kind::Notification)
                ),
            ),
            self.many("deliveries", deliveries, &delivery("pending", time, "NULL")),
            Self::fill("deliveries", deliveries, &delivery("pending", later, &claim), (rows + 1, rows + (*few).min(5))),
            Self::fill("deliveries", deliveries, &delivery("sent", time, "NULL"), (2 * rows + 1, 3 * rows)),
            Self::fill("deliveries", deliveries, &delivery("dead", time, "NULL"), (3 * rows + 1, 4 * rows)),
            self.many(
                "activity",
                "tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at, seq, hash",
                &format!(
                    "{tenant}, {}, {user}, {action}, 'project', {project}, '{{}}', {time}, i, 'x'",
                    self.id(Kind::Activity)
                ),
            ),
            Self::fill(
                "activity",
                "tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at",
                &format!(
                    "{tenant}, {}, {user}, {action}, 'project', {project}, '{{}}', {time}",
                    self.id(Kind::Activity)
                ),
                (rows + 1, 2 * rows),
            ),
        ]
    }

    /// Invitations, keys, sessions and identities.
    fn of_access(&self) -> Vec<String> {
        let Self { rows, few, prefix, tenant, user, now, later, .. } = self;
        let other = self.account(self.rows - 1);
        vec![
            self.many(
                "invitations",
                "tenant_id, id, email, role, token_hash, invited_by, expires_at, created_at",
                &format!(
                    "{tenant}, {}, 'i' || CAST(i AS text) || '.{prefix}@example.com', 'member', 'x', {user}, {later}, {now}",
                    self.id(Kind::Invitation)
                ),
            ),
            self.many(
                "api_keys",
                "tenant_id, id, user_id, name, role, prefix, token_hash, expires_at, created_at",
                &format!("{tenant}, {}, {other}, 'K', 'member', 'p', 'x', {later}, {now}", self.id(Kind::Key)),
            ),
            self.many(
                "sessions",
                "id, user_id, refresh_hash, created_at, refreshed_at, expires_at, revoked_at",
                &format!(
                    "{}, {user}, 'x', {now}, {now}, {later}, CASE WHEN i < {rows} THEN {now} END",
                    self.id(Kind::Session)
                ),
            ),
            // Nobody has many.
            Self::fill(
                "identities",
                "id, user_id, issuer, subject, created_at",
                &format!("{}, {user}, 'https://id.example', {}, {now}", self.id(Kind::Identity), self.hash("s")),
                (rows - few + 1, *rows),
            ),
        ]
    }

    /// What is kept for a time: stored answers, imports, resets and slugs.
    fn kept(&self) -> Vec<String> {
        let Self { rows, prefix, tenant, user, early, now, later, time, .. } = self;
        let third = self.account(1);
        vec![
            self.many(
                "idempotency_keys",
                "tenant_id, key_hash, user_id, fingerprint, answer, created_at",
                &format!("{tenant}, {}, {user}, 'f', 'a', {time}", self.hash("k")),
            ),
            self.many(
                "account_idempotency_keys",
                "user_id, key_hash, fingerprint, answer, created_at",
                &format!("{user}, {}, 'f', 'a', {time}", self.hash("k")),
            ),
            format!(
                "INSERT INTO imports (tenant_id, user_id, state, next_line, digest, created_at, updated_at) \
                 VALUES ({tenant}, {user}, '{{}}', {rows}, 'd', {now}, {now})"
            ),
            self.many(
                "import_rows",
                "tenant_id, user_id, line, kind, name, content",
                &format!("{tenant}, {user}, i, 'nothing', {}, '{{}}'", self.hash("n")),
            ),
            // One that was given up.
            format!(
                "INSERT INTO imports (tenant_id, user_id, state, next_line, digest, created_at, updated_at, placed) \
                 VALUES ({tenant}, {third}, '{{}}', {rows}, '', {now}, {early}, -1)"
            ),
            self.many(
                "import_rows",
                "tenant_id, user_id, line, kind, name, content",
                &format!("{tenant}, {third}, i, 'nothing', {}, '{{}}'", self.hash("n")),
            ),
            self.many(
                "password_resets",
                "user_id, email, id, token_hash, expires_at, next_attempt_at, attempts, created_at",
                &format!(
                    "{}, 'r' || CAST(i AS text) || '.{prefix}@example.com', {}, 'x', {later}, {time}, 0, {now}",
                    self.id(Kind::User),
                    self.id(Kind::Reset)
                ),
            ),
            self.many("released_slugs", "slug, user_id, released_at", &format!("{}, {user}, {time}", self.hash("s"))),
        ]
    }
}
