//! Bailiwick as a Cloudflare Worker: the ports on D1 and the platform, and the conversion of requests and responses.

mod assets;
mod background;
mod d1;
mod limiter;
mod outbound;
mod ports;

use std::sync::{Arc, OnceLock};

use bailiwick_core::{
    App, Config, Ports, REQUEST_HEADERS, RequestOutcome, Streamed, config::EmailProvider, limits,
    problem::Code, problem::Problem, throttle::ClientAddress,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use worker::{
    Context, Date, Env, Headers, Request, Response, ResponseBody, ScheduleContext, ScheduledEvent,
    console_error, console_log, event, worker_sys::web_sys::ReadableStream,
};

use crate::{
    assets::Bound,
    d1::D1,
    limiter::Bindings,
    outbound::{Console, FetchClient},
    ports::{DateClock, Inline, WebCrypto},
};

/// Made with the first event of an isolate, then shared by all that follow.
static APP: OnceLock<Result<Arc<App>, Vec<String>>> = OnceLock::new();

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let Some(app) = app(&env) else {
        return convert(Problem::new(Code::Unavailable).into_response("none"), None);
    };
    let response = answer(app, &env, request).await;
    if let Some(waiting) = background::Waiting::of(app) {
        context.wait_until(background::work(app, background::BEHIND_A_RESPONSE, waiting));
    }
    response
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    if let Some(app) = app(&env) {
        background::work(app, background::BY_CRON, background::Waiting::ALL).await;
        background::prune(app).await;
    }
}

/// The product; `None` if it cannot be made, which is said in the log each time.
fn app(env: &Env) -> Option<&'static Arc<App>> {
    match APP.get_or_init(|| make(env)) {
        Ok(app) => Some(app),
        Err(sentences) => {
            for sentence in sentences {
                console_error!("{sentence}");
            }
            None
        }
    }
}

fn make(env: &Env) -> Result<Arc<App>, Vec<String>> {
    let config = Config::read(|name| env.var(name).ok().map(|value| value.to_string()))?;
    if config.email_provider == EmailProvider::Smtp {
        let sentence = "EMAIL_PROVIDER: smtp is not to be had on the edge; use http or console.";
        return Err(vec![sentence.to_owned()]);
    }
    if let Some(sentence) = config.invitation_tokens_shown() {
        console_log!("{sentence}");
    }
    let database = env.d1("DB").map_err(|error| vec![format!("The binding DB is missing: {error}.")])?;
    let limiter = Bindings::new(env, config.rate_limit_period).map_err(|sentence| vec![sentence])?;
    let (database, assets) = (D1::new(database), Bound::new(env).map_err(|sentence| vec![sentence])?);
    let (clock, crypto, http) = (DateClock, WebCrypto, FetchClient);
    let ports = Ports::new(database, clock, crypto, Inline, crypto, http, Console, limiter, assets);
    App::new(config, ports)
}

async fn answer(app: &Arc<App>, env: &Env, mut request: Request) -> worker::Result<Response> {
    let started = Date::now().as_millis();
    // As it was sent: `Request::method` takes every method that it does not know for GET.
    let method = request.inner().method();
    let headers = read_headers(request.headers());
    let mut response = match read_body(&mut request, &method).await? {
        Some(body) => match to_core(&method, &request, headers.clone(), body) {
            Some(request) => app.handle(request).await,
            None => app.refuse(&headers, Code::RouteNotFound),
        },
        None => app.refuse(&headers, Code::BodyTooLarge),
    };
    let mut file = None;
    if let Some(Streamed { name }) = response.extensions().get()
        && method != "HEAD"
    {
        match stream(env, name).await {
            Ok(stream) => file = Some(stream),
            Err(sentence) => {
                console_error!("site/{name}: {sentence}");
                response = app.refuse(&headers, Code::InternalError);
            }
        }
    }
    log(&method, &response, Date::now().as_millis().saturating_sub(started));
    convert(response, file)
}

async fn stream(env: &Env, name: &str) -> Result<ReadableStream, String> {
    Bound::new(env)?.stream(name).await
}

/// Reads the few headers that matter: each look into JavaScript has its price.
fn read_headers(from: &Headers) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in &REQUEST_HEADERS {
        let value =
            from.get(name.as_str()).ok().flatten().and_then(|value| HeaderValue::try_from(value).ok());
        if let Some(value) = value {
            headers.insert(name.clone(), value);
        }
    }
    headers
}

/// The body; `None` if it is too large. What says so by its `Content-Length` is not even read.
async fn read_body(request: &mut Request, method: &str) -> worker::Result<Option<Bytes>> {
    if matches!(method, "GET" | "HEAD") {
        return Ok(Some(Bytes::new()));
    }
    let announced = request.headers().get("content-length")?.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits::BODY_BYTES) {
        return Ok(None);
    }
    let body = request.bytes().await?;
    Ok((body.len() <= limits::BODY_BYTES).then(|| body.into()))
}

fn to_core(method: &str, request: &Request, headers: HeaderMap, body: Bytes) -> Option<http::Request<Bytes>> {
    let url = request.inner().url();
    // The path and query of an absolute URL start at the first slash after the host.
    let target =
        url.split_once("://").map_or(url.as_str(), |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let mut converted = http::Request::new(body);
    *converted.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *converted.uri_mut() = target.parse().ok()?;
    *converted.headers_mut() = headers;
    // The platform sets it, whatever the client sent.
    let address = request.headers().get("cf-connecting-ip").ok().flatten();
    if let Some(address) = address.and_then(|address| address.parse().ok()) {
        converted.extensions_mut().insert(ClientAddress::new(address));
    }
    Some(converted)
}

fn convert(response: http::Response<Bytes>, file: Option<ReadableStream>) -> worker::Result<Response> {
    let (parts, body) = response.into_parts();
    let headers = Headers::new();
    for (name, value) in &parts.headers {
        // Not `set`: some may be there more than once.
        headers.append(name.as_str(), value.to_str().unwrap_or_default())?;
    }
    let body = match file {
        Some(file) => ResponseBody::Stream(file),
        None if body.is_empty() => ResponseBody::Empty,
        None => ResponseBody::Body(body.into()),
    };
    Ok(Response::from_body(body)?.with_status(parts.status.as_u16()).with_headers(headers))
}

/// One line of JSON a request, for Workers Logs.
fn log(method: &str, response: &http::Response<Bytes>, duration_ms: u64) {
    let Some(served) = response.extensions().get::<RequestOutcome>() else { return };
    let RequestOutcome {
        request_id,
        trace,
        route,
        tenant,
        principal,
        problem,
        internal,
        batches,
        database,
        ..
    } = served;
    let line = json!({
        "message": "request",
        "method": method,
        "route": route.unwrap_or("-"),
        "status": response.status().as_u16(),
        "code": problem.map(Code::as_str),
        "duration_ms": duration_ms,
        "batches": batches,
        "database_ms": background::millis(*database),
        "tenant": tenant.map(|id| id.to_string()),
        "principal": principal,
        "request_id": request_id,
        "trace_id": trace.map(|trace| trace.to_string()),
        "internal": internal,
    });
    if internal.is_some() {
        console_error!("{line}");
    } else {
        console_log!("{line}");
    }
}
