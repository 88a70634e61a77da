//! For tests of the service itself: a request that is held between its reads and its writes, so that a test can change
//! in between what the request has decided on.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::Method;

use crate::ports::{HttpRequest, HttpResponse, Platform};

/// How long a test may take for its changes in between.
const PATIENCE: Duration = Duration::from_mins(30);

/// The URL that a request asks, once, before its first batch that writes, unless that is its first batch. The request
/// goes on when the answer is 200.
#[derive(Debug)]
pub(crate) struct Hold {
    url: String,
    trusted: bool,
    met: AtomicBool,
}

impl Hold {
    /// At this URL, which may be of a private address if it is trusted.
    pub(crate) fn new(url: String, trusted: bool) -> Self {
        Self { url, trusted, met: AtomicBool::new(false) }
    }

    /// Returns when the request may go on, or `false` if nobody lets it.
    pub(crate) async fn wait(&self, ports: &Platform) -> bool {
        if self.met.swap(true, Ordering::Relaxed) {
            return true;
        }
        let request = HttpRequest {
            to: "test",
            method: Method::GET,
            url: self.url.clone(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: PATIENCE,
            trusted: self.trusted,
            read: 0,
        };
        matches!(ports.http.send(request).await, Ok(HttpResponse { status: 200, .. }))
    }
}
