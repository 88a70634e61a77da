//! What a statement may cost: each of the catalogue visits at most so many rows as stand beside it, however much its tenant
//! and all others have heaped up. Counted, not timed: on SQLite the steps of its virtual machine, on Postgres the rows and
//! blocks that it went through.

mod budgets;
mod postgres;
mod sqlite;
mod world;

use std::collections::BTreeSet;

use bailiwick_core::{
    repository::CATALOGUE,
    sql::{Reach, Sql},
};

use self::world::Heap;

/// Whose words something is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Sqlite,
    Postgres,
}

/// At most how many rows a statement visits.
#[derive(Clone, Copy, Debug)]
enum Most {
    /// So many, of whatever tenant.
    Rows(u32),
    /// As many as the tenant or the account that asks has itself, for this reason: it says all of them, counts them or drops
    /// them. It visits none of anybody else.
    Own(&'static str),
    /// So many more than with these other arguments, for which there is a case, too.
    More(u32, &'static str),
    /// As many as there are, for this reason: it is the operator's, or the steps are bounded otherwise.
    All(&'static str),
}

/// A statement with arguments, and what it may cost with them.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    /// Those after the tenant, as SQL has them; what begins with `@` stands for what there is (`world.rs`).
    arguments: &'static str,
    most: Most,
}

const fn rows(name: &'static str, arguments: &'static str, most: u32) -> Case {
    Case { name, arguments, most: Most::Rows(most) }
}

const fn own(name: &'static str, arguments: &'static str, why: &'static str) -> Case {
    Case { name, arguments, most: Most::Own(why) }
}

const fn more(name: &'static str, arguments: &'static str, most: u32, than: &'static str) -> Case {
    Case { name, arguments, most: Most::More(most, than) }
}

const fn all(name: &'static str, arguments: &'static str, why: &'static str) -> Case {
    Case { name, arguments, most: Most::All(why) }
}

fn catalogue() -> impl Iterator<Item = &'static Sql> {
    CATALOGUE.iter().copied().flatten().copied()
}

fn named(case: &Case) -> Option<&'static Sql> {
    catalogue().find(|sql| sql.name == case.name)
}

/// A statement with its case.
fn cases() -> impl Iterator<Item = (&'static Sql, &'static Case)> {
    budgets::ALL.iter().copied().flatten().filter_map(|case| named(case).map(|sql| (sql, case)))
}

/// Which case it is compared with, by its place.
fn compared(case: &Case) -> Option<usize> {
    let Most::More(_, than) = case.most else { return None };
    let same = |(_, other): (_, &Case)| other.name == case.name && other.arguments == than;
    Some(cases().position(same).expect("a case to compare it with"))
}

/// Whether it stands in a series each of which does something only after the one before has done all that it can: of a tenant
/// that is deleted children go before their parents.
fn is_in_series(sql: &Sql) -> bool {
    // What only locks has never done all.
    sql.name.starts_with("removal::")
        && sql.name != "removal::CLOSED"
        && sql.reach == Reach::Tenant
        && !sql.reads
}

/// The arguments, as SQL has them.
fn arguments(sql: &Sql, case: &Case, heap: &Heap) -> Vec<String> {
    let mut all = Vec::new();
    if sql.reach == Reach::Tenant {
        all.push(format!("'{}'", heap.tenant()));
    }
    let (mut quoted, mut text) = (false, String::new());
    for character in case.arguments.chars().chain([',']) {
        match character {
            ',' if !quoted => {
                let argument = heap.resolve(text.trim());
                let bare = text.trim().starts_with('@') && argument.parse::<i64>().is_err();
                all.extend(
                    (!argument.is_empty()).then(|| if bare { format!("'{argument}'") } else { argument }),
                );
                text.clear();
            }
            _ => {
                quoted ^= character == '\'';
                text.push(character);
            }
        }
    }
    all
}

/// What came of counting.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Of this tenant's statement,
    large: u64,
    /// of that of the one with a tenth of its rows,
    medium: u64,
    /// and of that of one with a few.
    small: u64,
}

impl Cost {
    /// What is wrong with it, beside what it is compared with, where a row costs so much and a statement as such so much more.
    fn fault(self, most: Most, other: Option<Self>, row: u64, base: u64, engine: Engine) -> Option<String> {
        let Self { large, medium, small } = self;
        let few = 40 * row + base;
        // What an index has that was passed over is seen in blocks alone, with some hundreds in each.
        let slack = if engine == Engine::Postgres { 2 } else { 10 };
        match most {
            Most::Rows(rows) => {
                let most = u64::from(rows) * row + base;
                let dear = large.max(medium).max(small);
                if dear > most {
                    return Some(format!("visits too much: {self:?}, at most {most}"));
                }
                (large > medium * 3 / 2 + slack * row)
                    .then(|| format!("grows with the tenant's rows: {self:?}"))
            }
            Most::More(rows, _) => {
                let most = other.map_or(0, |other| other.large) + u64::from(rows) * row + base;
                (large > most).then(|| format!("visits too much: {self:?}, at most {most}, beside {other:?}"))
            }
            Most::Own(_) if small > few => Some(format!("visits what others have: {self:?}")),
            Most::Own(_) if large > 15 * medium + base => {
                Some(format!("grows faster than the rows: {self:?}"))
            }
            // (Of the other engine it may be true.)
            Most::Own(_) if large <= few && engine == Engine::Sqlite => {
                Some(format!("visits few rows, and could say how many: {self:?}"))
            }
            Most::Own(_) | Most::All(_) => None,
        }
    }
}

#[test]
fn every_statement_has_a_budget() {
    let all = budgets::ALL.iter().copied().flatten();
    let gone: Vec<_> = all.filter(|case| named(case).is_none()).map(|case| case.name).collect();
    assert!(gone.is_empty(), "there are no such statements: {gone:?}");
    let with: BTreeSet<_> = cases().map(|(sql, _)| sql.name).collect();
    let without: Vec<_> = catalogue().filter(|sql| !with.contains(sql.name)).collect();
    let texts: Vec<_> = without.iter().map(|sql| format!("{}: {}", sql.name, sql.sqlite)).collect();
    assert!(texts.is_empty(), "say in tests/house/cost/budgets what these may cost:\n{}", texts.join("\n"));
    let mut faults = Vec::new();
    for (sql, case) in cases() {
        let given = arguments(sql, case, &world::small()).len();
        let taken = (1..100).take_while(|number| sql.sqlite.contains(&format!("?{number}"))).count();
        faults.extend((given != taken).then(|| format!("{} takes {taken}: {}", sql.name, sql.sqlite)));
        if let Most::Own(why) | Most::All(why) = case.most {
            assert!(why.ends_with('.'), "{}: {why}", sql.name);
        }
    }
    assert!(faults.is_empty(), "arguments: {}", faults.join("\n"));
}
