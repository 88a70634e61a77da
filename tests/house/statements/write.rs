//! Statements that write: what they put where, and which rows they touch.

use sqlparser::{
    ast::{
        Assignment, AssignmentTarget, ConflictTarget, Delete, Expr, FromTable, Insert, OnConflict,
        OnConflictAction, OnInsert, SelectItem, Spanned, TableObject, Update, UpdateTableFromKind,
    },
    tokenizer::Span,
};

use super::{
    proof::{Binding, Kind, Term},
    tables::{lower, name_of},
    terms::Relation,
    walk::Walk,
};

/// Where rows are inserted, if a tenant owns it.
pub(super) struct Target {
    table: String,
    column: &'static str,
    /// The place of the tenant column among those that are given.
    place: Option<usize>,
}

/// What an item of a `SELECT` puts into its column; `None` if it stands for any number of columns.
pub(super) fn value_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

impl Walk<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) {
        let (TableObject::TableName(name), Some(source)) = (&insert.table, &insert.source) else {
            return self.fault(format!("the proof does not know this kind of INSERT: {insert}"));
        };
        if insert.or.is_some() || insert.replace_into || !insert.assignments.is_empty() {
            self.fault("an INSERT may put nothing in the place of other rows".to_owned());
        }
        let table = name_of(name);
        self.seen.push(table.clone());
        let place = |column| insert.columns.iter().position(|name| name_of(name) == column);
        let target = self.question.tables.tenant_column(&table).map(|column| {
            let table = table.clone();
            Target { table, column, place: place(column) }
        });
        let before = self.occurrences.len();
        self.query(source, None, target.as_ref());
        // The first of the rows stands for all of them.
        let row = format!("INSERT INTO {table}");
        let inserted = (before..self.occurrences.len()).find(|&index| self.occurrences[index].label == row);

        let frame = self.frame(None);
        let name =
            insert.table_alias.as_ref().map_or_else(|| table.clone(), |alias| lower(&alias.alias.value));
        if !self.question.tables.contains(&table) {
            self.fault(format!("there is no table {table}"));
        }
        self.relation(
            frame,
            Relation { name: name.clone(), table: Some(table.clone()), occurrence: inserted },
        );
        match &insert.on {
            None => {}
            Some(OnInsert::OnConflict(conflict)) => self.conflict((name, table), inserted, conflict),
            Some(other) => self.fault(format!("the proof does not know{other}")),
        }
        self.inside(&insert.returning, frame);
    }

    /// A row that is inserted. Each must be the tenant's.
    pub(super) fn inserted<'e>(
        &mut self,
        mut values: impl Iterator<Item = Option<&'e Expr>>,
        frame: usize,
        target: Option<&Target>,
    ) {
        let Some(Target { table, column, place }) = target else { return };
        let occurrence = self.occurrence(&format!("INSERT INTO {table}"), column);
        // A wildcard before it makes the place unknown.
        let value =
            place.and_then(|place| values.by_ref().take(place + 1).collect::<Option<Vec<_>>>()?.pop());
        let Some(value) = value else { return };
        let text = format!("{column} = {value}");
        self.occurrences[occurrence].conjuncts.push(text.clone());
        self.instead_of_tenant(table, &text, occurrence);
        if let Some(to) = self.term(frame, value) {
            let binding = Binding { to, kind: Kind::Stored, text, place: value.span() };
            self.occurrences[occurrence].bindings.push(binding);
        }
    }

    /// The rows that are there already. They are the tenant's if the key by which they are found says so.
    fn conflict(&mut self, (name, table): (String, String), inserted: Option<usize>, conflict: &OnConflict) {
        let frame = self.frame(None);
        let label = format!("{table} (ON CONFLICT)");
        let there = self.table(frame, &name, table, &label);
        self.relation(frame, Relation { name: "excluded".to_owned(), table: None, occurrence: None });
        if let Some((there, inserted)) = there.zip(inserted) {
            let column = self.occurrences[there].column;
            let key = match &conflict.conflict_target {
                Some(ConflictTarget::Columns { columns, .. }) => columns.as_slice(),
                _ => &[],
            };
            if let Some(found) = key.iter().find(|name| lower(&name.value) == column) {
                let text = format!("ON CONFLICT ({column}, ..)");
                let place: Span = found.span;
                let binding = Binding { to: Term::Column(inserted), kind: Kind::Conflict, text, place };
                self.occurrences[there].bindings.push(binding);
            }
        }
        self.inside(&conflict.conflict_target, frame);
        if let OnConflictAction::DoUpdate(update) = &conflict.action {
            let governed: Vec<_> = there.into_iter().collect();
            let conditions: Vec<_> =
                update.selection.clone().map(|selection| (selection, governed)).into_iter().collect();
            self.conditions(frame, &conditions);
            self.assignments(frame, &update.assignments);
        }
    }

    pub(super) fn update(&mut self, update: &Update) {
        if update.or.is_some() {
            self.fault("an UPDATE may put nothing in the place of other rows".to_owned());
        }
        let frame = self.frame(None);
        let mut conditions = Vec::new();
        let mut all = self.joined(&update.table, frame, &mut conditions);
        match &update.from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(from)) => all.extend(self.from(from, frame, &mut conditions)),
            Some(_) => self.fault("the proof does not know UPDATE .. FROM .. SET".to_owned()),
        }
        conditions.extend(update.selection.clone().map(|selection| (selection, all)));
        self.conditions(frame, &conditions);
        self.assignments(frame, &update.assignments);
        self.inside(&update.returning, frame);
    }

    /// What is set. The tenant of a row never is: no row goes from one tenant to another.
    fn assignments(&mut self, frame: usize, assignments: &[Assignment]) {
        self.inside(&assignments.to_vec(), frame);
        let table = self.frames[frame].relations.first().and_then(|relation| relation.table.as_deref());
        let Some(column) = table.and_then(|table| self.question.tables.tenant_column(table)) else { return };
        for assignment in assignments {
            let names = match &assignment.target {
                AssignmentTarget::ColumnName(name) => std::slice::from_ref(name),
                AssignmentTarget::Tuple(names) => names,
            };
            if names.iter().any(|name| name_of(name).rsplit('.').next() == Some(column)) {
                self.fault(format!("`{assignment}` gives a row to another tenant"));
            }
        }
    }

    pub(super) fn delete(&mut self, delete: &Delete) {
        let FromTable::WithFromKeyword(from) = &delete.from else {
            return self.fault(format!("the proof does not know this kind of DELETE: {delete}"));
        };
        let frame = self.frame(None);
        let mut conditions = Vec::new();
        let mut all = self.from(from, frame, &mut conditions);
        all.extend(self.from(delete.using.as_deref().unwrap_or_default(), frame, &mut conditions));
        conditions.extend(delete.selection.clone().map(|selection| (selection, all)));
        self.conditions(frame, &conditions);
        self.inside(&delete.returning, frame);
    }
}
