//! What the outbox owes to others: nobody waits for somebody else's receiver, and what must not be said any more is not
//! said.

use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    outbox::Webhook,
    provided,
    receivers::{Trouble, http::Behaviour},
    targets::Target,
};
use serde_json::{Value, json};

use crate::apart::Apart;

crate::cases!("sending":
    a_slow_receiver_keeps_no_other_tenant_waiting,
    a_suspended_tenant_sends_nothing_until_it_is_resumed,
    an_invitation_that_is_no_longer_open_is_not_sent,
    whose_account_is_disabled_is_told_nothing,
    what_cannot_be_read_holds_nothing_else_up,
    attempts_that_never_end_are_not_made_for_ever,
);

/// Targets that do not listen for long to a receiver that does not answer.
pub(crate) static IMPATIENT: Apart = Apart::with(&[("OUTBOUND_TIMEOUT", "1s")]);

/// Deliveries of one tenant that may be under way at once: the half of what a round takes.
const SHARE: i64 = 10;

async fn with_webhook(target: &'static Target) -> (Tenant<'static>, Webhook) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["task_assigned"], &["slack"]).await;
    (tenant, webhook)
}

fn is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |delivery| delivery["state"] == state
}

async fn a_slow_receiver_keeps_no_other_tenant_waiting(target: &'static Target) {
    let target = IMPATIENT.like(target).await;
    let ((slow, silent), (quick, prompt)) = tokio::join!(with_webhook(target), with_webhook(target));
    silent.always(Behaviour::Silent);
    for _ in 0..40 {
        slow.assign(&slow.manager, "Sweep", &slow.member).await;
    }
    target.until("the silence to begin", || async { provided(silent.count(), |count| *count > 0) }).await;
    quick.assign(&quick.manager, "Dust", &quick.member).await;
    // Never is more of the slow one's under way than its share, so that there is room for others.
    let under_way = format!(
        "SELECT count(*) FROM deliveries WHERE tenant_id = '{}' AND state = 'pending' AND claim IS NOT NULL",
        slow.id
    );
    let sent = async || {
        let busy = target.backdoor.count(&under_way).await;
        assert!(busy <= SHARE, "{busy}");
        let newest = quick.deliveries().await.into_iter().next();
        newest.ok_or(Value::Null).and_then(|newest| provided(newest, is("sent")))
    };
    target.until("the quick one's to be sent", sent).await;
    assert_eq!(prompt.count(), 1);
    let path = format!("/v1/tenant?confirm={}", slow.slug);
    slow.owner.delete(&path).tenant(&slow.id).send().await.expect(204);
}

async fn a_suspended_tenant_sends_nothing_until_it_is_resumed(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    // Not due again before the tenant is suspended.
    webhook.behave([Behaviour::RetryAfter(503, 3600)]);
    tenant.assign(&tenant.manager, "Sweep", &tenant.member).await;
    tenant.delivery("postponed", |delivery| delivery["last_error"].is_string()).await;
    let close = |when: &str| format!("UPDATE tenants SET suspended_at = {when} WHERE id = '{}'", tenant.id);
    target.backdoor.sql(&close("created_at")).await;
    let due = format!(
        "UPDATE deliveries SET next_attempt_at = '2026-01-01T00:00:00.000Z' WHERE tenant_id = '{}'",
        tenant.id
    );
    target.backdoor.sql(&due).await;
    // Another tenant's arrives meanwhile, so the outbox was looked through.
    let (other, prompt) = with_webhook(target).await;
    for _ in 0..3 {
        other.assign(&other.manager, "Dust", &other.member).await;
    }
    other.settled().await;
    assert_eq!((prompt.count(), webhook.count()), (3, 1));
    target.backdoor.sql(&close("NULL")).await;
    tenant.delivery("sent", is("sent")).await;
}

async fn an_invitation_that_is_no_longer_open_is_not_sent(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let address = format!("{}@example.com", unique("guest"));
    target.mailbox.always_refuse(&address, Trouble::ForGood);
    let new = json!({ "email": address, "role": "viewer" });
    let made = tenant.owner.post("/v1/invitations").tenant(&tenant.id).json(&new).send().await.expect(201);
    let dead = tenant.delivery("given up", is("dead")).await;
    let path = format!("/v1/invitations/{}", made.text_at("/id"));
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    target.mailbox.refuse(&address, Trouble::ForGood, 0);
    tenant.retry(&dead).await.expect(200);
    let dead = tenant.delivery("given up again", is("dead")).await;
    assert_eq!(dead["last_error"], "the invitation is no longer open");
    assert!(target.mailbox.mails(&address).iter().all(|mail| !mail.taken));
}

async fn whose_account_is_disabled_is_told_nothing(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["task_assigned"], &["email"]).await;
    let gone = Actor::register(target, "gone").await;
    tenant.admit(&gone, "member").await;
    target.mailbox.always_refuse(&gone.email, Trouble::ForGood);
    tenant.assign(&tenant.manager, "Sweep", &gone).await;
    let dead = tenant.delivery("given up", is("dead")).await;
    let disable = format!("UPDATE users SET disabled_at = created_at WHERE id = '{}'", gone.id);
    target.backdoor.sql(&disable).await;
    target.mailbox.refuse(&gone.email, Trouble::ForGood, 0);
    tenant.retry(&dead).await.expect(200);
    tenant.delivery("given up again", is("dead")).await;
    assert!(target.mailbox.mails(&gone.email).iter().all(|mail| !mail.taken));
}

async fn what_cannot_be_read_holds_nothing_else_up(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    webhook.always(Behaviour::Status(500));
    tenant.assign(&tenant.manager, "Sweep", &tenant.member).await;
    tenant.assign(&tenant.manager, "Dust", &tenant.member).await;
    tenant.delivery("given up", |delivery| delivery["state"] == "dead").await;
    tenant.settled().await;
    // As a newer version might have written it. Both are due at the same moment.
    let revive = |kind: &str, title: &str| {
        format!(
            "UPDATE deliveries SET kind = '{kind}', state = 'pending', attempts = 0, \
             next_attempt_at = '2026-01-01T00:00:00.000Z' WHERE tenant_id = '{}' AND title LIKE '%{title}%'",
            tenant.id
        )
    };
    webhook.always(Behaviour::Ok);
    let before = webhook.count();
    target.backdoor.sql(&revive("of_the_future", "Sweep")).await;
    target.backdoor.sql(&revive("task_assigned", "Dust")).await;
    target
        .until("the other one to arrive", || async { provided(webhook.count(), |count| *count > before) })
        .await;
    let dead = format!(
        "SELECT count(*) FROM deliveries WHERE tenant_id = '{}' AND state = 'dead' AND last_error LIKE 'it cannot be read here%'",
        tenant.id
    );
    target
        .until("the unreadable one to be given up", async || {
            provided(target.backdoor.count(&dead).await, |count| *count == 1)
        })
        .await;
    // With the version that knows it, it may be tried anew.
    target.backdoor.sql(&revive("task_assigned", "Sweep")).await;
    tenant.settled().await;
    assert_eq!(webhook.count(), before + 2);
}

/// As they are if whoever makes them dies each time. So many are chance, beyond the three that all have.
async fn attempts_that_never_end_are_not_made_for_ever(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    for (begun, state) in [(22, "sent"), (23, "dead")] {
        webhook.behave([Behaviour::RetryAfter(503, 3600)]);
        tenant.assign(&tenant.manager, "Sweep", &tenant.member).await;
        tenant.delivery("postponed", |delivery| delivery["last_error"].is_string()).await;
        let count = webhook.count();
        let unsettled = format!(
            "UPDATE deliveries SET attempts = {begun}, next_attempt_at = '2026-01-01T00:00:00.000Z' \
             WHERE tenant_id = '{}' AND state = 'pending'",
            tenant.id
        );
        target.backdoor.sql(&unsettled).await;
        let ended = tenant.delivery("ended", |delivery| delivery["state"] != "pending").await;
        assert_eq!((&ended["state"], &ended["attempts"]), (&json!(state), &json!(begun + 1)), "{ended}");
        if state == "sent" {
            assert_eq!(webhook.count(), count + 1);
        } else {
            assert_eq!(ended["last_error"], "no attempt came to an end");
            assert_eq!(webhook.count(), count);
        }
    }
}
