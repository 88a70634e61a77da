//! Pages of the longest items, of every list: what is too much for one page is on the next, and each item is met once.
//!
//! Which lists can have too much is read off the description. A new one has to say here how it is filled.

use std::collections::BTreeSet;

use bailiwick::verify::{
    matrix::{description, operation},
    samples::Thing,
};
use bailiwick_core::{limits, routes::Route};
use bailiwick_tests::{
    actors::{Tenant, new_id},
    targets::Target,
};
use serde_json::{Value, json};

use crate::{
    Case,
    lists::{ask, ids, lists, parameters},
    matrix::samples::{sample, thing_of},
};

/// Strings of which the description does not say how long they can be, where they cannot be long: bytes of each, on average.
const SHORT: [(&str, usize); 5] = [
    // Four, of an import: two lines that the service wrote, an address, and the name of a type.
    ("admin::deliveries", (2 * 4 * limits::MOVED_LINE + limits::EMAIL + limits::TERM) / 4),
    // How a key begins.
    ("api_keys::list", 12),
    ("me::identities", 4 * limits::SUBJECT_BYTES + 4 * 500),
    ("me::sessions", 0),
    ("members::list", 0),
];

pub(crate) fn cases() -> Vec<Case> {
    let description = description();
    let mut cases = Vec::new();
    for route in lists() {
        let short = SHORT.iter().find(|(name, _)| *name == route.name).map(|(_, bytes)| *bytes);
        let item = largest(description, item(description, route), short).unwrap_or(usize::MAX);
        if item.saturating_mul(limits::PAGE_MAX as usize) > limits::PAGE_BYTES {
            cases.push(Case::new(format!("long_pages::{}", route.name), move |target| walk(target, route)));
        }
    }
    assert!(cases.len() >= 8, "of {} lists only", cases.len());
    cases
}

fn followed<'a>(description: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => followed(description, description.pointer(&reference[1..]).expect("a schema")),
        None => schema,
    }
}

/// What the description says of an item of a list.
fn item<'a>(description: &'a Value, route: &Route) -> &'a Value {
    let page = &operation(description, route)["responses"]["200"]["content"]["application/json"]["schema"];
    // The operation is a copy; what it refers to is not.
    let reference = page["$ref"].as_str().expect("a page by its name");
    let page = description.pointer(&reference[1..]).expect("a schema");
    followed(description, &followed(description, &page["properties"]["data"])["items"])
}

/// The most bytes that a value of this schema has as JSON; `short` is taken for a string of which nothing is said. `None`
/// if it may have any number.
fn largest(description: &Value, schema: &Value, short: Option<usize>) -> Option<usize> {
    let schema = followed(description, schema);
    for choices in ["anyOf", "oneOf", "allOf"] {
        if let Some(choices) = schema[choices].as_array() {
            let each = choices.iter().map(|choice| largest(description, choice, short));
            return each.collect::<Option<Vec<_>>>()?.into_iter().max();
        }
    }
    if let Some(value) = schema.get("const") {
        return Some(value.to_string().len());
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| value.to_string().len()).max();
    }
    let kind = schema["type"].as_str().or(schema["type"][0].as_str());
    match kind {
        Some("string") => {
            let known = schema["format"].as_str().and_then(|format| match format {
                "uuid" => Some(36),
                "date-time" | "date" => Some(24),
                _ => None,
            });
            // No character has more than four bytes, and none of those that are taken has more when it is escaped.
            let said = schema["maxLength"].as_u64().and_then(|most| usize::try_from(4 * most).ok());
            known.or(said).or(short).map(|bytes| bytes + 2)
        }
        Some("object") => {
            let members = schema["properties"].as_object()?;
            let each = members
                .iter()
                .map(|(name, schema)| Some(name.len() + 4 + largest(description, schema, short)?));
            each.sum::<Option<usize>>()
        }
        Some("array") => {
            let item = largest(description, &schema["items"], short)?;
            usize::try_from(schema["maxItems"].as_u64()?).ok().map(|most| most * (item + 1) + 2)
        }
        Some(_) => Some(24),
        None => None,
    }
}

/// So many characters of four bytes, as an expression of SQL that is short itself.
fn long(characters: usize) -> String {
    let (tenth, ten) = ("b".repeat(characters / 100), "\u{1F680}".repeat(10));
    format!("replace(replace('aaaaaaaaaa', 'a', '{tenth}'), 'b', '{ten}')")
}

/// Fills a list with items that are too many bytes for a page, though not too many items: its path, and their ids.
async fn fill(route: &'static Route, tenant: &Tenant<'static>) -> (String, BTreeSet<String>) {
    let (owner, of) = (&tenant.owner, &tenant.id);
    let sample = sample(route, tenant, owner).await;
    let path = sample.path();
    let text = "\u{1F680}".repeat(limits::DESCRIPTION);
    let made = |path: String, body: Value| async move {
        let answer = owner.post(&path).tenant(of).json(&body).send().await;
        answer.expect(201).text_at("/id")
    };
    let at = "'2026-01-01T00:00:00.000Z'";
    let mut ids = BTreeSet::new();
    match route.name {
        "projects::list" | "catalogue::list" => {
            for _ in 0..60 {
                let new = json!({ "name": "Long bridge", "description": text, "visibility": "public" });
                ids.insert(made("/v1/projects".to_owned(), new).await);
            }
            let show = format!("UPDATE projects SET status = 'approved' WHERE tenant_id = '{of}'");
            owner.target.backdoor.sql(&show).await;
        }
        "tasks::list_of_project" | "tasks::list" => {
            let project = match sample.ids.first() {
                Some(project) => project.clone(),
                None => tenant.project("approved", None).await,
            };
            for _ in 0..60 {
                let new = json!({ "title": "Long pier", "description": text, "assignee_id": owner.id });
                ids.insert(made(format!("/v1/projects/{project}/tasks"), new).await);
            }
        }
        "comments::list" => {
            for _ in 0..60 {
                ids.insert(made(path.clone(), json!({ "body": text })).await);
            }
        }
        // What follows comes so long by imports only.
        "notifications::list" => {
            thing_of(Thing::Notification, tenant, owner).await;
            let (title, body) = (long(limits::MOVED_LINE), long(limits::MOVED_TEXT));
            for _ in 0..20 {
                let (id, to) = (new_id(), &owner.id);
                let sql = format!(
                    "INSERT INTO notifications (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, \
                     created_at) VALUES ('{of}', '{id}', '{to}', 'approved', {title}, {body}, 'project', '{id}', {at})"
                );
                owner.target.backdoor.sql(&sql).await;
                ids.insert(id);
            }
        }
        "admin::activity" | "projects::transitions" => {
            let project = sample.ids.first().cloned().unwrap_or_else(new_id);
            let detail = json!({ "comment": "x".repeat(limits::DETAIL_BYTES - 50) });
            for _ in 0..90 {
                let id = new_id();
                let sql = format!(
                    "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
                     VALUES ('{of}', '{id}', NULL, 'project.moved', 'project', '{project}', '{detail}', {at})"
                );
                owner.target.backdoor.sql(&sql).await;
                ids.insert(id);
            }
        }
        other => panic!("how is {other} filled with items that are too long for one page? Say it here"),
    }
    (path, ids)
}

async fn walk(target: &'static Target, route: &'static Route) {
    let tenant = Tenant::create(target).await;
    let (path, filled) = fill(route, &tenant).await;
    // In each order, and by each statement that filters.
    let mut queries = vec![String::new()];
    let described = description();
    for parameter in parameters(described, route) {
        let name = parameter["name"].as_str().expect("a name");
        queries.extend(match name {
            "order" => {
                let orders = parameter["schema"]["$ref"].as_str().expect("a named type");
                let orders = described.pointer(&orders[1..]).expect("it is described");
                let orders = orders["enum"].as_array().expect("orders").iter().filter_map(Value::as_str);
                orders.map(|order| format!("order={order}&")).collect()
            }
            "q" => vec!["q=long&".to_owned()],
            "assignee" => vec!["assignee=me&".to_owned()],
            "unread" => vec!["unread=true&".to_owned()],
            "kind" => vec!["kind=approved&".to_owned()],
            "visibility" => vec!["visibility=public&".to_owned()],
            "action" => vec!["action=project.moved&".to_owned()],
            "until" => vec!["until=2030-01-01T00:00:00Z&".to_owned()],
            _ => Vec::new(),
        });
    }
    if route.name.starts_with("tasks::") {
        queries.extend(["q=long&order=due_on&", "q=long&order=priority&", "status=todo&"].map(str::to_owned));
    }
    for query in queries {
        let (mut seen, mut cut, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = format!("{path}?{query}limit=100{cursor}");
            let answer = ask(route, &tenant.owner, &tenant, &page).await.expect(200);
            let items = answer.body["data"].as_array().expect("a list");
            let bytes: usize = items.iter().map(|item| item.to_string().len()).sum();
            assert!(bytes <= limits::PAGE_BYTES || items.len() == 1, "{page}: {bytes} bytes");
            seen.extend(ids(&answer));
            match answer.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            assert!(!items.is_empty() && items.len() < 100, "{page}: {} items", items.len());
            // As many as there was room for, not fewer.
            assert!(bytes > limits::PAGE_BYTES / 5 * 4, "{page}: {bytes} bytes");
            cut += 1;
        }
        let each: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(each.len(), seen.len(), "{path}?{query}: something was given twice");
        let lost: Vec<_> = filled.difference(&each).collect();
        assert!(lost.is_empty(), "{path}?{query}: {} of {} were not given", lost.len(), filled.len());
        assert!(cut >= 1, "{path}?{query}: all on one page");
    }
}
