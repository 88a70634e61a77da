//! Actors: people with an account, who act in the service, and the tenants that they act in.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use crate::{
    client::{Answer, Ask},
    targets::{JWT_SECRET, Target},
};

/// The password that everybody has.
pub const PASSWORD: &str = "correct horse battery";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A short text that nobody else has got from this function in this run.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// An address that nobody else has got from this function in this run (RFC 2544 keeps these for tests).
fn address() -> String {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("198.{}.{}.{}", 18 + (number >> 16) % 2, (number >> 8) % 256, number % 256)
}

/// A new id, as the service would make it.
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// The time, as it stands in rows and in tokens.
fn now() -> (String, i64) {
    #[expect(clippy::disallowed_methods, reason = "servers go by the clock, and so does what they are sent")]
    let now = OffsetDateTime::now_utc();
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    (now.format(format).expect("a time"), now.unix_timestamp())
}

/// A token of these parts, signed as the service would sign it.
pub fn token(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = Hmac::<Sha256>::new_from_slice(JWT_SECRET.as_bytes()).expect("HMAC takes any key");
    let signature = key.chain_update(&message).finalize().into_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The session that an access token belongs to.
pub fn session_of(token: &str) -> String {
    let claims =
        token.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok()).expect("a JWT");
    let claims: Value = serde_json::from_slice(&claims).expect("claims");
    claims["sid"].as_str().expect("a session").to_owned()
}

/// A token that resets the password of an account, and the row by which it is good.
pub fn reset_of(user: &str, email: &str) -> (String, String) {
    let id = Uuid::now_v7();
    let token = URL_SAFE_NO_PAD.encode([&id.as_bytes()[..], &[7; 32]].concat());
    let digest: String = Sha256::digest(&token).iter().map(|byte| format!("{byte:02x}")).collect();
    let sql = format!(
        "INSERT INTO password_resets (user_id, email, id, token_hash, expires_at, attempts, created_at) \
         VALUES ('{user}', '{email}', '{id}', '{digest}', {LATER}, 1, {NOW})"
    );
    (token, sql)
}

/// Somebody who sends requests.
#[derive(Clone, Debug)]
pub struct Actor<'t> {
    /// Where they act.
    pub target: &'t Target,
    /// What they carry; nothing if they are not logged in.
    pub token: Option<String>,
    /// Their id.
    pub id: String,
    /// Their email address.
    pub email: String,
    /// Where their requests come from.
    pub address: String,
}

impl<'t> Actor<'t> {
    /// Somebody who is not logged in.
    pub fn anonymous(target: &'t Target) -> Self {
        Self { target, token: None, id: String::new(), email: String::new(), address: address() }
    }

    /// Registers somebody new and logs them in, as clients do it.
    pub async fn sign_up(target: &'t Target, name: &str) -> Self {
        let email = format!("{}@example.com", unique(name));
        let nobody = Self::anonymous(target);
        let account = json!({ "email": email, "name": name, "password": PASSWORD });
        let user = nobody.post("/v1/auth/register").json(&account).send().await.expect(201);
        let mut actor = Self { id: user.text_at("/id"), email, ..nobody };
        actor.token = Some(actor.login().await);
        actor
    }

    /// Somebody who has registered and is logged in. (That is what nearly every test begins with, so their rows are put in
    /// as they would have been; the tests of registration and login ask for it themselves.)
    pub async fn register(target: &'t Target, name: &str) -> Self {
        let [actor] = Self::registered(target, [name]).await;
        actor
    }

    /// Several of them at once.
    pub async fn registered<const N: usize>(target: &'t Target, names: [&str; N]) -> [Self; N] {
        // Of the password, at the cost that the targets have.
        static HASH: LazyLock<String> =
            LazyLock::new(|| bcrypt::hash_with_salt(PASSWORD, 4, [7; 16]).expect("a hash").to_string());
        let (now, seconds) = now();
        let (mut users, mut sessions) = (Vec::new(), Vec::new());
        let actors = names.map(|name| {
            let (id, session, hash) = (new_id(), new_id(), &*HASH);
            let email = format!("{}@example.com", unique(name));
            let name = name.replace('\'', "''");
            users.push(format!("('{id}', '{email}', '{name}', '{hash}', '{now}', '{now}', 1)"));
            sessions.push(format!("('{session}', '{id}', 'none', '{now}', '{now}', {LATER})"));
            let claims = json!({
                "sub": id, "sid": session, "exp": seconds + 3600, "iat": seconds, "jti": new_id(),
                "iss": "bailiwick", "aud": "bailiwick",
            });
            let token = Some(token(&json!({ "alg": "HS256", "typ": "JWT" }), &claims));
            Self { token, id, email, ..Self::anonymous(target) }
        });
        let statements = [
            format!(
                "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) VALUES {}",
                users.join(", ")
            ),
            format!(
                "INSERT INTO sessions (id, user_id, refresh_hash, created_at, refreshed_at, expires_at) VALUES {}",
                sessions.join(", ")
            ),
        ];
        target.backdoor.all(&statements).await;
        actors
    }

    /// Logs in, for another token.
    pub async fn login(&self) -> String {
        self.session().await.text_at("/access_token")
    }

    /// Logs in, for another session's tokens.
    pub async fn session(&self) -> Answer {
        let credentials = json!({ "email": self.email, "password": PASSWORD });
        let nobody = Self { token: None, ..self.clone() };
        nobody.post("/v1/auth/login").json(&credentials).send().await.expect(200)
    }

    /// Logs in once more, and returns the id of that session.
    pub async fn new_session(&self) -> String {
        session_of(&self.login().await)
    }

    /// Puts an identity in by which nobody comes, and returns its id.
    pub async fn identity(&self) -> String {
        let (id, subject) = (new_id(), unique("subject"));
        let sql = format!(
            "INSERT INTO identities (id, user_id, issuer, subject, created_at) \
             VALUES ('{id}', '{}', 'https://id.example', '{subject}', {NOW})",
            self.id
        );
        self.target.backdoor.sql(&sql).await;
        id
    }

    /// Puts a reset of their password in, and returns its token.
    pub async fn reset(&self) -> String {
        let (token, sql) = reset_of(&self.id, &self.email);
        self.target.backdoor.sql(&sql).await;
        token
    }

    /// A request in their name.
    pub fn ask(&self, method: Method, path: &str) -> Ask {
        let ask = Ask::new(&self.target.http, method, &self.target.url, path);
        // As a proxy says it, and as Cloudflare does.
        let ask = ask.header("x-forwarded-for", &self.address).header("cf-connecting-ip", &self.address);
        match &self.token {
            Some(token) => ask.header("authorization", &format!("Bearer {token}")),
            None => ask,
        }
    }

    /// `GET` in their name.
    pub fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    /// `POST` in their name.
    pub fn post(&self, path: &str) -> Ask {
        self.ask(Method::POST, path)
    }

    /// `PATCH` in their name.
    pub fn patch(&self, path: &str) -> Ask {
        self.ask(Method::PATCH, path)
    }

    /// `DELETE` in their name.
    pub fn delete(&self, path: &str) -> Ask {
        self.ask(Method::DELETE, path)
    }
}

/// A tenant, and somebody of each role in it.
#[derive(Debug)]
pub struct Tenant<'t> {
    /// Its id.
    pub id: String,
    /// Its slug.
    pub slug: String,
    /// An owner.
    pub owner: Actor<'t>,
    /// A manager.
    pub manager: Actor<'t>,
    /// A member.
    pub member: Actor<'t>,
    /// A viewer.
    pub viewer: Actor<'t>,
}

impl<'t> Tenant<'t> {
    /// Creates one, with everybody in it.
    pub async fn create(target: &'t Target) -> Self {
        let [owner, manager, member, viewer] =
            Actor::registered(target, ["owner", "manager", "member", "viewer"]).await;
        let slug = unique("tenant");
        let tenant = owner
            .post("/v1/tenants")
            .json(&json!({ "slug": slug, "name": "A tenant" }))
            .send()
            .await
            .expect(201);
        let this = Self { id: tenant.text_at("/id"), slug, owner, manager, member, viewer };
        let others = [(&this.manager, "manager"), (&this.member, "member"), (&this.viewer, "viewer")];
        target.backdoor.sql(&this.membership(&others)).await;
        this
    }

    fn target(&self) -> &'t Target {
        self.owner.target
    }

    /// Makes somebody a member.
    pub async fn admit(&self, actor: &Actor<'_>, role: &str) {
        self.target().backdoor.sql(&self.membership(&[(actor, role)])).await;
    }

    /// What makes people members, each in a role.
    fn membership(&self, people: &[(&Actor<'_>, &str)]) -> String {
        let rows = people.iter().map(|(actor, role)| {
            format!("('{}', '{}', '{}', '{role}', 'active', {NOW}, {NOW}, 1)", self.id, new_id(), actor.id)
        });
        format!(
            "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) VALUES {}",
            rows.collect::<Vec<_>>().join(", ")
        )
    }

    /// Takes somebody's membership away.
    pub async fn remove(&self, actor: &Actor<'_>) {
        let sql =
            format!("DELETE FROM memberships WHERE tenant_id = '{}' AND user_id = '{}'", self.id, actor.id);
        self.target().backdoor.sql(&sql).await;
    }

    /// Changes a column of somebody's membership.
    pub async fn set(&self, actor: &Actor<'_>, column: &str, value: &str) {
        let sql = format!(
            "UPDATE memberships SET {column} = '{value}' WHERE tenant_id = '{}' AND user_id = '{}'",
            self.id, actor.id
        );
        self.target().backdoor.sql(&sql).await;
    }

    /// Puts a project of any status in, which no search finds, and returns its id.
    pub async fn project(&self, status: &str, submitted_by: Option<&str>) -> String {
        let id = new_id();
        let submitted_by = submitted_by.map_or_else(|| "NULL".to_owned(), |id| format!("'{id}'"));
        let sql = format!(
            "INSERT INTO projects (tenant_id, id, name, description, status, visibility, created_by, submitted_by, \
             created_at, updated_at, version, indexed) VALUES ('{}', '{id}', 'A project', 'About it', '{status}', \
             'private', '{}', {submitted_by}, {NOW}, {NOW}, 1, 2)",
            self.id, self.owner.id
        );
        self.target().backdoor.sql(&sql).await;
        id
    }

    /// Puts a project in that is shown in public, and returns its id.
    pub async fn public_project(&self) -> String {
        let id = self.project("approved", None).await;
        let sql = format!(
            "UPDATE projects SET visibility = 'public' WHERE tenant_id = '{}' AND id = '{id}'",
            self.id
        );
        self.target().backdoor.sql(&sql).await;
        id
    }

    /// Puts a task into a project, which no search finds, and returns its id.
    pub async fn task(&self, project: &str, status: &str) -> String {
        let id = new_id();
        self.insert(
            "tasks",
            "id, project_id, title, description, status, created_at, updated_at, version, indexed",
            &format!("'{id}', '{project}', 'A task', '', '{status}', {NOW}, {NOW}, 1, 2"),
        )
        .await;
        id
    }

    /// Puts somebody's comment on a task, and returns its id.
    pub async fn comment(&self, task: &str, author: &str) -> String {
        let id = new_id();
        self.insert(
            "comments",
            "id, task_id, author_id, body, created_at, updated_at, version",
            &format!("'{id}', '{task}', '{author}', 'A comment', {NOW}, {NOW}, 1"),
        )
        .await;
        id
    }

    /// Puts an open invitation in, whose token nobody has, and returns its id.
    pub async fn invitation(&self) -> String {
        let id = new_id();
        self.insert(
            "invitations",
            "id, email, role, token_hash, invited_by, expires_at, created_at",
            &format!(
                "'{id}', '{}@example.com', 'viewer', 'none', '{}', '2100-01-01T00:00:00.000Z', {NOW}",
                unique("invited"),
                self.owner.id
            ),
        )
        .await;
        id
    }

    /// Puts an API key in, which nobody has, and returns its id.
    pub async fn api_key(&self, user: &str) -> String {
        let id = new_id();
        self.insert(
            "api_keys",
            "id, user_id, name, role, prefix, token_hash, expires_at, created_at",
            &format!(
                "'{id}', '{user}', 'A key', 'viewer', 'bwk_00000000', 'none', '2100-01-01T00:00:00.000Z', {NOW}"
            ),
        )
        .await;
        id
    }

    /// A machine with an API key that one of the members makes.
    pub async fn machine(&self, maker: &Actor<'t>, role: &str) -> Actor<'t> {
        let new = json!({ "name": "A machine", "role": role });
        let made = maker.post("/v1/api-keys").tenant(&self.id).json(&new).send().await.expect(201);
        Actor { token: Some(made.text_at("/key")), ..maker.clone() }
    }

    /// Puts an unread notification in for a member, and returns its id.
    pub async fn notification(&self, recipient: &str) -> String {
        let id = new_id();
        self.insert(
            "notifications",
            "id, recipient_id, kind, title, body, subject_type, subject_id, created_at",
            &format!("'{id}', '{recipient}', 'approved', 'A title', '', 'project', '{id}', {NOW}"),
        )
        .await;
        id
    }

    /// Puts a delivery in that was given up, and returns its id. Tried anew it is given up again: the tenant has no
    /// webhook.
    pub async fn dead_delivery(&self) -> String {
        let id = new_id();
        self.insert(
            "deliveries",
            "id, channel, kind, title, body, subject_type, subject_id, state, attempts, next_attempt_at, created_at",
            &format!("'{id}', 'slack', 'approved', 'A title', '', 'project', '{id}', 'dead', 3, {LATER}, {NOW}"),
        )
        .await;
        id
    }

    /// Inserts a row of this tenant.
    async fn insert(&self, table: &str, columns: &str, values: &str) {
        let sql = format!("INSERT INTO {table} (tenant_id, {columns}) VALUES ('{}', {values})", self.id);
        self.target().backdoor.sql(&sql).await;
    }
}

/// A point in time that every dialect reads.
const NOW: &str = "'2026-01-01T00:00:00.000Z'";

/// One at which nothing is old enough to be dropped.
const LATER: &str = "'2100-01-01T00:00:00.000Z'";
