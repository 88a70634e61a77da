//! `bailiwick verify-isolation` against every target: it finds nothing where nothing is, and what is broken where
//! something is.

mod broken;

use std::collections::BTreeSet;

use bailiwick::verify::matrix::{Standing, description, names_a_tenant, slots};
use bailiwick_core::routes::ROUTES;
use bailiwick_tests::{
    actors::Actor,
    provided,
    targets::{Target, binary},
};
use serde_json::Value;
use tokio::process::Command;

use self::broken::Broken;
use crate::apart::STRICT;

crate::cases!("verify_isolation":
    finds_nothing_where_nothing_is,
    finds_what_is_broken,
);

/// Runs it, and returns what it ended with and its report.
async fn verify(url: &str) -> (Option<i32>, Value) {
    let output = Command::new(binary())
        .env_clear()
        .args(["verify-isolation", "--url", url, "--output", "json"])
        .output()
        .await
        .expect("it runs");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report = serde_json::from_str(&said).unwrap_or_else(|_| panic!("no report: {said}\n{complained}"));
    (output.status.code(), report)
}

/// Holds that what was made for it is gone.
async fn nothing_is_left(target: &Target, report: &Value) {
    for left in ["tenants_left", "accounts_left"] {
        assert_eq!(report[left], Value::Array(Vec::new()));
    }
    let accounts = "SELECT count(*) FROM users WHERE email LIKE '%@isolation.example'";
    assert_eq!(target.backdoor.count(accounts).await, 0);
    // What a deleted tenant has much of goes in pieces, behind the answer.
    let tenants = "SELECT count(*) FROM tenants WHERE slug LIKE 'verify-%'";
    let left = async || provided(target.backdoor.count(tenants).await, |left| *left == 0);
    target.until("the tenants to be gone", left).await;
}

/// Holds that it was about as much as was said beforehand.
fn was_as_much_as_expected(report: &Value) {
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).expect("a number");
    let matrices = report["checks"].as_object().expect("matrices").values();
    let checks = matrices.flat_map(|of| of.as_object().expect("routes").values()).filter_map(Value::as_u64);
    assert_eq!(checks.sum::<u64>(), number("/expected/checks"), "{report:#}");
    let (sent, expected) = (number("/requests"), number("/expected/requests"));
    assert!(sent.abs_diff(expected) * 10 < expected, "{sent} requests, where {expected} were expected");
    assert!(number("/expected/seconds") > 0, "{report:#}");
}

async fn finds_nothing_where_nothing_is(target: &'static Target) {
    let target = STRICT.like(target).await;
    // It runs only where somebody has registered.
    Actor::sign_up(target, "first").await;
    let (code, report) = verify(&target.url).await;
    assert_eq!(report["violations"], Value::Array(Vec::new()), "{report:#}");
    assert_eq!(code, Some(0));
    // Each of five kinds, as often without the neighbour as beside it, which did ask.
    let checks: Vec<_> = report["checks"]["neighbours"].as_object().expect("routes").values().collect();
    assert_eq!(checks, [40; 5], "{report:#}");
    let neighbours = &report["neighbours"];
    assert!(neighbours["dear_requests"].as_u64() > Some(0), "{neighbours}");
    for name in ["median_ratio", "p99_ratio"] {
        assert!(neighbours[name].as_f64() > Some(0.0), "{neighbours}");
    }
    let document = description();
    for route in ROUTES {
        let checks = |matrix: &str| report["checks"][matrix][route.name].as_u64().unwrap_or(0);
        // Who removes the tenant in the end is its owner.
        let least = Standing::ALL.len() - usize::from(route.name == "tenants::delete");
        assert!(checks("roles") >= least as u64, "{route:?}: {}", checks("roles"));
        if names_a_tenant(route.access) {
            let slots = slots(document, route).len();
            assert!(checks("swap") >= slots as u64, "{route:?}: {} of {slots}", checks("swap"));
        }
    }
    was_as_much_as_expected(&report);
    nothing_is_left(target, &report).await;
}

async fn finds_what_is_broken(target: &'static Target) {
    Actor::sign_up(target, "first").await;
    let broken = Broken::start(&target.url).await;
    let (code, report) = verify(&broken.url).await;
    assert_eq!(code, Some(1), "{report:#}");
    let violations = report["violations"].as_array().expect("a list");
    let found = |matrix: &str, route: &str| {
        let of_both = violations.iter().filter(|it| it["matrix"] == matrix && it["route"] == route);
        of_both
            .map(|it| ["who", "expected", "got"].map(|name| it[name].as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let by_id = [
        "the owner of another tenant, with project_id in the path",
        "404 not_found",
        "200, with a name of the other tenant's",
    ];
    assert_eq!(found("swap", "projects::get"), [by_id], "{report:#}");
    let who: BTreeSet<_> = found("roles", "projects::delete")
        .into_iter()
        .filter(|[_, expected, got]| *expected == "403 insufficient_role" && *got == "204")
        .map(|[who, _, _]| who)
        .collect();
    let everybody = BTreeSet::from(["member", "viewer", "a member's API key", "a viewer's API key"]);
    assert_eq!(who, everybody, "{report:#}");
    let routes: BTreeSet<_> = violations.iter().filter_map(|it| it["route"].as_str()).collect();
    assert_eq!(routes, BTreeSet::from(["projects::get", "projects::delete", "tasks::list"]), "{report:#}");
    let kept_waiting = found("neighbours", "tasks::list");
    assert!(kept_waiting.iter().any(|[.., got]| *got == "503"), "{report:#}");
    assert!(report["waited_seconds"].as_u64() >= Some(1), "{report:#}");
    nothing_is_left(target, &report).await;
}
