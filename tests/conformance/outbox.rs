//! The outbox: what is written with a change arrives, however often the other side fails, and whoever owns the tenant
//! sees how far it got. Emails and what is in them are in `emails`.

use bailiwick_tests::{
    actors::{Tenant, new_id},
    backdoor::Backdoor,
    outbox::Webhook,
    provided,
    receivers::{
        Trouble,
        http::{Behaviour, Gate, Receiver},
    },
    targets::Target,
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::sending::IMPATIENT;

crate::cases!("outbox":
    what_was_sent_is_shown,
    a_failure_is_followed_by_another_attempt,
    given_up_in_the_end_and_revived_by_an_owner,
    a_final_refusal_is_not_asked_twice,
    a_connection_that_breaks_is_tried_again,
    nobody_waits_for_a_slow_receiver,
    later_is_when_the_receiver_says,
    redirects_are_not_followed,
    an_address_that_the_guard_refuses_is_not_asked_however_it_came_there,
    webhooks_that_are_not_taken,
    a_webhook_is_shown_to_nobody,
    one_escaped_message_for_everybody,
    what_is_configured_when_it_is_sent_counts,
    whoever_has_gone_before_it_is_sent_is_told_nothing,
    only_what_was_given_up_is_tried_anew,
    deliveries_are_filtered_and_paged,
    a_tenant_is_deleted_with_what_it_has_in_the_outbox,
    a_tenant_is_deleted_while_its_delivery_is_under_way,
    what_was_settled_long_ago_is_dropped_at_the_edge,
);

/// A tenant whose channel is told of assigned tasks.
async fn with_webhook(target: &'static Target) -> (Tenant<'static>, Webhook) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["task_assigned"], &["slack"]).await;
    (tenant, webhook)
}

async fn assign(tenant: &Tenant<'_>) -> String {
    tenant.assign(&tenant.manager, "Sweep", &tenant.member).await
}

fn is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |delivery| delivery["state"] == state
}

/// An attempt has failed, and another one will follow.
fn postponed(delivery: &Value) -> bool {
    delivery["state"] == "pending" && delivery["last_error"].is_string()
}

#[track_caller]
fn assert_dead(delivery: &Value, attempts: usize, error: &str) {
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("dead"), &json!(attempts)), "{delivery}");
    assert_eq!((&delivery["next_attempt_at"], &delivery["sent_at"]), (&Value::Null, &Value::Null));
    assert!(delivery["last_error"].as_str().is_some_and(|said| said.contains(error)), "{delivery}");
}

#[track_caller]
fn assert_sent(delivery: &Value, attempts: usize) {
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("sent"), &json!(attempts)), "{delivery}");
    assert_eq!((&delivery["next_attempt_at"], &delivery["last_error"]), (&Value::Null, &Value::Null));
    assert!(delivery["sent_at"].is_string(), "{delivery}");
}

/// Seconds between two times that a delivery has.
fn seconds(delivery: &Value, from: &str, to: &str) -> i64 {
    let time = |name: &str| {
        let text = delivery[name].as_str().unwrap_or_else(|| panic!("no {name} in {delivery}"));
        OffsetDateTime::parse(text, &Rfc3339).expect("a time")
    };
    (time(to) - time(from)).whole_seconds()
}

async fn what_was_sent_is_shown(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    let task = assign(&tenant).await;
    let sent = tenant.delivery("sent", is("sent")).await;
    assert_sent(&sent, 1);
    assert_eq!((&sent["channel"], &sent["kind"]), (&json!("slack"), &json!("task_assigned")));
    assert_eq!((&sent["subject_type"], &sent["subject_id"]), (&json!("task"), &json!(task)));
    assert_eq!(sent["title"], "manager assigned you \u{201c}Sweep\u{201d}");
    assert!(sent.get("body").is_none() && sent.get("claim").is_none(), "{sent}");
    // The channel is everybody's, so it is said there whom it is for.
    assert_eq!(webhook.texts(), ["manager assigned you \u{201c}Sweep\u{201d}\nFor member"]);
    // Owners see deliveries; others do not.
    let refused = tenant.manager.get("/v1/admin/deliveries").tenant(&tenant.id).send().await;
    refused.problem(403, "insufficient_role");
}

async fn a_failure_is_followed_by_another_attempt(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    webhook.behave([Behaviour::Status(500), Behaviour::Status(503)]);
    assign(&tenant).await;
    assert_sent(&tenant.delivery("sent in the end", is("sent")).await, 3);
    let texts = webhook.texts();
    assert!(texts.len() == 3 && texts.iter().all(|text| *text == texts[0]), "{texts:?}");
}

async fn given_up_in_the_end_and_revived_by_an_owner(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    webhook.always(Behaviour::Status(500));
    assign(&tenant).await;
    let dead = tenant.delivery("given up", is("dead")).await;
    assert_dead(&dead, 3, "500");
    assert_eq!(webhook.count(), 3);
    // It stays so, whoever else has something to say.
    let (other, others_webhook) = with_webhook(target).await;
    assign(&other).await;
    other.delivery("sent", is("sent")).await;
    assert_eq!((webhook.count(), others_webhook.count()), (3, 1));

    webhook.behave([Behaviour::Status(502)]);
    let revived = tenant.retry(&dead).await.expect(200);
    assert_eq!((&revived.body["state"], &revived.body["attempts"]), (&json!("pending"), &json!(0)));
    assert_eq!(revived.body["id"], dead["id"]);
    assert_sent(&tenant.delivery("sent after all", is("sent")).await, 2);
    assert_eq!(webhook.count(), 5);
    let log = tenant.owner.get("/v1/admin/activity?action=delivery.retried").tenant(&tenant.id).send().await;
    assert_eq!(log.expect(200).body["data"][0]["entity_id"], dead["id"]);
}

async fn a_final_refusal_is_not_asked_twice(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    for (index, status) in [400, 403, 404, 410].into_iter().enumerate() {
        webhook.always(Behaviour::Status(status));
        assign(&tenant).await;
        assert_dead(&tenant.delivery("given up at once", is("dead")).await, 1, &status.to_string());
        assert_eq!(webhook.count(), index + 1);
    }
}

async fn a_connection_that_breaks_is_tried_again(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    webhook.behave([Behaviour::HangUp]);
    assign(&tenant).await;
    let sent = tenant.delivery("sent in the end", is("sent")).await;
    assert_sent(&sent, webhook.count());
    webhook.always(Behaviour::HangUp);
    assign(&tenant).await;
    assert_dead(&tenant.delivery("given up", is("dead")).await, 3, "");
}

async fn nobody_waits_for_a_slow_receiver(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    // It answers when it has been seen that the service did not wait for it.
    let gate = Gate::shut();
    webhook.behave([Behaviour::Held(gate.clone(), 200), Behaviour::Held(gate.clone(), 200)]);
    assign(&tenant).await;
    assign(&tenant).await;
    webhook.receiver.wait_for(&webhook.path, 1).await;
    assert_eq!(webhook.ended(), 0);
    gate.open();
    let sent = tenant.settled().await;
    assert!(sent.len() == 2 && sent.iter().all(is("sent")), "{sent:?}");
    assert_eq!(webhook.count(), 2);

    // One that never answers is given up, and asked again.
    let (tenant, webhook) = with_webhook(IMPATIENT.like(target).await).await;
    webhook.behave([Behaviour::Silent, Behaviour::Silent]);
    assign(&tenant).await;
    // It answers at last: perhaps later than it is listened to, on a machine that has much to do.
    let sent = tenant.delivery("sent or given up", |delivery| !is("pending")(delivery)).await;
    assert!(is("sent")(&sent) && sent["attempts"] == 3 || webhook.count() == 3, "{sent}");
    webhook.always(Behaviour::Silent);
    assign(&tenant).await;
    assert_dead(&tenant.delivery("given up", is("dead")).await, 3, "did not answer in time");
}

async fn later_is_when_the_receiver_says(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    webhook.behave([Behaviour::RetryAfter(429, 3600)]);
    assign(&tenant).await;
    let waiting = tenant.delivery("postponed", postponed).await;
    assert_eq!((&waiting["attempts"], &waiting["sent_at"]), (&json!(1), &Value::Null));
    assert!(waiting["last_error"].as_str().is_some_and(|said| said.contains("429")), "{waiting}");
    let pause = seconds(&waiting, "created_at", "next_attempt_at");
    assert!((3600..3660).contains(&pause), "{waiting}");
    // Nobody is kept waiting for longer than a day.
    webhook.behave([Behaviour::RetryAfter(503, 10 * 24 * 3600)]);
    assign(&tenant).await;
    let waiting = tenant.delivery("postponed", postponed).await;
    let pause = seconds(&waiting, "created_at", "next_attempt_at");
    assert!((24 * 3600..24 * 3600 + 60).contains(&pause), "{waiting}");
    // A receiver that comes back sooner than it is our habit does not speed us up.
    webhook.behave([Behaviour::RetryAfter(429, 0)]);
    assign(&tenant).await;
    assert_sent(&tenant.delivery("sent", is("sent")).await, 2);
    assert_eq!(webhook.count(), 4);
}

async fn redirects_are_not_followed(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    // A server that only this machine can reach, and one that may be asked, but was not meant.
    let private = Receiver::start().await;
    let elsewhere = format!("{}/elsewhere", webhook.path);
    for status in [301, 302, 303, 307, 308] {
        for to in [private.url("/latest/meta-data"), webhook.receiver.url(&elsewhere)] {
            webhook.always(Behaviour::Redirect(status, to));
            assign(&tenant).await;
            assert_dead(&tenant.delivery("given up at once", is("dead")).await, 1, &status.to_string());
        }
    }
    assert_eq!(private.everything().len(), 0);
    assert_eq!((webhook.count(), webhook.receiver.count(&elsewhere)), (10, 0));
}

async fn an_address_that_the_guard_refuses_is_not_asked_however_it_came_there(target: &'static Target) {
    let (tenant, _) = with_webhook(target).await;
    let private = Receiver::start().await;
    // As if it had been allowed when it was configured.
    let config = json!({
        "channels": { "task_assigned": ["slack"] }, "slack_webhook_url": private.url("/services/private"),
    });
    let sql = format!("UPDATE tenants SET config = '{config}' WHERE id = '{}'", tenant.id);
    target.backdoor.sql(&sql).await;
    assign(&tenant).await;
    let dead = tenant.delivery("given up at once", is("dead")).await;
    assert_dead(&dead, 1, "refused");
    assert!(!dead.to_string().contains("private"), "{dead}");
    assert_eq!(private.everything().len(), 0);
}

async fn webhooks_that_are_not_taken(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    let elsewhere = webhook.receiver.origin().replace("http://", "https://");
    let local = webhook.receiver.origin().replace("127.0.0.1", "localhost");
    for url in [
        "",
        "hooks.slack.com/services/x",
        "http://hooks.slack.com/services/x",
        "ftp://hooks.slack.com/services/x",
        "https://example.com/services/x",
        "https://hooks.slack.com.example.com/services/x",
        "https://hooks.slack.com@example.com/services/x",
        "https://user:password@hooks.slack.com/services/x",
        "https://hooks.slack.com\\@127.0.0.1/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/services/x",
        "https://localhost/",
        &elsewhere,
        &local,
        &format!("https://hooks.slack.com/{}", "x".repeat(500)),
    ] {
        let refused = tenant.configure(&json!({ "slack_webhook_url": url })).await;
        let refused = refused.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), ["/slack_webhook_url"], "{url}");
    }
    let read = tenant.owner.get("/v1/tenant/config").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(read.body["slack_webhook_url"], format!("{}/***", webhook.receiver.origin()));
    for url in ["https://hooks.slack.com/services/T/B/x", "https://HOOKS.slack-gov.com/services/T/B/x"] {
        tenant.configure(&json!({ "slack_webhook_url": url })).await.expect(200);
    }
}

async fn a_webhook_is_shown_to_nobody(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    let mut seen =
        vec![tenant.configure(&json!({ "slack_webhook_url": webhook.url() })).await.expect(200).text];
    for behaviour in [
        Behaviour::Ok,
        Behaviour::HangUp,
        Behaviour::Status(404),
        Behaviour::Status(500),
        Behaviour::Redirect(302, webhook.url()),
    ] {
        webhook.always(behaviour);
        assign(&tenant).await;
        tenant.settled().await;
    }
    for path in ["/v1/tenant/config", "/v1/tenant", "/v1/admin/deliveries", "/v1/admin/activity?limit=100"] {
        seen.push(tenant.owner.get(path).tenant(&tenant.id).send().await.expect(200).text);
    }
    for text in seen {
        assert!(!text.contains(&webhook.path) && !text.contains("secret-of"), "{text}");
    }
    let rows = target.backdoor.snapshot(&tenant.id).await;
    let kept: Vec<_> = rows.iter().filter(|row| row.contains("secret-of")).collect();
    assert!(kept.len() == 1 && kept[0].starts_with("tenants "), "{kept:?}");
}

async fn one_escaped_message_for_everybody(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    tenant.send_by(&["rejected"], &["slack"]).await;
    let name = json!({ "name": "<!here> & co" });
    tenant.member.patch("/v1/me").json(&name).send().await.expect(200);
    let project = json!({ "name": "<!channel> & \u{1F9ED} <https://evil.example|Click>" });
    let created =
        tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&project).send().await.expect(201);
    let id = created.text_at("/id");
    tenant.transition(&tenant.member, &id, "submitted", None).await;
    tenant.transition(&tenant.manager, &id, "rejected", Some("a < b && c > d\n&lt; \"q\"")).await;
    tenant.settled().await;
    // Two people are told, in one message.
    let said = "manager rejected \u{201c}&lt;!channel&gt; &amp; \u{1F9ED} &lt;https://evil.example|Click&gt;\u{201d}\n\
                a &lt; b &amp;&amp; c &gt; d\n&amp;lt; \"q\"";
    let names = ["&lt;!here&gt; &amp; co", "owner"].map(str::to_owned).to_vec();
    assert_eq!(webhook.messages(), [(said.to_owned(), names)]);
}

async fn what_is_configured_when_it_is_sent_counts(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    webhook.always(Behaviour::Status(410));
    assign(&tenant).await;
    let dead = tenant.delivery("given up", is("dead")).await;
    let url = format!("{}-new", webhook.url());
    tenant.configure(&json!({ "slack_webhook_url": url })).await.expect(200);
    tenant.retry(&dead).await.expect(200);
    tenant.delivery("sent", is("sent")).await;
    assert_eq!((webhook.count(), webhook.receiver.count(&format!("{}-new", webhook.path))), (1, 1));

    webhook.receiver.always(&format!("{}-new", webhook.path), Behaviour::Status(410));
    assign(&tenant).await;
    let dead = tenant.delivery("given up", is("dead")).await;
    tenant.configure(&json!({ "slack_webhook_url": null, "channels": null })).await.expect(200);
    tenant.retry(&dead).await.expect(200);
    assert_dead(&tenant.delivery("given up again", is("dead")).await, 1, "webhook");
    assert_eq!((webhook.count(), webhook.receiver.count(&format!("{}-new", webhook.path))), (1, 2));
}

async fn whoever_has_gone_before_it_is_sent_is_told_nothing(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["task_assigned"], &["email"]).await;
    let path = format!("/v1/members/{}", tenant.member.id);
    for removes in [false, true] {
        // It cannot be sent as long as they are in; when it could be, they have gone.
        target.mailbox.always_refuse(&tenant.member.email, Trouble::ForGood);
        assign(&tenant).await;
        let dead = tenant.delivery("given up", is("dead")).await;
        let ask = if removes { tenant.owner.delete(&path) } else { tenant.owner.patch(&path) };
        let suspend = json!({ "status": "suspended" });
        let ask = ask.tenant(&tenant.id).maybe((!removes).then_some(&suspend));
        ask.send().await.expect(if removes { 204 } else { 200 });
        target.mailbox.refuse(&tenant.member.email, Trouble::ForGood, 0);
        tenant.retry(&dead).await.expect(200);
        assert_dead(&tenant.delivery("given up again", is("dead")).await, 1, "no longer");
        assert!(target.mailbox.mails(&tenant.member.email).iter().all(|mail| !mail.taken));
        if !removes {
            let back = json!({ "status": "active" });
            tenant.owner.patch(&path).tenant(&tenant.id).json(&back).send().await.expect(200);
        }
    }
}

async fn only_what_was_given_up_is_tried_anew(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    assign(&tenant).await;
    let sent = tenant.delivery("sent", is("sent")).await;
    tenant.retry(&sent).await.problem(409, "delivery_not_dead");
    webhook.behave([Behaviour::RetryAfter(429, 3600)]);
    assign(&tenant).await;
    let waiting = tenant.delivery("postponed", postponed).await;
    tenant.retry(&waiting).await.problem(409, "delivery_not_dead");
    tenant.retry(&json!({ "id": new_id() })).await.problem(404, "not_found");
    let other = Tenant::create(target).await;
    let foreign = json!({ "id": other.dead_delivery().await });
    let before = target.backdoor.snapshot(&other.id).await;
    tenant.retry(&foreign).await.problem(404, "not_found");
    assert_eq!(target.backdoor.snapshot(&other.id).await, before);
    assert_eq!(webhook.count(), 2);
}

async fn deliveries_are_filtered_and_paged(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    let plan = [
        ("dead", Behaviour::Status(404)),
        ("pending", Behaviour::RetryAfter(429, 3600)),
        ("sent", Behaviour::Ok),
        ("dead", Behaviour::Status(410)),
    ];
    for (state, behaviour) in plan.clone() {
        webhook.behave([behaviour]);
        assign(&tenant).await;
        tenant
            .delivery(state, |delivery| postponed(delivery) || is(state)(delivery) && state != "pending")
            .await;
    }
    let read = async |query: &str| {
        let listed =
            tenant.owner.get(&format!("/v1/admin/deliveries?{query}")).tenant(&tenant.id).send().await;
        let listed = listed.expect(200);
        let list = listed.body["data"].as_array().expect("a list");
        let states: Vec<_> = list.iter().map(|delivery| delivery["state"].clone()).collect();
        (states, listed.body["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(read("").await.0, ["dead", "sent", "pending", "dead"]);
    for (state, count) in [("dead", 2), ("sent", 1), ("pending", 1)] {
        assert_eq!(read(&format!("state={state}")).await.0, vec![state; count]);
    }
    let (first, cursor) = read("limit=3").await;
    let next = format!("limit=3&cursor={}", cursor.expect("a cursor"));
    assert_eq!((first.len(), read(&next).await), (3, (vec![json!("dead")], None)));
    let stray = tenant.owner.get(&format!("/v1/admin/deliveries?{next}&state=dead")).tenant(&tenant.id);
    stray.send().await.problem(400, "invalid_cursor");
    let statistics = tenant.owner.get("/v1/admin/stats").tenant(&tenant.id).send().await.expect(200);
    assert_eq!(statistics.body["deliveries"], json!({ "dead": 2, "pending": 1, "sent": 1 }));
}

async fn delete(tenant: &Tenant<'_>) {
    let path = format!("/v1/tenant?confirm={}", tenant.slug);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    let rows = format!("SELECT count(*) FROM deliveries WHERE tenant_id = '{}'", tenant.id);
    assert_eq!(tenant.owner.target.backdoor.count(&rows).await, 0);
}

async fn a_tenant_is_deleted_with_what_it_has_in_the_outbox(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    webhook.behave([Behaviour::RetryAfter(429, 2)]);
    assign(&tenant).await;
    tenant.delivery("postponed", postponed).await;
    delete(&tenant).await;
    // Others are told as ever, and go on being told when the time of what was deleted has come.
    let (other, others_webhook) = with_webhook(target).await;
    others_webhook.behave([Behaviour::RetryAfter(429, 3)]);
    assign(&other).await;
    assert_sent(&other.delivery("sent", is("sent")).await, 2);
    assert_eq!((webhook.count(), others_webhook.count()), (1, 2));
}

async fn a_tenant_is_deleted_while_its_delivery_is_under_way(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    let gate = Gate::shut();
    webhook.behave([Behaviour::Held(gate.clone(), 200)]);
    assign(&tenant).await;
    webhook.receiver.wait_for(&webhook.path, 1).await;
    delete(&tenant).await;
    gate.open();
    target.until("the end of the attempt", || async { provided(webhook.ended(), |ended| *ended == 1) }).await;
    let (other, others_webhook) = with_webhook(target).await;
    assign(&other).await;
    assert_sent(&other.delivery("sent", is("sent")).await, 1);
    assert_eq!((webhook.count(), others_webhook.count()), (1, 1));
    let rows = format!("SELECT count(*) FROM deliveries WHERE tenant_id = '{}'", tenant.id);
    assert_eq!(target.backdoor.count(&rows).await, 0);
}

/// By the cron trigger. (A native server does it when it starts, and every half an hour: see the tests of the binary.)
async fn what_was_settled_long_ago_is_dropped_at_the_edge(target: &'static Target) {
    if !matches!(target.backdoor, Backdoor::Edge(..)) {
        return;
    }
    let (tenant, _webhook) = with_webhook(target).await;
    let ids = async || {
        let all = tenant.deliveries().await;
        let sent = all.iter().filter(|delivery| delivery["state"] == "sent");
        sent.map(|delivery| delivery["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    for _ in 0..3 {
        assign(&tenant).await;
    }
    let sent = target
        .until("three were sent", async || {
            let ids = ids().await;
            provided(ids, |ids| ids.len() == 3)
        })
        .await;
    let age = format!(
        "UPDATE deliveries SET next_attempt_at = '2025-01-01T00:00:00.000Z' WHERE tenant_id = '{}' AND id = '{}'",
        tenant.id, sent[1]
    );
    target.backdoor.sql(&age).await;
    let left = target
        .until("one was dropped", async || {
            let ids = ids().await;
            provided(ids, |ids| ids.len() < 3)
        })
        .await;
    assert_eq!(left, [sent[0].clone(), sent[2].clone()]);
}
