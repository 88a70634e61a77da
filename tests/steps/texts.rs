//! Texts, and other values of fields, of every kind that could be dear.

use bailiwick::verify::matrix::{description, operation};
use bailiwick_core::routes::{ROUTES, Route};
use bailiwick_tests::actors::Tenant;
use serde_json::{Value, json};

use super::{
    growth::{Faults, Kind, doubled},
    host,
    samples::{ask, sample},
    schema::{Field, fields, plant},
    several::members,
};

/// What texts consist of: letters, what is written as an escape, marks out of their order, what one character becomes many
/// of, what lowers or joins, blanks, and what stands for something.
const UNITS: [&str; 20] = [
    "a",
    "\"",
    "\u{1f}",
    "e\u{301}",
    "\u{301}\u{323}",
    "\u{1100}\u{1161}",
    "\u{fdfa}",
    "\u{130}",
    "\u{1f469}\u{200d}",
    " ",
    "\n",
    "@",
    "@a ",
    "<&>",
    "%_",
    "-",
    ".",
    "0",
    "../",
    "word ",
];

/// Characters that a text has at first, of a field that takes none as long.
const FIRST: usize = 4 * 1024;

/// Texts whose limit is as large as this are long enough to show something within it.
const LONG: u64 = 400;

/// Texts without an end, and what each consists of.
fn texts() -> impl Iterator<Item = (&'static str, Box<dyn Iterator<Item = char>>)> {
    let units = UNITS.iter().map(|unit| (*unit, Box::new(unit.chars().cycle()) as Box<_>));
    let words = (0..).flat_map(|number| format!("w{number} ").chars().collect::<Vec<_>>());
    let unlike: [(_, Box<dyn Iterator<Item = char>>); 2] = [
        ("words of which none comes twice", Box::new(words)),
        ("ideographs of which none comes twice", Box::new(('\u{4e00}'..'\u{9fff}').cycle())),
    ];
    units.chain(unlike)
}

/// A text of a field: none is longer than it may be, if that is long enough to be of use.
fn sizes(field: &Field) -> [usize; 3] {
    match field.schema["maxLength"].as_u64() {
        Some(most) if most >= LONG => doubled(usize::try_from(most).expect("a limit") / 4),
        _ => doubled(FIRST),
    }
}

fn fields_of(route: &'static Route) -> Vec<Field> {
    let document = description();
    let schema = &operation(document, route)["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_null() { Vec::new() } else { fields(document, schema) }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_text_consists_of() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let tenant = Tenant::create(target).await;
    let faults = Faults::default();
    for route in ROUTES {
        for field in fields_of(route).into_iter().filter(|field| field.kind() == "string") {
            let long = field.schema["maxLength"].as_u64().is_some_and(|most| most >= LONG);
            let base = sample(route, &tenant, &tenant.owner).await;
            for (kind, text) in texts() {
                let text: String = text.take(4 * FIRST).collect();
                let asked = async |size: usize| {
                    // What is taken may be taken once.
                    let mut sample =
                        if long { sample(route, &tenant, &tenant.owner).await } else { base.clone() };
                    let text: String = text.chars().take(size).collect();
                    plant(sample.body.get_or_insert_with(|| json!({})), &field.pointer, json!(text));
                    ask(&sample, &tenant.owner, &tenant)
                };
                let what = format!("{} {} of {kind:?}", route.name, field.pointer);
                faults.grows(&what, sizes(&field), asked).await;
            }
        }
    }
    faults.none(400);
}

/// What there may be many of.
const VALUES: [Kind<Value>; 6] = [
    ("words", |size| vec![json!("completed"); size].into()),
    ("words of which none is like another", |size| (0..size).map(|number| number.to_string()).collect()),
    ("objects", |size| vec![json!({}); size].into()),
    ("lists", |size| vec![json!([[]]); size].into()),
    ("numbers", |size| vec![json!(1); size].into()),
    ("members", members),
];

#[tokio::test(flavor = "multi_thread")]
async fn however_many_there_are() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let tenant = Tenant::create(target).await;
    let faults = Faults::default();
    for route in ROUTES {
        for field in fields_of(route).into_iter().filter(|field| field.kind() != "string") {
            let sample = sample(route, &tenant, &tenant.owner).await;
            let given = sample.body.as_ref().and_then(|body| body.pointer(&field.pointer)?.get(0)).cloned();
            let with = |value: Value| {
                let mut sample = sample.clone();
                plant(sample.body.get_or_insert_with(|| json!({})), &field.pointer, value);
                ask(&sample, &tenant.owner, &tenant)
            };
            let what = format!("{} {}", route.name, field.pointer);
            if let Some(item) = given {
                let asked = async |size| with(vec![item.clone(); size].into());
                faults.grows(&format!("{what}: items like its own"), doubled(800), asked).await;
            }
            for (kind, value) in VALUES {
                let asked = async |size| with(value(size));
                faults.grows(&format!("{what}: {kind}"), doubled(800), asked).await;
            }
        }
    }
    faults.none(0);
}
