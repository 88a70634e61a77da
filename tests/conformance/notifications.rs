//! The list of notifications: reading it, marking its entries, and that only the recipient can do either.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("notifications":
    read_one_by_one_and_all_at_once,
    marked_twice_it_keeps_its_time,
    filtered,
    in_pages,
    a_cursor_fits_one_list_of_one_member,
    parameters_that_are_none,
    those_of_others_are_not_there,
    who_is_removed_and_comes_back_starts_anew,
);

async fn list(tenant: &Tenant<'_>, actor: &Actor<'_>, query: &str) -> Answer {
    actor.get(&format!("/v1/notifications?{query}")).tenant(&tenant.id).send().await
}

async fn ids(tenant: &Tenant<'_>, actor: &Actor<'_>, query: &str) -> Vec<String> {
    let listed = list(tenant, actor, query).await.expect(200);
    let list = listed.body["data"].as_array().expect("a list");
    list.iter().map(|told| told["id"].as_str().expect("an id").to_owned()).collect()
}

async fn unread(tenant: &Tenant<'_>, actor: &Actor<'_>) -> Value {
    let counted = actor.get("/v1/notifications/unread_count").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(counted.body, json!({ "unread": counted.body["unread"] }));
    counted.body["unread"].clone()
}

async fn mark(tenant: &Tenant<'_>, actor: &Actor<'_>, id: &str) -> Answer {
    actor.post(&format!("/v1/notifications/{id}/read")).tenant(&tenant.id).send().await
}

/// Has a member told so many times, and returns the ids, newest first.
async fn tell(tenant: &Tenant<'_>, times: usize) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..times {
        told.insert(0, tenant.notification(&tenant.member.id).await);
    }
    told
}

async fn read_one_by_one_and_all_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (member, told) = (&tenant.member, tell(&tenant, 4).await);
    tenant.notification(&tenant.viewer.id).await;
    assert_eq!(unread(&tenant, member).await, 4);
    let marked = mark(&tenant, member, &told[1]).await.expect(200);
    assert_eq!(marked.text_at("/id"), told[1]);
    assert!(marked.body["read_at"].is_string(), "{marked:?}");
    assert_eq!(unread(&tenant, member).await, 3);
    assert_eq!(ids(&tenant, member, "unread=true").await, [&*told[0], &*told[2], &*told[3]]);
    assert_eq!(ids(&tenant, member, "unread=false").await, [&*told[1]]);
    let all = member.post("/v1/notifications/read").tenant(&tenant.id).send().await.expect(204);
    assert_eq!(all.text, "");
    assert_eq!(unread(&tenant, member).await, 0);
    assert_eq!(ids(&tenant, member, "unread=true").await, [""; 0]);
    assert_eq!(ids(&tenant, member, "").await, told);
    // Nobody else has read anything by that.
    assert_eq!(unread(&tenant, &tenant.viewer).await, 1);
}

async fn marked_twice_it_keeps_its_time(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let told = tell(&tenant, 2).await;
    let first = mark(&tenant, &tenant.member, &told[0]).await.expect(200);
    tenant.member.post("/v1/notifications/read").tenant(&tenant.id).send().await.expect(204);
    let again = mark(&tenant, &tenant.member, &told[0]).await.expect(200);
    assert_eq!(first.body, again.body);
}

async fn filtered(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let approved = tell(&tenant, 2).await;
    tenant.assign(&tenant.manager, "Sweep", &tenant.member).await;
    mark(&tenant, &tenant.member, &approved[0]).await.expect(200);
    assert_eq!(ids(&tenant, &tenant.member, "kind=approved").await, approved);
    assert_eq!(ids(&tenant, &tenant.member, "kind=approved&unread=true").await, [&*approved[1]]);
    assert_eq!(ids(&tenant, &tenant.member, "kind=approved&unread=false").await, [&*approved[0]]);
    assert_eq!(ids(&tenant, &tenant.member, "kind=task_assigned&unread=true").await.len(), 1);
    assert_eq!(ids(&tenant, &tenant.member, "kind=mentioned").await, [""; 0]);
    assert_eq!(ids(&tenant, &tenant.member, "").await.len(), 3);
}

async fn in_pages(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let told = tell(&tenant, 25).await;
    let whole = list(&tenant, &tenant.member, "").await.expect(200);
    assert_eq!(whole.body["data"].as_array().map(Vec::len), Some(20));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for expected in [10, 10, 5] {
        let page = list(&tenant, &tenant.member, &format!("limit=10{cursor}")).await.expect(200);
        let data = page.body["data"].as_array().expect("a list");
        assert_eq!(data.len(), expected);
        seen.extend(data.iter().map(|told| told["id"].as_str().expect("an id").to_owned()));
        cursor = page.body["next_cursor"].as_str().map_or_else(String::new, |next| format!("&cursor={next}"));
        // What comes in between shifts nothing.
        tenant.notification(&tenant.member.id).await;
    }
    assert_eq!((seen, cursor.as_str()), (told, ""));
}

async fn a_cursor_fits_one_list_of_one_member(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tell(&tenant, 3).await;
    let other = Tenant::create(target).await;
    other.admit(&tenant.member, "member").await;
    let cursor = list(&tenant, &tenant.member, "limit=1").await.expect(200).text_at("/next_cursor");
    let next = format!("limit=1&cursor={cursor}");
    list(&tenant, &tenant.member, &next).await.expect(200);
    for query in [format!("{next}&unread=true"), format!("{next}&kind=approved")] {
        list(&tenant, &tenant.member, &query).await.problem(400, "invalid_cursor");
    }
    list(&tenant, &tenant.viewer, &next).await.problem(400, "invalid_cursor");
    list(&other, &tenant.member, &next).await.problem(400, "invalid_cursor");
}

async fn parameters_that_are_none(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for query in ["unread=maybe", "kind=everything", "limit=0", "limit=101", "recipient_id=me"] {
        list(&tenant, &tenant.member, query).await.problem(400, "invalid_parameter");
    }
}

async fn those_of_others_are_not_there(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let told = tell(&tenant, 1).await;
    let foreign = tell(&other, 1).await;
    // Not for colleagues, whatever their role; not for members of another tenant; not by way of one's own tenant.
    for actor in [&tenant.owner, &tenant.manager, &tenant.viewer] {
        assert_eq!(ids(&tenant, actor, "").await, [""; 0]);
        mark(&tenant, actor, &told[0]).await.problem(404, "not_found");
    }
    for id in [&foreign[0], &new_id()] {
        mark(&tenant, &tenant.member, id).await.problem(404, "not_found");
    }
    mark(&other, &tenant.member, &foreign[0]).await.problem(403, "not_a_member");
    // Somebody who is in both sees here what is of here.
    other.admit(&tenant.member, "member").await;
    let both = other.notification(&tenant.member.id).await;
    assert_eq!(ids(&tenant, &tenant.member, "").await, told);
    assert_eq!(ids(&other, &tenant.member, "").await, [&*both]);
    mark(&tenant, &tenant.member, &both).await.problem(404, "not_found");
    tenant.member.post("/v1/notifications/read").tenant(&tenant.id).send().await.expect(204);
    assert_eq!(unread(&other, &tenant.member).await, 1);
    assert_eq!(unread(&other, &other.member).await, 1);
}

async fn who_is_removed_and_comes_back_starts_anew(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tell(&tenant, 2).await;
    let path = format!("/v1/members/{}", tenant.member.id);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    list(&tenant, &tenant.member, "").await.problem(403, "not_a_member");
    tenant.admit(&tenant.member, "member").await;
    assert_eq!(ids(&tenant, &tenant.member, "").await, [""; 0]);
    assert_eq!(unread(&tenant, &tenant.member).await, 0);
}
