//! For every route a request that succeeds. The matrices vary it; a route without one fails them.

use bailiwick_core::routes::{Access, ROUTES, Route};
use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, unique},
    client::Ask,
};
use serde_json::{Value, json};

/// A request that succeeds for whoever may make it.
pub(super) struct Sample {
    pub(super) route: &'static Route,
    /// The ids of the path's placeholders.
    pub(super) ids: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    pub(super) success: u16,
}

/// All routes, by name.
pub(super) fn route(name: &str) -> &'static Route {
    ROUTES.iter().find(|route| route.name == name).expect("a route of this name")
}

/// A fresh request in a tenant; what it needs is put there first.
pub(super) async fn sample(route: &'static Route, tenant: &Tenant<'_>) -> Sample {
    let (body, success) = match route.name {
        "auth::register" => {
            let email = format!("{}@example.com", unique("sample"));
            (Some(json!({ "email": email, "name": "Sample", "password": PASSWORD })), 201)
        }
        "auth::login" => (Some(json!({ "email": tenant.owner.email, "password": PASSWORD })), 200),
        "me::update" | "tenants::update" | "projects::update" => {
            (Some(json!({ "name": unique("name") })), 200)
        }
        "tenants::create" => (Some(json!({ "slug": unique("sample"), "name": "Sample" })), 201),
        "projects::create" => (Some(json!({ "name": unique("project") })), 201),
        "projects::delete" => (None, 204),
        "projects::transition" => (Some(json!({ "to": "submitted" })), 200),
        "me::get"
        | "tenants::list"
        | "tenants::get"
        | "members::list"
        | "projects::list"
        | "projects::get"
        | "projects::transitions"
        | "service::workflow"
        | "service::alive"
        | "service::ready"
        | "service::openapi" => (None, 200),
        other => panic!("the matrices have no sample for {other}; add one to samples.rs"),
    };
    let mut ids = Vec::new();
    for placeholder in route.path.split(['{', '}']).skip(1).step_by(2) {
        let id = match placeholder {
            "project_id" => tenant.project("draft", None).await,
            other => panic!("the matrices know no {other}; add it to samples.rs"),
        };
        ids.push((placeholder, id));
    }
    Sample { route, ids, body, success }
}

impl Sample {
    /// The path, with its ids in place.
    pub(super) fn path(&self) -> String {
        self.ids
            .iter()
            .fold(self.route.path.to_owned(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id))
    }

    /// The request in somebody's name, without tenant headers.
    pub(super) fn bare(&self, actor: &Actor<'_>) -> Ask {
        actor.ask(self.route.method.clone(), &self.path()).maybe(self.body.as_ref())
    }

    /// The request in somebody's name, to a tenant.
    pub(super) fn ask(&self, actor: &Actor<'_>, tenant: &Tenant<'_>) -> Ask {
        match self.route.access {
            Access::Member(_) => self.bare(actor).tenant(&tenant.id),
            Access::Public | Access::SignedIn => self.bare(actor),
        }
    }
}
