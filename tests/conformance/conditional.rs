//! Conditional requests: what was read and has not changed is not sent again, and what somebody else has changed is not
//! overwritten. For every route that reads, and for every one that changes or deletes what can be read.

use bailiwick_core::{
    Access,
    routes::{ROUTES, Route},
};
use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    client::{Answer, Ask},
    targets::Target,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::matrix::samples::{ask, sample};
use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = own_cases();
    let reads = ROUTES.iter().filter(|route| route.method == Method::GET);
    cases.extend(reads.map(|route| {
        Case::new(format!("if_none_match::{}", route.name), move |target| read_twice(target, route))
    }));
    cases.extend(ROUTES.iter().filter(|route| is_conditional(route)).map(|route| {
        Case::new(format!("if_match::{}", route.name), move |target| change_twice(target, route))
    }));
    cases
}

crate::cases!(own_cases, "conditional":
    tags_are_of_one_version,
    if_match_takes_lists_and_stars,
    malformed_tags_are_refused,
    what_was_overtaken_is_not_changed,
    what_is_known_is_asked_for_anew_each_time,
    a_tag_survives_compression,
);

/// Whether a route changes or deletes something, or moves it.
fn is_conditional(route: &Route) -> bool {
    matches!(route.method, Method::PATCH | Method::DELETE) || route.name == "projects::transition"
}

/// The route that reads what this one changes.
fn reader(route: &Route) -> Option<&'static Route> {
    let path = route.path.trim_end_matches("/transitions");
    let single = |found: &&Route| {
        // A list of several has no version.
        found.method == Method::GET && found.path == path && found.path != "/v1/me/sessions"
    };
    ROUTES.iter().find(single)
}

/// What is done in the background, or what the request itself does, may change these between two requests; and the policy of the
/// reference names a word of the one answer.
pub(crate) fn is_restless(route: &Route) -> bool {
    [
        "me::sessions",
        "admin::deliveries",
        "admin::activity",
        "admin::verify_activity",
        "transfer::export",
        "pages::docs",
    ]
    .contains(&route.name)
}

async fn read_twice(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    let wanted = sample(route, &tenant, &tenant.owner).await;
    let first = ask(&wanted, &tenant.owner, &tenant).send().await.expect(200);
    let etag = first.header("etag").expect("a tag").to_owned();
    assert!(etag.starts_with('"') && etag.len() > 10, "{etag}");
    if !is_restless(route) {
        let again = ask(&wanted, &tenant.owner, &tenant).header("if-none-match", &etag).send().await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{again:?}");
        assert_eq!(again.header("etag"), Some(etag.as_str()));
        assert_eq!(again.header("content-type"), None);
    }
    let other = ask(&wanted, &tenant.owner, &tenant).header("if-none-match", "\"other\"").send().await;
    assert_eq!(other.expect(200).body.is_object(), first.body.is_object());
    if !matches!(route.access, Access::Public | Access::AnyoneInTenant) {
        // Whoever knows the tag learns nothing by it.
        let stranger = Actor::anonymous(target);
        let refused = ask(&wanted, &stranger, &tenant).header("if-none-match", &etag).send().await;
        refused.problem(401, "authentication_required");
    }
}

async fn change_twice(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    let wanted = sample(route, &tenant, &tenant.owner).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    let stale = ask(&wanted, &tenant.owner, &tenant).header("if-match", "\"1-000000000000-stale\"").send();
    stale.await.problem(412, "precondition_failed");
    assert_eq!(
        before,
        target.backdoor.snapshot(&tenant.id).await,
        "{route:?} was done in spite of its condition"
    );
    let Some(reader) = reader(route) else { return };
    let read = || async {
        let mut single = wanted.clone();
        single.route = reader;
        (single.body, single.query) = (None, None);
        let read = ask(&single, &tenant.owner, &tenant).send().await.expect(200);
        read.header("etag").expect("a tag").to_owned()
    };
    let etag = read().await;
    let done = ask(&wanted, &tenant.owner, &tenant).header("if-match", &etag).send().await;
    assert_eq!(done.status, wanted.success, "{done:?}");
    if done.status == 200 {
        // The answer has the tag with which one can go on, and it is the one that reading gives.
        let next = done.header("etag").expect("a tag").to_owned();
        assert_eq!(next, read().await);
        assert_ne!(next, etag, "{route:?} changed nothing");
        ask(&wanted, &tenant.owner, &tenant)
            .header("if-match", &etag)
            .send()
            .await
            .problem(412, "precondition_failed");
    }
}

fn etag(answer: &Answer) -> String {
    answer.header("etag").expect("a tag").to_owned()
}

async fn tags_are_of_one_version(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (owner, name) = (&tenant.owner, json!({ "name": "One" }));
    let make =
        || async { owner.post("/v1/projects").tenant(&tenant.id).json(&name).send().await.expect(201) };
    let (one, two) = (make().await, make().await);
    let path = one.header("location").expect("a place").to_owned();
    let read = owner.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(etag(&one), etag(&read));
    // The tag of another project of the same version is not this one's.
    let other = json!({ "name": "Another" });
    let patch = |tag: &str| owner.patch(&path).tenant(&tenant.id).header("if-match", tag).json(&other).send();
    patch(&etag(&two)).await.problem(412, "precondition_failed");
    let changed = patch(&etag(&one)).await.expect(200);
    assert_eq!(changed.body["version"], 2);
    patch(&etag(&one)).await.problem(412, "precondition_failed");
    // Also where there is nothing to change.
    let nothing =
        |tag: &str| owner.patch(&path).tenant(&tenant.id).header("if-match", tag).json(&json!({})).send();
    nothing(&etag(&one)).await.problem(412, "precondition_failed");
    assert_eq!(nothing(&etag(&changed)).await.expect(200).body, changed.body);
    // What is not there, or is another tenant's, is not found, whatever the tag says.
    let other = Tenant::create(target).await;
    let theirs = format!("/v1/projects/{}", other.project("draft", None).await);
    let asked = owner.delete(&theirs).tenant(&tenant.id).header("if-match", &etag(&changed)).send().await;
    asked.problem(404, "not_found");
}

async fn if_match_takes_lists_and_stars(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let path = format!("/v1/projects/{}", tenant.project("draft", None).await);
    let patch = || tenant.owner.patch(&path).tenant(&tenant.id).json(&json!({ "name": unique("Another") }));
    let first = etag(&tenant.owner.get(&path).tenant(&tenant.id).send().await);
    let second = etag(&patch().header("if-match", "*").send().await.expect(200));
    let list = format!("\"x\", {first}, W/{second}");
    let third = etag(&patch().header("if-match", &list).send().await.expect(200));
    patch().header("if-match", &list).send().await.problem(412, "precondition_failed");
    // The same list in two lines.
    patch().header("if-match", &first).header("if-match", &third).send().await.expect(200);
    tenant.owner.delete(&path).tenant(&tenant.id).header("if-match", "*").send().await.expect(204);
    let gone = tenant.owner.delete(&path).tenant(&tenant.id).header("if-match", "*").send().await;
    gone.problem(404, "not_found");
}

async fn malformed_tags_are_refused(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let path = format!("/v1/projects/{}", tenant.project("draft", None).await);
    for malformed in ["", "1", "\"a", "'a'", "\"a\" \"b\"", ","] {
        // The platform of the edge does not tell an empty one from none.
        if malformed.is_empty() && target.name.starts_with("edge") {
            continue;
        }
        let patch = tenant.owner.patch(&path).tenant(&tenant.id).header("if-match", malformed);
        patch.json(&json!({ "name": "N" })).send().await.problem(400, "invalid_header");
        // Of what is only read, a condition that says nothing is none.
        let read = tenant.owner.get(&path).tenant(&tenant.id).header("if-none-match", malformed);
        read.send().await.expect(200);
    }
}

/// Of many who have seen the same state one gets through.
async fn what_was_overtaken_is_not_changed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let path = format!("/v1/tasks/{}", tenant.task(&tenant.project("approved", None).await, "todo").await);
    let seen = etag(&tenant.owner.get(&path).tenant(&tenant.id).send().await);
    let attempts = (0..8).map(|number| {
        let body = json!({ "title": format!("Title {number}") });
        let ask: Ask = tenant.owner.patch(&path).tenant(&tenant.id).header("if-match", &seen).json(&body);
        ask.send()
    });
    let answers = futures::future::join_all(attempts).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(
        answers.iter().all(|answer| answer.status == 200 || answer.code() == "precondition_failed"),
        "{answers:?}"
    );
    let now = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!((&now.body["title"], &now.body["version"]), (&won[0].body["title"], &json!(2)));
}

async fn what_is_known_is_asked_for_anew_each_time(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let read = tenant.owner.get("/v1/projects").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.header("cache-control"), Some("private, no-cache"));
    let vary =
        read.headers.get_all("vary").iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
    assert!(vary.join(", ").contains("authorization, x-tenant-id, x-tenant-slug"), "{vary:?}");
    // What was refused, or was said only once, is kept by nobody.
    let refused = tenant.owner.get("/v1/projects/nothing").tenant(&tenant.id).send().await.expect(404);
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    let key = json!({ "name": "K", "role": "viewer" });
    let made = tenant.owner.post("/v1/api-keys").tenant(&tenant.id).json(&key).send().await.expect(201);
    assert_eq!((made.header("cache-control"), made.header("etag")), (Some("no-store"), None));
}

/// A proxy, or the server itself, that compresses makes a tag weak. It is good all the same.
async fn a_tag_survives_compression(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let long = json!({ "name": "Long", "description": "word ".repeat(1000) });
    let made = tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&long).send().await.expect(201);
    let path = made.header("location").expect("a place").to_owned();
    let read = || tenant.owner.get(&path).tenant(&tenant.id).header("accept-encoding", "gzip");
    let compressed = read().send().await;
    let tag = etag(&compressed);
    // Cloudflare does the same in front of the edge; workerd by itself does not.
    if !target.name.starts_with("edge") {
        assert_eq!(compressed.header("content-encoding"), Some("gzip"));
        assert!(tag.starts_with("W/"), "{tag}");
    }
    assert_eq!(read().header("if-none-match", &tag).send().await.status, 304);
    let patch = tenant.owner.patch(&path).tenant(&tenant.id).header("if-match", &tag);
    let changed: Value = patch.json(&json!({ "name": "Longer" })).send().await.expect(200).body;
    assert_eq!(changed["version"], 2);
}
