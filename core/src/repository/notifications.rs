//! Notifications: their recipients, the notifications of a member, and the kinds that the member has muted.

use std::future::Future;

use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    access::{
        batch::{Batch, Slot},
        services::Services,
    },
    domain::notice::Notice,
    http::{
        conditional::{Part, Version},
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Patch, Scalar, input},
        json, limits,
        sql::{arrays, items, looked_through, rows::record, statements},
        time::Timestamp,
        values::{
            Email, EntityId, NotificationId, UserId,
            enumerations::{Channel, DeliveryState, Enumeration, NotificationKind},
        },
    },
    repository::{
        Repository,
        audience::{Recipient, Recipients},
        deliveries, members,
        quotas::Room,
    },
};

const COLUMNS: &str = "id, kind, title, body, subject_type, subject_id, read_at, created_at";

/// The members of the tenant except the acting user `?2`.
const RECIPIENTS: &str = "SELECT m.user_id, u.email, u.name, m.muted FROM memberships m JOIN users u ON u.id = m.user_id \
     WHERE m.tenant_id = ?1 AND u.disabled_at IS NULL AND m.user_id <> ?2";
const ACTIVE: &str = " AND m.status = 'active'";

items!(USERS, USERS_POSTGRES: "?3", user_id uuid);
const THEY: &str = " AND m.user_id";

items!(IDS, IDS_POSTGRES: "?4", id uuid);
/// In a form that no index has: Postgres would rather look through all unread rows than find a few by their ids.
const MARK: &str = "UPDATE notifications SET read_at = ?3 WHERE tenant_id = ?1 AND COALESCE(recipient_id, recipient_id) = ?2 \
     AND CASE WHEN read_at IS NULL THEN 1 ELSE 0 END = 1 AND id";

items!(ITEMS, ITEMS_POSTGRES: "?2", id uuid, recipient_id uuid, kind text, title text, body text, subject_type text,
    subject_id uuid);

/// SQLite takes the tables of a `CROSS JOIN` in this order: it must not read all members to find a few.
const INSERT_ITEMS: &str = "INSERT INTO notifications \
     (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, created_at) \
     SELECT m.tenant_id, i.id, m.user_id, i.kind, i.title, i.body, i.subject_type, i.subject_id, ?3 FROM ";
const FOR_ACTIVE: &str =
    " CROSS JOIN memberships m WHERE m.tenant_id = ?1 AND m.user_id = i.recipient_id AND m.status = 'active'";

looked_through!(LAST: " AND f.recipient_id = ?2", "?3"; END: " AND f.recipient_id = ?2", "?5"; "notifications");

statements! { "notifications";
    /// The members who could approve a project; owners first.
    tenant APPROVERS = RECIPIENTS, ACTIVE, " AND m.role IN ('manager', 'owner') ORDER BY m.role DESC, m.id LIMIT ?3";

    /// The users who created and submitted a project.
    tenant OF_PROJECT = RECIPIENTS, ACTIVE, " AND m.user_id IN (\
         SELECT p.created_by FROM projects p WHERE p.tenant_id = ?1 AND p.id = ?3 \
         UNION SELECT q.submitted_by FROM projects q WHERE q.tenant_id = ?1 AND q.id = ?3)";

    /// One member.
    tenant OF_MEMBER = RECIPIENTS, ACTIVE, " AND m.user_id = ?3";

    /// Several members.
    tenant OF_MEMBERS = RECIPIENTS, ACTIVE, THEY, " IN (SELECT i.user_id FROM ", USERS, ")"
        => RECIPIENTS, ACTIVE, THEY, crate::kernel::sql::AMONG_POSTGRES[0], "user_id FROM ", USERS_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1];

    /// One member, who may be suspended: for the change that ends it.
    tenant OF_ANY_MEMBER = RECIPIENTS, " AND m.user_id = ?3";

    /// The members whose address starts with this local part and `@`; all who share it are meant.
    tenant OF_ADDRESS = RECIPIENTS, ACTIVE, " AND substr(u.email || '@', 1, length(?3)) = ?3 ORDER BY m.id LIMIT ?4";

    /// Only active members get one.
    tenant INSERT_EACH = INSERT_ITEMS, ITEMS, FOR_ACTIVE
        => INSERT_ITEMS, ITEMS_POSTGRES, FOR_ACTIVE, THEY, crate::kernel::sql::AMONG_POSTGRES[0], "recipient_id FROM ", ITEMS_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1];

    tenant LIST = "SELECT ", COLUMNS, " FROM notifications WHERE tenant_id = ?1 AND recipient_id = ?2 \
         AND id < ?3 ORDER BY id DESC LIMIT ?4";

    tenant LIST_UNREAD = "SELECT ", COLUMNS, " FROM notifications WHERE tenant_id = ?1 AND recipient_id = ?2 \
         AND read_at IS NULL AND id < ?3 ORDER BY id DESC LIMIT ?4";

    tenant LIST_FILTERED = "SELECT ", COLUMNS, " FROM notifications WHERE tenant_id = ?1 AND recipient_id = ?2 \
         AND kind = COALESCE(?3, kind) AND (CASE WHEN read_at IS NULL THEN 1 ELSE 0 END = ?4 OR ?4 IS NULL)", END,
        " AND id < ?5 ORDER BY id DESC LIMIT ?6";

    tenant LAST_FILTERED = LAST;

    /// The unread notifications, up to a limit.
    tenant COUNT_UNREAD = "SELECT count(*) AS unread FROM (SELECT 1 FROM notifications \
         WHERE tenant_id = ?1 AND recipient_id = ?2 AND read_at IS NULL ORDER BY id LIMIT ?3) n";

    tenant MARK_READ = "UPDATE notifications SET read_at = COALESCE(read_at, ?4) \
         WHERE tenant_id = ?1 AND recipient_id = ?2 AND id = ?3 RETURNING ", COLUMNS;

    tenant MARK_ALL_READ = "UPDATE notifications SET read_at = ?3 \
         WHERE tenant_id = ?1 AND recipient_id = ?2 AND read_at IS NULL";

    tenant MARK_SOME_READ = MARK, " IN (SELECT i.id FROM ", IDS, ")"
        => MARK, crate::kernel::sql::AMONG_POSTGRES[0], "id FROM ", IDS_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1];

    tenant MUTED = "SELECT muted, version FROM memberships WHERE tenant_id = ?1 AND user_id = ?2";

    /// Unless they are the same already: a change of nothing writes nothing.
    tenant SET_MUTED = "UPDATE memberships SET muted = ?3, updated_at = ?4, version = version + 1 \
         WHERE tenant_id = ?1 AND user_id = ?2 AND muted <> ?3 RETURNING version";
}

record! {
    /// A notification to a member.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct Notification {
        /// The id of the notification.
        pub id: NotificationId,
        /// The kind of the notification.
        pub kind: NotificationKind,
        /// The message in one line.
        pub title: String,
        /// The rest of the message; may be empty.
        pub body: String,
        /// The type of the entity that it is about.
        pub subject_type: String,
        /// The id of the entity that it is about.
        pub subject_id: EntityId,
        /// The time at which it was marked as read; `null` if it is unread.
        pub read_at: Option<Timestamp>,
        /// The time of creation.
        pub created_at: Timestamp,
    }
}

input! {
    /// The filters and the page of the notifications.
    pub struct NotificationQuery {
        /// With `true` only unread notifications, with `false` only read ones.
        pub unread: Option<bool>,
        /// Only notifications of this kind.
        pub kind: Option<NotificationKind>,
        /// The maximum number of items on the page. A filtered page may have fewer, or none, and still have a `next_cursor`.
        pub limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub cursor: Option<Cursor>,
    }

    /// The notifications to mark as read.
    pub struct MarkRead {
        /// The ids of the notifications; if absent, all of yours. Unknown ids and ids of other people's notifications are ignored.
        pub ids: Patch<Vec<NotificationId>>,
    }

    /// The changes of your preferences. Absent fields stay as they are.
    pub struct PreferencesPatch {
        /// The kinds of notifications that you do not want, neither in the product nor by email.
        pub muted: Patch<Vec<NotificationKind>>,
    }
}

/// A member's notification preferences.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Preferences {
    /// The kinds of notifications that the member does not receive, neither in the product nor by email.
    pub muted: Vec<NotificationKind>,
}

record! {
    struct Muted {
        muted: Json,
        version: i64,
    }
}

/// The number of unread notifications.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UnreadCount {
    /// The number; 1000 means 1000 or more.
    pub unread: i64,
}

/// The muted kinds; those that this version does not know are left out.
pub(super) fn muted_kinds(stored: Json) -> Vec<NotificationKind> {
    let Json::Array(kinds) = stored else { return Vec::new() };
    kinds.into_iter().filter_map(|kind| NotificationKind::from_value(kind).ok()).collect()
}

/// The notice for a place that all members see, with the names of the recipients. `None` if it is for one person who
/// need not be notified.
fn to_all(notice: &Notice, recipients: &[Recipient]) -> Option<Notice> {
    if recipients.is_empty() {
        return (!notice.kind.is_personal()).then(|| notice.clone());
    }
    let names: Vec<_> =
        recipients.iter().take(limits::NAMES_LISTED).map(|recipient| recipient.name.as_str()).collect();
    let more = match recipients.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let line = format!("For {}{more}", names.join(", "));
    let body = if notice.body.is_empty() { line } else { format!("{}\n{line}", notice.body) };
    Some(Notice { body, ..notice.clone() })
}

/// The row of a notice, without its id: these members beside those of the notice.
fn item(notice: &Notice, own: Vec<(&str, Json)>) -> Json {
    let mut members = vec![
        ("kind", notice.kind.into()),
        ("title", notice.title.as_str().into()),
        ("body", notice.body.as_str().into()),
        ("subject_type", notice.subject.0.into()),
        ("subject_id", notice.subject.1.to_string().into()),
    ];
    members.extend(own);
    json::object(members)
}

/// The rows, with ids in their order, as arrays for statements.
fn numbered(services: &Services, mut items: Vec<Json>) -> Result<Vec<Json>> {
    let ids = services.new_ids(items.len())?;
    for (item, id) in items.iter_mut().zip(ids) {
        item["id"] = id.to_string().into();
    }
    Ok(arrays(items))
}

impl Repository<'_> {
    /// Adds the notifications about a change to its batch.
    pub(super) fn notify(
        self,
        batch: &mut Batch<'_>,
        recipients: &Recipients,
        notice: &Notice,
    ) -> Result<()> {
        self.notify_each(batch, recipients, [(notice, recipients.people.as_slice())])
    }

    /// Adds the notifications about several changes to their batch; `recipients` are those of all of them.
    pub(super) fn notify_each<'n>(
        self,
        batch: &mut Batch<'_>,
        recipients: &Recipients,
        notices: impl IntoIterator<Item = (&'n Notice, &'n [Recipient])>,
    ) -> Result<()> {
        let services = self.scope.services();
        let (mut shown, mut sent) = (Vec::new(), Vec::new());
        for (notice, people) in notices {
            let wanting = || people.iter().filter(|recipient| recipient.wants(notice.kind));
            for channel in recipients.config.channels(notice.kind) {
                match channel {
                    Channel::InApp => {
                        for recipient in wanting() {
                            shown.push(item(notice, vec![("recipient_id", recipient.user_id.into())]));
                        }
                    }
                    Channel::Email => {
                        for recipient in wanting() {
                            let (user, email) = (recipient.user_id, &recipient.email);
                            let room = recipients.room;
                            sent.push(delivery(Channel::Email, Some(user), Some(email), notice, room));
                        }
                    }
                    // One message for all, in a place of the whole tenant: it is sent even if one of the recipients has
                    // muted the kind.
                    Channel::Slack if recipients.config.slack_webhook_url.is_some() => {
                        if let Some(notice) = to_all(notice, people) {
                            sent.push(delivery(Channel::Slack, None, None, &notice, recipients.room));
                        }
                    }
                    Channel::Slack => {}
                }
            }
        }
        for array in numbered(services, shown)? {
            let _: Slot<()> = batch.add(&INSERT_EACH, [array.into(), services.now().into()]);
        }
        deliver(batch, services, sent)
    }

    /// Adds an email to an address to the batch.
    pub(super) fn mail(
        self,
        batch: &mut Batch<'_>,
        address: &Email,
        notice: &Notice,
        room: Room,
    ) -> Result<()> {
        deliver(
            batch,
            self.scope.services(),
            vec![delivery(Channel::Email, None, Some(address), notice, room)],
        )
    }
}

/// A delivery, as a row. If the outbox is full it is dead at once: the recipient of a notification can see that all the
/// same, and an owner can retry the delivery.
fn delivery(
    channel: Channel,
    recipient: Option<UserId>,
    address: Option<&Email>,
    notice: &Notice,
    room: Room,
) -> Json {
    let lacks = room.lacks(channel == Channel::Email);
    let state = lacks.map_or(DeliveryState::Pending, |_| DeliveryState::Dead);
    let why = lacks.map(|quota| format!("There was no room for it: {}.", quota.as_str()));
    let own = vec![
        ("state", state.into()),
        ("last_error", why.into()),
        ("channel", channel.into()),
        ("recipient_id", recipient.into()),
        ("address", address.cloned().into()),
    ];
    item(notice, own)
}

/// Adds deliveries to the batch.
fn deliver(batch: &mut Batch<'_>, services: &Services, deliveries: Vec<Json>) -> Result<()> {
    for array in numbered(services, deliveries)? {
        let trace = batch.traceparent().into();
        let _: Slot<()> = batch.add(&deliveries::INSERT_EACH, [array.into(), services.now().into(), trace]);
        batch.delivers();
    }
    Ok(())
}

/// The notifications of the member whose scope it is.
pub trait Notifications {
    /// Notifications, newest first.
    fn list(&self, query: NotificationQuery) -> impl Future<Output = Result<Page<Notification>>> + Send;

    /// The number of unread notifications.
    fn count_unread(&self) -> impl Future<Output = Result<UnreadCount>> + Send;

    /// Marks one as read.
    fn mark_read(&self, id: NotificationId) -> impl Future<Output = Result<Notification>> + Send;

    /// Marks all as read.
    fn mark_all_read(&self, which: Option<Vec<NotificationId>>) -> impl Future<Output = Result<()>> + Send;

    /// The member's preferences.
    fn preferences(&self) -> impl Future<Output = Result<Part<Preferences>>> + Send;

    /// Changes the preferences.
    fn set_preferences(
        &self,
        patch: PreferencesPatch,
    ) -> impl Future<Output = Result<Part<Preferences>>> + Send;
}

impl Repository<'_> {
    /// Preferences have the version of their membership.
    fn of_member(self, muted: Vec<NotificationKind>, version: i64) -> Part<Preferences> {
        Part::new(Preferences { muted }, Version { id: self.scope.user().0, number: version })
    }
}

impl Notifications for Repository<'_> {
    async fn list(&self, query: NotificationQuery) -> Result<Page<Notification>> {
        let user = self.scope.user();
        let unread = query.unread.map(|unread| if unread { "unread" } else { "read" });
        let filters = [unread, query.kind.map(NotificationKind::as_str)];
        let paging = self.paging("notifications", &filters, query.limit, query.cursor)?;
        let mut batch = self.scope.batch();
        let (before, fetch) = (paging.before(), paging.fetch());
        let (rows, last): (Slot<Notification>, Option<Slot<Uuid>>) = match (query.kind, query.unread) {
            (None, None) => (batch.add(&LIST, [user.into(), before, fetch]), None),
            (None, Some(true)) => (batch.add(&LIST_UNREAD, [user.into(), before, fetch]), None),
            (kind, unread) => {
                let last = batch.add(&LAST_FILTERED, [user.into(), before.clone()]);
                let unread = unread.map(i64::from).into();
                (batch.add(&LIST_FILTERED, [user.into(), kind.into(), unread, before, fetch]), Some(last))
            }
        };
        batch.bound(rows);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let last = outcome.optional_if_asked(last)?;
        Ok(paging.page_within(outcome.all(rows)?, last, |notification| notification.id.0))
    }

    async fn count_unread(&self) -> Result<UnreadCount> {
        let mut batch = self.scope.batch();
        let unread =
            batch.add::<i64, _>(&COUNT_UNREAD, [self.scope.user().into(), i64::from(limits::COUNTED).into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        Ok(UnreadCount { unread: outcome.one(unread)? })
    }

    async fn mark_read(&self, id: NotificationId) -> Result<Notification> {
        let mut batch = self.scope.batch();
        let arguments = [self.scope.user().into(), id.into(), self.scope.services().now().into()];
        let read = batch.require(&MARK_READ, arguments, Problem::new(Code::NotFound));
        self.scope.commit(batch, None).await?.one(read)
    }

    async fn mark_all_read(&self, which: Option<Vec<NotificationId>>) -> Result<()> {
        let mut batch = self.scope.batch();
        let (user, now) = (self.scope.user().into(), self.scope.services().now().into());
        let _: Slot<()> = match which {
            None => batch.add(&MARK_ALL_READ, [user, now]),
            Some(ids) => {
                let ids: Json =
                    ids.into_iter().map(|id| json::object(vec![("id", id.to_string().into())])).collect();
                batch.add(&MARK_SOME_READ, [user, now, ids.into()])
            }
        };
        self.scope.commit(batch, None).await.map(drop)
    }

    async fn preferences(&self) -> Result<Part<Preferences>> {
        let mut batch = self.scope.batch();
        let muted = batch.add::<Muted, _>(&MUTED, [self.scope.user().into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let Muted { muted, version } = outcome.one(muted)?;
        Ok(self.of_member(muted_kinds(muted), version))
    }

    async fn set_preferences(&self, patch: PreferencesPatch) -> Result<Part<Preferences>> {
        let Some(muted) = patch.muted.0 else {
            return self.scope.matched(self.preferences().await?);
        };
        let muted = NotificationKind::set(&muted);
        let mut batch = self.scope.batch();
        self.scope.require_match(&mut batch, &members::UNCHANGED, self.scope.user().0);
        let version = batch.require::<i64, _>(
            &SET_MUTED,
            [self.scope.user().into(), Json::from(muted.clone()).into(), self.scope.services().now().into()],
            Problem::new(Code::Conflict),
        );
        match self.scope.commit(batch, None).await {
            Ok(mut outcome) => Ok(self.of_member(muted, outcome.one(version)?)),
            // They are the same, or were a moment before.
            Err(problem) if problem.code == Code::Conflict => {
                let kept = self.scope.matched(self.preferences().await?)?;
                if kept.value.muted == muted { Ok(kept) } else { Err(problem) }
            }
            Err(problem) => Err(problem),
        }
    }
}
