//! What a request consists of beside its fields: the document as a whole, headers, the path and the query.

use bailiwick::verify::matrix::{description, operation, placeholders};
use bailiwick_core::{REQUEST_HEADERS, routes::ROUTES};
use bailiwick_tests::actors::{Actor, Tenant};
use reqwest::Method;

use super::{
    growth::{Faults, Kind, doubled},
    host,
    samples::{ask, route, sample},
};

/// A document of about so many bytes.
const DOCUMENTS: [Kind<String>; 14] = [
    ("members", |size| object(size, |number| format!("\"a{number}\":0"))),
    ("members of one name", |size| object(size, |_| "\"name\":\"a\"".to_owned())),
    ("members whose names are long", |size| format!("{{\"{}\":0}}", "a".repeat(size))),
    ("members with lists", |size| object(size, |number| format!("\"{number}\":[[0]]"))),
    ("a list", |size| format!("[{}0]", "0,".repeat(size / 2))),
    ("a list of lists", |size| format!("[{}0]", "[[]],".repeat(size / 5))),
    ("blanks", |size| format!("{}{{}}", " ".repeat(size))),
    ("an open list", |size| "[".repeat(size)),
    ("an open object", |size| "{\"a\":".repeat(size / 5)),
    ("digits", |size| format!("{{\"a\":{}}}", "1".repeat(size))),
    ("digits behind the point", |size| format!("{{\"a\":0.{}}}", "1".repeat(size))),
    ("escapes", |size| format!("{{\"a\":\"{}\"}}", "\\u00e9".repeat(size / 6))),
    ("half a pair", |size| format!("{{\"a\":\"{}\"}}", "\\ud800".repeat(size / 6))),
    ("an open text", |size| format!("{{\"a\":\"{}", "a".repeat(size))),
];

fn object(size: usize, member: impl Fn(usize) -> String) -> String {
    let members: Vec<_> = (0..size / 8).map(member).collect();
    format!("{{{}}}", members.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_document_consists_of() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let tenant = Tenant::create(target).await;
    let faults = Faults::default();
    for route in ROUTES {
        let mut sample = sample(route, &tenant, &tenant.owner).await;
        if sample.body.take().is_none() {
            continue;
        }
        for (kind, document) in DOCUMENTS {
            let asked =
                async |size| ask(&sample, &tenant.owner, &tenant).raw("application/json", document(size));
            faults.grows(&format!("{}: {kind}", route.name), doubled(8 * 1024), asked).await;
        }
    }
    faults.none(0);
}

/// What headers consist of.
const PIECES: [&str; 18] = [
    "a",
    ",",
    ", ",
    "a,",
    "\"a\",",
    "\"a\", ",
    "W/\"a\",",
    "\"",
    "\\\"",
    ";",
    ";q=1,",
    "*/*,",
    "text/html;q=0.5,",
    " ",
    "-",
    "0",
    ".",
    "a=b,",
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_header_consists_of() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let tenant = Tenant::create(target).await;
    let faults = Faults::default();
    for name in [
        "me::get",
        "projects::list",
        "projects::get",
        "projects::update",
        "projects::create",
        "pages::home",
        "service::openapi",
    ] {
        let route = route(name);
        let sample = sample(route, &tenant, &tenant.owner).await;
        for header in &REQUEST_HEADERS {
            for piece in PIECES {
                let asked = async |size: usize| {
                    let value = piece.repeat(size / piece.len());
                    let value = if header == "authorization" { format!("Bearer {value}") } else { value };
                    let actor = if header == "authorization" {
                        Actor::anonymous(target)
                    } else {
                        tenant.owner.clone()
                    };
                    let mut asked = actor.ask(route.method.clone(), &sample.path());
                    if !matches!(header.as_str(), "x-tenant-id" | "x-tenant-slug") {
                        asked = asked.tenant(&tenant.id);
                    }
                    let asked = asked.header(header.as_str(), value.trim());
                    match &sample.body {
                        Some(body) if header != "content-type" => asked.json(body),
                        Some(body) => asked.raw("", body.to_string()),
                        None => asked,
                    }
                };
                faults.grows(&format!("{name} {header}: {piece}"), doubled(2 * 1024), asked).await;
            }
        }
    }
    faults.none(100);
}

/// What queries and paths consist of, percent-encoded.
const ENCODED: [&str; 14] =
    ["a", "%61", "%20", "a%20", "%CC%81%CC%A3", "%EF%B7%BA", "+", "-", "%2F", "%25", "%ff", "0", "%22", "."];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_path_or_query_consists_of() {
    let lasting = host::serve().await;
    let target = lasting.get();
    let tenant = Tenant::create(target).await;
    let faults = Faults::default();
    for route in ROUTES {
        let sample = sample(route, &tenant, &tenant.owner).await;
        let parameters =
            operation(description(), route)["parameters"].as_array().cloned().unwrap_or_default();
        let names = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let names: Vec<_> = names.filter_map(|parameter| parameter["name"].as_str()).collect();
        let with = |more: String| {
            let path = sample.path();
            let path = format!("{path}{}{more}", if path.contains('?') { '&' } else { '?' });
            let asked = tenant.owner.ask(route.method.clone(), &path).tenant(&tenant.id);
            asked.maybe(sample.body.as_ref())
        };
        for piece in ENCODED {
            for name in &names {
                let asked = async |size: usize| with(format!("{name}={}", piece.repeat(size / piece.len())));
                faults.grows(&format!("{} ?{name}={piece}..", route.name), doubled(1_800), asked).await;
            }
            if route.method == Method::GET {
                let last = placeholders(route.path).last().zip(sample.ids.last());
                if let Some((_, id)) = last {
                    let asked = async |size: usize| {
                        let path = sample.path().replace(id.as_str(), &piece.repeat(size / piece.len()));
                        tenant.owner.get(&path).tenant(&tenant.id)
                    };
                    faults.grows(&format!("{} /{piece}..", route.name), doubled(1_800), asked).await;
                }
            }
        }
        if route.method == Method::GET {
            let asked = async |size: usize| with("zz=1&".repeat(size / 5));
            faults.grows(&format!("{} of unknown parameters", route.name), doubled(1_800), asked).await;
            let asked =
                async |size: usize| with((0..size / 8).map(|number| format!("z{number}=1&")).collect());
            faults.grows(&format!("{} of other unknown parameters", route.name), doubled(1_800), asked).await;
            if let Some(name) = names.first() {
                let again = format!("{name}=1&");
                let asked = async |size: usize| with(again.repeat(size / again.len()));
                faults.grows(&format!("{} ?{again}..", route.name), doubled(1_800), asked).await;
            }
        }
    }
    faults.none(0);
}
