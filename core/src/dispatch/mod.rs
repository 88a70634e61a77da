//! One request: route, token, tenant, access, handler, and response. Everything that all routes have in common.

pub(crate) mod audit_denial;
pub(crate) mod authentication;
pub(crate) mod background;
pub(crate) mod cache;
pub(crate) mod entry;
mod faults;
pub(crate) mod response;
pub(crate) mod throttle;

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts,
};

use crate::{
    access::{
        context::{Context, Idempotency},
        named::{self, NamedTenant},
        rule::Access,
        scopes::{anonymous::AnonymousScope, operator::OperatorScope},
        services::Services,
    },
    api::{endpoint::Incoming, negotiation::prefers_page},
    auth::token::Bearer,
    config::Config,
    dispatch::{
        authentication::Caller,
        cache::Cache,
        entry::Entry,
        response::{RequestOutcome, advised, allow, conditioned, normal, options},
    },
    http::{
        answer::{Answer, Streamed},
        conditional::Condition,
        idempotency::{self, IdempotencyKey},
        problem::{Code, Problem, Result},
    },
    kernel::{limits, values::TenantId},
    ports::{Ports, meter::Meter, trace::TRACEPARENT},
    repository::identities::Known,
    routes::{ROUTES, Route},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FAULT: HeaderName = HeaderName::from_static("x-fault");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The only request headers that are read here; an adapter needs to pass on no other.
pub static REQUEST_HEADERS: [HeaderName; 14] = [
    header::AUTHORIZATION,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::ACCEPT,
    named::TENANT_ID,
    named::TENANT_SLUG,
    REQUEST_ID,
    FAULT,
    header::ORIGIN,
    header::ACCESS_CONTROL_REQUEST_METHOD,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    idempotency::KEY,
    TRACEPARENT,
];

/// The product, on the ports of one adapter. Made once, then shared by all requests.
#[derive(Debug)]
pub struct App {
    pub(crate) services: Arc<Services>,
    router: matchit::Router<Vec<&'static Route>>,
    slugs: Cache<TenantId>,
    /// By subject.
    identities: Cache<Known>,
}

impl App {
    /// Makes the product.
    ///
    /// # Errors
    /// One sentence for each thing that the configuration lacks.
    pub fn new(config: Config, ports: Ports) -> Result<Arc<Self>, Vec<String>> {
        Self::on(Services::new(config, ports)?)
    }

    /// The product on these services.
    pub(crate) fn on(services: Services) -> Result<Arc<Self>, Vec<String>> {
        let mut by_path: Vec<(&str, Vec<&'static Route>)> = Vec::new();
        for route in ROUTES {
            match by_path.iter_mut().find(|(path, _)| *path == route.path) {
                Some((_, routes)) => routes.push(route),
                None => by_path.push((route.path, vec![route])),
            }
        }
        let mut router = matchit::Router::new();
        for (path, routes) in by_path {
            router
                .insert(path, routes)
                .map_err(|error| vec![format!("The route {path} cannot be: {error}.")])?;
        }
        let (slugs, identities) = (Cache::default(), Cache::default());
        Ok(Arc::new(Self { services: Arc::new(services), router, slugs, identities }))
    }

    /// Access to every tenant, for the operator at the command line.
    pub fn operator(&self) -> OperatorScope {
        OperatorScope::new(self.services.clone())
    }

    /// From now on `/readyz` answers 503, so that load balancers send no more requests here. All other requests are
    /// answered as before: until the balancers have noticed, some still come.
    pub fn drain(&self) {
        self.services.drain();
    }

    /// Whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.services.is_draining()
    }

    /// Answers a request. Every failure is a response too.
    pub async fn handle(self: &Arc<Self>, request: Request<Bytes>) -> Response<Bytes> {
        let mut served = self.serve(request.headers());
        let begun = self.services.config.debug_timing.then(|| self.services.ports.clock.elapsed());
        let fault = request.headers().get(FAULT).cloned();
        let fault = fault.as_ref().map(HeaderValue::as_bytes);
        self.fail_if_asked(fault, "panic");
        let head = request.method() == Method::HEAD;
        let reads = head || request.method() == Method::GET;
        let page = reads && prefers_page(request.headers().get_all(header::ACCEPT));
        let asked = self.services.config.cors_origins.ask(request.method(), request.headers());
        let meter =
            self.services.meter(served.trace).with_hold(faults::asked_hold(&self.services.config, fault));
        let meter = Arc::new(meter);
        let result = self.dispatch(request, &mut served, &meter).await;
        self.fail_if_asked(fault, "panic-after");
        (served.batches, served.database) = (meter.batches(), meter.time());
        served.tenant = meter.tenant();
        #[cfg(feature = "spans")]
        {
            served.steps = meter.steps();
        }
        let timing =
            begun.and_then(|begun| served.timing(self.services.ports.clock.elapsed().saturating_sub(begun)));
        let mut response = self.finish(result, asked, served);
        if page && response.status() == StatusCode::NOT_FOUND {
            self.show(&mut response).await;
        }
        response.headers_mut().extend(timing.map(|timing| (SERVER_TIMING, timing)));
        if head && response.extensions().get::<Streamed>().is_none() {
            // The length is that of what GET would have answered (RFC 9110, section 8.6).
            let length = HeaderValue::from(response.body().len());
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
            *response.body_mut() = Bytes::new();
        }
        response
    }

    /// Answers a request that an adapter refuses by itself.
    pub fn refuse(&self, headers: &HeaderMap, code: Code) -> Response<Bytes> {
        let asked = self.services.config.cors_origins.ask(&Method::GET, headers);
        self.finish(Err(Problem::new(code)), asked, self.serve(headers))
    }

    /// The facts of a request that are known before it is dispatched.
    fn serve(&self, headers: &HeaderMap) -> RequestOutcome {
        let (request_id, trace) = (self.request_id(headers), self.services.trace(headers));
        RequestOutcome { request_id, trace, principal: "nobody", ..RequestOutcome::default() }
    }

    /// The path of the route that answers a path, with its placeholders: what a log may say of a request that was given
    /// up before it was answered here.
    pub fn route(&self, path: &str) -> Option<&'static str> {
        self.router.at(&normal(path)).ok()?.value.first().map(|route| route.path)
    }

    fn request_id(&self, headers: &HeaderMap) -> String {
        let plain = |text: &&str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        match headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain) {
            Some(given) => given.to_owned(),
            None => self.services.new_id().map_or_else(|_| "none".to_owned(), |id| id.to_string()),
        }
    }

    /// Panics if a request asks for it, where that is allowed: to show the consequences of a panic.
    fn fail_if_asked(&self, fault: Option<&[u8]>, at: &str) {
        assert!(
            !self.services.config.fault_injection || fault != Some(at.as_bytes()),
            "a panic was asked for"
        );
    }

    async fn dispatch(
        self: &Arc<Self>,
        request: Request<Bytes>,
        served: &mut RequestOutcome,
        meter: &Arc<Meter>,
    ) -> Result<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        if parts.uri.path_and_query().is_some_and(|target| target.as_str().len() > limits::TARGET_BYTES) {
            return Err(Problem::new(Code::TargetTooLong));
        }
        let path = normal(parts.uri.path());
        let Ok(found) = self.router.at(&path) else {
            // Of the server as a whole (RFC 9110, section 9.3.7).
            let of_all = parts.method == Method::OPTIONS && path == "*";
            return if of_all { Ok(options(&[])) } else { Err(Problem::new(Code::RouteNotFound)) };
        };
        served.route = found.value.first().map(|route| route.path);
        if parts.method == Method::OPTIONS {
            return Ok(options(found.value));
        }
        let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
        let Some(route) = found.value.iter().find(|route| route.method == *method) else {
            return Err(Problem::method_not_allowed(allow(found.value)));
        };
        let path = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let named = NamedTenant::read(&parts.headers)?;
        let caller = match route.access {
            Access::Public | Access::AnyoneInTenant => None,
            Access::SignedIn | Access::Member(_) | Access::InPerson(_) => {
                Some(self.caller(&parts.headers, meter).await?)
            }
        };
        served.principal = caller.as_ref().map_or(served.principal, Caller::kind);
        let named = match caller.as_ref().and_then(Caller::api_key) {
            Some(_) if route.access == Access::SignedIn => {
                return Err(Problem::new(Code::SessionRequired));
            }
            Some(key) => named.by_key(key.tenant)?,
            None => named,
        };
        let context = Arc::new(self.context(route, &parts, &body, meter)?);
        let incoming = Incoming {
            path,
            query: parts.uri.query().map(str::to_owned),
            content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
            encoded: parts
                .headers
                .get_all(header::CONTENT_ENCODING)
                .iter()
                .any(|coding| coding != "identity"),
            accept: parts.headers.get_all(header::ACCEPT).iter().cloned().collect(),
            // The body of a GET has no meaning (RFC 9110, section 9.3.1), and not every platform passes it on.
            body: if route.method == Method::GET { Bytes::new() } else { body },
            named,
            scope: None,
        };
        self.throttle(route, caller.as_ref(), context.client).await?;
        loop {
            let (bearer, remembered) = match &caller {
                None => (None, None),
                Some(Caller::Ours(bearer)) => (Some(bearer.clone()), None),
                Some(Caller::External(subject)) => {
                    let (bearer, remembered) = self.account_of(&context, subject, &incoming.named).await?;
                    (Some(bearer), remembered.then_some(subject))
                }
            };
            let answer = self.enter(route, &context, &incoming, bearer).await;
            match (answer.map_err(|problem| advised(route, &incoming.named, problem)), remembered) {
                // The identity may have gone to another account since. Nothing was read or written.
                (Err(problem), Some(subject)) if problem.code == Code::InvalidToken => {
                    self.identities.forget(subject.id());
                }
                (answer, _) => {
                    let read = route.method == Method::GET;
                    let response = answer?.linked(&parts.uri).into_response(read);
                    return Ok(if read { conditioned(response, &parts.headers)? } else { response });
                }
            }
        }
    }

    /// The headers of the request that matter to the route.
    fn context(
        self: &Arc<Self>,
        route: &Route,
        parts: &Parts,
        body: &[u8],
        meter: &Arc<Meter>,
    ) -> Result<Context> {
        let condition = if route.is_conditional() { Condition::read(&parts.headers)? } else { None };
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let idempotency = match route.answer_to_store() {
            Some(answer_of) => {
                let request = [route.method.as_str().as_bytes(), target.as_bytes(), body];
                IdempotencyKey::read(&parts.headers, &request)?.map(|key| Idempotency { key, answer_of })
            }
            None => None,
        };
        let client = parts.extensions.get().copied();
        Ok(Context { services: self.services.clone(), meter: meter.clone(), condition, idempotency, client })
    }

    /// Opens the scope of the route's access rule, and calls the handler.
    async fn enter(
        &self,
        route: &Route,
        context: &Arc<Context>,
        incoming: &Incoming,
        bearer: Option<Bearer>,
    ) -> Result<Answer> {
        let (named, entry) = (&incoming.named, Entry { route, context, incoming, bearer: bearer.as_ref() });
        let unknown = match route.access {
            Access::Member(_) | Access::InPerson(_) => Code::NotAMember,
            Access::AnyoneInTenant => Code::TenantNotFound,
            Access::SignedIn | Access::Public => return entry.replay_or(entry.call(None)?.await, None).await,
        };
        let (mut tenant, cached) = self.resolve(context, named, unknown).await?;
        let answer = match entry.call(Some(tenant))?.await {
            // The slug may have gone to another tenant since it was looked up. Nothing was read or written.
            Err(problem) if cached && problem.code == unknown => {
                let before =
                    std::mem::replace(&mut tenant, self.look_up(context, named.slug(), unknown).await?);
                if before == tenant { Err(problem) } else { entry.call(Some(tenant))?.await }
            }
            answer => answer,
        };
        // The request is about one tenant.
        context.meter.about(tenant);
        let answer = entry.replay_or(answer, Some(tenant)).await;
        match (answer, &bearer) {
            (Err(problem), Some(caller)) if audit_denial::is_recorded(route, &problem) => {
                Err(audit_denial::record(context, route, tenant, caller, &incoming.path, problem).await)
            }
            (answer, _) => answer,
        }
    }

    /// The id of the tenant that a request names, and whether it came out of the cache. Fails with `unknown` if there
    /// is no such tenant.
    async fn resolve(
        &self,
        context: &Arc<Context>,
        named: &NamedTenant,
        unknown: Code,
    ) -> Result<(TenantId, bool)> {
        if let Some(id) = named.id {
            return Ok((id, false));
        }
        match self.slugs.get(named.slug()) {
            Some(id) => Ok((id, true)),
            None => Ok((self.look_up(context, named.slug(), unknown).await?, false)),
        }
    }

    /// Asks the database which tenant a slug names, and remembers it.
    async fn look_up(&self, context: &Arc<Context>, slug: &str, unknown: Code) -> Result<TenantId> {
        let found = AnonymousScope::open(context.clone()).tenant_of(slug).await?;
        match found {
            Some(id) => self.slugs.remember(slug, id),
            None => self.slugs.forget(slug),
        }
        found.ok_or_else(|| Problem::new(unknown))
    }
}
