//! Whether tenants can be spread over several databases: every statement of a tenant stays on the shard of its tenant, and
//! what docs/SCALING.md says to a sharding engine is about the tables that there are.

use std::{collections::BTreeSet, fs};

use bailiwick_tests::targets::root;

use super::{Spelling, catalogue, global::GLOBAL, is_tenants, tables::Tables};

/// Small, and asked for without a tenant or by what is unique over all of them: on every shard.
const EVERYWHERE: &[&str] = &["tenants"];

/// What the page has from this line to that end.
fn block(first: &str, end: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/SCALING.md")).expect("the page");
    let block = page.split(&format!("\n{first}\n")).nth(1).and_then(|rest| rest.split(end).next());
    block.unwrap_or_else(|| panic!("no {first}")).lines().map(str::to_owned).collect()
}

/// What stands between the first two quotes.
fn quoted(line: &str) -> String {
    line.split('\'').nth(1).unwrap_or_else(|| panic!("no table in {line}")).to_owned()
}

#[test]
fn the_page_distributes_the_tables_that_there_are() {
    let tables = Tables::read();
    let lines = block("-- Citus", "```");
    let with = |function: &str| -> BTreeSet<String> {
        lines.iter().filter(|line| line.contains(function)).map(|line| quoted(line)).collect()
    };
    // SQLite's indexes of words are tables; on Postgres they are indexes.
    let owned: Vec<_> = tables.owned().into_iter().filter(|name| !name.ends_with("_search")).collect();
    let distributed = owned.iter().filter(|name| !EVERYWHERE.contains(name)).map(|name| (*name).to_owned());
    assert_eq!(with("create_distributed_table"), distributed.collect());
    let reference = tables.global().into_iter().chain(EVERYWHERE.iter().copied()).map(str::to_owned);
    assert_eq!(with("create_reference_table"), reference.collect());
    assert!(
        lines.iter().filter(|line| line.contains("distributed")).all(|line| line.contains("'tenant_id'")),
        "{lines:?}"
    );
}

#[test]
fn every_statement_of_a_tenant_stays_on_its_shard() {
    let tables = Tables::read();
    let mut several = BTreeSet::new();
    for sql in catalogue() {
        let spelling = Spelling::parse("Postgres", sql.name, sql.postgres);
        let proof = spelling.question(&tables, None).prove(&spelling.statement);
        let spread = |label: &str| !label.split_whitespace().any(|word| EVERYWHERE.contains(&word));
        let (bound, loose): (Vec<_>, Vec<_>) = proof
            .occurrences
            .iter()
            .filter(|occurrence| spread(&occurrence.label))
            .partition(|found| found.bound);
        if is_tenants(sql) {
            assert!(loose.is_empty(), "{} reaches {} of other shards", sql.name, loose[0].label);
        } else if !loose.is_empty() || !bound.is_empty() {
            several.insert(sql.name.to_owned());
        }
    }
    // The others are on the list of those that span tenants, and the page names them.
    let named: BTreeSet<_> = block("<!-- on all shards -->", "\n\n")
        .iter()
        .flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(named, several, "on the left docs/SCALING.md, on the right the catalogue");
    assert!(several.iter().all(|name| GLOBAL.iter().any(|global| global.name == name)));
}
