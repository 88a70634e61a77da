//! Limits of one tenant or one account, so that nobody fills the shared resources. A batch that adds something checks
//! the limit afterwards; the operator may give a tenant other limits than the service has.

use std::{future::Future, time::Duration};

use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        scopes::operator::OperatorScope,
        services::Services,
    },
    http::problem::{Code, Problem, Result},
    kernel::{
        json,
        sql::{TenantSql, rows::record, statements},
        time::Timestamp,
        values::{Slug, TenantId, UserId, enumerations::wire_enum},
    },
    repository::{
        Repository,
        activity::{self, Event},
    },
};

/// Hours of a day.
const DAY_HOURS: u64 = 24;
/// The seconds after which some pending deliveries may have been sent.
const PENDING_RETRY_SECONDS: u64 = 60;
/// The reason why additional texts are refused.
const FULL: &str =
    "The tenant has reached its storage limit. Deleting something frees space, within minutes.";
/// The seconds after which some of the emails may be a day old.
const EMAILS_RETRY_SECONDS: u64 = 3_600;

wire_enum! {
    /// A limited resource of a tenant.
    Quota {
        /// Members, those who are suspended among them.
        Members = "members",
        /// Invitations that were neither accepted nor revoked.
        Invitations = "invitations",
        /// API keys, until they are revoked.
        ApiKeys = "api_keys",
        /// Deliveries that wait to be sent.
        PendingDeliveries = "pending_deliveries",
        /// Emails within 24 hours that were sent or wait for it.
        EmailsADay = "emails_a_day",
        /// Bytes that it stores, as they were measured last.
        StoredBytes = "stored_bytes",
    }
}

/// The maximum for a tenant: the operator's choice, or the default.
macro_rules! most {
    ($quota:literal, $default:literal) => {
        concat!(
            "COALESCE((SELECT l.most FROM limits l WHERE l.tenant_id = ?1 AND l.name = '",
            $quota,
            "'), ",
            $default,
            ")"
        )
    };
}

pub(super) use most;

/// The condition that a tenant does not exceed the maximum.
macro_rules! within {
    ($rows:expr, $most:expr) => {
        concat!("NOT EXISTS (SELECT 1 FROM ", $rows, " LIMIT 1 OFFSET ", $most, ")")
    };
}

/// The number that a tenant has, up to the maximum.
macro_rules! used {
    ($rows:expr, $most:expr) => {
        concat!(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM ",
            $rows,
            " LIMIT ",
            $most,
            ") c) AS used, CAST(",
            $most,
            " AS bigint) AS most"
        )
    };
}

macro_rules! members {
    () => {
        "memberships x WHERE x.tenant_id = ?1"
    };
}
macro_rules! invitations {
    () => {
        "invitations x WHERE x.tenant_id = ?1 AND x.accepted_at IS NULL AND x.revoked_at IS NULL"
    };
}
macro_rules! api_keys {
    () => {
        "api_keys x WHERE x.tenant_id = ?1"
    };
}
macro_rules! pending {
    () => {
        "deliveries x WHERE x.tenant_id = ?1 AND x.state = 'pending'"
    };
}
macro_rules! emails {
    () => {
        "deliveries x WHERE x.tenant_id = ?1 AND x.channel = 'email' AND x.state <> 'dead' AND x.created_at > ?3"
    };
}

statements! { "quotas";
    /// A row if the tenant does not have too many members.
    tenant MEMBERS = "SELECT 1 AS ok WHERE ", within!(members!(), most!("members", "?2"));

    tenant INVITATIONS = "SELECT 1 AS ok WHERE ", within!(invitations!(), most!("invitations", "?2"));

    tenant API_KEYS = "SELECT 1 AS ok WHERE ", within!(api_keys!(), most!("api_keys", "?2"));

    /// A row unless the tenant stores as much as it may, by the last measurement.
    tenant STORED = "SELECT 1 AS ok WHERE NOT EXISTS (SELECT 1 FROM sizes x WHERE x.tenant_id = ?1 AND x.bytes >= ",
        most!("stored_bytes", "?2"), ")";

    /// Whether there is room in the outbox for a delivery, and for an email. It is asked before the write, so that
    /// concurrent writers do not wait for each other: the limit may be exceeded by a few.
    tenant OUTBOX = "SELECT CASE WHEN ", within!(pending!(), concat!(most!("pending_deliveries", "?2"), " - 1")),
        " THEN 1 ELSE 0 END AS pending, CASE WHEN ", within!(emails!(), concat!(most!("emails_a_day", "?4"), " - 1")),
        " THEN 1 ELSE 0 END AS emails";

    /// A row if an account does not own too many tenants.
    spanning TENANTS = "SELECT 1 AS ok WHERE NOT EXISTS (SELECT 1 FROM memberships x \
         WHERE x.user_id = ?1 AND x.role = 'owner' AND x.status = 'active' LIMIT 1 OFFSET ?2)";

    /// A row if an account does not have too many unfinished imports.
    spanning IMPORTS = "SELECT 1 AS ok WHERE NOT EXISTS (SELECT 1 FROM imports x \
         WHERE x.user_id = ?1 AND x.by_operator = 0 LIMIT 1 OFFSET ?2)";

    tenant USED_MEMBERS = used!(members!(), most!("members", "?2"));
    tenant USED_INVITATIONS = used!(invitations!(), most!("invitations", "?2"));
    tenant USED_API_KEYS = used!(api_keys!(), most!("api_keys", "?2"));
    tenant USED_PENDING = used!(pending!(), most!("pending_deliveries", "?2"));
    tenant USED_EMAILS = used!(emails!(), most!("emails_a_day", "?2"));

    tenant USED_STORED = "SELECT COALESCE((SELECT x.bytes FROM sizes x WHERE x.tenant_id = ?1), 0) AS used, CAST(",
        most!("stored_bytes", "?2"), " AS bigint) AS most";

    /// The operator's choice.
    tenant PUT = "INSERT INTO limits (tenant_id, name, most) VALUES (?1, ?2, ?3) \
         ON CONFLICT (tenant_id, name) DO UPDATE SET most = excluded.most";

    tenant DROP = "DELETE FROM limits WHERE tenant_id = ?1 AND name = ?2";

    tenant OWN = "SELECT name FROM limits WHERE tenant_id = ?1";
}

record! {
    /// The use of one limit.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct Share {
        /// The current number. Counting stops at `most`.
        pub used: i64,
        /// The maximum.
        pub most: i64,
    }
}

/// A tenant's use of its limits.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Usage {
    /// Members, including suspended ones.
    pub members: Share,
    /// Invitations that are neither accepted nor revoked.
    pub invitations: Share,
    /// API keys, until they are revoked.
    pub api_keys: Share,
    /// Deliveries that wait to be sent. A delivery above the limit is dead at once; it can be retried later.
    pub pending_deliveries: Share,
    /// Emails within 24 hours. An email above the limit is dead at once; it can be retried later.
    pub emails_a_day: Share,
    /// The bytes of the texts of projects, tasks, comments, notifications, deliveries and the activity log, plus 200 for each
    /// of these. The number is measured after 200 changes, or after a twentieth of the number of rows if that is more, and
    /// can exceed `most`.
    pub stored_bytes: Share,
}

impl Usage {
    fn of(&self, quota: Quota) -> &Share {
        match quota {
            Quota::Members => &self.members,
            Quota::Invitations => &self.invitations,
            Quota::ApiKeys => &self.api_keys,
            Quota::PendingDeliveries => &self.pending_deliveries,
            Quota::EmailsADay => &self.emails_a_day,
            Quota::StoredBytes => &self.stored_bytes,
        }
    }
}

/// A limit of a tenant, for the operator.
#[derive(Debug, Serialize)]
pub struct LimitSummary {
    /// The resource.
    pub quota: Quota,
    /// The current number; counting stops at `most`.
    pub used: i64,
    /// The maximum.
    pub most: i64,
    /// Whether the operator has set it for this tenant.
    pub own: bool,
}

impl Services {
    /// The default maximum, for tenants without a choice of the operator.
    pub(super) fn limit(&self, quota: Quota) -> i64 {
        let config = &self.config;
        match quota {
            Quota::Members => config.limit_members.0,
            Quota::Invitations => config.limit_invitations.0,
            Quota::ApiKeys => config.limit_api_keys.0,
            Quota::PendingDeliveries => config.limit_pending_deliveries.0,
            Quota::EmailsADay => config.limit_emails_a_day.0,
            Quota::StoredBytes => config.limit_stored_bytes.0,
        }
    }

    fn a_day_ago(&self) -> Timestamp {
        self.now().minus(Duration::from_hours(DAY_HOURS))
    }
}

/// The refusal, with the name of the resource.
fn reached(quota: &str) -> Box<Problem> {
    Problem::with(Code::LimitReached, format!("The maximum number is reached: {quota}."))
}

/// Adds to a batch, after an addition, that the maximum is not exceeded.
pub(super) fn require(batch: &mut Batch<'_>, quota: Quota) {
    let statement: &TenantSql = match quota {
        Quota::Members => &MEMBERS,
        Quota::Invitations => &INVITATIONS,
        Quota::ApiKeys => &API_KEYS,
        Quota::StoredBytes => &STORED,
        // A full outbox is no reason to refuse the change itself.
        Quota::PendingDeliveries | Quota::EmailsADay => return,
    };
    let problem = match quota {
        Quota::StoredBytes => Problem::with(Code::LimitReached, FULL),
        _ => reached(quota.as_str()),
    };
    let most = batch.services().limit(quota);
    let _: Slot<i64> = batch.require(statement, [most.into()], problem);
}

/// Adds to a batch that adds texts that the tenant has room for them.
pub(super) fn require_room(batch: &mut Batch<'_>) {
    require(batch, Quota::StoredBytes);
}

/// Adds to a batch, after an account was made owner of a tenant, that it does not own too many.
pub(super) fn require_tenants(batch: &mut Batch<'_>, user: UserId) {
    let most = batch.services().config.limit_tenants.0;
    let _: Slot<i64> = batch.require_global(&TENANTS, [user.into(), most.into()], reached("tenants"));
}

/// Adds to a batch that finishes an account's import that neither tenant nor account exceeds its maximum.
pub(super) fn require_imported(batch: &mut Batch<'_>, user: UserId) {
    for quota in [Quota::Members, Quota::Invitations, Quota::ApiKeys] {
        require(batch, quota);
    }
    require_tenants(batch, user);
}

/// The same for unfinished imports.
pub(super) fn require_imports(batch: &mut Batch<'_>, user: UserId) {
    let most = batch.services().config.limit_imports.0;
    let _: Slot<i64> = batch.require_global(&IMPORTS, [user.into(), most.into()], reached("imports"));
}

record! {
    /// Whether there is room in the outbox.
    #[derive(Clone, Copy)]
    pub(super) struct Room {
        pending: i64,
        emails: i64,
    }
}

impl Room {
    /// Asks for it, in a batch that reads.
    pub(super) fn ask(batch: &mut Batch<'_>) -> Slot<Self> {
        let services = batch.services();
        let arguments = [
            services.limit(Quota::PendingDeliveries).into(),
            services.a_day_ago().into(),
            services.limit(Quota::EmailsADay).into(),
        ];
        batch.add(&OUTBOX, arguments)
    }

    /// The quota that keeps a message from being sent, if one does.
    pub(super) fn lacks(self, is_email: bool) -> Option<Quota> {
        match self {
            Self { pending: 0, .. } => Some(Quota::PendingDeliveries),
            Self { emails: 0, .. } if is_email => Some(Quota::EmailsADay),
            Self { .. } => None,
        }
    }

    /// Refuses a change that is useless unless its message is sent.
    pub(super) fn require(self, is_email: bool) -> Result<()> {
        let Some(quota) = self.lacks(is_email) else { return Ok(()) };
        let seconds = match quota {
            Quota::PendingDeliveries => PENDING_RETRY_SECONDS,
            _ => EMAILS_RETRY_SECONDS,
        };
        let detail = format!("The tenant has as many of these as it may have: {}.", quota.as_str());
        Err(Problem::with(Code::QuotaExceeded, detail).retry_after(seconds))
    }
}

/// The queries for the usage.
struct Asked([Slot<Share>; 6]);

impl Asked {
    fn ask(batch: &mut Batch<'_>) -> Self {
        let (services, since) = (batch.services(), batch.services().a_day_ago());
        let mut ask =
            |statement: &'static TenantSql, quota| batch.add(statement, [services.limit(quota).into()]);
        Self([
            ask(&USED_MEMBERS, Quota::Members),
            ask(&USED_INVITATIONS, Quota::Invitations),
            ask(&USED_API_KEYS, Quota::ApiKeys),
            ask(&USED_PENDING, Quota::PendingDeliveries),
            batch.add(&USED_EMAILS, [services.limit(Quota::EmailsADay).into(), since.into()]),
            batch.add(&USED_STORED, [services.limit(Quota::StoredBytes).into()]),
        ])
    }

    fn take(self, outcome: &mut Outcome) -> Result<Usage> {
        let [members, invitations, api_keys, pending_deliveries, emails_a_day, stored_bytes] =
            self.0.map(|slot| outcome.one(slot));
        Ok(Usage {
            members: members?,
            invitations: invitations?,
            api_keys: api_keys?,
            pending_deliveries: pending_deliveries?,
            emails_a_day: emails_a_day?,
            stored_bytes: stored_bytes?,
        })
    }
}

/// The limits of a tenant.
pub trait Quotas {
    /// The use of each limit.
    fn usage(&self) -> impl Future<Output = Result<Usage>> + Send;
}

impl Quotas for Repository<'_> {
    async fn usage(&self) -> Result<Usage> {
        let mut batch = self.scope.batch();
        let asked = Asked::ask(&mut batch);
        let (_, mut outcome) = self.scope.read(batch).await?;
        asked.take(&mut outcome)
    }
}

impl OperatorScope {
    /// A tenant's limits, and the use of each.
    pub async fn limits(&self, slug: &Slug) -> Result<Vec<LimitSummary>> {
        let id = self.tenant(slug.as_str()).await?;
        self.limits_of(id).await
    }

    /// Sets the maximum of resources for a tenant; `None` restores the default.
    pub async fn limit(&self, slug: &Slug, limits: &[(Quota, Option<i64>)]) -> Result<Vec<LimitSummary>> {
        let (services, id) = (self.services(), self.tenant(slug.as_str()).await?);
        let mut batch = self.batch_in(id);
        let mut said = Vec::new();
        for &(quota, most) in limits {
            let _: Slot<()> = match most {
                Some(most) => batch.add(&PUT, [quota.into(), most.into()]),
                None => batch.add(&DROP, [quota.into()]),
            };
            said.push((quota.as_str(), most.map_or(Json::Null, Json::from)));
        }
        let event = Event::new("tenant.limited", "tenant", id.0, json::object(said));
        activity::record(&mut batch, services, None, event)?;
        self.run(batch).await?;
        self.limits_of(id).await
    }

    async fn limits_of(&self, id: TenantId) -> Result<Vec<LimitSummary>> {
        let mut batch = self.batch_in(id);
        let (asked, own) = (Asked::ask(&mut batch), batch.add::<Quota, _>(&OWN, []));
        let mut outcome = self.run(batch).await?;
        let (usage, own) = (asked.take(&mut outcome)?, outcome.all(own)?);
        let limit = |quota: &Quota| {
            let Share { used, most } = *usage.of(*quota);
            LimitSummary { quota: *quota, used, most, own: own.contains(quota) }
        };
        Ok(Quota::ALL.iter().map(limit).collect())
    }
}
