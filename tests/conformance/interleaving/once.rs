//! What is asked for twice under one `Idempotency-Key` is done once, also if the second comes while the first has begun;
//! and what is merged into something is checked with what is there then.

use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    targets::Target,
};
use serde_json::json;

use super::refused;
use crate::matrix::samples::{ask, route, sample};

crate::cases!("interleaving::once":
    under_one_key_it_is_done_once,
    under_one_key_an_account_does_it_once,
    another_body_under_the_key_is_refused,
    a_configuration_that_fits_no_more,
    a_configuration_has_both_changes,
);

async fn under_one_key_it_is_done_once(target: &'static Target) {
    for name in
        ["tasks::create", "tasks::apply", "comments::create", "invitations::create", "projects::transition"]
    {
        let tenant = Tenant::create(target).await;
        let own = sample(route(name), &tenant, &tenant.owner).await;
        let key = unique("key");
        let keyed = || ask(&own, &tenant.owner, &tenant).header("idempotency-key", &key);
        let held = keyed().held().await;
        let first = keyed().send().await.expect(own.success);
        let before = super::rows(&tenant, &tenant.owner).await;
        let second = held.release().await.expect(own.success);
        assert_eq!(before, super::rows(&tenant, &tenant.owner).await, "{name} was done twice");
        assert_eq!(
            (&second.text, second.header("idempotency-replayed")),
            (&first.text, Some("true")),
            "{name}"
        );
    }
}

async fn under_one_key_an_account_does_it_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let guest = Actor::register(target, "guest").await;
    let token = json!({ "token": tenant.invite(&tenant.owner, &guest.email).await });
    let key = unique("key");
    let keyed = || guest.post("/v1/invitations/accept").json(&token).header("idempotency-key", &key);
    let held = keyed().held().await;
    let first = keyed().send().await.expect(200);
    let second = held.release().await.expect(200);
    assert_eq!((&second.text, second.header("idempotency-replayed")), (&first.text, Some("true")));
}

async fn another_body_under_the_key_is_refused(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (key, project) = (unique("key"), tenant.project("approved", None).await);
    let create = |title: &str| {
        let task = json!({ "title": title, "assignee_id": tenant.member.id });
        let ask = tenant.owner.post(&format!("/v1/projects/{project}/tasks")).tenant(&tenant.id);
        ask.json(&task).header("idempotency-key", &key)
    };
    let other = async {
        create("Second").send().await.expect(201);
    };
    refused(&tenant, &tenant.owner, create("First"), other, (422, "idempotency_key_reused")).await;
}

async fn a_configuration_that_fits_no_more(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.webhook().await;
    let by_slack = json!({ "channels": { "approved": ["slack"] } });
    let configuring = tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&by_slack);
    let webhook_gone = async {
        tenant.configure(&json!({ "slack_webhook_url": null })).await.expect(200);
    };
    refused(&tenant, &tenant.owner, configuring, webhook_gone, (422, "validation_failed")).await;
}

async fn a_configuration_has_both_changes(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let named = json!({ "email_sender_name": "Ada" });
    let configuring = tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&named);
    let opened = async {
        tenant.configure(&json!({ "open_registration": "viewer" })).await.expect(200);
    };
    let configured = configuring.meanwhile(opened).await.expect(200);
    assert_eq!(configured.body["email_sender_name"], "Ada");
    assert_eq!(configured.body["open_registration"], "viewer");
}
