//! The files of `site/`, compiled in: the binary needs nothing beside it.

use std::{io::Write, sync::OnceLock};

use axum::{body::Body, response::Response};
use bailiwick_core::{
    Streamed,
    ports::{AssetFailure, Assets},
    site::SCALAR,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, header};

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        static FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../../../site/", $name)))),+];
    };
}

files! {
    "home.html",
    "start.html",
    "docs.html",
    "problems.html",
    "problem.html",
    "openapi.json",
    "style.css",
    "docs.css",
    "reference.css",
    "theme.js",
    "start.js",
    "reference.js",
    "policy.js",
    "dom.js",
    "api.js",
    "session.js",
    "account.js",
    "answer.js",
    "tour.js",
    "icon.svg",
    "workflow.svg",
}

/// The files in the binary.
#[derive(Clone, Copy, Debug)]
pub struct Embedded;

impl Embedded {
    /// A file, by its name.
    pub fn file(name: &str) -> Option<&'static [u8]> {
        FILES.iter().find(|(found, _)| *found == name).map(|(_, bytes)| *bytes)
    }

    /// The names of all files.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }
}

impl Assets for Embedded {
    async fn read(&self, name: &'static str) -> Result<Bytes, AssetFailure> {
        let file = Self::file(name).map(Bytes::from_static);
        file.ok_or_else(|| AssetFailure("it is not in the binary".to_owned()))
    }
}

/// The reference's script, which a package contains, as it is and compressed: compressing it takes a tenth of a second,
/// so that is done once.
struct Script {
    plain: Bytes,
    gzipped: Bytes,
}

/// `None` if the package has no such file.
fn script() -> Option<&'static Script> {
    static SCRIPT: OnceLock<Option<Script>> = OnceLock::new();
    let made = SCRIPT.get_or_init(|| {
        let plain = scalar_api_reference::get_asset(SCALAR.name)?;
        let mut gzipped = GzEncoder::new(Vec::new(), Compression::default());
        let written = gzipped.write_all(&plain).and_then(|()| gzipped.finish());
        Some(Script { gzipped: written.ok()?.into(), plain: plain.into() })
    });
    made.as_ref()
}

/// Marks a response that is not to be compressed (again).
#[derive(Clone, Copy)]
pub(crate) struct AsItIs;

/// Puts the file into a response that [stands for one](Streamed), compressed if the client accepts that, and keeps it
/// from being compressed again for each request. `None` if there is no such file.
pub(crate) async fn stream(mut response: Response, head: bool, takes_gzip: bool) -> Option<Response> {
    if response.extensions_mut().remove::<Streamed>().is_none() {
        return Some(response);
    }
    let script = tokio::task::spawn_blocking(script).await.ok()??;
    response.extensions_mut().insert(AsItIs);
    let headers = response.headers_mut();
    let body = if takes_gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        &script.gzipped
    } else {
        &script.plain
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Some(response.map(|_| if head { Body::empty() } else { Body::from(body.clone()) }))
}
