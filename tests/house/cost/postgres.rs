//! Counted on Postgres: the rows that it read from tables and indexes and wrote to them, and the blocks that it looked into for
//! them, those of foreign keys, cascades and functions among them, as it counts them itself for its statistics; and the rows
//! that the nodes of the plan handed on or threw away.

use std::env;

use bailiwick::ports::database::AnyDatabase;
use bailiwick_core::{
    Config,
    sql::{Reach, Sql},
};
use bailiwick_tests::targets::Postgres;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};

use super::{Cost, Engine, arguments, cases, compared, is_in_series, world};

/// Units that a row may cost: itself, the blocks by which it is found, and the nodes that hand it on.
const ROW: u64 = 20;
/// Units that a statement may cost besides.
const BASE: u64 = 100;

/// What it has counted since the connection last reported it, which it does between transactions only.
const COUNTED: &str = "SELECT CAST(sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_inserted(oid) \
     + pg_stat_get_xact_tuples_updated(oid) + pg_stat_get_xact_tuples_deleted(oid) + pg_stat_get_xact_blocks_fetched(oid)) \
     AS bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')";

/// A statement that is prepared gets plans for its arguments at first, and one for all arguments later.
const MODES: [&str; 2] = ["force_custom_plan", "force_generic_plan"];

/// A connection whose work is counted.
struct Counted {
    connection: PgConnection,
}

impl Counted {
    async fn run(&mut self, sql: &str) -> u64 {
        let done = raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
    }

    async fn counted(&mut self) -> u64 {
        let counted = sqlx::query_scalar::<_, i64>(COUNTED).fetch_one(&mut self.connection).await;
        counted.expect("statistics").try_into().expect("a count")
    }

    /// Begins a transaction as whoever runs such a statement.
    async fn begin(&mut self, sql: &Sql, heap: &world::Heap) {
        let role = if sql.reach == Reach::Spanning { "bailiwick_spanning" } else { "bailiwick_app" };
        let tenant = if sql.reach == Reach::Tenant { heap.tenant() } else { String::new() };
        self.run(&format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL bailiwick.tenant = '{tenant}'")).await;
    }

    /// What a prepared statement costs, and its plan. It leaves nothing behind.
    async fn count(
        &mut self,
        sql: &Sql,
        execute: &str,
        heap: &world::Heap,
    ) -> Result<(u64, Value), sqlx::Error> {
        self.begin(sql, heap).await;
        let before = self.counted().await;
        let explain = format!("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {execute}");
        let plan = sqlx::query_scalar::<_, Value>(AssertSqlSafe(explain)).persistent(false);
        let plan = plan.fetch_one(&mut self.connection).await;
        let counted = if plan.is_ok() { self.counted().await - before } else { 0 };
        self.run("ROLLBACK").await;
        // What is left of much that was written is nothing that the next ones should find in their way.
        if !sql.reads && counted > 1_000 * ROW {
            self.run("VACUUM").await;
        }
        plan.map(|plan| (counted + handed_on(&plan[0]["Plan"]), plan))
    }

    /// Has it do all that it can, so that nothing of that is left to be looked past.
    async fn exhaust(&mut self, sql: &Sql, execute: &str, heap: &world::Heap) {
        self.begin(sql, heap).await;
        while self.run(execute).await != 0 {}
        self.run("COMMIT").await;
        self.run("VACUUM").await;
    }
}

/// The rows that a node and those below it gave or threw away.
fn handed_on(node: &Value) -> u64 {
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    let rows = number("Actual Rows")
        + number("Rows Removed by Filter")
        + number("Rows Removed by Join Filter")
        + number("Rows Removed by Index Recheck");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
    let own = (rows * number("Actual Loops")) as u64;
    own + node["Plans"].as_array().into_iter().flatten().map(handed_on).sum::<u64>()
}

/// A plan in lines, with what its nodes went through.
fn shown(node: &Value, depth: usize) -> String {
    let about = ["Node Type", "Relation Name", "Index Name", "Index Cond", "Filter", "Join Filter"];
    let about: Vec<_> = about.iter().filter_map(|name| node[*name].as_str()).collect();
    let rows = ["Actual Rows", "Actual Loops", "Rows Removed by Filter", "Rows Removed by Join Filter"];
    let rows: Vec<_> = rows
        .iter()
        .filter(|name| node[**name].is_number())
        .map(|name| format!("{name} {}", node[*name]))
        .collect();
    let mut line = format!("\n{:depth$}{} [{}]", "", about.join(" "), rows.join(", "));
    for below in node["Plans"].as_array().into_iter().flatten() {
        line += &shown(below, depth + 2);
    }
    line
}

/// A server with all that there is in it.
async fn full(server: &Postgres) -> Counted {
    let url = server.url();
    let config = Config::read(|name| (name == "DATABASE_URL").then(|| url.clone())).expect("settings");
    AnyDatabase::connect_as_owner(&config).await.expect("a server").migrate().await.expect("migrations");
    let connection = PgConnection::connect(&url).await.expect("the server");
    let mut counted = Counted { connection };
    // Vacuumed in between, the same would cost less another time; and what several processes do together is counted in none.
    counted.run("ALTER SYSTEM SET autovacuum = off").await;
    counted.run("SELECT pg_reload_conf()").await;
    counted.run("SET max_parallel_workers_per_gather = 0; SET jit = off; BEGIN").await;
    for statement in world::script(Engine::Postgres) {
        counted.run(&statement).await;
    }
    counted.run("COMMIT").await;
    counted.run("VACUUM ANALYZE").await;
    counted.run("BEGIN").await;
    let before = counted.counted().await;
    counted.run("SELECT count(*) FROM tasks").await;
    assert!(counted.counted().await - before > world::large().rows as u64, "it counts nothing");
    counted.run("ROLLBACK").await;
    for (place, (sql, _)) in cases().enumerate() {
        counted.run(&format!("PREPARE s{place} AS {}", sql.postgres)).await;
    }
    counted
}

/// What a case costs with plans of each mode, and the plans.
type Costs = ([[u64; 3]; 2], [Value; 2]);

#[tokio::test]
async fn no_statement_on_postgres_costs_more_than_its_budget() {
    let server = Postgres::start().await;
    let mut counted = full(&server).await;
    let (mut faults, mut costs) = (Vec::new(), vec![Costs::default(); cases().count()]);
    // Those in series come last, for what they do stays.
    for series in [false, true] {
        for (of, heap) in [world::small(), world::medium(), world::large()].iter().enumerate() {
            let these = cases().enumerate().filter(|(_, (sql, _))| is_in_series(sql) == series);
            for (place, (sql, case)) in these {
                let given = arguments(sql, case, heap).join(", ");
                let given = if given.is_empty() { given } else { format!("({given})") };
                let execute = format!("EXECUTE s{place}{given}");
                for (by, mode) in MODES.iter().enumerate() {
                    counted.run(&ways(sql, mode)).await;
                    match counted.count(sql, &execute, heap).await {
                        Ok((units, plan)) => (costs[place].0[by][of], costs[place].1[by]) = (units, plan),
                        Err(error) => faults.push(format!("{} with {given}: {error}", sql.name)),
                    }
                }
                if series {
                    counted.exhaust(sql, &execute, heap).await;
                }
            }
        }
    }
    let cost_of = |[small, medium, large]: [u64; 3]| Cost { large, medium, small };
    for ((sql, case), (by_mode, plans)) in cases().zip(&costs) {
        for (place, mode) in MODES.iter().enumerate() {
            let (cost, plan) = (cost_of(by_mode[place]), &plans[place]);
            let other = compared(case).map(|other| cost_of(costs[other].0[place]));
            if env::var_os("COSTS_SHOWN").is_some() {
                eprintln!("{} ({}) by {mode}: {cost:?}", sql.name, case.arguments);
            }
            if let Some(fault) = cost.fault(case.most, other, ROW, BASE, Engine::Postgres) {
                let plan = shown(&plan[0]["Plan"], 4);
                faults.push(format!("{} ({}) by {mode} {fault}{plan}", sql.name, case.arguments));
            }
        }
    }
    assert!(faults.is_empty(), "rows and blocks of Postgres:\n{}", faults.join("\n"));
}

/// The ways to rows that are open to a statement. To read the whole of a table is right where it is as small as here, and is
/// made dear, so that it is left for where there is no other way. Of what is done in pieces so is joining the piece with all of the
/// table, which costs no more than finding each row of it, as Postgres reckons, and so does not grow.
fn ways(sql: &Sql, mode: &str) -> String {
    let joined = if !sql.reads && sql.postgres.contains(" LIMIT $") { "off" } else { "on" };
    format!(
        "SET plan_cache_mode = {mode}; SET enable_seqscan = off; SET enable_hashjoin = {joined}; SET enable_mergejoin = {joined}"
    )
}
