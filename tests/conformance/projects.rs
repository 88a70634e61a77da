//! Projects: their life but for the workflow.

use bailiwick_tests::{
    actors::{Tenant, new_id},
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("projects":
    create_read_change_delete,
    every_change_has_its_activity,
    text_is_kept_as_sent,
    an_archived_project_is_read_only,
    lists_are_filtered_and_paged,
    lists_have_orders_and_dates,
    a_page_is_not_disturbed_by_changes,
    cursors_fit_one_list_only,
    ids_that_are_none,
);

async fn create_read_change_delete(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let new = json!({ "name": "Bridge", "description": "Over the river", "visibility": "public" });
    let created = tenant.member.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201);
    let path = format!("/v1/projects/{}", created.text_at("/id"));
    assert_eq!(created.header("location"), Some(path.as_str()));
    assert_eq!((&created.body["status"], &created.body["version"]), (&json!("draft"), &json!(1)));
    assert_eq!(
        (&created.body["created_by"], &created.body["submitted_by"]),
        (&json!(tenant.member.id), &Value::Null)
    );

    let read = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.body, created.body);

    let patch = json!({ "description": "" });
    let changed = tenant.member.patch(&path).tenant(&tenant.id).json(&patch).send().await.expect(200);
    assert_eq!((&changed.body["name"], &changed.body["description"]), (&json!("Bridge"), &json!("")));
    assert_eq!((&changed.body["visibility"], &changed.body["version"]), (&json!("public"), &json!(2)));
    let merged =
        tenant.member.patch(&path).tenant(&tenant.id).raw("application/merge-patch+json", "{}").send().await;
    assert_eq!(merged.expect(200).body, changed.body);

    let deleted = tenant.manager.delete(&path).tenant(&tenant.id).send().await.expect(204);
    assert_eq!(deleted.text, "");
    tenant.viewer.get(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    tenant.manager.delete(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
    tenant
        .manager
        .patch(&path)
        .tenant(&tenant.id)
        .json(&json!({ "name": "N" }))
        .send()
        .await
        .problem(404, "not_found");
}

async fn every_change_has_its_activity(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let created =
        tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&json!({ "name": "P" })).send().await;
    let id = created.expect(201).text_at("/id");
    let path = format!("/v1/projects/{id}");
    tenant.member.patch(&path).tenant(&tenant.id).json(&json!({ "name": "Q" })).send().await.expect(200);
    let submit = tenant.member.post(&format!("{path}/transitions")).tenant(&tenant.id);
    submit.json(&json!({ "to": "submitted" })).send().await.expect(200);
    tenant.manager.delete(&path).tenant(&tenant.id).send().await.expect(204);
    let sql = format!(
        "SELECT action, actor_id FROM activity WHERE tenant_id = '{}' AND entity_type = 'project' AND entity_id = '{id}' \
         ORDER BY id",
        tenant.id
    );
    let entries: Vec<Vec<String>> =
        target.backdoor.sql(&sql).await.into_iter().map(|row| row.into_iter().flatten().collect()).collect();
    let expected = [
        ["project.created", &tenant.owner.id],
        ["project.updated", &tenant.member.id],
        ["project.moved", &tenant.member.id],
        ["project.deleted", &tenant.manager.id],
    ];
    assert_eq!(entries, expected);
}

async fn text_is_kept_as_sent(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for text in [
        "'; DROP TABLE projects; --",
        "?1 $1 %s {}",
        "\u{202E}txt\u{1F469}\u{200D}\u{1F680}é",
        "  spaced  ",
        "\\ \" /",
    ] {
        let new = json!({ "name": text, "description": format!("{text}\n\t{text}") });
        let created =
            tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201);
        let path = format!("/v1/projects/{}", created.text_at("/id"));
        let read = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
        assert_eq!((&read.body["name"], &read.body["description"]), (&new["name"], &new["description"]));
    }
}

async fn an_archived_project_is_read_only(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let path = format!("/v1/projects/{}", tenant.project("archived", None).await);
    let patch = tenant.owner.patch(&path).tenant(&tenant.id).json(&json!({ "name": "N" })).send().await;
    patch.problem(409, "project_archived");
    tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
}

/// Reads a list to its end, and returns the ids.
async fn walk(tenant: &Tenant<'_>, query: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/projects?{query}{cursor}");
        let page = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
        ids.extend(
            page.body["data"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|item| item["id"].as_str().expect("an id").to_owned()),
        );
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

async fn lists_are_filtered_and_paged(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let mut drafts = Vec::new();
    for _ in 0..7 {
        drafts.push(tenant.project("draft", None).await);
    }
    let submitted = tenant.project("submitted", None).await;
    drafts.reverse();
    let mut all = drafts.clone();
    all.insert(0, submitted.clone());
    for size in [1, 2, 3, 7, 8, 100] {
        assert_eq!(walk(&tenant, &format!("limit={size}")).await, all, "pages of {size}");
    }
    assert_eq!(walk(&tenant, "status=draft&limit=3").await, drafts);
    assert_eq!(walk(&tenant, "status=submitted&visibility=private").await, std::slice::from_ref(&submitted));
    assert_eq!(walk(&tenant, "status=submitted,archived").await, [submitted]);
    assert_eq!(walk(&tenant, "status=draft,submitted&limit=2").await, walk(&tenant, "limit=100").await);
    assert_eq!(walk(&tenant, "visibility=public").await, Vec::<String>::new());
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=ten", "/limit"),
        ("status=lost", "/status"),
        ("status=draft,lost", "/status"),
        ("status=draft,draft", "/status"),
        ("status=", "/status"),
        ("colour=red", "/colour"),
        ("limit=1&limit=2", "/limit"),
    ] {
        let refused = tenant.viewer.get(&format!("/v1/projects?{query}")).tenant(&tenant.id).send().await;
        assert_eq!(refused.problem(400, "invalid_parameter").pointers(), [pointer], "{query}");
    }
}

/// Projects whose names say in which order they come.
async fn named(tenant: &Tenant<'_>) -> Vec<Value> {
    // Equal up to where an order looks no further.
    let long = |last: &str| {
        let words: Vec<_> = (0..20).map(|number| format!("w{number:02}")).collect();
        format!("{} {last}", words.join(" "))
    };
    let [long, longer] = [long("a"), long("b")];
    let mut made = Vec::new();
    // By their words, among equals the newest first: case, accents and punctuation make no difference.
    for name in [
        "banana",
        "Zebra",
        "\u{e9}clair",
        "apple",
        "(Apple)",
        "Eclipse",
        "\u{d7a3}",
        "!",
        long.as_str(),
        "apple pie",
        longer.as_str(),
        "Phase 2.2",
        "Phase 2.1",
        "\u{20bb7}".repeat(100).as_str(),
    ] {
        let new = tenant.member.post("/v1/projects").tenant(&tenant.id).json(&json!({ "name": name }));
        made.push(new.send().await.expect(201).body);
    }
    made
}

async fn lists_have_orders_and_dates(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let made = named(&tenant).await;
    let id = |project: &Value| project["id"].as_str().expect("an id").to_owned();
    let of = |places: &[usize]| places.iter().map(|&place| id(&made[place])).collect::<Vec<_>>();
    let by_name = of(&[7, 4, 3, 9, 0, 2, 5, 12, 11, 10, 8, 1, 6, 13]);
    // Changing some gives them the last places in that order.
    for place in [3, 0] {
        let path = format!("/v1/projects/{}", id(&made[place]));
        let patch = tenant.member.patch(&path).tenant(&tenant.id).json(&json!({ "description": "Changed" }));
        patch.send().await.expect(200);
    }
    let page = tenant.viewer.get("/v1/projects?limit=100").tenant(&tenant.id).send().await.expect(200);
    let all = page.body["data"].as_array().expect("a list").clone();
    let ordered = |field: &str, last_first: bool| {
        let mut sorted = all.clone();
        sorted.sort_by_key(|project| std::cmp::Reverse(id(project)));
        sorted.sort_by(|one, other| {
            let order = one[field].as_str().cmp(&other[field].as_str());
            if last_first { order.reverse() } else { order }
        });
        sorted.iter().map(id).collect::<Vec<_>>()
    };
    let newest: Vec<_> = all.iter().map(id).collect();
    let mut reversed = by_name.clone();
    reversed.reverse();
    // The newest of equals comes first in this direction, too.
    for (one, other) in [(3, 4), (8, 10)] {
        let at = reversed.iter().position(|found| *found == id(&made[one])).expect("it is there");
        assert_eq!(reversed[at + 1], id(&made[other]));
        reversed.swap(at, at + 1);
    }
    for (order, expected) in [
        ("created_at", newest.clone()),
        ("-created_at", newest.iter().rev().cloned().collect()),
        ("updated_at", ordered("updated_at", true)),
        ("-updated_at", ordered("updated_at", false)),
        ("name", by_name),
        ("-name", reversed),
    ] {
        for limit in [1, 2, 3, 100] {
            for filter in ["", "&status=draft", "&visibility=private&status=draft,approved"] {
                let query = format!("order={order}&limit={limit}{filter}");
                assert_eq!(walk(&tenant, &query).await, expected, "{query}");
            }
            let apples: Vec<_> = expected.iter().filter(|id| of(&[3, 4, 9]).contains(id)).cloned().collect();
            let query = format!("order={order}&limit={limit}&q=APPLE");
            assert_eq!(walk(&tenant, &query).await, apples, "{query}");
        }
        let page = format!("/v1/projects?order={order}&limit=1");
        let page = tenant.viewer.get(&page).tenant(&tenant.id).send().await.expect(200);
        for other in ["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"] {
            let path = format!("/v1/projects?order={other}&cursor={}", page.text_at("/next_cursor"));
            let answer = tenant.viewer.get(&path).tenant(&tenant.id).send().await;
            if other == order {
                answer.expect(200)
            } else {
                answer.problem(400, "invalid_cursor")
            };
        }
    }
    lists_have_dates(&tenant, &all).await;
    for query in ["order=title", "order=--name", "created_after=2026-01-01", "updated_before=soon"] {
        let refused = tenant.viewer.get(&format!("/v1/projects?{query}")).tenant(&tenant.id).send().await;
        refused.problem(400, "invalid_parameter");
    }
}

/// Lists of what was made or changed after or before a time, which is not included itself.
async fn lists_have_dates(tenant: &Tenant<'_>, all: &[Value]) {
    let id = |project: &Value| project["id"].as_str().expect("an id").to_owned();
    for field in ["created", "updated"] {
        let time = all[4][format!("{field}_at")].as_str().expect("a time");
        for order in ["created_at", "-created_at", "name"] {
            for (side, wanted) in
                [("after", std::cmp::Ordering::Greater), ("before", std::cmp::Ordering::Less)]
            {
                let fits = |project: &&Value| {
                    project[format!("{field}_at")].as_str().expect("a time").cmp(time) == wanted
                };
                let mut expected: Vec<_> = all.iter().filter(fits).map(id).collect();
                let mut found = walk(tenant, &format!("order={order}&limit=3&{field}_{side}={time}")).await;
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected, "{field}_{side} {order}");
            }
        }
    }
}

async fn a_page_is_not_disturbed_by_changes(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(tenant.project("draft", None).await);
    }
    ids.reverse();
    let first = tenant.viewer.get("/v1/projects?limit=2").tenant(&tenant.id).send().await.expect(200);
    // The last one of the page goes, and a new one comes.
    tenant.manager.delete(&format!("/v1/projects/{}", ids[1])).tenant(&tenant.id).send().await.expect(204);
    tenant.project("draft", None).await;
    let rest = format!("/v1/projects?limit=2&cursor={}", first.text_at("/next_cursor"));
    let second = tenant.viewer.get(&rest).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(
        (second.text_at("/data/0/id"), second.text_at("/data/1/id")),
        (ids[2].clone(), ids[3].clone())
    );
}

async fn cursors_fit_one_list_only(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    other.admit(&tenant.viewer, "viewer").await;
    for _ in 0..2 {
        tenant.project("draft", None).await;
        other.project("draft", None).await;
    }
    let first = tenant.viewer.get("/v1/projects?limit=1").tenant(&tenant.id).send().await.expect(200);
    let cursor = first.text_at("/next_cursor");
    let ask = |path: String, id: &str| tenant.viewer.get(&path).tenant(id).send();
    ask(format!("/v1/projects?limit=1&cursor={cursor}"), &tenant.id).await.expect(200);
    for (path, id) in [
        (format!("/v1/projects?cursor={cursor}"), &other.id),
        (format!("/v1/projects?status=draft&cursor={cursor}"), &tenant.id),
        (format!("/v1/members?cursor={cursor}"), &tenant.id),
        (format!("/v1/projects?cursor={}", "A".repeat(43)), &tenant.id),
        ("/v1/projects?cursor=nonsense".to_owned(), &tenant.id),
        ("/v1/projects?cursor=".to_owned(), &tenant.id),
    ] {
        ask(path, id).await.problem(400, "invalid_cursor");
    }
}

async fn ids_that_are_none(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let known = tenant.project("draft", None).await;
    tenant
        .viewer
        .get(&format!("/v1/projects/{}", known.to_uppercase()))
        .tenant(&tenant.id)
        .send()
        .await
        .expect(200);
    for id in
        ["x", "0", "null", &new_id(), &known.replace('-', ""), &format!("{known}x"), "%00", "..%2f", "%27"]
    {
        tenant
            .viewer
            .get(&format!("/v1/projects/{id}"))
            .tenant(&tenant.id)
            .send()
            .await
            .problem(404, "not_found");
    }
}
