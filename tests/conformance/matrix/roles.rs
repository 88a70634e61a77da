//! Every route, asked by everybody: nobody, a stranger, each role, a suspended and a removed member; and by machines with
//! a key of each role.

use bailiwick::verify::matrix::Standing;
use bailiwick_core::{
    Access,
    routes::{ROUTES, Route},
    values::Role,
};
use bailiwick_tests::{
    actors::{Actor, Tenant},
    client::Answer,
    provided,
    targets::Target,
};

use super::samples::{ask, sample};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let people = ROUTES.iter().map(|route| {
        Case::new(format!("role_matrix::{}", route.name), move |target| everybody_asks(target, route))
    });
    let machines = ROUTES.iter().map(|route| {
        Case::new(format!("key_matrix::{}", route.name), move |target| every_machine_asks(target, route))
    });
    people.chain(machines).collect()
}

async fn everybody_asks(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    let (stranger, suspended, removed) = tokio::join!(
        Actor::register(target, "stranger"),
        Actor::register(target, "suspended"),
        Actor::register(target, "removed")
    );
    // They were owners: their tokens are as good as any.
    tenant.admit(&suspended, "owner").await;
    tenant.admit(&removed, "owner").await;
    suspended.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    removed.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
    tenant.set(&suspended, "status", "suspended").await;
    tenant.remove(&removed).await;
    let anonymous = Actor::anonymous(target);
    for standing in Standing::ALL {
        let actor = match standing {
            Standing::Anonymous => &anonymous,
            Standing::Stranger => &stranger,
            Standing::In(Role::Viewer) => &tenant.viewer,
            Standing::In(Role::Member) => &tenant.member,
            Standing::In(Role::Manager) => &tenant.manager,
            Standing::In(Role::Owner) => &tenant.owner,
            Standing::Suspended => &suspended,
            Standing::Removed => &removed,
            // Machines have a matrix of their own.
            Standing::Key(_) => continue,
        };
        // What only a member can have is arranged for the owner where the one who asks is none.
        let user = match (route.access, standing) {
            (_, Standing::In(_)) => actor,
            (_, Standing::Anonymous) | (Access::Member(_) | Access::InPerson(_), _) => &tenant.owner,
            _ => actor,
        };
        asks(route, &tenant, (standing, actor), user).await;
    }
}

async fn every_machine_asks(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    for role in Role::ALL {
        // Each has a maker of its own: of one person's attempts at the same route the first is told, for a while.
        let maker = Actor::register(target, "maker").await;
        tenant.admit(&maker, "owner").await;
        let machine = tenant.machine(&maker, role.as_str()).await;
        asks(route, &tenant, (Standing::Key(*role), &machine), &maker).await;
    }
}

/// Somebody asks, for things of this user.
async fn asks(
    route: &'static Route,
    tenant: &Tenant<'static>,
    (standing, actor): (Standing, &Actor<'static>),
    user: &Actor<'static>,
) {
    let target = tenant.owner.target;
    let sample = sample(route, tenant, user).await;
    // What the one before has sent off may still be under way, and changes its row when it arrives.
    let pending =
        format!("SELECT count(*) FROM deliveries WHERE tenant_id = '{}' AND state = 'pending'", tenant.id);
    target
        .until("nothing to be under way", async || {
            provided(target.backdoor.count(&pending).await, |left| *left == 0)
        })
        .await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    let answer: Answer = ask(&sample, actor, tenant).send().await;
    match standing.expected(route.access) {
        Ok(()) => assert_eq!(answer.status, sample.success, "{standing:?} asks {route:?}: {answer:?}"),
        Err((status, code)) => {
            let answer = answer.problem(status, code);
            if let (Access::Member(least) | Access::InPerson(least), "insufficient_role") =
                (route.access, code)
            {
                let of_key = matches!((route.access, standing), (Access::InPerson(_), Standing::Key(_)));
                let least = if of_key { Role::Owner } else { least };
                assert_eq!(answer.body["required_role"], least.as_str());
            }
            let mut after = target.backdoor.snapshot(&tenant.id).await;
            // Members who ask for what decides who may do what are told of in the activity; strangers are not.
            let told = code == "insufficient_role"
                && matches!(route.access, Access::Member(Role::Owner) | Access::InPerson(_));
            let entry = |row: &String| !before.contains(row) && row.contains("access.denied");
            assert_eq!(after.extract_if(.., |row| entry(row)).count(), usize::from(told), "{route:?}");
            assert_eq!(before, after, "{standing:?} was refused {route:?}, but it left traces");
        }
    }
}
