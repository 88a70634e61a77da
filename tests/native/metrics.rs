//! What the server tells of itself on its second listener, as a real Prometheus sees it; and that what is in `deploy/` for
//! Prometheus and Grafana fits.

use std::collections::BTreeSet;

use bailiwick_tests::{
    actors::new_id,
    client::Ask,
    receivers::{
        Receivers,
        http::{Behaviour, Receiver},
    },
    targets::{address, client, root},
    until,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    instance::{self, Instance},
    prometheus::{Prometheus, promtool},
};

/// An instance that tells, and where.
struct Told {
    instance: Instance,
    admin: String,
}

impl Told {
    async fn start(database: &str, receivers: &Receivers) -> Self {
        let mut settings = receivers.by_api();
        settings.extend([
            ("ADMIN_BIND", "127.0.0.1:0".to_owned()),
            // Of which none comes free in between.
            ("RATE_LIMIT_ACCOUNT", "4".to_owned()),
            ("RATE_LIMIT_PERIOD", "36500d".to_owned()),
            ("OUTBOX_ATTEMPTS", "2".to_owned()),
        ]);
        let instance = Instance::start(database, &settings).await;
        let log = instance.log();
        let line = log.lines().find(|line| line.contains("metrics and health are served on"));
        Self { admin: address(line.expect("it says where")), instance }
    }

    /// How Prometheus calls it.
    fn name(&self) -> &str {
        self.admin.trim_start_matches("http://")
    }

    async fn metrics(&self) -> String {
        let answer = Ask::new(&client(), Method::GET, &self.admin, "/metrics").send().await.expect(200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        answer.text
    }

    async fn get(&self, path: &str) -> u16 {
        Ask::new(&client(), Method::GET, &self.instance.url, path).send().await.status
    }
}

/// Requests whose number is known, of each kind that is counted apart.
async fn traffic(told: &Told, receiver: &Receiver) {
    for _ in 0..7 {
        assert_eq!(told.get("/healthz").await, 200);
    }
    for path in ["/nothing", "/v1/nothing", "/v1/projects/"] {
        assert_eq!(told.get(path).await, 404);
    }
    assert_eq!(told.get("/v1/me").await, 401);
    let instance = &told.instance;
    let (_, owner) = instance.register("owner@example.com", None).await;
    let login = json!({ "email": "mallory@example.com", "password": "not the password" });
    for attempt in 0..6 {
        let status = if attempt < 4 { 401 } else { 429 };
        instance.post("", "/v1/auth/login", &login).await.expect(status);
    }
    let panics = instance.ask(&client(), &owner, Method::GET, "/v1/me").header("x-fault", "panic");
    panics.send().await.expect(500);
    // One delivery is sent; another is given up at its second attempt; a third never will be.
    let config = json!({ "slack_webhook_url": receiver.url("/services/metrics"),
        "channels": { "submitted": ["slack"], "approved": ["slack"] } });
    let ask = instance.ask(&client(), &owner, Method::PATCH, "/v1/tenant/config");
    ask.json(&config).send().await.expect(200);
    receiver.behave("/services/metrics", [Behaviour::Ok, Behaviour::Status(503), Behaviour::Status(503)]);
    // A colleague could approve it, so there is somebody to tell.
    let invitation = json!({ "email": "colleague@example.com", "role": "manager" });
    let token = instance.post(&owner, "/v1/invitations", &invitation).await.expect(201).text_at("/token");
    // Once it is accepted there is nothing to be told of it.
    receiver.wait_for("colleague@example.com", 1).await;
    let (_, colleague) = instance.register("colleague@example.com", Some(&token)).await;
    for count in [1, 3] {
        let project = instance.post(&owner, "/v1/projects", &json!({ "name": "P" })).await.expect(201);
        let path = format!("/v1/projects/{}/transitions", project.text_at("/id"));
        instance.post(&owner, &path, &json!({ "to": "submitted" })).await.expect(200);
        receiver.wait_for("/services/metrics", count).await;
    }
    instance.get(&colleague, "/v1/tasks").await.expect(200);
}

async fn what_happens_is_counted(told: &Told, prometheus: &Prometheus, engine: &str) {
    let here = format!("instance=\"{}\"", told.name());
    let of = |metric: &str, labels: &str, wanted: f64| {
        let expression =
            format!("sum({metric}{{{labels}{}{here}}})", if labels.is_empty() { "" } else { "," });
        async move { prometheus.until(&expression, wanted).await }
    };
    of("bailiwick_http_requests_total", "route=\"/healthz\",method=\"GET\",status=\"200\"", 7.0).await;
    of("bailiwick_http_requests_total", "route=\"unmatched\",status=\"404\"", 3.0).await;
    of("bailiwick_http_requests_total", "route=\"/v1/me\",status=\"500\"", 1.0).await;
    of("bailiwick_http_request_duration_seconds_count", "route=\"/healthz\"", 7.0).await;
    of("bailiwick_http_request_duration_seconds_bucket", "route=\"/healthz\",le=\"+Inf\"", 7.0).await;
    of("bailiwick_http_requests_in_flight", "", 0.0).await;
    of("bailiwick_http_requests_abandoned_total", "", 0.0).await;
    of("bailiwick_problems_total", "code=\"route_not_found\"", 3.0).await;
    of("bailiwick_problems_total", "code=\"internal_error\"", 1.0).await;
    of("bailiwick_problems_total", "code=\"too_many_attempts\"", 2.0).await;
    of("bailiwick_throttled_total", "limit=\"account\"", 2.0).await;
    of("bailiwick_throttled_total", "limit=\"requests\"", 0.0).await;
    // Two registrations, two logins, four attempts to guess.
    of("bailiwick_hashing_duration_seconds_count", "", 8.0).await;
    of("bailiwick_hashing_queued", "", 0.0).await;
    of("bailiwick_hashing_rejected_total", "", 0.0).await;
    // The invitation went by email.
    of("bailiwick_delivery_attempts_total", "channel=\"email\",outcome=\"sent\"", 1.0).await;
    of("bailiwick_delivery_attempts_total", "channel=\"slack\",outcome=\"sent\"", 1.0).await;
    of("bailiwick_delivery_attempts_total", "channel=\"slack\",outcome=\"pending\"", 1.0).await;
    of("bailiwick_delivery_attempts_total", "channel=\"slack\",outcome=\"dead\"", 1.0).await;
    of("bailiwick_outbound_requests_total", "to=\"slack\",outcome=\"2xx\"", 1.0).await;
    of("bailiwick_outbound_requests_total", "to=\"slack\",outcome=\"5xx\"", 2.0).await;
    of("bailiwick_outbox_deliveries", "state=\"dead\"", 1.0).await;
    of("bailiwick_outbox_deliveries", "state=\"pending\"", 0.0).await;
    of("bailiwick_outbox_oldest_seconds", "", 0.0).await;
    of(
        "bailiwick_build_info",
        &format!("database=\"{engine}\",version=\"{}\"", env!("CARGO_PKG_VERSION")),
        1.0,
    )
    .await;
    let value = async |metric: &str| prometheus.value(&format!("sum({metric}{{{here}}})")).await;
    for metric in [
        "bailiwick_database_batches_total",
        "bailiwick_database_batch_duration_seconds_sum",
        "bailiwick_database_pool_limit",
        "bailiwick_database_pool_connections",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(value(metric).await.is_some_and(|value| value > 0.0), "{metric}");
    }
    // Who asks is not the public.
    assert_eq!(told.get("/metrics").await, 404);
    for path in ["/healthz", "/readyz"] {
        Ask::new(&client(), Method::GET, &told.admin, path).send().await.expect(200);
    }
    for path in ["/v1/me", "/", "/docs"] {
        Ask::new(&client(), Method::GET, &told.admin, path).send().await.expect(404);
    }
}

/// Everything that names metrics names such as there are, and every panel shows something.
async fn the_dashboard_fits(prometheus: &Prometheus) {
    let text = std::fs::read_to_string(root().join("deploy/grafana/dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 42));
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    assert_eq!(variables[0]["type"], "datasource");
    let names: BTreeSet<_> = prometheus.names().await.into_iter().collect();
    let (mut expressions, mut shown) = (0, BTreeSet::new());
    for panel in dashboard["panels"].as_array().expect("panels") {
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            let asked = expression.replace("$__rate_interval", "1m").replace("$instance", ".*");
            let found = prometheus.query(&asked).await;
            let found = found.unwrap_or_else(|error| panic!("{expression}: {error}"));
            assert!(!found.is_empty(), "{} shows nothing: {expression}", panel["title"]);
            shown.extend(named(expression));
            expressions += 1;
        }
    }
    assert!(expressions > 40, "{expressions}");
    let alerts = std::fs::read_to_string(root().join("deploy/prometheus/alerts.yml")).expect("the alerts");
    for name in shown.iter().chain(&named(&alerts)) {
        assert!(names.contains(name), "{name} is not there: {names:?}");
    }
    // What is told and not shown is not looked at.
    let base = |name: &str| {
        ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let shown: BTreeSet<_> = shown.iter().map(|name| base(name)).collect();
    for name in names.iter().filter(|name| name.starts_with("bailiwick_")) {
        assert!(shown.contains(&base(name)), "no panel shows {name}");
    }
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = |word: &&str| word.starts_with("bailiwick_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_sees_what_happens_on_both_engines() {
    let ((_directory, sqlite, _), (_server, postgres, _)) =
        tokio::join!(instance::sqlite(), instance::postgres());
    let receivers = [Receivers::start().await, Receivers::start().await];
    let told = [Told::start(&sqlite, &receivers[0]).await, Told::start(&postgres, &receivers[1]).await];
    let prometheus = Prometheus::start(&[&told[0].admin, &told[1].admin]).await;
    tokio::join!(traffic(&told[0], &receivers[0].http), traffic(&told[1], &receivers[1].http));
    tokio::join!(
        what_happens_is_counted(&told[0], &prometheus, "sqlite"),
        what_happens_is_counted(&told[1], &prometheus, "postgres"),
    );
    the_dashboard_fits(&prometheus).await;
    for told in &told {
        let checked = promtool(&["check", "metrics"], &root(), &told.metrics().await).await;
        assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");
    }
}

/// What waits is seen while the way out is closed, on Postgres as a role that may see no more than it must.
#[tokio::test]
async fn the_outbox_is_told_while_it_waits() {
    let (server, database, backdoor) = instance::postgres().await;
    let receivers = Receivers::start().await;
    let told = Told::start(&database, &receivers).await;
    let prometheus = Prometheus::start(&[&told.admin]).await;
    let instance = &told.instance;
    let (_, owner) = instance.register("owner@example.com", None).await;
    receivers.http.always("guest@example.com", Behaviour::Silent);
    let invitation = json!({ "email": "guest@example.com", "role": "viewer" });
    instance.post(&owner, "/v1/invitations", &invitation).await.expect(201);
    prometheus.until("bailiwick_outbox_deliveries{state=\"pending\"}", 1.0).await;
    let rises = async |metric: &str| {
        until(&format!("{metric} rises"), || async {
            {
                let value = prometheus.value(metric).await;
                value.filter(|value| *value > 0.2).ok_or(value)
            }
        })
        .await;
    };
    rises("bailiwick_outbox_oldest_seconds").await;
    // Somebody is at it.
    prometheus.until("bailiwick_outbox_overdue_seconds", 0.0).await;
    backdoor
        .sql("UPDATE deliveries SET next_attempt_at = '2020-01-01', claim = NULL, state = 'pending'")
        .await;
    backdoor.sql("UPDATE tenants SET suspended_at = '2020-01-01'").await;
    // A tenant's that is suspended waits for the tenant, not for us.
    prometheus.until("bailiwick_outbox_deliveries{state=\"pending\"}", 0.0).await;
    prometheus.until("bailiwick_outbox_overdue_seconds", 0.0).await;
    server.halt().await;
    // Without a database there is no outbox to be seen; the rest is told all the same.
    prometheus.until("sum(up)", 1.0).await;
    let text = told.metrics().await;
    assert!(!text.contains("bailiwick_outbox"), "{text}");
    assert!(text.contains("bailiwick_database_pool_limit{pool=\"all\"} 16"), "{text}");
}

#[tokio::test]
async fn labels_hold_nothing_of_anybody_and_series_do_not_grow_with_them() {
    let (_directory, database, _) = instance::sqlite().await;
    let receivers = Receivers::start().await;
    let told = Told::start(&database, &receivers).await;
    let instance = &told.instance;
    let (user, owner) = instance.register("owner@example.com", None).await;
    let round = async |number: usize| {
        let slug = format!("tenant-{number}");
        let tenant = json!({ "slug": slug, "name": "T" });
        let tenant = instance.post(&owner, "/v1/tenants", &tenant).await.expect(201).text_at("/id");
        let ask = |method: Method, path: &str| instance.ask(&client(), &owner, method, path).tenant(&tenant);
        let project = ask(Method::POST, "/v1/projects").json(&json!({ "name": "P" })).send().await;
        let project = project.expect(201).text_at("/id");
        ask(Method::GET, &format!("/v1/projects/{project}")).send().await.expect(200);
        ask(Method::GET, &format!("/v1/projects/{}", new_id())).send().await.expect(404);
        ask(Method::GET, &format!("/v1/{slug}/{number}?q={number}")).send().await.expect(404);
        let method = format!("METHOD{number}").parse().expect("a method");
        ask(method, "/v1/projects").send().await.expect(405);
        [tenant, project, slug, user.clone()]
    };
    // Nobody counts what the background does meanwhile: its series are there from the start, or come with it once.
    let series = async || {
        let text = told.metrics().await;
        let names = text.lines().filter(|line| !line.starts_with('#'));
        names.map(|line| line.rsplit_once(' ').expect("a value").0.to_owned()).collect::<BTreeSet<_>>()
    };
    round(0).await;
    let before = series().await;
    let mut secrets = vec!["owner@example.com".to_owned(), owner.clone()];
    for number in 1..12 {
        secrets.extend(round(number).await);
    }
    let after = series().await;
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
    let text = told.metrics().await;
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()), "{secret}");
    }
    // Nor any other id, of eight, four, four, four and twelve digits.
    let id = regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-").expect("a pattern");
    assert!(!id.is_match(&text), "{text}");
    // Every label has one of few values.
    for (label, most) in [("route", 80), ("method", 8), ("status", 20), ("code", 80), ("le", 20)] {
        let values: BTreeSet<_> =
            text.split(&format!("{label}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(values.len() <= most, "{label}: {values:?}");
    }
}

#[tokio::test]
async fn alerts_are_right_and_tested_and_described() {
    let directory = root().join("deploy/prometheus");
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts.test.yml"],
    ] {
        let done = promtool(&arguments, &directory, "").await;
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("a file");
    let (rules, tests) = (read("deploy/prometheus/alerts.yml"), read("deploy/prometheus/alerts.test.yml"));
    let page = read("docs/OPERATIONS.md");
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).filter_map(|rest| rest.lines().next()).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let tested = tests.split("- name: ").skip(1).find(|test| test.lines().next() == Some(alert));
        let tested = tested.unwrap_or_else(|| panic!("{alert} is not tested"));
        assert!(tested.contains("exp_alerts: []") && tested.contains("exp_labels"), "{alert}: {tested}");
        assert!(
            page.contains(&format!("`{alert}`")),
            "docs/OPERATIONS.md does not tell what to do about {alert}"
        );
    }
}
