//! Several requests about the same tasks at the same time: one after the other, or one alone, and never a bit of each.

use bailiwick_tests::{actors::Tenant, client::Answer, targets::Target};
use futures::future::join_all;
use serde_json::json;

use super::{bulk, column, tasks};

crate::cases!("bulk":
    concurrent_changes_are_never_mixed,
    concurrent_deletions_happen_once,
    of_many_who_assign_at_once_one_tells,
);

async fn concurrent_changes_are_never_mixed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let there = tasks(&tenant, &project, 20).await;
    let change = async |mark: usize| {
        let set = |id: &String| json!({ "op": "update", "id": id, "title": format!("Mark {mark}") });
        let mut operations: Vec<_> = there.iter().map(set).collect();
        // Each goes through the tasks in another order.
        operations.rotate_left(mark * 3);
        if mark % 2 == 1 {
            operations.reverse();
        }
        operations.push(json!({ "op": "create", "title": format!("New {mark}") }));
        bulk(&tenant, &project, json!(operations)).await
    };
    for answer in join_all((0..6).map(change)).await {
        answer.expect(200);
    }
    let titles = column(&tenant, &project, "title").await;
    let (new, old): (Vec<_>, Vec<_>) = titles.into_iter().partition(|title| title.starts_with("New"));
    assert_eq!(new.len(), 6);
    assert!(old.len() == 20 && old.iter().all(|title| *title == old[0]), "{old:?}");
    let versions = column(&tenant, &project, "version").await;
    assert_eq!(versions.iter().filter(|version| *version == "7").count(), 20, "{versions:?}");
}

async fn concurrent_deletions_happen_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let there = tasks(&tenant, &project, 10).await;
    let delete = async |mark: usize| {
        let mut operations: Vec<_> = there.iter().map(|id| json!({ "op": "delete", "id": id })).collect();
        operations.push(json!({ "op": "create", "title": format!("Mark {mark}") }));
        bulk(&tenant, &project, json!(operations)).await
    };
    let answers = join_all((0..4).map(delete)).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in lost {
        let refused = answer.problem(422, "validation_failed");
        assert_eq!(refused.pointers().len(), 10, "{refused:?}");
    }
    assert_eq!(column(&tenant, &project, "title").await.len(), 1);
    let known = format!(
        "SELECT count(*) FROM activity WHERE tenant_id = '{}' AND action = 'task.deleted'",
        tenant.id
    );
    assert_eq!(target.backdoor.count(&known).await, 10);
}

async fn of_many_who_assign_at_once_one_tells(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("in_progress", None).await;
    let there = tasks(&tenant, &project, 5).await;
    let assign = || {
        let set = |id: &String| json!({ "op": "update", "id": id, "assignee_id": tenant.viewer.id });
        bulk(&tenant, &project, there.iter().map(set).collect())
    };
    for answer in <[Answer; 3]>::from(tokio::join!(assign(), assign(), assign())) {
        answer.expect(200);
    }
    let told = format!("SELECT count(*) FROM notifications WHERE tenant_id = '{}'", tenant.id);
    assert_eq!(target.backdoor.count(&told).await, 5);
}
