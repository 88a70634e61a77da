//! What people were told.

use std::collections::BTreeSet;

use serde_json::json;

use super::limit;
use crate::property::{
    check::{items, list as compare, members, newest_first},
    draw::Draw,
    plan::{Plan, Rank, done},
    world::{Kind, Told, World},
};

pub(super) const KINDS: [&str; 8] = [
    "submitted",
    "approved",
    "rejected",
    "started",
    "completed",
    "task_assigned",
    "mentioned",
    "role_changed",
];

pub(super) fn list(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let unread = draw.chance(30).then(|| draw.chance(50));
    let kind = draw.chance(30).then(|| draw.of(KINDS));
    let mut path = format!("/v1/notifications?limit={}", limit(draw));
    path.extend(unread.map(|unread| format!("&unread={unread}")));
    path.extend(kind.map(|kind| format!("&kind={kind}")));
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        done(200, move |world, answer| {
            let all = &world.tenants[tenant].notifications;
            let fitting = all.iter().filter(|told| {
                told.recipient == user
                    && unread.is_none_or(|unread| unread != told.read)
                    && kind.is_none_or(|kind| kind == told.kind)
            });
            newest_first(answer)?;
            compare(
                answer,
                ["kind", "subject_id"],
                fitting.map(|told| [told.kind.to_owned(), told.subject.clone()]),
            )?;
            learn(world, tenant, user, answer)
        })
    });
    scene.get(path).expecting(verdict)
}

/// Takes the ids over. Of those that are alike it does not matter which is which.
fn learn(world: &mut World, tenant: usize, user: usize, answer: &bailiwick_tests::client::Answer) -> Told {
    let tenant = &mut world.tenants[tenant];
    for item in items(answer)? {
        let id = item["id"].as_str().ok_or("there is no id")?;
        let all = &mut tenant.notifications;
        if all.iter().any(|told| told.id.as_deref() == Some(id) && told.recipient == user) {
            continue;
        }
        let same = all.iter_mut().find(|told| {
            told.id.is_none()
                && told.recipient == user
                && item["kind"] == told.kind
                && item["subject_id"] == told.subject
                && item["read_at"].is_null() != told.read
        });
        same.ok_or_else(|| format!("the model knows of no {item}"))?.id = Some(id.to_owned());
        tenant.knows.insert(id.to_owned());
    }
    Ok(())
}

pub(super) fn count(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        done(200, move |world, answer| {
            let all = world.tenants[tenant].notifications.iter();
            let unread = all.filter(|told| told.recipient == user && !told.read).count();
            members(answer, &json!({ "unread": unread }))
        })
    });
    scene.get("/v1/notifications/unread_count").expecting(verdict)
}

pub(super) fn read(world: &World, draw: &mut Draw) -> Plan {
    let mut scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Notification);
    let whose = |told: &&super::super::world::Notification| told.id.as_deref() == Some(&*id);
    let recipient = world.tenants[scene.tenant].notifications.iter().find(whose).map(|told| told.recipient);
    if draw.chance(70) {
        scene.caller = recipient.or(scene.caller);
    }
    let path = format!("/v1/notifications/{id}/read");
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        let all = &world.tenants[tenant].notifications;
        let at = all.iter().position(|told| told.id.as_deref() == Some(&*id) && told.recipient == user);
        let at = at.ok_or((404, "not_found"))?;
        done(200, move |world, answer| {
            let told = &mut world.tenants[tenant].notifications[at];
            told.read = true;
            members(answer, &json!({ "id": told.id, "kind": told.kind, "subject_id": told.subject }))
        })
    });
    scene.post(path).expecting(verdict)
}

pub(super) fn read_all(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        done(204, move |world, _| {
            for told in world.tenants[tenant].notifications.iter_mut().filter(|it| it.recipient == user) {
                told.read = true;
            }
            Ok(())
        })
    });
    scene.post("/v1/notifications/read").expecting(verdict)
}

pub(super) fn mute(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let muted: BTreeSet<_> = (0..draw.below(3)).map(|_| draw.of(KINDS)).collect();
    let body = json!({ "muted": muted });
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        done(200, move |world, _| {
            world.tenants[tenant].members.get_mut(&user).ok_or("they are gone")?.muted = muted;
            Ok(())
        })
    });
    scene.patch("/v1/notifications/preferences").json(body).expecting(verdict)
}
