//! Who may call what: every route with its access rule. Dispatch, the OpenAPI document and the access tests are all
//! derived from this table, and a route cannot be written without a rule.

use http::Method;

use crate::{
    endpoint::{Endpoint, ErasedEndpoint},
    handlers::{
        admin, api_keys, auth, catalogue, comments, invitations, me, members, notifications, pages, projects,
        service, tasks, tenants, transfer,
    },
    problem::Code::{
        self, AlreadyInvited, AlreadyMember, CommentRequired, Conflict, DefaultTenant, DeliveryNotDead,
        EmailTaken, FourEyes, IdentityTaken, ImportMismatch, ImportTooLarge, InvalidCredentials,
        InvalidCursor, InvalidRefreshToken, InvalidResetToken, InvitationNotFound, InvitationRequired,
        InvitationUnusable, LastOwner, LimitReached, NoPassword, NotTheAuthor, NotTheSubmitter, OnlyWayIn,
        Overloaded, ProjectArchived, ProjectCompleted, QuotaExceeded, RegistrationClosed, RevisionRequired,
        SessionRequired, SlugTaken, TasksOpen, TenantConflict, TenantExists, TenantSuspended,
        TooManyAttempts, TransitionNotAllowed, Unavailable, UnderReview,
    },
    token::{Bearer, Credential},
    values::Role::{self, Manager, Member as Worker, Owner, Viewer},
};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody, of the tenant that the request names: what it shows in public.
    AnyoneInTenant,
    /// Whoever has a valid token.
    SignedIn,
    /// Active members, of at least this role, of the tenant that the request names; and their API keys.
    Member(Role),
    /// The same, but of API keys only those of an owner's role: what decides who has access.
    InPerson(Role),
}

impl Access {
    /// The role that it takes in the tenant; `None` if it is no matter of membership.
    pub(crate) fn least(self, bearer: Option<&Bearer>) -> Option<Role> {
        let key = matches!(bearer, Some(Bearer { credential: Credential::Key(_), .. }));
        match self {
            Self::Public | Self::AnyoneInTenant | Self::SignedIn => None,
            Self::InPerson(_) if key => Some(Owner),
            Self::Member(least) | Self::InPerson(least) => Some(least),
        }
    }
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

impl Route {
    /// Whether it changes, deletes or moves something on the condition of `If-Match`.
    pub(crate) fn is_conditional(&self) -> bool {
        self.endpoint.traits().conditional || matches!(self.method, Method::PATCH | Method::DELETE)
    }

    /// Whether its answers are kept, for when it is asked again under the same `Idempotency-Key`.
    pub(crate) fn keeps_answers(&self) -> bool {
        self.endpoint.traits().kept
    }
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

use Access::{AnyoneInTenant, InPerson, Member, Public, SignedIn};

routes! {
    //  method and path                         who                batches  its own problems             handler

    /// Register a user.
    POST   "/v1/auth/register",                 Public,            1, [TooManyAttempts, EmailTaken, Overloaded, TenantConflict, InvitationNotFound, InvitationUnusable, TenantSuspended, LimitReached, RegistrationClosed], auth::register;
    /// Log in with email and password.
    POST   "/v1/auth/login",                    Public,            2, [TooManyAttempts, InvalidCredentials, Overloaded],  auth::login;
    /// Renew a session's tokens.
    POST   "/v1/auth/refresh",                  Public,            1, [TooManyAttempts, InvalidRefreshToken],             auth::refresh;
    /// Have a token sent by which a forgotten password can be reset.
    POST   "/v1/auth/password-reset",           Public,            1, [TooManyAttempts],                              auth::forgot_password;
    /// Reset a forgotten password, which ends all sessions.
    POST   "/v1/auth/password-reset/confirm",   Public,            2, [TooManyAttempts, InvalidResetToken, Overloaded],   auth::reset_password;
    /// Log out.
    POST   "/v1/auth/logout",                   SignedIn,          1, [],                                auth::logout;

    /// Read one's own account.
    GET    "/v1/me",                            SignedIn,          1, [],                                me::get;
    /// Change one's own account.
    PATCH  "/v1/me",                            SignedIn,          1, [],                                me::update;
    /// Change one's password, which ends all other sessions.
    POST   "/v1/me/password",                   SignedIn,          2, [TooManyAttempts, Overloaded, Conflict, NoPassword], me::change_password;
    /// List the sessions in which one is logged in.
    GET    "/v1/me/sessions",                   SignedIn,          1, [InvalidCursor],                   me::sessions;
    /// End all sessions, this one among them.
    DELETE "/v1/me/sessions",                   SignedIn,          1, [],                                me::revoke_sessions;
    /// End a session.
    DELETE "/v1/me/sessions/{session_id}",      SignedIn,          1, [],                                me::revoke_session;

    /// List the identities by which one comes from the identity provider.
    GET    "/v1/me/identities",                 SignedIn,          1, [InvalidCursor],                   me::identities;
    /// Link an identity to one's account, by a token of the identity provider.
    POST   "/v1/me/identities",                 SignedIn,          1, [IdentityTaken],                   me::link_identity;
    /// Take an identity away from one's account.
    DELETE "/v1/me/identities/{identity_id}",   SignedIn,          1, [OnlyWayIn],                       me::unlink_identity;

    /// List the tenants that one is in.
    GET    "/v1/tenants",                       SignedIn,          1, [InvalidCursor],                   tenants::list;
    /// Create a tenant and become its owner.
    POST   "/v1/tenants",                       SignedIn,          1, [SlugTaken, LimitReached],         tenants::create;
    /// Read the tenant.
    GET    "/v1/tenant",                        Member(Viewer),    1, [],                                tenants::get;
    /// Change the tenant.
    PATCH  "/v1/tenant",                        Member(Owner),     1, [],                                tenants::update;
    /// Delete the tenant and all that is in it.
    DELETE "/v1/tenant",                        Member(Owner),     1, [DefaultTenant],                   tenants::delete;
    /// Read the tenant's configuration.
    GET    "/v1/tenant/config",                 Member(Owner),     1, [],                                tenants::config;
    /// Change the tenant's configuration.
    PATCH  "/v1/tenant/config",                 Member(Owner),     2, [Conflict],                        tenants::configure;

    /// List the tenant's members.
    GET    "/v1/members",                       Member(Viewer),    1, [InvalidCursor],                   members::list;
    /// Read one's own membership.
    GET    "/v1/members/me",                    Member(Viewer),    1, [],                                members::me;
    /// Leave the tenant.
    DELETE "/v1/members/me",                    InPerson(Viewer),   1, [LastOwner],                       members::leave;
    /// Read a member.
    GET    "/v1/members/{user_id}",             Member(Viewer),    1, [],                                members::get;
    /// Change a member's role, suspend or reinstate them.
    PATCH  "/v1/members/{user_id}",             InPerson(Owner),   2, [LastOwner, InvitationRequired, LimitReached, Conflict], members::update;
    /// Remove a member.
    DELETE "/v1/members/{user_id}",             InPerson(Owner),   1, [LastOwner],                       members::remove;

    /// Read the name of somebody who is a member of the tenant or was.
    GET    "/v1/people/{user_id}",              Member(Viewer),    1, [],                                members::person;

    /// List invitations.
    GET    "/v1/invitations",                   InPerson(Manager), 1, [InvalidCursor],                   invitations::list;
    /// Invite somebody, for a role below one's own.
    POST   "/v1/invitations",                   InPerson(Manager), 2, [AlreadyMember, AlreadyInvited, LimitReached, QuotaExceeded], invitations::create;
    /// Accept an invitation of one's own address.
    POST   "/v1/invitations/accept",            SignedIn,          2, [TooManyAttempts, AlreadyMember, InvitationNotFound, InvitationUnusable, TenantSuspended, LimitReached], invitations::accept;
    /// Read an invitation.
    GET    "/v1/invitations/{invitation_id}",   InPerson(Manager), 1, [],                                invitations::get;
    /// Revoke an invitation.
    DELETE "/v1/invitations/{invitation_id}",   InPerson(Manager), 2, [InvitationUnusable, Conflict],              invitations::revoke;

    /// List one's API keys; as an owner, everybody's.
    GET    "/v1/api-keys",                      InPerson(Worker),  1, [InvalidCursor],                   api_keys::list;
    /// Make an API key, of a role not above one's own. It is shown this once.
    POST   "/v1/api-keys",                      InPerson(Worker),  1, [LimitReached],                    api_keys::create;
    /// Read an API key of one's own; as an owner, anybody's.
    GET    "/v1/api-keys/{api_key_id}",         InPerson(Worker),  1, [],                                api_keys::get;
    /// Revoke an API key of one's own; as an owner, anybody's.
    DELETE "/v1/api-keys/{api_key_id}",         InPerson(Worker),  1, [],                                api_keys::revoke;

    /// List projects.
    GET    "/v1/projects",                      Member(Viewer),    1, [InvalidCursor],                   projects::list;
    /// Create a project, as a draft.
    POST   "/v1/projects",                      Member(Worker),    1, [LimitReached],                    projects::create;
    /// Read a project.
    GET    "/v1/projects/{project_id}",         Member(Viewer),    1, [],                                projects::get;
    /// Change what a project says: before it is submitted, or, as a manager, after it was approved.
    PATCH  "/v1/projects/{project_id}",         Member(Worker),    2, [ProjectArchived, UnderReview, Conflict, LimitReached], projects::update;
    /// Delete a project.
    DELETE "/v1/projects/{project_id}",         Member(Manager),   1, [],                                projects::delete;
    /// Read where a project has been and where it can go.
    GET    "/v1/projects/{project_id}/transitions", Member(Viewer), 1, [InvalidCursor],                  projects::transitions;
    /// Move a project to another status.
    POST   "/v1/projects/{project_id}/transitions", Member(Worker), 2, [TransitionNotAllowed, NotTheSubmitter, FourEyes, CommentRequired, TasksOpen, RevisionRequired, Conflict, LimitReached], projects::transition;

    /// List a project's tasks.
    GET    "/v1/projects/{project_id}/tasks",   Member(Viewer),    1, [InvalidCursor],                   tasks::list_of_project;
    /// Create a task in a project that is not archived.
    POST   "/v1/projects/{project_id}/tasks",   Member(Worker),    2, [ProjectArchived, ProjectCompleted, LimitReached], tasks::create;
    /// Create, change and delete tasks of a project that is not archived: all of it, or nothing.
    POST   "/v1/projects/{project_id}/tasks/bulk", Member(Worker), 2, [ProjectArchived, ProjectCompleted, Conflict, LimitReached], tasks::apply;
    /// List the tasks of all projects.
    GET    "/v1/tasks",                         Member(Viewer),    1, [InvalidCursor],                   tasks::list;
    /// Read a task.
    GET    "/v1/tasks/{task_id}",               Member(Viewer),    1, [],                                tasks::get;
    /// Change a task whose project is not archived.
    PATCH  "/v1/tasks/{task_id}",               Member(Worker),    2, [ProjectArchived, ProjectCompleted, LimitReached], tasks::update;
    /// Delete a task whose project is not archived.
    DELETE "/v1/tasks/{task_id}",               Member(Worker),    1, [ProjectArchived],                 tasks::delete;

    /// List the comments on a task.
    GET    "/v1/tasks/{task_id}/comments",      Member(Viewer),    1, [InvalidCursor],                   comments::list;
    /// Comment on a task.
    POST   "/v1/tasks/{task_id}/comments",      Member(Worker),    2, [ProjectArchived, LimitReached],                 comments::create;
    /// Read a comment.
    GET    "/v1/tasks/{task_id}/comments/{comment_id}", Member(Viewer), 1, [],                           comments::get;
    /// Change a comment of one's own.
    PATCH  "/v1/tasks/{task_id}/comments/{comment_id}", Member(Worker), 2, [NotTheAuthor, ProjectArchived, Conflict, LimitReached], comments::update;
    /// Delete a comment: one's own, or as a manager anybody's.
    DELETE "/v1/tasks/{task_id}/comments/{comment_id}", Member(Worker), 2, [NotTheAuthor, ProjectArchived, Conflict], comments::delete;

    /// List the projects that the tenant shows in public.
    GET    "/v1/catalog/projects",              AnyoneInTenant,    1, [InvalidCursor],                   catalogue::list;
    /// Read a project that the tenant shows in public.
    GET    "/v1/catalog/projects/{project_id}", AnyoneInTenant,    1, [],                                catalogue::get;

    /// List one's notifications.
    GET    "/v1/notifications",                 Member(Viewer),    1, [InvalidCursor],                   notifications::list;
    /// Count one's unread notifications.
    GET    "/v1/notifications/unread_count",    Member(Viewer),    1, [],                                notifications::count_unread;
    /// Mark one's notifications as read: all, or those that are named.
    POST   "/v1/notifications/read",            Member(Viewer),    1, [],                                notifications::mark_all_read;
    /// Mark a notification as read.
    POST   "/v1/notifications/{notification_id}/read", Member(Viewer), 1, [],                            notifications::mark_read;
    /// Read what one does not want to be told.
    GET    "/v1/notifications/preferences",     Member(Viewer),    1, [],                                notifications::preferences;
    /// Change what one does not want to be told.
    PATCH  "/v1/notifications/preferences",     Member(Viewer),    1, [],                                notifications::set_preferences;

    /// Read the tenant in numbers.
    GET    "/v1/admin/stats",                   Member(Owner),     1, [],                                admin::statistics;
    /// Read how much the tenant has of what it may have only so much of.
    GET    "/v1/admin/usage",                   Member(Owner),     1, [],                                admin::usage;
    /// Read what happened in the tenant.
    GET    "/v1/admin/activity",                Member(Owner),     1, [InvalidCursor],                   admin::activity;
    /// Verify that what happened in the tenant still stands as it was written.
    GET    "/v1/admin/activity/verify",         Member(Owner),     1, [],                                admin::verify_activity;
    /// List the tenants that one owns.
    GET    "/v1/admin/tenants",                 SignedIn,          1, [InvalidCursor],                   admin::tenants;
    /// List what goes, went or could not go to the outside.
    GET    "/v1/admin/deliveries",              Member(Owner),     1, [InvalidCursor],                   admin::deliveries;
    /// Have a delivery tried anew that was given up.
    POST   "/v1/admin/deliveries/{delivery_id}/retry", Member(Owner), 2, [DeliveryNotDead, QuotaExceeded], admin::retry_delivery;

    /// Read a part of all that the tenant consists of, to move it to another deployment.
    GET    "/v1/admin/export",                  InPerson(Owner),   1, [SessionRequired],                 transfer::export;
    /// Begin to bring a tenant in from another deployment, or find how far that is. Nobody sees anything of it until it is finished.
    POST   "/v1/imports",                       SignedIn,          2, [SlugTaken, TenantExists, LimitReached, Conflict], transfer::begin;
    /// Add rows to a tenant that is brought in. Rows that were added before are left out.
    POST   "/v1/imports/{tenant_id}/rows",      SignedIn,          2, [ImportTooLarge, Conflict],         transfer::add;
    /// Make the tenant of all that was brought in. Who does it owns it.
    POST   "/v1/imports/{tenant_id}/finish",    SignedIn,          2, [SlugTaken, TenantExists, ImportMismatch, LimitReached, Conflict], transfer::finish;
    /// End bringing a tenant in; nothing of it is left.
    DELETE "/v1/imports/{tenant_id}",           SignedIn,          1, [],                                transfer::abort;

    /// Read the approval workflow.
    GET    "/v1/workflow",                      Public,            0, [],                                service::workflow;
    /// Ask whether the service is alive.
    GET    "/healthz",                          Public,            0, [],                                service::alive;
    /// Ask whether the service can do its work: the database is reached and has all migrations.
    GET    "/readyz",                           Public,            1, [Unavailable],                     service::ready;
    /// Read this description.
    GET    "/openapi.json",                     Public,            0, [],                                service::openapi;

    /// See what this is and where to go on, as a person or as a program.
    GET    "/",                                 Public,            0, [],                                pages::home;
    /// Read and try the API in a browser.
    GET    "/docs",                             Public,            0, [],                                pages::docs;
    /// Load what the pages consist of.
    GET    "/docs/{file}",                      Public,            0, [],                                pages::file;
    /// Read about every kind of problem.
    GET    "/problems",                         Public,            0, [],                                pages::problems;
    /// Read what a problem means and what to do about it; the `type` of a problem leads here.
    GET    "/problems/{code}",                  Public,            0, [],                                pages::problem;
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
