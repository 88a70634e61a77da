//! Who may call what: every route with its access rule. Dispatch, the OpenAPI document and the access tests are all
//! derived from this table, and a route cannot be written without a rule.

use http::Method;

use crate::{
    endpoint::{Endpoint, ErasedEndpoint},
    handlers::{auth, me, members, projects, service, tenants},
    problem::Code::{
        self, CommentRequired, Conflict, EmailTaken, FourEyes, InvalidCredentials, InvalidCursor,
        NotTheSubmitter, Overloaded, ProjectArchived, SlugTaken, TasksOpen, TransitionNotAllowed,
        Unavailable,
    },
    values::Role::{self, Manager, Member as Worker, Owner, Viewer},
};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a valid token.
    SignedIn,
    /// Active members, of at least this role, of the tenant that the request names.
    Member(Role),
}

/// A line of the table.
pub struct Route {
    /// The method; `HEAD` and `OPTIONS` come by themselves.
    pub method: Method,
    /// The path, with `{placeholders}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Round trips to the database at the most, when all goes well.
    pub batches: u32,
    /// The problems of its own, beside those that its types and its access rule imply.
    pub problems: &'static [Code],
    /// Its handler, as `module::function`.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub summary: &'static str,
    pub(crate) endpoint: &'static dyn ErasedEndpoint,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({:?})", self.method, self.path, self.access)
    }
}

macro_rules! routes {
    ($(#[doc = $summary:literal] $method:ident $path:literal, $access:expr, $batches:literal, [$($problem:expr),*], $module:ident::$function:ident;)+) => {
        /// Every route there is.
        pub static ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            access: $access,
            batches: $batches,
            problems: &[$($problem),*],
            name: concat!(stringify!($module), "::", stringify!($function)),
            summary: $summary,
            endpoint: &Endpoint::new($module::$function, $access),
        }),+];
    };
}

use Access::{Member, Public, SignedIn};

routes! {
    //  method and path                         who                batches  its own problems             handler

    /// Register a user.
    POST   "/v1/auth/register",                 Public,            1, [EmailTaken, Overloaded],          auth::register;
    /// Log in with email and password.
    POST   "/v1/auth/login",                    Public,            1, [InvalidCredentials, Overloaded],  auth::login;

    /// Read one's own account.
    GET    "/v1/me",                            SignedIn,          1, [],                                me::get;
    /// Change one's own account.
    PATCH  "/v1/me",                            SignedIn,          1, [],                                me::update;

    /// List the tenants that one is in.
    GET    "/v1/tenants",                       SignedIn,          1, [InvalidCursor],                   tenants::list;
    /// Create a tenant and become its owner.
    POST   "/v1/tenants",                       SignedIn,          1, [SlugTaken],                       tenants::create;
    /// Read the tenant.
    GET    "/v1/tenant",                        Member(Viewer),    1, [],                                tenants::get;
    /// Change the tenant.
    PATCH  "/v1/tenant",                        Member(Owner),     1, [],                                tenants::update;
    /// List the tenant's members.
    GET    "/v1/members",                       Member(Viewer),    1, [InvalidCursor],                   members::list;

    /// List projects.
    GET    "/v1/projects",                      Member(Viewer),    1, [InvalidCursor],                   projects::list;
    /// Create a project, as a draft.
    POST   "/v1/projects",                      Member(Worker),    1, [],                                projects::create;
    /// Read a project.
    GET    "/v1/projects/{project_id}",         Member(Viewer),    1, [],                                projects::get;
    /// Change a project that is not archived.
    PATCH  "/v1/projects/{project_id}",         Member(Worker),    1, [ProjectArchived],                 projects::update;
    /// Delete a project.
    DELETE "/v1/projects/{project_id}",         Member(Manager),   1, [],                                projects::delete;
    /// Read where a project has been and where it can go.
    GET    "/v1/projects/{project_id}/transitions", Member(Viewer), 1, [InvalidCursor],                  projects::transitions;
    /// Move a project to another status.
    POST   "/v1/projects/{project_id}/transitions", Member(Worker), 2, [TransitionNotAllowed, NotTheSubmitter, FourEyes, CommentRequired, TasksOpen, Conflict], projects::transition;

    /// Read the approval workflow.
    GET    "/v1/workflow",                      Public,            0, [],                                service::workflow;
    /// Ask whether the service is alive.
    GET    "/healthz",                          Public,            0, [],                                service::alive;
    /// Ask whether the service can do its work: the database is reached and has all migrations.
    GET    "/readyz",                           Public,            1, [Unavailable],                     service::ready;
    /// Read this description.
    GET    "/openapi.json",                     Public,            0, [],                                service::openapi;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn routes_and_names_are_unique() {
        let routes: HashSet<_> = ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect();
        let names: HashSet<_> = ROUTES.iter().map(|route| route.name).collect();
        assert_eq!((routes.len(), names.len()), (ROUTES.len(), ROUTES.len()));
    }

    #[test]
    fn reads_cost_one_batch_and_writes_two_at_the_most() {
        for route in ROUTES {
            assert!(route.batches <= if route.method == Method::GET { 1 } else { 2 }, "{route:?}");
        }
    }
}
