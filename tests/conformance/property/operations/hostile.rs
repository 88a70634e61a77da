//! Requests that say more than they may.

use bailiwick_tests::actors::new_id;
use serde_json::json;

use crate::property::{
    draw::Draw,
    plan::{Naming, Plan, Refusal, Scene},
    world::{Kind, World},
};

/// Another tenant, as likely as not one that the caller is in.
fn other(world: &World, draw: &mut Draw) -> String {
    world.tenants[draw.below(world.tenants.len())].id.clone()
}

/// What is refused before anybody asks who may.
fn refused(world: &World, draw: &mut Draw, refusal: Refusal) -> (Scene, Refusal) {
    let mut scene = world.scene(draw);
    scene.naming = Naming::Id(world.tenants[scene.tenant].id.clone());
    let refusal = if scene.caller.is_none() { (401, "authentication_required") } else { refusal };
    (scene, refusal)
}

pub(super) fn tenant_in_the_body(world: &World, draw: &mut Draw) -> Plan {
    let (scene, refusal) = refused(world, draw, (422, "validation_failed"));
    let body = json!({ "name": draw.plant(), "tenant_id": other(world, draw) });
    let path = draw.of(["/v1/projects".to_owned(), "/v1/tenants".to_owned()]);
    scene.post(path).json(body).expecting(Err(refusal))
}

pub(super) fn tenant_in_the_query(world: &World, draw: &mut Draw) -> Plan {
    let (scene, refusal) = refused(world, draw, (400, "invalid_parameter"));
    let list = draw.of(["projects", "tasks", "members", "invitations", "notifications", "admin/activity"]);
    let name = draw.of(["tenant_id", "tenant", "x-tenant-id", "project_id", "user_id", "recipient_id"]);
    scene.get(format!("/v1/{list}?{name}={}", other(world, draw))).expecting(Err(refusal))
}

pub(super) fn ids_in_the_body(world: &World, draw: &mut Draw) -> Plan {
    let (scene, refusal) = refused(world, draw, (422, "validation_failed"));
    let project = world.pick(draw, scene.tenant, Kind::Project);
    let foreign = if draw.chance(50) { other(world, draw) } else { new_id() };
    let request = match draw.below(4) {
        0 => {
            let body = json!({ "title": draw.plant(), "project_id": foreign });
            scene.post(format!("/v1/projects/{project}/tasks")).json(body)
        }
        1 => scene.patch(format!("/v1/projects/{project}")).json(json!({ "id": foreign })),
        2 => {
            let user = world.pick(draw, scene.tenant, Kind::User);
            scene.patch(format!("/v1/members/{user}")).json(json!({ "role": "owner", "user_id": foreign }))
        }
        _ => scene.patch("/v1/me").json(json!({ "name": draw.plant(), "id": world.users[0].id })),
    };
    request.expecting(Err(refusal))
}
