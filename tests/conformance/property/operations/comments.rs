//! Comments on tasks, and whom they mention.

use serde_json::json;

use super::limit;
use crate::property::{
    check::{list as compare, members, newest_first, text},
    draw::Draw,
    plan::{Plan, Rank, Refusal, Scene, done},
    world::{Comment, Kind, World, local_part},
};

/// A text, and whom it mentions, mostly one of the tenant.
fn text_of(world: &World, draw: &mut Draw, scene: &Scene) -> (String, Option<(usize, String)>) {
    let said = draw.plant();
    let user = world.user(&world.pick(draw, scene.tenant, Kind::User)).filter(|_| draw.chance(60));
    let mention = user.map(|user| {
        let (id, email) = (&world.users[user].id, &world.users[user].email);
        (user, if draw.chance(50) { id.clone() } else { local_part(email).to_owned() })
    });
    match mention {
        Some((user, name)) => (format!("{said}: @{name}, look"), Some((user, name))),
        None => (said, None),
    }
}

/// A comment, and mostly the task that it is on.
fn place(world: &World, draw: &mut Draw, scene: &Scene) -> (String, String) {
    let id = world.pick(draw, scene.tenant, Kind::Comment);
    let comment = world.tenants.iter().find_map(|tenant| tenant.comments.get(&id));
    let task = comment.filter(|_| draw.chance(85)).map(|comment| comment.task.clone());
    (task.unwrap_or_else(|| world.pick(draw, scene.tenant, Kind::Task)), id)
}

fn found<'w>(world: &'w World, tenant: usize, task: &str, id: &str) -> Result<&'w Comment, Refusal> {
    let comment = world.tenants[tenant].comments.get(id);
    comment.filter(|comment| comment.task == task).ok_or((404, "not_found"))
}

fn writable(world: &World, tenant: usize, task: &str) -> Result<(), Refusal> {
    let tenant = &world.tenants[tenant];
    tenant.writable(&tenant.tasks.get(task).ok_or((404, "not_found"))?.project)
}

pub(super) fn create(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let task = world.pick(draw, scene.tenant, Kind::Task);
    let (body, mention) = text_of(world, draw, &scene);
    let (path, request) = (format!("/v1/tasks/{task}/comments"), json!({ "body": body }));
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, user)| {
        writable(world, tenant, &task)?;
        done(201, move |world, answer| {
            let id = text(answer, "id")?;
            members(answer, &json!({ "body": body, "author_id": world.users[user].id, "version": 1 }))?;
            let tenant = &mut world.tenants[tenant];
            tenant.knows.extend([id.clone(), first_word(&body)]);
            tenant.activity.push(("comment.created", id.clone()));
            if let Some((mentioned, name)) = &mention {
                // They have written it down here, whoever it is.
                tenant.knows.insert(name.clone());
                tenant.tell(user, "mentioned", &task, &[*mentioned]);
            }
            tenant.comments.insert(id, Comment { task, author: user, body, mention, version: 1 });
            Ok(())
        })
    });
    scene.post(path).json(request).expecting(verdict)
}

fn first_word(body: &str) -> String {
    body.split(':').next().unwrap_or_default().to_owned()
}

pub(super) fn update(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let (task, id) = place(world, draw, &scene);
    let (body, mention) = text_of(world, draw, &scene);
    let (path, request) = (format!("/v1/tasks/{task}/comments/{id}"), json!({ "body": body }));
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, user)| {
        if found(world, tenant, &task, &id)?.author != user {
            return Err((403, "not_the_author"));
        }
        writable(world, tenant, &task)?;
        done(200, move |world, answer| {
            let tenant = &mut world.tenants[tenant];
            tenant.knows.insert(first_word(&body));
            let comment = tenant.comments.get_mut(&id).ok_or("it is gone")?;
            let known = std::mem::replace(&mut comment.mention, mention.clone());
            comment.body = body;
            comment.version += 1;
            members(answer, &json!({ "body": comment.body, "version": comment.version }))?;
            if let Some((mentioned, name)) = mention {
                tenant.knows.insert(name.clone());
                if known.is_none_or(|known| known.1 != name) {
                    tenant.tell(user, "mentioned", &task, &[mentioned]);
                }
            }
            Ok(())
        })
    });
    scene.patch(path).json(request).expecting(verdict)
}

pub(super) fn delete(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let (task, id) = place(world, draw, &scene);
    let path = format!("/v1/tasks/{task}/comments/{id}");
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, user)| {
        let manager = world.tenants[tenant].active(user) >= Some(Rank::Manager);
        if found(world, tenant, &task, &id)?.author != user && !manager {
            return Err((403, "not_the_author"));
        }
        writable(world, tenant, &task)?;
        done(204, move |world, _| {
            world.tenants[tenant].comments.remove(&id);
            world.lost.push(id);
            Ok(())
        })
    });
    scene.delete(path).expecting(verdict)
}

pub(super) fn get(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let (task, id) = place(world, draw, &scene);
    let path = format!("/v1/tasks/{task}/comments/{id}");
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, _)| {
        found(world, tenant, &task, &id)?;
        done(200, move |world, answer| {
            let comment = found(world, tenant, &task, &id).map_err(|_| "it is gone")?;
            let author = &world.users[comment.author].id;
            let expected = json!({
                "id": id, "task_id": task, "author_id": author, "body": comment.body, "version": comment.version,
            });
            members(answer, &expected)
        })
    });
    scene.get(path).expecting(verdict)
}

pub(super) fn list(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let (task, _) = place(world, draw, &scene);
    let path = format!("/v1/tasks/{task}/comments?limit={}", limit(draw));
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, _)| {
        if !world.tenants[tenant].tasks.contains_key(&task) {
            return Err((404, "not_found"));
        }
        done(200, move |world, answer| {
            let fitting = world.tenants[tenant].comments.iter().filter(|(_, comment)| comment.task == task);
            newest_first(answer)?;
            compare(answer, ["id", "body"], fitting.map(|(id, it)| [id.clone(), it.body.clone()]))
        })
    });
    scene.get(path).expecting(verdict)
}
