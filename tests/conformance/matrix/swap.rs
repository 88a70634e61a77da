//! The swap matrix: for every route and every place that an id can stand in, the credentials of one tenant with the
//! id of another. The other's rows stay as they are, byte for byte. And the same inside one tenant, between parents
//! and children.

use bailiwick_core::routes::{Access, ROUTES, Route};
use bailiwick_tests::{actors::Tenant, client::Answer, targets::Target};
use serde_json::{Value, json};

use super::samples::{Sample, foreign, sample};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = ROUTES
        .iter()
        .filter(|route| !matches!(route.access, Access::Public | Access::SignedIn))
        .map(|route| Case::new(format!("swap_matrix::{}", route.name), move |target| swap(target, route)))
        .collect();
    cases.extend(ROUTES.iter().filter(|route| route.path.matches('{').count() > 1).map(|route| {
        Case::new(format!("parent_child::{}", route.name), move |target| mismatch(target, route))
    }));
    cases
}

/// A place in a request that an id stands in.
#[derive(Debug)]
enum Slot {
    Path(usize),
    Body(String),
    Query(String),
    /// A tenant that one is not in. What is public may be asked of any.
    TenantId,
    TenantSlug,
    /// The same two, of a machine whose key is an owner's.
    KeysTenantId,
    KeysTenantSlug,
    BothHeaders,
}

/// Every place that an id of a tenant's data can stand in, read off the generated description.
fn slots(route: &Route, sample: &Sample) -> Vec<Slot> {
    let document = bailiwick_core::openapi::document();
    let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
    let is_id = |schema: &Value| {
        let schema = schema["anyOf"].as_array().and_then(|any| any.first()).unwrap_or(schema);
        let named =
            schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
        named.unwrap_or(schema)["format"] == "uuid"
    };
    let mut slots: Vec<_> = (0..sample.ids.len()).map(Slot::Path).collect();
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let body =
        body["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    for (name, schema) in body.and_then(|body| body["properties"].as_object()).into_iter().flatten() {
        if is_id(schema) {
            slots.push(Slot::Body(name.clone()));
        }
    }
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "query" && is_id(&parameter["schema"]) {
            slots.push(Slot::Query(parameter["name"].as_str().expect("a name").to_owned()));
        }
    }
    if matches!(route.access, Access::Member(_) | Access::InPerson(_)) {
        slots.extend([Slot::TenantId, Slot::TenantSlug, Slot::KeysTenantId, Slot::KeysTenantSlug]);
    }
    slots.push(Slot::BothHeaders);
    slots
}

async fn swap(target: &'static Target, route: &'static Route) {
    let (mine, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let machine = mine.machine(&mine.owner, "owner").await;
    let probe = sample(route, &mine, &mine.owner).await;
    for slot in slots(route, &probe) {
        let (my_sample, mut other_sample) =
            tokio::join!(sample(route, &mine, &mine.owner), sample(route, &other, &other.owner));
        let planted = match &slot {
            Slot::Body(name) | Slot::Query(name) => foreign(name, &other).await,
            _ => String::new(),
        };
        let before = tokio::join!(target.backdoor.snapshot(&mine.id), target.backdoor.snapshot(&other.id));
        let answer = match &slot {
            Slot::Path(index) => {
                let mut swapped = my_sample;
                swapped.ids[*index] = other_sample.ids.swap_remove(*index);
                swapped.ask(&mine.owner, &mine).send().await.problem(404, "not_found")
            }
            Slot::Body(name) => {
                let ask = |id: Option<&str>| {
                    let ask = mine.owner.ask(route.method.clone(), &my_sample.path()).tenant(&mine.id);
                    ask.json(&my_sample.body_with(name, id)).send()
                };
                let answer = ask(Some(&planted)).await.problem(422, "validation_failed");
                assert_eq!(answer.pointers(), [format!("/{name}")], "{route:?} {slot:?}");
                let nobodys = ask(None).await;
                assert_eq!(sans_request_id(&answer), sans_request_id(&nobodys), "{route:?} {slot:?}");
                answer
            }
            Slot::Query(name) => {
                let path = format!("{}?{name}={planted}", my_sample.path());
                let ask = mine.owner.ask(route.method.clone(), &path).tenant(&mine.id);
                // A filter by what is not here finds nothing.
                let answer = ask.send().await.expect(200);
                assert_eq!(answer.body["data"], json!([]), "{route:?} {slot:?}");
                answer
            }
            Slot::TenantId => {
                other_sample.bare(&mine.owner).tenant(&other.id).send().await.problem(403, "not_a_member")
            }
            Slot::TenantSlug => {
                other_sample.bare(&mine.owner).slug(&other.slug).send().await.problem(403, "not_a_member")
            }
            Slot::KeysTenantId => {
                other_sample.bare(&machine).tenant(&other.id).send().await.problem(403, "not_a_member")
            }
            Slot::KeysTenantSlug => {
                other_sample.bare(&machine).slug(&other.slug).send().await.problem(403, "not_a_member")
            }
            Slot::BothHeaders => {
                let ask = my_sample.bare(&mine.owner).tenant(&other.id).slug(&mine.slug);
                match route.access {
                    Access::AnyoneInTenant => ask.send().await.problem(400, "tenant_conflict"),
                    _ => ask.send().await.problem(403, "not_a_member"),
                };
                let ask = my_sample.bare(&mine.owner).tenant(&mine.id).slug(&other.slug);
                ask.send().await.problem(400, "tenant_conflict")
            }
        };
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

fn sans_request_id(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body["request_id"].take();
    body
}

/// Ids of one tenant that do not belong together.
async fn mismatch(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    for index in 0..route.path.matches('{').count() {
        let user = &tenant.owner;
        let (mut one, mut two) = (sample(route, &tenant, user).await, sample(route, &tenant, user).await);
        std::mem::swap(&mut one.ids[index], &mut two.ids[index]);
        let before = target.backdoor.snapshot(&tenant.id).await;
        one.ask(&tenant.owner, &tenant).send().await.problem(404, "not_found");
        assert_eq!(before, target.backdoor.snapshot(&tenant.id).await, "{route:?} left traces");
    }
}
