//! The size of a run, counted from the table of routes: announced beforehand, so that the user knows how long it takes.

use std::time::Duration;

use bailiwick_core::{
    Access,
    ports::Clock,
    routes::{ROUTES, Route},
};
use http::Method;
use serde_json::{Value, json};

use super::{
    Run,
    matrix::{Standing, names_a_tenant, placeholders, slots},
    neighbours,
};
use crate::client::Ask;
use crate::ports::system::SystemClock;

/// The approximate number of requests that make the people and things, and remove them.
const MAKING: u32 = 240;
/// The approximate number of passwords that are hashed, and the time of one at the usual cost.
const HASHES: u32 = 90;
const HASHING: Duration = Duration::from_millis(250);
/// The number of measurements of a request's time.
const SAMPLES: usize = 5;

/// The size of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Answers that are judged.
    pub checks: u32,
    /// The approximate number of requests. Most read rows that must not have changed.
    pub requests: u32,
    /// The approximate time, unless the deployment asks to wait.
    pub time: Duration,
}

impl Plan {
    /// The plan as JSON.
    pub(super) fn json(&self) -> Value {
        json!({ "checks": self.checks, "requests": self.requests, "seconds": self.time.as_secs() })
    }
}

/// Whether a route reads what a member of a tenant sees, apart from the logs.
pub(super) fn is_watched(route: &Route) -> bool {
    let of_members = names_a_tenant(route.access) && route.access != Access::AnyoneInTenant;
    route.method == Method::GET && of_members && !route.path.starts_with("/v1/admin/")
}

impl Run {
    /// Counts the checks, and measures a few times how long a request takes.
    pub(super) async fn plan(&self, neighbours: bool) -> Result<Plan, String> {
        let of_tenants = || ROUTES.iter().filter(|route| names_a_tenant(route.access));
        let (mut swap, mut roles) = (0, 0);
        for route in of_tenants() {
            let slots = slots(self.document, route).len();
            // Routes that name the tenant are tried with a key, too.
            let by_key = if route.access == Access::AnyoneInTenant { 0 } else { 2 };
            let places = placeholders(route.path).count();
            swap += slots + by_key + if places > 1 { places } else { 0 };
        }
        for route in ROUTES {
            let asked = Standing::ALL.iter().filter(|standing| {
                route.name != "tenants::delete" || standing.expected(route.access).is_err()
            });
            roles += asked.count();
        }
        // After each route that could have written, the tenant is compared with its state before.
        let writes = of_tenants().filter(|route| route.method != Method::GET).count();
        let watched = ROUTES.iter().filter(|route| is_watched(route)).count();
        let lists = ROUTES.iter().filter(|route| is_watched(route) && !route.path.contains('{')).count();
        let beside = if neighbours { 2 * neighbours::REQUESTS } else { 0 };
        let checks = count(swap + roles + beside + 2 * writes);
        let requests = count(swap + roles + beside + watched * (1 + writes) + 2 * lists * writes) + MAKING;
        let time = self.pace().await? * requests + HASHING * HASHES + neighbours::PAUSE * count(beside);
        Ok(Plan { checks, requests, time })
    }

    /// The time of a request that reads the database: the median of a few.
    async fn pace(&self) -> Result<Duration, String> {
        let mut times = Vec::with_capacity(SAMPLES);
        for _ in 0..SAMPLES {
            let begun = SystemClock.elapsed();
            self.client.send(None, &Ask::new(&Method::GET, "/readyz")).await?;
            times.push(SystemClock.elapsed().saturating_sub(begun));
        }
        times.sort_unstable();
        Ok(times.get(SAMPLES / 2).copied().unwrap_or_default())
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
