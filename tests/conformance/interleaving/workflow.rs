//! The workflow's guards: each must hold in the batch that moves the project.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    client::Ask,
    targets::Target,
};
use serde_json::json;

use super::{refused, sql};

crate::cases!("interleaving::workflow":
    a_manager_who_is_none_any_more_takes_nothing_back,
    an_approver_who_is_demoted_approves_nothing,
    an_owner_who_is_demoted_archives_nothing,
    who_submitted_last_is_asked_anew,
    a_second_manager_ends_the_exception_from_four_eyes,
    a_member_who_is_promoted_ends_it_too,
    a_task_that_is_added_keeps_the_project_open,
    a_task_that_is_opened_again_does_too,
    a_task_that_moves_on_meanwhile_does_no_harm,
    of_two_who_decide_one_is_refused,
    what_is_approved_is_what_was_meant,
    what_was_submitted_meanwhile_is_not_changed,
    what_was_archived_meanwhile_is_not_changed,
    what_was_approved_meanwhile_is_a_managers_to_change,
    who_is_no_manager_any_more_changes_nothing_that_was_approved,
    of_two_who_change_what_was_approved_both_are_told_of,
);

fn moving(tenant: &Tenant<'_>, by: &Actor<'_>, project: &str, to: &str) -> Ask {
    let path = format!("/v1/projects/{project}/transitions");
    by.post(&path).tenant(&tenant.id).json(&json!({ "to": to, "comment": "because", "revision": 1 }))
}

async fn status(tenant: &Tenant<'_>, project: &str) -> String {
    let read = tenant.owner.get(&format!("/v1/projects/{project}")).tenant(&tenant.id).send().await;
    read.expect(200).text_at("/status")
}

async fn a_manager_who_is_none_any_more_takes_nothing_back(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let manager = &tenant.manager;
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let demoted = tenant.set(manager, "role", "member");
    let taking_back = moving(&tenant, manager, &project, "draft");
    let answer = refused(&tenant, manager, taking_back, demoted, (403, "insufficient_role")).await;
    assert_eq!(answer.body["required_role"], "manager");
    // Who submitted it needs no more than a member's role.
    let project = tenant.project("submitted", Some(&manager.id)).await;
    tenant.set(manager, "role", "manager").await;
    let demoted = tenant.set(manager, "role", "member");
    moving(&tenant, manager, &project, "draft").meanwhile(demoted).await.expect(200);
}

async fn an_approver_who_is_demoted_approves_nothing(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let manager = &tenant.manager;
    for to in ["approved", "rejected"] {
        tenant.set(manager, "role", "manager").await;
        let project = tenant.project("submitted", Some(&tenant.member.id)).await;
        let demoted = tenant.set(manager, "role", "member");
        let moved = moving(&tenant, manager, &project, to);
        refused(&tenant, manager, moved, demoted, (403, "insufficient_role")).await;
    }
}

async fn an_owner_who_is_demoted_archives_nothing(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let second = Actor::register(target, "second").await;
    tenant.admit(&second, "owner").await;
    let project = tenant.project("completed", None).await;
    let demoted = tenant.set(&second, "role", "manager");
    let archiving = moving(&tenant, &second, &project, "archived");
    refused(&tenant, &second, archiving, demoted, (403, "insufficient_role")).await;
}

async fn who_submitted_last_is_asked_anew(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let resubmitted = async {
        moving(&tenant, &tenant.manager, &project, "draft").send().await.expect(200);
        moving(&tenant, &tenant.manager, &project, "submitted").send().await.expect(200);
    };
    let taking_back = moving(&tenant, &tenant.member, &project, "draft");
    refused(&tenant, &tenant.member, taking_back, resubmitted, (409, "conflict")).await;
    moving(&tenant, &tenant.member, &project, "draft").send().await.problem(409, "not_the_submitter");
}

/// A project that its only manager has submitted, and could approve.
async fn own_submission(tenant: &Tenant<'static>) -> String {
    tenant.set(&tenant.manager, "status", "suspended").await;
    tenant.project("submitted", Some(&tenant.owner.id)).await
}

async fn a_second_manager_ends_the_exception_from_four_eyes(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = own_submission(&tenant).await;
    let reinstated = tenant.set(&tenant.manager, "status", "active");
    let approving = moving(&tenant, &tenant.owner, &project, "approved");
    refused(&tenant, &tenant.owner, approving, reinstated, (409, "four_eyes")).await;
    // While there is nobody else, it holds.
    tenant.set(&tenant.manager, "status", "suspended").await;
    moving(&tenant, &tenant.owner, &project, "approved").held().await.release().await.expect(200);
}

async fn a_member_who_is_promoted_ends_it_too(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = own_submission(&tenant).await;
    let promoted = async {
        let path = format!("/v1/members/{}", tenant.member.id);
        let ask = tenant.owner.patch(&path).tenant(&tenant.id).json(&json!({ "role": "manager" }));
        ask.send().await.expect(200);
    };
    let approving = moving(&tenant, &tenant.owner, &project, "approved");
    refused(&tenant, &tenant.owner, approving, promoted, (409, "four_eyes")).await;
}

async fn a_task_that_is_added_keeps_the_project_open(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let added = async {
        let path = format!("/v1/projects/{project}/tasks");
        let ask = tenant.member.post(&path).tenant(&tenant.id).json(&json!({ "title": "One more" }));
        ask.send().await.expect(201);
    };
    let completing = moving(&tenant, &tenant.manager, &project, "completed");
    refused(&tenant, &tenant.manager, completing, added, (409, "tasks_open")).await;
}

async fn a_task_that_is_opened_again_does_too(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let task = tenant.task(&project, "done").await;
    let opened = async {
        let path = format!("/v1/tasks/{task}");
        let ask = tenant.member.patch(&path).tenant(&tenant.id).json(&json!({ "status": "blocked" }));
        ask.send().await.expect(200);
    };
    let completing = moving(&tenant, &tenant.manager, &project, "completed");
    refused(&tenant, &tenant.manager, completing, opened, (409, "tasks_open")).await;
}

async fn a_task_that_moves_on_meanwhile_does_no_harm(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let task = tenant.task(&project, "done").await;
    let renamed = async {
        let path = format!("/v1/tasks/{task}");
        let ask = tenant.member.patch(&path).tenant(&tenant.id).json(&json!({ "title": "Done for good" }));
        ask.send().await.expect(200);
    };
    moving(&tenant, &tenant.manager, &project, "completed").meanwhile(renamed).await.expect(200);
    assert_eq!(status(&tenant, &project).await, "completed");
}

async fn of_two_who_decide_one_is_refused(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let rejected = async {
        moving(&tenant, &tenant.owner, &project, "rejected").send().await.expect(200);
    };
    let approving = moving(&tenant, &tenant.manager, &project, "approved");
    refused(&tenant, &tenant.manager, approving, rejected, (409, "conflict")).await;
    assert_eq!(status(&tenant, &project).await, "rejected");
}

/// Changing what a project says.
fn renaming(tenant: &Tenant<'_>, by: &Actor<'_>, project: &str, name: &str) -> Ask {
    by.patch(&format!("/v1/projects/{project}")).tenant(&tenant.id).json(&json!({ "name": name }))
}

async fn what_is_approved_is_what_was_meant(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let resubmitted = async {
        moving(&tenant, &tenant.member, &project, "draft").send().await.expect(200);
        renaming(&tenant, &tenant.member, &project, "More expensive").send().await.expect(200);
        let path = format!("/v1/projects/{project}/transitions");
        let ask = tenant.member.post(&path).tenant(&tenant.id).json(&json!({ "to": "submitted" }));
        ask.send().await.expect(200);
    };
    let approving = moving(&tenant, &tenant.manager, &project, "approved");
    refused(&tenant, &tenant.manager, approving, resubmitted, (409, "conflict")).await;
    assert_eq!(status(&tenant, &project).await, "submitted");
    // Also if nothing but that had changed.
    let project = tenant.project("submitted", Some(&tenant.member.id)).await;
    let changed = sql(target, format!("UPDATE projects SET revision = 2 WHERE id = '{project}'"));
    let approving = moving(&tenant, &tenant.manager, &project, "approved");
    refused(&tenant, &tenant.manager, approving, changed, (409, "conflict")).await;
}

async fn what_was_submitted_meanwhile_is_not_changed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for (by, whom) in [(&tenant.member, &tenant.manager), (&tenant.manager, &tenant.member)] {
        let project = tenant.project("draft", None).await;
        let submitted = async {
            moving(&tenant, whom, &project, "submitted").send().await.expect(200);
        };
        let renamed = renaming(&tenant, by, &project, "More expensive");
        refused(&tenant, by, renamed, submitted, (409, "under_review")).await;
    }
}

async fn what_was_archived_meanwhile_is_not_changed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("completed", Some(&tenant.member.id)).await;
    let archived = async {
        moving(&tenant, &tenant.owner, &project, "archived").send().await.expect(200);
    };
    let renamed = renaming(&tenant, &tenant.manager, &project, "More expensive");
    refused(&tenant, &tenant.manager, renamed, archived, (409, "project_archived")).await;
}

async fn what_was_approved_meanwhile_is_a_managers_to_change(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("draft", None).await;
    let approved = async {
        moving(&tenant, &tenant.member, &project, "submitted").send().await.expect(200);
        moving(&tenant, &tenant.manager, &project, "approved").send().await.expect(200);
    };
    let renamed = renaming(&tenant, &tenant.member, &project, "More expensive");
    refused(&tenant, &tenant.member, renamed, approved, (403, "insufficient_role")).await;
}

async fn who_is_no_manager_any_more_changes_nothing_that_was_approved(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("approved", Some(&tenant.member.id)).await;
    let demoted = tenant.set(&tenant.manager, "role", "member");
    let renamed = renaming(&tenant, &tenant.manager, &project, "More expensive");
    refused(&tenant, &tenant.manager, renamed, demoted, (403, "insufficient_role")).await;
}

/// The log says of each what was before.
async fn of_two_who_change_what_was_approved_both_are_told_of(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("approved", Some(&tenant.member.id)).await;
    let renamed = async {
        renaming(&tenant, &tenant.owner, &project, "First").send().await.expect(200);
    };
    let second = renaming(&tenant, &tenant.manager, &project, "Second").meanwhile(renamed).await.expect(200);
    assert_eq!(second.body["revision"], 3);
    let path = format!("/v1/admin/activity?action=project.updated&entity_id={project}");
    let log = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
    let before = |at: usize| log.body["data"][at]["detail"]["before"].clone();
    assert_eq!(before(0), json!({ "name": "First", "revision": 2 }));
    assert_eq!(before(1), json!({ "name": "A project", "revision": 1 }));
}
