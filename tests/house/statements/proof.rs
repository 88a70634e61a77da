//! The proof itself: which rows of which tables a statement reaches, and what binds each to the tenant.
//!
//! A table stands in a *frame*: the `FROM` of one `SELECT`, or what an `UPDATE`, a `DELETE` or an `INSERT` is about.
//! A conjunct of that frame's own `WHERE` or `ON` binds it if it equates its tenant column with the tenant parameter,
//! or with the tenant column of another table in sight that is bound. What stands inside `OR`, `CASE`, `COALESCE`,
//! `NOT` binds nothing; neither do `USING`, `NATURAL`, `IN`, `HAVING`, and what comes out of a derived table. So a
//! statement can be right and be refused; then it is to be written more plainly. Nothing that is known to the parser
//! and unknown to the proof is passed over in silence.

use std::fmt::Write as _;

use sqlparser::{ast::Statement, tokenizer::Span};

use super::{
    global::{ANY_ROW, Global},
    tables::Tables,
    walk::Walk,
};

/// What is to be proven of a statement.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) tables: &'a Tables,
    /// What the tenant is called: `?1` or `$1`.
    pub(super) parameter: &'static str,
    /// What binds the statement in place of the tenant, if something else does.
    pub(super) instead: Option<&'a Global>,
}

impl Question<'_> {
    /// Tries to prove it.
    pub(super) fn prove(self, statement: &Statement) -> Proof {
        let mut walk = Walk::new(self);
        walk.statement(statement, None);
        let (mut occurrences, mut faults) = walk.finish(statement);
        // From the tenant outwards, until nothing more is reached: two tables that only refer to each other stay out.
        loop {
            let reached: Vec<usize> = (0..occurrences.len())
                .filter(|&index| !occurrences[index].bound)
                .filter(|&index| {
                    occurrences[index].bindings.iter().any(|binding| binding.to.holds(&occurrences))
                })
                .collect();
            if reached.is_empty() {
                break;
            }
            for index in reached {
                occurrences[index].bound = true;
            }
        }
        let open = occurrences.iter().filter(|occurrence| !occurrence.bound);
        faults.extend(open.map(|occurrence| occurrence.complaint(self, &occurrences)));
        Proof { occurrences, faults }
    }
}

/// What came of it.
pub(super) struct Proof {
    pub(super) occurrences: Vec<Occurrence>,
    /// What is missing, each in a sentence. Empty if the statement is proven.
    pub(super) faults: Vec<String>,
}

impl Proof {
    /// The places of all bindings of this kind, each once.
    pub(super) fn places(&self, kind: Kind) -> Vec<Span> {
        let all = self.occurrences.iter().flat_map(|occurrence| &occurrence.bindings);
        let mut places: Vec<_> =
            all.filter(|binding| binding.kind == kind).map(|binding| binding.place).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// A table that a tenant owns, in one place of a statement.
pub(super) struct Occurrence {
    /// As it stands there.
    pub(super) label: String,
    /// The column that says whose its rows are.
    pub(super) column: &'static str,
    /// What could bind it.
    pub(super) bindings: Vec<Binding>,
    /// All conjuncts that were looked at, as the reader of a failure wants to see them.
    pub(super) conjuncts: Vec<String>,
    pub(super) bound: bool,
}

/// Something that binds a table, provided that what it leads to is bound.
#[derive(Clone)]
pub(super) struct Binding {
    pub(super) to: Term,
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) place: Span,
}

/// By what a table is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A conjunct compares its tenant column.
    Compared,
    /// A value is stored in its tenant column.
    Stored,
    /// The rows that an `INSERT` is in conflict with are found by a key that has the tenant in it.
    Conflict,
    /// The list of global statements says so.
    Instead,
}

/// What a tenant column is compared with, or gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// The tenant parameter.
    Tenant,
    /// The tenant column of that occurrence.
    Column(usize),
    /// Whatever the list of global statements names.
    Instead,
}

impl Term {
    fn holds(self, occurrences: &[Occurrence]) -> bool {
        match self {
            Self::Tenant | Self::Instead => true,
            Self::Column(index) => occurrences[index].bound,
        }
    }
}

impl Occurrence {
    fn complaint(&self, question: Question<'_>, all: &[Self]) -> String {
        let Self { label, column, .. } = self;
        let mut said = format!("`{label}`: nothing binds its {column}");
        match question.instead {
            None => write!(said, " to {}", question.parameter),
            Some(Global { by, .. }) => {
                let by: Vec<_> =
                    by.iter().map(|(name, what)| if *what == ANY_ROW { *name } else { *what }).collect();
                write!(said, " to what the list of global statements names ({})", by.join("; "))
            }
        }
        .expect("a string takes all");
        for Binding { to, text, .. } in &self.bindings {
            if let Term::Column(index) = to {
                write!(said, "; `{text}` leads to `{}`, which is not bound itself", all[*index].label)
                    .expect("a string takes all");
            }
        }
        let looked = if self.conjuncts.is_empty() { "none".to_owned() } else { self.conjuncts.join(" | ") };
        said + &format!(". Conjuncts that were looked at: {looked}")
    }
}
