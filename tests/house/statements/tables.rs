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
            let statements = Parser::parse_sql(&SQLiteDialect {}, &sql)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            for statement in statements {
                tables.apply(statement);
            }
        }
        tables
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
