//! Merge patches (RFC 7396), field by field: absent leaves a value as it is, `null` clears it where that is allowed,
//! what is given is kept as it was sent; and no change of another field is lost.

use bailiwick::verify::{matrix::description, samples::Sample};
use bailiwick_core::routes::{ROUTES, Route};
use bailiwick_tests::{client::Answer, targets::Target};
use futures::future::join_all;
use http::Method;
use regex::Regex;
use serde_json::{Value, json};

use super::{
    Stage, body_fields,
    schema::{Field, plant, resolve},
    values::TEXT,
};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let routes = || ROUTES.iter().filter(|route| route.method == Method::PATCH);
    let fields = routes().map(|route| {
        Case::new(format!("strictness::patches::{}", route.name), move |target| each_field(target, route))
    });
    let several = |route: &&'static Route| members(route).len() > 1;
    let concurrent = routes().filter(several).map(|route| {
        Case::new(format!("strictness::concurrent_patches::{}", route.name), move |target| {
            none_is_lost(target, route)
        })
    });
    fields.chain(concurrent).collect()
}

/// The fields of a patch, without the items of lists.
fn members(route: &Route) -> Vec<Field> {
    body_fields(route).into_iter().filter(|field| !field.pointer.contains("/0")).collect()
}

/// What can be read where a patch changes it.
struct Thing<'a> {
    stage: &'a Stage,
    sample: Sample,
    read: &'static Route,
}

impl<'a> Thing<'a> {
    async fn make(stage: &'a Stage, route: &'static Route) -> Self {
        let read = ROUTES.iter().find(|read| read.path == route.path && read.method == Method::GET);
        Self {
            stage,
            sample: stage.sample(route).await,
            read: read.expect("what can be changed can be read"),
        }
    }

    async fn read(&self) -> Value {
        self.stage.ask(self.read, &self.sample.path()).send().await.expect(200).body
    }

    async fn patch(&self, body: &Value) -> Answer {
        self.stage.send(&self.sample, body.to_string()).await
    }
}

/// A patch of one field.
fn only(field: &Field, value: Value) -> Value {
    let mut body = json!({});
    plant(&mut body, &field.pointer, value);
    body
}

/// Values of a field, and how each is shown.
fn values(field: &Field, stage: &Stage) -> Vec<(Value, Value)> {
    let same = |value: Value| (value.clone(), value);
    let choices = field.choices();
    if !choices.is_empty() {
        return choices.into_iter().map(same).collect();
    }
    let tenant = &stage.tenant;
    match (field.kind(), field.schema["format"].as_str()) {
        ("string", Some("uuid")) => vec![same(json!(tenant.viewer.id)), same(json!(tenant.manager.id))],
        ("string", Some("date")) => {
            vec![same(json!("2028-02-29")), same(json!("0001-01-01")), same(json!("9999-12-31"))]
        }
        ("string", Some("email")) => {
            vec![same(json!("a.b+c@ex\u{e4}mple.org")), (json!("UP@X.ORG"), json!("up@x.org"))]
        }
        // It is a secret, and shown as the description says.
        ("string", Some("uri")) => {
            vec![(json!("https://hooks.slack.com/services/a"), json!("https://hooks.slack.com/***"))]
        }
        ("string", None) => {
            let lines = "e\u{301}\n\ttwo\r\n lines \n";
            let pattern =
                Regex::new(field.schema["pattern"].as_str().expect("a pattern")).expect("a pattern");
            let second = if pattern.is_match(lines) { lines } else { "e\u{301}" };
            vec![same(json!(TEXT)), same(json!(second)), same(json!("0"))]
        }
        // The last channel takes more than a patch of one field to be allowed.
        ("array", None) => {
            let (items, _) = resolve(description(), &field.schema["items"]);
            let all = items["enum"].as_array().expect("choices");
            vec![same(json!(all[..all.len() - 1])), same(json!([])), same(json!([all[0]]))]
        }
        ("object", None) => Vec::new(),
        other => panic!("the tests know no value of {other:?}: {field:?}"),
    }
}

/// What stays whatever is changed.
fn but_for(mut body: Value, field: &Field) -> Value {
    for pointer in ["/updated_at", "/version", "/revision", "/edited_at", &field.pointer] {
        if let Some(value) = body.pointer_mut(pointer) {
            *value = Value::Null;
        }
    }
    body
}

async fn each_field(target: &'static Target, route: &'static Route) {
    let stage = Stage::set(target).await;
    let thing = Thing::make(&stage, route).await;
    let initial = thing.read().await;
    let nothing = async |patch: Value| {
        let read = thing.read().await;
        assert_eq!(thing.patch(&patch).await.expect(200).body, read, "{route:?} {patch}");
        assert_eq!(thing.read().await, read, "{route:?} {patch}");
    };
    let rows = target.backdoor.snapshot(&stage.tenant.id).await;
    nothing(json!({})).await;
    assert_eq!(target.backdoor.snapshot(&stage.tenant.id).await, rows, "{route:?} left traces");
    for field in members(route) {
        let pointer = field.pointer.as_str();
        assert!(!field.required, "{route:?} {pointer}: a patch requires nothing");
        for (value, shown) in values(&field, &stage) {
            let before = thing.read().await;
            let patched = thing.patch(&only(&field, value.clone())).await.expect(200);
            let after = thing.read().await;
            assert_eq!(patched.body, after, "{route:?} {pointer} {value}");
            assert_eq!(after.pointer(pointer), Some(&shown), "{route:?} {pointer} {value}");
            assert_eq!(but_for(after, &field), but_for(before, &field), "{route:?} {pointer} {value}");
        }
        if field.kind() == "object" {
            nothing(only(&field, json!({}))).await;
        }
        let before = thing.read().await;
        let cleared = thing.patch(&only(&field, Value::Null)).await;
        if field.nullable {
            let after = thing.read().await;
            assert_eq!(cleared.expect(200).body, after, "{route:?} {pointer}");
            assert_eq!(after.pointer(pointer), initial.pointer(pointer), "{route:?} {pointer}");
            assert_eq!(but_for(after, &field), but_for(before, &field), "{route:?} {pointer}");
        } else {
            assert_eq!(cleared.problem(422, "validation_failed").pointers(), [pointer], "{route:?}");
            assert_eq!(thing.read().await, before, "{route:?} {pointer}");
        }
        nothing(json!({})).await;
    }
}

/// As many requests as there are fields, at the same time: all succeed, and what each has set is there.
async fn none_is_lost(target: &'static Target, route: &'static Route) {
    let stage = Stage::set(target).await;
    let thing = Thing::make(&stage, route).await;
    let members = members(route);
    let top: Vec<_> = members.iter().filter(|field| field.pointer.matches('/').count() == 1).collect();
    // Of an object, its first member.
    let leaf = |field: &&Field| match field.kind() {
        "object" => members
            .iter()
            .find(|inner| inner.pointer.starts_with(&format!("{}/", field.pointer)))
            .expect("a member")
            .clone(),
        _ => (*field).clone(),
    };
    let leaves: Vec<_> = top.iter().map(leaf).collect();
    for round in 0..3 {
        let before = thing.read().await;
        let choose = |field: &'_ Field| {
            let mut values = values(field, &stage);
            // What is set to what it is already is no change.
            let other = |(_, shown): &(Value, Value)| before.pointer(&field.pointer) != Some(shown);
            if values.iter().any(other) {
                values.retain(other);
            }
            values.swap_remove(round % values.len())
        };
        let chosen: Vec<_> = leaves.iter().map(|field| (field, choose(field))).collect();
        let patches: Vec<_> = chosen.iter().map(|(field, (value, _))| only(field, value.clone())).collect();
        for answer in join_all(patches.iter().map(|patch| thing.patch(patch))).await {
            answer.expect(200);
        }
        let after = thing.read().await;
        for (field, (_, shown)) in &chosen {
            assert_eq!(after.pointer(&field.pointer), Some(shown), "{route:?} {}", field.pointer);
        }
        if let Some(version) = before["version"].as_i64() {
            let count = i64::try_from(patches.len()).expect("a few");
            assert_eq!(after["version"], version + count, "{route:?}");
        }
    }
}
