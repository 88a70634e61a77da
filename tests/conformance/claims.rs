//! What a round in the background takes in hand: of what is due the oldest first, and of nobody's more than their share.
//! What waits for its time, what was settled and what a sender has left behind who is gone takes nobody's place.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    outbox::Webhook,
    provided,
    receivers::{
        Trouble,
        http::{Behaviour, Gate},
    },
    targets::Target,
};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::apart::Apart;

crate::cases!("claims":
    a_tenant_has_no_more_than_its_share_under_way,
    what_is_due_later_or_was_settled_takes_nobodys_place,
    what_a_sender_left_behind_is_sent,
    who_has_lost_a_delivery_settles_nothing,
    between_two_that_wait_a_tenant_has_its_turn,
    a_round_takes_the_first_of_each_tenant_first,
    mails_about_passwords_have_no_more_than_their_share_under_way,
    a_mail_that_is_tried_later_takes_nobodys_place,
    each_mail_is_settled_by_itself,
    who_has_lost_a_mail_settles_nothing,
    a_mail_that_came_too_late_is_not_tried,
);

/// Targets on which nothing else is sent, and on which what failed is tried again long after.
pub(crate) static QUIET: Apart = Apart::with(&[("OUTBOX_BACKOFF", "1h"), ("OUTBOX_BACKOFF_MAX", "1h")]);

/// Who has them.
static TURN: Mutex<()> = Mutex::const_new(());

/// The quiet target of the same kind, for as long as this case runs.
async fn quiet(target: &Target) -> (MutexGuard<'static, ()>, &'static Target) {
    (TURN.lock().await, QUIET.like(target).await)
}

const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";
const LATER: &str = "2100-01-01T00:00:00.000Z";

/// What a round takes at the most. Of that a tenant, and mails about passwords, have the half.
fn of_a_round(target: &Target) -> usize {
    if target.name == "edge+d1" { 6 } else { 20 }
}

async fn with_webhook(target: &'static Target) -> (Tenant<'static>, Webhook) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["task_assigned"], &["slack"]).await;
    (tenant, webhook)
}

/// Has the tenant told of so many tasks at the same moment.
async fn assign(tenant: &Tenant<'_>, count: usize) {
    let project = tenant.project("in_progress", None).await;
    let create = |number| json!({ "op": "create", "title": format!("Task {number}"), "assignee_id": tenant.member.id });
    let operations: Vec<_> = (0..count).map(create).collect();
    let ask = tenant.manager.post(&format!("/v1/projects/{project}/tasks/bulk")).tenant(&tenant.id);
    ask.json(&json!({ "operations": operations })).send().await.expect(200);
}

async fn count(target: &Target, rows: &str) -> usize {
    let count = target.backdoor.count(&format!("SELECT count(*) FROM {rows}")).await;
    usize::try_from(count).expect("a number")
}

/// Waits until there are so many of these rows.
async fn until(target: &Target, rows: &str, expected: usize) {
    let look = async || provided(count(target, rows).await, |count| *count == expected);
    target.until(&format!("{expected} of {rows}"), look).await;
}

/// Has something sent that is due after all that was due before: then a round has looked at that, too.
async fn a_round_later(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    assign(&tenant, 1).await;
    tenant.delivery("sent", |delivery| delivery["state"] == "sent").await;
    assert_eq!(webhook.count(), 1);
}

async fn a_tenant_has_no_more_than_its_share_under_way(target: &'static Target) {
    let (_turn, target) = quiet(target).await;
    let (tenant, webhook) = with_webhook(target).await;
    let (gate, share) = (Gate::shut(), of_a_round(target) / 2);
    webhook.always(Behaviour::Held(gate.clone(), 200));
    assign(&tenant, 2 * share + 3).await;
    let under_way =
        format!("deliveries WHERE tenant_id = '{}' AND state = 'pending' AND claim IS NOT NULL", tenant.id);
    until(target, &under_way, share).await;
    a_round_later(target).await;
    assert_eq!(count(target, &under_way).await, share);
    gate.open();
    let path = format!("/v1/tenant?confirm={}", tenant.slug);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
}

async fn what_is_due_later_or_was_settled_takes_nobodys_place(target: &'static Target) {
    const SOME: usize = 12;
    let (tenant, webhook) = with_webhook(target).await;
    assign(&tenant, SOME).await;
    tenant.settled().await;
    webhook.behave((0..SOME).map(|_| Behaviour::RetryAfter(503, 3600)));
    assign(&tenant, SOME).await;
    let of_tenant = format!("deliveries WHERE tenant_id = '{}'", tenant.id);
    until(target, &format!("{of_tenant} AND last_error IS NOT NULL"), SOME).await;
    assign(&tenant, SOME).await;
    until(target, &format!("{of_tenant} AND state = 'sent'"), 2 * SOME).await;
    a_round_later(target).await;
    // Each was tried once.
    let states: Vec<_> = tenant.deliveries().await.iter().map(|delivery| delivery["state"].clone()).collect();
    let expected = ["sent", "pending", "sent"].map(|state| vec![json!(state); SOME]).concat();
    assert_eq!(states, expected);
    until(target, &format!("{of_tenant} AND attempts = 1"), 3 * SOME).await;
    assert_eq!(webhook.count(), 3 * SOME);
}

async fn what_a_sender_left_behind_is_sent(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    let some = of_a_round(target);
    left(&[(&tenant, some, LONG_AGO)], Some(&new_id())).await;
    let deliveries = tenant.settled().await;
    let sent = |delivery: &&Value| delivery["state"] == "sent" && delivery["attempts"] == 2;
    assert_eq!(deliveries.iter().filter(sent).count(), some, "{deliveries:?}");
    assert_eq!(webhook.count(), some);
}

/// Puts deliveries in that were tried once, all at the same moment: so many of each tenant, due at a time.
async fn left(of: &[(&Tenant<'static>, usize, &str)], claim: Option<&str>) {
    let claim = claim.map_or_else(|| "NULL".to_owned(), |claim| format!("'{claim}'"));
    let row = |(tenant, due): (&str, &str)| {
        format!(
            "('{tenant}', '{0}', 'slack', 'task_assigned', 'A title', '', 'task', '{0}', 'pending', 1, '{due}', {claim}, '{due}')",
            new_id()
        )
    };
    let rows = of.iter().flat_map(|(tenant, count, due)| vec![(tenant.id.as_str(), *due); *count]);
    let rows = rows.map(row).collect::<Vec<_>>().join(", ");
    let columns = "tenant_id, id, channel, kind, title, body, subject_type, subject_id, state, attempts, \
         next_attempt_at, claim, created_at";
    let (tenant, ..) = of[0];
    tenant.owner.target.backdoor.sql(&format!("INSERT INTO deliveries ({columns}) VALUES {rows}")).await;
}

/// Whoever was slow to send something may find that somebody else has taken it over since.
async fn who_has_lost_a_delivery_settles_nothing(target: &'static Target) {
    let (tenant, webhook) = with_webhook(target).await;
    let (gate, theirs) = (Gate::shut(), new_id());
    webhook.behave([Behaviour::Held(gate.clone(), 200)]);
    assign(&tenant, 1).await;
    webhook.receiver.wait_for(&webhook.path, 1).await;
    let taken_over = format!(
        "UPDATE deliveries SET claim = '{theirs}', next_attempt_at = '{LATER}' WHERE tenant_id = '{}'",
        tenant.id
    );
    target.backdoor.sql(&taken_over).await;
    gate.open();
    target.until("the end of the attempt", || async { provided(webhook.ended(), |ended| *ended == 1) }).await;
    a_round_later(target).await;
    let still = format!(
        "deliveries WHERE tenant_id = '{}' AND claim = '{theirs}' AND state = 'pending' AND next_attempt_at = '{LATER}'",
        tenant.id
    );
    assert_eq!(count(target, &still).await, 1);
}

/// Tenants have their turns in the order of their ids.
async fn between_two_that_wait_a_tenant_has_its_turn(target: &'static Target) {
    let mut three = Vec::new();
    for _ in 0..3 {
        three.push(with_webhook(target).await);
    }
    three.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    for (tenant, webhook) in [&three[0], &three[2]] {
        webhook.behave([Behaviour::RetryAfter(503, 3600)]);
        assign(tenant, 1).await;
        tenant.delivery("postponed", |delivery| delivery["last_error"].is_string()).await;
    }
    let (tenant, _webhook) = &three[1];
    assign(tenant, 1).await;
    tenant.delivery("sent", |delivery| delivery["state"] == "sent").await;
}

async fn a_round_takes_the_first_of_each_tenant_first(target: &'static Target) {
    let (_turn, target) = quiet(target).await;
    let share = of_a_round(target) / 2;
    let (gate, mut three) = (Gate::shut(), Vec::new());
    for _ in 0..3 {
        let (tenant, webhook) = with_webhook(target).await;
        webhook.always(Behaviour::Held(gate.clone(), 200));
        three.push(tenant);
    }
    let (early, late, last) = (&three[0], &three[1], &three[2]);
    // One more than a round takes: of the two that come last, the one that is due later waits for the next.
    left(
        &[
            (early, share, "2026-01-01T00:00:00.000Z"),
            (late, share, "2026-01-02T00:00:00.000Z"),
            (last, 1, "2026-01-03T00:00:00.000Z"),
        ],
        None,
    )
    .await;
    let claims = format!("deliveries WHERE tenant_id = '{}' AND claim IS NOT NULL", last.id);
    until(target, &claims, 1).await;
    let taken = async |tenant: &Tenant<'_>| {
        let with_it =
            format!("deliveries WHERE tenant_id = '{}' AND claim IN (SELECT claim FROM {claims})", tenant.id);
        count(target, &with_it).await
    };
    assert_eq!((taken(early).await, taken(late).await, taken(last).await), (share, share - 1, 1));
    gate.open();
    for tenant in &three {
        tenant.settled().await;
    }
}

async fn ask(target: &'static Target, actor: &Actor<'static>) {
    let request = json!({ "email": actor.email });
    Actor::anonymous(target).post("/v1/auth/password-reset").json(&request).send().await.expect(204);
}

/// People who have each been sent a mail about their password.
async fn forgetful(target: &'static Target, count: usize) -> Vec<Actor<'static>> {
    let people = join_all((0..count).map(|_| Actor::register(target, "forgetful"))).await;
    for actor in &people {
        ask(target, actor).await;
    }
    let settled = format!("{} AND next_attempt_at IS NULL", of(&people));
    until(target, &settled, count).await;
    people
}

/// The mails of these people.
fn of(people: &[Actor<'_>]) -> String {
    let ids: Vec<_> = people.iter().map(|actor| format!("'{}'", actor.id)).collect();
    format!("password_resets WHERE user_id IN ({})", ids.join(", "))
}

/// Changes the mails of these people, all at the same moment.
async fn change(target: &Target, people: &[Actor<'_>], to: &str) {
    let sql = of(people).replacen("WHERE", &format!("SET {to} WHERE"), 1);
    target.backdoor.sql(&format!("UPDATE {sql}")).await;
}

/// How many mails somebody has taken.
fn taken(target: &Target, actor: &Actor<'_>) -> usize {
    target.mailbox.mails(&actor.email).iter().filter(|mail| mail.taken).count()
}

async fn mails_about_passwords_have_no_more_than_their_share_under_way(target: &'static Target) {
    let (_turn, target) = quiet(target).await;
    let share = of_a_round(target) / 2;
    let people = forgetful(target, 2 * share + 3).await;
    let (gate, due) = (Gate::shut(), format!("next_attempt_at = '{LONG_AGO}', attempts = 0"));
    for actor in &people {
        target.mailbox.hold(&actor.email, &gate);
    }
    change(target, &people, &due).await;
    let under_way = format!("{} AND claim IS NOT NULL", of(&people));
    until(target, &under_way, share).await;
    a_round_later(target).await;
    assert_eq!(count(target, &under_way).await, share);
    gate.open();
    // What those who are gone had under way takes no place, and of many at once each has its turn.
    let left_behind = format!("next_attempt_at = created_at, attempts = 0, claim = '{}'", new_id());
    change(target, &people, &left_behind).await;
    until(target, &format!("{} AND next_attempt_at IS NULL", of(&people)), people.len()).await;
}

async fn a_mail_that_is_tried_later_takes_nobodys_place(target: &'static Target) {
    let (_turn, target) = quiet(target).await;
    let people = forgetful(target, of_a_round(target) / 2).await;
    for actor in &people {
        target.mailbox.refuse(&actor.email, Trouble::ForNow, 1);
    }
    change(target, &people, &format!("next_attempt_at = '{LONG_AGO}', attempts = 0")).await;
    let refused =
        format!("{} AND attempts = 1 AND next_attempt_at > '{LONG_AGO}' AND claim IS NULL", of(&people));
    until(target, &refused, people.len()).await;
    forgetful(target, 1).await;
    assert_eq!(count(target, &refused).await, people.len());
}

async fn each_mail_is_settled_by_itself(target: &'static Target) {
    let people = forgetful(target, 6).await;
    for actor in people.iter().step_by(2) {
        target.mailbox.refuse(&actor.email, Trouble::ForNow, 1);
    }
    change(target, &people, &format!("next_attempt_at = '{LONG_AGO}', attempts = 0")).await;
    until(target, &format!("{} AND next_attempt_at IS NULL", of(&people)), people.len()).await;
    for actor in &people {
        assert_eq!(taken(target, actor), 2);
    }
}

async fn who_has_lost_a_mail_settles_nothing(target: &'static Target) {
    let (_turn, target) = quiet(target).await;
    let people = forgetful(target, 1).await;
    let (gate, theirs) = (Gate::shut(), new_id());
    target.mailbox.hold(&people[0].email, &gate);
    change(target, &people, &format!("next_attempt_at = '{LONG_AGO}', attempts = 0")).await;
    until(target, &format!("{} AND claim IS NOT NULL", of(&people)), 1).await;
    change(target, &people, &format!("claim = '{theirs}', next_attempt_at = '{LATER}'")).await;
    gate.open();
    let came = || async { provided(taken(target, &people[0]), |taken| *taken == 2) };
    target.until("the mail to be taken", came).await;
    a_round_later(target).await;
    let still = format!("{} AND claim = '{theirs}' AND next_attempt_at = '{LATER}'", of(&people));
    assert_eq!(count(target, &still).await, 1);
    change(target, &people, "next_attempt_at = NULL").await;
}

/// What it brings would be worth nothing.
async fn a_mail_that_came_too_late_is_not_tried(target: &'static Target) {
    let (_turn, target) = quiet(target).await;
    let people = forgetful(target, of_a_round(target) / 2).await;
    change(
        target,
        &people,
        &format!("next_attempt_at = '{LONG_AGO}', expires_at = '{LONG_AGO}', attempts = 7"),
    )
    .await;
    forgetful(target, 1).await;
    // It may have been dropped meanwhile.
    assert_eq!(count(target, &format!("{} AND attempts > 7", of(&people))).await, 0);
}
