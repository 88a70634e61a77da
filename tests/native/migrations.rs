//! Migrations, as several instances start them at the same time, and as an older version meets what a newer one made.

use bailiwick_tests::{backdoor::Backdoor, targets::native};
use futures::future::join_all;

use crate::instance::{Instance, postgres, sqlite};

/// How many start at once.
const INSTANCES: usize = 4;

async fn count(backdoor: &Backdoor, sql: &str) -> String {
    backdoor.sql(sql).await[0][0].clone().expect("a number")
}

/// Runs `bailiwick migrate` several times at once; each migration must be applied by exactly one.
async fn at_once(database: &str) {
    let runs = (0..INSTANCES).map(|_| async {
        let output = native(database).arg("migrate").output().await.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    });
    let said = join_all(runs).await.concat();
    let mut applied: Vec<_> = said.lines().filter(|line| line.starts_with("Applied ")).collect();
    let (all, none) = (applied.len(), said.matches("The database is up to date.").count());
    applied.sort_unstable();
    applied.dedup();
    assert_eq!((applied.len(), none), (all, INSTANCES - 1), "{said}");
    assert!(all >= 9, "{said}");
}

#[tokio::test]
async fn several_migrate_one_sqlite_file_at_once() {
    // Which of them comes first is chance, and so it is tried more than once.
    for _ in 0..3 {
        let directory = tempfile::tempdir().expect("a directory");
        at_once(&format!("sqlite://{}", directory.path().join("new/b.db").display())).await;
    }
}

#[tokio::test]
async fn several_migrate_one_postgres_at_once() {
    let server = bailiwick_tests::targets::Postgres::start().await;
    at_once(&server.url()).await;
}

#[tokio::test]
async fn several_servers_start_on_one_new_sqlite_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite://{}", directory.path().join("b.db").display());
    let servers = join_all((0..INSTANCES).map(|_| Instance::start(&database, &[]))).await;
    // And each sees what another does.
    let (_, token) = servers[0].register("ada@example.com", None).await;
    for server in &servers {
        server.get(&token, "/v1/me").await.expect(200);
    }
}

/// What a newer version leaves, as far as an older one can see it.
async fn by_a_newer_version(database: &str, backdoor: &Backdoor, checksum: &str) {
    backdoor
        .sql(&format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'of tomorrow', true, {checksum}, 1)"
        ))
        .await;
    backdoor.sql("ALTER TABLE projects ADD COLUMN of_tomorrow text").await;
    backdoor.sql("UPDATE schema_version SET version = 9999").await;

    // Going back to it, the version before serves on; and `migrate` keeps its hands off.
    let output = native(database).arg("migrate").output().await.expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "The database is up to date.\n");
    let server = Instance::start(database, &[]).await;
    let (_, token) = server.register("ada@example.com", None).await;
    server.get(&token, "/readyz").await.expect(200);
    let project = serde_json::json!({ "name": "Bridge", "description": "" });
    server.post(&token, "/v1/projects", &project).await.expect(201);
    assert_eq!(count(backdoor, "SELECT version FROM schema_version").await, "9999");
}

#[tokio::test]
async fn the_version_before_serves_on_what_a_newer_one_made_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    by_a_newer_version(&database, &backdoor, "x'00'").await;
}

#[tokio::test]
async fn the_version_before_serves_on_what_a_newer_one_made_on_postgres() {
    let (_server, database, backdoor) = postgres().await;
    // What a newer version has granted is not taken away again.
    backdoor.sql("GRANT SELECT ON comments TO bailiwick_spanning").await;
    by_a_newer_version(&database, &backdoor, "''").await;
    let granted = "SELECT has_table_privilege('bailiwick_spanning', 'comments', 'SELECT')::text";
    assert_eq!(count(&backdoor, granted).await, "true");
}
