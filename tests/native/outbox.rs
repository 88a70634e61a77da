//! The outbox of the native server as a process: killed at any moment, next to others, without its mail server.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bailiwick_tests::{
    backdoor::Backdoor,
    provided,
    random::Random,
    receivers::{
        Mailbox, Receivers,
        http::{Behaviour, Received, Receiver},
        smtp::Reserved,
    },
    targets::client,
    until,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::instance::{Instance, postgres, sqlite};

/// Acknowledged changes that the kill test is about.
const CHANGES: usize = 200;
/// How often the process is killed meanwhile.
const KILLS: u64 = 8;
/// The webhook's path.
pub(crate) const HOOK: &str = "/services/T0/B0/outbox";
/// The tenant that a fresh database has.
pub(crate) const DEFAULT_TENANT: &str = "00000000-0000-7000-8000-000000000001";

pub(crate) fn setting(name: &'static str, value: &str) -> (&'static str, String) {
    (name, value.to_owned())
}

/// Settings under which nothing is given up, and what a dead process has claimed is due again after a while. (It is long
/// enough for an attempt on a machine that has much to do: one that takes longer is made again, for ever.) Nor does the pause
/// grow: the receiver refuses two in five, so among hundreds one fails six times, and would wait for minutes.
fn settings(receivers: &Receivers) -> Vec<(&'static str, String)> {
    let mut settings = receivers.by_api();
    settings.extend([
        setting("OUTBOX_ATTEMPTS", "1000"),
        setting("OUTBOX_BACKOFF_MAX", "5s"),
        setting("OUTBOUND_TIMEOUT", "15s"),
        setting("OUTBOX_LEASE", "20s"),
    ]);
    settings
}

/// The owner of the default tenant, a colleague, and a project, on a fresh database.
pub(crate) struct Office {
    pub(crate) owner: String,
    colleague: String,
    project: String,
}

impl Office {
    pub(crate) async fn open(instance: &Instance, receiver: &Receiver) -> Self {
        let (_, owner) = instance.register("owner@example.com", None).await;
        let invitation = json!({ "email": "colleague@example.com", "role": "member" });
        let token = instance.post(&owner, "/v1/invitations", &invitation).await.expect(201).text_at("/token");
        let (colleague, _) = instance.register("colleague@example.com", Some(&token)).await;
        let project = instance.post(&owner, "/v1/projects", &json!({ "name": "P" })).await.expect(201);
        let config = json!({
            "slack_webhook_url": receiver.url(HOOK), "channels": { "task_assigned": ["slack"] },
        });
        let ask = instance.ask(&client(), &owner, Method::PATCH, "/v1/tenant/config");
        ask.json(&config).send().await.expect(200);
        Self { owner, colleague, project: project.text_at("/id") }
    }

    /// The path and the body of a change that somebody outside is told of: by an email, or in the channel.
    pub(crate) fn change(&self, number: usize) -> (String, Value, String) {
        if number.is_multiple_of(2) {
            let email = format!("guest-{number}@example.com");
            ("/v1/invitations".to_owned(), json!({ "email": email, "role": "viewer" }), email)
        } else {
            let title = format!("task-{number}-");
            let task = json!({ "title": title, "assignee_id": self.colleague });
            (format!("/v1/projects/{}/tasks", self.project), task, title)
        }
    }
}

/// How often each change was told of: in an email, or in a message that has its title.
fn told(receiver: &Receiver, marks: &BTreeSet<String>) -> Vec<(String, usize)> {
    let taken = receiver.everything().into_iter().filter(Received::taken);
    let texts: Vec<_> = taken.map(|received| received.body.to_string()).collect();
    let times = |mark: &String| {
        let mark = if mark.contains('@') { format!("\"{mark}\"") } else { mark.clone() };
        texts.iter().filter(|text| text.contains(&mark)).count()
    };
    marks.iter().map(|mark| (mark.clone(), times(mark))).collect()
}

async fn killed_at_any_moment(database: &str, backdoor: Backdoor, name: &str) {
    let mut random = Random::seeded(name);
    let receivers = Receivers::start().await;
    // So that at every moment some are under way, and some wait for another attempt.
    let slow = || Behaviour::Slow(Duration::from_millis(15));
    receivers.http.by_habit([slow(), slow(), Behaviour::Status(503), slow(), Behaviour::HangUp]);
    let settings = settings(&receivers);
    let instance = Instance::start(database, &settings).await;
    let office = Office::open(&instance, &receivers.http).await;
    let (url, done) = (Arc::new(Mutex::new(instance.url.clone())), Arc::new(AtomicBool::new(false)));
    let office = Arc::new(office);
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (url, done, office) = (url.clone(), done.clone(), office.clone());
            let (acknowledged, next) = (acknowledged.clone(), next.clone());
            tokio::spawn(async move {
                let http = client();
                while !done.load(Ordering::Relaxed) {
                    let (path, body, mark) = office.change(next.fetch_add(1, Ordering::Relaxed));
                    let base = url.lock().expect("no panic").clone();
                    let ask = http.post(format!("{base}{path}")).bearer_auth(&office.owner).json(&body);
                    match ask.send().await {
                        Ok(answer) if answer.status().is_success() => {
                            acknowledged.lock().expect("no panic").insert(mark);
                        }
                        // It is dead, or dying; whether it has done it nobody knows.
                        _ => tokio::time::sleep(Duration::from_millis(10)).await,
                    }
                }
            })
        })
        .collect();

    let count = || acknowledged.lock().expect("no panic").len();
    let mut instance = instance;
    for kill in 0..KILLS {
        // After a share of the changes, and then at any moment of the next few.
        let share = CHANGES * usize::try_from(kill).expect("a small number") / 8;
        until("some changes", || async { provided(count(), |count| *count > share) }).await;
        tokio::time::sleep(Duration::from_millis(random.below(120))).await;
        instance.kill().await;
        instance = Instance::start(database, &settings).await;
        url.lock().expect("no panic").clone_from(&instance.url);
    }
    until("all changes", || async { provided(count(), |count| *count >= CHANGES) }).await;
    done.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.expect("no panic");
    }

    // Changes without acknowledgement were made, or not; what was made is told of, and what was not is not. The colleague's
    // own invitation was accepted before this began, perhaps sooner than its mail was sent: then there is none to send.
    let rows = "SELECT email FROM invitations WHERE accepted_at IS NULL UNION ALL SELECT title FROM tasks";
    let made: BTreeSet<_> = backdoor.sql(rows).await.into_iter().flatten().flatten().collect();
    let acknowledged = acknowledged.lock().expect("no panic").clone();
    assert!(acknowledged.is_subset(&made), "lost: {:?}", acknowledged.difference(&made).collect::<Vec<_>>());
    let missing = || {
        let told = told(&receivers.http, &made).into_iter().filter(|(_, times)| *times == 0);
        told.map(|(mark, _)| mark).collect::<Vec<_>>()
    };
    until("nothing has still to be told", || async { provided(missing(), Vec::is_empty) }).await;
    until("nothing waits", || async {
        let waiting = backdoor.count("SELECT count(*) FROM deliveries WHERE state <> 'sent'").await;
        provided(waiting, |waiting| *waiting == 0)
    })
    .await;
    let all: BTreeSet<_> = (0..next.load(Ordering::Relaxed)).map(|number| office.change(number).2).collect();
    let never_made: BTreeSet<_> = all.difference(&made).cloned().collect();
    assert!(told(&receivers.http, &never_made).iter().all(|(_, times)| *times == 0));
    let times = told(&receivers.http, &made);
    let duplicates: usize = times.iter().map(|(_, times)| times - 1).sum();
    eprintln!(
        "{name}: {KILLS} kills, {} changes acknowledged, {} made, {duplicates} told of more than once",
        acknowledged.len(),
        made.len()
    );
    instance.kill().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_told_however_often_sqlites_server_is_killed() {
    let (_directory, database, backdoor) = sqlite().await;
    killed_at_any_moment(&database, backdoor, "kills on SQLite").await;
}

#[tokio::test]
async fn what_was_acknowledged_is_told_however_often_postgres_server_is_killed() {
    let (_postgres, database, backdoor) = postgres().await;
    killed_at_any_moment(&database, backdoor, "kills on Postgres").await;
}

#[tokio::test]
async fn two_instances_share_an_outbox_and_send_everything_once() {
    let (_postgres, database, _backdoor) = postgres().await;
    let receivers = Receivers::start().await;
    receivers.http.by_habit([Behaviour::Slow(Duration::from_millis(10))]);
    let mut settings = receivers.by_api();
    // What another one has only been slow with nobody takes over, and nobody takes it for lost: it is sent once.
    settings.extend([setting("OUTBOUND_TIMEOUT", "1h"), setting("OUTBOX_LEASE", "2h")]);
    let (one, two) =
        tokio::join!(Instance::start(&database, &settings), Instance::start(&database, &settings));
    let office = Office::open(&one, &receivers.http).await;
    let made: BTreeSet<_> = (0..CHANGES).map(|number| office.change(number).2).collect();
    let writes = (0..CHANGES).map(|number| {
        let (path, body, _) = office.change(number);
        let instance = if number % 4 < 2 { &one } else { &two };
        let owner = &office.owner;
        async move { instance.post(owner, &path, &body).await.expect(201) }
    });
    let mut writes: Vec<_> = writes.collect();
    while !writes.is_empty() {
        futures::future::join_all(writes.drain(..writes.len().min(8))).await;
    }
    let told = || told(&receivers.http, &made);
    until("everything is told", || async {
        provided(told(), |told| told.iter().all(|(_, times)| *times > 0))
    })
    .await;
    // The colleague was told, too.
    let total = u64::try_from(CHANGES + 1).expect("a small number");
    let sent = |instance: &Instance| -> u64 {
        instance.entries("deliveries").iter().map(|entry| entry["sent"].as_u64().expect("a number")).sum()
    };
    let both = || (sent(&one), sent(&two));
    until("both have said so", || async { provided(both(), |(one, two)| one + two == total) }).await;
    let more_than_once: Vec<_> = told().into_iter().filter(|(_, times)| *times != 1).collect();
    assert!(more_than_once.is_empty(), "{more_than_once:?}");
    // Which of them is quicker is nobody's business.
    eprintln!("two instances: {} and {} sent", sent(&one), sent(&two));
}

#[tokio::test]
async fn emails_lead_to_the_pages_that_are_configured() {
    let (_directory, database, _) = sqlite().await;
    let receivers = Receivers::start().await;
    let mailbox = Mailbox::Api(receivers.http.clone());
    let mail = async |address: &str| {
        let look = || async { mailbox.mails(address).into_iter().next().ok_or("none") };
        until(&format!("a mail to {address}"), look).await.text
    };
    // The one has a page and the other has none, and the other way round.
    let (join, reset) = ("https://app.example.com/join?token=", "http://localhost:3000/reset/");
    for (count, settings) in [
        (1, [("INVITATION_URL", format!("{join}{{token}}")), setting("PASSWORD_RESET_URL", "")]),
        (2, [setting("INVITATION_URL", ""), ("PASSWORD_RESET_URL", format!("{reset}{{token}}"))]),
    ] {
        let all: Vec<_> = receivers.by_api().into_iter().chain(settings).collect();
        let instance = Instance::start(&database, &all).await;
        let owner = format!("owner-{count}@example.com");
        let (_, token) = instance.register(&owner, None).await;
        let new = json!({ "slug": format!("tenant-{count}"), "name": "T" });
        let tenant = instance.post(&token, "/v1/tenants", &new).await.expect(201).text_at("/id");
        let guest = format!("guest-{count}@example.com");
        let invite = instance.ask(&client(), &token, Method::POST, "/v1/invitations").tenant(&tenant);
        let invited = invite.json(&json!({ "email": guest, "role": "viewer" })).send().await.expect(201);
        let forgotten = json!({ "email": owner });
        instance.post(&token, "/v1/auth/password-reset", &forgotten).await.expect(204);
        let (invitation, forgotten) = (mail(&guest).await, mail(&owner).await);
        let token = invited.text_at("/token");
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        if count == 1 {
            assert!(lines(&invitation).contains(&format!("{join}{token}")), "{invitation}");
            assert!(
                lines(&forgotten).iter().any(|line| line.len() == 64 && !line.contains(' ')),
                "{forgotten}"
            );
        } else {
            assert!(lines(&invitation).contains(&token), "{invitation}");
            let page = lines(&forgotten).into_iter().find_map(|line| line.strip_prefix(reset).map(str::len));
            assert_eq!(page, Some(64), "{forgotten}");
        }
        instance.terminate().await;
    }
}

#[tokio::test]
async fn emails_wait_for_their_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite://{}", directory.path().join("b.db").display());
    let reserved = Reserved::new();
    let settings = [
        setting("EMAIL_PROVIDER", "smtp"),
        setting("EMAIL_FROM", "bailiwick@service.example"),
        ("SMTP_URL", reserved.url()),
        setting("OUTBOX_ATTEMPTS", "1000"),
    ];
    let instance = Instance::start(&database, &settings).await;
    let (_, owner) = instance.register("owner@example.com", None).await;
    let addresses: Vec<_> = (0..30).map(|number| format!("guest-{number}@example.com")).collect();
    for email in &addresses {
        let invitation = json!({ "email": email, "role": "viewer" });
        instance.post(&owner, "/v1/invitations", &invitation).await.expect(201);
    }
    let deliveries = async || {
        let listed = instance.get(&owner, "/v1/admin/deliveries?limit=100").await.expect(200);
        listed.body["data"].as_array().expect("a list").clone()
    };
    let waits = |delivery: &Value| {
        delivery["state"] == "pending"
            && delivery["last_error"] == "the mail server could not be reached"
            && delivery["attempts"].as_u64().is_some_and(|attempts| attempts > 1)
    };
    until("all have been tried more than once", || async {
        provided(deliveries().await, |all| all.iter().all(waits))
    })
    .await;
    let sink = reserved.open();
    until("all are sent", || async {
        provided(deliveries().await, |all| all.iter().all(|delivery| delivery["state"] == "sent"))
    })
    .await;
    for address in &addresses {
        assert_eq!(sink.letters(address).len(), 1, "{address}");
    }
}

/// Deliveries of the default tenant, as another server may have left them: so many, of a state, settled or due at a time.
pub(crate) async fn left_behind(backdoor: &Backdoor, count: usize, state: &str, at: &str) {
    let rows = (0..count).map(|_| {
        let (id, subject) = (Uuid::now_v7(), Uuid::now_v7());
        let sent_at = if state == "sent" { format!("'{at}'") } else { "NULL".to_owned() };
        format!(
            "('{DEFAULT_TENANT}', '{id}', 'email', 'invitation', 'x@example.com', '{state} {at}', 'B', 'invitation', \
             '{subject}', '{state}', 1, '{at}', {sent_at}, '2024-01-01T00:00:00.000Z')"
        )
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    let columns = "tenant_id, id, channel, kind, address, title, body, subject_type, subject_id, state, attempts, \
         next_attempt_at, sent_at, created_at";
    backdoor.sql(&format!("INSERT INTO deliveries ({columns}) VALUES {rows}")).await;
}

async fn what_was_settled_long_ago_is_dropped(database: &str, backdoor: &Backdoor) {
    let (long_ago, to_come) = ("2025-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z");
    // More than fit into one transaction.
    left_behind(backdoor, 2_500, "sent", long_ago).await;
    left_behind(backdoor, 3, "dead", long_ago).await;
    // Of these, the time has not passed.
    for state in ["sent", "dead", "pending"] {
        left_behind(backdoor, 2, state, to_come).await;
    }
    let there = async || {
        let titles = "SELECT title, count(*) FROM deliveries GROUP BY title ORDER BY title";
        let rows = backdoor.sql(titles).await.into_iter();
        rows.map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let all = there().await;
    assert_eq!(all.len(), 5);
    // Whoever keeps them for longer keeps them.
    let instance = Instance::start(database, &[setting("OUTBOX_RETENTION", "36500d")]).await;
    let told = |instance: &Instance| instance.entries("a round in the background failed").len();
    let (_, owner) = instance.register("owner@example.com", None).await;
    let old = json!({ "name": "old" });
    let ask = instance.ask(&client(), &owner, Method::POST, "/v1/projects").header("idempotency-key", "old");
    ask.json(&old).send().await.expect(201);
    let age = "UPDATE idempotency_keys SET created_at = '2025-01-01T00:00:00.000Z'";
    backdoor.sql(age).await;
    instance.terminate().await;
    let instance = Instance::start(database, &[setting("OUTBOX_RETENTION", "36500d")]).await;
    // By this it is seen that it has looked.
    until("it has looked", async || {
        provided(backdoor.count("SELECT count(*) FROM idempotency_keys").await, |left| *left == 0)
    })
    .await;
    assert_eq!(told(&instance), 0);
    // It ends when all that it drops in a round is dropped.
    instance.terminate().await;
    assert_eq!(there().await, all);
    let instance = Instance::start(database, &[]).await;
    let left: Vec<_> = all.into_iter().filter(|row| row.contains(to_come)).collect();
    until("what was settled long ago to be dropped", async || {
        provided(there().await, |there| *there == left)
    })
    .await;
    assert_eq!(told(&instance), 0);
    instance.terminate().await;
}

#[tokio::test]
async fn what_was_settled_long_ago_is_dropped_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    what_was_settled_long_ago_is_dropped(&database, &backdoor).await;
}

#[tokio::test]
async fn what_was_settled_long_ago_is_dropped_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    what_was_settled_long_ago_is_dropped(&database, &backdoor).await;
}
