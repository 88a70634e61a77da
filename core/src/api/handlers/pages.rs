//! Pages for people: the start page, the documentation of the API, and the explanation of each problem. Programs get the same
//! facts as JSON.

use serde::Serialize;

use crate::{
    access::{scopes::anonymous::AnonymousScope, services::Services},
    api::{
        negotiation::{Negotiated, PrefersPage},
        site::{self, File, Loaded, Page, Reference, html},
    },
    http::problem::{Code, Explanation, Result},
};

/// The product, its version, and links to start from.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Home {
    /// The name of the product.
    name: &'static str,
    /// The version of the service.
    version: &'static str,
    /// The paths to start from.
    links: Links,
}

/// The paths to start from.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Links {
    /// The first steps, for browsers.
    start: &'static str,
    /// The reference of all operations, for browsers.
    docs: &'static str,
    /// The OpenAPI description of the API.
    description: &'static str,
    /// The readiness of the service.
    health: &'static str,
    /// The approval workflow.
    workflow: &'static str,
    /// The list of all problems.
    problems: &'static str,
}

/// All kinds of problems.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Problems {
    /// The kinds of problems.
    data: Vec<Explanation>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) async fn home(
    anonymous: AnonymousScope,
    PrefersPage(page): PrefersPage,
) -> Result<Negotiated<Home>> {
    if page {
        let filled = site::HOME.filled(anonymous.services(), &[("version", VERSION.to_owned())]).await?;
        return Ok(Negotiated::Page(filled));
    }
    let links = Links {
        start: "/start",
        docs: "/docs",
        description: "/openapi.json",
        health: "/readyz",
        workflow: "/v1/workflow",
        problems: "/problems",
    };
    Ok(Negotiated::Json(Home { name: "Bailiwick", version: VERSION, links }))
}

pub(crate) async fn start(anonymous: AnonymousScope) -> Result<Page> {
    site::START.read(anonymous.services()).await.map(Page)
}

pub(crate) async fn docs(anonymous: AnonymousScope) -> Result<Reference> {
    Reference::read(anonymous.services(), VERSION).await
}

pub(crate) async fn file(anonymous: AnonymousScope, file: &'static File) -> Result<Loaded> {
    Loaded::of(file, anonymous.services()).await
}

pub(crate) async fn problems(
    anonymous: AnonymousScope,
    PrefersPage(page): PrefersPage,
) -> Result<Negotiated<Problems>> {
    let data: Vec<_> = Code::ALL.iter().map(|code| code.explained()).collect();
    if !page {
        return Ok(Negotiated::Json(Problems { data }));
    }
    let item = |found: &Explanation| {
        let Explanation { code, status, title, meaning, .. } = found;
        let (title, meaning) = (html(title), html(meaning));
        format!(
            "<li><span class=\"status\">{status}</span> <a href=\"/problems/{code}\"><code>{code}</code></a> \
             <p><strong>{title}.</strong> {meaning}</p></li>\n"
        )
    };
    let items = data.iter().map(item).collect();
    site::PROBLEMS.filled(anonymous.services(), &[("problems", items)]).await.map(Negotiated::Page)
}

pub(crate) async fn problem(
    anonymous: AnonymousScope,
    code: Code,
    PrefersPage(page): PrefersPage,
) -> Result<Negotiated<Explanation>> {
    if page {
        return shown(anonymous.services(), code).await.map(Negotiated::Page);
    }
    Ok(Negotiated::Json(code.explained()))
}

/// The page about a problem, for people.
pub(crate) async fn shown(services: &Services, code: Code) -> Result<Page> {
    let found = code.explained();
    let places = [
        ("code", found.code.to_owned()),
        ("status", found.status.to_string()),
        ("title", html(found.title)),
        ("meaning", html(&found.meaning)),
        ("advice", html(found.advice)),
    ];
    site::PROBLEM.filled(services, &places).await
}
