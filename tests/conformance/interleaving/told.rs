//! Who is told of a change: nobody who is no member any more when it is written.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    client::Ask,
    targets::Target,
};
use serde_json::json;

use crate::matrix::samples::{ask, route, sample};

crate::cases!("interleaving::told":
    who_is_mentioned,
    who_is_mentioned_in_an_edit,
    who_could_approve,
    who_submitted,
    an_assignee_who_has_it_already_is_told_once,
    of_many_tasks_each_is_told_once,
    who_is_mentioned_already_is_told_once,
);

/// How somebody ceases to be a member.
const WAYS: [&str; 2] = ["suspended", "removed"];

async fn ceases(tenant: &Tenant<'static>, whom: &Actor<'static>, way: &str) {
    let path = format!("/v1/members/{}", whom.id);
    let ended = if way == "removed" {
        tenant.owner.delete(&path).tenant(&tenant.id).send().await
    } else {
        tenant.owner.patch(&path).tenant(&tenant.id).json(&json!({ "status": way })).send().await
    };
    assert!(matches!(ended.status, 200 | 204), "{ended:?}");
}

/// While the request is held, this member ceases to be one; they are told nothing, also not by mail.
async fn is_not_told(tenant: &Tenant<'static>, request: Ask, whom: &Actor<'static>, way: &str) {
    let answer = request.meanwhile(ceases(tenant, whom, way)).await;
    assert!(matches!(answer.status, 200 | 201), "{way}: {answer:?}");
    let told = tenant.told().await;
    assert!(!told.iter().any(|(recipient, _)| *recipient == whom.id), "{way}: {told:?}");
    let deliveries = tenant.settled().await;
    let theirs: Vec<_> = deliveries.iter().filter(|delivery| delivery["recipient_id"] == *whom.id).collect();
    assert!(theirs.iter().all(|delivery| delivery["state"] != "sent"), "{way}: {theirs:?}");
}

async fn by_all_ways(target: &'static Target) -> Tenant<'static> {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["submitted", "approved", "mentioned", "task_assigned"], &["in_app", "email"]).await;
    tenant
}

async fn who_is_mentioned(target: &'static Target) {
    for way in WAYS {
        let tenant = by_all_ways(target).await;
        let own = sample(route("comments::create"), &tenant, &tenant.manager).await;
        is_not_told(&tenant, ask(&own, &tenant.manager, &tenant), &tenant.member, way).await;
    }
}

async fn who_is_mentioned_in_an_edit(target: &'static Target) {
    for way in WAYS {
        let tenant = by_all_ways(target).await;
        let own = sample(route("comments::update"), &tenant, &tenant.manager).await;
        is_not_told(&tenant, ask(&own, &tenant.manager, &tenant), &tenant.member, way).await;
    }
}

async fn who_could_approve(target: &'static Target) {
    for way in WAYS {
        let tenant = by_all_ways(target).await;
        let own = sample(route("projects::transition"), &tenant, &tenant.member).await;
        is_not_told(&tenant, ask(&own, &tenant.member, &tenant), &tenant.manager, way).await;
        // Who still can is told.
        let told = tenant.told().await;
        assert_eq!(told, [(tenant.owner.id.clone(), "submitted".to_owned())], "{way}");
    }
}

async fn who_submitted(target: &'static Target) {
    for way in WAYS {
        let tenant = by_all_ways(target).await;
        let project = tenant.project("submitted", Some(&tenant.member.id)).await;
        let path = format!("/v1/projects/{project}/transitions");
        let approving =
            tenant.manager.post(&path).tenant(&tenant.id).json(&json!({ "to": "approved", "revision": 1 }));
        is_not_told(&tenant, approving, &tenant.member, way).await;
    }
}

async fn an_assignee_who_has_it_already_is_told_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let own = sample(route("tasks::update"), &tenant, &tenant.owner).await;
    let given = async {
        ask(&own, &tenant.manager, &tenant).send().await.expect(200);
    };
    ask(&own, &tenant.owner, &tenant).meanwhile(given).await.expect(200);
    let told = tenant.told().await;
    assert_eq!(told, [(tenant.member.id.clone(), "task_assigned".to_owned())]);
}

async fn of_many_tasks_each_is_told_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let task = tenant.task(&project, "todo").await;
    let given = async {
        let path = format!("/v1/tasks/{task}");
        let give =
            tenant.manager.patch(&path).tenant(&tenant.id).json(&json!({ "assignee_id": tenant.member.id }));
        give.send().await.expect(200);
    };
    let operations =
        json!({ "operations": [{ "op": "update", "id": task, "assignee_id": tenant.member.id }] });
    let path = format!("/v1/projects/{project}/tasks/bulk");
    tenant.owner.post(&path).tenant(&tenant.id).json(&operations).meanwhile(given).await.expect(200);
    let told = tenant.told().await;
    assert_eq!(told, [(tenant.member.id.clone(), "task_assigned".to_owned())]);
}

async fn who_is_mentioned_already_is_told_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let own = sample(route("comments::update"), &tenant, &tenant.owner).await;
    let edited = async {
        ask(&own, &tenant.owner, &tenant).send().await.expect(200);
    };
    ask(&own, &tenant.owner, &tenant).meanwhile(edited).await.expect(200);
    let told = tenant.told().await;
    assert_eq!(told, [(tenant.member.id.clone(), "mentioned".to_owned())]);
}
