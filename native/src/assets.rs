//! The files of `site/`, compiled in: the binary needs nothing beside it.

use std::{io::Write, sync::OnceLock};

use axum::{body::Body, response::Response};
use bailiwick_core::{
    ports::{AssetFailure, Assets},
    site::{SCALAR, Streamed},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, header};

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        static FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../../site/", $name)))),+];
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

/// The reference's script, which a package carries, as it is and compressed: it takes a tenth of a second to compress, so that is
/// done once.
struct Script {
    plain: Bytes,
    gzipped: Bytes,
}

fn script() -> &'static Script {
    static SCRIPT: OnceLock<Script> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let plain = scalar_api_reference::get_asset(SCALAR.name).unwrap_or_default();
        let mut gzipped = GzEncoder::new(Vec::new(), Compression::default());
        let written = gzipped.write_all(&plain).and_then(|()| gzipped.finish());
        Script { gzipped: written.unwrap_or_default().into(), plain: plain.into() }
    })
}

/// Puts the file into a response that [stands for one](Streamed), compressed for who takes that.
pub(crate) async fn stream(mut response: Response, takes_gzip: bool) -> Response {
    if response.extensions_mut().remove::<Streamed>().is_none() {
        return response;
    }
    let Ok(script) = tokio::task::spawn_blocking(script).await else { return response };
    let body = if takes_gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        &script.gzipped
    } else {
        &script.plain
    };
    response.map(|_| Body::from(body.clone()))
}
