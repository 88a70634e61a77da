//! Row-level security as the driver uses it: whoever logs in, a transaction sees the tenant that its statements name.

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Cell, Reach, Sql, Statement, Value},
};
use bailiwick_tests::{
    backdoor,
    targets::{Postgres, bin_directory, native},
};
use sqlx::{AssertSqlSafe, PgPool, raw_sql};
use uuid::Uuid;

use crate::instance::migrate;

const ADA: Uuid = Uuid::from_u128(0x0196_a2b4_0000_7000_8000_0000_0000_000a);
const BOB: Uuid = Uuid::from_u128(0x0196_a2b4_0000_7000_8000_0000_0000_000b);

/// A statement that forgot its tenant, so that what it does is up to row-level security.
const fn forgetful(reach: Reach, postgres: &'static str, reads: bool) -> Sql {
    Sql { name: "forgetful", sqlite: "", postgres, reads, returns: reads, reach }
}

const SLUGS: &str = "SELECT slug FROM tenants WHERE slug LIKE 'of-%' ORDER BY slug";
static OF_ALL: Sql = forgetful(Reach::Spanning, SLUGS, true);
static OF_NONE: Sql = forgetful(Reach::Global, SLUGS, true);
static ROLE: Sql = forgetful(Reach::Global, "SELECT current_user::text", true);
static OF_TENANT: Sql = forgetful(
    Reach::Tenant,
    "SELECT slug FROM tenants WHERE slug LIKE 'of-%' AND ($1::uuid IS NULL OR TRUE) ORDER BY slug",
    true,
);
static RENAME: Sql = forgetful(
    Reach::Tenant,
    "UPDATE tenants SET name = 'changed' WHERE slug LIKE 'of-%' AND ($1::uuid IS NULL OR TRUE)",
    false,
);
static PASS_ON: Sql = forgetful(
    Reach::Tenant,
    "INSERT INTO tenants (id, slug, name, created_at, updated_at, version) \
     SELECT gen_random_uuid(), 'of-nobody', name, created_at, updated_at, 1 FROM tenants \
     WHERE $1::uuid IS NULL OR TRUE",
    false,
);

fn ask(sql: &'static Sql, tenant: Option<Uuid>) -> Statement {
    let arguments = if sql.reach == Reach::Tenant { vec![Value::Uuid(tenant)] } else { Vec::new() };
    Statement { sql, arguments, expect: None, enough: None }
}

async fn run(pool: &PgPool, sql: &str) {
    raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn connect(url: &str) -> Result<AnyDatabase, String> {
    let settings = [("DATABASE_URL", url), ("DATABASE_CONNECTIONS", "1")];
    let read =
        |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    AnyDatabase::connect(&Config::read(read).expect("a configuration")).await
}

/// Two tenants' slugs, in a batch of any kinds of statements, on one and the same connection.
async fn is_held(url: &str, superuser: &PgPool) {
    for (id, slug) in [(ADA, "of-ada"), (BOB, "of-bob")] {
        let insert = format!(
            "INSERT INTO tenants (id, slug, name, created_at, updated_at, version) \
             VALUES ('{id}', '{slug}', '{slug}', now(), now(), 1)"
        );
        run(superuser, &insert).await;
    }
    let database = connect(url).await.expect("a database");
    let (ada, bob) = (ask(&OF_TENANT, Some(ADA)), ask(&OF_TENANT, Some(BOB)));
    let (all, none) = (ask(&OF_ALL, None), ask(&OF_NONE, None));
    let texts =
        |slugs: &[&str]| slugs.iter().map(|slug| vec![Cell::Text((*slug).to_owned())]).collect::<Vec<_>>();
    let batches: [(&[&Statement], &[&[&str]]); 8] = [
        (&[&none], &[&[]]),
        (&[&ada], &[&["of-ada"]]),
        (&[&none], &[&[]]),
        (&[&all], &[&["of-ada", "of-bob"]]),
        (&[&none], &[&[]]),
        (&[&ask(&ROLE, None)], &[&["bailiwick_app"]]),
        (
            &[&ada, &all, &bob, &all, &ada, &ask(&OF_TENANT, None)],
            &[&["of-ada"], &["of-ada", "of-bob"], &["of-bob"], &["of-ada", "of-bob"], &["of-ada"], &[]],
        ),
        (&[&ask(&ROLE, None), &none], &[&["bailiwick_app"], &[]]),
    ];
    // Twice, for the second time the statements are prepared already.
    for (batch, expected) in batches.iter().chain(&batches) {
        let batch: Vec<Statement> = batch.iter().map(|statement| (*statement).clone()).collect();
        let rows = database.batch(&batch).await.expect("rows");
        assert_eq!(rows, expected.iter().map(|slugs| texts(slugs)).collect::<Vec<_>>(), "{batch:?}");
    }

    // What is changed is the tenant's own, and nothing can be put into another's.
    database.batch(&[ask(&RENAME, Some(ADA)).expecting(1)]).await.expect("one row");
    let refused = database.batch(&[ask(&PASS_ON, Some(ADA))]).await;
    assert!(
        matches!(&refused, Err(DatabaseError::Internal(text)) if text.contains("row-level security")),
        "{refused:?}"
    );
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM tenants WHERE slug LIKE 'of-%' ORDER BY slug")
            .fetch_all(superuser)
            .await
            .expect("names");
    assert_eq!(names, ["changed", "of-bob"]);
    // A failure leaves nothing standing either.
    assert_eq!(database.batch(&[none]).await.expect("rows"), [texts(&[])]);
}

#[tokio::test]
async fn holds_for_a_server_that_logs_in_as_a_superuser() {
    let server = Postgres::start().await;
    migrate(&server.url()).await;
    is_held(&server.url(), &backdoor::postgres(&server.url()).await).await;
}

#[tokio::test]
async fn holds_for_a_login_with_least_privilege() {
    let server = Postgres::start().await;
    let url = server.install().await;
    let superuser = backdoor::postgres(&server.login("bailiwick", "bailiwick")).await;
    is_held(&url, &superuser).await;
    // And the owner serves like any other.
    run(&superuser, "DELETE FROM tenants WHERE slug LIKE 'of-%'").await;
    is_held(&server.login("bailiwick_owner", "bailiwick"), &superuser).await;

    // Whoever gets hold of the login can change neither the tables nor the history, and sees nothing unasked.
    let thief = backdoor::postgres(&url).await;
    for refused in [
        "SELECT count(*) FROM tenants",
        "SET ROLE bailiwick_owner",
        "ALTER TABLE tenants DISABLE ROW LEVEL SECURITY",
        "SET ROLE bailiwick_app; ALTER TABLE tenants DISABLE ROW LEVEL SECURITY",
        "SET ROLE bailiwick_app; UPDATE activity SET action = 'x'",
        "SET ROLE bailiwick_app; UPDATE schema_version SET version = 0",
        "SET ROLE bailiwick_app; DROP POLICY one_tenant ON tenants",
        "SET ROLE bailiwick_spanning; SELECT name FROM projects",
        "SET ROLE bailiwick_spanning; SELECT * FROM comments",
        "SET ROLE bailiwick_spanning; SELECT title FROM notifications",
    ] {
        let done = raw_sql(refused).execute(&thief).await.expect_err(refused);
        let code = done.as_database_error().and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{refused}: {done}");
    }
}

#[tokio::test]
async fn the_owner_dumps_everything_when_they_say_so() {
    let server = Postgres::start().await;
    server.install().await;
    let dump = |arguments: &'static [&str]| {
        let url = server.login("bailiwick_owner", "bailiwick");
        let mut command = tokio::process::Command::new(bin_directory().join("pg_dump"));
        async move { command.args(arguments).arg(url).output().await.expect("pg_dump") }
    };
    let refused = dump(&[]).await;
    assert!(!refused.status.success(), "{refused:?}");
    let dumped = dump(&["--enable-row-security"]).await;
    let text = String::from_utf8(dumped.stdout).expect("text");
    assert!(dumped.status.success() && text.contains("\tdefault\tDefault\t"), "{text}");
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let server = Postgres::start().await;
    let superuser = backdoor::postgres(&server.url()).await;
    for sql in ["CREATE ROLE owner LOGIN", "CREATE DATABASE b OWNER owner", "CREATE ROLE other LOGIN"] {
        run(&superuser, sql).await;
    }
    let url = server.login("owner", "b");
    let migrated = |url: String| async move {
        let output = native(&url).arg("migrate").output().await.expect("it runs");
        (output.status.success(), String::from_utf8(output.stderr).expect("text"))
    };
    // Who may not make roles is told what to ask for, and that is enough.
    let (done, said) = migrated(url.clone()).await;
    let (_, advice) = said.split_once("run `").expect("advice");
    let (advice, _) = advice.split_once('`').expect("advice");
    assert!(
        !done && said.contains("Nothing was done") && advice.starts_with("CREATE ROLE bailiwick_app"),
        "{said}"
    );
    run(&superuser, advice).await;
    assert!(migrated(url.clone()).await.0);
    connect(&url).await.expect("a database");

    let said = connect(&server.login("other", "b")).await.expect_err("it is in no role");
    assert!(said.contains("GRANT bailiwick_app, bailiwick_spanning TO"), "{said}");
    // Half of it does not do.
    run(&superuser, "GRANT bailiwick_app TO other").await;
    let said = connect(&server.login("other", "b")).await.expect_err("it is in one role");
    assert!(said.contains("may not take the role bailiwick_spanning"), "{said}");

    let inside = backdoor::postgres(&server.login("bailiwick", "b")).await;
    run(&inside, "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY").await;
    let said = connect(&url).await.expect_err("a table is open");
    assert!(said.contains("does not hold for bailiwick_app on tasks:"), "{said}");
    run(&inside, "ALTER TABLE tasks ENABLE ROW LEVEL SECURITY; ALTER ROLE bailiwick_app BYPASSRLS").await;
    let said = connect(&url).await.expect_err("the role is not held");
    assert!(said.contains("does not hold for bailiwick_app on activity,"), "{said}");
    let (done, said) = migrated(url).await;
    assert!(!done && said.contains("ALTER ROLE bailiwick_app NOSUPERUSER NOBYPASSRLS"), "{said}");
}
