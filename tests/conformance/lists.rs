//! What all lists have in common, of every list that the table of routes has: pages, the link to the next one, and
//! cursors, which are good for the list that they came from and for nothing else.

use std::fmt::Write;

use bailiwick::verify::{
    matrix::{description, names_a_tenant, operation},
    samples::Thing,
};
use bailiwick_core::{
    Access,
    routes::{ROUTES, Route},
};
use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

use crate::{
    Case,
    matrix::samples::{sample, thing_of},
};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = lists()
        .into_iter()
        .map(|route| Case::new(format!("lists::{}", route.name), move |target| goes_on(target, route)))
        .collect();
    cases.push(Case::new("lists::cursors_fit_no_other_list", cursors_fit_no_other_list));
    cases.push(Case::new("lists::browsers_may_read_links", browsers_may_read_links));
    cases
}

/// What the description says of a list's query.
pub(crate) fn parameters(description: &Value, route: &Route) -> Vec<Value> {
    let all = operation(description, route)["parameters"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|parameter| parameter["in"] == "query").collect()
}

/// Every list. What has a `next_cursor` takes a cursor, and says that there is a link.
pub(crate) fn lists() -> Vec<&'static Route> {
    let description = description();
    let is_list = |route: &&Route| {
        let response = &operation(description, route)["responses"]["200"];
        let schema = &response["content"]["application/json"]["schema"]["$ref"];
        let schema = schema.as_str().and_then(|reference| description.pointer(&reference[1..]));
        let gives = schema.is_some_and(|schema| !schema["properties"]["next_cursor"].is_null());
        let takes = |name| parameters(description, route).iter().any(|parameter| parameter["name"] == name);
        let links = !response["headers"]["Link"].is_null();
        assert_eq!([takes("cursor"), takes("limit"), links], [gives; 3], "{route:?}");
        gives
    };
    let lists: Vec<_> = ROUTES.iter().filter(is_list).collect();
    assert!(lists.len() >= 16, "{lists:?}");
    lists
}

/// The path of a list that has at least three items for the owner of the tenant.
async fn filled(route: &'static Route, tenant: &Tenant<'static>) -> String {
    let owner = &tenant.owner;
    let sample = sample(route, tenant, owner).await;
    for _ in 0..3 {
        let thing = match route.name {
            "me::sessions" => Thing::Session,
            "me::identities" => Thing::Identity,
            "tenants::list" | "admin::tenants" => {
                let new = json!({ "slug": format!("list-{}", &new_id()[19..]), "name": "Another" });
                owner.post("/v1/tenants").json(&new).send().await.expect(201);
                continue;
            }
            // There are people of each role.
            "members::list" => break,
            "invitations::list" => Thing::Invitation,
            "api_keys::list" => Thing::ApiKey,
            "projects::list" => Thing::Project,
            "projects::transitions" => {
                for to in ["submitted", "draft"] {
                    let path = sample.path();
                    owner.post(&path).tenant(&tenant.id).json(&json!({ "to": to })).send().await.expect(200);
                }
                continue;
            }
            "tasks::list_of_project" => {
                tenant.task(&sample.ids[0], "todo").await;
                continue;
            }
            "tasks::list" => Thing::Task,
            "comments::list" => Thing::CommentOn(&sample.ids[0]),
            "catalogue::list" => Thing::PublicProject,
            "notifications::list" => Thing::Notification,
            "admin::activity" => {
                let name = json!({ "name": "Told" });
                owner.post("/v1/projects").tenant(&tenant.id).json(&name).send().await.expect(201);
                continue;
            }
            "admin::deliveries" => Thing::Delivery,
            other => panic!("what is in the list {other}? Say it here"),
        };
        thing_of(thing, tenant, owner).await;
    }
    sample.path()
}

pub(crate) async fn ask(route: &Route, actor: &Actor<'_>, tenant: &Tenant<'_>, path: &str) -> Answer {
    let ask = actor.get(path);
    if names_a_tenant(route.access) { ask.tenant(&tenant.id).send().await } else { ask.send().await }
}

pub(crate) fn ids(page: &Answer) -> Vec<String> {
    let data = page.body["data"].as_array().expect("a list");
    let id = |item: &Value| item["id"].as_str().or(item["user_id"].as_str()).map(str::to_owned);
    data.iter().map(|item| id(item).unwrap_or_else(|| panic!("no id in {item}"))).collect()
}

/// The reference of the link to the next page. It and the body say the same.
fn next(page: &Answer) -> Option<String> {
    let cursor = page.body["next_cursor"].as_str();
    let link = page.header("link")?;
    let reference = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
    let reference = reference.unwrap_or_else(|| panic!("no link to the next page: {link}"));
    assert!(reference.ends_with(&format!("cursor={}", cursor.expect("a cursor"))), "{reference}");
    Some(reference.to_owned())
}

/// A value that a parameter takes, so that the cursor of the list without it does not fit.
fn filter(description: &Value, parameter: &Value) -> Option<String> {
    let schema = &parameter["schema"];
    let schema = schema["$ref"].as_str().and_then(|to| description.pointer(&to[1..])).unwrap_or(schema);
    let name = parameter["name"].as_str().expect("a name");
    // One that may be left out is of a type or `null`.
    let kind = schema["type"].as_str().or(schema["type"][0].as_str());
    let value = match (name, kind, schema["format"].as_str()) {
        ("cursor" | "limit", ..) => return None,
        // The first one is what is meant where none is named.
        // What may be several names its items.
        (_, Some("array"), _) => {
            let item = schema["items"]["$ref"].as_str().expect("a named type");
            let item = description.pointer(&item[1..]).expect("it is described");
            item["enum"][0].as_str().expect("a value").to_owned()
        }
        ("assignee_id", ..) => "me".to_owned(),
        ("order", ..) => schema["enum"][1].as_str().expect("another order").to_owned(),
        (_, Some("boolean"), _) => "true".to_owned(),
        (_, _, Some("uuid")) => new_id(),
        (_, _, Some("date")) => "2030-01-01".to_owned(),
        (_, _, Some("date-time")) => "2030-01-01T00:00:00Z".to_owned(),
        _ if schema["enum"].is_array() || schema["oneOf"].is_array() => {
            let first = schema["enum"][0].as_str().or(schema["oneOf"][0]["const"].as_str());
            first.expect("a value").to_owned()
        }
        _ => "sample".to_owned(),
    };
    Some(format!("{name}={value}"))
}

async fn goes_on(target: &'static Target, route: &'static Route) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let path = filled(route, &tenant).await;
    let read = |query: String| {
        let (tenant, path) = (&tenant, &path);
        async move { ask(route, &tenant.owner, tenant, &format!("{path}?{query}")).await }
    };
    // From link to link it is the whole list, each item once.
    let whole = read("limit=100".to_owned()).await.expect(200);
    assert_eq!((&whole.body["next_cursor"], whole.header("link")), (&Value::Null, None));
    let (mut seen, mut asked) = (Vec::new(), format!("{path}?limit=2"));
    loop {
        let page = ask(route, &tenant.owner, &tenant, &asked).await.expect(200);
        let (ids, link) = (ids(&page), next(&page));
        assert!(ids.len() == 2 || link.is_none(), "{asked}: {page:?}");
        assert_eq!(link.is_some(), page.body["next_cursor"].is_string(), "{page:?}");
        seen.extend(ids);
        match link {
            Some(link) => asked = link,
            None => break,
        }
    }
    assert!(seen.len() >= 3, "{route:?}: {seen:?}");
    assert_eq!(seen, ids(&whole), "{route:?}");
    let head = tenant.owner.ask(reqwest::Method::HEAD, &format!("{path}?limit=1"));
    let head = if names_a_tenant(route.access) { head.tenant(&tenant.id) } else { head };
    assert!(head.send().await.expect(200).header("link").is_some(), "{route:?}");

    let first = read("limit=1".to_owned()).await.expect(200);
    let cursor = first.text_at("/next_cursor");
    assert!(cursor.len() <= 64, "longer than described: {cursor}");
    // A page may have another size than the one before; what does not fit is said.
    assert_eq!(ids(&read(format!("limit=2&cursor={cursor}")).await.expect(200))[..], seen[1..3]);
    for limit in ["0", "101", "-1", "1.5", "x", ""] {
        let bad = read(format!("limit={limit}")).await.problem(400, "invalid_parameter");
        assert_eq!(bad.pointers(), ["/limit"], "{limit}");
    }
    let description = description();
    for filter in parameters(description, route).iter().filter_map(|given| filter(description, given)) {
        read(filter.clone()).await.expect(200);
        // What is told of a list beside its items makes no other list of it.
        if filter == "count=true" || filter.starts_with("include=") {
            read(format!("{filter}&cursor={cursor}")).await.expect(200);
            continue;
        }
        read(format!("{filter}&cursor={cursor}")).await.problem(400, "invalid_cursor");
    }
    for bad in garbage(&cursor) {
        read(format!("cursor={bad}")).await.problem(400, "invalid_cursor");
    }
    // Nor for anybody else, be they owners too, nor in another tenant.
    let heir = Actor::register(target, "heir").await;
    for (who, where_to) in [(&tenant.owner, &other), (&heir, &tenant)] {
        if route.access == Access::AnyoneInTenant && where_to.id == tenant.id {
            continue;
        }
        if names_a_tenant(route.access) {
            where_to.admit(who, "owner").await;
        } else if who.id == tenant.owner.id {
            continue;
        }
        let there = ask(route, who, where_to, &format!("{path}?cursor={cursor}")).await;
        // What is in the path is not there, which may be said first.
        if there.status == 404 && route.path.contains('{') {
            there.problem(404, "not_found");
        } else {
            there.problem(400, "invalid_cursor");
        }
    }
}

/// Cursors that are none: cut, longer, changed in each place, of another alphabet, of what may have been once.
fn garbage(cursor: &str) -> Vec<String> {
    let mut bad = vec![
        String::new(),
        "nonsense".to_owned(),
        "A".repeat(43),
        "A".repeat(cursor.len()),
        "A".repeat(4000),
        format!("{cursor}A"),
        format!("{cursor}AAAA"),
        format!("A{cursor}"),
        format!("{cursor}{cursor}"),
        format!("{cursor}%3D%3D"),
        format!("%20{cursor}"),
        format!("v2.{cursor}"),
        cursor[1..].to_owned(),
        cursor.to_lowercase(),
        cursor.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
        "%00".to_owned(),
    ];
    for cut in (0..cursor.len()).step_by(5) {
        bad.push(cursor[..cut].to_owned());
        let (before, rest) = cursor.split_at(cut);
        let changed = if rest.starts_with('A') { 'B' } else { 'A' };
        bad.push(format!("{before}{changed}{}", &rest[1..]));
    }
    bad
}

async fn cursors_fit_no_other_list(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let mut cursors = Vec::new();
    for route in lists() {
        let path = filled(route, &tenant).await;
        let page = ask(route, &tenant.owner, &tenant, &format!("{path}?limit=1")).await.expect(200);
        cursors.push((route, path, page.text_at("/next_cursor")));
    }
    for (route, path, own) in &cursors {
        for (from, _, cursor) in &cursors {
            let answer = ask(route, &tenant.owner, &tenant, &format!("{path}?limit=1&cursor={cursor}")).await;
            if own == cursor {
                answer.expect(200);
            } else {
                assert_eq!((answer.status, answer.code()), (400, "invalid_cursor"), "{from:?} in {route:?}");
            }
        }
    }
}

async fn browsers_may_read_links(target: &'static Target) {
    let asked =
        Actor::anonymous(target).get("/healthz").header("origin", "https://app.example.com").send().await;
    let exposed = asked.header("access-control-expose-headers").unwrap_or_default().to_owned();
    assert!(exposed.split(", ").any(|name| name == "link"), "{exposed}");
}
