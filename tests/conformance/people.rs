//! People by their names: members and those who were, of this tenant and of no other.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    client::Answer,
    targets::Target,
};
use serde_json::json;

crate::cases!("people":
    who_left_keeps_their_name,
    who_wrote_nothing_is_known_by_an_invitation,
    nobody_else_is_there,
);

async fn read(tenant: &Tenant<'_>, user: &str) -> Answer {
    tenant.viewer.get(&format!("/v1/people/{user}")).tenant(&tenant.id).send().await
}

async fn who_left_keeps_their_name(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let open = tenant.project("in_progress", None).await;
    for what in ["project", "task", "comment", "submission"] {
        let writer = Actor::register(target, "writer").await;
        tenant.admit(&writer, "member").await;
        let member = read(&tenant, &writer.id).await.expect(200);
        let name = member.text_at("/name");
        assert_eq!(member.body, json!({ "id": writer.id, "name": name, "member": true }), "{what}");
        let (path, new) = match what {
            "project" => ("/v1/projects".to_owned(), json!({ "name": "Written" })),
            "task" => (format!("/v1/projects/{open}/tasks"), json!({ "title": "Written" })),
            "comment" => {
                let task = tenant.task(&open, "todo").await;
                (format!("/v1/tasks/{task}/comments"), json!({ "body": "Written" }))
            }
            _ => {
                let draft = tenant.project("draft", None).await;
                (format!("/v1/projects/{draft}/transitions"), json!({ "to": "submitted" }))
            }
        };
        let made = writer.post(&path).tenant(&tenant.id).json(&new).send().await;
        assert!([200, 201].contains(&made.status), "{what}: {made:?}");
        // Suspended they are a member still.
        tenant.set(&writer, "status", "suspended").await;
        assert_eq!(read(&tenant, &writer.id).await.expect(200).body, member.body, "{what}");
        let path = format!("/v1/members/{}", writer.id);
        tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
        tenant.viewer.get(&path).tenant(&tenant.id).send().await.problem(404, "not_found");
        // The name and nothing else, above all no address.
        let left = read(&tenant, &writer.id).await.expect(200);
        assert_eq!(left.body, json!({ "id": writer.id, "name": name, "member": false }), "{what}");
        // Who left sees nothing there any more.
        let own = writer.get(&format!("/v1/people/{}", writer.id)).tenant(&tenant.id).send().await;
        own.problem(403, "not_a_member");
        // What was read has a tag.
        let path = format!("/v1/people/{}", writer.id);
        let tag = left.header("etag").expect("a tag").to_owned();
        let again = tenant.viewer.get(&path).tenant(&tenant.id).header("if-none-match", &tag).send().await;
        assert_eq!(again.status, 304, "{what}");
    }
}

async fn who_wrote_nothing_is_known_by_an_invitation(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    let new = json!({ "email": guest.email, "role": "viewer" });
    let invited = tenant.owner.post("/v1/invitations").tenant(&tenant.id).json(&new).send().await.expect(201);
    // Before they accept they are nobody here.
    read(&tenant, &guest.id).await.problem(404, "not_found");
    let token = json!({ "token": invited.text_at("/token") });
    guest.post("/v1/invitations/accept").json(&token).send().await.expect(200);
    assert_eq!(read(&tenant, &guest.id).await.expect(200).body["member"], true);
    guest.delete("/v1/members/me").tenant(&tenant.id).send().await.expect(204);
    assert_eq!(read(&tenant, &guest.id).await.expect(200).body["member"], false);
}

async fn nobody_else_is_there(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let stranger = Actor::register(target, "stranger").await;
    // Somebody who has written elsewhere, and has left there.
    let elsewhere = Actor::register(target, "elsewhere").await;
    other.admit(&elsewhere, "member").await;
    let new = json!({ "name": "Elsewhere" });
    elsewhere.post("/v1/projects").tenant(&other.id).json(&new).send().await.expect(201);
    other.remove(&elsewhere).await;
    // What is refused, or only names somebody, makes nobody known.
    let path = format!("/v1/members/{}", stranger.id);
    let patch = json!({ "role": "viewer" });
    tenant
        .manager
        .patch(&path)
        .tenant(&tenant.id)
        .json(&patch)
        .send()
        .await
        .problem(403, "insufficient_role");
    tenant.owner.patch(&path).tenant(&tenant.id).json(&patch).send().await.problem(404, "not_found");
    stranger.get("/v1/members").tenant(&tenant.id).send().await.problem(403, "not_a_member");
    let nobody = read(&tenant, &new_id()).await.problem(404, "not_found");
    for (id, who) in [
        (&stranger.id, "a stranger"),
        (&other.member.id, "a member elsewhere"),
        (&elsewhere.id, "somebody who was a member elsewhere"),
        (&tenant.id, "no user"),
        (&"me".to_owned(), "no id"),
    ] {
        let answer = read(&tenant, id).await.problem(404, "not_found");
        let same = |name: &str| answer.body[name] == nobody.body[name];
        assert!(
            ["type", "title", "status", "detail", "code"].iter().all(|name| same(name)),
            "{who}: {answer:?}"
        );
        assert_eq!(
            answer.body.as_object().map(serde_json::Map::len),
            nobody.body.as_object().map(serde_json::Map::len),
            "{who}"
        );
    }
    // There, it is the other way round.
    assert_eq!(read(&other, &elsewhere.id).await.expect(200).body["member"], false);
    read(&other, &tenant.member.id).await.problem(404, "not_found");
    let path = format!("/v1/people/{}", tenant.member.id);
    stranger.get(&path).tenant(&tenant.id).send().await.problem(403, "not_a_member");
}
