//! Pages for people: where to begin, the API to read and to try, and what each problem means. Programs get the same facts as
//! JSON.

use serde::Serialize;

use crate::{
    dispatch::{App, Lobby},
    negotiation::{Negotiated, PrefersPage},
    problem::{Code, Explanation, Result},
    site::{self, File, Loaded, Page, html},
};

/// What this is, and where to go on.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Home {
    /// The name of the product.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// Where to go on: paths.
    links: Links,
}

/// Where to go on.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Links {
    /// The API to read and to try in a browser.
    docs: &'static str,
    /// The API as an OpenAPI document.
    description: &'static str,
    /// Whether the service can do its work.
    health: &'static str,
    /// The approval workflow.
    workflow: &'static str,
    /// What each problem means.
    problems: &'static str,
}

/// Every kind of problem.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Problems {
    /// All of them, by status.
    data: Vec<Explanation>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) async fn home(lobby: Lobby, PrefersPage(page): PrefersPage) -> Result<Negotiated<Home>> {
    if page {
        let filled = site::HOME.filled(lobby.app(), &[("version", VERSION.to_owned())]).await?;
        return Ok(Negotiated::Page(filled));
    }
    let links = Links {
        docs: "/docs",
        description: "/openapi.json",
        health: "/readyz",
        workflow: "/v1/workflow",
        problems: "/problems",
    };
    Ok(Negotiated::Json(Home { name: "Bailiwick", version: VERSION, links }))
}

pub(crate) async fn docs(lobby: Lobby) -> Result<Page> {
    site::DOCS.read(lobby.app()).await.map(Page)
}

pub(crate) async fn file(lobby: Lobby, file: &'static File) -> Result<Loaded> {
    file.read(lobby.app()).await.map(|bytes| Loaded(file, bytes))
}

pub(crate) async fn problems(lobby: Lobby, PrefersPage(page): PrefersPage) -> Result<Negotiated<Problems>> {
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
    site::PROBLEMS.filled(lobby.app(), &[("problems", items)]).await.map(Negotiated::Page)
}

pub(crate) async fn problem(
    lobby: Lobby,
    code: Code,
    PrefersPage(page): PrefersPage,
) -> Result<Negotiated<Explanation>> {
    if page {
        return shown(lobby.app(), code).await.map(Negotiated::Page);
    }
    Ok(Negotiated::Json(code.explained()))
}

/// A problem as people read it.
pub(crate) async fn shown(app: &App, code: Code) -> Result<Page> {
    let found = code.explained();
    let places = [
        ("code", found.code.to_owned()),
        ("status", found.status.to_string()),
        ("title", html(found.title)),
        ("meaning", html(&found.meaning)),
        ("advice", html(found.advice)),
    ];
    site::PROBLEM.filled(app, &places).await
}
