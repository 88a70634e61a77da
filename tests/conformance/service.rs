//! The service itself: health, description, and what every response has.

use bailiwick_core::routes::{ROUTES, Route};
use bailiwick_tests::{
    actors::{Actor, Tenant},
    backdoor::Backdoor,
    targets::Target,
};
use reqwest::Method;
use serde_json::json;

use super::{
    conditional::is_restless,
    matrix::samples::{ask, sample},
};
use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = own_cases();
    cases.extend(
        ROUTES
            .iter()
            .filter(|route| route.method == Method::GET)
            .map(|route| Case::new(format!("head::{}", route.name), move |target| head(target, route))),
    );
    cases
}

crate::cases!(own_cases, "service":
    health,
    the_server_is_a_login_without_privileges,
    the_description_is_the_one_that_was_generated,
    the_workflow_is_published,
    unknown_routes_and_methods,
    options_of_every_path,
    what_a_request_cost_is_told,
    request_ids_are_echoed_or_made,
    only_known_response_headers,
    pages_of_other_origins,
);

async fn health(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(anyone.get(path).send().await.expect(200).body, json!({ "status": "ok" }));
    }
}

/// On Postgres all cases of this suite run under row-level security.
async fn the_server_is_a_login_without_privileges(target: &'static Target) {
    if !matches!(target.backdoor, Backdoor::Postgres(_)) {
        return;
    }
    Actor::anonymous(target).get("/readyz").send().await.expect(200);
    let logins = target
        .backdoor
        .sql(
            "SELECT DISTINCT r.rolname, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolinherit \
             OR EXISTS (SELECT 1 FROM pg_class c WHERE pg_has_role(r.oid, c.relowner, 'MEMBER')) AS privileged \
             FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid \
             WHERE a.datname = current_database() AND a.application_name = 'bailiwick'",
        )
        .await;
    let wanted = ["bailiwick_server", "f"].map(|text| Some(text.to_owned()));
    assert_eq!(logins, [wanted.to_vec()]);
}

async fn the_description_is_the_one_that_was_generated(target: &'static Target) {
    let served = Actor::anonymous(target).get("/openapi.json").send().await.expect(200);
    assert_eq!(served.body, bailiwick_core::openapi::document());
    assert_eq!(served.header("cache-control"), Some("public, max-age=300"));
}

async fn the_workflow_is_published(target: &'static Target) {
    let workflow = Actor::anonymous(target).get("/v1/workflow").send().await.expect(200);
    let lines = workflow.body["transitions"].as_array().expect("a list");
    assert_eq!(lines.len(), bailiwick_core::workflow::TRANSITIONS.len());
    let approval = json!({ "from": "submitted", "to": "approved", "required_role": "manager", "guards": ["four_eyes", "revision"] });
    assert!(lines.contains(&approval), "{lines:?}");
    assert!(workflow.text_at("/diagram").contains("submitted --> approved: manager, four_eyes, revision"));
}

async fn unknown_routes_and_methods(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    for path in [
        "/v1",
        "/docs/",
        "/docs/a/b",
        "/problems/",
        "/site/style.css",
        "/style.css",
        "/docs.html",
        "/v1/nothing",
        "/v1/projects/",
        "/v1/me/",
        "/V1/me",
        "//v1/me",
    ] {
        anyone.get(path).send().await.problem(404, "route_not_found");
    }
    // What a platform does not know is not to be taken for something else.
    for method in ["PUT", "TRACE", "QUERY", "SEARCH"].map(|name| name.parse().expect("a method")) {
        let refused = anyone.ask(method, "/v1/projects").send().await.problem(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), Some("GET, POST, HEAD, OPTIONS"));
    }
    let long = format!("/v1/workflow?{}", "x".repeat(9000));
    anyone.get(&long).send().await.problem(414, "target_too_long");
    anyone.get("/healthz?verbose=1").send().await.problem(400, "invalid_parameter");
}

async fn options_of_every_path(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    for route in ROUTES {
        let mut methods: Vec<_> =
            ROUTES.iter().filter(|one| one.path == route.path).map(|one| one.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        let answer = anyone.ask(Method::OPTIONS, route.path).send().await.expect(204);
        assert_eq!((answer.header("allow"), &*answer.text), (Some(&*methods.join(", ")), ""), "{route:?}");
        // What is not among them is refused, and says what is.
        for method in [Method::PUT, Method::HEAD, Method::TRACE] {
            if methods.contains(&method.as_str()) || (method == Method::TRACE && target.name == "edge+d1") {
                continue;
            }
            let refused = anyone.ask(method.clone(), route.path).send().await.expect(405);
            assert_eq!(refused.header("allow"), Some(&*methods.join(", ")), "{method} {route:?}");
        }
    }
    anyone.ask(Method::OPTIONS, "/v1/nothing").send().await.problem(404, "route_not_found");
}

/// `HEAD` is `GET` without the body: for every route that reads.
async fn head(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    let wanted = sample(route, &tenant, &tenant.owner).await;
    let get = ask(&wanted, &tenant.owner, &tenant).send().await.expect(200);
    let mut ask = ask(&wanted, &tenant.owner, &tenant);
    ask.method(Method::HEAD);
    let head = ask.send().await.expect(200);
    assert_eq!(head.text, "");
    for name in ["content-type", "cache-control", "vary"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert_eq!(head.header("etag").is_some(), get.header("etag").is_some());
    if is_restless(route) {
        return;
    }
    assert_eq!(head.header("etag"), get.header("etag"));
    if let Some(length) = head.header("content-length") {
        assert_eq!(length, get.text.len().to_string());
    }
}

/// With `DEBUG_TIMING`, which all targets here have.
async fn what_a_request_cost_is_told(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let read = tenant.owner.get("/v1/projects").tenant(&tenant.id).send().await.expect(200);
    let told = read.header("server-timing").expect("what it cost").to_owned();
    assert!(told.starts_with("db;dur=") && told.contains("desc=\"batches: 1\", total;dur="), "{told}");
    let nothing = tenant.owner.get("/v1/workflow").send().await.expect(200);
    assert!(nothing.header("server-timing").is_some_and(|told| told.contains("desc=\"batches: 0\"")));
}

async fn request_ids_are_echoed_or_made(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    let given = anyone.get("/healthz").header("x-request-id", "trace-1.A_b").send().await;
    assert_eq!(given.header("x-request-id"), Some("trace-1.A_b"));
    let (one, other) = (anyone.get("/healthz").send().await, anyone.get("/healthz").send().await);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    // What could be used to forge log lines is not taken over.
    let forged = anyone.get("/healthz").header("x-request-id", "a b\"c").send().await;
    assert_ne!(forged.header("x-request-id"), Some("a b\"c"));
}

/// A header that nobody decided on may tell what nobody meant to tell.
async fn only_known_response_headers(target: &'static Target) {
    const KNOWN: &[&str] = &[
        "allow",
        "cache-control",
        "content-length",
        "content-location",
        "content-security-policy",
        "content-type",
        "cross-origin-resource-policy",
        "date",
        "etag",
        "idempotency-replayed",
        "location",
        "referrer-policy",
        "retry-after",
        // With DEBUG_TIMING only.
        "server-timing",
        "strict-transport-security",
        "accept-patch",
        "accept-post",
        "vary",
        "www-authenticate",
        "x-content-type-options",
        "x-request-id",
        // Those of the transport.
        "connection",
        "keep-alive",
        "transfer-encoding",
    ];
    let tenant = Tenant::create(target).await;
    let project = tenant.project("draft", None).await;
    for route in ROUTES {
        let path = route.path.replace("{project_id}", &project);
        let path = path.replace("{code}", "conflict").replace("{file}", "style.css");
        let answer = tenant.viewer.ask(route.method.clone(), &path).tenant(&tenant.id).send().await;
        for name in answer.headers.keys() {
            assert!(KNOWN.contains(&name.as_str()), "{route:?} answers with {name}");
        }
        // What is for browsers has a policy of its own, and may be kept (`pages`).
        let for_browsers = route.name.starts_with("pages::") || route.path == "/openapi.json";
        let policy = answer.header("content-security-policy");
        assert!(
            policy.is_some_and(|policy| policy.starts_with("default-src 'none'")),
            "{route:?}: {policy:?}"
        );
        if !for_browsers {
            assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"), "{route:?}");
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{route:?}");
        }
        let expected = match answer.status {
            // Its style sheets are of this one answer.
            200 if route.name == "pages::docs" => "no-store",
            200 if for_browsers => "public, max-age=300",
            200 if route.method == Method::GET => "private, no-cache",
            _ => "no-store",
        };
        assert_eq!(answer.header("cache-control"), Some(expected), "{route:?}");
    }
}

async fn pages_of_other_origins(target: &'static Target) {
    const PAGE: &str = "https://app.example.com";
    let tenant = Tenant::create(target).await;
    let from = |ask: bailiwick_tests::client::Ask, origin: &str| ask.header("origin", origin).send();
    let read = from(tenant.viewer.get("/v1/tenant").tenant(&tenant.id), PAGE).await.expect(200);
    assert_eq!(read.header("access-control-allow-origin"), Some(PAGE));
    assert!(
        read.headers
            .get_all("vary")
            .iter()
            .any(|vary| vary.to_str().is_ok_and(|vary| vary.contains("origin"))),
        "{:?}",
        read.headers
    );
    assert!(read.header("access-control-expose-headers").is_some_and(|names| names.contains("x-request-id")));
    assert_eq!(read.header("access-control-allow-credentials"), None);
    // A page can read why it was refused.
    let refused =
        from(Actor::anonymous(target).get("/v1/me"), PAGE).await.problem(401, "authentication_required");
    assert_eq!(refused.header("access-control-allow-origin"), Some(PAGE));

    let preflight = |origin: &str| {
        let ask = Actor::anonymous(target).ask(Method::OPTIONS, "/v1/projects");
        let ask = ask.header("access-control-request-method", "POST");
        from(ask.header("access-control-request-headers", "authorization,content-type,x-tenant-id"), origin)
    };
    let allowed = preflight(PAGE).await.expect(204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("GET, POST, HEAD, OPTIONS"));
    let names = allowed.header("access-control-allow-headers").expect("names");
    for name in ["authorization", "content-type", "x-tenant-id", "x-tenant-slug"] {
        assert!(names.contains(name), "{names}");
    }
    for stranger in ["https://app.example.com.evil.example", "http://app.example.com", "null"] {
        for answer in [preflight(stranger).await, from(tenant.viewer.get("/v1/me"), stranger).await] {
            let told = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(told, None, "{stranger}");
        }
    }
}
