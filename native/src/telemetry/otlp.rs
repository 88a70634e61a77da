//! Traces, exported by OTLP over HTTP in batches, by a thread of their own. Nobody waits for it: spans without room in
//! the queue are dropped, which is logged.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime},
};

use bailiwick_core::{
    Attempt, Config, RequestOutcome,
    trace::{Step, Trace, Work},
    values::DeliveryState,
};
use bytes::Bytes;
use http::Method;
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor},
};
use tokio::runtime::Handle;

use crate::ports::{database, http_client};

/// Spans that may wait to be exported; more are dropped.
const QUEUE: usize = 8192;
/// How long the collector may take to accept a batch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the export of the rest may take at the end.
const AT_THE_END: Duration = Duration::from_secs(5);
/// The number of bytes that are read of the collector's answer.
const ANSWER_BYTES: usize = 64 * 1024;

/// The export of traces.
pub(super) struct Traces {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    /// The database, as the conventions of OpenTelemetry name it.
    engine: &'static str,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}

/// The place of a span in its trace.
#[derive(Clone, Copy)]
struct SpanIds {
    span: u64,
    parent: Option<u64>,
    /// Whether the parent, if there is one, is a span of another service.
    remote: bool,
}

/// A span, without the attributes that all have.
struct FinishedSpan {
    name: String,
    kind: SpanKind,
    took: Duration,
    failed: Option<String>,
    attributes: Vec<KeyValue>,
}

impl Traces {
    /// Starts the thread; `None` if no traces are exported.
    ///
    /// # Errors
    /// A sentence about the setting that is wrong.
    pub(super) fn start(config: &Config) -> Result<Option<Self>, String> {
        let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
        let headers = headers(config.otlp_headers.as_ref().map_or("", |headers| headers.expose()))
            .ok_or("OTLP_HEADERS: expected NAME=VALUE,NAME=VALUE.")?;
        let endpoint = format!("{}/v1/traces", endpoint.expose().trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector { client: http_client::plain()?, runtime: Handle::current() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_headers(headers)
            .with_timeout(TIMEOUT)
            .build()
            .map_err(|error| format!("OTLP_ENDPOINT: it cannot be exported to: {error}."))?;
        let queue = BatchConfigBuilder::default().with_max_queue_size(QUEUE).build();
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(queue).build();
        let version = env!("CARGO_PKG_VERSION");
        processor.set_resource(
            &Resource::builder()
                .with_service_name("bailiwick")
                .with_attribute(KeyValue::new("service.version", version))
                .build(),
        );
        let scope = InstrumentationScope::builder("bailiwick").with_version(version).build();
        let engine = if database::is_postgres(config)? { "postgresql" } else { "sqlite" };
        Ok(Some(Self { processor, scope, engine }))
    }

    /// Exports the rest. To be called where it may block.
    pub(super) fn stop(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(AT_THE_END) {
            tracing::warn!(%error, "the last traces could not be exported");
        }
    }

    /// A request was answered.
    pub(super) fn request(&self, method: &Method, served: &RequestOutcome, status: u16, took: Duration) {
        let Some(trace) = served.trace.filter(|trace| trace.sampled) else { return };
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.to_string()),
            KeyValue::new("http.response.status_code", i64::from(status)),
            KeyValue::new("bailiwick.request_id", served.request_id.clone()),
            KeyValue::new("bailiwick.principal", served.principal),
        ];
        attributes.extend(served.route.map(|route| KeyValue::new("http.route", route)));
        attributes.extend(served.tenant.map(|id| KeyValue::new("bailiwick.tenant", id.to_string())));
        attributes.extend(served.problem.map(|code| KeyValue::new("error.type", code.as_str())));
        let finished = FinishedSpan {
            name: served.route.map_or_else(|| method.to_string(), |route| format!("{method} {route}")),
            kind: SpanKind::Server,
            took,
            failed: (status >= 500).then(|| served.internal.clone().unwrap_or_default()),
            attributes,
        };
        self.with_steps(trace, finished, &served.steps);
    }

    /// An attempt to deliver something was made.
    pub(super) fn delivery(&self, attempt: &Attempt, channel: &'static str) {
        let Some(trace) = attempt.trace.filter(|trace| trace.sampled) else { return };
        let finished = FinishedSpan {
            name: format!("deliver {channel}"),
            kind: SpanKind::Consumer,
            took: attempt.took,
            failed: attempt.error.clone().filter(|_| attempt.state != DeliveryState::Sent),
            attributes: [
                KeyValue::new("bailiwick.delivery", attempt.id.to_string()),
                KeyValue::new("bailiwick.outcome", attempt.state.as_str()),
            ]
            .into_iter()
            .chain(attempt.tenant.map(|id| KeyValue::new("bailiwick.tenant", id.to_string())))
            .collect(),
        };
        self.with_steps(trace, finished, &attempt.steps);
    }

    fn with_steps(&self, trace: Trace, finished: FinishedSpan, steps: &[Step]) {
        #[expect(
            clippy::disallowed_methods,
            reason = "a span has the times of the system, and this one has just ended"
        )]
        let ended = SystemTime::now();
        let began = ended.checked_sub(finished.took).unwrap_or(ended);
        for step in steps {
            let (name, attributes) = self.step(&step.work);
            let finished = FinishedSpan {
                name,
                kind: SpanKind::Client,
                took: step.took,
                failed: step.failed.clone(),
                attributes,
            };
            let ids = SpanIds { span: step.span, parent: Some(trace.span), remote: false };
            self.export(trace, ids, began + step.begun, finished);
        }
        let ids = SpanIds { span: trace.span, parent: trace.parent, remote: true };
        self.export(trace, ids, began, finished);
    }

    fn step(&self, work: &Work) -> (String, Vec<KeyValue>) {
        match work {
            Work::Batch(statements) => {
                let attributes = vec![
                    KeyValue::new("db.system.name", self.engine),
                    KeyValue::new(
                        "db.operation.batch.size",
                        i64::try_from(statements.len()).unwrap_or(i64::MAX),
                    ),
                    KeyValue::new("db.query.summary", statements.join(" ")),
                ];
                ("batch".to_owned(), attributes)
            }
            Work::Call { to, status } => {
                let mut attributes = vec![KeyValue::new("bailiwick.to", *to)];
                attributes.extend(
                    status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))),
                );
                (format!("call {to}"), attributes)
            }
        }
    }

    fn export(
        &self,
        trace: Trace,
        SpanIds { span, parent, remote }: SpanIds,
        began: SystemTime,
        finished: FinishedSpan,
    ) {
        let id = |span: u64| SpanId::from_bytes(span.to_be_bytes());
        let [high, low] = trace.id.map(u128::from);
        let trace_id = TraceId::from_bytes(((high << 64) | low).to_be_bytes());
        self.processor.on_end(SpanData {
            span_context: SpanContext::new(
                trace_id,
                id(span),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: parent.map_or(SpanId::INVALID, id),
            parent_span_is_remote: remote && parent.is_some(),
            span_kind: finished.kind,
            name: finished.name.into(),
            start_time: began,
            end_time: began + finished.took,
            attributes: finished.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: finished.failed.map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        });
    }
}

/// Reads `NAME=VALUE,NAME=VALUE`.
fn headers(text: &str) -> Option<HashMap<String, String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=')?;
            http::HeaderName::try_from(name.trim()).ok()?;
            http::HeaderValue::try_from(value.trim()).ok()?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// Sends to the collector on the server's own runtime: the exporting thread has none.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'async_trait>(
        &'a self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'a: 'async_trait,
        Self: 'async_trait,
    {
        let asking = ask(self.client.clone(), request);
        Box::pin(async move { self.runtime.spawn(asking).await? })
    }
}

async fn ask(
    client: reqwest::Client,
    request: http::Request<Bytes>,
) -> Result<http::Response<Bytes>, HttpError> {
    let (parts, body) = request.into_parts();
    let asking = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).timeout(TIMEOUT);
    // The URL may hold a secret.
    let mut response = asking.body(body).send().await.map_err(reqwest::Error::without_url)?;
    let mut answer = http::Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    std::mem::swap(answer.headers_mut(), response.headers_mut());
    *answer.body_mut() =
        http_client::whole_body(response, ANSWER_BYTES).await.map_err(|failure| failure.0)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs() {
        let read = headers("authorization=Basic dXNlcg==, x-team = blue,").unwrap();
        assert_eq!(read["authorization"], "Basic dXNlcg==");
        assert_eq!((read["x-team"].as_str(), read.len()), ("blue", 2));
        assert_eq!(headers("").unwrap(), HashMap::new());
        for bad in ["authorization", "a b=c", "=c", "a=\u{7f}"] {
            assert_eq!(headers(bad), None, "{bad}");
        }
    }
}
