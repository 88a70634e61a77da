//! A database that the very first version made and filled goes through every migration since, on each engine; and the
//! server of today serves what was in it.

#![expect(clippy::expect_used, reason = "a test that cannot go on says so and ends there")]

mod brought;
mod first;
mod served;

use std::path::Path;

use bailiwick_tests::{
    backdoor::Backdoor,
    targets::{self, Postgres, Target, root, sqlite_url},
};
use sqlx::{PgPool, SqlitePool, migrate::Migrator};
use tempfile::TempDir;

use self::first::Rows;

/// Of a tree, the first migration alone.
async fn only_the_first(tree: &str) -> Migrator {
    let folder = tempfile::tempdir().expect("a directory");
    let name = "0001_foundation.sql";
    std::fs::copy(root().join("migrations").join(tree).join(name), folder.path().join(name)).expect("a copy");
    Migrator::new(Path::new(folder.path())).await.expect("a migration")
}

/// A SQLite file as the first version left it, and what is in it.
async fn first_sqlite() -> (TempDir, Rows) {
    let directory = tempfile::tempdir().expect("a directory");
    let pool = SqlitePool::connect(&format!("{}?mode=rwc", sqlite_url(&directory))).await.expect("a file");
    only_the_first("sqlite").await.run(&pool).await.expect("the first migration");
    let backdoor = Backdoor::Sqlite(pool.clone());
    let rows = first::fill(&backdoor).await;
    pool.close().await;
    (directory, rows)
}

async fn is_served(target: Target, before: &Rows) {
    // Nothing got lost or changed on the way, to the letter.
    for (table, rows) in before {
        let now = first::rows(&target.backdoor, table).await;
        assert_eq!(now.len(), rows.len(), "{table} on {}", target.name);
        for (now, before) in now.iter().zip(rows) {
            assert_eq!(now, before, "{table} on {}", target.name);
        }
    }
    served::as_ever(&target).await;
    target.stop().await;
}

#[tokio::test]
async fn native_sqlite() {
    let (directory, before) = first_sqlite().await;
    is_served(targets::serve_sqlite(directory, &[]).await, &before).await;
}

#[tokio::test]
async fn native_postgres() {
    let postgres = Postgres::start().await;
    postgres.prepare().await;
    let pool = PgPool::connect(&postgres.login("bailiwick_owner", "bailiwick")).await.expect("Postgres");
    only_the_first("postgres").await.run(&pool).await.expect("the first migration");
    let before = first::fill(&Backdoor::Postgres(pool.clone())).await;
    pool.close().await;
    postgres.migrate().await;
    is_served(targets::serve_postgres(postgres, &[]).await, &before).await;
}

#[tokio::test]
async fn edge_d1() {
    // What D1 had in between cannot be seen; SQLite has the same, letter by letter.
    let (_directory, before) = first_sqlite().await;
    is_served(targets::edge_d1_after(&first::statements(), &[]).await, &before).await;
}
