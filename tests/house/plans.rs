//! That searches go by the indexes of words, on both engines and under row-level security, among rows as many as make a
//! difference; and that the index survives what is done to a file.

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{Config, repository::CATALOGUE, sql::Sql};
use bailiwick_tests::targets::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, raw_sql};

const OWN: &str = "0aaaaaaa-0000-7000-8000-00000000000a";
const OTHER: &str = "0bbbbbbb-0000-7000-8000-00000000000b";

/// Rows of each of two tenants.
const ROWS: usize = 2000;

/// Those that find rows; those that count them go the same way, and give one.
fn searches() -> Vec<&'static Sql> {
    let all = CATALOGUE.iter().copied().flatten().copied();
    let found: Vec<_> =
        all.filter(|sql| sql.name.contains("::SEARCH")).filter(|sql| !sql.name.ends_with("_COUNT")).collect();
    assert!(found.len() >= 5, "{found:?}");
    found
}

/// Two tenants, one of which has a row with the word `rare`, and all rows with a word that they share.
fn rows(id: impl Fn(&str, usize) -> String) -> Vec<String> {
    let now = "'2026-01-01T00:00:00.000Z'";
    let user = id(OWN, 0);
    let mut script = vec![format!(
        "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
         VALUES ('{user}', 'a@example.com', 'A', 'x', {now}, {now}, 1)"
    )];
    for tenant in [OWN, OTHER] {
        script.push(format!(
            "INSERT INTO tenants (id, slug, name, created_at, updated_at, version) \
             VALUES ('{tenant}', 't{}', 'T', {now}, {now}, 1)",
            &tenant[..2]
        ));
        let words = |number: usize| {
            let rare = if number == ROWS / 2 { " rare" } else { "" };
            format!("shared w{number}{rare}")
        };
        for chunk in (1..=ROWS).collect::<Vec<_>>().chunks(500) {
            let projects: Vec<_> = chunk
                .iter()
                .map(|&number| {
                    format!(
                        "('{tenant}', '{}', 'N', '', 'approved', 'public', '{user}', {now}, {now}, 1, '{}', '', 2)",
                        id(tenant, number),
                        words(number)
                    )
                })
                .collect();
            script.push(format!(
                "INSERT INTO projects (tenant_id, id, name, description, status, visibility, created_by, created_at, \
                 updated_at, version, name_words, description_words, indexed) VALUES {}",
                projects.join(", ")
            ));
            let tasks: Vec<_> = chunk
                .iter()
                .map(|&number| {
                    format!(
                        "('{tenant}', '{}', '{}', 'T', '', 'todo', {now}, {now}, 1, '', '{}', 2)",
                        id(tenant, number),
                        id(tenant, 1),
                        words(number)
                    )
                })
                .collect();
            script.push(format!(
                "INSERT INTO tasks (tenant_id, id, project_id, title, description, status, created_at, updated_at, \
                 version, title_words, description_words, indexed) VALUES {}",
                tasks.join(", ")
            ));
        }
    }
    script
}

/// Ids of the same order as their numbers.
fn id(tenant: &str, number: usize) -> String {
    format!("{}-0000-7000-8000-{number:012}", &tenant[..8])
}

/// The arguments after the tenant, as they stand in SQL: whatever is filtered is not, and the page is the first.
fn arguments(sql: &Sql, word: &str) -> Vec<String> {
    let [first, last] = ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"];
    let word = format!("'{word}'");
    let given: &[&str] = match sql.name {
        "projects::SEARCH" => &["127", "NULL", "NULL", "NULL", "NULL", "NULL", last, "21", &word],
        "projects::SEARCH_OLDEST" => &["127", "NULL", "NULL", "NULL", "NULL", "NULL", first, "21", &word],
        "projects::SEARCH_RECENT" | "projects::SEARCH_STALEST" => {
            let key = if sql.name.ends_with("RECENT") {
                "'2099-01-01T00:00:00.000Z'"
            } else {
                "'1999-01-01T00:00:00.000Z'"
            };
            &["127", "NULL", "NULL", "NULL", "NULL", "NULL", last, "21", key, &word]
        }
        "projects::SEARCH_BY_NAME" | "projects::SEARCH_BY_NAME_REVERSED" => {
            let key = if sql.name.ends_with("NAME") { "''" } else { "'zz'" };
            &["127", "NULL", "NULL", "NULL", "NULL", "NULL", last, "21", key, &word]
        }
        "catalogue::SEARCH" => &["127", last, "21", &word],
        "tasks::SEARCH_NEWEST" => &["NULL", "NULL", "15", "15", "NULL", "NULL", last, "21", "0", &word],
        "tasks::SEARCH_OLDEST" => &["NULL", "NULL", "15", "15", "NULL", "NULL", first, "21", "0", &word],
        "tasks::SEARCH_LATEST" => {
            &["NULL", "NULL", "15", "15", "NULL", "NULL", last, "21", "0", "'none'", &word]
        }
        "tasks::SEARCH_LEAST_URGENT" => {
            &["NULL", "NULL", "15", "15", "NULL", "NULL", last, "21", "0", "0", &word]
        }
        "tasks::SEARCH_SOONEST" => {
            &["NULL", "NULL", "15", "15", "NULL", "NULL", last, "21", "0", "'0001-01-01'", &word]
        }
        "tasks::SEARCH_MOST_URGENT" => {
            &["NULL", "NULL", "15", "15", "NULL", "NULL", last, "21", "0", "5", &word]
        }
        other => panic!("what does {other} take? Say it here"),
    };
    given.iter().map(|argument| (*argument).to_owned()).collect()
}

/// One of the texts with its arguments in place, the last ones first, lest the first be found in the tenth.
fn filled(sql: &Sql, text: &str, word: &str) -> String {
    let all = [vec![format!("'{OWN}'")], arguments(sql, word)].concat();
    let fill = |text: String, (place, argument): (usize, &String)| {
        let text = text.replace(&format!("?{}", place + 1), argument);
        text.replace(&format!("${}", place + 1), argument)
    };
    all.iter().enumerate().rev().fold(text.to_owned(), fill)
}

#[tokio::test]
async fn searches_on_sqlite_go_by_the_index_of_words() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("plans.db").display());
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    AnyDatabase::connect_as_owner(&config).await.expect("a file").migrate().await.expect("migrations");
    let mut connection = SqliteConnection::connect(&url).await.expect("the file");
    raw_sql("BEGIN").execute(&mut connection).await.expect("a transaction");
    for statement in rows(id) {
        raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("rows");
    }
    raw_sql("COMMIT").execute(&mut connection).await.expect("a commit");
    // Compacting a file gives its rows other places, and must not give them other words.
    for upkeep in
        ["", "DELETE FROM tasks WHERE id < '0aaaaaaa-0000-7000-8000-000000000100'; VACUUM", "ANALYZE"]
    {
        raw_sql(upkeep).execute(&mut connection).await.expect("upkeep");
        for sql in searches() {
            let explain = format!("EXPLAIN QUERY PLAN {}", filled(sql, sql.sqlite, "rare"));
            let plan = raw_sql(AssertSqlSafe(explain)).fetch_all(&mut connection).await.expect("a plan");
            let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
            let by_words = plan.iter().any(|line| line.contains("SCAN s VIRTUAL TABLE INDEX 0:M"));
            let by_key =
                plan.iter().any(|line| line.starts_with("SEARCH") && line.contains("(tenant_id=? AND id="));
            assert!(by_words && by_key, "{} after {upkeep:?}: {plan:#?}", sql.name);
            for (word, count) in [("rare", 1), ("shared", 21), ("share", 21), ("w1500", 1), ("none", 0)] {
                let found =
                    raw_sql(AssertSqlSafe(filled(sql, sql.sqlite, word))).fetch_all(&mut connection).await;
                assert_eq!(found.expect("rows").len(), count, "{} {word} after {upkeep:?}", sql.name);
            }
        }
    }
}

#[tokio::test]
async fn searches_on_postgres_go_by_the_index_of_words() {
    let server = Postgres::start().await;
    let url = server.url();
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    AnyDatabase::connect_as_owner(&config).await.expect("a server").migrate().await.expect("migrations");
    let mut connection = PgConnection::connect(&url).await.expect("the server");
    for statement in rows(id) {
        raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("rows");
    }
    raw_sql("VACUUM ANALYZE").execute(&mut connection).await.expect("statistics");
    for sql in searches() {
        let index = if sql.name.starts_with("tasks::") { "tasks_words_idx" } else { "projects_words_idx" };
        let before = scans(&mut connection, index).await;
        for (word, count) in [("rare", 1), ("shared", 21), ("w1500", 1), ("none", 0)] {
            let text = format!(
                "BEGIN; SET LOCAL ROLE bailiwick_app; SET LOCAL bailiwick.tenant = '{OWN}'; {}; COMMIT",
                filled(sql, sql.postgres, word)
            );
            let found = raw_sql(AssertSqlSafe(text)).fetch_all(&mut connection).await.expect("rows");
            assert_eq!(found.len(), count, "{} {word}", sql.name);
        }
        // That all rows have a word is no reason to go by the index; for the rest it is.
        let after = scans(&mut connection, index).await;
        assert!(after - before >= 3, "{}: {index} was used {} times", sql.name, after - before);
    }
}

async fn scans(connection: &mut PgConnection, index: &str) -> i64 {
    raw_sql("SELECT pg_stat_force_next_flush()").execute(&mut *connection).await.expect("a flush");
    let scans = sqlx::query_scalar("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1");
    scans.bind(index).fetch_one(connection).await.expect("statistics")
}
