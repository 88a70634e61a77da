//! Queries: unknown, repeated and empty parameters, values of the wrong form, and what is not UTF-8.

use bailiwick::verify::{
    matrix::{description, operation},
    samples::Sample,
};
use bailiwick_core::{
    limits,
    routes::{ROUTES, Route},
};
use bailiwick_tests::{client::Answer, targets::Target};
use futures::future::join_all;
use serde_json::Value;

use super::{Stage, schema::resolve};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("strictness::queries::what_no_route_knows", unknown),
        Case::new("strictness::queries::what_each_parameter_takes", parameters),
    ]
}

/// The sample's request, with more behind its query.
async fn ask(stage: &Stage, sample: &Sample, more: &str) -> Answer {
    let path = sample.path();
    let path = format!("{path}{}{more}", if path.contains('?') { '&' } else { '?' });
    let answer = stage.ask(sample.route, &path).maybe(sample.body.as_ref()).send().await;
    assert!(answer.status < 500 && answer.status != 429, "{path}: {answer:?}");
    answer
}

async fn refused(stage: &Stage, sample: &Sample, more: &str, pointers: &[&str]) {
    let answer = ask(stage, sample, more).await;
    assert_eq!(
        (answer.status, answer.code()),
        (400, "invalid_parameter"),
        "{:?} {more}: {answer:?}",
        sample.route
    );
    assert_eq!(answer.pointers(), pointers, "{:?} {more}", sample.route);
}

async fn unknown(target: &'static Target) {
    let stage = Stage::set(target).await;
    let samples = stage.samples(ROUTES.iter()).await;
    let before = target.backdoor.snapshot(&stage.tenant.id).await;
    for sample in &samples {
        let all = [
            ("zz=1", &["/zz"][..]),
            ("zz", &["/zz"]),
            ("=1", &["/"]),
            ("zz=1&zz=2", &["/zz", "/zz"]),
            ("a%2Fb~c=1", &["/a~1b~0c"]),
            ("zz=%ff", &["/zz"]),
            ("%C3=1", &["/\u{fffd}"]),
            ("zz=%00", &["/zz"]),
            ("zz=%zz", &["/zz"]),
        ];
        join_all(all.iter().map(|(more, pointers)| refused(&stage, sample, more, pointers))).await;
        // However many there are, the first of them are told.
        let pointers = vec!["/zz"; limits::FAULTS];
        refused(&stage, sample, &"zz=1&".repeat(limits::FAULTS + 50), &pointers).await;
    }
    assert_eq!(target.backdoor.snapshot(&stage.tenant.id).await, before, "what was refused left traces");
}

/// Parameters of a route: the name, and the schema.
fn parameters_of(route: &Route) -> Vec<(String, Value)> {
    let document = description();
    let all = operation(document, route)["parameters"].as_array().cloned().unwrap_or_default();
    let in_query = all.into_iter().filter(|parameter| parameter["in"] == "query");
    let named = |parameter: Value| {
        let name = parameter["name"].as_str().expect("a name").to_owned();
        let (schema, nullable) = resolve(document, &parameter["schema"]);
        assert!(!nullable, "{route:?} {name}: a query has no null");
        (name, schema)
    };
    in_query.map(named).collect()
}

/// Values, percent-encoded, that are not of the schema.
fn wrong(schema: &Value) -> Vec<&'static str> {
    let mut all = vec!["", "%00", "%ff", "%C3%28", "%ED%A0%80", "%F0%9F%9A%80"];
    all.extend(match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("integer"), _) => {
            &["0", "101", "-1", "1.5", "%2B5", "+5", "5+", "1e1", "0x5", "99999999999", "%EF%BC%95"][..]
        }
        (Some("boolean"), _) => &["yes", "1", "TRUE", "true+"],
        // Some of them take `todo`, others would.
        (Some("array"), _) => {
            &["nonsense", "todo,", ",todo", "todo,,done", "todo,todo", "draft,draft", "todo,nonsense"]
        }
        (_, Some("uuid")) => {
            &["me", "0196a2b4000070008000000000000000", "%7B0196a2b4-0000-7000-8000-000000000000%7D"]
        }
        (_, Some("date")) => &["soon", "2026-02-30", "2026-2-3", "2026-02-03T00:00:00Z"],
        (_, Some("date-time")) => {
            &["soon", "2026-02-30T00:00:00Z", "2026-02-03", "2026-02-03T00:00:00+01:00"]
        }
        (_, Some(other)) => panic!("the tests do not know the format {other}"),
        (_, None) if schema["enum"].is_array() => &["nonsense", "TODO", "Viewer", "todo+"],
        (_, None) if schema["pattern"].is_string() => &["A+B", "%C3%BC", "a%0Ab"],
        (_, None) => &["nonsense"],
    });
    all
}

async fn parameters(target: &'static Target) {
    let stage = Stage::set(target).await;
    for route in ROUTES {
        for (name, schema) in parameters_of(route) {
            let mut sample = stage.sample(route).await;
            sample.query = None;
            let pointer = format!("/{name}");
            let mut values = wrong(&schema);
            // A search takes any word, and a pictograph is one.
            values.retain(|value| name != "q" || !["nonsense", "%F0%9F%9A%80"].contains(value));
            let asks =
                values.iter().map(async |value| ask(&stage, &sample, &format!("{name}={value}")).await);
            for (value, answer) in values.iter().zip(join_all(asks).await) {
                // A cursor is what a list has given out, and nothing else.
                let cursor = name == "cursor" && answer.code() == "invalid_cursor";
                assert_eq!(answer.status, 400, "{route:?} {name}={value}: {answer:?}");
                assert!(
                    cursor || answer.code() == "invalid_parameter",
                    "{route:?} {name}={value}: {answer:?}"
                );
                assert!(
                    cursor || answer.pointers().contains(&pointer.as_str()),
                    "{route:?} {value}: {answer:?}"
                );
            }
            let long = format!("{name}={}", "x".repeat(7000));
            assert_eq!(ask(&stage, &sample, &long).await.status, 400, "{route:?} {name}");
            let twice =
                ask(&stage, &sample, &format!("{name}=x&{name}=x")).await.problem(400, "invalid_parameter");
            let repeated = |error: &Value| error["pointer"] == pointer && error["code"] == "repeated";
            assert!(twice.body["errors"].as_array().expect("errors").iter().any(repeated), "{twice:?}");
        }
    }
}
