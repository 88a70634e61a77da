//! One request: route, token, tenant, access, handler, and back. Everything that every route has in common.

mod batch;
mod callers;
mod denied;
mod doors;
mod memory;
mod named;
mod waiting;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use uuid::Uuid;

pub use self::doors::{Account, Lobby, Operator, TenantScope, Visitor};
pub(crate) use self::{
    batch::{Batch, Outcome, Slot},
    callers::Caller,
    doors::{Courier, Login, Pass},
    named::NamedTenant,
};
use self::{memory::Memory, waiting::Waiting};
use crate::{
    config::Config,
    cors::Asked,
    endpoint::{Answer, Door, Incoming},
    identity::Provider,
    limits,
    notify::outbox,
    ports::Ports,
    problem::{Code, Problem, Result},
    repository::{chain, identities::Known, search, tenants},
    routes::{Access, ROUTES, Route},
    time::Timestamp,
    token::{Bearer, Credential, Tokens},
    values::TenantId,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FAULT: HeaderName = HeaderName::from_static("x-fault");

/// The only request headers that are read here; an adapter needs to pass on no other.
pub static REQUEST_HEADERS: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    named::TENANT_ID,
    named::TENANT_SLUG,
    REQUEST_ID,
    FAULT,
    header::ORIGIN,
    header::ACCESS_CONTROL_REQUEST_METHOD,
];

/// What every answer that says nothing else says to browsers, in which it may end up: that it is data, not a page, and nobody else's. (The last
/// one counts only where the answer came by TLS: RFC 6797, section 8.1.)
static TO_BROWSERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")),
];

/// The product, on the ports of one adapter. Made once, then shared by all requests.
#[derive(Debug)]
pub struct App {
    pub(crate) config: Config,
    pub(crate) ports: Ports,
    pub(crate) tokens: Tokens,
    waiting: Waiting,
    /// The operator's identity provider, if there is one.
    pub(crate) provider: Option<Provider>,
    router: matchit::Router<Vec<&'static Route>>,
    slugs: Memory<TenantId>,
    /// By subject.
    identities: Memory<Known>,
}

/// What an adapter may want to log of a request; it is among the extensions of every response.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// The id under which the client can ask about it.
    pub request_id: String,
    /// The path of the route, with its placeholders.
    pub route: Option<&'static str>,
    /// What went wrong inside. It never leaves.
    pub internal: Option<String>,
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
        Ok(Arc::new(Self { config, ports, tokens, waiting, provider, router, slugs, identities }))
    }

    /// Answers a request. Every failure is a response too.
    pub async fn handle(self: &Arc<Self>, request: Request<Bytes>) -> Response<Bytes> {
        let mut served = Served { request_id: self.request_id(request.headers()), ..Served::default() };
        self.inject_fault(request.headers());
        let head = request.method() == Method::HEAD;
        let asked = self.config.cors_origins.ask(request.method(), request.headers());
        let result = self.dispatch(request, &mut served).await;
        let mut response = self.seal(result, asked, served);
        if head {
            *response.body_mut() = Bytes::new();
        }
        response
    }

    /// Answers a request that an adapter does not even pass on.
    pub fn refuse(&self, headers: &HeaderMap, code: Code) -> Response<Bytes> {
        let served = Served { request_id: self.request_id(headers), ..Served::default() };
        self.seal(Err(Problem::new(code)), self.config.cors_origins.ask(&Method::GET, headers), served)
    }

    /// Whether a request wrote deliveries since this was last asked: time for [`Self::deliver`].
    pub fn deliveries_wait(&self) -> bool {
        self.waiting.deliveries()
    }

    /// Sends what is due of every tenant's outbox, up to so many deliveries, all at the same time. To be called in the
    /// background: after a request that wrote deliveries ([`Self::deliveries_wait`]), and regularly, for what is to be
    /// tried again.
    ///
    /// # Errors
    /// The database cannot be asked. What was claimed is due again when the claim ends.
    pub async fn deliver(&self, at_once: u32) -> Result<outbox::Round> {
        outbox::round(&Courier::new(self), at_once).await
    }

    /// Whether a request wrote activity since this was last asked: time for [`Self::seal_activity`].
    pub fn entries_wait(&self) -> bool {
        self.waiting.entries()
    }

    /// Seals activity that waits to be sealed, in so many batches at the most. To be called in the background: after a
    /// request that wrote some ([`Self::entries_wait`]), and regularly, for what was left behind.
    ///
    /// # Errors
    /// The database cannot be asked. What was not sealed is found the next time.
    pub async fn seal_activity(&self, batches: u32) -> Result<chain::Sealed> {
        chain::seal(&Courier::new(self), self.waiting.tenants(self.now()), batches).await
    }

    /// Makes the words by which searches go, of projects and tasks that have none yet, in so many batches at the most. To
    /// be called in the background, regularly: what requests write has them at once.
    ///
    /// # Errors
    /// The database cannot be asked. What has no words yet is found the next time.
    pub async fn index(&self, batches: u32) -> Result<search::Indexed> {
        search::run(&Courier::new(self), batches).await
    }

    /// Now, as the clock port has it.
    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// A new id: UUID version 7 (RFC 9562, section 5.7), so that ids sort by the time they were made.
    pub(crate) fn new_id(&self) -> Result<Uuid> {
        let mut random = [0; 10];
        self.ports.entropy.fill(&mut random)?;
        let millis = u64::try_from(self.now().unix_millis()).unwrap_or_default();
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
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

    /// Shows that an adapter survives a panic.
    fn inject_fault(&self, headers: &HeaderMap) {
        assert!(
            !(self.config.fault_injection && headers.get(FAULT).is_some_and(|fault| fault == "panic")),
            "a panic was asked for"
        );
    }

    fn seal(&self, result: Result<Response<Bytes>>, asked: Asked, mut served: Served) -> Response<Bytes> {
        let mut response = result.unwrap_or_else(|problem| {
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

    async fn dispatch(
        self: &Arc<Self>,
        request: Request<Bytes>,
        served: &mut Served,
    ) -> Result<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        if parts.uri.path_and_query().is_some_and(|target| target.as_str().len() > limits::TARGET_BYTES) {
            return Err(Problem::new(Code::TargetTooLong));
        }
        let Ok(found) = self.router.at(parts.uri.path()) else {
            return Err(Problem::new(Code::RouteNotFound));
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
                Some(self.caller(&parts.headers).await?)
            }
        };
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
        let incoming = Incoming {
            path,
            query: parts.uri.query().map(str::to_owned),
            content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
            body,
            named,
            door: Door::Shut,
        };
        self.throttle(route, caller.as_ref(), parts.extensions.get().copied()).await?;
        loop {
            let (bearer, remembered) = match &caller {
                None => (None, None),
                Some(Caller::Ours(bearer)) => (Some(bearer.clone()), None),
                Some(Caller::External(subject)) => {
                    let (bearer, remembered) = self.account_of(subject, &incoming.named).await?;
                    (Some(bearer), remembered.then_some(subject))
                }
            };
            match (self.enter(route, &incoming, bearer).await, remembered) {
                // The identity may have gone to another account since. Nothing was read or written.
                (Err(problem), Some(subject)) if problem.code == Code::InvalidToken => {
                    self.identities.forget(&subject.subject);
                }
                (answer, _) => return answer.map(|answer| answer.linked(&parts.uri).into_response()),
            }
        }
    }

    /// Opens the door that the route's access rule says, and has the handler answer.
    async fn enter(
        self: &Arc<Self>,
        route: &Route,
        incoming: &Incoming,
        bearer: Option<Bearer>,
    ) -> Result<Answer> {
        let (named, who) = (&incoming.named, bearer.as_ref().map(|bearer| (bearer.user, bearer.key())));
        let call = |door| route.endpoint.call(&mut Incoming { door, ..incoming.clone() });
        let unknown = match route.access {
            Access::Member(_) | Access::InPerson(_) => Code::NotAMember,
            Access::AnyoneInTenant => Code::TenantNotFound,
            Access::SignedIn | Access::Public => {
                let account = |user, login| Door::Account(Account::open(Pass(()), self.clone(), user, login));
                let door = match bearer {
                    Some(Bearer { user, credential: Credential::Session(id) }) => {
                        account(user, Login::Session(id))
                    }
                    Some(Bearer { user, credential: Credential::Identity(id) }) => {
                        account(user, Login::Identity(id))
                    }
                    _ => Door::Lobby(Lobby::open(Pass(()), self.clone())),
                };
                return call(door)?.await;
            }
        };
        let call = |tenant| {
            let (app, slug) = (self.clone(), named.slug.clone());
            call(match (route.access.least(bearer.as_ref()), &bearer) {
                (Some(least), Some(bearer)) => {
                    Door::Tenant(TenantScope::open(Pass(()), app, tenant, slug, bearer.clone(), least))
                }
                _ => Door::Visitor(Visitor::open(Pass(()), app, tenant, slug)),
            })
        };
        let (mut tenant, cached) = self.resolve(named, unknown).await?;
        let answer = match call(tenant)?.await {
            // The slug may have gone to another tenant since it was looked up. Nothing was read or written.
            Err(problem) if cached && problem.code == unknown => {
                let before = std::mem::replace(&mut tenant, self.look_up(named.slug(), unknown).await?);
                if before == tenant { Err(problem) } else { call(tenant)?.await }
            }
            answer => answer,
        };
        match (answer, who) {
            (Err(problem), Some(who)) if denied::is_told(route, &problem) => {
                Err(denied::tell(self, route, tenant, who, &incoming.path, problem).await)
            }
            (answer, _) => answer,
        }
    }

    /// The id of the tenant that a request names, and whether it came out of memory; with the code `unknown` if there
    /// is none.
    async fn resolve(self: &Arc<Self>, named: &NamedTenant, unknown: Code) -> Result<(TenantId, bool)> {
        if let Some(id) = named.id {
            return Ok((id, false));
        }
        match self.slugs.get(named.slug()) {
            Some(id) => Ok((id, true)),
            None => Ok((self.look_up(named.slug(), unknown).await?, false)),
        }
    }

    /// Asks the database which tenant a slug names, and remembers it.
    async fn look_up(self: &Arc<Self>, slug: &str, unknown: Code) -> Result<TenantId> {
        let found = tenants::find(&Lobby::open(Pass(()), self.clone()), slug).await?;
        match found {
            Some(id) => self.slugs.remember(slug, id),
            None => self.slugs.forget(slug),
        }
        found.ok_or_else(|| Problem::new(unknown))
    }
}

fn allow(routes: &[&Route]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

fn options(routes: &[&Route]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::try_from(allow(routes)) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
