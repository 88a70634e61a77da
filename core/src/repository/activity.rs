//! The activity log of a tenant: entries about changes, written in the batch of the change.

use std::time::Duration;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    access::{
        batch::{Batch, Slot},
        ids::least_id,
        services::Services,
    },
    http::problem::Result,
    kernel::{
        json,
        sql::{arrays, items, statements},
        values::{ApiKeyId, Name, UserId},
    },
};

items!(ITEMS, ITEMS_POSTGRES: "?2", id uuid, action text, entity_type text, entity_id uuid, detail jsonb);

const INSERT_ITEMS: &str = "INSERT INTO activity \
     (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
     SELECT ?1, i.id, ?3, i.action, i.entity_type, i.entity_id, i.detail, ?4 FROM ";

statements! { "activity";
    tenant INSERT = "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    /// Many entries at once.
    tenant INSERT_EACH = INSERT_ITEMS, ITEMS => INSERT_ITEMS, ITEMS_POSTGRES;

    /// A refusal: once a minute for each route, so that nobody can fill the log.
    tenant INSERT_DENIED = "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         SELECT t.id, ?2, ?3, 'access.denied', ?4, ?5, ?6, ?7 FROM tenants t WHERE t.id = ?1 AND NOT EXISTS \
         (SELECT 1 FROM activity a WHERE a.tenant_id = ?1 AND a.action = 'access.denied' AND a.id > ?10 \
         AND a.created_at > ?8 AND a.actor_id = ?3 AND a.detail ->> 'route' = ?9)";

    /// An export of the tenant's secrets: once an hour, so that the parts of an export are one entry, and the entry
    /// does not keep the export from ending, which begins again after every write.
    tenant INSERT_EXPORT = "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         SELECT t.id, ?2, ?3, 'tenant.exported', 'tenant', t.id, ?4, ?5 FROM tenants t WHERE t.id = ?1 AND NOT EXISTS \
         (SELECT 1 FROM activity a WHERE a.tenant_id = ?1 AND a.action = 'tenant.exported' AND a.id > ?7 \
         AND a.created_at > ?6 AND a.actor_id = ?3)";

    /// An entry in every tenant that the user is in: its members see the change too.
    spanning INSERT_FOR_USER = "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         SELECT m.tenant_id, ?2, ?6, ?3, 'user', ?1, ?4, ?5 FROM memberships m \
         WHERE m.user_id = ?1 AND m.status = 'active'";

    /// The same for a user who is about to be renamed. It stands in front of the statement that renames.
    spanning INSERT_FOR_RENAMED = "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         SELECT m.tenant_id, ?2, ?1, 'user.updated', 'user', ?1, ?3, ?4 FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE m.user_id = ?1 AND m.status = 'active' AND u.name <> ?5";

    /// An entry in the tenant that a user has just joined by this membership, if they have.
    spanning INSERT_FOR_JOINED = "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         SELECT m.tenant_id, ?2, ?1, 'member.joined', 'member', ?1, '{}', ?3 FROM memberships m \
         WHERE m.user_id = ?1 AND m.id = ?4";

    /// An entry in each tenant that a user is in, whether active or suspended: they leave it with their account.
    spanning INSERT_FOR_DELETED = "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         SELECT m.tenant_id, ?2, ?1, 'member.left', 'member', ?1, '{}', ?3 FROM memberships m \
         JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL WHERE m.user_id = ?1";

    /// An entry in the tenant `default`, if this user has just become its owner.
    spanning INSERT_FOR_CLAIM = "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         SELECT t.id, ?2, ?1, 'tenant.claimed', 'tenant', t.id, ?3, ?4 FROM tenants t \
         WHERE t.slug = 'default' AND t.created_by = ?1";
}

/// Parts of an export that follow each other within this time are one entry.
const EXPORT_IS_NOTED_EVERY: Duration = Duration::from_hours(1);

/// An event.
pub(super) struct Event {
    /// `entity.verb`, in the past tense.
    pub(crate) action: &'static str,
    pub(crate) entity_type: &'static str,
    pub(crate) entity_id: Uuid,
    pub(crate) detail: Json,
}

impl Event {
    pub(super) fn new(
        action: &'static str,
        entity_type: &'static str,
        entity_id: Uuid,
        detail: Json,
    ) -> Self {
        Self { action, entity_type, entity_id, detail }
    }
}

/// Adds the entry to the batch. Entries of the operator have no actor.
pub(super) fn record(
    batch: &mut Batch<'_>,
    services: &Services,
    actor: impl Into<Option<UserId>>,
    event: Event,
) -> Result<()> {
    let _: Slot<()> = batch.add(
        &INSERT,
        [
            services.new_id()?.into(),
            actor.into().into(),
            event.action.into(),
            event.entity_type.into(),
            event.entity_id.into(),
            event.detail.into(),
            services.now().into(),
        ],
    );
    Ok(())
}

/// Adds to the batch an entry in each tenant that a user is in, about a change of their account. Entries of the
/// operator have no actor.
pub(super) fn record_of_user(
    batch: &mut Batch<'_>,
    user: UserId,
    actor: impl Into<Option<UserId>>,
    action: &'static str,
    detail: Json,
) -> Result<()> {
    let services = batch.services();
    let arguments = [
        user.into(),
        services.new_id()?.into(),
        action.into(),
        detail.into(),
        services.now().into(),
        actor.into().into(),
    ];
    let _: Slot<()> = batch.add_global(&INSERT_FOR_USER, arguments);
    Ok(())
}

/// The same for a user who gets this name, if they have another one.
pub(super) fn record_rename(batch: &mut Batch<'_>, user: UserId, name: &Name) -> Result<()> {
    let services = batch.services();
    let detail = json::object(vec![("name", name.clone().into())]);
    let arguments =
        [user.into(), services.new_id()?.into(), detail.into(), services.now().into(), name.clone().into()];
    let _: Slot<()> = batch.add_global(&INSERT_FOR_RENAMED, arguments);
    Ok(())
}

/// Adds an entry in each tenant that a user leaves with their account.
pub(super) fn record_departure(batch: &mut Batch<'_>, user: UserId) -> Result<()> {
    let services = batch.services();
    let arguments = [user.into(), services.new_id()?.into(), services.now().into()];
    let _: Slot<()> = batch.add_global(&INSERT_FOR_DELETED, arguments);
    Ok(())
}

/// Adds several entries to the batch, of events in this order.
pub(super) fn record_each(
    batch: &mut Batch<'_>,
    services: &Services,
    actor: UserId,
    events: Vec<Event>,
) -> Result<()> {
    let mut items = Vec::with_capacity(events.len());
    for (id, event) in services.new_ids(events.len())?.into_iter().zip(events) {
        items.push(json::object(vec![
            ("id", id.to_string().into()),
            ("action", event.action.into()),
            ("entity_type", event.entity_type.into()),
            ("entity_id", event.entity_id.to_string().into()),
            ("detail", event.detail),
        ]));
    }
    for array in arrays(items) {
        let _: Slot<()> = batch.add(&INSERT_EACH, [array.into(), actor.into(), services.now().into()]);
    }
    Ok(())
}

/// Adds an entry about an export of the tenant's secrets.
pub(super) fn record_export(batch: &mut Batch<'_>, user: UserId) -> Result<()> {
    let (services, detail) = (batch.services(), json::object(vec![("secrets", true.into())]));
    let now = services.now();
    let since = now.minus(EXPORT_IS_NOTED_EVERY);
    let arguments = [
        services.new_id()?.into(),
        user.into(),
        detail.into(),
        now.into(),
        since.into(),
        least_id(since).into(),
    ];
    let _: Slot<()> = batch.add(&INSERT_EXPORT, arguments);
    Ok(())
}

/// A refusal of a member's request.
pub(crate) struct Denial<'a> {
    pub(crate) user: UserId,
    /// The API key of the request, if its credential was one.
    pub(crate) key: Option<ApiKeyId>,
    pub(crate) entity_type: &'a str,
    pub(crate) entity_id: Uuid,
    /// The method and the path of the route.
    pub(crate) route: String,
    /// The time after an entry in which the same member gets no other entry about the same route.
    pub(crate) pause: Duration,
}

/// Adds an entry about a refusal, unless there is a recent one of the same route.
pub(crate) fn record_denied(batch: &mut Batch<'_>, denial: Denial<'_>) -> Result<()> {
    let Denial { user, key, entity_type, entity_id, route, pause } = denial;
    let services = batch.services();
    let now = services.now();
    let since = now.minus(pause);
    let mut detail = vec![("route", route.clone().into())];
    detail.extend(key.map(|key| ("api_key_id", key.into())));
    let _: Slot<()> = batch.add(
        &INSERT_DENIED,
        [
            services.new_id()?.into(),
            user.into(),
            entity_type.into(),
            entity_id.into(),
            json::object(detail).into(),
            now.into(),
            since.into(),
            route.into(),
            least_id(since).into(),
        ],
    );
    Ok(())
}
