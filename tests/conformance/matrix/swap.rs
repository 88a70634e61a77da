//! The swap matrix: for every route and every place that an id can stand in, the credentials of one tenant with the
//! id of another. The other's rows stay as they are, byte for byte. And the same inside one tenant, between parents
//! and children.

use bailiwick::verify::matrix::{Crafted, Names, Slot, description, names_a_tenant, placeholders, slots};
use bailiwick_core::routes::{ROUTES, Route};
use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

use super::samples::{ask, foreign, sample};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = ROUTES
        .iter()
        .filter(|route| names_a_tenant(route.access))
        .map(|route| Case::new(format!("swap_matrix::{}", route.name), move |target| swap(target, route)))
        .collect();
    cases.extend(ROUTES.iter().filter(|route| placeholders(route.path).count() > 1).map(|route| {
        Case::new(format!("parent_child::{}", route.name), move |target| mismatch(target, route))
    }));
    cases
}

fn names<'a>(tenant: &'a Tenant<'_>) -> Names<'a> {
    Names { id: &tenant.id, slug: &tenant.slug }
}

async fn swap(target: &'static Target, route: &'static Route) {
    let (mine, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let machine = mine.machine(&mine.owner, "owner").await;
    for slot in slots(description(), route) {
        let (own, foreign_sample) =
            tokio::join!(sample(route, &mine, &mine.owner), sample(route, &other, &other.owner));
        let planted = match &slot {
            Slot::Body(_, name) | Slot::Query(name) => foreign(name, &other).await,
            _ => String::new(),
        };
        let craft =
            |planted: &str| slot.craft((&own, names(&mine)), (&foreign_sample, names(&other)), planted);
        let before = tokio::join!(target.backdoor.snapshot(&mine.id), target.backdoor.snapshot(&other.id));
        let answer = send(&mine.owner, route, craft(&planted)).await;
        let answer = match slot.refusal(route.access) {
            Some((status, code)) => answer.problem(status, code),
            // A filter by what is not here finds nothing.
            None => answer.expect(200),
        };
        match &slot {
            Slot::Query(_) => assert_eq!(answer.body["data"], json!([]), "{route:?} {slot:?}"),
            Slot::Body(pointer, _) => {
                let there = own.body.as_ref().is_some_and(|body| body.pointer(pointer).is_some());
                assert!(there, "{route:?}: the sample has nothing at {pointer}");
                assert_eq!(answer.pointers(), [pointer.as_str()], "{route:?} {slot:?}");
                let nobodys = send(&mine.owner, route, craft(&new_id())).await;
                assert_eq!(sans_request_id(&answer), sans_request_id(&nobodys), "{route:?} {slot:?}");
            }
            // The same with an owner's API key.
            Slot::TenantId | Slot::TenantSlug => {
                send(&machine, route, craft(&planted)).await.problem(403, "not_a_member");
            }
            _ => {}
        }
        for planted in [&other.owner.id, &other.owner.email, &other.member.email] {
            assert!(
                !answer.text.contains(planted),
                "{route:?} {slot:?} tells of the other tenant: {answer:?}"
            );
        }
        let after = tokio::join!(target.backdoor.snapshot(&mine.id), target.backdoor.snapshot(&other.id));
        assert_eq!(before, after, "{route:?} {slot:?} left traces");
    }
}

async fn send(actor: &Actor<'_>, route: &Route, crafted: Crafted) -> Answer {
    let mut ask = actor.ask(route.method.clone(), &crafted.path).maybe(crafted.body.as_ref());
    if let Some(id) = &crafted.tenant_id {
        ask = ask.tenant(id);
    }
    if let Some(slug) = &crafted.tenant_slug {
        ask = ask.slug(slug);
    }
    ask.send().await
}

fn sans_request_id(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body["request_id"].take();
    body
}

/// Ids of one tenant that do not belong together.
async fn mismatch(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    for index in 0..placeholders(route.path).count() {
        let user = &tenant.owner;
        let (mut one, mut two) = (sample(route, &tenant, user).await, sample(route, &tenant, user).await);
        std::mem::swap(&mut one.ids[index], &mut two.ids[index]);
        let before = target.backdoor.snapshot(&tenant.id).await;
        ask(&one, &tenant.owner, &tenant).send().await.problem(404, "not_found");
        assert_eq!(before, target.backdoor.snapshot(&tenant.id).await, "{route:?} left traces");
    }
}
