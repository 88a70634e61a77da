//! Counted on SQLite: the steps of its virtual machine, those of triggers, of cascades and of the index of words among them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{Config, sql::Sql};
use sqlx::{
    AssertSqlSafe, Connection, Row, Sqlite, SqliteConnection, query::Query, raw_sql, sqlite::SqliteArguments,
};

use super::{Cost, Engine, arguments, cases, compared, is_in_series, world};

/// Steps that a row may cost: a few for each of its columns, or for each index that it is written to.
const ROW: u64 = 60;
/// Steps that a statement may cost besides.
const BASE: u64 = 300;

/// A connection that counts.
struct Counted {
    connection: SqliteConnection,
    steps: Arc<AtomicU64>,
    /// Whether the statement before was in a series, whose transaction is still open.
    in_series: bool,
}

impl Counted {
    async fn run(&mut self, sql: &str) {
        let done = raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The steps of a statement, which leaves nothing behind but for those of its series that come after it.
    async fn count(&mut self, sql: &Sql, arguments: &[String]) -> Result<u64, sqlx::Error> {
        if !std::mem::replace(&mut self.in_series, is_in_series(sql)) {
            self.run("BEGIN").await;
        }
        self.steps.store(0, Ordering::SeqCst);
        let mut done = query(sql, arguments).execute(&mut self.connection).await;
        let steps = self.steps.load(Ordering::SeqCst);
        while self.in_series && done.as_ref().is_ok_and(|done| done.rows_affected() != 0) {
            done = query(sql, arguments).execute(&mut self.connection).await;
        }
        if !self.in_series {
            self.run("ROLLBACK").await;
        }
        done.map(|_| steps)
    }

    async fn plan(&mut self, sql: &Sql) -> String {
        let explain = format!("EXPLAIN QUERY PLAN {}", sql.sqlite);
        let plan = raw_sql(AssertSqlSafe(explain)).fetch_all(&mut self.connection).await.expect("a plan");
        plan.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n    ")
    }
}

fn query<'a>(sql: &Sql, arguments: &'a [String]) -> Query<'a, Sqlite, SqliteArguments> {
    let query = sqlx::query(AssertSqlSafe(sql.sqlite));
    arguments.iter().fold(query, |query, argument| match (argument.as_str(), argument.parse::<i64>()) {
        ("NULL", _) => query.bind(None::<String>),
        (_, Ok(number)) => query.bind(number),
        (text, Err(_)) => query.bind(text.trim_matches('\'')),
    })
}

#[tokio::test]
async fn no_statement_on_sqlite_costs_more_than_its_budget() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("costs.db").display());
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    AnyDatabase::connect_as_owner(&config).await.expect("a file").migrate().await.expect("migrations");
    let connection = SqliteConnection::connect(&url).await.expect("the file");
    let mut counted = Counted { connection, steps: Arc::default(), in_series: false };
    counted.run("PRAGMA synchronous = OFF; BEGIN").await;
    for statement in world::script(Engine::Sqlite) {
        counted.run(&statement).await;
    }
    counted.run("COMMIT").await;
    let steps = counted.steps.clone();
    counted.connection.lock_handle().await.expect("a handle").set_progress_handler(1, move || {
        steps.fetch_add(1, Ordering::Relaxed);
        true
    });
    let mut faults = Vec::new();
    // Where somebody has it analyse its indexes, it may choose others.
    for upkeep in ["", "ANALYZE"] {
        counted.run(upkeep).await;
        let mut costs = vec![[0; 3]; cases().count()];
        for (of, heap) in [world::large(), world::medium(), world::small()].iter().enumerate() {
            for ((sql, case), cost) in cases().zip(&mut costs) {
                let given = arguments(sql, case, heap);
                match counted.count(sql, &given).await {
                    Ok(steps) => cost[of] = steps,
                    Err(error) => faults.push(format!("{} with {given:?}: {error}", sql.name)),
                }
            }
        }
        let costs: Vec<_> =
            costs.into_iter().map(|[large, medium, small]| Cost { large, medium, small }).collect();
        for ((sql, case), cost) in cases().zip(&costs) {
            let other = compared(case).map(|place| costs[place]);
            if std::env::var_os("COSTS_SHOWN").is_some() {
                eprintln!("{} ({}): {cost:?}", sql.name, case.arguments);
            }
            if let Some(fault) = cost.fault(case.most, other, ROW, BASE, Engine::Sqlite) {
                let plan = counted.plan(sql).await;
                faults
                    .push(format!("{} ({}) after {upkeep:?} {fault}\n    {plan}", sql.name, case.arguments));
            }
        }
    }
    assert!(faults.is_empty(), "steps of SQLite:\n{}", faults.join("\n"));
}
