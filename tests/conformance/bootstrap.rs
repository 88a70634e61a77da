//! What happens once in the life of a database. Runs before all else, on the empty one.

use bailiwick_tests::{actors::Actor, targets::Target};
use futures::future::join_all;
use serde_json::json;

crate::cases!("bootstrap": the_first_of_many_to_register_at_once_owns_the_default_tenant);

async fn the_first_of_many_to_register_at_once_owns_the_default_tenant(target: &'static Target) {
    let actors = join_all((0..8).map(|_| Actor::sign_up(target, "early"))).await;
    let mut owners = Vec::new();
    for actor in &actors {
        let tenants = actor.get("/v1/tenants").send().await.expect(200);
        match tenants.body["data"].as_array().expect("a list").as_slice() {
            [] => {}
            [tenant] => {
                assert_eq!((&tenant["slug"], &tenant["role"]), (&json!("default"), &json!("owner")));
                owners.push(actor);
            }
            more => panic!("{more:?}"),
        }
    }
    assert_eq!(owners.len(), 1, "exactly one owner");
    // No header means the tenant `default`, and only its owner is in.
    for actor in &actors {
        let status = if actor.id == owners[0].id { 200 } else { 403 };
        actor.get("/v1/tenant").send().await.expect(status);
    }
    let members = target.backdoor.count("SELECT count(*) FROM memberships").await;
    let claims = target.backdoor.count("SELECT count(*) FROM activity WHERE action = 'tenant.claimed'").await;
    assert_eq!((members, claims), (1, 1));
    let joined = target.backdoor.count("SELECT count(*) FROM activity WHERE action = 'member.joined'").await;
    assert_eq!(joined, 0, "who owns it has not joined it");
    // It says by whom and when it was claimed, and that it is not as it was.
    let claimed = "SELECT count(*) FROM tenants t JOIN memberships m ON m.tenant_id = t.id AND m.user_id = t.created_by \
         AND m.created_at = t.updated_at WHERE t.slug = 'default' AND t.version = 2";
    assert_eq!(target.backdoor.count(claimed).await, 1);
}
