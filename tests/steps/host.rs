//! A target that counts: the product as a module of WebAssembly (`module/`), of which each step is counted that it takes for a
//! request. It has a SQLite file, whose work is not counted, and says the steps in a header of each answer.

use std::{path::PathBuf, sync::mpsc, thread};

use bailiwick::ports::{database::AnyDatabase, system::SystemClock};
use bailiwick_core::{
    Config,
    ports::{Clock, Database, DatabaseError},
    repository::CATALOGUE,
    sql::{Cell, Rows, Statement, Value},
};
use bailiwick_tests::{
    instance::migrate,
    provider::Provider,
    targets::{JWT_SECRET, Lasting, Target, root, sqlite_url},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::{net::TcpListener, runtime::Handle, sync::oneshot};
use wasmi::{Caller, CustomFuelCosts, Engine, ExternType, Linker, Memory, Module, Store, TypedFunc, Val};

/// The header that tells the steps.
pub(crate) const STEPS: &str = "x-steps";

/// As much of each as no test has.
const MANY: &str = "1000000";

type Ask = (Request<Bytes>, oneshot::Sender<Response<Full<Bytes>>>);

/// Starts one on a fresh file.
pub(crate) async fn serve() -> Lasting {
    let directory = tempfile::tempdir().expect("a directory");
    let url = sqlite_url(&directory);
    migrate(&url).await;
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    let database = AnyDatabase::connect(&config).await.expect("a file");
    let (asks, asked) = mpsc::channel::<Ask>();
    let runtime = Handle::current();
    // What the module asks for it waits for, so it has a thread.
    thread::spawn(move || {
        let mut module = Running::start(World { database, runtime, answer: Vec::new() });
        for (request, answer) in asked {
            let _ = answer.send(module.answer(request));
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let asks = asks.clone();
            let service = service_fn(move |request| pass(request, asks.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Target::served("steps", url, directory).await.lasting()
}

async fn pass(
    request: Request<Incoming>,
    asks: mpsc::Sender<Ask>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (answer, answered) = oneshot::channel();
    asks.send((Request::from_parts(head, body), answer)).expect("the module runs");
    Ok(answered.await.expect("the module answers; what it said is above"))
}

/// What the module has around it.
struct World {
    database: AnyDatabase,
    runtime: Handle,
    /// The answer of the database that the module takes next.
    answer: Vec<u8>,
}

/// The module, as it runs.
struct Running {
    store: Store<World>,
    memory: Memory,
    room: TypedFunc<u32, u32>,
    handle: TypedFunc<(), u32>,
    place: TypedFunc<(), u32>,
}

/// Where it was built.
fn built() -> PathBuf {
    let path = root().join("target/wasm32-unknown-unknown/edge/bailiwick_steps.wasm");
    assert!(path.exists(), "{} is missing: scripts/test steps builds it", path.display());
    path
}

impl Running {
    fn start(world: World) -> Self {
        let mut settings = wasmi::Config::default();
        settings.consume_fuel(true);
        // What is not asked for is not translated, and translating it is no step of the product's.
        settings.fuel_cost(CustomFuelCosts {
            bytes_copied_per_fuel: 64,
            fuel_per_bytes_translated: 0,
            fuel_per_bytes_validated: 0,
        });
        let engine = Engine::new(&settings);
        let module = Module::new(&engine, std::fs::read(built()).expect("a file")).expect("a module");
        let mut store = Store::new(&engine, world);
        store.set_fuel(u64::MAX).expect("steps are counted");
        let instance =
            linker(&engine, &module).instantiate_and_start(&mut store, &module).expect("it starts");
        let memory = instance.get_memory(&store, "memory").expect("a memory");
        let room = instance.get_typed_func(&store, "room").expect("room");
        let handle = instance.get_typed_func(&store, "handle").expect("handle");
        let place = instance.get_typed_func(&store, "place").expect("place");
        let begin = instance.get_typed_func::<(), ()>(&store, "begin").expect("begin");
        let mut this = Self { store, memory, room, handle, place };
        let mut settings = json!({
            "JWT_SECRET": JWT_SECRET, "BCRYPT_COST": "4", "INVITATION_TOKEN_IN_RESPONSE": "true",
            "LIMIT_TENANTS": MANY, "LIMIT_INVITATIONS": MANY, "LIMIT_API_KEYS": MANY, "LIMIT_IMPORTS": MANY, "LIMIT_MEMBERS": MANY,
        });
        for (name, value) in Provider::shared().settings() {
            settings[name] = json!(value);
        }
        this.give(settings.to_string().as_bytes());
        begin.call(&mut this.store, ()).expect("it begins");
        this
    }

    fn give(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("four gigabytes");
        let at = self.room.call(&mut self.store, length).expect("room");
        self.memory.write(&mut self.store, at as usize, bytes).expect("room");
    }

    fn answer(&mut self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let headers: Vec<_> = head
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let asked = json!({ "method": head.method.as_str(), "target": target, "headers": headers });
        let mut asked = asked.to_string().into_bytes();
        asked.push(b'\n');
        asked.extend_from_slice(&body);
        self.give(&asked);
        let before = self.store.get_fuel().expect("steps are counted");
        let length = self.handle.call(&mut self.store, ()).expect("an answer");
        let steps = before - self.store.get_fuel().expect("steps are counted");
        let at = self.place.call(&mut self.store, ()).expect("a place");
        let mut answered = vec![0; length as usize];
        self.memory.read(&self.store, at as usize, &mut answered).expect("the answer is there");
        let end = answered.iter().position(|byte| *byte == b'\n').expect("a line");
        let head: Json = serde_json::from_slice(&answered[..end]).expect("a head");
        let status = head["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        let mut response = Response::builder().status(status).header(STEPS, steps);
        for header in head["headers"].as_array().into_iter().flatten() {
            let text = |place: usize| header[place].as_str().expect("a text");
            response = response.header(text(0), text(1));
        }
        response.body(Full::new(Bytes::from(answered).slice(end + 1..))).expect("a response")
    }
}

/// What the module asks of its host. What else it could ask for is the browser's, and not asked.
fn linker(engine: &Engine, module: &Module) -> Linker<World> {
    let mut linker = Linker::new(engine);
    let batch = |mut caller: Caller<'_, World>, at: u32, length: u32| {
        let asked = {
            let memory = memory(&caller);
            let (at, length) = (at as usize, length as usize);
            memory.data(&caller)[at..at + length].to_vec()
        };
        let world = caller.data_mut();
        world.answer = run(world, &asked);
        u32::try_from(world.answer.len()).expect("four gigabytes")
    };
    let answer = |mut caller: Caller<'_, World>, at: u32| {
        let answer = std::mem::take(&mut caller.data_mut().answer);
        memory(&caller).write(&mut caller, at as usize, &answer).expect("room");
    };
    let now = || SystemClock.now().unix_millis();
    linker.func_wrap("host", "batch", batch).expect("a function");
    linker.func_wrap("host", "answer", answer).expect("a function");
    linker.func_wrap("host", "now", now).expect("a function");
    for import in module.imports().filter(|import| import.module() != "host") {
        let ExternType::Func(kind) = import.ty() else { panic!("{import:?}") };
        let name = format!("{}::{}", import.module(), import.name());
        let nobody = move |_: Caller<'_, World>, _: &[Val], _: &mut [Val]| {
            Err(wasmi::Error::new(format!("it asked for {name}")))
        };
        linker.func_new(import.module(), import.name(), kind.clone(), nobody).expect("a function");
    }
    linker
}

fn memory(caller: &Caller<'_, World>) -> Memory {
    caller.get_export("memory").and_then(wasmi::Extern::into_memory).expect("a memory")
}

/// Runs a batch, as the module writes it, and writes what came of it as the module reads it.
fn run(world: &World, asked: &[u8]) -> Vec<u8> {
    let asked: Vec<Json> = serde_json::from_slice(asked).expect("a batch");
    let statements: Vec<_> = asked.iter().map(statement).collect();
    let done = world.runtime.block_on(world.database.batch(&statements));
    let written = match done {
        Ok(all) => all.into_iter().map(rows).collect(),
        Err(DatabaseError::Unmet(place)) => json!({ "unmet": place }),
        Err(DatabaseError::Unique(key)) => json!({ "unique": key }),
        Err(other) => json!({ "failed": format!("{other:?}") }),
    };
    written.to_string().into_bytes()
}

fn statement(asked: &Json) -> Statement {
    let name = asked[0].as_str().expect("a name");
    let sql =
        CATALOGUE.iter().copied().flatten().find(|sql| sql.name == name).expect("it is in the catalogue");
    let argument = |argument: &Json| match argument {
        Json::Null => Value::Text(None),
        Json::Number(number) => Value::Int(number.as_i64()),
        text => Value::Text(text.as_str().map(str::to_owned)),
    };
    let arguments = asked[1].as_array().expect("arguments").iter().map(argument).collect();
    let number = |place: usize| asked[place].as_u64();
    Statement {
        sql,
        arguments,
        expect: number(2).and_then(|number| u32::try_from(number).ok()),
        enough: number(3).and_then(|number| usize::try_from(number).ok()),
    }
}

fn rows(rows: Rows) -> Json {
    let cell = |cell: Cell| match cell {
        Cell::Null => Json::Null,
        Cell::Int(number) => json!(number),
        Cell::Text(text) => json!(text),
        other => panic!("SQLite has no {other:?}"),
    };
    rows.into_iter().map(|row| Json::Array(row.into_iter().map(cell).collect())).collect()
}
