//! For tests of the service itself: a request that is held between what it has read and what it writes, so that a test can
//! change in between what was decided on.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::Method;

use crate::{
    config::Config,
    dispatch::App,
    ports::{HttpRequest, HttpResponse},
    problem::{Problem, Result},
};

/// How long a test may take for what it does in between.
const PATIENCE: Duration = Duration::from_mins(30);

/// Where a request asks, once, before its first batch that writes, unless that is the first of all. It goes on when it is
/// answered with 200.
#[derive(Debug)]
pub(super) struct Hold {
    url: String,
    trusted: bool,
    met: AtomicBool,
}

impl Hold {
    /// What `X-Fault: hold URL` asks for, where faults are injected, if the URL has an origin that the operator allows.
    pub(super) fn asked(config: &Config, fault: Option<&[u8]>) -> Option<Self> {
        let fault = fault.filter(|_| config.fault_injection)?;
        let url = str::from_utf8(fault).ok()?.strip_prefix("hold ")?;
        let permit = config.outbound_allow.permit(url, Some(&[])).ok()?;
        Some(Self { url: url.to_owned(), trusted: permit.trusted, met: AtomicBool::new(false) })
    }

    /// Returns when the request may go on.
    ///
    /// # Errors
    /// Nobody says that it may.
    pub(super) async fn wait(&self, app: &App) -> Result<()> {
        if self.met.swap(true, Ordering::Relaxed) {
            return Ok(());
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
        match app.ports.http.send(request).await {
            Ok(HttpResponse { status: 200, .. }) => Ok(()),
            Ok(_) | Err(_) => Err(Problem::internal("a request was held, and nobody let it go on")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_held_or_asked_but_where_the_operator_has_said_so() {
        let asked = |faults: &str, fault: &str| {
            let config = Config::read(|name| match name {
                "FAULT_INJECTION" => Some(faults.to_owned()),
                "OUTBOUND_ALLOW" => Some("http://127.0.0.1:9000".to_owned()),
                _ => None,
            });
            Hold::asked(&config.unwrap(), Some(fault.as_bytes())).is_some()
        };
        assert!(asked("true", "hold http://127.0.0.1:9000/gate"));
        assert!(!asked("false", "hold http://127.0.0.1:9000/gate"));
        for other in ["panic", "hold ", "hold http://127.0.0.1:9001/gate", "hold https://example.com/gate"] {
            assert!(!asked("true", other), "{other}");
        }
    }
}
