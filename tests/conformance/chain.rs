//! The chain of a tenant's activity: whatever is altered, removed or put in another order behind the service's back is
//! found, where it is; and refusals on administration are among what is written there.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id, unique},
    client::Answer,
    provided,
    targets::Target,
};
use futures::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

crate::cases!("chain":
    the_hashes_are_those_of_the_documentation,
    what_was_left_behind_is_sealed_and_long_chains_are_verified_in_parts,
    altered_entries_are_found,
    missing_entries_are_found,
    entries_in_another_order_are_found,
    many_who_write_at_once_leave_it_whole,
    refusals_on_administration_are_told,
    repeated_and_foreign_refusals_are_not_told,
    heads_are_taken_as_they_are_given_out,
);

async fn verify(tenant: &Tenant<'_>, query: &str) -> Value {
    let path = format!("/v1/admin/activity/verify{query}");
    tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200).body
}

/// Waits until every entry has its place, and returns what is then to be said of the chain.
async fn sealed(target: &Target, tenant: &Tenant<'_>) -> Value {
    target
        .until("all entries to be sealed", async || {
            let found = verify(tenant, "").await;
            provided(found, |found| found["pending"] == 0)
        })
        .await
}

/// A tenant whose chain has as many entries, all sealed; and their ids, in the order of the chain.
async fn chain(target: &Target, length: usize) -> (Tenant<'_>, Vec<String>) {
    let tenant = Tenant::create(target).await;
    for number in 1..length {
        let new = json!({ "name": format!("Project {number}") });
        tenant.member.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201);
    }
    let found = sealed(target, &tenant).await;
    assert_eq!((&found["valid"], found["checked"].as_u64()), (&json!(true), Some(length as u64)), "{found}");
    let sql = format!("SELECT id FROM activity WHERE tenant_id = '{}' ORDER BY seq", tenant.id);
    let ids = target.backdoor.sql(&sql).await.into_iter().flatten().flatten().collect();
    (tenant, ids)
}

/// Changes what is in the database, by a statement that goes on to say which rows.
async fn change(target: &Target, tenant: &Tenant<'_>, what: &str, id: &str) {
    target.backdoor.sql(&format!("{what} WHERE tenant_id = '{}' AND id = '{id}'", tenant.id)).await;
}

#[track_caller]
fn assert_breach(found: &Value, kind: &str, seq: usize, id: Option<&str>) {
    let expected = json!({ "kind": kind, "seq": seq, "activity_id": id });
    assert_eq!((&found["valid"], &found["breach"]), (&json!(false), &expected), "{found}");
    assert_eq!(found["more"], false, "{found}");
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of objects whose names are plain, `serde_json` writes the canonical form.
async fn the_hashes_are_those_of_the_documentation(target: &'static Target) {
    let (tenant, ids) = chain(target, 3).await;
    let name = "\u{c4}rger \"&\" Co\\ \u{1F9ED}";
    let config = json!({ "channels": { "completed": ["in_app"], "approved": ["in_app", "email"] } });
    for (path, body) in [("/v1/tenant", json!({ "name": name })), ("/v1/tenant/config", config)] {
        tenant.owner.patch(path).tenant(&tenant.id).json(&body).send().await.expect(200);
    }
    let found = sealed(target, &tenant).await;
    let list = tenant.owner.get("/v1/admin/activity").tenant(&tenant.id).send().await.expect(200);
    let mut entries = list.body["data"].as_array().expect("a list").clone();
    entries.sort_by_key(|entry| entry["seq"].as_i64());
    assert_eq!(entries.len(), ids.len() + 2);
    let mut previous = digest(&tenant.id);
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!(entry["seq"], place + 1);
        let hash = entry["hash"].as_str().expect("a hash");
        let mut hashed = entry.clone();
        let members = hashed.as_object_mut().expect("an object");
        members.remove("hash");
        members.insert("previous".to_owned(), json!(previous));
        members.insert("tenant_id".to_owned(), json!(tenant.id));
        assert_eq!(digest(&hashed.to_string()), hash, "{entry}");
        hash.clone_into(&mut previous);
    }
    assert_eq!(found["head"], format!("{}:{previous}", entries.len()));
}

async fn what_was_left_behind_is_sealed_and_long_chains_are_verified_in_parts(target: &'static Target) {
    let (tenant, _) = chain(target, 2).await;
    // As a process leaves them that ended before it could seal them; nobody here knows of them.
    for _ in 0..3 {
        let row = |_| {
            format!(
                "('{}', '{}', NULL, 'test.filled', 'test', '{}', '{{}}', '2026-01-01T00:00:00.000Z')",
                tenant.id,
                new_id(),
                new_id()
            )
        };
        let rows: Vec<_> = (0..200).map(row).collect();
        let sql = format!(
            "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) VALUES {}",
            rows.join(", ")
        );
        target.backdoor.sql(&sql).await;
    }
    let first = sealed(target, &tenant).await;
    assert_eq!(
        (&first["valid"], &first["checked"], &first["more"]),
        (&json!(true), &json!(500), &json!(true))
    );
    let from = format!("?head={}", first["head"].as_str().expect("a head"));
    let second = verify(&tenant, &from).await;
    assert_eq!(
        (&second["valid"], &second["checked"], &second["more"]),
        (&json!(true), &json!(102), &json!(false))
    );
    let head = second["head"].as_str().expect("a head");
    assert!(head.starts_with("602:"), "{head}");
    let last = verify(&tenant, &format!("?head={head}")).await;
    assert_eq!((&last["valid"], &last["checked"], &last["head"]), (&json!(true), &json!(0), &json!(head)));

    // What is wrong further on is in the part that it is in.
    let sql =
        format!("UPDATE activity SET action = 'test.forged' WHERE tenant_id = '{}' AND seq = 550", tenant.id);
    target.backdoor.sql(&sql).await;
    assert_eq!(verify(&tenant, "").await["valid"], true);
    let found = verify(&tenant, &from).await;
    assert_eq!((&found["breach"]["kind"], &found["breach"]["seq"]), (&json!("altered"), &json!(550)));
    assert_eq!(found["checked"], 49);
}

async fn altered_entries_are_found(target: &'static Target) {
    let (tenant, ids) = chain(target, 6).await;
    let other = new_id();
    for (place, column, forged) in [
        (1, "action", "'project.deleted'".to_owned()),
        (3, "detail", "'{\"name\": \"Another\"}'".to_owned()),
        (3, "detail", "'{}'".to_owned()),
        (4, "actor_id", "NULL".to_owned()),
        (4, "actor_id", format!("'{other}'")),
        (5, "created_at", "'2020-01-01T00:00:00.000Z'".to_owned()),
        (5, "entity_type", "'task'".to_owned()),
        (6, "entity_id", format!("'{other}'")),
        (6, "hash", format!("'{}'", "0".repeat(64))),
        (2, "hash", "NULL".to_owned()),
    ] {
        let id = &ids[place - 1];
        let old = format!("SELECT {column} FROM activity WHERE tenant_id = '{}' AND id = '{id}'", tenant.id);
        let old = target.backdoor.sql(&old).await[0][0].clone().expect("a value");
        change(target, &tenant, &format!("UPDATE activity SET {column} = {forged}"), id).await;
        let found = verify(&tenant, "").await;
        assert_breach(&found, "altered", place, Some(id));
        assert_eq!(found["checked"], place - 1, "{found}");
        change(target, &tenant, &format!("UPDATE activity SET {column} = '{old}'"), id).await;
    }
    // Put back, it stands as it was written.
    let found = verify(&tenant, "").await;
    assert_eq!(
        (&found["valid"], &found["checked"], &found["breach"]),
        (&json!(true), &json!(6), &Value::Null)
    );
    // Another tenant's chain is another one, even if all of it is copied.
    let thief = Tenant::create(target).await;
    sealed(target, &thief).await;
    target.backdoor.sql(&format!("DELETE FROM activity WHERE tenant_id = '{}'", thief.id)).await;
    let copy = format!(
        "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at, seq, hash) \
         SELECT '{}', id, actor_id, action, entity_type, entity_id, detail, created_at, seq, hash FROM activity \
         WHERE tenant_id = '{}'",
        thief.id, tenant.id
    );
    target.backdoor.sql(&copy).await;
    assert_breach(&verify(&thief, "").await, "altered", 1, Some(&ids[0]));
}

async fn missing_entries_are_found(target: &'static Target) {
    let (tenant, ids) = chain(target, 6).await;
    let noted = verify(&tenant, "").await["head"].as_str().expect("a head").to_owned();
    let noted = format!("?head={noted}");
    assert_eq!(verify(&tenant, &noted).await["valid"], true);

    // The end of it, of which only who has noted the head can know.
    change(target, &tenant, "DELETE FROM activity", &ids[5]).await;
    assert_eq!(verify(&tenant, "").await["valid"], true);
    assert_breach(&verify(&tenant, &noted).await, "missing", 6, None);
    // Another entry in its place is another one.
    let new = json!({ "name": "Another" });
    tenant.member.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201);
    assert_eq!(sealed(target, &tenant).await["valid"], true);
    let found = verify(&tenant, &noted).await;
    assert_eq!((&found["breach"]["kind"], &found["breach"]["seq"]), (&json!("altered"), &json!(6)));

    // One out of the middle; what was taken out of the chain and is sealed anew at its end; and the first one.
    change(target, &tenant, "DELETE FROM activity", &ids[3]).await;
    let found = verify(&tenant, "").await;
    assert_breach(&found, "missing", 4, None);
    assert_eq!(found["checked"], 3);
    change(target, &tenant, "UPDATE activity SET seq = NULL, hash = NULL", &ids[1]).await;
    assert_breach(&sealed(target, &tenant).await, "missing", 2, None);
    change(target, &tenant, "DELETE FROM activity", &ids[0]).await;
    let found = verify(&tenant, "").await;
    assert_breach(&found, "missing", 1, None);
    assert_eq!((&found["checked"], &found["head"]), (&json!(0), &Value::Null));
}

async fn entries_in_another_order_are_found(target: &'static Target) {
    let (tenant, ids) = chain(target, 6).await;
    let hashes = format!("SELECT hash FROM activity WHERE tenant_id = '{}' ORDER BY seq", tenant.id);
    let hashes: Vec<_> = target.backdoor.sql(&hashes).await.into_iter().flatten().flatten().collect();
    let place = async |id: &str, seq: usize, hash: &str| {
        change(target, &tenant, &format!("UPDATE activity SET seq = {seq}, hash = '{hash}'"), id).await;
    };
    // With their hashes, and without them.
    for with in [true, false] {
        for (one, other) in [(1, 2), (0, 4)] {
            let hash = |own: usize, new: usize| if with { &hashes[own] } else { &hashes[new] };
            place(&ids[one], 1_000_000, "").await;
            place(&ids[other], one + 1, hash(other, one)).await;
            place(&ids[one], other + 1, hash(one, other)).await;
            assert_breach(&verify(&tenant, "").await, "reordered", one + 1, Some(&ids[other]));
            place(&ids[one], 1_000_000, "").await;
            place(&ids[other], other + 1, &hashes[other]).await;
            place(&ids[one], one + 1, &hashes[one]).await;
            assert_eq!(verify(&tenant, "").await["valid"], true);
        }
    }
}

async fn many_who_write_at_once_leave_it_whole(target: &'static Target) {
    let (one, two) = tokio::join!(Tenant::create(target), Tenant::create(target));
    two.admit(&one.member, "member").await;
    let new = json!({ "name": "P" });
    let posts = (0..40).map(|number| {
        let actor = [&one.owner, &one.manager, &one.member][number % 3];
        actor.post("/v1/projects").tenant(&one.id).json(&new).send()
    });
    // Their names are written into both tenants at once.
    let names = (0..8).map(|_| one.member.patch("/v1/me").json(&json!({ "name": unique("name") })).send());
    let elsewhere = (0..8).map(|_| two.owner.post("/v1/projects").tenant(&two.id).json(&new).send());
    let (posts, names, elsewhere) = tokio::join!(join_all(posts), join_all(names), join_all(elsewhere));
    let done = |answers: &[Answer], status| answers.iter().filter(|answer| answer.status == status).count();
    // Under such contention the database may turn some away, which then have written nothing.
    let (posts, names, elsewhere) = (done(&posts, 201), done(&names, 200), done(&elsewhere, 201));
    assert!(posts >= 20 && names > 0 && elsewhere > 0, "{posts} {names} {elsewhere}");
    for (tenant, entries) in [(&one, 1 + posts + names), (&two, 1 + elsewhere + names)] {
        let found = sealed(target, tenant).await;
        assert_eq!((&found["valid"], &found["checked"]), (&json!(true), &json!(entries)), "{found}");
        let places = format!("SELECT seq FROM activity WHERE tenant_id = '{}' ORDER BY seq", tenant.id);
        let places: Vec<_> = target.backdoor.sql(&places).await.into_iter().flatten().flatten().collect();
        assert_eq!(places, (1..=entries).map(|seq| seq.to_string()).collect::<Vec<_>>());
    }
}

async fn refusals_on_administration_are_told(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let member = format!("/v1/members/{}", tenant.viewer.id);
    let anything = new_id();
    let delivery = format!("/v1/admin/deliveries/{anything}/retry");
    let invited = json!({ "email": "a@example.com", "role": "viewer" });
    let asks = [
        tenant.manager.patch(&member).json(&json!({ "role": "owner" })),
        tenant.member.get("/v1/admin/stats"),
        tenant.member.post(&delivery),
        tenant.viewer.post("/v1/invitations").json(&invited),
        tenant.viewer.get("/v1/tenant/config"),
    ];
    for ask in asks {
        ask.tenant(&tenant.id).send().await.problem(403, "insufficient_role");
    }
    // A role that is too high for who invites is an attempt, too; by slug as by id.
    let invited = json!({ "email": "a@example.com", "role": "manager" });
    let ask = tenant.manager.post("/v1/invitations").slug(&tenant.slug).json(&invited);
    ask.send().await.problem(403, "insufficient_role");

    let list = tenant.owner.get("/v1/admin/activity?action=access.denied").tenant(&tenant.id).send().await;
    let list = list.expect(200);
    let told: Vec<_> = list.body["data"]
        .as_array()
        .expect("a list")
        .iter()
        .rev()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().expect("text").to_owned();
            let route = entry["detail"]["route"].as_str().expect("a route").to_owned();
            (text("actor_id"), route, text("entity_type"), text("entity_id"))
        })
        .collect();
    let entry = |actor: &Actor<'_>, route: &str, kind: &str, id: &str| {
        (actor.id.clone(), route.to_owned(), kind.to_owned(), id.to_owned())
    };
    let Tenant { id, manager, member, viewer, .. } = &tenant;
    let expected = [
        entry(manager, "PATCH /v1/members/{user_id}", "member", &viewer.id),
        entry(member, "GET /v1/admin/stats", "tenant", id),
        entry(member, "POST /v1/admin/deliveries/{delivery_id}/retry", "delivery", &anything),
        entry(viewer, "POST /v1/invitations", "tenant", id),
        entry(viewer, "GET /v1/tenant/config", "tenant", id),
        entry(manager, "POST /v1/invitations", "tenant", id),
    ];
    assert_eq!(told, expected);
    let found = sealed(target, &tenant).await;
    assert_eq!((&found["valid"], &found["checked"]), (&json!(true), &json!(1 + expected.len())));
}

async fn repeated_and_foreign_refusals_are_not_told(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let stranger = Actor::register(target, "stranger").await;
    let told = format!(
        "SELECT count(*) FROM activity WHERE tenant_id = '{}' AND action = 'access.denied'",
        tenant.id
    );
    tenant.set(&tenant.manager, "status", "suspended").await;
    for (actor, code) in [(&stranger, "not_a_member"), (&tenant.manager, "not_a_member")] {
        actor.get("/v1/admin/stats").tenant(&tenant.id).send().await.problem(403, code);
    }
    // What is not about who may do what is no matter for owners.
    let new = json!({ "name": "P" });
    let ask = tenant.viewer.post("/v1/projects").tenant(&tenant.id).json(&new);
    ask.send().await.problem(403, "insufficient_role");
    assert_eq!(target.backdoor.count(&told).await, 0);

    let asks = (0..10).map(|_| tenant.viewer.get("/v1/admin/stats").tenant(&tenant.id).send());
    for answer in join_all(asks).await {
        answer.problem(403, "insufficient_role");
    }
    assert_eq!(target.backdoor.count(&told).await, 1);
    // At another route, or a minute later, it is told again.
    tenant.viewer.get("/v1/admin/activity").tenant(&tenant.id).send().await.problem(403, "insufficient_role");
    assert_eq!(target.backdoor.count(&told).await, 2);
    let ago = "UPDATE activity SET created_at = '2026-01-01T00:00:00.000Z' WHERE action = 'access.denied'";
    target.backdoor.sql(&format!("{ago} AND tenant_id = '{}'", tenant.id)).await;
    tenant.viewer.get("/v1/admin/stats").tenant(&tenant.id).send().await.problem(403, "insufficient_role");
    assert_eq!(target.backdoor.count(&told).await, 3);
}

async fn heads_are_taken_as_they_are_given_out(target: &'static Target) {
    let ((tenant, ids), (other, _)) = tokio::join!(chain(target, 3), chain(target, 4));
    let ask = |query: &str| {
        tenant.owner.get(&format!("/v1/admin/activity/verify{query}")).tenant(&tenant.id).send()
    };
    let hash = "a".repeat(64);
    for head in ["", "1", "x", &format!("0:{hash}"), &format!("1:{}", "A".repeat(64)), &format!("-1:{hash}")]
    {
        ask(&format!("?head={head}")).await.problem(400, "invalid_parameter");
    }
    ask("?from=1").await.problem(400, "invalid_parameter");
    assert_breach(&verify(&tenant, &format!("?head=3:{hash}")).await, "altered", 3, Some(&ids[2]));
    // Another tenant's head says nothing here but that it is another's.
    let theirs = sealed(target, &other).await;
    let theirs = format!("?head={}", theirs["head"].as_str().expect("a head"));
    assert_breach(&verify(&tenant, &theirs).await, "missing", 4, None);
    assert_eq!(verify(&other, &theirs).await["valid"], true);
}
