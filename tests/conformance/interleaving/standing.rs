//! For every route that writes in a second batch: whoever asks loses what lets them, between the first and the second.

use bailiwick_core::{
    Access,
    routes::{ROUTES, Route},
    values::Role,
};
use bailiwick_tests::{
    actors::{Actor, Tenant, session_of},
    provider::{Person, Provider},
    receivers::gates::Reached,
    targets::Target,
};
use serde_json::json;

use super::{rows, sql};
use crate::{
    Case,
    matrix::samples::{ask, sample},
};

/// What happens in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    /// Their role falls below the route's.
    Demoted,
    /// Their membership is suspended.
    Suspended,
    /// Their membership is taken away.
    Removed,
    /// Their account is disabled.
    Disabled,
    /// Their session ends.
    LoggedOut,
    /// The identity that they came by is taken away.
    Unlinked,
    /// Their API key is revoked.
    KeyRevoked,
    /// Their API key expires.
    KeyExpired,
    /// The role of whoever made their API key falls.
    MakerDemoted,
    /// Whoever made their API key is removed, and the key with them.
    MakerRemoved,
    /// The operator closes the tenant.
    TenantSuspended,
    /// The tenant is deleted.
    TenantDeleted,
}

/// What an account's routes rely on.
const OF_ACCOUNT: &[Fact] = &[Fact::Disabled, Fact::LoggedOut, Fact::Unlinked];

/// What a tenant's routes rely on; the tenant is gone at the end.
const OF_MEMBER: &[Fact] = &[
    Fact::Demoted,
    Fact::Suspended,
    Fact::Removed,
    Fact::Disabled,
    Fact::LoggedOut,
    Fact::Unlinked,
    Fact::KeyRevoked,
    Fact::KeyExpired,
    Fact::MakerDemoted,
    Fact::MakerRemoved,
    Fact::TenantSuspended,
    Fact::TenantDeleted,
];

pub(super) fn cases() -> Vec<Case> {
    let writes = ROUTES.iter().filter(|route| route.method != "GET");
    writes
        .map(|route| Case::new(format!("interleaving::{}", route.name), move |target| every(target, route)))
        .collect()
}

/// The role that a route takes, if it takes one.
fn least(access: Access) -> Option<Role> {
    match access {
        Access::Member(least) | Access::InPerson(least) => Some(least),
        Access::Public | Access::AnyoneInTenant | Access::SignedIn => None,
    }
}

/// Alone, a route succeeds, and is held if the table says that it takes two batches: a route that comes to need a second
/// one, or no longer does, shows there. Then each fact.
async fn every(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    let own = sample(route, &tenant, &tenant.owner).await;
    let (held, answer) = match ask(&own, &tenant.owner, &tenant).hold().await {
        Reached::Held(held) => (true, held.release().await),
        Reached::Answered(answer) => (false, answer),
    };
    assert_eq!(answer.status, own.success, "{route:?}: {answer:?}");
    assert_eq!(
        held,
        route.batches > 1,
        "{route:?} reads before it writes, or does not, unlike the table says"
    );
    if !held {
        // The check is in its only batch.
        return;
    }
    let facts = match route.access {
        Access::Member(_) | Access::InPerson(_) => OF_MEMBER,
        Access::SignedIn => OF_ACCOUNT,
        Access::Public | Access::AnyoneInTenant => return,
    };
    let tenant = Tenant::create(target).await;
    for fact in facts {
        if *fact == Fact::Demoted && least(route.access) == Some(Role::Viewer) {
            continue;
        }
        loses(route, *fact, &tenant).await;
    }
}

impl Fact {
    /// Whether it is about an API key.
    fn of_key(self) -> bool {
        matches!(self, Self::KeyRevoked | Self::KeyExpired | Self::MakerDemoted | Self::MakerRemoved)
    }

    /// The role that whoever asks has at first: not more than it takes.
    fn role(self, access: Access) -> Role {
        let least = least(access).unwrap_or(Role::Viewer);
        match access {
            Access::InPerson(_) if self.of_key() => Role::Owner,
            // Who may make a key at all.
            _ if self.of_key() => least.max(Role::Member),
            _ => least,
        }
    }

    fn refusal(self) -> (u16, &'static str) {
        match self {
            Self::Demoted | Self::MakerDemoted => (403, "insufficient_role"),
            Self::Suspended | Self::Removed | Self::TenantDeleted => (403, "not_a_member"),
            Self::TenantSuspended => (403, "tenant_suspended"),
            Self::Disabled
            | Self::LoggedOut
            | Self::Unlinked
            | Self::KeyRevoked
            | Self::KeyExpired
            | Self::MakerRemoved => (401, "invalid_token"),
        }
    }

    /// Somebody in person, as they ask by what the fact is about.
    async fn asker(self, tenant: &Tenant<'static>, somebody: &Actor<'static>, role: Role) -> Actor<'static> {
        match self {
            _ if self.of_key() => tenant.machine(somebody, role.as_str()).await,
            Self::Unlinked => {
                let token = Provider::shared().access_token("ES256", &Person::new("somebody")).await;
                somebody.post("/v1/me/identities").json(&json!({ "token": token })).send().await.expect(201);
                Actor { token: Some(token), ..somebody.clone() }
            }
            _ => somebody.clone(),
        }
    }

    /// Makes it so.
    async fn happens(self, tenant: &Tenant<'static>, asker: &Actor<'static>, role: Role) {
        let (target, user) = (asker.target, &asker.id);
        let of_key = format!("WHERE tenant_id = '{}' AND user_id = '{user}'", tenant.id);
        match self {
            Self::Demoted | Self::MakerDemoted => {
                let below = match role {
                    Role::Owner => "manager",
                    Role::Manager => "member",
                    Role::Member | Role::Viewer => "viewer",
                };
                tenant.set(asker, "role", below).await;
            }
            Self::Suspended => tenant.set(asker, "status", "suspended").await,
            Self::Removed | Self::MakerRemoved => tenant.remove(asker).await,
            Self::Disabled => {
                sql(target, format!("UPDATE users SET disabled_at = created_at WHERE id = '{user}'")).await;
            }
            Self::LoggedOut => {
                let session = session_of(asker.token.as_deref().expect("a token"));
                sql(target, format!("UPDATE sessions SET revoked_at = created_at WHERE id = '{session}'"))
                    .await;
            }
            Self::Unlinked => sql(target, format!("DELETE FROM identities WHERE user_id = '{user}'")).await,
            Self::KeyRevoked => sql(target, format!("DELETE FROM api_keys {of_key}")).await,
            Self::KeyExpired => {
                sql(target, format!("UPDATE api_keys SET expires_at = created_at {of_key}")).await;
            }
            Self::TenantSuspended => suspend(tenant, "created_at").await,
            Self::TenantDeleted => {
                let path = format!("/v1/tenant?confirm={}", tenant.slug);
                tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
            }
        }
    }
}

async fn suspend(tenant: &Tenant<'static>, since: &str) {
    let statement = format!("UPDATE tenants SET suspended_at = {since} WHERE id = '{}'", tenant.id);
    sql(tenant.owner.target, statement).await;
}

async fn loses(route: &'static Route, fact: Fact, tenant: &Tenant<'static>) {
    let role = fact.role(route.access);
    let somebody = Actor::register(tenant.owner.target, "somebody").await;
    tenant.admit(&somebody, role.as_str()).await;
    let own = sample(route, tenant, &somebody).await;
    let asker = fact.asker(tenant, &somebody, role).await;
    let held = match ask(&own, &asker, tenant).hold().await {
        Reached::Held(held) => held,
        Reached::Answered(answer) => panic!("{route:?}, {fact:?}: answered without being held: {answer:?}"),
    };
    fact.happens(tenant, &asker, role).await;
    let before = rows(tenant, &asker).await;
    let answer = held.release().await;
    let (status, code) = fact.refusal();
    assert_eq!((answer.status, answer.code()), (status, code), "{route:?}, {fact:?}: {answer:?}");
    answer.problem(status, code);
    let mut after = rows(tenant, &asker).await;
    // Members who ask for what decides who may do what are told of in the activity.
    let told = code == "insufficient_role"
        && matches!(route.access, Access::Member(Role::Owner) | Access::InPerson(_));
    let entry = |row: &String| !before.contains(row) && row.contains("access.denied");
    assert_eq!(after.extract_if(.., |row| entry(row)).count(), usize::from(told), "{route:?}, {fact:?}");
    assert_eq!(before, after, "{route:?} was refused ({fact:?}), but it left traces");
    if fact == Fact::TenantSuspended {
        suspend(tenant, "NULL").await;
    }
}
