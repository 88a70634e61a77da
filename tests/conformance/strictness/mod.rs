//! What is sent is taken as the description says, or refused, with a pointer to each fault: for every route and each of
//! its fields and parameters. All of it is read off the route table and the description, so that a new field is tested
//! without anybody thinking of it.

mod bodies;
mod patches;
mod paths;
mod queries;
mod schema;
mod texts;
mod values;

use bailiwick::verify::{
    matrix::{description, names_a_tenant, operation},
    samples::Sample,
};
use bailiwick_core::{Access, routes::Route};
use bailiwick_tests::{
    actors::{Actor, Tenant},
    client::{Answer, Ask},
    targets::Target,
};
use serde_json::Value;

use self::schema::{Field, fields};
use crate::matrix;

pub(crate) fn cases() -> Vec<crate::Case> {
    let mut all = bodies::cases();
    all.extend(texts::cases());
    all.extend(queries::cases());
    all.extend(paths::cases());
    all.extend(patches::cases());
    all
}

/// JSON, as it is sent.
const JSON: &str = "application/json";

/// A tenant whose owner asks.
struct Stage {
    target: &'static Target,
    tenant: Tenant<'static>,
}

impl Stage {
    async fn set(target: &'static Target) -> Self {
        Self { target, tenant: Tenant::create(target).await }
    }

    /// A request that succeeds, once.
    async fn sample(&self, route: &'static Route) -> Sample {
        matrix::sample(route, &self.tenant, &self.tenant.owner).await
    }

    /// Such a request for each of these.
    async fn samples(&self, routes: impl Iterator<Item = &'static Route>) -> Vec<Sample> {
        let mut all = Vec::new();
        for route in routes {
            all.push(self.sample(route).await);
        }
        all
    }

    fn ask(&self, route: &Route, path: &str) -> Ask {
        // Each from an address of its own: that many come from none, and the number of attempts is not what this is about.
        let nobody = Actor::anonymous(self.target);
        let actor = match route.access {
            Access::Public | Access::AnyoneInTenant => nobody,
            _ => Actor { address: nobody.address, ..self.tenant.owner.clone() },
        };
        let ask = actor.ask(route.method.clone(), path);
        if names_a_tenant(route.access) { ask.tenant(&self.tenant.id) } else { ask }
    }

    /// The sample's request, with another body.
    async fn send(&self, sample: &Sample, body: impl Into<Vec<u8>>) -> Answer {
        self.send_as(sample, JSON, body).await
    }

    async fn send_as(&self, sample: &Sample, media_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let answer = self.ask(sample.route, &sample.path()).raw(media_type, body).send().await;
        assert!(answer.status < 500 && answer.status != 429, "{:?}: {answer:?}", sample.route);
        answer
    }

    /// Sends the sample's request with another body, which is refused for one value.
    async fn refused(&self, sample: &Sample, body: &Value, pointer: &str) -> String {
        let said = body.to_string();
        let answer = self.send(sample, said.clone()).await;
        let said = said.chars().take(300).collect::<String>();
        assert_eq!((answer.status, answer.code()), (422, "validation_failed"), "{said}: {answer:?}");
        assert_eq!(answer.pointers(), [pointer], "{:?} {said}", sample.route);
        answer.text_at("/errors/0/code")
    }
}

/// The fields of what a route takes as its body, at any depth.
fn body_fields(route: &Route) -> Vec<Field> {
    let document = description();
    let schema = &operation(document, route)["requestBody"]["content"][JSON]["schema"];
    let all = fields(document, schema);
    assert!(!all.is_empty(), "{route:?} takes nothing?");
    all
}

/// Whether a route has a body.
fn has_body(route: &Route) -> bool {
    operation(description(), route)["requestBody"].is_object()
}

/// The body of a sample, with another value in one place.
fn with(sample: &Sample, pointer: &str, value: Value) -> Value {
    let mut body = sample.body.clone().unwrap_or_default();
    schema::plant(&mut body, pointer, value);
    body
}
