//! Tenants, how a request names one, and who is in.

use bailiwick::verify::samples::{import_head, import_rows, import_totals};
use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("tenants":
    creating_one_makes_an_owner,
    a_slug_is_taken_once,
    a_slug_that_was_given_up_is_kept_for_who_did,
    named_by_id_or_slug_or_both,
    contradicting_and_malformed_headers,
    one_that_does_not_exist_looks_like_a_foreign_one,
    the_list_is_mine_with_my_role,
    changing_it,
    the_members,
    a_removed_member_is_out_at_once,
    a_demoted_member_can_do_less_at_once,
    a_suspended_member_is_out_at_once,
    a_slug_that_went_to_another_tenant_is_not_remembered,
);

fn sans_request_id(answer: Answer) -> Value {
    let mut body = answer.body;
    body["request_id"].take();
    body
}

async fn creating_one_makes_an_owner(target: &'static Target) {
    let actor = Actor::register(target, "founder").await;
    let slug = unique("new");
    let created =
        actor.post("/v1/tenants").json(&json!({ "slug": slug, "name": "Änew" })).send().await.expect(201);
    assert_eq!(created.header("location"), Some("/v1/tenant"));
    assert_eq!((&created.body["role"], &created.body["name"]), (&json!("owner"), &json!("Änew")));
    let read = actor.get("/v1/tenant").slug(&slug).send().await.expect(200);
    assert_eq!(read.body, created.body);
    let entries = format!(
        "SELECT count(*) FROM activity WHERE tenant_id = '{}' AND action = 'tenant.created'",
        created.text_at("/id")
    );
    assert_eq!(target.backdoor.count(&entries).await, 1);
}

async fn a_slug_is_taken_once(target: &'static Target) {
    let actor = Actor::register(target, "taker").await;
    let new = json!({ "slug": unique("taken"), "name": "T" });
    let ask = || actor.post("/v1/tenants").json(&new).send();
    let (one, two, three) = tokio::join!(ask(), ask(), ask());
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
    ask().await.problem(409, "slug_taken");
    // The refused ones left nothing behind.
    let mine = actor.get("/v1/tenants").send().await.expect(200);
    assert_eq!(mine.body["data"].as_array().map(Vec::len), Some(1));
}

async fn a_slug_that_was_given_up_is_kept_for_who_did(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let delete = async |by: &Actor<'_>, id: &str| {
        let path = format!("/v1/tenant?confirm={}", tenant.slug);
        by.delete(&path).tenant(id).send().await.expect(204);
    };
    let new = json!({ "slug": tenant.slug, "name": "T" });
    let ask = |actor: &Actor<'_>| actor.post("/v1/tenants").json(&new).send();
    delete(&tenant.owner, &tenant.id).await;
    // Links still lead there, and clients are configured with it: whoever came first would be taken for who had it.
    ask(&tenant.manager).await.problem(409, "slug_taken");
    let imported = new_id();
    let mut head = import_head(&imported);
    head["as_slug"] = json!(tenant.slug);
    tenant.manager.post("/v1/imports").json(&head).send().await.expect(200);
    let rows = json!({ "first": 0, "rows": import_rows(&imported) });
    let path = format!("/v1/imports/{imported}");
    tenant.manager.post(&format!("{path}/rows")).json(&rows).send().await.expect(200);
    let finish = tenant.manager.post(&format!("{path}/finish")).json(&import_totals(&imported)).send().await;
    finish.problem(409, "slug_taken");
    // Who gave it up may have it again, and give it up again.
    let again = ask(&tenant.owner).await.expect(201).body["id"].as_str().expect("an id").to_owned();
    delete(&tenant.owner, &again).await;
    let age = format!(
        "UPDATE released_slugs SET released_at = '2026-01-01T00:00:00.000Z' WHERE slug = '{}'",
        tenant.slug
    );
    target.backdoor.sql(&age).await;
    // From then on it is theirs who have it since, also when they give it up.
    let theirs = ask(&tenant.manager).await.expect(201).text_at("/id");
    delete(&tenant.manager, &theirs).await;
    ask(&tenant.owner).await.problem(409, "slug_taken");
    ask(&tenant.manager).await.expect(201);
    // No other tenant has given its own up by that.
    let given_up = format!("SELECT count(*) FROM released_slugs WHERE slug = '{}'", other.slug);
    assert_eq!(target.backdoor.count(&given_up).await, 0);
}

async fn named_by_id_or_slug_or_both(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let read = |ask: bailiwick_tests::client::Ask| async move { ask.send().await.expect(200).body };
    let by_id = read(tenant.viewer.get("/v1/tenant").tenant(&tenant.id)).await;
    let by_slug = read(tenant.viewer.get("/v1/tenant").slug(&tenant.slug)).await;
    let by_both =
        read(tenant.viewer.get("/v1/tenant").tenant(&tenant.id.to_uppercase()).slug(&tenant.slug)).await;
    assert_eq!(by_id["slug"], tenant.slug);
    assert!(by_id == by_slug && by_slug == by_both);
}

async fn contradicting_and_malformed_headers(target: &'static Target) {
    let (mine, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let ask = || mine.owner.get("/v1/projects");
    let refused = |answer: Answer| answer.problem(400, "tenant_conflict");
    let foreign = refused(ask().tenant(&mine.id).slug(&other.slug).send().await);
    let nobodys = refused(ask().tenant(&mine.id).slug("no-such-tenant").send().await);
    assert_eq!(sans_request_id(foreign), sans_request_id(nobodys));
    let new = json!({ "name": "P" });
    refused(mine.owner.post("/v1/projects").tenant(&mine.id).slug(&other.slug).json(&new).send().await);
    // Of a tenant that I am not in, not even its slug is confirmed.
    ask().tenant(&other.id).slug(&other.slug).send().await.problem(403, "not_a_member");
    ask().tenant(&other.id).slug(&mine.slug).send().await.problem(403, "not_a_member");

    for id in ["", "x", "default", &mine.slug, &mine.id[1..], &format!("{} ", &mine.id[..35])] {
        ask().tenant(id).send().await.problem(400, "invalid_tenant_header");
    }
    for slug in ["", "x", "UPPER", "a_b", &"x".repeat(64)] {
        ask().slug(slug).send().await.problem(400, "invalid_tenant_header");
    }
    ask().tenant(&mine.id).tenant(&mine.id).send().await.problem(400, "invalid_tenant_header");
    ask().slug(&mine.slug).slug(&other.slug).send().await.problem(400, "invalid_tenant_header");
}

async fn one_that_does_not_exist_looks_like_a_foreign_one(target: &'static Target) {
    let (mine, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let ask = || mine.owner.get("/v1/projects");
    let foreign = [ask().tenant(&other.id).send().await, ask().slug(&other.slug).send().await];
    let nobodys = [ask().tenant(&new_id()).send().await, ask().slug("no-such-tenant").send().await];
    let [foreign_id, foreign_slug] =
        foreign.map(|answer| sans_request_id(answer.problem(403, "not_a_member")));
    let [nobodys_id, nobodys_slug] =
        nobodys.map(|answer| sans_request_id(answer.problem(403, "not_a_member")));
    assert!(foreign_id == nobodys_id && foreign_slug == nobodys_slug && foreign_id == foreign_slug);
}

async fn the_list_is_mine_with_my_role(target: &'static Target) {
    let (one, two) = tokio::join!(Tenant::create(target), Tenant::create(target));
    two.admit(&one.owner, "viewer").await;
    let listed = one.owner.get("/v1/tenants").send().await.expect(200);
    let list = listed.body["data"].as_array().expect("a list");
    let mut roles: Vec<_> =
        list.iter().map(|tenant| (tenant["slug"].as_str(), tenant["role"].as_str())).collect();
    roles.sort_unstable();
    let mut expected =
        vec![(Some(one.slug.as_str()), Some("owner")), (Some(two.slug.as_str()), Some("viewer"))];
    expected.sort_unstable();
    assert_eq!(roles, expected);
    // In pages, too.
    let first = one.owner.get("/v1/tenants?limit=1").send().await.expect(200);
    let rest = format!("/v1/tenants?limit=1&cursor={}", first.text_at("/next_cursor"));
    let second = one.owner.get(&rest).send().await.expect(200);
    assert_eq!(second.body["next_cursor"], Value::Null);
    assert_ne!(first.text_at("/data/0/id"), second.text_at("/data/0/id"));
    // And nobody else can go on with my cursor.
    two.owner.get(&rest).send().await.problem(400, "invalid_cursor");
}

async fn changing_it(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let patch = |name: &str| {
        tenant.owner.patch("/v1/tenant").tenant(&tenant.id).json(&json!({ "name": name })).send()
    };
    let changed = patch("Renamed").await.expect(200);
    assert_eq!((&changed.body["name"], &changed.body["version"]), (&json!("Renamed"), &json!(2)));
    let read = tenant.owner.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.body, changed.body);
    assert_eq!(patch("").await.problem(422, "validation_failed").pointers(), ["/name"]);
    let slug =
        tenant.owner.patch("/v1/tenant").tenant(&tenant.id).json(&json!({ "slug": "other" })).send().await;
    assert_eq!(slug.problem(422, "validation_failed").pointers(), ["/slug"]);
}

async fn the_members(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let listed = tenant.viewer.get("/v1/members").tenant(&tenant.id).send().await.expect(200);
    let list = listed.body["data"].as_array().expect("a list");
    let mut roles: Vec<_> =
        list.iter().map(|member| (member["user_id"].as_str(), member["role"].as_str())).collect();
    roles.sort_unstable();
    let actors = [
        (&tenant.owner, "owner"),
        (&tenant.manager, "manager"),
        (&tenant.member, "member"),
        (&tenant.viewer, "viewer"),
    ];
    let mut expected: Vec<_> =
        actors.iter().map(|(actor, role)| (Some(actor.id.as_str()), Some(*role))).collect();
    expected.sort_unstable();
    assert_eq!(roles, expected);
}

async fn a_removed_member_is_out_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("draft", None).await;
    let path = format!("/v1/projects/{project}");
    tenant.manager.get(&path).tenant(&tenant.id).send().await.expect(200);
    tenant.remove(&tenant.manager).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    tenant.manager.get(&path).tenant(&tenant.id).send().await.problem(403, "not_a_member");
    tenant.manager.delete(&path).tenant(&tenant.id).send().await.problem(403, "not_a_member");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
}

async fn a_demoted_member_can_do_less_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("submitted", None).await;
    tenant.set(&tenant.manager, "role", "member").await;
    let approve = tenant.manager.post(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id);
    let refused = approve.json(&json!({ "to": "approved" })).send().await.problem(403, "insufficient_role");
    assert_eq!(refused.body["required_role"], "manager");
    let delete = tenant.manager.delete(&format!("/v1/projects/{project}")).tenant(&tenant.id).send().await;
    assert_eq!(delete.problem(403, "insufficient_role").body["required_role"], "manager");
}

async fn a_suspended_member_is_out_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.set(&tenant.owner, "status", "suspended").await;
    tenant.owner.get("/v1/tenant").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    let listed = tenant.owner.get("/v1/tenants").send().await.expect(200);
    assert_eq!(listed.body["data"], json!([]));
}

async fn a_slug_that_went_to_another_tenant_is_not_remembered(target: &'static Target) {
    let (one, two) = tokio::join!(Tenant::create(target), Tenant::create(target));
    // The service has seen this slug.
    one.owner.get("/v1/tenant").slug(&one.slug).send().await.expect(200);
    let rename = |id: &str, slug: &str| format!("UPDATE tenants SET slug = '{slug}' WHERE id = '{id}'");
    target.backdoor.sql(&rename(&one.id, &unique("old"))).await;
    target.backdoor.sql(&rename(&two.id, &one.slug)).await;
    one.owner.get("/v1/tenant").slug(&one.slug).send().await.problem(403, "not_a_member");
    let new = json!({ "name": "P" });
    one.owner.post("/v1/projects").slug(&one.slug).json(&new).send().await.problem(403, "not_a_member");
    let read = two.owner.get("/v1/tenant").slug(&one.slug).send().await.expect(200);
    assert_eq!(read.body["id"], two.id);
}
