//! Traces as a collector receives them: over HTTP, in the protobuf of OTLP.

use std::collections::BTreeMap;

use bailiwick_tests::{
    ended, provided,
    receivers::{
        Receivers,
        http::{Behaviour, Receiver},
    },
    targets::client,
    until,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Any},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message;
use reqwest::Method;
use serde_json::json;

use crate::instance::{self, Instance};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const TRACES: &str = "/v1/traces";

/// The spans that have arrived.
fn spans(collector: &Receiver) -> Vec<Span> {
    let mut spans = Vec::new();
    for received in collector.received(TRACES) {
        assert_eq!(received.header("content-type"), Some("application/x-protobuf"));
        let request = ExportTraceServiceRequest::decode(received.bytes).expect("what OTLP says");
        for resource in request.resource_spans {
            let attributes = attributes(&resource.resource.expect("a resource").attributes);
            assert_eq!(attributes["service.name"], "bailiwick");
            assert_eq!(attributes["service.version"], env!("CARGO_PKG_VERSION"));
            spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    spans
}

fn attributes(given: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &KeyValue| match value.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    given.iter().map(|value| (value.key.clone(), text(value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Those of a trace, as soon as there is one of this name.
async fn trace(collector: &Receiver, id: &str, name: &str) -> Vec<Span> {
    until(&format!("{name} is exported"), || async {
        let mut of_trace = spans(collector);
        of_trace.retain(|span| hex(&span.trace_id) == id);
        provided(of_trace, |spans| spans.iter().any(|span| span.name == name))
    })
    .await
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:?}"))
}

fn settings(receivers: &Receivers, collector: &Receiver) -> Vec<(&'static str, String)> {
    let mut settings = receivers.by_api();
    settings.extend([
        ("OTLP_ENDPOINT", collector.url("/")),
        ("OTLP_HEADERS", "authorization=Bearer of-the-collector".to_owned()),
        // The name that OpenTelemetry gives it, in milliseconds.
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
    ]);
    settings
}

#[tokio::test]
async fn requests_batches_and_what_leaves_are_spans_of_one_trace() {
    let (_directory, database, _) = instance::sqlite().await;
    let (receivers, collector) = (Receivers::start().await, Receiver::start().await);
    let instance = Instance::start(&database, &settings(&receivers, &collector)).await;
    let (_, owner) = instance.register("owner@example.com", None).await;
    let invite = instance.ask(&client(), &owner, Method::POST, "/v1/invitations");
    let invite = invite.json(&json!({ "email": "guest@example.com", "role": "viewer" }));
    let invite = invite.header("traceparent", &format!("00-{TRACE}-{CALLER}-01"));
    invite.header("x-request-id", "the-request").send().await.expect(201);
    let mail = receivers.http.wait_for("guest@example.com", 1).await;

    let all = trace(&collector, TRACE, "deliver email").await;
    let request = named(&all, "POST /v1/invitations");
    assert_eq!(hex(&request.parent_span_id), CALLER);
    assert_eq!(request.kind, SpanKind::Server as i32);
    let told = attributes(&request.attributes);
    assert_eq!(told["http.route"], "/v1/invitations");
    assert_eq!((&*told["http.response.status_code"], &*told["bailiwick.request_id"]), ("201", "the-request"));
    let batches: Vec<_> =
        all.iter().filter(|span| span.parent_span_id == request.span_id && span.name == "batch").collect();
    // The first finds the tenant by its slug, which nobody has asked for before.
    assert_eq!(batches.len(), 3, "{all:?}");
    for (place, batch) in batches.iter().enumerate() {
        assert_eq!(batch.kind, SpanKind::Client as i32);
        let told = attributes(&batch.attributes);
        assert_eq!(told["db.system.name"], "sqlite");
        let first = if place == 0 { "checks::TENANT_BY_SLUG" } else { "checks::MEMBER_BY_SESSION" };
        assert!(told["db.query.summary"].starts_with(first), "{told:?}");
        // Within what they are steps of. (The clocks of both are read one after the other.)
        assert!(
            batch.start_time_unix_nano + 1_000_000 >= request.start_time_unix_nano,
            "{batch:?} {request:?}"
        );
        assert!(batch.end_time_unix_nano <= request.end_time_unix_nano + 1_000_000, "{batch:?} {request:?}");
    }
    let delivery = named(&all, "deliver email");
    assert_eq!(delivery.parent_span_id, request.span_id);
    let call = named(&all, "call email");
    assert_eq!(call.parent_span_id, delivery.span_id);
    assert_eq!(attributes(&call.attributes)["http.response.status_code"], "200");
    // The receiver can go on from there.
    let sent = mail[0].header("traceparent").expect("a trace");
    assert_eq!(sent, format!("00-{TRACE}-{}-01", hex(&call.span_id)));
    let settled = all.iter().any(|span| span.parent_span_id == delivery.span_id && span.name == "batch");
    assert!(settled, "{all:?}");
    // Each has an id of its own.
    let ids: std::collections::BTreeSet<_> = all.iter().map(|span| span.span_id.clone()).collect();
    assert_eq!(ids.len(), all.len());
    assert!(
        collector
            .received(TRACES)
            .iter()
            .all(|received| { received.header("authorization") == Some("Bearer of-the-collector") })
    );
    // What fails says so; what begins here has no parent.
    let panics = instance.ask(&client(), &owner, Method::GET, "/v1/me").header("x-fault", "panic");
    panics.send().await.expect(500);
    let failed = until("a failure", || async {
        let spans = spans(&collector);
        spans.iter().find(|span| span.name == "GET /v1/me").cloned().ok_or(spans)
    })
    .await;
    assert_eq!(failed.status.expect("a status").code, StatusCode::Error as i32);
    assert!(failed.parent_span_id.is_empty());
}

#[tokio::test]
async fn only_what_is_sampled_is_exported_and_the_end_waits_for_it() {
    let (_directory, database, _) = instance::sqlite().await;
    let (receivers, collector) = (Receivers::start().await, Receiver::start().await);
    let mut settings = settings(&receivers, &collector);
    settings.retain(|(name, _)| *name != "OTEL_BSP_SCHEDULE_DELAY");
    settings.extend([("OTLP_ONE_IN", "0".to_owned()), ("OTEL_BSP_SCHEDULE_DELAY", "600000".to_owned())]);
    let instance = Instance::start(&database, &settings).await;
    for (path, traceparent) in [
        ("/healthz", None),
        ("/v1/workflow", Some(format!("00-{TRACE}-{CALLER}-00"))),
        ("/readyz", Some(format!("00-{TRACE}-{CALLER}-01"))),
    ] {
        let mut ask = instance.ask(&client(), "", Method::GET, path);
        if let Some(traceparent) = &traceparent {
            ask = ask.header("traceparent", traceparent);
        }
        ask.send().await.expect(200);
    }
    assert_eq!(spans(&collector), Vec::new());
    instance.terminate().await;
    let names: Vec<_> = spans(&collector).into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["batch", "GET /readyz"]);
}

/// A collector that is away or silent keeps neither a request nor the end waiting, and is named in the log.
#[tokio::test]
async fn a_collector_that_does_not_answer_holds_up_nobody() {
    let (_directory, database, _) = instance::sqlite().await;
    let (receivers, collector) = (Receivers::start().await, Receiver::start().await);
    collector.always(TRACES, Behaviour::Silent);
    let mut settings = settings(&receivers, &collector);
    settings.push(("OTEL_BSP_MAX_QUEUE_SIZE", "64".to_owned()));
    let instance = Instance::start(&database, &settings).await;
    let http = client();
    // Many times as many as there is room for: those who waited for room would never be answered.
    let asking = (0..8).map(|_| async {
        for _ in 0..64 {
            instance.ask(&http, "", Method::GET, "/healthz").send().await.expect(200);
        }
    });
    futures::future::join_all(asking).await;
    collector.wait_for(TRACES, 1).await;
    instance.terminate().await;
}

#[tokio::test]
async fn wrong_settings_are_told() {
    let (_directory, database, _) = instance::sqlite().await;
    for (name, value, said) in [
        ("OTLP_ENDPOINT", "collector:4318", "OTLP_ENDPOINT: expected a URL"),
        ("OTLP_HEADERS", "authorization", "OTLP_HEADERS: expected NAME=VALUE"),
        ("ADMIN_BIND", "here", "ADMIN_BIND: expected an address"),
    ] {
        let mut command = bailiwick_tests::targets::native(&database);
        command.env("OTLP_ENDPOINT", "http://127.0.0.1:9").env(name, value);
        let output =
            ended("a start that has to fail", command.kill_on_drop(true).output(), || "it runs".to_owned());
        let output = output.await.expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(said), "{name}: {stderr}");
    }
}
