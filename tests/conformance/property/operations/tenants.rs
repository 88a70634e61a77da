//! Tenants, and what their owners configure.

use serde_json::json;

use super::{limit, notifications::KINDS};
use crate::property::{
    check::{list as compare, members, same, text},
    draw::Draw,
    plan::{Plan, Rank, Refusal, Scene, done},
    world::{Config, World, local_part},
};

/// As many tenants there are at the most.
const MOST: usize = 5;

pub(super) fn list(world: &World, draw: &mut Draw) -> Plan {
    let scene = Scene::alone(world.scene(draw).caller);
    let verdict = world.signed_in(scene.caller).and_then(|user| {
        done(200, move |world, answer| {
            let mine = world.tenants.iter().filter_map(|tenant| {
                let rank = tenant.active(user)?.as_str().to_owned();
                Some([tenant.id.clone(), tenant.slug.clone(), tenant.name.clone(), rank])
            });
            compare(answer, ["id", "slug", "name", "role"], mine)
        })
    });
    scene.get(format!("/v1/tenants?limit={}", limit(draw))).expecting(verdict)
}

pub(super) fn create(world: &World, draw: &mut Draw) -> Plan {
    let scene = Scene::alone(world.scene(draw).caller);
    let other = world.tenants[draw.below(world.tenants.len())].slug.clone();
    let taken = world.tenants.len() >= MOST || draw.chance(40);
    let (slug, name) = (if taken { other } else { draw.plant() }, draw.plant());
    let body = json!({ "slug": slug, "name": name });
    let verdict = world.signed_in(scene.caller).and_then(|user| {
        let last = world.tenants.iter().rev().find(|tenant| tenant.slug == slug);
        if last.is_some_and(|tenant| tenant.deleted_by != Some(user)) {
            return Err((409, "slug_taken"));
        }
        done(201, move |world, answer| {
            members(answer, &json!({ "slug": slug, "name": name, "role": "owner" }))?;
            world.found(user, text(answer, "id")?, slug, name);
            Ok(())
        })
    });
    scene.post("/v1/tenants").json(body).expecting(verdict)
}

pub(super) fn get(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        done(200, move |world, answer| {
            let tenant = &world.tenants[tenant];
            let rank = tenant.active(user).map(Rank::as_str);
            members(
                answer,
                &json!({ "id": tenant.id, "slug": tenant.slug, "name": tenant.name, "role": rank }),
            )
        })
    });
    scene.get("/v1/tenant").expecting(verdict)
}

pub(super) fn rename(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let name = draw.plant();
    let body = json!({ "name": name });
    let verdict = world.admit(&scene, Rank::Owner).and_then(|(tenant, _)| {
        done(200, move |world, answer| {
            let tenant = &mut world.tenants[tenant];
            tenant.knows.insert(name.clone());
            tenant.name = name;
            members(answer, &json!({ "id": tenant.id, "name": tenant.name }))
        })
    });
    scene.patch("/v1/tenant").json(body).expecting(verdict)
}

pub(super) fn delete(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let inside = &world.tenants[scene.tenant];
    let other = &world.tenants[draw.below(world.tenants.len())];
    // Mostly it fails: without tenants there is nothing to see.
    let enough = world.tenants.iter().filter(|tenant| !tenant.gone).count() > 3;
    let confirm = if enough { inside.slug.clone() } else { draw.plant() };
    let confirm = if draw.chance(20) && other.id != inside.id { other.slug.clone() } else { confirm };
    let path = format!("/v1/tenant?confirm={confirm}");
    let verdict = world.admit(&scene, Rank::Owner).and_then(|(tenant, user)| {
        if world.tenants[tenant].slug != confirm {
            return Err((400, "invalid_parameter"));
        }
        done(204, move |world, _| {
            world.tenants[tenant].gone = true;
            world.tenants[tenant].deleted_by = Some(user);
            Ok(())
        })
    });
    scene.delete(path).expecting(verdict)
}

pub(super) fn config(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let verdict = world
        .admit(&scene, Rank::Owner)
        .and_then(|(tenant, _)| done(200, move |world, answer| shown(&world.tenants[tenant].config, answer)));
    scene.get("/v1/tenant/config").expecting(verdict)
}

fn shown(config: &Config, answer: &bailiwick_tests::client::Answer) -> Result<(), String> {
    let masked = config.webhook.as_ref().and_then(|url| url.split("/services").next());
    let masked = masked.map(|origin| format!("{origin}/***"));
    let (sender, reply_to) = (&config.sender, &config.reply_to);
    let expected =
        json!({ "slack_webhook_url": masked, "email_sender_name": sender, "email_reply_to": reply_to });
    members(answer, &expected)?;
    for kind in KINDS {
        let channels = config.channels.get(kind).cloned().unwrap_or_else(|| vec!["in_app"]);
        same(kind, &answer.body["channels"][kind], &json!(channels))?;
    }
    Ok(())
}

pub(super) fn configure(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let mut body = json!({});
    let mut after = world.tenants[scene.tenant].config.clone();
    if draw.chance(60) {
        // The address is a secret, and nobody answers there.
        let origin = bailiwick_tests::receivers::Receivers::shared().http.origin();
        after.webhook = draw.chance(80).then(|| format!("{origin}/services/{}", draw.secret()));
        body["slack_webhook_url"] = json!(after.webhook);
    }
    if draw.chance(50) {
        after.sender = draw.chance(80).then(|| draw.plant());
        body["email_sender_name"] = json!(after.sender);
    }
    if draw.chance(50) {
        after.reply_to = draw.chance(80).then(|| format!("{}@example.com", draw.plant()));
        body["email_reply_to"] = json!(after.reply_to);
    }
    if draw.chance(60) {
        let kind = draw.of(KINDS);
        let channels = draw.of([vec!["in_app"], vec![], vec!["in_app", "email"], vec!["in_app", "slack"]]);
        body["channels"] = json!({ kind: channels });
        after.channels.insert(kind, channels);
    }
    let verdict = world.admit(&scene, Rank::Owner).and_then(|(tenant, _)| {
        // Nobody is admitted who names another tenant than the one that this was drawn for.
        let deaf = after.webhook.is_none() && after.channels.values().flatten().any(|it| *it == "slack");
        if deaf {
            return Err::<_, Refusal>((422, "validation_failed"));
        }
        done(200, move |world, answer| {
            let tenant = &mut world.tenants[tenant];
            tenant.knows.extend(after.sender.clone());
            tenant.knows.extend(after.reply_to.as_deref().map(local_part).map(str::to_owned));
            tenant.config = after;
            shown(&tenant.config, answer)
        })
    });
    scene.patch("/v1/tenant/config").json(body).expecting(verdict)
}
