//! Projects, and their way through the workflow.

use serde_json::json;

use super::limit;
use crate::property::{
    check::{list as compare, members, newest_first, same, text},
    draw::Draw,
    plan::{Done, Plan, Rank, Refusal, Scene, done},
    world::{Kind, Project, World},
};

const STATUSES: [&str; 7] =
    ["draft", "submitted", "approved", "rejected", "in_progress", "completed", "archived"];

/// The workflow, restated: from, to, the least rank.
const WORKFLOW: &[(&str, &str, Rank)] = &[
    ("draft", "submitted", Rank::Member),
    ("submitted", "draft", Rank::Member),
    ("submitted", "approved", Rank::Manager),
    ("submitted", "rejected", Rank::Manager),
    ("rejected", "draft", Rank::Member),
    ("approved", "in_progress", Rank::Member),
    ("in_progress", "completed", Rank::Manager),
    ("completed", "in_progress", Rank::Manager),
    ("completed", "archived", Rank::Owner),
    ("draft", "archived", Rank::Owner),
    ("rejected", "archived", Rank::Owner),
];

fn visibility(public: bool) -> &'static str {
    if public { "public" } else { "private" }
}

pub(super) fn create(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let (name, description, public) = (draw.plant(), draw.plant(), draw.chance(30));
    let body = json!({ "name": name, "description": description, "visibility": visibility(public) });
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, user)| {
        done(201, move |world, answer| {
            let id = text(answer, "id")?;
            let created_by = &world.users[user].id;
            members(
                answer,
                &json!({ "name": name, "status": "draft", "created_by": created_by, "version": 1 }),
            )?;
            let location = format!("/v1/projects/{id}");
            same("location", &answer.header("location"), &Some(&*location))?;
            let tenant = &mut world.tenants[tenant];
            tenant.knows.extend([id.clone(), name.clone(), description.clone()]);
            tenant.activity.push(("project.created", id.clone()));
            let project = Project {
                name,
                description,
                status: "draft",
                public,
                created_by: user,
                submitted_by: None,
                version: 1,
                revision: 1,
            };
            tenant.projects.insert(id, project);
            Ok(())
        })
    });
    scene.post("/v1/projects").json(body).expecting(verdict)
}

pub(super) fn update(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Project);
    let (name, public) = (draw.plant(), draw.chance(60));
    let body = json!({ "name": name, "visibility": visibility(public) });
    let path = format!("/v1/projects/{id}");
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, user)| {
        world.tenants[tenant].writable(&id)?;
        let status = found(world, tenant, &id)?.status;
        let approved = ["approved", "in_progress", "completed"].contains(&status);
        if status == "submitted" {
            return Err((409, "under_review"));
        }
        if approved && world.tenants[tenant].active(user) < Some(Rank::Manager) {
            return Err((403, "insufficient_role"));
        }
        done(200, move |world, answer| {
            let tenant = &mut world.tenants[tenant];
            tenant.knows.insert(name.clone());
            let project = tenant.projects.get_mut(&id).ok_or("it is gone")?;
            (project.name, project.public) = (name, public);
            project.version += 1;
            project.revision += 1;
            let (version, revision) = (project.version, project.revision);
            members(answer, &json!({ "name": project.name, "version": version, "revision": revision }))?;
            let involved: Vec<_> =
                [Some(project.created_by), project.submitted_by].into_iter().flatten().collect();
            if approved {
                tenant.tell(user, "approved", &id, &involved);
            }
            Ok(())
        })
    });
    scene.patch(path).json(body).expecting(verdict)
}

pub(super) fn delete(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Project);
    let path = format!("/v1/projects/{id}");
    let verdict = world.admit(&scene, Rank::Manager).and_then(|(tenant, _)| {
        found(world, tenant, &id)?;
        done(204, move |world, _| {
            let World { tenants, lost, .. } = world;
            let tenant = &mut tenants[tenant];
            tenant.projects.remove(&id);
            tenant.tasks.retain(|_, task| task.project != id);
            tenant.comments.retain(|_, comment| tenant.tasks.contains_key(&comment.task));
            tenant.activity.push(("project.deleted", id.clone()));
            lost.push(id);
            Ok(())
        })
    });
    scene.delete(path).expecting(verdict)
}

pub(super) fn transition(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Project);
    // Mostly one that there is.
    let from = world.tenants[scene.tenant].projects.get(&id).map(|project| project.status);
    let onward: Vec<_> = WORKFLOW
        .iter()
        .filter(|line| Some(line.0) == from && line.1 != "archived")
        .map(|line| line.1)
        .collect();
    let onward = if draw.chance(85) { draw.one(&onward) } else { None };
    let to = onward.unwrap_or_else(|| draw.of(STATUSES));
    let comment = draw.chance(70).then(|| draw.plant());
    // Mostly the revision that there is, which only some moves need.
    let revision = world.tenants[scene.tenant].projects.get(&id).map_or(1, |project| project.revision);
    let revision = if draw.chance(90) { Some(revision) } else { draw.chance(50).then_some(revision + 1) };
    let verdict = world.admit(&scene, Rank::Member).and_then(|(tenant, user)| {
        decide(world, tenant, user, &id, to, comment.is_some())?;
        let project = found(world, tenant, &id)?;
        if to == "approved" && revision.is_none() {
            return Err((428, "revision_required"));
        }
        if revision.is_some_and(|meant| meant != project.revision) {
            return Err((409, "conflict"));
        }
        moved(tenant, user, id.clone(), to, comment.clone())
    });
    let body = json!({ "to": to, "comment": comment, "revision": revision });
    scene.post(format!("/v1/projects/{id}/transitions")).json(body).expecting(verdict)
}

/// What of a project is not there.
fn found<'w>(world: &'w World, tenant: usize, id: &str) -> Result<&'w Project, Refusal> {
    world.tenants[tenant].projects.get(id).ok_or((404, "not_found"))
}

fn decide(
    world: &World,
    tenant: usize,
    user: usize,
    id: &str,
    to: &str,
    comment: bool,
) -> Result<(), Refusal> {
    let project = found(world, tenant, id)?;
    let tenant = &world.tenants[tenant];
    let line = WORKFLOW.iter().find(|line| (line.0, line.1) == (project.status, to));
    let (from, to, least) = *line.ok_or((409, "transition_not_allowed"))?;
    let rank = tenant.active(user).ok_or((403, "not_a_member"))?;
    if rank < least {
        return Err((403, "insufficient_role"));
    }
    let submitter = project.submitted_by == Some(user);
    let open = tenant.tasks.values().any(|task| task.project == id && task.status != "done");
    match (from, to) {
        ("submitted", "draft") if !submitter && rank < Rank::Manager => Err((409, "not_the_submitter")),
        ("submitted", "approved") if submitter && tenant.at_least(Rank::Manager).len() > 1 => {
            Err((409, "four_eyes"))
        }
        ("submitted", "rejected") | ("completed", "in_progress") if !comment => {
            Err((409, "comment_required"))
        }
        ("in_progress", "completed") if open => Err((409, "tasks_open")),
        _ => Ok(()),
    }
}

fn moved(
    tenant: usize,
    user: usize,
    id: String,
    to: &'static str,
    comment: Option<String>,
) -> Result<Done, Refusal> {
    done(200, move |world, answer| {
        let tenant = &mut world.tenants[tenant];
        tenant.knows.extend(comment);
        let approvers = tenant.at_least(Rank::Manager);
        let project = tenant.projects.get_mut(&id).ok_or("it is gone")?;
        let involved = [Some(project.created_by), project.submitted_by];
        project.status = to;
        project.version += 1;
        if to == "submitted" {
            project.submitted_by = Some(user);
        }
        members(answer, &json!({ "name": project.name, "status": to, "version": project.version }))?;
        let involved: Vec<_> = involved.into_iter().flatten().collect();
        match to {
            "submitted" => tenant.tell(user, "submitted", &id, &approvers),
            "in_progress" => tenant.tell(user, "started", &id, &involved),
            "approved" | "rejected" | "completed" => tenant.tell(user, to, &id, &involved),
            _ => {}
        }
        Ok(())
    })
}

pub(super) fn get(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Project);
    let path = format!("/v1/projects/{id}");
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, _)| {
        found(world, tenant, &id)?;
        done(200, move |world, answer| {
            let project = world.tenants[tenant].projects.get(&id).ok_or("it is gone")?;
            let submitted_by = project.submitted_by.map(|user| &world.users[user].id);
            let created_by = &world.users[project.created_by].id;
            let expected = json!({
                "id": id, "name": project.name, "description": project.description, "status": project.status,
                "visibility": visibility(project.public), "version": project.version,
                "created_by": created_by, "submitted_by": submitted_by,
            });
            members(answer, &expected)
        })
    });
    scene.get(path).expecting(verdict)
}

pub(super) fn list(world: &World, draw: &mut Draw) -> Plan {
    let scene = world.scene(draw);
    let status = draw.chance(40).then(|| draw.of(STATUSES));
    let public = draw.chance(30).then(|| draw.chance(50));
    let mut path = format!("/v1/projects?limit={}", limit(draw));
    path.extend(status.map(|status| format!("&status={status}")));
    path.extend(public.map(|public| format!("&visibility={}", visibility(public))));
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, _)| {
        done(200, move |world, answer| {
            let fits = |project: &Project| {
                status.is_none_or(|status| status == project.status)
                    && public.is_none_or(|public| public == project.public)
            };
            let fitting = world.tenants[tenant].projects.iter().filter(|(_, project)| fits(project));
            let expected = fitting.map(|(id, it)| [id.clone(), it.name.clone(), it.version.to_string()]);
            newest_first(answer)?;
            compare(answer, ["id", "name", "version"], expected)
        })
    });
    scene.get(path).expecting(verdict)
}

pub(super) fn history(world: &World, draw: &mut Draw) -> Plan {
    let scene: Scene = world.scene(draw);
    let id = world.pick(draw, scene.tenant, Kind::Project);
    let path = format!("/v1/projects/{id}/transitions?limit={}", limit(draw));
    let verdict = world.admit(&scene, Rank::Viewer).and_then(|(tenant, user)| {
        found(world, tenant, &id)?;
        done(200, move |world, answer| {
            let project = found(world, tenant, &id).map_err(|_| "it is gone")?;
            members(answer, &json!({ "status": project.status }))?;
            let lines = WORKFLOW.iter().filter(|line| line.0 == project.status);
            let expected: Vec<_> = lines
                .map(|line| {
                    let refusal = decide(world, tenant, user, &id, line.1, true).err();
                    json!({ "to": line.1, "refusal": refusal.map(|refusal| refusal.1) })
                })
                .collect();
            let outlook = answer.body["transitions"].as_array().cloned().unwrap_or_default();
            let got: Vec<_> =
                outlook.iter().map(|it| json!({ "to": it["to"], "refusal": it["refusal"] })).collect();
            same("transitions", &got, &expected)
        })
    });
    scene.get(path).expecting(verdict)
}
