//! Comments on tasks.

use std::future::Future;

use serde::Serialize;

use crate::{
    access::batch::{Batch, Slot},
    domain::{notice::Notice, workflow},
    http::{
        conditional::{Resource, Version},
        page::{CountedPage, Cursor, Looked, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Patch, input},
        json,
        sql::{
            rows::{DecodeError, FromRow, Row, record, take},
            statements,
        },
        time::Timestamp,
        values::{
            CommentBody, CommentId, Name, TaskId, TaskTitle, UserId,
            enumerations::{CommentInclude, ProjectStatus, Role},
            several::Several,
        },
    },
    repository::{
        Repository,
        activity::Event,
        audience::{Audience, AudienceQuery},
        included::{CommentIncluded, NamedPerson, With},
        mentions::mentions,
        quotas, repeat,
    },
};

/// The author, if this parameter asks for one.
macro_rules! included {
    ($bits:literal) => {
        concat!(
            ", CASE WHEN ",
            $bits,
            " <> 0 THEN (SELECT a.name FROM users a WHERE a.id = comments.author_id) END AS author_name"
        )
    };
}

const COLUMNS: &str = "id, task_id, author_id, body, edited_at, created_at, updated_at, version";

/// The task `?2` and its project. (Its version is a condition for the same reason as in `tasks::OPEN`.)
const TASK: &str = " FROM tasks t JOIN projects p ON p.tenant_id = t.tenant_id AND p.id = t.project_id AND p.version > 0 \
     WHERE t.tenant_id = ?1 AND t.id = ?2";
const OPEN: &str = " AND p.status <> 'archived'";

statements! { "comments";
    /// The task of the comment.
    tenant SUBJECT = "SELECT t.title, p.status", TASK;

    tenant LIST = "SELECT ", COLUMNS, included!("?5"), " FROM comments WHERE tenant_id = ?1 AND task_id = ?2 \
         AND id < ?3 ORDER BY id DESC LIMIT ?4";

    tenant COUNT = "SELECT count(*) AS looked, count(*) AS fitting FROM (SELECT 1 FROM comments \
         WHERE tenant_id = ?1 AND task_id = ?2", crate::kernel::sql::COUNT[2];

    tenant BY_ID = "SELECT ", COLUMNS, " FROM comments WHERE tenant_id = ?1 AND task_id = ?2 AND id = ?3";

    /// With the included resources.
    tenant READ = "SELECT ", COLUMNS, included!("?4"), " FROM comments WHERE tenant_id = ?1 AND task_id = ?2 AND id = ?3";

    tenant INSERT = "INSERT INTO comments (tenant_id, id, task_id, author_id, body, created_at, updated_at, version) \
         SELECT t.tenant_id, ?3, t.id, ?4, ?5, ?6, ?6, 1", TASK, OPEN;

    /// The author is in a form that no index has: Postgres would take its index for as good as the one of ids.
    tenant UPDATE = "UPDATE comments SET body = ?4, edited_at = ?5, updated_at = ?5, version = version + 1 \
         WHERE tenant_id = ?1 AND task_id = ?2 AND id = ?3 AND author_id = COALESCE(?6, author_id) AND version = ?7 \
         AND EXISTS (SELECT 1", TASK, OPEN, ") RETURNING ", COLUMNS;

    /// A row unless the comment has another version.
    tenant UNCHANGED = "SELECT 1 AS ok WHERE NOT EXISTS \
         (SELECT 1 FROM comments WHERE tenant_id = ?1 AND id = ?2 AND CASE WHEN version IN (?3, ?4, ?5) THEN 1 ELSE 0 END <> ?6)";

    tenant DELETE = "DELETE FROM comments WHERE tenant_id = ?1 AND task_id = ?2 AND id = ?3 \
         AND EXISTS (SELECT 1", TASK, OPEN, ")";
}

/// A comment on a task.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Comment {
    /// The id of the comment.
    pub id: CommentId,
    /// The task of the comment.
    pub task_id: TaskId,
    /// The user who wrote the comment.
    pub author_id: UserId,
    /// The text of the comment.
    pub body: CommentBody,
    /// The time at which the author last changed the text; `null` if never.
    pub edited_at: Option<Timestamp>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The version number; each change increases it.
    pub version: i64,
    /// The related resources that `include` asked for; absent without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(with = "CommentIncluded", extend("x-optional" = true)))]
    pub included: Option<CommentIncluded>,
}

impl FromRow for Comment {
    #[inline(never)]
    fn from_row(row: Row) -> Result<Self, DecodeError> {
        let mut cells = row.into_iter();
        Ok(Self {
            id: take(&mut cells)?,
            task_id: take(&mut cells)?,
            author_id: take(&mut cells)?,
            body: take(&mut cells)?,
            edited_at: take(&mut cells)?,
            created_at: take(&mut cells)?,
            updated_at: take(&mut cells)?,
            version: take(&mut cells)?,
            included: None,
        })
    }
}

impl With<Comment, Option<Name>> {
    /// The comment with its author, if included.
    fn told(self) -> Comment {
        let Self(comment, name) = self;
        let author = name.map(|name| NamedPerson { id: comment.author_id, name });
        Comment { included: author.map(|author| CommentIncluded { author }), ..comment }
    }
}

record! {
    /// The task of a comment, and the status of its project.
    pub(super) struct Subject {
        pub(super) title: TaskTitle,
        pub(super) project_status: ProjectStatus,
    }
}

impl Resource for Comment {
    fn version(&self) -> Option<Version> {
        Some(Version { id: self.id.0, number: self.version })
    }
}

input! {
    /// The page of a list of comments, and what it includes.
    pub struct CommentQuery {
        /// The maximum number of items on the page.
        pub limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub cursor: Option<Cursor>,
        /// Whether the page says in `total` how many items all pages have together.
        pub count: Option<bool>,
        /// The related resources to include with each comment: `author`.
        pub include: Option<Several<CommentInclude>>,
    }

    /// The options for reading a comment.
    pub struct CommentReading {
        /// The related resources to include: `author`.
        pub include: Option<Several<CommentInclude>>,
    }

    /// A new comment on a task.
    pub struct NewComment {
        /// The text of the comment.
        pub body: CommentBody,
    }

    /// The changes of a comment.
    pub struct CommentPatch {
        /// The text of the comment.
        pub body: Patch<CommentBody>,
    }
}

/// The comments on a tenant's tasks.
pub trait Comments {
    /// The comments on a task, newest first.
    fn list(
        &self,
        task: TaskId,
        query: CommentQuery,
    ) -> impl Future<Output = Result<CountedPage<Comment>>> + Send;

    /// Comments on a task. Members who are mentioned are notified.
    fn create(&self, task: TaskId, new: NewComment) -> impl Future<Output = Result<Comment>> + Send;

    /// A comment.
    fn get(&self, task: TaskId, id: CommentId) -> impl Future<Output = Result<Comment>> + Send;

    /// A comment, with the resources to include.
    fn read(
        &self,
        task: TaskId,
        id: CommentId,
        include: Option<Several<CommentInclude>>,
    ) -> impl Future<Output = Result<Comment>> + Send;

    /// Changes a comment of the caller. Members who are mentioned now and were not before are notified.
    fn update(
        &self,
        task: TaskId,
        id: CommentId,
        patch: CommentPatch,
    ) -> impl Future<Output = Result<Comment>> + Send;

    /// Deletes a comment of the caller, or as a manager any comment.
    fn delete(&self, task: TaskId, id: CommentId) -> impl Future<Output = Result<()>> + Send;
}

fn event(action: &'static str, id: CommentId, task: TaskId) -> Event {
    Event::new(action, "comment", id.0, json::object(vec![("task_id", task.into())]))
}

fn not_found() -> Box<Problem> {
    Problem::new(Code::NotFound)
}

impl Subject {
    /// Comments cannot be changed once the project is archived.
    pub(super) fn writable(&self) -> Result<()> {
        workflow::admits(self.project_status, false)
    }
}

impl Repository<'_> {
    /// Changes a comment, provided that it is still as it was when the recipients were determined.
    async fn rewrite(self, task: TaskId, id: CommentId, body: CommentBody) -> Result<Comment> {
        let user = self.scope.user();
        let mentioned = mentions(body.as_str());
        let mut batch = self.scope.batch();
        let comment = batch.add::<Comment, _>(&BY_ID, [task.into(), id.into()]);
        let subject = ask_subject(&mut batch, task);
        let audience = AudienceQuery::ask(&mut batch, user, &Audience::Mentioned(&mentioned));
        let (membership, mut outcome) = self.scope.read(batch).await?;
        let before = self.scope.matched(outcome.optional(comment)?.ok_or_else(not_found)?)?;
        let subject = outcome.optional(subject)?.ok_or_else(not_found)?;
        if before.author_id != user {
            return Err(Problem::new(Code::NotTheAuthor));
        }
        subject.writable()?;
        if body == before.body {
            return Ok(before);
        }
        // The audience has a place for each mention, in order.
        let known = mentions(before.body.as_str());
        let recipients = audience.take_where(&mut outcome, |place| !known.contains(&mentioned[place]))?;
        let now = self.scope.services().now();
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &UNCHANGED, id.0);
        let arguments =
            [task.into(), id.into(), body.clone().into(), now.into(), user.into(), before.version.into()];
        let changed = batch.require::<Comment, _>(&UPDATE, arguments, Problem::new(Code::Conflict));
        quotas::require_room(&mut batch);
        self.record(&mut batch, event("comment.updated", id, task))?;
        let notice = Notice::mentioned(membership.name.as_str(), task, subject.title.as_str(), body.as_str());
        self.notify(&mut batch, &recipients, &notice)?;
        self.scope.commit(batch, None).await?.one(changed)
    }
}

impl Comments for Repository<'_> {
    async fn list(&self, task: TaskId, query: CommentQuery) -> Result<CountedPage<Comment>> {
        let CommentQuery { limit: size, cursor, count, include } = query;
        let include = Several::chosen(include);
        let paging = self.paging("comments", &[Some(&task.to_string())], size, cursor)?;
        let mut batch = self.scope.batch();
        let subject = ask_subject(&mut batch, task);
        let arguments = [task.into(), paging.before(), paging.fetch(), include.into()];
        let rows = batch.add::<With<Comment, Option<Name>>, _>(&LIST, arguments);
        batch.bound(rows);
        let total = (count == Some(true)).then(|| batch.add::<Looked, _>(&COUNT, [task.into()]));
        let (_, mut outcome) = self.scope.read(batch).await?;
        outcome.optional(subject)?.ok_or_else(not_found)?;
        let total = outcome.optional_if_asked(total)?;
        let comments = outcome.all(rows)?.into_iter().map(With::told).collect();
        Ok(paging.page(comments, |comment: &Comment| comment.id.0).counted(total))
    }

    async fn create(&self, task: TaskId, NewComment { body }: NewComment) -> Result<Comment> {
        let (services, user) = (self.scope.services(), self.scope.user());
        let (id, now) = (CommentId(services.new_id()?), services.now());
        let mentioned = mentions(body.as_str());
        let recipients = if mentioned.is_empty() {
            None
        } else {
            let mut batch = self.scope.batch();
            let subject = ask_subject(&mut batch, task);
            let audience = AudienceQuery::ask(&mut batch, user, &Audience::Mentioned(&mentioned));
            let (membership, mut outcome) = self.scope.read(batch).await?;
            let subject = outcome.optional(subject)?.ok_or_else(not_found)?;
            let notice =
                Notice::mentioned(membership.name.as_str(), task, subject.title.as_str(), body.as_str());
            Some((audience.take(&mut outcome)?, notice))
        };
        let mut batch = self.scope.batch();
        let arguments = [task.into(), id.into(), user.into(), body.clone().into(), now.into()];
        let _: Slot<()> = batch.require(&INSERT, arguments, Problem::new(Code::Conflict));
        quotas::require_room(&mut batch);
        self.record(&mut batch, event("comment.created", id, task))?;
        if let Some((recipients, notice)) = &recipients {
            self.notify(&mut batch, recipients, notice)?;
        }
        let comment = Comment {
            id,
            task_id: task,
            author_id: user,
            body,
            edited_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
            included: None,
        };
        self.scope.store_answer(&mut batch, &comment)?;
        match self.scope.commit(batch, None).await {
            Ok(_) => Ok(comment),
            Err(problem) if problem.code == Code::Conflict => {
                Err(self.task_unwritable(task, problem).await?)
            }
            Err(problem) => Err(problem),
        }
    }

    async fn get(&self, task: TaskId, id: CommentId) -> Result<Comment> {
        let mut batch = self.scope.batch();
        let comment = batch.add::<Comment, _>(&BY_ID, [task.into(), id.into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        outcome.optional(comment)?.ok_or_else(not_found)
    }

    async fn read(
        &self,
        task: TaskId,
        id: CommentId,
        include: Option<Several<CommentInclude>>,
    ) -> Result<Comment> {
        let mut batch = self.scope.batch();
        let arguments = [task.into(), id.into(), Several::chosen(include).into()];
        let comment = batch.add::<With<Comment, Option<Name>>, _>(&READ, arguments);
        let (_, mut outcome) = self.scope.read(batch).await?;
        outcome.optional(comment)?.map(With::told).ok_or_else(not_found)
    }

    async fn update(&self, task: TaskId, id: CommentId, patch: CommentPatch) -> Result<Comment> {
        let Some(body) = patch.body.0 else {
            return self.scope.matched(self.get(task, id).await?);
        };
        repeat(|| self.rewrite(task, id, body.clone())).await
    }

    async fn delete(&self, task: TaskId, id: CommentId) -> Result<()> {
        let mut batch = self.scope.batch();
        let comment = batch.add::<Comment, _>(&BY_ID, [task.into(), id.into()]);
        let subject = ask_subject(&mut batch, task);
        let (membership, mut outcome) = self.scope.read(batch).await?;
        let comment = outcome.optional(comment)?.ok_or_else(not_found)?;
        let mine = comment.author_id == self.scope.user();
        if !mine && membership.role < Role::Manager {
            return Err(Problem::new(Code::NotTheAuthor));
        }
        outcome.optional(subject)?.ok_or_else(not_found)?.writable()?;
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &UNCHANGED, id.0);
        let _: Slot<()> = batch.require(&DELETE, [task.into(), id.into()], Problem::new(Code::Conflict));
        self.record(&mut batch, event("comment.deleted", id, task))?;
        self.scope.commit(batch, (!mine).then_some(Role::Manager)).await.map(drop)
    }
}

/// Asks for the task of a comment.
pub(super) fn ask_subject(batch: &mut Batch<'_>, task: TaskId) -> Slot<Subject> {
    batch.add(&SUBJECT, [task.into()])
}
