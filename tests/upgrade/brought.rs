//! Accounts that imports over HTTP made before there were placeholders, and imports that were under way: nobody is trusted
//! by them afterwards, and what the operator made stays.

use std::path::Path;

use bailiwick_tests::{
    backdoor::Backdoor,
    targets::{Postgres, root, sqlite_url},
};
use sqlx::{PgPool, SqlitePool, migrate::Migrator};

const THEN: &str = "'2026-01-01T00:00:00.000Z'";

fn id(number: u8) -> String {
    format!("019a0000-0000-7000-8000-0000000000{number:02x}")
}

/// The migrations before placeholders.
async fn before(tree: &str) -> Migrator {
    let folder = tempfile::tempdir().expect("a directory");
    let there = std::fs::read_dir(root().join("migrations").join(tree)).expect("a folder");
    for file in there.flatten().filter(|file| file.file_name().to_string_lossy().as_ref() < "0016") {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
    }
    Migrator::new(Path::new(folder.path())).await.expect("migrations")
}

/// People: who brings tenants in; a member and somebody who has left, both of a tenant that they brought in; somebody
/// whom the operator made; one of a tenant that the operator brought in; one who has come since.
async fn fill(backdoor: &Backdoor) {
    let user = |number: u8, hash: &str| {
        format!(
            "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
             VALUES ('{}', 'user-{number}@example.com', 'User', '{hash}', {THEN}, {THEN}, 1)",
            id(number)
        )
    };
    let tenant = |number: u8| {
        format!(
            "INSERT INTO tenants (id, slug, name, created_at, updated_at, version) \
             VALUES ('{}', 'tenant-{number}', 'Tenant', {THEN}, {THEN}, 1)",
            id(number)
        )
    };
    let member = |tenant: u8, user: u8| {
        format!(
            "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
             VALUES ('{}', '{}', '{}', 'member', 'active', {THEN}, {THEN}, 1)",
            id(tenant),
            id(user),
            id(user)
        )
    };
    let brought = |tenant: u8, seq: u8, by: &str| {
        format!(
            "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at, seq, hash) \
             VALUES ('{}', '{}', {by}, 'tenant.imported', 'tenant', '{}', '{{}}', {THEN}, {seq}, 'hash')",
            id(tenant),
            id(200 + seq),
            id(tenant)
        )
    };
    let by = format!("'{}'", id(1));
    for sql in [
        user(1, "hash"),
        user(2, ""),
        user(3, ""),
        user(4, ""),
        user(5, ""),
        user(6, "hash"),
        tenant(20),
        tenant(21),
        member(20, 1),
        member(20, 2),
        member(20, 6),
        member(21, 5),
        // The file said that an operator had brought it in before.
        brought(20, 1, "NULL"),
        brought(20, 2, &by),
        brought(21, 1, &by),
        brought(21, 2, "NULL"),
        format!(
            "INSERT INTO projects (tenant_id, id, name, description, status, visibility, created_by, created_at, \
             updated_at, version) VALUES ('{}', '{}', 'P', '', 'draft', 'private', '{}', {THEN}, {THEN}, 1)",
            id(20),
            id(40),
            id(3)
        ),
    ] {
        backdoor.sql(&sql).await;
    }
    fill_imports(backdoor).await;
}

/// Imports of one tenant by the operator, who has the nil id, and by a user; a row waits in each.
async fn fill_imports(backdoor: &Backdoor) {
    let import = |user: &str| {
        format!(
            "INSERT INTO imports (tenant_id, user_id, state, next_line, digest, created_at, updated_at) \
             VALUES ('{}', '{user}', '{{}}', 1, 'none', {THEN}, {THEN})",
            id(30)
        )
    };
    let waits = |user: &str| {
        format!(
            "INSERT INTO import_rows (tenant_id, user_id, line, kind, name, content) VALUES ('{}', '{user}', 0, 'users', \
             'users:{}', '{{\"id\": \"{}\", \"email\": \"waits@example.com\"}}')",
            id(30),
            id(9),
            id(9)
        )
    };
    let (nil, user) = ("00000000-0000-0000-0000-000000000000", id(1));
    for sql in [import(nil), import(&user), waits(nil), waits(&user)] {
        backdoor.sql(&sql).await;
    }
}

async fn is_right(backdoor: &Backdoor) {
    let some = |text: &str| Some(text.to_owned());
    let users = "SELECT email, imported_email, imported_into FROM users ORDER BY id";
    let own = |number: u8| vec![some(&format!("user-{number}@example.com")), None, None];
    let placeholder = |number: u8| {
        vec![
            some(&format!("{}@unclaimed.invalid", id(number))),
            some(&format!("user-{number}@example.com")),
            some(&id(20)),
        ]
    };
    assert_eq!(backdoor.sql(users).await, [own(1), placeholder(2), placeholder(3), own(4), own(5), own(6)]);
    let suspended = "SELECT user_id FROM memberships WHERE status = 'suspended' AND imported_at IS NOT NULL";
    assert_eq!(backdoor.sql(suspended).await, [[some(&id(2))]]);
    let imports = "SELECT user_id, by_operator FROM imports ORDER BY user_id";
    let nil = "00000000-0000-0000-0000-000000000000";
    assert_eq!(backdoor.sql(imports).await, [[some(nil), some("1")], [some(&id(1)), some("0")]]);
    let rows = "SELECT content ->> 'email', content ->> 'imported_email', content ->> 'placeholder' FROM import_rows \
         ORDER BY user_id";
    assert_eq!(
        backdoor.sql(rows).await,
        [
            [some("waits@example.com"), None, None],
            [some(&format!("{}@unclaimed.invalid", id(9))), some("waits@example.com"), some("1")],
        ]
    );
}

#[tokio::test]
async fn on_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    let pool = SqlitePool::connect(&format!("{}?mode=rwc", sqlite_url(&directory))).await.expect("a file");
    before("sqlite").await.run(&pool).await.expect("migrations");
    let backdoor = Backdoor::Sqlite(pool.clone());
    fill(&backdoor).await;
    Migrator::new(root().join("migrations/sqlite")).await.expect("all").run(&pool).await.expect("migrations");
    is_right(&backdoor).await;
}

#[tokio::test]
async fn on_postgres() {
    let postgres = Postgres::start().await;
    postgres.prepare().await;
    let owner = PgPool::connect(&postgres.login("bailiwick_owner", "bailiwick")).await.expect("Postgres");
    before("postgres").await.run(&owner).await.expect("migrations");
    owner.close().await;
    let pool = PgPool::connect(&postgres.login("bailiwick", "bailiwick")).await.expect("Postgres");
    let backdoor = Backdoor::Postgres(pool);
    fill(&backdoor).await;
    postgres.migrate().await;
    is_right(&backdoor).await;
}
