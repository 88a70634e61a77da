//! What expressions mean for the proof: which table a column is of, and what is equated with what.

use sqlparser::ast::{BinaryOperator, Expr, Value};

use super::{proof::Term, tables::lower, walk::Walk};

/// The tables that stand beside each other, and what stands around them.
pub(super) struct Frame {
    pub(super) outer: Option<usize>,
    pub(super) relations: Vec<Relation>,
}

/// Something in a `FROM`.
pub(super) struct Relation {
    /// By what name its columns are spoken of.
    pub(super) name: String,
    /// The table, unless it is a function, a derived table or a common table expression: what columns those have is
    /// not looked into.
    pub(super) table: Option<String>,
    /// If a tenant owns it.
    pub(super) occurrence: Option<usize>,
}

impl Frame {
    /// By what name an occurrence is spoken of.
    pub(super) fn name_of(&self, occurrence: usize) -> Option<&str> {
        let found = self.relations.iter().find(|relation| relation.occurrence == Some(occurrence));
        found.map(|relation| relation.name.as_str())
    }
}

/// The parts of a condition all of which must be met.
pub(super) fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            [conjuncts(left), conjuncts(right)].concat()
        }
        Expr::Nested(inner) => conjuncts(inner),
        other => vec![other],
    }
}

impl Walk<'_> {
    /// The two sides of an equation between tenant columns, or between one and the tenant parameter.
    pub(super) fn equation(&self, frame: usize, conjunct: &Expr) -> Option<(Term, Term)> {
        match conjunct {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                Some((self.term(frame, left)?, self.term(frame, right)?))
            }
            _ => None,
        }
    }

    /// The tenant parameter, or the tenant column of an occurrence.
    pub(super) fn term(&self, frame: usize, expr: &Expr) -> Option<Term> {
        let (relation, column) = match expr {
            Expr::Nested(inner) => return self.term(frame, inner),
            Expr::Value(value) => {
                let Value::Placeholder(name) = &value.value else { return None };
                // The first parameter of a global statement is no tenant.
                let tenant = self.question.instead.is_none() && name == self.question.parameter;
                return tenant.then_some(Term::Tenant);
            }
            Expr::Identifier(column) => {
                let column = lower(&column.value);
                (self.of_column(frame, &column)?, column)
            }
            Expr::CompoundIdentifier(parts) => {
                let [name, column] = parts.as_slice() else { return None };
                (self.of_name(frame, &lower(&name.value))?, lower(&column.value))
            }
            _ => return None,
        };
        let is_tenant =
            self.question.tables.tenant_column(relation.table.as_deref()?) == Some(column.as_str());
        relation.occurrence.filter(|_| is_tenant).map(Term::Column)
    }

    /// The frames in sight, the innermost first.
    fn in_sight(&self, frame: usize) -> impl Iterator<Item = &Frame> {
        let first = Some(&self.frames[frame]);
        std::iter::successors(first, |frame| frame.outer.map(|outer| &self.frames[outer]))
    }

    fn of_name(&self, frame: usize, name: &str) -> Option<&Relation> {
        self.in_sight(frame).find_map(|frame| frame.relations.iter().find(|relation| relation.name == name))
    }

    /// What a column belongs to that is written without a table. `None` if that cannot be told for sure.
    fn of_column(&self, frame: usize, column: &str) -> Option<&Relation> {
        let tables = self.question.tables;
        let may_have = |relation: &&Relation| {
            relation.table.as_ref().is_none_or(|table| tables.has_column(table, column))
        };
        let having = |frame: &Frame| frame.relations.iter().filter(may_have).count();
        let found = self.in_sight(frame).find(|frame| having(frame) > 0)?;
        if having(found) > 1 {
            return None;
        }
        found.relations.iter().find(may_have).filter(|relation| relation.table.is_some())
    }
}
