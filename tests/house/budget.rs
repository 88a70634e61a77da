//! What a request costs: round trips to the database, counted. The number stands beside each route in the table. And that
//! what a request answers is what it has stored.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bailiwick::{
    ports::{database::AnyDatabase, system::SystemClock},
    telemetry::metrics::Metrics,
    verify::samples::{Ground, Sample, Thing, import_head, import_rows},
};
use bailiwick_core::{
    Access, App, Config,
    ports::{
        Clock, Database, DatabaseError, Email, HttpClient, HttpFailure, HttpRequest, HttpResponse, Mailer,
        SendFailure,
    },
    routes::{ROUTES, Route},
    sql::{Rows, Statement},
    time::Timestamp,
};
use bailiwick_tests::{
    actors::{PASSWORD, new_id, reset_of, session_of},
    instance::{Surroundings, product},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, SqlitePool, raw_sql};
use tempfile::TempDir;

/// Nothing is sent here: requests only write down what is to be sent.
struct Nowhere;

/// An identity provider that signs with one key, and tells it to whoever asks for anything.
struct Provider(Ed25519KeyPair);

impl Provider {
    fn new() -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed of 32 bytes"))
    }

    fn token(&self, subject: &str) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({
            "iss": "https://id.example", "aud": "bailiwick", "sub": subject, "exp": 4_102_444_800_i64,
            "email": format!("{subject}@id.example"), "email_verified": true,
        });
        let message = format!("{}.{}", part(json!({ "alg": "EdDSA" })), part(claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes())))
    }
}

impl HttpClient for Provider {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] });
        Ok(HttpResponse { status: 200, retry_after: None, body: Bytes::from(keys.to_string()) })
    }
}

impl Mailer for Nowhere {
    async fn send(&self, _: Email) -> Result<(), SendFailure> {
        Err(SendFailure::Later("there is nobody".to_owned(), None))
    }
}

/// A clock by which a second passes between two looks at it: what says one time twice has to have looked once.
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed()
    }
}

#[derive(Clone)]
struct Counting {
    database: AnyDatabase,
    batches: Arc<AtomicU32>,
    /// Statements, and one more for each that is expected to touch so many rows: as D1 counts them.
    statements: Arc<AtomicU32>,
}

impl Database for Counting {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        let guards = statements.iter().filter(|statement| statement.expect.is_some()).count();
        let count = u32::try_from(statements.len() + guards).expect("a few");
        self.statements.fetch_add(count, Ordering::Relaxed);
        self.database.batch(statements).await
    }
}

pub(crate) struct Client {
    pub(crate) app: Arc<App>,
    batches: Arc<AtomicU32>,
    statements: Arc<AtomicU32>,
    token: String,
    refresh_token: String,
    pub(crate) slug: String,
}

impl Client {
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value, u32) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("x-tenant-slug", &self.slug)
            .header("authorization", format!("Bearer {}", self.token))
            .body(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())))
            .expect("a request");
        let before = self.batches.load(Ordering::Relaxed);
        let response = self.app.handle(request).await;
        let cost = self.batches.load(Ordering::Relaxed) - before;
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default(), cost)
    }
}

impl Client {
    /// Asks for what surely succeeds, and returns the answer.
    pub(crate) async fn made(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer, _) = self.ask(method, path, Some(body)).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Registers somebody and logs them in.
    pub(crate) async fn account(&mut self, email: &str) -> String {
        let account = json!({ "email": email, "name": "Somebody", "password": PASSWORD });
        let user = self.made("POST", "/v1/auth/register", account).await;
        let credentials = json!({ "email": email, "password": PASSWORD });
        let session = self.made("POST", "/v1/auth/login", credentials).await;
        session["access_token"].as_str().expect("a token").clone_into(&mut self.token);
        session["refresh_token"].as_str().expect("a token").clone_into(&mut self.refresh_token);
        text(&user, "id")
    }
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}

/// What the owner's request is made of: fresh things of each kind.
struct Things {
    me: String,
    email: String,
    slug: String,
    invitation_token: String,
    refresh_token: String,
    reset_token: String,
    project: String,
    tasks: [String; 2],
    comment: String,
    member: String,
    api_key: String,
    session: String,
    identity: String,
    invitation: String,
    notification: String,
    delivery: String,
    import: String,
}

/// What no request makes, and so is put into the database.
struct Planted {
    member: String,
    notification: String,
    delivery: String,
    identity: String,
    reset_token: String,
}

impl Planted {
    async fn make(pool: &SqlitePool, tenant: &str, me: &str, project: &str, round: usize) -> Self {
        let now = "'2026-01-01T00:00:00.000Z'";
        let (member, notification, delivery, identity) = (new_id(), new_id(), new_id(), new_id());
        for sql in [
            format!(
                "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
                 VALUES ('{member}', 'member-{round}@example.com', 'M', 'x', {now}, {now}, 1)"
            ),
            format!(
                "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
                 VALUES ('{tenant}', '{member}', '{member}', 'owner', 'active', {now}, {now}, 1)"
            ),
            format!(
                "INSERT INTO notifications (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, \
                 created_at) VALUES ('{tenant}', '{notification}', '{me}', 'approved', 'T', '', 'project', '{project}', {now})"
            ),
            format!(
                "INSERT INTO deliveries (tenant_id, id, channel, kind, title, body, subject_type, subject_id, state, \
                 attempts, next_attempt_at, created_at) VALUES ('{tenant}', '{delivery}', 'slack', 'approved', 'T', '', \
                 'project', '{project}', 'dead', 1, {now}, {now})"
            ),
            format!(
                "INSERT INTO identities (id, user_id, issuer, subject, created_at) \
                 VALUES ('{identity}', '{me}', 'https://id.example', '{identity}', {now})"
            ),
        ] {
            raw_sql(AssertSqlSafe(sql)).execute(pool).await.expect("rows");
        }
        let (reset_token, reset) = reset_of(&member, &format!("member-{round}@example.com"));
        raw_sql(AssertSqlSafe(reset)).execute(pool).await.expect("a row");
        Self { member, notification, delivery, identity, reset_token }
    }
}

impl Things {
    /// In a tenant of their own, so that no request takes away what another one needs.
    async fn make(client: &mut Client, pool: &SqlitePool, round: usize) -> Self {
        let email = format!("{round}@example.com");
        let me = client.account(&email).await;
        let (host, slug) = (format!("host-{round}"), format!("tenant-{round}"));
        let guest = std::mem::take(&mut client.token);
        let refresh_token = std::mem::take(&mut client.refresh_token);
        client.account(&format!("host-{round}@example.com")).await;
        client.made("POST", "/v1/tenants", json!({ "slug": host, "name": "Host" })).await;
        client.slug = host;
        let invited = json!({ "email": email, "role": "member" });
        let invitation = client.made("POST", "/v1/invitations", invited).await;
        client.token = guest;

        let tenant = client.made("POST", "/v1/tenants", json!({ "slug": slug, "name": "T" })).await;
        client.slug.clone_from(&slug);
        let project = client.made("POST", "/v1/projects", json!({ "name": "P" })).await;
        let project = text(&project, "id");
        let mut tasks = [String::new(), String::new()];
        for task in &mut tasks {
            let new = json!({ "title": "T" });
            *task = text(&client.made("POST", &format!("/v1/projects/{project}/tasks"), new).await, "id");
        }
        let comment =
            client.made("POST", &format!("/v1/tasks/{}/comments", tasks[0]), json!({ "body": "C" })).await;
        let open = json!({ "email": "nobody@example.com", "role": "viewer" });
        let open = client.made("POST", "/v1/invitations", open).await;

        let Planted { member, notification, delivery, identity, reset_token } =
            Planted::make(pool, &text(&tenant, "id"), &me, &project, round).await;
        let import = new_id();
        client.made("POST", "/v1/imports", import_head(&import)).await;
        // What is to be finished has arrived.
        if ROUTES.get(round).is_some_and(|route| route.name == "transfer::finish") {
            let rows = json!({ "first": 0, "rows": import_rows(&import) });
            client.made("POST", &format!("/v1/imports/{import}/rows"), rows).await;
        }
        let key = json!({ "name": "K", "role": "viewer" });
        let key = client.made("POST", "/v1/api-keys", key).await;
        Self {
            me,
            email,
            slug,
            invitation_token: text(&invitation, "token"),
            refresh_token,
            reset_token,
            project,
            tasks,
            comment: text(&comment, "id"),
            member,
            api_key: text(&key, "id"),
            session: session_of(&client.token),
            identity,
            invitation: text(&open, "id"),
            notification,
            delivery,
            import,
        }
    }

    /// The sample's request, with a body for which the route has all to do that it can have to do.
    async fn request(&self, route: &'static Route) -> (String, Option<Value>) {
        let sample =
            Sample::make(self, route, &(), &()).await.unwrap_or_else(|sentence| panic!("{sentence}"));
        let body = match route.name {
            "auth::forgot_password" => Some(json!({ "email": self.email })),
            "notifications::mark_all_read" => Some(json!({ "ids": [self.notification] })),
            _ => sample.body.clone(),
        };
        (sample.path(), body)
    }
}

/// What samples need is there already: that is made for each request, and for nobody else.
impl Ground for Things {
    type Tenant = ();
    type User = ();

    async fn thing(&self, thing: Thing<'_>, (): &(), (): &()) -> Result<String, String> {
        Ok(match thing {
            Thing::Project | Thing::PublicProject => self.project.clone(),
            Thing::Task | Thing::TaskOf(_, 1) => self.tasks[0].clone(),
            Thing::TaskOf(..) => self.tasks[1].clone(),
            Thing::CommentOn(_) => self.comment.clone(),
            Thing::Member | Thing::SecondOwner | Thing::Colleague => self.member.clone(),
            Thing::ApiKey => self.api_key.clone(),
            Thing::Invitation => self.invitation.clone(),
            Thing::Delivery => self.delivery.clone(),
            Thing::Notification => self.notification.clone(),
            Thing::Identity => self.identity.clone(),
            Thing::ExternalToken => Provider::new().token("linked"),
            Thing::Session => self.session.clone(),
            Thing::FreeEmail => "free@example.com".to_owned(),
            Thing::FreeSlug => "free".to_owned(),
            Thing::Slug => self.slug.clone(),
            Thing::Email => self.email.clone(),
            Thing::Password => PASSWORD.to_owned(),
            Thing::RefreshToken => self.refresh_token.clone(),
            Thing::ResetToken => self.reset_token.clone(),
            Thing::ProblemCode => "not_found".to_owned(),
            Thing::PageFile => "style.css".to_owned(),
            Thing::InvitationToken => self.invitation_token.clone(),
            Thing::Import | Thing::WholeImport => self.import.clone(),
        })
    }
}

/// The product on a fresh database, and who asks it.
pub(crate) async fn client() -> (Client, SqlitePool, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("budget.db").display());
    let config = Config::read(|name| match name {
        "DATABASE_URL" => Some(url.clone()),
        "JWT_SECRET" => Some("x".repeat(32)),
        "BCRYPT_COST" => Some("4".to_owned()),
        "RATE_LIMIT_ADDRESS" => Some("0".to_owned()),
        "JWKS_URL" => Some("https://id.example/jwks".to_owned()),
        "JWT_ISSUER" => Some("https://id.example".to_owned()),
        "JWT_AUDIENCE" => Some("bailiwick".to_owned()),
        _ => None,
    })
    .expect("a configuration");
    let database = AnyDatabase::connect(&config).await.expect("a file");
    database.migrate().await.expect("migrations");
    let pool = SqlitePool::connect(&url).await.expect("the file");
    let counting = Counting { database, batches: Arc::default(), statements: Arc::default() };
    let (batches, statements) = (counting.batches.clone(), counting.statements.clone());
    let around = Surroundings { clock: Ticking(AtomicU64::new(0)), http: Provider::new(), mailer: Nowhere };
    let metrics = Arc::new(Metrics::new().expect("metrics"));
    let app = product(config, &metrics, counting, around);
    let client = Client {
        app,
        batches,
        statements,
        token: String::new(),
        refresh_token: String::new(),
        slug: "default".to_owned(),
    };
    (client, pool, directory)
}

/// Looks up the rows of all the objects of an answer that have an id, and returns how many times of theirs were the same there.
async fn times_are_as_stored(pool: &SqlitePool, answer: &Value) -> usize {
    let (mut left, mut compared) = (vec![answer], 0);
    while let Some(value) = left.pop() {
        left.extend(value.as_array().into_iter().flatten());
        left.extend(value.as_object().into_iter().flat_map(|object| object.values()));
        let Some(id) = value["id"].as_str() else { continue };
        for column in ["created_at", "updated_at"] {
            let Some(answered) = value[column].as_str() else { continue };
            let tables = "SELECT m.name FROM sqlite_schema m WHERE m.type = 'table' AND 2 = \
                 (SELECT count(*) FROM pragma_table_info(m.name) c WHERE c.name IN ('id', ?1))";
            let tables: Vec<String> =
                sqlx::query_scalar(tables).bind(column).fetch_all(pool).await.expect("tables");
            let rows = tables.iter().map(|table| format!("SELECT {column} FROM {table} WHERE id = ?1"));
            let rows = AssertSqlSafe(rows.collect::<Vec<_>>().join(" UNION "));
            let rows: Vec<String> = sqlx::query_scalar(rows).bind(id).fetch_all(pool).await.expect("rows");
            if !rows.is_empty() {
                assert!(rows.iter().any(|stored| stored == answered), "{column} of {answer}: {rows:?}");
                compared += 1;
            }
        }
    }
    compared
}

#[tokio::test]
async fn no_route_asks_the_database_more_often_than_the_table_says() {
    let (mut client, pool, _directory) = client().await;
    let mut compared = 0;
    for (round, route) in ROUTES.iter().enumerate() {
        let things = Things::make(&mut client, &pool, round).await;
        if route.access == Access::AnyoneInTenant {
            let publish = "UPDATE projects SET visibility = 'public', status = 'approved'";
            raw_sql(publish).execute(&pool).await.expect("an update");
        }
        let (path, body) = things.request(route).await;
        let (status, answer, cost) = client.ask(route.method.as_str(), &path, body).await;
        assert!((200..300).contains(&status), "{route:?}: {status} {answer}");
        assert_eq!(cost, route.batches, "{route:?}");
        compared += times_are_as_stored(&pool, &answer).await;
    }
    assert!(compared > 60, "only {compared} times were looked up");
    // Which tenant a slug names is asked once: so far each was in use before it was counted.
    client.made("POST", "/v1/tenants", json!({ "slug": "unseen", "name": "N" })).await;
    client.slug = "unseen".to_owned();
    let (_, _, first) = client.ask("GET", "/v1/tenant", None).await;
    let (_, _, second) = client.ask("GET", "/v1/tenant", None).await;
    assert_eq!((first, second), (2, 1));
    // Whose account an identity leads to is asked once, too, and it is made the first time of all.
    client.token = Provider::new().token("new");
    let (_, _, first) = client.ask("GET", "/v1/me", None).await;
    let (_, _, second) = client.ask("GET", "/v1/me", None).await;
    assert_eq!((first, second), (3, 1));
}

#[tokio::test]
async fn many_tasks_cost_no_more_statements_than_few() {
    let (mut client, pool, _directory) = client().await;
    let things = Things::make(&mut client, &pool, 0).await;
    let (path, member) = (format!("/v1/projects/{}/tasks/bulk", things.project), &things.member);
    let create = json!({ "op": "create", "title": "T", "assignee_id": member });
    let mut costs = Vec::new();
    for count in [4, 100] {
        let new =
            client.made("POST", &path, json!({ "operations": vec![create.clone(); count / 4 * 3] })).await;
        let ids: Vec<_> =
            new["results"].as_array().expect("results").iter().map(|new| &new["task"]["id"]).collect();
        let mut operations = vec![create.clone(); count / 4];
        for (index, id) in ids.into_iter().enumerate() {
            operations.push(match index % 3 {
                0 => json!({ "op": "delete", "id": id }),
                1 => json!({ "op": "update", "id": id, "status": "done" }),
                _ => json!({ "op": "update", "id": id, "assignee_id": things.me }),
            });
        }
        let before = client.statements.load(Ordering::Relaxed);
        client.made("POST", &path, json!({ "operations": operations })).await;
        costs.push(client.statements.load(Ordering::Relaxed) - before);
    }
    eprintln!("{} statements, whether for 4 or for 100 tasks", costs[0]);
    // D1 takes 50 of a request on its free plan.
    assert!(costs[0] == costs[1] && costs[0] <= 21, "{costs:?}");
}
