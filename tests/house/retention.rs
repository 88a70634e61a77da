//! That dropping what was done with long ago goes by an index, among rows as many as make a difference: it must not read all
//! that people were told, and all that was sent, to find out that there is nothing to drop.

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{Config, repository::CATALOGUE, sql::Sql};
use bailiwick_tests::targets::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, raw_sql};

const TENANT: &str = "0aaaaaaa-0000-7000-8000-00000000000a";
const NOW: &str = "2026-01-01T00:00:00.000Z";

/// Rows of each table, one in ten of which is done with.
const ROWS: usize = 5_000;

const INDEXES: [(&str, &str); 2] = [
    ("retention::DELIVERIES", "deliveries_settled_idx"),
    ("retention::NOTIFICATIONS", "notifications_read_idx"),
];

fn statement(name: &str) -> &'static Sql {
    let mut all = CATALOGUE.iter().copied().flatten().copied();
    all.find(|sql| sql.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

/// A statement that drops what is a year older than the rows.
fn filled(text: &str) -> String {
    let filled = text.replace("?1", "'2025-01-01T00:00:00.000Z'").replace("?2", "1000");
    filled.replace("$1", "'2025-01-01T00:00:00.000Z'").replace("$2", "1000")
}

fn rows() -> Vec<String> {
    let id = |number: usize| format!("0bbbbbbb-0000-7000-8000-{number:012}");
    let user = id(0);
    let mut script = vec![
        format!(
            "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
             VALUES ('{user}', 'a@example.com', 'A', 'x', '{NOW}', '{NOW}', 1)"
        ),
        format!(
            "INSERT INTO tenants (id, slug, name, created_at, updated_at, version) \
             VALUES ('{TENANT}', 'aa', 'T', '{NOW}', '{NOW}', 1)"
        ),
        format!(
            "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
             VALUES ('{TENANT}', '{user}', '{user}', 'owner', 'active', '{NOW}', '{NOW}', 1)"
        ),
    ];
    for chunk in (1..=ROWS).collect::<Vec<_>>().chunks(500) {
        let all = |row: &dyn Fn(usize) -> String| {
            chunk.iter().map(|number| row(*number)).collect::<Vec<_>>().join(", ")
        };
        let notifications = all(&|number| {
            let read = if number % 10 == 0 { format!("'{NOW}'") } else { "NULL".to_owned() };
            let id = id(number);
            format!("('{TENANT}', '{id}', '{user}', 'approved', 'T', '', 'project', '{id}', {read}, '{NOW}')")
        });
        script.push(format!(
            "INSERT INTO notifications (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, read_at, \
             created_at) VALUES {notifications}"
        ));
        let deliveries = all(&|number| {
            let (id, state) = (id(number), if number % 10 == 0 { "sent" } else { "pending" });
            format!(
                "('{TENANT}', '{id}', 'slack', 'approved', 'T', '', 'project', '{id}', '{state}', 1, '{NOW}', '{NOW}')"
            )
        });
        script.push(format!(
            "INSERT INTO deliveries (tenant_id, id, channel, kind, title, body, subject_type, subject_id, state, attempts, \
             next_attempt_at, created_at) VALUES {deliveries}"
        ));
    }
    script
}

#[tokio::test]
async fn what_is_dropped_on_sqlite_is_found_by_an_index() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("retention.db").display());
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    AnyDatabase::connect_as_owner(&config).await.expect("a file").migrate().await.expect("migrations");
    let mut connection = SqliteConnection::connect(&url).await.expect("the file");
    raw_sql("BEGIN").execute(&mut connection).await.expect("a transaction");
    for statement in rows() {
        raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("rows");
    }
    raw_sql("COMMIT").execute(&mut connection).await.expect("a commit");
    for upkeep in ["", "ANALYZE"] {
        raw_sql(upkeep).execute(&mut connection).await.expect("upkeep");
        for (name, index) in INDEXES {
            let explain = format!("EXPLAIN QUERY PLAN {}", filled(statement(name).sqlite));
            let plan = raw_sql(AssertSqlSafe(explain)).fetch_all(&mut connection).await.expect("a plan");
            let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
            assert!(plan.iter().any(|line| line.contains(index)), "{name} after {upkeep:?}: {plan:#?}");
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{name}: {plan:#?}");
        }
    }
}

#[tokio::test]
async fn what_is_dropped_on_postgres_is_found_by_an_index() {
    let server = Postgres::start().await;
    let url = server.url();
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    AnyDatabase::connect_as_owner(&config).await.expect("a server").migrate().await.expect("migrations");
    let mut connection = PgConnection::connect(&url).await.expect("the server");
    for statement in rows() {
        raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("rows");
    }
    raw_sql("VACUUM ANALYZE").execute(&mut connection).await.expect("statistics");
    raw_sql("SET ROLE bailiwick_spanning").execute(&mut connection).await.expect("a role");
    for (name, index) in INDEXES {
        let explain = format!("EXPLAIN {}", filled(statement(name).postgres));
        let plan = raw_sql(AssertSqlSafe(explain)).fetch_all(&mut connection).await.expect("a plan");
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains(index)), "{name}: {plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("Seq Scan")), "{name}: {plan:#?}");
    }
}
