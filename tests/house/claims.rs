//! That claiming what is due costs by the tenants that have something, and not by how much they have: a claim holds SQLite's
//! only writer, and a tenant with a hundred thousand deliveries must not make that the longer for all.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{Config, repository::CATALOGUE, sql::Sql};
use bailiwick_tests::targets::Postgres;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, raw_sql};

const NOW: &str = "2026-01-02T00:00:00.000Z";
const LATER: &str = "2026-01-02T00:05:00.000Z";
const CLAIM: &str = "00000000-0000-7000-8000-0000000000c1";

/// Deliveries that one tenant has due at first, and that it has later.
const FEW: usize = 200;
const MANY: usize = 20_000;

fn tenant(number: usize) -> String {
    format!("0aaaaaaa-0000-7000-8000-{number:012}")
}

fn tenants() -> String {
    let rows = (0..4).map(|number| {
        let suspended = if number == 3 { format!("'{NOW}'") } else { "NULL".to_owned() };
        format!("('{}', 't{number}', 'T', '{NOW}', '{NOW}', 1, {suspended})", tenant(number))
    });
    format!(
        "INSERT INTO tenants (id, slug, name, created_at, updated_at, version, suspended_at) VALUES {}",
        rows.collect::<Vec<_>>().join(", ")
    )
}

/// Deliveries of a tenant, a second apart, the last of them due at `NOW` if they are due at all.
fn deliveries(of: usize, numbers: std::ops::Range<usize>, due: bool) -> Vec<String> {
    let mut statements = Vec::new();
    for chunk in numbers.collect::<Vec<_>>().chunks(500) {
        let rows = chunk.iter().map(|number| {
            let (minute, second) = (number / 60, number % 60);
            let day = if due { "01" } else { "03" };
            let time = format!("2026-01-{day}T{:02}:{:02}:{second:02}.000Z", minute / 60, minute % 60);
            format!(
                "('{}', '0bbbbbbb-0000-7000-8000-{number:012}', 'email', 'submitted', 'T', 'T', 'project', '{CLAIM}', \
                 'pending', 0, '{time}', '{time}')",
                tenant(of)
            )
        });
        statements.push(format!(
            "INSERT INTO deliveries (tenant_id, id, channel, kind, title, body, subject_type, subject_id, state, attempts, \
             next_attempt_at, created_at) VALUES {}",
            rows.collect::<Vec<_>>().join(", ")
        ));
    }
    statements
}

/// What stands there at first: two tenants with much, one with little, and a suspended one.
fn first() -> Vec<String> {
    let parts = [
        vec![tenants()],
        deliveries(0, 0..FEW, true),
        deliveries(1, 0..FEW, false),
        deliveries(2, 0..3, true),
    ];
    [parts.concat(), deliveries(3, 0..FEW, true)].concat()
}

/// What comes later: of the first much more, also of what waits for another attempt, and of the suspended one.
fn later() -> Vec<String> {
    [deliveries(0, FEW..MANY, true), deliveries(1, FEW..MANY, false), deliveries(3, FEW..MANY, true)].concat()
}

fn statement(name: &str) -> &'static Sql {
    let mut all = CATALOGUE.iter().copied().flatten().copied();
    all.find(|sql| sql.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

/// A statement with its arguments in their place; 50 at once, 25 of each.
fn filled(text: &str) -> String {
    let arguments =
        [format!("'{NOW}'"), format!("'{CLAIM}'"), format!("'{LATER}'"), "50".to_owned(), "25".to_owned()];
    arguments.iter().enumerate().fold(text.to_owned(), |text, (place, argument)| {
        text.replace(&format!("?{}", place + 1), argument).replace(&format!("${}", place + 1), argument)
    })
}

/// How many of each tenant were claimed.
const CLAIMED: &str = "SELECT tenant_id AS tenant, count(*) AS claimed FROM deliveries \
     WHERE claim IS NOT NULL GROUP BY tenant_id ORDER BY tenant_id";

/// Asserts that a cost did not grow as what is due did, a hundredfold.
fn bounded(what: &str, few: u64, many: u64) {
    assert!(few > 0 && many <= 2 * few, "{what}: {few} among {FEW} due, {many} among {MANY}");
}

#[tokio::test]
async fn a_claim_on_sqlite_costs_no_more_where_much_is_due() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("claims.db").display());
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    AnyDatabase::connect_as_owner(&config).await.expect("a file").migrate().await.expect("migrations");
    let mut connection = SqliteConnection::connect(&url).await.expect("the file");
    let steps = Arc::new(AtomicU64::new(0));
    let counter = steps.clone();
    let count = move || counter.fetch_add(1, Ordering::Relaxed) < u64::MAX;
    connection.lock_handle().await.expect("a handle").set_progress_handler(10, count);
    let mut costs = Vec::new();
    for rows in [first(), later()] {
        raw_sql("BEGIN").execute(&mut connection).await.expect("a transaction");
        for statement in rows {
            raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("rows");
        }
        raw_sql("COMMIT").execute(&mut connection).await.expect("a commit");
        for name in ["deliveries::DUE", "deliveries::CLAIM"] {
            raw_sql("BEGIN").execute(&mut connection).await.expect("a transaction");
            let before = steps.load(Ordering::Relaxed);
            let text = AssertSqlSafe(filled(statement(name).sqlite));
            let found = raw_sql(text).fetch_all(&mut connection).await.expect("it runs");
            costs.push((name, steps.load(Ordering::Relaxed) - before));
            if name == "deliveries::DUE" {
                assert_eq!(found.len(), 1);
            } else {
                let claimed = raw_sql(CLAIMED).fetch_all(&mut connection).await.expect("rows");
                let claimed: Vec<(String, i64)> =
                    claimed.iter().map(|row| (row.get("tenant"), row.get("claimed"))).collect();
                assert_eq!(claimed, [(tenant(0), 25), (tenant(2), 3)]);
            }
            raw_sql("ROLLBACK").execute(&mut connection).await.expect("it goes back");
        }
    }
    bounded(costs[0].0, costs[0].1, costs[2].1);
    bounded(costs[1].0, costs[1].1, costs[3].1);
}

#[tokio::test]
async fn a_claim_on_postgres_costs_no_more_where_much_is_due() {
    let server = Postgres::start().await;
    let url = server.url();
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    AnyDatabase::connect_as_owner(&config).await.expect("a server").migrate().await.expect("migrations");
    let mut connection = PgConnection::connect(&url).await.expect("the server");
    let mut costs = Vec::new();
    for rows in [first(), later()] {
        for statement in rows {
            raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("rows");
        }
        raw_sql("VACUUM ANALYZE").execute(&mut connection).await.expect("statistics");
        for name in ["deliveries::DUE", "deliveries::CLAIM"] {
            raw_sql("BEGIN; SET LOCAL ROLE bailiwick_spanning")
                .execute(&mut connection)
                .await
                .expect("a role");
            let text = format!("EXPLAIN (ANALYZE, FORMAT JSON) {}", filled(statement(name).postgres));
            let plan: Value =
                sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.expect("a plan");
            costs.push((name, touched(&plan[0]["Plan"])));
            if name == "deliveries::CLAIM" {
                let claimed = raw_sql(CLAIMED).fetch_all(&mut connection).await.expect("rows");
                let claimed: Vec<(String, i64)> = claimed
                    .iter()
                    .map(|row| (row.get::<uuid::Uuid, _>("tenant").to_string(), row.get("claimed")))
                    .collect();
                assert_eq!(claimed, [(tenant(0), 25), (tenant(2), 3)]);
            }
            raw_sql("ROLLBACK").execute(&mut connection).await.expect("it goes back");
        }
    }
    bounded(costs[0].0, costs[0].1, costs[2].1);
    bounded(costs[1].0, costs[1].1, costs[3].1);
}

/// The rows that all parts of a plan gave or threw away.
fn touched(plan: &Value) -> u64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or_default();
    let rows = (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
    let own = rows as u64;
    own + plan["Plans"].as_array().into_iter().flatten().map(touched).sum::<u64>()
}
