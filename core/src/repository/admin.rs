//! The owners' view of a tenant as a whole: its numbers and its activity.

use std::{future::Future, marker::PhantomData};

use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    access::{batch::Slot, paging::Paging, scopes::account::AccountScope},
    http::{
        page::{Cursor, Page, PageSize},
        problem::Result,
    },
    kernel::{
        decode::input,
        sql::{looked_through, rows::record, statements},
        time::{Date, Timestamp},
        values::{
            ActionName, ActivityId, EntityId, Name, Slug, TenantId, UserId,
            enumerations::{DeliveryState, Enumeration, ProjectStatus, Role, TaskStatus},
        },
    },
    repository::Repository,
};

/// The number of days that the statistics of activity go back, today among them.
const DAYS: i64 = 30;

const ENTRIES: &str = "SELECT id, actor_id, action, entity_type, entity_id, detail, created_at, seq, hash FROM activity \
     WHERE tenant_id = ?1";
const FILTERS: &str = " AND (actor_id = ?2 OR ?2 IS NULL) AND action = COALESCE(?3, action) \
     AND entity_type = COALESCE(?4, entity_type) AND entity_id = COALESCE(?5, entity_id) \
     AND created_at >= COALESCE(?6, created_at) AND (created_at < ?7 OR ?7 IS NULL)";
const NEWEST: &str = " AND id < ?8 ORDER BY id DESC LIMIT ?9";

looked_through!(LAST: "", "?2"; END: "", "?8"; "activity");

statements! { "admin";
    tenant PROJECTS = "SELECT status, count(*) AS count FROM projects WHERE tenant_id = ?1 GROUP BY status";

    tenant TASKS = "SELECT status, count(*) AS count FROM tasks WHERE tenant_id = ?1 GROUP BY status";

    tenant MEMBERS = "SELECT role, count(*) AS count FROM memberships \
         WHERE tenant_id = ?1 AND status = 'active' GROUP BY role";

    tenant DELIVERIES = "SELECT state, count(*) AS count FROM deliveries WHERE tenant_id = ?1 GROUP BY state";

    /// By day in UTC. As text a time starts with its day, on every engine: connections to Postgres are in UTC.
    tenant ACTIVITY_BY_DAY = "SELECT substr(CAST(created_at AS text), 1, 10) AS day, count(*) AS count FROM activity \
         WHERE tenant_id = ?1 AND created_at >= ?2 GROUP BY substr(CAST(created_at AS text), 1, 10)";

    tenant ACTIVITY = ENTRIES, " AND id < ?2 ORDER BY id DESC LIMIT ?3";

    /// For this filter alone, by an index.
    tenant ACTIVITY_OF_ENTITY = ENTRIES, " AND entity_type = ?2 AND entity_id = ?3 AND id < ?4 ORDER BY id DESC LIMIT ?5";
    tenant ACTIVITY_OF_ACTOR = ENTRIES, " AND actor_id = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";
    tenant ACTIVITY_OF_ACTION = ENTRIES, " AND action = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";

    /// For any filters, as far as one page looks.
    tenant ACTIVITY_FILTERED = ENTRIES, FILTERS, END, NEWEST;

    tenant LAST_FILTERED = LAST;

    /// The tenants that a user owns: spans tenants, by the user's own id.
    spanning OWNED = "SELECT t.id, t.slug, t.name, \
         (SELECT count(*) FROM memberships x WHERE x.tenant_id = t.id AND x.status = 'active') AS members, \
         (SELECT count(*) FROM projects p WHERE p.tenant_id = t.id) AS projects, t.suspended_at, t.created_at \
         FROM memberships m JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL \
         WHERE m.user_id = ?1 AND m.status = 'active' AND m.role = 'owner' AND t.id < ?2 ORDER BY t.id DESC LIMIT ?3";
}

record! {
    #[derive(Debug)]
    struct Count {
        key: String,
        count: i64,
    }
}

/// The number of rows with each variant of an enumeration, with zeros.
#[derive(Debug)]
pub struct Tally<T>(Vec<Count>, PhantomData<T>);

/// The count of a key. There are few keys, so that no map is needed.
fn count_of(counts: &[Count], key: &str) -> i64 {
    counts.iter().find(|row| row.key == key).map_or(0, |row| row.count)
}

impl<T: Enumeration> Serialize for Tally<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = |variant: &T| (variant.as_str(), count_of(&self.0, variant.as_str()));
        serializer.collect_map(T::ALL.iter().map(count))
    }
}

#[cfg(feature = "openapi")]
impl<T: Enumeration> schemars::JsonSchema for Tally<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tally".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<_> = T::ALL.iter().map(|variant| variant.as_str()).collect();
        let count = |name: &&str| {
            let description = format!("The number with `{name}`.");
            let count = serde_json::json!({ "type": "integer", "minimum": 0, "description": description });
            ((*name).to_owned(), count)
        };
        let properties: serde_json::Map<_, _> = names.iter().map(count).collect();
        schemars::json_schema!({ "type": "object", "properties": properties, "required": names })
    }
}

/// The activity of one day.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DayCount {
    /// The day, in UTC.
    pub day: Date,
    /// The number of entries in the activity log.
    pub count: i64,
}

/// A tenant in numbers.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Statistics {
    /// The number of projects by status.
    pub projects: Tally<ProjectStatus>,
    /// The number of tasks by status.
    pub tasks: Tally<TaskStatus>,
    /// The number of active members by role.
    pub members: Tally<Role>,
    /// The number of deliveries by state.
    pub deliveries: Tally<DeliveryState>,
    /// The activity of the last 30 days, oldest first, including days without any.
    pub activity: Vec<DayCount>,
}

record! {
    /// An entry of the activity log.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct Activity {
        /// The id of the entry.
        pub id: ActivityId,
        /// The user who did it; `null` for the operator of the service.
        pub actor_id: Option<UserId>,
        /// The action, as `entity.verb`.
        pub action: ActionName,
        /// The type of the entity that the action changed.
        pub entity_type: ActionName,
        /// The id of the entity.
        pub entity_id: EntityId,
        /// More about the action; the fields depend on the action.
        #[cfg_attr(feature = "openapi", schemars(with = "serde_json::Map<String, Json>"))]
        pub detail: Json,
        /// The time of the action.
        pub created_at: Timestamp,
        /// The number of the entry in the tenant's chain; `null` until it is sealed, moments after it was written.
        pub seq: Option<i64>,
        /// The hash of the entry in the chain; `null` until it is sealed.
        pub hash: Option<String>,
    }
}

record! {
    /// A tenant that you own.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct OwnedTenant {
        /// The id of the tenant.
        pub id: TenantId,
        /// The tenant's name in URLs and headers.
        pub slug: Slug,
        /// The tenant's name for people.
        pub name: Name,
        /// The number of active members.
        pub members: i64,
        /// The number of projects.
        pub projects: i64,
        /// The time since which the operator has suspended the tenant; `null` if it is not suspended.
        pub suspended_at: Option<Timestamp>,
        /// The time of creation.
        pub created_at: Timestamp,
    }
}

input! {
    /// The filters and the page of the activity log.
    pub struct ActivityQuery {
        /// Only entries of this user.
        pub actor_id: Option<UserId>,
        /// Only entries with this action.
        pub action: Option<ActionName>,
        /// Only entries about this type of entity.
        pub entity_type: Option<ActionName>,
        /// Only entries about this entity.
        pub entity_id: Option<EntityId>,
        /// Only entries from this time on.
        pub since: Option<Timestamp>,
        /// Only entries before this time.
        pub until: Option<Timestamp>,
        /// The maximum number of items on the page. A filtered page may have fewer, or none, and still have a `next_cursor`.
        pub limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub cursor: Option<Cursor>,
    }
}

/// A tenant as a whole.
pub trait Admin {
    /// The tenant in numbers.
    fn statistics(&self) -> impl Future<Output = Result<Statistics>> + Send;

    /// The activity, newest first.
    fn activity(&self, query: ActivityQuery) -> impl Future<Output = Result<Page<Activity>>> + Send;
}

impl Admin for Repository<'_> {
    async fn statistics(&self) -> Result<Statistics> {
        let today = self.scope.services().now().date();
        let first = today.minus_days(DAYS - 1);
        let mut batch = self.scope.batch();
        let counts = [&PROJECTS, &TASKS, &MEMBERS, &DELIVERIES].map(|sql| batch.add::<Count, _>(sql, []));
        let days: Slot<Count> = batch.add(&ACTIVITY_BY_DAY, [first.midnight().into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let [projects, tasks, members, deliveries] = counts.map(|slot| outcome.all(slot));
        let by_day = outcome.all(days)?;
        let day = |ago| {
            let day = today.minus_days(ago);
            DayCount { day, count: count_of(&by_day, &day.to_string()) }
        };
        Ok(Statistics {
            projects: Tally(projects?, PhantomData),
            tasks: Tally(tasks?, PhantomData),
            members: Tally(members?, PhantomData),
            deliveries: Tally(deliveries?, PhantomData),
            activity: (0..DAYS).rev().map(day).collect(),
        })
    }

    async fn activity(&self, query: ActivityQuery) -> Result<Page<Activity>> {
        let ActivityQuery { actor_id, action, entity_type, entity_id, since, until, limit, cursor } = query;
        let texts = [
            actor_id.map(|id| id.to_string()),
            action.as_ref().map(|term| term.as_str().to_owned()),
            entity_type.as_ref().map(|term| term.as_str().to_owned()),
            entity_id.map(|id| id.to_string()),
            since.map(|time| time.to_string()),
            until.map(|time| time.to_string()),
        ];
        let filters = texts.each_ref().map(Option::as_deref);
        let paging = self.paging("activity", &filters, limit, cursor)?;
        let mut batch = self.scope.batch();
        let (before, fetch) = (paging.before(), paging.fetch());
        let mut last: Option<Slot<Uuid>> = None;
        let rows: Slot<Activity> = match filters {
            [None, None, None, None, None, None] => batch.add(&ACTIVITY, [before, fetch]),
            [None, None, Some(_), Some(_), None, None] => {
                batch.add(&ACTIVITY_OF_ENTITY, [entity_type.into(), entity_id.into(), before, fetch])
            }
            [Some(_), None, None, None, None, None] => {
                batch.add(&ACTIVITY_OF_ACTOR, [actor_id.into(), before, fetch])
            }
            [None, Some(_), None, None, None, None] => {
                batch.add(&ACTIVITY_OF_ACTION, [action.into(), before, fetch])
            }
            _ => {
                last = Some(batch.add(&LAST_FILTERED, [before.clone()]));
                let of = [actor_id.into(), action.into(), entity_type.into(), entity_id.into()];
                let [actor, action, kind, id] = of;
                let arguments = [actor, action, kind, id, since.into(), until.into(), before, fetch];
                batch.add(&ACTIVITY_FILTERED, arguments)
            }
        };
        let (_, mut outcome) = self.scope.read(batch).await?;
        let last = outcome.optional_if_asked(last)?;
        Ok(paging.page_within(outcome.all(rows)?, last, |entry| entry.id.0))
    }
}

/// The tenants that an account owns.
pub trait Holdings {
    /// Tenants, newest first.
    fn owned(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<OwnedTenant>>> + Send;
}

impl Holdings for AccountScope {
    async fn owned(&self, size: Option<PageSize>, cursor: Option<Cursor>) -> Result<Page<OwnedTenant>> {
        let paging = Paging::new(self.services(), "owned", self.user().0, &[], size, cursor)?;
        let mut batch = self.batch();
        let arguments = [self.user().into(), paging.before(), paging.fetch()];
        let rows = batch.add_global::<OwnedTenant, _>(&OWNED, arguments);
        let mut outcome = self.run(batch).await?;
        Ok(paging.page(outcome.all(rows)?, |tenant| tenant.id.0))
    }
}
