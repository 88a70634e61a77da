//! The demo: three tenants, their people, and what happened in their projects within ninety days.

use bailiwick_tests::{backdoor::Backdoor, provided, targets::client, until};
use reqwest::Method;
use serde_json::json;

use crate::{
    cli::{login, run},
    instance::{Instance, postgres, sqlite},
};

#[expect(clippy::disallowed_methods, reason = "a test has no Clock port")]
async fn a_story(database: &str, backdoor: &Backdoor) {
    let said = run(database, &["seed", "--demo"], "").await.done().json();
    assert_eq!((&said["people"], &said["projects"]), (&json!(40), &json!(60)), "{said}");
    assert_eq!(backdoor.count("SELECT count(DISTINCT status) FROM projects").await, 7);
    assert_eq!(backdoor.count("SELECT count(*) FROM users").await, 40);
    // It has a history of ninety days, and work that is late.
    let today = time::OffsetDateTime::now_utc().date();
    let ago = |days| (today - time::Duration::days(days)).to_string();
    for (from, to) in [(92, 60), (60, 30), (30, 0)] {
        let sql = format!(
            "SELECT count(*) FROM activity WHERE created_at > '{}' AND created_at < '{}'",
            ago(from),
            ago(to)
        );
        assert!(backdoor.count(&sql).await > 50, "{from} to {to} days ago");
    }
    let future = format!("SELECT count(*) FROM activity WHERE created_at > '{}'", ago(-1));
    assert_eq!(backdoor.count(&future).await, 0);
    let late = format!("SELECT count(*) FROM tasks WHERE due_on < '{}' AND status <> 'done'", ago(0));
    assert!(backdoor.count(&late).await > 20);
    let tenants = run(database, &["tenant", "list"], "").await.done().json();
    let own: Vec<_> = tenants["tenants"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|tenant| tenant["slug"] != "default")
        .map(|tenant| tenant["members"].as_i64().expect("a number"))
        .collect();
    assert_eq!((own.len(), own.iter().sum::<i64>()), (3, 40));
    assert_eq!(run(database, &["seed", "--demo"], "").await.code, 3);

    let instance = Instance::start(database, &[]).await;
    let owner = said["tenants"][0]["owner"].as_str().expect("an address");
    let slug = said["tenants"][0]["slug"].as_str().expect("a slug");
    let token = login(&instance, owner, "bailiwick-demo").await.expect(200).text_at("/access_token");
    let stats =
        instance.ask(&client(), &token, Method::GET, "/v1/admin/stats").slug(slug).send().await.expect(200);
    assert!(stats.text.len() > 20);
    let projects =
        instance.ask(&client(), &token, Method::GET, "/v1/projects?limit=100").slug(slug).send().await;
    assert_eq!(projects.expect(200).body["data"].as_array().map(Vec::len), Some(20));
    until("everything to be sealed", || async {
        provided(backdoor.count("SELECT count(*) FROM activity WHERE seq IS NULL").await, |left| *left == 0)
    })
    .await;
    run(database, &["audit", "verify"], "").await.done();

    let unmeant = run(database, &["tenant", "delete", slug], "").await;
    assert_eq!(unmeant.code, 2, "{}", unmeant.err);
    run(database, &["tenant", "delete", slug, "--yes"], "").await.done();
    instance
        .ask(&client(), &token, Method::GET, "/v1/tenant")
        .slug(slug)
        .send()
        .await
        .problem(403, "not_a_member");
    assert_eq!(backdoor.count("SELECT count(*) FROM projects").await, 40);
    assert_eq!(run(database, &["tenant", "delete", "default", "--yes"], "").await.code, 3);
    // What was broken off or deleted can be seeded again.
    for tenant in ["helios-energy", "st-nicholas"] {
        run(database, &["tenant", "delete", tenant, "--yes"], "").await.done();
    }
    run(database, &["seed", "--demo"], "").await.done();
    assert_eq!(backdoor.count("SELECT count(*) FROM projects").await, 60);
}

#[tokio::test]
async fn it_is_told_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    a_story(&database, &backdoor).await;
}

#[tokio::test]
async fn it_is_told_on_postgres() {
    let (_server, database, backdoor) = postgres().await;
    a_story(&database, &backdoor).await;
}
