//! Members who ask for more than their role gives, where that is about who may do what: the owners see it in the
//! activity of their tenant. Strangers leave no trace there, or they could fill it.

use std::time::Duration;

use crate::{
    access::{context::Context, rule::Access, scopes::background::BackgroundScope},
    http::problem::{Code, Problem},
    kernel::values::{ApiKeyId, TenantId, UserId, enumerations::Role, uuid},
    repository::activity,
    routes::Route,
};

/// So long another attempt of the same member at the same route is not told again.
const PAUSE: Duration = Duration::from_mins(1);

/// Whether this refusal is one that owners are told of: on what only they may do, and on what decides
/// who has access.
pub(super) fn is_recorded(route: &Route, problem: &Problem) -> bool {
    problem.code == Code::InsufficientRole
        && matches!(route.access, Access::Member(Role::Owner) | Access::InPerson(_))
}

/// Writes it down. The role was found too low by the membership check, so whoever asks is a member.
pub(super) async fn record(
    context: &Context,
    route: &Route,
    tenant: TenantId,
    (user, key): (UserId, Option<ApiKeyId>),
    path: &[(String, String)],
    problem: Box<Problem>,
) -> Box<Problem> {
    // What the path names was not looked at: it may be anything.
    let entity = path.first().and_then(|(name, id)| Some((name.trim_end_matches("_id"), uuid(id)?)));
    let (kind, id) = match entity {
        Some(("user", id)) => ("member", id),
        Some(entity) => entity,
        None => ("tenant", tenant.0),
    };
    let scope = BackgroundScope::new(&context.services).with(&context.meter);
    let mut batch = scope.batch(Some(tenant));
    let recorded = match activity::record_denied(
        &mut batch,
        (user, key),
        (kind, id),
        format!("{} {}", route.method, route.path),
        PAUSE,
    ) {
        Ok(()) => scope.run(batch).await,
        Err(error) => Err(error),
    };
    match recorded {
        Ok(_) => problem,
        Err(error) => {
            let why = error.internal_text().unwrap_or_else(|| error.code.as_str());
            let why = format!("this refusal could not be written into the activity: {why}");
            problem.because(why)
        }
    }
}
