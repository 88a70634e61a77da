//! One request: route, token, tenant, access, handler, and back. Everything that every route has in common.

mod background;
mod batch;
mod callers;
mod context;
mod denied;
mod doors;
mod hold;
mod ids;
mod memory;
mod named;
mod turns;
mod waiting;
mod way_out;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts,
};
use uuid::Uuid;

pub(crate) use self::{
    batch::{Batch, Outcome, Slot},
    callers::Caller,
    context::{Context, Meter},
    doors::{Courier, Login, Pass},
    ids::least_id,
    named::NamedTenant,
    turns::Step,
};
pub use self::{
    doors::{Account, Lobby, Operator, TenantScope, Visitor},
    turns::Turned,
    way_out::Served,
};
use self::{
    hold::Hold,
    ids::Ids,
    memory::Memory,
    turns::Queues,
    waiting::Waiting,
    way_out::{advised, allow, conditioned, normal, options},
};
use crate::{
    conditional::Condition,
    config::Config,
    endpoint::{Door, Incoming},
    idempotency::{self, IdempotencyKey},
    identity::Provider,
    limits,
    negotiation::prefers_page,
    ports::Ports,
    problem::{Code, Problem, Result},
    reply::Answer,
    repository::{identities::Known, tenants},
    routes::{Access, ROUTES, Route},
    site::Streamed,
    time::Timestamp,
    token::{Bearer, Credential, Tokens},
    trace::{TRACEPARENT, Trace},
    values::TenantId,
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
    pub(crate) config: Config,
    pub(crate) ports: Ports,
    pub(crate) tokens: Tokens,
    ids: Ids,
    waiting: Waiting,
    /// Which tenant's turn it is at what is done in the background.
    pub(crate) turns: Queues,
    /// The operator's identity provider, if there is one.
    pub(crate) provider: Option<Provider>,
    router: matchit::Router<Vec<&'static Route>>,
    slugs: Memory<TenantId>,
    /// By subject.
    identities: Memory<Known>,
    draining: AtomicBool,
}

impl App {
    /// Makes the product.
    ///
    /// # Errors
    /// One sentence for each thing that the configuration lacks.
    pub fn new(config: Config, ports: Ports) -> Result<Arc<Self>, Vec<String>> {
        config.check()?;
        let Some(tokens) = Tokens::new(&config) else {
            let sentence = "JWT_SECRET: it is not set; at least 32 bytes, the same on all instances.";
            return Err(vec![sentence.to_owned()]);
        };
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
        let (provider, waiting) = (Provider::new(&config), Waiting::default());
        let (slugs, identities) = (Memory::default(), Memory::default());
        let (ids, draining) = (Ids::default(), AtomicBool::new(false));
        Ok(Arc::new(Self {
            config,
            ports,
            tokens,
            ids,
            waiting,
            turns: Queues::default(),
            provider,
            router,
            slugs,
            identities,
            draining,
        }))
    }

    /// From now on `/readyz` answers 503, so that whoever shares out requests sends no more of them here. All else is
    /// served as before: until they have noticed, some still come.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Answers a request. Every failure is a response too.
    pub async fn handle(self: &Arc<Self>, request: Request<Bytes>) -> Response<Bytes> {
        let mut served = self.serve(request.headers());
        let begun = self.config.debug_timing.then(|| self.ports.clock.elapsed());
        let fault = request.headers().get(FAULT).cloned();
        let fault = fault.as_ref().map(HeaderValue::as_bytes);
        self.fail_if_asked(fault, "panic");
        let head = request.method() == Method::HEAD;
        let reads = head || request.method() == Method::GET;
        let page = reads && prefers_page(request.headers().get_all(header::ACCEPT));
        let asked = self.config.cors_origins.ask(request.method(), request.headers());
        let meter = Meter::begin(self, served.trace).with_hold(Hold::asked(&self.config, fault));
        let meter = Arc::new(meter);
        let result = self.dispatch(request, &mut served, &meter).await;
        self.fail_if_asked(fault, "panic-after");
        (served.batches, served.database) = (meter.batches(), meter.time());
        served.tenant = meter.tenant();
        #[cfg(feature = "spans")]
        {
            served.steps = meter.steps();
        }
        let timing = begun.and_then(|begun| served.timing(self.ports.clock.elapsed().saturating_sub(begun)));
        let mut response = self.seal(result, asked, served);
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

    /// Answers a request that an adapter does not even pass on.
    pub fn refuse(&self, headers: &HeaderMap, code: Code) -> Response<Bytes> {
        let asked = self.config.cors_origins.ask(&Method::GET, headers);
        self.seal(Err(Problem::new(code)), asked, self.serve(headers))
    }

    /// What is known of a request before it is looked at.
    fn serve(&self, headers: &HeaderMap) -> Served {
        let (request_id, trace) = (self.request_id(headers), Trace::of_request(self, headers));
        Served { request_id, trace, principal: "nobody", ..Served::default() }
    }

    /// The path of the route that answers a path, with its placeholders: what a log may say of a request that was given
    /// up before it was answered here.
    pub fn route(&self, path: &str) -> Option<&'static str> {
        self.router.at(&normal(path)).ok()?.value.first().map(|route| route.path)
    }

    /// Now, as the clock port has it.
    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// A new id, greater than all that this instance made before: see [`Ids`].
    pub(crate) fn new_id(&self) -> Result<Uuid> {
        let mut random = [0; 12];
        self.ports.entropy.fill(&mut random)?;
        Ok(self.ids.next(self.now(), random))
    }

    /// So many new ids, in order.
    pub(crate) fn new_ids(&self, count: usize) -> Result<Vec<Uuid>> {
        (0..count).map(|_| self.new_id()).collect()
    }

    fn request_id(&self, headers: &HeaderMap) -> String {
        let plain = |text: &&str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        match headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain) {
            Some(given) => given.to_owned(),
            None => self.new_id().map_or_else(|_| "none".to_owned(), |id| id.to_string()),
        }
    }

    /// Panics if a request asks for this, where that is allowed: so that it can be shown what comes of it.
    fn fail_if_asked(&self, fault: Option<&[u8]>, at: &str) {
        assert!(!self.config.fault_injection || fault != Some(at.as_bytes()), "a panic was asked for");
    }

    async fn dispatch(
        self: &Arc<Self>,
        request: Request<Bytes>,
        served: &mut Served,
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
        let named = match &caller {
            Some(Caller::Ours(Bearer { credential: Credential::Key(_), .. }))
                if route.access == Access::SignedIn =>
            {
                return Err(Problem::new(Code::SessionRequired));
            }
            Some(Caller::Ours(Bearer { credential: Credential::Key(key), .. })) => {
                named.by_key(key.tenant)?
            }
            _ => named,
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
            // What comes with a request that reads has no meaning (RFC 9110, section 9.3.1), and not every platform hands it on.
            body: if route.method == Method::GET { Bytes::new() } else { body },
            named,
            door: Door::Shut,
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
                    self.identities.forget(&subject.subject);
                }
                (answer, _) => {
                    let read = route.method == Method::GET;
                    let response = answer?.linked(&parts.uri).into_response(read);
                    return Ok(if read { conditioned(response, &parts.headers)? } else { response });
                }
            }
        }
    }

    /// What the request's headers want of the route, as far as they matter to it.
    fn context(
        self: &Arc<Self>,
        route: &Route,
        parts: &Parts,
        body: &[u8],
        meter: &Arc<Meter>,
    ) -> Result<Context> {
        let condition = if route.is_conditional() { Condition::read(&parts.headers)? } else { None };
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let key = if route.keeps_answers() {
            IdempotencyKey::read(
                &parts.headers,
                &[route.method.as_str().as_bytes(), target.as_bytes(), body],
            )?
        } else {
            None
        };
        let client = parts.extensions.get().copied();
        Ok(Context { app: self.clone(), meter: meter.clone(), condition, key, client })
    }

    /// Opens the door that the route's access rule says, and has the handler answer.
    async fn enter(
        self: &Arc<Self>,
        route: &Route,
        context: &Arc<Context>,
        incoming: &Incoming,
        bearer: Option<Bearer>,
    ) -> Result<Answer> {
        let (named, who) = (&incoming.named, bearer.as_ref().map(|bearer| (bearer.user, bearer.key())));
        let call = |door| route.endpoint.call(&mut Incoming { door, ..incoming.clone() });
        let unknown = match route.access {
            Access::Member(_) | Access::InPerson(_) => Code::NotAMember,
            Access::AnyoneInTenant => Code::TenantNotFound,
            Access::SignedIn | Access::Public => {
                let login = match bearer {
                    Some(Bearer { user, credential: Credential::Session(id) }) => {
                        Some((user, Login::Session(id)))
                    }
                    Some(Bearer { user, credential: Credential::Identity(id) }) => {
                        Some((user, Login::Identity(id)))
                    }
                    _ => None,
                };
                let Some((user, login)) = login else {
                    return call(Door::Lobby(Lobby::open(Pass(()), context.clone())))?.await;
                };
                let open = || Account::open(Pass(()), context.clone(), user, login);
                let ask = || {
                    let asked = call(Door::Account(open()));
                    async move { asked?.await }
                };
                let recall = || {
                    let account = open();
                    async move { account.recall().await }
                };
                return once(context, ask().await, ask, recall).await;
            }
        };
        let open = |tenant| {
            let (context, slug) = (context.clone(), named.slug.clone());
            match (route.access.least(bearer.as_ref()), &bearer) {
                (Some(least), Some(bearer)) => {
                    Door::Tenant(TenantScope::open(Pass(()), context, tenant, slug, bearer.clone(), least))
                }
                _ => Door::Visitor(Visitor::open(Pass(()), context, tenant, slug)),
            }
        };
        let (mut tenant, cached) = self.resolve(context, named, unknown).await?;
        let answer = match call(open(tenant))?.await {
            // The slug may have gone to another tenant since it was looked up. Nothing was read or written.
            Err(problem) if cached && problem.code == unknown => {
                let before =
                    std::mem::replace(&mut tenant, self.look_up(context, named.slug(), unknown).await?);
                if before == tenant { Err(problem) } else { call(open(tenant))?.await }
            }
            answer => answer,
        };
        // A request is about one.
        context.meter.about(tenant);
        let ask = || {
            let asked = call(open(tenant));
            async move { asked?.await }
        };
        let recall = || {
            let door = open(tenant);
            async move {
                match door {
                    Door::Tenant(scope) => scope.recall().await,
                    _ => Ok(None),
                }
            }
        };
        let answer = once(context, answer, ask, recall).await;
        match (answer, who) {
            (Err(problem), Some(who)) if denied::is_told(route, &problem) => {
                Err(denied::tell(context, route, tenant, who, &incoming.path, problem).await)
            }
            (answer, _) => answer,
        }
    }

    /// The id of the tenant that a request names, and whether it came out of memory; with the code `unknown` if there
    /// is none.
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
        let found = tenants::find(&Lobby::open(Pass(()), context.clone()), slug).await?;
        match found {
            Some(id) => self.slugs.remember(slug, id),
            None => self.slugs.forget(slug),
        }
        found.ok_or_else(|| Problem::new(unknown))
    }
}

/// What could not be done may have been done before, under the same `Idempotency-Key`: then the answer is that of then. If
/// it was not, and it was the database that failed and answers again, it is tried once more: should it have been done
/// after all, the key's row keeps it from being done twice.
async fn once<A, R>(
    context: &Context,
    mut answer: Result<Answer>,
    again: impl Fn() -> A,
    recall: impl Fn() -> R,
) -> Result<Answer>
where
    A: Future<Output = Result<Answer>>,
    R: Future<Output = Result<Option<Answer>>>,
{
    let mut tried_again = false;
    loop {
        let problem = match answer {
            Err(problem) if context.key.is_some() => problem,
            answer => return answer,
        };
        match recall().await {
            Ok(Some(answer)) => return Ok(answer),
            Err(reused) if reused.code == Code::IdempotencyKeyReused => return Err(reused),
            Ok(None) if problem.code == Code::Unavailable && !tried_again => {
                tried_again = true;
                answer = again().await;
            }
            // What cannot be looked up was refused for the same reason, which the first problem tells.
            Ok(None) | Err(_) => return Err(problem),
        }
    }
}
