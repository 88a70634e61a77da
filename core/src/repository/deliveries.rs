//! The outbox's rows: deliveries to the outside, and their progress.

use std::{future::Future, time::Duration};

use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    access::{batch::Slot, scopes::background::BackgroundScope},
    http::{
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::input,
        sql::{
            items,
            rows::{DecodeError, FromRow, Row, record},
            statements,
        },
        time::Timestamp,
        values::{
            DeliveryId, EntityId, Name, TenantId, UserId,
            enumerations::{Channel, DeliveryState, MembershipStatus, NotificationKind},
        },
    },
    repository::{Repository, activity::Event, quotas::Room},
};

const COLUMNS: &str = "id, channel, kind, recipient_id, address, title, subject_type, subject_id, state, attempts, \
     CASE state WHEN 'pending' THEN next_attempt_at END AS next_attempt_at, last_error, sent_at, created_at";

/// The tenants with pending deliveries, one after the other: each is looked up after the one before, so that this costs
/// as many steps as there are tenants, however many deliveries they have. A suspended tenant's deliveries wait until it
/// is resumed.
const TENANTS: &str = "(WITH RECURSIVE owing (tenant_id) AS (\
     SELECT (SELECT d.tenant_id FROM deliveries d WHERE d.state = 'pending' ORDER BY d.tenant_id LIMIT 1) \
     UNION ALL SELECT (SELECT d.tenant_id FROM deliveries d WHERE d.state = 'pending' AND d.tenant_id > o.tenant_id \
     ORDER BY d.tenant_id LIMIT 1) FROM owing o WHERE o.tenant_id IS NOT NULL) \
     SELECT o.tenant_id FROM owing o JOIN tenants t ON t.id = o.tenant_id WHERE t.suspended_at IS NULL) ";

/// The number up to which deliveries of each kind are counted for metrics; there may be more.
const MEASURED: i64 = 10_000;

items!(ITEMS, ITEMS_POSTGRES: "?2", id uuid, channel text, kind text, recipient_id uuid, address text, title text, body text,
    subject_type text, subject_id uuid, state text, last_error text);

const INSERT_ITEMS: &str = "INSERT INTO deliveries (tenant_id, id, channel, kind, recipient_id, address, title, body, \
     subject_type, subject_id, state, last_error, attempts, next_attempt_at, created_at, trace) \
     SELECT ?1, i.id, i.channel, i.kind, i.recipient_id, i.address, i.title, i.body, i.subject_type, i.subject_id, \
     i.state, i.last_error, 0, ?3, ?3, ?4 FROM ";

statements! { "deliveries";
    tenant INSERT_EACH = INSERT_ITEMS, ITEMS => INSERT_ITEMS, ITEMS_POSTGRES;

    /// Whether anything is due, in any tenant. This runs every few seconds, so it must cost nothing.
    spanning DUE = "SELECT 1 AS due WHERE EXISTS (SELECT 1 FROM deliveries d \
         WHERE d.state = 'pending' AND d.next_attempt_at <= ?1) \
         AND EXISTS (SELECT 1 FROM ", TENANTS, "o WHERE EXISTS (SELECT 1 FROM deliveries e \
         WHERE e.tenant_id = o.tenant_id AND e.state = 'pending' AND e.next_attempt_at <= ?1))";

    /// Claims due deliveries of any tenant until the given time. Tenants take turns, and none has more than its share
    /// in progress: neither many deliveries nor a slow receiver of one delays the others. Of each only its share is
    /// read, and what is due at the same time as its last, because a claim makes other writers wait.
    spanning CLAIM = "UPDATE deliveries SET claim = ?2, attempts = attempts + 1, next_attempt_at = ?3 \
         WHERE (tenant_id, id) IN (SELECT x.tenant_id, x.id FROM (SELECT d.tenant_id, d.id, d.next_attempt_at, \
         row_number() OVER (PARTITION BY d.tenant_id ORDER BY d.next_attempt_at, d.id) + w.busy AS place \
         FROM (SELECT o.tenant_id, \
         (SELECT count(*) FROM deliveries f WHERE f.tenant_id = o.tenant_id AND f.state = 'pending' \
         AND f.claim IS NOT NULL AND f.next_attempt_at > ?1) AS busy, \
         (SELECT e.next_attempt_at FROM deliveries e WHERE e.tenant_id = o.tenant_id AND e.state = 'pending' \
         AND e.next_attempt_at <= ?1 ORDER BY e.next_attempt_at LIMIT 1 OFFSET ?5) AS latest FROM ", TENANTS, "o) w CROSS JOIN deliveries d WHERE d.tenant_id = w.tenant_id AND d.state = 'pending' \
         AND d.next_attempt_at <= COALESCE(w.latest, ?1)) x \
         WHERE x.place <= ?5 ORDER BY x.place, x.next_attempt_at LIMIT ?4)";

    /// The claimed deliveries, with what is needed to send them. An invitation must still be open.
    spanning CLAIMED = "SELECT d.tenant_id, d.id, d.attempts, d.claim, d.channel, d.kind, d.recipient_id, d.address, d.title, \
         d.body, d.subject_id, m.status, i.token_hash, t.name, t.config, d.trace \
         FROM deliveries d JOIN tenants t ON t.id = d.tenant_id \
         LEFT JOIN memberships m ON m.tenant_id = d.tenant_id AND m.user_id = d.recipient_id AND m.status = 'active' \
         AND EXISTS (SELECT 1 FROM users u WHERE u.id = m.user_id AND u.disabled_at IS NULL \
         AND (u.password_hash <> '' OR EXISTS (SELECT 1 FROM identities k WHERE k.user_id = u.id))) \
         LEFT JOIN invitations i ON i.tenant_id = d.tenant_id AND i.id = d.subject_id AND d.kind = 'invitation' \
         AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > ?2 \
         WHERE d.claim = ?1 AND d.state = 'pending' ORDER BY d.id";

    /// The pending deliveries in all outboxes, and the oldest, without those of suspended tenants. It runs with every
    /// collection of metrics, so it counts no more than `?1` of those due first, and of the dead ones.
    spanning DEPTH = "SELECT count(*) AS pending, min(w.created_at) AS oldest, min(w.next_attempt_at) AS due, \
         (SELECT count(*) FROM (SELECT 1 FROM deliveries e WHERE e.state = 'dead' LIMIT ?1) x) AS dead \
         FROM (SELECT d.created_at, d.next_attempt_at FROM deliveries d JOIN tenants t ON t.id = d.tenant_id \
         WHERE d.state = 'pending' AND t.suspended_at IS NULL ORDER BY d.next_attempt_at LIMIT ?1) w";

    /// Records the result of an attempt, if the claim is still valid.
    tenant SETTLE = "UPDATE deliveries SET state = ?3, next_attempt_at = ?4, last_error = ?5, sent_at = ?6, claim = NULL \
         WHERE tenant_id = ?1 AND id = ?2 AND claim = ?7";

    tenant LIST = "SELECT ", COLUMNS, " FROM deliveries WHERE tenant_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    tenant LIST_IN_STATE = "SELECT ", COLUMNS, " FROM deliveries WHERE tenant_id = ?1 AND state = ?2 \
         AND id < ?3 ORDER BY id DESC LIMIT ?4";

    tenant RETRY = "UPDATE deliveries SET state = 'pending', attempts = 0, next_attempt_at = ?3 \
         WHERE tenant_id = ?1 AND id = ?2 AND state = 'dead'";

    tenant BY_ID = "SELECT ", COLUMNS, " FROM deliveries WHERE tenant_id = ?1 AND id = ?2";
}

record! {
    /// A delivery: a message to the outside, by email or Slack.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct Delivery {
        /// The id of the delivery.
        pub id: DeliveryId,
        /// The channel of the delivery.
        pub channel: Channel,
        /// The kind of the notification.
        pub kind: NotificationKind,
        /// The member who receives it; `null` if it is not for a single member.
        pub recipient_id: Option<UserId>,
        /// The address of the recipient; `null` if the channel has no addresses.
        pub address: Option<String>,
        /// The message in one line.
        pub title: String,
        /// The type of the entity that it is about.
        pub subject_type: String,
        /// The id of the entity that it is about.
        pub subject_id: EntityId,
        /// The state of the delivery.
        pub state: DeliveryState,
        /// The number of attempts so far.
        pub attempts: i64,
        /// The time of the next attempt, while the delivery is pending.
        pub next_attempt_at: Option<Timestamp>,
        /// The reason why the last attempt failed.
        pub last_error: Option<String>,
        /// The time at which it was sent.
        pub sent_at: Option<Timestamp>,
        /// The time of creation.
        pub created_at: Timestamp,
    }
}

input! {
    /// The filters and the page of the deliveries.
    pub struct DeliveryQuery {
        /// Only deliveries in this state.
        pub state: Option<DeliveryState>,
        /// The maximum number of items on the page.
        pub limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub cursor: Option<Cursor>,
    }
}

/// A claimed delivery.
pub(crate) struct Claimed {
    pub(crate) ticket: Ticket,
    /// The message; an error, if another version wrote it in a form that this one does not know. The other claimed
    /// deliveries are not affected.
    pub(crate) content: Result<Content, DecodeError>,
}

record! {
    /// The facts for settling a delivery.
    pub(crate) struct Ticket {
        pub(crate) tenant_id: TenantId,
        pub(crate) id: DeliveryId,
        pub(crate) attempts: i64,
        pub(crate) claim: Uuid,
    }
}

record! {
    /// The facts for sending a delivery.
    pub(crate) struct Content {
        pub(crate) channel: Channel,
        pub(crate) kind: NotificationKind,
        pub(crate) recipient_id: Option<UserId>,
        pub(crate) address: Option<String>,
        pub(crate) title: String,
        pub(crate) body: String,
        pub(crate) subject_id: Uuid,
        /// Whether the recipient, if there is one, is an active member.
        pub(crate) recipient_status: Option<MembershipStatus>,
        /// The digest of an open invitation's token.
        pub(crate) token_hash: Option<String>,
        pub(crate) tenant_name: Name,
        pub(crate) config: Json,
        /// The trace of the cause.
        pub(crate) trace: Option<String>,
    }
}

record! {
    struct Waiting {
        pending: i64,
        oldest: Option<Timestamp>,
        due: Option<Timestamp>,
        dead: i64,
    }
}

/// The number of deliveries in all outboxes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Pending deliveries, without those of suspended tenants: 10,000 means 10,000 or more.
    pub pending: i64,
    /// Dead deliveries, likewise.
    pub dead: i64,
    /// How long the oldest pending delivery has been waiting; zero if there is none.
    pub oldest: Duration,
    /// How long the next attempt is overdue; zero if none is.
    pub overdue: Duration,
}

impl FromRow for Claimed {
    fn from_row(mut row: Row) -> Result<Self, DecodeError> {
        let content = row.split_off(row.len().min(4));
        Ok(Self { ticket: Ticket::from_row(row)?, content: Content::from_row(content) })
    }
}

/// The result of an attempt.
pub(crate) struct Settlement {
    pub(crate) state: DeliveryState,
    pub(crate) due: Timestamp,
    pub(crate) error: Option<String>,
    pub(crate) sent_at: Option<Timestamp>,
}

/// Claims at most `at_once` due deliveries for the time of the lease, and of one tenant no more than half of that.
pub(crate) async fn claim(scope: &BackgroundScope<'_>, lease: Duration, most: u32) -> Result<Vec<Claimed>> {
    let services = scope.services();
    let now = services.now();
    let mut peek = scope.batch(None);
    let due = peek.add_global::<i64, _>(&DUE, [now.into()]);
    if scope.run(peek).await?.optional(due)?.is_none() {
        return Ok(Vec::new());
    }
    let (claim, until) = (services.new_id()?, now.plus(lease));
    let share = i64::from(most.div_ceil(2));
    let mut batch = scope.batch(None);
    let arguments = [now.into(), claim.into(), until.into(), i64::from(most).into(), share.into()];
    let _: Slot<()> = batch.add_global(&CLAIM, arguments);
    let claimed = batch.add_global::<Claimed, _>(&CLAIMED, [claim.into(), now.into()]);
    scope.run(batch).await?.all(claimed)
}

/// Records the result of an attempt. If the claim has passed to another sender, that one records it.
pub(crate) async fn settle(
    scope: &BackgroundScope<'_>,
    ticket: &Ticket,
    settlement: &Settlement,
) -> Result<()> {
    let Settlement { state, due, error, sent_at } = settlement;
    let mut batch = scope.batch(Some(ticket.tenant_id));
    let arguments = [
        ticket.id.into(),
        (*state).into(),
        (*due).into(),
        error.clone().into(),
        (*sent_at).into(),
        ticket.claim.into(),
    ];
    let _: Slot<()> = batch.add(&SETTLE, arguments);
    scope.run(batch).await.map(drop)
}

/// The number of deliveries in all outboxes.
pub(crate) async fn depth(scope: &BackgroundScope<'_>) -> Result<Depth> {
    let now = scope.services().now();
    let mut batch = scope.batch(None);
    let row = batch.add_global::<Waiting, _>(&DEPTH, [MEASURED.into()]);
    let Waiting { pending, oldest, due, dead } = scope.run(batch).await?.one(row)?;
    let since = |time: Option<Timestamp>| {
        let millis = time.map_or(0, |time| now.unix_millis().saturating_sub(time.unix_millis()));
        Duration::from_millis(millis.try_into().unwrap_or_default())
    };
    Ok(Depth { pending, dead, oldest: since(oldest), overdue: since(due) })
}

/// A tenant's deliveries, for its owners.
pub trait Deliveries {
    /// Deliveries, newest first.
    fn list(&self, query: DeliveryQuery) -> impl Future<Output = Result<Page<Delivery>>> + Send;

    /// Retries a dead delivery.
    fn retry(&self, id: DeliveryId) -> impl Future<Output = Result<Delivery>> + Send;
}

impl Deliveries for Repository<'_> {
    async fn list(&self, query: DeliveryQuery) -> Result<Page<Delivery>> {
        let filters = [query.state.map(DeliveryState::as_str)];
        let paging = self.paging("deliveries", &filters, query.limit, query.cursor)?;
        let mut batch = self.scope.batch();
        let rows: Slot<Delivery> = match query.state {
            None => batch.add(&LIST, [paging.before(), paging.fetch()]),
            Some(state) => batch.add(&LIST_IN_STATE, [state.into(), paging.before(), paging.fetch()]),
        };
        let (_, mut outcome) = self.scope.read(batch).await?;
        Ok(paging.page(outcome.all(rows)?, |delivery| delivery.id.0))
    }

    async fn retry(&self, id: DeliveryId) -> Result<Delivery> {
        let mut batch = self.scope.batch();
        let (room, dead) = (Room::ask(&mut batch), batch.add::<Delivery, _>(&BY_ID, [id.into()]));
        let (_, mut outcome) = self.scope.read(batch).await?;
        let room = outcome.one(room)?;
        let dead = outcome.optional(dead)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        if dead.state == DeliveryState::Dead {
            room.require(dead.channel == Channel::Email)?;
        }
        let mut batch = self.scope.batch();
        let now = self.scope.services().now();
        let not_dead = Problem::new(Code::DeliveryNotDead);
        let _: Slot<()> = batch.require(&RETRY, [id.into(), now.into()], not_dead);
        self.record(&mut batch, Event::new("delivery.retried", "delivery", id.0, json!({})))?;
        batch.delivers();
        let (state, next_attempt_at) = (DeliveryState::Pending, Some(now));
        let retried = Delivery { state, next_attempt_at, attempts: 0, ..dead };
        self.scope.store_answer(&mut batch, &retried)?;
        self.scope.commit(batch, None).await?;
        Ok(retried)
    }
}
