//! What row-level security costs: the same batches through the same driver, by the server's login under row-level
//! security, and as they were without it (a superuser, no tenant named). Prints ratios of rates, of rounds in turn.
//! `cargo run --release -p bailiwick-tests --example row_security`; `SECONDS_EACH` (2), `ROUNDS` (5) and `CONNECTIONS` (16)
//! are as `scripts/bench` has them.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "to measure and to tell is what it is for")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{
    Config,
    ports::Database,
    repository::CATALOGUE,
    sql::{Reach, Sql, Statement, Value},
    time::Timestamp,
};
use bailiwick_tests::targets::Postgres;
use sqlx::{PgPool, raw_sql};
use tokio::time::Instant;
use uuid::Uuid;

const TENANTS: u128 = 50;
const PROJECTS: u128 = 1000;

/// Ids are numbers, so that nothing needs to be looked up.
const ROWS: &str = "
    INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version)
    VALUES (lpad('1', 32, '0')::uuid, 'a@example.com', 'A', '', now(), now(), 1);
    INSERT INTO sessions (id, user_id, refresh_hash, created_at, refreshed_at, expires_at)
    VALUES (lpad('1', 32, '0')::uuid, lpad('1', 32, '0')::uuid, '', now(), now(), now() + interval '1 day');
    INSERT INTO tenants (id, slug, name, created_at, updated_at, version)
    SELECT lpad(to_hex(t), 32, '0')::uuid, 't' || t, 'T', now(), now(), 1 FROM generate_series(1, 50) t;
    INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version)
    SELECT lpad(to_hex(t), 32, '0')::uuid, lpad('1', 32, '0')::uuid, lpad('1', 32, '0')::uuid, 'owner', 'active', now(), now(), 1
    FROM generate_series(1, 50) t;
    INSERT INTO projects (tenant_id, id, name, description, status, visibility, created_by, created_at, updated_at, version)
    SELECT lpad(to_hex(t), 32, '0')::uuid, lpad(to_hex(p), 32, '0')::uuid, 'Bridge', 'Over the river', 'draft', 'private',
        lpad('1', 32, '0')::uuid, now(), now(), 1
    FROM generate_series(1, 50) t, generate_series(1, 1000) p;
    ANALYZE";

/// A statement as the catalogue has it, or as one that row-level security is not told about.
#[derive(Clone, Copy)]
struct Spoken {
    plain: &'static Sql,
    held: &'static Sql,
}

fn spoken(name: &str) -> Spoken {
    let held = CATALOGUE
        .iter()
        .copied()
        .flatten()
        .copied()
        .find(|sql| sql.name == name)
        .expect("a statement of this name");
    let &Sql { name, sqlite, postgres, reads, returns, .. } = held;
    let plain = Sql { name, sqlite, postgres, reads, returns, reach: Reach::Global };
    Spoken { plain: Box::leak(Box::new(plain)), held }
}

type Arguments = fn(u128) -> Vec<Value>;

/// Statements that are run together, with their arguments for the so-manieth time.
type Batch = Vec<(Spoken, Arguments)>;

fn id(number: u128) -> Value {
    Uuid::from_u128(number).into()
}

fn tenant(time: u128) -> Value {
    id(time % TENANTS + 1)
}

fn project(time: u128) -> Value {
    // Two at a time are never after the same.
    id(time / TENANTS % PROJECTS + 1)
}

fn now() -> Timestamp {
    Timestamp::from_unix_millis(1_795_512_600_123)
}

fn batches() -> Vec<(&'static str, Batch)> {
    let check: (Spoken, Arguments) = (spoken("checks::MEMBER_BY_SESSION"), |time| {
        vec![tenant(time), id(1), 1.into(), None::<String>.into(), id(1)]
    });
    let batch = |name: &str, arguments: Arguments| vec![check, (spoken(name), arguments)];
    let read = batch("projects::BY_ID", |time| vec![tenant(time), project(time)]);
    let list = batch("projects::LIST", |time| {
        let none = || Value::Text(None);
        vec![tenant(time), none(), none(), Uuid::max().into(), 21.into()]
    });
    let mut write = batch("projects::UPDATE", |time| {
        let none = || Value::Text(None);
        let revision = Value::Int(None);
        vec![
            tenant(time),
            project(time),
            "Bridge".into(),
            none(),
            none(),
            now().into(),
            none(),
            none(),
            revision,
        ]
    });
    write.push((spoken("activity::INSERT"), |time| {
        let detail = serde_json::json!({});
        let kind = || Value::from("project");
        vec![
            tenant(time),
            Uuid::now_v7().into(),
            id(1),
            kind(),
            kind(),
            project(time),
            detail.into(),
            now().into(),
        ]
    }));
    let slug: Batch =
        vec![(spoken("checks::TENANT_BY_SLUG"), |time| vec![format!("t{}", time % TENANTS + 1).into()])];
    vec![
        ("a project is read", read),
        ("20 projects of 1000 are listed", list),
        ("a project is changed", write),
        ("a slug is looked up (once for each process and slug)", slug),
    ]
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Batches a second.
async fn rate(database: &AnyDatabase, batch: &Batch, held: bool, begun: &Arc<AtomicU64>) -> f64 {
    let (start, length) = (Instant::now(), Duration::from_secs(setting("SECONDS_EACH", 2)));
    let tasks: Vec<_> = (0..setting("CONNECTIONS", 16))
        .map(|_| {
            let (database, batch, begun) = (database.clone(), batch.clone(), begun.clone());
            tokio::spawn(async move {
                let mut done = 0_u32;
                while start.elapsed() < length {
                    let time = u128::from(begun.fetch_add(1, Ordering::Relaxed));
                    let statements: Vec<_> = batch
                        .iter()
                        .map(|(spoken, arguments)| Statement {
                            sql: if held { spoken.held } else { spoken.plain },
                            arguments: arguments(time),
                            expect: None,
                            enough: None,
                        })
                        .collect();
                    let rows = database.batch(&statements).await.expect("rows");
                    assert!(!rows[0].is_empty(), "nothing was found");
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.expect("no panic");
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let server = Postgres::start().await;
    let url = server.install().await;
    let superuser = server.login("bailiwick", "bailiwick");
    let pool = PgPool::connect(&superuser).await.expect("Postgres");
    raw_sql(ROWS).execute(&pool).await.expect("rows");
    let config = |url: &str| {
        let connections = setting("CONNECTIONS", 16).to_string();
        let settings = [("DATABASE_URL", url), ("DATABASE_CONNECTIONS", &connections)];
        Config::read(|name| {
            settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
        .expect("settings")
    };
    let held = AnyDatabase::connect(&config(&url)).await.expect("a database");
    let free = AnyDatabase::connect_as_owner(&config(&superuser)).await.expect("a database");
    let begun = Arc::new(AtomicU64::new(0));
    for (what, batch) in batches() {
        // The first rounds prepare the statements and fill the caches.
        let mut ratios = Vec::new();
        for round in 0..=setting("ROUNDS", 5) {
            let with = rate(&held, &batch, true, &begun).await;
            let without = rate(&free, &batch, false, &begun).await;
            if round > 0 {
                println!("{what}: {with:.0}/s under row-level security, {without:.0}/s without");
                ratios.push(with / without);
            }
        }
        println!("{what}: ratio, median: {:.2}", median(ratios));
    }
}
