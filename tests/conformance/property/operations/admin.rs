//! What owners see of a tenant as a whole, and what anybody sees of it.

use std::collections::BTreeMap;

use bailiwick_tests::client::Answer;
use serde_json::json;

use super::limit;
use crate::property::{
    check::{items, list as compare, members, newest_first, same},
    draw::Draw,
    plan::{Naming, Plan, Rank, Refusal, done},
    world::{Kind, Project, Told, World},
};

pub(super) fn statistics(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Owner).and_then(|(tenant, _)| {
        done(200, move |world, answer| {
            let tenant = &world.tenants[tenant];
            let active = tenant.members.values().filter(|member| member.active);
            tally(answer, "projects", tenant.projects.values().map(|project| project.status))?;
            tally(answer, "tasks", tenant.tasks.values().map(|task| task.status))?;
            tally(answer, "members", active.map(|member| member.rank.as_str()))
        })
    });
    scene.get("/v1/admin/stats").expecting(verdict)
}

/// Holds counts to what the model has; those that are not there are 0.
fn tally(answer: &Answer, name: &str, all: impl Iterator<Item = &'static str>) -> Told {
    let mut expected = BTreeMap::new();
    for key in all {
        *expected.entry(key.to_owned()).or_insert(0) += 1;
    }
    let counted = answer.body[name].as_object().into_iter().flatten();
    let counted = counted.map(|(key, count)| (key.clone(), count.as_i64().unwrap_or(-1)));
    same(name, &counted.filter(|(_, count)| *count != 0).collect(), &expected)
}

pub(super) fn activity(world: &World, draw: &mut Draw) -> Plan {
    const ACTIONS: [&str; 7] = [
        "project.created",
        "project.deleted",
        "task.created",
        "comment.created",
        "member.removed",
        "member.left",
        "invitation.created",
    ];
    let scene = world.scene(draw);
    let action = draw.chance(60).then(|| draw.of(ACTIONS));
    let kind = draw.of([Kind::Project, Kind::Task, Kind::Invitation]);
    let entity = action.is_none().then(|| world.pick(draw, scene.tenant, kind));
    let mut path = format!("/v1/admin/activity?limit={}", limit(draw));
    path.extend(action.map(|action| format!("&action={action}")));
    path.extend(entity.as_ref().map(|entity| format!("&entity_id={entity}")));
    let verdict = world.admit(&scene, Rank::Owner).and_then(|(tenant, _)| {
        done(200, move |world, answer| {
            newest_first(answer)?;
            if let Some(action) = action {
                let done = world.tenants[tenant].activity.iter().filter(|done| done.0 == action);
                return compare(answer, ["entity_id"], done.map(|done| [done.1.clone()]));
            }
            let asked_for = json!(entity);
            let other = items(answer)?.iter().find(|entry| entry["entity_id"] != asked_for);
            other.map_or(Ok(()), |entry| Err(format!("it was not asked for {entry}")))
        })
    });
    scene.get(path).expecting(verdict)
}

pub(super) fn deliveries(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Owner).and_then(|_| done(200, |_, answer| newest_first(answer)));
    scene.get(format!("/v1/admin/deliveries?limit={}", limit(draw))).expecting(verdict)
}

/// Nothing that has an id in the model is a delivery.
pub(super) fn retry(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Notification);
    let verdict = world.admit(&scene, Rank::Owner).and(Err((404, "not_found")));
    scene.post(format!("/v1/admin/deliveries/{id}/retry")).expecting(verdict)
}

pub(super) fn owned(world: &World, draw: &mut Draw) -> Plan {
    let scene = crate::property::plan::Scene::alone(world.scene(draw).caller);
    let verdict = world.signed_in(scene.caller).and_then(|user| {
        done(200, move |world, answer| {
            let owned = world.tenants.iter().filter(|tenant| tenant.active(user) == Some(Rank::Owner));
            let expected = owned.map(|tenant| {
                let members = tenant.at_least(Rank::Viewer).len().to_string();
                [tenant.id.clone(), tenant.name.clone(), members, tenant.projects.len().to_string()]
            });
            compare(answer, ["id", "name", "members", "projects"], expected)
        })
    });
    scene.get(format!("/v1/admin/tenants?limit={}", limit(draw))).expecting(verdict)
}

/// The tenant, for anybody.
fn visit(world: &World, naming: &Naming) -> Result<usize, Refusal> {
    match (naming, world.named(naming)) {
        (Naming::Twice(..), _) => Err((400, "invalid_tenant_header")),
        (Naming::Both(_, slug), Some(tenant)) if *slug != world.tenants[tenant].slug => {
            Err((400, "tenant_conflict"))
        }
        (_, tenant) => tenant.ok_or((404, "tenant_not_found")),
    }
}

pub(super) fn catalogue(world: &World, draw: &mut Draw) -> Plan {
    let mut scene = world.scene(draw);
    scene.naming = named(scene.naming, &world.tenants[scene.tenant].id);
    let verdict = visit(world, &scene.naming).and_then(|tenant| {
        done(200, move |world, answer| {
            let shown = world.tenants[tenant].projects.iter().filter(|(_, project)| project.shown());
            newest_first(answer)?;
            let expected = shown.map(|(id, it)| [id.clone(), it.name.clone(), it.status.to_owned()]);
            compare(answer, ["id", "name", "status"], expected)
        })
    });
    let mut request = scene.get(format!("/v1/catalog/projects?limit={}", limit(draw)));
    request.catalogue = true;
    request.expecting(verdict)
}

/// The tenant `default` is there, and none of ours.
fn named(naming: Naming, id: &str) -> Naming {
    if matches!(naming, Naming::Nothing) { Naming::Id(id.to_owned()) } else { naming }
}

pub(super) fn published(world: &World, draw: &mut Draw) -> Plan {
    let mut scene = world.scene(draw);
    scene.naming = named(scene.naming, &world.tenants[scene.tenant].id);
    let id = world.pick(draw, scene.tenant, Kind::Project);
    let path = format!("/v1/catalog/projects/{id}");
    let verdict = visit(world, &scene.naming).and_then(|tenant| {
        let project = world.tenants[tenant].projects.get(&id).filter(|project| project.shown());
        let expected = json!({ "id": id, "name": project.ok_or((404, "not_found"))?.name });
        done(200, move |_, answer| members(answer, &expected))
    });
    let mut request = scene.get(path);
    request.catalogue = true;
    request.expecting(verdict)
}

impl Project {
    /// Whether anybody may see it.
    pub(crate) fn shown(&self) -> bool {
        self.public && self.status != "draft"
    }
}
