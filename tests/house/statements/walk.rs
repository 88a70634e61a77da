//! The way through a statement: its frames, the tables in them, and the conjuncts that govern them.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{
        Expr, JoinConstraint, JoinOperator, Query, Select, SetExpr, Spanned, Statement, TableFactor,
        TableWithJoins, Visit, Visitor, visit_relations,
    },
    tokenizer::Span,
};

use super::{
    global::ANY_ROW,
    proof::{Binding, Kind, Occurrence, Question, Term},
    tables::name_of,
    terms::{Frame, Relation, conjuncts},
    write::Target,
};

pub(super) struct Walk<'a> {
    pub(super) question: Question<'a>,
    pub(super) frames: Vec<Frame>,
    pub(super) occurrences: Vec<Occurrence>,
    pub(super) faults: Vec<String>,
    /// The names of the common table expressions in sight.
    with: Vec<String>,
    /// Every name of a table that was come across.
    pub(super) seen: Vec<String>,
    /// Which of the things that bind a global statement were found.
    instead: Vec<bool>,
}

/// A condition, and the occurrences that it governs.
pub(super) type Condition = (Expr, Vec<usize>);

impl<'a> Walk<'a> {
    pub(super) fn new(question: Question<'a>) -> Self {
        let instead = vec![false; question.instead.map_or(0, |global| global.by.len())];
        let (frames, occurrences, faults, with, seen) = Default::default();
        Self { question, frames, occurrences, faults, with, seen, instead }
    }

    /// The occurrences, and what cannot be proven whatever they are bound by.
    pub(super) fn finish(mut self, statement: &Statement) -> (Vec<Occurrence>, Vec<String>) {
        let mut all = Vec::new();
        let _ = visit_relations(statement, |name| {
            all.push(name_of(name));
            ControlFlow::<()>::Continue(())
        });
        all.sort_unstable();
        self.seen.sort_unstable();
        // The parser's own walk sees every table, wherever it stands.
        if all != self.seen {
            self.fault(format!(
                "the statement names {all:?}, but the proof came across {:?} only",
                self.seen
            ));
        }
        let by = self.question.instead.map_or(&[][..], |global| global.by);
        for (index, (name, what)) in by.iter().enumerate() {
            if !self.instead[index] {
                self.fault(format!(
                    "the list of global statements binds `{name}` by `{what}`, which is not there"
                ));
            }
        }
        (self.occurrences, self.faults)
    }

    pub(super) fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    pub(super) fn frame(&mut self, outer: Option<usize>) -> usize {
        self.frames.push(Frame { outer, relations: Vec::new() });
        self.frames.len() - 1
    }

    pub(super) fn statement(&mut self, statement: &Statement, outer: Option<usize>) {
        match statement {
            Statement::Query(query) => self.query(query, outer, None),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            other => self.fault(format!("the proof does not know this kind of statement: {other}")),
        }
    }

    /// A query; with a target, one whose rows are inserted there.
    pub(super) fn query(&mut self, query: &Query, outer: Option<usize>, target: Option<&Target>) {
        let in_sight = self.with.len();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
            let name = cte.alias.name.value.to_lowercase();
            if recursive {
                self.with.push(name);
                self.query(&cte.query, outer, None);
            } else {
                self.query(&cte.query, outer, None);
                self.with.push(name);
            }
        }
        let frame = self.body(&query.body, outer, target);
        self.inside(&query.order_by, frame);
        self.inside(&query.limit_clause, frame);
        self.with.truncate(in_sight);
    }

    fn body(&mut self, body: &SetExpr, outer: Option<usize>, target: Option<&Target>) -> usize {
        match body {
            SetExpr::Select(select) => return self.select(select, outer, target),
            SetExpr::Query(query) => self.query(query, outer, target),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left, outer, target);
                self.body(right, outer, target);
            }
            SetExpr::Values(values) => {
                let frame = self.frame(outer);
                self.inside(values, frame);
                for row in &values.rows {
                    self.inserted(row.content.iter().map(Some), frame, target);
                }
                return frame;
            }
            SetExpr::Insert(statement) | SetExpr::Update(statement) | SetExpr::Delete(statement) => {
                self.statement(statement, outer);
            }
            other => self.fault(format!("the proof does not know this kind of query: {other}")),
        }
        self.frame(outer)
    }

    fn select(&mut self, select: &Select, outer: Option<usize>, target: Option<&Target>) -> usize {
        let frame = self.frame(outer);
        let mut conditions = Vec::new();
        let all = self.from(&select.from, frame, &mut conditions);
        conditions.extend(select.selection.clone().map(|selection| (selection, all)));
        self.conditions(frame, &conditions);
        let mut rest = select.clone();
        rest.from.clear();
        rest.selection = None;
        self.inside(&rest, frame);
        self.inserted(select.projection.iter().map(super::write::value_of), frame, target);
        frame
    }

    /// The tables of a `FROM`, and the conditions of its joins.
    pub(super) fn from(
        &mut self,
        from: &[TableWithJoins],
        frame: usize,
        conditions: &mut Vec<Condition>,
    ) -> Vec<usize> {
        from.iter().flat_map(|item| self.joined(item, frame, conditions)).collect()
    }

    pub(super) fn joined(
        &mut self,
        item: &TableWithJoins,
        frame: usize,
        conditions: &mut Vec<Condition>,
    ) -> Vec<usize> {
        let mut all = self.factor(&item.relation, frame, conditions);
        for join in &item.joins {
            let right = self.factor(&join.relation, frame, conditions);
            all.extend(&right);
            let (constraint, governed) = match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on) => {
                    (on, all.clone())
                }
                // The rows on its left are there whether the condition is met or not.
                JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => (on, right),
                _ => {
                    self.fault(format!("the proof does not know this kind of join: {join}"));
                    continue;
                }
            };
            if let JoinConstraint::On(on) = constraint {
                conditions.push((on.clone(), governed));
            }
        }
        all
    }

    fn factor(&mut self, factor: &TableFactor, frame: usize, conditions: &mut Vec<Condition>) -> Vec<usize> {
        match factor {
            TableFactor::Table { name, alias, args, .. } => {
                let table = name_of(name);
                self.seen.push(table.clone());
                let known =
                    alias.as_ref().map_or_else(|| table.clone(), |alias| alias.name.value.to_lowercase());
                if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
                    self.fault(format!("`{factor}` gives columns other names"));
                }
                if args.is_some() {
                    self.inside(args, frame);
                    self.relation(frame, Relation { name: known, table: None, occurrence: None });
                    return Vec::new();
                }
                if self.with.contains(&table) {
                    self.relation(frame, Relation { name: known, table: None, occurrence: None });
                    return Vec::new();
                }
                self.table(frame, &known, table, &factor.to_string()).into_iter().collect()
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                let outer = if *lateral { Some(frame) } else { self.frames[frame].outer };
                self.query(subquery, outer, None);
                let name = alias.as_ref().map_or_else(String::new, |alias| alias.name.value.to_lowercase());
                self.relation(frame, Relation { name, table: None, occurrence: None });
                Vec::new()
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.joined(table_with_joins, frame, conditions)
            }
            other => {
                self.fault(format!("the proof does not know this kind of table: {other}"));
                Vec::new()
            }
        }
    }

    pub(super) fn relation(&mut self, frame: usize, relation: Relation) {
        self.frames[frame].relations.push(relation);
    }

    /// Puts a table into a frame. The occurrence, if a tenant owns it.
    pub(super) fn table(&mut self, frame: usize, name: &str, table: String, label: &str) -> Option<usize> {
        if !self.question.tables.contains(&table) {
            self.fault(format!("there is no table {table}"));
        }
        let column = self.question.tables.tenant_column(&table);
        let occurrence = column.map(|column| self.occurrence(label, column));
        self.relation(frame, Relation { name: name.to_owned(), table: Some(table), occurrence });
        if let Some(occurrence) = occurrence {
            self.instead_of_tenant(name, ANY_ROW, occurrence);
        }
        occurrence
    }

    pub(super) fn occurrence(&mut self, label: &str, column: &'static str) -> usize {
        let label = label.to_owned();
        let (bindings, conjuncts) = Default::default();
        self.occurrences.push(Occurrence { label, column, bindings, conjuncts, bound: false });
        self.occurrences.len() - 1
    }

    /// Binds an occurrence, if this is what the list of global statements says of it.
    pub(super) fn instead_of_tenant(&mut self, name: &str, what: &str, occurrence: usize) {
        let Some(global) = self.question.instead else { return };
        // The list is written in one spelling.
        let what = what.replace('$', "?");
        if let Some(found) = global.position(name, &what) {
            self.instead[found] = true;
            let place = Span::empty();
            let binding = Binding { to: Term::Instead, kind: Kind::Instead, text: what, place };
            self.occurrences[occurrence].bindings.push(binding);
        }
    }

    /// Has the conjuncts of the conditions bind what they govern.
    pub(super) fn conditions(&mut self, frame: usize, conditions: &[Condition]) {
        for (condition, governed) in conditions {
            self.inside(condition, frame);
            for conjunct in conjuncts(condition) {
                self.conjunct(frame, conjunct, governed);
            }
        }
    }

    fn conjunct(&mut self, frame: usize, conjunct: &Expr, governed: &[usize]) {
        let text = conjunct.to_string();
        for &occurrence in governed {
            self.occurrences[occurrence].conjuncts.push(text.clone());
            let called = |frame: &Frame| frame.name_of(occurrence).map(str::to_owned);
            if let Some(name) = self.frames.get(frame).and_then(called) {
                self.instead_of_tenant(&name, &text, occurrence);
            }
        }
        let Some((left, right)) = self.equation(frame, conjunct) else { return };
        for (this, to) in [(left, right), (right, left)] {
            if let Term::Column(occurrence) = this
                && governed.contains(&occurrence)
            {
                let binding =
                    Binding { to, kind: Kind::Compared, text: text.clone(), place: conjunct.span() };
                self.occurrences[occurrence].bindings.push(binding);
            }
        }
    }

    /// The queries inside of something that stands in a frame.
    pub(super) fn inside(&mut self, node: &impl Visit, frame: usize) {
        struct Outermost(Vec<Query>, usize);

        impl Visitor for Outermost {
            type Break = ();

            fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
                if self.1 == 0 {
                    self.0.push(query.clone());
                }
                self.1 += 1;
                ControlFlow::Continue(())
            }

            fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
                self.1 -= 1;
                ControlFlow::Continue(())
            }
        }

        let mut found = Outermost(Vec::new(), 0);
        let _ = node.visit(&mut found);
        for query in &found.0 {
            self.query(query, Some(frame), None);
        }
    }
}
