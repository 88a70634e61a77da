//! Every statement is bound to its tenant: proven on what a SQL parser reads, for every table in every place; and the
//! proof is proven to notice, by statements that lack a binding.

mod global;
mod mutants;
mod proof;
mod row_security;
mod shards;
mod tables;
mod terms;
mod trials;
mod twins;
mod walk;
mod write;

use std::collections::BTreeSet;

use bailiwick_core::{
    repository::CATALOGUE,
    sql::{Reach, Sql},
};
use sqlparser::{
    ast::Statement,
    dialect::{Dialect, PostgreSqlDialect, SQLiteDialect},
    parser::Parser,
};

use self::{
    global::{GLOBAL, Global},
    mutants::Killed,
    proof::Question,
    tables::Tables,
};

/// A statement as one of the engines gets it.
struct Spelling {
    engine: &'static str,
    parameter: &'static str,
    statement: Statement,
}

impl Spelling {
    fn parse(engine: &'static str, name: &str, text: &str) -> Self {
        let (dialect, parameter): (&dyn Dialect, _) = match engine {
            "SQLite" => (&SQLiteDialect {}, "?1"),
            _ => (&PostgreSqlDialect {}, "$1"),
        };
        let parsed =
            Parser::parse_sql(dialect, text).unwrap_or_else(|error| panic!("{name} for {engine}: {error}"));
        let Ok([statement]) = <[Statement; 1]>::try_from(parsed) else {
            panic!("{name} for {engine} is more than one statement")
        };
        Self { engine, parameter, statement }
    }

    fn both(sql: &Sql) -> [Self; 2] {
        [Self::parse("SQLite", sql.name, sql.sqlite), Self::parse("Postgres", sql.name, sql.postgres)]
    }

    fn question<'a>(&self, tables: &'a Tables, instead: Option<&'a Global>) -> Question<'a> {
        Question { tables, parameter: self.parameter, instead }
    }
}

fn catalogue() -> impl Iterator<Item = &'static Sql> {
    CATALOGUE.iter().copied().flatten().copied()
}

/// Whether each engine is asked in words of its own.
fn has_two_texts(sql: &Sql) -> bool {
    sql.sqlite.replace('?', "$") != sql.postgres
}

fn is_tenants(sql: &Sql) -> bool {
    sql.reach == Reach::Tenant
}

fn listed(sql: &Sql) -> Option<&'static Global> {
    GLOBAL.iter().find(|global| global.name == sql.name)
}

#[test]
fn every_table_is_a_tenants_or_nobodys() {
    let tables = Tables::read();
    // A new table without a `tenant_id` is to be thought about.
    assert_eq!(
        tables.global(),
        [
            "account_idempotency_keys",
            "identities",
            "password_resets",
            "released_slugs",
            "schema_version",
            "sessions",
            "users"
        ]
    );
    assert!(tables.owned().len() >= 9, "{:?}", tables.owned());
}

#[test]
fn every_reference_to_a_tenants_table_is_bound() {
    let tables = Tables::read();
    let (mut faults, mut statements, mut bound, mut spanning) = (Vec::new(), 0, 0, 0);
    for sql in catalogue() {
        // What is global and on no list must touch no table of a tenant; an empty list of exceptions says so.
        let nothing = Global { name: sql.name, why: "", by: &[] };
        let instead = (!is_tenants(sql)).then(|| listed(sql).unwrap_or(&nothing));
        let proofs = Spelling::both(sql).map(|spelling| {
            let proof = spelling.question(&tables, instead).prove(&spelling.statement);
            let say = |fault: &String| format!("{} for {}: {fault}", sql.name, spelling.engine);
            faults.extend(proof.faults.iter().map(say));
            proof.occurrences.len()
        });
        if proofs[0] != proofs[1] && !has_two_texts(sql) {
            faults.push(format!("{}: the engines are asked about {proofs:?} tables", sql.name));
        }
        if is_tenants(sql) && proofs[0] == 0 {
            faults.push(format!("{} is a tenant's and touches no table of a tenant", sql.name));
        }
        if is_tenants(sql) {
            statements += 1;
            bound += proofs[0];
        } else {
            spanning += proofs[0];
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    eprintln!(
        "{bound} tables in {statements} statements of tenants, {spanning} in {} that span them",
        GLOBAL.len()
    );
    assert!(statements >= 90 && bound > statements, "{statements} {bound}");
}

#[test]
fn only_searches_and_lists_of_items_have_two_texts() {
    let tables = Tables::read();
    for sql in catalogue().filter(|sql| has_two_texts(sql)) {
        // The rows of a JSON array, which each engine unfolds in its own way (`items!`).
        if sql.sqlite.contains(" FROM json_each(?") && sql.postgres.contains(" FROM jsonb_array_elements($") {
            continue;
        }
        // What has arrived of a tenant is JSON, whose values get the types of columns.
        if sql.name.starts_with("moved_") && ["::INSERT", "::HIDE"].iter().any(|end| sql.name.ends_with(end))
        {
            assert!(sql.sqlite.contains(" FROM import_rows r WHERE r.tenant_id = ?1 "), "{}", sql.name);
            continue;
        }
        // What Postgres is told to have as an array before it looks for users.
        if sql.name == "moved_users::PAGE" {
            assert_eq!(
                sql.sqlite.replace('?', "$").replace(" IN (", " = ANY (ARRAY("),
                sql.postgres.replace("))", ")")
            );
            continue;
        }
        // Names in an order that is the same everywhere, and not that of a country.
        if sql.name.starts_with("projects::LIST_BY_NAME") {
            assert_eq!(sql.sqlite.replace('?', "$"), sql.postgres.replace(" COLLATE \"C\"", ""));
            continue;
        }
        assert!(sql.name.contains("::SEARCH") && sql.reads, "{} has a text for each engine", sql.name);
        // They read the same columns of the same tables, and on SQLite an index beside them.
        let [sqlite, postgres] = Spelling::both(sql).map(|spelling| {
            let mut columns = spelling.statement.to_string().replace('$', "?");
            columns.truncate(columns.find(" WHERE tenant_id = ").expect("a tenant"));
            let proof = spelling.question(&tables, None).prove(&spelling.statement);
            (columns, proof.occurrences.into_iter().map(|occurrence| occurrence.label).collect::<Vec<_>>())
        });
        assert_eq!(sqlite.0, postgres.0, "{}", sql.name);
        let own: Vec<_> = sqlite.1.iter().filter(|label| !label.contains("_search")).cloned().collect();
        assert_eq!((own.len() + 1, own), (sqlite.1.len(), postgres.1), "{}", sql.name);
    }
    assert!(catalogue().filter(|sql| has_two_texts(sql)).count() >= 5);
}

/// D1 takes no more, SQLite does.
const COMPOUND_TERMS: usize = 5;

#[test]
fn no_union_has_more_terms_than_d1_takes() {
    for sql in catalogue() {
        // Of each pair of brackets that is open, how many terms the union in it has so far.
        let (mut open, mut most) = (vec![1], 1);
        for word in sql.sqlite.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
            match (word, open.as_mut_slice()) {
                ("(", _) => open.push(1),
                (")", _) => drop(open.pop()),
                ("UNION", [.., terms]) => {
                    *terms += 1;
                    most = most.max(*terms);
                }
                _ => {}
            }
        }
        assert!(most <= COMPOUND_TERMS, "{} has a union of {most}: {}", sql.name, sql.sqlite);
    }
}

#[test]
fn the_list_of_global_statements_is_exact() {
    let tables = Tables::read();
    let touches = |sql: &Sql| {
        let spelling = Spelling::parse("SQLite", sql.name, sql.sqlite);
        !spelling.question(&tables, None).prove(&spelling.statement).occurrences.is_empty()
    };
    let needed: BTreeSet<_> =
        catalogue().filter(|sql| !is_tenants(sql) && touches(sql)).map(|sql| sql.name).collect();
    let there: BTreeSet<_> = GLOBAL.iter().map(|global| global.name).collect();
    assert_eq!(there, needed, "on the left what is listed, on the right what reaches the tables of tenants");
    assert_eq!(there.len(), GLOBAL.len(), "one stands twice");
    // Postgres lets only these see beyond one tenant.
    let spanning: BTreeSet<_> =
        catalogue().filter(|sql| sql.reach == Reach::Spanning).map(|sql| sql.name).collect();
    assert_eq!(there, spanning, "on the left what is listed, on the right what is declared `spanning`");
    for global in GLOBAL {
        assert!(global.why.ends_with('.') && !global.by.is_empty(), "{}: why?", global.name);
    }
}

#[test]
fn no_statement_with_a_binding_less_is_proven() {
    let tables = Tables::read();
    let (mut killed, mut of_two_texts) = ([Killed::default(); 2], [Killed::default(); 2]);
    let mut survivors = Vec::new();
    for sql in catalogue().filter(|sql| is_tenants(sql) || listed(sql).is_some()) {
        for (engine, spelling) in Spelling::both(sql).into_iter().enumerate() {
            let question = spelling.question(&tables, listed(sql));
            let (dead, alive) = mutants::try_all(question, &spelling.statement);
            assert!(!is_tenants(sql) || dead.total() > 0, "{} has no mutant", sql.name);
            let counted = if has_two_texts(sql) { &mut of_two_texts } else { &mut killed };
            counted[engine] = counted[engine].plus(dead);
            survivors.extend(alive.iter().map(|mutant| format!("{}: {mutant}", sql.name)));
        }
    }
    assert!(survivors.is_empty(), "these lack a binding and are proven:\n{}", survivors.join("\n"));
    assert_eq!(killed[0], killed[1], "SQLite on the left, Postgres on the right");
    // On SQLite the index is one more table to be bound.
    assert!(of_two_texts[0].total() > of_two_texts[1].total(), "{of_two_texts:?}");
    let statements = catalogue().filter(|sql| is_tenants(sql)).count();
    eprintln!("{} mutants killed for each engine: {:?}", killed[0].total(), killed[0]);
    assert!(killed[0].removed as usize + killed[0].replaced as usize >= statements, "{:?}", killed[0]);
}
