//! `bailiwick tenant` and `bailiwick user`, beside a running server.

use bailiwick_tests::{
    backdoor::Backdoor,
    client::Answer,
    targets::{Postgres, client, native},
};
use reqwest::Method;
use serde_json::json;

use crate::instance::{Instance, migrate, postgres, sqlite};

/// Runs the command, and returns what it says: as its answer, or else as its refusal.
async fn tenant(database: &str, arguments: &[&str]) -> Result<String, String> {
    let output = native(database).arg("tenant").args(arguments).output().await.expect("it runs");
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    match output.status.code() {
        Some(0) => Ok(said(output.stdout)),
        Some(2 | 3) => Err(said(output.stderr)),
        other => panic!("{other:?}"),
    }
}

async fn asked(instance: &Instance, token: Option<&str>, method: Method, path: &str, slug: &str) -> Answer {
    let ask = instance.ask(&client(), token.unwrap_or("none"), method.clone(), path).slug(slug);
    let makes = method == Method::POST && path == "/v1/projects";
    ask.maybe(makes.then(|| json!({ "name": "P" })).as_ref()).send().await
}

async fn has_the_last_word(database: &str) {
    let instance = Instance::start(database, &[]).await;
    let (_, first) = instance.register("first@example.com", None).await;
    let (_, ada) = instance.register("ada@example.com", None).await;

    let create = ["create", "acme", "--name", "\u{c4}cme & Co", "--owner", "Ada@Example.com"];
    let said = tenant(database, &create).await.expect("it is created");
    assert!(said.contains("acme") && said.contains("ada@example.com"), "{said}");
    let read = asked(&instance, Some(&ada), Method::GET, "/v1/tenant", "acme").await.expect(200);
    assert_eq!((&read.body["role"], &read.body["name"]), (&json!("owner"), &json!("\u{c4}cme & Co")));
    asked(&instance, Some(&first), Method::GET, "/v1/tenant", "acme").await.problem(403, "not_a_member");
    for (arguments, word) in [
        (create, "slug"),
        (["create", "other", "--name", "Other", "--owner", "nobody@example.com"], "nobody@example.com"),
        (["create", "No Slug", "--name", "Other", "--owner", "ada@example.com"], "SLUG"),
        (["create", "other", "--name", "Two\nlines", "--owner", "ada@example.com"], "NAME"),
    ] {
        let refused = tenant(database, &arguments).await.expect_err("it is refused");
        assert!(refused.starts_with("bailiwick: ") && refused.contains(word), "{refused}");
    }

    let said = tenant(database, &["list"]).await.expect("a list");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(
        lines[0].starts_with("SLUG ") && lines[1].starts_with("acme ") && lines[2].starts_with("default ")
    );
    assert!(lines[1].ends_with("  \u{c4}cme & Co") && lines[1].contains(&read.text_at("/id")), "{said}");

    limits_are_set_and_reset(database, &instance, &ada).await;
    suspends_and_resumes(database, &instance, &ada, &first).await;
}

async fn limits_are_set_and_reset(database: &str, instance: &Instance, ada: &str) {
    let said = tenant(database, &["limits", "acme", "members=7", "api_keys=1"]).await.expect("they are set");
    let line = |name: &str| said.lines().find(|line| line.starts_with(name)).map(str::to_owned);
    let words = |line: Option<String>| line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(words(line("members")).as_deref(), Some("members 1 7 for this tenant"), "{said}");
    assert_eq!(words(line("invitations")).as_deref(), Some("invitations 0 500 for all"), "{said}");
    let usage = asked(instance, Some(ada), Method::GET, "/v1/admin/usage", "acme").await.expect(200);
    assert_eq!(usage.body["members"], json!({ "used": 1, "most": 7 }));
    let said = tenant(database, &["limits", "acme", "members=8"]).await.expect("it is set anew");
    let set = |said: &str, line: &str| {
        said.lines().any(|of| of.split_whitespace().collect::<Vec<_>>().join(" ") == line)
    };
    assert!(set(&said, "members 1 8 for this tenant"), "{said}");
    let said = tenant(database, &["limits", "acme", "members=default"]).await.expect("it is as all others'");
    assert!(said.contains("2000") && set(&said, "api_keys 0 1 for this tenant"), "{said}");
    let same = tenant(database, &["limits", "acme"]).await.expect("they are listed");
    assert_eq!(said, same);
    for wrong in ["members", "members=0", "members=-1", "members=many", "sheep=3", "members=1000000000000001"]
    {
        let refused = tenant(database, &["limits", "acme", wrong]).await.expect_err("it is refused");
        assert!(refused.contains(wrong), "{refused}");
    }
    tenant(database, &["limits", "nosuch"]).await.expect_err("there is none");
}

/// Suspends and resumes `acme`, whose owner is Ada; the first user is not in it.
async fn suspends_and_resumes(database: &str, instance: &Instance, ada: &str, first: &str) {
    let project = asked(instance, Some(ada), Method::POST, "/v1/projects", "acme").await.expect(201);
    let project = format!("/v1/projects/{}", project.text_at("/id"));
    let said = tenant(database, &["suspend", "acme"]).await.expect("it is suspended");
    assert!(said.contains("acme"), "{said}");
    let listed = tenant(database, &["list"]).await.expect("a list");
    assert!(!listed.lines().nth(1).is_some_and(|line| line.contains("  -  ")), "{listed}");
    // For its members and for the public, reading and writing, on the server that is running.
    for (token, method, path) in [
        (Some(ada), Method::GET, "/v1/tenant"),
        (Some(ada), Method::GET, &project),
        (Some(ada), Method::POST, "/v1/projects"),
        (Some(ada), Method::DELETE, &project),
        (Some(ada), Method::GET, "/v1/admin/stats"),
        (None, Method::GET, "/v1/catalog/projects"),
    ] {
        asked(instance, token, method, path, "acme").await.problem(403, "tenant_suspended");
    }
    // Of those who are not in it, it is still nobody's business.
    asked(instance, Some(first), Method::GET, "/v1/tenant", "acme").await.problem(403, "not_a_member");
    // Other tenants go on.
    asked(instance, Some(first), Method::POST, "/v1/projects", "default").await.expect(201);
    asked(instance, None, Method::GET, "/v1/catalog/projects", "default").await.expect(200);
    for arguments in [["suspend", "acme"], ["resume", "default"], ["suspend", "nosuch"]] {
        let refused = tenant(database, &arguments).await.expect_err("it is refused");
        assert!(refused.starts_with("bailiwick: ") && refused.lines().count() == 1, "{refused}");
    }

    tenant(database, &["resume", "acme"]).await.expect("it is resumed");
    asked(instance, Some(ada), Method::GET, &project, "acme").await.expect(200);
    asked(instance, None, Method::GET, "/v1/catalog/projects", "acme").await.expect(200);
    let log = asked(instance, Some(ada), Method::GET, "/v1/admin/activity", "acme").await.expect(200);
    let entries = log.body["data"].as_array().expect("a list");
    let by_operator: Vec<_> = entries
        .iter()
        .filter(|entry| entry["actor_id"].is_null())
        .map(|entry| entry["action"].clone())
        .collect();
    assert_eq!(
        by_operator,
        ["resumed", "suspended", "limited", "limited", "limited", "created"]
            .map(|what| format!("tenant.{what}"))
    );
}

#[tokio::test]
async fn the_operator_has_the_last_word_on_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    has_the_last_word(&format!("sqlite://{}", directory.path().join("b.db").display())).await;
}

#[tokio::test]
async fn the_operator_has_the_last_word_on_postgres() {
    let postgres = Postgres::start().await;
    migrate(&postgres.url()).await;
    has_the_last_word(&postgres.url()).await;
}

const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";

/// Of all rows that there are an order changes the one that it names, once, and counts it.
async fn each_changes_what_it_names(database: &str, backdoor: &Backdoor) {
    let instance = Instance::start(database, &[]).await;
    for name in ["first", "ada", "bob"] {
        instance.register(&format!("{name}@example.com"), None).await;
    }
    let order = async |arguments: &[&str]| {
        native(database).args(arguments).output().await.expect("it runs").status.code()
    };
    for (slug, owner) in [("acme", "ada@example.com"), ("other", "bob@example.com")] {
        tenant(database, &["create", slug, "--name", "T", "--owner", owner]).await.expect("it is created");
    }
    let read = async |sql: &str| {
        let rows = backdoor.sql(sql).await.into_iter();
        rows.map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let members = "SELECT t.slug, u.email, m.role FROM memberships m JOIN tenants t ON t.id = m.tenant_id \
         JOIN users u ON u.id = m.user_id ORDER BY t.slug";
    let owners = [("acme", "ada"), ("default", "first"), ("other", "bob")];
    let owners =
        owners.map(|(slug, name)| vec![slug.to_owned(), format!("{name}@example.com"), "owner".to_owned()]);
    assert_eq!(read(members).await, owners);

    for (arguments, table, key, column, set) in [
        (&["tenant", "suspend", "acme"][..], "tenants", "slug", "suspended_at", "1"),
        (&["tenant", "resume", "acme"], "tenants", "slug", "suspended_at", "0"),
        (&["user", "disable", "ada@example.com", "--yes"], "users", "email", "disabled_at", "1"),
        (&["user", "enable", "ada@example.com"], "users", "email", "disabled_at", "0"),
    ] {
        backdoor.sql(&format!("UPDATE {table} SET updated_at = '{LONG_AGO}'")).await;
        let sql = format!(
            "SELECT {key}, CASE WHEN {column} IS NULL THEN 0 ELSE 1 END, version, \
             CASE updated_at WHEN '{LONG_AGO}' THEN 0 ELSE 1 END FROM {table} ORDER BY {key}"
        );
        let mut expected = read(&sql).await;
        assert_eq!(order(arguments).await, Some(0), "{arguments:?}");
        let named = expected.iter_mut().find(|row| row[0] == arguments[2]).expect("its row");
        let version: i64 = named[2].parse().expect("a number");
        named.splice(1.., [set.to_owned(), (version + 1).to_string(), "1".to_owned()]);
        assert_eq!(read(&sql).await, expected, "{arguments:?}");
        assert_eq!(order(arguments).await, Some(3), "{arguments:?}, again");
        assert_eq!(read(&sql).await, expected, "{arguments:?}, again");
    }

    // Whoever is let in is a member as it says, whatever they were before.
    let bob = "WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'acme') \
         AND user_id = (SELECT id FROM users WHERE email = 'bob@example.com')";
    let admit = ["tenant", "admit", "acme", "bob@example.com", "--role", "manager"];
    assert_eq!(order(&admit).await, Some(0));
    let before = format!(
        "UPDATE memberships SET role = 'viewer', status = 'suspended', imported_at = '{LONG_AGO}', \
         updated_at = '{LONG_AGO}', version = 7 {bob}"
    );
    backdoor.sql(&before).await;
    assert_eq!(order(&admit).await, Some(0));
    let sql = format!(
        "SELECT role, status, CASE WHEN imported_at IS NULL THEN 'agreed' ELSE 'not' END, version, \
         CASE updated_at WHEN '{LONG_AGO}' THEN 0 ELSE 1 END FROM memberships {bob}"
    );
    assert_eq!(read(&sql).await, [["manager", "active", "agreed", "8", "1"]]);
    instance.terminate().await;
}

#[tokio::test]
async fn each_changes_what_it_names_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    each_changes_what_it_names(&database, &backdoor).await;
}

#[tokio::test]
async fn each_changes_what_it_names_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    each_changes_what_it_names(&database, &backdoor).await;
}

#[tokio::test]
async fn without_an_order_it_says_what_there_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite://{}", directory.path().join("b.db").display());
    let said = tenant(&database, &[]).await.expect_err("it is refused");
    for order in ["list", "create", "suspend", "resume"] {
        assert!(said.contains(order), "{said}");
    }
}
