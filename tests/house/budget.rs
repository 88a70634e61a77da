//! What a request costs: round trips to the database, counted. The number stands beside each route in the table.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bailiwick::{
    database::AnyDatabase,
    hasher::HashPool,
    ports::{SystemClock, SystemEntropy},
};
use bailiwick_core::{
    App, Config, Ports,
    ports::{Database, DatabaseError},
    routes::{ROUTES, Route},
    sql::{Rows, Statement},
};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

#[derive(Clone)]
struct Counting {
    database: AnyDatabase,
    batches: Arc<AtomicU32>,
}

impl Database for Counting {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.database.batch(statements).await
    }
}

struct Client {
    app: Arc<App>,
    batches: Arc<AtomicU32>,
    token: String,
}

impl Client {
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value, u32) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .body(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())))
            .expect("a request");
        let before = self.batches.load(Ordering::Relaxed);
        let response = self.app.handle(request).await;
        let cost = self.batches.load(Ordering::Relaxed) - before;
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default(), cost)
    }
}

fn body(route: &Route) -> Option<Value> {
    match route.name {
        "auth::register" => Some(json!({ "email": "b@example.com", "name": "B", "password": "12345678" })),
        "auth::login" => Some(json!({ "email": "a@example.com", "password": "12345678" })),
        "me::update" | "tenants::update" | "projects::create" | "projects::update" => {
            Some(json!({ "name": "N" }))
        }
        "tenants::create" => Some(json!({ "slug": "second", "name": "N" })),
        "projects::transition" => Some(json!({ "to": "submitted" })),
        _ if route.method == "GET" || route.method == "DELETE" => None,
        other => panic!("what does {other} take? Say it here"),
    }
}

#[tokio::test]
async fn no_route_asks_the_database_more_often_than_the_table_says() {
    let config = Config::read(|name| match name {
        "DATABASE_URL" => Some("sqlite::memory:".to_owned()),
        "JWT_SECRET" => Some("x".repeat(32)),
        "BCRYPT_COST" => Some("4".to_owned()),
        _ => None,
    })
    .expect("a configuration");
    let database = AnyDatabase::connect(&config).await.expect("memory");
    database.migrate().await.expect("migrations");
    let counting = Counting { database, batches: Arc::default() };
    let batches = counting.batches.clone();
    let hasher = HashPool::start(&config).expect("threads");
    let app = App::new(config, Ports::new(counting, SystemClock, SystemEntropy, hasher)).expect("an app");
    let mut client = Client { app, batches, token: String::new() };
    let account = json!({ "email": "a@example.com", "name": "A", "password": "12345678" });
    client.ask("POST", "/v1/auth/register", Some(account.clone())).await;
    let credentials = json!({ "email": "a@example.com", "password": "12345678" });
    let (_, session, _) = client.ask("POST", "/v1/auth/login", Some(credentials)).await;
    session["access_token"].as_str().expect("a token").clone_into(&mut client.token);
    // The tenant is named by its slug, `default`. Which one that is, is asked once.
    let (_, _, first) = client.ask("GET", "/v1/tenant", None).await;
    assert_eq!(first, 2, "the first request looks the slug up");

    for route in ROUTES {
        let (_, project, _) = client.ask("POST", "/v1/projects", Some(json!({ "name": "P" }))).await;
        let path = route.path.replace("{project_id}", project["id"].as_str().expect("an id"));
        let (status, answer, cost) = client.ask(route.method.as_str(), &path, body(route)).await;
        assert!((200..300).contains(&status), "{route:?}: {status} {answer}");
        assert_eq!(cost, route.batches, "{route:?}");
    }
}
