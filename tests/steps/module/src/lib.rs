//! An adapter for counting: the product as a module of WebAssembly, whose host counts each step that it takes for a request. What
//! a platform does is the host's, and counts nothing: the database. All else that a request needs is at hand at once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bailiwick_core::{
    App, Config, Ports,
    password::{HashJob, HashOutcome},
    ports::{
        AssetFailure, Assets, Clock, Database, DatabaseError, Email, Entropy, EntropyError, Hasher,
        HttpClient, HttpFailure, HttpRequest, HttpResponse, Mailer, Overloaded, PublicKey, RateLimiter,
        SendFailure, Verifier, Wait,
    },
    sql::{Cell, Row, Rows, Statement, Value},
    throttle::{ClientAddress, Limit},
    time::Timestamp,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    /// Runs the batch that is written there, and says how long the answer is.
    fn batch(at: *const u8, length: usize) -> usize;
    /// Writes the answer there.
    fn answer(at: *mut u8);
    /// Milliseconds since 1970.
    fn now() -> i64;
}

/// What the host has given, or is to take.
static SHARED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static APP: OnceLock<Arc<App>> = OnceLock::new();
static FILLED: AtomicU64 = AtomicU64::new(0);

fn shared() -> MutexGuard<'static, Vec<u8>> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room for so many bytes, and where it is.
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    let mut shared = shared();
    *shared = vec![0; length];
    shared.as_mut_ptr()
}

/// Begins with the settings that are there.
#[unsafe(no_mangle)]
pub extern "C" fn begin() {
    let given: Json = serde_json::from_slice(&shared()).expect("settings");
    let config = Config::read(|name| given[name].as_str().map(str::to_owned)).expect("settings");
    let ports = Ports::new(Host, Host, Host, Host, Host, Host, Host, Host, Host);
    let _ = APP.set(App::new(config, ports).expect("an app"));
}

/// Answers the request that is there, and says how long the answer is, which is there then. Both are a line of JSON and a body.
#[unsafe(no_mangle)]
pub extern "C" fn handle() -> usize {
    let given = std::mem::take(&mut *shared());
    let end = given.iter().position(|byte| *byte == b'\n').expect("a line");
    let head: Json = serde_json::from_slice(&given[..end]).expect("a head");
    let body = Bytes::from(given).slice(end + 1..);
    let text = |name: &str| head[name].as_str().unwrap_or_default();
    if text("method") == "WORK" {
        return told(&json!({ "status": 200, "headers": [] }), work(text("target")).as_bytes());
    }
    let mut request = Request::builder().method(text("method")).uri(text("target"));
    for header in head["headers"].as_array().expect("headers") {
        request = request.header(header[0].as_str().expect("a name"), header[1].as_str().expect("a value"));
    }
    let request = request.body(body).expect("a request");
    let app = APP.get().expect("it has begun");
    let response = app.handle(request).now_or_never().expect("all is at hand");
    let headers: Vec<_> = said(response.headers()).collect();
    told(&json!({ "status": response.status().as_u16(), "headers": headers }), response.body())
}

/// Leaves an answer, and says how long it is.
fn told(head: &Json, body: &[u8]) -> usize {
    let mut answer = head.to_string().into_bytes();
    answer.push(b'\n');
    answer.extend_from_slice(body);
    *shared() = answer;
    shared().len()
}

/// Does work of a kind in the background, as much as there is.
fn work(kind: &str) -> String {
    let app = APP.get().expect("it has begun");
    let done = match kind {
        "/seal" => app.seal_activity(u32::MAX).now_or_never(),
        "/index" => app.index(u32::MAX).now_or_never(),
        "/remove" => app.remove(u32::MAX).now_or_never(),
        other => panic!("there is no {other}"),
    };
    format!("{:?}", done.expect("all is at hand").expect("the database is there"))
}

/// Where the answer is.
#[unsafe(no_mangle)]
pub extern "C" fn place() -> *const u8 {
    shared().as_ptr()
}

fn said(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
}

/// All ports.
struct Host;

fn written(value: &Value) -> Json {
    match value {
        Value::Uuid(uuid) => uuid.map(|uuid| uuid.to_string()).into(),
        Value::Text(text) => text.clone().into(),
        Value::Int(number) => (*number).into(),
        Value::Time(time) => time.map(|time| time.to_string()).into(),
        Value::Date(date) => date.map(|date| date.to_string()).into(),
        Value::Json(json) => json.as_ref().map(Json::to_string).into(),
    }
}

fn cell(value: Json) -> Cell {
    match value {
        Json::Number(number) => Cell::Int(number.as_i64().unwrap_or_default()),
        Json::String(text) => Cell::Text(text),
        _ => Cell::Null,
    }
}

fn row(value: Json) -> Row {
    let Json::Array(cells) = value else { return Row::new() };
    cells.into_iter().map(cell).collect()
}

impl Database for Host {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let asked: Vec<_> = statements
            .iter()
            .map(|statement| {
                let arguments: Vec<_> = statement.arguments.iter().map(written).collect();
                json!([statement.sql.name, arguments, statement.expect, statement.enough])
            })
            .collect();
        let asked = Json::Array(asked).to_string();
        // The host reads the one and writes the other, each as long as it is.
        let mut answered = vec![0; unsafe { batch(asked.as_ptr(), asked.len()) }];
        unsafe { answer(answered.as_mut_ptr()) };
        match serde_json::from_slice(&answered).expect("an answer") {
            Json::Array(all) => {
                let rows = |rows: Json| match rows {
                    Json::Array(rows) => rows.into_iter().map(row).collect(),
                    _ => Rows::new(),
                };
                Ok(all.into_iter().map(rows).collect())
            }
            failed => Err(match (failed["unmet"].as_u64(), failed["unique"].as_str()) {
                (Some(place), _) => DatabaseError::Unmet(usize::try_from(place).unwrap_or_default()),
                (_, Some(key)) => DatabaseError::Unique(key.to_owned()),
                _ => DatabaseError::Internal(failed.to_string()),
            }),
        }
    }
}

impl Clock for Host {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(unsafe { now() })
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// Numbers that do not come again, which is all that is wanted of them here.
impl Entropy for Host {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in buffer.chunks_mut(32) {
            let number = FILLED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            chunk.copy_from_slice(&Sha256::digest(number)[..chunk.len()]);
        }
        Ok(())
    }
}

impl Hasher for Host {
    async fn run(&self, _: Option<ClientAddress>, job: HashJob) -> Result<HashOutcome, Overloaded> {
        Ok(job.execute())
    }
}

impl Verifier for Host {
    async fn verify(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> bool {
        false
    }
}

impl HttpClient for Host {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        Err(HttpFailure("there is nobody else".to_owned()))
    }
}

impl Mailer for Host {
    async fn send(&self, _: Email) -> Result<(), SendFailure> {
        Ok(())
    }
}

impl RateLimiter for Host {
    async fn take(&self, _: Limit, _: &str) -> Result<(), Wait> {
        Ok(())
    }
}

impl Assets for Host {
    async fn read(&self, _: &'static str) -> Result<Bytes, AssetFailure> {
        Ok(Bytes::from_static(b"A file."))
    }
}
