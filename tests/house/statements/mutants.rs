//! Whether the proof would notice: statements with a binding less, of which none may be proven.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{
        BinaryOperator, Expr, Ident, Spanned, Statement, Value, VisitMut, VisitorMut, visit_expressions_mut,
    },
    tokenizer::Span,
};

use super::{
    proof::{Kind, Proof, Question, Term},
    terms::conjuncts,
};

/// How many mutants of each kind the proof refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Killed {
    /// A conjunct that binds is gone. One that a redundant one stands in for counts once both are gone.
    pub(super) removed: u32,
    /// An `AND` that joins a conjunct which binds to others is an `OR`.
    pub(super) loosened: u32,
    /// Another parameter takes the tenant's place, in a comparison or in what is stored.
    pub(super) replaced: u32,
    /// A conflict is looked for by a key without the tenant.
    pub(super) unkeyed: u32,
}

impl Killed {
    pub(super) fn total(self) -> u32 {
        self.removed + self.loosened + self.replaced + self.unkeyed
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            removed: self.removed + other.removed,
            loosened: self.loosened + other.loosened,
            replaced: self.replaced + other.replaced,
            unkeyed: self.unkeyed + other.unkeyed,
        }
    }
}

/// Tries every mutant of a statement that is proven. Those that are proven, too, come back as the survivors.
pub(super) fn try_all(question: Question<'_>, statement: &Statement) -> (Killed, Vec<String>) {
    let proof = question.prove(statement);
    let mut trial = Trial { question, killed: Killed::default(), survivors: Vec::new() };
    let compared = proof.places(Kind::Compared);
    for &place in &compared {
        if trial.kills(&without(statement, &[place])) {
            trial.killed.removed += 1;
        } else {
            trial.remove_all(statement, &proof, place);
        }
    }
    for index in ands(statement, &compared) {
        let mutant = loosened(statement, index);
        if trial.judge(&mutant) {
            trial.killed.loosened += 1;
        }
    }
    let by_parameter = |place: &Span| {
        let mut all = proof.occurrences.iter().flat_map(|occurrence| &occurrence.bindings);
        all.any(|binding| binding.place == *place && binding.to == Term::Tenant)
    };
    let stored = proof.places(Kind::Stored);
    for place in compared.into_iter().filter(by_parameter).chain(stored) {
        let mutant = replaced(statement, place, question.parameter);
        if trial.judge(&mutant) {
            trial.killed.replaced += 1;
        }
    }
    for place in proof.places(Kind::Conflict) {
        if trial.judge(&unkeyed(statement, place)) {
            trial.killed.unkeyed += 1;
        }
    }
    (trial.killed, trial.survivors)
}

/// All that can be made of a statement by taking bindings away: each alone and all together, each `AND` that joins one
/// to others, and that id in the tenant's place.
pub(super) fn all(question: Question<'_>, statement: &Statement, other: &str) -> Vec<Statement> {
    let proof = question.prove(statement);
    let compared = proof.places(Kind::Compared);
    let other = Expr::value(Value::SingleQuotedString(other.to_owned()));
    let removed = compared.iter().map(|&place| without(statement, &[place]));
    let at_once = (compared.len() > 1).then(|| without(statement, &compared));
    let loosened = ands(statement, &compared).into_iter().map(|index| loosened(statement, index));
    let replaced = compared.iter().copied().chain(proof.places(Kind::Stored));
    let replaced = replaced.map(|place| replaced_by(statement, place, question.parameter, &other));
    removed.chain(at_once).chain(loosened).chain(replaced).filter(|mutant| mutant != statement).collect()
}

struct Trial<'a> {
    question: Question<'a>,
    killed: Killed,
    survivors: Vec<String>,
}

impl Trial<'_> {
    fn kills(&self, mutant: &Statement) -> bool {
        !self.question.prove(mutant).faults.is_empty()
    }

    fn judge(&mut self, mutant: &Statement) -> bool {
        let killed = self.kills(mutant);
        if !killed {
            self.survivors.push(mutant.to_string());
        }
        killed
    }

    /// Takes away, with a conjunct that is redundant, all others that bind the same table.
    fn remove_all(&mut self, statement: &Statement, proof: &Proof, place: Span) {
        for occurrence in &proof.occurrences {
            let places: Vec<_> = occurrence.bindings.iter().map(|binding| binding.place).collect();
            if places.contains(&place) && self.judge(&without(statement, &places)) {
                self.killed.removed += 1;
            }
        }
    }
}

fn edited(statement: &Statement, mut edit: impl FnMut(&mut Expr)) -> Statement {
    let mut mutant = statement.clone();
    let _ = visit_expressions_mut(&mut mutant, |expr| {
        edit(expr);
        ControlFlow::<()>::Continue(())
    });
    mutant
}

fn is_equation_at(expr: &Expr, place: Span) -> bool {
    matches!(expr, Expr::BinaryOp { op: BinaryOperator::Eq, .. }) && expr.span() == place
}

/// `TRUE` is what a conjunct that is gone amounts to.
fn without(statement: &Statement, places: &[Span]) -> Statement {
    edited(statement, |expr| {
        if places.iter().any(|&place| is_equation_at(expr, place)) {
            *expr = Expr::value(Value::Boolean(true));
        }
    })
}

/// The numbers, in the order of the visit, of every `AND` that has one of these conjuncts.
fn ands(statement: &Statement, places: &[Span]) -> Vec<usize> {
    let (mut found, mut number) = (Vec::new(), 0);
    edited(statement, |expr| {
        if matches!(expr, Expr::BinaryOp { op: BinaryOperator::And, .. }) {
            let binds = |part: &&Expr| places.iter().any(|&place| is_equation_at(part, place));
            if conjuncts(expr).iter().any(binds) {
                found.push(number);
            }
            number += 1;
        }
    });
    found
}

fn loosened(statement: &Statement, index: usize) -> Statement {
    let mut number = 0;
    edited(statement, |expr| {
        // Once it is an OR it is not counted any more, but then it has been found.
        if let Expr::BinaryOp { op: op @ BinaryOperator::And, .. } = expr {
            if number == index {
                *op = BinaryOperator::Or;
            }
            number += 1;
        }
    })
}

fn replaced(statement: &Statement, place: Span, parameter: &str) -> Statement {
    let other = Expr::value(Value::Placeholder(parameter.replace('1', "2")));
    replaced_by(statement, place, parameter, &other)
}

fn replaced_by(statement: &Statement, place: Span, parameter: &str, other: &Expr) -> Statement {
    let is_parameter = |expr: &Expr| expr.to_string() == parameter;
    edited(statement, |expr| match expr {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right }
            if left.span().union(&right.span()) == place =>
        {
            for side in [left, right].into_iter().filter(|side| is_parameter(side)) {
                **side = other.clone();
            }
        }
        value if value.span() == place => *value = other.clone(),
        _ => {}
    })
}

fn unkeyed(statement: &Statement, place: Span) -> Statement {
    struct Rename(Span);

    impl VisitorMut for Rename {
        type Break = ();

        fn pre_visit_ident(&mut self, ident: &mut Ident) -> ControlFlow<()> {
            if ident.span == self.0 {
                "user_id".clone_into(&mut ident.value);
            }
            ControlFlow::Continue(())
        }
    }

    let mut mutant = statement.clone();
    let _ = mutant.visit(&mut Rename(place));
    mutant
}
