//! Refusals of members whose role is too low for a decision about rights: owners see them in the activity of their
//! tenant. Refusals of other callers leave no trace there, since strangers could fill it.

use std::time::Duration;

use crate::{
    access::{context::Context, rule::Access, scopes::background::BackgroundScope},
    auth::token::Bearer,
    http::problem::{Code, Problem},
    kernel::values::{TenantId, enumerations::Role, uuid},
    repository::activity::{self, Denial},
    routes::Route,
};

/// The time in which a repetition by the same member at the same route is not recorded.
const PAUSE: Duration = Duration::from_mins(1);

/// Whether owners see this refusal: those of routes for owners only, and of routes that decide who has access.
pub(super) fn is_recorded(route: &Route, problem: &Problem) -> bool {
    problem.code == Code::InsufficientRole
        && matches!(route.access, Access::Member(Role::Owner) | Access::InPerson(_))
}

/// Records the refusal. The membership check has found the caller's role too low, so the caller is a member.
pub(super) async fn record(
    context: &Context,
    route: &Route,
    tenant: TenantId,
    caller: &Bearer,
    path: &[(String, String)],
    problem: Box<Problem>,
) -> Box<Problem> {
    // The id in the path was not looked up: it may be anything.
    let entity = path.first().and_then(|(name, id)| Some((name.trim_end_matches("_id"), uuid(id)?)));
    let (entity_type, entity_id) = match entity {
        Some(("user", id)) => ("member", id),
        Some(entity) => entity,
        None => ("tenant", tenant.0),
    };
    let scope = BackgroundScope::new(&context.services).with(&context.meter);
    let mut batch = scope.batch(Some(tenant));
    let denial = Denial {
        user: caller.user(),
        key: caller.key(),
        entity_type,
        entity_id,
        route: format!("{} {}", route.method, route.path),
        pause: PAUSE,
    };
    let recorded = match activity::record_denied(&mut batch, denial) {
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
