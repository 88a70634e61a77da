//! Accounts, and the sessions in which people are logged in.

use serde_json::json;

use super::limit;
use crate::property::{
    check::{list as compare, members},
    draw::Draw,
    plan::{Plan, Refusal, Scene, done},
    world::World,
};

/// Somebody, mostly one who is logged in.
fn anybody(world: &World, draw: &mut Draw) -> Scene {
    Scene::alone((!draw.chance(3)).then(|| draw.below(world.users.len())))
}

pub(super) fn me(world: &World, draw: &mut Draw) -> Plan {
    let scene = anybody(world, draw);
    let verdict = world.signed_in(scene.caller).and_then(|user| {
        done(200, move |world, answer| {
            let user = &world.users[user];
            members(answer, &json!({ "id": user.id, "email": user.email, "name": user.name }))
        })
    });
    scene.get("/v1/me").expecting(verdict)
}

pub(super) fn rename(world: &World, draw: &mut Draw) -> Plan {
    let scene = anybody(world, draw);
    let name = draw.plant();
    let body = json!({ "name": name });
    let verdict = world.signed_in(scene.caller).and_then(|at| {
        done(200, move |world, answer| {
            let user = &mut world.users[at];
            user.own.insert(name.clone());
            user.name.clone_from(&name);
            for tenant in world.tenants.iter_mut().filter(|tenant| tenant.members.contains_key(&at)) {
                tenant.knows.insert(name.clone());
            }
            members(answer, &json!({ "id": world.users[at].id, "name": name }))
        })
    });
    scene.patch("/v1/me").json(body).expecting(verdict)
}

/// Mostly those log in who have to.
pub(super) fn log_in(world: &World, draw: &mut Draw) -> Plan {
    let out = |user: &usize| !world.users[*user].sessions[world.users[*user].current].good;
    let out: Vec<_> = (0..world.users.len()).filter(out).collect();
    let at = draw.one(&out).unwrap_or_else(|| draw.below(world.users.len()));
    let (user, other) = (&world.users[at], &world.users[draw.below(world.users.len())]);
    let password = if draw.chance(85) { &user.password } else { &other.password };
    let body = json!({ "email": user.email, "password": password });
    let verdict: Result<_, Refusal> = if *password == user.password {
        done(200, move |world, answer| {
            let user = &mut world.users[at];
            user.begin(answer);
            user.current = user.sessions.len() - 1;
            let begun = &user.sessions[user.current];
            world.shown.extend([begun.access.clone(), begun.refresh.clone()]);
            Ok(())
        })
    } else {
        Err((401, "invalid_credentials"))
    };
    Scene::alone(None).post("/v1/auth/login").json(body).expecting(verdict)
}

pub(super) fn refresh(world: &World, draw: &mut Draw) -> Plan {
    let at = draw.below(world.users.len());
    let place = draw.below(world.users[at].sessions.len());
    let session = &world.users[at].sessions[place];
    let spent = if draw.chance(20) { draw.one(&session.spent) } else { None };
    // The one before the last brings the last one again; the grace of these targets does not pass.
    let again = spent.is_some() && spent.as_ref() == session.spent.last();
    let reused = spent.is_some() && !again;
    let body = json!({ "refresh_token": spent.unwrap_or_else(|| session.refresh.clone()) });
    let good = session.good && !reused;
    let shown_again = again.then(|| session.refresh.clone());
    let plan = Scene::alone(None).post("/v1/auth/refresh").json(body);
    if good {
        let plan = plan.expecting(done(200, move |world, answer| {
            let session = &mut world.users[at].sessions[place];
            let before = std::mem::replace(&mut session.refresh, answer.text_at("/refresh_token"));
            match again {
                true if before == session.refresh => {}
                true => return Err("another token came of the same one".to_owned()),
                false => session.spent.push(before),
            }
            session.access = answer.text_at("/access_token");
            world.shown.extend([session.refresh.clone(), session.access.clone()]);
            Ok(())
        }));
        Plan { shown_again, ..plan }
    } else {
        // Somebody else may have it: the session is over, which the model takes note of although it is refused.
        let mut plan = plan.expecting(Err((401, "invalid_refresh_token")));
        plan.even_so = reused.then_some((at, place));
        plan
    }
}

pub(super) fn log_out(world: &World, draw: &mut Draw) -> Plan {
    let scene = anybody(world, draw);
    let verdict = world.signed_in(scene.caller).and_then(|user| {
        done(204, move |world, _| {
            let user = &mut world.users[user];
            user.sessions[user.current].good = false;
            Ok(())
        })
    });
    scene.post("/v1/auth/logout").expecting(verdict)
}

pub(super) fn sessions(world: &World, draw: &mut Draw) -> Plan {
    let scene = anybody(world, draw);
    let verdict = world.signed_in(scene.caller).and_then(|user| {
        done(200, move |world, answer| {
            let user = &world.users[user];
            let current = |at: usize| (at == user.current).to_string();
            let good = user.sessions.iter().enumerate().filter(|(_, session)| session.good);
            compare(answer, ["id", "current"], good.map(|(at, session)| [session.id.clone(), current(at)]))
        })
    });
    scene.get(format!("/v1/me/sessions?limit={}", limit(draw))).expecting(verdict)
}

pub(super) fn revoke(world: &World, draw: &mut Draw) -> Plan {
    let scene = anybody(world, draw);
    let whose = scene.caller.filter(|_| draw.chance(60)).unwrap_or_else(|| draw.below(world.users.len()));
    let sessions = &world.users[whose].sessions;
    let place = draw.below(sessions.len());
    let path = format!("/v1/me/sessions/{}", sessions[place].id);
    let verdict = world.signed_in(scene.caller).and_then(|user| {
        if user != whose || !world.users[whose].sessions[place].good {
            return Err((404, "not_found"));
        }
        done(204, move |world, _| {
            world.users[whose].sessions[place].good = false;
            Ok(())
        })
    });
    scene.delete(path).expecting(verdict)
}

pub(super) fn change_password(world: &World, draw: &mut Draw) -> Plan {
    let scene = anybody(world, draw);
    let new = draw.secret();
    let other = draw.below(world.users.len());
    let of = if draw.chance(70) { scene.caller.unwrap_or(other) } else { other };
    let body = json!({ "current_password": world.users[of].password, "new_password": new });
    let verdict = world.signed_in(scene.caller).and_then(|user| {
        if world.users[user].password != world.users[of].password {
            return Err((422, "validation_failed"));
        }
        done(204, move |world, _| {
            let user = &mut world.users[user];
            user.password = new;
            for (at, session) in user.sessions.iter_mut().enumerate() {
                session.good &= at == user.current;
            }
            Ok(())
        })
    });
    scene.post("/v1/me/password").json(body).expecting(verdict)
}
