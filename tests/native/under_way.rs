//! What is under way in the outbox: only who has the claim on it says what came of it, and nobody has more than a share.

use bailiwick_tests::{
    backdoor::Backdoor,
    provided,
    receivers::{
        Receivers,
        http::{Behaviour, Gate},
    },
    targets::client,
    until,
};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::{
    instance::{Instance, postgres, sqlite},
    outbox::{DEFAULT_TENANT, HOOK, Office, setting},
};

/// What of one tenant, or of mails that are no tenant's, may be under way at once: the half of what a round takes.
const SHARE: usize = 10;

/// When everything was due that is due.
const LONG_AGO: &str = "2025-01-01T00:00:00.000Z";

/// Settings under which nothing ends by itself.
fn settings(receivers: &Receivers) -> Vec<(&'static str, String)> {
    let mut settings = receivers.by_api();
    settings.extend([
        setting("RATE_LIMIT", "0"),
        setting("OUTBOX_ATTEMPTS", "1000"),
        setting("OUTBOUND_TIMEOUT", "1h"),
        setting("OUTBOX_LEASE", "2h"),
    ]);
    settings
}

/// Something that is sent, and where it stands in the database.
struct Sent<'a> {
    instances: &'a [Instance],
    backdoor: &'a Backdoor,
    receivers: &'a Receivers,
    /// Where it arrives.
    mailbox: &'a str,
    table: &'static str,
    id: String,
}

impl Sent<'_> {
    async fn row(&self) -> Vec<Option<String>> {
        let sql = format!("SELECT * FROM {} WHERE id = '{}'", self.table, self.id);
        self.backdoor.sql(&sql).await.remove(0)
    }

    /// How many attempts have come to an end.
    async fn until_over(&self, attempts: usize) {
        let of_it = |instance: &Instance| {
            instance.entries("delivery").iter().filter(|entry| entry["id"] == *self.id).count()
        };
        until(&format!("{attempts} attempts are over"), async || {
            provided(self.instances.iter().map(of_it).sum::<usize>(), |over| *over >= attempts)
        })
        .await;
    }

    /// The first attempt is under way, and ends after another one has the claim.
    async fn whoever_is_late_settles_nothing(&self, first: &Gate, second: &Gate, succeeds: bool) {
        let http = &self.receivers.http;
        http.wait_for(self.mailbox, 1).await;
        // The time of its claim has passed.
        let pass =
            format!("UPDATE {} SET next_attempt_at = '{LONG_AGO}' WHERE id = '{}'", self.table, self.id);
        self.backdoor.sql(&pass).await;
        http.wait_for(self.mailbox, 2).await;
        let claimed = self.row().await;
        first.open();
        self.until_over(1).await;
        assert_eq!(self.row().await, claimed, "who was late has said what came of it");
        second.open();
        let attempts = if succeeds { 2 } else { 3 };
        self.until_over(attempts).await;
        assert_eq!(http.count(self.mailbox), attempts);
        let open = format!(
            "SELECT count(*) FROM {} WHERE id = '{}' AND attempts = {attempts} AND claim IS NULL",
            self.table, self.id
        );
        assert_eq!(self.backdoor.count(&open).await, 1);
    }
}

async fn claims_that_have_passed(instances: &[Instance], backdoor: &Backdoor, receivers: &Receivers) {
    let instance = &instances[0];
    let office = Office::open(instance, &receivers.http).await;
    // Each of the two fails once, and the other one succeeds.
    for (round, (late, timely)) in [(503, 200), (200, 503)].into_iter().enumerate() {
        let hook = format!("{HOOK}/{round}");
        let config = json!({ "slack_webhook_url": receivers.http.url(&hook) });
        let ask = instance.ask(&client(), &office.owner, Method::PATCH, "/v1/tenant/config").json(&config);
        ask.send().await.expect(200);
        let (first, second) = (Gate::shut(), Gate::shut());
        let held = || [Behaviour::Held(first.clone(), late), Behaviour::Held(second.clone(), timely)];
        receivers.http.behave(&hook, held());
        let (path, task, title) = office.change(2 * round + 1);
        instance.post(&office.owner, &path, &task).await.expect(201);
        let id = format!("SELECT id FROM deliveries WHERE title LIKE '%{title}%'");
        let id = backdoor.sql(&id).await.remove(0).remove(0).expect("an id");
        let sent = Sent { instances, backdoor, receivers, mailbox: &hook, table: "deliveries", id };
        sent.whoever_is_late_settles_nothing(&first, &second, timely == 200).await;

        // The same of a mail that is no tenant's.
        let email = format!("forgetful-{round}@example.com");
        instance.register(&email, None).await;
        let (first, second) = (Gate::shut(), Gate::shut());
        let held = || [Behaviour::Held(first.clone(), late), Behaviour::Held(second.clone(), timely)];
        receivers.http.behave(&email, held());
        instance.post("", "/v1/auth/password-reset", &json!({ "email": email })).await.expect(204);
        let id = format!("SELECT id FROM password_resets WHERE email = '{email}'");
        let id = backdoor.sql(&id).await.remove(0).remove(0).expect("an id");
        let sent = Sent { instances, backdoor, receivers, mailbox: &email, table: "password_resets", id };
        sent.whoever_is_late_settles_nothing(&first, &second, timely == 200).await;
    }
}

#[tokio::test]
async fn a_claim_that_has_passed_settles_nothing_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    let receivers = Receivers::start().await;
    let instance = Instance::start(&database, &settings(&receivers)).await;
    claims_that_have_passed(&[instance], &backdoor, &receivers).await;
}

#[tokio::test]
async fn a_claim_that_has_passed_settles_nothing_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    let receivers = Receivers::start().await;
    let settings = settings(&receivers);
    let (one, two) =
        tokio::join!(Instance::start(&database, &settings), Instance::start(&database, &settings));
    claims_that_have_passed(&[one, two], &backdoor, &receivers).await;
}

/// So many deliveries of a tenant that are due, written at once.
async fn due(backdoor: &Backdoor, tenant: &str, count: usize) {
    let rows = (0..count).map(|_| {
        let (id, subject) = (Uuid::now_v7(), Uuid::now_v7());
        format!(
            "('{tenant}', '{id}', 'slack', 'submitted', 'T', 'B', 'project', '{subject}', 'pending', 0, '{LONG_AGO}', \
             '{LONG_AGO}')"
        )
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    let columns = "tenant_id, id, channel, kind, title, body, subject_type, subject_id, state, attempts, \
         next_attempt_at, created_at";
    backdoor.sql(&format!("INSERT INTO deliveries ({columns}) VALUES {rows}")).await;
}

/// A tenant that has a webhook of its own; its id and the path.
async fn elsewhere(instance: &Instance, owner: &str, receivers: &Receivers, slug: &str) -> (String, String) {
    let new = json!({ "slug": slug, "name": "T" });
    let tenant = instance.post(owner, "/v1/tenants", &new).await.expect(201).text_at("/id");
    let hook = format!("{HOOK}/{slug}");
    let ask = instance.ask(&client(), owner, Method::PATCH, "/v1/tenant/config").tenant(&tenant);
    let config = json!({ "slack_webhook_url": receivers.http.url(&hook) });
    ask.json(&config).send().await.expect(200);
    (tenant, hook)
}

/// How many of a tenant are under way.
async fn claimed(backdoor: &Backdoor, tenant: &str) -> usize {
    let sql = format!("SELECT count(*) FROM deliveries WHERE tenant_id = '{tenant}' AND claim IS NOT NULL");
    usize::try_from(backdoor.count(&sql).await).expect("a number")
}

async fn a_tenant_has_its_share(database: &str, backdoor: &Backdoor) {
    let receivers = Receivers::start().await;
    let instance = Instance::start(database, &settings(&receivers)).await;
    let office = Office::open(&instance, &receivers.http).await;
    let (other, others) = elsewhere(&instance, &office.owner, &receivers, "other").await;
    let (third, thirds) = elsewhere(&instance, &office.owner, &receivers, "third").await;
    let gate = Gate::shut();
    let much = 3 * SHARE;
    for (tenant, hook) in [(DEFAULT_TENANT, HOOK), (&other, &others)] {
        receivers.http.always(hook, Behaviour::Held(gate.clone(), 200));
        due(backdoor, tenant, much).await;
        receivers.http.wait_for(hook, SHARE).await;
    }
    // Whoever claimed this has seen what the two have due.
    due(backdoor, &third, 1).await;
    receivers.http.wait_for(&thirds, 1).await;
    for (tenant, hook) in [(DEFAULT_TENANT, HOOK), (&other, &others)] {
        assert_eq!((claimed(backdoor, tenant).await, receivers.http.count(hook)), (SHARE, SHARE));
    }
    gate.open();
    for hook in [HOOK, &others] {
        receivers.http.wait_for(hook, much).await;
    }
    instance.kill().await;
}

#[tokio::test]
async fn a_tenant_has_its_share_of_what_is_under_way_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    a_tenant_has_its_share(&database, &backdoor).await;
}

#[tokio::test]
async fn a_tenant_has_its_share_of_what_is_under_way_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    a_tenant_has_its_share(&database, &backdoor).await;
}

async fn mails_have_their_share(database: &str, backdoor: &Backdoor) {
    let receivers = Receivers::start().await;
    let instance = Instance::start(database, &settings(&receivers)).await;
    Office::open(&instance, &receivers.http).await;
    let much = 3 * SHARE;
    for number in 0..much {
        let email = format!("forgetful-{number}@example.com");
        instance.register(&email, None).await;
        instance.post("", "/v1/auth/password-reset", &json!({ "email": email })).await.expect(204);
    }
    let sent = "SELECT count(*) FROM password_resets WHERE next_attempt_at IS NULL";
    let sent = async || usize::try_from(backdoor.count(sent).await).expect("a number");
    until("all mails are sent", async || provided(sent().await, |sent| *sent == much)).await;
    // All of them are due again, and the service that takes them hangs.
    let gate = Gate::shut();
    receivers.http.by_habit([Behaviour::Held(gate.clone(), 200)]);
    receivers.http.always(HOOK, Behaviour::Ok);
    let held = || {
        let everything = receivers.http.everything();
        everything.iter().filter(|received| received.behaviour == Behaviour::Held(gate.clone(), 200)).count()
    };
    backdoor.sql(&format!("UPDATE password_resets SET next_attempt_at = '{LONG_AGO}'")).await;
    until("mails are under way", async || provided(held(), |held| *held >= SHARE)).await;
    // Whoever claims this looks for mails before.
    due(backdoor, DEFAULT_TENANT, 1).await;
    receivers.http.wait_for(HOOK, 1).await;
    let claimed = "SELECT count(*) FROM password_resets WHERE claim IS NOT NULL";
    assert_eq!(usize::try_from(backdoor.count(claimed).await), Ok(SHARE));
    assert_eq!(held(), SHARE);
    gate.open();
    until("all mails are sent again", async || provided(sent().await, |sent| *sent == much)).await;
    assert_eq!(held(), much);
    instance.kill().await;
}

#[tokio::test]
async fn mails_have_their_share_of_what_is_under_way_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    mails_have_their_share(&database, &backdoor).await;
}

#[tokio::test]
async fn mails_have_their_share_of_what_is_under_way_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    mails_have_their_share(&database, &backdoor).await;
}

/// Each of them has a round of its own.
#[tokio::test]
async fn what_comes_one_by_one_and_hangs_keeps_nobody_waiting() {
    let (_directory, database, backdoor) = sqlite().await;
    let receivers = Receivers::start().await;
    let instance = Instance::start(&database, &settings(&receivers)).await;
    let office = Office::open(&instance, &receivers.http).await;
    let (other, others) = elsewhere(&instance, &office.owner, &receivers, "other").await;
    let gate = Gate::shut();
    receivers.http.always(HOOK, Behaviour::Held(gate.clone(), 200));
    for count in 1..=SHARE {
        due(&backdoor, DEFAULT_TENANT, 1).await;
        receivers.http.wait_for(HOOK, count).await;
    }
    due(&backdoor, &other, 1).await;
    receivers.http.wait_for(&others, 1).await;
    instance.kill().await;
}
