//! Requests to other services, on reqwest: no redirects, no proxies, and for URLs that a tenant gave no address that
//! only the server can reach.

use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bailiwick_core::{
    outbound::is_public,
    ports::{HttpClient, HttpFailure, HttpRequest, HttpResponse},
};
use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use reqwest::{
    Client, ClientBuilder, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use crate::ports::tls;

/// The number of bytes that are read of an unneeded body, so that the connection can be used again after its end.
const BODY_BYTES: usize = 16 * 1024;
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Two clients, so that neither uses a connection of the other.
#[derive(Clone, Debug)]
pub struct WebClient {
    /// For URLs that a tenant gave.
    guarded: Client,
    /// For origins that the operator named.
    trusted: Client,
}

impl WebClient {
    /// Makes the clients. Nothing is connected to yet.
    ///
    /// # Errors
    /// A sentence about what the system lacks.
    pub fn new() -> Result<Self, String> {
        let guarded = builder()?.https_only(true).dns_resolver(PublicOnly).build();
        Ok(Self { guarded: guarded.map_err(|error| failed(&error))?, trusted: plain()? })
    }
}

fn failed(error: &dyn fmt::Display) -> String {
    format!("The HTTP client cannot be made: {error}.")
}

fn builder() -> Result<ClientBuilder, String> {
    Ok(ClientBuilder::new()
        .tls_backend_preconfigured(tls::client_config().map_err(|error| failed(&error))?)
        .redirect(Policy::none())
        .no_proxy()
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("bailiwick/", env!("CARGO_PKG_VERSION"))))
}

/// A client for origins that the operator named.
pub(crate) fn plain() -> Result<Client, String> {
    builder()?.build().map_err(|error| failed(&error))
}

impl HttpClient for WebClient {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let url: Url = request.url.parse().map_err(|_| HttpFailure("it is no URL".to_owned()))?;
        // Addresses are not resolved.
        if !request.trusted && address(&url).is_some_and(|address| !is_public(address)) {
            return Err(HttpFailure(PrivateAddress.to_string()));
        }
        let client = if request.trusted { &self.trusted } else { &self.guarded };
        let mut asking = client.request(request.method, url).timeout(request.timeout).body(request.body);
        for (name, value) in request.headers {
            asking = asking.header(name, value);
        }
        let mut response = asking.send().await.map_err(failure)?;
        let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
        if request.read > 0 {
            let body = whole_body(response, request.read).await?;
            return Ok(HttpResponse { status, retry_after, body });
        }
        let answer = HttpResponse { status, retry_after, body: Bytes::new() };
        // The request was done or refused already; a missing rest changes nothing.
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read >= BODY_BYTES {
                break;
            }
        }
        Ok(answer)
    }
}

/// The body, if it is no longer than this.
pub(crate) async fn whole_body(mut response: Response, at_most: usize) -> Result<Bytes, HttpFailure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > at_most {
            return Err(HttpFailure("its answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn address(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The seconds of `Retry-After` (RFC 9110, section 10.2.3). Its other form, a date, is ignored: hardly anybody sends
/// it, and the outbox has pauses of its own.
fn retry_after(response: &Response) -> Option<u64> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The reason why no answer came. The URL may be a secret, so no part of it is in the text.
fn failure(error: reqwest::Error) -> HttpFailure {
    let error = error.without_url();
    tracing::debug!(?error, "a request to another service failed");
    let said = if caused_by::<PrivateAddress>(&error) {
        return HttpFailure(PrivateAddress.to_string());
    } else if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_dns() {
        "its name could not be resolved"
    } else if caused_by::<rustls::Error>(&error) {
        "no secure connection could be made"
    } else if error.is_connect() {
        "it could not be connected to"
    } else if error.is_builder() {
        "the request cannot be made"
    } else {
        "the connection broke off"
    };
    HttpFailure(said.to_owned())
}

fn caused_by<E: Error + 'static>(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        // An I/O error that wraps another one does not name it as its source.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

/// Resolves names as the system does, to public addresses only. The client connects to these very addresses, so a name
/// that changes its address in between gains nothing.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The client sets the port.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|found| is_public(found.ip())).collect();
            if public.is_empty() {
                return Err(PrivateAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// A host has no public address.
#[derive(Debug)]
struct PrivateAddress;

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its address is private")
    }
}

impl Error for PrivateAddress {}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use http::Method;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpSocket},
    };

    use super::*;

    /// Longer than any machine takes for an answer that comes.
    const LONG: Duration = Duration::from_mins(5);

    /// Answers every connection with this text, and keeps it open if `hold` is set; returns the address, and the number
    /// of connections so far.
    async fn server(answer: &'static str, hold: bool) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counting = count.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counting.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut head = [0; 1024];
                    let _ = stream.read(&mut head).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if hold {
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                    }
                });
            }
        });
        (address, count)
    }

    fn request(url: String, trusted: bool) -> HttpRequest {
        HttpRequest {
            to: "slack",
            method: Method::POST,
            url,
            headers: vec![("content-type", "application/json".to_owned())],
            body: Bytes::from_static(b"{}"),
            timeout: LONG,
            trusted,
            read: 0,
        }
    }

    async fn send(url: String, trusted: bool) -> Result<HttpResponse, String> {
        WebClient::new().unwrap().send(request(url, trusted)).await.map_err(|failure| failure.0)
    }

    #[tokio::test]
    async fn names_and_addresses_that_are_private_are_refused() {
        let (address, connections) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
        let port = address.port();
        for host in
            ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"]
        {
            let answer = send(format!("https://{host}:{port}/secret"), false).await;
            assert_eq!(answer.unwrap_err(), "its address is private", "{host}");
        }
        assert_eq!(connections.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn without_trust_nothing_but_https_is_asked() {
        assert_eq!(
            send("http://example.com/".to_owned(), false).await.unwrap_err(),
            "the request cannot be made"
        );
    }

    #[tokio::test]
    async fn answers_are_read() {
        let answer = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}";
        let (address, _) = server(answer, false).await;
        let answer = send(format!("http://localhost:{}/x", address.port()), true).await.unwrap();
        assert_eq!((answer.status, answer.retry_after), (429, Some(7)));
        let date =
            "HTTP/1.1 503 Busy\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\ncontent-length: 0\r\n\r\n";
        let (address, _) = server(date, false).await;
        let answer = send(format!("http://{address}/x"), true).await.unwrap();
        assert_eq!((answer.status, answer.retry_after), (503, None));
    }

    #[tokio::test]
    async fn a_body_is_read_if_somebody_wants_it_and_it_is_whole_and_not_too_long() {
        let wanted = async |answer: &'static str| {
            let (address, _) = server(answer, false).await;
            let request = HttpRequest { read: 4, ..request(format!("http://{address}/"), true) };
            let answer = WebClient::new().unwrap().send(request).await;
            answer.map(|answer| answer.body).map_err(|failure| failure.0)
        };
        let body = wanted("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody").await;
        assert_eq!(body, Ok(Bytes::from_static(b"body")));
        let body = wanted("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nbodyx").await;
        assert_eq!(body, Err("its answer is too long".to_owned()));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nbod\r\n2\r\nyx\r\n0\r\n\r\n";
        assert_eq!(wanted(chunked).await, Err("its answer is too long".to_owned()));
        let broken = wanted("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbo").await;
        assert_eq!(broken, Err("the connection broke off".to_owned()));
        let (address, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody", false).await;
        assert_eq!(send(format!("http://{address}/"), true).await.unwrap().body, Bytes::new());
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let (target, connections) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
        let answer = format!("HTTP/1.1 307 Moved\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n");
        let (address, _) = server(answer.leak(), false).await;
        assert_eq!(send(format!("http://{address}/"), true).await.unwrap().status, 307);
        assert_eq!(connections.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn all_of_it_has_a_time_limit() {
        let within = async |timeout: Duration, url: String| {
            let request = HttpRequest { timeout, ..request(url, true) };
            WebClient::new().unwrap().send(request).await.map_err(|failure| failure.0)
        };
        let (address, _) = server("", true).await;
        let failed =
            within(Duration::from_millis(300), format!("http://{address}/secret")).await.unwrap_err();
        assert_eq!(failed, "it did not answer in time");
        // The status has come; the body never does.
        let (address, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", true).await;
        let answer = within(Duration::from_secs(10), format!("http://{address}/")).await;
        assert_eq!(answer.unwrap().status, 200);
    }

    #[tokio::test]
    async fn what_is_said_of_a_failure_holds_no_url() {
        // Nobody listens there, and nobody else gets the port.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let closed = socket.local_addr().unwrap();
        let (broken, _) = server("nonsense\r\n\r\n", false).await;
        let (plain, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
        for (url, said) in [
            (format!("http://{closed}/secret"), "it could not be connected to"),
            (format!("http://{broken}/secret"), "the connection broke off"),
            (format!("https://{plain}/secret"), "no secure connection could be made"),
            ("http://name.invalid/secret".to_owned(), "its name could not be resolved"),
            ("http://[secret".to_owned(), "it is no URL"),
        ] {
            assert_eq!(send(url.clone(), true).await.unwrap_err(), said, "{url}");
        }
    }
}
