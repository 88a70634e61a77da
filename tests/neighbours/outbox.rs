//! What goes to the outside: with another tenant's share under way at a receiver that does not answer, and much more of it
//! waiting, a tenant's is sent, and so is a mail about a forgotten password.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    provided,
    receivers::http::{Behaviour, Gate},
    targets::Target,
};
use serde_json::json;

use super::{Case, Place};

/// Deliveries of one tenant that are under way at once at the most: half of what a round takes.
const SHARE: usize = 10;
/// Those that wait.
const MANY: usize = 100;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("outbox::nobody_waits_behind_more_than_a_share", behind_a_share),
        Case::new("outbox::a_forgotten_password_waits_for_no_tenant", forgotten),
    ]
}

/// A tenant whose receiver holds all that comes, with much to send.
async fn hold(target: &'static Target) -> (Tenant<'static>, bailiwick_tests::outbox::Webhook, Gate) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["task_assigned"], &["slack"]).await;
    let gate = Gate::shut();
    webhook.always(Behaviour::Held(gate.clone(), 200));
    let project = tenant.project("in_progress", None).await;
    let task = json!({ "op": "create", "title": "Sweep", "assignee_id": tenant.member.id });
    let path = format!("/v1/projects/{project}/tasks/bulk");
    let body = json!({ "operations": vec![task; MANY] });
    tenant.manager.post(&path).tenant(&tenant.id).json(&body).send().await.expect(200);
    target.until("a delivery to be held", async || provided(webhook.count(), |count| *count > 0)).await;
    (tenant, webhook, gate)
}

async fn waiting(tenant: &Tenant<'_>) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM deliveries WHERE tenant_id = '{}' AND state = 'pending' AND claim IS NULL",
        tenant.id
    );
    tenant.owner.target.backdoor.count(&sql).await
}

async fn behind_a_share(place: &'static Place) {
    let target = &place.target;
    let (attacker, held, gate) = hold(target).await;
    let bystander = Tenant::create(target).await;
    let webhook = bystander.webhook().await;
    bystander.send_by(&["task_assigned"], &["slack"]).await;
    for number in 1..4 {
        bystander.assign(&bystander.manager, "Dust", &bystander.member).await;
        let arrived = async || provided(webhook.count(), |count| *count == number);
        target.until("a bystander's delivery to arrive", arrived).await;
        assert!(held.count() <= SHARE, "{} of another tenant's are under way", held.count());
    }
    // All that while most of the other one's waited.
    assert!(waiting(&attacker).await >= i64::try_from(MANY - SHARE).expect("a number"));
    // While what is under way stands still: nothing else of the tenant is written then.
    let path = format!("/v1/tenant?confirm={}", attacker.slug);
    attacker.owner.delete(&path).tenant(&attacker.id).send().await.expect(204);
    gate.open();
}

async fn forgotten(place: &'static Place) {
    let target = &place.target;
    let (attacker, held, gate) = hold(target).await;
    let bystander = Actor::register(target, "forgetful").await;
    let forgotten = json!({ "email": bystander.email });
    let nobody = super::bystander::nobody(target);
    nobody.post("/v1/auth/password-reset").json(&forgotten).send().await.expect(204);
    target.mail_to(&bystander.email).await;
    assert!(held.count() <= SHARE && waiting(&attacker).await > 0);
    // While what is under way stands still: nothing else of the tenant is written then.
    let path = format!("/v1/tenant?confirm={}", attacker.slug);
    attacker.owner.delete(&path).tenant(&attacker.id).send().await.expect(204);
    gate.open();
}
