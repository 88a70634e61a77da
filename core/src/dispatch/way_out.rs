//! The way out: what all answers say, beside what their routes do.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{
    conditional,
    cors::Asked,
    dispatch::{App, REQUEST_ID},
    problem::{Code, Result},
    routes::Route,
    trace::Trace,
    values::TenantId,
};

/// What every answer that says nothing else says to browsers, in which it may end up: that it is data, not a page, and
/// nobody else's. (The last one counts only where the answer came by TLS: RFC 6797, section 8.1.)
static TO_BROWSERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
];

/// What an adapter may want to log of a request; it is among the extensions of every response.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// The id under which the client can ask about it.
    pub request_id: String,
    /// The trace that it is part of; `None` if there was no randomness to begin one with.
    pub trace: Option<Trace>,
    /// The path of the route, with its placeholders.
    pub route: Option<&'static str>,
    /// The tenant that it named, if there is one of that slug or it gave an id.
    pub tenant: Option<TenantId>,
    /// By what whoever asks has shown who they are: `session`, `api_key`, `identity`. `nobody` where nobody asked.
    pub principal: &'static str,
    /// The problem that it was answered with, if it was one.
    pub problem: Option<Code>,
    /// What went wrong inside. It never leaves.
    pub internal: Option<String>,
    /// Batches that the database was asked for.
    pub batches: u32,
    /// How long it took for them.
    pub database: Duration,
    /// What it consisted of, where traces are exported.
    #[cfg(feature = "spans")]
    pub steps: Vec<crate::trace::Step>,
}

impl Served {
    /// What a request cost, for developers: <https://www.w3.org/TR/server-timing/>.
    pub(super) fn timing(&self, total: Duration) -> Option<HeaderValue> {
        // Without floating point numbers, whose formatting nothing else here needs.
        let milliseconds =
            |time: Duration| format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1000);
        let (batches, database, total) = (self.batches, milliseconds(self.database), milliseconds(total));
        let text = format!("db;dur={database};desc=\"batches: {batches}\", total;dur={total}");
        HeaderValue::try_from(text).ok()
    }
}

impl App {
    /// Makes a response of what came of a request.
    pub(super) fn seal(
        &self,
        result: Result<Response<Bytes>>,
        asked: Asked,
        mut served: Served,
    ) -> Response<Bytes> {
        let mut response = result.unwrap_or_else(|problem| {
            served.problem = Some(problem.code);
            served.internal = problem.internal_text().map(str::to_owned);
            problem.into_response(&served.request_id)
        });
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::try_from(&served.request_id) {
            headers.insert(REQUEST_ID, value);
        }
        for (name, value) in &TO_BROWSERS {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        self.config.cors_origins.answer(asked, headers);
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(served);
        response
    }
}

/// What was read, or 304 if the client has it already. It may be kept, but is to be asked for again each time: what is
/// kept is only right for who asked, and for the tenant that they named.
pub(super) fn unless_known(mut response: Response<Bytes>, headers: &HeaderMap) -> Response<Bytes> {
    let Some(etag) = response.headers().get(header::ETAG) else { return response };
    if conditional::is_known(headers, etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    // What says itself how long it may be kept is the same for everybody.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.append(header::VARY, HeaderValue::from_static("authorization, x-tenant-id, x-tenant-slug"));
    }
    response
}

pub(super) fn allow(routes: &[&Route]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

pub(super) fn options(routes: &[&Route]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::try_from(allow(routes)) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
