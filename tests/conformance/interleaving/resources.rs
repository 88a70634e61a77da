//! What a request is about, changed between its reading and its writing: for each route and each change, what must come.

use bailiwick::verify::samples::{Sample, import_rows, import_totals};
use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    targets::Target,
};
use serde_json::{Value, json};

use super::{refused, sql};
use crate::{
    Case,
    matrix::samples::{ask, route, sample},
};

/// What happens in between, to what the sample is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    ProjectArchived,
    ProjectCompleted,
    ProjectRenamed,
    ProjectDeleted,
    TaskRenamed,
    TaskDeleted,
    CommentEdited,
    CommentDeleted,
    /// Who is given a task.
    AssigneeSuspended,
    AssigneeRemoved,
    TenantRenamed,
    MemberMuted,
    MemberRemoved,
    /// They come with a tenant that was brought in, and have not agreed to be a member.
    MemberBroughtIn,
    /// Somebody else invites the same address.
    Invited,
    /// Whoever has the address becomes a member in another way.
    Joined,
    InvitationAccepted,
    InvitationRevoked,
    DeliverySent,
    ImportBegun,
    RowsAdded,
    /// Another of its importer's requests has added something.
    ImportOn,
    ImportAborted,
    ImportFinished,
    SlugTaken,
}

/// A line of the table.
struct Line {
    route: &'static str,
    change: Change,
    /// Whether the client names the state that it has seen.
    if_match: bool,
    expected: (u16, &'static str),
}

const fn line(route: &'static str, change: Change, status: u16, code: &'static str) -> Line {
    Line { route, change, if_match: false, expected: (status, code) }
}

const fn seen(route: &'static str, change: Change) -> Line {
    Line { route, change, if_match: true, expected: (412, "precondition_failed") }
}

use Change::{
    AssigneeRemoved, AssigneeSuspended, CommentDeleted, CommentEdited, DeliverySent, ImportAborted,
    ImportBegun, ImportFinished, ImportOn, InvitationAccepted, InvitationRevoked, Invited, Joined,
    MemberBroughtIn, MemberMuted, MemberRemoved, ProjectArchived, ProjectCompleted, ProjectDeleted,
    ProjectRenamed, RowsAdded, SlugTaken, TaskDeleted, TaskRenamed, TenantRenamed,
};

/// What is decided anew, and then done, has no code.
const LINES: &[Line] = &[
    line("projects::transition", ProjectArchived, 409, "conflict"),
    line("projects::transition", ProjectRenamed, 409, "conflict"),
    line("projects::transition", ProjectDeleted, 409, "conflict"),
    seen("projects::transition", ProjectArchived),
    seen("projects::transition", ProjectRenamed),
    line("projects::update", ProjectArchived, 409, "project_archived"),
    line("projects::update", ProjectRenamed, 200, ""),
    line("projects::update", ProjectDeleted, 404, "not_found"),
    seen("projects::update", ProjectRenamed),
    line("tasks::create", ProjectArchived, 409, "project_archived"),
    line("tasks::create", ProjectCompleted, 409, "project_completed"),
    line("tasks::create", ProjectDeleted, 404, "not_found"),
    line("tasks::create", AssigneeSuspended, 422, "validation_failed"),
    line("tasks::create", AssigneeRemoved, 422, "validation_failed"),
    line("tasks::update", ProjectArchived, 409, "project_archived"),
    line("tasks::update", ProjectDeleted, 404, "not_found"),
    line("tasks::update", TaskDeleted, 404, "not_found"),
    line("tasks::update", TaskRenamed, 200, ""),
    seen("tasks::update", TaskRenamed),
    line("tasks::update", AssigneeSuspended, 422, "validation_failed"),
    line("tasks::update", AssigneeRemoved, 422, "validation_failed"),
    line("tasks::apply", ProjectArchived, 409, "project_archived"),
    line("tasks::apply", ProjectDeleted, 404, "not_found"),
    line("tasks::apply", TaskDeleted, 422, "validation_failed"),
    line("tasks::apply", TaskRenamed, 200, ""),
    line("tasks::apply", AssigneeSuspended, 422, "validation_failed"),
    line("tasks::apply", AssigneeRemoved, 422, "validation_failed"),
    line("comments::create", ProjectArchived, 409, "project_archived"),
    line("comments::create", ProjectDeleted, 404, "not_found"),
    line("comments::create", TaskDeleted, 404, "not_found"),
    line("comments::update", ProjectArchived, 409, "project_archived"),
    line("comments::update", TaskDeleted, 404, "not_found"),
    line("comments::update", CommentDeleted, 404, "not_found"),
    line("comments::update", CommentEdited, 200, ""),
    seen("comments::update", CommentEdited),
    line("comments::delete", ProjectArchived, 409, "conflict"),
    line("comments::delete", TaskDeleted, 409, "conflict"),
    line("comments::delete", CommentDeleted, 409, "conflict"),
    seen("comments::delete", CommentEdited),
    line("tenants::configure", TenantRenamed, 200, ""),
    seen("tenants::configure", TenantRenamed),
    line("members::update", MemberMuted, 200, ""),
    seen("members::update", MemberMuted),
    line("members::update", MemberRemoved, 404, "not_found"),
    line("members::update", MemberBroughtIn, 409, "invitation_required"),
    line("invitations::create", Invited, 409, "already_invited"),
    line("invitations::create", Joined, 409, "already_member"),
    line("invitations::revoke", InvitationAccepted, 409, "conflict"),
    line("invitations::revoke", InvitationRevoked, 409, "conflict"),
    line("admin::retry_delivery", DeliverySent, 409, "delivery_not_dead"),
    line("transfer::begin", ImportBegun, 409, "conflict"),
    line("transfer::add", RowsAdded, 409, "conflict"),
    line("transfer::add", ImportAborted, 409, "conflict"),
    line("transfer::finish", ImportOn, 409, "conflict"),
    line("transfer::finish", ImportAborted, 409, "conflict"),
    line("transfer::finish", ImportFinished, 409, "conflict"),
    line("transfer::finish", SlugTaken, 409, "slug_taken"),
];

pub(super) fn cases() -> Vec<Case> {
    let case = |line: &'static Line| {
        let with = if line.if_match { "_with_if_match" } else { "" };
        let name = format!("interleaving::{}::{:?}{with}", line.route, line.change);
        Case::new(name, move |target| changes(target, line))
    };
    let alone = |(change, operation, code): (Change, &'static str, &'static str)| {
        let name = format!("interleaving::tasks::apply::{change:?}_{operation}_alone");
        Case::new(name, move |target| one_operation(target, change, operation, code))
    };
    let operations = [
        (ProjectArchived, "create", "project_archived"),
        (ProjectArchived, "update", "project_archived"),
        (ProjectArchived, "delete", "project_archived"),
        (ProjectCompleted, "create", "project_completed"),
        (ProjectCompleted, "update", "project_completed"),
    ];
    LINES.iter().map(case).chain(operations.map(alone)).chain([reopened()]).collect()
}

/// A task that is opened again while its project is completed.
fn reopened() -> Case {
    Case::new("interleaving::tasks::update::ProjectCompleted", |target| async move {
        let tenant = Tenant::create(target).await;
        let project = tenant.project("in_progress", None).await;
        let task = tenant.task(&project, "done").await;
        let statement =
            format!("UPDATE projects SET status = 'completed', version = version + 1 WHERE id = '{project}'");
        let request = tenant.owner.patch(&format!("/v1/tasks/{task}")).tenant(&tenant.id);
        // Somebody is given it, so that it is read before it is written.
        let request = request.json(&json!({ "status": "todo", "assignee_id": tenant.member.id }));
        drop(
            refused(&tenant, &tenant.owner, request, sql(target, statement), (409, "project_completed"))
                .await,
        );
    })
}

/// Of several kinds of operations each keeps the others from being done, so each is asked for alone, too.
async fn one_operation(target: &'static Target, change: Change, operation: &'static str, code: &'static str) {
    let tenant = Tenant::create(target).await;
    let user = &tenant.owner;
    let own = sample(route("tasks::apply"), &tenant, user).await;
    let body = own.body.as_ref().expect("a body");
    let operations = body["operations"].as_array().expect("operations");
    let mut only = operations.iter().find(|of| of["op"] == operation).expect("one of each kind").clone();
    // It tells nobody, so that nothing else keeps it from being done.
    only.as_object_mut().expect("an object").remove("assignee_id");
    if operation == "update" {
        only["title"] = "Another title".into();
        if matches!(change, ProjectCompleted) {
            let done = format!(
                "UPDATE tasks SET status = 'done' WHERE id = '{}'",
                only["id"].as_str().expect("an id")
            );
            sql(target, done).await;
            only["status"] = "todo".into();
        }
    }
    let request = user.post(&own.path()).tenant(&tenant.id).json(&json!({ "operations": [only] }));
    let closed = change.happens(&tenant, &own);
    drop(refused(&tenant, user, request, closed, (409, code)).await);
}

async fn changes(target: &'static Target, line: &'static Line) {
    let tenant = Tenant::create(target).await;
    let user = &tenant.owner;
    let own = sample(route(line.route), &tenant, user).await;
    let mut request = ask(&own, user, &tenant);
    if line.if_match {
        let path = own.path();
        let path = path.trim_end_matches("/transitions");
        let read = user.get(path).tenant(&tenant.id).send().await.expect(200);
        request = request.header("if-match", read.header("etag").expect("a tag"));
    }
    let change = line.change.happens(&tenant, &own);
    match line.expected {
        (status, "") => drop(request.meanwhile(change).await.expect(status)),
        expected => drop(refused(&tenant, user, request, change, expected).await),
    }
}

/// The id of the sample's path at this place.
fn id(own: &Sample, place: usize) -> &str {
    own.ids.get(place).map_or("", String::as_str)
}

/// A text of the sample's body.
fn text<'a>(own: &'a Sample, pointer: &str) -> &'a str {
    own.body.as_ref().and_then(|body| body.pointer(pointer)).and_then(Value::as_str).unwrap_or("")
}

/// The id of the project that the request is about: the one in its path, or that of its task.
async fn project_of(tenant: &Tenant<'static>, own: &Sample, task: &str) -> String {
    if own.route.path.starts_with("/v1/projects") {
        return id(own, 0).to_owned();
    }
    let read = tenant.owner.get(&format!("/v1/tasks/{task}")).tenant(&tenant.id).send().await;
    read.expect(200).text_at("/project_id")
}

impl Change {
    async fn happens(self, tenant: &Tenant<'static>, own: &Sample) {
        let (owner, target) = (&tenant.owner, tenant.owner.target);
        let of_tenant = format!("tenant_id = '{}'", tenant.id);
        // The task that it is about; of several, one that is changed.
        let task = if own.route.name == "tasks::apply" { text(own, "/operations/1/id") } else { id(own, 0) };
        let patch = async |path: &str, body: Value| {
            owner.patch(path).tenant(&tenant.id).json(&body).send().await.expect(200);
        };
        let delete = async |path: &str| {
            owner.delete(path).tenant(&tenant.id).send().await.expect(204);
        };
        let project = async || project_of(tenant, own, task).await;
        let post = async |path: &str, body: &Value, status: u16| {
            owner.post(path).tenant(&tenant.id).json(body).send().await.expect(status);
        };
        match self {
            Self::ProjectArchived | Self::ProjectCompleted => {
                // Another one that is open, with what it has, is nothing to this one.
                tenant.task(&tenant.project("in_progress", None).await, "todo").await;
                let status = if matches!(self, Self::ProjectArchived) { "archived" } else { "completed" };
                let statement = format!("UPDATE projects SET status = '{status}', version = version + 1");
                sql(target, format!("{statement} WHERE {of_tenant} AND id = '{}'", project().await)).await;
            }
            Self::ProjectRenamed => {
                patch(&format!("/v1/projects/{}", project().await), json!({ "name": "Another name" })).await;
            }
            Self::ProjectDeleted => delete(&format!("/v1/projects/{}", project().await)).await,
            Self::TaskRenamed => {
                patch(&format!("/v1/tasks/{task}"), json!({ "title": "Another title" })).await;
            }
            Self::TaskDeleted => delete(&format!("/v1/tasks/{task}")).await,
            Self::CommentEdited => patch(&own.path(), json!({ "body": "Another text" })).await,
            Self::CommentDeleted | Self::MemberRemoved | Self::InvitationRevoked => delete(&own.path()).await,
            Self::AssigneeSuspended => tenant.set(&tenant.member, "status", "suspended").await,
            Self::AssigneeRemoved => delete(&format!("/v1/members/{}", tenant.member.id)).await,
            Self::TenantRenamed => patch("/v1/tenant", json!({ "name": "Another name" })).await,
            Self::MemberMuted => {
                let statement = "UPDATE memberships SET muted = '[\"approved\"]', version = version + 1";
                sql(target, format!("{statement} WHERE {of_tenant} AND user_id = '{}'", id(own, 0))).await;
            }
            Self::MemberBroughtIn => {
                let statement = "UPDATE memberships SET imported_at = created_at";
                sql(target, format!("{statement} WHERE {of_tenant} AND user_id = '{}'", id(own, 0))).await;
            }
            Self::Invited => {
                let body = json!({ "email": text(own, "/email"), "role": "member" });
                post("/v1/invitations", &body, 201).await;
            }
            Self::Joined => {
                let somebody = Actor::register(target, "somebody").await;
                let email = text(own, "/email");
                sql(target, format!("UPDATE users SET email = '{email}' WHERE id = '{}'", somebody.id)).await;
                tenant.admit(&somebody, "viewer").await;
            }
            Self::InvitationAccepted => {
                let statement = "UPDATE invitations SET accepted_at = created_at, accepted_by = invited_by";
                sql(target, format!("{statement} WHERE {of_tenant} AND id = '{}'", id(own, 0))).await;
            }
            Self::DeliverySent => {
                let statement = "UPDATE deliveries SET state = 'sent', sent_at = created_at";
                sql(target, format!("{statement} WHERE {of_tenant} AND id = '{}'", id(own, 0))).await;
            }
            Self::ImportBegun => post("/v1/imports", own.body.as_ref().expect("a head"), 200).await,
            Self::RowsAdded => {
                let body = json!({ "first": 0, "rows": import_rows(id(own, 0)) });
                post(&own.path(), &body, 200).await;
            }
            Self::ImportOn => {
                let statement = "UPDATE imports SET next_line = next_line + 1 WHERE";
                sql(target, format!("{statement} tenant_id = '{}'", id(own, 0))).await;
            }
            Self::ImportAborted => delete(&format!("/v1/imports/{}", id(own, 0))).await,
            Self::ImportFinished => post(&own.path(), &import_totals(id(own, 0)), 200).await,
            Self::SlugTaken => {
                let slug = format!("i-{}", id(own, 0));
                post("/v1/tenants", &json!({ "slug": slug, "name": unique("taken") }), 201).await;
            }
        }
    }
}
