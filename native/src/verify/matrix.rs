//! The shared part of the matrices, wherever they run: the expected answer for each caller, and every place of a
//! request where another tenant's id can stand.

use std::{fmt, sync::LazyLock};

use bailiwick_core::{Access, routes::Route, values::Role};
use serde_json::{Map, Value, json};

use super::samples::Sample;
use crate::ports::assets::Embedded;

/// Status and code of a problem.
pub type Refusal = (u16, &'static str);

/// The relation of a person to a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No token is sent.
    Anonymous,
    /// A person with an account, but not in this tenant.
    Stranger,
    /// A member of this role.
    In(Role),
    /// An owner who was suspended.
    Suspended,
    /// An owner who was removed.
    Removed,
    /// A machine, with an owner's API key of this role.
    Key(Role),
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Anonymous,
        Self::Stranger,
        Self::In(Role::Viewer),
        Self::In(Role::Member),
        Self::In(Role::Manager),
        Self::In(Role::Owner),
        Self::Suspended,
        Self::Removed,
        Self::Key(Role::Viewer),
        Self::Key(Role::Member),
        Self::Key(Role::Manager),
        Self::Key(Role::Owner),
    ];

    /// Whether they see the data of the tenant.
    pub const fn is_member(self) -> bool {
        matches!(self, Self::In(_) | Self::Key(_))
    }

    /// Whether a route with this rule admits them, or else the refusal.
    ///
    /// # Errors
    /// The refusal.
    pub fn expected(self, access: Access) -> Result<(), Refusal> {
        match (access, self) {
            (Access::Public | Access::AnyoneInTenant, _) | (Access::InPerson(_), Self::Key(Role::Owner)) => {
                Ok(())
            }
            (_, Self::Anonymous) => Err((401, "authentication_required")),
            (Access::SignedIn, Self::Key(_)) => Err((403, "session_required")),
            (Access::SignedIn, _) => Ok(()),
            (Access::Member(least) | Access::InPerson(least), Self::In(role)) if role >= least => Ok(()),
            (Access::Member(least), Self::Key(role)) if role >= least => Ok(()),
            (Access::Member(_) | Access::InPerson(_), Self::In(_) | Self::Key(_)) => {
                Err((403, "insufficient_role"))
            }
            (Access::Member(_) | Access::InPerson(_), _) => Err((403, "not_a_member")),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "nobody",
            Self::Stranger => "a stranger",
            Self::In(role) => role.as_str(),
            Self::Key(Role::Viewer) => "a viewer's API key",
            Self::Key(Role::Member) => "a member's API key",
            Self::Key(Role::Manager) => "a manager's API key",
            Self::Key(Role::Owner) => "an owner's API key",
            Self::Suspended => "a suspended owner",
            Self::Removed => "a removed owner",
        })
    }
}

/// Whether requests to a route name a tenant.
pub const fn names_a_tenant(access: Access) -> bool {
    match access {
        Access::Member(_) | Access::InPerson(_) | Access::AnyoneInTenant => true,
        Access::Public | Access::SignedIn => false,
    }
}

/// The names of the placeholders of a path, in order.
pub fn placeholders(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split(['{', '}']).skip(1).step_by(2)
}

/// A place in a request for something of another tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A placeholder of the path.
    Path(usize, &'static str),
    /// A member of the body: its JSON pointer, and what it names.
    Body(String, String),
    /// A parameter of the query.
    Query(String),
    /// The tenant, by its id.
    TenantId,
    /// The tenant, by its slug.
    TenantSlug,
    /// The tenant's id, beside the caller's own slug.
    IdBesideOwnSlug,
    /// The tenant's slug, beside the caller's own id.
    SlugBesideOwnId,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(_, name) => write!(f, "{name} in the path"),
            Self::Body(pointer, _) => write!(f, "{pointer} in the body"),
            Self::Query(name) => write!(f, "{name} in the query"),
            Self::TenantId => f.write_str("X-Tenant-ID"),
            Self::TenantSlug => f.write_str("X-Tenant-Slug"),
            Self::IdBesideOwnSlug => f.write_str("X-Tenant-ID beside the caller's own X-Tenant-Slug"),
            Self::SlugBesideOwnId => f.write_str("X-Tenant-Slug beside the caller's own X-Tenant-ID"),
        }
    }
}

/// The checked-in description of the service; the parameters and responses of its operations replace the references to
/// them.
pub fn description() -> &'static Value {
    // It is long, and needed again and again.
    static DESCRIPTION: LazyLock<Value> = LazyLock::new(read_description);
    &DESCRIPTION
}

fn read_description() -> Value {
    let bytes = Embedded::file("openapi.json").unwrap_or_default();
    let mut document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let components = document["components"].clone();
    let put_in_place = |part: &mut Value| {
        let place = part["$ref"].as_str().and_then(|name| name.strip_prefix("#/components"));
        if let Some(found) = place.and_then(|place| components.pointer(place)) {
            *part = found.clone();
        }
    };
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        operation["parameters"].as_array_mut().into_iter().flatten().for_each(put_in_place);
        operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut).for_each(put_in_place);
    }
    document
}

/// The description of a route.
pub fn operation<'d>(document: &'d Value, route: &Route) -> &'d Value {
    &document["paths"][route.path][route.method.as_str().to_lowercase()]
}

/// The resource that a member of the body names, by its own name or else by its type.
fn named_by(name: &str, schema: &Value) -> String {
    let kind = schema["$ref"].as_str().and_then(|kind| kind.rsplit('/').next()?.strip_suffix("Id"));
    match (name, kind) {
        ("id", Some(kind)) => format!("{}_id", kind.to_lowercase()),
        _ => name.to_owned(),
    }
}

/// Every place of a route's requests where an id of a tenant's data can stand, read from the description.
pub fn slots(document: &Value, route: &'static Route) -> Vec<Slot> {
    let named = |schema: &Value| {
        schema["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#')))
    };
    let is_id = |schema: &Value| {
        let schema = schema["anyOf"].as_array().and_then(|any| any.first()).unwrap_or(schema);
        named(schema).unwrap_or(schema)["format"] == "uuid"
    };
    let operation = operation(document, route);
    let mut slots: Vec<_> =
        placeholders(route.path).enumerate().map(|(at, name)| Slot::Path(at, name)).collect();
    let ids = |of: &Value, at: &str| {
        let members = named(of).and_then(|of| of["properties"].as_object()).into_iter().flatten();
        let ids = members.filter(|(_, schema)| is_id(schema));
        ids.map(|(name, schema)| Slot::Body(format!("{at}/{name}"), named_by(name, schema)))
            .collect::<Vec<_>>()
    };
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    slots.extend(ids(body, ""));
    for (name, schema) in named(body).and_then(|body| body["properties"].as_object()).into_iter().flatten() {
        // A list of alternatives: the sample has one of each, in this order.
        for (place, item) in schema["items"]["oneOf"].as_array().into_iter().flatten().enumerate() {
            slots.extend(ids(item, &format!("/{name}/{place}")));
        }
    }
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "query" && is_id(&parameter["schema"]) {
            slots.extend(parameter["name"].as_str().map(|name| Slot::Query(name.to_owned())));
        }
    }
    // Public data of any tenant may be asked for.
    if !matches!(route.access, Access::AnyoneInTenant) {
        slots.extend([Slot::TenantId, Slot::TenantSlug]);
    }
    slots.extend([Slot::IdBesideOwnSlug, Slot::SlugBesideOwnId]);
    slots
}

/// A tenant, as requests name it.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its slug.
    pub slug: &'a str,
}

/// A request with something of another tenant in it, to be sent with the caller's own token.
#[derive(Clone, Debug)]
pub struct Crafted {
    /// Path and query.
    pub path: String,
    /// The body.
    pub body: Option<Value>,
    /// `X-Tenant-ID`.
    pub tenant_id: Option<String>,
    /// `X-Tenant-Slug`.
    pub tenant_slug: Option<String>,
}

impl Slot {
    /// The expected refusal; if there is none, a list must be empty.
    pub fn refusal(&self, access: Access) -> Option<Refusal> {
        match self {
            Self::Path(..) => Some((404, "not_found")),
            Self::Body(..) => Some((422, "validation_failed")),
            Self::Query(_) => None,
            Self::TenantId | Self::TenantSlug => Some((403, "not_a_member")),
            Self::IdBesideOwnSlug if access != Access::AnyoneInTenant => Some((403, "not_a_member")),
            Self::IdBesideOwnSlug | Self::SlugBesideOwnId => Some((400, "tenant_conflict")),
        }
    }

    /// The request: the caller's own sample with the other's value in this place. A body's or query's value is given.
    pub fn craft(
        &self,
        (own, mine): (&Sample, Names<'_>),
        (foreign, other): (&Sample, Names<'_>),
        planted: &str,
    ) -> Crafted {
        let mut sample = own.clone();
        let (mut id, mut slug) = (Some(mine.id), None);
        match self {
            Self::Path(at, _) => {
                if let (Some(place), Some(with)) = (sample.ids.get_mut(*at), foreign.ids.get(*at)) {
                    place.clone_from(with);
                }
            }
            Self::Body(pointer, _) => {
                if let Some(place) = sample.body.as_mut().and_then(|body| body.pointer_mut(pointer)) {
                    *place = json!(planted);
                }
            }
            Self::Query(name) => sample.query = Some(format!("{name}={planted}")),
            Self::TenantId => (sample, id) = (foreign.clone(), Some(other.id)),
            Self::TenantSlug => (sample, id, slug) = (foreign.clone(), None, Some(other.slug)),
            Self::IdBesideOwnSlug => (id, slug) = (Some(other.id), Some(mine.slug)),
            Self::SlugBesideOwnId => slug = Some(other.slug),
        }
        Crafted {
            path: sample.path(),
            body: sample.body,
            tenant_id: id.map(str::to_owned),
            tenant_slug: slug.map(str::to_owned),
        }
    }
}
