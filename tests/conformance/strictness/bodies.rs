//! Bodies that are no JSON, are too large or of another media type, and values of the wrong type or form.

use bailiwick::verify::samples::Sample;
use bailiwick_core::{
    limits,
    routes::{ROUTES, Route},
};
use bailiwick_tests::targets::Target;
use serde_json::{Value, json};

use super::{
    Stage, body_fields, has_body,
    schema::{Field, uproot},
    values::{numbers, of_other_forms, of_other_types},
    with,
};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let routes = || ROUTES.iter().filter(|route| has_body(route));
    let malformed = routes().map(|route| {
        Case::new(format!("strictness::malformed::{}", route.name), move |target| malformed(target, route))
    });
    let values = routes().map(|route| {
        Case::new(format!("strictness::values::{}", route.name), move |target| values(target, route))
    });
    malformed.chain(values).collect()
}

/// The sample's body, with one more member, which is unknown, of this text.
fn with_unknown(sample: &Sample, value: &str) -> String {
    let good = sample.body.as_ref().expect("a body").to_string();
    format!("{},\"zz\":{value}}}", good.strip_suffix('}').expect("an object"))
}

/// The sample's body, with one more member, so that objects and arrays stand so many levels deep in each other.
fn nested(sample: &Sample, levels: usize) -> String {
    let inner = levels - 1;
    with_unknown(sample, &format!("{}{}", "[".repeat(inner), "]".repeat(inner)))
}

/// What is no JSON, or no object, or means two things.
fn malformed_texts(sample: &Sample) -> Vec<Vec<u8>> {
    let body = sample.body.as_ref().expect("a body");
    let good = body.to_string();
    let mut texts: Vec<Vec<u8>> =
        ["", " ", "\n", "{", "null", "7", "\"x\"", "[]", "{'a':1}", "{\"a\":1,}", "\0"]
            .map(|text| text.as_bytes().to_vec())
            .to_vec();
    texts.extend(
        [
            format!("[{good}]"),
            format!("{good}{good}"),
            format!("{good},"),
            format!("{good}\0"),
            format!("\u{feff}{good}"),
            format!("/* a comment */{good}"),
            nested(sample, limits::JSON_DEPTH + 1),
            nested(sample, 130),
            nested(sample, 100_000),
            "[".repeat(200_000),
            "{\"a\":".repeat(20_000),
        ]
        .map(String::into_bytes),
    );
    texts.push(good.encode_utf16().flat_map(u16::to_le_bytes).collect());
    // Lone and swapped surrogates, raw control characters, numbers that are none or beyond all bounds.
    for value in [
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud800x\"",
        "\"\\u12\"",
        "\"\\x41\"",
        "\"\n\"",
        "\"\t\"",
        "\"\0\"",
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "--1",
        "NaN",
        "Infinity",
        "0x10",
        "1e400",
        "-1e400",
        "tru",
        "[1,]",
        "{\"a\"}",
        "{\"a\":1,\"a\":1}",
        "[{\"a\":{\"b\":1,\"\\u0062\":2}}]",
        "{\"\\ud800\":1}",
    ] {
        texts.push(with_unknown(sample, value).into_bytes());
    }
    for bytes in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"] {
        let text = with_unknown(sample, "\"@\"").into_bytes();
        let at = text.iter().rposition(|byte| *byte == b'@').expect("the mark");
        texts.push([&text[..at], bytes, &text[at + 1..]].concat());
    }
    // Each member once more.
    for (name, value) in body.as_object().expect("an object") {
        texts.push(format!("{},{}:{value}}}", &good[..good.len() - 1], json!(name)).into_bytes());
    }
    texts
}

async fn malformed(target: &'static Target, route: &'static Route) {
    let stage = Stage::set(target).await;
    let sample = stage.sample(route).await;
    let good = sample.body.as_ref().expect("a body").to_string();
    let before = target.backdoor.snapshot(&stage.tenant.id).await;

    // Nothing at all is no fault of a body that may be left away.
    let may_be_none = route.name == "notifications::mark_all_read";
    for text in malformed_texts(&sample).into_iter().filter(|text| !(may_be_none && text.is_empty())) {
        let said = String::from_utf8_lossy(&text).chars().take(200).collect::<String>();
        let answer = stage.send(&sample, text).await;
        assert_eq!((answer.status, answer.code()), (400, "malformed_json"), "{route:?} {said}: {answer:?}");
    }

    // What is JSON, and unknown.
    for value in ["-0", "1e308", "123456789012345678901234567890", "0.1e-999", "\"\\ud83d\\ude80\"", "null"] {
        let answer =
            stage.send(&sample, with_unknown(&sample, value)).await.problem(422, "validation_failed");
        assert_eq!(answer.pointers(), ["/zz"], "{route:?} {value}");
    }
    let answer =
        stage.send(&sample, nested(&sample, limits::JSON_DEPTH)).await.problem(422, "validation_failed");
    assert_eq!(answer.pointers(), ["/zz"], "{route:?}");

    // However many there are, the first of them are told.
    let more: String = (0..1_000).map(|number| format!(",\"y{number}\":0")).collect();
    let answer = stage.send(&sample, with_unknown(&sample, &format!("0{more}"))).await;
    assert_eq!(answer.problem(422, "validation_failed").pointers().len(), limits::FAULTS, "{route:?}");

    // To the byte.
    let padded = |bytes: usize| {
        let short = with_unknown(&sample, "\"\"").len();
        with_unknown(&sample, &json!("x".repeat(bytes - short)).to_string())
    };
    let fits = padded(limits::BODY_BYTES);
    assert_eq!(fits.len(), limits::BODY_BYTES);
    stage.send(&sample, fits).await.problem(422, "validation_failed");
    stage.send(&sample, padded(limits::BODY_BYTES + 1)).await.problem(413, "body_too_large");
    stage
        .send(&sample, format!("{good}{}", " ".repeat(limits::BODY_BYTES)))
        .await
        .problem(413, "body_too_large");

    for media_type in [
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json;charset=",
    ] {
        stage.send_as(&sample, media_type, good.clone()).await.problem(415, "unsupported_media_type");
    }
    let unknown = with_unknown(&sample, "1");
    for media_type in [
        "application/json; charset=UTF-8",
        "Application/JSON ;charset=\"utf-8\"",
        "application/json; x=y",
        "application/merge-patch+json",
    ] {
        stage.send_as(&sample, media_type, unknown.clone()).await.problem(422, "validation_failed");
    }
    assert_eq!(target.backdoor.snapshot(&stage.tenant.id).await, before, "{route:?} left traces");
}

async fn values(target: &'static Target, route: &'static Route) {
    let stage = Stage::set(target).await;
    let sample = stage.sample(route).await;
    let body = sample.body.clone().expect("a body");
    let fields = body_fields(route);
    let before = target.backdoor.snapshot(&stage.tenant.id).await;
    for field in &fields {
        let pointer = field.pointer.as_str();
        for value in of_other_types(field) {
            let code = stage.refused(&sample, &with(&sample, pointer, value), pointer).await;
            assert_eq!(code, "wrong_type", "{route:?} {pointer}");
        }
        for number in numbers(field) {
            let marked = with(&sample, pointer, json!("@a number@")).to_string();
            let answer = stage.send(&sample, marked.replace("\"@a number@\"", number)).await;
            assert_eq!(answer.problem(422, "validation_failed").pointers(), [pointer], "{number}");
        }
        for text in of_other_forms(field) {
            stage.refused(&sample, &with(&sample, pointer, json!(text)), pointer).await;
        }
        if field.required
            && body.pointer(pointer).is_some()
            && !pointer.ends_with(|c: char| c.is_ascii_digit())
        {
            let mut lacking = body.clone();
            uproot(&mut lacking, pointer);
            assert_eq!(stage.refused(&sample, &lacking, pointer).await, "required", "{route:?} {pointer}");
        }
    }
    // What is unknown, in each object.
    let inner = fields.iter().filter(|field| field.kind() == "object").map(|field| field.pointer.as_str());
    for object in std::iter::once("").chain(inner) {
        for (name, escaped) in [
            ("zz", "zz"),
            ("", ""),
            ("a/b~c", "a~1b~0c"),
            ("__proto__", "__proto__"),
            ("tenant_id", "tenant_id"),
            ("version", "version"),
            ("\u{fc}", "\u{fc}"),
            ("\0", "\0"),
        ] {
            let mut body = with(&sample, "", body.clone());
            if body.pointer(object).is_none() {
                super::schema::plant(&mut body, object, json!({}));
            }
            let members = body.pointer_mut(object).expect("an object");
            // A row of a tenant that is moved has columns of such names.
            if members.get(name).is_some() {
                continue;
            }
            members[name] = json!(1);
            let code = stage.refused(&sample, &body, &format!("{object}/{escaped}")).await;
            assert_eq!(code, "unknown", "{route:?} {object} {name}");
        }
    }
    // All at once.
    let top: Vec<_> = fields.iter().filter(|field| field.pointer.matches('/').count() == 1).collect();
    let wrong = |field: &Field| if field.kind() == "boolean" { json!(7) } else { json!(false) };
    let mut all: Value = top.iter().map(|field| (field.name().to_owned(), wrong(field))).collect();
    all["zz"] = json!(1);
    let answer = stage.send(&sample, all.to_string()).await.problem(422, "validation_failed");
    let mut expected: Vec<_> = top.iter().map(|field| field.pointer.as_str()).chain(["/zz"]).collect();
    let mut pointers = answer.pointers();
    expected.sort_unstable();
    pointers.sort_unstable();
    assert_eq!(pointers, expected, "{route:?}");
    assert_eq!(target.backdoor.snapshot(&stage.tenant.id).await, before, "{route:?} left traces");
}
