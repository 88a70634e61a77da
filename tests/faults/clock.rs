//! The time of day jumps, forwards and backwards, while the server runs: Debian's libfaketime says it to that process only.
//! What goes by dates follows; what is a length of time does not.

use std::{path::PathBuf, time::Duration};

use bailiwick_tests::{
    backdoor::Backdoor,
    client::Ask,
    instance::{Instance, sqlite},
    provided,
    receivers::http::{Behaviour, Gate, Receiver},
    targets::client,
    until,
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{load::office, setting};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The clock of one process.
struct Clock {
    file: PathBuf,
}

impl Clock {
    fn new(directory: &TempDir) -> Self {
        let this = Self { file: directory.path().join("clock") };
        this.set(0);
        this
    }

    /// So many seconds from the real time.
    fn set(&self, seconds: i64) {
        // As a whole, or the process may see half of it.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n")).expect("a file");
        std::fs::rename(new, &self.file).expect("the file");
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let mut candidates = libraries.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
        let library = candidates.find(|path| path.exists()).expect("libfaketime: scripts/setup installs it");
        vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            setting("FAKETIME_NO_CACHE", "1"),
            setting("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            setting("DONT_FAKE_MONOTONIC", "1"),
        ]
    }
}

pub(crate) async fn tokens_and_answers_go_by_the_time_of_day() {
    let (directory, database, backdoor) = sqlite().await;
    let clock = Clock::new(&directory);
    let settings: Vec<_> = clock.settings().into_iter().chain([setting("RATE_LIMIT", "0")]).collect();
    let instance = Instance::start(&database, &settings).await;
    let (owner, _) = office(&instance).await;
    let http = client();
    let login = async || {
        let credentials =
            json!({ "email": "owner@example.com", "password": bailiwick_tests::actors::PASSWORD });
        Ask::new(&http, Method::POST, &instance.url, "/v1/auth/login")
            .json(&credentials)
            .send()
            .await
            .expect(200)
    };
    let session = login().await;
    let write = async |token: &str, key: &str| {
        let ask = instance.ask(&http, token, Method::POST, "/v1/projects").json(&json!({ "name": key }));
        ask.header("idempotency-key", key).send().await
    };
    write(&owner, "before").await.expect(201);

    // An hour ahead: access tokens have expired, their sessions have not.
    clock.set(HOUR);
    instance.get(&owner, "/v1/me").await.problem(401, "invalid_token");
    let renewal = json!({ "refresh_token": session.text_at("/refresh_token") });
    let renewed =
        Ask::new(&http, Method::POST, &instance.url, "/v1/auth/refresh").json(&renewal).send().await;
    let ahead = renewed.expect(200).text_at("/access_token");
    instance.get(&ahead, "/v1/me").await.expect(200);
    // What was done is still known to have been.
    let again = write(&ahead, "before").await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    write(&ahead, "ahead").await.expect(201);

    // Back again: what was made ahead is good, and so is what was made before.
    clock.set(0);
    for token in [&owner, &ahead] {
        instance.get(token, "/v1/me").await.expect(200);
        for key in ["before", "ahead"] {
            let again = write(token, key).await.expect(201);
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
        }
    }
    // A day behind: the same, and new things can be made, which are in the lists.
    clock.set(-DAY);
    let back = login().await.text_at("/access_token");
    for token in [&owner, &ahead, &back] {
        instance.get(token, "/v1/me").await.expect(200);
    }
    write(&back, "behind").await.expect(201);
    let listed = instance.get(&back, "/v1/projects").await.expect(200);
    let mut names: Vec<_> = listed.body["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|project| project["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, [Some("P"), Some("ahead"), Some("before"), Some("behind")]);
    // More than a day ahead, a key is free again, as it is after a day.
    clock.set(DAY + HOUR);
    let later = login().await.text_at("/access_token");
    let once_more = write(&later, "before").await.expect(201);
    assert_eq!(once_more.header("idempotency-replayed"), None);
    clock.set(0);
    // Through all of it the activity stays a chain.
    crate::load::chain_is_whole(&instance, &owner).await;
    let places = backdoor.count("SELECT count(*) FROM activity WHERE seq IS NULL").await;
    assert_eq!(places, 0);
    eprintln!(
        "figures: a clock that went +1 h, 0, -1 d, +25 h, 0: no answer but 200, 201 and the 401 of expired tokens"
    );
    instance.terminate().await;
}

pub(crate) async fn limits_and_deliveries_do_not_wait_for_a_clock_that_went_back() {
    let (directory, database, backdoor) = sqlite().await;
    let (clock, receiver) = (Clock::new(&directory), Receiver::start().await);
    let mut settings = clock.settings();
    settings.extend([
        // One attempt comes free in 10 seconds.
        setting("RATE_LIMIT_ACCOUNT", "6"),
        setting("RATE_LIMIT_PERIOD", "1m"),
        // An hour is longer than a claim.
        setting("OUTBOUND_TIMEOUT", "10m"),
        setting("OUTBOX_LEASE", "20m"),
        // The owner's is good ahead, too.
        setting("TOKEN_TTL", "7d"),
        ("OUTBOUND_ALLOW", receiver.origin().to_owned()),
    ]);
    let instance = Instance::start(&database, &settings).await;
    let begun = Instant::now();
    let (owner, project) = office(&instance).await;
    let http = client();
    let attempt = async || {
        let credentials = json!({ "email": "owner@example.com", "password": "not the right one" });
        Ask::new(&http, Method::POST, &instance.url, "/v1/auth/login").json(&credentials).send().await
    };
    // Registering and logging in were two.
    let (mut taken, mut told) = (2, 0);
    // No clock that anybody sets lets anybody go on, nor keeps them out for longer: by the real time so many are taken,
    // one more for each 10 seconds.
    for seconds in [0, DAY, -DAY, 0] {
        clock.set(seconds);
        for answer in join_all((0..12).map(|_| attempt())).await {
            if answer.status == 401 {
                taken += 1;
                continue;
            }
            let refused = answer.problem(429, "too_many_attempts");
            told = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a number");
            assert!((1..=60).contains(&told), "{told}");
        }
        let admitted = 6 + 1 + begun.elapsed().as_secs() / 10;
        assert!(taken <= admitted, "{taken} were taken, not {admitted}");
    }
    assert!(told > 0, "nothing was refused");
    clock.set(-DAY);
    tokio::time::sleep(Duration::from_secs(told)).await;
    attempt().await.problem(401, "invalid_credentials");
    eprintln!(
        "figures: refused, and let in after the {told} s that were told, a clock that went back a day or not"
    );
    clock.set(0);
    deliveries_do_not_wait(&instance, &backdoor, &clock, &receiver, (&owner, &project)).await;
    let chain: Value = instance.get(&owner, "/v1/admin/activity/verify").await.expect(200).body;
    assert_eq!(chain["valid"], true, "{chain}");
    instance.terminate().await;
}

/// Deliveries to a webhook that are under way while the clock goes ahead, and back.
async fn deliveries_do_not_wait(
    instance: &Instance,
    backdoor: &Backdoor,
    clock: &Clock,
    receiver: &Receiver,
    (owner, project): (&str, &str),
) {
    let http = client();
    let hook = "/services/T0/B0/clock";
    let config =
        json!({ "slack_webhook_url": receiver.url(hook), "channels": { "task_assigned": ["slack"] } });
    instance.ask(&http, owner, Method::PATCH, "/v1/tenant/config").json(&config).send().await.expect(200);
    let invited = json!({ "email": "member@example.com", "role": "member" });
    let invitation = instance.post(owner, "/v1/invitations", &invited).await.expect(201).text_at("/token");
    let (member, _) = instance.register("member@example.com", Some(&invitation)).await;
    let assign = async |title: &str| {
        let task = json!({ "title": title, "assignee_id": member });
        instance.post(owner, &format!("/v1/projects/{project}/tasks"), &task).await.expect(201);
    };
    let sent = async |count: i64| {
        until("deliveries are sent", || async {
            let sent = "SELECT count(*) FROM deliveries WHERE state = 'sent' AND channel = 'slack'";
            provided(backdoor.count(sent).await, |sent| *sent == count)
        })
        .await;
    };
    // While it is on its way, the clock goes ahead, which ends the claim: it may be told twice, and is told.
    let gate = Gate::shut();
    receiver.behave(hook, [Behaviour::Held(gate.clone(), 200)]);
    assign("ahead").await;
    receiver.wait_for(hook, 1).await;
    clock.set(HOUR);
    sent(1).await;
    let ahead = receiver.count(hook);
    assert!(ahead > 1, "somebody else takes it over");
    gate.open();
    // While it is on its way, the clock goes back. What is new is told at once.
    let gate = Gate::shut();
    receiver.behave(hook, [Behaviour::Held(gate.clone(), 200)]);
    assign("back").await;
    receiver.wait_for(hook, ahead + 1).await;
    clock.set(0);
    assign("new").await;
    sent(2).await;
    gate.open();
    sent(3).await;
    eprintln!(
        "figures: deliveries under way when the clock went an hour ahead were made {ahead} times, and new ones after it \
         went back at once"
    );
    let titles: Vec<_> = receiver
        .received(hook)
        .iter()
        .map(|received| received.body["text"].as_str().map(str::to_owned))
        .map(Option::<String>::unwrap_or_default)
        .collect();
    assert!(
        ["ahead", "back", "new"].iter().all(|title| titles.iter().any(|text| text.contains(title))),
        "{titles:?}"
    );
}
