//! Compression of answers. No `Accept-Encoding` keeps a client from its answer: an uncompressed one is always possible.

use axum::{extract::Request, response::Response};
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header};
use tower_http::compression::{
    CompressionLayer, CompressionLevel,
    predicate::{Predicate, SizeAbove},
};

use crate::ports::assets::AsItIs;

/// Smaller bodies are not worth compressing: they fit into one packet.
const FROM_BYTES: u64 = 1024;

/// The layer that compresses.
pub(crate) fn layer() -> CompressionLayer<impl Predicate> {
    let may = |_: StatusCode, _: Version, _: &HeaderMap, more: &Extensions| more.get::<AsItIs>().is_none();
    let worth = SizeAbove::new(FROM_BYTES).and(may);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth)
}

/// Before that layer: removes from `Accept-Encoding` what forbids an uncompressed answer, for which the layer would
/// replace the answer by 406 (RFC 9110, section 12.5.3, allows both).
pub(crate) async fn accept_as_is(mut request: Request) -> Request {
    let accepted = request.headers().get_all(header::ACCEPT_ENCODING);
    let codings = accepted.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let others: Vec<&str> = codings.filter(|coding| !forbids_as_is(coding)).collect();
    let others = HeaderValue::try_from(others.join(","));
    match others {
        Ok(others) if !others.is_empty() => {
            request.headers_mut().insert(header::ACCEPT_ENCODING, others);
        }
        _ => {
            request.headers_mut().remove(header::ACCEPT_ENCODING);
        }
    }
    request
}

/// Whether the client accepts gzip, which it does not by saying nothing. A coding's own entry counts more than that for
/// all (RFC 9110, section 12.5.3).
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings: Vec<_> = accepted.flat_map(|value| value.split(',')).map(read).collect();
    let said = |names: &[&str]| {
        codings.iter().find(|(named, _)| names.iter().any(|name| named.eq_ignore_ascii_case(name)))
    };
    said(&["gzip", "x-gzip"]).or_else(|| said(&["*"])).is_some_and(|(_, none)| !none)
}

/// A coding, and whether it is refused.
fn read(coding: &str) -> (&str, bool) {
    let mut parts = coding.split(';').map(str::trim);
    let named = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.split_once('=')).map(|(_, weight)| weight.trim());
    // A zero with any number of decimals.
    let none =
        weight.is_some_and(|weight| weight.starts_with('0') && weight.trim_matches(['0', '.']).is_empty());
    (named, none)
}

/// Whether it forbids an uncompressed body, explicitly or by allowing only the named codings.
fn forbids_as_is(coding: &str) -> bool {
    let (named, none) = read(coding);
    none && (named == "*" || named.eq_ignore_ascii_case("identity"))
}

/// Behind it: a compressed answer is not byte for byte what a strong tag claims (RFC 9110, section 8.8.1).
pub(crate) async fn weaken_tag(mut response: Response) -> Response {
    if response.headers().contains_key(header::CONTENT_ENCODING)
        && let Some(tag) = response.headers_mut().get_mut(header::ETAG)
        && let Ok(weak) = HeaderValue::try_from([b"W/", tag.as_bytes()].concat())
    {
        *tag = weak;
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn passed_on(values: &[&str]) -> Option<String> {
        let mut request = Request::new(Body::empty());
        for value in values {
            request.headers_mut().append(header::ACCEPT_ENCODING, value.parse().unwrap());
        }
        let request = accept_as_is(request).await;
        let passed_on = request.headers().get(header::ACCEPT_ENCODING)?;
        Some(passed_on.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_is_said_of_gzip_counts_more_than_what_is_said_of_all() {
        for (sent, taken) in [
            ("gzip", true),
            ("x-gzip", true),
            ("br, GZIP;q=0.1", true),
            ("*", true),
            ("*;q=0, gzip", true),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, sent.parse().unwrap());
            assert_eq!(takes_gzip(&headers), taken, "{sent}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn nothing_forbids_an_answer_as_it_is() {
        for (sent, left) in [
            (&["identity;q=0"][..], None),
            (&["*;q=0"], None),
            (&["IDENTITY ; q=0.000"], None),
            (&["deflate, *;q=0"], Some("deflate")),
            (&["gzip;q=0", "identity;Q=0"], Some("gzip;q=0")),
            (&["gzip, *"], Some("gzip, *")),
            (&["identity;q=0.5, gzip;q=0.4"], Some("identity;q=0.5, gzip;q=0.4")),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(passed_on(sent).await.as_deref(), left, "{sent:?}");
        }
    }
}
