//! Invitations, and joining by them.

use serde_json::json;

use super::limit;
use crate::property::{
    check::{list as compare, members, newest_first, text},
    draw::Draw,
    plan::{Plan, Rank, Refusal, Scene, done},
    world::{Invitation, Kind, World, local_part},
};

/// The least rank that invites for this one.
fn inviter(rank: Rank) -> Rank {
    if rank == Rank::Manager { Rank::Owner } else { Rank::Manager }
}

pub(super) fn create(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let invited = if draw.chance(85) { Some(draw.below(world.users.len())) } else { None };
    let email = match invited {
        Some(user) => world.users[user].email.clone(),
        None => format!("{}@example.com", draw.plant()),
    };
    let rank = draw.of([Rank::Viewer, Rank::Member, Rank::Manager]);
    let body = json!({ "email": email, "role": rank.as_str() });
    let verdict = world.admit(&scene, Rank::Manager).and_then(|(tenant, user)| {
        let inside = &world.tenants[tenant];
        if inside.active(user) < Some(inviter(rank)) {
            return Err((403, "insufficient_role"));
        }
        if invited.is_some_and(|invited| inside.members.contains_key(&invited)) {
            return Err((409, "already_member"));
        }
        if inside.invitations.values().filter(|it| it.email == email).count() >= 5 {
            return Err((429, "quota_exceeded"));
        }
        if inside.invitations.values().any(|it| it.email == email && it.status == "open") {
            return Err((409, "already_invited"));
        }
        done(201, move |world, answer| {
            let (id, token) = (text(answer, "id")?, text(answer, "token")?);
            members(
                answer,
                &json!({ "email": email, "status": "open", "invited_by": world.users[user].id }),
            )?;
            world.shown.push(token.clone());
            let tenant = &mut world.tenants[tenant];
            tenant.knows.extend([id.clone(), local_part(&email).to_owned()]);
            tenant.activity.push(("invitation.created", id.clone()));
            tenant.invitations.insert(id, Invitation { email, rank, by: user, status: "open", token });
            Ok(())
        })
    });
    scene.post("/v1/invitations").json(body).expecting(verdict)
}

pub(super) fn accept(world: &World, draw: &mut Draw) -> Plan {
    let made = |(tenant, id): (usize, &String)| (tenant, id.clone());
    let all = world.tenants.iter().enumerate();
    let all: Vec<_> =
        all.flat_map(|(at, it)| it.invitations.keys().map(move |id| (at, id))).map(made).collect();
    let Some((tenant, id)) = draw.one(&all) else { return create(world, draw) };
    let invitation = &world.tenants[tenant].invitations[&id];
    let invited = world.users.iter().position(|user| user.email == invitation.email);
    let caller = if draw.chance(80) { invited } else { Some(draw.below(world.users.len())) };
    let verdict = world.signed_in(caller).and_then(|user| {
        if world.tenants[tenant].gone {
            return Err((404, "invitation_not_found"));
        }
        if invitation.status != "open" || invitation.email != world.users[user].email {
            return Err((409, "invitation_unusable"));
        }
        if world.tenants[tenant].members.contains_key(&user) {
            return Err((409, "already_member"));
        }
        let rank = invitation.rank;
        done(200, move |world, answer| {
            world.join(tenant, user, rank);
            let joined = &mut world.tenants[tenant];
            joined.invitations.get_mut(&id).ok_or("it is gone")?.status = "accepted";
            let expected =
                json!({ "id": joined.id, "slug": joined.slug, "name": joined.name, "role": rank.as_str() });
            members(answer, &expected)
        })
    });
    let body = json!({ "token": invitation.token });
    Scene::alone(caller).post("/v1/invitations/accept").json(body).expecting(verdict)
}

fn found<'w>(world: &'w World, tenant: usize, id: &str) -> Result<&'w Invitation, Refusal> {
    world.tenants[tenant].invitations.get(id).ok_or((404, "not_found"))
}

pub(super) fn revoke(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Invitation);
    let path = format!("/v1/invitations/{id}");
    let verdict = world.admit(&scene, Rank::Manager).and_then(|(tenant, user)| {
        let invitation = found(world, tenant, &id)?;
        match invitation.status {
            "accepted" => return Err((409, "invitation_unusable")),
            "open" if world.tenants[tenant].active(user) < Some(inviter(invitation.rank)) => {
                return Err((403, "insufficient_role"));
            }
            _ => {}
        }
        done(204, move |world, _| {
            world.tenants[tenant].invitations.get_mut(&id).ok_or("it is gone")?.status = "revoked";
            Ok(())
        })
    });
    scene.delete(path).expecting(verdict)
}

pub(super) fn get(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Invitation);
    let path = format!("/v1/invitations/{id}");
    let verdict = world.admit(&scene, Rank::Manager).and_then(|(tenant, _)| {
        found(world, tenant, &id)?;
        done(200, move |world, answer| {
            let it = found(world, tenant, &id).map_err(|_| "it is gone")?;
            members(answer, &json!({ "email": it.email, "role": it.rank.as_str(), "status": it.status }))
        })
    });
    scene.get(path).expecting(verdict)
}

pub(super) fn list(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Manager).and_then(|(tenant, _)| {
        done(200, move |world, answer| {
            let all = world.tenants[tenant].invitations.iter();
            newest_first(answer)?;
            let expected = all.map(|(id, it)| [id.clone(), it.email.clone(), it.status.to_owned()]);
            compare(answer, ["id", "email", "status"], expected)
        })
    });
    scene.get(format!("/v1/invitations?limit={}", limit(draw))).expecting(verdict)
}
