//! Responses: what they all say, besides the answers of their routes.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use crate::{
    access::named::NamedTenant,
    api::{handlers::pages, reply::Reply, site::Page},
    dispatch::{App, REQUEST_ID},
    http::{
        answer::Streamed,
        conditional::{self, Reading},
        cors::Asked,
        problem::{Code, Problem, Result},
    },
    kernel::values::TenantId,
    ports::trace::Trace,
    routes::Route,
};

/// The headers for browsers of every answer that has no others: that it is data, not a page, and for this origin only.
/// (The last one counts only where the answer came by TLS: RFC 6797, section 8.1.)
static TO_BROWSERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
];

/// What an adapter may want to log about a request; it is among the extensions of every response.
#[derive(Clone, Debug, Default)]
pub struct RequestOutcome {
    /// The id under which the client can ask about it.
    pub request_id: String,
    /// The trace that it is part of; `None` if there was no randomness to begin one with.
    pub trace: Option<Trace>,
    /// The path of the route, with its placeholders.
    pub route: Option<&'static str>,
    /// The tenant that it named, if there is one of that slug or it gave an id.
    pub tenant: Option<TenantId>,
    /// The kind of the caller's credential: `session`, `api_key` or `identity`; `nobody` without a caller.
    pub principal: &'static str,
    /// The problem that it was answered with, if any.
    pub problem: Option<Code>,
    /// The internal error. It is never sent to the client.
    pub internal: Option<String>,
    /// The number of batches that the database ran.
    pub batches: u32,
    /// The time that they took.
    pub database: Duration,
    /// Its steps, where traces are exported.
    #[cfg(feature = "spans")]
    pub steps: Vec<crate::ports::trace::Step>,
}

impl RequestOutcome {
    /// The cost of the request, for developers: <https://www.w3.org/TR/server-timing/>.
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
    /// Shows a problem as a page to people with a browser.
    pub(super) async fn show(&self, response: &mut Response<Bytes>) {
        let problem = response.extensions().get::<RequestOutcome>().and_then(|served| served.problem);
        let Some(code) = problem else { return };
        let shown = pages::shown(&self.services, code).await;
        if let Ok(page) = shown.and_then(Page::reply) {
            let page = page.into_response(false);
            let [kind, policy] = [header::CONTENT_TYPE, header::CONTENT_SECURITY_POLICY];
            for name in [kind, policy] {
                if let Some(value) = page.headers().get(&name) {
                    response.headers_mut().insert(name, value.clone());
                }
            }
            *response.body_mut() = page.into_body();
        }
    }

    /// Makes the response from the result of a request.
    pub(super) fn finish(
        &self,
        result: Result<Response<Bytes>>,
        asked: Asked,
        mut served: RequestOutcome,
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
        self.services.config.cors_origins.answer(asked, headers);
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(served);
        response
    }
}

/// A path without needless percent-encoding, as clients may write it either way (RFC 3986, section 6.2.2.2).
pub(super) fn normal(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let mut parts = path.split('%');
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.map(char::from) {
            Some(found) if found.is_ascii_alphanumeric() || "-._~".contains(found) => {
                normal.push(found);
                normal.push_str(&part[2..]);
            }
            _ => {
                normal.push('%');
                normal.push_str(part);
            }
        }
    }
    normal.into()
}

/// Members that clients send to the wrong route, and the route that does what they mean.
const ELSEWHERE: [(&str, &str, &str); 4] = [
    (
        "projects::create",
        "/status",
        "A project begins as a draft; `POST /v1/projects/{project_id}/transitions` moves it.",
    ),
    (
        "projects::update",
        "/status",
        "`POST /v1/projects/{project_id}/transitions` moves a project to another status.",
    ),
    ("tenants::update", "/config", "`PATCH /v1/tenant/config` changes the configuration."),
    ("me::update", "/password", "`POST /v1/me/password` changes the password."),
];

/// A problem of a request for a route, with advice about its likely cause.
pub(super) fn advised(route: &Route, named: &NamedTenant, mut problem: Box<Problem>) -> Box<Problem> {
    match problem.code {
        // RFC 5789, section 2.2; RFC 9110, section 15.5.16.
        Code::UnsupportedMediaType if route.method == Method::PATCH => problem.header(
            HeaderName::from_static("accept-patch"),
            "application/merge-patch+json, application/json".to_owned(),
        ),
        Code::UnsupportedMediaType if route.method == Method::POST => {
            problem.header(HeaderName::from_static("accept-post"), "application/json".to_owned())
        }
        Code::NotAMember | Code::TenantNotFound if named.silent => {
            let meaning = problem.code.meaning().trim();
            problem.detailed(format!(
                "No tenant was named, so `default` was meant: name yours in `X-Tenant-Slug`. {meaning}"
            ))
        }
        Code::ValidationFailed => {
            for (_, pointer, detail) in ELSEWHERE.iter().filter(|(name, ..)| *name == route.name) {
                problem.explain(pointer, detail);
            }
            problem
        }
        _ => problem,
    }
}

/// The response, if the resource is in the state that the client wants, or 304 if the client has it already. A client
/// may keep it, but must revalidate it each time: it is only right for this caller, and for the tenant that they named.
pub(super) fn conditioned(mut response: Response<Bytes>, headers: &HeaderMap) -> Result<Response<Bytes>> {
    let Some(etag) = response.headers().get(header::ETAG) else { return Ok(response) };
    match conditional::judge(headers, etag)? {
        Reading::Due => {}
        Reading::Failed => return Err(conditional::failed()),
        Reading::Known { weak } => {
            // The tag is that of what is kept (RFC 9110, section 15.4.5).
            if weak && let Ok(etag) = HeaderValue::try_from([b"W/", etag.as_bytes()].concat()) {
                response.headers_mut().insert(header::ETAG, etag);
            }
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Bytes::new();
            response.extensions_mut().remove::<Streamed>();
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
    }
    let headers = response.headers_mut();
    // An answer that says itself how long it may be kept is the same for everybody.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.append(header::VARY, HeaderValue::from_static("authorization, x-tenant-id, x-tenant-slug"));
    }
    // A proxy may compress it.
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    Ok(response)
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
