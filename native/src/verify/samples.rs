//! The registry of samples: a successful request for every route, made of things that the environment provides. Here the
//! matrices of `bailiwick verify-isolation` vary it; so do those of the tests, which also count what each request asks of the
//! database, and compare what tenants cost each other. A route without a sample fails all of them.

use std::future::Future;

use bailiwick_core::{
    Access, NEEDED_SCHEMA_VERSION,
    routes::Route,
    transfer::{Digest, FORM, canonical},
};
use serde_json::{Value, json};

use super::matrix::placeholders;

/// A thing that a sample needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing<'a> {
    /// A project that is a draft.
    Project,
    /// A project that is shown in public.
    PublicProject,
    /// A task of a project that is not archived.
    Task,
    /// A task of this project, which is not archived; of different numbers different ones.
    TaskOf(&'a str, u8),
    /// The user's comment on this task.
    CommentOn(&'a str),
    /// A member who can be removed.
    Member,
    /// A member who can be given a task.
    Colleague,
    /// An API key of the user.
    ApiKey,
    /// An open invitation.
    Invitation,
    /// A delivery that was given up.
    Delivery,
    /// A notification of the user.
    Notification,
    /// An identity of the user at the provider.
    Identity,
    /// Not an id, but a token of the provider for somebody without an account.
    ExternalToken,
    /// A session of the user, which is not the one that asks.
    Session,
    /// Somebody else who owns the tenant; there is nothing to name.
    SecondOwner,
    /// Not an id, but an address that nobody has registered.
    FreeEmail,
    /// Not an id, but a slug that no tenant has.
    FreeSlug,
    /// Not an id, but the slug of the tenant.
    Slug,
    /// Not an id, but the address of the user.
    Email,
    /// Not an id, but the password of the user.
    Password,
    /// Not an id, but a refresh token of the user.
    RefreshToken,
    /// Not an id, but a token that resets the password of another account, which nobody needs.
    ResetToken,
    /// Not an id, but a code of a problem.
    ProblemCode,
    /// Not an id, but the name of a file that pages load.
    PageFile,
    /// Not an id, but the token of an invitation of the user to another tenant.
    InvitationToken,
    /// A tenant that the user imports, of which nothing has arrived yet.
    Import,
    /// The same, of which everything has arrived: its owner and itself.
    WholeImport,
}

impl Thing<'_> {
    /// The thing for a placeholder of this name.
    ///
    /// # Errors
    /// A sentence if the matrices do not know the name.
    pub fn in_place(name: &str) -> Result<Thing<'static>, String> {
        Ok(match name {
            "project_id" | "entity_id" => Thing::Project,
            "task_id" => Thing::Task,
            "user_id" => Thing::Member,
            "assignee_id" | "actor_id" => Thing::Colleague,
            "api_key_id" => Thing::ApiKey,
            "invitation_id" => Thing::Invitation,
            "delivery_id" => Thing::Delivery,
            "notification_id" => Thing::Notification,
            "session_id" => Thing::Session,
            "identity_id" => Thing::Identity,
            "tenant_id" => Thing::Import,
            "code" => Thing::ProblemCode,
            "file" => Thing::PageFile,
            other => return Err(format!("The matrices know no {other}; add it to samples.rs.")),
        })
    }
}

/// The environment of samples, which makes what they need.
pub trait Ground: Sync {
    /// A tenant there.
    type Tenant: Sync;
    /// A user there.
    type User: Sync;

    /// Makes sure that there is such a thing, in the tenant, for the user, and returns its id.
    fn thing(
        &self,
        thing: Thing<'_>,
        tenant: &Self::Tenant,
        user: &Self::User,
    ) -> impl Future<Output = Result<String, String>> + Send;
}

/// A request that succeeds for callers with the right.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it asks.
    pub route: &'static Route,
    /// The ids of the path's placeholders, in order.
    pub ids: Vec<String>,
    /// The query.
    pub query: Option<String>,
    /// The body.
    pub body: Option<Value>,
    /// The status of success.
    pub success: u16,
}

impl Sample {
    /// A request in a tenant, for this user; the things that it needs are made first.
    ///
    /// # Errors
    /// A sentence if the matrices do not know the route, or the environment cannot make the things.
    pub async fn make<G: Ground>(
        ground: &G,
        route: &'static Route,
        tenant: &G::Tenant,
        user: &G::User,
    ) -> Result<Self, String> {
        let mut ids: Vec<String> = Vec::new();
        for placeholder in placeholders(route.path) {
            let thing = match (placeholder, ids.last()) {
                ("comment_id", Some(task)) => Thing::CommentOn(task),
                ("tenant_id", _) if route.name == "transfer::finish" => Thing::WholeImport,
                ("project_id", _) if route.access == Access::AnyoneInTenant => Thing::PublicProject,
                _ => Thing::in_place(placeholder)?,
            };
            let id = ground.thing(thing, tenant, user).await?;
            ids.push(id);
        }
        let (body, success) = request(ground, route, tenant, user, &ids).await?;
        let query = match route.name {
            "tenants::delete" => Some(format!("confirm={}", ground.thing(Thing::Slug, tenant, user).await?)),
            _ => None,
        };
        Ok(Self { route, ids, query, body, success })
    }

    /// Whether it needs an identity provider.
    pub fn of_provider(&self) -> bool {
        self.route.path.starts_with("/v1/me/identities")
    }

    /// The path, with its ids in place, and the query.
    pub fn path(&self) -> String {
        let path = placeholders(self.route.path)
            .zip(&self.ids)
            .fold(self.route.path.to_owned(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id));
        self.query.as_ref().map_or(path.clone(), |query| format!("{path}?{query}"))
    }
}

/// The body, and the status of success.
async fn request<G: Ground>(
    ground: &G,
    route: &Route,
    tenant: &G::Tenant,
    user: &G::User,
    ids: &[String],
) -> Result<(Option<Value>, u16), String> {
    let need = |thing| ground.thing(thing, tenant, user);
    Ok(match route.name {
        "auth::register" => {
            let (email, password) = (need(Thing::FreeEmail).await?, need(Thing::Password).await?);
            (Some(json!({ "email": email, "name": "Sample", "password": password })), 201)
        }
        "auth::login" => {
            let (email, password) = (need(Thing::Email).await?, need(Thing::Password).await?);
            (Some(json!({ "email": email, "password": password })), 200)
        }
        "auth::refresh" => (Some(json!({ "refresh_token": need(Thing::RefreshToken).await? })), 200),
        // Nobody has it, so no mail is sent.
        "auth::forgot_password" => {
            (Some(json!({ "email": format!("{}@isolation.example", super::new_id()?) })), 204)
        }
        "auth::reset_password" => {
            let (token, password) = (need(Thing::ResetToken).await?, need(Thing::Password).await?);
            (Some(json!({ "token": token, "new_password": password })), 204)
        }
        "me::link_identity" => (Some(json!({ "token": need(Thing::ExternalToken).await? })), 201),
        "me::change_password" => {
            let password = need(Thing::Password).await?;
            (Some(json!({ "current_password": password, "new_password": password })), 204)
        }
        "me::update" | "tenants::update" | "projects::update" => (Some(json!({ "name": "Sample" })), 200),
        "tenants::create" => (Some(json!({ "slug": need(Thing::FreeSlug).await?, "name": "Sample" })), 201),
        "tenants::configure" => (Some(json!({ "email_sender_name": "Sample" })), 200),
        "members::update" => (Some(json!({ "role": "manager" })), 200),
        "members::leave" | "me::delete" => {
            // Even the owner can leave if there is another one.
            need(Thing::SecondOwner).await?;
            (None, 204)
        }
        "invitations::create" => {
            (Some(json!({ "email": need(Thing::FreeEmail).await?, "role": "viewer" })), 201)
        }
        "invitations::accept" => (Some(json!({ "token": need(Thing::InvitationToken).await? })), 200),
        "api_keys::create" => (Some(json!({ "name": "Sample", "role": "viewer" })), 201),
        "projects::create" => (Some(json!({ "name": "Sample" })), 201),
        "projects::transition" => (Some(json!({ "to": "submitted" })), 200),
        "tasks::create" => {
            (Some(json!({ "title": "Sample", "assignee_id": need(Thing::Colleague).await? })), 201)
        }
        "tasks::update" => (Some(json!({ "assignee_id": need(Thing::Colleague).await? })), 200),
        "tasks::apply" => {
            let project = ids.first().map_or("", String::as_str);
            let (one, two) = (need(Thing::TaskOf(project, 1)).await?, need(Thing::TaskOf(project, 2)).await?);
            let assignee = need(Thing::Colleague).await?;
            let operations = json!([
                { "op": "create", "title": "Sample", "assignee_id": assignee },
                { "op": "update", "id": one, "assignee_id": assignee },
                { "op": "delete", "id": two },
            ]);
            (Some(json!({ "operations": operations })), 200)
        }
        "comments::create" => {
            (Some(json!({ "body": format!("@{} look", need(Thing::Colleague).await?) })), 201)
        }
        "comments::update" => {
            (Some(json!({ "body": format!("@{} look again", need(Thing::Colleague).await?) })), 200)
        }
        "transfer::begin" => (Some(import_head(&super::new_id()?)), 200),
        "transfer::add" => {
            let tenant = ids.first().map_or("", String::as_str);
            (Some(json!({ "first": 0, "rows": import_rows(tenant) })), 200)
        }
        "transfer::finish" => {
            let tenant = ids.first().map_or("", String::as_str);
            (Some(import_totals(tenant)), 200)
        }
        "notifications::set_preferences" => (Some(json!({ "muted": ["completed"] })), 200),
        "notifications::mark_read" | "admin::retry_delivery" => (None, 200),
        "notifications::mark_all_read" => (Some(json!({ "ids": [] })), 204),
        "auth::logout" => (None, 204),
        _ if route.method == "DELETE" => (None, 204),
        _ if route.method == "GET" => (None, 200),
        other => return Err(format!("The matrices have no sample for {other}; add one to samples.rs.")),
    })
}

/// The head of a file with a tenant.
pub fn import_head(tenant: &str) -> Value {
    json!({
        "bailiwick_export": FORM, "schema_version": NEEDED_SCHEMA_VERSION, "tenant_id": tenant,
        "slug": format!("i-{tenant}"), "exported_at": "2026-01-01T00:00:00.000Z", "secrets": false,
    })
}

/// All rows of that file.
pub fn import_rows(tenant: &str) -> Value {
    let now = "2026-01-01T00:00:00.000Z";
    json!([{
        "table": "tenants",
        "row": {
            "id": tenant, "slug": format!("i-{tenant}"), "name": "Sample", "created_by": null, "config": {},
            "created_at": now, "updated_at": now, "version": 1,
        },
    }])
}

/// The totals of that file.
pub fn import_totals(tenant: &str) -> Value {
    let mut digest = Digest::of_head(&import_head(tenant));
    let rows = import_rows(tenant);
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    for row in rows {
        digest = digest.and(&canonical(row));
    }
    json!({ "rows": rows.len(), "sha256": digest.as_str() })
}
