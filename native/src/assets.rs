//! The files of `site/`, compiled in: the binary needs nothing beside it.

use bailiwick_core::ports::{AssetFailure, Assets};
use bytes::Bytes;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        static FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../../site/", $name)))),+];
    };
}

files! {
    "home.html",
    "docs.html",
    "problems.html",
    "problem.html",
    "openapi.json",
    "style.css",
    "docs.css",
    "theme.js",
    "docs.js",
    "dom.js",
    "api.js",
    "session.js",
    "schema.js",
    "operation.js",
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
