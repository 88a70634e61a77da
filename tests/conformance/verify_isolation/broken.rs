//! A deployment that is broken: in front of one that is not stands somebody who helps others to what is not theirs, and
//! keeps them waiting for who asks for much.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bailiwick_tests::{
    client::{Answer, Ask},
    targets::client,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The request that is asked to come later.
const THROTTLED: usize = 30;
const PASSED_ON: [&str; 4] = ["authorization", "content-type", "x-tenant-id", "x-tenant-slug"];

/// Bytes of a body that is much.
const MUCH: usize = 100_000;

/// Gives projects out by their id alone, and lets every member delete them. Who has asked for much is the only one whose
/// searches are answered from then on.
#[derive(Clone)]
pub(super) struct Broken {
    pub(super) url: String,
    behind: String,
    http: reqwest::Client,
    /// Who created a project, and in which tenant.
    creators: Arc<Mutex<HashMap<String, HeaderMap>>>,
    asked: Arc<AtomicUsize>,
    /// The tenant that has asked for much.
    served: Arc<Mutex<Option<HeaderValue>>>,
}

impl Broken {
    /// Starts it in front of a deployment; it lasts as long as the runtime.
    pub(super) async fn start(behind: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (creators, asked, served) = (Arc::default(), Arc::default(), Arc::default());
        let this = Self { url, behind: behind.to_owned(), http: client(), creators, asked, served };
        let serving = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| serving.clone().serve(request));
                    // With an error the other side went away.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        this
    }

    async fn serve(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == THROTTLED {
            let later = Response::builder().status(429).header("retry-after", "1");
            return Ok(later.body(Full::default()).expect("a response"));
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let path = parts.uri.path_and_query().expect("a path").as_str();
        if self.keeps_waiting(path, &parts.headers, body.len()) {
            return Ok(Response::builder().status(503).body(Full::default()).expect("a response"));
        }
        let answer = self.pass_on(&parts.method, path, &parts.headers, &body).await;
        let creator = path.strip_prefix("/v1/projects/").and_then(|id| self.creator(id));
        let answer = match (parts.method.as_str(), answer.code(), creator) {
            ("POST", _, _) if path == "/v1/projects" && answer.status == 201 => {
                let mut creators = self.creators.lock().expect("no panic meanwhile");
                creators.insert(answer.text_at("/id"), parts.headers);
                answer
            }
            ("GET", "not_found", Some(creator)) | ("DELETE", "insufficient_role", Some(creator)) => {
                self.pass_on(&parts.method, path, &creator, &body).await
            }
            _ => answer,
        };
        let mut response = Response::new(Full::from(answer.text));
        *response.status_mut() = answer.status.try_into().expect("a status");
        if let Some(later) = answer.headers.get("retry-after") {
            response.headers_mut().insert("retry-after", later.clone());
        }
        Ok(response)
    }

    fn keeps_waiting(&self, path: &str, headers: &HeaderMap, bytes: usize) -> bool {
        let (mut served, tenant) =
            (self.served.lock().expect("no panic meanwhile"), headers.get("x-tenant-id"));
        if path.ends_with("/tasks/bulk") && bytes > MUCH {
            *served = tenant.cloned();
        }
        path.starts_with("/v1/tasks?q=") && served.is_some() && served.as_ref() != tenant
    }

    fn creator(&self, id: &str) -> Option<HeaderMap> {
        self.creators.lock().expect("no panic meanwhile").get(id).cloned()
    }

    async fn pass_on(&self, method: &Method, path: &str, headers: &HeaderMap, body: &Bytes) -> Answer {
        let mut ask = Ask::new(&self.http, method.clone(), &self.behind, path);
        for name in PASSED_ON {
            for value in headers.get_all(name) {
                ask = ask.header(name, value.to_str().expect("text"));
            }
        }
        let ask = if body.is_empty() { ask } else { ask.raw("", body.to_vec()) };
        ask.send().await
    }
}
