//! The tables that the migrations make, and which of their columns says whose a row is.

use std::{collections::BTreeMap, fs};

use bailiwick_tests::targets::root;
use sqlparser::{
    ast::{AlterTableOperation, ObjectName, ObjectType, RenameTableNameKind, Statement},
    dialect::SQLiteDialect,
    parser::Parser,
};

/// Every table with its columns.
#[derive(Default)]
pub(super) struct Tables(BTreeMap<String, Vec<String>>);

impl Tables {
    /// Reads the migrations for SQLite. That those for Postgres make the same is proven elsewhere.
    pub(super) fn read() -> Self {
        let mut tables = Self::default();
        let folder = fs::read_dir(root().join("migrations/sqlite")).expect("migrations");
        let mut files: Vec<_> = folder.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let sql = fs::read_to_string(&file).expect("text");
            let mut rest = String::new();
            for line in sql.lines() {
                match line {
                    // The parser knows neither.
                    _ if line.starts_with("CREATE TRIGGER ") => index_trigger(line),
                    _ if line.starts_with("CREATE VIRTUAL TABLE ") => tables.index(line),
                    _ => rest.extend([line, "\n"]),
                }
            }
            let statements = Parser::parse_sql(&SQLiteDialect {}, &rest)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            for statement in statements {
                tables.apply(statement);
            }
        }
        tables
    }

    /// Adds an index of words (FTS5), which is a table with columns like any other.
    fn index(&mut self, line: &str) {
        let (name, columns) = line
            .strip_prefix("CREATE VIRTUAL TABLE ")
            .and_then(|rest| rest.split_once(" USING fts5("))
            .unwrap_or_else(|| panic!("the proof does not know this kind of table: {line}"));
        let columns = columns.split(',').filter(|column| !column.contains('='));
        // That of the table's own name is what it is asked by.
        let columns = columns.filter_map(|column| column.split_whitespace().next()).chain([name]);
        self.0.insert(lower(name), columns.map(lower).collect());
    }

    fn apply(&mut self, statement: Statement) {
        match statement {
            Statement::CreateTable(table) => {
                let columns = table.columns.iter().map(|column| lower(&column.name.value)).collect();
                self.0.insert(name_of(&table.name), columns);
            }
            Statement::AlterTable(table) => {
                let mut name = name_of(&table.name);
                for operation in table.operations {
                    self.alter(&mut name, operation);
                }
            }
            Statement::Drop { object_type: ObjectType::Table, names, .. } => {
                for name in &names {
                    self.0.remove(&name_of(name));
                }
            }
            // A view would be a way to a table that the proof does not see.
            Statement::CreateIndex(_)
            | Statement::Drop { object_type: ObjectType::Index, .. }
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_) => {}
            other => panic!("the proof does not know what this migration does to the tables: {other}"),
        }
    }

    fn alter(&mut self, table: &mut String, operation: AlterTableOperation) {
        let columns = self.0.get_mut(table).unwrap_or_else(|| panic!("there is no table {table}"));
        match operation {
            AlterTableOperation::AddColumn { column_def, .. } => columns.push(lower(&column_def.name.value)),
            AlterTableOperation::RenameTable {
                table_name: RenameTableNameKind::To(name) | RenameTableNameKind::As(name),
            } => {
                let columns = std::mem::take(columns);
                self.0.remove(table);
                *table = name_of(&name);
                self.0.insert(table.clone(), columns);
            }
            other => panic!("the proof does not know what this migration does to {table}: {other}"),
        }
    }

    /// Whether there is such a table.
    pub(super) fn contains(&self, table: &str) -> bool {
        self.0.contains_key(table)
    }

    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.0.get(table).is_some_and(|columns| columns.iter().any(|name| name == column))
    }

    /// The column that says whose a row is; `None` if the table is nobody's in particular.
    pub(super) fn tenant_column(&self, table: &str) -> Option<&'static str> {
        match table {
            "tenants" => Some("id"),
            _ => self.has_column(table, "tenant_id").then_some("tenant_id"),
        }
    }

    /// The tables that are nobody's in particular.
    pub(super) fn global(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|table| self.tenant_column(table).is_none()).collect()
    }

    /// The tables whose rows are a tenant's.
    pub(super) fn owned(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|table| self.tenant_column(table).is_some()).collect()
    }
}

/// A trigger may keep an index of words as its table is, each row by the row's own tenant, and may do nothing else.
fn index_trigger(line: &str) {
    let (_, body) = line.split_once(" BEGIN ").unwrap_or_else(|| panic!("on one line: {line}"));
    let body = body.strip_suffix("; END;").unwrap_or_else(|| panic!("on one line: {line}"));
    for statement in body.split("; ") {
        let (what, into) = match statement.split(' ').collect::<Vec<_>>()[..] {
            ["INSERT", "INTO", into, ..] => ("(tenant_id, id, words) VALUES (new.tenant_id, new.id, ", into),
            ["DELETE", "FROM", from, ..] => (" AND s.tenant_id = old.tenant_id)", from),
            _ => panic!("the proof does not know what this trigger does: {line}"),
        };
        let bound = statement.contains(what) && !statement.contains(" OR ");
        assert!(bound && into.ends_with("_search"), "the proof does not know this trigger: {line}");
    }
}

/// The name of a table, as it is compared.
pub(super) fn name_of(name: &ObjectName) -> String {
    lower(
        &name
            .0
            .iter()
            .filter_map(|part| part.as_ident())
            .map(|part| part.value.as_str())
            .collect::<Vec<_>>()
            .join("."),
    )
}

/// Names in SQL mean the same in either case.
pub(super) fn lower(name: &str) -> String {
    name.to_lowercase()
}
