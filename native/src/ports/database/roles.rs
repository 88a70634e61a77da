//! The two roles for row-level security on Postgres, and their privileges.
//!
//! Every serving connection has taken [`APP`], whatever its login: it sees the rows of the tenant that its transaction
//! names. The few statements that span tenants run as [`SPANNING`], which may do no more than they need. Neither owns a
//! table, and neither can log in.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, PgConnection, Row, raw_sql};

/// The role of the server.
pub(super) const APP: &str = "bailiwick_app";

/// The role of statements that span tenants. The owner of the tables is a member, to see the rows that they migrate.
pub(super) const SPANNING: &str = "bailiwick_spanning";

/// Makes a second `bailiwick migrate` wait until the first is done.
const LOCK: &str = "SELECT pg_advisory_lock(7090201370310812771)";

/// Tables that the server only reads.
const READ: [&str; 2] = ["_sqlx_migrations", "schema_version"];

/// Tables in which the server changes no row, except to seal it.
const APPENDED: [&str; 1] = ["activity"];

/// Everything that spanning statements do with tenants' tables; they only count projects, and find projects and tasks
/// that are not in the index of words yet.
const SPANNED: [(&str, &str); 13] = [
    ("activity", "INSERT, SELECT (tenant_id, seq)"),
    ("deliveries", "SELECT, UPDATE, DELETE"),
    ("idempotency_keys", "DELETE, SELECT (tenant_id, key_hash, created_at)"),
    ("import_rows", "DELETE, SELECT (tenant_id, user_id, line)"),
    (
        "imports",
        "DELETE, UPDATE (placed, digest), SELECT (tenant_id, user_id, by_operator, next_line, updated_at, placed)",
    ),
    ("invitations", "SELECT, UPDATE (revoked_at)"),
    ("limits", "SELECT"),
    ("memberships", "SELECT, INSERT, DELETE"),
    ("notifications", "DELETE, SELECT (tenant_id, id, read_at)"),
    ("projects", "SELECT (tenant_id, indexed)"),
    ("sizes", "SELECT (tenant_id, part)"),
    ("tasks", "SELECT (tenant_id, indexed, assignee_id, version), UPDATE (assignee_id, updated_at, version)"),
    ("tenants", "SELECT, INSERT, UPDATE"),
];

/// The functions that search the indexes of words; nobody else may.
const FUNCTIONS: &str = "matching_projects(text), matching_tasks(text)";

/// The tables of tenants, with the column that names a row's tenant.
const OWNED: &str = "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') \
     AND (a.attname = 'tenant_id' OR (c.relname = 'tenants' AND a.attname = 'id'))";

fn code(error: &sqlx::Error) -> String {
    let error = error.as_database_error();
    error.and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned()
}

/// Whether a connection failed because there is no such role (yet).
pub(super) fn is_missing(error: &sqlx::Error) -> bool {
    code(error) == "22023"
}

/// Whether something failed for lack of a privilege.
pub(super) fn is_forbidden(error: &sqlx::Error) -> bool {
    code(error) == "42501"
}

/// Makes the roles, if they do not exist, and makes the login a member of them.
///
/// # Errors
/// A sentence about what an administrator must do first. Nothing has been done to the tables then.
pub(super) async fn make(connection: &mut PgConnection) -> Result<(), String> {
    let told = |error: sqlx::Error| format!("The roles cannot be made: {error}.");
    raw_sql(LOCK).execute(&mut *connection).await.map_err(told)?;
    for role in [APP, SPANNING] {
        let found =
            sqlx::query("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1").bind(role);
        match found.fetch_optional(&mut *connection).await.map_err(told)? {
            Some(row) if row.try_get(0).map_err(told)? => {
                return Err(format!(
                    "The role {role} has SUPERUSER or BYPASSRLS, and nothing would keep tenants apart: \
                     run `ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS`."
                ));
            }
            Some(_) => {}
            None => {
                let create = format!("CREATE ROLE {role} NOLOGIN");
                match raw_sql(AssertSqlSafe(create)).execute(&mut *connection).await {
                    Err(error) if is_forbidden(&error) => return Err(advice(connection).await),
                    // Roles belong to the whole server: a migration of another of its databases was quicker.
                    Err(error) if matches!(code(&error).as_str(), "42710" | "23505") => {}
                    made => made.map(drop).map_err(told)?,
                }
            }
        }
    }
    if !is_member(connection).await.map_err(told)? {
        let grant = format!("GRANT {APP}, {SPANNING} TO CURRENT_USER");
        match raw_sql(AssertSqlSafe(grant)).execute(&mut *connection).await {
            Err(error) if is_forbidden(&error) => return Err(advice(connection).await),
            granted => granted.map(drop).map_err(told)?,
        }
        if !is_member(connection).await.map_err(told)? {
            return Err("The login that migrates is NOINHERIT and would not see what it migrates: \
                 run `ALTER ROLE .. INHERIT` for it."
                .to_owned());
        }
    }
    Ok(())
}

async fn is_member(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let asked = sqlx::query_scalar(
        "SELECT pg_has_role(current_user, $1, 'USAGE') AND pg_has_role(current_user, $2, 'USAGE')",
    );
    asked.bind(APP).bind(SPANNING).fetch_one(connection).await
}

async fn advice(connection: &mut PgConnection) -> String {
    let login: Result<String, _> =
        sqlx::query_scalar("SELECT quote_ident(current_user)").fetch_one(connection).await;
    let login = login.unwrap_or_else(|_| "..".to_owned());
    format!(
        "Nothing was done: the roles {APP} and {SPANNING} are not there or {login} is not in them, and {login} may \
         not change that. Let an administrator run `CREATE ROLE {APP} NOLOGIN; CREATE ROLE {SPANNING} NOLOGIN; \
         GRANT {APP}, {SPANNING} TO {login};` (without what is there), then run `bailiwick migrate` again."
    )
}

/// Grants the roles their privileges, and no others. It is one transaction: a running server does not notice.
pub(super) async fn grant(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let tables = sqlx::query(AssertSqlSafe(format!(
        "SELECT relname::text, oid IN (SELECT c.oid {OWNED}) FROM pg_class \
         WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') \
         AND pg_has_role(relowner, 'USAGE')"
    )));
    let tables = tables.fetch_all(&mut *connection).await?;
    let mut script = String::new();
    let usage: (String, bool) = sqlx::query_as(
        "SELECT quote_ident(current_schema()), has_schema_privilege($1, current_schema(), 'USAGE') \
         AND has_schema_privilege($2, current_schema(), 'USAGE')",
    )
    .bind(APP)
    .bind(SPANNING)
    .fetch_one(&mut *connection)
    .await?;
    if let (schema, false) = usage {
        add(&mut script, &format!("GRANT USAGE ON SCHEMA {schema} TO {APP}, {SPANNING}"));
    }
    for table in tables {
        let (table, owned): (String, bool) = (table.try_get(0)?, table.try_get(1)?);
        let app = match table.as_str() {
            name if READ.contains(&name) => "SELECT",
            name if APPENDED.contains(&name) => "SELECT, INSERT, DELETE, UPDATE (seq, hash)",
            _ => "SELECT, INSERT, UPDATE, DELETE",
        };
        let spanned = SPANNED.iter().find(|(name, _)| *name == table).map(|(_, privileges)| *privileges);
        // Both roles may do the same with tables that belong to no tenant.
        let spanning = if owned { spanned } else { Some(app) };
        add(&mut script, &format!("REVOKE ALL ON \"{table}\" FROM {APP}, {SPANNING}"));
        add(&mut script, &format!("GRANT {app} ON \"{table}\" TO {APP}"));
        if let Some(privileges) = spanning {
            add(&mut script, &format!("GRANT {privileges} ON \"{table}\" TO {SPANNING}"));
        }
    }
    add(&mut script, &format!("GRANT EXECUTE ON FUNCTION {FUNCTIONS} TO {APP}"));
    // Several statements in one string are one transaction.
    raw_sql(AssertSqlSafe(script)).execute(connection).await.map(drop)
}

fn add(script: &mut String, statement: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(script, "{statement};");
}

/// Checks that row-level security applies to a connection that has taken [`APP`].
///
/// # Errors
/// A sentence about why it does not.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), String> {
    let asked = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT current_user::text, pg_has_role(session_user, $1, 'MEMBER'), \
         (SELECT string_agg(c.relname, ', ' ORDER BY c.relname) {OWNED} AND NOT row_security_active(c.oid))"
    )));
    let found: Result<(String, bool, Option<String>), _> =
        asked.bind(SPANNING).persistent(false).fetch_one(connection).await;
    match found.map_err(|error| format!("Whether row-level security holds cannot be asked: {error}."))? {
        // A proxy that drops the options of a connection would leave it with the login's role.
        (role, ..) if role != APP => {
            Err(format!("The connection is {role} and not {APP}: what is between may not drop its options."))
        }
        (_, false, _) => Err(lacks(SPANNING)),
        (.., Some(tables)) => Err(format!(
            "Row-level security does not hold for {APP} on {tables}: run `bailiwick migrate`. (The role must have \
             neither SUPERUSER nor BYPASSRLS and own no table.)"
        )),
        (.., None) => Ok(()),
    }
}

/// What to do if a login may not take a role.
pub(super) fn lacks(role: &str) -> String {
    format!(
        "DATABASE_URL: the login may not take the role {role}: run `GRANT {APP}, {SPANNING} TO ..` for it \
         (docs/POSTGRES.md)."
    )
}
