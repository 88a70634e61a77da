//! The role matrix: every route, called by an anonymous client, a stranger, each role, a suspended and a removed
//! member; and with an API key of each role.

use bailiwick_core::{
    Access,
    problem::Code,
    routes::{ROUTES, Route},
};
use http::Method;

use super::{
    Run,
    matrix::{Standing, names_a_tenant},
    people::Party,
    report::{Matrix, Violation},
    samples::Sample,
    swap::summary,
};
use crate::client::{Ask, Person, Reply};

impl Run {
    /// Runs it. It uses the tenant up.
    pub(super) async fn roles(&self, party: &Party) -> Result<(), String> {
        // A member who has left sends no more requests, and a deleted account not even that.
        let mut routes: Vec<&'static Route> = ROUTES.iter().collect();
        routes.sort_by_key(|route| match route.name {
            "me::delete" => 2,
            "members::leave" => 1,
            _ => 0,
        });
        for route in routes {
            let refused = |standing: &Standing| standing.expected(route.access).is_err();
            let [refused, admitted] = [true, false].map(|wanted| {
                Standing::ALL.into_iter().filter(|standing| refused(standing) == wanted).collect::<Vec<_>>()
            });
            self.refuses(party, route, &refused).await?;
            for standing in admitted {
                // This removes the tenant in the end: by its owner, and by nobody else.
                if route.name != "tenants::delete" {
                    self.admits(party, route, standing).await?;
                }
            }
        }
        Ok(())
    }

    /// A sample for a caller. Things that only a member can have are the owner's if the caller is none.
    async fn sample(
        &self,
        party: &Party,
        route: &'static Route,
        standing: Standing,
    ) -> Result<Sample, String> {
        let owns = standing.is_member() || matches!(route.access, Access::SignedIn | Access::Public);
        let user = party.person(standing).filter(|_| owns).unwrap_or(&party.owner);
        Sample::make(self, route, party, user).await
    }

    async fn asked(&self, party: &Party, sample: &Sample, person: Option<&Person>) -> Result<Reply, String> {
        let path = sample.path();
        let ask = Ask { body: sample.body.as_ref(), ..Ask::new(&sample.route.method, &path) };
        let tenant_id = names_a_tenant(sample.route.access).then_some(&*party.id);
        let reply = self.client.ask(person, &Ask { tenant_id, ..ask }).await?;
        self.checked(Matrix::Roles, sample.route);
        if (200..300).contains(&reply.status) && sample.route.method != Method::GET {
            self.used(sample);
        }
        Ok(reply)
    }

    /// The callers without the right: they are refused, and leave no trace.
    async fn refuses(
        &self,
        party: &Party,
        route: &'static Route,
        standings: &[Standing],
    ) -> Result<(), String> {
        // The things exist before the tenant is read. They are made again only if a caller without the right used them.
        for standing in standings {
            self.sample(party, route, *standing).await?;
        }
        let writes = route.method != Method::GET && names_a_tenant(route.access);
        let before = if writes { self.snapshot(party, true).await? } else { Vec::new() };
        for standing in standings.iter().copied() {
            let sample = self.sample(party, route, standing).await?;
            let Err((status, code)) = standing.expected(route.access) else { continue };
            let reply = self.asked(party, &sample, party.person(standing)).await?;
            let tells = if standing.is_member() { self.leaks(&reply) } else { self.tells(&reply, party) };
            if (reply.status, reply.code()) != (status, code) || tells.is_some() {
                self.violation(party, &sample, standing, format!("{status} {code}"), &reply);
            }
        }
        if writes {
            let after = self.snapshot(party, true).await?;
            let who = standings.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            self.compare(Matrix::Roles, route, &route.path, &who, &before, &after);
        }
        Ok(())
    }

    /// The callers with the right: they succeed, or get a problem of the route's own that does not depend on the caller
    /// (a slug that is taken).
    async fn admits(&self, party: &Party, route: &'static Route, standing: Standing) -> Result<(), String> {
        let sample = self.sample(party, route, standing).await?;
        let reply = self.asked(party, &sample, party.person(standing)).await?;
        let met = |code: &Code| (code.status(), code.as_str()) == (reply.status, reply.code());
        let own = route.problems.iter().any(met)
            || (sample.of_provider() && [Code::NotFound, Code::ValidationFailed].iter().any(met));
        if (reply.status != sample.success && !own) || self.leaks(&reply).is_some() {
            self.violation(party, &sample, standing, sample.success.to_string(), &reply);
        }
        Ok(())
    }

    fn violation(&self, party: &Party, sample: &Sample, standing: Standing, expected: String, reply: &Reply) {
        let told = if standing.is_member() { self.leaks(reply) } else { self.tells(reply, party) };
        self.violated(Violation {
            matrix: Matrix::Roles,
            route: sample.route.name,
            request: format!("{} {}", sample.route.method, sample.path()),
            who: standing.to_string(),
            expected,
            got: summary(reply, told),
        });
    }
}
