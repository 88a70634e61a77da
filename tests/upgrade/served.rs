//! What people of the first version find: all that they had, and that it goes on.

use bailiwick_tests::{
    actors::{Actor, PASSWORD},
    client::Ask,
    provided,
    targets::Target,
};
use serde_json::{Value, json};

use crate::first::{ACME, ADA, DRAFT, LONG, PROJECTS};

fn data(body: &Value) -> &[Value] {
    body["data"].as_array().expect("a list")
}

fn texts(body: &Value, field: &str) -> Vec<String> {
    let mut texts: Vec<_> =
        data(body).iter().map(|item| item[field].as_str().expect("a text").to_owned()).collect();
    texts.sort();
    texts
}

/// Logs in with the old password, reads, goes on, searches, and has the log of what happened verified.
pub(crate) async fn as_ever(target: &Target) {
    let mut ada =
        Actor { email: "ada@example.com".to_owned(), id: ADA.to_owned(), ..Actor::anonymous(target) };
    ada.token = Some(ada.login().await);
    let get = |path: &str| ada.get(path).tenant(ACME);
    let ok = async |ask: Ask| ask.send().await.expect(200).body;

    let me = ok(get("/v1/me")).await;
    assert_eq!(
        (&me["name"], &me["created_at"]),
        (&json!("Ada 🦀 Ωμέγα"), &json!("1970-01-01T00:00:00.000Z"))
    );
    // Who was disabled still is.
    let gone = json!({ "email": "gone@example.com", "password": PASSWORD });
    Actor::anonymous(target).post("/v1/auth/login").json(&gone).send().await.expect(401);

    let tenants = ok(ada.get("/v1/tenants")).await;
    assert_eq!(data(&tenants).len(), 2, "{tenants}");
    let long = ok(ada.get("/v1/tenant").tenant(LONG)).await;
    assert_eq!((&long["name"], long["slug"].as_str().map(str::len)), (&json!("🦀".repeat(100)), Some(63)));
    let members = ok(get("/v1/members?limit=100")).await;
    assert_eq!(texts(&members, "role"), ["manager", "manager", "member", "owner", "viewer"]);

    let projects = ok(get("/v1/projects?limit=100")).await;
    let mut names = PROJECTS.map(|(name, ..)| name.to_owned());
    names.sort();
    assert_eq!(texts(&projects, "name"), names);
    let long = data(&projects).iter().find(|project| project["status"] == "submitted").expect("a project");
    assert_eq!(long["description"], "説明 ".repeat(3333));
    // What was public is, to people who are not logged in.
    let shown = ok(Actor::anonymous(target).get("/v1/catalog/projects?limit=100").tenant(ACME)).await;
    assert!(data(&shown).len() >= 2, "{shown}");

    // It goes on where it was.
    let path = format!("/v1/projects/{DRAFT}");
    let before = get(&path).send().await.expect(200);
    assert_eq!(before.body["version"], 9_007_199_254_740_990_u64, "{before:?}");
    let moved = ada.post(&format!("{path}/transitions")).tenant(ACME).json(&json!({ "to": "submitted" }));
    moved.send().await.expect(200);
    assert_eq!(ok(get(&path)).await["status"], "submitted");
    let list = ok(get(&format!("{path}/tasks"))).await;
    let task = format!("/v1/tasks/{}", data(&list)[0]["id"].as_str().expect("an id"));
    assert_eq!(ok(get(&task)).await["priority"], "normal");
    let change = json!({ "assignee_id": ADA, "due_on": "2027-02-28", "status": "blocked" });
    ada.patch(&task).tenant(ACME).json(&change).send().await.expect(200);
    ada.post(&format!("{task}/comments"))
        .tenant(ACME)
        .json(&json!({ "body": "At last" }))
        .send()
        .await
        .expect(201);

    // In the background what was there before there was a search gets its words.
    for (query, expected) in [("agais", PROJECTS[0].0), ("мост", PROJECTS[4].0), ("جسر", PROJECTS[2].0)]
    {
        let path = format!("/v1/projects?q={query}");
        target
            .until(&format!("{query} is found"), || async {
                let found = ok(get(&path)).await;
                provided(texts(&found, "name"), |names| *names == [expected])
            })
            .await;
    }
    target
        .until("the tasks are found", || async {
            let found = ok(get("/v1/tasks?q=schraube&limit=100")).await;
            provided(data(&found).len(), |count| *count == PROJECTS.len() * 4)
        })
        .await;
    // And what happened before there was a chain gets its place in it.
    let verified = target
        .until("the log is sealed", || async {
            let found = ok(get("/v1/admin/activity/verify")).await;
            provided(found, |found| found["pending"] == 0)
        })
        .await;
    assert_eq!(verified["valid"], true, "{verified}");
    assert!(verified["checked"].as_u64() >= Some(2 * PROJECTS.len() as u64 + 1), "{verified}");
}
