//! What people do, one function each: it draws a request, and says what the model makes of it.

mod accounts;
mod admin;
mod comments;
mod hostile;
mod invitations;
mod members;
mod notifications;
mod projects;
mod tasks;
mod tenants;

use super::{draw::Draw, plan::Plan, world::World};

/// Draws a request, and says what is to come of it.
type Operation = fn(&World, &mut Draw) -> Plan;

/// How often each is drawn, as against the others.
const OPERATIONS: &[(usize, Operation)] = &[
    (12, projects::create),
    (5, projects::update),
    (2, projects::delete),
    (14, projects::transition),
    (7, projects::get),
    (7, projects::list),
    (2, projects::history),
    (14, tasks::create),
    (7, tasks::update),
    (2, tasks::delete),
    (5, tasks::get),
    (6, tasks::list),
    (10, comments::create),
    (4, comments::update),
    (2, comments::delete),
    (6, comments::get),
    (3, comments::list),
    (3, members::list),
    (2, members::get),
    (2, members::me),
    (6, members::update),
    (2, members::remove),
    (1, members::leave),
    (6, invitations::create),
    (6, invitations::accept),
    (2, invitations::revoke),
    (4, invitations::get),
    (3, invitations::list),
    (5, notifications::list),
    (2, notifications::count),
    (4, notifications::read),
    (1, notifications::read_all),
    (2, notifications::mute),
    (3, tenants::configure),
    (2, tenants::config),
    (2, tenants::list),
    (2, tenants::create),
    (2, tenants::get),
    (2, tenants::rename),
    (1, tenants::delete),
    (2, admin::statistics),
    (4, admin::activity),
    (2, admin::deliveries),
    (2, admin::retry),
    (2, admin::owned),
    (4, admin::catalogue),
    (3, admin::published),
    (2, accounts::me),
    (2, accounts::rename),
    (5, accounts::log_in),
    (2, accounts::refresh),
    (1, accounts::log_out),
    (2, accounts::sessions),
    (2, accounts::revoke),
    (1, accounts::change_password),
    (2, hostile::tenant_in_the_body),
    (2, hostile::tenant_in_the_query),
    (2, hostile::ids_in_the_body),
];

/// What comes next.
pub(super) fn draw(world: &World, draw: &mut Draw) -> Plan {
    // Who is out does nothing else that succeeds.
    if world.users.iter().any(|user| !user.sessions[user.current].good) && draw.chance(20) {
        return accounts::log_in(world, draw);
    }
    // What there is none of nobody can ask for.
    if let Some(bare) = world.tenants.iter().find(|tenant| !tenant.gone && tenant.comments.is_empty())
        && draw.chance(25)
    {
        return match (bare.projects.is_empty(), bare.tasks.is_empty()) {
            (true, _) => projects::create(world, draw),
            (false, true) => tasks::create(world, draw),
            (false, false) => comments::create(world, draw),
        };
    }
    let total = OPERATIONS.iter().map(|(weight, _)| weight).sum();
    let mut at = draw.below(total);
    for (weight, operation) in OPERATIONS {
        if at < *weight {
            return operation(world, draw);
        }
        at -= weight;
    }
    unreachable!("it is below the total")
}

/// How many items a page has; further pages are asked for.
fn limit(draw: &mut Draw) -> usize {
    draw.of([6, 100])
}
