//! Migrations go forward only, and the version before can go on while they are applied and afterwards: nothing that it
//! reads or writes is taken away (docs/UPGRADING.md). And what has been published is never changed.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use bailiwick_tests::targets::root;
use sha2::{Digest, Sha256};
use sqlparser::{
    ast::{
        AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, ColumnOption, Expr, ObjectName,
        Statement, TableConstraint,
    },
    dialect::{Dialect, PostgreSqlDialect, SQLiteDialect},
    parser::Parser,
};

/// What takes something away all the same, each with its reason. A version that has one on this list needs that the
/// version *before* it has ceased to use what goes: expand in one, contract in a later one.
const CONTRACTIONS: &[(&str, &str, &str)] = &[
    (
        "postgres/0020_costs.sql",
        "DO $$ ..",
        "It has two indexes keep no list of what was written of late; nothing is taken away.",
    ),
    (
        "postgres/0022_arrival.sql",
        "DROP INDEX import_rows_kind_idx",
        "An index, which changes nothing of what the version before finds; another one stands in its place.",
    ),
    ("sqlite/0022_arrival.sql", "DROP INDEX import_rows_kind_idx", "The same."),
    (
        "sqlite/0002_product.sql",
        "DROP TABLE tasks",
        "SQLite adds no composite foreign key to a table that is there; it is made anew, under the same name.",
    ),
    (
        "sqlite/0002_product.sql",
        "ALTER TABLE tasks_new RENAME TO tasks",
        "The other half of it: all columns of before are there, in one transaction.",
    ),
    (
        "postgres/0007_row_level_security.sql",
        "DO $$ ..",
        "Row-level security shows nothing to a server that names no tenant. There was no release before it.",
    ),
    (
        "postgres/0020_costs.sql",
        "DROP INDEX tasks_project_id_idx",
        "An index, which changes nothing of what the version before finds; two stand in its place.",
    ),
    (
        "postgres/0020_costs.sql",
        "CREATE OR REPLACE FUNCTION matching_projects(words",
        "It returns the same, by its index alone.",
    ),
    ("postgres/0020_costs.sql", "CREATE OR REPLACE FUNCTION matching_tasks(words", "The same."),
    ("sqlite/0020_costs.sql", "DROP INDEX tasks_project_id_idx", "The same."),
];

/// The file that knows what has been published.
const PUBLISHED: &str = "tests/house/migrations.sha256";

fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for tree in ["postgres", "sqlite"] {
        for entry in fs::read_dir(root().join("migrations").join(tree)).expect("a folder").flatten() {
            let name = format!("{tree}/{}", entry.file_name().to_string_lossy());
            files.push((name, fs::read_to_string(entry.path()).expect("text")));
        }
    }
    files.sort();
    files
}

/// The statements of a migration, and what of it the parser does not know, each as `.. ..`.
fn statements(tree: &str, sql: &str) -> (Vec<Statement>, Vec<String>) {
    let dialect: &dyn Dialect = if tree == "sqlite" { &SQLiteDialect {} } else { &PostgreSqlDialect {} };
    let (mut rest, mut opaque) = (String::new(), Vec::new());
    // What stands between these is opaque to it.
    let mut until: Option<&str> = None;
    for line in sql.lines() {
        if let Some(end) = until {
            if line.starts_with(end) {
                until = None;
            }
        } else if line.starts_with("DO $$") {
            opaque.push("DO $$ ..".to_owned());
            until = Some("$$;");
        } else if line.starts_with("CREATE FUNCTION ") {
            until = Some("END;");
        } else if let Some(function) = line.strip_prefix("CREATE OR REPLACE ") {
            opaque.push(format!(
                "CREATE OR REPLACE {}",
                function.split(' ').take(2).collect::<Vec<_>>().join(" ")
            ));
            until = Some("END;");
        } else if ["TRIGGER", "VIRTUAL TABLE", "STATISTICS"]
            .iter()
            .any(|kind| line.starts_with(&format!("CREATE {kind} ")))
        {
        } else {
            rest.extend([line, "\n"]);
        }
    }
    (Parser::parse_sql(dialect, &rest).unwrap_or_else(|error| panic!("{tree}: {error}\n{rest}")), opaque)
}

fn lower(name: &ObjectName) -> String {
    name.to_string().to_lowercase()
}

/// What one migration has added so far: its tables, with their new columns. What nobody knows nobody relies on.
#[derive(Default)]
struct Added {
    tables: Vec<String>,
    columns: Vec<(String, String)>,
}

impl Added {
    fn has(&self, table: &str, column: &str) -> bool {
        self.tables.iter().any(|name| name == table)
            || self.columns.iter().any(|(of, name)| of == table && *name == column.to_lowercase())
    }

    /// Says why the version before could not go on, if it could not.
    fn fault(&mut self, statement: &Statement) -> Option<String> {
        match statement {
            Statement::CreateTable(table) => {
                self.tables.push(lower(&table.name));
                None
            }
            Statement::AlterTable(AlterTable { name, operations, .. }) => {
                let table = lower(name);
                operations.iter().find_map(|operation| self.alteration(&table, operation))
            }
            Statement::CreateIndex(index) if index.unique => {
                let table = lower(&index.table_name);
                let news = index.columns.iter().any(|column| match &column.column.expr {
                    Expr::Identifier(name) => self.has(&table, &name.value),
                    _ => false,
                });
                (!news).then(|| "what the version before writes may not be unique".to_owned())
            }
            // More may be granted; what `bailiwick migrate` takes from its own roles is another matter.
            Statement::CreateIndex(_)
            | Statement::CreatePolicy { .. }
            | Statement::Grant { .. }
            | Statement::Revoke { .. }
            | Statement::Insert(_)
            | Statement::Update(_) => None,
            _ => Some("it is not known to leave everything as the version before needs it".to_owned()),
        }
    }

    fn alteration(&mut self, table: &str, operation: &AlterTableOperation) -> Option<String> {
        match operation {
            AlterTableOperation::AddColumn { column_def, .. } => {
                self.columns.push((table.to_owned(), column_def.name.value.to_lowercase()));
                let left_out = || "the version before leaves it out when it inserts".to_owned();
                (!self.has_table(table) && !can_be_left_out(column_def)).then(left_out)
            }
            AlterTableOperation::AddConstraint { constraint, .. } => {
                let columns = match constraint {
                    TableConstraint::ForeignKey(key) => {
                        key.columns.iter().map(|name| name.value.clone()).collect()
                    }
                    _ => Vec::new(),
                };
                let new = columns.iter().any(|column| self.has(table, column)) || self.has_table(table);
                (!new).then(|| "what the version before writes may violate it".to_owned())
            }
            // Of a table that nobody knows yet; of another one it shows nothing any more to who names no tenant.
            AlterTableOperation::EnableRowLevelSecurity | AlterTableOperation::ForceRowLevelSecurity
                if self.has_table(table) =>
            {
                None
            }
            AlterTableOperation::AlterColumn {
                op: AlterColumnOperation::DropNotNull | AlterColumnOperation::SetDefault { .. },
                ..
            } => None,
            _ => Some("the version before may rely on what it changes".to_owned()),
        }
    }

    fn has_table(&self, table: &str) -> bool {
        self.tables.iter().any(|name| name == table)
    }
}

fn can_be_left_out(column: &ColumnDef) -> bool {
    let has = |wanted: fn(&ColumnOption) -> bool| column.options.iter().any(|option| wanted(&option.option));
    has(|option| matches!(option, ColumnOption::Default(_)))
        || !has(|option| matches!(option, ColumnOption::NotNull))
}

/// What in a migration would not let the version before go on: the statement, and why.
fn faults(tree: &str, sql: &str) -> Vec<(String, String)> {
    let (statements, opaque) = statements(tree, sql);
    let mut added = Added::default();
    let known =
        statements.iter().filter_map(|statement| Some((statement.to_string(), added.fault(statement)?)));
    let mut all: Vec<_> = known.collect();
    all.extend(opaque.into_iter().map(|text| (text, "what it does cannot be read".to_owned())));
    all
}

#[test]
fn the_version_before_can_go_on() {
    let mut used = Vec::new();
    for (name, sql) in files() {
        let tree = name.split('/').next().unwrap_or_default();
        for (statement, why) in faults(tree, &sql) {
            let listed = CONTRACTIONS.iter().find(|(file, text, _)| *file == name && *text == statement);
            let Some(listed) = listed else {
                panic!(
                    "migrations/{name}: `{statement}`: {why}. Expand now and contract in a later version \
                     (docs/UPGRADING.md); what must be is listed here, with a reason"
                )
            };
            used.push(*listed);
        }
    }
    assert_eq!(used.len(), CONTRACTIONS.len(), "an exception that none needs");
    assert!(CONTRACTIONS.iter().all(|(_, _, why)| why.ends_with('.')), "why?");
}

#[test]
fn what_takes_something_away_is_noticed() {
    for refused in [
        "ALTER TABLE tasks DROP COLUMN title",
        "ALTER TABLE tasks RENAME COLUMN title TO name",
        "ALTER TABLE tasks RENAME TO todos",
        "ALTER TABLE tasks ADD COLUMN size bigint NOT NULL",
        "ALTER TABLE tasks ALTER COLUMN title TYPE varchar(20)",
        "ALTER TABLE tasks ALTER COLUMN assignee_id SET NOT NULL",
        "ALTER TABLE tasks ALTER COLUMN priority DROP DEFAULT",
        "ALTER TABLE tasks ADD CONSTRAINT short CHECK (length(title) < 20)",
        "ALTER TABLE tasks ADD FOREIGN KEY (tenant_id, created_by) REFERENCES memberships (tenant_id, user_id)",
        "ALTER TABLE tasks DROP CONSTRAINT tasks_pkey",
        "ALTER TABLE tasks FORCE ROW LEVEL SECURITY",
        "CREATE UNIQUE INDEX tasks_title_key ON tasks (tenant_id, title)",
        "DROP TABLE tasks",
        "DROP INDEX tasks_project_id_idx",
        "DELETE FROM tasks",
        "TRUNCATE tasks",
    ] {
        assert_eq!(faults("postgres", &format!("{refused};")).len(), 1, "{refused}");
    }
    for taken in [
        "ALTER TABLE tasks ADD COLUMN size bigint",
        "ALTER TABLE tasks ADD COLUMN size bigint NOT NULL DEFAULT 1",
        "ALTER TABLE tasks ADD COLUMN team_id uuid; ALTER TABLE tasks ADD FOREIGN KEY (tenant_id, team_id) REFERENCES teams (tenant_id, id)",
        "ALTER TABLE tasks ALTER COLUMN title DROP NOT NULL",
        "CREATE TABLE teams (id uuid NOT NULL); CREATE UNIQUE INDEX teams_id_key ON teams (id); ALTER TABLE teams FORCE ROW LEVEL SECURITY",
        "ALTER TABLE activity ADD COLUMN seq bigint; CREATE UNIQUE INDEX k ON activity (tenant_id, seq)",
        "CREATE INDEX tasks_title_idx ON tasks (tenant_id, title)",
        "UPDATE schema_version SET version = 11",
    ] {
        assert_eq!(faults("postgres", &format!("{taken};")), [], "{taken}");
    }
}

#[test]
fn what_has_been_published_is_never_changed() {
    let path = root().join(PUBLISHED);
    let known = fs::read_to_string(&path).unwrap_or_default();
    let mut published: BTreeMap<&str, &str> =
        known.lines().filter_map(|line| line.split_once("  ")).map(|(hash, name)| (name, hash)).collect();
    let (mut text, mut missing) = (String::new(), Vec::new());
    for (name, sql) in files() {
        let hash: String = Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        match published.remove(name.as_str()) {
            Some(before) => assert_eq!(
                before, hash,
                "migrations/{name} was changed: databases that have it would differ from new ones, and sqlx refuses \
                 to go on. Write another one. (Where it has left this checkout for nowhere yet, take its line out of \
                 {PUBLISHED}.)"
            ),
            None => missing.push(name.clone()),
        }
        writeln!(text, "{hash}  {name}").expect("a string takes all");
    }
    assert!(published.is_empty(), "these were published and are gone: {published:?}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("a file");
    } else {
        assert!(missing.is_empty(), "{PUBLISHED} lacks {missing:?}: run with UPDATE=1");
    }
}
