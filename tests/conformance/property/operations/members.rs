//! Members: what becomes of them.

use serde_json::json;

use super::limit;
use crate::property::{
    check::{list as compare, members, newest_first},
    draw::Draw,
    plan::{Plan, Rank, Refusal, done},
    world::{Kind, Membership, Tenant, World},
};

fn standing(active: bool) -> &'static str {
    if active { "active" } else { "suspended" }
}

pub(super) fn list(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, _)| {
        done(200, move |world, answer| {
            let expected = world.tenants[tenant].members.iter().map(|(user, member)| {
                let user = &world.users[*user];
                let (rank, standing) = (member.rank.as_str().to_owned(), standing(member.active).to_owned());
                [user.id.clone(), user.email.clone(), user.name.clone(), rank, standing]
            });
            newest_first(answer)?;
            compare(answer, ["user_id", "email", "name", "role", "status"], expected)
        })
    });
    scene.get(format!("/v1/members?limit={}", limit(draw))).expecting(verdict)
}

/// The user, if they are a member in any way.
fn found(world: &World, tenant: usize, id: &str) -> Result<usize, Refusal> {
    let user = world.user(id).filter(|user| world.tenants[tenant].members.contains_key(user));
    user.ok_or((404, "not_found"))
}

pub(super) fn get(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::User);
    let path = format!("/v1/members/{id}");
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, _)| {
        let user = found(world, tenant, &id)?;
        done(200, move |world, answer| {
            let (member, user) = (&world.tenants[tenant].members[&user], &world.users[user]);
            let expected = json!({
                "user_id": user.id, "email": user.email, "name": user.name,
                "role": member.rank.as_str(), "status": standing(member.active),
            });
            members(answer, &expected)
        })
    });
    scene.get(path).expecting(verdict)
}

pub(super) fn me(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        done(200, move |world, answer| {
            let rank = world.tenants[tenant].members[&user].rank.as_str();
            members(answer, &json!({ "user_id": world.users[user].id, "role": rank, "status": "active" }))
        })
    });
    scene.get("/v1/members/me").expecting(verdict)
}

/// Whether somebody else would own the tenant, were this member no owner.
fn owned_without(tenant: &Tenant, user: usize) -> Result<(), Refusal> {
    let others = tenant.at_least(Rank::Owner).into_iter().any(|owner| owner != user);
    if others { Ok(()) } else { Err((409, "last_owner")) }
}

pub(super) fn update(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::User);
    let rank = draw.chance(70).then(|| draw.of(Rank::ALL));
    let active = draw.chance(55).then(|| draw.chance(65));
    let path = format!("/v1/members/{id}");
    let verdict = world.admit(&scene, Rank::Owner).and_then(|(tenant, actor)| {
        let user = found(world, tenant, &id)?;
        let before = &world.tenants[tenant].members[&user];
        let (rank, active) = (rank.unwrap_or(before.rank), active.unwrap_or(before.active));
        let changed = (rank, active) != (before.rank, before.active);
        if changed && !(active && rank == Rank::Owner) {
            owned_without(&world.tenants[tenant], user)?;
        }
        done(200, move |world, answer| {
            members(answer, &json!({ "role": rank.as_str(), "status": standing(active) }))?;
            if changed {
                let tenant = &mut world.tenants[tenant];
                let muted = tenant.members.remove(&user).map(|before| before.muted).unwrap_or_default();
                tenant.members.insert(user, Membership { rank, active, muted });
                let may_invite = active && rank >= Rank::Manager;
                tenant.revoke(|invitation| invitation.by == user && (!may_invite || invitation.rank >= rank));
                if active {
                    tenant.tell(actor, "role_changed", &id, &[user]);
                }
            }
            Ok(())
        })
    });
    let mut body = json!({});
    if let Some(rank) = rank {
        body["role"] = json!(rank.as_str());
    }
    if let Some(active) = active {
        body["status"] = json!(standing(active));
    }
    scene.patch(path).json(body).expecting(verdict)
}

/// Takes a member out.
fn part(world: &mut World, tenant: usize, user: usize) {
    let (tenant, email) = (&mut world.tenants[tenant], &world.users[user].email);
    tenant.members.remove(&user);
    for task in tenant.tasks.values_mut().filter(|task| task.assignee == Some(user)) {
        task.assignee = None;
        task.version += 1;
    }
    tenant.revoke(|invitation| invitation.by == user || invitation.email == *email);
    tenant.notifications.retain(|told| told.recipient != user);
}

pub(super) fn remove(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::User);
    let path = format!("/v1/members/{id}");
    let verdict = world.admit(&scene, Rank::Owner).and_then(|(tenant, _)| {
        let user = found(world, tenant, &id)?;
        owned_without(&world.tenants[tenant], user)?;
        done(204, move |world, _| {
            world.tenants[tenant].activity.push(("member.removed", id));
            part(world, tenant, user);
            Ok(())
        })
    });
    scene.delete(path).expecting(verdict)
}

pub(super) fn leave(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        owned_without(&world.tenants[tenant], user)?;
        done(204, move |world, _| {
            let id = world.users[user].id.clone();
            world.tenants[tenant].activity.push(("member.left", id));
            part(world, tenant, user);
            Ok(())
        })
    });
    scene.delete("/v1/members/me").expecting(verdict)
}
