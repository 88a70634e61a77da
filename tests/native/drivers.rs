//! The `Database` port's promises, kept by both native drivers on real engines.

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Cell, Reach, Sql, Statement, Value},
    time::Timestamp,
};
use bailiwick_tests::targets::Postgres;
use serde_json::json;
use uuid::Uuid;

macro_rules! sql {
    ($name:ident, $sqlite:literal, $postgres:literal, reads $reads:literal, returns $returns:literal) => {
        static $name: Sql = Sql {
            name: stringify!($name),
            sqlite: $sqlite,
            postgres: $postgres,
            reads: $reads,
            returns: $returns,
            reach: Reach::Global,
        };
    };
}

sql!(MAKE,
    "CREATE TABLE things (id INTEGER PRIMARY KEY, u TEXT, t TEXT, n INTEGER, at TEXT, j TEXT) STRICT",
    "CREATE TABLE things (id bigint PRIMARY KEY, u uuid, t text, n bigint, at timestamptz, j jsonb)",
    reads false, returns false);
sql!(PUT,
    "INSERT INTO things (id, u, t, n, at, j) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    "INSERT INTO things (id, u, t, n, at, j) VALUES ($1, $2, $3, $4, $5, $6)",
    reads false, returns false);
sql!(ALL, "SELECT id, u, t, n, at, j FROM things ORDER BY id", "SELECT id, u, t, n, at, j FROM things ORDER BY id",
    reads true, returns true);
sql!(COUNT, "SELECT count(*) AS n FROM things", "SELECT count(*) AS n FROM things", reads true, returns true);
sql!(ADD, "UPDATE things SET n = n + 1 WHERE id = ?1 RETURNING n", "UPDATE things SET n = n + 1 WHERE id = $1 RETURNING n",
    reads false, returns true);
// Reads everything and writes one row: two of these at once cannot both have seen the same.
sql!(COUNT_UP,
    "INSERT INTO things (id, n) SELECT ?1, (SELECT COALESCE(max(n), 0) FROM things WHERE id BETWEEN 100 AND 999) + 1",
    "INSERT INTO things (id, n) SELECT $1, (SELECT COALESCE(max(n), 0) FROM things WHERE id BETWEEN 100 AND 999) + 1",
    reads false, returns false);

fn ask(sql: &'static Sql, arguments: Vec<Value>) -> Statement {
    Statement { sql, arguments, expect: None, enough: None }
}

fn put(id: i64) -> Statement {
    let (uuid, text, json): (Option<Uuid>, Option<String>, Option<serde_json::Value>) = (None, None, None);
    ask(&PUT, vec![id.into(), uuid.into(), text.into(), 0.into(), None::<Timestamp>.into(), json.into()])
}

async fn database(url: &str) -> AnyDatabase {
    let config =
        Config::read(|name| (name == "DATABASE_URL").then(|| url.to_owned())).expect("a configuration");
    AnyDatabase::connect_as_owner(&config).await.expect("a database")
}

async fn count(database: &AnyDatabase) -> Cell {
    database.batch(&[ask(&COUNT, vec![])]).await.expect("a count")[0][0][0].clone()
}

async fn keeps_its_promises(database: AnyDatabase) {
    database.batch(&[ask(&MAKE, vec![])]).await.expect("a table");

    // Every type, NULL of every type, and extremes.
    let at = Timestamp::from_unix_millis(1_795_512_600_123);
    let uuid = Uuid::from_u128(0x0196_a2b4_0000_7000_8000_0000_0000_000a);
    let json = json!({ "a": [1, null, "é\u{1F680}"], "b": {} });
    let full = vec![
        i64::MAX.into(),
        uuid.into(),
        "it's ?1 $1 \u{1F680}".into(),
        i64::MIN.into(),
        at.into(),
        json.clone().into(),
    ];
    let rows = database.batch(&[put(1), ask(&PUT, full), ask(&ALL, vec![])]).await.expect("rows");
    assert_eq!((rows[0].len(), rows[1].len(), rows[2].len()), (0, 0, 2));
    assert_eq!(rows[2][0], [Cell::Int(1), Cell::Null, Cell::Null, Cell::Int(0), Cell::Null, Cell::Null]);
    let row = &rows[2][1];
    assert_eq!((&row[0], &row[3]), (&Cell::Int(i64::MAX), &Cell::Int(i64::MIN)));
    match (&row[1], &row[4], &row[5]) {
        (Cell::Uuid(id), Cell::Time(time), Cell::Json(value)) => {
            assert_eq!((id, time, value), (&uuid, &at, &json));
        }
        (Cell::Text(id), Cell::Text(time), Cell::Text(value)) => {
            let value: serde_json::Value = serde_json::from_str(value).expect("JSON");
            assert_eq!((id, time, value), (&uuid.to_string(), &at.to_string(), json));
        }
        other => panic!("{other:?}"),
    }

    // A violation anywhere takes back everything.
    let refused = database.batch(&[put(2), put(3), put(1)]).await;
    let keys = ["things_pkey", "things_id_key"].map(|key| Err(DatabaseError::Unique(key.to_owned())));
    assert!(keys.contains(&refused.map(drop)), "the duplicate is named");
    assert_eq!(count(&database).await, Cell::Int(2));

    // So does an expectation that is not met, and its place is told.
    let refused = database.batch(&[put(2), ask(&ADD, vec![77.into()]).expecting(1), put(3)]).await;
    assert_eq!(refused.map(drop), Err(DatabaseError::Unmet(1)));
    let refused = database.batch(&[ask(&ALL, vec![]).expecting(1), put(2)]).await;
    assert_eq!(refused.map(drop), Err(DatabaseError::Unmet(0)));
    assert_eq!(count(&database).await, Cell::Int(2));
    let met = database
        .batch(&[ask(&ALL, vec![]).expecting(2), put(2).expecting(1), ask(&ADD, vec![2.into()]).expecting(1)])
        .await;
    assert_eq!(met.expect("all met")[2], [[Cell::Int(1)]]);

    // Batches at once have an order: each has seen all that were before it.
    let copies: Vec<_> = (100..140)
        .map(|id| {
            let database = database.clone();
            tokio::spawn(async move {
                database.batch(&[ask(&COUNT_UP, vec![i64::from(id).into()]), ask(&COUNT, vec![])]).await
            })
        })
        .collect();
    let all = copies.len();
    for copy in copies {
        // However many get into each other's way.
        copy.await.expect("no panic").expect("a place in the order");
    }
    let sums = database.batch(&[ask(&ALL, vec![])]).await.expect("rows");
    let mut seen: Vec<_> = sums[0]
        .iter()
        .filter(|row| matches!(row[0], Cell::Int(100..140)))
        .map(|row| format!("{:?}", row[3]))
        .collect();
    assert_eq!(seen.len(), all);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all, "two saw the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("new/things.db").display());
    keeps_its_promises(database(&url).await).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &str| {
            std::fs::metadata(directory.path().join(path)).expect("it exists").permissions().mode() & 0o777
        };
        assert_eq!((mode("new"), mode("new/things.db")), (0o700, 0o600));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_memory() {
    keeps_its_promises(database("sqlite::memory:").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_and_its_dead_connections() {
    let server = Postgres::start().await;
    let database = database(&server.url()).await;
    // Several connections, which then all die without the pool's knowing.
    let busy: Vec<_> = (0..8)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.pending().await })
        })
        .collect();
    for task in busy {
        task.await.expect("no panic").expect("an answer");
    }
    keeps_its_promises(database.clone()).await;
    server.halt().await;
    assert!(matches!(database.batch(&[put(500)]).await, Err(DatabaseError::Unavailable(_))));
    server.resume().await;
    // The crash took no committed row, and a write right after it finds a live connection.
    database.batch(&[put(501)]).await.expect("a write that is tried again");
    let rows = database.batch(&[ask(&ALL, vec![])]).await.expect("rows");
    assert!(
        rows[0].iter().any(|row| row[0] == Cell::Int(501))
            && rows[0].iter().all(|row| row[0] != Cell::Int(500))
    );
}
