//! Tasks, and who is to do them.

use serde_json::json;

use super::limit;
use crate::property::{
    check::{list as compare, members, newest_first, text},
    draw::Draw,
    plan::{Plan, Rank, Refusal, done},
    world::{Kind, Task, World},
};

const STATUSES: [&str; 4] = ["todo", "in_progress", "blocked", "done"];

/// Somebody who is in, or else the refusal.
fn assignable(world: &World, tenant: usize, assignee: Option<&str>) -> Result<Option<usize>, Refusal> {
    let Some(assignee) = assignee else { return Ok(None) };
    let user = world.user(assignee).filter(|user| world.tenants[tenant].active(*user).is_some());
    user.map(Some).ok_or((422, "validation_failed"))
}

pub(super) fn create(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let project = world.pick(draw, scene.tenant, Kind::Project);
    let assignee = draw.chance(50).then(|| world.pick(draw, scene.tenant, Kind::User));
    let (title, description, status) = (draw.plant(), draw.plant(), draw.of(STATUSES));
    let body =
        json!({ "title": title, "description": description, "status": status, "assignee_id": assignee });
    let path = format!("/v1/projects/{project}/tasks");
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, user)| {
        let assignee = assignable(world, tenant, assignee.as_deref())?;
        world.tenants[tenant].writable(&project)?;
        done(201, move |world, answer| {
            let id = text(answer, "id")?;
            members(answer, &json!({ "title": title, "project_id": project, "version": 1 }))?;
            let tenant = &mut world.tenants[tenant];
            tenant.knows.extend([id.clone(), title.clone(), description]);
            tenant.activity.push(("task.created", id.clone()));
            tenant.tell(user, "task_assigned", &id, assignee.as_slice());
            tenant.tasks.insert(id, Task { project, title, status, assignee, version: 1 });
            Ok(())
        })
    });
    scene.post(path).json(body).expecting(verdict)
}

pub(super) fn update(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Task);
    let (title, status) = (draw.plant(), draw.of(["done", "done", "done", "todo"]));
    let mut body = json!({ "title": title, "status": status });
    let given = draw.chance(60).then(|| draw.chance(80).then(|| world.pick(draw, scene.tenant, Kind::User)));
    if let Some(assignee) = &given {
        body["assignee_id"] = json!(assignee);
    }
    let path = format!("/v1/tasks/{id}");
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, user)| {
        let task = found(world, tenant, &id)?;
        let assignee = match &given {
            None => task.assignee,
            Some(given) => assignable(world, tenant, given.as_deref())?,
        };
        world.tenants[tenant].writable(&task.project)?;
        done(200, move |world, answer| {
            let tenant = &mut world.tenants[tenant];
            tenant.knows.insert(title.clone());
            let task = tenant.tasks.get_mut(&id).ok_or("it is gone")?;
            let told = assignee.filter(|assignee| task.assignee != Some(*assignee));
            (task.title, task.status, task.assignee) = (title, status, assignee);
            task.version += 1;
            members(answer, &json!({ "title": task.title, "version": task.version }))?;
            tenant.tell(user, "task_assigned", &id, told.as_slice());
            Ok(())
        })
    });
    scene.patch(path).json(body).expecting(verdict)
}

fn found<'w>(world: &'w World, tenant: usize, id: &str) -> Result<&'w Task, Refusal> {
    world.tenants[tenant].tasks.get(id).ok_or((404, "not_found"))
}

pub(super) fn delete(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Task);
    let path = format!("/v1/tasks/{id}");
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, _)| {
        world.tenants[tenant].writable(&found(world, tenant, &id)?.project)?;
        done(204, move |world, _| {
            let tenant = &mut world.tenants[tenant];
            tenant.tasks.remove(&id);
            tenant.comments.retain(|_, comment| comment.task != id);
            world.lost.push(id);
            Ok(())
        })
    });
    scene.delete(path).expecting(verdict)
}

pub(super) fn get(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Task);
    let path = format!("/v1/tasks/{id}");
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, _)| {
        found(world, tenant, &id)?;
        done(200, move |world, answer| {
            let task = found(world, tenant, &id).map_err(|_| "it is gone")?;
            let assignee = task.assignee.map(|user| &world.users[user].id);
            let expected = json!({
                "id": id, "title": task.title, "status": task.status, "assignee_id": assignee,
                "project_id": task.project, "version": task.version,
            });
            members(answer, &expected)
        })
    });
    scene.get(path).expecting(verdict)
}

pub(super) fn list(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let project = draw.chance(50).then(|| world.pick(draw, scene.tenant, Kind::Project));
    let assignee = draw.chance(40).then(|| world.pick(draw, scene.tenant, Kind::User));
    let statuses = draw.chance(30).then(|| {
        let mut all: Vec<_> = (0..2).map(|_| draw.of(STATUSES)).collect();
        all.dedup();
        all
    });
    let order = draw.of(["created_at", "created_at", "due_on", "-due_on", "priority", "-priority"]);
    let list = project.as_ref().map_or("/v1/tasks".to_owned(), |id| format!("/v1/projects/{id}/tasks"));
    let mut path = format!("{list}?limit={}&order={order}", limit(draw));
    path.extend(statuses.as_ref().map(|statuses| format!("&status={}", statuses.join(","))));
    path.extend(assignee.as_ref().map(|id| format!("&assignee_id={id}")));
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, _)| {
        if project.as_ref().is_some_and(|id| !world.tenants[tenant].projects.contains_key(id)) {
            return Err((404, "not_found"));
        }
        done(200, move |world, answer| {
            let assignee = assignee.map(|id| world.user(&id));
            let fits = |task: &Task| {
                statuses.as_ref().is_none_or(|statuses| statuses.contains(&task.status))
                    && project.as_ref().is_none_or(|project| *project == task.project)
                    && assignee.is_none_or(|user| user.is_some() && user == task.assignee)
            };
            let fitting = world.tenants[tenant].tasks.iter().filter(|(_, task)| fits(task));
            let expected = fitting.map(|(id, it)| [id.clone(), it.title.clone(), it.version.to_string()]);
            // None has a day, and all have the same priority.
            newest_first(answer)?;
            compare(answer, ["id", "title", "version"], expected)
        })
    });
    scene.get(path).expecting(verdict)
}
