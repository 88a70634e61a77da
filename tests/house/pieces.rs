//! That deleting a tenant is bounded work for each batch, however much the tenant has: counted, in an app that does nothing in
//! the background unless it is told to.

use bailiwick_tests::actors::new_id;
use serde_json::json;
use sqlx::{AssertSqlSafe, SqlitePool, raw_sql};

use crate::budget::client;

/// Rows of the largest table.
const ROWS: i64 = 1_000;
/// Of these one batch takes so many.
const PIECE: i64 = 300;

async fn count(pool: &SqlitePool, table: &str, tenant: &str) -> i64 {
    let column = if table == "tenants" { "id" } else { "tenant_id" };
    let sql = format!("SELECT count(*) FROM {table} WHERE {column} = '{tenant}'");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.expect("a count")
}

#[tokio::test]
async fn a_deleted_tenant_goes_piece_by_piece_and_takes_turns() {
    let (mut client, pool, _directory) = client().await;
    let me = client.account("owner@example.com").await;
    let mut tenants = Vec::new();
    for slug in ["large", "larger"] {
        let made = client.made("POST", "/v1/tenants", json!({ "slug": slug, "name": "T" })).await;
        let tenant = made["id"].as_str().expect("an id").to_owned();
        let first = new_id();
        let rows = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) INSERT INTO notifications (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, created_at) \
             SELECT '{tenant}', substr('{first}', 1, 24) || printf('%012d', i), '{me}', 'approved', 'T', '', 'project', \
             '{first}', '2026-01-01T00:00:00.000Z' FROM n"
        );
        raw_sql(AssertSqlSafe(rows)).execute(&pool).await.expect("rows");
        tenants.push(tenant);
    }
    let left = async |tenant: &str| count(&pool, "notifications", tenant).await;
    for slug in ["large", "larger"] {
        slug.clone_into(&mut client.slug);
        let (status, ..) = client.ask("DELETE", &format!("/v1/tenant?confirm={slug}"), None).await;
        assert_eq!(status, 204);
        assert_eq!(client.ask("GET", "/v1/tenant", None).await.0, 403);
    }
    for tenant in &tenants {
        assert_eq!(left(tenant).await, ROWS - PIECE);
        // Who is a member is known until all that hangs on it is gone.
        assert_eq!(
            (count(&pool, "memberships", tenant).await, count(&pool, "tenants", tenant).await),
            (1, 1)
        );
    }
    assert!(client.app.removals_wait() && !client.app.removals_wait());
    // One batch is one piece of one of them; the next is the other's.
    let pieces = async || {
        let mut both = [left(&tenants[0]).await, left(&tenants[1]).await];
        both.sort_unstable();
        both.map(|rows| (ROWS - rows) / PIECE)
    };
    let remove =
        async |batches| client.app.remove(batches).await.expect("pieces").whole().expect("pieces").more;
    assert!(remove(1).await);
    assert_eq!(pieces().await, [2, 1]);
    assert!(remove(2).await);
    assert_eq!(pieces().await, [3, 2]);
    // What is interrupted goes on, until nothing is left.
    assert!(!remove(100).await);
    for tenant in &tenants {
        for table in ["notifications", "memberships", "activity", "tenants"] {
            assert_eq!(count(&pool, table, tenant).await, 0, "{table}");
        }
    }
    // The slug is free, and nothing waits.
    client.made("POST", "/v1/tenants", json!({ "slug": "large", "name": "T" })).await;
    assert!(!client.app.remove(1).await.expect("nothing").more);
}
