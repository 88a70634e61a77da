//! The largest that a route takes: its sample, with as much in each text and in each list as the description and the limits
//! allow.

use bailiwick::verify::{
    matrix::{description, operation},
    samples::{Sample, import_head},
};
use bailiwick_core::{limits, routes::Route};
use bailiwick_tests::{
    actors::{Actor, Tenant, unique},
    client::Ask,
};
use serde_json::{Value, json};

use super::{
    samples::{ask, sample},
    schema::{fields, plant},
};

/// So many bytes of a body are for what stands around its texts.
const AROUND: usize = 8 * 1024;

/// Words, so many characters of them, each of which is in the index by itself.
fn words(length: usize) -> String {
    // None is shorter than six characters, with the blank behind it.
    let mut text = (0..=length / 6).map(|number| format!("pier{number} ")).collect::<Vec<_>>().concat();
    text.truncate(length);
    text
}

/// A request of the largest kind, and the status of its success.
pub(crate) async fn largest(route: &'static Route, tenant: &Tenant<'static>, rows: &[Value]) -> (Ask, u16) {
    let actor = &tenant.owner;
    let mut sample = sample(route, tenant, actor).await;
    if let Some(mut body) = sample.body.take() {
        enlarge(route, &mut body);
        sample.body = Some(body);
    }
    match route.name {
        "tasks::apply" => sample.body = Some(json!({ "operations": operations(&tenant.member) })),
        "comments::create" | "comments::update" => {
            let mentioned = format!("@{} ", tenant.member.id);
            let rest = limits::COMMENT_BODY - mentioned.len();
            sample.body = Some(json!({ "body": format!("{mentioned}{}", words(rest)) }));
        }
        "transfer::add" => add_rows(&mut sample, actor, rows).await,
        _ => {}
    }
    let mut query = Vec::from_iter(sample.query.take());
    let parameters = operation(description(), route)["parameters"].as_array().cloned().unwrap_or_default();
    for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
        match parameter["name"].as_str() {
            Some("limit") => query.push(format!("limit={}", limits::PAGE_MAX)),
            // It is in all that the tenant has.
            Some("q") => query.push("q=a".to_owned()),
            _ => {}
        }
    }
    sample.query = (!query.is_empty()).then(|| query.join("&"));
    let success = sample.success;
    (ask(&sample, actor, tenant), success)
}

/// Fills what people write as they like.
fn enlarge(route: &Route, body: &mut Value) {
    let document = description();
    let schema = &operation(document, route)["requestBody"]["content"]["application/json"]["schema"];
    for field in fields(document, schema) {
        let alone = field.pointer.matches('/').count() == 1 && field.kind() == "string" && field.is_prose();
        if let Some(most) = field.schema["maxLength"].as_u64().filter(|_| alone) {
            let most = usize::try_from(most).expect("a limit");
            plant(body, &field.pointer, json!(words(most)));
        }
    }
}

/// As many operations as one request may have, with as much text as fits into a body, each of which somebody is told of.
pub(crate) fn operations(assignee: &Actor<'_>) -> Vec<Value> {
    let each = (limits::BODY_BYTES - AROUND) / limits::BULK_OPERATIONS - 300;
    let (title, description) = (words(limits::TASK_TITLE), words(each));
    let operation = json!({
        "op": "create", "title": title, "description": description, "assignee_id": assignee.id,
    });
    vec![operation; limits::BULK_OPERATIONS]
}

/// As many rows of a tenant as one request may have.
pub(crate) async fn add_rows(sample: &mut Sample, actor: &Actor<'_>, rows: &[Value]) {
    let source = rows.iter().find(|row| row["table"] == "tenants").expect("the tenant's own row");
    let mut head = import_head(source["row"]["id"].as_str().expect("an id"));
    head["new_ids"] = json!(true);
    head["as_slug"] = json!(unique("moved"));
    let begun = actor.post("/v1/imports").json(&head).send().await.expect(200);
    sample.ids = vec![begun.text_at("/tenant_id")];
    sample.body = Some(json!({ "first": 0, "rows": rows }));
}

/// The first rows of a tenant, as an export has them: so many, or all.
pub(crate) async fn exported(tenant: &Tenant<'_>, most: usize) -> Vec<Value> {
    let (mut rows, mut from) = (Vec::new(), String::new());
    while rows.len() < most {
        let path = format!("/v1/admin/export{from}");
        let part = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
        rows.extend(part.body["rows"].as_array().expect("rows").iter().cloned());
        let Some(next) = part.body["next"].as_str() else { break };
        from = format!("?from={next}");
    }
    rows.truncate(most);
    rows
}
