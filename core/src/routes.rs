//! The route table: every route with its access rule and its public documentation. Dispatch, the OpenAPI document and the
//! access tests are all derived from this table, and a route cannot be written without a rule.
//!
//! # Example
//! `routes!` declares the table. This is `routes/example.rs`, which the unit tests run:
#![doc = concat!("```ignore\n", include_str!("routes/example.rs"), "```")]

use http::Method;

use crate::{
    access::{context::AnswerOf, rule::Access},
    api::{
        endpoint::{Endpoint, ErasedEndpoint},
        handlers::{
            admin, api_keys, auth, catalogue, comments, invitations, me, members, notifications, pages,
            projects, service, tasks, tenants, transfer,
        },
    },
    http::problem::Code::{
        self, AlreadyInvited, AlreadyMember, CommentRequired, Conflict, DefaultTenant, DeliveryNotDead,
        EmailTaken, FourEyes, IdentityTaken, ImportMismatch, ImportTooLarge, InvalidCredentials,
        InvalidCursor, InvalidRefreshToken, InvalidResetToken, InvitationNotFound, InvitationRequired,
        InvitationUnusable, LastOwner, LimitReached, NoPassword, NotTheAuthor, NotTheSubmitter, OnlyWayIn,
        Overloaded, ProjectArchived, ProjectCompleted, QuotaExceeded, RegistrationClosed, RevisionRequired,
        SessionRequired, SlugTaken, TasksOpen, TenantConflict, TenantExists, TenantSuspended,
        TooManyAttempts, TransitionNotAllowed, Unavailable, UnderReview,
    },
    kernel::values::enumerations::Role::{Manager, Member as Worker, Owner, Viewer},
};

/// A route of the table.
pub struct Route {
    /// The method; `HEAD` and `OPTIONS` are derived.
    pub method: Method,
    /// The path, with `{placeholders}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The maximum number of round trips to the database when the request succeeds.
    pub batches: u32,
    /// The problems besides those that its types and its access rule imply.
    pub problems: &'static [Code],
    /// Its handler, as `module::function`.
    pub name: &'static str,
    /// The summary, in one line.
    #[cfg(feature = "openapi")]
    pub summary: &'static str,
    /// The description: what the route is for, and what goes wrong. Markdown, whose lines begin with a space.
    #[cfg(feature = "openapi")]
    pub details: &'static str,
    pub(crate) endpoint: &'static dyn ErasedEndpoint,
}

impl Route {
    /// Whether `If-Match` is a condition for the change.
    pub(crate) fn is_conditional(&self) -> bool {
        self.endpoint.traits().conditional || matches!(self.method, Method::PATCH | Method::DELETE)
    }

    /// Makes the answer that is stored, to be returned again for the same `Idempotency-Key`; `None` if none is.
    pub(crate) fn answer_to_store(&self) -> Option<AnswerOf> {
        self.endpoint.traits().answer_to_store
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({:?})", self.method, self.path, self.access)
    }
}

macro_rules! routes {
    ($(#[doc = $summary:literal] $(#[doc = $line:literal])+ $method:ident $path:literal, $access:expr, $batches:literal, [$($problem:expr),*], $module:ident::$function:ident;)+) => {
        /// All routes.
        pub static ROUTES: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            access: $access,
            batches: $batches,
            problems: &[$($problem),*],
            name: concat!(stringify!($module), "::", stringify!($function)),
            #[cfg(feature = "openapi")]
            summary: $summary,
            #[cfg(feature = "openapi")]
            details: concat!($($line, "\n"),+),
            endpoint: &Endpoint::new($module::$function, $access),
        }),+];
    };
}

use Access::{AnyoneInTenant, InPerson, Member, Public, SignedIn};

routes! {
    //  method and path                         who                batches  its own problems             handler

    /// Register a user.
    /// Creates an account, which then logs in with its email address and password. With an `invitation_token` it also accepts that
    /// invitation. Otherwise it joins the tenant of the request, if that tenant is open to registrations. `email_taken` means that the
    /// address has an account; `registration_closed`, that the operator accepts no registrations, or only invited ones.
    POST   "/v1/auth/register",                 Public,            1, [TooManyAttempts, EmailTaken, Overloaded, TenantConflict, InvitationNotFound, InvitationUnusable, TenantSuspended, LimitReached, RegistrationClosed], auth::register;
    /// Log in with email and password.
    /// Starts a session and returns its tokens. Send the access token with each request as `Authorization: Bearer ..`, and renew it with
    /// the refresh token before it expires. An unknown address and a wrong password get the same answer, `invalid_credentials`.
    POST   "/v1/auth/login",                    Public,            2, [TooManyAttempts, InvalidCredentials, Overloaded],  auth::login;
    /// Renew the tokens of a session.
    /// Exchanges a refresh token for a new access token and a new refresh token. Each refresh token works once. If the answer was lost,
    /// repeat the request within a few seconds (`REFRESH_GRACE`). A later use of an old refresh token is `invalid_refresh_token` and ends the session.
    POST   "/v1/auth/refresh",                  Public,            1, [TooManyAttempts, InvalidRefreshToken],             auth::refresh;
    /// Request an email to reset a forgotten password.
    /// Sends an email with a reset token to the address of the account. The answer is 204 whether or not such an account exists, so nobody
    /// learns who has one. While the token of an email is valid, no other email follows within five minutes.
    POST   "/v1/auth/password-reset",           Public,            1, [TooManyAttempts],                              auth::forgot_password;
    /// Reset a forgotten password.
    /// Sets a new password with the token from the email, and ends all sessions of the account. The token works once. A token that has
    /// expired, was used, or was replaced by a later one is `invalid_reset_token`.
    POST   "/v1/auth/password-reset/confirm",   Public,            2, [TooManyAttempts, InvalidResetToken, Overloaded],   auth::reset_password;
    /// Log out of the current session.
    /// Ends the session of the access token. From then on its access token and its refresh token are refused. The other sessions of your
    /// account continue. A token of an identity provider has no session here, so the answer is `session_required`.
    POST   "/v1/auth/logout",                   SignedIn,          1, [],                                auth::logout;

    /// Read your account.
    /// Returns your name and your email address. The account belongs to no tenant: it is the same in all of them. Your role in a tenant is
    /// at `GET /v1/members/me`.
    GET    "/v1/me",                            SignedIn,          1, [],                                me::get;
    /// Change your account.
    /// Changes your name, for example `{"name": "Ada Lovelace"}`. The new name appears in all tenants that you are in, and their activity
    /// logs record the change. The email address cannot be changed.
    PATCH  "/v1/me",                            SignedIn,          1, [],                                me::update;
    /// Delete your account.
    /// Ends your memberships as if you left each tenant, ends your sessions, and removes your address and all ways to log in. What you wrote
    /// stays, with your name. The address can register again, and a token of an identity provider makes a new account: that has nothing of this
    /// one. This cannot be undone.
    /// `last_owner` names the tenants that would have no owner.
    DELETE "/v1/me",                            SignedIn,          1, [LastOwner],                       me::delete;
    /// Change your password.
    /// Sets a new password and ends all your other sessions. A wrong current password is `validation_failed` at `/current_password`. An
    /// account without a password, whose owner logs in through an identity provider, is `no_password`.
    POST   "/v1/me/password",                   SignedIn,          2, [TooManyAttempts, Overloaded, Conflict, NoPassword], me::change_password;
    /// List your sessions.
    /// Returns the logins that are still valid, newest first. `current` marks the session of this request. Use the list to find a login
    /// that you do not recognise, and end it with `DELETE /v1/me/sessions/{session_id}`.
    GET    "/v1/me/sessions",                   SignedIn,          1, [InvalidCursor],                   me::sessions;
    /// End all your sessions.
    /// Logs you out everywhere, including the session of this request. All access tokens and refresh tokens of these sessions are refused
    /// from then on. API keys and tokens of an identity provider continue to work.
    DELETE "/v1/me/sessions",                   SignedIn,          1, [],                                me::revoke_sessions;
    /// End one of your sessions.
    /// Logs out one session, for example on a lost device. Its access token and its refresh token are refused from then on. A session that
    /// was ended before, or that belongs to another account, is `not_found`.
    DELETE "/v1/me/sessions/{session_id}",      SignedIn,          1, [],                                me::revoke_session;

    /// List your linked identities.
    /// Returns the identities at the identity provider that log in to your account, newest first. Each one is known by its `issuer` and
    /// `subject`. The list is empty if you only log in with a password.
    GET    "/v1/me/identities",                 SignedIn,          1, [InvalidCursor],                   me::identities;
    /// Link an identity to your account.
    /// Adds an identity at the identity provider, so that its tokens log in to your account. Prove it with such a token as `token`. An
    /// invalid token is `validation_failed`, as is any token if the service has no identity provider; an identity that is linked to an
    /// account already is `identity_taken`.
    POST   "/v1/me/identities",                 SignedIn,          1, [IdentityTaken],                   me::link_identity;
    /// Unlink an identity from your account.
    /// Removes an identity, so that its tokens no longer log in to your account. The last way to log in cannot be removed: without a
    /// password and without another identity, the answer is `only_way_in`.
    DELETE "/v1/me/identities/{identity_id}",   SignedIn,          1, [OnlyWayIn],                       me::unlink_identity;

    /// List your tenants.
    /// Returns the tenants in which you are an active member, newest first, with your role in each. Send the `id` of one as `X-Tenant-ID`,
    /// or its `slug` as `X-Tenant-Slug`, to choose the tenant of a request.
    GET    "/v1/tenants",                       SignedIn,          1, [InvalidCursor],                   tenants::list;
    /// Create a tenant.
    /// Creates a tenant and makes you its owner: `{"slug": "acme", "name": "Acme Ltd"}`. The slug is for URLs and headers and never
    /// changes. `slug_taken` means that another tenant has it, or that somebody else deleted a tenant with it in the last 30 days.
    POST   "/v1/tenants",                       SignedIn,          1, [SlugTaken, LimitReached],         tenants::create;
    /// Read the tenant.
    /// Returns the tenant of the request, with your role in it. The tenant headers choose which one that is; without them it is `default`,
    /// and an API key always means its own tenant.
    GET    "/v1/tenant",                        Member(Viewer),    1, [],                                tenants::get;
    /// Change the tenant.
    /// Changes the name of the tenant, for example `{"name": "Acme Group"}`. The slug never changes, so links and settings of clients stay
    /// valid. Send the entity tag as `If-Match` to avoid overwriting a change by another owner.
    PATCH  "/v1/tenant",                        Member(Owner),     1, [],                                tenants::update;
    /// Delete the tenant.
    /// Deletes the tenant with everything in it. This cannot be undone. Confirm it with the slug, for example `?confirm=acme`; another
    /// value is `invalid_parameter`. For 30 days only you can create a tenant with this slug. The tenant `default` cannot be deleted:
    /// `default_tenant`.
    DELETE "/v1/tenant",                        Member(Owner),     1, [DefaultTenant],                   tenants::delete;
    /// Read the tenant configuration.
    /// Returns the channels of each kind of notification, the Slack webhook, the sender of emails, and the role of people who register
    /// without an invitation. The webhook is masked: everything except its host is `***`.
    GET    "/v1/tenant/config",                 Member(Owner),     1, [],                                tenants::config;
    /// Change the tenant configuration.
    /// Changes some settings, for example `{"open_registration": "viewer"}`; `null` restores a default. A masked webhook, a webhook that is
    /// not at Slack or allowed by the operator, and a channel `slack` without a webhook are `validation_failed`.
    PATCH  "/v1/tenant/config",                 Member(Owner),     2, [Conflict],                        tenants::configure;

    /// List the members of the tenant.
    /// Returns active and suspended members, newest first, with their names, addresses and roles. `?count=true` adds their number. Members
    /// who came with an imported tenant and have not joined yet have an `imported_at`.
    GET    "/v1/members",                       Member(Viewer),    1, [InvalidCursor],                   members::list;
    /// Read your membership.
    /// Returns your role in the tenant of the request, and the name and address of your account. Use it to decide what to offer a user.
    /// With an API key, this is the membership of the user who created the key.
    GET    "/v1/members/me",                    Member(Viewer),    1, [],                                members::me;
    /// Leave the tenant.
    /// Ends your membership. Your tasks lose their assignee, your open invitations are revoked, and your API keys for this tenant are
    /// deleted. What you wrote stays. The last active owner cannot leave: `last_owner`.
    DELETE "/v1/members/me",                    InPerson(Viewer),   1, [LastOwner],                       members::leave;
    /// Read a member.
    /// Returns the name, address, role and status of an active or suspended member. Other people, including former members, are
    /// `not_found`. The name of a former member is at `GET /v1/people/{user_id}`.
    GET    "/v1/members/{user_id}",             Member(Viewer),    1, [],                                members::get;
    /// Change the role or status of a member.
    /// Changes the role, `{"role": "manager"}`, or suspends or reinstates a member, `{"status": "suspended"}`. Invitations that the member
    /// may no longer make are revoked. The last active owner stays one: `last_owner`. Imported people must accept an invitation first:
    /// `invitation_required`.
    PATCH  "/v1/members/{user_id}",             InPerson(Owner),   2, [LastOwner, InvitationRequired, LimitReached, Conflict], members::update;
    /// Remove a member.
    /// Ends a membership. The tasks of the member lose their assignee, the open invitations by them and to them are revoked, and their API
    /// keys for this tenant are deleted. What they wrote stays. The last active owner cannot be removed: `last_owner`.
    DELETE "/v1/members/{user_id}",             InPerson(Owner),   1, [LastOwner],                       members::remove;

    /// Read the name of a current or former member.
    /// Returns the name for an `author_id`, a `created_by` or an `assignee_id`, even if the person has left. `member` says whether they are
    /// a member now. An id that the tenant does not know is `not_found`, whether or not an account has it.
    GET    "/v1/people/{user_id}",              Member(Viewer),    1, [],                                members::person;

    /// List the invitations.
    /// Returns the invitations of the tenant with any status, newest first: `open`, `accepted`, `revoked` and `expired`. The tokens are not
    /// included: they are sent by email when the invitations are created.
    GET    "/v1/invitations",                   InPerson(Manager), 1, [InvalidCursor],                   invitations::list;
    /// Create an invitation.
    /// Invites an email address to the tenant, with a role below yours: `{"email": "ada@example.com", "role": "member"}`. The address gets
    /// an email with a token. `already_invited` means that an open invitation exists; `quota_exceeded`, that the address was invited five
    /// times in 24 hours.
    POST   "/v1/invitations",                   InPerson(Manager), 2, [AlreadyMember, AlreadyInvited, LimitReached, QuotaExceeded], invitations::create;
    /// Accept an invitation.
    /// Makes you a member of the tenant, with the role of the invitation, and returns the tenant. The invited address must be the address
    /// of your account. `invitation_unusable` says in `reason` why it cannot be accepted: `accepted`, `revoked`, `expired` or
    /// `other_email`.
    POST   "/v1/invitations/accept",            SignedIn,          2, [TooManyAttempts, AlreadyMember, InvitationNotFound, InvitationUnusable, TenantSuspended, LimitReached], invitations::accept;
    /// Read an invitation.
    /// Returns the address, role and status of an invitation. `accepted_by` is the user who accepted it, or `null`. The token is not
    /// included: it is sent by email when the invitation is created.
    GET    "/v1/invitations/{invitation_id}",   InPerson(Manager), 1, [],                                invitations::get;
    /// Revoke an invitation.
    /// Makes the token of an invitation useless. Use it for a wrong address or role, and then create another invitation. An accepted
    /// invitation is `invitation_unusable`: remove the member instead. Revoking an invitation twice changes nothing.
    DELETE "/v1/invitations/{invitation_id}",   InPerson(Manager), 2, [InvitationUnusable, Conflict],              invitations::revoke;

    /// List the API keys.
    /// Returns your API keys, newest first; for an owner, the keys of all members. `prefix` and `last_used_at` help to recognise a key. The
    /// keys themselves are not included.
    GET    "/v1/api-keys",                      InPerson(Worker),  1, [InvalidCursor],                   api_keys::list;
    /// Create an API key.
    /// Creates a key with which a program uses this tenant: `{"name": "Nightly report", "role": "viewer"}`. Its role is at most yours. It
    /// expires after 90 days, or at `expires_at`, within 366 days. Only this answer contains the key: store it now.
    POST   "/v1/api-keys",                      InPerson(Worker),  1, [LimitReached],                    api_keys::create;
    /// Read an API key.
    /// Returns the name, role, expiry and last use of a key, but not the key itself. A key of another member is `not_found`, except for an
    /// owner.
    GET    "/v1/api-keys/{api_key_id}",         InPerson(Worker),  1, [],                                api_keys::get;
    /// Revoke an API key.
    /// Deletes a key; requests with it are `invalid_token` from then on. Programs that use it need another key. A key of another member is
    /// `not_found`, except for an owner.
    DELETE "/v1/api-keys/{api_key_id}",         InPerson(Worker),  1, [],                                api_keys::revoke;

    /// List the projects.
    /// Returns the projects of the tenant, newest first unless `order` says otherwise. Combine filters and a search by words:
    /// `?status=submitted,approved&q=bridge`. `?count=true` adds the number of all matches.
    GET    "/v1/projects",                      Member(Viewer),    1, [InvalidCursor],                   projects::list;
    /// Create a project.
    /// Creates a project with the status `draft`: `{"name": "Bridge"}`. It is `private` unless you send `"visibility": "public"`. Submit it
    /// for approval with `POST /v1/projects/{project_id}/transitions`.
    POST   "/v1/projects",                      Member(Worker),    1, [LimitReached],                    projects::create;
    /// Read a project.
    /// Returns the project with its `status` and its `revision`. The revision counts changes of name, description and visibility; send it
    /// with an approval. A project of another tenant is `not_found`.
    GET    "/v1/projects/{project_id}",         Member(Viewer),    1, [],                                projects::get;
    /// Change a project.
    /// Changes the name, the description or the visibility. After the approval this needs the role manager, and the creator and the
    /// submitter are notified. `under_review`: the project waits for approval. `project_archived`: it can no longer change. Only
    /// transitions change the status.
    PATCH  "/v1/projects/{project_id}",         Member(Worker),    2, [ProjectArchived, UnderReview, Conflict, LimitReached], projects::update;
    /// Delete a project.
    /// Deletes the project with its tasks and comments, in any status. This cannot be undone. The entries in the activity log stay. To keep
    /// a finished project for reading, move it to `archived` instead.
    DELETE "/v1/projects/{project_id}",         Member(Manager),   1, [],                                projects::delete;
    /// List the transitions of a project.
    /// Returns the status, the transitions that lead from it, and the history of past transitions, newest first. For each possible
    /// transition, `allowed` says whether you could make it now, and `refusal` has the problem code if not.
    GET    "/v1/projects/{project_id}/transitions", Member(Viewer), 1, [InvalidCursor],                  projects::transitions;
    /// Move a project to another status.
    /// Makes a transition of the workflow: `{"to": "approved", "revision": 3}`. An approval needs the `revision` that you read, or
    /// `If-Match`; a rejection needs a `comment`. `transition_not_allowed` lists the possible targets in `allowed`; a condition that is not
    /// met has a code of its own.
    POST   "/v1/projects/{project_id}/transitions", Member(Worker), 2, [TransitionNotAllowed, NotTheSubmitter, FourEyes, CommentRequired, TasksOpen, RevisionRequired, Conflict, LimitReached], projects::transition;

    /// List the tasks of a project.
    /// Returns the tasks of one project, newest first unless `order` says otherwise. Combine filters and a search by words, for example
    /// `?status=todo,blocked&order=due_on`. `?include=assignee` adds the name of each assignee.
    GET    "/v1/projects/{project_id}/tasks",   Member(Viewer),    1, [InvalidCursor],                   tasks::list_of_project;
    /// Create a task.
    /// Adds a task to a project: `{"title": "Order the steel", "due_on": "2026-11-25"}`. The assignee must be an active member, and is
    /// notified. `project_archived`: the project cannot change. `project_completed`: it accepts only tasks with the status `done`.
    POST   "/v1/projects/{project_id}/tasks",   Member(Worker),    2, [ProjectArchived, ProjectCompleted, LimitReached], tasks::create;
    /// Create, change and delete tasks in bulk.
    /// Carries out up to 100 operations on the tasks of a project: `{"operations": [{"op": "create", "title": "Dig"}]}`. Either all of them
    /// take effect or none. `validation_failed` points at each faulty operation. The results have the order of the operations.
    POST   "/v1/projects/{project_id}/tasks/bulk", Member(Worker), 2, [ProjectArchived, ProjectCompleted, Conflict, LimitReached], tasks::apply;
    /// List the tasks of all projects.
    /// Returns the tasks of the tenant, newest first unless `order` says otherwise. `?assignee_id=me` returns your tasks,
    /// `?assignee_id=none` those without an assignee. `?include=project` adds the name and status of each project.
    GET    "/v1/tasks",                         Member(Viewer),    1, [InvalidCursor],                   tasks::list;
    /// Read a task.
    /// Returns the task. `?include=assignee,created_by,project` adds the names behind its ids, which saves further requests. A task of
    /// another tenant is `not_found`.
    GET    "/v1/tasks/{task_id}",               Member(Viewer),    1, [],                                tasks::get;
    /// Change a task.
    /// Changes some fields, for example `{"status": "done"}`; `{"assignee_id": null}` removes the assignee. A new assignee is notified.
    /// `project_archived`: the project cannot change. `project_completed`: a done task of a completed project cannot be reopened.
    PATCH  "/v1/tasks/{task_id}",               Member(Worker),    2, [ProjectArchived, ProjectCompleted, LimitReached], tasks::update;
    /// Delete a task.
    /// Deletes the task with its comments. This cannot be undone. The entries in the activity log stay. A task of an archived project
    /// cannot be deleted: `project_archived`.
    DELETE "/v1/tasks/{task_id}",               Member(Worker),    1, [ProjectArchived],                 tasks::delete;

    /// List the comments on a task.
    /// Returns the comments, newest first. `?include=author` adds the name of each author, `?count=true` the number of all comments. A task
    /// of another tenant is `not_found`.
    GET    "/v1/tasks/{task_id}/comments",      Member(Viewer),    1, [InvalidCursor],                   comments::list;
    /// Create a comment on a task.
    /// Adds a comment: `{"body": "@ada, the steel is here."}`. A member is mentioned by the part of their address before the `@`, and is
    /// notified; up to 20 mentions count in a comment. Comments in an archived project are refused: `project_archived`.
    POST   "/v1/tasks/{task_id}/comments",      Member(Worker),    2, [ProjectArchived, LimitReached],                 comments::create;
    /// Read a comment.
    /// Returns the comment. `edited_at` is the time of the last edit, or `null`. `?include=author` adds the name of the author. A comment
    /// on another task than the one in the path is `not_found`.
    GET    "/v1/tasks/{task_id}/comments/{comment_id}", Member(Viewer), 1, [],                           comments::get;
    /// Change a comment.
    /// Replaces the text of your comment: `{"body": "@ada, it arrives on Monday."}`. Members who were not mentioned before are notified.
    /// Only the author can change a comment: `not_the_author`.
    PATCH  "/v1/tasks/{task_id}/comments/{comment_id}", Member(Worker), 2, [NotTheAuthor, ProjectArchived, Conflict, LimitReached], comments::update;
    /// Delete a comment.
    /// Deletes your comment; a manager can delete any comment. For others the answer is `not_the_author`. This cannot be undone. In an
    /// archived project comments stay: `project_archived`.
    DELETE "/v1/tasks/{task_id}/comments/{comment_id}", Member(Worker), 2, [NotTheAuthor, ProjectArchived, Conflict], comments::delete;

    /// List the public projects of a tenant.
    /// Returns the projects whose visibility is `public`, newest first, without drafts. `?q=` searches them by words, `?status=` filters
    /// them. Choose the tenant with a tenant header; an unknown tenant is `tenant_not_found`.
    GET    "/v1/catalog/projects",              AnyoneInTenant,    1, [InvalidCursor],                   catalogue::list;
    /// Read a public project of a tenant.
    /// Returns what the public sees of a project: name, description and status, but no people and no tasks. A private project, a draft and
    /// an unknown id are all `not_found`.
    GET    "/v1/catalog/projects/{project_id}", AnyoneInTenant,    1, [],                                catalogue::get;

    /// List your notifications.
    /// Returns your notifications in this tenant, newest first. `?unread=true` returns the unread ones, `?kind=mentioned` those of one
    /// kind. A filtered page can be short and still have a `next_cursor`.
    GET    "/v1/notifications",                 Member(Viewer),    1, [InvalidCursor],                   notifications::list;
    /// Count your unread notifications.
    /// Returns the number for a badge: `{"unread": 3}`.
    /// Counting stops at 1000, so 1000 means 1000 or more.
    GET    "/v1/notifications/unread_count",    Member(Viewer),    1, [],                                notifications::count_unread;
    /// Mark notifications as read.
    /// Marks the notifications with these `ids` as read, or all of yours if there is no body. Ids that are not yours are ignored. A
    /// repetition changes nothing, so this needs no `Idempotency-Key`.
    POST   "/v1/notifications/read",            Member(Viewer),    1, [],                                notifications::mark_all_read;
    /// Mark a notification as read.
    /// Marks one of your notifications as read and returns it. A repetition keeps the first time in `read_at`. A notification of somebody
    /// else is `not_found`.
    POST   "/v1/notifications/{notification_id}/read", Member(Viewer), 1, [],                            notifications::mark_read;
    /// Read your notification preferences.
    /// Returns in `muted` the kinds of notifications that you do not receive, neither in the product nor by email. They are yours, for this
    /// tenant only. Messages in the Slack channel of the tenant are for all and not affected.
    GET    "/v1/notifications/preferences",     Member(Viewer),    1, [],                                notifications::preferences;
    /// Change your notification preferences.
    /// Replaces the list of muted kinds, for example `{"muted": ["started", "completed"]}`; an empty list mutes nothing. It applies to this
    /// tenant only, to notifications that are created from now on.
    PATCH  "/v1/notifications/preferences",     Member(Viewer),    1, [],                                notifications::set_preferences;

    /// Read the statistics of the tenant.
    /// Returns the number of projects and tasks by status, of active members by role, and of deliveries by state, and the number of log
    /// entries on each of the last 30 days.
    GET    "/v1/admin/stats",                   Member(Owner),     1, [],                                admin::statistics;
    /// Read the usage of the tenant.
    /// Returns how much of each limit the tenant has used: members, invitations, API keys, deliveries, emails and stored bytes. When `used`
    /// reaches `most`, requests that add more are `limit_reached`. Further deliveries and emails are dead at once; they can be retried
    /// later.
    GET    "/v1/admin/usage",                   Member(Owner),     1, [],                                admin::usage;
    /// List the activity of the tenant.
    /// Returns who changed what and when, newest first. Filter by person, action, entity or time, for example `?action=project.moved`.
    /// Entries never change, and stay when the entity is deleted. A filtered page can be short and still have a `next_cursor`.
    GET    "/v1/admin/activity",                Member(Owner),     1, [InvalidCursor],                   admin::activity;
    /// Verify the activity log of the tenant.
    /// Checks that the entries are as they were written: each has a hash that covers the one before it. One request checks up to 500
    /// entries; while `more` is true, continue with `?head=`. `breach` is the first fault. A noted `head` later shows whether entries were
    /// changed or removed.
    GET    "/v1/admin/activity/verify",         Member(Owner),     1, [],                                admin::verify_activity;
    /// List the tenants that you own.
    /// Returns the tenants in which you are an active owner, newest first, with the number of active members and projects of each. All
    /// tenants that you are in are at `GET /v1/tenants`.
    GET    "/v1/admin/tenants",                 SignedIn,          1, [InvalidCursor],                   admin::tenants;
    /// List the deliveries of the tenant.
    /// Returns the emails and Slack messages of the tenant, newest first. `?state=dead` returns those that were given up; `last_error` says
    /// why. Retry them with `POST /v1/admin/deliveries/{delivery_id}/retry`.
    GET    "/v1/admin/deliveries",              Member(Owner),     1, [InvalidCursor],                   admin::deliveries;
    /// Retry a dead delivery.
    /// Puts a dead delivery back into the queue, for example after you have corrected the Slack webhook. A delivery in another state is
    /// `delivery_not_dead`. `quota_exceeded` means that too many deliveries wait, or that too many emails were sent in 24 hours.
    POST   "/v1/admin/deliveries/{delivery_id}/retry", Member(Owner), 2, [DeliveryNotDead, QuotaExceeded], admin::retry_delivery;

    /// Export a part of the tenant.
    /// Returns the tenant part by part, to move it to another deployment. Begin without `from`, and continue with the `next` of each part.
    /// The parts fit together only if the `mark` of the first part is the same at the end. `?secrets=true` adds the Slack webhook; with an
    /// API key it is `session_required`.
    GET    "/v1/admin/export",                  InPerson(Owner),   1, [SessionRequired],                 transfer::export;
    /// Begin or resume the import of a tenant.
    /// Starts an import with the head of an exported file, or finds the import that you began with it: `next` is the row to continue with.
    /// `tenant_exists`: use `new_ids`. `slug_taken`: use `as_slug`. An import to which nothing is added for 24 hours is dropped.
    POST   "/v1/imports",                       SignedIn,          2, [SlugTaken, TenantExists, LimitReached, Conflict], transfer::begin;
    /// Add rows to an import.
    /// Adds up to 200 rows in the order of the file, beginning with the row number `first`. If another row is expected, nothing is added,
    /// and `next` says which one; so a repeated request is safe. An import has at most 20,000 rows and 32 MiB: `import_too_large`.
    POST   "/v1/imports/{tenant_id}/rows",      SignedIn,          2, [ImportTooLarge, Conflict],         transfer::add;
    /// Finish an import.
    /// Creates the tenant from all added rows, and makes you its owner. Nobody can see the tenant before that. `import_mismatch` means that
    /// the number of rows or the digest differs from the file. If it was interrupted, repeat the request: it continues where it was, or is
    /// `not_found` if it had finished.
    POST   "/v1/imports/{tenant_id}/finish",    SignedIn,          2, [SlugTaken, TenantExists, ImportMismatch, LimitReached, Conflict], transfer::finish;
    /// Abort an import.
    /// Ends an import and deletes the rows that were added. No tenant is created, and the import can be begun again. An import that was
    /// finished, or belongs to another user, is `not_found`.
    DELETE "/v1/imports/{tenant_id}",           SignedIn,          1, [],                                transfer::abort;

    /// Read the approval workflow.
    /// Returns the statuses of a project, the roles, and each transition with its lowest role and its other conditions. `diagram` is the
    /// same in the language of Mermaid. The workflow is the same for all tenants.
    GET    "/v1/workflow",                      Public,            0, [],                                service::workflow;
    /// Check that the service is alive.
    /// Returns `{"status": "ok"}` without a look at the database. Use it as a liveness probe, which restarts a process that does not
    /// answer.
    GET    "/healthz",                          Public,            0, [],                                service::alive;
    /// Check that the service is ready.
    /// Returns `{"status": "ok"}` if the database can be reached and has all migrations. Otherwise, and while the service shuts down, it is
    /// `unavailable`. Use it as a readiness probe, which decides whether an instance gets requests.
    GET    "/readyz",                           Public,            1, [Unavailable],                     service::ready;
    /// Read the OpenAPI description.
    /// Returns this document, in OpenAPI 3.1. Use it to generate clients, or with tools that send requests. People read the same at
    /// `/docs`.
    GET    "/openapi.json",                     Public,            0, [],                                service::openapi;

    /// Read the home page.
    /// Returns the version and links to the documentation, the description and the health of the service. A browser gets a page, a program
    /// JSON: the header `Accept` decides.
    GET    "/",                                 Public,            0, [],                                pages::home;
    /// Read the page of the first steps.
    /// Returns a page on which you register, create a project and move it through its workflow; it also shows the workflow as a
    /// picture, and who can call what. Programs read `/v1/workflow` and `/openapi.json` instead.
    GET    "/start",                            Public,            0, [],                                pages::start;
    /// Read the reference page.
    /// Returns a page that shows all operations, searches them, has samples in many languages, and sends requests from your browser.
    /// Programs read `/openapi.json` instead.
    GET    "/docs",                             Public,            0, [],                                pages::docs;
    /// Load a file of the pages.
    /// Returns a style sheet, a script or a picture of the pages. Other names are `not_found`. These files can change with each version, so
    /// do not build on them.
    GET    "/docs/{file}",                      Public,            0, [],                                pages::file;
    /// List all problems.
    /// Returns each problem code with its status, its meaning and advice. A browser gets a page, a program JSON: the header `Accept`
    /// decides.
    GET    "/problems",                         Public,            0, [],                                pages::problems;
    /// Read about a problem.
    /// Returns the meaning of one problem code, and what to do about it. The `type` of each problem is the path of this page, for example
    /// `/problems/last_owner`. An unknown code is `not_found`.
    GET    "/problems/{code}",                  Public,            0, [],                                pages::problem;
}

// Public, because the table that it declares is.
#[cfg(test)]
pub mod example;
#[cfg(test)]
mod tests;
