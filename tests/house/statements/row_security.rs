//! What row-level security adds: a statement that has lost its tenant still finds, and changes, nothing of another
//! tenant. Shown on Postgres, by each statement of the catalogue, with each of its bindings taken away in turn.

use bailiwick_core::sql::{Reach, Sql};
use bailiwick_tests::targets::Postgres;
use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, Executor, PgConnection, Row, Statement as _, TypeInfo, ValueRef, postgres::PgArguments,
    query::Query, raw_sql,
};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    Spelling, catalogue, is_tenants, listed, mutants,
    tables::Tables,
    twins::{ID, OTHER, OWN, OWNED, World, run},
};

/// What all arguments of a type are, but for the tenant.
#[derive(Clone, Copy, Debug)]
struct Arguments {
    text: Option<&'static str>,
    int: i64,
    /// In seconds of Unix time: before or after all times in the database.
    time: i64,
}

/// Texts that enumerations, and keys that are no ids, have.
const TEXTS: [Option<&str>; 9] = [
    None,
    Some("x"),
    Some("viewer"),
    Some("active"),
    Some("draft"),
    Some("todo"),
    Some("normal"),
    Some("email"),
    Some("private"),
];

/// Before and after all times in the database, in seconds of Unix time.
const TIMES: [i64; 2] = [946_684_800, 4_102_444_800];

impl Arguments {
    /// As many as make a difference for these types.
    fn all(kinds: &[String]) -> Vec<Self> {
        let has = |kind: &str| kinds.iter().any(|other| other.starts_with(kind));
        let mut all = Vec::new();
        for text in TEXTS.into_iter().take(if has("TEXT") { TEXTS.len() } else { 1 }) {
            // The first has the bits of whatever several values are asked for by.
            for int in [51, 1].into_iter().take(if has("INT") { 2 } else { 1 }) {
                for time in TIMES.into_iter().take(if has("TIME") { 2 } else { 1 }) {
                    all.push(Self { text, int, time });
                }
            }
        }
        all
    }

    /// An object of a list, with all members that statements look for.
    fn item() -> Value {
        json!({
            "id": ID, "user_id": ID, "entity_id": ID, "assignee_id": ID, "recipient_id": ID, "subject_id": ID,
            "task": ID, "title": "x", "body": "x", "description": "x", "status": "todo", "priority": "normal",
            "channel": "email", "state": "pending", "kind": "x", "action": "x", "entity_type": "x", "subject_type": "x", "detail": {},
            "new_title": "y", "assigns": 0, "dates": 0, "line": 5, "name": "x", "content": {}, "email": "x",
        })
    }

    fn bind(self, sql: &Sql, text: &str, kinds: &[String]) -> Query<'static, sqlx::Postgres, PgArguments> {
        let mut query = sqlx::query(AssertSqlSafe(text.to_owned()));
        for (index, kind) in kinds.iter().enumerate() {
            // Where a list goes on, or ends: behind all that there is, or before it.
            let last = text.contains(&format!("< ${}", index + 1));
            let first = text.contains(&format!(" > ${}", index + 1));
            let id = match index {
                0 if is_tenants(sql) => Uuid::parse_str(OWN),
                _ if last => Ok(Uuid::max()),
                _ if first => Ok(Uuid::nil()),
                _ => Uuid::parse_str(ID),
            };
            query = match kind.as_str() {
                "UUID" => query.bind(id.expect("an id")),
                "TEXT" if first => query.bind(""),
                "TEXT" if last => query.bind("zz"),
                "TEXT" => query.bind(self.text),
                "INT8" | "INT4" if first => query.bind(0_i64),
                "INT8" | "INT4" => query.bind(self.int),
                "TIMESTAMPTZ" => {
                    let time = match (first, last) {
                        (true, _) => TIMES[0],
                        (_, true) => TIMES[1],
                        _ => self.time,
                    };
                    query.bind(OffsetDateTime::from_unix_timestamp(time).expect("a time"))
                }
                "DATE" => query.bind(if last { Date::MAX } else { OffsetDateTime::UNIX_EPOCH.date() }),
                "JSONB" => query.bind(sqlx::types::Json([Self::item()])),
                other => panic!("the test knows no argument of type {other}: {}", sql.name),
            };
        }
        query
    }
}

/// Who asks.
#[derive(Clone, Copy, PartialEq)]
enum Asker {
    /// The role that serves, in a transaction about [`OWN`].
    Held,
    /// A superuser.
    Free,
}

/// What came of an execution.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// What it returned, or how many rows it touched, or the code of an error.
    rows: Result<Vec<String>, String>,
    /// What it left of [`OTHER`].
    other: Vec<String>,
}

async fn execute(
    world: &mut World,
    asker: Asker,
    returns: bool,
    query: Query<'static, sqlx::Postgres, PgArguments>,
) -> Outcome {
    let World { connection, snapshot } = world;
    let begin = match asker {
        Asker::Held => format!("BEGIN; SET LOCAL ROLE bailiwick_app; SET LOCAL bailiwick.tenant = '{OWN}'"),
        // Nothing holds a superuser to the tenant, but what looks into the indexes of words goes by it.
        Asker::Free => format!("BEGIN; SET LOCAL bailiwick.tenant = '{OWN}'"),
    };
    run(connection, &begin).await;
    let query = query.persistent(false);
    let done = if returns {
        query.fetch_all(&mut *connection).await.map(|rows| {
            let mut rows: Vec<_> = rows.iter().map(shown).collect();
            rows.sort();
            rows
        })
    } else {
        query.execute(&mut *connection).await.map(|done| vec![done.rows_affected().to_string()])
    };
    let outcome = match done {
        Err(error) => {
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            Outcome { rows: Err(code.expect("an error of the database").into_owned()), other: Vec::new() }
        }
        Ok(rows) => {
            run(connection, "RESET ROLE").await;
            Outcome { rows: Ok(rows), other: state(connection, snapshot).await }
        }
    };
    run(connection, "ROLLBACK").await;
    outcome
}

fn shown(row: &sqlx::postgres::PgRow) -> String {
    let cell = |index| {
        let value = row.try_get_raw(index).expect("a column");
        format!("{:?}", (!value.is_null()).then(|| value.as_bytes().expect("bytes").to_owned()))
    };
    (0..row.columns().len()).map(cell).collect()
}

/// All that the other tenant has.
async fn state(connection: &mut PgConnection, snapshot: &str) -> Vec<String> {
    let rows: Vec<(String, Option<String>)> =
        sqlx::query_as(AssertSqlSafe(snapshot.to_owned())).fetch_all(connection).await.expect("rows");
    rows.into_iter().map(|(table, rows)| format!("{table}: {rows:?}")).collect()
}

/// The two databases, and what the other tenant has in each.
struct Worlds {
    worlds: [World; 2],
    before: [Vec<String>; 2],
}

impl Worlds {
    async fn make(server: &Postgres) -> Self {
        let twins = World::make(server, "twins", &[OTHER, OWN]).await;
        let mut worlds = [twins, World::make(server, "alone", &[OWN]).await];
        let mut before = [Vec::new(), Vec::new()];
        for (before, World { connection, snapshot }) in before.iter_mut().zip(&mut worlds) {
            *before = state(connection, snapshot).await;
        }
        assert!(before[0].iter().all(|table| table.contains("Some")), "{:?}", before[0]);
        assert!(before[1].iter().all(|table| table.contains("None")), "{:?}", before[1]);
        Self { worlds, before }
    }

    /// Whether the other tenant makes any difference to what a statement does, or is changed by it.
    async fn differ(
        &mut self,
        asker: Asker,
        returns: bool,
        ask: impl Fn() -> Query<'static, sqlx::Postgres, PgArguments>,
    ) -> bool {
        let twins = execute(&mut self.worlds[0], asker, returns, ask()).await;
        let alone = execute(&mut self.worlds[1], asker, returns, ask()).await;
        let changed =
            |outcome: &Outcome, before: &Vec<String>| outcome.rows.is_ok() && outcome.other != *before;
        changed(&twins, &self.before[0]) || changed(&alone, &self.before[1]) || twins.rows != alone.rows
    }
}

#[tokio::test]
async fn a_statement_without_its_tenant_reaches_no_other() {
    let server = Postgres::start().await;
    let mut worlds = Worlds::make(&server).await;
    let tables = Tables::read();
    let (mut leaks, mut lost, mut tried, mut bitten, mut blunt) = (Vec::new(), Vec::new(), 0, 0, Vec::new());
    for sql in catalogue().filter(|sql| sql.reach != Reach::Global) {
        let spelling = Spelling::parse("Postgres", sql.name, sql.postgres);
        let prepared = worlds.worlds[0].connection.prepare(sqlx::SqlStr::from_static(sql.postgres)).await;
        let prepared = prepared.expect("a statement");
        let kinds: Vec<String> = match prepared.parameters() {
            Some(sqlx::Either::Left(kinds)) => kinds.iter().map(|kind| kind.name().to_owned()).collect(),
            _ => panic!("{}: Postgres knows the types", sql.name),
        };
        let question = spelling.question(&tables, listed(sql));
        let mutants = match sql.reach {
            Reach::Tenant => mutants::all(question, &spelling.statement, OTHER),
            // One that spans tenants stays as it is: where it is not let to, it spans none.
            _ => vec![spelling.statement.clone()],
        };
        for arguments in Arguments::all(&kinds).into_iter().filter(|_| is_tenants(sql)) {
            let ask = || arguments.bind(sql, sql.postgres, &kinds);
            let twins = &mut worlds.worlds[0];
            let held = execute(twins, Asker::Held, sql.returns, ask()).await;
            if held != execute(twins, Asker::Free, sql.returns, ask()).await {
                lost.push(format!("{} with {arguments:?}", sql.name));
            }
        }
        let mut bites = false;
        for mutant in &mutants {
            let text = mutant.to_string();
            let mut bit = false;
            for arguments in Arguments::all(&kinds) {
                let ask = || arguments.bind(sql, &text, &kinds);
                if worlds.differ(Asker::Held, sql.returns, ask).await {
                    leaks.push(format!("{} with {arguments:?}: {text}", sql.name));
                }
                bit = bit || worlds.differ(Asker::Free, sql.returns, ask).await;
            }
            // What has arrived here is of no kind that these make rows of.
            let makes = sql.name.starts_with("moved_") && !sql.reads;
            tried += usize::from(!makes);
            bitten += usize::from(bit && !makes);
            bites |= bit;
        }
        if is_tenants(sql) && !bites {
            blunt.push(sql.name);
        }
    }
    assert!(lost.is_empty(), "row-level security takes away what is the tenant's own:\n{}", lost.join("\n"));
    assert!(leaks.is_empty(), "the other tenant shows:\n{}", leaks.join("\n"));
    eprintln!("{tried} statements tried, of which {bitten} reach another tenant without row-level security");
    // It is not for lack of rows that nothing shows. What is left are mutants that mean the same, and statements about
    // rows in a state that these are not in, such as a tenant `default` that nobody has claimed.
    assert!(tried > 400 && bitten * 2 > tried, "only {bitten} of {tried} would have reached another tenant");
    // What is moved has not arrived; of what is removed, the last goes when all else is gone.
    blunt.retain(|name| !name.starts_with("moved_") && !name.ends_with("LAST_FILTERED"));
    assert!(blunt.len() <= 18, "nothing shows whatever is taken from them: {blunt:?}");
}

#[tokio::test]
async fn every_table_of_a_tenant_is_under_row_level_security() {
    let server = Postgres::start().await;
    let World { mut connection, .. } = World::make(&server, "one", &[OWN]).await;
    let owned: Vec<(String, String)> =
        sqlx::query_as(OWNED).fetch_all(&mut connection).await.expect("tables");
    let forced: Vec<(String, String)> = sqlx::query_as(
        "SELECT c.oid::regclass::text, p.cmd || ' to ' || array_to_string(p.roles, ',') || ' where ' || p.qual \
         FROM pg_class c JOIN pg_policies p ON p.schemaname = 'public' AND p.tablename = c.relname \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND c.relforcerowsecurity \
         AND p.permissive = 'PERMISSIVE' AND p.with_check IS NULL ORDER BY 1, 2",
    )
    .fetch_all(&mut connection)
    .await
    .expect("policies");
    let wanted: Vec<_> = owned
        .iter()
        .flat_map(|(table, tenant)| {
            let one = format!(
                "ALL to public where ({tenant} = \
                 (NULLIF(current_setting('bailiwick.tenant'::text, true), ''::text))::uuid)"
            );
            [one, "ALL to bailiwick_spanning where true".to_owned()].map(|policy| (table.clone(), policy))
        })
        .collect();
    let sorted = |mut policies: Vec<_>| {
        policies.sort();
        policies
    };
    assert_eq!(sorted(forced), sorted(wanted), "on the left what is there, on the right what there is to be");
}

#[tokio::test]
async fn the_roles_may_do_what_their_statements_need_and_no_more() {
    let server = Postgres::start().await;
    let World { mut connection, .. } = World::make(&server, "one", &[OWN]).await;
    let unsafe_roles: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_roles r WHERE rolname IN ('bailiwick_app', 'bailiwick_spanning') \
         AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb \
         OR EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid) \
         OR EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = r.oid))",
    )
    .fetch_one(&mut connection)
    .await
    .expect("roles");
    assert_eq!(unsafe_roles, 0);

    for (index, sql) in catalogue().enumerate() {
        run(&mut connection, &format!("PREPARE s{index} AS {}", sql.postgres)).await;
    }
    run(&mut connection, "BEGIN").await;
    assert_eq!(refused(&mut connection).await, None);
    run(&mut connection, "ROLLBACK").await;

    // Take any privilege on a tenant's table away from it, and some statement that spans tenants cannot be executed.
    let granted: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT privilege_type::text, table_name::text FROM information_schema.column_privileges \
         WHERE grantee = 'bailiwick_spanning' AND table_name IN (SELECT table_name \
         FROM information_schema.columns WHERE column_name = 'tenant_id' UNION SELECT 'tenants') ORDER BY 1, 2",
    )
    .fetch_all(&mut connection)
    .await
    .expect("privileges");
    assert!(granted.len() >= 9, "{granted:?}");
    for (privilege, table) in granted {
        run(&mut connection, "BEGIN").await;
        run(&mut connection, &format!("REVOKE {privilege} ON {table} FROM bailiwick_spanning")).await;
        assert_ne!(refused(&mut connection).await, None, "nothing needs {privilege} on {table}");
        run(&mut connection, "ROLLBACK").await;
    }
    let changed: Vec<String> = sqlx::query_scalar(
        "SELECT column_name::text FROM information_schema.column_privileges WHERE grantee = 'bailiwick_app' \
         AND table_name = 'activity' AND privilege_type = 'UPDATE' ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .expect("privileges");
    assert_eq!(changed, ["hash", "seq"], "what happened cannot be changed, but gets its place in the chain");
}

/// A statement that the role which runs it may not execute. Privileges are looked at before a plan is shown.
async fn refused(connection: &mut PgConnection) -> Option<&'static str> {
    for (index, sql) in catalogue().enumerate() {
        let role = if sql.reach == Reach::Spanning { "bailiwick_spanning" } else { "bailiwick_app" };
        let count = (1..100).take_while(|number| sql.postgres.contains(&format!("${number}"))).count();
        let arguments =
            if count == 0 { String::new() } else { format!("({})", vec!["NULL"; count].join(", ")) };
        // A plan that is made for these arguments could leave out what they make no difference to.
        let explain = format!(
            "SAVEPOINT s; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL ROLE {role}; \
             EXPLAIN EXECUTE s{index}{arguments}; ROLLBACK TO s"
        );
        if let Err(error) = raw_sql(AssertSqlSafe(explain)).execute(&mut *connection).await {
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), Some("42501"), "{}: {error}", sql.name);
            run(connection, "ROLLBACK TO s").await;
            return Some(sql.name);
        }
    }
    None
}
