//! Everything that a tenant consists of is moved with it, or stays behind for a reason: a new table or column of a tenant
//! fails this until that is decided.

use std::collections::BTreeSet;

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{
    Config,
    repository::transfer::{LEFT, moved},
};
use sqlx::SqlitePool;

#[tokio::test]
async fn every_column_of_a_tenant_is_moved_or_left_for_a_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("moved.db").display());
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("a configuration");
    AnyDatabase::connect_as_owner(&config).await.expect("a file").migrate().await.expect("migrations");
    let pool = SqlitePool::connect(&url).await.expect("the file");
    // That Postgres has the same is shown elsewhere.
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' \
         AND c.name <> 'tenant_id' AND (m.name IN ('users', 'tenants') OR EXISTS \
         (SELECT 1 FROM pragma_table_info(m.name) t WHERE t.name = 'tenant_id'))",
    )
    .fetch_all(&pool)
    .await
    .expect("columns");
    assert!(columns.len() > 80, "{columns:?}");
    let moved: BTreeSet<_> = moved().into_iter().collect();
    let mut left: BTreeSet<_> = LEFT.iter().map(|(what, _)| *what).collect();
    assert!(LEFT.iter().all(|(_, why)| why.ends_with('.')));
    for (table, column) in &columns {
        let name = format!("{table}.{column}");
        let stays = LEFT.iter().any(|(what, _)| *what == table || *what == name);
        assert_ne!(
            moved.contains(&name),
            stays,
            "{name}: is it moved with its tenant? Say so in transfer/tables.rs"
        );
    }
    for name in &moved {
        assert!(
            columns.iter().any(|(table, column)| *name == format!("{table}.{column}")),
            "there is no {name}"
        );
    }
    left.retain(|what| {
        !columns.iter().any(|(table, column)| what == table || **what == format!("{table}.{column}"))
    });
    assert!(left.is_empty(), "there is no {left:?}");
}
