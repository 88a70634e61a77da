//! What each target tells in its log: one line a request, the same fields everywhere; no secret, whatever was sent; and the
//! trace, which goes on with what leaves.

use std::collections::BTreeSet;

use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    provided,
    receivers::Receivers,
    secrets::spill,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("logs":
    a_request_is_one_line,
    a_problem_is_told_by_its_code,
    who_asks_is_told_by_what_they_have,
    secrets_are_in_no_line,
    a_valid_trace_goes_on,
    what_is_no_trace_begins_one,
    a_delivery_is_part_of_the_trace_of_its_cause,
);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// The one line about a request.
async fn line(target: &Target, id: &str) -> Value {
    let about = |line: &Value| line["message"] == "request" && line["request_id"] == id;
    let lines = target
        .until(&format!("the line about {id}"), || async {
            provided(target.log.of_request(id), |lines| lines.iter().any(about))
        })
        .await;
    assert_eq!(lines.iter().filter(|line| about(line)).count(), 1, "{lines:?}");
    lines.into_iter().find(about).expect("it is there")
}

async fn a_request_is_one_line(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let id = unique("line");
    let ask = tenant.owner.get("/v1/projects?limit=3").tenant(&tenant.id).header("x-request-id", &id);
    ask.send().await.expect(200);
    let line = line(target, &id).await;
    for (name, wanted) in [
        ("method", json!("GET")),
        ("route", json!("/v1/projects")),
        ("status", json!(200)),
        ("batches", json!(1)),
        ("tenant", json!(tenant.id)),
        ("principal", json!("session")),
    ] {
        assert_eq!(line[name], wanted, "{name} of {line}");
    }
    for name in ["duration_ms", "database_ms"] {
        assert!(line[name].as_f64().is_some_and(|time| (0.0..60_000.0).contains(&time)), "{name} of {line}");
    }
    // Nothing that is not known to be told. (What is empty may be left out.)
    let names: BTreeSet<_> = line.as_object().expect("an object").keys().map(String::as_str).collect();
    let known = [
        "message",
        "method",
        "route",
        "status",
        "code",
        "duration_ms",
        "batches",
        "database_ms",
        "tenant",
        "principal",
        "request_id",
        "trace_id",
        "internal",
        // What the native log adds to every line.
        "timestamp",
        "level",
        "target",
    ];
    let unknown: Vec<_> = names.iter().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

async fn a_problem_is_told_by_its_code(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    for (path, route, code) in [
        ("/v1/nothing", "-", "route_not_found"),
        ("/v1/me", "/v1/me", "authentication_required"),
        ("/v1/projects/7", "/v1/projects/{project_id}", "authentication_required"),
    ] {
        let id = unique("line");
        anyone.get(path).header("x-request-id", &id).send().await;
        let line = line(target, &id).await;
        assert_eq!((&line["route"], &line["code"]), (&json!(route), &json!(code)), "{line}");
        assert_eq!((&line["principal"], &line["batches"]), (&json!("nobody"), &json!(0)), "{line}");
        assert!(line["tenant"].is_null() && line["internal"].is_null(), "{line}");
    }
}

async fn who_asks_is_told_by_what_they_have(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let key = json!({ "name": "A key", "role": "member" });
    let key = tenant.owner.post("/v1/api-keys").tenant(&tenant.id).json(&key).send().await.expect(201);
    let machine = Actor { token: Some(key.text_at("/key")), ..Actor::anonymous(target) };
    let id = unique("line");
    machine.get("/v1/projects").header("x-request-id", &id).send().await.expect(200);
    let line = line(target, &id).await;
    assert_eq!((&line["principal"], &line["tenant"]), (&json!("api_key"), &json!(tenant.id)), "{line}");
}

async fn secrets_are_in_no_line(target: &'static Target) {
    let secrets = spill(&target.http, &target.url, &Receivers::shared().http).await;
    assert!(secrets.len() > 20, "{secrets:?}");
    // What is logged behind the last answer has been logged.
    let id = unique("line");
    Actor::anonymous(target).get("/readyz").header("x-request-id", &id).send().await.expect(200);
    line(target, &id).await;
    let log = target.log.text();
    for (what, secret) in &secrets {
        let told = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(told, None, "{what} is in the log");
    }
}

/// The trace and the span of a `traceparent`.
fn parts(traceparent: &str) -> (String, String) {
    let parts: Vec<_> = traceparent.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { panic!("{traceparent}") };
    assert_eq!((version, trace.len(), span.len(), flags.len()), ("00", 32, 16, 2), "{traceparent}");
    (trace.to_owned(), span.to_owned())
}

async fn a_valid_trace_goes_on(target: &'static Target) {
    let id = unique("line");
    let ask = Actor::anonymous(target).get("/readyz").header("x-request-id", &id);
    let answer = ask.header("traceparent", &format!("00-{TRACE}-{CALLER}-01")).send().await.expect(200);
    assert!(answer.header("traceparent").is_none());
    assert_eq!(line(target, &id).await["trace_id"], TRACE);
}

async fn what_is_no_trace_begins_one(target: &'static Target) {
    let mut seen = BTreeSet::new();
    for given in [
        None,
        Some(String::new()),
        Some("garbage".to_owned()),
        Some(format!("00-{TRACE}-{CALLER}")),
        Some(format!("ff-{TRACE}-{CALLER}-01")),
        Some(format!("00-{}-{CALLER}-01", TRACE.to_uppercase())),
        Some(format!("00-{}-{CALLER}-01", "0".repeat(32))),
        Some(format!("00-{TRACE}-{}-01", "0".repeat(16))),
    ] {
        let id = unique("line");
        let mut ask = Actor::anonymous(target).get("/healthz").header("x-request-id", &id);
        if let Some(given) = &given {
            ask = ask.header("traceparent", given);
        }
        ask.send().await.expect(200);
        let line = line(target, &id).await;
        let trace = line["trace_id"].as_str().expect("a trace").to_owned();
        assert!(trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()), "{trace}");
        assert!(trace != TRACE && seen.insert(trace), "{given:?}: {line}");
    }
    // Nobody knows which of two is meant.
    let id = unique("line");
    let ask = Actor::anonymous(target).get("/healthz").header("x-request-id", &id);
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    ask.header("traceparent", &traceparent).header("traceparent", &traceparent).send().await.expect(200);
    assert_ne!(line(target, &id).await["trace_id"], TRACE);
}

async fn a_delivery_is_part_of_the_trace_of_its_cause(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let webhook = tenant.webhook().await;
    tenant.send_by(&["submitted"], &["slack"]).await;
    // A trace of its own, which nobody else has in the log.
    let trace = format!("{:032x}", uuid::Uuid::now_v7().as_u128());
    let project = tenant.project("draft", None).await;
    let ask = tenant.owner.post(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id);
    let ask = ask.json(&json!({ "to": "submitted" }));
    ask.header("traceparent", &format!("00-{trace}-{CALLER}-00")).send().await.expect(200);
    let received = webhook.receiver.wait_for(&webhook.path, 1).await;
    let sent = received[0].header("traceparent").expect("a trace");
    let (sent, span) = parts(sent);
    assert_eq!(sent, trace);
    assert_ne!(span, CALLER);
    assert!(received[0].header("tracestate").is_none());
    let about = |line: &Value| line["message"] == "delivery" && line["trace_id"] == trace;
    let line = target
        .until("the line about the delivery", || async {
            let lines = target.log.of_request(&trace);
            lines.iter().find(|line| about(line)).cloned().ok_or(lines)
        })
        .await;
    assert_eq!((&line["channel"], &line["outcome"]), (&json!("slack"), &json!("sent")), "{line}");
    assert_eq!(line["tenant"], tenant.id.as_str(), "{line}");
}
