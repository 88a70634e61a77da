//! What the first version could have left: rows in every table of its schema, with every value that an enumeration has,
//! texts of many scripts and of all lengths, and times and numbers as far as they go.

use std::collections::BTreeMap;

use bailiwick_tests::backdoor::Backdoor;

/// Each table's rows, as text.
pub(crate) type Rows = BTreeMap<&'static str, Vec<Vec<Option<String>>>>;

/// The tables of the first schema with their columns.
const TABLES: [(&str, &str); 6] = [
    ("users", "id, email, name, password_hash, disabled_at, created_at, updated_at, version"),
    ("tenants", "id, slug, name, created_by, created_at, updated_at, version"),
    ("memberships", "tenant_id, id, user_id, role, status, created_at, updated_at, version"),
    (
        "projects",
        "tenant_id, id, name, description, status, visibility, created_by, submitted_by, created_at, updated_at, \
         version",
    ),
    ("tasks", "tenant_id, id, project_id, title, description, status, created_at, updated_at, version"),
    ("activity", "tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at"),
];

/// Somebody who owns both tenants.
pub(crate) const ADA: &str = "019a0000-0000-7000-8000-00000000000a";
/// The tenant that has everything.
pub(crate) const ACME: &str = "019a0000-0000-7000-8000-0000000000aa";
/// One whose names are as long as they may be.
pub(crate) const LONG: &str = "019a0000-0000-7000-8000-0000000000bb";
/// A draft of hers.
pub(crate) const DRAFT: &str = "019a0000-0000-7000-8000-000000000100";

/// The password of all, as it was hashed then: `correct horse battery`.
const HASH: &str = "$2b$04$oYz2/Ufl6tFKzM4eyQa7L.GRIRAvmmYGIzKO90ek.XHPTLySNBXsy";
const THEN: &str = "2026-01-01T00:00:00.000Z";
const FIRST: &str = "1970-01-01T00:00:00.000Z";
const LAST: &str = "9999-12-31T23:59:59.999Z";
/// The last whole number but one that every engine and JavaScript can tell from the next.
const MOST: &str = "9007199254740990";

/// The projects of [`ACME`]: name, status, visibility.
pub(crate) const PROJECTS: [(&str, &str, &str); 8] = [
    ("Brücke über die Ägäis", "draft", "private"),
    ("橋の建設 🌉", "submitted", "public"),
    ("جسر فوق النهر", "approved", "public"),
    ("It's \"quoted\"; -- DROP TABLE\n\tsecond line \\ back", "rejected", "private"),
    ("Мост", "in_progress", "private"),
    ("e\u{301}tape d’été", "completed", "public"),
    ("👩‍👩‍👧‍👦🏳️‍🌈 zero\u{200b}width", "archived", "private"),
    ("x", "draft", "public"),
];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn insert(table: &str, values: &[String]) -> String {
    let (_, columns) = TABLES.iter().find(|(name, _)| *name == table).expect("a table");
    format!("INSERT INTO {table} ({columns}) VALUES ({})", values.join(", "))
}

fn row(table: &str, values: &[&str]) -> String {
    let values: Vec<_> = values
        .iter()
        .map(|value| match *value {
            "NULL" | MOST | "1" => (*value).to_owned(),
            text => quoted(text),
        })
        .collect();
    insert(table, &values)
}

fn id(number: usize) -> String {
    format!("019a0000-0000-7000-8000-{number:012}")
}

/// All of it, in the dialect that the engines have in common.
pub(crate) fn statements() -> Vec<String> {
    let user = |number: usize| if number == 0 { ADA.to_owned() } else { id(number) };
    let (long_name, long_slug) = ("🦀".repeat(100), "s".repeat(63));
    let long_email = format!("{}@{}.example.com", "l".repeat(64), "d".repeat(177));
    let mut all = vec![
        row("users", &[ADA, "ada@example.com", "Ada 🦀 Ωμέγα", HASH, "NULL", FIRST, LAST, MOST]),
        row("users", &[&id(1), &long_email, &long_name, HASH, "NULL", THEN, THEN, "1"]),
        row("users", &[&id(2), "member@example.com", "민수", HASH, "NULL", THEN, THEN, "1"]),
        row("users", &[&id(3), "viewer@example.com", "O'Brien", HASH, "NULL", THEN, THEN, "1"]),
        row("users", &[&id(4), "gone@example.com", "נעמה", HASH, THEN, THEN, THEN, "1"]),
        row("tenants", &[ACME, "acme", "Acme – Œuvre & Söhne", ADA, FIRST, LAST, MOST]),
        row("tenants", &[LONG, &long_slug, &long_name, "NULL", THEN, THEN, "1"]),
    ];
    let members = [("owner", "active"), ("manager", "active"), ("member", "active"), ("viewer", "active")];
    for (number, (role, status)) in members.into_iter().chain([("manager", "suspended")]).enumerate() {
        all.push(row(
            "memberships",
            &[ACME, &id(10 + number), &user(number), role, status, THEN, LAST, MOST],
        ));
    }
    all.push(row("memberships", &[LONG, &id(20), ADA, "owner", "active", THEN, THEN, "1"]));
    let mut activity = 1000;
    for (number, (name, status, visibility)) in PROJECTS.into_iter().enumerate() {
        let project = if number == 0 { DRAFT.to_owned() } else { id(100 + number) };
        let submitted_by = if status == "draft" { "NULL" } else { ADA };
        let description = if number == 1 { "説明 ".repeat(3333) } else { "About it; really.".to_owned() };
        let values =
            [ACME, &project, name, &description, status, visibility, ADA, submitted_by, FIRST, LAST, MOST];
        all.push(row("projects", &values));
        for (task, done) in ["todo", "in_progress", "blocked", "done"].into_iter().enumerate() {
            // What is completed has nothing left open, and what is in progress can be completed.
            let done = if ["in_progress", "completed"].contains(&status) { "done" } else { done };
            let (task, title) = (id(200 + number * 10 + task), format!("Schraube {task} für {name}"));
            all.push(row("tasks", &[ACME, &task, &project, &title, "", done, THEN, THEN, "1"]));
        }
        for (action, actor) in [("project.created", ADA), ("project.transitioned", "NULL")] {
            activity += 1;
            let detail = r#"{"name": "Ünïcode 🦀", "n": 9007199254740991, "from": null, "nested": {"a": [1, true, ""]}}"#;
            all.push(row(
                "activity",
                &[ACME, &id(activity), actor, action, "project", &project, detail, FIRST],
            ));
        }
    }
    all
}

/// Runs it, and returns what is there then.
pub(crate) async fn fill(backdoor: &Backdoor) -> Rows {
    for statement in statements() {
        backdoor.sql(&statement).await;
    }
    let mut all = Rows::new();
    for (table, _) in TABLES {
        let rows = rows(backdoor, table).await;
        assert!(!rows.is_empty(), "{table} is empty");
        all.insert(table, rows);
    }
    all
}

/// What is in a table, as far as the first version knew its columns. (What the first migration itself put in has the
/// time at which it was run.)
pub(crate) async fn rows(backdoor: &Backdoor, table: &str) -> Vec<Vec<Option<String>>> {
    let (_, columns) = TABLES.iter().find(|(name, _)| *name == table).expect("a table");
    let own = if table == "tenants" { "WHERE slug <> 'default'" } else { "" };
    backdoor.sql(&format!("SELECT {columns} FROM {table} {own} ORDER BY {}", key(table))).await
}

fn key(table: &str) -> &'static str {
    if ["users", "tenants"].contains(&table) { "id" } else { "tenant_id, id" }
}
