//! Files that are not whole or not right: each is refused with the number of the line, and leaves nothing.

use serde_json::{Value, json};

use crate::{
    file::{Export, SMALL},
    place::Place,
};

/// A change of a file, and what is said of it; `#` stands for the number of the line.
type Fault = (&'static str, usize, fn(&mut Value), &'static str);

const FAULTS: &[Fault] = &[
    (
        "projects",
        1,
        |row| row["name"] = json!("x".repeat(201)),
        "line #: name: Expected at most 200 characters",
    ),
    ("projects", 0, |row| row["name"] = json!(7), "line #: name: Expected a string, got a number"),
    ("projects", 0, |row| row["name"] = json!("a\u{7}b"), "line #: name: Control characters"),
    ("projects", 2, |row| row["status"] = json!("done"), "line #: status: Expected one of: draft"),
    ("projects", 2, |row| row["version"] = json!(0), "line #: version: Expected a whole number"),
    ("projects", 2, |row| row["version"] = json!(1.5), "line #: version: Expected a whole number"),
    ("projects", 2, |row| row["created_at"] = json!("yesterday"), "line #: created_at: Expected a time"),
    ("projects", 2, |row| row["id"] = json!("1"), "line #: id: Expected a UUID"),
    // Pages begin after the lowest id and end before the highest.
    ("users", 1, |row| row["id"] = json!(uuid::Uuid::nil()), "line #: id: Expected a UUID of version 7"),
    ("tasks", 2, |row| row["id"] = json!(uuid::Uuid::max()), "line #: id: Expected a UUID of version 7"),
    (
        "comments",
        2,
        |row| row["id"] = json!("01936b2a-0000-4000-8000-00000000000a"),
        "line #: id: Expected a UUID of version 7",
    ),
    (
        "projects",
        3,
        |row| row["tenant_id"] = json!("00000000-0000-7000-8000-000000000001"),
        "line #: tenant_id: Nothing of this name",
    ),
    (
        "projects",
        3,
        |row| drop(row.as_object_mut().expect("an object").remove("name")),
        "line #: name: This value is required",
    ),
    ("projects", 3, |row| row["name"] = Value::Null, "line #: name: Expected a string, got null"),
    (
        "projects",
        3,
        |row| row["created_by"] = json!("01936b2a-0000-7000-8000-00000000000a"),
        "line #: row: 01936b2a-0000-7000-8000-00000000000a is none of the users",
    ),
    (
        "tasks",
        5,
        |row| row["project_id"] = json!("01936b2a-0000-7000-8000-00000000000a"),
        "line #: row: 01936b2a-0000-7000-8000-00000000000a is none of the projects",
    ),
    ("tasks", 5, |row| row["due_on"] = json!("2023-02-29"), "line #: due_on: Expected a day"),
    (
        "comments",
        5,
        |row| row["task_id"] = json!("01936b2a-0000-7000-8000-00000000000a"),
        "line #: row: 01936b2a-0000-7000-8000-00000000000a is none of the tasks",
    ),
    ("users", 1, |row| row["email"] = json!("nobody"), "line #: email: Expected an email address"),
    (
        "users",
        1,
        |row| row["password_hash"] = json!("secret"),
        "line #: password_hash: Expected what bcrypt makes",
    ),
    ("memberships", 1, |row| row["role"] = json!("king"), "line #: role: Expected one of"),
    ("memberships", 1, |row| row["muted"] = json!(["everything"]), "line #: muted"),
    (
        "tenants",
        0,
        |row| row["id"] = json!("01936b2a-0000-7000-8000-00000000000a"),
        "line #: id: This is not the tenant of the file",
    ),
    (
        "tenants",
        0,
        |row| row["config"] = json!({ "admin": true }),
        "line #: config/admin: This is not understood",
    ),
    (
        "tenants",
        0,
        |row| row["config"] = json!({ "slack_webhook_url": "https://127.0.0.1/x" }),
        "line #: config/slack_webhook_url: This URL is not taken",
    ),
    ("activity", 3, |row| row["seq"] = json!(900), "line #: seq: The numbers of the entries have no gaps"),
    ("activity", 3, |row| row["hash"] = json!("x"), "line #: hash: Expected 64 hexadecimal digits"),
    ("activity", 3, |row| row["detail"] = json!({ "n": 1.5 }), "line #: detail: Expected whole numbers"),
    ("activity", 3, |row| row["action"] = json!("Ha!"), "line #: action"),
    (
        "activity",
        1,
        |row| {
            let many = (0..201).map(|number| (format!("n{number}"), json!(0)));
            row["detail"] = many.collect::<serde_json::Map<_, _>>().into();
        },
        "line #: detail: Expected at most 200 names",
    ),
    (
        "activity",
        1,
        |row| row["detail"] = json!({ "list": vec![0; 100], "more": [vec![0; 98]] }),
        "line #: detail: Expected at most 200 names and items",
    ),
    (
        "activity",
        2,
        |row| row["detail"] = json!({ "texts": ["x".repeat(9_000), "y".repeat(9_000)] }),
        "line #: detail: Expected at most 200 names and items, and 16384 bytes",
    ),
    (
        "notifications",
        3,
        |row| row["recipient_id"] = json!("01936b2a-0000-7000-8000-00000000000a"),
        "line #: row: 01936b2a-0000-7000-8000-00000000000a is none of the memberships",
    ),
];

#[tokio::test]
async fn what_is_not_right_is_refused_with_its_line() {
    let (sqlite, postgres) = tokio::join!(Place::sqlite(), Place::postgres());
    let directory = tempfile::tempdir().expect("a directory");
    let good = Export::make("hostile", SMALL);
    for (round, (table, index, change, said)) in FAULTS.iter().enumerate() {
        let mut file = good.clone();
        change(file.row(table, *index));
        let wanted = said.replace('#', &file.line(table, *index).to_string());
        // What is checked is the same everywhere.
        let place = if round % 4 == 0 { &postgres } else { &sqlite };
        let before = place.counts().await;
        place.import(&file, directory.path(), &[]).await.expect(3).says(&wanted);
        assert_eq!(place.counts().await, before, "{wanted}");
    }
    let before = sqlite.counts().await;
    let refused = async |file: Export, said: &str| {
        sqlite.import(&file, directory.path(), &[]).await.expect(3).says(said);
        assert_eq!(sqlite.counts().await, before, "{said}");
    };
    // A row that comes twice, or in the wrong place, or of a table that there is not.
    let mut file = good.clone();
    let twice = file.rows[file.line("tasks", 3) - 2].clone();
    file.rows.insert(file.line("tasks", 5) - 2, twice);
    refused(file.clone(), &format!("line {}: id: A row of this table has it already", file.line("tasks", 5)))
        .await;
    let mut file = good.clone();
    let early = file.rows.pop().expect("a row");
    file.rows.insert(1, early);
    refused(file, "come before those of").await;
    let mut file = good.clone();
    file.rows.push(json!({ "table": "schema_version", "row": { "version": 1 } }));
    refused(file.clone(), &format!("line {}: table: Rows of this table are not taken", file.rows.len() + 1))
        .await;
    let mut file = good.clone();
    file.rows[5]["more"] = json!(1);
    refused(file, "line 7: more: Nothing of this name").await;
    // Two with the same address, two open invitations of one, two with the same id that is not what others name them by.
    let twice = |table: &str, column: &str, first: usize, second: usize| {
        let mut file = good.clone();
        file.row(table, second)[column] = file.row(table, first)[column].clone();
        let said = format!("line {}: {column}: A row of this table has it already", file.line(table, second));
        (file, said)
    };
    for (table, column, first, second) in [
        ("users", "email", 1, 2),
        ("invitations", "email", 0, 3),
        ("memberships", "id", 0, 1),
        ("activity", "id", 2, 5),
    ] {
        let (file, said) = twice(table, column, first, second);
        refused(file, &said).await;
    }
    // Nobody who owns it, and no tenant at all.
    let mut file = good.clone();
    for index in 0..3 {
        file.row("memberships", index)["role"] = json!("viewer");
    }
    refused(file, "Nobody would own the tenant").await;
    let mut file = good.clone();
    file.rows.retain(|row| row["table"] != "tenants");
    refused(file, "do not match the file's own totals").await;
    // Another form, another schema.
    let mut file = good.clone();
    file.head["schema_version"] = json!(1);
    refused(file, "Expected a file of the schema").await;
    let mut file = good.clone();
    file.head["tenant_id"] = json!(uuid::Uuid::max());
    refused(file, "Expected a UUID of version 7").await;
    let mut file = good.clone();
    file.head["bailiwick_export"] = json!(2);
    refused(file, "Expected a file of the form").await;
    for place in [sqlite, postgres] {
        place.end().await;
    }
}

#[tokio::test]
async fn what_is_not_whole_is_refused_before_anything_is_sent() {
    let place = Place::sqlite().await;
    let directory = tempfile::tempdir().expect("a directory");
    let (path, good) = (directory.path().join("cut.ndjson"), Export::make("cut", SMALL));
    let before = place.counts().await;
    let text = good.text();
    let lines: Vec<_> = text.lines().collect();
    let without_one = [&lines[..20], &lines[21..]].concat().join("\n");
    let mut swapped = lines.clone();
    swapped.swap(10, 11);
    for (text, said) in [
        (String::new(), "is empty"),
        (lines[..lines.len() - 1].join("\n"), "cut off"),
        (text[..text.len() - 30].to_owned(), "not JSON"),
        (without_one, "should have"),
        (swapped.join("\n"), "was altered"),
        (text.replacen("\"viewer\"", "\"owner\"", 1), "was altered"),
        (text.replacen("cut-0@", "cut-9@", 1), "was altered"),
        (format!("{text}{}\n", lines[3]), "nothing comes after the totals"),
        (format!("{}\n{text}", lines[3]), "not the head of an export"),
        (format!("{}\n\"{}\"\n", lines[0], "x".repeat(300_000)), "a line has at most"),
    ] {
        std::fs::write(&path, text).expect("a file");
        let said_ = place.run(&["import", &path.display().to_string()]).await;
        assert!([3, 4].contains(&said_.code), "{said_:?}");
        said_.says(said);
        assert_eq!(place.counts().await, before, "{said}");
    }
    place.run(&["import", "/nowhere.ndjson"]).await.says("cannot be read");
    place.end().await;
}
