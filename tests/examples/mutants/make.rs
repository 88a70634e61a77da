//! What is made of the statements: each with one thing less or otherwise, as a slip of whoever writes it would have it.

use std::{collections::BTreeMap, ops::ControlFlow};

use bailiwick_core::{repository::CATALOGUE, sql::Sql};
use sqlparser::{
    ast::{
        BinaryOperator, Expr, JoinOperator, LimitClause, OnConflictAction, OnInsert, OrderByKind,
        OrderByOptions, OrderBySort, Query, Select, SetExpr, Statement, UnaryOperator, Value, VisitMut,
        VisitorMut,
    },
    dialect::SQLiteDialect,
    parser::Parser,
};

/// A statement with one thing changed.
#[derive(Clone, Debug)]
pub(crate) struct SqlMutant {
    /// The statement's name and the change: what `tests/mutants.toml` knows it by.
    pub(crate) id: String,
    /// The statement that it is made of.
    pub(crate) of: &'static Sql,
    /// What is asked instead.
    pub(crate) text: String,
    /// A comparison of `tenant_id` is gone: `house::statements` refuses each such statement, unless another comparison
    /// stands in for it.
    pub(crate) unbound: bool,
}

/// All mutants of the catalogue.
pub(crate) fn all() -> Vec<SqlMutant> {
    CATALOGUE.iter().copied().flatten().copied().flat_map(of).collect()
}

/// The statement as it is printed when nothing is changed.
pub(crate) fn unchanged(sql: &Sql) -> String {
    parse(sql).to_string()
}

fn parse(sql: &Sql) -> Statement {
    let parsed = Parser::parse_sql(&SQLiteDialect {}, sql.sqlite);
    let mut parsed = parsed.unwrap_or_else(|error| panic!("{}: {error}", sql.name));
    parsed.pop().expect("a statement")
}

fn of(sql: &'static Sql) -> Vec<SqlMutant> {
    let statement = parse(sql);
    let mut survey = Change::default();
    let _ = statement.clone().visit(&mut survey);
    let mut times = BTreeMap::<String, u32>::new();
    let mut mutants = Vec::new();
    for (number, what) in survey.offers.into_iter().enumerate() {
        let mut changed = statement.clone();
        let _ = changed.visit(&mut Change { wanted: Some(number), ..Change::default() });
        let time = times.entry(what.clone()).or_default();
        *time += 1;
        let nth = if *time == 1 { String::new() } else { format!(" ({time})") };
        let unbound = what.ends_with("→ TRUE") && is_binding(&what);
        mutants.push(SqlMutant {
            id: format!("{}: {what}{nth}", sql.name),
            of: sql,
            text: changed.to_string(),
            unbound,
        });
    }
    mutants
}

/// Whether it says that a `tenant_id` equals something.
fn is_binding(what: &str) -> bool {
    let sides = what.trim_end_matches(" → TRUE").split_once(" = ");
    sides.is_some_and(|(left, right)| left.ends_with("tenant_id") || right.ends_with("tenant_id"))
}

/// What an expression is to those within it.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    And,
    Or,
    Not,
    Case,
    Other,
}

/// A walk through a statement that offers changes in one order, and makes the one that is wanted.
#[derive(Default)]
struct Change {
    wanted: Option<usize>,
    offered: usize,
    offers: Vec<String>,
    around: Vec<Around>,
}

impl Change {
    /// Offers a change; whether it is the one that is wanted.
    fn offer(&mut self, what: impl FnOnce() -> String) -> bool {
        let number = self.offered;
        self.offered += 1;
        if self.wanted.is_none() {
            self.offers.push(what());
        }
        self.wanted == Some(number)
    }

    /// Offers to leave out each of some things, of which one must stay.
    fn each_but_one<T: ToString>(&mut self, things: &mut Vec<T>, what: &str) {
        let mut gone = None;
        if things.len() > 1 {
            for (index, thing) in things.iter().enumerate() {
                if self.offer(|| format!("{what} {} left out", short(thing))) {
                    gone = Some(index);
                }
            }
        }
        gone.map(|index| things.remove(index));
    }
}

fn short(thing: &impl ToString) -> String {
    let text = thing.to_string();
    let short: String = text.chars().take(110).collect();
    if short.len() < text.len() { format!("{short}…") } else { text }
}

fn truth(value: bool) -> Expr {
    Expr::value(Value::Boolean(value))
}

/// Whether it is true or false by what it says, and no `AND`.
fn is_condition(expr: &Expr) -> bool {
    use BinaryOperator as Is;
    match expr {
        Expr::BinaryOp { op, .. } => {
            matches!(op, Is::Eq | Is::NotEq | Is::Lt | Is::LtEq | Is::Gt | Is::GtEq | Is::Or | Is::Match)
        }
        Expr::UnaryOp { op, .. } => *op == UnaryOperator::Not,
        Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::In { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::Exists { .. } => true,
        _ => false,
    }
}

fn around(expr: &Expr) -> Option<Around> {
    match expr {
        Expr::BinaryOp { op: BinaryOperator::And, .. } => Some(Around::And),
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => Some(Around::Or),
        Expr::UnaryOp { op: UnaryOperator::Not, .. } => Some(Around::Not),
        Expr::Case { .. } => Some(Around::Case),
        // Parentheses change nothing.
        Expr::Nested(_) => None,
        _ => Some(Around::Other),
    }
}

/// The comparison that differs where both sides are equal, or the opposite sum.
fn nearby(op: &BinaryOperator) -> Option<BinaryOperator> {
    use BinaryOperator as Is;
    Some(match op {
        Is::Lt => Is::LtEq,
        Is::LtEq => Is::Lt,
        Is::Gt => Is::GtEq,
        Is::GtEq => Is::Gt,
        Is::Plus => Is::Minus,
        _ => return None,
    })
}

impl VisitorMut for Change {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let outside = self.around.last().copied().unwrap_or(Around::Other);
        let own = around(expr).unwrap_or(outside);
        self.around.push(own);
        let condition = is_condition(expr);
        let part_of_or = outside == Around::Or && own != Around::Or && !matches!(expr, Expr::Nested(_));
        if part_of_or && (condition || own == Around::And) {
            if self.offer(|| format!("{} → FALSE", short(expr))) {
                *expr = truth(false);
            }
        } else if condition && outside != Around::Not && !(own == Around::Or && outside == Around::Or) {
            if self.offer(|| format!("{} → TRUE", short(expr))) {
                *expr = truth(true);
            }
            if outside == Around::Case && self.offer(|| format!("{} → FALSE", short(expr))) {
                *expr = truth(false);
            }
        }
        if let Expr::BinaryOp { left, op, right } = expr
            && let Some(other) = nearby(op)
            && self.offer(|| format!("{} {op} {} → {other}", short(left), short(right)))
        {
            *op = other;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        // What is around a subquery is not around its conditions.
        self.around.push(Around::Other);
        if let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(expressions) = &mut order.kind
        {
            for by in expressions {
                if self.offer(|| format!("ORDER BY {} turned round", short(by))) {
                    let descends = by.options.sort == Some(OrderBySort::Desc);
                    let sort = if descends { OrderBySort::Asc } else { OrderBySort::Desc };
                    by.options = OrderByOptions { sort: Some(sort), nulls_first: by.options.nulls_first };
                }
            }
        }
        if let Some(limit @ LimitClause::LimitOffset { .. }) = &query.limit_clause
            && self.offer(|| format!("{} left out", short(limit).trim()))
        {
            query.limit_clause = None;
        }
        if let SetExpr::SetOperation { op, left, .. } = query.body.as_ref()
            && self.offer(|| format!("what stands behind {op} left out"))
        {
            query.body = left.clone();
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if select.distinct.is_some() && self.offer(|| "DISTINCT left out".to_owned()) {
            select.distinct = None;
        }
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            if let JoinOperator::LeftOuter(on) | JoinOperator::Left(on) = &join.join_operator {
                let inner = JoinOperator::Join(on.clone());
                if self.offer(|| format!("LEFT JOIN {} → JOIN", short(&join.relation))) {
                    join.join_operator = inner;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<()> {
        match statement {
            Statement::Update(update) => self.each_but_one(&mut update.assignments, "SET"),
            Statement::Insert(insert) => {
                if let Some(OnInsert::OnConflict(conflict)) = &mut insert.on
                    && let OnConflictAction::DoUpdate(update) = &mut conflict.action
                {
                    self.each_but_one(&mut update.assignments, "ON CONFLICT SET");
                    if self.offer(|| "ON CONFLICT DO NOTHING".to_owned()) {
                        conflict.action = OnConflictAction::DoNothing;
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
