//! The scopes: the only ways to the database. A handler gets the one that its route's access rule opens ([`open`]), and
//! repositories exist only behind them: [`TenantScope`] to a tenant's data, [`PublicTenantScope`] to a tenant's public data,
//! [`AccountScope`] to a user's own data, [`AnonymousScope`] to signing in. No request gets
//! [`OperatorScope`](operator::OperatorScope) or [`BackgroundScope`](background::BackgroundScope).
//!
//! Each scope puts its check in front of its batch, so that access is decided in the same transaction that reads or
//! writes the data.

pub(crate) mod account;
pub(crate) mod anonymous;
pub(crate) mod background;
pub(crate) mod operator;
pub(crate) mod public_tenant;
pub(crate) mod tenant;

use std::sync::Arc;

use crate::{
    access::{
        batch::Outcome,
        context::Context,
        named::NamedSlug,
        rule::Access,
        scopes::{
            account::{AccountScope, Login},
            anonymous::AnonymousScope,
            public_tenant::PublicTenantScope,
            tenant::TenantScope,
        },
    },
    auth::token::{Bearer, Credential},
    http::problem::{Code, Problem, Result},
    kernel::values::TenantId,
};

pub(super) fn not_a_member() -> Box<Problem> {
    Problem::new(Code::NotAMember)
}

pub(super) fn session_ended() -> Box<Problem> {
    Problem::new(Code::InvalidToken)
}

/// A batch without a check in front has a problem for each statement that may miss.
pub(super) fn unguarded(done: Result<Outcome, Option<Box<Problem>>>) -> Result<Outcome> {
    done.map_err(|problem| {
        problem.unwrap_or_else(|| Problem::internal("no problem is set for a miss of the first statement"))
    })
}

/// The scope that an access rule opens.
#[derive(Clone)]
pub(crate) enum Scope {
    Anonymous(AnonymousScope),
    Account(AccountScope),
    PublicTenant(PublicTenantScope),
    Tenant(TenantScope),
}

/// Opens the scope of a rule, for a verified credential and for the tenant of a request that is about one.
pub(crate) fn open(
    rule: Access,
    bearer: Option<&Bearer>,
    tenant: Option<(TenantId, Option<NamedSlug>)>,
    context: &Arc<Context>,
) -> Result<Scope> {
    let context = context.clone();
    Ok(match (rule, bearer, tenant) {
        (Access::SignedIn, Some(bearer), _) => {
            let login = match bearer.credential() {
                Credential::Session(id) => Login::Session(*id),
                Credential::Identity(id) => Login::Identity(*id),
                Credential::Key(_) => return Err(Problem::internal("an access rule came with an API key")),
            };
            Scope::Account(AccountScope::open(context, bearer.user(), login))
        }
        (Access::AnyoneInTenant, _, Some((tenant, slug))) => {
            Scope::PublicTenant(PublicTenantScope::open(context, tenant, slug))
        }
        (Access::Member(least) | Access::InPerson(least), Some(bearer), Some((tenant, slug))) => {
            let least = rule.least(Some(bearer)).unwrap_or(least);
            Scope::Tenant(TenantScope::open(context, tenant, slug, bearer.clone(), least))
        }
        (Access::Public, ..) => Scope::Anonymous(AnonymousScope::open(context)),
        _ => return Err(Problem::internal("an access rule came without what it is about")),
    })
}
