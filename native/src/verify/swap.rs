//! The swap matrix: the credentials of one tenant with the ids of another, in every place; and inside one tenant, ids
//! that do not belong together. The data that the other tenant's owner sees stays the same.

use bailiwick_core::routes::{ROUTES, Route};
use http::Method;
use serde_json::{Value, json};

use super::{
    Run,
    matrix::{Crafted, Slot, names_a_tenant, operation, placeholders, slots},
    new_id,
    people::Party,
    plan::is_watched,
    report::{Matrix, Violation},
    samples::{Ground, Sample, Thing},
};
use crate::client::{Ask, Person, Reply};

impl Run {
    /// Runs it.
    pub(super) async fn swap(&self, mine: &Party, other: &Party) -> Result<(), String> {
        let routes = || ROUTES.iter().filter(|route| names_a_tenant(route.access));
        // Everything is made before the tenant is read for the first time.
        for route in routes() {
            Sample::make(self, route, other, &other.owner).await?;
        }
        let mut before = self.snapshot(other, false).await?;
        for route in routes() {
            for slot in slots(self.document, route) {
                self.swap_one(mine, other, route, &slot).await?;
            }
            if route.method != Method::GET {
                let after = self.snapshot(other, false).await?;
                let who = "the owner of another tenant";
                self.compare(Matrix::Swap, route, &route.path, who, &before, &after);
                before = after;
            }
        }
        for route in routes().filter(|route| placeholders(route.path).count() > 1) {
            self.mismatch(other, route).await?;
        }
        Ok(())
    }

    async fn swap_one(
        &self,
        mine: &Party,
        other: &Party,
        route: &'static Route,
        slot: &Slot,
    ) -> Result<(), String> {
        let own = Sample::make(self, route, mine, &mine.owner).await?;
        let foreign = Sample::make(self, route, other, &other.owner).await?;
        let planted = match slot {
            Slot::Body(_, name) | Slot::Query(name) => {
                self.thing(Thing::in_place(name)?, other, &other.owner).await?
            }
            _ => String::new(),
        };
        let craft = |planted: &str| slot.craft((&own, mine.names()), (&foreign, other.names()), planted);
        let crafted = craft(&planted);
        if matches!(slot, Slot::TenantId | Slot::TenantSlug) {
            self.swap_by_key(mine, other, route, (slot, &crafted)).await?;
        }
        let reply = self.crafted(&mine.owner, route, &crafted).await?;
        let (met, expected) = if let Some((status, code)) = slot.refusal(route.access) {
            ((reply.status, reply.code()) == (status, code), format!("{status} {code}"))
        } else {
            let empty = reply.status == 200 && reply.body["data"] == json!([]);
            (empty, "200 and an empty list".to_owned())
        };
        let expected = (!met).then_some(expected);
        // A thing of another tenant looks like one that does not exist.
        let expected = match slot {
            Slot::Body(..) if expected.is_none() => {
                let nobodys = self.crafted(&mine.owner, route, &craft(&new_id()?)).await?;
                (without_request_id(&nobodys) != without_request_id(&reply))
                    .then(|| "the same as for an id that exists nowhere".to_owned())
            }
            _ => expected,
        };
        let told = self.tells(&reply, other).map(|what| format!("nothing of the other tenant, not {what}"));
        self.checked(Matrix::Swap, route);
        if let Some(expected) = expected.or(told) {
            self.violated(Violation {
                matrix: Matrix::Swap,
                route: route.name,
                request: format!("{} {}", route.method, crafted.path),
                who: format!("the owner of another tenant, with {slot}"),
                expected,
                got: summary(&reply, self.tells(&reply, other)),
            });
        }
        Ok(())
    }

    /// An API key is valid for its own tenant, whatever the headers say.
    async fn swap_by_key(
        &self,
        mine: &Party,
        other: &Party,
        route: &'static Route,
        (slot, crafted): (&Slot, &Crafted),
    ) -> Result<(), String> {
        let reply = self.crafted(&mine.machine, route, crafted).await?;
        self.checked(Matrix::Swap, route);
        let told = self.tells(&reply, other);
        if (reply.status, reply.code()) != (403, "not_a_member") || told.is_some() {
            self.violated(Violation {
                matrix: Matrix::Swap,
                route: route.name,
                request: format!("{} {}", route.method, crafted.path),
                who: format!("an API key of another tenant's owner, with {slot}"),
                expected: "403 not_a_member".to_owned(),
                got: summary(&reply, told),
            });
        }
        Ok(())
    }

    async fn crafted(&self, person: &Person, route: &Route, crafted: &Crafted) -> Result<Reply, String> {
        let ask = Ask {
            method: &route.method,
            path: &crafted.path,
            body: crafted.body.as_ref(),
            tenant_id: crafted.tenant_id.as_deref(),
            tenant_slug: crafted.tenant_slug.as_deref(),
        };
        self.client.ask(Some(person), &ask).await
    }

    /// Ids of one tenant that do not belong together.
    async fn mismatch(&self, party: &Party, route: &'static Route) -> Result<(), String> {
        for (place, name) in placeholders(route.path).enumerate() {
            let mut one = Sample::make(self, route, party, &party.owner).await?;
            self.used(&one);
            let two = Sample::make(self, route, party, &party.owner).await?;
            one.ids[place].clone_from(&two.ids[place]);
            let path = one.path();
            let ask = Ask { body: one.body.as_ref(), ..Ask::new(&route.method, &path).tenant(&party.id) };
            let reply = self.client.ask(Some(&party.owner), &ask).await?;
            self.checked(Matrix::Swap, route);
            if (reply.status, reply.code()) != (404, "not_found") {
                self.violated(Violation {
                    matrix: Matrix::Swap,
                    route: route.name,
                    request: format!("{} {path}", route.method),
                    who: format!("the owner, with a {name} that does not belong to the rest of the path"),
                    expected: "404 not_found".to_owned(),
                    got: reply.summary(),
                });
            }
        }
        Ok(())
    }

    /// Everything that the owner of a tenant can read of it, or only the lists. The owner's own views are left out,
    /// because they contain the logs: a refusal may well be recorded there, and deliveries go on by themselves.
    pub(super) async fn snapshot(&self, party: &Party, lists: bool) -> Result<Vec<(String, String)>, String> {
        let mut all = Vec::new();
        for route in ROUTES.iter().filter(|route| is_watched(route)) {
            if lists && route.path.contains('{') {
                continue;
            }
            let mut sample = Sample::make(self, route, party, &party.owner).await?;
            let parameters = operation(self.document, route)["parameters"].as_array();
            if parameters.is_some_and(|all| all.iter().any(|parameter| parameter["name"] == "limit")) {
                sample.query = Some("limit=100".to_owned());
            }
            let path = sample.path();
            let read = Ask::new(&Method::GET, &path).tenant(&party.id);
            let reply = self.client.ask(Some(&party.owner), &read).await?;
            all.push((path, format!("{} {}", reply.status, reply.body)));
        }
        Ok(all)
    }

    /// Reports changes although all requests were refused.
    pub(super) fn compare(
        &self,
        matrix: Matrix,
        route: &Route,
        request: &dyn std::fmt::Display,
        who: &str,
        before: &[(String, String)],
        after: &[(String, String)],
    ) {
        self.checked(matrix, route);
        for (was, is) in before.iter().zip(after).filter(|(was, is)| was != is) {
            self.violated(Violation {
                matrix,
                route: route.name,
                request: format!("{} {request}", route.method),
                who: who.to_owned(),
                expected: format!("no trace, and what GET {} gave before", was.0),
                got: format!("GET {} gives something else", is.0),
            });
        }
    }
}

/// The answer, in short, and the secret that it should not have revealed.
pub(super) fn summary(reply: &Reply, told: Option<&str>) -> String {
    told.map_or_else(|| reply.summary(), |what| format!("{}, with {what}", reply.summary()))
}

fn without_request_id(reply: &Reply) -> (u16, Value) {
    let mut body = reply.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    (reply.status, body)
}
