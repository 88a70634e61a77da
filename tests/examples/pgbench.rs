//! Prints a script for pgbench: the very statements that reading a project sends to Postgres.
//! `cargo run -p bailiwick-tests --example pgbench -- TENANT_ID USER_ID SESSION_ID PROJECT_ID`

#![expect(clippy::print_stdout, clippy::expect_used, clippy::panic, reason = "this is what it is for")]

use bailiwick_core::repository::CATALOGUE;

fn statement(name: &str, arguments: &[&str]) -> String {
    let sql =
        CATALOGUE.iter().copied().flatten().find(|sql| sql.name == name).expect("a statement of this name");
    let mut text = sql.postgres.to_owned();
    for (index, argument) in arguments.iter().enumerate().rev() {
        text = text.replace(&format!("${}", index + 1), argument);
    }
    assert!(!text.contains('$'), "{name} takes more arguments: {text}");
    format!("{text};")
}

fn main() {
    let ids: Vec<_> = std::env::args().skip(1).collect();
    let [tenant, user, session, project] = &ids[..] else {
        panic!("TENANT_ID USER_ID SESSION_ID PROJECT_ID")
    };
    println!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;");
    let quoted = |id: &str| format!("'{id}'");
    let check = [&quoted(tenant), &quoted(user), "0", "NULL", &quoted(session)];
    println!("{}", statement("checks::MEMBER_BY_SESSION", &check));
    println!("{}", statement("projects::BY_ID", &[&quoted(tenant), &quoted(project)]));
    println!("COMMIT;");
}
