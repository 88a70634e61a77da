//! What a batch that reads sees is one moment, whatever is committed meanwhile; and a statement that takes too long is ended
//! by the database.

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{
    Config,
    ports::{Database, DatabaseError},
    sql::{Cell, READ_COMMITTED, Reach, Sql, Statement},
};
use bailiwick_tests::{backdoor::Backdoor, postgres::Postgres, provided, until};
use sqlx::{PgPool, SqlitePool, raw_sql};

const fn sql(name: &'static str, text: &'static str, reads: bool) -> Sql {
    Sql { name, sqlite: text, postgres: text, reads, returns: true, reach: Reach::Global }
}

static COUNT: Sql = sql("COUNT", "SELECT count(*) AS n FROM things", true);
/// The same, behind what another one may have locked.
static COUNT_BEHIND: Sql = sql("COUNT_BEHIND", "SELECT count(*) AS n FROM things, gate", true);
/// It takes a good while, and waits for nobody.
static SLOW: Sql = sql(
    "SLOW",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) AS n FROM n",
    true,
);
/// It would take two minutes, and waits for nobody.
static SLEEP: Sql = sql("SLEEP", "SELECT pg_sleep(120)::text AS slept", true);
static WRITE_SLOWLY: Sql =
    sql("WRITE_SLOWLY", "INSERT INTO things (id) SELECT 7 FROM pg_sleep(120) RETURNING id", false);

/// It would never end.
static COUNT_ON: Sql = sql(
    "COUNT_ON",
    "SELECT count(*) AS n FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)",
    true,
);
static WRITE_ON: Sql = sql(
    "WRITE_ON",
    "INSERT INTO things (id) SELECT i FROM (WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n) \
     RETURNING id",
    false,
);
static WRITE: Sql =
    sql("WRITE", "INSERT INTO things (id) SELECT max(id) + 1 FROM things RETURNING id", false);

const TABLES: &str = "CREATE TABLE things (id bigint PRIMARY KEY); CREATE TABLE gate (id bigint PRIMARY KEY); \
     INSERT INTO things VALUES (1); INSERT INTO gate VALUES (1)";

fn ask(sql: &'static Sql) -> Statement {
    Statement { sql, arguments: Vec::new(), expect: None, enough: None }
}

async fn database(url: &str, more: &[(&str, &str)]) -> AnyDatabase {
    let setting =
        |name: &str| more.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
    let config =
        Config::read(|name| if name == "DATABASE_URL" { Some(url.to_owned()) } else { setting(name) });
    AnyDatabase::connect_as_owner(&config.expect("a configuration")).await.expect("a database")
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_on_postgres_see_one_moment() {
    let server = Postgres::start().await;
    let pool = PgPool::connect(&server.url()).await.expect("Postgres");
    raw_sql(TABLES).execute(&pool).await.expect("tables");
    for prepared in ["true", "false"] {
        let more = [("DATABASE_STATEMENT_TIMEOUT", "10m"), ("DATABASE_PREPARED", prepared)];
        let database = database(&server.url(), &more).await;
        let before = database.batch(&[ask(&COUNT)]).await.expect("a count")[0].clone();
        let mut other = pool.begin().await.expect("a transaction");
        raw_sql("LOCK TABLE gate IN ACCESS EXCLUSIVE MODE").execute(&mut *other).await.expect("the lock");
        let reading = tokio::spawn({
            let database = database.clone();
            async move { database.batch(&[ask(&COUNT), ask(&COUNT_BEHIND)]).await }
        });
        // The first statement has been answered as soon as the second one waits.
        let backdoor = Backdoor::Postgres(pool.clone());
        until("the second statement waits", || async {
            let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'gate'::regclass";
            provided(backdoor.count(waiting).await, |waiting| *waiting == 1)
        })
        .await;
        let add = "INSERT INTO things SELECT max(id) + 1 FROM things";
        raw_sql(add).execute(&mut *other).await.expect("a row");
        other.commit().await.expect("a commit");
        let seen = reading.await.expect("no panic").expect("both");
        assert_eq!(seen, [before.clone(), before.clone()], "DATABASE_PREPARED={prepared}");
        assert_ne!(database.batch(&[ask(&COUNT)]).await.expect("a count")[0], before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_on_sqlite_see_one_moment() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("things.db").display());
    let database = database(&url, &[]).await;
    let pool = SqlitePool::connect(&url).await.expect("the file");
    raw_sql(TABLES).execute(&pool).await.expect("tables");
    let reading = tokio::spawn({
        let database = database.clone();
        async move { database.batch(&[ask(&COUNT), ask(&SLOW), ask(&COUNT)]).await }
    });
    // Somebody writes all the while.
    let mut written = 1;
    while !reading.is_finished() {
        raw_sql("INSERT INTO things SELECT max(id) + 1 FROM things").execute(&pool).await.expect("a row");
        written += 1;
    }
    let seen = reading.await.expect("no panic").expect("all");
    assert_eq!(seen[0], seen[2]);
    assert_eq!(database.batch(&[ask(&COUNT)]).await.expect("a count")[0], [[Cell::Int(written)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_on_postgres_has_its_time() {
    let server = Postgres::start().await;
    let pool = PgPool::connect(&server.url()).await.expect("Postgres");
    raw_sql(TABLES).execute(&pool).await.expect("tables");
    let database = database(&server.url(), &[("DATABASE_STATEMENT_TIMEOUT", "2s")]).await;
    let ended = |outcome: Result<_, DatabaseError>| match outcome {
        Err(DatabaseError::Unavailable(reason)) => {
            assert!(reason.contains("statement timeout"), "{reason}");
        }
        other => panic!("{other:?}"),
    };
    // What hangs by itself: alone, behind another one, and among writes.
    ended(database.batch(&[ask(&SLEEP)]).await);
    ended(database.batch(&[ask(&COUNT), ask(&SLEEP)]).await);
    ended(database.batch(&[ask(&WRITE_SLOWLY)]).await);
    // What waits for somebody who has locked it.
    let mut other = pool.begin().await.expect("a transaction");
    raw_sql("LOCK TABLE gate IN ACCESS EXCLUSIVE MODE").execute(&mut *other).await.expect("the lock");
    ended(database.batch(&[ask(&COUNT_BEHIND)]).await);
    other.rollback().await.expect("the end of it");
    // Nothing was written, and the connection is as good as ever.
    assert_eq!(database.batch(&[ask(&COUNT_BEHIND)]).await.expect("a count")[0], [[Cell::Int(1)]]);
}

/// How far the transaction is kept apart from others, asked among the statements of these names.
static KEPT_APART: &[(Sql, &str)] = &[
    (level("finish::PLACE"), "read committed"),
    (level("removal::LAST"), "read committed"),
    (level("removal::ONLY"), "serializable"),
    (level("projects::UPDATE"), "serializable"),
];

const fn level(name: &'static str) -> Sql {
    sql(name, "SELECT current_setting('transaction_isolation') AS level", false)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_long_and_meets_nobody_is_not_serialisable_and_all_else_is() {
    let server = Postgres::start().await;
    let database = database(&server.url(), &[]).await;
    for (sql, kept) in KEPT_APART {
        let outcome = database.batch(&[ask(sql)]).await.expect("a level");
        assert_eq!(outcome[0], [[Cell::Text((*kept).to_owned())]], "{}", sql.name);
    }
    // Those that are listed are there.
    let catalogue = bailiwick_core::repository::CATALOGUE.iter().copied().flatten();
    let known: Vec<_> = catalogue.map(|sql| sql.name).collect();
    for (name, _) in READ_COMMITTED {
        assert!(known.contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_on_sqlite_has_its_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("things.db").display());
    let own = database(&url, &[("DATABASE_STATEMENT_TIMEOUT", "1s")]).await;
    let pool = SqlitePool::connect(&url).await.expect("the file");
    raw_sql(TABLES).execute(&pool).await.expect("tables");
    // Alone, behind another one, and among writes, of which nothing stays.
    for hanging in [
        vec![ask(&COUNT_ON)],
        vec![ask(&COUNT), ask(&COUNT_ON)],
        vec![ask(&WRITE_ON)],
        vec![ask(&WRITE), ask(&WRITE_ON)],
        vec![ask(&WRITE), ask(&COUNT_ON)],
    ] {
        match own.batch(&hanging).await {
            Err(DatabaseError::Unavailable(reason)) => assert!(reason.contains("interrupted"), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(own.batch(&[ask(&COUNT)]).await.expect("a count")[0], [[Cell::Int(1)]]);
    }
    // The next ones can write.
    own.batch(&[ask(&WRITE)]).await.expect("a row");
    // Whoever is not waited for any more does not keep the next one waiting: the time of this one is an hour.
    let patient = database(&url, &[("DATABASE_STATEMENT_TIMEOUT", "1h"), ("DATABASE_WAIT", "1h")]).await;
    let given_up = tokio::spawn({
        let patient = patient.clone();
        async move { patient.batch(&[ask(&WRITE), ask(&WRITE_ON)]).await }
    });
    let backdoor = Backdoor::Sqlite(pool.clone());
    until("it writes", || async {
        let taken = raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&pool).await;
        provided(taken.is_err(), |busy| *busy)
    })
    .await;
    given_up.abort();
    patient.batch(&[ask(&WRITE)]).await.expect("a row");
    assert_eq!(backdoor.count("SELECT count(*) FROM things").await, 3);
}
