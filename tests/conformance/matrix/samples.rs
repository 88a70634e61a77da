//! For every route a request that succeeds. The matrices vary it; a route without one fails them.

use bailiwick_core::routes::{Access, ROUTES, Route};
use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, unique},
    client::Ask,
    provider::{Person, Provider},
};
use serde_json::{Value, json};

/// A request that succeeds for whoever may make it.
pub(super) struct Sample {
    pub(super) route: &'static Route,
    /// The ids of the path's placeholders.
    pub(super) ids: Vec<(&'static str, String)>,
    pub(super) query: Option<String>,
    pub(super) body: Option<Value>,
    pub(super) success: u16,
}

/// All routes, by name.
pub(super) fn route(name: &str) -> &'static Route {
    ROUTES.iter().find(|route| route.name == name).expect("a route of this name")
}

/// A fresh request in a tenant, to be made by this user; what it needs is put there first.
pub(super) async fn sample(route: &'static Route, tenant: &Tenant<'_>, user: &Actor<'_>) -> Sample {
    let (body, success) = request(route, tenant, user).await;
    let mut ids: Vec<(&'static str, String)> = Vec::new();
    for placeholder in route.path.split(['{', '}']).skip(1).step_by(2) {
        let id = match (placeholder, ids.last()) {
            ("comment_id", Some((_, task))) => tenant.comment(task, &user.id).await,
            ("session_id", _) => user.new_session().await,
            ("identity_id", _) => user.identity().await,
            ("api_key_id", _) => tenant.api_key(&user.id).await,
            ("notification_id", _) => tenant.notification(&user.id).await,
            ("project_id", _) if route.access == Access::AnyoneInTenant => tenant.public_project().await,
            _ => foreign(placeholder, tenant).await,
        };
        ids.push((placeholder, id));
    }
    let query = (route.name == "tenants::delete").then(|| format!("confirm={}", tenant.slug));
    Sample { route, ids, query, body, success }
}

/// The id of something of a tenant that fits a place of this name.
pub(super) async fn foreign(place: &str, tenant: &Tenant<'_>) -> String {
    match place {
        "project_id" | "entity_id" => tenant.project("draft", None).await,
        "task_id" => tenant.task(&tenant.project("approved", None).await, "todo").await,
        "user_id" => {
            let somebody = Actor::register(tenant.owner.target, "somebody").await;
            tenant.admit(&somebody, "member").await;
            somebody.id
        }
        "assignee_id" | "actor_id" => tenant.member.id.clone(),
        "invitation_id" => tenant.invitation().await,
        "delivery_id" => tenant.dead_delivery().await,
        other => panic!("the matrices know no {other}; add it to samples.rs"),
    }
}

/// The body, and the status of success.
async fn request(route: &Route, tenant: &Tenant<'_>, user: &Actor<'_>) -> (Option<Value>, u16) {
    let target = tenant.owner.target;
    match route.name {
        "auth::register" => {
            let email = format!("{}@example.com", unique("sample"));
            (Some(json!({ "email": email, "name": "Sample", "password": PASSWORD })), 201)
        }
        "auth::login" => (Some(json!({ "email": tenant.owner.email, "password": PASSWORD })), 200),
        "auth::refresh" => {
            (Some(json!({ "refresh_token": user.session().await.text_at("/refresh_token") })), 200)
        }
        "me::change_password" => {
            (Some(json!({ "current_password": PASSWORD, "new_password": PASSWORD })), 204)
        }
        "me::link_identity" => {
            let token = Provider::shared().access_token("EdDSA", &Person::new("sample")).await;
            (Some(json!({ "token": token })), 201)
        }
        "me::update" | "tenants::update" | "projects::update" => {
            (Some(json!({ "name": unique("name") })), 200)
        }
        "tenants::create" => (Some(json!({ "slug": unique("sample"), "name": "Sample" })), 201),
        "tenants::configure" => (Some(json!({ "email_sender_name": "Sample" })), 200),
        "members::update" => (Some(json!({ "role": "manager" })), 200),
        "members::leave" => {
            // Even the owner can go if there is another one.
            tenant.admit(&Actor::register(target, "second").await, "owner").await;
            (None, 204)
        }
        "invitations::create" => {
            (Some(json!({ "email": format!("{}@example.com", unique("invited")), "role": "viewer" })), 201)
        }
        "invitations::accept" => {
            let host = Actor::register(target, "host").await;
            let slug = unique("host");
            let new = json!({ "slug": slug, "name": "A host" });
            host.post("/v1/tenants").json(&new).send().await.expect(201);
            let new = json!({ "email": user.email, "role": "viewer" });
            let made = host.post("/v1/invitations").slug(&slug).json(&new).send().await.expect(201);
            (Some(json!({ "token": made.text_at("/token") })), 200)
        }
        "api_keys::create" => (Some(json!({ "name": "A machine", "role": "viewer" })), 201),
        "projects::create" => (Some(json!({ "name": unique("project") })), 201),
        "projects::transition" => (Some(json!({ "to": "submitted" })), 200),
        "tasks::create" => (Some(json!({ "title": unique("task"), "assignee_id": tenant.member.id })), 201),
        "tasks::update" => (Some(json!({ "assignee_id": tenant.member.id })), 200),
        "comments::create" => (Some(json!({ "body": format!("@{} look", tenant.member.id) })), 201),
        "comments::update" => (Some(json!({ "body": format!("@{} look again", tenant.member.id) })), 200),
        "notifications::set_preferences" => (Some(json!({ "muted": ["completed"] })), 200),
        "notifications::mark_read" | "admin::retry_delivery" => (None, 200),
        "auth::logout" | "notifications::mark_all_read" => (None, 204),
        _ if route.method == "DELETE" => (None, 204),
        _ if route.method == "GET" => (None, 200),
        other => panic!("the matrices have no sample for {other}; add one to samples.rs"),
    }
}

impl Sample {
    /// The path, with its ids in place, and the query.
    pub(super) fn path(&self) -> String {
        let path = self
            .ids
            .iter()
            .fold(self.route.path.to_owned(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id));
        self.query.as_ref().map_or(path.clone(), |query| format!("{path}?{query}"))
    }

    /// The request in somebody's name, without tenant headers.
    pub(super) fn bare(&self, actor: &Actor<'_>) -> Ask {
        actor.ask(self.route.method.clone(), &self.path()).maybe(self.body.as_ref())
    }

    /// The request in somebody's name, to a tenant.
    pub(super) fn ask(&self, actor: &Actor<'_>, tenant: &Tenant<'_>) -> Ask {
        match self.route.access {
            Access::Member(_) | Access::InPerson(_) | Access::AnyoneInTenant => {
                self.bare(actor).tenant(&tenant.id)
            }
            Access::Public | Access::SignedIn => self.bare(actor),
        }
    }

    /// A body that names, in this member, something that exists nowhere.
    pub(super) fn body_with(&self, name: &str, id: Option<&str>) -> Value {
        let mut body = self.body.clone().unwrap_or_else(|| json!({}));
        body[name] = json!(id.map_or_else(new_id, str::to_owned));
        body
    }
}
