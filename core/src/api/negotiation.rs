//! Content negotiation: whether a request gets a page for people or JSON for programs (RFC 9110, section 12.5.1).

use http::{HeaderValue, header};

#[cfg(feature = "openapi")]
use crate::api::facts::Fact;
use crate::{
    api::{
        endpoint::{Extract, Incoming},
        reply::{Json, Output, Reply},
        site::{self, Page},
    },
    http::{answer::Answer, problem::Result},
};

/// Whether the client prefers HTML to JSON. A client without a preference is taken for a program.
pub(crate) struct PrefersPage(pub(crate) bool);

impl Extract for PrefersPage {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        Ok(Self(prefers_page(&incoming.accept)))
    }
}

/// Whether this `Accept` prefers HTML to JSON.
pub(crate) fn prefers_page<'a>(accept: impl IntoIterator<Item = &'a HeaderValue>) -> bool {
    let accept: Vec<_> = accept.into_iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    quality(&accept, "text/html") > quality(&accept, "application/json")
}

/// The weight of a media type, in thousandths, by the most specific range that it is in.
fn quality(accept: &str, media_type: &str) -> u16 {
    let (main, _) = media_type.split_once('/').unwrap_or_default();
    let (mut best, mut found) = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let specific = match name.split_once('/') {
            _ if name == media_type => 3,
            Some((of, "*")) if of == main => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        if specific > best {
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            (best, found) = (specific, weight.map_or(1000, thousandths));
        }
    }
    found
}

/// A weight: `0` to `1` with up to three decimals. Any other text counts as 0.
fn thousandths(weight: &str) -> u16 {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    match whole {
        "1" => 1000,
        "0" if decimals.len() <= 3 => format!("{decimals:0<3}").parse().unwrap_or_default(),
        _ => 0,
    }
}

/// 200 with the form that the client prefers.
pub(crate) enum Negotiated<T> {
    /// For people.
    Page(Page),
    /// For programs.
    Json(T),
}

impl<T: Output> Reply for Negotiated<T> {
    fn reply(self) -> Result<Answer> {
        let answer = match self {
            Self::Page(page) => page.reply()?,
            Self::Json(value) => Json(value).reply()?.header(header::CACHE_CONTROL, site::KEPT),
        };
        Ok(answer.header(header::VARY, "accept"))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        [Json::<T>::facts(), Page::facts()].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefers_page(accept: &str) -> bool {
        quality(accept, "text/html") > quality(accept, "application/json")
    }

    #[test]
    fn who_asks_for_a_page_gets_one() {
        for page in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "TEXT/HTML",
            "text/*, */*;q=0.1",
            "application/json;q=0.5, text/html;q=0.501",
            "application/json;q=0, text/html; charset=utf-8; q=0.001",
        ] {
            assert!(prefers_page(page), "{page}");
        }
        for json in [
            "",
            "*/*",
            "application/json",
            "text/html, application/json",
            "application/json, */*;q=0.9",
            "text/html;q=0, */*",
            "text/html;q=0.0001",
            "text/html;q=-1",
            "text/html;q=",
            "image/png",
            ",;/,;;q=1",
        ] {
            assert!(!prefers_page(json), "{json}");
        }
    }
}
