//! Text: what characters it may have, how many of them, and that it is kept as it was sent.

use bailiwick_core::routes::{ROUTES, Route};
use bailiwick_tests::{client::Answer, targets::Target};
use regex::Regex;
use serde_json::{Value, json};

use super::{
    Stage, body_fields, has_body,
    schema::Field,
    values::{TEXT, text_of},
    with,
};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let routes = ROUTES.iter().filter(|route| has_body(route));
    let texts = |route: &'static Route| {
        Case::new(format!("strictness::texts::{}", route.name), move |target| texts(target, route))
    };
    routes.filter(|route| body_fields(route).iter().any(is_text)).map(texts).collect()
}

/// Whether it is text whose length is bounded by itself.
fn is_text(field: &Field) -> bool {
    let by_itself = matches!(field.schema["format"].as_str(), None | Some("email" | "uri" | "password"));
    field.kind() == "string" && field.choices().is_empty() && by_itself
}

async fn texts(target: &'static Target, route: &'static Route) {
    let stage = Stage::set(target).await;
    for field in body_fields(route).into_iter().filter(is_text) {
        length(&stage, route, &field).await;
        if field.is_prose() {
            characters(&stage, route, &field).await;
        }
    }
}

/// The limits are exact, and are those of the description.
async fn length(stage: &Stage, route: &'static Route, field: &Field) {
    let pointer = field.pointer.as_str();
    let limit =
        |name: &str| field.schema[name].as_u64().map(|limit| usize::try_from(limit).expect("a limit"));
    let most = limit("maxLength").unwrap_or_else(|| panic!("{route:?} {pointer} is not bounded"));
    let sample = stage.sample(route).await;
    let code =
        stage.refused(&sample, &with(&sample, pointer, json!(text_of(field, most + 1))), pointer).await;
    assert!(matches!(code.as_str(), "too_long" | "format"), "{route:?} {pointer}: {code}");
    if let Some(least) = limit("minLength").filter(|least| *least > 0) {
        let short = json!(text_of(field, least - 1));
        let code = stage.refused(&sample, &with(&sample, pointer, short), pointer).await;
        assert!(matches!(code.as_str(), "too_short" | "format"), "{route:?} {pointer}: {code}");
    }
    let text = text_of(field, most);
    assert_eq!(text.chars().count(), most, "{route:?} {pointer}");
    let answer = stage.send(&sample, with(&sample, pointer, json!(text)).to_string()).await;
    if field.is_prose() {
        kept(&answer.expect(sample.success), field, &text);
    } else {
        // It may be nobody's; but it is no longer its form that is refused.
        let code = answer.body["errors"][0]["code"].as_str().unwrap_or_default();
        assert!(!matches!(code, "too_long" | "too_short" | "characters"), "{route:?} {pointer}: {answer:?}");
    }
}

/// Where the answer has the field, it is as it was sent.
fn kept(answer: &Answer, field: &Field, text: &str) {
    let parts: Vec<_> = field.pointer.split('/').collect();
    let shown = match parts.as_slice() {
        [_, name] => format!("/{name}"),
        [_, "operations", place, name] => format!("/results/{place}/task/{name}"),
        other => panic!("where does the answer show {other:?}?"),
    };
    if let Some(found) = answer.body.pointer(&shown) {
        assert_eq!(found, &json!(text), "{field:?}");
    }
}

/// Control characters are refused, but for those that the pattern lets through; all else is kept.
async fn characters(stage: &Stage, route: &'static Route, field: &Field) {
    let pointer = field.pointer.as_str();
    let pattern = Regex::new(field.schema["pattern"].as_str().expect("a pattern")).expect("a pattern");
    let sample = stage.sample(route).await;
    let mut text = format!("{TEXT}\u{2028}\u{AD}\u{10FFFF}");
    for code in (0..0x20).chain(0x7F..0xA0) {
        let character = char::from(code);
        if pattern.is_match(&format!("a{character}b")) {
            text.push(character);
            continue;
        }
        // Not each of those in the middle of a range.
        if code > 2 && !matches!(code, 8..=14 | 0x1B | 0x1F | 0x7F | 0x80 | 0x85 | 0x9F) {
            continue;
        }
        let body = with(&sample, pointer, json!(format!("a{character}b")));
        assert_eq!(stage.refused(&sample, &body, pointer).await, "characters", "{route:?} {pointer} {code}");
    }
    assert!(pattern.is_match(&text));
    if field.schema["minLength"] == 1 {
        for blank in [
            " ",
            "\u{3000}\u{2003}",
            "\u{A0}",
            "\u{200B}",
            "\u{2060}\u{FEFF}",
            "\u{AD}",
            "\u{3164}",
            "\u{2800}",
            "\u{E0041}",
        ] {
            let body = with(&sample, pointer, json!(blank));
            assert_eq!(stage.refused(&sample, &body, pointer).await, "too_short", "{route:?} {pointer}");
        }
    }
    let body: Value = with(&sample, pointer, json!(text));
    kept(&stage.send(&sample, body.to_string()).await.expect(sample.success), field, &text);
}
