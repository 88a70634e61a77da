//! An HTTP server that plays what the service asks: Slack's incoming webhooks, and an email API.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    future::pending,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, sync::Semaphore};

use super::gates::Gates;
use crate::{provided, until};

/// Keeps answers back until it is opened.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// One that is shut.
    pub fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets go what it holds, and whatever comes.
    pub fn open(&self) {
        self.0.close();
    }

    /// Waits until it is open.
    pub(super) async fn opened(&self) {
        // None is ever to be had; with an error it is open.
        let _ = self.0.acquire().await;
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Gate {}

/// What a mailbox does with a request that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers 200, as Slack does.
    Ok,
    /// Answers another status.
    Status(u16),
    /// Answers a status, and after how many seconds to come again.
    RetryAfter(u16, u64),
    /// Answers 200, but so much later.
    Slow(Duration),
    /// Answers this status, as soon as the gate is open.
    Held(Gate, u16),
    /// Never answers, and keeps the connection open.
    Silent,
    /// Closes the connection without an answer.
    HangUp,
    /// Sends elsewhere, with this status.
    Redirect(u16, String),
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; `null` if it is no JSON.
    pub body: Value,
    /// Its body as it came.
    pub bytes: Bytes,
    /// What is done with it.
    pub behaviour: Behaviour,
    /// Whether it was answered, and whoever asked was still there.
    pub answered: bool,
}

impl Received {
    /// A header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether it was answered with success.
    pub fn taken(&self) -> bool {
        self.answered
            && matches!(self.behaviour, Behaviour::Ok | Behaviour::Slow(_) | Behaviour::Held(_, 200))
    }

    /// The mailbox that it came to.
    fn mailbox(&self) -> &str {
        addressee(&self.body).unwrap_or(&self.path)
    }
}

/// The address of an email.
fn addressee(body: &Value) -> Option<&str> {
    body.pointer("/to/0").and_then(Value::as_str)
}

#[derive(Debug, Default)]
struct Script {
    first: VecDeque<Behaviour>,
    then: Option<Behaviour>,
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Received>,
    scripts: HashMap<String, Script>,
    /// What mailboxes without a script do, in turn.
    habit: Vec<Behaviour>,
    ended: HashMap<String, usize>,
}

impl State {
    fn behaviour(&mut self, mailbox: &str) -> Behaviour {
        let scripted = self
            .scripts
            .get_mut(mailbox)
            .map(|script| script.first.pop_front().or_else(|| script.then.clone()).unwrap_or(Behaviour::Ok));
        let turn = self.received.len().checked_rem(self.habit.len());
        scripted.or_else(|| Some(self.habit[turn?].clone())).unwrap_or(Behaviour::Ok)
    }
}

/// The server. Every path is a mailbox of its own, and so is every address that the email API is given.
#[derive(Clone, Debug)]
pub struct Receiver {
    origin: String,
    state: Arc<Mutex<State>>,
    pub(super) gates: Gates,
}

impl Receiver {
    /// Starts one, which lasts as long as the runtime.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let this =
            Self { origin: format!("http://{address}"), state: Arc::default(), gates: Gates::default() };
        let receiver = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = receiver.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| receiver.clone().receive(request));
                    // With an error the other side went away, or we did.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        this
    }

    /// Where it is: scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// What a mailbox does with the next requests; after them it answers 200.
    pub fn behave(&self, mailbox: &str, first: impl IntoIterator<Item = Behaviour>) {
        let script = Script { first: first.into_iter().collect(), then: None };
        self.state().scripts.insert(mailbox.to_owned(), script);
    }

    /// What a mailbox does with every request from now on.
    pub fn always(&self, mailbox: &str, behaviour: Behaviour) {
        let script = Script { first: VecDeque::new(), then: Some(behaviour) };
        self.state().scripts.insert(mailbox.to_owned(), script);
    }

    /// What mailboxes do that were told nothing: this, in turn, over and over.
    pub fn by_habit(&self, habit: impl IntoIterator<Item = Behaviour>) {
        self.state().habit = habit.into_iter().collect();
    }

    /// What has come to a mailbox, in order.
    pub fn received(&self, mailbox: &str) -> Vec<Received> {
        self.state().received.iter().filter(|received| received.mailbox() == mailbox).cloned().collect()
    }

    /// How much has come to a mailbox.
    pub fn count(&self, mailbox: &str) -> usize {
        self.state().received.iter().filter(|received| received.mailbox() == mailbox).count()
    }

    /// All that has come, in order.
    pub fn everything(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// How many requests to a mailbox are over: answered, or given up by who asked.
    pub fn ended(&self, mailbox: &str) -> usize {
        self.state().ended.get(mailbox).copied().unwrap_or_default()
    }

    /// Waits until so much has come to a mailbox, and returns it.
    pub async fn wait_for(&self, mailbox: &str, count: usize) -> Vec<Received> {
        until(&format!("{count} requests to {mailbox}"), || async {
            provided(self.received(mailbox), |received| received.len() >= count)
        })
        .await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn receive(self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        if self.gates.pass(request.uri().path()).await {
            return Ok(answer(200, "go on"));
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let mut received = Received {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            bytes: body,
            behaviour: Behaviour::Ok,
            answered: false,
        };
        let mailbox = received.mailbox().to_owned();
        let (place, behaviour) = {
            let mut state = self.state();
            let place = state.received.len();
            received.behaviour = state.behaviour(&mailbox);
            let behaviour = received.behaviour.clone();
            state.received.push(received);
            (place, behaviour)
        };
        // Counts also if this is dropped because the other side has gone.
        let _ended = Ended { receiver: &self, mailbox };
        let answer = match behaviour {
            Behaviour::Ok => answer(200, "ok"),
            Behaviour::Status(status) => answer(status, "no"),
            Behaviour::RetryAfter(status, seconds) => {
                with_header(answer(status, "later"), "retry-after", &seconds.to_string())
            }
            Behaviour::Slow(pause) => {
                tokio::time::sleep(pause).await;
                answer(200, "ok")
            }
            Behaviour::Held(gate, status) => {
                gate.opened().await;
                answer(status, "at last")
            }
            Behaviour::Silent => match pending::<Infallible>().await {},
            Behaviour::HangUp => return Err(io::ErrorKind::ConnectionReset.into()),
            Behaviour::Redirect(status, to) => with_header(answer(status, "elsewhere"), "location", &to),
        };
        self.state().received[place].answered = true;
        Ok(answer)
    }
}

struct Ended<'r> {
    receiver: &'r Receiver,
    mailbox: String,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        *self.receiver.state().ended.entry(std::mem::take(&mut self.mailbox)).or_default() += 1;
    }
}

fn answer(status: u16, text: &'static str) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header("content-type", "text/plain");
    response.body(Full::new(Bytes::from_static(text.as_bytes()))).expect("a response")
}

fn with_header(
    mut response: Response<Full<Bytes>>,
    name: &'static str,
    value: &str,
) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, value.parse().expect("a header"));
    response
}
