//! The second listener, `ADMIN_BIND`, for the operators of the service: metrics and health, not on the public port.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use bailiwick_core::App;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tokio::net::TcpListener;

use crate::{
    ports::database::AnyDatabase,
    telemetry::metrics::{self, Metrics},
};

/// The text format of Prometheus.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The sources of its answers.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The product, for its outbox and its health.
    pub app: Arc<App>,
    /// The database, for its connections.
    pub database: AnyDatabase,
}

impl Admin {
    /// Listens, and answers until the process ends: also while requests in flight finish, when operators most need it.
    ///
    /// # Errors
    /// A sentence about why it cannot listen on the address.
    pub async fn start(self, address: SocketAddr) -> Result<(), String> {
        let failed = |error| format!("ADMIN_BIND: {address} cannot be listened on: {error}.");
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        tracing::info!("metrics and health are served on http://{address}");
        let router = Router::new()
            .route("/metrics", get(tell))
            .route("/healthz", get(health))
            .route("/readyz", get(health))
            .with_state(self);
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "metrics and health are no longer served");
            }
        });
        Ok(())
    }
}

async fn tell(State(admin): State<Admin>) -> Response {
    match metrics::render(&admin.metrics, &admin.app, &admin.database).await {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The same answer as on the public port.
async fn health(State(admin): State<Admin>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    admin.app.handle(http::Request::from_parts(parts, Bytes::new())).await.map(Body::from)
}
