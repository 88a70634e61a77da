//! Files as `bailiwick export` would write them, made here, by code that has nothing to do with the code that writes them.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Texts of every kind that can be in one.
const TEXTS: [&str; 12] = [
    "plain",
    "\u{1F9ED} Überbrücken \u{1F469}\u{200D}\u{1F680}",
    "\"quoted\" \\ and / slashed",
    "שלום עולם",
    "e\u{301} beside \u{e9}",
    "{\"json\": [1, null]}",
    "' OR 1=1; DROP TABLE tasks; --",
    "漢字かな交じり文",
    "\u{FFFD}\u{10FFFD}\u{E000}",
    "  blanks around  ",
    "?1 $1 %s %00",
    "<script>alert(1)</script> &amp;",
];

/// The first, one like any other, and the last.
const TIMES: [&str; 3] = ["1970-01-01T00:00:00.000Z", "2026-11-25T08:30:00.123Z", "9999-12-31T23:59:59.999Z"];

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file, line by line, without its totals.
#[derive(Clone)]
pub(crate) struct Export {
    pub(crate) head: Value,
    pub(crate) rows: Vec<Value>,
}

/// How many rows of each kind.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: usize,
    pub(crate) projects: usize,
    pub(crate) tasks: usize,
    pub(crate) comments: usize,
    pub(crate) invitations: usize,
    pub(crate) notifications: usize,
    pub(crate) activity: usize,
}

/// Of all that a tenant can have, a little.
pub(crate) const SMALL: Size =
    Size { users: 4, projects: 14, tasks: 20, comments: 13, invitations: 8, notifications: 18, activity: 12 };

/// 10,000 rows, with the tenant.
pub(crate) const LARGE: Size = Size {
    users: 60,
    projects: 500,
    tasks: 4_000,
    comments: 2_500,
    invitations: 79,
    notifications: 1_000,
    activity: 1_801,
};

/// An id; those that are made later are greater, also among the three of each millisecond.
struct Ids(u64);

impl Ids {
    fn next(&mut self) -> String {
        self.0 += 1;
        let mut random: [u8; 10] = Uuid::now_v7().as_bytes()[6..].try_into().expect("10 bytes");
        (random[0], random[1]) = (0, u8::try_from(self.0 % 3).expect("small"));
        uuid::Builder::from_unix_timestamp_millis(1_700_000_000_000 + self.0 / 3, &random)
            .into_uuid()
            .to_string()
    }
}

fn pick<T: Clone>(all: &[T], index: usize) -> T {
    all[index % all.len()].clone()
}

fn long(count: usize) -> String {
    "\u{1F9ED}".repeat(count)
}

/// Writes the rows of a file, table by table.
struct Writer {
    size: Size,
    ids: Ids,
    rows: Vec<Value>,
}

impl Writer {
    fn add(&mut self, table: &str, mut row: Value, index: usize, version: bool) {
        let members = row.as_object_mut().expect("an object");
        members.insert("created_at".to_owned(), json!(pick(&TIMES, index)));
        if version {
            members.insert("updated_at".to_owned(), json!(pick(&TIMES, index + 1)));
            members
                .insert("version".to_owned(), json!(if index % 50 == 7 { 100_000_000 } else { index + 1 }));
        }
        self.rows.push(json!({ "table": table, "row": row }));
    }

    fn users(&mut self, slug: &str) -> Vec<String> {
        let users: Vec<_> = (0..self.size.users).map(|_| self.ids.next()).collect();
        for (index, id) in users.iter().enumerate() {
            let name = if index == 1 { long(100) } else { pick(&TEXTS, index).to_owned() };
            let email = format!("{slug}-{index}@example.com");
            let user = json!({
                "id": id, "email": email, "imported_email": null, "name": name, "password_hash": null, "disabled_at": null,
            });
            self.add("users", user, index, true);
        }
        users
    }

    fn tenant(&mut self, slug: &str, tenant: &str, users: &[String]) {
        let config = json!({
            "channels": { "approved": ["in_app", "email"], "mentioned": [] },
            "email_sender_name": TEXTS[1], "email_reply_to": "office@example.com", "open_registration": "viewer",
        });
        let it =
            json!({ "id": tenant, "slug": slug, "name": TEXTS[2], "created_by": users[0], "config": config });
        self.add("tenants", it, 0, true);
    }

    fn members(&mut self, members: &[String]) {
        for (index, user) in members.iter().enumerate() {
            let role =
                if index == 0 { "owner" } else { pick(&["owner", "manager", "member", "viewer"], index) };
            let status = if index % 5 == 4 { "suspended" } else { "active" };
            let muted = pick(&[json!([]), json!(["submitted", "task_assigned", "role_changed"])], index);
            let it = json!({
                "id": self.ids.next(), "user_id": user, "role": role, "status": status, "muted": muted, "imported_at": null,
                "imported_id": null,
            });
            self.add("memberships", it, index, true);
        }
    }

    fn projects(&mut self, users: &[String]) -> Vec<String> {
        let statuses = ["draft", "submitted", "approved", "rejected", "in_progress", "completed", "archived"];
        let mut projects = Vec::new();
        for index in 0..self.size.projects {
            let description = pick(
                &[String::new(), long(if index == 1 { 10_000 } else { 9 }), "a\tb\r\nc\n".to_owned()],
                index,
            );
            let name = if index == 2 { long(200) } else { pick(&TEXTS, index).to_owned() };
            let by = if index % 3 == 0 { Value::Null } else { json!(pick(users, index)) };
            projects.push(self.ids.next());
            let it = json!({
                "id": projects[index], "name": name, "description": description, "status": pick(&statuses, index),
                "visibility": pick(&["private", "public"], index), "created_by": pick(users, index), "submitted_by": by, "revision": index % 9 + 1,
            });
            self.add("projects", it, index, true);
        }
        projects
    }

    fn tasks(&mut self, users: &[String], members: &[String], projects: &[String]) -> Vec<String> {
        let mut tasks = Vec::new();
        for index in 0..self.size.tasks {
            let days = [json!("0001-01-01"), json!("2024-02-29"), json!("9999-12-31"), Value::Null];
            let assignee = if index % 2 == 0 { json!(pick(members, index)) } else { Value::Null };
            tasks.push(self.ids.next());
            let it = json!({
                "id": tasks[index], "project_id": pick(projects, index), "title": pick(&TEXTS, index),
                "description": pick(&TEXTS, index + 1), "status": pick(&["todo", "in_progress", "blocked", "done"], index),
                "priority": pick(&["low", "normal", "high", "urgent"], index), "assignee_id": assignee,
                "due_on": pick(&days, index), "created_by": if index % 5 == 0 { Value::Null } else { json!(pick(users, index)) },
            });
            self.add("tasks", it, index, true);
        }
        tasks
    }

    fn comments(&mut self, users: &[String], tasks: &[String]) {
        for index in 0..self.size.comments {
            let body = if index == 0 { long(10_000) } else { pick(&TEXTS, index).to_owned() };
            let edited = if index % 2 == 0 { Value::Null } else { json!(TIMES[1]) };
            let it = json!({
                "id": self.ids.next(), "task_id": pick(tasks, index), "author_id": pick(users, index), "body": body,
                "edited_at": edited,
            });
            self.add("comments", it, index, true);
        }
    }

    fn invitations(&mut self, users: &[String]) {
        for index in 0..self.size.invitations {
            let (accepted, by, revoked) = match index % 3 {
                0 => (Value::Null, Value::Null, Value::Null),
                1 => (json!(TIMES[1]), json!(pick(users, index)), Value::Null),
                _ => (Value::Null, Value::Null, json!(TIMES[1])),
            };
            let it = json!({
                "id": self.ids.next(), "email": format!("invited-{index}@example.com"),
                "role": pick(&["viewer", "member", "manager"], index), "invited_by": pick(users, index),
                "expires_at": pick(&TIMES, index + 2), "accepted_at": accepted, "accepted_by": by, "revoked_at": revoked,
            });
            self.add("invitations", it, index, false);
        }
    }

    fn notifications(&mut self, members: &[String], projects: &[String]) {
        let kinds = [
            "submitted",
            "approved",
            "rejected",
            "started",
            "completed",
            "task_assigned",
            "mentioned",
            "role_changed",
        ];
        for index in 0..self.size.notifications {
            let read = if index % 2 == 0 { Value::Null } else { json!(TIMES[2]) };
            let it = json!({
                "id": self.ids.next(), "recipient_id": pick(members, index), "kind": pick(&kinds, index),
                "title": pick(&TEXTS, index), "body": pick(&["", "a\nb"], index), "subject_type": pick(&["project", "task"], index),
                "subject_id": pick(projects, index), "read_at": read,
            });
            self.add("notifications", it, index, false);
        }
    }

    fn activity(&mut self, tenant: &str, users: &[String], projects: &[String]) {
        let mut previous = hex(tenant);
        for index in 0..self.size.activity {
            let details = [
                json!({}),
                json!({ "from": "draft", "to": "submitted", "comment": TEXTS[1] }),
                json!({ "project_id": pick(projects, index), "list": [users[0], null, true, [] ], "n": 9_007_199_254_740_991_i64 }),
                json!({ "deep": { "a": { "b": [-9_007_199_254_740_991_i64, "\u{1}\u{7f}\u{2028}\"\\"] } } }),
            ];
            let (action, kind) = pick(
                &[("project.moved", "project"), ("member.updated", "member"), ("access.denied", "route")],
                index,
            );
            let mut entry = json!({
                "id": self.ids.next(), "actor_id": if index % 4 == 3 { Value::Null } else { json!(pick(users, index)) },
                "action": action, "entity_type": kind, "created_at": pick(&TIMES, index),
                "entity_id": if kind == "member" { pick(users, index) } else { pick(projects, index) },
                "detail": pick(&details, index),
            });
            let mut hashed = entry.clone();
            let members = hashed.as_object_mut().expect("an object");
            members.insert("seq".to_owned(), json!(index + 1));
            members.insert("tenant_id".to_owned(), json!(tenant));
            members.insert("previous".to_owned(), json!(previous));
            previous = hex(&hashed.to_string());
            entry["seq"] = json!(index + 1);
            entry["hash"] = json!(previous);
            self.add("activity", entry, index, false);
        }
    }
}

impl Export {
    /// A tenant that has everything in all its kinds.
    pub(crate) fn make(slug: &str, size: Size) -> Self {
        let mut ids = Ids(0);
        let tenant = ids.next();
        let mut writer = Writer { size, ids, rows: Vec::new() };
        let users = writer.users(slug);
        writer.tenant(slug, &tenant, &users);
        // The last one has left, and what they wrote is there.
        let members = &users[..users.len() - 1];
        writer.members(members);
        let projects = writer.projects(&users);
        let tasks = writer.tasks(&users, members, &projects);
        writer.comments(&users, &tasks);
        writer.invitations(&users);
        writer.notifications(members, &projects);
        writer.activity(&tenant, &users, &projects);
        let head = json!({
            "bailiwick_export": 1, "schema_version": bailiwick_core::NEEDED_SCHEMA_VERSION, "tenant_id": tenant,
            "slug": slug, "exported_at": TIMES[1], "secrets": false,
        });
        Self { head, rows: writer.rows }
    }

    /// Reads one that was written, and makes sure that its totals are right.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("the file");
        let mut lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let totals = lines.pop().expect("totals");
        let head = lines.remove(0);
        let this = Self { head, rows: lines };
        assert_eq!(totals, this.totals());
        // The lines are in the one form that is digested.
        assert_eq!(text, this.text());
        this
    }

    /// The last line.
    pub(crate) fn totals(&self) -> Value {
        let mut digest = hex(&self.head.to_string());
        let mut tables = BTreeMap::<&str, usize>::new();
        for row in &self.rows {
            digest = hex(&format!("{digest}{row}"));
            *tables.entry(row["table"].as_str().unwrap_or_default()).or_default() += 1;
        }
        json!({ "totals": { "rows": self.rows.len(), "tables": tables, "sha256": digest } })
    }

    /// As it is written.
    pub(crate) fn text(&self) -> String {
        let lines = [&self.head].into_iter().chain(&self.rows).map(ToString::to_string);
        lines.chain([self.totals().to_string()]).map(|line| line + "\n").collect()
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, self.text()).expect("a file");
    }

    /// The rows of a table.
    pub(crate) fn of(&self, table: &str) -> Vec<Map<String, Value>> {
        let rows = self.rows.iter().filter(|row| row["table"] == table);
        rows.map(|row| row["row"].as_object().expect("an object").clone()).collect()
    }

    /// A row of a table, to be changed.
    pub(crate) fn row(&mut self, table: &str, index: usize) -> &mut Value {
        let mut rows = self.rows.iter_mut().filter(|row| row["table"] == table);
        &mut rows.nth(index).expect("a row")["row"]
    }

    /// The number of the line of a row.
    pub(crate) fn line(&self, table: &str, index: usize) -> usize {
        let mut rows = self.rows.iter().enumerate().filter(|(_, row)| row["table"] == table);
        rows.nth(index).expect("a row").0 + 2
    }

    /// The tenant.
    pub(crate) fn tenant(&self) -> &str {
        self.head["tenant_id"].as_str().expect("an id")
    }
}
