//! The HTTP server: axum under ordinary tower-http layers, with the core as its fallback.

pub mod admin;
pub mod background;
pub mod client_address;
mod compression;
pub mod connections;
pub mod shutdown;

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use bailiwick_core::{App, Config, RequestOutcome, limits, problem::Code, throttle::ClientAddress};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use http_body_util::{BodyExt, LengthLimitError};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tower::{Service, ServiceExt};
use tower_http::{
    catch_panic::CatchPanicLayer,
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestUuid, SetRequestIdLayer},
    timeout::TimeoutLayer,
};

use crate::{
    ports::{assets, database::counted},
    server::{
        background::WorkSignal,
        client_address::TrustedProxies,
        connections::{ConnectionLimit, HEAD_BYTES, Requests, Shares, begins, impatient},
    },
    telemetry::Telemetry,
};

/// The part of a body that is too large which is read, to be polite; one that announces more is refused unread.
const READ_AT_MOST_BYTES: usize = 8 * limits::BODY_BYTES;

/// The service with its layers; the first one listed is the outermost.
pub fn router(app: &Arc<App>, config: &Config, signal: &WorkSignal, telemetry: &Telemetry) -> Router {
    let answers = Router::new().fallback(answer).with_state(app.clone());
    let answers = if config.fault_injection { answers.layer(middleware::from_fn(count)) } else { answers };
    answers
        .layer(RequestBodyLimitLayer::new(READ_AT_MOST_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, config.request_timeout))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state((app.clone(), signal.clone(), telemetry.clone()), finish))
        .layer(compression::layer())
        .layer(middleware::map_request(compression::accept_as_is))
        .layer(middleware::map_response(compression::weaken_tag))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// Whether a request names its host once, as it must since HTTP/1.1 (RFC 9112, section 3.2): a proxy on the way may
/// take a request with two for one to another host. HTTP/2 has a field of its own for it.
fn names_its_host(version: Version, headers: &HeaderMap) -> bool {
    match headers.get_all(header::HOST).iter().count() {
        0 => version != Version::HTTP_11,
        1 => true,
        _ => false,
    }
}

async fn answer(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // Only a file of the site can be streamed, however its path is written: no other request keeps its headers for that.
    let path = parts.uri.path();
    let may_stream = path.starts_with("/docs/") || path.contains('%');
    let kept = may_stream.then(|| (parts.method.clone(), parts.headers.clone()));
    match read(body).await {
        Ok(Some(body)) => {
            let response = app.handle(http::Request::from_parts(parts, body)).await.map(Body::from);
            let Some((method, headers)) = kept else { return response };
            let takes_gzip = compression::takes_gzip(&headers);
            match assets::stream(response, method == Method::HEAD, takes_gzip).await {
                Some(response) => response,
                None => app.refuse(&headers, Code::InternalError).map(Body::from),
            }
        }
        // An error means that the client sends without end, or that the body is incomplete or malformed.
        Ok(None) => app.refuse(&parts.headers, Code::BodyTooLarge).map(Body::from),
        Err(error) => {
            let endless = is_too_large(&error);
            let code = if endless { Code::BodyTooLarge } else { Code::IncompleteBody };
            app.refuse(&parts.headers, code).map(Body::from)
        }
    }
}

/// For tests of the service itself: reports how much of the database a request visits, if it has `X-Fault: count`.
async fn count(request: Request, next: Next) -> Response {
    if request.headers().get("x-fault").is_none_or(|fault| fault != "count") {
        return next.run(request).await;
    }
    let (mut response, visited) = counted(next.run(request)).await;
    response.headers_mut().insert("x-visited", HeaderValue::from(visited));
    response
}

/// Whether a body could not be read because there is too much of it.
fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Reads a body; `None` if it is too large. The excess is read all the same, within bounds: otherwise a client that is
/// still sending would see its connection break, and not the answer.
async fn read(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let mut read = BytesMut::new();
    let mut too_large = false;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        too_large |= read.len() + data.len() > limits::BODY_BYTES;
        if !too_large {
            read.extend_from_slice(&data);
        }
    }
    Ok((!too_large).then(|| read.freeze()))
}

/// Turns a layer's own answer into a problem, as the core's answers are, and writes the log. Background work also
/// begins after a request that was given up: its changes may have been written before.
async fn finish(
    State((app, signal, telemetry)): State<(Arc<App>, WorkSignal, Telemetry)>,
    request: Request,
    next: Next,
) -> Response {
    let watch = telemetry.watch(request.method());
    let (uri, version, headers) = (request.uri().clone(), request.version(), request.headers().clone());
    let mut response = if names_its_host(version, &headers) {
        next.run(request).await
    } else {
        app.refuse(&headers, Code::InvalidHost).map(Body::from)
    };
    signal.ring_if_needed(&app);
    if response.extensions().get::<RequestOutcome>().is_none() {
        let code = match response.status() {
            StatusCode::SERVICE_UNAVAILABLE => Code::Timeout,
            status => Code::for_status(status),
        };
        response = app.refuse(&headers, code).map(Body::from);
        if let Some(served) = response.extensions_mut().get_mut::<RequestOutcome>() {
            served.route = app.route(uri.path());
        }
    }
    if app.is_draining() && version < Version::HTTP_2 {
        // The next request may find no server here.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let status = response.status().as_u16();
    if let Some(served) = response.extensions().get::<RequestOutcome>() {
        watch.end(served, status);
    }
    response
}

/// Serves until `stopped` holds true, then accepts no new connections and lets the requests in flight finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    proxies: TrustedProxies,
    config: &Config,
    mut stopped: watch::Receiver<bool>,
) {
    let (room, timeout) = (ConnectionLimit::new(config.max_connections), config.client_timeout);
    let shares = Shares::new(config.max_connections_of_address);
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(timeout).max_buf_size(HEAD_BYTES);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(Some(Duration::from_secs(30)));
    // Held by each connection, so that the last one to end closes it.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    loop {
        let accepting = async {
            let place = room.place().await;
            listener.accept().await.map(|(stream, peer)| (stream, peer, place))
        };
        let (stream, peer, place) = tokio::select! {
            accepted = accepting => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Usually the file descriptors have run out; some will be given back.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        // A proxy may have many.
        let share = (!proxies.trusts(peer.ip())).then(|| shares.take(ClientAddress::new(peer.ip())));
        if let Some(None) = share {
            tracing::debug!(client = %peer.ip(), "an address has as many connections as it may have");
            continue;
        }
        let (router, proxies, requests) = (router.clone(), proxies.clone(), Requests::default());
        let counted = requests.clone();
        let service = hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
            let (mut router, in_flight) = (router.clone(), counted.begin());
            let client = proxies.client(peer.ip(), request.headers());
            request.extensions_mut().insert(client);
            async move {
                let service: &mut Router = ServiceExt::<http::Request<Body>>::ready(&mut router).await?;
                let answer = service.call(request.map(Body::new)).await;
                drop(in_flight);
                answer
            }
        });
        let (server, open, mut stopped) = (server.clone(), open.clone(), stopped.clone());
        tokio::spawn(async move {
            let begun = tokio::select! {
                begun = begins(&stream, timeout) => begun,
                _ = stopped.wait_for(|stopped| *stopped) => false,
            };
            if begun && let Ok(stream) = impatient(stream, timeout) {
                let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
                let ended = tokio::select! {
                    ended = connection.as_mut() => Some(ended),
                    () = requests.idle(timeout) => None,
                    _ = stopped.wait_for(|stopped| *stopped) => None,
                };
                let ended = if let Some(ended) = ended {
                    ended
                } else {
                    // The requests in flight are answered; the client is asked to begin no new ones.
                    connection.as_mut().graceful_shutdown();
                    connection.await
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
            }
            drop((place, share, open));
        });
    }
    drop((listener, open));
    if tokio::time::timeout(config.shutdown_grace, all_closed.recv()).await.is_err() {
        tracing::warn!("requests still in flight after SHUTDOWN_GRACE were given up");
    }
}
