//! The transition matrix: every pair of statuses, every role, every way that a guard can be met or not.

use bailiwick_core::{
    values::{ProjectStatus, Role, UserId},
    workflow::{self, Facts, TRANSITIONS},
};
use bailiwick_tests::{
    actors::{Actor, Tenant},
    targets::Target,
};
use serde_json::json;

use super::samples::route;
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    ProjectStatus::ALL
        .iter()
        .map(|from| {
            Case::new(format!("transition_matrix::from_{}", from.as_str()), move |target| {
                every_move(target, *from)
            })
        })
        .collect()
}

/// A tenant in which somebody could approve beside whoever asks, or nobody could.
struct Setting {
    tenant: Tenant<'static>,
    managers: i64,
}

async fn every_move(target: &'static Target, from: ProjectStatus) {
    let many = Setting { tenant: Tenant::create(target).await, managers: 2 };
    for &role in Role::ALL {
        // With a single manager, that is whoever asks, if they are one.
        let single = Setting { tenant: Tenant::create(target).await, managers: 1 };
        let retired = if role == Role::Manager { &single.tenant.owner } else { &single.tenant.manager };
        single.tenant.set(retired, "status", "suspended").await;
        for &to in ProjectStatus::ALL {
            let known = TRANSITIONS.iter().any(|line| (line.from, line.to) == (from, to));
            for setting in [&many, &single] {
                // What no line knows is refused before any guard is looked at.
                let (submitters, comments, tasks): (&[bool], &[bool], &[bool]) =
                    match (known, setting.managers) {
                        (true, _) => (&[false, true], &[false, true], &[false, true]),
                        (false, 2) => (&[false], &[true], &[false]),
                        (false, _) => continue,
                    };
                for &mine in submitters {
                    for &comment in comments {
                        for &open_task in tasks {
                            one_move(setting, role, from, to, mine, comment, open_task).await;
                        }
                    }
                }
            }
        }
    }
}

async fn one_move(
    setting: &Setting,
    role: Role,
    from: ProjectStatus,
    to: ProjectStatus,
    mine: bool,
    comment: bool,
    open_task: bool,
) {
    let Setting { tenant, managers } = setting;
    let actor: &Actor<'_> = match role {
        Role::Viewer => &tenant.viewer,
        Role::Member => &tenant.member,
        Role::Manager => &tenant.manager,
        Role::Owner => &tenant.owner,
    };
    // Somebody else is the viewer, or for the viewer the member: neither counts as a manager.
    let somebody = if role == Role::Viewer { &tenant.member } else { &tenant.viewer };
    let submitter = if mine { actor } else { somebody };
    let project = tenant.project(from.as_str(), Some(&submitter.id)).await;
    tenant.task(&project, if open_task { "in_progress" } else { "done" }).await;

    let user = UserId::parse(&actor.id).expect("an id");
    let facts = Facts {
        status: from,
        submitted_by: UserId::parse(&submitter.id),
        open_tasks: i64::from(open_task),
        managers: *managers,
        user,
        role,
        comment,
        // What a move may need is given, or not.
        revision: comment,
    };
    let bailiwick_core::Access::Member(least) = route("projects::transition").access else {
        panic!("moving a project is for members")
    };
    let expected = match workflow::decide(to, &facts) {
        _ if role < least => Err((403, "insufficient_role")),
        Ok(_) => Ok(()),
        Err(problem) => Err((problem.code.status(), problem.code.as_str())),
    };

    let body =
        if comment { json!({ "to": to, "comment": "because", "revision": 1 }) } else { json!({ "to": to }) };
    let ask = actor.post(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id).json(&body);
    let answer = ask.send().await;
    let status = match expected {
        Ok(()) => {
            assert_eq!(answer.status, 200, "{facts:?} -> {to:?}: {answer:?}");
            to
        }
        Err((status, code)) => {
            assert_eq!((answer.status, answer.code()), (status, code), "{facts:?} -> {to:?}: {answer:?}");
            from
        }
    };
    let sql = format!(
        "SELECT (SELECT status FROM projects WHERE tenant_id = '{0}' AND id = '{project}') AS status, \
         (SELECT count(*) FROM activity WHERE tenant_id = '{0}' AND entity_id = '{project}') AS entries",
        tenant.id
    );
    let rows = tenant.owner.target.backdoor.sql(&sql).await;
    let entries = if expected.is_ok() { "1" } else { "0" };
    assert_eq!(rows, [[Some(status.as_str().to_owned()), Some(entries.to_owned())]], "{facts:?} -> {to:?}");
}
